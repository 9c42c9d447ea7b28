"""``pipeline_card``: the privacy card of a table that a pipeline made."""

from __future__ import annotations

from privis.errors import ParameterError, refuse
from privis.extraction.card import Card
from privis.extraction.contributions import NOBODY
from privis.extraction.extractor import Extractor
from privis.extraction.images import card_of, weakest_guarantee
from privis.extraction.pipelines.row_extraction import owner_shapes, row_length
from privis.features.feature import Feature, core_shape
from privis.privacy import Release
from privis.program import digest
from privis.run.clear import Clear
from privis.validation import whole_number


def pipeline_card(feature: Feature, images: int, *, release: Release | None = None) -> Card:
    """Say what a table that `privis.on_ray`, `privis.on_daft` or `privis.on_arrow` made holds and guarantees.

    An engine writes the table, so the card lies beside it: ``Path("vectors.card.json").write_text(card.to_json())``.
    Its guarantee is the weakest that an image, grey or coloured, can have at the feature's size; it is known without
    any image.

    Args:
        feature: that was extracted.
        images: rows with a vector, as counted in the table.
        release: that was extracted with; None: exact vectors.

    Returns:
        The card, without programs where the feature has no size.

    Raises:
        ParameterError: there is no image, or pipelines do not extract this.

    >>> from privis import LBP
    >>> pipeline_card(LBP(size=(64, 64)), 1000).images
    1000
    """
    refuse(ParameterError, whole_number("images", images))
    length = row_length(feature, release)
    extractor = Extractor(feature, Clear(), release, None, None, NOBODY)
    shapes = owner_shapes(feature)
    cores = [] if feature.size is None else [core_shape(feature, shape) for shape in shapes]
    programs = tuple(dict.fromkeys(digest(feature.program(shape)) for shape in cores))
    return card_of(extractor, weakest_guarantee(extractor, shapes, length), programs, images)
