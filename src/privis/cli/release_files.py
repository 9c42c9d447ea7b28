"""Where a command keeps what noise is drawn from, and what was spent, beside the file or folder that it releases to."""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from privis.errors import ParameterError, Problem

if TYPE_CHECKING:
    from privis.privacy import Budget, BudgetUnit, ReleaseKey
    from privis.privacy.ledger.file import FileLedger
    from privis.privacy.ledger.ledger_protocol import KeptLedger

KEY_END, LEDGER_END = ".release-key", ".ledger"
"""What the path of a gallery or index is followed by where no key and no ledger are named."""
DELTA = 1e-9
"""Of a ledger that a command makes: what samplers leave over is less than 1e-100 for each vector."""
_ADDRESS = re.compile(r"^\s*postgres(ql)?[:+]|://|\bpassword\s*=", re.IGNORECASE)


@dataclass(frozen=True)
class LedgerPlace:
    """Where a ledger is, as it was given: a path, or an address in PostgreSQL.

    Nothing is looked at before `opened`, where errors are explained: what a parser of options refuses it repeats, and
    an address may have a password in it that should not be there.

    Args:
        text: path or address.
    """

    text: str = field(repr=False)

    def __str__(self) -> str:
        return self.text

    @property
    def is_address(self) -> bool:
        """Whether it is meant to be in PostgreSQL, however it is spelled: no path, which messages would repeat."""
        return bool(_ADDRESS.search(self.text))

    def check(self) -> None:
        """Refuse a password, before anything else is done that could show it.

        Raises:
            ParameterError: the address has one, or is none.
            MissingExtraError: psycopg is not installed.
        """
        if self.is_address:
            from privis.stores.postgresql import PostgresqlAddress

            PostgresqlAddress(self.text)

    def opened(self) -> KeptLedger:
        """Open the ledger.

        Returns:
            Of whichever kind.

        Raises:
            ParameterError: there is none.
            ServiceError: its server does not answer.
        """
        from privis.privacy.ledger.file import FileLedger

        if not self.is_address:
            return FileLedger(self.text)
        from privis.stores.postgresql import PostgresqlLedger

        return PostgresqlLedger(self.text)

    def file_or_ledger(self) -> Path | KeptLedger:
        """Give the path of a file, whatever it is, or open the ledger at an address."""
        return self.opened() if self.is_address else Path(self.text)

    def made(self, budget: Budget) -> KeptLedger:
        """Make a new ledger there.

        Args:
            budget: what may be spent, and by whom.

        Returns:
            The ledger.

        Raises:
            OutputError: something is there.
            ServiceError: its server does not answer, or refuses.
        """
        from privis.privacy.ledger.file import FileLedger

        if not self.is_address:
            return FileLedger.create(self.text, budget)
        from privis.stores.postgresql import PostgresqlLedger

        return PostgresqlLedger.create(self.text, budget)


LedgerOption = Annotated[
    LedgerPlace | None,
    typer.Option(
        "--ledger",
        metavar="PATH",
        parser=LedgerPlace,
        help="Privacy ledger to charge, of privis ledger init: a file, or its address in PostgreSQL.",
    ),
]
"""Of commands that charge a ledger."""


@dataclass(frozen=True)
class ReleaseFiles:
    """Key and ledger of a release that a command makes.

    Without a key that is named, one lies beside the result from before the first charge until the result is written:
    who has it could take the noise off, and all that it is needed for is to end what was killed, at no cost.

    Args:
        place: path of the result.
        key: path of a key to keep; None: see above.
        ledger: path of a ledger; None: one beside the result, made with the first release.
    """

    place: Path
    key: Path | None
    ledger: Path | None

    @contextlib.contextmanager
    def drawing(self, epsilon: float, unit: BudgetUnit, released: bool) -> Iterator[tuple[ReleaseKey, FileLedger]]:
        """Give a key and a ledger; both that are made here go again where a ParameterError ends the release.

        Args:
            epsilon: budget of a ledger that is made here.
            unit: what it protects.
            released: something was released to this place before, so that there has to be a ledger.

        Yields:
            Both.
        """
        from privis.privacy import Budget, ReleaseKey
        from privis.privacy.ledger.file import FileLedger

        home = os.path.realpath(self.place)  # two names of a place have one ledger
        ledger = self.ledger or Path(f"{home}{LEDGER_END}")
        made: list[Path] = []
        if self.ledger is None and not os.path.lexists(ledger):
            if released:
                got, expected = "no ledger", "that of what was released here before"
                remedy = "put it back, or name one with --ledger: without it nobody knows what was spent"
                raise ParameterError(Problem(str(ledger), got, expected, remedy))
            FileLedger.create(ledger, Budget(epsilon, DELTA, unit=unit))
            made += [ledger, Path(f"{ledger}.head")]
        key = self.key or Path(f"{home}{KEY_END}")
        if not os.path.lexists(key):
            ReleaseKey.generate().save(key)
            made += [] if self.key is not None else [key]
        try:
            yield ReleaseKey.load(key), FileLedger(ledger)
        except ParameterError:  # said before anything is charged: the next try may have another epsilon
            for path in made:
                path.unlink(missing_ok=True)
            raise
        if self.key is None:
            key.unlink(missing_ok=True)  # a release beside this one may have ended first
