"""Small corpora, all releases over them, and ways to cut a corpus into shards."""

from __future__ import annotations

import functools
import operator
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from privis.privacy import Gaussian, Laplace, NoiseStream, ReleaseKey, WholeImage
from privis.privacy.releases.corpus import Aggregate, CorpusHistogramRelease, CorpusUnit, MeanRelease, SumRelease
from privis.privacy.releases.partial_sums import Partial, within_bound
from privis.privacy.units import AddOrRemovePerson, Dataset, Person

NOISES = [Laplace(1.0), Gaussian(1.0, 1e-6)]
UNITS: list[CorpusUnit] = [WholeImage(), Dataset(), Person(1), Person(3), AddOrRemovePerson(3)]
EDGES = (-1.0, 0.0, 0.25)
RELEASES: list[Aggregate] = [
    release
    for noise in NOISES
    for unit in UNITS
    for release in (
        SumRelease(noise, 0.7, unit),
        MeanRelease(noise, 0.7, unit),
        CorpusHistogramRelease(noise, EDGES, unit),
    )
]
releases = st.sampled_from(RELEASES)


def stream(record: str = "corpus") -> NoiseStream:
    return ReleaseKey(bytes(range(32))).stream(record, b"content", b"purpose")


@dataclass(frozen=True)
class Corpus:
    rows: npt.NDArray[np.float64]
    subjects: tuple[str, ...]

    def partial(self, release: Aggregate) -> Partial:
        return release.partial(self.rows, self.subjects if release.unit.needs_subjects else None)

    def taken(self, chosen: Sequence[int] | npt.NDArray) -> Corpus:
        indices = np.asarray(chosen, np.int64)
        return Corpus(self.rows[indices], tuple(self.subjects[index] for index in indices))


awkward = st.one_of(
    st.floats(width=64),
    st.sampled_from([np.nan, np.inf, -np.inf, 1e300, -1e300, 5e-324, 1.0, -1.0, 0.25, 1e-6, 0.7]),
)


@st.composite
def corpora(draw: st.DrawFn, least: int = 0) -> Corpus:
    shape = (draw(st.integers(least, 9)), draw(st.integers(1, 4)))
    rows = draw(hnp.arrays(np.float64, shape, elements=awkward))
    return Corpus(rows, tuple(draw(st.sampled_from("abc")) for _ in range(shape[0])))


@st.composite
def shardings(draw: st.DrawFn, corpus: Corpus) -> list[Corpus]:
    """Rows keep their order within a shard; shards come in any order, and some are empty."""
    of = [draw(st.integers(0, 3)) for _ in corpus.subjects]
    parts = [corpus.taken([row for row, shard in enumerate(of) if shard == number]) for number in range(4)]
    return draw(st.permutations(parts))


def merged(partials: Sequence[Partial]) -> Partial:
    return functools.reduce(operator.add, partials)


def bounded(corpus: Corpus, unit: CorpusUnit) -> Corpus:
    if not unit.needs_subjects:
        return corpus
    return corpus.taken(np.flatnonzero(within_bound(corpus.subjects, unit.images)))
