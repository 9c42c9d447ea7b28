"""Face templates of several enrolled images in one release, beside one image and beside a release for every image.

``python -m benchmarks.enrolment ../shared/data`` detects, aligns and embeds the faces of four research sets (YuNet,
MobileFaceNet; 51 people) and prints equal error rates. The people of one half are public and give a projection to 24
components; those of the other half enrol with images chosen at random and are found by all their other images, which
stay exact; then the halves change places. A draw is one choice of images with noise of its own; the epsilon is that of
all of a person's enrolled images. Processor seconds are those of this process.
"""

from __future__ import annotations

import argparse
import time
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

import privis
from privis.subjects import SubjectWarning

SETS = ("lfw10", "orl", "yale", "dlib_johns")
ENLARGED = ("orl", "yale")  # their faces are small
BARS = {8.0: 13.0, 16.0: 4.0, 32.0: 1.2}
"""Equal error rate in percent that four images in one release may have at most, by epsilon."""
IMAGES, COMPONENTS, DRAWS = 4, 24, 32
_BORDER = 60  # pixels around a face that fills the picture
_TEMPLATE = np.array(
    [[38.2946, 51.6963], [73.5318, 51.5014], [56.0252, 71.7366], [41.5493, 92.3655], [70.7299, 92.2041]], np.float32
)
"""Where MobileFaceNet wants eyes, nose and corners of the mouth in 112 x 112 pixels."""

Array = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Rates:
    """Equal error rate of all draws together in percent, and the mean and standard error of those of single draws."""

    together: float
    mean: float
    error: float


def embedded(data: Path) -> tuple[Array, npt.NDArray[np.str_]]:
    """Embeddings of length 1, (n, 128), and whose they are; every face of every set."""
    from PIL import Image

    weights = data / "weights"
    detector = _detector(weights / "face_detection")
    network = privis.CNN.from_onnx(
        weights / "face_embedding_mobilefacenet" / "MobileFaceNet.onnx",
        mean=(0.485, 0.456, 0.406),
        std=(0.229, 0.224, 0.225),
    )
    crops, people = [], []
    for name in SETS:
        for person in sorted(path for path in (data / "faces" / name).iterdir() if path.is_dir()):
            for path in sorted(person.iterdir()):
                crop = _aligned(np.asarray(Image.open(path).convert("RGB")), detector, name in ENLARGED)
                if crop is not None:
                    crops.append(crop)
                    people.append(f"{name}/{person.name}")
    return unit(privis.extract(network, crops).features), np.array(people)


def _detector(folder: Path):
    import cv2

    return cv2.FaceDetectorYN.create(str(folder / "yunet_n_640_640.onnx"), "", (320, 320), 0.6, 0.3, 5000)


def _aligned(picture: npt.NDArray[np.uint8], detector, enlarge: bool) -> npt.NDArray[np.uint8] | None:
    """The face nearest the centre, brought to 112 x 112 pixels by a similarity; None without a face."""
    import cv2

    if enlarge:
        picture = cv2.resize(picture, None, fx=2, fy=2, interpolation=cv2.INTER_CUBIC)
    for border in (0, _BORDER):
        shown = cv2.copyMakeBorder(picture, *[border] * 4, cv2.BORDER_REPLICATE)
        height, width = shown.shape[:2]
        detector.setInputSize((width, height))
        found = detector.detect(np.ascontiguousarray(shown[:, :, ::-1]))[1]
        if found is not None:
            centres = found[:, :2] + found[:, 2:4] / 2
            best = found[np.hypot(*(centres - [width / 2, height / 2]).T).argmin()]
            return cv2.warpAffine(shown, _similarity(best[4:14].reshape(5, 2)), (112, 112))
    return None


def _similarity(points: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """Umeyama's least-squares similarity from five points to `_TEMPLATE`, without reflection."""
    one, other = points.mean(0), _TEMPLATE.mean(0)
    here, there = points - one, _TEMPLATE - other
    left, sizes, right = np.linalg.svd(there.T @ here / len(here))
    signs = np.diag([1.0, np.linalg.det(left @ right)])
    turn = left @ signs @ right
    scale = float((sizes * np.diag(signs)).sum() / ((here**2).sum() / len(here)))
    return np.c_[scale * turn, other - scale * turn @ one].astype(np.float32)


def unit(rows: npt.NDArray[np.floating]) -> Array:
    """Rows at length 1."""
    rows = np.asarray(rows, np.float64)
    return rows / np.maximum(np.linalg.norm(rows, axis=-1, keepdims=True), 1e-12)


def equal_error_rate(genuine: Array, impostor: Array) -> float:
    """Share of genuine pairs refused and of impostors let in, where both are the same, in percent."""
    order = np.argsort(-np.concatenate([genuine, impostor]), kind="stable")
    is_genuine = (order < len(genuine)).astype(float)
    found, wrong = np.cumsum(is_genuine) / len(genuine), np.cumsum(1 - is_genuine) / len(impostor)
    at = np.argmin(np.abs(1 - found - wrong))
    return 100 * float(1 - found[at] + wrong[at]) / 2


def rates(
    vectors: Array,
    people: npt.NDArray[np.str_],
    epsilon: float | None,
    images: int,
    apart: bool = False,
    draws: int = DRAWS,
) -> Rates:
    """Match exact probes with released templates.

    Args:
        vectors: (n, d), of length 1.
        people: whose each is.
        epsilon: of all of a person's enrolled images; None: exact templates.
        images: that a person enrols with.
        apart: every image is released by itself, at its share of epsilon, and the releases are averaged.
        draws: how often images and noise are drawn.
    """
    single, genuine, impostor = [], [], []
    for draw in range(draws):
        scores = list(_draw(vectors, people, epsilon, images, apart, draw))
        own, others = (np.concatenate(parts) for parts in zip(*scores, strict=True))
        single.append(equal_error_rate(own, others))
        genuine.append(own)
        impostor.append(others)
    together = equal_error_rate(np.concatenate(genuine), np.concatenate(impostor))
    return Rates(together, float(np.mean(single)), float(np.std(single) / np.sqrt(max(1, draws - 1))))


def _draw(
    vectors: Array, people: npt.NDArray[np.str_], epsilon: float | None, images: int, apart: bool, draw: int
) -> Iterator[tuple[Array, Array]]:
    """Scores of genuine and of impostor pairs, for either half."""
    names = np.unique(people)
    for half in (0, 1):
        public = np.isin(people, names[half::2])
        components = min(COMPONENTS, vectors.shape[1])
        project = privis.Projection.pca(vectors[public].astype(np.float32), components, source="public identities")
        rows, whose = unit(project(vectors[~public].astype(np.float32))), people[~public]
        rng, chosen = np.random.default_rng(draw), []
        for person in np.unique(whose):
            chosen.append(rng.permutation(np.flatnonzero(whose == person))[:images])
        enrolled = np.concatenate(chosen)
        probes = np.setdiff1d(np.arange(len(rows)), enrolled)
        key = privis.ReleaseKey(draw.to_bytes(32, "big"))  # fixed, so that figures repeat
        templates = unit(_templates(rows[enrolled], whose[enrolled], enrolled, epsilon, apart, key))
        scores = rows[probes] @ templates.T
        same = whose[probes][:, None] == np.unique(whose)[None]
        yield scores[same], scores[~same]


def _templates(
    rows: Array,
    whose: npt.NDArray[np.str_],
    records: Sequence[int] | npt.NDArray[np.int64],
    epsilon: float | None,
    apart: bool,
    key: privis.ReleaseKey,
) -> Array:
    """One template for each person, in the order of their names."""
    if epsilon is not None:
        most = int(np.unique(whose, return_counts=True)[1].max())
        hidden = privis.Person(most) if apart else privis.Enrolment()
        release = privis.DirectionRelease(privis.PrivUnit(epsilon), hidden)
        told = privis.release(rows, release, records=list(records), subjects=list(whose), key=key, feature="benchmark")
        if not apart:
            return told.features.astype(np.float64)
        rows = told.features.astype(np.float64)
    return np.stack([rows[whose == person].mean(0) for person in np.unique(whose)])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("data", type=Path, help="the folder of research data, with faces/ and weights/")
    parser.add_argument("--draws", type=int, default=DRAWS)
    options = parser.parse_args()
    warnings.simplefilter("ignore", SubjectWarning)  # two pictures of these sets are one
    start, spent = time.perf_counter(), time.process_time()
    vectors, people = embedded(options.data)
    print(f"{len(vectors)} faces of {len(np.unique(people))} people; {options.draws} draws of images and noise")
    exact = rates(vectors, people, None, IMAGES, draws=1)
    print(f"exact templates of {IMAGES} images: equal error rate {exact.together:.2f} %")
    print("| epsilon of a person | 4 images in one release, % | bar | | 1 image, % | 4 releases at a quarter, % |")
    print("|---:|---:|---:|---|---:|---:|")
    for epsilon, bar in BARS.items():
        ours, one, four = (
            rates(vectors, people, epsilon, images, apart, options.draws)
            for images, apart in ((IMAGES, False), (1, False), (IMAGES, True))
        )
        verdict = "kept" if max(ours.together, ours.mean) <= bar else "missed"
        told = f"{ours.together:.2f} (draws: {ours.mean:.2f} ± {ours.error:.2f}) | ≤ {bar:g} | {verdict}"
        print(f"| {epsilon:g} | {told} | {one.together:.2f} | {four.together:.2f} |", flush=True)
    print(f"{time.process_time() - spent:.0f} s of processor, {time.perf_counter() - start:.0f} s of wall clock")


if __name__ == "__main__":
    main()
