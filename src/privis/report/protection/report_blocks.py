"""What a report is made of: statements with their kind, tables, figures and lists, in numbered sections."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import Enum

from privis.report.protection.report_words import Html, Words


class StatementKind(Enum):
    """How a statement is known."""

    MEASURED = "measured"
    DERIVED = "derived"
    DECLARED = "declared"
    UNVERIFIED = "unverified"
    LAWYER = "lawyer"


@dataclass(frozen=True)
class Fact:
    """One statement under a label.

    Args:
        label: what it is about; may be empty.
        text: the statement.
        kind: how it is known.
        number: of a heading in a standard or law, where it stands under one.
    """

    label: Html
    text: Html
    kind: StatementKind
    number: str = ""


@dataclass(frozen=True)
class Facts:
    """Statements one under another."""

    facts: tuple[Fact, ...]


@dataclass(frozen=True)
class Grid:
    """A table with a head.

    Args:
        caption: what it lists.
        heads: of the columns.
        rows: cells; the first of each row is its head.
        kind: how all of it is known; None where a column says it.
        numeric: indices of columns of figures.
    """

    caption: Html
    heads: tuple[Html, ...]
    rows: tuple[tuple[Html, ...], ...]
    kind: StatementKind | None = None
    numeric: frozenset[int] = frozenset()


@dataclass(frozen=True)
class Drawing:
    """A drawing that is HTML already, and what it shows."""

    drawing: Html
    caption: Html
    wide: bool = False


@dataclass(frozen=True)
class Note:
    """A paragraph; ``warns`` where the reader must not miss it, with its ``kind`` where it states something."""

    text: Html
    warns: bool = False
    kind: StatementKind | None = None


@dataclass(frozen=True)
class Checklist:
    """Things that somebody has to tick off."""

    caption: Html
    items: tuple[Html, ...]


@dataclass(frozen=True)
class Section:
    """A section or an annex.

    Args:
        anchor: of links to it.
        title: without its number.
        blocks: in order.
        sections: below it.
    """

    anchor: str
    title: Html
    blocks: tuple[Block, ...]
    sections: tuple[Section, ...] = ()


Block = Facts | Grid | Drawing | Note | Checklist


@dataclass(frozen=True)
class FactWriter:
    """Makes statements whose labels and texts are messages.

    Args:
        words: of the language.
        group: what the keys of its messages begin with: ``group.key`` is the text, ``group.label.key`` the label.
    """

    words: Words
    group: str

    def fact(self, key: str, kind: StatementKind, values: Mapping[str, object] | None = None, label: str = "") -> Fact:
        """Make a statement.

        Args:
            key: of the message.
            kind: how it is known.
            values: of the message.
            label: key of the label, where it is not that of the message.

        Returns:
            The statement.
        """
        heading = self.words.say(f"{self.group}.label.{label or key}")
        return Fact(heading, self.words.say(f"{self.group}.{key}", values), kind)

    def said(self, label: str, text: Html, kind: StatementKind) -> Fact:
        """Make a statement whose text is at hand.

        Args:
            label: key of the label.
            text: of the statement.
            kind: how it is known.

        Returns:
            The statement.
        """
        return Fact(self.words.say(f"{self.group}.label.{label}"), text, kind)


def joined(parts: Sequence[Html], words: Words) -> Html:
    """Join sentences as the language does.

    Args:
        parts: sentences.
        words: of the language.

    Returns:
        One text.
    """
    return Html(words.messages["between.sentences"].join(parts))
