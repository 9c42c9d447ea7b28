"""What denoising and bias correction give back to HOG of noised images, on MNIST and Fashion-MNIST.

Run ``python -m benchmarks.denoising ../shared/data``. A ridge classifier reads HOG (4-pixel cells, 2 x 2 blocks) and is
trained once on noised and once on clean images; the tested images are always noised. The release keys are fixed, so
that figures repeat. Fashion-MNIST is the 700 images of its official picture: 500 to train, 200 to test.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from privis import HOG, Clear, Laplace, PixelRelease, Pixels, ReleaseKey
from privis.extraction.extractor import Extractor
from privis.features.feature import Feature
from privis.features.noise_corrected_hog import UnbiasedHOG
from privis.features.preprocessing.denoise import (
    Denoised,
    NoiseLaw,
    NonLocalMeans,
    PixelNoise,
    WaveletShrinkage,
    Wiener,
)
from privis.io.images.record import ImageRecord

DATA = Path(__file__).resolve().parents[3] / "shared" / "data"
PENALTY = 10.0  # of the ridge; 1 and 100 rank the rows alike
HISTOGRAMS = HOG(cell=4, block=2)
RELEASES = (
    PixelRelease(Laplace(0.5), Pixels(1)),
    PixelRelease(Laplace(1.0), Pixels(1)),
    PixelRelease(Laplace(4.0), Pixels(1)),
    PixelRelease(Laplace(16.0), Pixels(1)),
    PixelRelease(Laplace(4.0), Pixels(16), block=4),
    PixelRelease(Laplace(16.0), Pixels(16), block=4),
)
VARIANTS: dict[str, Callable[[PixelNoise], Feature]] = {
    "as released": lambda noise: HISTOGRAMS,
    "Wiener": lambda noise: Denoised(HISTOGRAMS, Wiener(noise)),
    "wavelet": lambda noise: Denoised(HISTOGRAMS, WaveletShrinkage(noise)),
    "non-local means": lambda noise: Denoised(HISTOGRAMS, NonLocalMeans(noise)),
    "unbiased": lambda noise: UnbiasedHOG(HISTOGRAMS, noise),
    "Wiener, unbiased": lambda noise: UnbiasedHOG(Denoised(HISTOGRAMS, Wiener(noise)), noise),
    "wavelet, unbiased": lambda noise: UnbiasedHOG(Denoised(HISTOGRAMS, WaveletShrinkage(noise)), noise),
}


@dataclass(frozen=True)
class Corpus:
    """Images and labels; the first ``train`` are for training."""

    name: str
    images: np.ndarray
    labels: np.ndarray
    train: int


@dataclass(frozen=True)
class Row:
    """Accuracy in per cent over the keys: trained on noised images, and on clean ones."""

    corpus: str
    release: PixelRelease
    variant: str
    noised: tuple[float, ...]
    clean: tuple[float, ...]


def corpora(data: Path, images: int) -> list[Corpus]:
    """At most ``images`` training images of each corpus, and half as many to test."""
    folder = data / "classification"
    with np.load(folder / "mnist" / "mnist.npz") as mnist:
        train, test = slice(images), slice(images // 2)
        digits = np.concatenate([mnist["x_train"][train], mnist["x_test"][test]])
        numbers = np.concatenate([mnist["y_train"][train], mnist["y_test"][test]])
    with np.load(folder / "fashion_mnist_900" / "fashion_700.npz") as fashion:
        order = np.random.default_rng(0).permutation(len(fashion["x"]))
        train = min(images, 500)
        order = np.concatenate([order[:train], order[500 : 500 + min(images // 2, 200)]])
        clothes, kinds = fashion["x"][order], fashion["y"][order]
    return [Corpus("MNIST", digits, numbers, images), Corpus("Fashion-MNIST", clothes, kinds, train)]


def run(images: int = 2000, keys: int = 3, data: Path = DATA) -> list[Row]:
    """One row per corpus, release and variant."""
    rows = []
    for corpus in corpora(data, images):
        clean = features(HISTOGRAMS, corpus.images)
        for release in RELEASES:
            guarantee = release.guarantee(corpus.images.shape[1:])
            noise = PixelNoise(NoiseLaw(guarantee.mechanism), guarantee.scale * guarantee.step, release.block)
            noised = [released(corpus.images, release, key) for key in range(keys)]
            for name, make in VARIANTS.items():
                vectors = [features(make(noise), images) for images in noised]
                rows.append(
                    Row(
                        corpus.name,
                        release,
                        name,
                        tuple(accuracy(v, v, corpus) for v in vectors),
                        tuple(accuracy(clean, v, corpus) for v in vectors),
                    )
                )
    return rows


def released(images: np.ndarray, release: PixelRelease, key: int) -> np.ndarray:
    """The noised images, under a key of no worth."""
    secret = ReleaseKey(key.to_bytes(32, "big"))
    return np.stack([release.apply(x, secret.stream(str(i), b"", b"")) for i, x in enumerate(images)])


def features(feature: Feature, images: np.ndarray) -> np.ndarray:
    extractor = Extractor(feature, Clear(), None, None, None)
    return np.stack([extractor(ImageRecord(image, "", is_file=False)) for image in images]).astype(np.float64)


def accuracy(trained: np.ndarray, tested: np.ndarray, corpus: Corpus) -> float:
    """Per cent of the test images that ridge regression on the training images' labels names rightly."""
    train, test = trained[: corpus.train], tested[corpus.train :]
    mean = train.mean(0)
    gram = (train - mean).T @ (train - mean) + PENALTY * np.eye(train.shape[1])
    weights = np.linalg.solve(gram, (train - mean).T @ np.eye(10)[corpus.labels[: corpus.train]])
    share = np.bincount(corpus.labels[: corpus.train], minlength=10) / corpus.train
    return 100.0 * float(((((test - mean) @ weights + share).argmax(1)) == corpus.labels[corpus.train :]).mean())


def main() -> None:
    data = Path(sys.argv[1]) if len(sys.argv) > 1 else DATA
    print(f"{'corpus':14} {'block':>5} {'epsilon':>7}  {'variant':18} {'trained noised':>15} {'trained clean':>15}")
    for row in run(data=data):
        release = f"{row.corpus:14} {row.release.block:5} {row.release.noise.epsilon:7}"
        noised, clean = (f"{np.mean(x):5.1f} ± {np.std(x, ddof=1):3.1f}" for x in (row.noised, row.clean))
        print(f"{release}  {row.variant:18} {noised:>15} {clean:>15}", flush=True)


if __name__ == "__main__":
    main()
