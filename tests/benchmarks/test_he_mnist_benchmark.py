"""The benchmark of the MNIST network runs, tiny, so that it cannot rot."""

import numpy as np

from benchmarks.he import mnist as he_mnist


def test_alone_together_and_tenseal_score_alike():
    w, random = he_mnist.random_network(), np.random.default_rng(4)
    images = he_mnist._normalised(random.integers(0, 256, (4, 8, 8)))
    digits = he_mnist.Digits(images, np.array([0, 1, 2, 0]), images[:2])
    rows = he_mnist.measure(w, digits, runs=2, judged=4, processes=2)
    assert [row.images for row in rows] == [1, 1, 4]
    assert all(row.seconds > 0 and row.name in he_mnist.line(row) for row in rows)
    assert all(row.error < 0.01 * np.abs(row.scores).max() for row in (rows[0], rows[2]))  # TenSEAL's scales drift
    assert "the same class for 4" in he_mnist.accuracy(rows[-1], digits, w)
