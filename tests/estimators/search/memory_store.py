"""A store in memory, for tests of what is above stores: what it forgets is gone with the object."""

from __future__ import annotations

import operator
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from privis.stores import (
    Condition,
    Relation,
    Residue,
    ResidueSearch,
    SearchResult,
    StoreDescription,
    VectorRows,
    VectorSpace,
)
from privis.stores.vector_rows import Value

_COMPARED = {
    Relation.EQUAL: operator.eq, Relation.NOT_EQUAL: operator.ne, Relation.LESS: operator.lt,
    Relation.AT_MOST: operator.le, Relation.GREATER: operator.gt, Relation.AT_LEAST: operator.ge,
}  # fmt: skip


@dataclass(eq=False)
class MemoryStore:
    space: VectorSpace
    held: dict[str, tuple[str, str, np.ndarray, dict[str, Value]]] = field(default_factory=dict)
    adds: list[int] = field(default_factory=list)

    def describe(self) -> StoreDescription:
        columns = {name: type(value).__name__ for *_, row in self.held.values() for name, value in row.items()}
        return StoreDescription(
            "memory", "", "0" * 32, self.space, len(self.held), len(self.subjects()), columns, False, 0
        )

    def subjects(self) -> Mapping[str, int]:
        return Counter(subject for subject, *_ in self.held.values())

    def add(self, rows: VectorRows) -> int:
        assert rows.vectors.shape[1] == self.space.components
        replaced = sum(name in self.held for name in rows.ids)
        for place, name in enumerate(rows.ids):
            told = {column: values[place] for column, values in rows.metadata.items()}
            self.held[name] = rows.subjects[place], rows.sources[place], rows.vectors[place], told
        self.adds.append(len(rows))
        return replaced

    def rows(self, where: Sequence[Condition] = ()) -> Iterator[VectorRows]:
        names = [name for name in self.held if self._fits(name, where)]
        columns = sorted({column for name in names for column in self.held[name][3]})
        for start in range(0, len(names), 3):
            some = names[start : start + 3]
            told = {column: tuple(self.held[name][3].get(column) for name in some) for column in columns}
            subjects, sources = (tuple(self.held[name][place] for name in some) for place in (0, 1))
            yield VectorRows(tuple(some), subjects, sources, np.stack([self.held[name][2] for name in some]), told)

    def search(
        self, queries: Any, top: int, where: Sequence[Condition] = (), approximate: bool = False
    ) -> SearchResult:
        names = [name for name in self.held if self._fits(name, where)]
        if not names:
            return SearchResult(((),) * len(queries), (np.zeros(0),) * len(queries), ((),) * len(queries))
        scores = np.asarray(queries, np.float64) @ np.stack([self.held[name][2] for name in names]).T
        order = np.argsort(-scores, axis=1, kind="stable")[:, :top]
        return SearchResult(
            tuple(tuple(names[place] for place in row) for row in order),
            tuple(np.take_along_axis(scores, order, 1)),
            tuple(tuple(self.held[names[place]][3] for place in row) for row in order),
        )

    def erase(self, subjects: Sequence[str]) -> Residue:
        gone = [name for name, (subject, *_) in self.held.items() if subject in subjects]
        vectors = np.stack([self.held.pop(name)[2] for name in gone])
        return Residue(vectors, (), (*gone, *subjects))

    def verify_erased(self, residue: Residue) -> ResidueSearch:
        remains = tuple(name for name in residue.texts if name in self.held)
        return ResidueSearch(("memory",), ("float32",), 0, remains)

    def _fits(self, name: str, where: Sequence[Condition]) -> bool:
        subject, source, _, told = self.held[name]
        row = {"id": name, "subject": subject, "source": source, **told}
        return all(
            row.get(each.column) is not None and _COMPARED[each.relation](row[each.column], each.value)
            for each in where
        )
