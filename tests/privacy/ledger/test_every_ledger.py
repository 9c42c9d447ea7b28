"""Every ledger: refuses in time, forgets nothing, is shared by whoever knows its place.

Answers for `privis.privacy.ledger.ledger_protocol`, `privis.stores.postgresql.ledger.postgresql_ledger`.
"""

import concurrent.futures
import os
import threading
from dataclasses import replace

import numpy as np
import pytest

import privis
from privis.errors import BudgetError
from privis.privacy import Laplace, Person, PixelRelease, Pixels, ReleaseKey
from privis.privacy.ledger.budget import Budget, BudgetUnit, Per
from privis.privacy.ledger.ledger_protocol import WrittenLedger, budget_of
from tests.privacy.ledgers import CHEAP, COSTLY, race

RNG = np.random.default_rng(0)
IMAGES = [RNG.integers(0, 256, (16, 16), dtype=np.uint8) for _ in range(8)]
RELEASE = privis.FeatureRelease(privis.Laplace(1.0), clip=1.0)


@pytest.fixture
def ledger(ledgers):
    return ledgers.create(Budget(1.0, 1e-6))


def test_three_charges_of_three_tenths_and_no_fourth(ledger):
    for index in range(3):
        ledger.charge("a.png", COSTLY, str(index))
    before = ledger.lines(), ledger.head
    with pytest.raises(BudgetError) as caught:
        ledger.charge("a.png", COSTLY, "3")
    message = str(caught.value)
    assert all(words in message for words in ("a.png", "0.9 of 1", "epsilon 0.3", "about epsilon 0.1 more", "free"))
    assert (ledger.lines(), ledger.head) == before
    ledger.charge("b.png", COSTLY, "4")
    assert ledger.spent("a.png").charges == 3 and ledger.spent("b.png").charges == 1


def test_the_same_release_is_free_and_another_one_under_its_name_an_error(ledger, ledgers):
    for _ in range(9):
        ledger.charge("a.png", COSTLY, "one")
        ledgers.other(ledger).charge("a.png", COSTLY, "one")
    assert ledger.verify().charges == 1
    with pytest.raises(BudgetError, match="another guarantee"):
        ledger.charge("a.png", CHEAP, "one")
    with pytest.raises(BudgetError, match="another guarantee"):
        ledgers.other(ledger).charge("b.png", CHEAP, "one")
    assert ledger.verify().charges == 1


def test_a_release_stays_the_same_when_only_the_words_about_it_change(ledger, ledgers):
    ledger.charge("a.png", COSTLY, "one")
    better = replace(COSTLY, sensitivity_reason="in better words", relation="said better")
    for each in (ledger, ledgers.other(ledger)):
        each.charge("a.png", better, "one")
    assert ledger.spent("a.png").charges == 1 and not ledger.verify().problems


def test_a_free_release_stays_free_when_nothing_is_left(ledger):
    for index in range(3):
        ledger.charge("a.png", COSTLY, str(index))
    ledger.charge("a.png", COSTLY, "1")
    assert ledger.verify().charges == 3


def test_one_release_of_two_records_is_charged_to_both(ledger):
    ledger.charge("ann", COSTLY, "group photo")
    ledger.charge("bob", COSTLY, "group photo")
    assert ledger.spent("ann").charges == ledger.spent("bob").charges == 1


def test_a_corpus_has_one_budget(ledgers):
    ledger = ledgers.create(Budget(1.0, 1e-6, Per.CORPUS))
    for record in "abc":
        ledger.charge(record, COSTLY, record)
    with pytest.raises(BudgetError, match="the corpus"):
        ledger.charge("d", COSTLY, "d")
    assert ledger.spent().charges == 3 and ledger.spent().epsilon == pytest.approx(0.9)
    assert [name for name, _ in ledger.worst()] == ["corpus"]


def test_a_person_is_not_named_in_a_refusal(ledgers):
    ledger = ledgers.create(Budget(0.5, 1e-6, unit=BudgetUnit.PERSON))
    ledger.charge("zoe", COSTLY, "1")
    with pytest.raises(BudgetError) as caught:
        ledger.charge("zoe", COSTLY, "2")
    assert "zoe" not in str(caught.value)


def test_a_weaker_unit_is_charged_for_the_whole_image(ledger):
    weak = PixelRelease(Laplace(0.01), Pixels(1)).guarantee((16, 16))
    assert weak.whole_image_epsilon == pytest.approx(2.56)
    with pytest.raises(BudgetError, match=r"epsilon 2\.56"):
        ledger.charge("a.png", weak, "1")


def test_any_text_is_a_record(ledger, ledgers):
    for record in ("", 'Ä\n"\\', "\ud800.png", "x" * 5000):
        ledger.charge(record, COSTLY, record[:9])
        assert ledgers.other(ledger).spent(record).charges == 1
    assert not ledger.verify().problems


def test_a_ledger_that_others_write_is_read_on(ledger, ledgers):
    other = ledgers.other(ledger)
    for index in range(3):
        (ledger, other)[index % 2].charge("a.png", COSTLY, str(index))
    for each in (ledger, other):
        with pytest.raises(BudgetError):
            each.charge("a.png", COSTLY, "3")


@pytest.mark.parametrize("records", [5, pytest.param(20, marks=pytest.mark.long)])
def test_of_eight_processes_exactly_three_succeed(ledger, ledgers, records):
    for record in range(records):
        name = str(record)
        codes = race(lambda index, name=name: ledgers.other(ledger).charge(name, COSTLY, f"{name} {index}"), 8)
        assert sorted(codes) == [0] * 3 + [1] * 5
    assert not ledger.verify().problems and ledger.verify().charges == 3 * records


def test_of_eight_threads_exactly_three_succeed(ledger):
    barrier = threading.Barrier(8)

    def charge(index):
        barrier.wait()
        try:
            ledger.charge("a.png", COSTLY, str(index))
        except BudgetError:
            return False
        return True

    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        assert sorted(pool.map(charge, range(8))) == [False] * 5 + [True] * 3
    assert not ledger.verify().problems


def test_a_fork_spends_the_same_budget(ledger):
    ledger.charge("a.png", COSTLY, "0")
    child = os.fork()
    if child == 0:
        code = 1
        try:
            ledger.charge("a.png", COSTLY, "1")
            code = 0
        finally:
            os._exit(code)
    assert os.waitpid(child, 0)[1] == 0
    ledger.charge("a.png", COSTLY, "2")
    with pytest.raises(BudgetError):
        ledger.charge("a.png", COSTLY, "3")


def test_with_a_key_extracting_again_is_free(ledgers):
    ledger = ledgers.create(Budget(1.0, 1e-6))
    key = ReleaseKey.generate()
    results = [
        privis.extract(privis.LBP(), IMAGES[:2], release=RELEASE, ledger=ledger, key=key).features for _ in range(3)
    ]
    assert (results[0] == results[2]).all() and ledger.verify().charges == 2
    with pytest.raises(BudgetError):
        privis.extract(privis.LBP(), IMAGES[:2], release=RELEASE, ledger=ledger)


def test_a_person_gives_what_the_release_says(ledgers):
    ledger = ledgers.create(Budget(1.0, 1e-6, unit=BudgetUnit.PERSON))
    release = privis.FeatureRelease(privis.Laplace(1.0), clip=1.0, unit=Person(3))
    subjects = ["ann"] * 3 + ["bob"] * 3
    privis.extract(privis.LBP(), IMAGES[:6], release=release, ledger=ledger, subjects=subjects)
    assert ledger.spent("ann").charges == 3 and ledger.spent("ann").epsilon == pytest.approx(1.0)
    with pytest.raises(BudgetError):
        privis.extract(privis.LBP(), IMAGES[6:7], release=release, ledger=ledger, subjects=["ann"])


def test_both_kinds_of_ledger_are_what_runs_ask_for(ledger):
    assert isinstance(ledger, WrittenLedger) and budget_of(ledger) == Budget(1.0, 1e-6)
    marks = [ledger.mark()]
    ledger.charge("a.png", COSTLY, "0")
    marks.append(ledger.mark())
    assert ledger.missing([*marks, "0" * 64]) == {"0" * 64}
    assert [charge.release for charge in ledger.charges()] == ["0"] and ledger.accounts == 1
    assert ledger.worst() == [(ledger.hashed("a.png"), ledger.spent("a.png"))]
