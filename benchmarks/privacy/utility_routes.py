"""The ways from an image to a released vector that ``benchmarks/privacy/utility.py`` compares."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

import privis
from privis.features.feature import Feature
from privis.features.keypoints.aggregate import Codebook
from privis.features.noise_corrected_hog import UnbiasedHOG
from privis.features.postprocessing.projection import Projection
from privis.features.postprocessing.steps import L2, Step, posted
from privis.features.postprocessing.word_code import OneHot, WordCode
from privis.features.preprocessing.denoise import Denoised, NoiseLaw, PixelNoise, WaveletShrinkage, Wiener
from privis.privacy import (
    CodeRelease,
    DirectionRelease,
    FeatureRelease,
    Gaussian,
    Guarantee,
    HistogramRelease,
    Laplace,
    NoiseStream,
    PixelRelease,
    Pixels,
    PrivUnit,
    RandomisedResponse,
    ReleaseKey,
    VonMisesFisher,
    WholeImage,
)
from privis.run.clear import Clear

Vectors = NDArray[np.floating]
DELTA = 1e-5  # of Gaussian noise
EPSILONS = (1.0, 2.0, 4.0, 8.0, 16.0)  # of whole images


@dataclass(frozen=True, eq=False)
class Part:
    """Images of one kind, uint8 (N, H, W), with their labels; ``name`` keeps their noise apart."""

    name: str
    images: NDArray[np.uint8]
    labels: NDArray[np.integer]

    def streams(self, key: ReleaseKey, purpose: str) -> Iterator[NoiseStream]:
        """The noise of every image."""
        digest = hashlib.sha256(purpose.encode()).digest()
        for index, image in enumerate(self.images):
            yield key.stream(f"{self.name} {index}", hashlib.sha256(image.tobytes()).digest(), digest)


@lru_cache(maxsize=16)
def vectors(part: Part, feature: Feature) -> NDArray[np.float32]:
    """Exact features of a part, computed once."""
    return extracted(feature, part.images)


def extracted(feature: Feature, images: Sequence[NDArray[np.uint8]] | NDArray[np.uint8]) -> NDArray[np.float32]:
    """The feature of every image."""
    core = Clear().prepare(feature.program(feature.before(images[0]).shape))
    return np.stack([feature.after(core(feature.before(image))) for image in images])


class AnyRelease(Protocol):
    """What every release can do."""

    def guarantee(self, shape: tuple[int, ...]) -> Guarantee:
        """In numbers and words."""
        ...

    def apply(self, values: Any, stream: NoiseStream) -> Any:
        """Release one image or vector."""
        ...


class Route(Protocol):
    """A way from an image to a vector, exact or released."""

    def exact(self, part: Part) -> Vectors:
        """Vectors of somebody who asks about images of their own."""
        ...

    def released(self, part: Part, key: ReleaseKey) -> Vectors:
        """One release of every image under ``key``."""
        ...

    def guarantee(self, part: Part) -> Guarantee | None:
        """What every release promises; None for the exact feature."""
        ...


@dataclass(frozen=True)
class Exact:
    """No noise at all."""

    feature: Feature

    def exact(self, part: Part) -> Vectors:
        """The feature."""
        return vectors(part, self.feature)

    def released(self, part: Part, key: ReleaseKey) -> Vectors:
        """The feature."""
        return vectors(part, self.feature)

    def guarantee(self, part: Part) -> None:
        """None."""
        return None


@dataclass(frozen=True)
class FromPixels:
    """Noise on the pixels, then ``reader`` of the noised image; queries without noise are read by ``feature``."""

    feature: Feature
    release: PixelRelease
    reader: Feature

    def exact(self, part: Part) -> Vectors:
        """The feature of the image itself."""
        return vectors(part, self.feature)

    def released(self, part: Part, key: ReleaseKey) -> Vectors:
        """The feature of the noised image."""
        streams = part.streams(key, repr(self.release))
        return extracted(self.reader, [self.release.apply(*pair) for pair in zip(part.images, streams, strict=True)])

    def guarantee(self, part: Part) -> Guarantee:
        """For images of this size."""
        return self.release.guarantee(part.images[0].shape)


@dataclass(frozen=True)
class FromVector:
    """The feature, public ``steps``, the release of what they give, and public steps ``then``."""

    feature: Feature
    steps: tuple[Step, ...]
    release: AnyRelease
    then: tuple[Step, ...] = ()

    def exact(self, part: Part) -> Vectors:
        """The feature after the steps; signs where only those are released."""
        values = posted(vectors(part, self.feature), self.steps)
        return posted(np.where(values < 0, -1.0, 1.0) if isinstance(self.release, CodeRelease) else values, self.then)

    def released(self, part: Part, key: ReleaseKey) -> Vectors:
        """Every vector released."""
        values = posted(vectors(part, self.feature), self.steps)
        streams = list(part.streams(key, repr(self)))
        if isinstance(self.release, DirectionRelease):
            return self.release.apply_many(values, streams)
        released = [self.release.apply(*pair) for pair in zip(values, streams, strict=True)]
        return posted(np.stack(released), self.then)

    def guarantee(self, part: Part) -> Guarantee:
        """For vectors of this length."""
        return self.release.guarantee(posted(vectors(part, self.feature)[:1], self.steps).shape[1:])


@dataclass(frozen=True)
class Entry:
    """A line of the table; the best of several routes is chosen on public images."""

    mechanism: str
    routes: tuple[Route, ...]


def entries(feature: privis.HOG, public: Part) -> list[Entry]:
    """All lines for images that ``feature`` reads, with projections and words from ``public``."""
    return [
        Entry("exact HOG", (Exact(feature),)),
        *_pixels(feature, public),
        *_features(feature, public),
        *_counts(public),
    ]


def pixel_noise(release: PixelRelease, part: Part) -> PixelNoise:
    """What the guarantee tells about the noise."""
    promise = release.guarantee(part.images[0].shape)
    return PixelNoise(NoiseLaw(promise.mechanism), promise.scale * promise.step, release.block)


def _pixels(feature: privis.HOG, public: Part) -> list[Entry]:
    def plain(release: PixelRelease) -> tuple[Route, ...]:
        return (FromPixels(feature, release, feature),)

    def denoised(release: PixelRelease) -> tuple[Route, ...]:
        noise = pixel_noise(release, public)
        return tuple(
            FromPixels(feature, release, Denoised(feature, d)) for d in (Wiener(noise), WaveletShrinkage(noise))
        )

    def corrected(release: PixelRelease) -> tuple[Route, ...]:
        return (FromPixels(feature, release, UnbiasedHOG(feature, pixel_noise(release, public))),)

    def both(release: PixelRelease) -> tuple[Route, ...]:
        noise = pixel_noise(release, public)
        return (FromPixels(feature, release, UnbiasedHOG(Denoised(feature, Wiener(noise)), noise)),)

    each = [PixelRelease(Laplace(e), unit=Pixels(1)) for e in (0.1, 0.5, 1.0, 4.0, 16.0)]
    sixteen = [PixelRelease(Laplace(e), unit=Pixels(16), block=4) for e in (1.0, 4.0)]
    one = [PixelRelease(Laplace(e), unit=Pixels(1), block=b) for b, e in ((4, 0.5), (2, 1.0))]
    whole = [PixelRelease(Laplace(16.0), unit=WholeImage(), block=b) for b in (1, 4)]
    name, means = "pixels, Laplace", "pixels in {0}×{0} means, Laplace"
    return [
        *(Entry(name, plain(release)) for release in each),
        *(Entry(f"{name}, denoised", denoised(release)) for release in each[2:4]),
        *(Entry(f"{name}, bias-corrected", corrected(release)) for release in each[2:4]),
        *(Entry(f"{name}, denoised and bias-corrected", both(release)) for release in each[2:3]),
        *(Entry(means.format(release.block), plain(release)) for release in (*sixteen, *one)),
        *(Entry(f"{means.format(release.block)}, denoised", denoised(release)) for release in (sixteen[1], one[1])),
        *(Entry(name if release.block == 1 else means.format(release.block), plain(release)) for release in whole),
    ]


def _features(feature: privis.HOG, public: Part) -> list[Entry]:
    known, source = vectors(public, feature), "the public images"
    most = len(np.unique(public.labels)) - 1
    centred = Projection(np.eye(known.shape[1]), known.mean(0), source)
    pca = Projection.pca(known, 64, source)
    lda = Projection.lda(known, public.labels, most, source)

    def route(step: Projection, release: AnyRelease) -> Route:
        return FromVector(feature, (step, L2()), release)

    def any_length(release: AnyRelease, lengths: Sequence[int] = (4, 8, 16, 32, 64)) -> tuple[Route, ...]:
        return tuple(route(pca.leading(length), release) for length in lengths)

    def words(step: Projection) -> list[WordCode]:
        seen = posted(known, (step, L2()))
        return [WordCode(Codebook.fit(seen, 2**bits, source)) for bits in (3, 4, 5, 6, 8) if 2**bits < len(seen) / 2]

    def one_word(step: Projection, codes: Sequence[WordCode], release: CodeRelease) -> tuple[Route, ...]:
        return tuple(FromVector(feature, (step, L2(), code), release, (OneHot(code.bits),)) for code in codes)

    found = [Entry("HOG, Gaussian", (route(centred, _gaussian(epsilon)),)) for epsilon in (4.0, 16.0)]
    found += [Entry("HOG → PCA-64, Gaussian", (route(pca, _gaussian(epsilon)),)) for epsilon in (4.0, 8.0, 16.0)]
    units = [DirectionRelease(PrivUnit(epsilon)) for epsilon in EPSILONS]
    found += [Entry("HOG → PCA-64, PrivUnit", (route(pca, unit),)) for unit in units]
    found += [Entry("HOG → PCA-16, PrivUnit", (route(pca.leading(16), unit),)) for unit in units[2:]]
    found += [Entry("HOG → best PCA-k, PrivUnit", any_length(unit)) for unit in units]
    found += [Entry(f"HOG → LDA-{most}, PrivUnit", (route(lda, unit),)) for unit in units]
    mises = [
        DirectionRelease(VonMisesFisher(epsilon / 2)) for epsilon in EPSILONS[3:]
    ]  # two directions: at most 2 apart
    found += [Entry("HOG → best PCA-k, von Mises-Fisher", any_length(release)) for release in mises]
    answers = [CodeRelease(RandomisedResponse(epsilon)) for epsilon in EPSILONS]
    signs = (4, 6, 8, 12, 16)
    found += [Entry("HOG → best PCA-k signs, randomised response", any_length(said, signs)) for said in answers[2:]]
    pca_32, pca_words, lda_words = pca.leading(32), words(pca.leading(32)), words(lda)
    line = "HOG → {} → one of k words, randomised response"
    found += [Entry(line.format("PCA-32"), one_word(pca_32, pca_words, said)) for said in answers]
    found += [Entry(line.format(f"LDA-{most}"), one_word(lda, lda_words, said)) for said in answers[1:4]]
    return found


def _gaussian(epsilon: float) -> FeatureRelease:
    return FeatureRelease(Gaussian(epsilon, DELTA), clip=1.0)


def _counts(public: Part) -> list[Entry]:
    lbp = privis.LBP(privis.Patterns.UNIFORM, grid=(2, 2))
    moves, total = 9, public.images[0].size  # a pixel is in the middle of one pattern and in 8 others
    one = [HistogramRelease(Laplace(epsilon), moves, unit=Pixels(1), total=total) for epsilon in (1.0, 4.0)]
    releases = [*one, HistogramRelease(Laplace(16.0), moves, unit=WholeImage(), total=total)]
    counts = [Entry("LBP histogram, Laplace on counts", (FromVector(lbp, (), release),)) for release in releases]
    return [Entry("exact LBP histogram", (Exact(lbp),)), *counts]
