"""The lines of an answer ledger, and what they add up to.

An answer ledger is a text file of JSON lines, each with the SHA-256 of the one before it: `privis.privacy.ledger.chain`
says how. The first states the format; each other one is a charge, or says that somebody lifted a client's limits. A
charge states the limits that it was allowed under, so that a reader can recompute every decision from the file alone.

Clients and galleries stand there by name, as in the configuration beside it; queries, templates and answers do not. A
question is named by a digest of its encrypted message: the same one again is the same answer, and free.

Evolution of the format: the first line names it, and lines that are written never change, as each is hashed into the
next. Whatever changes what a line counts for takes the next number, which earlier versions refuse.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from typing import Any

from privis.errors import ParameterError
from privis.privacy.answers.answer_account import AnswerAccount
from privis.privacy.answers.answer_limits import Allowance, AnswerKind, AnswerLimits
from privis.privacy.ledger.chain import START, LedgerHead

FORMAT = "privis answers 1"
BEGINNING = f'{{"format": "{FORMAT}"'.encode()

Place = tuple[str, str]
"""Client and gallery: whose account it is, and about what."""


@dataclass(frozen=True)
class AnsweredLine:
    """One line: ``count`` answers of ``kind`` about ``gallery`` to ``client``, allowed under ``limits``.

    ``time`` is UTC; ``question`` is 64 hexadecimal digits, or empty where questions cannot be told apart.
    """

    time: str
    client: str
    gallery: str
    question: str
    kind: AnswerKind
    count: int
    limits: AnswerLimits


@dataclass(frozen=True)
class LiftedLine:
    """One line: from ``time`` on the limits of ``client`` for ``gallery`` begin anew; ``reason`` is the operator's."""

    time: str
    client: str
    gallery: str
    reason: str


def first_line(salt: str, time: str) -> bytes:
    """Return the line that opens an answer ledger; the random ``salt`` makes it another one than all others."""
    return _line({"format": FORMAT, "time": time, "salt": salt})


def entry_line(entry: AnsweredLine | LiftedLine, previous: str) -> bytes:
    """Give the line of ``entry`` after a line whose SHA-256 is ``previous``."""
    return _line({"previous": previous, **asdict(entry)})


def _line(values: dict[str, Any]) -> bytes:
    return json.dumps(values, allow_nan=False).encode() + b"\n"


def seconds_of(time: str) -> float:
    """Seconds since 1970 of a line's time; ``ValueError`` for one without a zone."""
    found = datetime.fromisoformat(time)
    if found.tzinfo is None:
        raise ValueError("a time without a zone")
    return found.timestamp()


def time_of(seconds: float) -> str:
    """UTC to the millisecond, as lines hold it."""
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds")


@dataclass(eq=False)
class AnswerBooks:
    """What the lines of one answer ledger add up to, as far as they were read; ``head`` says how far that is."""

    head: LedgerHead
    accounts: dict[Place, AnswerAccount] = field(default_factory=dict)
    questions: dict[tuple[Place, bytes], tuple[AnswerKind, int]] = field(default_factory=dict)

    @classmethod
    def opened(cls, line: bytes) -> AnswerBooks:
        """Open the books with a ledger's first line; raises ``ValueError`` when it is none."""
        try:
            values = json.loads(line)
            if values["format"] != FORMAT or not values["salt"]:
                raise ValueError(f"format {values['format']!r}")
        except (KeyError, TypeError, UnicodeDecodeError) as error:
            raise ValueError("no first line of an answer ledger") from error
        return cls(START.after(line))

    @property
    def records(self) -> int:
        """How many pairs of a client and a gallery have answers."""
        return len(self.accounts)

    def overspent(self) -> list[str]:
        """None: `read` refuses what was not allowed, line by line, as limits may change in between."""
        return []

    def account(self, place: Place) -> AnswerAccount:
        """The account of a client about a gallery; empty before the first answer."""
        return self.accounts.get(place, AnswerAccount())

    def known(self, place: Place, question: str, kind: AnswerKind, count: int) -> bool:
        """Whether this very question was charged before."""
        return bool(question) and self.questions.get((place, bytes.fromhex(question))) == (kind, count)

    def read(self, line: bytes) -> tuple[AnsweredLine | LiftedLine, list[str]]:
        """Add a line and return it, with all that is wrong with it; raises ``ValueError`` when it is none."""
        digest, self.head = self.head.digest, self.head.after(line)
        try:
            values = json.loads(line)
            previous = values.pop("previous")
            entry = LiftedLine(**values) if "reason" in values else _answered(values)
            seconds, place = seconds_of(entry.time), (entry.client, entry.gallery)
            question = b"" if isinstance(entry, LiftedLine) else bytes.fromhex(entry.question)
        except (KeyError, TypeError, AttributeError, ArithmeticError, UnicodeDecodeError, ParameterError) as error:
            raise ValueError("neither answers nor a limit that was lifted") from error
        wrong = [] if previous == digest else ["does not follow the line before it"]
        account, minute = self.account(place), int(seconds // 60)
        if isinstance(entry, LiftedLine):
            self.accounts[place] = account.after_lift(minute)
            return entry, wrong
        if entry.count < 1 or account.refused(entry.kind, entry.count, entry.limits, seconds) is not None:
            wrong.append("gives more answers than the limits that it states")
        if self.known(place, entry.question, entry.kind, entry.count):
            wrong.append("charges a question a second time")
        self.accounts[place] = account.charged(entry.kind, entry.count, minute)
        if question:
            self.questions[place, question] = (entry.kind, entry.count)
        return entry, wrong


def _answered(values: dict[str, Any]) -> AnsweredLine:
    limits = {name: Allowance(**values["limits"].pop(name)) for name in ("decisions", "scores")}
    entry = AnsweredLine(**{**values, "kind": AnswerKind(values["kind"]), "limits": AnswerLimits(**limits)})
    if isinstance(entry.count, bool) or not isinstance(entry.count, int):
        raise TypeError("a count")
    return entry
