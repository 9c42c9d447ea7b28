"""What the samplers read: three tables for one mixture of simple distributions, built with exact integers.

`privis.privacy.sampling.noise_tables` says which mixtures, and adds up the errors.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

TOTAL_VARIATION = 2.0**-108
"""Upper bound of the total-variation distance between one sampled value and its exact distribution, for every scale."""

CHAPTER = 1 << 12
"""Coordinates that share a reserve of random words for what the direct table leaves open."""

OPEN = 255
"""Sentinel of the direct table: the prefix is not covered, so the alias table decides."""

LATE = 2
"""Flag of the alias entry that sends a coordinate to the third table."""

_FLAGS = {0: 0, 1: 1, 2: 3}  # of the alias entry of a part, by how many uniforms it asks for
PRECISION = 256
"""Bits behind the point of all fixed-point numbers."""

ONE = 1 << PRECISION

_LIKELY = ONE >> 20  # parts at least this likely sit in the alias table
_PREFIX_BITS = 14  # as many bytes still fit into the first-level cache
_LEAST_PREFIX_BITS = 12  # with fewer, too many values are left open


class MixtureComponent(NamedTuple):
    """One part of the mixture of magnitudes.

    ``mass`` is its probability times 2**256. The magnitude is ``base`` when ``of`` is 0, otherwise ``base``
    plus the ``rank``-th smallest (from 0) of ``of`` uniform integers below the width of a cell.
    """

    mass: int
    base: int
    rank: int
    of: int


@dataclass(frozen=True, eq=False)
class NoiseTable:
    """What the sampling loops read: a direct table, an alias table and a cumulative table.

    A value takes a word of ``word_bits`` (32 where its digits fit, else 64): from the top bit down the prefix, unused
    bits, an offset of ``offset_bits`` and the sign. An entry c of ``direct``, by prefix, means the magnitude ``first +
    (c << offset_bits) + offset``, and ``OPEN`` that two words of 64 bits decide instead: in the first the sign, a
    threshold and a second offset, in the second the column of the alias table (top) and the first offset (bottom).

    Column c of 2**column_bits stands for ``codes[c, 0]`` below ``threshold[c]`` of 2**threshold_bits and for
    ``codes[c, 1]`` from there on. A code is 4 * base + flag: flag 0 means the base itself, 1 adds a uniform offset,
    3 the smaller of two, and ``LATE`` asks the third table. That has cumulative 128-bit probabilities in ``high`` and
    ``low`` words, and base, rank, of per part; a value that asks it takes ``late_blocks`` blocks of two words more.

    Values that are open take their blocks one after the other from the ``reserve`` in front of the words of their
    chapter, `CHAPTER` coordinates: which block is whose depends on the words of others, but no block has two owners,
    so values are independent and each is a function of its coordinate. Should a reserve not suffice, a coordinate's
    own extra blocks do.
    """

    scale: float
    word_bits: int
    prefix_bits: int
    offset_bits: int
    first: int
    reserve: int
    direct: npt.NDArray[np.uint8]
    column_bits: int
    threshold_bits: int
    threshold: npt.NDArray[np.uint64]
    codes: npt.NDArray[np.int64]
    high: npt.NDArray[np.uint64]
    low: npt.NDArray[np.uint64]
    base: npt.NDArray[np.int64]
    rank: npt.NDArray[np.int64]
    of: npt.NDArray[np.int64]
    late_blocks: int
    total_variation: float

    @cached_property
    def second(self) -> tuple[npt.NDArray[np.uint64], npt.NDArray[np.int64], int, int, int]:
        """The alias table, as `kernels.draw` takes it."""
        return self.threshold, self.codes, self.column_bits, self.threshold_bits, self.offset_bits

    @cached_property
    def third(self) -> tuple[Any, ...]:
        """The cumulative table, as `kernels.draw` takes it."""
        return self.high, self.low, self.base, self.rank, self.of, self.late_blocks

    def parts(self) -> Iterator[MixtureComponent]:
        """Give the mixture that these very integers sample (masses times 2**256), for tests and audits."""
        owned = np.bincount(self.direct, minlength=OPEN + 1).tolist()
        of = 1 if self.offset_bits else 0
        for cell, prefixes in enumerate(owned[:OPEN]):
            if prefixes:
                base = self.first + (cell << self.offset_bits)
                yield MixtureComponent(prefixes << (PRECISION - self.prefix_bits), base, 0, of)
        unit = owned[OPEN] << (PRECISION - self.prefix_bits - self.threshold_bits - self.column_bits)
        full = 1 << self.threshold_bits
        likely: dict[int, int] = {}
        for (own, other), below in zip(self.codes.tolist(), self.threshold.tolist(), strict=True):
            likely[own] = likely.get(own, 0) + below * unit
            likely[other] = likely.get(other, 0) + (full - below) * unit
        late = likely.pop(LATE, 0)
        uniforms = {flag: of for of, flag in _FLAGS.items()}
        yield from (MixtureComponent(mass, code >> 2, 0, uniforms[code & 3]) for code, mass in likely.items())
        before = 0
        for row in range(self.high.size):
            # The last cumulative word is all ones and stands for 2**128: nothing is drawn beyond it.
            last = row + 1 == self.high.size
            until = 1 << 128 if last else (int(self.high[row]) << 64) | int(self.low[row])
            mass = (late * (until - before)) >> 128
            yield MixtureComponent(mass, int(self.base[row]), int(self.rank[row]), int(self.of[row]))
            before = until


def assemble(scale: float, width_bits: int, parts: list[MixtureComponent], error: float) -> NoiseTable:
    """Give parts to the three tables, the rounding of each to the next."""
    word_bits = 32 if width_bits <= 31 - _LEAST_PREFIX_BITS else 64
    prefix_bits = min(_PREFIX_BITS, word_bits - 1 - width_bits)
    first, whole = (1 if width_bits else 0), PRECISION - prefix_bits
    direct, rest = _direct(parts, width_bits, first, prefix_bits)
    left = (1 << prefix_bits) - direct.size
    likely = [part for part in rest if part.of in _FLAGS and part.mass >= _LIKELY]
    column_bits, threshold_bits = max(1, math.ceil(math.log2(len(likely) + 1))), 63 - width_bits
    unit = left << (whole - threshold_bits - column_bits)
    units = [part.mass // unit for part in likely]
    codes = [4 * part.base + _FLAGS[part.of] for part in likely]
    late_units = (1 << (threshold_bits + column_bits)) - sum(units)
    if left < 1 or late_units < 0:
        raise ArithmeticError("the probabilities of a noise table add up to more than one")
    threshold, pairs = _alias([*units, late_units], [*codes, LATE], column_bits, threshold_bits)

    kept = [part for part in rest if part.of not in _FLAGS or part.mass < _LIKELY]
    residues = [part._replace(mass=part.mass % unit) for part in likely]
    late = sorted((part for part in kept + residues if part.mass), key=lambda part: -part.mass)
    if late_units and not late:
        raise ArithmeticError("a noise table has probability left over and nothing to give it to")
    total = max(1, late_units * unit)
    cumulative, sofar = [], 0
    for part in late:
        sofar += part.mass
        cumulative.append(min((sofar << 128) // total, (1 << 128) - 1))
    if cumulative:
        cumulative[-1] = (1 << 128) - 1
    bound = 1.000001 * (error + (len(parts) + 1) * 2.0**-126)
    if bound > TOTAL_VARIATION:
        raise ArithmeticError(f"a noise table of scale {scale} is off by {bound}")
    word = (1 << 64) - 1
    late_blocks = 1 + (max((part.of for part in late), default=0) + 1) // 2
    return NoiseTable(
        scale=scale,
        word_bits=word_bits,
        prefix_bits=prefix_bits,
        offset_bits=width_bits,
        first=first,
        reserve=_reserve(left / (1 << prefix_bits), late_units / (1 << (threshold_bits + column_bits)), late_blocks),
        direct=np.concatenate([direct, np.full(left, OPEN, np.uint8)]),
        column_bits=column_bits,
        threshold_bits=threshold_bits,
        threshold=threshold,
        codes=pairs,
        high=np.array([value >> 64 for value in cumulative], np.uint64),
        low=np.array([value & word for value in cumulative], np.uint64),
        base=np.array([part.base for part in late], np.int64),
        rank=np.array([part.rank for part in late], np.int64),
        of=np.array([part.of for part in late], np.int64),
        late_blocks=late_blocks,
        total_variation=bound,
    )


def _reserve(left_open: float, of_these_late: float, late_blocks: int) -> int:
    """Blocks that suffice for a chapter but for one in a million or so: the mean and five standard deviations."""
    mean = CHAPTER * left_open * (1 + of_these_late * late_blocks)
    variance = CHAPTER * left_open * (1 + of_these_late * late_blocks * (2 + late_blocks))
    return math.ceil(mean + 5 * math.sqrt(variance))


def _direct(
    parts: list[MixtureComponent], width_bits: int, first: int, prefix_bits: int
) -> tuple[npt.NDArray[np.uint8], list[MixtureComponent]]:
    """The cell of every prefix that a part owns, and all parts with the probability that they keep."""
    whole = PRECISION - prefix_bits
    cells, rest = [], []
    for part in parts:
        cell = (part.base - first) >> width_bits
        alone = part.of == (1 if width_bits else 0) and part.base >= first and cell < OPEN
        prefixes = min(part.mass >> whole, (1 << prefix_bits) - 1) if alone else 0  # something is always left
        cells.append(np.full(prefixes, cell if prefixes else OPEN, np.uint8))  # others' cells may lie outside uint8
        rest.append(part._replace(mass=part.mass - (prefixes << whole)))
    return np.concatenate(cells), rest


def _alias(
    units: list[int], codes: list[int], column_bits: int, threshold_bits: int
) -> tuple[npt.NDArray[np.uint64], npt.NDArray[np.int64]]:
    """Exact integer alias table: thresholds of 2**threshold_bits, and per column the codes below and above.

    The units add up to 2**(threshold_bits + column_bits), i.e. to full columns.
    """
    columns, full = 1 << column_bits, 1 << threshold_bits
    weights = units + [0] * (columns - len(units))
    own = codes + [codes[0]] * (columns - len(codes))
    threshold, other = [full] * columns, list(own)
    small = [column for column in range(columns) if weights[column] < full]
    large = [column for column in range(columns) if weights[column] > full]
    while small:
        column, donor = small.pop(), large[-1]
        threshold[column], other[column] = weights[column], own[donor]
        weights[donor] -= full - weights[column]
        if weights[donor] <= full:
            large.pop()
            if weights[donor] < full:
                small.append(donor)
    return np.array(threshold, np.uint64), np.stack([own, other], axis=1).astype(np.int64)
