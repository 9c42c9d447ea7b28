"""Interpreter for slot-per-image batches: the server's work, where every element is a ciphertext of its own."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from privis.run.he.circuit.chebyshev import evaluate_series, multiplied, relinearised
from privis.run.he.circuit.circuit import CircuitInput, Linear, Polynomial, Product
from privis.run.he.compiler.parameter_choice import ParameterChoice
from privis.run.he.engine import Ciphertext, Engine, Plaintext
from privis.run.he.evaluation.forked_map import forked
from privis.run.he.evaluation.interpreter import Progress, no_progress
from privis.run.he.packing.layout import second
from privis.run.he.packing.slot_per_image import Segment, segments, unit_of_component
from privis.run.he.wire.framing import join, split

Values = dict[int, list[Ciphertext]]
Apart = tuple[Ciphertext, ...]  # the first images of all slots, and the second ones where slots hold pairs


@dataclass(frozen=True, eq=False)
class BatchInterpreter:
    """A circuit and an engine with its keys, ready to run any number of times; ``processes`` share the elements."""

    choice: ParameterChoice
    engine: Engine
    processes: int = 1

    @property
    def pairs(self) -> bool:
        """Whether slots hold two images each."""
        return self.choice.arrangement.batch_size > self.choice.arrangement.slots

    def run(self, inputs: Sequence[Sequence[Ciphertext]], progress: Progress = no_progress) -> list[list[Ciphertext]]:
        """The outputs' ciphertexts, from those of each source in the order of the circuit."""
        circuit = self.choice.arrangement.circuit
        sources = [index for index, step in enumerate(circuit.steps) if isinstance(step, CircuitInput)]
        values: Values = {index: self._elements_of(index, own) for index, own in zip(sources, inputs, strict=True)}
        parts = segments(circuit)
        weights = [self._weight(segment) for segment in parts]
        done, total = 0.0, sum(weights)
        for segment, weight in zip(parts, weights, strict=True):
            made: Values = {index: [] for index in segment.kept}
            count = self._elements(segment)
            for number, own in enumerate(self._each(segment, values)):
                for index, x in zip(segment.kept, own, strict=True):
                    made[index].append(x)
                progress((done + weight * (number + 1) / count) / total)
            values.update(made)
            for index in segment.dropped:
                del values[index]
            done += weight
        return [values[output] for output in circuit.outputs]

    def _elements_of(self, source: int, given: Sequence[Ciphertext]) -> list[Ciphertext]:
        """A ciphertext for each element of a source; those that share slots are taken apart."""
        if not self.choice.arrangement.paired_inputs:
            return list(given)
        both = (part for x in given for part in self._parts(x))
        return [x for x, _ in zip(both, range(self.choice.arrangement.layouts[source].ciphertexts), strict=False)]

    def _elements(self, segment: Segment) -> int:
        return self.choice.arrangement.layouts[segment.steps[0]].ciphertexts

    def _each(self, segment: Segment, values: Values) -> Iterator[list[Ciphertext]]:
        """What is kept of each element, in order, shared among processes."""
        elements = range(self._elements(segment))
        if self.processes < 2 or len(elements) < 2:
            yield from (self._element(segment, values, element) for element in elements)
            return

        def serialised(element: int) -> bytes:
            return join([self.engine.save(x) for x in self._element(segment, values, element)])

        waiting: dict[int, bytes] = {}
        following = 0
        for element, data in forked(serialised, elements, self.processes):
            waiting[element] = data
            while following in waiting:
                yield [self.engine.load(part) for part in split(waiting.pop(following), "results")]
                following += 1

    def _element(self, segment: Segment, values: Values, element: int) -> list[Ciphertext]:
        arrangement = self.choice.arrangement
        whole: dict[int, Ciphertext] = {}
        apart: dict[int, Apart] = {}

        def read(operand: int, level: int) -> Apart:
            if operand not in apart:
                x = whole[operand] if operand in whole else values[operand][element]
                apart[operand] = self._apart(self.engine.lower(x, arrangement.levels[operand]))
            return tuple(self.engine.lower(x, level) for x in apart[operand])

        for index in segment.steps:
            level = arrangement.levels[index]
            match arrangement.circuit.steps[index]:
                case Linear() as step:
                    whole[index] = self._sum(index, step, values, element)
                case Product(left, right):
                    first = read(left, level + 1)
                    pair = tuple(zip(first, first if left == right else read(right, level + 1), strict=True))
                    if any(index in arrangement.circuit.operands(s) for s in segment.steps):
                        apart[index] = tuple(multiplied(self.engine, x, y) for x, y in pair)
                    else:  # nobody here needs the images apart: one relinearisation for both
                        product = self._merged(tuple(self.engine.multiply(x, y) for x, y in pair))
                        whole[index] = relinearised(self.engine, product)
                case Polynomial(operand) if index not in apart:
                    apart.update(self._polynomials(segment, operand, read(operand, arrangement.levels[operand])))
        return [whole[i] if i in whole else self._merged(apart[i]) for i in segment.kept]

    def _polynomials(self, segment: Segment, operand: int, own: Apart) -> dict[int, Apart]:
        """All polynomials of ``operand``; they share what they need of it."""
        arrangement, engine = self.choice.arrangement, self.engine
        steps = arrangement.circuit.steps
        series = {i: s.coefficients for i, s in enumerate(steps) if isinstance(s, Polynomial) and s.operand == operand}
        wanted = [
            ([c / arrangement.units[i] for c in coefficients], arrangement.levels[i])
            for i, coefficients in series.items()
        ]
        unit = unit_of_component(arrangement.units, arrangement.circuit, segment, operand, self.pairs)
        if unit != 1.0:  # the same numbers in another unit
            own = tuple(engine.at_scale(engine.copy(x), engine.scale(x) / unit) for x in own)
        made = [evaluate_series(engine, x, wanted, self.choice.scale) for x in own]
        return dict(zip(series, zip(*made, strict=True), strict=True))

    def _sum(self, index: int, step: Linear, values: Values, element: int) -> Ciphertext:
        """One row of a linear step: ciphertexts times numbers, or only added and subtracted."""
        engine, arrangement = self.engine, self.choice.arrangement
        levels, unit = arrangement.packed[index].levels, arrangement.units[index]
        above, total = arrangement.levels[index] + levels, None
        for operand, matrix in zip(step.operands, step.matrices, strict=True):
            row = slice(matrix.indptr[element], matrix.indptr[element + 1])
            for column, weight in zip(matrix.indices[row].tolist(), matrix.data[row].tolist(), strict=True):
                x = engine.lower(values[operand][column], above)
                if not levels:
                    signed = x if weight > 0 else engine.negative(x)
                    total = signed if total is None else engine.add(total, signed)
                    continue
                plain = self._number(weight * arrangement.units[operand] / unit, x)
                if not engine.is_zero(plain):
                    total = engine.accumulate(total, engine.multiply_plain(x, plain))
        if total is None:  # a constant: as little as can be of anything
            x = engine.lower(values[step.operands[0]][0], above)
            total = engine.multiply_plain(x, self._least(x))
        if levels:
            total = engine.rescale(total, self.choice.scale)
        bias = float(step.bias[element]) / unit
        if bias == 0:
            return total
        both = bias * (1 + second(arrangement.slots)) if self.pairs else bias
        return engine.add_plain(total, engine.encode(both, engine.level(total), engine.scale(total)))

    def _number(self, weight: float | complex, x: Ciphertext) -> Plaintext:
        """At the scale that makes the product land on the common one."""
        engine, level = self.engine, self.engine.level(x)
        number = np.full(self.choice.arrangement.slots, weight) if isinstance(weight, complex) else weight
        return engine.encode(number, level, self._weight_scale(x))

    def _least(self, x: Ciphertext) -> Plaintext:
        scale = self._weight_scale(x)
        return self.engine.encode(1 / scale, self.engine.level(x), scale)

    def _weight_scale(self, x: Ciphertext) -> float:
        engine = self.engine
        return self.choice.scale * engine.primes[engine.level(x)] / engine.scale(x)

    def _apart(self, x: Ciphertext) -> Apart:
        """``2 a`` and ``2 b`` of ``a + u b``: sum and difference with the conjugate."""
        return self._parts(x) if self.pairs else (x,)

    def _parts(self, x: Ciphertext) -> Apart:
        engine = self.engine
        conjugate = engine.conjugate(x)
        twice = engine.add(x, engine.negative(conjugate))
        return engine.add(x, conjugate), self._turned(twice, -1)

    def _merged(self, own: Apart) -> Ciphertext:
        """``a + u b``."""
        return own[0] if len(own) == 1 else self.engine.add(own[0], self._turned(own[1], 1))

    def _turned(self, x: Ciphertext, sign: int) -> Ciphertext:
        """Times ``u`` or ``-u``, a power of the ring's variable: exact, and without a level."""
        return self.engine.multiply_plain(x, self._units[self.engine.level(x), sign])

    @cached_property
    def _units(self) -> dict[tuple[int, int], Plaintext]:
        unit, levels = second(self.choice.arrangement.slots), range(self.choice.parameters.levels + 1)
        return {(level, sign): self.engine.encode(sign * unit, level, 1.0) for level in levels for sign in (1, -1)}

    def _weight(self, segment: Segment) -> float:
        """Rough share of a segment in the whole, in products with numbers, for progress."""
        arrangement, total = self.choice.arrangement, 1.0
        for index in segment.steps:
            high = arrangement.levels[index] + 1
            match arrangement.circuit.steps[index]:
                case Linear(_, matrices):
                    total += high * sum(matrix.nnz for matrix in matrices)
                case Polynomial(_, coefficients):
                    total += 4 * high**2 * len(coefficients) * arrangement.layouts[index].ciphertexts
                case _:
                    total += 4 * high**2 * arrangement.layouts[index].ciphertexts
        return total
