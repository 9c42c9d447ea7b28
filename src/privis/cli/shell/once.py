"""An option that takes one value and is given twice is an error: the last would win, and nobody would notice."""

from __future__ import annotations

from collections import Counter
from typing import Any

import typer
from typer.core import TyperCommand, TyperGroup

HELP_NAMES = ["-h", "--help"]


class OnceCommand(TyperCommand):
    """A command that refuses a second value for an option that is no list."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Parse as always, after a look at how often every option is there."""
        _refuse_repeats(self, ctx, args)
        return super().parse_args(ctx, args)


class OnceGroup(TyperGroup):
    """A group of commands whose own options are given once, too."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Parse as always, after a look at how often every option is there."""
        _refuse_repeats(self, ctx, args)
        return super().parse_args(ctx, args)


def given_once(app: typer.Typer) -> None:
    """Make all commands of ``app``, and of all groups in it, refuse what is given twice."""
    given = app.info.cls
    app.info.cls = given if isinstance(given, type) and issubclass(given, OnceGroup) else OnceGroup
    for command in app.registered_commands:
        command.cls = OnceCommand
    for group in app.registered_groups:
        if group.typer_instance is not None:
            given_once(group.typer_instance)


def _refuse_repeats(command: Any, ctx: Any, args: list[str]) -> None:
    """End with a usage error that names every option that is given twice and is no list."""
    if ctx.resilient_parsing:  # a shell asks for completions
        return
    try:
        _, _, order = command.make_parser(ctx).parse_args(args=list(args))
    except Exception:  # whatever is wrong with these words, the parser says it when its turn comes
        return
    counts = Counter(each for each in order if each.param_type_name == "option")
    repeated = [
        f"{max(option.opts, key=len)} {'twice' if count == 2 else f'{count} times'}"
        for option, count in counts.items()
        if count > 1 and not option.multiple and not option.count and not option.is_eager
    ]
    if repeated:
        ctx.fail(f"got {', '.join(repeated)}, expected it once: only the last would count")
