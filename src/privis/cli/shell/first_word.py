"""A group of commands that is a command itself, where its first word is none of its commands.

``privis detect photos`` looks at pictures and ``privis detect train …`` trains. What has the name of a command is given
as a path: ``privis detect ./train``.
"""

from __future__ import annotations

from typing import Any

from privis.cli.shell.once import OnceGroup

PICTURES = "PICTURES…"
"""The name of the command that is meant where none is named: no path that anybody types."""


class FirstWordGroup(OnceGroup):
    """A group whose first word may be a picture; its help is that of the command of pictures."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Parse as always, after the command of pictures was put first where none is named."""
        if not args:
            args = ["--help"]
        return super().parse_args(ctx, args if args[0] in self.commands else [PICTURES, *args])

    def resolve_command(self, ctx: Any, args: list[str]) -> tuple[str | None, Any, list[str]]:
        """The command; that of pictures has no name of its own in what it says of its use."""
        name, command, rest = super().resolve_command(ctx, args)
        return "" if name == PICTURES else name, command, rest
