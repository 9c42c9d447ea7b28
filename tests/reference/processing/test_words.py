"""Words as codes, and what comes back of them."""

import numpy as np
import pytest

import privis
from privis.errors import ParameterError
from privis.features.postprocessing.steps import posted


@pytest.fixture
def codebook():
    return privis.Codebook(np.random.default_rng(0).normal(size=(16, 5)).astype(np.float32), source="random numbers")


def test_a_word_codes_for_itself_and_comes_back(codebook):
    code, word = privis.WordCode(codebook), privis.OneHot(4)
    np.testing.assert_array_equal(posted(codebook.centres, (code, word)), np.eye(16))
    assert code.names(()) == ("bit_0", "bit_1", "bit_2", "bit_3") and len(word.names(())) == 16


def test_the_nearest_word_is_nearest(codebook):
    vectors = np.random.default_rng(1).normal(size=(200, 5)).astype(np.float32)
    nearest = np.linalg.norm(vectors[:, None] - codebook.centres, axis=2).argmin(1)
    np.testing.assert_array_equal(posted(vectors, (privis.WordCode(codebook), privis.OneHot(4))).argmax(1), nearest)


def test_released_words_are_right_as_often_as_promised(codebook):
    release = privis.CodeRelease(privis.RandomisedResponse(3.0))
    code = privis.WordCode(codebook)(codebook.centres[5])
    key = privis.ReleaseKey.generate()
    draws = np.stack([release.apply(code, key.stream(str(i), b"", b"")) for i in range(4000)])
    share = privis.OneHot(4)(draws)[:, 5].mean()
    promised = np.exp(3.0) / (np.exp(3.0) + 15)
    assert abs(share - promised) < 5 * np.sqrt(promised * (1 - promised) / 4000)


def test_reprs_tell_codebooks_apart(codebook):
    """The repr decides the noise: what numpy leaves out of a long array must still count."""
    large = np.zeros((64, 128), np.float32)
    other = large.copy()
    other[30, 60] = 1.0
    first, second = (repr(privis.WordCode(privis.Codebook(c, "made up"))) for c in (large, other))
    assert first != second


def test_other_numbers_of_words_are_refused():
    for words in (1, 3, 6):
        with pytest.raises(ParameterError, match="power of two"):
            privis.WordCode(privis.Codebook(np.zeros((words, 2), np.float32), "made up"))
    with pytest.raises(ParameterError):
        privis.OneHot(0)
