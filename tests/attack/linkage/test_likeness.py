"""Comparisons of released vectors: what each sees, and that the learned one is the likelihood ratio it claims."""

from __future__ import annotations

import numpy as np
from scipy import stats

from privis.attack.linkage.likeness import Cosine, LikelihoodRatio, Nearness

RNG = np.random.default_rng(5)


def test_a_cosine_ignores_length_and_takes_a_centre_off() -> None:
    rows = RNG.normal(size=(4, 6))
    assert np.allclose(Cosine().scores(rows, 3 * rows).diagonal(), 1)
    assert not np.allclose(Cosine(rows.mean(0)).scores(rows, 3 * rows).diagonal(), 1)
    assert Cosine().scores(np.zeros((1, 6)), rows).tolist() == [[0, 0, 0, 0]]


def test_distances_are_largest_for_equal_vectors() -> None:
    rows = RNG.normal(size=(4, 6))
    for norm in ("L1", "L2"):
        assert (Nearness(norm).scores(rows, rows).argmax(1) == np.arange(4)).all()


def test_the_ratio_is_that_of_normal_densities_on_its_axes() -> None:
    correlations = np.array([0.9, 0.4, 0.0])
    ratio = LikelihoodRatio(np.zeros(3), np.eye(3), correlations)
    one, other = RNG.normal(size=(3, 3)), RNG.normal(size=(2, 3))
    expected = [
        [
            sum(
                stats.multivariate_normal([0, 0], [[1, by], [by, 1]]).logpdf([x, y])
                - stats.norm.logpdf(x)
                - stats.norm.logpdf(y)
                for x, y, by in zip(a, b, correlations, strict=True)
            )
            for b in other
        ]
        for a in one
    ]
    constant = -0.5 * np.log(1 - correlations**2).sum()
    assert np.allclose(ratio.scores(one, other) + constant, expected)


def test_a_learned_ratio_finds_the_axis_that_tells_people() -> None:
    """One axis of people below a hundred times as much that is of pictures: distances see the pictures alone."""
    people = np.repeat(np.arange(60), 4)
    of_person = RNG.normal(size=60)[people]
    clear = np.stack([of_person, *RNG.normal(size=(3, 240)) * 5], 1)
    ratio = LikelihoodRatio.fitted(clear, clear + RNG.normal(size=clear.shape) * 0.1, people)
    one, other = clear[0::4], clear[1::4]
    own, by_distance = (
        (likeness.scores(one, other).argmax(1) == np.arange(60)).mean() for likeness in (ratio, Nearness("L2"))
    )
    assert own > 3 * by_distance
    same_picture = LikelihoodRatio.fitted(clear, clear + RNG.normal(size=clear.shape) * 0.1, None)
    assert (same_picture.scores(one, one).argmax(1) == np.arange(60)).all()
