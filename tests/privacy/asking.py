"""Clients of an answer ledger: one that asks, eight at once, and one that is killed again and again."""

from __future__ import annotations

import os
import random
import signal
from dataclasses import dataclass
from pathlib import Path

from privis.errors import AnswerLimitError
from privis.privacy.answers.answer_ledger import AnswerCharge, AnswerLedger
from privis.privacy.answers.answer_limits import Allowance, AnswerKind, AnswerLimits
from tests.privacy.ledger.test_ledger_crashes import forked, kill_at

LIMITS = AnswerLimits(Allowance(5, 12), Allowance(2, 4))
MANY = AnswerLimits(Allowance(10**6, 10**6))


def question(number):
    return f"{number:064x}"


def asked(number=None, count=1, client="clinic", gallery="faces", kind=AnswerKind.DECISION, limits=LIMITS):
    return AnswerCharge(client, gallery, kind, count, limits, "" if number is None else question(number))


def race(path, workers, client, opened=AnswerLedger):
    """Exit codes of processes that ask at the same moment: 0 for answered, 1 for refused."""
    start_read, start_write = os.pipe()
    children = []
    for index in range(workers):
        child = os.fork()
        if child == 0:
            code = 2
            try:
                os.close(start_write)
                os.read(start_read, 1)
                opened(path).charge([asked(index, client=client)])
                code = 0
            except AnswerLimitError:
                code = 1
            finally:
                os._exit(code)
        children.append(child)
    os.close(start_read)
    os.close(start_write)
    return [os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children]


def answer(folder, number):
    """What a server does for one question: open the ledger, charge, and only then answer."""
    AnswerLedger.at(folder / "answers").charge([asked(number, limits=MANY)])
    out = os.open(folder / "answered", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    os.write(out, f"{number}\n".encode())
    os.close(out)


def steps_of_an_answer(folder):
    """How many system calls an answer makes; the ledger is there already."""
    read, write = os.pipe()

    def count():
        taken = kill_at(-1, random.Random(0))
        answer(folder, 0)
        os.write(write, str(taken[0]).encode())

    assert forked(count) == 0
    steps = int(os.read(read, 20))
    os.close(read)
    os.close(write)
    return steps


@dataclass(frozen=True)
class Killed:
    """What was left after so many kills; ``uncharged`` answers and ``forgotten`` charges must be none."""

    kills: int
    questions: int
    charged: int
    uncharged: int
    forgotten: int
    problems: tuple[str, ...]


def killed(folder: Path, kills: int) -> Killed:
    """Kill an asker before, in the middle of and after its system calls, each in turn; then ask all again."""
    ledger, chance, steps = AnswerLedger.create(folder / "answers"), random.Random(7), steps_of_an_answer(folder)
    done, number, charged, uncharged, forgotten, problems = 0, 0, 1, 0, 0, ()
    while done < kills:
        number += 1
        step, own = (number - 1) * max(1, steps // kills) % steps, random.Random(chance.random())
        done += forked(lambda: (kill_at(step, own), answer(folder, number))) == -signal.SIGKILL  # noqa: B023
        told = set((folder / "answered").read_text().split())
        now = ledger.account("clinic", "faces").ever.decisions
        uncharged, forgotten, charged = uncharged + max(0, len(told) - now), forgotten + max(0, charged - now), now
        problems += ledger.verify().problems
    for each in range(number + 1):
        answer(folder, each)
    problems += ledger.verify().problems + ledger.verify().notes
    ever = ledger.account("clinic", "faces").ever.decisions
    return Killed(done, number + 1, ever, uncharged, forgotten, problems)
