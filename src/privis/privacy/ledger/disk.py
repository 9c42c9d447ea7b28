"""Bytes of a ledger on the disk, and what is said when they cannot be read or written."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

from privis.errors import DamagedLedgerError, OutputError, Problem
from privis.privacy.ledger.budget import Budget, BudgetUnit, Per, PrivacyCost
from privis.privacy.ledger.composition import Account

_READ_BYTES = 1 << 20


def damaged(path: Path, what: str) -> DamagedLedgerError:
    """The error of a ledger at ``path`` that is not what was written."""
    remedy = f"nothing is released on its account; see: privis ledger verify {path}"
    return DamagedLedgerError(Problem(f"ledger {path}", what, "an unbroken chain", remedy))


@contextlib.contextmanager
def written(path: Path) -> Iterator[None]:
    """Raise OutputError, which says that nothing was released, where the disk refuses."""
    try:
        yield
    except OSError as error:
        remedy = "nothing was released; free space or mend the disk, then run the same command again"
        raise OutputError(Problem(f"ledger {path}", str(error.strerror), "a charge on the disk", remedy)) from error


def write(file: int, data: bytes, start: int) -> None:
    """Write all of ``data`` at the offset ``start``."""
    while data:
        count = os.pwrite(file, data, start)
        data, start = data[count:], start + count


def contents(file: int, start: int = 0) -> bytes:
    """Read a file from ``start`` to its end."""
    data = bytearray()
    while part := os.pread(file, _READ_BYTES, start + len(data)):
        data += part
    return bytes(data)


def head_path(path: str | os.PathLike[str]) -> Path:
    """The file that holds the head of the ledger at ``path``."""
    return Path(f"{os.fspath(path)}.head")


def sync_folder(path: Path) -> None:
    """Have a new file's name on the disk."""
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def refusal(record: str, account: Account, cost: PrivacyCost, budget: Budget) -> Problem:
    """Say why ``cost`` cannot be charged to the account of ``record``, and what is left."""
    spent = account.spent(budget)
    left = max(0.0, budget.epsilon - spent.epsilon)
    who = {BudgetUnit.IMAGE: record, BudgetUnit.PERSON: "ledger, one person", BudgetUnit.DATASET: "ledger, the corpus"}
    where = who[budget.unit] if budget.per is Per.SUBJECT else "ledger, the corpus"
    got = (
        f"{spent.charges} releases that spent epsilon {spent.epsilon:.4g} of {budget.epsilon:.4g} "
        f"(delta {budget.delta:.1e}, {spent.bound}), and one more of epsilon {cost.epsilon:.4g}, delta {cost.delta:.1e}"
    )
    remedy = (
        "a smaller epsilon may fit, and repeating an earlier release with its key is free; what was released cannot be "
        "taken back"
    )
    return Problem(where, got, f"at most about epsilon {left:.4g} more", remedy)
