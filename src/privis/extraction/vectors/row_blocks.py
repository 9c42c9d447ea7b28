"""Rows to release in blocks: their streams and their noise are never held for all of a large matrix."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

import numpy as np
import numpy.typing as npt

from privis.extraction.card import Card
from privis.extraction.vectors.charged_rows import VectorRow
from privis.extraction.vectors.vector_values import BLOCK_ROWS
from privis.identity import pair_identities, row_identities
from privis.privacy import DirectionRelease, Guarantee, NoiseStream, Release, ReleaseKey


@dataclass(frozen=True, eq=False)
class Charged:
    """A release that is charged, and drawn when its rows are written: a table of any size needs no room for both.

    Args:
        blocks: gives the rows in order, some thousand at a time, and the same ones again when it is called again.
        records: of whom each row is.
        names: of the components.
        guarantee: what holds for every row.
        card: the record to hand on.
        left_out: rows of an aggregate, or windows, beyond what one person may give; private, and in no card.
    """

    blocks: Callable[[], Iterator[npt.NDArray[Any]]]
    records: tuple[str, ...]
    names: tuple[str, ...]
    guarantee: Guarantee
    card: Card
    left_out: int = field(default=0, repr=False)


@dataclass(frozen=True, eq=False)
class MatrixRows:
    """The rows of a matrix, made anew whenever they are asked for: equal ones each time.

    Args:
        matrix: (n, d) exact vectors.
        records: of whom each is.
        people: whose each is, where anybody is named.
        per_image: a budget is the record's, and not its subject's.
        key: that noise is drawn from.
        purpose: digest of what is asked.
        streams: of all rows, where they are known already.
    """

    matrix: npt.NDArray[Any]
    records: Sequence[str]
    people: Sequence[str] | None
    per_image: bool
    key: ReleaseKey
    purpose: bytes
    streams: Sequence[NoiseStream]

    def __iter__(self) -> Iterator[VectorRow]:
        for start in range(0, len(self.matrix), BLOCK_ROWS):
            block = slice(start, start + BLOCK_ROWS)
            values, records = self.matrix[block], self.records[block]
            people: Sequence[str | None] = [None] * len(records) if self.people is None else self.people[block]
            streams = self.streams[block] or self._streams(values, records, people)
            for record, subject, row, stream in zip(records, people, values, streams, strict=True):
                account = record if self.per_image or subject is None else subject
                yield VectorRow(record, (account,), row, stream)

    def _streams(
        self, values: npt.NDArray[Any], records: Sequence[str], people: Sequence[str | None]
    ) -> list[NoiseStream]:
        return [
            self.key.stream(record.hex(), content, self.purpose)
            for record, content in zip(pair_identities(records, people), row_identities(values), strict=True)
        ]


def drawn(release: Release, rows: Iterable[VectorRow]) -> Iterator[npt.NDArray[np.float32]]:
    """Put noise on rows, a block at a time.

    Args:
        release: what the output may say.
        rows: of equal shape; they must be charged.

    Yields:
        Released rows, float32 (k, d), in their order.
    """
    waiting = iter(rows)
    while block := list(islice(waiting, BLOCK_ROWS)):
        values, streams = np.stack([row.values for row in block]), [row.stream for row in block]
        if isinstance(release, DirectionRelease):
            yield release.apply_many(values, streams)
        else:
            each = [release.apply(own, stream) for own, stream in zip(values, streams, strict=True)]
            yield np.stack(each).astype(np.float32, copy=False)
