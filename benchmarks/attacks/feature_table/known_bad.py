"""Two published schemes whose epsilon is that of a pixel or of a coefficient: what it is of a picture, and their noise.

Both are models of what the papers and their code say, for an attack alone: noise is of numpy, and no release.

- `slices`: LDP-Slicing (arXiv:2603.03711). The 24 bits of a pixel are flipped, each by randomised response; their
  budgets, together the epsilon of the pixel, are those with the least mean squared error. Its perceptual obfuscation is
  left out: it adds no noise and is no part of its guarantee.
- `noisy_coefficients`: DCTDP (doi:10.1007/978-3-031-19775-8_28; Tencent/TFace, recognition/tasks/dctdp/utils.py). The
  picture is enlarged eight times; of the DCT of its blocks of 8 x 8, a block for each pixel, all but the first
  coefficient get Laplace noise for the same epsilon. Its code takes a sensitivity of 1 where none is given; with
  ``ranges`` it is the range that a coefficient has in public pictures, which is what a guarantee needs. Coefficients of
  the luma alone are used, a third of what is sent.

Attackers know the schemes and nothing else. `cleaned` takes the mean of the colours, and a blur; `integrated` takes the
best linear estimate of the slopes at every pixel from all coefficients there, and the picture that has these slopes.
"""

from __future__ import annotations

import functools
import math

import numpy as np
import numpy.typing as npt

PER_PIXEL, PER_COEFFICIENT = 20.0, 4.0
COEFFICIENTS = 189
_PUBLIC = 40  # pictures that the attacker learns slopes from
Images = npt.NDArray[np.uint8]
Floats = npt.NDArray[np.float64]


def whole_image(epsilon: float, side: int, values: int = 1) -> float:
    """Epsilon of a picture of which every pixel may differ, with noise of its own: by composition they add up.

    >>> whole_image(20.0, 112), whole_image(4.0, 112, COEFFICIENTS)
    (250880.0, 9483264.0)
    """
    return epsilon * values * side * side


@functools.lru_cache
def bit_budgets(epsilon: float) -> tuple[float, ...]:
    """Epsilon of each of eight bits, highest first, that sum to that of a channel with the least squared error.

    Bit k, flipped with probability p, errs by 4**k p; the derivatives of all that have any budget are alike.

    >>> budgets = bit_budgets(20 / 3)
    >>> round(sum(budgets), 6) == round(20 / 3, 6), budgets[0] > budgets[1] > budgets[7]
    (True, True)
    """

    def spent(price: float) -> list[float]:
        found = []
        for bit in range(7, -1, -1):
            share = price / 4.0**bit  # p (1 - p) at the optimum
            root = math.sqrt(max(0.0, 1 - 4 * share))
            found.append(math.log((1 + root) / (1 - root)))
        return found

    low, high = -40.0, math.log(4.0**7 / 4)
    for _ in range(200):
        middle = (low + high) / 2
        low, high = (middle, high) if sum(spent(math.exp(middle))) > epsilon else (low, middle)
    return tuple(spent(math.exp(low)))


def slices(images: Images, epsilon: float, random: np.random.Generator) -> Images:
    """Flip the bits of pixels, with ``epsilon`` for the 24 bits of each."""
    flipped = images.copy()
    for bit, budget in zip(range(7, -1, -1), bit_budgets(epsilon / 3), strict=True):
        flips = random.random(images.shape) < 1 / (1 + math.exp(budget))
        flipped ^= (flips.astype(np.uint8) << bit).astype(np.uint8)
    return flipped


def cleaned(noisy: Images) -> Floats:
    """Make pictures of sliced ones: (n, side, side) grey levels."""
    import cv2

    return np.stack([_stretched(cv2.GaussianBlur(image.astype(np.float32).mean(2), (0, 0), 1)) for image in noisy])


def coefficients(image: Images) -> Floats:
    """All but the first coefficient of the luma's blocks, (63, side, side)."""
    import cv2

    side = len(image)
    at = np.linspace(0, side - 1, 8 * side, dtype=np.float32)  # corners stay corners
    across, down = np.meshgrid(at, at)
    blocks = cv2.remap(_luma(image), across, down, cv2.INTER_LINEAR).reshape(side, 8, side, 8)
    return np.einsum("yaxb,ua,vb->uvyx", blocks, _waves(), _waves(), optimize=True).reshape(64, side, side)[1:]


@functools.lru_cache
def _waves() -> Floats:
    waves = np.cos((2 * np.arange(8)[None] + 1) * np.arange(8)[:, None] * np.pi / 16) / 2
    waves[0] /= math.sqrt(2)
    return waves


def noisy_coefficients(
    attacked: Images, public: Images, epsilon: float, ranges: bool, random: np.random.Generator
) -> tuple[list[Floats], list[Floats]]:
    """Noisy coefficients of attacked pictures, and of public ones from which an attacker learns.

    Args:
        attacked: (n, side, side, 3).
        public: (m, side, side, 3).
        epsilon: of a coefficient.
        ranges: take the public pictures' ranges as sensitivity, and not 1.
        random: of the noise.
    """
    known = [coefficients(image) for image in public[:: max(1, len(public) // _PUBLIC)]]
    scale = (np.ptp(np.stack(known), axis=(0, 2, 3)) if ranges else np.ones(63)) / epsilon

    def noisy(values: Floats) -> Floats:
        return values + random.laplace(size=values.shape) * scale[:, None, None]

    return [noisy(coefficients(image)) for image in attacked], [noisy(each) for each in known]


def integrated(noisy: list[Floats], known: list[Floats], public: Images) -> Floats:
    """Make pictures of noisy coefficients: (n, side, side) grey levels.

    Args:
        noisy: (63, side, side) each.
        known: of public pictures, as `noisy_coefficients` gives them.
        public: all public pictures.
    """
    grey = [_luma(image) for image in public[:: max(1, len(public) // _PUBLIC)]]
    seen = np.concatenate([each.reshape(63, -1) for each in known], 1).T
    slopes = np.stack([np.concatenate([np.gradient(each, axis=axis).ravel() for each in grey]) for axis in (1, 0)], 1)
    weights = np.linalg.solve(seen.T @ seen + 1e-3 * np.eye(63), seen.T @ slopes)
    return np.stack([_from_slopes(*np.tensordot(weights.T, each, 1)) for each in noisy])


def _from_slopes(across: Floats, down: Floats) -> Floats:
    """The picture with these slopes, with mirrored borders, by Fourier transform; fine grain is left out."""
    side = len(across)
    waves = np.fft.fftfreq(2 * side)
    y, x = np.sin(2 * np.pi * waves)[:, None], np.sin(2 * np.pi * waves)[None]
    turned = -1j * (x * np.fft.fft2(_mirrored(across, -1, 1)) + y * np.fft.fft2(_mirrored(down, 1, -1)))
    power = x**2 + y**2
    found = np.where(power > 1e-9, turned / np.maximum(power, 1e-3), 0)
    smooth = np.exp(-40 * (waves[:, None] ** 2 + waves[None] ** 2))
    return _stretched(np.fft.ifft2(found * smooth).real[:side, :side])


def _mirrored(values: Floats, across: int, down: int) -> Floats:
    return np.block([[values, across * values[:, ::-1]], [down * values[::-1], across * down * values[::-1, ::-1]]])


def _stretched(values: npt.NDArray[np.floating]) -> Floats:
    low, high = np.percentile(values, [1, 99])
    return np.clip((values - low) / max(high - low, 1e-9) * 255, 0, 255).astype(np.float64)


def _luma(image: Images) -> npt.NDArray[np.float32]:
    import cv2

    return cv2.cvtColor(image, cv2.COLOR_RGB2GRAY).astype(np.float32)
