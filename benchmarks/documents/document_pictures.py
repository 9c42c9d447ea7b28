"""Pictures whose kind is known, and the training of the head that tells kinds of pictures."""

from __future__ import annotations

import re
from pathlib import Path

import cv2
import numpy as np

from privis.io.images.decode import SUFFIXES, load
from privis.tasks.documents.picture_kinds import PictureKind, kind_measurements
from privis.tasks.linear_head import LinearHead
from privis.tasks.scikit_learn import linear_head_of

FOLDERS = {
    PictureKind.DOCUMENT: {"documents/id_specimens": 99, "documents/mrz_specimens": 99},
    PictureKind.RECEIPT: {"documents/receipts_sroie": 99},
    PictureKind.PHOTOGRAPH: {
        "photos/kodak": 99,
        "photos/imagenet_samples": 100,
        "retrieval/corel1000": 80,
        "detection/coco128": 40,
        "detection/penn_fudan": 20,
        "detection/license_plates": 30,
        "detection/faces_dlib": 9,
        "faces/lfw10": 15,
        "faces/orl": 15,
        "faces/yale": 15,
    },
    PictureKind.X_RAY: {"medical/chest_xray": 120},
}
"""Folders of the data, and pictures that are taken from each, evenly."""
COPIES = {PictureKind.DOCUMENT: 5, PictureKind.RECEIPT: 5, PictureKind.PHOTOGRAPH: 1, PictureKind.X_RAY: 1}
"""Changed copies of a picture that a head is trained on besides: rare kinds have more."""
SAME = ("uto", "polx", "cze", "usa")
"""Words in names of specimens that show one document."""
UTOPIA = re.compile(r"passport-td|^td|^mrv|uto")
STRENGTH = 0.3
"""Inverse weight of the penalty of the regression."""


def pictures(data: Path, most: int | None = None) -> list[tuple[PictureKind, str, Path]]:
    """Kind, group and path; pictures of one document or person are one group, which no fold divides."""
    found = []
    for kind, folders in FOLDERS.items():
        for folder, count in folders.items():
            files = sorted(path for path in (data / folder).rglob("*") if path.suffix.lower() in {*SUFFIXES, ".pgm"})
            count = min(len(files), count if most is None else most)
            for number in np.linspace(0, len(files) - 1, count).astype(int) if count else ():
                found.append((kind, _group(folder, files[number]), files[number]))
    return found


def _group(folder: str, path: Path) -> str:
    if folder.startswith("faces/"):
        return f"{folder}/{path.parent.name}"
    if folder.startswith("documents/") and UTOPIA.search(path.name):
        return "utopia"
    return next((word for word in SAME if word in path.name and "specimens" in folder), f"{folder}/{path.name}")


def changed(image: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """Turn, perhaps lose colour and edges, shrink, change light, blur and compress a picture."""
    image = np.ascontiguousarray(np.rot90(image, random.integers(4)))
    if random.random() < 0.4 and image.ndim == 3:
        image = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)
    if random.random() < 0.5:
        top, bottom, left, right = random.uniform(0, 0.12, 4)
        height, width = image.shape[:2]
        image = image[int(top * height) : height - int(bottom * height), int(left * width) : width - int(right * width)]
    scale = min(1.0, np.exp(random.uniform(np.log(200), np.log(1000))) / max(image.shape[:2]))
    if scale < 1:
        image = cv2.resize(image, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    if random.random() < 0.5:
        lit = 255 * (image / 255.0) ** random.uniform(0.7, 1.4) * random.uniform(0.85, 1.0)
        image = np.clip(lit, 0, 255).astype(np.uint8)
    if random.random() < 0.3:
        image = cv2.GaussianBlur(image, (0, 0), random.uniform(0.4, 1.2))
    encoded = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, int(random.integers(30, 95))])[1]
    return cv2.imdecode(encoded, cv2.IMREAD_UNCHANGED)


class Measured:
    """Measurements of pictures and of changed copies."""

    def __init__(self, known: list[tuple[PictureKind, str, Path]], copies: dict[PictureKind, int] | None = None):
        random = np.random.default_rng(0)
        rows, numbers, changes = [], [], []
        for number, (kind, _, path) in enumerate(known):
            image = load(path)
            for copy in range(1 + (COPIES if copies is None else copies)[kind]):
                rows.append(kind_measurements(changed(image, random) if copy else image))
                numbers.append(number)
                changes.append(copy > 0)
        self.rows, self.numbers, self.changed = np.stack(rows), np.array(numbers), np.array(changes)
        self.kinds = np.array([known[number][0].value for number in numbers])
        names = sorted({group for _, group, _ in known})
        fold = dict(zip(np.random.default_rng(0).permutation(names), np.arange(len(names)), strict=True))
        self.groups = np.array([fold[known[number][1]] for number in numbers])

    def head(self, chosen: np.ndarray) -> LinearHead:
        """Train on the chosen rows."""
        from sklearn.linear_model import LogisticRegression
        from sklearn.pipeline import make_pipeline
        from sklearn.preprocessing import StandardScaler

        regression = LogisticRegression(C=STRENGTH, max_iter=500, class_weight="balanced")
        return linear_head_of(make_pipeline(StandardScaler(), regression).fit(self.rows[chosen], self.kinds[chosen]))

    def validated(self, folds: int = 12) -> np.ndarray:
        """The kind of every row by a head that saw nothing of its group."""
        found = np.empty(len(self.rows), object)
        for fold in range(folds):
            held = self.groups % folds == fold
            head = self.head(~held)
            if held.any():
                found[held] = head.decide(head.scores(self.rows[held])).labels
        return found
