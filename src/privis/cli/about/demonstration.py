"""``privis demo``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from privis.cli.console import err, explained, out


def demo(
    output: Annotated[Path, typer.Option(help="Folder for the report.")] = Path("demo"),
) -> None:
    """Extract features from sample images with every protection there is, and draw a report."""
    with explained():
        from privis.demo import run

        with err.status("demo") as status:
            result = run(output, lambda step: status.update(step) if err.is_terminal else err.print(step, markup=False))
        table = Table(
            "feature", "protection", "who saw the image", "what the result may say", "ms per image", "distance"
        )
        for row in result.rows:
            table.add_row(
                row.feature,
                row.protection,
                row.saw,
                row.guarantee,
                f"{1000 * row.seconds:.1f}",
                f"{row.difference:.3g}",
            )
        out.print(table)
        out.print(f"Open {result.report} in a browser.", markup=False)
