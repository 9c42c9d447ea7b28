"""Answers that clients were given, in a file that processes share: never more than allowed, and never forgotten."""

from __future__ import annotations

import fcntl
import os
import secrets
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from privis.errors import AnswerLimitError, OutputError, ParameterError, Problem
from privis.file_formats import FileFormat
from privis.privacy.answers.answer_account import AnswerAccount, Refused
from privis.privacy.answers.answer_entries import (
    BEGINNING,
    AnswerBooks,
    AnsweredLine,
    LiftedLine,
    Place,
    entry_line,
    first_line,
    time_of,
)
from privis.privacy.answers.answer_limits import AnswerKind, AnswerLimits
from privis.privacy.ledger.chain import complete_lines, heads
from privis.privacy.ledger.chained_file import ChainedFile
from privis.privacy.ledger.disk import Wording, head_path

_WORDING = Wording("answer ledger", "charge", "answered", "then ask again", "privis answers", FileFormat.ANSWER_LEDGER)
_LONGEST_NAME = 256


@dataclass(frozen=True)
class AnswerCharge:
    """Answers that somebody asks for.

    Args:
        client: who learns them, or chooses what is asked: the name in a token or certificate.
        gallery: what they are about; templates that go by two names have two accounts.
        kind: decisions or scores.
        count: answers about the template that is asked about most: of a query compared with a gallery, 1.
        limits: that hold.
        question: digest of the encrypted message, 64 hexadecimal digits; the same one again is free. Empty: each time
            is a new question.

    Raises:
        ParameterError: naming all bad parameters.
    """

    client: str
    gallery: str
    kind: AnswerKind
    count: int
    limits: AnswerLimits
    question: str = ""

    def __post_init__(self) -> None:
        problems = []
        for name in ("client", "gallery"):
            value = getattr(self, name)
            if not isinstance(value, str) or not 1 <= len(value) <= _LONGEST_NAME:
                expected = f"a name of 1 to {_LONGEST_NAME} characters"
                problems.append(Problem(f"AnswerCharge.{name}", repr(value)[:80], expected))
        if isinstance(self.count, bool) or not isinstance(self.count, int) or self.count < 1:
            problems.append(Problem("AnswerCharge.count", repr(self.count), "a whole number of at least 1"))
        if self.question and (len(self.question) != 64 or set(self.question) - set("0123456789abcdef")):
            problems.append(Problem("AnswerCharge.question", repr(self.question[:80]), "64 hexadecimal digits"))
        if problems:
            raise ParameterError(*problems)

    @property
    def place(self) -> Place:
        """Whose account it is, and about what."""
        return self.client, self.gallery


class AnswerLedger(ChainedFile[AnswerBooks]):
    """Keeps account of what every client was answered about every gallery, and refuses what the limits do not allow.

    A charge is on the disk when `charge` returns, and answers are computed only then: a kill wastes answers, and never
    gives one more than was charged. Nothing is given back when a client goes away. Processes and threads may share the
    file; damage, another file in its place and one that was put back are refused, as of `FileLedger`.

    Args:
        path: an answer ledger that `create` or `at` made.
        clock: seconds since 1970, in UTC.

    Raises:
        ParameterError: there is no answer ledger at ``path``.
        DamagedLedgerError: from what reads the file: it does not fit itself, or what was read before.
    """

    words = _WORDING
    opened = AnswerBooks.opened

    def __init__(self, path: str | os.PathLike[str], clock: Callable[[], float] = time.time) -> None:
        super().__init__(path)
        self._clock = clock

    @classmethod
    def create(cls, path: str | os.PathLike[str]) -> Self:
        """Make a new answer ledger that only its owner can read (mode 0600).

        Args:
            path: of the file; its head is ``path + ".head"``.

        Returns:
            The ledger.

        Raises:
            OutputError: the file exists or cannot be written.
        """
        return cls._created(path, first_line(secrets.token_hex(16), time_of(time.time())))

    @classmethod
    def at(cls, path: str | os.PathLike[str]) -> Self:
        """Open the answer ledger at ``path``, or make it where there is none yet; also when several do so at once.

        Args:
            path: of the file.

        Returns:
            The ledger, read and whole.

        Raises:
            OutputError: it cannot be written, or only its head is there.
            DamagedLedgerError: it is there and is not what was written.
        """
        place = Path(os.path.abspath(path))
        try:
            folder = os.open(place.parent, os.O_RDONLY)
        except OSError as error:
            got = error.strerror or "an error"
            raise OutputError(Problem(str(place.parent), got, "a folder for the answer ledger")) from error
        try:
            fcntl.flock(folder, fcntl.LOCK_EX)  # one process makes it, and the others find it whole
            if _never_finished(place):
                if place.is_file() and not place.is_symlink():
                    place.unlink()
                made = cls.create(place)
            else:
                made = cls(place)
        finally:
            os.close(folder)
        made.head  # noqa: B018  raises when it is damaged
        return made

    def charge(self, charges: Sequence[AnswerCharge]) -> None:
        """Charge all of ``charges``, durably, or none of them.

        Args:
            charges: of one question; several where several clients learn the answer, or several galleries are asked.

        Raises:
            AnswerLimitError: one of them is not allowed: nothing is charged, and nothing may be computed.
            OutputError: the file cannot be written: nothing may be answered then either.
            DamagedLedgerError: the ledger is not what was written.
        """
        with self._locked(os.O_RDWR) as files:
            books = self._caught_up(files, repair=True)
            seconds = self._clock()
            planned: dict[Place, AnswerAccount] = {}
            due: list[AnswerCharge] = []
            for each in charges:
                again = each.question and each in due
                if again or books.known(each.place, each.question, each.kind, each.count):
                    continue
                account = planned.get(each.place, books.account(each.place))
                if refused := account.refused(each.kind, each.count, each.limits, seconds):
                    raise AnswerLimitError(_refusal(each, refused), seconds=refused.seconds)
                planned[each.place] = account.charged(each.kind, each.count, int(seconds // 60))
                due.append(each)
            for each in due:
                moment = max(seconds, 60.0 * books.account(each.place).latest)  # an account's time never goes back
                values = (each.client, each.gallery, each.question, each.kind, each.count, each.limits)
                entry = AnsweredLine(time_of(moment), *values)
                self._append(files, books, entry_line(entry, books.head.digest))

    def lift(self, client: str, gallery: str, reason: str) -> None:
        """Let both limits of a client begin anew; the ledger keeps that it was done, when and why.

        Args:
            client: whose limits.
            gallery: about which gallery.
            reason: for whoever reads the ledger later.

        Raises:
            ParameterError: the client was never answered about that gallery, or there is no reason.
            OutputError: the file cannot be written.
        """
        with self._locked(os.O_RDWR) as files:
            books = self._caught_up(files, repair=True)
            problems = []
            if (client, gallery) not in books.accounts:
                known = ", ".join(f"{one} about {other}" for one, other in sorted(books.accounts)[:20]) or "nobody yet"
                got = f"{client!r} about {gallery!r}"
                problems.append(Problem("limits to lift", got, f"one that was answered: {known}"))
            if not 1 <= len(reason.strip()) <= 1000:
                remedy = "say who decided it and why"
                problems.append(Problem("reason", f"{len(reason.strip())} characters", "1 to 1,000", remedy))
            if problems:
                raise ParameterError(*problems)
            entry = LiftedLine(time_of(self._clock()), client, gallery, reason.strip())
            self._append(files, books, entry_line(entry, books.head.digest))

    def account(self, client: str, gallery: str) -> AnswerAccount:
        """What a client was answered about a gallery.

        Args:
            client: who.
            gallery: about what.

        Returns:
            The account; empty before the first answer.
        """
        with self._looked_up() as books:
            return books.account((client, gallery))

    def left(self, client: str, gallery: str, kind: AnswerKind, limits: AnswerLimits) -> tuple[int | None, int | None]:
        """How many more answers a client may get now.

        Args:
            client: who.
            gallery: about what.
            kind: of the answers.
            limits: that hold.

        Returns:
            Within this hour, and in total; None: unlimited.
        """
        return self.account(client, gallery).left(kind, limits, int(self._clock() // 60))

    def accounts(self) -> dict[Place, AnswerAccount]:
        """Every account, by client and gallery.

        Returns:
            A copy, in the order of their first answers.
        """
        with self._looked_up() as books:
            return dict(books.accounts)

    def entries(self) -> Iterator[AnsweredLine | LiftedLine]:
        """Give all lines in their order, as an auditor wants them.

        Returns:
            Charges, and limits that were lifted.
        """
        first, *lines = self.lines()
        books = AnswerBooks.opened(first)
        for line in lines:
            yield books.read(line)[0]


def _never_finished(path: Path) -> bool:
    """Whether there is no ledger, or one whose making was ended: no charge was ever on it, as that needs a head."""
    head = head_path(path)
    written = heads(head.read_bytes()) if head.is_file() else []
    if any(each.lines for each in written):
        if not path.exists():
            got, remedy = "no file, and its head beside it", "put the file back, or move the head away as well"
            raise OutputError(Problem(f"answer ledger {path}", got, "both or none", remedy))
        return False
    if not path.is_file():
        return not path.exists()
    start = path.read_bytes()[: 1 << 12]
    begun = start.startswith(BEGINNING) or BEGINNING.startswith(start)  # whatever else is there is nobody's to replace
    return begun and len(list(complete_lines(start))) < 2


def _refusal(charge: AnswerCharge, refused: Refused) -> Problem:
    kind = charge.kind.value
    hour = "per hour" if refused.hourly else "in total"
    got = f"{charge.count:,} {kind}{'s' * (charge.count != 1)} more about each template, {refused.left:,} of them left"
    expected = f"at most {refused.limit:,} {hour}"
    if refused.seconds is not None:
        remedy = f"ask again in {_minutes(refused.seconds)}; nothing was computed"
    elif refused.hourly:
        remedy = f"ask fewer questions at once: {charge.count:,} never fit into an hour; nothing was computed"
    else:
        remedy = (
            "nothing was computed; whoever keeps the templates may lift the limit: "
            f"privis answers lift LEDGER --client {charge.client} --gallery {charge.gallery}"
        )
    return Problem(f"answers about {charge.gallery} for {charge.client}", got, expected, remedy)


def _minutes(seconds: float) -> str:
    return f"{max(1, -int(-seconds // 60)):,} minutes"
