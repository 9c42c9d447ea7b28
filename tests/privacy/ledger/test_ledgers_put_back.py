"""A ledger object of either kind never goes behind what it has seen, whatever is put in the place of its lines."""

import copy
import os
import pickle
import subprocess
import sys

import pytest

from privis.errors import BudgetError
from privis.privacy.ledger.budget import Budget
from tests.privacy.ledgers import COSTLY


@pytest.fixture
def ledger(ledgers):
    return ledgers.create(Budget(1.0, 1e-6))


@pytest.mark.parametrize("later", [0, 1, 2, 3])
def test_a_ledger_that_was_put_back_is_refused_also_when_others_charged_it_since(ledger, ledgers, later):
    ledger.charge("a.png", COSTLY, "0")
    backup = ledgers.kept(ledger)
    ledger.charge("a.png", COSTLY, "1")
    ledgers.put_back(ledger, backup)
    for index in range(later):
        ledgers.other(ledger).charge("b.png", COSTLY, f"b{index}")
    for look in (
        lambda: ledger.charge("a.png", COSTLY, "2"),
        lambda: ledger.charge("a.png", COSTLY, "0"),
        lambda: ledger.spent("a.png"),
        lambda: ledger.head,
        lambda: ledger.identity,
        lambda: list(ledger.charges()),
    ):
        with pytest.raises(BudgetError, match=r"privis ledger verify"):
            look()
    assert "put back" in ledger.verify().problems[0]
    assert ledgers.other(ledger).verify().charges == 1 + later
    assert not ledgers.other(ledger).verify().problems


def test_the_true_ledger_put_there_again_is_taken_up(ledger, ledgers):
    empty = ledgers.kept(ledger)
    ledger.charge("a.png", COSTLY, "0")
    true = ledgers.kept(ledger)
    ledgers.put_back(ledger, empty)
    with pytest.raises(BudgetError):
        ledger.charge("a.png", COSTLY, "1")
    ledgers.put_back(ledger, true)
    ledger.charge("a.png", COSTLY, "1")
    assert ledger.verify().charges == 2 and not ledger.verify().problems


@pytest.mark.parametrize("charges", [0, 1, 2, 5])
def test_another_ledger_in_its_place_is_refused(ledger, ledgers, charges):
    ledger.charge("a.png", COSTLY, "0")
    other = ledgers.create(Budget(9.0, 1e-6))
    for index in range(charges):
        other.charge("a.png", COSTLY, str(index))
    ledgers.put_back(ledger, ledgers.kept(other))
    with pytest.raises(BudgetError):
        ledger.charge("a.png", COSTLY, "1")
    assert ledger.verify().problems and other.identity == ledgers.other(ledger).identity


def test_what_was_only_read_counts_as_seen(ledger, ledgers):
    backup = ledgers.kept(ledger)
    ledgers.other(ledger).charge("a.png", COSTLY, "0")
    assert ledger.spent("a.png").charges == 1
    ledgers.put_back(ledger, backup)
    with pytest.raises(BudgetError, match="put in its place"):
        ledger.charge("a.png", COSTLY, "1")


def test_a_refused_charge_forgets_nothing(ledger, ledgers):
    ledger.charge("a.png", COSTLY, "0")
    backup = ledgers.kept(ledger)
    for index in (1, 2):
        ledger.charge("a.png", COSTLY, str(index))
    with pytest.raises(BudgetError, match="at most about"):
        ledger.charge("a.png", COSTLY, "3")
    ledgers.put_back(ledger, backup)
    with pytest.raises(BudgetError, match="put in its place"):
        ledger.charge("a.png", COSTLY, "3")


@pytest.mark.parametrize("travel", [copy.copy, copy.deepcopy, lambda ledger: pickle.loads(pickle.dumps(ledger))])
def test_copies_and_pickles_inherit_what_was_seen(ledger, ledgers, travel):
    backup = ledgers.kept(ledger)
    ledger.charge("a.png", COSTLY, "0")
    twin = travel(ledger)
    ledgers.put_back(ledger, backup)
    with pytest.raises(BudgetError, match="put in its place"):
        twin.charge("a.png", COSTLY, "1")


def test_forks_inherit_what_was_seen(ledger, ledgers):
    backup = ledgers.kept(ledger)
    ledger.charge("a.png", COSTLY, "0")
    ledgers.put_back(ledger, backup)
    child = os.fork()
    if not child:
        try:
            ledger.charge("a.png", COSTLY, "1")
        except BudgetError:
            os._exit(7)
        os._exit(0)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 7


def test_a_pickle_in_another_process_knows_it_too(ledger, ledgers):
    backup = ledgers.kept(ledger)
    ledger.charge("a.png", COSTLY, "0")
    program = "import pickle, sys; pickle.loads(sys.stdin.buffer.read()).spent('a.png')"
    assert subprocess.run([sys.executable, "-c", program], input=pickle.dumps(ledger)).returncode == 0
    ledgers.put_back(ledger, backup)
    run = subprocess.run([sys.executable, "-c", program], input=pickle.dumps(ledger), capture_output=True)
    assert run.returncode == 1 and b"put in its place" in run.stderr


def test_a_new_object_knows_the_ledger_alone_and_a_noted_head_shows_more(ledger, ledgers):
    backup = ledgers.kept(ledger)
    ledger.charge("a.png", COSTLY, "0")
    noted = ledger.head.digest
    ledgers.put_back(ledger, backup)
    assert ledgers.other(ledger).spent("a.png").charges == 0
    assert "put back" in ledgers.other(ledger).verify(noted).problems[0]
    assert ledgers.other(ledger).missing([noted]) == {noted}
