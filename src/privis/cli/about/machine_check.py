"""``privis doctor``."""

from __future__ import annotations

from typing import Annotated

import typer
from rich.markup import escape
from rich.table import Table

from privis.cli.console import err, explained, out


def doctor(
    measure: Annotated[bool, typer.Option("--measure", help="Time features, noise and three parties as well.")] = False,
    calibrate: Annotated[
        bool, typer.Option("--calibrate", help="Measure this machine instead and keep its speeds for predictions.")
    ] = False,
) -> None:
    """Check this machine: versions, extras and what is known of its speed; seconds where they are asked for."""
    with explained():
        from privis.cli.doctor import calibration, findings

        table = Table("check", "found", "")
        with err.status("doctor") as status:
            say = status.update if err.is_terminal else err.print
            for finding in calibration(say) if calibrate else findings(measure):
                table.add_row(finding.check, finding.found, escape(finding.advice))
        out.print(table)
