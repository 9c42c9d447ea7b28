"""extraction/recipes/dead_leaves.py: the words that come with Privis are those that its random images give."""

import numpy as np

from privis.extraction.images import extract
from privis.extraction.recipes.dead_leaves import (
    LOCAL,
    SOURCE,
    WORDS,
    coloured_dead_leaves,
    dead_leaves,
    dead_leaves_codebook,
    learned_codebook,
)


def error(codebook, descriptors):
    """Mean squared distance to the nearest word."""
    return np.mean([((codebook.centres - one) ** 2).sum(1).min() for one in descriptors])


def test_the_words_are_those_of_the_random_images():
    kept, learned = dead_leaves_codebook(), learned_codebook()
    assert kept.centres.shape == (WORDS, 128) and kept.source == learned.source == SOURCE
    descriptors = extract(LOCAL, [dead_leaves(seed) for seed in (60, 61)]).features.reshape(-1, 128)
    assert error(kept, descriptors) < 1.02 * error(learned, descriptors)
    shuffled = type(kept)(np.random.default_rng(0).permutation(kept.centres.T).T, "no words")
    assert error(kept, descriptors) < 0.8 * error(shuffled, descriptors)


def test_images_hang_on_the_seed_alone():
    np.testing.assert_array_equal(dead_leaves(7), dead_leaves(7))
    assert (dead_leaves(7) != dead_leaves(8)).mean() > 0.9


def test_coloured_leaves_repeat_and_have_palettes_of_their_own():
    first, again, other = (coloured_dead_leaves(seed, size=48) for seed in (1, 1, 2))
    assert first.shape == (48, 48, 3) and first.dtype == np.uint8
    assert np.array_equal(first, again) and not np.array_equal(first, other)
    assert np.abs(first.reshape(-1, 3).mean(0) - other.reshape(-1, 3).mean(0)).max() > 5
