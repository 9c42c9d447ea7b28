"""The benchmark of heads, tiny: made-up images, every column, and a row that misses its bar says so.

Answers for `benchmarks.tasks.heads`.
"""

import dataclasses

import numpy as np

import privis
from benchmarks.tasks import heads


def test_a_row_is_measured_and_held_against_its_bar() -> None:
    rng = np.random.default_rng(0)
    images = [rng.integers(0, 256 - 100 * (n % 2), (8, 8), np.uint8) for n in range(16)]
    labels = np.array(["bright", "dark"] * 8)
    given = heads.Set(images[:12], labels[:12], images[12:], labels[12:])
    feature = privis.ColourHistogram(bins=2, size=(8, 8))
    model, behind = heads.fitted(feature, given, 1.0)
    vectors = privis.extract(feature, images[12:]).features
    row = heads.measure("tiny", behind(feature), model, vectors, given, privis.Clear(), "ckks", 4)
    assert (row.images, row.same, row.error < 1e-4) == (4, 4, True)
    assert row.processor >= 0 and heads.line(row).endswith("ok")
    assert heads.line(dataclasses.replace(row, seconds=1.6)).endswith("MISSED")
    assert heads.line(dataclasses.replace(row, same=3)).endswith("MISSED")


def test_the_quadratic_network_gives_its_hidden_layer() -> None:
    weights = {"conv1_weight": np.ones((2, 3, 3)), "conv1_bias": np.zeros(2)}
    weights |= {"fc1_weight": np.ones((2 * 9 * 9, 4)), "fc1_bias": np.zeros(4)}
    assert heads.quadratic_network(weights).output_shapes == ((4,),)
