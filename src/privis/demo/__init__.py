"""The demo: sample images through every protection there is, and a page that shows what each one costs."""

from __future__ import annotations

import importlib.util
import itertools
import math
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from privis import draw
from privis.demo import encrypted, parties
from privis.demo.hidden import SEEN_BY_ALL
from privis.errors import MissingExtraError
from privis.extraction.extractor import Extractor
from privis.extraction.images import card_of, extract
from privis.features.colour import ColourHistogram
from privis.features.feature import Feature
from privis.features.glcm import GLCM
from privis.features.hog import HOG
from privis.features.image_ops import colour, resize
from privis.features.keypoints.aggregate import BagOfVisualWords, Codebook
from privis.features.keypoints.sift import SIFT
from privis.features.keypoints.surf import SURF
from privis.features.lbp import LBP, Patterns
from privis.features.wavelets.gabor import Gabor
from privis.features.wavelets.scattering import Scattering
from privis.io.atomic import unwritable
from privis.io.images import decode as pictures
from privis.io.images.record import ImageRecord
from privis.privacy import (
    FeatureRelease,
    Gaussian,
    Laplace,
    Noise,
    PixelRelease,
    Pixels,
    Release,
    ReleaseKey,
    WholeImage,
)
from privis.readings import ranges
from privis.report import Chart, Figure, FigureGroup, Level, Line, Report, Row, write
from privis.run.clear import Clear
from privis.validation import integer_problem, refuse_parameters

Image = NDArray[np.uint8]

SHOWN = ("astronaut", "coffee", "chelsea", "rocket", "motorcycle_left", "hubble_deep_field", "retina", "ihc")
KEPT_APART = ("brick", "camera", "coins", "grass", "text")  # visual words come from these, the rows from the others
SIDE = 256  # pixels; of every image the middle square, resized to this
EPSILON, DELTA = 4.0, 1e-6
CHANGED, BLOCK = 16, 4  # pixels that the weaker unit hides, and side of the blocks that carry the noise
KEYPOINTS, WORDS = 128, 32

CROP, CROP_SIDE = 0.8, 96  # share of an image's shorter side, and the pixels it is resized to
SOUGHT = ColourHistogram(bins=3, joint=True, density=True)
SOUGHT_NORM = 1.0  # its components are shares that add up to 1
FEATURE_EPSILONS = (1.0, 2.0, 4.0, 8.0, 16.0, 32.0)
PIXEL_EPSILONS: Mapping[int, tuple[float, ...]] = {  # by side of the blocks: where each goes from nothing to all
    16: (3e1, 1e2, 3e2, 1e3, 2e3, 4e3),
    4: (3e2, 1e3, 3e3, 1e4, 2e4, 4e4),
    1: (1e4, 3e4, 1e5, 2e5, 4e5),
}
TINY = 1e-30  # instead of a length of zero


@dataclass(frozen=True)
class Demo:
    """What the demo found: the rows of its table, its report, and the seconds it took."""

    rows: tuple[Row, ...]
    report: Path
    seconds: float


@dataclass(frozen=True, eq=False)
class Subject:
    """A feature, the noise it gets, and the norm it never exceeds: a public constant, with the reason."""

    title: str
    feature: Feature
    noise: Noise
    clip: float
    reason: str


def run(output: Path, on_step: Callable[[str], None], *, photographs: int = len(SHOWN), keys: int = 5) -> Demo:
    """Extract several features from ``photographs`` sample pictures, clear and with noise, into ``output/report.html``.

    The pictures are those that scikit-image carries in its package; nothing is downloaded. ``keys`` is how often the
    chart's noise is drawn. ``on_step`` is told what happens. All numbers of the report are computed here.

    Raises MissingExtraError without scikit-image, OutputError when the report cannot be written, ParameterError.
    """
    problems = integer_problem("demo.run photographs", photographs, 2, len(SHOWN))
    refuse_parameters(problems + integer_problem("demo.run keys", keys, 1))
    start = time.perf_counter()
    folder = sample_folder()
    try:
        output.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise unwritable(output, error) from error
    originals = {name: colour(pictures.load(path)) for name, path in sample_paths(folder, SHOWN[:photographs])}
    images = {name: middle_square(image) for name, image in originals.items()}
    on_step("visual words")
    rows: list[Row] = []
    for subject in subjects(folder):
        on_step(subject.title)
        rows += compare(subject, images)
    joint, held, joint_note = parties.computed(images, on_step)
    hidden, sent, hidden_note = encrypted.computed(images, on_step)
    on_step("pictures")
    shown = (*galleries(next(iter(images.values()))), *held, *sent)
    on_step("utility against epsilon")
    chart = search_chart(originals, keys)
    report = Report(
        "What protection costs",
        _sentence(rows, len(images)),
        (*rows, *joint, *hidden),
        (*shown, chart),
        notes=(*_notes(keys), joint_note, hidden_note),
    )
    path = output / "report.html"
    write(report, path)
    return Demo((*rows, *joint, *hidden), path, time.perf_counter() - start)


# the images


def sample_folder() -> Path:
    """The folder of scikit-image's pictures, without importing it; MissingExtraError when there is none."""
    spec = importlib.util.find_spec("skimage")
    folder = Path(spec.submodule_search_locations[0]) / "data" if spec and spec.submodule_search_locations else Path()
    if len(list(sample_paths(folder, SHOWN))) < 2 or not list(sample_paths(folder, KEPT_APART)):
        raise MissingExtraError.of("skimage", "demo", "the demo's images")
    return folder


def sample_paths(folder: Path, names: Sequence[str]) -> Iterator[tuple[str, Path]]:
    """Names and paths of those images that are in ``folder``."""
    for name in names:
        for path in (folder / f"{name}.png", folder / f"{name}.jpg"):
            if path.is_file():
                yield name, path


def middle_square(image: Image) -> Image:
    """The largest square in the middle, resized to ``SIDE`` pixels."""
    height, width = image.shape[:2]
    side = min(height, width)
    top, left = (height - side) // 2, (width - side) // 2
    return resize(np.ascontiguousarray(image[top : top + side, left : left + side]), (SIDE, SIDE))


# the table


def subjects(folder: Path) -> Iterator[Subject]:
    """The features with bounds of their norms that hold for every image: L1 for Laplace noise, L2 for Gaussian."""
    laplace, gaussian = Laplace(EPSILON), Gaussian(EPSILON, DELTA)
    yield Subject("Colour histogram", SOUGHT, laplace, SOUGHT_NORM, "its 27 shares of the pixels add up to 1")
    lbp = LBP(Patterns.UNIFORM, density=True)
    yield Subject("LBP, uniform", lbp, laplace, 1.0, f"its {lbp.points + 2} shares of the pixels add up to 1")
    glcm = GLCM()
    most = (glcm.levels - 1) ** 2 + (glcm.levels - 1) + 4  # contrast, dissimilarity, and four statistics of at most 1
    reason = f"per angle contrast is at most {(glcm.levels - 1) ** 2}, dissimilarity {glcm.levels - 1}, the others 1"
    yield Subject("GLCM", glcm, laplace, float(most * len(glcm.angles)), reason)
    hog = HOG(cell=32)
    blocks = int(np.prod(hog.program((SIDE, SIDE)).output_shapes[0][:2]))
    reason = f"each of its {blocks} blocks is normalised to Euclidean length 1 at most"
    yield Subject("HOG", hog, gaussian, math.sqrt(blocks), reason)
    gabor = Gabor(stride=2)
    reason = "the largest energies that range analysis allows for pixels from 0 to 255"
    yield Subject("Gabor", gabor, gaussian, math.sqrt(_most(gabor).sum()), reason)
    scattering = Scattering(size=(64, 64))
    reason = "the largest coefficients that range analysis allows for pixels from 0 to 255"
    yield Subject("Scattering", scattering, gaussian, math.sqrt((_most(scattering) ** 2).sum()), reason)
    for title, local in (("SIFT words", SIFT(KEYPOINTS)), ("SURF words", SURF(KEYPOINTS))):
        words = BagOfVisualWords(local, visual_words(local, folder))
        yield Subject(title, words, laplace, float(KEYPOINTS), f"it counts {KEYPOINTS} key points at most")


def _most(feature: Feature) -> NDArray[np.float64]:
    """Largest magnitudes of the core's outputs for any square image of ``SIDE`` pixels; public, it reads no image."""
    program = feature.program(feature.size or (SIDE, SIDE))
    output = ranges(program)[program.outputs[0]]
    return np.broadcast_to(np.maximum(-output.low, output.high), program.output_shapes[0])


def visual_words(local: SIFT | SURF, folder: Path) -> Codebook:
    """``WORDS`` descriptors of the images kept apart, evenly from all of them."""
    kept = [middle_square(pictures.load(path)) for _, path in sample_paths(folder, KEPT_APART)]
    vectors = extract(local, kept).features
    descriptors = vectors.reshape(len(kept) * local.keypoints, -1)
    descriptors = descriptors[(descriptors**2).sum(1) > 0.5]  # the others stand for missing key points
    chosen = np.linspace(0, len(descriptors) - 1, WORDS).round().astype(int)
    return Codebook(descriptors[chosen], f"scikit-image's photographs {', '.join(KEPT_APART)}")


def compare(subject: Subject, images: Mapping[str, Image]) -> Iterator[Row]:
    """A row in the clear and one per protection, means over ``images``."""
    exact = np.zeros(0)
    for protection, release, note in _protections(subject):
        extractor = Extractor(subject.feature, Clear(), release, ReleaseKey.generate(), None)
        records = [ImageRecord(image, name, is_file=False) for name, image in images.items()]
        extractor(records[0])  # programs, kernels and noise tables are prepared once
        start = time.perf_counter()
        vectors = np.stack([extractor(record) for record in records]).astype(np.float64)
        seconds = (time.perf_counter() - start) / len(images)
        exact = vectors if release is None else exact
        difference, cosine = apart(vectors, exact)
        another = apart(np.roll(exact, 1, 0), exact)[0]
        shown = extractor.owner_image(records[0].pixels)
        guarantee = extractor.guarantee(shown.shape, vectors.shape[1])
        digest = extractor.prepare(subject.feature.before(shown).shape).digest
        card = card_of(extractor, guarantee, (digest,), len(images))
        yield Row(subject.title, protection, guarantee, seconds, difference, cosine, another, card, note, SEEN_BY_ALL)


def apart(vectors: NDArray[np.float64], exact: NDArray[np.float64]) -> tuple[float, float]:
    """Means over the rows of the distance from ``exact`` over its length, and of the cosine."""
    lengths = np.maximum(np.linalg.norm(exact, axis=1), TINY)
    cosines = (vectors * exact).sum(1) / lengths / np.maximum(np.linalg.norm(vectors, axis=1), TINY)
    return float((np.linalg.norm(vectors - exact, axis=1) / lengths).mean()), float(cosines.mean())


def _protections(subject: Subject) -> tuple[tuple[str, Release | None, str], ...]:
    norm = f"Clipped to an {subject.noise.norm} norm of {subject.clip:,.4g}, known without any image: {subject.reason}."
    pixels, means = Laplace(EPSILON), f"Laplace noise on {BLOCK} × {BLOCK} means"
    return (
        ("in the clear", None, ""),
        (means, PixelRelease(pixels, Pixels(CHANGED), BLOCK), ""),
        (means, PixelRelease(pixels, block=BLOCK), ""),
        (f"{type(subject.noise).__name__} noise on the feature", FeatureRelease(subject.noise, subject.clip), norm),
    )


# the pictures


def galleries(image: Image) -> tuple[FigureGroup, FigureGroup]:
    """One image under noise, and what features see in it."""
    noised = [_noised(image, release) for release in _shown_releases()]
    first = Figure(image, "The image, in the clear.", "an image")
    seen = (
        ("HOG: a stroke along every edge, as bright as the edge is strong.", HOG(), image),
        (f"HOG of the noised image. {noised[1].caption}", HOG(), noised[1].picture),
        ("SIFT: the strongest key points, with size and direction.", SIFT(64), image),
        ("SURF: the strongest key points.", SURF(64), image),
        ("LBP: how many neighbours of each pixel are at least as bright.", LBP(Patterns.UNIFORM), image),
        ("Scattering: one tile per wavelet path.", Scattering(scales=3, angles=4), image),
    )
    figures = [Figure(draw.picture(feature, shown), text, text) for text, feature, shown in seen]
    sentence = (
        "The same image with Laplace noise. Every caption names the ε of the unit and the ε of the whole image: "
        "a picture that a person can still recognise is not hidden from a computer either."
    )
    return (
        FigureGroup("Noise on the image", sentence, (first, *noised)),
        FigureGroup(
            "What features see", "Drawn from exact features, unless the caption says otherwise.", tuple(figures)
        ),
    )


def _shown_releases() -> tuple[PixelRelease, ...]:
    blocks = [PixelRelease(Laplace(epsilon), Pixels(CHANGED), BLOCK) for epsilon in (64.0, 16.0, 4.0)]
    return (*blocks, PixelRelease(Laplace(1e6)), PixelRelease(Laplace(1e4), block=16))


def _noised(image: Image, release: PixelRelease) -> Figure:
    stream = ReleaseKey.generate().stream("shown", b"", repr(release).encode())
    promise = release.guarantee(image.shape)
    where = "every pixel" if release.block == 1 else f"means of {release.block} × {release.block} pixels"
    unit = "" if isinstance(release.unit, WholeImage) else f"ε {math.ceil(promise.epsilon):,} for {CHANGED} pixels, "
    caption = f"Noise on {where}: {unit}ε {math.ceil(promise.whole_image_epsilon):,} for the whole image."
    return Figure(release.apply(image, stream), caption, f"the image with noise; {caption}")


# the chart


def crops(image: Image) -> list[Image]:
    """Five overlapping squares, corners and middle, of ``CROP_SIDE`` pixels."""
    height, width = image.shape[:2]
    side = round(CROP * min(height, width))
    down, across = height - side, width - side
    corners = [(0, 0), (0, across), (down, 0), (down, across), (down // 2, across // 2)]
    cut = [np.ascontiguousarray(image[top : top + side, left : left + side]) for top, left in corners]
    return [resize(square, (CROP_SIDE, CROP_SIDE)) for square in cut]


def search_chart(photographs: Mapping[str, Image], keys: int) -> Chart:
    """How often a noised crop finds another crop of its own image, against the whole-image epsilon."""
    queries = [crop for image in photographs.values() for crop in crops(image)]
    owners = np.repeat(np.arange(len(photographs)), len(queries) // len(photographs))
    exact = extract(SOUGHT, queries).features

    def point(release: Release) -> tuple[float, float]:
        results = [extract(SOUGHT, queries, release=release, key=ReleaseKey.generate()) for _ in range(keys)]
        shares = [found(result.features, exact, owners) for result in results]
        return results[0].guarantee.whole_image_epsilon, float(np.mean(shares))

    on_feature = tuple(point(FeatureRelease(Laplace(e), SOUGHT_NORM)) for e in FEATURE_EPSILONS)
    lines = [Line("noise on the feature", on_feature)]
    for block, epsilons in PIXEL_EPSILONS.items():
        name = "… on every pixel" if block == 1 else f"… on {block} × {block} means"
        lines.append(Line(name, tuple(point(PixelRelease(Laplace(e), block=block)) for e in epsilons)))
    own = len(queries) // len(photographs)
    chance, best = (own - 1) / (len(queries) - 1), found(exact, exact, owners)
    sentence = (
        f"Can a released feature still be used? Each of {len(photographs)} images is cut into {own} overlapping "
        f"crops of {CROP_SIDE} × {CROP_SIDE} pixels. One crop is released with Laplace noise, on its pixels, on means "
        "of blocks of them, or on its colour histogram, and looks for the most similar exact histogram among the "
        f"{len(queries) - 1} other crops. Shown is how often that belongs to its own image. On every line ε is "
        f"that of the whole crop, so that they can be compared.{_crossings(lines, (chance + best) / 2)}"
    )
    levels = Level(f"no noise: {best:.0%}", best), Level(f"chance: {chance:.0%}", chance)
    x_label, y_label = "ε of the whole image (smaller protects more)", "crops that find their image"
    return Chart("Utility against ε", sentence, x_label, y_label, tuple(lines), levels)


def _crossings(lines: Sequence[Line], share: float) -> str:
    """A sentence that says which epsilon each line needs for ``share``; nothing unless every line reaches it."""
    needed = [crossing(line, share) for line in lines]
    if any(epsilon is None for epsilon in needed):
        return ""
    pairs = zip(lines, needed, strict=True)
    listed = ", ".join(f"{line.name.lstrip('… ')} {float(f'{epsilon:.2g}'):,.0f}" for line, epsilon in pairs)
    return f" The ε that comes half-way from chance to no noise ({share:.0%}): {listed}."


def crossing(line: Line, share: float) -> float | None:
    """Where ``line`` first reaches ``share``, between its points straight on the logarithmic axis.

    >>> round(crossing(Line("", ((1.0, 0.0), (100.0, 1.0))), 0.5), 6)
    10.0
    """
    for (x, low), (next_x, high) in itertools.pairwise(line.points):
        if low < share <= high:
            return x * (next_x / x) ** ((share - low) / (high - low))
    return None


def found(vectors: NDArray[np.float32], exact: NDArray[np.float32], owners: NDArray[np.integer]) -> float:
    """Share of ``vectors`` whose nearest row of ``exact`` by cosine, their own left out, has the same owner."""
    directions = [rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), TINY) for rows in (vectors, exact)]
    alike = directions[0] @ directions[1].T
    np.fill_diagonal(alike, -np.inf)
    return float((owners[alike.argmax(1)] == owners).mean())


def _sentence(rows: Sequence[Row], count: int) -> str:
    kinds = len({row.feature for row in rows})
    return (
        f"{count} images, {kinds} kinds of features, and noise on the pixels or on the feature: what each "
        "protection promises, how long it takes and how far it moves the result."
    )


def _notes(keys: int) -> tuple[str, ...]:
    return (
        f"The images come with scikit-image. The table uses the middle square of each, {SIDE} × {SIDE} pixels "
        "(scattering: resized further); its numbers are means over the images, its times leave out preparation.",
        "Noise is discrete and comes from a cryptographic generator with a fresh key per run: numbers of noised rows "
        "differ a little from run to run.",
        "A feature is clipped to a norm that it exceeds for no image at all; none is taken from these images.",
        f"Visual words are descriptors of {len(KEPT_APART)} other images. Each point of the chart is the mean of "
        f"{keys} draws of the noise.",
    )
