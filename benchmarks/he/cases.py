"""The programs that ``benchmarks.he`` runs encrypted: features of photographs, a linear model on HOG, a network."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

import numpy as np
from PIL import Image

from privis.features.colour import ColourHistogram
from privis.features.feature import Feature
from privis.features.hog import HOG, BlockNorm
from privis.features.image_ops import grey, resize
from privis.features.keypoints.sift import DenseSIFT
from privis.features.keypoints.surf import SURF
from privis.features.lbp import LBP, Patterns
from privis.features.wavelets.gabor import Gabor
from privis.features.wavelets.scattering import Scattering
from privis.io.images.decode import load
from privis.program import Input, Program, ops, trace
from privis.readings import evaluate
from privis.run.he.compiler.compiler import Options

DATA = Path(__file__).resolve().parents[3] / "shared" / "data"
SIZE = (64, 64)
SKIMAGE = ("astronaut", "camera", "chelsea", "clock", "coffee", "coins", "moon", "page", "rocket", "text")
CACHE = 1 << 30
MEAN, DEVIATION = np.array([0.4914, 0.4822, 0.4465]), np.array([0.2023, 0.1994, 0.2010])  # of CIFAR-10

Images = tuple[tuple[np.ndarray, ...], ...]
Quality = Callable[[Sequence[np.ndarray]], str]


@dataclass(frozen=True, eq=False)
class Case:
    """A program, what it is asked, and how its results are judged.

    ``inputs`` makes the images, which only their owner needs: they must not count as memory of the server.
    """

    name: str
    program: Program
    inputs: Callable[[], Images] = tuple
    options: Options = Options()
    quality: Quality = lambda outputs: ""
    samples: Images = ()
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


def cases() -> list[Case]:
    """All of them; those whose data is absent are left out."""
    return [make() for make in named().values()]


def named() -> dict[str, Callable[[], Case]]:
    """How each is made: the weights of one are memory that another's server does not have."""
    hog, lbp, colour = HOG(block=2, norm=BlockNorm.L2), LBP(Patterns.UNIFORM), ColourHistogram(bins=16)
    gabor, surf, sift, scattering = Gabor(stride=2), SURF(keypoints=8), DenseSIFT(step=16), Scattering(1, 4)
    few = Options(signs=3, promised=True)
    parted = Options(precision=1e-3, signs=(7, 7, 7, 7, 15), processes=2)
    made = {
        "colour": lambda: _of("colour", colour, Options(), _exact(colour), tiny=True),
        "hog": lambda: _of("hog", hog, Options(processes=2), _cosines(hog)),
        "hog, 4 signs": lambda: _of("hog, 4 signs", hog, Options(signs=4), _cosines(hog)),
        "lbp": lambda: _of("lbp", lbp, parted, _shares(lbp)),
        "gabor": lambda: _of("gabor", gabor, Options(), _difference(gabor)),
        "surf": lambda: _of("surf", surf, few, _difference(surf)),
        "dense-sift": lambda: _of("dense-sift", sift, few, _difference(sift)),
        "scattering": lambda: _of("scattering", scattering, Options(), _difference(scattering)),
        "hog >> dense": lambda: _linear_model(hog),
    }
    vgg = DATA / "weights" / "cifar10_fhe_polynomial" / "vgg11_aespa-cifar10.npz"
    return made | ({"vgg11": lambda: _vgg(vgg)} if vgg.exists() else {})


def _of(name: str, feature: Feature, options: Options, quality: Quality, tiny: bool = False) -> Case:
    shape = np.shape(feature.before(np.zeros((*SIZE, 3), np.uint8)))
    return Case(name, feature.program(shape), _cores(feature), options, quality, tiny=tiny)


def _cores(feature: Feature) -> Callable[[], Images]:
    """Photographs as the feature's program takes them."""
    return cache(lambda: tuple((np.asarray(feature.before(image)),) for _, image in photographs()))


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
    size = int(np.prod(feature.program(SIZE).output_shapes[0]))
    weights = np.random.default_rng(11).normal(size=(10, size)) / np.sqrt(size)
    declared = Input(feature.program(SIZE).output_shapes[0], 0.0, 1.0, None)
    head = trace(lambda x: x.reshape(size) >> ops.Dense(weights), declared)
    program, cores = feature.program(SIZE) >> head, _cores(feature)

    def quality(outputs: Sequence[np.ndarray]) -> str:
        found = {}
        for (name, _), inputs, ours in zip(photographs(), cores(), outputs, strict=False):
            theirs = evaluate(program, *inputs)
            found[name] = float(np.abs(ours - theirs).max() / np.abs(theirs).max())
        worst = max(found, key=lambda name: found[name])
        return (
            f"scores within {found[worst]:.0%} ({worst}) of the clear ones, {np.median([*found.values()]):.0%} median"
        )

    options = Options(0.01, signs=3, inside=True, promised=True, processes=2)
    return Case("hog >> dense", program, cores, options, quality)


def _vgg(path: Path) -> Case:
    from tests.reference.onnx.networks import aespa_vgg11, arrays

    program = aespa_vgg11(arrays(path))
    archive = zipfile.ZipFile(DATA / "classification" / "cifar10" / "cifar10_jpeg_test_6000.zip")
    names = sorted(name for name in archive.namelist() if name.lower().endswith((".jpg", ".jpeg")))
    chosen = [names[k * len(names) // 60] for k in range(60)]

    def normalised(name: str) -> np.ndarray:
        image = np.asarray(Image.open(io.BytesIO(archive.read(name))).convert("RGB"), float) / 255
        return ((image - MEAN) / DEVIATION).transpose(2, 0, 1)

    inputs = cache(lambda: tuple((normalised(name),) for name in chosen))

    def quality(outputs: Sequence[np.ndarray]) -> str:
        clear = [int(np.argmax(evaluate(program, *x))) for x in inputs()[: len(outputs)]]
        same = sum(int(np.argmax(ours)) == theirs for ours, theirs in zip(outputs, clear, strict=True))
        return f"same class as in the clear {same} of {len(outputs)}"

    samples = tuple((normalised(name),) for name in chosen[-6:])  # sizes of values only; never among those asked first
    options = Options(precision=1e-2, processes=2, stretch=False)
    return Case("vgg11", program, inputs, options, quality, samples, cache=3 << 29, batch=False)
