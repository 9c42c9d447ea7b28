"""``explain``: what a release hides, leaves public and costs, in numbers and in plain words, before any image."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import Any

from privis.errors import ImageError, ParameterError, Problem, UnsupportedError, refuse
from privis.extraction.counts_of_pixels import stated
from privis.extraction.noise_level import LEAST_LEFT, NoiseLevel, level_of, number
from privis.extraction.programs.prepared_programs import predicted_error
from privis.features.feature import Feature, core_shape
from privis.features.image_ops import owner_image_shape
from privis.features.norms import largest_norms
from privis.privacy import (
    Gaussian,
    Guarantee,
    Person,
    Release,
    Unit,
    WholeImage,
)
from privis.privacy.accounting.noise_calibration import gaussian_delta, gaussian_privacy, gaussian_ratio
from privis.privacy.guarantee import shown, shown_delta
from privis.privacy.sampling.alias_table import TOTAL_VARIATION
from privis.privacy.sensitivity import Sensitivity
from privis.program.shapes import Shape
from privis.readings import Cost, PredictedError, cost
from privis.run.protocol import Executor
from privis.validation import whole_number

_FINE = 2**20  # grid steps per standard deviation: a ratio becomes an integer sensitivity, rounded up


@dataclass(frozen=True)
class Secret:
    """How well something is hidden: ``epsilon`` and ``delta`` when ``what`` changes, in ``images`` images at once.

    ``success`` bounds the share of right guesses, by anyone with any knowledge, which of two equally likely versions a
    result came from: 0.5 is a coin, 1 is certainty.
    """

    what: str
    images: int
    epsilon: float
    delta: float
    success: float

    @property
    def advantage(self) -> float:
        """How much better than a coin, 0 to 1: a bound on the total variation between the two versions' results."""
        return 2 * self.success - 1


@dataclass(frozen=True)
class Explanation:
    """What `explain` derived: ``lines`` are sentences, ``to_dict`` is for JSON.

    Args:
        feature: name of the feature.
        shape: of the image, (H, W) or (H, W, 3).
        length: components of the feature.
        guarantee: what the release guarantees; `NO_GUARANTEE` without one.
        unit: what the release is calibrated to; None without a release.
        whole_image: the same noise for whoever compares whole images; None without a release.
        person: all images of one person, replaced together; None without a release.
        noise: root mean square noise of the released values; None without a release.
        cost: what the executor takes: seconds, bytes, operations.
        error: how far results are from the definition; None where no executor was named.
    """

    feature: str
    shape: Shape
    length: int
    guarantee: Guarantee
    unit: Secret | None
    whole_image: Secret | None
    person: Secret | None
    noise: NoiseLevel | None
    cost: Cost
    error: PredictedError | None = None

    @property
    def lines(self) -> tuple[str, ...]:
        """What `explain` derived in plain sentences, one fact each."""
        return (*self._hidden(), self._public(), *self._error(), *self._approximation(), self._price())

    def to_dict(self) -> dict[str, Any]:
        """Give a dictionary for JSON: an infinite value becomes None; ``advantage`` and ``lines`` are included.

        Returns:
            Values by field name, and ``lines``.
        """
        values: dict[str, Any] = {**asdict(self), "guarantee": self.guarantee.to_dict(), "lines": list(self.lines)}
        for name, secret in (("unit", self.unit), ("whole_image", self.whole_image), ("person", self.person)):
            if secret is not None:
                values[name] = {**asdict(secret), "advantage": secret.advantage}
        if self.noise is not None:
            level = self.noise
            values["noise"] = {**asdict(level), "length": level.length, "signal_to_noise": level.signal_to_noise}
        if self.error is None:
            del values["error"]
        return _finite(values)

    def _hidden(self) -> list[str]:
        if self.unit is None or self.whole_image is None or self.person is None:
            return ["Nothing is hidden: the feature is exact, and much of the image may be recovered from it."]
        told = [self.unit]
        if self.whole_image.epsilon != self.unit.epsilon:
            told.append(self.whole_image)
        if self.person.images > 1 and self.person.what != self.unit.what:
            told.append(self.person)
        return [
            f"Hidden: {secret.what}, at epsilon {_bound(secret.epsilon)} and delta {shown_delta(secret.delta)}. "
            f"Who must guess which of two it was is right at most {at_most(secret.success)} of the time; a coin is "
            "right 50 %."
            for secret in told
        ]

    def _public(self) -> str:
        dimensions = " x ".join(map(str, self.shape))
        return (
            f"Public all the same: the dimensions ({dimensions}), the number of images, their names, and that this is "
            f"the feature {self.feature} of {self.length:,} components."
        )

    def _error(self) -> list[str]:
        if self.noise is None:
            return []
        noise = self.noise
        each = f"Noise: standard deviation {number(noise.deviation)} {noise.unit} on each of {noise.values:,} values"
        if noise.most > noise.deviation * (1 + 1e-9):
            each += f" on average, up to {number(noise.most)} on the smallest block at the border"
        if noise.unit == "grey levels":
            each += ", before clamping to 0..255; what that does to the feature depends on the image"
        else:
            each += f", length {number(noise.length)} in all"
        if noise.clip is not None:
            clip = number(noise.clip)
            each += f", {number(noise.length / noise.clip)} times the largest length of the feature ({clip})"
        return [f"{each}.", *_left(noise)]

    def _approximation(self) -> list[str]:
        if self.error is None:
            return []
        causes = "".join(f" {cause}." for cause in self.error.causes)
        return [f"Predicted error of the result: {self.error.words}.{causes}"]

    def _price(self) -> str:
        operations, memory = self.cost.operations or 0, self.cost.memory or 0
        return f"The core takes {operations:,} operations and {memory:,} bytes per image."


def explain(
    feature: Feature,
    shape: Shape,
    *,
    release: Release | None = None,
    images_per_person: int = 1,
    under: Executor | None = None,
) -> Explanation:
    """Derive what ``release`` of ``feature`` means for images of ``shape``, (H, W) or (H, W, 3); no image is needed.

    ``person`` composes the whole-image guarantees of ``images_per_person`` images. Gaussian noise: the privacy loss of
    the composed mechanism, again a Gaussian one, at the delta of one image. All else: epsilons and deltas add up.
    ``success`` is (exp(epsilon) + delta) / (1 + exp(epsilon)), which no mechanism with that guarantee exceeds (Kairouz,
    Oh and Viswanath, arXiv:1311.0776), or for Gaussian noise the smaller value from the total variation of two normal
    distributions.

    Args:
        feature: what is extracted.
        shape: (H, W) or (H, W, 3) of the image in pixels, before resizing.
        release: what the output may say; None: everything.
        images_per_person: images of one person that are released, at least 1.
        under: who computes, whose predicted error is then stated; None: nothing about it.

    Returns:
        What is hidden, at which noise and cost.

    Raises:
        ParameterError: the image count is below 1, the image too small for the feature, or no noise can keep epsilon.
        ImageError: the shape is no image's.
        UnsupportedError: ``under`` cannot run the feature.

    >>> from privis import LBP, FeatureRelease, Laplace
    >>> told = explain(LBP(density=True), (64, 64), release=FeatureRelease(Laplace(4.0), clip=1.0), images_per_person=5)
    >>> told.unit.epsilon, told.person.epsilon, round(told.unit.success, 3)
    (4.0, 20.0, 0.982)
    """
    refuse(ParameterError, whole_number("explain.images_per_person", images_per_person))
    if len(shape) not in (2, 3) or min(shape) < 1 or (len(shape) == 3 and shape[2] != 3):
        raise ImageError(Problem("explain.shape", repr(shape), "(height, width) or (height, width, 3)"))
    image_shape = owner_image_shape(feature, shape)
    core = core_shape(feature, image_shape)
    length = len(feature.names(core))
    guarantee = stated(feature, release, image_shape, length)
    program = feature.program(core)
    spent, error = cost(program), None
    if under is not None:
        refuse(UnsupportedError, under.supports(program))
        error = predicted_error(under, program)
    if release is None:
        return Explanation(feature.name, shape, length, guarantee, None, None, None, None, spent, error)
    level = level_of(release, guarantee, image_shape, length, largest_norms(feature, core))
    secrets = _secrets(release.unit, guarantee, level.values, images_per_person)
    return Explanation(feature.name, shape, length, guarantee, *secrets, level, spent, error)


def _secrets(unit: Unit, guarantee: Guarantee, values: int, images: int) -> tuple[Secret, Secret, Secret]:
    """The unit, one whole image, and all of a person's images."""
    what = f"{guarantee.relation}, for d = 1" if guarantee.unit == "metric" else guarantee.relation
    whole = guarantee.whole_image_epsilon, guarantee.whole_image_delta
    person = images * whole[0], min(1.0, images * whole[1])
    finite = math.isfinite(whole[0])  # not for counts per pixel whose total is not stated
    noise = values if guarantee.mechanism == Gaussian.name and finite else None
    if noise is not None and images > 1:
        together = _gaussian_person(*whole, noise, images)
        if together[1] < person[1]:  # for an epsilon of hundreds the charge for sampling it may be large
            person = together
    return (
        _secret(what, unit.images, guarantee.epsilon, guarantee.delta, noise),
        _secret(WholeImage().relation, 1, *whole, noise),
        _secret(Person(images).relation, images, *person, noise),
    )


def _secret(what: str, images: int, epsilon: float, delta: float, gaussian_values: int | None) -> Secret:
    success = 1 / (1 + math.exp(-epsilon)) + delta / (1 + math.exp(min(epsilon, 700.0)))
    if gaussian_values is not None:
        variation = gaussian_delta(_ratio(epsilon, delta), 0.0)  # of two normal distributions
        success = min(success, 0.5 + variation / 2 + images * gaussian_values * TOTAL_VARIATION)
    return Secret(what, images, epsilon, delta, min(1.0, success))


def _gaussian_person(epsilon: float, delta: float, values: int, images: int) -> tuple[float, float]:
    """(epsilon, delta) of ``images`` Gaussian releases of ``values`` values each: squared sensitivities add up."""
    largest = math.ceil(_ratio(epsilon, delta) * _FINE)
    together = Sensitivity("L2", images * largest**2, images * values, largest, "a person's images together")
    return gaussian_privacy(float(_FINE), together, delta)


def _ratio(epsilon: float, delta: float) -> float:
    """Sensitivity over standard deviation of the Gaussian noise that has this guarantee, from above."""
    return gaussian_ratio(epsilon, delta) * (1 + 1e-6)


def _finite(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _finite(item) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(item) for item in value]
    return None if isinstance(value, float) and math.isinf(value) else value


def _left(noise: NoiseLevel) -> list[str]:
    """The predicted ratio of signal to noise, and what it means."""
    if math.isinf(noise.signal):
        return []
    ratio = f"Predicted signal to noise: at most {number(noise.signal_to_noise)}"
    if not noise.leaves_nothing:
        return [f"{ratio}, whatever the image."]
    return [f"{ratio}, below {LEAST_LEFT}: nothing is left of one image; a mean over many may still say something."]


def _bound(value: float) -> str:
    return "without bound" if math.isinf(value) else shown(value)


def at_most(share: float) -> str:
    """Rounded up, with a digit that is not 9 where there is one: a bound stays one.

    >>> at_most(0.662366), at_most(0.9996646), at_most(1.0)
    ('66.3 %', '99.97 %', '100 %')
    """
    missing = 1 - share
    digits = 1 if missing < 1e-9 else max(1, math.ceil(-math.log10(missing)) - 2)
    return f"{100 - math.floor(missing * 100 * 10**digits) / 10**digits:.{digits + 2}g} %"
