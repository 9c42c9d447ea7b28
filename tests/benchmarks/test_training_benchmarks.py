"""The training benchmarks run, tiny, so that they cannot rot."""

from dataclasses import replace

import numpy as np
import pytest

import privis
from benchmarks.training import classifiers as dp_training
from benchmarks.training import networks as dp_networks

pytestmark = pytest.mark.usefixtures("coarse_accounting")


def test_the_table_has_a_row_per_setting_and_beats_chance(tmp_path):
    rng = np.random.default_rng(0)

    def drawn(count):
        labels = np.arange(count) % 2
        images = rng.integers(0, 80, (count, 8, 8), dtype=np.uint8)
        images[:, :, 4] += (160 * labels)[:, None].astype(np.uint8)
        return images, labels.astype(np.int64)

    (x, y), (tx, ty) = drawn(900), drawn(200)
    np.savez(tmp_path / "own.npz", x_train=x, y_train=y, x_test=tx, y_test=ty)
    split = dp_training.from_npz(tmp_path / "own.npz", "own")
    setting = dp_training.Setting(1.0, 0.2, 15, 20.0)
    (upright,) = (make() for make in dp_training.READINGS["mnist"])
    feature = privis.Posted(privis.Scattering(), (privis.Logarithm(),))
    reading = replace(upright, feature=feature, mirrored=True)
    rows = dp_training.rows_of(split, reading, [setting], 2, tmp_path, clear=True, counts=[600])
    assert [row.images for row in rows] == [600, 900] and len(rows[0].accuracies) == 2
    assert min(rows[1].accuracies) > 75 and rows[1].clear > 95
    assert "epsilon 1" in str(rows[0])
    kept = dp_training.rows_of(split, reading, [setting], 1, tmp_path, held_out=True)
    assert kept[0].images == 750
    dp_training.draw(rows, tmp_path / "own.svg")
    assert "no privacy" in (tmp_path / "own.svg").read_text(encoding="utf-8")


def test_images_per_second_are_counted_for_everybody():
    pytest.importorskip("opacus")
    found = dp_networks.run(steps=1, repeats=1)
    assert set(found.images_per_second) == {"Privis", "Opacus, hooks", "Opacus, ghost"}
    assert all(speed > 0 for speed in found.images_per_second.values())
