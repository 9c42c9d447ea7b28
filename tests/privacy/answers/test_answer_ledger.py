"""The answer ledger: never more than allowed, whoever asks at once, whatever is killed, edited or put back."""

import copy
import os
import pickle
import random
import stat
import threading

import pytest

from privis.errors import AnswerLimitError, BudgetError, DamagedLedgerError, OutputError, ParameterError
from privis.privacy.answers.answer_entries import AnswerBooks, LiftedLine
from privis.privacy.answers.answer_ledger import AnswerCharge, AnswerLedger
from privis.privacy.answers.answer_limits import Allowance, AnswerKind, AnswerLimits
from privis.privacy.ledger.audit import audit
from tests.privacy.asking import LIMITS, asked, killed, race
from tests.privacy.ledger.test_ledger_crashes import forked, kill_at

START = 1_800_000_000.0


class Clock:
    def __init__(self):
        self.seconds = START

    def __call__(self):
        return self.seconds


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def ledger(tmp_path, clock):
    AnswerLedger.create(tmp_path / "answers")
    return AnswerLedger(tmp_path / "answers", clock)


def test_the_hour_then_the_total_then_a_lift(ledger, clock):
    for number in range(5):
        ledger.charge([asked(number)])
    before = ledger.path.read_bytes()
    with pytest.raises(AnswerLimitError) as caught:
        ledger.charge([asked(5)])
    assert (
        3600 <= caught.value.seconds <= 3660 and "5 per hour" in str(caught.value) and "61 minutes" in str(caught.value)
    )
    assert ledger.path.read_bytes() == before, "a refusal writes nothing"
    clock.seconds += caught.value.seconds
    ledger.charge([asked(5, 5)])
    clock.seconds += 7200
    with pytest.raises(AnswerLimitError, match="privis answers lift LEDGER --client clinic --gallery faces") as caught:
        ledger.charge([asked(6, 3)])
    assert caught.value.seconds is None and "2 of them left" in str(caught.value)
    ledger.charge([asked(7, 2)])
    ledger.lift("clinic", "faces", "templates were taken anew")
    ledger.charge([asked(8, 5)])
    account = AnswerLedger(ledger.path).account("clinic", "faces")
    assert (account.used.decisions, account.ever.decisions, account.lifted) == (5, 17, 1)
    assert isinstance(list(ledger.entries())[-2], LiftedLine) and not ledger.verify().problems


def test_accounts_are_of_one_client_and_one_gallery(ledger):
    ledger.charge([asked(1, 5)])
    ledger.charge([asked(1, 5, client="bank")])
    ledger.charge([asked(1, 5, gallery="irises")])
    with pytest.raises(AnswerLimitError):
        ledger.charge([asked(2)])
    assert ledger.verify().records == 3
    assert ledger.left("bank", "faces", AnswerKind.DECISION, LIMITS) == (0, 7)


def test_the_same_question_again_is_free_for_ever_and_another_of_its_name_is_not(ledger, clock):
    for _ in range(9):
        ledger.charge([asked(1, 5)])
        AnswerLedger(ledger.path, clock).charge([asked(1, 5), asked(1, 5)])
    clock.seconds += 10**6
    ledger.charge([asked(1, 5)])
    assert ledger.account("clinic", "faces").ever.decisions == 5
    ledger.charge([asked(1, 4)])
    assert ledger.account("clinic", "faces").ever.decisions == 9


def test_questions_that_cannot_be_told_apart_count_each_time(ledger):
    ledger.charge([asked(None, 2), asked(None, 2)])
    assert ledger.account("clinic", "faces").ever.decisions == 4
    with pytest.raises(AnswerLimitError):
        ledger.charge([asked(None), asked(None)])


def test_all_accounts_of_a_question_are_charged_or_none(ledger):
    ledger.charge([asked(None, 5, client="bank")])
    with pytest.raises(AnswerLimitError, match="for bank"):
        ledger.charge([asked(None), asked(None, client="bank")])
    assert ledger.account("clinic", "faces").ever.decisions == 0
    ledger.charge([asked(None), asked(None, client="insurer")])
    assert ledger.account("clinic", "faces").ever.decisions == ledger.account("insurer", "faces").ever.decisions == 1


def test_a_clock_put_back_refuses_and_what_was_written_is_read_again(ledger, clock):
    ledger.charge([asked(1, 5)])
    clock.seconds -= 10 * 3600
    with pytest.raises(AnswerLimitError):
        ledger.charge([asked(2)])
    ledger.charge([asked(3, client="bank")])
    clock.seconds += 11.1 * 3600
    ledger.charge([asked(4)])
    clock.seconds -= 5 * 3600
    ledger.charge([asked(5)])
    assert not AnswerLedger(ledger.path).verify().problems
    assert AnswerLedger(ledger.path).account("clinic", "faces") == ledger.account("clinic", "faces")


def test_limits_may_change_and_lines_keep_those_that_held(ledger, clock):
    ledger.charge([asked(1, 5)])
    wide = AnswerLimits(Allowance(50, 100))
    ledger.charge([asked(2, 40, limits=wide)])
    with pytest.raises(AnswerLimitError, match="0 of them left"):
        ledger.charge([asked(3)])
    assert AnswerLedger(ledger.path).verify().charges == 2 and not ledger.verify().problems


def test_any_name_is_a_client_and_bad_ones_are_all_named(ledger):
    for name in ('Ä\n"\\', "x" * 256, "{}"):
        ledger.charge([asked(1, client=name)])
        assert AnswerLedger(ledger.path).account(name, "faces").ever.decisions == 1
    with pytest.raises(ParameterError) as caught:
        AnswerCharge("", "", AnswerKind.SCORE, 0, LIMITS, "x")
    assert len(caught.value.problems) == 4
    with pytest.raises(ParameterError) as caught:
        ledger.lift("nobody", "faces", " ")
    assert len(caught.value.problems) == 2


# Several at a time


@pytest.mark.parametrize("rounds", [5, pytest.param(40, marks=pytest.mark.long)])
def test_of_eight_processes_exactly_five_are_answered(tmp_path, rounds):
    ledger = AnswerLedger.create(tmp_path / "answers")
    for number in range(rounds):
        assert sorted(race(ledger.path, 8, f"client {number}")) == [0] * 5 + [1] * 3
    assert not ledger.verify().problems and ledger.verify().charges == 5 * rounds


def test_of_eight_threads_exactly_five_are_answered(ledger):
    barrier, found = threading.Barrier(8), []

    def ask(number):
        barrier.wait()
        try:
            ledger.charge([asked(number)])
        except AnswerLimitError:
            found.append(False)
        else:
            found.append(True)

    threads = [threading.Thread(target=ask, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(found) == [False] * 3 + [True] * 5


def test_processes_that_begin_at_once_make_one_ledger(tmp_path):
    for number in range(6):
        path = tmp_path / f"answers {number}"
        assert sorted(race(path, 8, "clinic", opened=AnswerLedger.at)) == [0] * 5 + [1] * 3
        assert AnswerLedger(path).verify().charges == 5


# Kills


@pytest.mark.parametrize("kills", [20, pytest.param(200, marks=pytest.mark.long)])
def test_killed_again_and_again_nothing_is_answered_uncharged(tmp_path, kills):
    found = killed(tmp_path, kills)
    assert found.kills == kills and found.problems == () and found.uncharged == found.forgotten == 0
    assert found.charged == found.questions, "what was charged before a kill is free afterwards"


def test_a_ledger_whose_making_was_killed_is_made_by_the_next(tmp_path):
    for step in range(14):
        path = tmp_path / str(step)
        forked(lambda: (kill_at(step, random.Random(step)), AnswerLedger.at(path)))  # noqa: B023
        AnswerLedger.at(path).charge([asked(1)])
        AnswerLedger.at(path).charge([asked(2)])
        assert AnswerLedger(path).verify().charges == 2 and not AnswerLedger(path).verify().problems


# Damage


@pytest.fixture
def written(ledger):
    for number in range(4):
        ledger.charge([asked(number)])
    ledger.lift("clinic", "faces", "a test")
    return ledger.path.read_bytes(), ledger.path.with_name("answers.head").read_bytes()


def refused(folder, lines, head):
    path = folder / "damaged"
    path.write_bytes(lines)
    path.with_name("damaged.head").write_bytes(head)
    results = []
    for opened in (AnswerLedger, AnswerLedger.at):
        try:
            opened(path).charge([asked(99)])
            results.append(False)
        except DamagedLedgerError as error:
            assert "answer" in str(error) and "privis answers verify" in str(error)
            results.append(True)
        except AnswerLimitError:
            results.append(False)
        except (OutputError, ParameterError):
            results.append(True)
    assert results[0] == results[1]
    return results[0]


def test_whatever_byte_is_edited_or_cut_it_is_refused(written, tmp_path):
    lines, head = written
    chance = random.Random(3)
    assert not refused(tmp_path, lines, head)
    for _ in range(60):
        edited = bytearray(lines)
        edited[chance.randrange(len(lines))] ^= chance.randrange(1, 256)
        assert audit(bytes(edited), head, (), AnswerBooks.opened).problems
        assert refused(tmp_path, bytes(edited), head)
        assert refused(tmp_path, lines[: chance.randrange(len(lines))], head)


@pytest.mark.parametrize("line", range(6))
def test_a_deleted_doubled_or_moved_line_is_refused(written, tmp_path, line):
    lines, head = written
    split = lines.splitlines(keepends=True)
    for changed in (split[:line] + split[line + 1 :], [*split[: line + 1], *split[line:]], split[::-1]):
        assert refused(tmp_path, b"".join(changed), head)


def test_a_line_beyond_its_own_limits_is_damage(ledger):
    ledger.charge([asked(1, 5)])
    with open(ledger.path) as file:
        first, line = file.read().splitlines(keepends=True)
    books = AnswerBooks.opened(first.encode())
    assert books.read(line.replace('"count": 5', '"count": 6').encode())[1] == [
        "gives more answers than the limits that it states"
    ]
    for bad in (line.replace('"count": 5', '"count": true'), line.replace("+00:00", ""), "{}\n", "[]\n", '"\n'):
        with pytest.raises(ValueError):
            AnswerBooks.opened(first.encode()).read(bad.encode())


def test_files_put_back_or_taken_away_are_refused(ledger):
    kept = ledger.path.read_bytes(), ledger.path.with_name("answers.head").read_bytes()
    ledger.charge([asked(1)])
    noted = ledger.head.digest
    for path, content in zip((ledger.path, ledger.path.with_name("answers.head")), kept, strict=True):
        path.write_bytes(content)
    for twin in (ledger, copy.deepcopy(ledger), pickle.loads(pickle.dumps(ledger))):
        with pytest.raises(BudgetError, match="put in its place"):
            twin.charge([asked(2)])
    assert "put back" in AnswerLedger(ledger.path).verify(noted).problems[0]
    ledger.path.unlink()
    with pytest.raises(OutputError, match="its head beside it"):
        AnswerLedger.at(ledger.path)


def test_another_file_in_its_place_is_left_alone(tmp_path):
    path = tmp_path / "photo"
    path.write_bytes(b"\x89PNG something")
    with pytest.raises((OutputError, DamagedLedgerError)):
        AnswerLedger.at(path)
    assert path.read_bytes() == b"\x89PNG something"
    for target in ("loop", "nothing"):
        (tmp_path / "loop").unlink(missing_ok=True)
        (tmp_path / "loop").symlink_to(tmp_path / target)
        with pytest.raises(OutputError, match="loop"):
            AnswerLedger.at(tmp_path / "loop")
        assert (tmp_path / "loop").is_symlink()
    with pytest.raises(ParameterError, match="privis answers init"):
        AnswerLedger(tmp_path / "none")
    with pytest.raises(OutputError, match="a folder for the answer ledger"):
        AnswerLedger.at(tmp_path / "none" / "answers")


def test_it_is_private_and_never_overwritten(ledger):
    assert stat.S_IMODE(ledger.path.stat().st_mode) == 0o600
    with pytest.raises(OutputError, match="never overwritten"):
        AnswerLedger.create(ledger.path)


@pytest.mark.parametrize("step", [0, 1, 2])
def test_a_full_disk_refuses_and_leaves_an_intact_ledger(ledger, monkeypatch, step):
    ledger.charge([asked(1)])
    calls = []

    def failing(call):
        def attempt(*arguments):
            calls.append(call)
            if len(calls) == step + 1:
                raise OSError(28, "No space left on device")
            return call(*arguments)

        return attempt

    monkeypatch.setattr(os, "pwrite", failing(os.pwrite))
    monkeypatch.setattr(os, "fdatasync", failing(os.fdatasync))
    with pytest.raises(OutputError, match="nothing was answered"):
        ledger.charge([asked(2)])
    monkeypatch.undo()
    assert not ledger.verify().problems
    ledger.charge([asked(2)])
    assert ledger.account("clinic", "faces").ever.decisions == 2
