"""One release whatever the shards, bounded persons, and what may come in."""

from __future__ import annotations

import math
import pickle
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from privis.errors import ParameterError
from privis.privacy import Laplace, WholeImage
from privis.privacy.releases.corpus import Aggregate, CorpusHistogramRelease, MeanRelease, SumRelease
from privis.privacy.releases.partial_sums import within_bound
from privis.privacy.units import Dataset, Person, Pixels
from tests.privacy.corpora import RELEASES, Corpus, bounded, corpora, merged, releases, shardings, stream

# One release, whatever the shards


@settings(max_examples=200)
@given(data=st.data(), corpus=corpora(least=1), release=releases)
def test_shards_in_any_number_and_order_give_the_identical_release(data, corpus: Corpus, release: Aggregate) -> None:
    whole = corpus.partial(release)
    shards = data.draw(shardings(bounded(corpus, release.unit)))
    parts = [pickle.loads(pickle.dumps(shard.partial(release))) for shard in shards]
    total = merged(parts)
    assert total == parts[0] + (parts[1] + (parts[2] + parts[3]))
    assert (total.total, total.images, total.subjects) == (whole.total, whole.images, whole.subjects)
    if total.images or not isinstance(release, MeanRelease):
        assert np.array_equal(release.release(total, stream()), release.release(whole, stream()))


@settings(max_examples=200)
@given(data=st.data(), corpus=corpora(least=1), most=st.integers(1, 3))
def test_merging_is_refused_exactly_when_a_subject_exceeds_the_bound(data, corpus: Corpus, most: int) -> None:
    release = SumRelease(Laplace(1.0), 1.0, Person(most))
    parts = [shard.partial(release) for shard in data.draw(shardings(corpus))]
    beyond = any(sum(part.subjects.get(name, 0) for part in parts) > most for name in "abc")
    for order in (parts, parts[::-1]):
        if beyond:
            with pytest.raises(ParameterError, match="within_bound"):
                merged(order)
        else:
            assert merged(order).total == corpus.partial(release).total  # as if nobody had cut it


def test_a_subject_may_live_in_one_shard_with_any_number_of_rows() -> None:
    release = SumRelease(Laplace(1.0), 1.0, Person(2))
    part = release.partial(np.eye(4), ["ann"] * 4) + release.partial(np.eye(4), ["bob", "cy", "bob", "bob"])
    assert (part.images, part.left_out, dict(part.subjects)) == (5, 3, {"ann": 2, "bob": 2, "cy": 1})
    assert part.total == (2 << 19, 2 << 19, 1 << 19, 0)


def test_first_rows_of_a_subject_count() -> None:
    subjects = ["b", "a", "b", "b", "a", "b"]
    assert within_bound(subjects, 2).tolist() == [True, True, True, False, True, False]
    mixed = [7, "7", np.int64(7), np.str_("7"), 7.0, " 7 "]
    assert within_bound(mixed, 2).tolist() == [True, True, False, False, False, False]
    assert within_bound([], 2).tolist() == []


def test_totals_do_not_overflow() -> None:
    release = SumRelease(Laplace(1.0), 1.0)
    part = replace(release.partial(np.zeros((1, 2))), total=(2**62, -(2**62)))
    assert merged([part] * 8).total == (2**65, -(2**65))
    assert release.release(merged([part] * 8), stream()) == pytest.approx([2.0**46, -(2.0**46)])


def test_partials_of_two_releases_or_lengths_do_not_mix() -> None:
    one, other = SumRelease(Laplace(1.0), 1.0), SumRelease(Laplace(1.0), 2.0)
    rows = np.ones((2, 3))
    with pytest.raises(ParameterError, match="one release"):
        one.partial(rows) + other.partial(rows)
    with pytest.raises(ParameterError, match="one release"):
        one.partial(rows) + one.partial(rows[:, :2])
    with pytest.raises(ParameterError, match="Partial"):
        one.release(other.partial(rows), stream())
    with pytest.raises(TypeError):
        one.partial(rows) + 1  # type: ignore[operator]


def test_a_partial_shows_no_secret() -> None:
    release = MeanRelease(Laplace(1.0), 1.0, Person(2))
    shown = repr(release.partial(np.full((3, 2), 0.123), ["ann", "ann", "ann"]))
    assert shown == f"Partial(made_by={repr(release)!r}, shape=(2,), most=2)"


# What comes in


@pytest.mark.parametrize("release", RELEASES, ids=repr)
@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_rows_that_are_no_numbers_count_without_harm(release: Aggregate, bad: float) -> None:
    rows = np.array([[0.1, 0.2], [bad, 0.3]])
    part = Corpus(rows, ("x", "y")).partial(release)
    assert part.images == 2
    if isinstance(release, CorpusHistogramRelease):
        expected = [0, 0, 1, 0, 0, 0, 1, 1]
        expected[0 if bad == -np.inf else 3] += 1
        assert list(part.total) == expected
    else:
        assert part.total == Corpus(rows[:1], ("x",)).partial(release).total
    assert np.isfinite(release.release(part, stream())).all()


@pytest.mark.parametrize("release", RELEASES, ids=repr)
def test_an_empty_corpus_is_noise_and_an_empty_shard_is_neutral(release: Aggregate) -> None:
    empty = Corpus(np.zeros((0, 5)), ()).partial(release)
    some = Corpus(np.ones((2, 5)), ("x", "y")).partial(release)
    assert empty + some == some + empty == some
    if isinstance(release, MeanRelease) and isinstance(release.unit, WholeImage):
        with pytest.raises(ParameterError, match="at least one image"):
            release.release(empty, stream())  # the number of images is public
        return
    released = release.release(empty, stream())
    assert np.isfinite(released).all()
    assert released.shape == ((5, 4) if isinstance(release, CorpusHistogramRelease) else (5,))


def test_histogram_bins() -> None:
    release = CorpusHistogramRelease(Laplace(50.0), (0.0, 1.0))
    values = np.array([-np.inf, -1e-300, 0.0, 0.5, 1.0, 7.0, np.inf, np.nan])
    expected = [[2, 2, 4], [0, 8, 0]]
    rows = np.stack([values, np.full(8, 0.5)], axis=1)
    assert release.partial(rows).total == tuple(np.ravel(expected))
    released = release.release(release.partial(rows), stream())
    assert (released.dtype, released.shape) == (np.int64, (2, 3))
    assert np.abs(released - expected).max() <= 1
    assert release.partial(np.array([[0, 1], [1, 3]], np.uint8)).total == (0, 1, 1, 0, 0, 2)


BAD_VECTORS = [np.zeros(3), np.zeros((2, 0)), np.zeros((2, 2, 2)), np.array([["a"]]), np.array([[1j]]), "rows"]


@pytest.mark.parametrize("vectors", BAD_VECTORS, ids=repr)
@pytest.mark.parametrize("release", RELEASES[:3], ids=repr)
def test_vectors_that_cannot_be_used(release: Aggregate, vectors) -> None:
    with pytest.raises(ParameterError, match="vectors"):
        release.partial(vectors)


@pytest.mark.parametrize("shape", [(), (0,), (2, 2)])
@pytest.mark.parametrize("release", RELEASES[:3], ids=repr)
def test_shapes_that_are_no_vector(release: Aggregate, shape: tuple[int, ...]) -> None:
    with pytest.raises(ParameterError, match="feature shape"):
        release.guarantee(shape)


@pytest.mark.parametrize("ids", [[None, "a"], [0.5, 2.0], [math.nan, math.nan], [True, False], [b"a", b"b"], ["", " "]])
def test_subjects_are_text_or_whole_numbers(ids: list) -> None:
    """NaN would be a new person every time."""
    with pytest.raises(ParameterError, match=r"subjects\[0\]"):
        SumRelease(Laplace(1.0), 1.0, Person(1)).partial(np.ones((2, 2)), ids)
    with pytest.raises(ParameterError, match=r"subjects\[0\]"):
        within_bound(np.array(ids), 1)


def test_subjects_are_asked_for_where_they_matter() -> None:
    rows = np.ones((2, 2))
    with pytest.raises(ParameterError, match="a subject for every row"):
        SumRelease(Laplace(1.0), 1.0, Person(1)).partial(rows)
    with pytest.raises(ParameterError, match="one per row"):
        SumRelease(Laplace(1.0), 1.0, Person(1)).partial(rows, ["a"])
    with pytest.raises(ParameterError, match="Person"):
        SumRelease(Laplace(1.0), 1.0, Dataset()).partial(rows, ["a", "b"])
    with pytest.raises(ParameterError) as caught:
        SumRelease(Laplace(1.0), 1.0, Person(1)).partial(rows[0])
    assert [problem.where for problem in caught.value.problems] == ["vectors", "subjects"]


def test_parameters_are_checked_together() -> None:
    for release in (SumRelease, MeanRelease):
        name = release.__name__
        with pytest.raises(ParameterError) as caught:
            release("noise", -1.0, Pixels(3))  # type: ignore[arg-type]
        assert {problem.where for problem in caught.value.problems} == {
            f"{name}.{f}" for f in ("noise", "clip", "unit")
        }
        with pytest.raises(ParameterError, match=r"2\*\*-100"):
            release(Laplace(1.0), 1e-40)
    for edges in ((), (0.0, 0.0), (1.0, 0.0), (math.nan,), (0.0, math.inf), 5, ("a",)):
        with pytest.raises(ParameterError) as caught:
            CorpusHistogramRelease(None, edges, "corpus")  # type: ignore[arg-type]
        found = {problem.where.removeprefix("CorpusHistogramRelease.") for problem in caught.value.problems}
        assert found == {"noise", "edges", "unit"}


def test_numpy_parameters_are_welcome() -> None:
    release = CorpusHistogramRelease(Laplace(1.0), np.linspace(0, 1, 3), Person(np.int64(2)))  # type: ignore[arg-type]
    assert repr(release) == repr(CorpusHistogramRelease(Laplace(1.0), (0.0, 0.5, 1.0), Person(2)))
    assert repr(SumRelease(Laplace(1.0), np.float32(0.5))) == repr(SumRelease(Laplace(1.0), 0.5))
