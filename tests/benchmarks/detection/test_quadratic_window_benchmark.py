"""The benchmark of windows with squares, tiny: the program is the network, and what it finds is measured.

Answers for `benchmarks.detection.quadratic_window`.
"""

import numpy as np
import pytest

pytest.importorskip("torch")

from benchmarks.detection import quadratic_window as benchmark
from privis.estimators.detection.training.window_samples import LevelBlocks, TrainingPicture
from privis.estimators.detection.training.window_training import FittedWindow
from privis.run.clear import Clear
from privis.tasks.detection import BoxRegression

RNG = np.random.default_rng(3)


def test_the_program_is_the_network_and_what_it_finds_is_measured():
    blocks = RNG.uniform(0, 1, (6, 6, 36)).astype(np.float16)
    places = np.stack(np.meshgrid(np.arange(3), np.arange(3), indexing="xy"), -1).reshape(-1, 2)
    level = LevelBlocks(blocks, np.hstack([places * 40.0, np.full((9, 2), 24.0)]), 3)
    network = benchmark.QuadraticWindow(
        RNG.normal(size=(2, 36, 3, 3)) / 10, RNG.normal(size=(1, 2, 2, 2)), RNG.normal(size=(1, 36, 4, 4)) / 9, 0.5
    )
    scores = network.scores(level)
    program = np.asarray(Clear().prepare(network.program(6))(blocks.astype(np.float64).transpose(2, 0, 1)))
    assert np.allclose(program.ravel(), scores, atol=1e-3) and scores.std() > 0.1
    window = FittedWindow(np.zeros((4, 4, 36)), 0.0, BoxRegression(np.zeros((4, 576)), np.zeros(4)))
    best = TrainingPicture((level,), level.boxes[[int(scores.argmax())]], np.zeros((0, 4)))
    assert benchmark.precision([benchmark.held_out(best, window, network)], None) == 1
    other = TrainingPicture((level,), level.boxes[[int(scores.argmin())]], np.zeros((0, 4)))
    assert benchmark.precision([benchmark.held_out(other, window, network)], None) < 1
