"""Integer combinations of ciphertexts: what a linear map is to the additive scheme."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from privis.run.he.paillier.scheme import Ciphertexts, PublicKey, gmpy2, objects

SHORT, LONG = 2, 4  # windows of signed digits: of weights below 8, and of longer ones
Column = Callable[[Ciphertexts, int], Ciphertexts]
"""``(table, i)``: what the ``i``-th weight of every row multiplies."""


def signed_digits(weight: int, window: int) -> list[tuple[int, int]]:
    """``(position, digit)`` with ``weight = sum digit * 2**position``: odd digits below ``2**(window - 1)`` in size.

    Of any ``window`` neighbouring positions at most one is taken: the windowed non-adjacent form (Hankerson, Menezes
    and Vanstone, Guide to Elliptic Curve Cryptography, 2004, algorithm 3.35).

    >>> signed_digits(23, 2), signed_digits(23, 4)
    ([(0, -1), (3, -1), (5, 1)], [(0, 7), (4, 1)])
    """
    sign, rest, found, position = (-1 if weight < 0 else 1), abs(weight), [], 0
    modulus = 1 << window
    while rest:
        if rest % 2:
            digit = rest % modulus
            digit -= modulus if digit >= modulus // 2 else 0
            rest -= digit
            found.append((position, sign * digit))
        rest //= 2
        position += 1
    return found


@dataclass(frozen=True, eq=False)
class Combination:
    """``y[o] = sum_i weights[o, i] x[i]`` on ciphertexts: all weights of an output share their squarings.

    ``weights`` is int64 ``(outputs, inputs)``. Simultaneous exponentiation: Straus, 1964, doi:10.2307/2310929.
    """

    weights: NDArray[np.int64]

    @cached_property
    def factors(self) -> list[int]:
        """The largest common factor of each row: raised to at the end, so that equal weights cost one product each."""
        return [int(np.gcd.reduce(row)) for row in self.weights]

    @cached_property
    def digits(self) -> list[list[list[tuple[int, int]]]]:
        """Of each row and position, lowest first: which inputs with which digit."""
        rows = []
        for row, factor in zip(self.weights.tolist(), self.factors, strict=True):
            parts = [value // factor if factor else 0 for value in row]
            window = SHORT if max(map(abs, parts), default=0) < 8 else LONG
            terms = [
                (at, digit, i) for i, part in enumerate(parts) if part for at, digit in signed_digits(part, window)
            ]
            places: list[list[tuple[int, int]]] = [[] for _ in range(1 + max((at for at, _, _ in terms), default=-1))]
            for at, digit, i in terms:
                places[at].append((i, digit))
            rows.append(places)
        return rows

    @cached_property
    def needed(self) -> frozenset[int]:
        """The distinct digits of all rows, for which tables of powers are made."""
        return frozenset(digit for row in self.digits for place in row for _, digit in place)

    def products(self, rows: int, elements: int) -> int:
        """Modular products for ``rows`` positions of every output, from tables of ``elements`` inputs."""
        combined = sum(len(row) - 1 + sum(map(len, row)) for row in self.digits if row)
        raised = sum(factor.bit_length() for factor in self.factors)
        tables = 6 * any(digit < 0 for digit in self.needed) + len(self.needed) if self.needed != {1} else 0
        return rows * (combined + raised) + elements * tables

    def tables(self, key: PublicKey, x: Ciphertexts) -> dict[int, Ciphertexts]:
        """``x`` to the power of every digit that is needed."""
        made: dict[int, Ciphertexts] = {}
        for sign in (1, -1):
            most = max((sign * digit for digit in self.needed), default=0)
            if most < 1:
                continue
            power = x if sign == 1 else key.negate(x)
            square = key.add(power, power) if most > 1 else power
            for digit in range(1, most + 1, 2):
                made[sign * digit] = power
                power = key.add(power, square) if digit < most else power
        return made

    def __call__(
        self, key: PublicKey, tables: Mapping[int, Ciphertexts], column: Column, shape: Sequence[int]
    ) -> list[Ciphertexts]:
        """One array of ciphertexts of ``shape`` per output, none of them masked afresh."""
        rows = zip(self.digits, self.factors, strict=True)
        return [self._row(key, tables, column, places, factor, shape) for places, factor in rows]

    def _row(
        self,
        key: PublicKey,
        tables: Mapping[int, Ciphertexts],
        column: Column,
        places: list[list[tuple[int, int]]],
        factor: int,
        shape: Sequence[int],
    ) -> Ciphertexts:
        total: Ciphertexts | None = None
        for place in reversed(places):
            total = None if total is None else key.add(total, total)
            for i, digit in place:
                term = column(tables[digit], i)
                total = term if total is None else key.add(total, term)
        return zeros(shape) if total is None else key.scale(total, factor)


def zeros(shape: Sequence[int]) -> Ciphertexts:
    """Encryptions of zero that hide nothing."""
    return objects([gmpy2.mpz(1)] * math.prod(shape)).reshape(tuple(shape))
