"""A ledger that was edited, cut, torn or put back is noticed, whatever was done to it."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from privis.errors import BudgetError, OutputError
from privis.privacy.ledger.audit import audit
from privis.privacy.ledger.budget import Budget
from privis.privacy.ledger.chain import SLOT_BYTES
from privis.privacy.ledger.file import FileLedger
from tests.privacy.ledgers import CHEAP, COSTLY, head_of


@pytest.fixture
def ledger(tmp_path):
    return FileLedger.create(tmp_path / "ledger", Budget(1.0, 1e-6))


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    """The bytes of an intact ledger and of its head."""
    ledger = FileLedger.create(tmp_path_factory.mktemp("ledger") / "ledger", Budget(1.0, 1e-6))
    for index in range(5):
        ledger.charge(str(index // 2), COSTLY, str(index))
    assert not ledger.verify().problems
    return ledger.path.read_bytes(), head_of(ledger).read_bytes()


def refused(folder, lines, head):
    """Whether a new ledger object of these bytes refuses to charge."""
    path = folder / "damaged"
    path.write_bytes(lines)
    path.with_name("damaged.head").write_bytes(head)
    try:
        FileLedger(path).charge("new", CHEAP, "new")
    except BudgetError:
        return True
    return False


@settings(max_examples=300)
@given(st.data())
def test_any_edited_byte_is_found(written, tmp_path_factory, data):
    lines, head = written
    position = data.draw(st.integers(0, len(lines) - 1))
    edited = bytearray(lines)
    edited[position] ^= data.draw(st.integers(1, 255))
    assert audit(bytes(edited), head).problems
    if position % 8 == 0:
        assert refused(tmp_path_factory.getbasetemp(), bytes(edited), head)


@settings(max_examples=200)
@given(st.data())
def test_any_edited_byte_of_the_head_is_found(written, data):
    lines, head = written
    edited = bytearray(head)
    edited[data.draw(st.integers(0, len(head) - 1))] ^= data.draw(st.integers(1, 255))
    assert audit(lines, bytes(edited)).problems


@settings(max_examples=200)
@given(st.data())
def test_any_cut_is_found(written, tmp_path_factory, data):
    lines, head = written
    cut = data.draw(st.integers(0, len(lines) - 1))
    assert audit(lines[:cut], head).problems
    assert audit(lines, head[: data.draw(st.integers(0, len(head) - 1))]).problems
    assert refused(tmp_path_factory.getbasetemp(), lines[:cut], head)


@given(st.permutations(range(6)))
def test_any_other_order_is_found(written, tmp_path_factory, order):
    lines, head = written
    split = lines.splitlines(keepends=True)
    shuffled = b"".join(split[i] for i in order)
    assert bool(audit(shuffled, head).problems) is (shuffled != lines)
    assert refused(tmp_path_factory.getbasetemp(), shuffled, head) is (shuffled != lines)


@pytest.mark.parametrize("line", range(6))
def test_a_deleted_or_doubled_line_is_found(written, tmp_path, line):
    lines, head = written
    split = lines.splitlines(keepends=True)
    deleted, doubled = split[:line] + split[line + 1 :], [*split[: line + 1], *split[line:]]
    for changed in (deleted, doubled):
        assert audit(b"".join(changed), head).problems
        assert refused(tmp_path, b"".join(changed), head)


def test_an_edited_last_line_is_found_although_no_line_follows_it(written, tmp_path):
    lines, head = written
    assert lines.rstrip().rsplit(b"\n", 1)[1].count(b'"epsilon": 0.3') == 1
    edited = b'"epsilon": 0.1'.join(lines.rsplit(b'"epsilon": 0.3', 1))
    assert len(edited) == len(lines) and audit(edited, head).problems == ("line 6 is another one than was written",)
    assert refused(tmp_path, edited, head)


def test_a_chain_that_was_forged_whole_is_found_by_a_noted_head(ledger, tmp_path):
    for index in range(3):
        ledger.charge("a.png", COSTLY, str(index))
    noted = ledger.verify().head
    forged = FileLedger.create(tmp_path / "forged", ledger.budget)
    forged.charge("a.png", COSTLY, "0")
    forged.path.replace(ledger.path)
    head_of(forged).replace(head_of(ledger))
    assert not FileLedger(ledger.path).verify().problems
    assert "rewritten" in FileLedger(ledger.path).verify(noted).problems[0]


def test_a_missing_head_is_refused(ledger):
    ledger.charge("a.png", COSTLY, "0")
    head_of(ledger).unlink()
    with pytest.raises(OutputError, match="head belong together"):
        ledger.charge("a.png", COSTLY, "1")
    assert ledger.verify().problems


def test_damage_is_noticed_by_an_object_that_knew_the_file_before(ledger):
    ledger.charge("a.png", COSTLY, "0")
    ledger.path.write_bytes(ledger.path.read_bytes()[:-1])
    with pytest.raises(BudgetError, match="verify"):
        ledger.charge("a.png", COSTLY, "1")


def test_a_torn_line_was_no_charge_and_is_cut_off(ledger):
    ledger.charge("a.png", COSTLY, "0")
    intact = ledger.path.read_bytes()
    with open(ledger.path, "ab") as file:
        file.write(b'{"previous": "12')
    found = ledger.verify()
    assert not found.problems and "never made" in found.notes[0]
    FileLedger(ledger.path).charge("a.png", COSTLY, "1")
    assert ledger.path.read_bytes().startswith(intact + b'{"previous": "')
    assert ledger.verify() == audit(ledger.path.read_bytes(), head_of(ledger).read_bytes())
    assert not ledger.verify().notes and ledger.verify().charges == 2


def test_a_line_that_the_head_does_not_know_counts_once(ledger):
    ledger.charge("a.png", COSTLY, "0")
    head = head_of(ledger).read_bytes()
    ledger.charge("a.png", COSTLY, "1")
    head_of(ledger).write_bytes(head)
    assert ledger.spent("a.png").charges == 2 and "they count" in ledger.verify().notes[0]
    FileLedger(ledger.path).charge("a.png", COSTLY, "1")
    assert ledger.verify().charges == 2 and not ledger.verify().notes
    ledger.charge("a.png", COSTLY, "2")
    with pytest.raises(BudgetError):
        ledger.charge("a.png", COSTLY, "3")


def test_a_torn_head_leaves_the_earlier_one(ledger):
    for index in range(2):
        ledger.charge("a.png", COSTLY, str(index))
    head = bytearray(head_of(ledger).read_bytes())
    head[SLOT_BYTES + 3 : 2 * SLOT_BYTES] = bytes(SLOT_BYTES - 3)  # that of three lines, the newest
    head_of(ledger).write_bytes(bytes(head))
    assert ledger.verify().problems
    FileLedger(ledger.path).charge("a.png", COSTLY, "2")
    FileLedger(ledger.path).charge("b.png", COSTLY, "3")
    assert not ledger.verify().problems and ledger.verify().charges == 4


@pytest.mark.parametrize("place", range(0, 2 * SLOT_BYTES, 31))
def test_a_damaged_head_of_a_new_ledger_is_said(ledger, place):
    head = bytearray(head_of(ledger).read_bytes())
    head[place] ^= 1
    head_of(ledger).write_bytes(head)
    assert ledger.verify().problems
