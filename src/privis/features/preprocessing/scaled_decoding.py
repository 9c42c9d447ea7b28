"""A feature whose JPEG files are decoded at a fraction of their size: no more of a photograph than it reads."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, fields, is_dataclass
from typing import Any, ClassVar

from privis.errors import ParameterError, Problem, refuse
from privis.features.feature import Feature, Image, core_shape, is_pixelwise
from privis.features.image_ops import Size
from privis.features.preprocessing.preprocessed import Preprocessed
from privis.program.shapes import Shape


@dataclass(frozen=True)
class ScaledDecoding(Preprocessed):
    """``feature`` of JPEG files that are decoded at 1/2, 1/4 or 1/8 of their sides, then resized as ever.

    The smallest of these that is no smaller than the feature's ``size``, so that nothing is enlarged; whole where none
    is. Only the inverse DCT of what is kept is computed (libjpeg's scaled decoding), so a large photograph is read in a
    fraction of the time. It is another picture than the whole one resized: another feature, with an identity of its
    own in cards, noise and unfinished runs. Files of other formats, PIL images and arrays are read as they are; what is
    refused stays refused. Wrap it around all else: steps, other preprocessing, parts.

    Noise on pixels is put on the picture of the feature's size, as without it, and its guarantee is the same. A budget
    for each image is refused: a photograph's account is named by its whole pixels, which nobody decodes here.

    Args:
        feature: what is extracted; with a ``size``.

    Raises:
        ParameterError: ``feature`` is none, or has no size.

    >>> from privis.features.hog import HOG
    >>> ScaledDecoding(HOG(size=(256, 256))).at_least
    (256, 256)
    """

    identifier: ClassVar[str] = "privis.scaled-decoding/1"

    def __post_init__(self) -> None:
        problems = self.feature_problems()
        if not problems and self.feature.size is None:
            remedy = "pass size=(height, width) to the feature: without one every image is read whole"
            problems.append(Problem("ScaledDecoding.feature", f"{self.feature.name} without a size", "one", remedy))
        refuse(ParameterError, problems)

    @property
    def at_least(self) -> Size | None:
        """(height, width) in pixels that a picture still has after decoding."""
        return self.size

    @property
    def pixelwise(self) -> bool:
        """Whether every pixel of the resized image keeps its place, by the feature's own word."""
        return is_pixelwise(self.feature)

    def prepare(self, image: Image) -> Image:
        """Return ``image`` as it is: it was decoded at a fraction of its size, if at all."""
        return image

    def core_shape(self, image_shape: Shape) -> Shape:
        """The shape of what the feature makes of an image, which it resizes."""
        return core_shape(self.feature, image_shape)


def least_size(feature: Feature) -> Size | None:
    """The size that pictures must have when ``feature`` reads them: a JPEG may be decoded at a fraction of its size.

    Args:
        feature: any feature; of wrapped ones the innermost words count.

    Returns:
        (height, width) in pixels; None where pictures are decoded whole.

    >>> from privis.features.lbp import LBP
    >>> least_size(ScaledDecoding(LBP(size=(8, 16)))), least_size(LBP(size=(8, 16)))
    ((8, 16), None)
    """
    each: Any = feature
    while each is not None and not isinstance(each, ScaledDecoding):
        each = getattr(each, "feature", None)
    return None if each is None else each.at_least


def scaled_problems(feature: Feature) -> list[Problem]:
    """What is wrong where `ScaledDecoding` is a part of something that reads whole pictures for its other parts."""
    if least_size(feature) is not None or not any(isinstance(part, ScaledDecoding) for part in _parts(feature)):
        return []
    remedy = "wrap it around the whole feature: ScaledDecoding(ImageParts(…))"
    return [Problem("feature", f"ScaledDecoding within {feature.name}", "one around it", remedy)]


def _parts(value: object) -> Iterator[object]:
    """Every dataclass that a feature is made of."""
    if isinstance(value, tuple | list):
        for item in value:
            yield from _parts(item)
    elif is_dataclass(value) and not isinstance(value, type):
        yield value
        for field in fields(value):
            if field.init:
                yield from _parts(getattr(value, field.name, None))
