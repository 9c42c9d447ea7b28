"""The benchmark of private search runs on a few random vectors, so that it cannot rot."""

import numpy as np

from benchmarks.stores import private_search


def test_all_mechanisms_rank_as_in_the_clear():
    rng = np.random.default_rng(0)
    vectors = np.repeat(rng.normal(size=(2, 16)), 3, axis=0) + 0.3 * rng.normal(size=(6, 16))
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    found = private_search.measure(vectors, np.repeat(["a", "b"], 3), processes=1)
    assert [one.name for one in found] == ["clear", *private_search.ENCRYPTED, private_search.JOINT]
    assert all(one.kept and one.clear == found[0].precision for one in found)
    assert "kept" in found[-1].line() and found[-1].rounds > 2 and found[1].sent > 1e4
    worse = private_search.Ranked("x", 0.5, 0.501, 0.5, 0.0, 0.0, 2, 0.0, 0)
    assert not worse.kept and "MISSED" in worse.line()


def test_a_ranking_that_is_reversed_is_worse():
    vectors = np.eye(2)[[0, 0, 1, 1]]
    order = np.argsort(-vectors @ vectors.T, axis=1)
    labels = np.array(list("aabb"))
    assert private_search.precision_of(order, labels)[0] == 1.0 > private_search.precision_of(order[:, ::-1], labels)[0]
