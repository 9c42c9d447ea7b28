"""The words of ``--post``."""

from __future__ import annotations

import hashlib

import numpy as np
import pytest

from privis.cli.post import steps_of
from privis.errors import ParameterError
from privis.features.postprocessing.projection import Projection, RandomProjection
from privis.features.postprocessing.steps import L1, L2, Hellinger, Quantise, posted

POINTS = np.random.default_rng(0).normal(size=(40, 7)).astype(np.float32)
LABELS = np.arange(40) % 4


@pytest.fixture
def files(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    np.savez("table.npz", features=POINTS, paths=np.array(["a"] * 40))
    np.savez("labelled.npz", features=POINTS, labels=LABELS)
    Projection.pca(POINTS, 5, "forty points").save("saved.npz")
    Projection.lda(POINTS, LABELS, 3, "forty points").save("fisher.npz")
    return tmp_path


def test_plain_words_make_plain_steps():
    assert steps_of("l1, l2,hellinger") == (L1(), L2(), Hellinger())
    assert steps_of("quantise:0.25") == (Quantise(0.25),)
    assert steps_of("random:3,random:2@my seed") == (RandomProjection(3), RandomProjection(2, "my seed"))


def test_saved_projections_are_cut_to_what_was_asked_for(files):
    (pca, last) = steps_of("pca:2@saved.npz,l2")
    assert last == L2() and pca == Projection.load("saved.npz").leading(2)
    assert steps_of("lda:1@fisher.npz") == (Projection.load("fisher.npz").leading(1),)
    assert posted(POINTS, steps_of(f"hellinger,pca:4@{files}/saved.npz,l2")).shape == (40, 4)


def test_tables_of_public_vectors_are_learned_from_and_named(files):
    digest = hashlib.sha256((files / "table.npz").read_bytes()).hexdigest()
    (pca,) = steps_of("pca:2@table.npz")
    assert pca == Projection.pca(POINTS, 2, f"table.npz, SHA-256 {digest}")
    (lda,) = steps_of("lda:3@labelled.npz")
    np.testing.assert_array_equal(lda.matrix, Projection.lda(POINTS, LABELS, 3, "x").matrix)


@pytest.mark.parametrize(
    ("word", "said"),
    [
        ("", "l1, l2"),
        ("l3", "l1, l2"),
        ("l1:2", "l1, l2"),
        ("pca:64", "l1, l2"),
        ("random:3@", "l1, l2"),
        ("random:0", "at least 1"),
        ("random:", "at least 1"),
        ("pca:²@saved.npz", "at least 1"),
        ("pca:x@saved.npz", "at least 1"),
        ("quantise", "a number"),
        ("quantise:fine", "a number"),
        ("quantise:-1", "2**-100"),
        ("quantise:nan", "2**-100"),
        ("pca:2@absent.npz", "no such file"),
        ("pca:6@saved.npz", "from 1 to 5"),
        ("lda:2@saved.npz", "kind pca"),
        ("lda:2@table.npz", "no array labels"),
        ("lda:4@labelled.npz", "from 1 to 3"),
        ("pca:8@table.npz", "at most 7"),
        ("pca:2@note.npz", "public vectors"),
    ],
)
def test_every_bad_word_says_what_was_expected(files, word, said):
    (files / "note.npz").write_text("no array")
    with pytest.raises(ParameterError) as caught:
        steps_of(word)
    assert said in str(caught.value) and f"--post {word}" in str(caught.value)


def test_all_bad_words_are_named_at_once(files):
    with pytest.raises(ParameterError) as caught:
        steps_of("l2,l9,pca:2@absent.npz,quantise:0")
    assert [p.where.split(":")[0] for p in caught.value.problems] == [
        "--post l9", "--post pca", "--post quantise",
    ]  # fmt: skip
