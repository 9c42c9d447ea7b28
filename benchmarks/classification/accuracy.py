"""Accuracy of `privis classify` in the clear on public medical pictures, beside its bars.

``python -m benchmarks.classification [DATA] [DIVISOR]``: DATA is the shared data; with a DIVISOR every so many-th
picture of each class is taken. The command is run as users run it, in a folder of its own; processor seconds are those
of all its processes.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

DATA = Path(__file__).resolve().parents[3] / "shared" / "data"
FEATURES = {"local binary patterns (default)": (), "HOG 64 x 64": ("-f", "hog", "-p", "size=64x64")}
CHEST = ("Covid-19", "No_findings", "Pneumonia")


def privis(*words: str | Path) -> tuple[dict[str, Any], float]:
    """What ``privis classify`` prints as JSON, and the processor seconds of its processes."""
    before = os.times()
    given = [sys.executable, "-m", "privis", "classify", *map(str, words), "--json"]
    done = subprocess.run(given, capture_output=True, text=True)
    if done.returncode not in (0, 1):
        raise SystemExit(done.stderr)
    after = os.times()
    used = after.children_user + after.children_system - before.children_user - before.children_system
    return json.loads(done.stdout), used


def unpacked(archive: Path, folder: Path, divisor: int) -> Path:
    """The pictures of an archive in a sub-folder for each class."""
    place = folder / archive.stem
    with zipfile.ZipFile(archive) as members:
        for number, name in enumerate(sorted(name for name in members.namelist() if name.endswith(".jpeg"))):
            if number % divisor == 0:
                members.extract(name, place)
    return place


def medical(data: Path, folder: Path, feature: Sequence[str], divisor: int = 1) -> dict[str, Any]:
    """Train on one part of Medical-MNIST and evaluate on the other."""
    archives = data / "medical" / "medical_mnist"
    train, test = (
        unpacked(archives / f"medical_mnist_{part}.zip", folder, divisor) for part in ("train_5400", "test_1200")
    )
    model = folder / "medical.model"
    trained, first = privis("train", train, "-o", model, *feature)
    found, second = privis("evaluate", test, "--model", model)
    return {**found, "seconds": first + second, "trained": trained["split"]["images"]}


def chest(data: Path, divisor: int = 1, folds: int = 5) -> dict[str, Any]:
    """Five folds by file of the chest X-rays."""
    with tempfile.TemporaryDirectory() as place:
        for name in CHEST:
            (Path(place) / name).mkdir()
            for path in sorted((data / "medical" / "chest_xray" / name).iterdir())[::divisor]:
                (Path(place) / name / path.name).symlink_to(path)
        found, used = privis("evaluate", place, "--folds", str(folds))
    return {**found, "seconds": used}


def line(name: str, found: dict[str, Any], bar: float) -> str:
    """One result beside its bar."""
    low, high = found["interval"]
    leaks = f", {len(found['leaks'])} left out" if found.get("leaks") else ""
    return (
        f"{name:60} {100 * found['accuracy']:.1f} % ({100 * low:.1f} to {100 * high:.1f}; bar {bar} %) of "
        f"{found['images']} images{leaks}; {found['seconds']:.0f} processor s"
    )


def main() -> None:
    """Print a line for each set and feature."""
    data = Path(sys.argv[1]) if len(sys.argv) > 1 else DATA
    divisor = int(sys.argv[2]) if len(sys.argv) > 2 else 1
    for name, feature in FEATURES.items():
        with tempfile.TemporaryDirectory() as folder:
            print(line(f"Medical-MNIST, {name}", medical(data, Path(folder), feature, divisor), 99), flush=True)
    print(line("chest X-ray, 5 folds by file, default feature", chest(data, divisor), 78), flush=True)
