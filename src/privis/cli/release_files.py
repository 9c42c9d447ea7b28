"""Where a command keeps what noise is drawn from, and what was spent, beside the file or folder that it releases to."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from privis.errors import ParameterError, Problem

if TYPE_CHECKING:
    from privis.privacy import BudgetUnit, ReleaseKey
    from privis.privacy.ledger.file import FileLedger

KEY_END, LEDGER_END = ".release-key", ".ledger"
"""What the path of a gallery or index is followed by where no key and no ledger are named."""
DELTA = 1e-9
"""Of a ledger that a command makes: what samplers leave over is less than 1e-100 for each vector."""


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
