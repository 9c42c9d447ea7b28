"""A ledger object never goes behind what it has seen when its files are put back, in place or not."""

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
