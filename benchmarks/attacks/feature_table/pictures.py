"""Pictures that are attacked, and public ones that attackers learn from: faces, and crops of photographs."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from benchmarks.privacy.enrolment import ENLARGED, SETS, _aligned, _detector

SIDE = 112
_KINDS = {".png", ".jpg", ".jpeg"}
_CROPS = 24  # of each photograph of Kodak's; public ones are as many in all
_PUBLIC = 96  # photographs of ImageNet


@dataclass(frozen=True, eq=False)
class Pictures:
    """Pictures of one kind, with whom or what they show.

    Args:
        images: (n, 112, 112, 3) uint8.
        names: (n,) person, or crop.
        folds: for each fold (n,) whether the attacker has a picture; all others are attacked.
        faces: whether a network of faces tells who a reconstruction is of.
    """

    images: npt.NDArray[np.uint8]
    names: npt.NDArray[np.str_]
    folds: tuple[npt.NDArray[np.bool_], ...]
    faces: bool

    def part(self, every: int) -> Pictures:
        """Every n-th picture, for a tiny run."""
        return Pictures(self.images[::every], self.names[::every], tuple(f[::every] for f in self.folds), self.faces)


def faces(data: Path) -> Pictures:
    """Every face of four research sets, brought to 112 x 112; people of one half are public, and then of the other."""
    from PIL import Image

    detector = _detector(data / "weights" / "face_detection")
    crops, names = [], []
    for name in SETS:
        for person in sorted(path for path in (data / "faces" / name).iterdir() if path.is_dir()):
            for path in sorted(person.iterdir()):
                crop = _aligned(np.asarray(Image.open(path).convert("RGB")), detector, name in ENLARGED)
                if crop is not None:
                    crops.append(crop)
                    names.append(f"{name}/{person.name}")
    people = np.unique(names)
    return Pictures(np.stack(crops), np.array(names), tuple(np.isin(names, people[half::2]) for half in (0, 1)), True)


def photographs(data: Path) -> Pictures:
    """Crops of Kodak's photographs, which are attacked, and of ImageNet samples, which are public."""
    random = np.random.default_rng(0)
    crops, names = [], []
    for folder, count, most in (("kodak", _CROPS, None), ("imagenet_samples", 2, _PUBLIC)):
        files = [path for path in (data / "photos" / folder).rglob("*") if path.suffix.lower() in _KINDS]
        for path in sorted(files)[:most]:
            for number, crop in enumerate(_crops(path, count, random)):
                crops.append(crop)
                names.append(f"{folder}/{path.stem} {number}")
    public = np.array([name.startswith("imagenet") for name in names])
    return Pictures(np.stack(crops), np.array(names), (public,), False)


def _crops(path: Path, count: int, random: np.random.Generator) -> list[npt.NDArray[np.uint8]]:
    """Squares of 224 pixels at random places, made smaller."""
    import cv2
    from PIL import Image

    image = np.asarray(Image.open(path).convert("RGB"))
    side = min(2 * SIDE, *image.shape[:2])
    tops = [random.integers(0, length - side + 1, count) for length in image.shape[:2]]
    cut = [image[y : y + side, x : x + side] for y, x in zip(*tops, strict=True)]
    return [cv2.resize(np.ascontiguousarray(each), (SIDE, SIDE), interpolation=cv2.INTER_AREA) for each in cut]
