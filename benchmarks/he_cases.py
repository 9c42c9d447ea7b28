"""The programs that ``benchmarks.he`` runs encrypted: features of photographs, a linear model on HOG, a network."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path

import numpy as np
from PIL import Image

from privis.features.colour import ColourHistogram
from privis.features.feature import Feature
from privis.features.gabor import Gabor
from privis.features.hog import HOG
from privis.features.lbp import LBP, Patterns
from privis.features.owner import grey, resize
from privis.features.scattering import Scattering
from privis.features.sift import DenseSIFT
from privis.features.surf import SURF
from privis.io.images import load
from privis.program import Input, Program, ops, trace
from privis.readings import evaluate
from privis.run.he.compiled import Options

DATA = Path(__file__).resolve().parents[2] / "shared" / "data"
SIZE = (64, 64)
SKIMAGE = ("astronaut", "camera", "chelsea", "clock", "coffee", "coins", "moon", "page", "rocket", "text")
CACHE = 1 << 30
MEAN, DEVIATION = np.array([0.4914, 0.4822, 0.4465]), np.array([0.2023, 0.1994, 0.2010])  # of CIFAR-10

Quality = Callable[[Sequence[np.ndarray]], str]


@dataclass(frozen=True, eq=False)
class Case:
    """A program, what it is asked, and how its results are judged."""

    name: str
    program: Program
    inputs: tuple[tuple[np.ndarray, ...], ...]
    options: Options = Options()
    quality: Quality = lambda outputs: ""
    samples: tuple[tuple[np.ndarray, ...], ...] = ()
    cache: int = CACHE
    batch: bool = True
    tiny: bool = field(default=False)


@cache
def photographs() -> tuple[tuple[str, np.ndarray], ...]:
    """Luma-and-colour photographs of 64x64 pixels: those scikit-image carries, and Kodak's where they are at hand."""
    from skimage import data

    found = [(name, np.asarray(getattr(data, name)())) for name in SKIMAGE]
    found += [(path.stem, load(path)) for path in sorted((DATA / "photos" / "kodak").glob("*.png"))]
    return tuple((name, resize(image.astype(np.uint8), SIZE)) for name, image in found)


@cache
def cases() -> tuple[Case, ...]:
    """All of them; those whose data is absent are left out."""
    return tuple(_cases())


def _cases() -> list[Case]:
    hog = HOG(block=2, norm="L2")  # type: ignore[arg-type]
    lbp = LBP(Patterns.UNIFORM)
    colour = ColourHistogram(bins=16)
    made = [
        _of("colour", colour, Options(), _exact(colour), tiny=True),
        _of("hog", hog, Options(processes=2), _cosines(hog)),
        _of("hog, 4 signs", hog, Options(signs=4), _cosines(hog)),
        _of("lbp", lbp, Options(precision=1e-3, signs=(7, 7, 7, 7, 15), processes=2), _shares(lbp)),
        _of("gabor", Gabor(stride=2), Options(), _difference(Gabor(stride=2))),
        _of("surf", SURF(keypoints=8), Options(signs=3, promised=True), _difference(SURF(keypoints=8))),
        _of("dense-sift", DenseSIFT(step=16), Options(signs=3, promised=True), _difference(DenseSIFT(step=16))),
        _of("scattering", Scattering(1, 4), Options(), _difference(Scattering(1, 4))),
        _linear_model(hog),
    ]
    vgg = DATA / "weights" / "cifar10_fhe_polynomial" / "vgg11_aespa-cifar10.npz"
    return made + ([_vgg(vgg)] if vgg.exists() else [])


def _of(name: str, feature: Feature, options: Options, quality: Quality, tiny: bool = False) -> Case:
    cores = tuple((np.asarray(feature.before(image)),) for _, image in photographs())
    return Case(name, feature.program(cores[0][0].shape), cores, options, quality, tiny=tiny)


def _cosines(feature: HOG) -> Quality:
    from skimage.feature import hog

    def quality(outputs: Sequence[np.ndarray]) -> str:
        found = {}
        for (name, image), ours in zip(photographs(), outputs, strict=False):
            theirs = hog(grey(image), 9, (8, 8), (2, 2), block_norm="L2")
            found[name] = float(ours.ravel() @ theirs / np.linalg.norm(ours) / np.linalg.norm(theirs))
        worst = min(found, key=lambda name: found[name])
        return f"cosine with scikit-image {found[worst]:.4f} ({worst}) at least, {np.mean([*found.values()]):.4f} mean"

    return quality


def _exact(feature: Feature) -> Quality:
    def quality(outputs: Sequence[np.ndarray]) -> str:
        wrong = 0.0
        for (_, image), ours in zip(photographs(), outputs, strict=False):
            x = feature.before(image)
            wrong = max(wrong, float(np.abs(ours - evaluate(feature.program(x.shape), x)).max()))
        return f"largest difference of a count {wrong:g}"

    return quality


def _shares(feature: Feature) -> Quality:
    def quality(outputs: Sequence[np.ndarray]) -> str:
        wrong = []
        for (_, image), ours in zip(photographs(), outputs, strict=False):
            x = feature.before(image)
            counts = evaluate(feature.program(x.shape), x)
            wrong.append(float(np.abs(ours - counts).max() / counts.sum()))
        return f"largest wrong share of pixels in a bin {max(wrong):.2%}"

    return quality


def _difference(feature: Feature) -> Quality:
    def quality(outputs: Sequence[np.ndarray]) -> str:
        cosines = []
        for (_, image), ours in zip(photographs(), outputs, strict=False):
            x = feature.before(image)
            theirs = evaluate(feature.program(x.shape), x).ravel()
            cosines.append(float(ours.ravel() @ theirs / np.linalg.norm(ours) / np.linalg.norm(theirs)))
        return f"cosine with the definition {min(cosines):.4f} at least"

    return quality


def _linear_model(feature: HOG) -> Case:
    """Ten scores of a private linear model, on a descriptor that is never decrypted."""
    shape = (64, 64)
    size = int(np.prod(feature.program(shape).output_shapes[0]))
    weights = np.random.default_rng(11).normal(size=(10, size)) / np.sqrt(size)
    declared = Input(feature.program(shape).output_shapes[0], 0.0, 1.0, None)
    head = trace(lambda x: x.reshape(size) >> ops.Dense(weights), declared)
    program = feature.program(shape) >> head
    cores = tuple((np.asarray(feature.before(image)),) for _, image in photographs())

    def quality(outputs: Sequence[np.ndarray]) -> str:
        theirs = [evaluate(program, *inputs) for inputs in cores[: len(outputs)]]
        worst = max(float(np.abs(a - b).max() / np.abs(b).max()) for a, b in zip(outputs, theirs, strict=True))
        return f"scores within {worst:.2%} of the clear ones"

    inside = Options(inside=True, normalise_domain=(50.0, 2e4), normalise_degree=15)
    options = replace(inside, precision=0.01, signs=4, promised=True, processes=2)
    return Case("hog >> dense", program, cores, options, quality)


def _vgg(path: Path) -> Case:
    from tests.reference.networks import aespa_vgg11, arrays

    program = aespa_vgg11(arrays(path))
    archive = zipfile.ZipFile(DATA / "classification" / "cifar10" / "cifar10_jpeg_test_6000.zip")
    names = sorted(name for name in archive.namelist() if name.lower().endswith((".jpg", ".jpeg")))
    chosen = [names[k * len(names) // 60] for k in range(60)]

    def normalised(name: str) -> np.ndarray:
        image = np.asarray(Image.open(io.BytesIO(archive.read(name))).convert("RGB"), float) / 255
        return ((image - MEAN) / DEVIATION).transpose(2, 0, 1)

    inputs = tuple((normalised(name),) for name in chosen)

    def quality(outputs: Sequence[np.ndarray]) -> str:
        clear = [int(np.argmax(evaluate(program, *x))) for x in inputs[: len(outputs)]]
        same = sum(int(np.argmax(ours)) == theirs for ours, theirs in zip(outputs, clear, strict=True))
        return f"same class as in the clear {same} of {len(outputs)}"

    samples = inputs[-6:]  # sizes of values only; never among the first that are asked
    options = Options(precision=1e-2, processes=2, stretch=False)
    return Case("vgg11", program, inputs, options, quality, samples, cache=3 << 29, batch=False)
