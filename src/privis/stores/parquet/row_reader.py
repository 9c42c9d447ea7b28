"""Reads some rows of an index from their places in the files: what a search needs of vectors, ids and metadata."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator, Mapping

import numpy as np
from numpy.typing import NDArray

from privis.errors import ParameterError, Problem
from privis.stores.parquet.fragments import BLOCK, Fragment
from privis.stores.parquet.store_snapshot import StoreSnapshot
from privis.stores.vector_rows import Value

_KEPT = (64 << 20) // BLOCK  # blocks that are kept unsealed while one search runs


class RowReader:
    """Rows of a snapshot by their numbers; it lives as long as one search.

    Args:
        snapshot: of the store.
    """

    def __init__(self, snapshot: StoreSnapshot) -> None:
        self.snapshot = snapshot
        self._ends, self._blocks, self._fragments = snapshot.block_places()
        self._unsealed: OrderedDict[int, bytes] = OrderedDict()

    def vectors(self, rows: NDArray[np.int64]) -> NDArray[np.float32]:
        """Read the vectors of some rows.

        Args:
            rows: their numbers.

        Returns:
            float32 (rows, components).

        Raises:
            FragmentGone: a fragment was replaced meanwhile.
            ParameterError: what is stored of them is damaged.
        """
        made = np.empty((len(rows), self.snapshot.manifest.space.components), np.float32)
        for one, block, content, places, inside in self._held(rows):
            made[places] = one.vectors([content], block)[inside]
        return made

    def described(self, rows: NDArray[np.int64]) -> tuple[tuple[str, ...], tuple[Mapping[str, Value], ...]]:
        """Read ids and metadata of some rows.

        Args:
            rows: their numbers.

        Returns:
            Ids, and the columns of each.

        Raises:
            FragmentGone: a fragment was replaced meanwhile.
            ParameterError: what is stored of them is damaged.
        """
        ids, columns = [""] * len(rows), [{}] * len(rows)
        for one, block, content, places, inside in self._held(rows):
            _, (told,) = one.texts([content], block)
            for place, row in zip(places.tolist(), inside.tolist(), strict=True):
                ids[place] = told["ids"][row]
                given = told["columns"]
                columns[place] = {
                    name: given[name][row] if name in given else None for name in self.snapshot.manifest.columns
                }
        return tuple(ids), tuple(columns)

    def _held(
        self, rows: NDArray[np.int64]
    ) -> Iterator[tuple[Fragment, NDArray[np.int64], bytes, NDArray[np.int64], NDArray[np.int64]]]:
        """By block: its fragment, place and content, which of the asked rows it holds, and where in it they are."""
        held = np.searchsorted(self._ends, rows, "right")
        order = np.argsort(held, kind="stable")
        parts = np.split(order, np.flatnonzero(np.diff(held[order])) + 1) if len(rows) else []
        needed = {int(held[places[0]]): places for places in parts}
        for number, content in self._contents(np.array(list(needed), np.int64)):
            one, block, places = (
                self.snapshot.fragments[self._fragments[number]],
                self._blocks[[number]],
                needed[number],
            )
            begin = int(self._ends[number] - one.counts[block[0]])
            yield one, block, content, places, rows[places] - begin

    def _contents(self, numbers: NDArray[np.int64]) -> Iterator[tuple[int, bytes]]:
        missing = []
        for number in numbers.tolist():
            if number in self._unsealed:
                self._unsealed.move_to_end(number)
                yield number, self._unsealed[number]
            else:
                missing.append(number)
        absent = np.array(missing, np.int64)
        for part in np.unique(self._fragments[absent]).tolist():
            here, one = absent[self._fragments[absent] == part], self.snapshot.fragments[part]
            contents = one.picked(self._blocks[here], self.snapshot.ring)
            for number, content in zip(here.tolist(), contents, strict=True):
                if content is None:
                    got, expected = "a sealed block that is damaged", "blocks as they were written"
                    remedy = "open what is left, read-only, with partial=True, or put the file back from a copy"
                    raise ParameterError(Problem(str(one.path), got, expected, remedy))
                self._unsealed[number] = content
                if len(self._unsealed) > _KEPT:
                    self._unsealed.popitem(last=False)
                yield number, content
