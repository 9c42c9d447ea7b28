"""What an attacker gets back from a feature who knows the mechanism, and nothing of the picture but its size."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from privis.attack.inversion.gradient_inversion import GradientInversion, feature_program
from privis.errors import ParameterError, Problem
from privis.features.feature import Feature
from privis.features.image_ops import owner_image
from privis.privacy import DirectionRelease, Release

MOST_PIXELS = 512 * 512
_DESCENT = GradientInversion(steps=100, rate=6.0, variation=0.01, tie=0.0)
_CONTRAST, _BLUR = 40.0, 8.0
"""Grey levels and pixels of the clouds that the descent begins at: in flat grey a norm has no derivative."""


def attacked_picture(
    feature: Feature, release: Release | None, pixels: NDArray[np.uint8], vector: NDArray[np.float32]
) -> NDArray[np.uint8]:
    """Descend from grey clouds to a picture whose feature is ``vector``.

    The attacker is weaker than that of ``privis attack``, who also has public pictures to begin with: what is
    recognised here is lost, what is not may still be found.

    Args:
        feature: what was extracted.
        release: what protects it; None: nothing.
        pixels: of the image; only its size is used.
        vector: the exact or released feature.

    Returns:
        uint8 (H, W): the picture.

    Raises:
        ParameterError: the image is too large for a descent while somebody waits.
        UnsupportedError: the feature has no derivative.
        MissingExtraError: PyTorch is not installed.
    """
    from scipy.ndimage import gaussian_filter

    generator = np.random.default_rng(0)
    own = np.clip(generator.normal(127.5, 20.0, pixels.shape), 0, 255).astype(np.uint8)  # a picture of the attacker's
    core = feature.before(owner_image(feature, own))
    if math.prod(core.shape[-2:]) > MOST_PIXELS:
        got, remedy = f"{core.shape[-2]} x {core.shape[-1]} pixels", "give the feature a size, as in size=256x256"
        raise ParameterError(Problem("attack", got, f"at most {MOST_PIXELS:,} pixels", remedy))
    program = feature_program(feature, core.shape, core)
    declared = program.inputs[0]
    level = (declared.high - declared.low) / 255.0
    sigma = (*[0.0] * (core.ndim - 2), _BLUR, _BLUR)
    clouds = gaussian_filter(generator.normal(size=core.shape), sigma)
    start = declared.low + level * (127.5 + _CONTRAST * clouds / clouds.std())
    descent = replace(_DESCENT, by_direction=isinstance(release, DirectionRelease))
    found = descent(program, vector[None], start[None].astype(np.float32))[0]
    grey = ((found - declared.low) / level).reshape(-1, *found.shape[-2:]).mean(0)
    return np.clip(np.round(grey), 0, 255).astype(np.uint8)
