"""Search by image in the clear: mean average precision and precision at 10 of features and recipes, near-duplicates.

``python -m benchmarks.retrieval [DATA]``; with ``--spreads`` the constants of recipes instead, with
``--codebook FILE WORDS`` a codebook of ImageNet samples, as rows below have, with ``--network FILE`` their SqueezeNet.
Corel-1000, leave-one-out: every image asks all others, the whole ranking counts. Settings were chosen
on every second image of each class; recipes print the other half beside the whole.
Codebooks of the rows that need one are of ImageNet samples, that of the recipe is of random dead leaves.
Near-duplicates: crops, JPEG of quality 30, rotations, resized and other copies of Kodak's photographs, searched among
these, Corel-1000 and the ImageNet samples; all right-angle views of a copy ask, and the twenty most similar images are
compared by their SIFT key points.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from privis.estimators.search.geometric_reranking import GeometricReRanking, described, right_angle_views
from privis.extraction.images import extract
from privis.extraction.recipes.dead_leaves import LOCAL
from privis.extraction.recipes.recipe_parts import (
    RecipePart,
    co_occurrence,
    colours,
    patches,
    texture,
    visual_words,
)
from privis.extraction.recipes.search_recipe import SearchRecipe, colour, colour_and_texture, network
from privis.features import (
    CNN,
    GLCM,
    LBP,
    VLAD,
    BagOfVisualWords,
    Channels,
    Codebook,
    ColourHistogram,
    ColourSpace,
)
from privis.features.feature import Array
from privis.io.images.decode import load
from privis.program import Program
from privis.run.clear.onnx_lowering import to_onnx
from privis.tasks.retrieval import (
    Fusion,
    LocalDescriptors,
    NeighbourGraph,
    Similarity,
    average_precision,
    precision_at,
    relevance,
)

DATA = Path(__file__).resolve().parents[3] / "shared" / "data"
FIRST = 10
CHECKED = 20  # most similar images whose key points are compared
SQUEEZENET = "weights/imagenet_squeezenet/squeezenet_v1.0_deepcomp.npz"


@dataclass(frozen=True)
class Row:
    """A recipe beside its bars: mean average precision and precision at 10."""

    recipe: SearchRecipe
    precision: float
    first: float


def rows(codebook: Callable[[int], Codebook]) -> list[Row]:
    """The features that need no weights, and the recipes of them; ``codebook`` gives one of so many words."""
    words = RecipePart(BagOfVisualWords(LOCAL, codebook(256)), Similarity.HELLINGER)
    rgb = ColourHistogram(bins=8, joint=True, density=True)
    alone = {
        "RGB": (RecipePart(rgb, Similarity.HELLINGER), 0.53, 0.68),
        "VLAD": (RecipePart(VLAD(LOCAL, codebook(64), intra=False), Similarity.HELLINGER), 0.51, 0.63),
        "LBP": (RecipePart(LBP(density=True), Similarity.HELLINGER), 0.45, 0.58),
        "BoVW": (words, 0.44, 0.56),
        "GLCM": (RecipePart(GLCM(levels=16, distances=(1, 3)), Similarity.COSINE), 0.40, 0.51),
    }
    made = [Row(SearchRecipe(name, {name: part}), *bars) for name, (part, *bars) in alone.items()]
    both = SearchRecipe("HSV + BoVW", {**colour().parts, "words": words})
    return [Row(colour(), 0.55, 0.72), *made, Row(both, 0.59, 0.74), Row(colour_and_texture(), 0.62, 0.74)]


def pooled_squeezenet(data: Path) -> Program:
    """Pooled outputs of SqueezeNet's last fire module, 512 numbers."""
    from tests.reference.onnx.networks import arrays, squeezenet

    return squeezenet(arrays(data / SQUEEZENET), pooled=True)


def squeezenet(data: Path) -> SearchRecipe:
    """Its recipe, by its own normalisation."""
    means = (104.0, 117.0, 123.0)
    return network(CNN(pooled_squeezenet(data), mean=means, divisor=1.0, channels=Channels.BGR))


def joined(recipe: SearchRecipe, images: Sequence[Array], fusion: Fusion | None = None) -> tuple[Array, Fusion]:
    """Vectors of all images, and the fusion that made them, fitted to them unless it is given."""
    found = {name: extract(part.feature, images).features for name, part in recipe.parts.items()}
    chosen = fusion or Fusion.fit(found, recipe.similarities)
    return chosen.vectors(found), chosen


def spreads(images: Sequence[Array]) -> dict[str, float]:
    """Standard deviations of the similarities of parts over all pairs of images: the constants of `recipe_parts`."""
    parts = {
        "colours hsv": colours(), "colours rgb": colours(ColourSpace.RGB), "texture": texture(), "patches": patches(),
        "words": visual_words(), "co-occurrence": co_occurrence(),
    }  # fmt: skip
    found = {name: extract(part.feature, images).features for name, part in parts.items()}
    fitted = Fusion.fit(found, {name: (part.similarity, 1.0) for name, part in parts.items()})
    return {part.name: part.spread for part in fitted.parts}


def leave_one_out(scores: Array, labels: Array) -> tuple[Array, Array]:
    """Average precision and precision at 10 of every image."""
    values = np.array(scores, np.float64)
    np.fill_diagonal(values, -np.inf)
    found = relevance(values, labels, labels)
    return average_precision(found), precision_at(found, min(FIRST, found.shape[1]))


def re_ranked(vectors: Array, neighbours: int = 15) -> Array:
    """Scores after diffusion; every image asks an index that was built without it."""
    scores = np.full((len(vectors), len(vectors)), -np.inf)
    for asked in range(len(vectors)):
        others = np.delete(np.arange(len(vectors)), asked)
        graph = NeighbourGraph.of(vectors[others], min(neighbours, len(others) - 1))
        scores[asked, others] = graph.scores(vectors[asked : asked + 1] @ vectors[others].T)[0]
    return scores


def copies(image: Array) -> Mapping[str, Array]:
    """What becomes of a photograph on its way through the net: crops, turns, sizes, codings, and mixtures of these."""
    height, width = image.shape[:2]

    def turned(degrees: float, scale: float) -> Array:
        matrix = cv2.getRotationMatrix2D((width / 2, height / 2), degrees, scale)
        return cv2.warpAffine(image, matrix, (width, height), flags=cv2.INTER_LINEAR)

    def resized(share: float) -> Array:
        size = round(width * share), round(height * share)
        return cv2.resize(image, size, interpolation=cv2.INTER_AREA if share < 1 else cv2.INTER_CUBIC)

    def coded(pixels: Array, quality: int) -> Array:
        file = cv2.imencode(".jpg", np.ascontiguousarray(pixels[..., ::-1]), [cv2.IMWRITE_JPEG_QUALITY, quality])[1]
        return np.ascontiguousarray(cv2.imdecode(file, cv2.IMREAD_COLOR)[..., ::-1])

    middle = image[height // 4 : -height // 4, width // 4 : -width // 4]
    return {
        "crop 75 %": image[height // 8 : -height // 8, width // 8 : -width // 8],
        "crop 50 %": middle,
        "upper left 60 %": image[: height * 6 // 10, : width * 6 // 10],
        "lower right 60 %": image[height * 4 // 10 :, width * 4 // 10 :],
        "middle stripe": image[height // 3 : -height // 3],
        "JPEG 30": coded(image, 30),
        "JPEG 10": coded(image, 10),
        "turned by 5°": turned(5, 1.1),
        "turned by 10°": turned(10, 1.2),
        "turned by 30°": turned(30, 1.0),
        "turned by 45°": turned(45, 1.0),
        "turned by 90°": np.rot90(image).copy(),
        "turned by 180°": np.rot90(image, 2).copy(),
        "turned by 270°": np.rot90(image, 3).copy(),
        "mirrored": image[:, ::-1].copy(),
        "half the size": resized(0.5),
        "a quarter": resized(0.25),
        "twice the size": resized(2),
        "brighter": np.clip(image * 1.3 + 10, 0, 255).astype(np.uint8),
        "grey": np.repeat(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)[..., None], 3, axis=2),
        "crop 50 %, turned by 90°, JPEG 30": coded(np.rot90(middle), 30),
    }


BARRED = ("crop 75 %", "crop 50 %", "upper left 60 %", "lower right 60 %", "middle stripe", "JPEG 30", "turned by 5°",
          "turned by 10°", "turned by 30°", "turned by 45°", "turned by 90°", "turned by 180°", "turned by 270°",
          "half the size", "a quarter", "twice the size")  # fmt: skip
"""Copies that the bar is of: crops, JPEG of quality 30, rotations and other sizes."""


def near_duplicates(
    originals: Sequence[Array], others: Sequence[Array], kinds: Sequence[str] = ()
) -> dict[str, tuple[int, int, int]]:
    """By kind of copy: how many find their original by vectors, how many after the check of key points, of how many."""
    recipe, re_ranking = colour_and_texture(), GeometricReRanking(CHECKED)
    images = [*originals, *others]
    index, fusion = joined(recipe, images)
    kept: dict[int, LocalDescriptors] = {}
    counts: dict[str, tuple[int, int, int]] = {}
    for row, original in enumerate(originals):
        for kind, copy in copies(original).items():
            if kinds and kind not in kinds:
                continue
            views = right_angle_views(copy)
            cosines = (joined(recipe, views, fusion)[0] @ index.T).max(0)
            near = [int(other) for other in np.argsort(-cosines)[:CHECKED]]
            for other in near:
                if other not in kept:
                    kept[other] = described(images[other])
            matches, _ = re_ranking.agreeing(re_ranking.key_points(copy), [kept[other] for other in near])
            best = near[int(np.argmax(matches))]
            first, checked, total = counts.get(kind, (0, 0, 0))
            counts[kind] = (first + int(near[0] == row), checked + int(best == row), total + 1)
    return counts


def corel(data: Path, most: int | None = None) -> tuple[list[Array], Array]:
    """Images and classes; ``most`` images of each class."""
    folders = sorted(path for path in (data / "retrieval" / "corel1000").iterdir() if path.is_dir())
    files = [path for folder in folders for path in sorted(folder.iterdir())[:most]]
    return [load(path) for path in files], np.array([path.parent.name for path in files])


def photographs(data: Path, name: str, most: int | None = None) -> list[Array]:
    kinds = {".jpg", ".jpeg", ".png"}
    files = sorted(path for path in (data / "photos" / name).rglob("*") if path.suffix.lower() in kinds)
    return [load(path) for path in files[:most]]


def main() -> None:
    words = [word for word in sys.argv[1:] if word != "--spreads"]
    data = Path(words[0]) if words else DATA
    if words and words[0] == "--network":
        Path(words[1]).write_bytes(to_onnx(pooled_squeezenet(DATA)).SerializeToString())
        return
    if words and words[0] == "--codebook":
        path, count = words[1:3]
        descriptors = extract(LOCAL, photographs(DATA, "imagenet_samples", 100)).features.reshape(-1, 128)[::8]
        Codebook.fit(descriptors, int(count), "ImageNet samples").save(path)
        return
    if len(words) < len(sys.argv[1:]):
        for name, spread in spreads(photographs(data, "imagenet_samples", 100)).items():
            print(f"{name:14} {spread:.4f}")
        return
    images, labels = corel(data)
    public = photographs(data, "imagenet_samples", 100)
    descriptors = extract(LOCAL, public).features.reshape(-1, 128)[::8]
    chosen = [*rows(lambda words: Codebook.fit(descriptors, words, "ImageNet samples"))]
    chosen.append(Row(squeezenet(data), 0.80, 0.89))
    other = np.concatenate([np.arange((labels == name).sum()) % 2 == 1 for name in np.unique(labels)])
    for row in chosen:
        start = time.process_time()
        vectors, _ = joined(row.recipe, images)
        used = time.process_time() - start
        averages, firsts = leave_one_out(vectors @ vectors.T, labels)
        print(
            f"{row.recipe.name:18} mAP {averages.mean():.3f} (bar {row.precision:.2f}; other half "
            f"{averages[other].mean():.3f})  P@10 {firsts.mean():.3f} (bar {row.first:.2f})  "
            f"{1e3 * used / len(images):.1f} processor ms an image",
            flush=True,
        )
        if row.recipe.name == colour_and_texture().name:
            averages, firsts = leave_one_out(re_ranked(vectors), labels)
            print(
                f"  re-ranked        mAP {averages.mean():.3f} (bar 0.70; other half {averages[other].mean():.3f})  "
                f"P@10 {firsts.mean():.3f}",
                flush=True,
            )
    found = near_duplicates(photographs(data, "kodak"), [*images, *public])
    for kind, (first, checked, total) in found.items():
        note = "" if kind in BARRED else " (no bar)"
        print(f"{kind:34} {first} of {total} first by vectors, {checked} after the check of key points{note}")
    for kinds, bar in ((BARRED, " (bar 99)"), (tuple(found), ", all kinds")):
        checked, total = (sum(found[kind][place] for kind in kinds) for place in (1, 2))
        print(f"near-duplicates    recall@1 {100 * checked / total:.1f} % of {total}{bar}")


if __name__ == "__main__":
    main()
