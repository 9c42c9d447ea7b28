"""What went into a run and what came out, counted and digested, so that nothing is lost or doubled unsaid.

The digest of many names is the SHA-256 of their own SHA-256 digests, sorted and joined, each as often as the name is
there. Every digest has 32 bytes, so that the joined ones stand for one multiset of digests alone, and two multisets of
names with one digest are a collision of SHA-256; the order in which names come does not matter.

Evolution of the format: ``format`` names it. Keys may be added under the same number, readers skip those that they do
not know; a key that goes, or means something else, takes the next number, which earlier readers refuse.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

from privis.errors import OutputError, Problem, refuse
from privis.io.completeness.name_partition import RecordRole, TaggedName, partitioned

FORMAT = "privis.completeness/1"
METADATA = "privis.completeness"
"""Of a table, under which its statement stands."""
SHOWN = 20
"""Names of differences that are kept to be shown."""


@dataclass(frozen=True)
class NameSet:
    """Names in no order, each as often as it is there.

    Args:
        count: how many.
        sha256: of their sorted SHA-256 digests, hexadecimal.
    """

    count: int
    sha256: str


@dataclass(frozen=True)
class Completeness:
    """What one run read, wrote and refused.

    Args:
        sources: what it was given.
        rows: names of the rows that it wrote.
        refused: names that it listed as failures, with a reason each.

    >>> stated, differences = completeness(["a", "b", "c"], ["c", "a"], ["b"])
    >>> stated.balanced, differences.total
    (True, 0)
    >>> completeness(["c", "a", "b"], ["a", "c"], ["b"])[0] == stated
    True
    """

    sources: NameSet
    rows: NameSet
    refused: NameSet

    @property
    def balanced(self) -> bool:
        """Whether as many came out as went in."""
        return self.sources.count == self.rows.count + self.refused.count

    def to_dict(self) -> dict[str, Any]:
        """Give the statement for JSON.

        Returns:
            Format, and count and digest of each of the three.
        """
        return {"format": FORMAT, **asdict(self)}

    def to_json(self) -> str:
        """Give the statement as one line.

        Returns:
            JSON.
        """
        return json.dumps(self.to_dict())

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Completeness:
        """Read a statement.

        Args:
            values: as `to_dict` gives them.

        Returns:
            The statement.

        Raises:
            ValueError: they are none of this format.
        """
        try:
            if values["format"] != FORMAT:
                raise ValueError(f"a statement of the format {str(values['format'])[:40]}")
            return cls(*(_name_set(values[name]) for name in ("sources", "rows", "refused")))
        except (KeyError, TypeError, AttributeError) as error:
            raise ValueError(f"no statement of completeness ({type(error).__name__} {error})") from None


def _name_set(values: Mapping[str, Any]) -> NameSet:
    count, digest = values["count"], values["sha256"]
    if isinstance(count, bool) or not isinstance(count, int) or count < 0 or not isinstance(digest, str):
        raise ValueError("no count and digest in a statement of completeness")
    return NameSet(count, digest)


def stated_in(metadata: Mapping[str, str]) -> Completeness | None:
    """Give the statement in a table's metadata.

    Args:
        metadata: of the table.

    Returns:
        The statement; None where there is none.

    Raises:
        ValueError: there is one that cannot be read.
    """
    text = metadata.get(METADATA)
    if text is None:
        return None
    try:
        return Completeness.from_dict(json.loads(text))
    except RecursionError:
        raise ValueError("no statement of completeness (nested too deeply)") from None


class DifferenceKind(StrEnum):
    """How a name can be wrong."""

    LOST = "lost"
    DUPLICATED = "duplicated"
    FOREIGN = "foreign"


@dataclass(frozen=True)
class Difference:
    """A name that did not come out as often as it went in.

    Args:
        name: of the record.
        kind: lost, duplicated, or foreign: never given.
        sources: how often it was given.
        rows: how many rows it has.
        refused: how often it was refused.
    """

    name: str
    kind: DifferenceKind
    sources: int
    rows: int
    refused: int


@dataclass(frozen=True)
class Differences:
    """What came out otherwise than it went in.

    Args:
        counts: names by kind.
        first: at most `SHOWN` of each kind, by name.
    """

    counts: Mapping[DifferenceKind, int]
    first: Mapping[DifferenceKind, tuple[Difference, ...]]

    @property
    def total(self) -> int:
        """How many names are wrong."""
        return sum(self.counts.values())

    def sentences(self) -> list[str]:
        """Say for each kind how many names there are, and the first.

        Returns:
            A sentence for each kind of which there are some.
        """
        return [
            f"{self.counts[kind]:,} {kind}: {', '.join(each.name for each in first)}"
            f"{' …' if self.counts[kind] > len(first) else ''}"
            for kind, first in self.first.items()
            if first
        ]


def completeness(
    sources: Iterable[str], rows: Iterable[str], refused: Iterable[str], *, scratch: Path | None = None
) -> tuple[Completeness, Differences]:
    """Compare what went in with what came out, as `compared` does.

    Args:
        sources: names that went in.
        rows: names of rows that came out.
        refused: names that were refused.
        scratch: folder of temporary files; None: that of the system.

    Returns:
        The statement, and what differs.

    Raises:
        OutputError: the temporary files cannot be written.
    """
    tagged = ((RecordRole.SOURCE, sources), (RecordRole.ROW, rows), (RecordRole.REFUSED, refused))
    return compared(((role, name) for role, names in tagged for name in names), scratch=scratch)


def compared(
    names: Iterable[tuple[RecordRole, str]],
    *,
    scratch: Path | None = None,
    on_difference: Callable[[Difference], None] = lambda difference: None,
) -> tuple[Completeness, Differences]:
    """Compare what went in with what came out, in memory for a 64th of all names.

    A name that was given n times has to come out n times, as rows or refused. The statement is a function of the three
    multisets, whatever their order.

    Args:
        names: all of them, each with what it stands for.
        scratch: folder of temporary files; None: that of the system.
        on_difference: called with every name that is wrong, in no order that means anything.

    Returns:
        The statement, and what differs.

    Raises:
        OutputError: the temporary files cannot be written.
    """
    hashes = {role: hashlib.sha256() for role in RecordRole}
    totals: Counter[RecordRole] = Counter()
    counts: Counter[DifferenceKind] = Counter()
    first: dict[DifferenceKind, list[Difference]] = {kind: [] for kind in DifferenceKind}
    for group in partitioned(names, scratch):
        for role, digests in _digests(group).items():
            hashes[role].update(b"".join(digests))
            totals[role] += len(digests)
        for difference in _differences(group):
            counts[difference.kind] += 1
            if len(first[difference.kind]) < SHOWN:
                first[difference.kind].append(difference)
            on_difference(difference)
    stated = [NameSet(totals[role], hashes[role].hexdigest()) for role in RecordRole]
    ordered = {kind: tuple(sorted(found, key=lambda each: each.name)) for kind, found in first.items()}
    return Completeness(*stated), Differences({kind: counts[kind] for kind in DifferenceKind}, ordered)


def require_none(differences: Differences, output: Path) -> None:
    """Refuse to write an output that lost or doubled records.

    Args:
        differences: what differs.
        output: that was to be written, for the message.

    Raises:
        OutputError: something differs; it names the first.
    """
    remedy = "the same command goes on from what is finished"
    refuse(
        OutputError,
        [
            Problem(str(output), sentence, "each record that was given once as a row or a failure", remedy)
            for sentence in differences.sentences()
        ],
    )


def _digests(group: list[TaggedName]) -> dict[RecordRole, list[bytes]]:
    found: dict[RecordRole, list[bytes]] = {role: [] for role in RecordRole}
    for entry in group:
        found[entry.role].append(entry.digest)
    return {role: sorted(digests) for role, digests in found.items()}


def _differences(group: list[TaggedName]) -> Iterator[Difference]:
    seen: dict[str, list[int]] = {}
    for _, role, name in group:
        seen.setdefault(name, [0, 0, 0])[role] += 1
    for name, (given, rows, refused) in seen.items():
        came = rows + refused
        if came == given:
            continue
        if came < given:
            kind = DifferenceKind.LOST
        else:
            kind = DifferenceKind.DUPLICATED if given else DifferenceKind.FOREIGN
        yield Difference(name, kind, given, rows, refused)
