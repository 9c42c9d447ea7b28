"""Sums of many workers: a record counts once, a sum that lacks is noticed, noise and charge are those of one machine.

Answers for `privis.extraction.vectors.distributed_sums`.
"""

import concurrent.futures
import multiprocessing
import pickle

import numpy as np
import pytest

import privis
from privis.errors import BudgetError, ParameterError
from privis.extraction.vectors.distributed_sums import DIGEST_BYTES, PartialSum, merged, release_sums
from privis.privacy import (
    CorpusHistogramRelease,
    Dataset,
    Gaussian,
    Laplace,
    MeanRelease,
    Person,
    ReleaseKey,
    SumRelease,
    WholeImage,
)
from privis.privacy.ledger.budget import Budget, BudgetUnit, Per

VECTORS = np.random.default_rng(5).normal(size=(60, 8)).astype(np.float32)
RECORDS = [f"image {number}" for number in range(60)]
KEY = ReleaseKey(bytes(32))
RELEASES = [
    MeanRelease(Laplace(1.0), clip=1.0),
    SumRelease(Gaussian(1.0, 1e-6), clip=1.0, unit=Dataset()),
    CorpusHistogramRelease(Laplace(1.0), edges=(-1.0, 0.0, 1.0)),
]
SUM = SumRelease(Laplace(1.0), clip=1.0)


def shard(release, rows, subjects=None):
    rows = list(rows)
    return PartialSum.of(release, VECTORS[rows], [RECORDS[row] for row in rows], subjects)


def shards(release, size=7):
    return [shard(release, range(start, min(60, start + size))) for start in range(0, 60, size)]


@pytest.mark.parametrize("release", RELEASES, ids=lambda release: type(release).__name__)
def test_what_workers_add_up_is_what_one_machine_releases(release, ledgers):
    unit = BudgetUnit.DATASET if release.unit == Dataset() else BudgetUnit.IMAGE
    ledger = ledgers.create(Budget(9.0, 1e-5, Per.CORPUS, unit))
    here = privis.release(VECTORS, release, records="ward 7", key=KEY, ledger=ledger)
    parts = shards(release)
    np.random.default_rng(1).shuffle(parts)
    parts = [pickle.loads(pickle.dumps(each)) for each in parts]
    for again in ([], parts[:3], parts):
        there = release_sums(release, parts + again, corpus="ward 7", expected=RECORDS, key=KEY, ledger=ledger)
        assert (there.features == here.features).all() and there.card == here.card
        assert (there.names, there.records, there.guarantee) == (here.names, here.records, here.guarantee)
    assert ledger.spent().charges == 1, "one release, whoever computes it and however often"


def test_sums_come_back_from_processes():
    with concurrent.futures.ProcessPoolExecutor(2, multiprocessing.get_context("fork")) as pool:
        tasks = [pool.submit(PartialSum.of, SUM, VECTORS[s : s + 20], RECORDS[s : s + 20]) for s in (0, 20, 40, 20)]
        total = merged([task.result() for task in tasks], 60)
    assert total == shard(SUM, range(60)) and total.count == 60 and len(total.records) == 60 * DIGEST_BYTES


def test_a_sum_that_lacks_is_refused_before_anything_is_charged(ledgers):
    ledger = ledgers.create(Budget(9.0, 1e-5, Per.CORPUS))
    parts = shards(SUM)
    for expected, told in (
        (RECORDS, "no sum with 7 of 60 records: image 14, image 15, image 16 …"),
        (60, "53 records, expected 60"),
        (np.int64(60), "53 records, expected 60"),
    ):
        with pytest.raises(ParameterError, match=told):
            release_sums(SUM, parts[:2] + parts[3:], corpus="w", expected=expected, key=KEY, ledger=ledger)
    with pytest.raises(ParameterError, match="7 records that are not expected"):
        release_sums(SUM, parts, corpus="w", expected=RECORDS[:14] + RECORDS[21:], key=KEY, ledger=ledger)
    with pytest.raises(ParameterError, match="at least one worker"):
        merged([], 0)
    assert ledger.spent().charges == 0


@pytest.mark.parametrize("rows", [[0], [0, 1, 2], range(6), [6, 7], range(60)])
def test_a_record_in_two_sums_is_refused(rows):
    with pytest.raises(ParameterError, match=f"{len(list(rows))} records in more than one"):
        merged([*shards(SUM), shard(SUM, rows)], 60)


def test_the_same_work_with_another_result_is_refused():
    other = PartialSum.of(SUM, VECTORS[:7] + 1, RECORDS[:7])
    with pytest.raises(ParameterError, match="same 7 records, which differ"):
        merged([*shards(SUM), other], 60)


def test_a_record_is_one_in_all_its_spellings():
    with pytest.raises(ParameterError, match="1 rows of records that are there already"):
        PartialSum.of(SUM, VECTORS[:3], ["7", "8", 7])
    with pytest.raises(ParameterError, match="1 rows"):
        PartialSum.of(SUM, VECTORS[:2], ["caf\u00e9", "cafe\u0301 "])
    one, two = (PartialSum.of(SUM, VECTORS[:1], [name]) for name in ("7", np.int64(7)))
    assert merged([one, two], ["7"]) == one
    with pytest.raises(ParameterError, match="one per row"):
        PartialSum.of(SUM, VECTORS[:3], ["a", "b"])


def test_sums_of_other_releases_are_not_added():
    with pytest.raises(ParameterError, match="one release"):
        merged([shard(SUM, [0]), shard(RELEASES[0], [1])], 2)
    with pytest.raises(ParameterError, match="Partial"):
        release_sums(RELEASES[0], [shard(SUM, [0])], corpus="w", expected=1, key=KEY)


def test_a_person_gives_what_the_release_says_over_all_workers():
    release = SumRelease(Laplace(1.0), clip=1.0, unit=Person(2))
    parts = [shard(release, [0, 1], ["ann", "bob"]), shard(release, [2], ["ann"])]
    assert merged(parts, 3).partial.images == 3
    with pytest.raises(ParameterError, match="1 subjects with more rows"):
        merged([*parts, shard(release, [3], ["ann"])], 4)


def test_merging_is_repeated_merged_and_empty_without_a_difference():
    parts = shards(SUM)
    halves = [merged(parts[:4], 28), merged([*parts[4:], parts[5]], 32)]
    assert merged(halves, RECORDS) == merged(parts, RECORDS)
    empty = PartialSum.of(SUM, VECTORS[:0], [])
    assert merged([*parts, empty, empty], 60).partial.total == merged(parts, 60).partial.total
    assert merged([empty], []).count == 0


def test_a_refusal_of_the_budget_draws_no_noise(ledgers, monkeypatch):
    ledger = ledgers.create(Budget(1.0, 1e-5, Per.CORPUS))
    monkeypatch.setattr(SumRelease, "release", lambda *words: pytest.fail("noise was drawn"))
    with pytest.raises(BudgetError):
        release_sums(SumRelease(Laplace(2.0), 1.0), [shard(SumRelease(Laplace(2.0), 1.0), [0])], corpus="w",
                     expected=1, key=KEY, ledger=ledger)  # fmt: skip


def test_a_sum_shows_nothing_of_what_is_in_it():
    part = shard(SUM, [0, 1])
    assert repr(part) == "PartialSum()" and part.digest != shard(SUM, [0]).digest
    assert WholeImage() == SUM.unit
