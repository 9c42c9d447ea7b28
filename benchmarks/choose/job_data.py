"""A small folder of images for the jobs beside this file: ``data/`` in a folder in which their commands run."""

from __future__ import annotations

import io
import shutil
import zipfile
from pathlib import Path

from PIL import Image

JOBS = Path(__file__).parent / "jobs"
CLASSES = ("AbdomenCT", "ChestCT", "Hand")
PEOPLE, PICTURES = 6, 3
KINDS = 5  # of photographs


def lay_out(folder: Path, shared: Path) -> Path:
    """Copy a few images of the shared data into ``folder/data``.

    Args:
        folder: in which the commands of the jobs run.
        shared: the shared data.

    Returns:
        ``folder``.
    """
    data = folder / "data"
    if data.exists():
        return folder
    building = folder / "data.unfinished"
    shutil.rmtree(building, ignore_errors=True)
    _faces(building, shared / "faces" / "orl")
    _scans(building, shared / "medical")
    _photographs(building, shared)
    building.rename(data)
    return folder


def _copy(source: Path, place: Path) -> None:
    place.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(source, place)


def _faces(data: Path, orl: Path) -> None:
    people = sorted((path for path in orl.iterdir() if path.is_dir()), key=lambda path: path.name)[:PEOPLE]
    for person in people:
        pictures = sorted(person.iterdir())
        for picture in pictures[:PICTURES]:
            _copy(picture, data / "people" / person.name / picture.name)
    for number, person in enumerate(people[:2]):
        asked = sorted(person.iterdir())[PICTURES]
        _copy(asked, data / "probes" / f"{number}{asked.suffix}")
    known, asked = sorted(people[0].iterdir())[:2]
    _copy(known, data / "door" / "known.pgm")
    _copy(asked, data / "door" / "asked.pgm")


def _scans(data: Path, medical: Path) -> None:
    with zipfile.ZipFile(medical / "medical_mnist" / "medical_mnist_test_1200.zip") as archive:
        for name in CLASSES:
            entries = sorted(entry for entry in archive.namelist() if entry.startswith(f"{name}/"))
            for number, entry in enumerate(entries[:14]):
                place = data / "scans" / name if number < 12 else data / "new_scans"
                place.mkdir(parents=True, exist_ok=True)
                place.joinpath(f"{name}{number}.jpeg").write_bytes(archive.read(entry))
    for name in ("Covid-19", "No_findings", "Pneumonia"):
        found = sorted(path for path in (medical / "chest_xray" / name).rglob("*") if path.is_file())
        for number, path in enumerate(found[:12]):
            place = data / "x_rays" / name if number < 10 else data / "new_x_rays"
            _copy(path, place / f"{name}{number}{path.suffix}")


def _photographs(data: Path, shared: Path) -> None:
    corel = shared / "retrieval" / "corel1000"
    classes = sorted(path for path in corel.iterdir() if path.is_dir())[:KINDS]
    for one in classes:
        pictures = sorted(path for path in one.iterdir() if _size(path) == (384, 256))
        for picture in pictures[:6]:
            _copy(picture, data / "photos" / one.name / picture.name)
        if one is classes[0]:
            _copy(pictures[6], data / "query.jpg")
    (data / "small_photos").mkdir(parents=True)
    for number, picture in enumerate(sorted((data / "photos").rglob("*.jpg"))[:4]):
        with Image.open(picture) as image:
            image.resize((64, 64)).save(data / "small_photos" / f"{number}.png")
    for number, path in enumerate(sorted((shared / "documents" / "receipts_sroie").glob("*.jpg"))[:4]):
        with Image.open(path) as image:
            (data / "receipts").mkdir(exist_ok=True)
            image.convert("RGB").resize((256, 256)).save(data / "receipts" / f"{number}.png")
    for number, path in enumerate(sorted((shared / "detection" / "penn_fudan").glob("*.jpg"))[:4]):
        with Image.open(path) as image:
            for name, size in (("street", (400, 360)), ("small_street", (96, 128))):
                if name == "street" or number < 2:
                    (data / name).mkdir(exist_ok=True)
                    image.convert("RGB").resize(size).save(data / name / f"{number}.png")
    _copy(shared / "video" / "pets2009_s2l1" / "pets2009_s2l1_view001_480x360.avi", data / "hall.avi")


def _size(path: Path) -> tuple[int, int]:
    with Image.open(io.BytesIO(path.read_bytes())) as image:
        return image.size
