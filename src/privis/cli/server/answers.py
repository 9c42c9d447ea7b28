"""``privis answers``: what clients were answered about galleries and models, and lifting a limit that was reached."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from privis.cli.console import explained, out
from privis.cli.ledger import KnownHead, tell_audit
from privis.privacy.answers.answer_limits import AnswerKind, AnswerLimits

ANSWERS_EXIT_CODES = """Exit codes: 0 done · 1 (verify) the ledger is not intact · 2 a wrong option · 4 a file could not
be read or written · 5 the ledger is damaged."""

answers = typer.Typer(
    name="answers",
    help="How many answers clients got about galleries and models, and how many more they may get.",
    epilog=ANSWERS_EXIT_CODES,
    no_args_is_help=True,
    rich_markup_mode="rich",
)

LedgerPath = Annotated[Path, typer.Argument(metavar="PATH", help="The answer ledger; of a server: STATE/answers.")]
Client = Annotated[str, typer.Option(help="Name of the client, as its token or certificate says it.")]
Gallery = Annotated[str, typer.Option(help="The gallery or model, as `privis answers show` names it.")]
Reason = Annotated[str, typer.Option(help="Who decided it and why; it stays in the ledger.")]


@answers.command(epilog=ANSWERS_EXIT_CODES)
def init(path: Annotated[Path, typer.Argument(metavar="PATH", help="File to make; readable by you alone.")]) -> None:
    """Make an answer ledger; servers and parties make their own where there is none."""
    with explained():
        from privis.privacy.answers.answer_ledger import AnswerLedger

        AnswerLedger.create(path)
        out.print(f"{path}: made, with its head in {path}.head; keep both together", markup=False, soft_wrap=True)


@answers.command(epilog=ANSWERS_EXIT_CODES)
def show(path: LedgerPath) -> None:
    """Show what every client was answered about every gallery, since its limits were last lifted and ever."""
    with explained():
        from privis.privacy.answers.answer_entries import AnsweredLine
        from privis.privacy.answers.answer_ledger import AnswerLedger

        opened = AnswerLedger(path)
        stated = {
            (line.client, line.gallery): (line.kind, line.limits)
            for line in opened.entries()
            if isinstance(line, AnsweredLine)
        }
        table = Table("client", "gallery", "decisions", "scores", "ever", "lifted", "last (UTC)", "limits stated last")
        for (client, gallery), account in opened.accounts().items():
            used, ever = account.used, account.ever
            last = datetime.fromtimestamp(60 * account.latest, UTC)
            told = _told(*stated[client, gallery])
            row = [f"{used.decisions:,}", f"{used.scores:,}", f"{ever.decisions + ever.scores:,}", f"{account.lifted}"]
            table.add_row(client, gallery, *row, f"{last:%Y-%m-%d %H:%M}", told)
        out.print(table)


def _told(kind: AnswerKind, limits: AnswerLimits) -> str:
    allowed = limits.of(kind)
    hour, total = ("unlimited" if most is None else f"{most:,}" for most in (allowed.per_hour, allowed.total))
    return f"{kind.value}s: {hour} per hour, {total} in total"


@answers.command(epilog=ANSWERS_EXIT_CODES)
def lift(path: LedgerPath, client: Client, gallery: Gallery, reason: Reason) -> None:
    """Let a client's limits begin anew. What it learned so far it keeps: think of taking templates anew instead.

    Whoever may write the ledger may do this: the operator of the server or party. It works while the server runs.
    """
    with explained():
        from privis.privacy.answers.answer_ledger import AnswerLedger

        opened = AnswerLedger(path)
        ever = opened.account(client, gallery).ever
        opened.lift(client, gallery, reason)
        told = f"{ever.decisions:,} decisions and {ever.scores:,} scores that it was given stay known to it"
        out.print(f"{client} may ask about {gallery} again; {told}", markup=False, soft_wrap=True)


@answers.command(epilog=ANSWERS_EXIT_CODES)
def verify(path: LedgerPath, head: KnownHead = "") -> None:
    """Recompute the chain and all counts from the file; exit code 1 when something is wrong."""
    with explained():
        from privis.privacy.answers.answer_ledger import AnswerLedger

        tell_audit(path, AnswerLedger(path).verify(head), "lines", "accounts")
