"""An index as it was at one moment: its fragments, the keys that are left, and what is kept in memory of them.

Rows are numbered through the blocks whose keys are there, fragment by fragment. Whatever another process replaces
meanwhile is either read as it was, or not at all: `FragmentGone`.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from privis.errors import ParameterError, Problem
from privis.stores.conditions import fitting
from privis.stores.exact_scan import ExactScan
from privis.stores.parquet.fragments import Fragment, FragmentGone
from privis.stores.parquet.row_parts import chosen
from privis.stores.parquet.store_files import StoreFolder, StoreManifest
from privis.stores.parquet.store_state import manifest_of, state_of
from privis.stores.sealing.key_ring import KeyRing
from privis.stores.sealing.subject_keys import SubjectKeys
from privis.stores.vector_rows import Value, VectorRows
from privis.stores.vector_store import Condition

Blocks = NDArray[np.int64]
ATTEMPTS = 20
"""How often a reader begins again because a writer replaced what it was about to read."""

_TYPES = {"str": pa.string(), "int": pa.int64(), "float": pa.float64(), "bool": pa.bool_()}
_ROWS_AT_ONCE = 1 << 14


@dataclass(frozen=True, eq=False)
class StoreSnapshot:
    """What a store holds at one moment.

    Args:
        folder: of the index.
        token: bytes that are equal only while nothing was changed.
        manifest: what it is made of.
        ring: keys of the people that are in it.
        fragments: that can be read.
        live: of each, the blocks that count, ascending.
        damage: what cannot be read, where somebody asked for what is left.
    """

    folder: StoreFolder
    token: bytes
    manifest: StoreManifest
    ring: KeyRing
    fragments: tuple[Fragment, ...]
    live: tuple[Blocks, ...] = field(repr=False)
    damage: tuple[Problem, ...] = ()
    _kept: dict[str, Any] = field(default_factory=dict, repr=False)  # codes, and columns by fragment

    @classmethod
    def read(
        cls, folder: StoreFolder, keys: SubjectKeys, previous: StoreSnapshot | None = None, partial: bool = False
    ) -> StoreSnapshot:
        """Read what is there, beside a writer or without one.

        Args:
            folder: of the index.
            keys: its file of keys.
            previous: an earlier one, whose fragments are not read again where they are still there.
            partial: leave out what is damaged instead of refusing it.

        Returns:
            The store at one moment.

        Raises:
            ParameterError: manifest, keys or fragments are damaged or lost; each names its file. Or a writer
                changes the store all the time.
        """
        for attempt in range(ATTEMPTS):
            if attempt:
                time.sleep(0.01 * attempt)
            token = state_of(folder, keys, partial)
            if previous is not None and previous.token == token:
                return previous
            found, problems = cls._at(folder, keys, token, previous, partial)
            if not problems:
                return found
            if state_of(folder, keys, partial) == token:  # nobody changes it: it is damaged
                if partial:
                    return found
                raise ParameterError(*problems, *found.usable())
        got = "a change at every attempt to read it"
        raise ParameterError(Problem(str(folder.path), got, "an index that rests for a moment", "try again"))

    @classmethod
    def _at(
        cls, folder: StoreFolder, keys: SubjectKeys, token: bytes, previous: StoreSnapshot | None, partial: bool
    ) -> tuple[StoreSnapshot, list[Problem]]:
        problems: list[Problem] = []
        manifest = manifest_of(folder, keys, partial, problems)
        if manifest.store_id != keys.store_id:
            got, expected = "another index than was opened", f"the index {keys.store_id}"
            raise ParameterError(Problem(str(folder.path), got, expected, "open it again"))
        dropped, ring = folder.read_journal(), keys.read()
        if dropped:
            ring = ring.without(dropped)
        known = {} if previous is None else {one.path: one for one in previous.fragments}
        fragments, live, lost = [], [], 0
        for name in manifest.fragments:
            path = folder.fragment(name)
            try:
                one = known.get(path) if path.exists() else None
                one = one or Fragment.open(folder, manifest, name)
            except FragmentGone:
                problems.append(Problem(str(path), "no such file", "a fragment that store.json names"))
            except ParameterError as error:
                problems += error.problems
            else:
                fragments.append(one)
                there = ring.places(one.keys) >= 0
                lost += int(one.counts[~there & ~np.isin(one.keys, dropped)].sum())
                live.append(np.flatnonzero(there))
        if lost:
            got = f"no keys for {lost:,} rows"
            problems.append(Problem(str(keys.path), got, "the keys of all rows", "an older copy of it cannot help"))
        return cls(folder, token, manifest, ring, tuple(fragments), tuple(live), tuple(problems)), problems

    def usable(self) -> list[Problem]:
        """Say how much can still be read where something cannot.

        Returns:
            One sentence with what to do, as a problem of the folder.
        """
        all_rows = sum(self.manifest.fragments.values())
        got = f"{self.rows:,} of {all_rows:,} rows in {len(self.fragments)} other fragments that seem whole"
        remedy = "open what is left, read-only, with partial=True, or put the files back from a copy"
        return [Problem(str(self.folder.path), got, "all of them", remedy)]

    def without_damage(self) -> StoreSnapshot:
        """Read everything and leave out the blocks that are not what was written.

        Returns:
            What can be read; ``damage`` tells of the rest.
        """
        fragments, live, damage = [], [], list(self.damage)
        for one, blocks in zip(self.fragments, self.live, strict=True):
            try:
                whole = blocks[[content is not None for content in one.unsealed(blocks, self.ring)]]
            except FragmentGone:
                damage.append(Problem(str(one.path), "no such file", "a fragment that store.json names"))
            except ParameterError as error:
                damage += error.problems
            else:
                if len(whole) < len(blocks):
                    damage.append(_damaged(one, len(blocks) - len(whole), len(blocks)))
                fragments.append(one)
                live.append(whole)
        return StoreSnapshot(
            self.folder, self.token, self.manifest, self.ring, tuple(fragments), tuple(live), tuple(damage)
        )

    @property
    def rows(self) -> int:
        """How many rows there are."""
        return sum(int(one.counts[blocks].sum()) for one, blocks in zip(self.fragments, self.live, strict=True))

    def rows_by_key(self) -> Mapping[int, int]:
        """Rows by the number of each key that has some, in ascending order of the numbers."""
        if not self.fragments:
            return {}
        keys = np.concatenate([one.keys[blocks] for one, blocks in zip(self.fragments, self.live, strict=True)])
        counts = np.concatenate([one.counts[blocks] for one, blocks in zip(self.fragments, self.live, strict=True)])
        found, inverse = np.unique(keys, return_inverse=True)
        sums = np.bincount(inverse, counts, len(found)).astype(np.int64)
        return dict(zip(found.tolist(), sums.tolist(), strict=True))

    @property
    def has_codes(self) -> bool:
        """Whether codes are in memory."""
        return "codes" in self._kept

    def block_places(self) -> tuple[Blocks, Blocks, Blocks]:
        """Give where all blocks are, in the order of their rows; kept in memory.

        Returns:
            Of each block the number after its last row, its place in its fragment, and which fragment that is.
        """
        if "places" not in self._kept:
            counts = [one.counts[blocks] for one, blocks in self._parts()] or [np.empty(0, np.int64)]
            fragments = np.repeat(np.arange(len(self.live)), [len(blocks) for blocks in self.live])
            blocks = np.concatenate([*self.live] or [np.empty(0, np.int64)])
            self._kept["places"] = (np.cumsum(np.concatenate(counts)), blocks, fragments)
        found: tuple[Blocks, Blocks, Blocks] = self._kept["places"]
        return found

    def codes(self, previous: StoreSnapshot | None = None) -> ExactScan:
        """Give the codes of all vectors, which are kept in memory.

        Args:
            previous: whose codes are copied where their fragments are the same.

        Returns:
            Codes by row.
        """
        if "codes" not in self._kept:
            self._kept["codes"] = self._coded(previous)
        found: ExactScan = self._kept["codes"]
        return found

    def _coded(self, previous: StoreSnapshot | None) -> ExactScan:
        total, components = self.rows, self.manifest.space.components
        made = ExactScan(np.empty((total, components), np.int8), *(np.empty(total, np.float32) for _ in range(3)))
        earlier = {} if previous is None or not previous.has_codes else previous._spans()
        for (one, blocks), (start, end) in zip(self._parts(), self._spans().values(), strict=True):
            known = earlier.get((one.path, blocks.tobytes()))
            if known is not None and previous is not None:
                source, taken = previous._kept["codes"], slice(*known)
            else:
                source, taken = ExactScan.of(one.vectors(self.contents(one, blocks), blocks)), slice(None)
            for name in ("codes", "scales", "lengths", "residuals"):
                getattr(made, name)[start:end] = getattr(source, name)[taken]
        return made

    def _parts(self) -> Iterable[tuple[Fragment, Blocks]]:
        return zip(self.fragments, self.live, strict=True)

    def _spans(self) -> dict[tuple[Any, bytes], tuple[int, int]]:
        """First and last row of each fragment, by its path and blocks."""
        found, end = {}, 0
        for one, blocks in self._parts():
            start, end = end, end + int(one.counts[blocks].sum())
            found[one.path, blocks.tobytes()] = (start, end)
        return found

    def contents(self, one: Fragment, blocks: Blocks) -> list[bytes]:
        """Unseal blocks of a fragment, all of which must be whole.

        Args:
            one: the fragment.
            blocks: which, ascending.

        Returns:
            The content of each.

        Raises:
            FragmentGone: it was replaced meanwhile.
            ParameterError: a block is damaged.
        """
        given = one.unsealed(blocks, self.ring)
        found = [content for content in given if content is not None]
        if len(found) < len(given):
            all_rows, here = self.rows, int(one.counts[self.live[self.fragments.index(one)]].sum())
            got = f"{all_rows - here:,} of {all_rows:,} rows in other fragments"
            remedy = "open what is left, read-only, with partial=True, or put the file back from a copy"
            left = Problem(str(self.folder.path), got, "all of them", remedy)
            raise ParameterError(_damaged(one, len(given) - len(found), len(given)), left)
        return found

    def read_rows(self, one: Fragment, blocks: Blocks) -> VectorRows:
        """Read rows of a fragment.

        Args:
            one: the fragment.
            blocks: which of its blocks, ascending.

        Returns:
            Their rows, with every column that the store has.
        """
        contents = self.contents(one, blocks)
        sources, told = one.texts(contents, blocks)
        ids = tuple(name for each in told for name in each["ids"])
        metadata = {name: tuple(_column(told, name)) for name in self.manifest.columns}
        return VectorRows(ids, self._subjects(one, blocks), tuple(sources), one.vectors(contents, blocks), metadata)

    def _subjects(self, one: Fragment, blocks: Blocks) -> tuple[str, ...]:
        names = self.ring.subjects(self.ring.places(one.keys[blocks]))
        return tuple(name for name, count in zip(names, one.counts[blocks].tolist(), strict=True) for _ in range(count))

    def columns(self, one: Fragment, blocks: Blocks, wanted: Iterable[str]) -> dict[str, pa.Array]:
        """Give columns of a fragment; those that are not names of people or digests are kept in memory.

        Args:
            one: the fragment.
            blocks: its blocks that count.
            wanted: names of columns, ``id``, ``subject`` and ``source`` among them.

        Returns:
            Values by column, in the order of the rows.
        """
        kept = self._kept.setdefault("columns", {}).setdefault((one.path, blocks.tobytes()), {})
        missing = set(wanted) - kept.keys() - {"subject"}
        found = {}
        if missing:
            digests, told = one.texts(self.contents(one, blocks), blocks)
            values: dict[str, Any] = {"source": digests, "id": [name for each in told for name in each["ids"]]}
            values |= {name: _column(told, name) for name in missing - values.keys()}
            found = {name: pa.array(values[name], _TYPES[self._type(name)]) for name in missing}
            kept |= {name: array for name, array in found.items() if name != "source"}
        if "subject" in wanted:
            found["subject"] = pa.array(self._subjects(one, blocks), pa.string())
        return {**kept, **found}

    def _type(self, column: str) -> str:
        return self.manifest.columns.get(column, "str")

    def taking(self, previous: StoreSnapshot | None) -> StoreSnapshot:
        """Keep the columns that an earlier one read of fragments that are still the same.

        Args:
            previous: the earlier one.

        Returns:
            Itself.
        """
        if previous is not None and previous is not self:
            parts = {(one.path, blocks.tobytes()) for one, blocks in self._parts()}
            earlier = previous._kept.get("columns", {})
            self._kept["columns"] = {part: columns for part, columns in earlier.items() if part in parts}
        return self

    def fitting(self, where: Sequence[Condition]) -> NDArray[np.bool_]:
        """Say which rows conditions hold for.

        Args:
            where: the conditions.

        Returns:
            (rows,), True where all hold.
        """
        wanted = {condition.column for condition in where}
        parts = [
            fitting(where, self.columns(one, blocks, wanted), int(one.counts[blocks].sum()))
            for one, blocks in self._parts()
        ]
        return np.concatenate(parts) if parts else np.empty(0, np.bool_)

    def all_rows(self, where: Sequence[Condition]) -> Iterator[VectorRows]:
        """Read the rows that conditions hold for, a fragment at a time.

        Args:
            where: the conditions.

        Yields:
            Some thousand rows.
        """
        for one, blocks in self._parts():
            starts = np.cumsum(one.counts[blocks]) // _ROWS_AT_ONCE
            for some in np.split(blocks, np.flatnonzero(np.diff(starts)) + 1):
                rows = self.read_rows(one, some)
                if where:
                    rows = chosen(rows, self._fits(rows, where))
                if len(rows):
                    yield rows

    def _fits(self, rows: VectorRows, where: Sequence[Condition]) -> NDArray[np.bool_]:
        named = {"id": rows.ids, "subject": rows.subjects, "source": rows.sources, **rows.metadata}
        arrays = {name: pa.array(named[name], _TYPES[self._type(name)]) for name in {each.column for each in where}}
        return fitting(where, arrays, len(rows))


def _column(told: Sequence[Mapping[str, Any]], name: str) -> list[Value]:
    """Values of a column from what blocks say of theirs."""
    found: list[Value] = []
    for each in told:
        values = each["columns"].get(name)
        found += [None] * len(each["ids"]) if values is None else values
    return found


def _damaged(one: Fragment, damaged: int, blocks: int) -> Problem:
    got = f"{damaged:,} of {blocks:,} sealed blocks that are damaged"
    return Problem(str(one.path), got, "blocks as they were written, under the keys of this index")
