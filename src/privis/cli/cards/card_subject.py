"""What a card may be of, told by its content."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from privis.errors import ParameterError
from privis.file_formats import FileFormat, format_of, misfit

if TYPE_CHECKING:
    from privis.cards.signed_content import SignedContent
    from privis.cards.table_bytes import TableContent


def _table(path: Path) -> TableContent:
    from privis.cards.table_bytes import content_of

    return content_of(path, whole=True)


def _head(path: Path) -> SignedContent:
    from privis.training.heads import head_content

    return head_content(path)


def _classifier(path: Path) -> SignedContent:
    from privis.estimators.classification.classifier_file import classifier_content

    return classifier_content(path)


def _gallery(path: Path) -> SignedContent:
    from privis.cards.gallery_content import gallery_content

    return gallery_content(path)


READERS: Mapping[FileFormat, Callable[[Path], TableContent | SignedContent]] = {
    FileFormat.TABLE: _table,
    FileFormat.HEAD: _head,
    FileFormat.CLASSIFIER: _classifier,
    FileFormat.FACE_GALLERY: _gallery,
}


def subject_at(path: Path) -> TableContent | SignedContent:
    """Read what a card is of.

    Args:
        path: of a table, a classifier, or a gallery of faces.

    Returns:
        Its digest, and what it says of itself.

    Raises:
        ParameterError: it is nothing that a card can be of, or damaged.
    """
    form = format_of(path)
    if form not in READERS:
        expected = "a table that carries a card, a classifier, or a gallery of faces"
        raise ParameterError(misfit(path, FileFormat.TABLE, str(form), expected))
    return READERS[form](path)
