"""From products of ciphertexts to comparisons with a threshold, slot by slot; what a request makes of them.

``turned``, ``lowered``, ``gathered``, ``half``, ``compared``, then one of ``single``, ``sums`` and ``payload``, the
last with ``numbered`` and ``shifted`` where payloads are summed: each a step of the levels that `DecisionSpec` counts.
References: `decision_layout`, `decision_specification` and `privis.run.he.matching.fetching.shifted_tables`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from privis.run.he.backends.seal import SealEngine
from privis.run.he.circuit.chebyshev import depth, evaluate_series, multiplied
from privis.run.he.engine import Ciphertext, Plaintext
from privis.run.he.matching.decision_specification import DecisionSpec

_CLOSED = -0.5  # compared in place of slots without a template: far below any threshold
_MASKED = 0.04  # what a product with a mask takes of the time of a rotation


@dataclass(frozen=True, eq=False)
class DecisionCircuit:
    """The steps of a comparison, for one specification and one client's keys.

    Args:
        spec: threshold, gap and layout.
        engine: that holds the client's evaluation keys.
    """

    spec: DecisionSpec
    engine: SealEngine

    def turned(self, query: Ciphertext) -> list[Ciphertext]:
        """The query turned by 0, 1, 2, ... slots."""
        made = [query]
        while len(made) < self.spec.layout.turns:
            made.append(self.engine.rotate(made[-1], 1))
        return made

    def lowered(self, total: Ciphertext) -> Ciphertext:
        """A sum of products, relinearised where templates are encrypted, one level lower."""
        made = self.engine.relinearise(total) if self.spec.encrypted else total
        return self.engine.rescale(made, self.engine.scale(made) / self.engine.primes[self.engine.level(made)])

    def gathered(self, products: Mapping[int, Ciphertext]) -> Ciphertext:
        """Cosines of the blocks of a group, those of block ``b`` in row ``b``, from their partial sums.

        ``products`` may be some of the blocks: results for the others are to be added.
        """
        layout, engine = self.spec.layout, self.engine
        bottom = self.spec.parameters.levels - 2
        if layout.rows == 1:
            return engine.lower(products[0], bottom)
        rows = self._rows_once_added(len(products))
        if rows < layout.rows:
            half = layout.slots // 2
            products = {b: engine.add(x, engine.rotate(x, half)) for b, x in products.items()}
        total: Ciphertext | None = None
        for step in reversed(range(rows)):
            if total is not None:
                total = engine.rotate(total, layout.columns)
            for block, product in products.items():
                mask = self._masks[(block + step) % layout.rows]
                total = engine.accumulate(total, engine.multiply_plain(product, mask))
        return engine.rescale(total, engine.scale(next(iter(products.values()))))

    def half(self, gathered: Ciphertext, half: int) -> Ciphertext:
        """Twice the real parts, or twice the imaginary parts with the sign of their column."""
        engine = self.engine
        part = engine.multiply_plain(gathered, self._imaginary) if half else gathered
        return engine.add(part, engine.conjugate(part))

    def compared(self, doubled: Ciphertext, filled: NDArray[np.bool_], scale: float) -> Ciphertext:
        """1 in slots whose cosine (given twice) is above the threshold and that are filled, 0 elsewhere, at level 1.

        Inside the gap: something between. ``scale`` is that of the result.
        """
        spec, engine = self.spec, self.engine
        x = engine.at_scale(doubled, engine.scale(doubled) * 2 * spec.span)
        offsets = np.where(filled, -spec.threshold / spec.span, _CLOSED)
        x = engine.add_plain(x, engine.encode(offsets, engine.level(x), engine.scale(x)))
        *first, last = spec.comparison.polynomials
        for coefficients in first:
            (x,) = evaluate_series(engine, x, [(coefficients, engine.level(x) - depth(coefficients))], spec.scale)
        last = tuple(c / 2 for c in last)
        (x,) = evaluate_series(engine, x, [(last, engine.level(x) - depth(last))], scale)
        return engine.add_plain(x, engine.encode(0.5, engine.level(x), engine.scale(x)))

    def single(self, compared: Ciphertext, slot: int) -> Ciphertext:
        """One slot, all others zero."""
        mask = np.zeros(self.spec.layout.slots)
        mask[slot] = 1.0
        return self._times(compared, mask, self.engine.scale(compared))

    def sums(self, compared: Ciphertext) -> tuple[Ciphertext, Ciphertext]:
        """Slots to be summed: ``v`` counts what is accepted, ``v (1 - v)`` is zero where all is decided.

        Both are at level 1, the second not rescaled yet: it is rounded once, after halves were added.
        """
        engine = self.engine
        square = engine.relinearise(engine.multiply(compared, compared))
        one = engine.encode(1.0, engine.level(compared), engine.scale(compared))
        value = engine.at_scale(engine.multiply_plain(compared, one), engine.scale(square))
        return compared, engine.add(value, engine.negative(square))

    def totals(self, value: Ciphertext, undecided: Ciphertext) -> tuple[Ciphertext, Ciphertext]:
        """The sums over all slots, in each of them, of what ``sums`` gave, added up over halves."""
        engine = self.engine
        if self.spec.sum_level == 0:
            value = self._times(value, 1.0, self.spec.sum_scale / 2)
        prime = engine.primes[engine.level(undecided)]
        return self._summed(value), self._summed(engine.rescale(undecided, engine.scale(undecided) / prime))

    def _summed(self, x: Ciphertext) -> Ciphertext:
        step = 1
        while step < self.spec.layout.slots:
            x = self.engine.add(x, self.engine.rotate(x, step))
            step *= 2
        return x

    def payload(self, compared: Ciphertext, held: Ciphertext) -> Ciphertext:
        """What comes with the templates that are accepted, encrypted like them; zero elsewhere."""
        return multiplied(self.engine, compared, held)

    def plain_payload(self, compared: Ciphertext, held: NDArray[np.complex128]) -> Ciphertext:
        """What comes with the templates that are accepted; zero elsewhere."""
        return self._times(compared, held, self.engine.scale(compared))

    def numbered(self, compared: Ciphertext, part: int) -> Ciphertext:
        """``v``, and as imaginary parts ``v`` times the number of this half as a fraction of all: matches say where."""
        values = np.full(self.spec.layout.slots, 1 + 1j * part / self.spec.halves)
        return self._times(compared, values, self.engine.scale(compared))

    def shifted(self, x: Ciphertext, shift: int) -> Ciphertext:
        """Slots moved down by ``shift``, a bit of it at a time."""
        for bit in range(shift.bit_length()):
            if shift >> bit & 1:
                x = self.engine.rotate(x, 1 << bit)
        return x

    def _times(self, x: Ciphertext, factor: NDArray | float, scale: float) -> Ciphertext:
        engine, level = self.engine, self.engine.level(x)
        made = engine.encode(factor, level, scale * engine.primes[level] / engine.scale(x))
        return engine.rescale(engine.multiply_plain(x, made), scale)

    def _rows_once_added(self, blocks: int) -> int:
        """Rows to gather: all, or half of them after a rotation of each block, whichever takes less."""
        rows = self.spec.layout.rows
        cost = {rows: rows * (1 + _MASKED * blocks)}
        if self.spec.layout.folds:
            cost[rows // 2] = blocks + rows // 2 * (1 + _MASKED * blocks)
        return min(cost, key=cost.__getitem__)

    @cached_property
    def _masks(self) -> Sequence[Plaintext]:
        level, layout = self.spec.parameters.levels - 1, self.spec.layout
        prime = float(self.engine.primes[level])
        return [self.engine.encode(layout.row(number), level, prime) for number in range(layout.rows)]

    @cached_property
    def _imaginary(self) -> Plaintext:
        """The monomial of half the degree: exactly i in even slots and -i in odd ones."""
        values = 1j * np.where(np.arange(self.spec.layout.slots) % 2 == 0, 1.0, -1.0)
        return self.engine.encode(values, self.spec.parameters.levels - 2, 1.0)
