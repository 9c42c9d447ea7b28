"""Whether the epsilon and delta of a card follow from the release that it names: recomputed by the same accounting.

The release of a card is built anew from its parameters and asked for its guarantee; all figures must agree. Of noise
on pixels the images' size is needed for that. Where a card does not say it, epsilon of its unit is recomputed from
scale and sensitivity alone: their quotient for Laplace noise, the exact Gaussian mechanism's epsilon at the stated
delta for Gaussian noise (see `privis.privacy.accounting.noise_calibration`).
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from privis import privacy
from privis.cards.findings import Findings
from privis.cards.signed_content import NOT_KEPT
from privis.errors import PrivisError
from privis.privacy import (
    NO_GUARANTEE,
    Gaussian,
    Guarantee,
    Laplace,
    LeastSquaresTraining,
    LogisticTraining,
    PixelRelease,
)
from privis.privacy.accounting import gaussian_epsilon
from privis.version import VERSION

_WORDS = ("unit", "mechanism", "norm", "step_unit", "computed_from")
_OF_UNIT = ("scale", "sensitivity", "epsilon", "delta")
_OF_IMAGE = ("step", "whole_image_epsilon", "whole_image_delta")
_TOLERANCE = 1e-6
"""Relative: what versions and machines may differ by in a figure, far below what anybody could gain by a change."""
_STEPS = 1_000_000
"""Of a training, whose accounting takes a few seconds; more of them are the work of somebody who wants it to hang."""
_SIDE = 1 << 15
"""Side of an image that is larger than any unit of pixels, in pixels."""
_NAMES = (
    "Laplace", "Gaussian", "PrivUnit", "VonMisesFisher", "RandomisedResponse", "WholeImage", "Pixels", "Patch",
    "Person", "AddOrRemovePerson", "PersonDay", "Enrolment", "Dataset", "Metric", "PixelRelease", "FeatureRelease",
    "HistogramRelease", "CodeRelease", "DirectionRelease", "SumRelease", "MeanRelease", "CorpusHistogramRelease",
    "WindowCountRelease", "LogisticTraining", "LeastSquaresTraining",
)  # fmt: skip
CLASSES: Mapping[str, type[Any]] = MappingProxyType({name: getattr(privacy, name) for name in _NAMES})
"""What a card's release may be made of, by the names that cards hold."""


def epsilon_findings(
    card: Mapping[str, Any], components: int | None = None, image_size: tuple[int, int] | None = None
) -> Findings:
    """Recompute what a card guarantees.

    Args:
        card: its document, of format 1 or 2.
        components: of the released vectors, where they are known.
        image_size: (height, width) of the images in pixels, where noise is on pixels.

    Returns:
        What does not follow from the mechanism, and what could not be recomputed.
    """
    try:
        stated = Guarantee.from_dict(card["guarantee"])
        said = card["guarantee"].get("sentence")
        if card.get("version") == VERSION and said != stated.sentence:
            return Findings(("the sentence of the guarantee is not that of its figures",))
        if card["release"] is None:
            wrong = _differences(stated, NO_GUARANTEE, (*_WORDS, *_OF_UNIT, *_OF_IMAGE))
            return Findings(wrong, ("no release, so that nothing is guaranteed",))
        if card["release"] == {"class": NOT_KEPT}:
            return Findings(not_checked=("epsilon: the parameters of its training were not kept",))
        if int(card["release"].get("steps", 0)) > _STEPS:
            return Findings((f"a training of more than {_STEPS:,} steps",))
        release = rebuilt(card["release"])
        if isinstance(release, LogisticTraining | LeastSquaresTraining):
            return _of_training(release, stated, components)
        if isinstance(release, PixelRelease):
            return _on_pixels(release, stated, _size(card, image_size))
        if components is None:
            return _by_scale(release, stated) + Findings(not_checked=("delta: the vectors' length is not known",))
        return _compared(release, stated, (components,))
    except PrivisError as error:
        return Findings((f"its release cannot be: {'; '.join(map(str, error.problems))}",))
    except (KeyError, TypeError, ValueError, AttributeError, ArithmeticError) as error:
        return Findings((f"its guarantee or release cannot be read: {type(error).__name__} {error}",))


def rebuilt(described: Any) -> Any:
    """Build what a card describes.

    Args:
        described: a class and its parameters, as of `privis.extraction.card.described`.

    Returns:
        The object.

    Raises:
        ValueError: a class that no release is made of.
        ParameterError: its parameters cannot be.

    >>> rebuilt({"class": "Laplace", "epsilon": 4.0})
    Laplace(epsilon=4.0)
    """
    if not isinstance(described, Mapping):
        return tuple(map(rebuilt, described)) if isinstance(described, list) else described
    name = described.get("class")
    if name not in CLASSES:
        raise ValueError(f"no release of the name {name!r}")
    return CLASSES[name](**{key: rebuilt(value) for key, value in described.items() if key != "class"})


def _size(card: Mapping[str, Any], given: tuple[int, int] | None) -> tuple[int, int] | None:
    """Of the images: as given, as the card says, or as the feature brings them to."""
    said = given or card.get("image_size") or card["feature"].get("size")
    return None if said is None else (int(said[0]), int(said[1]))


def _of_training(plan: LogisticTraining | LeastSquaresTraining, stated: Guarantee, components: int | None) -> Findings:
    """By the accountant, for the noise that is stated: which noise is the least is searched for, to some digits."""
    if not 0 < stated.scale < math.inf:
        return Findings((f"scale is {stated.scale:g}",))
    if components not in (None, plan.components):
        return Findings((f"a training on {plan.components} components, and the model has {components}",))
    wrong = _differences(stated, plan.guarantee_at(stated.scale), (*_WORDS, *_OF_UNIT, *_OF_IMAGE))
    if stated.epsilon > plan.noise.epsilon * (1 + _TOLERANCE):
        wrong += (f"epsilon is stated as {stated.epsilon:g}, and at most {plan.noise.epsilon:g} was chosen",)
    return Findings(wrong, ("epsilon and delta of the whole training, recomputed by its accountant",))


def _compared(release: Any, stated: Guarantee, shape: tuple[int, ...]) -> Findings:
    wrong = _differences(stated, release.guarantee(shape), (*_WORDS, *_OF_UNIT, *_OF_IMAGE))
    return Findings(wrong, (f"epsilon and delta, recomputed for {' x '.join(map(str, shape))} values",))


def _on_pixels(release: PixelRelease, stated: Guarantee, size: tuple[int, int] | None) -> Findings:
    """Of grey images or of three channels, which a card does not say."""
    if size is not None:
        found = [_compared(release, stated, (*size, *channels)) for channels in ((), (3,))]
    elif release.unit.needs_subjects or CLASSES["WholeImage"] is type(release.unit):
        unknown = ("the size of the images, which sensitivity and noise follow from: say --image-size",)
        return _by_scale(release, stated) + Findings(not_checked=unknown)
    else:
        unknown = ("whole-image epsilon and delta: the size of the images is not known: say --image-size",)
        found = [
            Findings(
                _differences(stated, release.guarantee((_SIDE, _SIDE, *channels)), (*_WORDS, *_OF_UNIT))
                + _area_problems(stated, math.prod(channels)),
                ("epsilon and delta of the unit, recomputed",),
                unknown,
            )
            for channels in ((), (3,))
        ]
    return next((each for each in found if each.holds), found[-1])


def _area_problems(stated: Guarantee, channels: int) -> tuple[str, ...]:
    """Laplace noise costs whole images in proportion to their pixels, which are a whole number."""
    if stated.whole_image_epsilon < stated.epsilon * (1 - _TOLERANCE):
        return ("whole_image_epsilon is less than epsilon",)
    pixels = stated.whole_image_epsilon * stated.scale / (255 * channels)
    if stated.mechanism != Laplace.name or abs(pixels - round(pixels)) <= 1e-9 * pixels:
        return ()
    return (f"whole_image_epsilon {stated.whole_image_epsilon:g} is that of no image: {pixels:.6g} pixels",)


def _by_scale(release: Any, stated: Guarantee) -> Findings:
    """Epsilon of the unit from scale and sensitivity alone; of mechanisms without a scale, that it is theirs."""
    mechanism = getattr(release, "noise", None) or getattr(release, "mechanism", None)
    ratio = stated.sensitivity / stated.scale if stated.scale > 0 else math.inf
    if isinstance(mechanism, Laplace):
        least = ratio
    elif isinstance(mechanism, Gaussian):
        least = gaussian_epsilon(ratio, stated.delta)
    else:
        return _of_vectors(release, stated)
    wrong = []
    if not mechanism.epsilon == stated.epsilon:
        wrong.append(f"epsilon is stated as {stated.epsilon:g}, and {mechanism.epsilon:g} was chosen")
    if isinstance(mechanism, Gaussian) and mechanism.delta != stated.delta:
        wrong.append(f"delta is stated as {stated.delta:g}, and {mechanism.delta:g} was chosen")
    if least > stated.epsilon * (1 + _TOLERANCE):
        wrong.append(f"epsilon is stated as {stated.epsilon:g}, and scale and sensitivity give {least:.6g}")
    if (stated.mechanism, stated.norm) != (mechanism.name, mechanism.norm):
        wrong.append(f"the mechanism is stated as {stated.mechanism}, {stated.norm}")
    if stated.whole_image_epsilon > stated.epsilon * (1 + _TOLERANCE) and stated.unit == "whole image":
        wrong.append("whole images are the unit, and have another epsilon")
    return Findings(tuple(wrong), ("epsilon of the unit, recomputed from scale and sensitivity",))


def _of_vectors(release: Any, stated: Guarantee) -> Findings:
    """Epsilon of directions and codes is the same for every length; sensitivity is, too, for directions."""
    expected = release.guarantee((64,))
    wrong = _differences(stated, expected, ("unit", "mechanism", "norm", "epsilon", "whole_image_epsilon"))
    return Findings(wrong, ("epsilon, recomputed from the mechanism",))


def _differences(stated: Guarantee, expected: Guarantee, names: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(
        f"{name} is stated as {_shown(getattr(stated, name))}, and follows as {_shown(getattr(expected, name))}"
        for name in names
        if not _equal(getattr(stated, name), getattr(expected, name))
    )


def _equal(one: Any, other: Any) -> bool:
    if isinstance(one, str) or isinstance(other, str):
        return bool(one == other)
    return math.isclose(one, other, rel_tol=_TOLERANCE)


def _shown(value: Any) -> str:
    return repr(value) if isinstance(value, str) else f"{value:.9g}"
