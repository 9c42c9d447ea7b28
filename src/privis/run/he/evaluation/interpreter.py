"""Run an arranged circuit on ciphertexts: the server's work. It sees no number but public weights."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np

from privis.run.he.circuit.chebyshev import evaluate_series, multiplied
from privis.run.he.circuit.circuit import CircuitInput, Linear, Polynomial, Product
from privis.run.he.compiler.parameter_choice import ParameterChoice
from privis.run.he.engine import Ciphertext, Engine, Plaintext
from privis.run.he.packing.diagonals import Packed, Term, half
from privis.run.he.packing.layout import second

Progress = Callable[[float], None]


def no_progress(share: float) -> None:
    """No-op progress callback."""


@dataclass(eq=False)
class Plaintexts:
    """Encoded weights, kept as long as they fit in ``limit`` bytes, which ``processes`` share."""

    limit: int
    held: int = 0
    processes: int = 1
    made: dict[tuple[int, int, int, int], Plaintext] = field(default_factory=dict)

    def has_room(self, size: int) -> bool:
        """Whether one more of ``size`` bytes would be kept."""
        return self.held + size <= self.limit // self.processes

    def get(self, key: tuple[int, int, int, int], size: int, make: Callable[[], Plaintext]) -> Plaintext:
        """What ``make`` returns, from memory where it was kept."""
        if key in self.made:
            return self.made[key]
        plain = make()
        if self.has_room(size):
            self.made[key] = plain
            self.held += size
        return plain


@dataclass(frozen=True, eq=False)
class CircuitInterpreter:
    """A circuit and an engine with its keys, ready to run any number of times; ``plaintexts`` caches its weights.

    For several ``processes`` there is more that does not wait for each other.
    """

    choice: ParameterChoice
    engine: Engine
    plaintexts: Plaintexts
    processes: int = 1

    def run(self, inputs: Sequence[Sequence[Ciphertext]], progress: Progress = no_progress) -> list[list[Ciphertext]]:
        """The outputs' ciphertexts, from those of each source in the order of the circuit."""
        circuit = self.choice.arrangement.circuit
        values: dict[int, list[Ciphertext]] = {}
        last = {o: i for i in range(len(circuit.steps)) for o in circuit.operands(i)}
        given = iter(inputs)
        weights = self._weights()
        done, total = 0.0, sum(weights)
        for index, step in enumerate(circuit.steps):
            values[index] = list(next(given)) if isinstance(step, CircuitInput) else self._step(index, values)
            for operand in circuit.operands(index):
                if last[operand] == index and operand not in circuit.outputs:
                    values.pop(operand, None)
            done += weights[index]
            progress(done / total)
        return [values[output] for output in circuit.outputs]

    def _step(self, index: int, values: dict[int, list[Ciphertext]]) -> list[Ciphertext]:
        arrangement = self.choice.arrangement
        level = arrangement.levels[index]
        match arrangement.circuit.steps[index]:
            case Linear(operands):
                packed = arrangement.packed[index]
                return self._linear(index, packed, [values[o] for o in operands])
            case Product(left, right):
                above = [[self.engine.lower(x, level + 1) for x in values[o]] for o in {left: 0, right: 0}]
                return [multiplied(self.engine, x, y) for x, y in zip(above[0], above[-1], strict=True)]
            case Polynomial(operand):
                if index not in values:
                    values.update(self._polynomials(operand, values[operand]))
                return values[index]
            case _:
                raise AssertionError("a source is given")

    def _polynomials(self, operand: int, given: Sequence[Ciphertext]) -> dict[int, list[Ciphertext]]:
        """All polynomials of ``operand``, which share what they need of it."""
        steps = self.choice.arrangement.circuit.steps
        every = [i for i, step in enumerate(steps) if isinstance(step, Polynomial) and step.operand == operand]
        made = [self._evaluated(operand, every, x) for x in given]
        return {i: [own[place] for own in made] for place, i in enumerate(every)}

    def _evaluated(self, operand: int, indices: Sequence[int], x: Ciphertext) -> list[Ciphertext]:
        """The polynomials ``indices`` of a ciphertext of ``operand``."""
        arrangement, engine = self.choice.arrangement, self.engine
        wanted = []
        for index in indices:
            step = arrangement.circuit.steps[index]
            assert isinstance(step, Polynomial)
            wanted.append(([c / arrangement.units[index] for c in step.coefficients], arrangement.levels[index]))
        x, unit = engine.lower(x, arrangement.levels[operand]), arrangement.units[operand]
        if unit != 1.0:  # the same numbers in another unit
            x = engine.at_scale(engine.copy(x), engine.scale(x) / unit)
        return evaluate_series(engine, x, wanted, self.choice.scale)

    def _linear(self, index: int, packed: Packed, operands: Sequence[Sequence[Ciphertext]]) -> list[Ciphertext]:
        engine, level = self.engine, self.choice.arrangement.levels[index]
        above = level + packed.levels
        turned: dict[tuple[int, int, int], Ciphertext] = {}
        for number, own in enumerate(operands):
            for ciphertext, x in enumerate(own):
                turned[(number, ciphertext, 0)] = self._pairs(index, packed.complex_shift, engine.lower(x, above))
        for (number, ciphertext), amounts in packed.babies:
            for amount, parent in amounts:
                x = turned[(number, ciphertext, parent)]
                turned[(number, ciphertext, amount)] = engine.rotate(x, amount - parent)
        numbers = range(len(packed.giants))
        if len(numbers) == 1 and self.processes > 1 and half(packed):
            total = self._halves(index, packed, turned)
            return [self._finished(index, packed, 0, total)]
        whole = [range(len(groups)) for groups in packed.giants]
        totals = [self._total(index, packed, number, turned, whole[number], 0) for number in numbers]
        return [self._finished(index, packed, number, total) for number, total in zip(numbers, totals, strict=True)]

    def _pairs(self, index: int, apart: int, x: Ciphertext) -> Ciphertext:
        """``x`` with what is ``apart`` slots further on as imaginary part; as it is where ``apart`` is 0."""
        if not apart:
            return x
        engine, slots = self.engine, self.choice.arrangement.slots
        level = engine.level(x)
        size = (level + 1) * 16 * slots
        unit = self.plaintexts.get((index, -2, 0, 0), size, lambda: engine.encode(second(slots), level, 1.0))
        return engine.add(x, engine.multiply_plain(engine.rotate(x, apart), unit))

    def encode(self) -> None:
        """Encode weights here as far as they will be kept: those that a forked process encodes are lost with it."""
        arrangement, scales = self.choice.arrangement, self._scales()
        for index, packed in arrangement.packed.items():
            operands, size = arrangement.circuit.operands(index), self._plain_size(index)
            for ciphertext, groups in enumerate(packed.giants):
                for place, (_, terms) in enumerate(groups):
                    for number, term in enumerate(terms):
                        if not self.plaintexts.has_room(size):
                            return
                        if term.weights is not None:
                            self._plain(index, (ciphertext, place, number), term, scales[operands[term.operand]])

    def _scales(self) -> list[float]:
        """Of every value, as the engine will find it."""
        arrangement, common = self.choice.arrangement, self.choice.scale
        scales: list[float] = []
        for index, step in enumerate(arrangement.circuit.steps):
            match step:
                case Product(left, right):
                    scales.append(scales[left] * scales[right] / self.engine.primes[arrangement.levels[index] + 1])
                case Linear(operands) if arrangement.packed[index].factor is not None:
                    scales.append(scales[operands[0]])
                case _:
                    scales.append(common)
        return scales

    def _halves(self, index: int, packed: Packed, turned: dict[tuple[int, int, int], Ciphertext]) -> Ciphertext:
        """Giant steps of one ciphertext as two sums; the upper one takes one rotation by its lowest amount."""
        count, middle = len(packed.giants[0]), half(packed)
        amount = packed.giants[0][middle - 1][0]

        upper = self._total(index, packed, 0, turned, range(middle), amount)
        lower = self._total(index, packed, 0, turned, range(middle, count), 0)
        return self.engine.add(lower, self.engine.rotate(upper, amount))

    def _total(
        self,
        index: int,
        packed: Packed,
        ciphertext: int,
        turned: dict[tuple[int, int, int], Ciphertext],
        places: range,
        until: int,
    ) -> Ciphertext:
        """Rotations times weights of some giant steps, added up and rotated but for ``until``."""
        engine, groups = self.engine, packed.giants[ciphertext]
        total: Ciphertext | None = None
        for place in places:
            amount, terms = groups[place]
            for number, term in enumerate(terms):
                x = turned[(term.operand, term.ciphertext, term.baby)]
                if term.weights is None:
                    signed = x if term.sign > 0 else engine.negative(x)
                    total = signed if total is None else engine.add(total, signed)
                else:
                    plain = self._plain(index, (ciphertext, place, number), term, engine.scale(x))
                    if not engine.is_zero(plain):  # weights so small that nothing is left of them
                        total = engine.accumulate(total, engine.multiply_plain(x, plain))
            following = groups[place + 1][0] if place + 1 in places else until
            total = total if total is None else engine.rotate(total, amount - following)
        return self._nothing(index, turned) if total is None else total

    def _nothing(self, index: int, turned: dict[tuple[int, int, int], Ciphertext]) -> Ciphertext:
        """A sum without terms, or with weights so small that none is left: the least that can be of anything.

        A library refuses a ciphertext that hides nothing; this one is below the rounding of the rescaling that follows.
        """
        x = next(iter(turned.values()))
        scale, level = self._weight_scale(index, self.engine.scale(x)), self.engine.level(x)
        return self.engine.multiply_plain(x, self.engine.encode(1 / scale, level, scale))

    def _finished(self, index: int, packed: Packed, ciphertext: int, total: Ciphertext) -> Ciphertext:
        engine, is_empty = self.engine, not packed.giants[ciphertext]
        folds = () if is_empty else packed.folds
        for step in (*packed.doublings, *(folds if packed.folds_above else ())):
            total = engine.add(total, engine.rotate(total, step))
        if packed.levels:
            total = engine.rescale(total, self.choice.scale)
        if packed.complex_shift and not is_empty:
            total = engine.add(total, engine.conjugate(total))
        for step in () if packed.folds_above else folds:
            total = engine.add(total, engine.rotate(total, step))
        return self._with_bias(index, ciphertext, total)

    def _plain(self, index: int, place: tuple[int, int, int], term: Term, scale: float) -> Plaintext:
        """Weights of what has this ``scale``, at the one that makes the result land on the common one."""
        engine, arrangement = self.engine, self.choice.arrangement

        def encode() -> Plaintext:
            assert term.weights is not None and term.slots is not None
            numbers = np.zeros(arrangement.slots, term.weights.dtype)
            numbers[term.slots] = term.weights / arrangement.units[index]
            return engine.encode(numbers, arrangement.levels[index] + 1, self._weight_scale(index, scale))

        return self.plaintexts.get((index, *place), self._plain_size(index), encode)

    def _weight_scale(self, index: int, scale: float) -> float:
        """That of weights of a step which make products with what has ``scale`` land on the common one."""
        return self.choice.scale * self.engine.primes[self.choice.arrangement.levels[index] + 1] / scale

    def _plain_size(self, index: int) -> int:
        """Bytes of encoded weights of a step."""
        arrangement = self.choice.arrangement
        return (arrangement.levels[index] + 2) * 16 * arrangement.slots

    def _with_bias(self, index: int, ciphertext: int, x: Ciphertext) -> Ciphertext:
        engine, arrangement = self.engine, self.choice.arrangement
        step, layout = arrangement.circuit.steps[index], arrangement.layouts[index]
        assert isinstance(step, Linear)
        if not step.bias.any():
            return x

        def encode() -> Plaintext:
            numbers = np.zeros(arrangement.slots)
            for positions in layout.with_copies(arrangement.slots):
                here = positions // arrangement.slots == ciphertext
                numbers[positions[here] % arrangement.slots] = step.bias[here] / arrangement.units[index]
            return engine.encode(numbers, engine.level(x), engine.scale(x))

        size = (engine.level(x) + 1) * 16 * arrangement.slots
        return engine.add_plain(x, self.plaintexts.get((index, ciphertext, -1, 0), size, encode))

    def _weights(self) -> list[float]:
        """Rough share of each step in the whole, for progress."""
        arrangement = self.choice.arrangement
        shares = []
        for index, step in enumerate(arrangement.circuit.steps):
            cost = (arrangement.levels[index] + 1) ** 2 * arrangement.layouts[index].ciphertexts
            match step:
                case Linear():
                    packed = arrangement.packed[index]
                    cost *= 1 + len(packed.rotations)
                case Polynomial(_, coefficients):
                    cost *= len(coefficients)
            shares.append(float(cost))
        return shares
