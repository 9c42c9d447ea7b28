"""The benchmark of released indexes, tiny: made-up vectors."""

import numpy as np

from benchmarks.tasks import released_search
from benchmarks.tasks.released_search import Searched, draw, measured, told
from privis.features.postprocessing.projection import Projection

RANDOM = np.random.default_rng(2)
LABELS = np.repeat(["a", "b", "c"], 6)
ROWS = np.repeat(RANDOM.normal(size=(3, 12)), 6, 0) + RANDOM.normal(scale=0.3, size=(18, 12))
INDEX = Searched(ROWS, tuple(f"image {row:064x}" for row in range(18)), LABELS)
PROJECTION = Projection.pca(RANDOM.normal(size=(40, 12)), 8, source="made-up vectors")


def test_more_epsilon_is_better_and_one_released_side_is_better_than_two():
    (low, _), (one, both) = (measured(INDEX, PROJECTION, epsilon, 4) for epsilon in (0.5, 6.0))
    assert low.mean() < one.mean() - 0.2 and both.mean() < one.mean() - 0.05
    assert draw(INDEX, PROJECTION, 12.0, 1) == draw(INDEX, PROJECTION, 12.0, 1) != draw(INDEX, PROJECTION, 12.0, 2)


def test_a_figure_stands_beside_its_bar():
    assert "kept" in told(np.array([0.5, 0.6]), 0.55) and "MISSED" in told(np.array([0.5, 0.52]), 0.55)
    assert "bar" not in told(np.array([0.5]), None)


def test_halves_share_no_image(monkeypatch, capsys):
    first, second = INDEX.half(False), INDEX.half(True)
    assert not set(first.records) & set(second.records) and len(first.labels) == len(second.labels) == 9
    monkeypatch.setattr(released_search, "DIMENSIONS", (4, 8))
    monkeypatch.setattr(released_search, "EPSILONS", (1.0,))
    found = released_search.table(INDEX, PROJECTION, 1)
    assert list(found) == ["1"] and list(found["1"]) == ["4", "8"] and "other half" in capsys.readouterr().out
