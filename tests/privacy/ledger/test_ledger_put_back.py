"""A ledger object never goes behind what it has seen, whatever is put in the place of its files."""

import copy
import os
import pickle
import subprocess
import sys

import pytest

from privis.errors import BudgetError
from privis.privacy.ledger import chained_file as module
from privis.privacy.ledger.budget import Budget
from privis.privacy.ledger.file import FileLedger
from tests.privacy.ledgers import COSTLY, head_of


@pytest.fixture
def ledger(tmp_path):
    return FileLedger.create(tmp_path / "ledger", Budget(1.0, 1e-6))


def backup(ledger):
    return [(path, path.read_bytes()) for path in (ledger.path, head_of(ledger))]


def restore(kept, *, in_place):
    for path, content in kept:
        if not in_place:
            path.unlink()
        path.write_bytes(content)


def other_object(ledger):
    """What a process that has only the path has."""
    return FileLedger(ledger.path)


@pytest.mark.parametrize("in_place", [True, False])
@pytest.mark.parametrize("later", [0, 1, 2, 3])
def test_files_that_were_put_back_are_refused_also_when_others_charged_them_since(ledger, in_place, later):
    ledger.charge("a.png", COSTLY, "0")
    kept = backup(ledger)
    ledger.charge("a.png", COSTLY, "1")
    restore(kept, in_place=in_place)
    for index in range(later):
        other_object(ledger).charge("b.png", COSTLY, f"b{index}")
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
    assert other_object(ledger).verify().charges == 1 + later
    assert not other_object(ledger).verify().problems


def test_the_true_files_put_there_again_are_taken_up(ledger):
    empty = backup(ledger)
    ledger.charge("a.png", COSTLY, "0")
    true = backup(ledger)
    restore(empty, in_place=True)
    with pytest.raises(BudgetError):
        ledger.charge("a.png", COSTLY, "1")
    restore(true, in_place=False)
    ledger.charge("a.png", COSTLY, "1")
    assert ledger.verify().charges == 2 and not ledger.verify().problems


@pytest.mark.parametrize("charges", [0, 1, 2, 5])
def test_another_ledger_in_its_place_is_refused(ledger, tmp_path, charges):
    ledger.charge("a.png", COSTLY, "0")
    other = FileLedger.create(tmp_path / "other", Budget(9.0, 1e-6))
    for index in range(charges):
        other.charge("a.png", COSTLY, str(index))
    restore([(ledger.path, other.path.read_bytes()), (head_of(ledger), head_of(other).read_bytes())], in_place=True)
    with pytest.raises(BudgetError):
        ledger.charge("a.png", COSTLY, "1")
    assert ledger.verify().problems and other.identity == other_object(ledger).identity


def test_what_was_only_read_counts_as_seen(ledger):
    kept = backup(ledger)
    other_object(ledger).charge("a.png", COSTLY, "0")
    assert ledger.spent("a.png").charges == 1
    restore(kept, in_place=True)
    with pytest.raises(BudgetError, match="put in its place"):
        ledger.charge("a.png", COSTLY, "1")


def test_a_refused_charge_forgets_nothing(ledger):
    ledger.charge("a.png", COSTLY, "0")
    kept = backup(ledger)
    for index in (1, 2):
        ledger.charge("a.png", COSTLY, str(index))
    with pytest.raises(BudgetError, match="at most about"):
        ledger.charge("a.png", COSTLY, "3")
    restore(kept, in_place=True)
    with pytest.raises(BudgetError, match="put in its place"):
        ledger.charge("a.png", COSTLY, "3")


@pytest.mark.parametrize("travel", [copy.copy, copy.deepcopy, lambda ledger: pickle.loads(pickle.dumps(ledger))])
def test_copies_and_pickles_inherit_what_was_seen(ledger, travel):
    kept = backup(ledger)
    ledger.charge("a.png", COSTLY, "0")
    twin = travel(ledger)
    restore(kept, in_place=True)
    with pytest.raises(BudgetError, match="put in its place"):
        twin.charge("a.png", COSTLY, "1")


def test_forks_inherit_what_was_seen(ledger):
    kept = backup(ledger)
    ledger.charge("a.png", COSTLY, "0")
    restore(kept, in_place=True)
    child = os.fork()
    if not child:
        try:
            ledger.charge("a.png", COSTLY, "1")
        except BudgetError:
            os._exit(7)
        os._exit(0)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 7


def test_a_pickle_in_another_process_knows_it_too(ledger):
    kept = backup(ledger)
    ledger.charge("a.png", COSTLY, "0")
    program = "import pickle, sys; pickle.loads(sys.stdin.buffer.read()).spent('a.png')"
    assert subprocess.run([sys.executable, "-c", program], input=pickle.dumps(ledger)).returncode == 0
    restore(kept, in_place=True)
    run = subprocess.run([sys.executable, "-c", program], input=pickle.dumps(ledger), capture_output=True)
    assert run.returncode == 1 and b"put in its place" in run.stderr


def test_a_new_object_knows_the_files_alone_and_a_noted_head_shows_more(ledger):
    kept = backup(ledger)
    ledger.charge("a.png", COSTLY, "0")
    noted = ledger.head.digest
    restore(kept, in_place=True)
    assert other_object(ledger).spent("a.png").charges == 0
    assert "put back" in other_object(ledger).verify(noted).problems[0]
    assert other_object(ledger).missing([noted]) == {noted}


def test_missing_finds_every_line_that_is_there(ledger):
    seen = [ledger.head.digest]
    for index in range(3):
        ledger.charge("a.png", COSTLY, str(index))
        seen.append(ledger.head.digest)
    assert other_object(ledger).missing(seen) == set()
    assert other_object(ledger).missing([*seen, "0" * 64]) == {"0" * 64}


def test_identity_is_the_ledgers_wherever_it_lies(ledger, tmp_path, monkeypatch):
    first = ledger.identity
    ledger.charge("a.png", COSTLY, "0")
    assert ledger.identity == first
    monkeypatch.chdir(tmp_path)
    assert FileLedger("ledger").identity == first
    assert FileLedger.create("other", Budget(1.0, 1e-6)).identity != first


def test_a_file_replaced_while_a_charge_is_written_is_no_charge(ledger, monkeypatch):
    """The line went to a file that has no name any more: nothing may be released on it."""
    content = ledger.path.read_bytes()
    write = module.write

    def replaced(file, data, start):
        write(file, data, start)
        ledger.path.unlink(missing_ok=True)
        ledger.path.write_bytes(content)

    monkeypatch.setattr(module, "write", replaced)
    with pytest.raises(BudgetError, match="another file"):
        ledger.charge("a.png", COSTLY, "0")
