"""What features are protected by, and the rows that an attacker gets and makes himself."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from privis import FeatureRelease, Gaussian, Laplace, PixelRelease, Pixels, PrivUnit, Projection, ReleaseKey, WholeImage
from privis.extraction.noise_level import NoiseWarning
from privis.extraction.vectors.vector_release import release as release_vectors
from privis.privacy import DirectionRelease, NoiseStream, Release
from privis.subjects import SubjectWarning

Rows = npt.NDArray[np.float32]
KEY = ReleaseKey(bytes(range(32)))  # fixed, so that figures repeat
COMPONENTS = 16
EPSILONS = (2.0, 4.0, 8.0, 16.0, 32.0)


@dataclass(frozen=True, eq=False)
class Protected:
    """Rows of one fold.

    Args:
        exact: (n, d) what the owner releases, without its noise: the attacker makes these of his own pictures.
        released: (n, d) what he sees.
    """

    exact: Rows
    released: Rows


@dataclass(frozen=True)
class Protection:
    """A protection of rows.

    Args:
        name: in the words of a command.
        epsilon: of its unit; infinite without a release.
        whole: epsilon of a whole picture of 112 x 112.
        protect: makes rows of exact ones, with what is public of these.
        monotone: those of one name here are compared with each other: more epsilon may not give less.
        pixels: noise is on the pixels: rows are of noisy pictures.
    """

    name: str
    epsilon: float
    whole: float
    protect: Callable[[Rows, npt.NDArray[np.bool_]], Protected]
    monotone: str = ""
    pixels: PixelRelease | None = None


def protections(side: int) -> tuple[Protection, ...]:
    """All of them, least protected first."""
    found = [Protection("clear", np.inf, np.inf, _clear)]
    for noise in (Laplace(1.0), Laplace(8.0)):
        unit = Pixels(1) if noise.epsilon == 1 else WholeImage()
        release = PixelRelease(noise, unit)
        words = f"laplace on pixels, unit={'pixel' if noise.epsilon == 1 else 'image'}"
        whole = release.guarantee((side, side, 3)).whole_image_epsilon
        found.append(Protection(f"{words} epsilon={noise.epsilon:g}", noise.epsilon, whole, _clear, pixels=release))
    for epsilon in (32.0, 4.0):
        found.append(
            Protection(f"laplace epsilon={epsilon:g}", epsilon, epsilon, _noisy(Laplace(epsilon), 1), "laplace")
        )
        gaussian = _noisy(Gaussian(epsilon, 1e-6), 2)
        found.append(Protection(f"gaussian epsilon={epsilon:g} delta=1e-6", epsilon, epsilon, gaussian, "gaussian"))
    for epsilon in reversed(EPSILONS):
        found.append(Protection(f"privunit epsilon={epsilon:g}", epsilon, epsilon, _direction(epsilon), "privunit"))
    for epsilon in (np.inf, *reversed(EPSILONS)):
        words = f"PCA {COMPONENTS}" + ("" if np.isinf(epsilon) else f", privunit epsilon={epsilon:g}")
        found.append(Protection(words, epsilon, epsilon, _projected(epsilon), f"PCA {COMPONENTS}, privunit"))
    return tuple(found)


def noisy_pictures(images: npt.NDArray[np.uint8], release: PixelRelease) -> npt.NDArray[np.uint8]:
    """Release the pixels of pictures, each with noise of its own."""
    return np.stack([release.apply(image, stream(f"{release!r} {place}")) for place, image in enumerate(images)])


def stream(words: str) -> NoiseStream:
    """Noise that repeats."""
    return KEY.stream(words, b"", b"")


def _clear(rows: Rows, public: npt.NDArray[np.bool_]) -> Protected:
    return Protected(rows, rows)


def _noisy(noise: Laplace | Gaussian, order: int) -> Callable[[Rows, npt.NDArray[np.bool_]], Protected]:
    def protect(rows: Rows, public: npt.NDArray[np.bool_]) -> Protected:
        centred = rows - rows[public].mean(0)  # public: only what is not in every picture needs room
        clip = float(np.median(np.linalg.norm(centred[public], order, axis=1)))
        return Protected(centred, _released(centred, FeatureRelease(noise, max(clip, 1e-6))))

    return protect


def _direction(epsilon: float) -> Callable[[Rows, npt.NDArray[np.bool_]], Protected]:
    def protect(rows: Rows, public: npt.NDArray[np.bool_]) -> Protected:
        centred = rows - rows[public].mean(0)
        exact = centred / np.maximum(np.linalg.norm(centred, axis=1, keepdims=True), 1e-12)
        return Protected(exact, exact if np.isinf(epsilon) else _released(exact, DirectionRelease(PrivUnit(epsilon))))

    return protect


def _projected(epsilon: float) -> Callable[[Rows, npt.NDArray[np.bool_]], Protected]:
    def protect(rows: Rows, public: npt.NDArray[np.bool_]) -> Protected:
        components = min(COMPONENTS, rows.shape[1], int(public.sum()) - 1)
        shorter = Projection.pca(rows[public], components, source="public pictures")(rows)
        return _direction(epsilon)(np.asarray(shorter, np.float32), public)

    return protect


def _released(rows: Rows, release: Release) -> Rows:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", NoiseWarning)
        warnings.simplefilter("ignore", SubjectWarning)  # a picture that a set has twice
        records = [str(place) for place in range(len(rows))]
        return np.asarray(release_vectors(rows, release, records=records, key=KEY).features, np.float32)
