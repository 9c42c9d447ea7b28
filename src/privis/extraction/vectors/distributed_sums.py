"""A sum, mean or histogram of vectors at many workers: each adds up its own, one charges and adds noise, once.

A worker gives a `PartialSum`: exact integers, and digests of the records that are in it. Engines do work again, and
hand on what they did twice; a sum that comes a second time counts once, one that lacks is noticed, and two that share a
record are refused, as nobody could take it out of one again. What is released is to the byte what `privis.release`
gives for all the vectors on one machine, and the same charge: free, where that was charged.

>>> from privis.privacy import FeatureRelease, Laplace, MeanRelease, ReleaseKey
>>> release = MeanRelease(Laplace(1.0), clip=1.0)
>>> sums = [PartialSum.of(release, np.eye(3)[[row]], [f"image {row}"]) for row in range(3)]
>>> key, images = ReleaseKey(bytes(32)), [f"image {row}" for row in range(3)]  # a test key
>>> once = release_sums(release, sums, corpus="ward 7", expected=images, key=key)
>>> twice = release_sums(release, sums + sums[:1], corpus="ward 7", expected=3, key=key)
>>> bool((once.features == twice.features).all())
True
"""

from __future__ import annotations

import functools
import hashlib
import operator
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from privis.errors import ParameterError, Problem, refuse
from privis.extraction.vectors.origin import origin_of
from privis.extraction.vectors.vector_release import Released, corpus_released
from privis.extraction.vectors.vector_values import record_ids, vector_values
from privis.features.feature import Feature
from privis.privacy import Ledger, ReleaseKey
from privis.privacy.releases.corpus import Aggregate
from privis.privacy.releases.corpus_noise import Subjects, check_made_by
from privis.privacy.releases.partial_sums import Partial
from privis.privacy.sampling.release_key import KeySource

DIGEST_BYTES = 16
"""Of a record: two records share one with a chance below 1e-20 among 10^9, and then they are refused, not counted."""
_TAG = b"privis summed record 1\0"
_SHOWN = 3

Digests = npt.NDArray[np.void]


@dataclass(frozen=True)
class PartialSum:
    """What one worker adds up, **as secret as its images**, and whose.

    It can be pickled. Its repr shows nothing of it.

    Args:
        partial: exact integers of the worker's vectors.
        records: digests of their records, `DIGEST_BYTES` each, sorted, one after another.
    """

    partial: Partial = field(repr=False)
    records: bytes = field(repr=False)

    @classmethod
    def of(
        cls, release: Aggregate, vectors: Any, records: Sequence[str | int], subjects: Subjects | None = None
    ) -> PartialSum:
        """Add up the vectors of one worker.

        Args:
            release: of the corpus.
            vectors: (rows, components), as of `privis.release`; an array may have no row.
            records: what tells the rows apart among all workers, as of `privis.release`: `privis.image_record` for
                images, else ids that stay. Spellings of one id are one.
            subjects: of every row, for `Person` and `AddOrRemovePerson`.

        Returns:
            The sum.

        Raises:
            ParameterError: a record is there twice, or vectors, records and subjects do not fit.
        """
        is_empty = isinstance(vectors, np.ndarray) and vectors.ndim == 2 and not len(vectors)  # of a worker without any
        matrix = vectors if is_empty else vector_values(vectors)
        given = _digests(record_ids(records, len(matrix)))
        known = np.unique(given)
        if twice := len(given) - len(known):
            got, remedy = f"{twice} rows of records that are there already", "drop rows of equal records first"
            raise ParameterError(Problem("PartialSum.records", got, "one row for each record", remedy))
        return cls(release.partial(matrix, subjects), known.tobytes())

    @property
    def digest(self) -> str:
        """SHA-256 of the set of records, whoever has which of them; it tells nobody a record that is hard to guess."""
        return hashlib.sha256(self.records).hexdigest()

    @property
    def count(self) -> int:
        """How many records are in it."""
        return len(self.records) // DIGEST_BYTES


def merged(sums: Iterable[PartialSum], expected: Iterable[str | int] | int) -> PartialSum:
    """Add up the sums of all workers, in whatever order they come, and however often.

    Args:
        sums: of the workers; one that comes again counts once.
        expected: all records, or how many there are.

    Returns:
        The sum of all.

    Raises:
        ParameterError: two sums share records or are of other releases, or records are missing or not expected; it
            says how many, and names some where they were given.
    """
    by_records: dict[bytes, PartialSum] = {}
    problems: list[Problem] = []
    for each in sums:
        known = by_records.setdefault(each.records, each)
        if known.partial != each.partial:
            got = f"two sums of the same {each.count} records, which differ"
            problems.append(Problem("sums", got, "one result of the same work", "find out which worker is right"))
    if not by_records:
        problems.append(Problem("sums", "none", "the sum of at least one worker"))
    refuse(ParameterError, problems)
    found = np.frombuffer(b"".join(by_records), np.dtype((np.void, DIGEST_BYTES)))
    union = np.unique(found)
    if more := len(found) - len(union):
        got, remedy = f"{more} records in more than one of them", "cut the work so that a record is in one part of it"
        problems.append(Problem("sums", got, "every record in one", remedy))
    refuse(ParameterError, problems + _unexpected(union, expected))
    total = functools.reduce(operator.add, (each.partial for each in by_records.values()))
    return PartialSum(total, union.tobytes())


def release_sums(
    release: Aggregate,
    sums: Iterable[PartialSum],
    *,
    corpus: str,
    expected: Iterable[str | int] | int,
    key: KeySource,
    ledger: Ledger | None = None,
    feature: Feature | str | None = None,
    names: Sequence[str] | None = None,
) -> Released:
    """Release what workers added up: one charge, and noise once, whatever came twice.

    Args:
        release: `SumRelease`, `MeanRelease` or `CorpusHistogramRelease`.
        sums: of the workers, as of `merged`.
        corpus: its name, the record that is charged.
        expected: as of `merged`.
        key: that noise is drawn from, at the one who calls this alone; with the same key the same sums are the same
            release, and free.
        ledger: to charge; one per corpus.
        feature: what made the vectors, as of `privis.release`.
        names: of the components.

    Returns:
        What `privis.release` gives for all vectors.

    Raises:
        ParameterError: sums lack, overlap or do not fit; nothing is charged.
        BudgetError: the ledger refuses it; no noise was drawn.
    """
    total = merged(sums, expected)
    check_made_by(release, total.partial)
    told = None if names is None else tuple(names)
    return corpus_released(release, origin_of(feature), total.partial, told, corpus, ReleaseKey.of(key), ledger)


def _unexpected(found: Digests, expected: Iterable[str | int] | int) -> list[Problem]:
    if isinstance(expected, int | np.integer):  # as arrays count
        if len(found) == expected:
            return []
        return [
            Problem("sums", f"{len(found):,} records", f"{expected:,}", "wait for all workers, or look for why not")
        ]
    ids = list(expected)
    names = record_ids(ids, len(ids))
    wanted = _digests(names)
    missing = np.flatnonzero(~np.isin(wanted, found))
    problems = []
    if len(missing):
        some = ", ".join(names[place] for place in missing[:_SHOWN])
        got = f"no sum with {len(missing):,} of {len(ids):,} records: {some}{' …' if len(missing) > _SHOWN else ''}"
        problems.append(Problem("sums", got, "every record in one", "add up those again, and give that sum as well"))
    extra = len(found) - (len(np.unique(wanted)) - len(np.unique(wanted[missing])))
    if extra:
        problems.append(Problem("sums", f"{extra:,} records that are not expected", "the records of the corpus alone"))
    return problems


def _digests(names: Sequence[str]) -> Digests:
    each = (hashlib.sha256(_TAG + name.encode("utf-8", "surrogatepass")).digest()[:DIGEST_BYTES] for name in names)
    return np.frombuffer(b"".join(each), np.dtype((np.void, DIGEST_BYTES)))
