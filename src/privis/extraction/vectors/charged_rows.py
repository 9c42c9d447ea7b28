"""Rows to release and the accounts that pay for them, all before any noise is drawn."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy.typing as npt

from privis.errors import BudgetError, DamagedLedgerError, PrivisError, Problem
from privis.privacy import Guarantee, Ledger, NoiseStream
from privis.subjects import shortened


@dataclass(frozen=True, eq=False)
class VectorRow:
    """One vector to release: of whom, on whose accounts, and what its noise is drawn from."""

    label: str
    accounts: tuple[str, ...]
    values: npt.NDArray[Any]
    stream: NoiseStream

    @property
    def release_id(self) -> str:
        """What a ledger calls the release: of its stream, so that another key makes another one."""
        return self.stream.narrowed(b"release id").words(0, 2).tobytes().hex()


def charge(rows: Iterable[VectorRow], guarantee: Guarantee, ledger: Ledger | None) -> None:
    """Charge every row, all of them before any noise is drawn; what the ledger refuses is said at the end."""
    if ledger is None:
        return
    problems: list[Problem] = []
    with _repeatable():
        for row in rows:
            release_id = row.release_id
            for account in row.accounts:
                try:
                    ledger.charge(account, guarantee, release_id)
                except DamagedLedgerError:
                    raise
                except BudgetError as error:
                    problems += [replace(problem, where=f"{row.label}: {problem.where}") for problem in error.problems]
                    break
        if problems:
            raise BudgetError(*shortened(problems, "ledger"))


@contextlib.contextmanager
def _repeatable() -> Iterator[None]:
    """Say of a failure among charges how the rest is had for nothing more."""
    told = "the same call with this key goes on, without the rows that are refused: what was charged is free"
    try:
        yield
    except PrivisError as error:
        more = Problem("release.ledger", "a failure that may have come after charges", "a call that ends", told)
        raise type(error)(*error.problems, more) from error
    except BaseException as error:
        error.add_note(told)
        raise
