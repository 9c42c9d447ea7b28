"""What releases with additive noise share: checking the noise, stating its guarantee, drawing it."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from privis.errors import Problem
from privis.privacy.guarantee import UNIT_NAMES, Guarantee
from privis.privacy.mechanisms.additive import Gaussian, Laplace, Noise
from privis.privacy.sampling.integer_noise import sample
from privis.privacy.sampling.release_key import NoiseStream
from privis.privacy.sensitivity import Sensitivity
from privis.privacy.units import Unit


def noise_problems(where: str, noise: object) -> list[Problem]:
    """Return the problem that ``noise`` is none, if so."""
    if isinstance(noise, Laplace | Gaussian):
        return []
    return [Problem(where, repr(noise), "Laplace(epsilon) or Gaussian(epsilon, delta)")]


def noise_guarantee(
    noise: Noise, unit: Unit, sensitivity: Sensitivity, whole: Sensitivity | None, step: float, step_unit: str
) -> Guarantee:
    """Guarantee of noise calibrated to ``sensitivity``; ``whole`` is that of one whole image, None if unbounded."""
    scale = noise.scale(sensitivity)
    epsilon, delta = noise.promise(scale, sensitivity)
    whole_epsilon, whole_delta = (math.inf, 1.0) if whole is None else noise.privacy(scale, whole)
    if whole == sensitivity:
        whole_epsilon, whole_delta = epsilon, delta
    return Guarantee(
        unit=UNIT_NAMES[type(unit)],
        relation=unit.relation,
        mechanism=noise.name,
        scale=scale,
        step=step,
        step_unit=step_unit,
        sensitivity=sensitivity.value,
        norm=sensitivity.norm,
        sensitivity_reason=sensitivity.reason,
        epsilon=epsilon,
        delta=delta,
        whole_image_epsilon=whole_epsilon,
        whole_image_delta=whole_delta,
    )


def draw_noise(
    noise: Noise, scale: float, stream: NoiseStream, shape: tuple[int, ...], purpose: str
) -> npt.NDArray[np.int64]:
    """Draw noise of this scale in grid steps, used up by ``purpose``."""
    return sample(noise.table(scale), used_up_by(stream, noise, scale, purpose), math.prod(shape)).reshape(shape)


def used_up_by(stream: NoiseStream, noise: Noise, scale: float, purpose: str) -> NoiseStream:
    """Give the stream for noise of this scale and ``purpose``."""
    # The caller's purpose should say all this already. Saying it again costs nothing and makes it impossible to
    # draw the same noise at two scales, where it could be differenced away.
    return stream.narrowed(f"{noise.name}, scale {scale.hex()}, {purpose}".encode())


def largest_noise(noise: Noise, scale: float) -> int:
    """Bound of the size of what the sampler can give."""
    table = noise.table(scale)
    return max(part.base for part in table.parts()) + (1 << table.offset_bits)
