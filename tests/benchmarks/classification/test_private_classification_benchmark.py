"""The benchmark of private classification, tiny: a row is measured, and one that misses its bar says so.

Answers for `benchmarks.training.private_classification`.
"""

import dataclasses

import numpy as np

import privis
from benchmarks.training import private_classification as benchmark
from benchmarks.training.image_sets import Split
from privis.tasks import LinearHead, LinearMap, Link


def test_a_row_is_measured_and_held_against_its_bar() -> None:
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256 - 100 * (np.arange(16) % 2)[:, None, None], (16, 8, 8)).astype(np.uint8)
    labels = np.arange(16) % 2
    given = Split("tiny", images[:12], labels[:12], images[12:], labels[12:])
    feature = privis.ColourHistogram(bins=2, size=(8, 8))
    matrix = np.array([[-1.0, 1, -1, 1, -1, 1], [1, -1, 1, -1, 1, -1.0]])
    scored = feature >> LinearHead(("0", "1"), (LinearMap(matrix, np.array([-70.0, 70])),), Link.SOFTMAX)
    row = benchmark.measured("tiny", scored, given, privis.Clear(), "ckks", 4, 1.0)
    assert (row.images, row.same, row.keys) == (4, 4, 0) and row.processor >= 0
    assert dataclasses.replace(row, seconds=0.5).line().endswith("ok")
    assert dataclasses.replace(row, seconds=1.5).line().endswith("MISSED")
    assert dataclasses.replace(row, same=3).line().endswith("MISSED")


def test_planes_come_first() -> None:
    assert benchmark.planes(np.zeros((2, 8, 9), np.uint8)).shape == (2, 1, 8, 9)
    assert benchmark.planes(np.zeros((2, 8, 9, 3), np.uint8)).shape == (2, 3, 8, 9)
