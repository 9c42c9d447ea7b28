"""Workers are killed at random while a folder is released: the same bytes, each record charged once, no row lost."""

from __future__ import annotations

import multiprocessing
import random
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import privis
from privis.extraction.folder import extract_folder
from privis.io import tables
from privis.io.completeness.completeness import stated_in
from privis.privacy.ledger.records import record_of_pixels

RELEASE = privis.FeatureRelease(privis.Laplace(1.0), clip=3.0)


def pictures(folder: Path, count: int) -> list[str]:
    folder.mkdir()
    paths = [folder / f"{number:03}.png" for number in range(count)]
    for path, pixels in zip(paths, np.random.default_rng(5).integers(0, 256, (count, 8, 8, 3), np.uint8), strict=True):
        Image.fromarray(pixels).save(path)
    return [str(path) for path in paths]


@pytest.mark.parametrize(("kills", "count"), [(3, 24), pytest.param(50, 240, marks=pytest.mark.long)])
def test_workers_killed_at_random_cost_nothing(tmp_path: Path, kills: int, count: int) -> None:
    sources = pictures(tmp_path / "in", count)
    privis.ReleaseKey(bytes(range(32))).save(tmp_path / "key")
    feature = privis.ColourHistogram(bins=2, density=True)

    def released(name: str, workers: int, on_progress: Any) -> tuple[Path, privis.FileLedger, int]:
        ledger = privis.FileLedger.create(tmp_path / f"{name}.ledger", privis.Budget(1.0, 1e-6))
        output = tmp_path / f"{name}.npz"
        result = extract_folder(
            feature, sources, output, release=RELEASE, ledger=ledger, key=tmp_path / "key", workers=workers, chunk=4,
            on_progress=on_progress,
        )  # fmt: skip
        return output, ledger, len(result.outcome.failures)

    whole, _, _ = released("whole", 1, lambda progress: None)
    choice, killed = random.Random(kills), []

    def kill(progress: Any) -> None:
        """Now and then, so that most spans are finished by somebody: whoever it hits, idle, starting or at work."""
        alive = multiprocessing.active_children()
        if progress.done and alive and len(killed) < kills and choice.random() < 0.8:
            worker = choice.choice(alive)
            killed.append(worker.pid)
            worker.kill()

    output, ledger, failures = released("killed", 2, kill)
    assert len(killed) == kills and failures == 0
    assert output.read_bytes() == whole.read_bytes()
    assert ledger.verify().charges == count and not ledger.verify().problems
    for path in sources:
        assert ledger.spent(record_of_pixels(np.asarray(Image.open(path)))).charges == 1
    stated = stated_in(tables.summary(output).metadata)
    assert stated is not None and (stated.sources.count, stated.rows.count, stated.refused.count) == (count, count, 0)
