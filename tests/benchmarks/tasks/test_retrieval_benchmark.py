"""The benchmark of search by image runs on a few images, so that it cannot rot."""

from pathlib import Path

import numpy as np

from benchmarks.tasks import retrieval
from privis.extraction.recipes.recipe_parts import SPREADS
from privis.extraction.recipes.search_recipe import colour


def test_a_few_images(shared: Path):
    images, labels = retrieval.corel(shared, most=3)
    vectors, fusion = retrieval.joined(colour(), images)
    assert len(images) == 30 and fusion.components == 512
    averages, firsts = retrieval.leave_one_out(vectors @ vectors.T, labels)
    assert averages.mean() > 0.3 and firsts.mean() <= 0.2  # two others are of the same class
    assert retrieval.re_ranked(vectors[:6], neighbours=2).shape == (6, 6)


def test_copies_are_found(shared: Path):
    images = retrieval.corel(shared, most=1)[0]
    kinds = ("crop 50 %", "turned by 30°", "turned by 90°", "mirrored", "a quarter")
    found = retrieval.near_duplicates(images[:1], images[1:5], kinds)
    assert tuple(found) == kinds and {total for *_, total in found.values()} == {1}
    assert sum(checked for _, checked, _ in found.values()) == len(found)
    assert set(retrieval.BARRED) < set(retrieval.copies(images[0]))


def test_perfect_rankings():
    labels = np.array(["a", "a", "b", "b"])
    same = (labels[:, None] == labels[None]).astype(float)
    averages, firsts = retrieval.leave_one_out(same, labels)
    assert averages.tolist() == [1.0] * 4 and np.allclose(firsts, 1 / 3)


def test_spreads_are_of_pairs():
    random = np.random.default_rng(0)
    images = [random.integers(0, 256, (64, 64, 3)).astype(np.uint8) >> shift for shift in range(4)]
    found = retrieval.spreads(images)
    assert found.keys() == SPREADS.keys() and all(0 < value < 1 for value in found.values())
