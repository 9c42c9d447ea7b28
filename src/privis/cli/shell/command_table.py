"""``CommandTable``: commands that are loaded when they are asked for: none starts with all the others."""

from __future__ import annotations

import importlib
from collections.abc import Iterator, Mapping, MutableMapping
from dataclasses import dataclass
from typing import Any

import typer
from typer.main import get_group

from privis.cli.shell.once import OnceGroup, given_once


@dataclass(frozen=True)
class CommandPlace:
    """Where a command is.

    Args:
        module: that has it.
        attribute: a function, or a `typer.Typer` with the commands of a group.
        epilog: below its help; None: nothing, or what the group says.
    """

    module: str
    attribute: str
    epilog: str | None = None

    def command(self, name: str) -> Any:
        """Import the module and make the command of what is there.

        Args:
            name: by which it is called.

        Returns:
            A command or a group, as typer runs it.
        """
        found = getattr(importlib.import_module(self.module), self.attribute)
        single = typer.Typer(rich_markup_mode="rich")
        if isinstance(found, typer.Typer):
            single.add_typer(found)
        else:
            single.command(name, epilog=self.epilog)(found)
        given_once(single)
        return get_group(single).commands[name]


class CommandTable(MutableMapping[str, Any]):
    """Commands by name, each loaded when it is first looked up; to know the names, none is."""

    def __init__(self, places: Mapping[str, CommandPlace]) -> None:
        self._places, self._loaded = dict(places), dict[str, Any]()

    def __getitem__(self, name: str) -> Any:
        if name not in self._loaded:
            self._loaded[name] = self._places[name].command(name)
        return self._loaded[name]

    def __setitem__(self, name: str, command: Any) -> None:
        self._loaded[name] = command

    def __delitem__(self, name: str) -> None:
        found = [table for table in (self._loaded, self._places) if name in table]
        if not found:
            raise KeyError(name)
        for table in found:
            del table[name]

    def __iter__(self) -> Iterator[str]:
        return iter(dict.fromkeys([*self._places, *self._loaded]))

    def __len__(self) -> int:
        return len(dict.fromkeys([*self._places, *self._loaded]))

    def __contains__(self, name: object) -> bool:
        return name in self._places or name in self._loaded


def group_of(places: Mapping[str, CommandPlace]) -> type[OnceGroup]:
    """Make the class of a group whose commands are in other places.

    Args:
        places: of commands by name, in the order in which help lists them.

    Returns:
        What a `typer.Typer` takes as ``cls``.
    """

    class TableGroup(OnceGroup):
        """A group of commands that are loaded when they are asked for."""

        def __init__(self, *words: Any, **settings: Any) -> None:
            super().__init__(*words, **settings)
            self.commands = CommandTable(places)

    return TableGroup
