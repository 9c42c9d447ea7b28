"""``privis help``."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from privis.cli.shell.once import HELP_NAMES


def help_of(
    ctx: typer.Context,
    command: Annotated[
        list[str] | None, typer.Argument(metavar="[COMMAND]", help="As in: privis help mpc run.")
    ] = None,
) -> None:
    """Show what privis does, or how one of its commands is used."""
    root: Any = ctx.find_root()
    root.command.main([*(command or []), HELP_NAMES[1]], prog_name=root.info_name)
