"""What a released result guarantees, in numbers and in words.

Evolution of its dictionary, which cards, tables and heads hold: fields may be added, with the value that stands for
all that was written before (`Guarantee.from_dict`); none is renamed or means something else. Infinity is written as
null.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields, replace
from decimal import ROUND_CEILING, Decimal
from typing import Any, Self

from privis.privacy.units import (
    AddOrRemovePerson,
    Dataset,
    Enrolment,
    Metric,
    Patch,
    Person,
    PersonDay,
    Pixels,
    Unit,
    WholeImage,
)

UNIT_NAMES: dict[type[Unit], str] = {
    WholeImage: "whole image",
    Pixels: "pixels",
    Patch: "patch",
    Person: "person",
    AddOrRemovePerson: "person added or removed",
    PersonDay: "person and day",
    Enrolment: "enrolment",
    Dataset: "dataset",
    Metric: "metric",
}
"""What `Guarantee.unit` calls each unit."""


ONE_IMAGE, CORPUS = "one image", "corpus"
OR_NONE = "more, fewer or none"
"""How the relation of a person's images ends where none may be left: it hides the person's presence, too."""


@dataclass(frozen=True)
class Guarantee:
    """The differential privacy of one release of an image or a corpus.

    For any two inputs that are neighbours by ``relation`` and any set S of results, P(S) <= e**epsilon P'(S) + delta
    (Dwork and Roth, 2014, doi:10.1561/0400000042, definition 2.4); for ``metric`` epsilon is per unit of distance.
    delta includes the distance between the sampled noise and its exact distribution.

    Args:
        unit: what is hidden: ``whole image``, ``pixels``, ``patch``, ``person``, ``person added or removed``,
            ``person and day``, ``enrolment``, ``dataset`` or ``metric``.
        relation: which inputs are neighbours, in words.
        mechanism: distribution of the noise.
        scale: of the noise, in grid steps; without a grid, root mean square error of the released vector.
        step: what one grid step is worth, in ``step_unit``; for blocks of pixels, in the largest block.
        step_unit: of ``step``, in words.
        sensitivity: largest distance of two neighbours, in grid steps.
        norm: of the sensitivity: L1, L2 or that of the mechanism.
        sensitivity_reason: its derivation, in words.
        epsilon: for the chosen unit: for a person, of all images together.
        delta: for the chosen unit.
        whole_image_epsilon: of the same noise, when one whole image is replaced by any other of the same, public
            dimensions; infinity: nothing bounds it.
        whole_image_delta: belongs to it.
        computed_from: one image, or a corpus.
        promises: what the numbers rest on and nobody but the caller knows; without them they do not hold.
    """

    unit: str
    relation: str
    mechanism: str
    scale: float
    step: float
    step_unit: str
    sensitivity: float
    norm: str
    sensitivity_reason: str
    epsilon: float
    delta: float
    whole_image_epsilon: float
    whole_image_delta: float
    computed_from: str = ONE_IMAGE
    promises: tuple[str, ...] = ()

    @property
    def sentence(self) -> str:
        """The guarantee for a reader who is new to differential privacy."""
        if not self.promises:
            return self._stated
        return f"{self._stated} As promised by the caller, and not checked: {'; '.join(self.promises)}."

    @property
    def _stated(self) -> str:
        if math.isinf(self.epsilon):
            return "No differential privacy: the result is exact and may reveal the image."
        if self.unit == UNIT_NAMES[Metric]:
            return (
                f"For any two {self.relation}, no result is more than exp({shown(self.epsilon)} d) times as likely "
                f"from one as from the other: {_factor(self.epsilon / 10)} times at d = 0.1, and "
                f"{_factor(self.whole_image_epsilon)} times at the largest, d = 2 (whole-image epsilon "
                f"{shown(self.whole_image_epsilon)}), up to an additional probability of {shown_delta(self.delta)} "
                "(delta)."
            )
        sentence = (
            f"For any two neighbours ({self.relation}), no result is more than about {_factor(self.epsilon)} times as "
            f"likely from one as from the other (epsilon {shown(self.epsilon)}), up to an additional probability of "
            f"{shown_delta(self.delta)} (delta)."
        )
        if self.unit == UNIT_NAMES[WholeImage]:
            return sentence
        if self.unit == UNIT_NAMES[Enrolment]:
            return f"{sentence} That is for all enrolled images of the person together, and for each of them."
        if self.unit == UNIT_NAMES[PersonDay]:
            return (
                f"{sentence} That is for everything of the person on that day; days add up. A person who is replaced "
                "by another is one removed and one added: twice epsilon, and 1 + exp(epsilon) times delta. An image "
                "that shows several people is not hidden."
            )
        if math.isinf(self.whole_image_epsilon):
            return f"{sentence} Whole images are not hidden: nothing that was stated bounds them."
        if self.unit == UNIT_NAMES[Person]:
            return (
                f"{sentence} That is for all of the person's images together; each alone has whole-image epsilon "
                f"{shown(self.whole_image_epsilon)}, delta {shown_delta(self.whole_image_delta)}."
            )
        if self.unit == UNIT_NAMES[AddOrRemovePerson]:
            return (
                f"{sentence} That is for all of the person's images together. A person who is replaced by another is "
                "one removed and one added: twice epsilon, and 1 + exp(epsilon) times delta. One image replaced by "
                f"another has whole-image epsilon {shown(self.whole_image_epsilon)}, delta "
                f"{shown_delta(self.whole_image_delta)}."
            )
        return (
            f"{sentence} Whoever compares whole images instead is held back only by a factor of "
            f"{_factor(self.whole_image_epsilon)} (whole-image epsilon {shown(self.whole_image_epsilon)}, "
            f"delta {shown_delta(self.whole_image_delta)})."
        )

    def of_resized(self, size: tuple[int, int]) -> Guarantee:
        """Say that the pixels meant are those of an image after it was resized to a public size.

        Nothing is added where whole images are hidden: resizing is a function of one image.

        Args:
            size: (height, width) in pixels.

        Returns:
            A guarantee whose relation says so.

        >>> from privis.privacy import Laplace, PixelRelease, Pixels
        >>> PixelRelease(Laplace(4.0), Pixels(1)).guarantee((64, 64)).of_resized((64, 64)).relation
        'images that differ in at most 1 pixel after resizing to 64 x 64'
        """
        if self.unit not in (UNIT_NAMES[Pixels], UNIT_NAMES[Patch]):
            return self
        resized = f"after resizing to {size[0]} x {size[1]}"
        reason = f"{self.sensitivity_reason}; pixels are meant {resized}: one of the image before may change several"
        return replace(self, relation=f"{self.relation} {resized}", sensitivity_reason=reason)

    def to_dict(self) -> dict[str, Any]:
        """Give a dictionary for JSON: an infinite value becomes None, and ``sentence`` is included.

        Returns:
            Values by field name, and ``sentence``.
        """
        values = {
            name: None if isinstance(value, float) and math.isinf(value) else value
            for name, value in asdict(self).items()
        }
        return {**values, "promises": list(self.promises), "sentence": self.sentence}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Self:
        """Read what `to_dict` gave, in this version or an earlier one.

        Args:
            values: by field name; unknown names are ignored.

        Returns:
            The guarantee.
        """
        since = {"promises": ()}  # what a dictionary of an earlier version has not
        known: dict[str, Any] = {field.name: (since | dict(values))[field.name] for field in fields(cls)}
        for name, value in known.items():
            known[name] = math.inf if value is None else value
        return cls(**{**known, "promises": tuple(known["promises"])})


def rounded_up(value: float, digits: int) -> float:
    """Round to so many significant decimal digits, never down: a bound stays one when it is printed.

    >>> rounded_up(4.5921, 3), rounded_up(196.0, 3), rounded_up(3.2e-08, 1), rounded_up(0.1, 4)
    (4.6, 196.0, 4e-08, 0.1)
    """
    exact = Decimal(repr(float(value)))  # the shortest decimal number that is this double
    if not exact.is_finite() or not exact:
        return float(value)
    return float(exact.quantize(Decimal(1).scaleb(exact.adjusted() - digits + 1), ROUND_CEILING))


def shown(value: float, digits: int = 4) -> str:
    """Write a bound with so many digits, or with all before the point, rounded up.

    >>> shown(4.59241), shown(3136.0), shown(1234.5)
    ('4.593', '3,136', '1,235')
    """
    return f"{rounded_up(value, digits):,.{digits}g}" if value < 10 ** (digits - 1) else f"{math.ceil(value):,}"


def shown_delta(value: float, digits: int = 2) -> str:
    """Write a tiny bound, rounded up.

    >>> shown_delta(1e-6), shown_delta(1.0017e-31)
    ('1.0e-06', '1.1e-31')
    """
    return f"{rounded_up(value, digits):.{digits - 1}e}"


def _factor(epsilon: float) -> str:
    if epsilon < 7:
        return f"{rounded_up(math.exp(epsilon), 3):.3g}"
    return f"10^{math.ceil(epsilon / math.log(10)):,}"


NO_GUARANTEE = Guarantee(
    unit="none",
    relation="none",
    mechanism="none",
    scale=0.0,
    step=1.0,
    step_unit="none",
    sensitivity=math.inf,
    norm="none",
    sensitivity_reason="nothing is hidden, so nothing was bounded",
    epsilon=math.inf,
    delta=0.0,
    whole_image_epsilon=math.inf,
    whole_image_delta=0.0,
)
"""The guarantee of a result without noise: none."""


def no_release() -> Guarantee:
    """Give the guarantee of a result that was computed in the clear and not protected.

    Returns:
        `NO_GUARANTEE`.

    >>> no_release().sentence
    'No differential privacy: the result is exact and may reveal the image.'
    """
    return NO_GUARANTEE
