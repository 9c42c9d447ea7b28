"""``privis ledger``: make a privacy budget, look at it, check it, hand it to an auditor."""

from __future__ import annotations

import csv
import json
import os
from dataclasses import asdict, fields
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table

from privis.cli.console import err, explained, out
from privis.cli.release_files import LedgerPlace
from privis.errors import ParameterError, Problem
from privis.privacy.ledger.budget import Budget, BudgetUnit, Per

if TYPE_CHECKING:
    from privis.privacy.ledger.audit import Audit
    from privis.privacy.ledger.composition import Spent
    from privis.privacy.ledger.ledger_protocol import KeptLedger

NOT_INTACT = 1
LEDGER_EXIT_CODES = """Exit codes: 0 done · 1 (verify) the ledger is not intact · 2 a wrong option · 4 a file could not
be read or written · 5 the ledger is damaged, or the privacy budget does not allow it."""

ledger = typer.Typer(
    name="ledger",
    help="A privacy budget that is kept in a file, or in PostgreSQL, and cannot be overspent.",
    epilog=LEDGER_EXIT_CODES,
    no_args_is_help=True,
    rich_markup_mode="rich",
)

LedgerPath = Annotated[
    LedgerPlace,
    typer.Argument(metavar="PATH", parser=LedgerPlace, help="The ledger, or postgresql://USER@HOST/DATABASE#NAME."),
]
NewLedger = Annotated[
    LedgerPlace,
    typer.Argument(
        metavar="PATH",
        parser=LedgerPlace,
        help="File to make, readable by you alone; or postgresql://USER@HOST/DATABASE#NAME, a schema to make.",
    ),
]
Role = Annotated[
    str | None, typer.Option(help="In PostgreSQL: print what lets this role charge the ledger, and nothing more.")
]
Epsilon = Annotated[float, typer.Option(help="Privacy budget: largest epsilon of all releases together.")]
Delta = Annotated[float, typer.Option(help="Privacy budget: largest delta of all releases together.")]
PerOption = Annotated[Per, typer.Option(help="Add up charges per subject (image or person), or over the corpus.")]
UnitOption = Annotated[BudgetUnit, typer.Option(help="What the budget protects.")]
Record = Annotated[str | None, typer.Argument(metavar="[RECORD]", help="An image file, or one person's id.")]
Most = Annotated[int, typer.Option(min=1, help="How many accounts to show, those that spent most first.")]
KnownHead = Annotated[str, typer.Option(metavar="SHA256", help="Head noted earlier, which must be in the chain.")]
Output = Annotated[Path, typer.Option("-o", "--output", help="Table to write: .csv or .json.")]


@ledger.command(epilog=LEDGER_EXIT_CODES)
def init(
    path: NewLedger,
    epsilon: Epsilon,
    delta: Delta,
    per: PerOption = Per.SUBJECT,
    unit: UnitOption = BudgetUnit.IMAGE,
    role: Role = None,
) -> None:
    """Make a ledger with a budget that never changes.

    privis ledger init budget --epsilon 1 --delta 1e-6 --per subject --unit person

    privis ledger init postgresql://owner@db.example/ward#budget --epsilon 1 --delta 1e-6 --role worker
    """
    with explained():
        if role is not None and not path.is_address:
            remedy = "who may read a file is up to its owner and folder"
            raise ParameterError(Problem("--role", "with a file", "with an address in PostgreSQL", remedy))
        made = path.made(Budget(epsilon, delta, per, unit))
        out.print(f"{path}: {made.budget.sentence}", markup=False, soft_wrap=True)
        if path.is_address:
            _say_roles(path, role)
            return
        out.print(f"It consists of {path} and {path}.head; keep both, in one place.", markup=False, soft_wrap=True)


def _say_roles(path: LedgerPlace, role: str | None) -> None:
    from privis.stores.postgresql.ledger.ledger_tables import role_statements
    from privis.stores.postgresql.postgresql_address import PostgresqlAddress

    if role is None:
        told = "You alone may charge it, as the owner of its schema; better, a role that may only add: --role NAME."
        out.print(told, markup=False, soft_wrap=True)
        return
    out.print("For its owner, once, so that this role charges and changes nothing:", markup=False, soft_wrap=True)
    out.print(role_statements(PostgresqlAddress(path.text).schema, role), markup=False, soft_wrap=True)


@ledger.command(epilog=LEDGER_EXIT_CODES)
def show(path: LedgerPath, record: Record = None, most: Most = 20) -> None:
    """Show what was spent and what is left, worst first, or for one record."""
    with explained():
        from privis.privacy.guarantee import shown as shown_bound

        opened = path.opened()
        budget = opened.budget
        out.print(budget.sentence, markup=False, soft_wrap=True)
        if record is None or budget.per is Per.CORPUS:
            accounts, total = opened.worst(most), opened.accounts
        else:
            accounts = [(record, _spent(opened, record))]
            total = 1
        table = Table("record", "charges", "epsilon spent", "epsilon left", "bound")
        for name, spent in accounts:
            left = max(0.0, budget.epsilon - spent.epsilon)
            shown = name if name == record else name[:16]
            table.add_row(shown, f"{spent.charges:,}", shown_bound(spent.epsilon), f"{left:.4g}", spent.bound)
        out.print(table)
        if total > len(accounts):
            told = f"{len(accounts):,} of {total:,}, those that spent most; --most {total} shows all"
            out.print(told, markup=False, soft_wrap=True)


def _spent(opened: KeptLedger, record: str) -> Spent:
    """Of an image, named by a file that holds it, or of a person."""
    from privis.io.images import decode as images
    from privis.io.images.file_parts import file_part
    from privis.io.objects.source_names import is_elsewhere
    from privis.privacy.ledger.records import former_records, record_of_pixels
    from privis.subjects import subject_ids

    if opened.budget.unit is not BudgetUnit.IMAGE:
        return opened.spent(*subject_ids([record], "record"))
    if not (is_elsewhere(record) or os.path.exists(file_part(record).path)):
        # the name of an image itself, or a person under whom a former version charged it
        return opened.spent(record)
    image = images.load(record)
    return opened.spent(record_of_pixels(image), formerly=former_records(image, record, None))


@ledger.command(epilog=LEDGER_EXIT_CODES)
def verify(path: LedgerPath, head: KnownHead = "") -> None:
    """Recompute the chain and all totals from the file; exit code 1 when something is wrong."""
    with explained():
        tell_audit(path, path.opened().verify(head), "charges", "records")


def tell_audit(path: Path | LedgerPlace, found: Audit, charges: str, records: str) -> None:
    """Print what a check of a ledger found; exit code 1 when something is wrong.

    Args:
        path: of the ledger.
        found: by the check.
        charges: what its lines are called.
        records: what its accounts are called.
    """
    for problem in found.problems:
        err.print(f"privis: {path}: {problem}", markup=False, soft_wrap=True)
    for note in found.notes:
        out.print(f"{path}: {note}", markup=False, soft_wrap=True)
    if found.problems:
        raise SystemExit(NOT_INTACT)
    counted = f"{charges}: {found.charges:,}, {records}: {found.records:,}"
    out.print(f"{path}: intact, {counted}, head {found.head}", markup=False, soft_wrap=True)


@ledger.command(epilog=LEDGER_EXIT_CODES)
def export(path: LedgerPath, output: Output) -> None:
    """Write all charges to a table for an auditor; records are hashed."""
    with explained():
        from privis.io.atomic import replacing
        from privis.privacy.ledger.entries import Charge

        if output.suffix not in (".csv", ".json"):
            raise ParameterError(Problem("-o", repr(str(output)), "a name that ends in .csv or .json"))
        opened = path.opened()
        rows = [asdict(charge) for charge in opened.charges()]
        with replacing(output) as temporary, open(temporary, "w", encoding="utf-8", newline="") as file:
            if output.suffix == ".json":
                budget = {**asdict(opened.budget), "per": opened.budget.per.value, "unit": opened.budget.unit.value}
                json.dump({"budget": budget, "head": opened.head.digest, "charges": rows}, file, indent=1)
            else:
                writer = csv.DictWriter(file, [field.name for field in fields(Charge)], lineterminator="\n")
                writer.writeheader()
                writer.writerows(rows)
        out.print(f"{len(rows):,} charges in {output}", markup=False, soft_wrap=True)
