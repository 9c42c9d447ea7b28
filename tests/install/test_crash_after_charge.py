"""A run that charged its ledger and then crashed gives, when it is called again, the release that was paid for."""

import subprocess
import sys
from pathlib import Path

import numpy as np
from PIL import Image

from privis.io.tables import read
from privis.privacy import Budget, FileLedger
from privis.privacy.ledger.entries import Charge

CRASHING = """
from privis.privacy.sampling import alias_table

def crash(*anything):
    raise OverflowError("Python integer -1 out of bounds for uint8")

alias_table._direct = crash  # called while noise is drawn: the charge is written
"""
MAIN = "from privis.cli import main; main()"


def extract(folder: Path, first: str = "") -> subprocess.CompletedProcess[str]:
    words = "extract pictures -f lbp -p patterns=uniform --release laplace --at feature --clip 1 --epsilon 4"
    words += " --ledger ledger --workers 1 -o out.npz"
    command = [sys.executable, "-c", first + MAIN, *words.split()]
    return subprocess.run(command, capture_output=True, text=True, timeout=240, cwd=folder)


def charges(folder: Path) -> list[Charge]:
    return list(FileLedger(folder / "ledger").charges())


def test_what_a_crash_charged_is_released_for_nothing_more(tmp_path: Path) -> None:
    (tmp_path / "pictures").mkdir()
    for place in range(2):
        pixels = np.add.outer(np.arange(32) * (place + 1), np.arange(32)).astype(np.uint8)
        Image.fromarray(pixels).save(tmp_path / "pictures" / f"{place}.png")
    FileLedger.create(tmp_path / "ledger", Budget(5.0, 1e-6))  # a second release of an image would be refused
    crashed = extract(tmp_path, CRASHING)
    assert crashed.returncode == 3 and "out of bounds" in crashed.stderr, crashed.stderr
    paid = charges(tmp_path)
    assert len(paid) == 2
    resumed = extract(tmp_path)
    assert resumed.returncode == 0, resumed.stderr
    assert charges(tmp_path) == paid
    assert read(tmp_path / "out.npz").features.shape[0] == 2
