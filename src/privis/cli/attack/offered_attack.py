"""What a command of attacks is made of: what it was asked, an attack that is offered, and what one gives back."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from privis.attack.attack_finding import AttackFinding
from privis.file_formats import FileFormat
from privis.report.elements import FigureGroup

Show = Callable[[float], None]
"""Takes the share of an attack that is done, in [0, 1]."""


@dataclass(frozen=True)
class AttackOptions:
    """What the command was given; None: not given.

    Args:
        against: path or address of what is attacked, as given.
        found: what is at the path by its content; None: an address.
        public: folder of pictures of other people, or things, that the attacker learns from.
        originals: pictures that rows of a table were computed from, for the count of hits alone.
        known: pictures of known people, one sub-folder each, that the attacker has.
        members: pictures that a model was trained on, a sub-folder for each class.
        non_members: pictures that it was not trained on, likewise.
        attribute_from: where it stands what attribute a picture has, as of ``subject_from``.
        subject_from: where it stands whose a picture is.
        feature: what computed the rows, where a card does not say it whole: its name.
        parameters: its parameters, NAME=VALUE.
        post: public steps after it, as of ``privis extract --post``.
        most: rows that slow attacks look at, evenly chosen.
        pictures: whether reconstructions are drawn.
        keys: of a server: folder of the attacker's keys.
        token_file: of a server: the attacker's token.
        authority: of a server: certificate that is trusted.
        release_of: another table of the same people or pictures, whose rows are looked up.
    """

    against: str
    found: FileFormat | None
    public: Path | None = None
    originals: Path | None = None
    known: Path | None = None
    members: Path | None = None
    non_members: Path | None = None
    attribute_from: str | None = None
    subject_from: str = "folder"
    feature: str | None = None
    parameters: tuple[str, ...] = ()
    post: str | None = None
    most: int = 50
    pictures: bool = False
    keys: Path | None = None
    token_file: Path | None = None
    authority: Path | None = None
    release_of: Path | None = None


@dataclass(frozen=True)
class Attacked:
    """What one attack gives back.

    Args:
        findings: its figures.
        pictures: reconstructions beside originals; shown on the page alone.
        warnings: what went otherwise than asked, a sentence each.
        failed: files that could not be used.
    """

    findings: tuple[AttackFinding, ...]
    pictures: tuple[FigureGroup, ...] = ()
    warnings: tuple[str, ...] = ()
    failed: tuple[str, ...] = ()


@dataclass(frozen=True)
class OfferedAttack:
    """An attack against one kind of output.

    Args:
        name: as ``--with`` spells it, and as findings name it.
        summary: what the attacker does, in half a sentence.
        needs: options without which it does not run, as they are spelled: ``--known``.
        run: does it; yields what it finds, whenever it knows something.
    """

    name: str
    summary: str
    needs: tuple[str, ...]
    run: Callable[[AttackOptions, Show], Iterator[Attacked]]

    def missing(self, options: AttackOptions) -> tuple[str, ...]:
        """Which of its needs were not given."""
        return tuple(need for need in self.needs if getattr(options, need.lstrip("-").replace("-", "_")) is None)
