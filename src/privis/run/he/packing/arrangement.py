"""Choose where every tensor of a circuit sits, at which level every step runs, and which keys that needs."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np

from privis.run.he.circuit.chebyshev import SHARED, depth, products, shared_depth
from privis.run.he.circuit.circuit import (
    Circuit,
    CircuitInput,
    InputEncoding,
    Linear,
    Polynomial,
    Product,
)
from privis.run.he.engine import KeyGroup
from privis.run.he.packing.diagonals import Packed, Placed, effort, half, pack, place
from privis.run.he.packing.layout import ImageGrid, Layout, flat, over, power_of_two
from privis.run.he.packing.read_elements import most_places, without_unread
from privis.run.he.packing.rotations import few_levels
from privis.run.he.packing.side_by_side import pack_side_by_side

PRODUCT_COST = 1.1  # in rotations at the same level
LARGEST_STORED = 2.0**14  # numbers that are only added may grow to this
MOST_ENLARGED = 4.0  # units of a polynomial by which it may be stored smaller, so that its sum has one near 1
MOST_DRIFT = 8.0  # bits by which the scale may part from all others inside a polynomial: constants keep the rest
MOST_UPLOADED = 8  # ciphertexts an input may become when its windows are written out by the owner


@dataclass(frozen=True, eq=False)
class Arrangement:
    """A circuit laid out for ciphertexts of ``slots`` numbers.

    ``units``: what a stored 1 of each value stands for. ``levels``: rescalings each value has left when it is made.
    ``packed``: the plan of each linear step, by its index. ``processes``: how many share the work of one image.
    ``batch_size``: images that share ciphertexts, side by side or, from ``slots`` on, a slot for each or each two.
    ``paired_inputs``: where each image has a slot, owners send two elements of it in one, which are taken apart first.
    """

    circuit: Circuit
    slots: int
    layouts: tuple[Layout, ...]
    units: tuple[float, ...]
    levels: tuple[int, ...]
    packed: dict[int, Packed]
    effort: float
    processes: int = 1
    batch_size: int = 1
    paired_inputs: bool = False

    @property
    def slot_per_image(self) -> bool:
        """Whether every element is a ciphertext of its own, with a slot for each image."""
        return self.batch_size >= self.slots

    @property
    def depth(self) -> int:
        """The level at which inputs are encrypted."""
        return max(self.levels)

    def rotations(self) -> list[tuple[int, int]]:
        """(step, level) of every rotation, with repetitions."""
        made = []
        for index, packed in self.packed.items():
            level = self.levels[index] + packed.levels
            low = set() if packed.folds_above else set(packed.folds)  # sums of copies come after the product
            made += [(step % self.slots, self.levels[index] if step in low else level) for step in packed.rotations]
            if self.processes > 1 and packed.giants and half(packed):
                made.append((packed.giants[0][half(packed) - 1][0], level))
        return [(step, level) for step, level in made if step]

    def conjugations(self) -> list[int]:
        """The level of every complex conjugate of a ciphertext."""
        complex_steps = [i for i, packed in self.packed.items() if packed.complex_shift]
        made = [self.levels[index] for index in complex_steps for _ in range(self.layouts[index].ciphertexts)]
        sources = [i for i, step in enumerate(self.circuit.steps) if isinstance(step, CircuitInput)]
        pairs = [self.levels[i] for i in sources for _ in range(-(-self.layouts[i].ciphertexts // 2))]
        return [*made, *(pairs if self.paired_inputs else [])]

    def relinearisations(self) -> list[int]:
        """The level of every product of ciphertexts."""
        made = []
        for index, step in enumerate(self.circuit.steps):
            count = self.layouts[index].ciphertexts
            match step:
                case Product():
                    made += [self.levels[index] + 1] * count
                case Polynomial(operand, coefficients):
                    level, polynomials = self.levels[index], self.circuit.polynomials(operand)
                    deep = polynomial_depth(self.circuit, step)
                    number = math.ceil(products(coefficients, polynomials))
                    top = self.levels[operand] if polynomials >= SHARED else level + deep
                    made += [max(level + 1, top - k % deep) for k in range(number)] * count
        return made


def polynomial_depth(circuit: Circuit, step: Polynomial) -> int:
    """Levels of a polynomial; one of many of a value may take one more, and far fewer products."""
    is_shared = circuit.polynomials(step.operand) >= SHARED
    return shared_depth(step.coefficients) if is_shared else depth(step.coefficients)


def arrange(circuit: Circuit, slots: int, processes: int = 1, batch_size: int = 1) -> Arrangement:
    """Lay ``circuit`` out: inputs as the linear steps that read them need it, greedily from there on.

    With two ``processes`` for one image, large linear steps need one more key each. ``batch_size`` images lie side by
    side.
    """
    packed = circuit if batch_size == 1 else pack_side_by_side(circuit, batch_size)
    tried = [_Arranging(packed, slots, "over"), _Arranging(packed, slots, "flat")]
    written_out = _windows_by_owner(circuit, slots // batch_size)
    if written_out is not None:
        form = written_out if batch_size == 1 else pack_side_by_side(written_out, batch_size)
        tried.append(_Arranging(form, slots, "flat"))
    read = without_unread(circuit)
    if read is not None and most_places(read) < most_places(circuit):
        form = read if batch_size == 1 else pack_side_by_side(read, batch_size)
        tried.append(_Arranging(form, slots, "flat"))
    best = min(tried, key=lambda attempt: attempt.place(only_first=True))
    best.place()
    made = best.pack()
    form = best.circuit
    numbers = [i for i, step in enumerate(form.steps) if isinstance(step, Polynomial)]
    if any(polynomial_unit(form, i) != unit_of(form.bounds[i]) for i in numbers):
        usual = _Arranging(form, slots, best.inputs, for_sums=False)  # where other readers are deeper than these sums
        usual.place()
        made = min(usual.pack(), made, key=lambda arrangement: arrangement.depth)
    return replace(made, processes=processes, batch_size=batch_size)


def _windows_by_owner(circuit: Circuit, slots: int) -> Circuit | None:
    """The owner writes out what the first linear step reads, so that the step needs few rotations; None: too much."""
    users: dict[int, list[int]] = {}
    for index in range(len(circuit.steps)):
        for operand in circuit.operands(index):
            users.setdefault(operand, []).append(index)
    steps, shapes = list(circuit.steps), list(circuit.shapes)
    changed = False
    for index, step in enumerate(circuit.steps):
        if not (
            isinstance(step, CircuitInput) and step.encoding is InputEncoding.NUMBERS and len(users.get(index, ())) == 1
        ):
            continue
        user = users[index][0]
        linear = steps[user]
        if not (isinstance(linear, Linear) and linear.operands == (index,)):
            continue
        matrix = linear.matrices[0]
        rows, taps = matrix.shape[0], int(np.diff(matrix.indptr).max())
        place = power_of_two(rows)
        if taps < 2 or place > slots or taps * place > MOST_UPLOADED * slots:
            continue
        gather = np.full((taps, place), -1)
        tap = np.arange(matrix.nnz) - np.repeat(matrix.indptr[:-1], np.diff(matrix.indptr))
        row = np.repeat(np.arange(rows), np.diff(matrix.indptr))
        gather[tap, row] = matrix.indices
        spread = type(matrix)((matrix.data, (row, tap * place + row)), shape=(rows, taps * place))
        steps[index] = replace(step, gather=(gather,))
        shapes[index] = (taps, place)
        steps[user] = Linear((index,), (spread,), linear.bias)
        changed = True
    return replace(circuit, steps=tuple(steps), shapes=tuple(shapes)) if changed else None


@dataclass(eq=False)
class _Arranging:
    """One attempt, with inputs laid ``over`` the image plane or ``flat``."""

    circuit: Circuit
    slots: int
    inputs: str
    for_sums: bool = True  # polynomials come in units that suit sums of them

    def place(self, *, only_first: bool = False) -> float:
        """Choose all layouts, or those before the first step on no input; return the effort, in rotations."""
        steps, circuit = self.circuit.steps, self.circuit
        self.groups = circuit.groups
        self.weight = self._elementwise()
        first = next(i for i, s in enumerate(steps) if isinstance(s, CircuitInput))
        self.grid = ImageGrid.of(circuit.shapes[first])
        self.layouts: dict[int, Layout] = {}  # of groups
        self.units: list[float] = []
        self.stored: dict[int, Linear] = {}
        self.placed: dict[int, Placed] = {}
        self.effort = 0.0
        for index, step in enumerate(steps):
            group = self.groups[index]
            if only_first and not all(isinstance(steps[o], CircuitInput) for o in circuit.operands(index)):
                break
            match step:
                case CircuitInput():
                    self.layouts[group] = self._input_layout(index)
                    self.units.append(unit_of(circuit.bounds[index]) if step.encoding is InputEncoding.NUMBERS else 1.0)
                case Linear():
                    self._linear(index, step)
                case Product(left, right):
                    self._choose(index)
                    self.units.append(self.units[left] * self.units[right])
                case Polynomial():
                    self._choose(index)
                    unit = unit_of(circuit.bounds[index])
                    self.units.append(polynomial_unit(circuit, index) if self.for_sums else unit)
        self.effort += sum(self.weight[g] * layout.ciphertexts for g, layout in self.layouts.items())
        return self.effort

    def pack(self) -> Arrangement:
        """Plan every linear step between the chosen layouts."""
        layouts = tuple(self.layouts[group] for group in self.groups)
        packed: dict[int, Packed] = {}
        for index, step in enumerate(self.circuit.steps):
            if isinstance(step, Linear):
                operands = [layouts[o] for o in step.operands]
                scaled = self._on_stored(index, step)
                packed[index] = pack(scaled, operands, self.placed[index], self.slots)
        levels = levels_of(self.circuit, packed)
        return Arrangement(self.circuit, self.slots, layouts, tuple(self.units), levels, packed, self.effort)

    def _input_layout(self, index: int) -> Layout:
        shape = self.circuit.shapes[index]
        laid = over(self.grid, shape, self.slots) if self.inputs == "over" else []
        return laid[0] if laid else flat(shape, self.slots)

    def _linear(self, index: int, step: Linear) -> None:
        group, scaled = self.groups[index], self._on_stored(index, step)
        if group in self.layouts:
            placed = self._placed(index, step, scaled, self.layouts[group], fixed=True)
        else:
            placed = self._choose(index)
            assert placed is not None
            self.layouts[group] = placed.result
        self.placed[index] = replace(placed, result=self.layouts[group])
        self.effort += effort(placed)
        largest = max(float(abs(m).max()) for m in scaled.matrices)
        unit = linear_unit(self.circuit, index, largest, only_added=self.circuit.only_added[index])
        self.units.append(unit if placed.factor is None else placed.factor)

    def _placed(self, index: int, step: Linear, scaled: Linear, layout: Layout, *, fixed: bool) -> Placed:
        operands = [self.layouts[self.groups[o]] for o in step.operands]
        clean = self.circuit.must_be_clean[index] or len(operands) > 1
        real = all(self.circuit.without_imaginary_parts[o] for o in step.operands)
        placed = place(scaled, operands, layout, self.slots, fixed=fixed, clean=clean, real=real)
        if placed.factor is not None and not self._may_be_free(index, step, placed.factor):
            spoilt = Linear(scaled.operands, tuple(m * 1j for m in scaled.matrices), scaled.bias)
            placed = place(spoilt, operands, layout, self.slots, fixed=fixed, clean=True, real=False)
        return placed

    def _on_stored(self, index: int, step: Linear) -> Linear:
        """The step on stored numbers, with a result in real ones."""
        if index not in self.stored:
            matrices = tuple(m * self.units[o] for o, m in zip(step.operands, step.matrices, strict=True))
            self.stored[index] = Linear(step.operands, matrices, step.bias)
        return self.stored[index]

    def _may_be_free(self, index: int, step: Linear, factor: float) -> bool:
        """Whether the result may be stored in the unit ``factor``: a polynomial reads its operand in one near 1."""
        drifts = _deepest(self.circuit, index) and (factor <= 0 or drift(self.circuit, index, factor) > MOST_DRIFT)
        return len(step.operands) == 1 and not drifts

    def _choose(self, index: int) -> Placed | None:
        """Lay out the group of ``index``, if it is not yet, so that its incoming linear steps cost least."""
        group = self.groups[index]
        if group in self.layouts:
            return None
        shape = self.circuit.shapes[index]
        incoming = [
            (i, step)
            for i, step in enumerate(self.circuit.steps)
            if self.groups[i] == group and isinstance(step, Linear) and len(self.units) > max(step.operands)
            if all(self.groups[o] in self.layouts for o in step.operands)
        ]
        candidates: list[Layout | None] = [*over(self.grid, shape, self.slots), flat(shape, self.slots)]
        candidates += [
            _anchored(step, self.layouts[self.groups[step.operands[0]]], self.slots) for _, step in incoming[:1]
        ]
        candidates += [
            replace(layout, period=self.slots)  # what has no copies may take copies of what it reads
            for layout in (candidate for candidate in candidates if candidate is not None)
            if layout.ciphertexts == 1 and layout.period < self.slots
        ]
        best: tuple[float, Layout, Placed | None] | None = None
        for layout in (candidate for candidate in candidates if candidate is not None):
            cost, own = self.weight[group] * layout.ciphertexts, None
            for i, step in incoming:
                placed = self._placed(i, step, self._on_stored(i, step), layout, fixed=False)
                cost += effort(placed)
                own = placed if i == index else own
            if best is None or cost < best[0]:
                best = cost, layout, own
        assert best is not None
        self.layouts[group] = best[1]
        return best[2]

    def _elementwise(self) -> dict[int, float]:
        """Products per ciphertext of each group."""
        weight = dict.fromkeys(self.groups, 0.01)
        for index, step in enumerate(self.circuit.steps):
            match step:
                case Product():
                    weight[self.groups[index]] += PRODUCT_COST
                case Polynomial(operand, coefficients):
                    polynomials = self.circuit.polynomials(operand)
                    weight[self.groups[index]] += PRODUCT_COST * products(coefficients, polynomials)
        return weight


def _anchored(step: Linear, layout: Layout, slots: int) -> Layout | None:
    """Every element where the first element that it reads is: what sums of neighbours want."""
    matrix = step.matrices[0]
    if (np.diff(matrix.indptr) == 0).any():
        return None
    positions = layout.positions[matrix.indices[matrix.indptr[:-1]]]
    if len(np.unique(positions)) < len(positions):
        return None
    return Layout(positions, layout.period, int(positions.max()) // slots + 1)


def linear_unit(circuit: Circuit, index: int, largest: float, *, only_added: bool) -> float:
    """The unit of the result of a linear step whose ``largest`` weight, of stored numbers, is given."""
    unit = unit_of(circuit.bounds[index])
    if not only_added:
        size, deepest = circuit.sizes[index], _deepest(circuit, index)
        if deepest:
            return max(unit, 2.0 ** -(MOST_DRIFT // 2 ** (deepest - 1)))
        return unit if not 0 < size < unit else size
    # small weights are encoded badly: rather large numbers
    return min(unit, max(unit_of(largest), unit / LARGEST_STORED))


def polynomial_unit(circuit: Circuit, index: int) -> float:
    """The unit of a polynomial: if polynomials read a sum of it, one in which that sum costs no level."""
    unit = unit_of(circuit.bounds[index])
    for number, step in enumerate(circuit.steps):
        if isinstance(step, Linear) and step.operands == (index,) and step.matrices[0].nnz:
            weight, largest = (float(end(step.matrices[0].data.real)) for end in (np.min, np.max))
            if weight == largest > 0 and drift(circuit, number, unit * weight) > MOST_DRIFT:
                return 1 / weight if unit <= 1 / weight <= MOST_ENLARGED * unit else unit
    return unit


def drift(circuit: Circuit, index: int, unit: float) -> float:
    """Bits by which scales inside the polynomials of a value part from all others, if it is stored in ``unit``.

    A polynomial takes its operand for one of unit 1 at another scale; every product on its way doubles how far off that
    is, in bits. Constants and noise lose as many.
    """
    deepest = _deepest(circuit, index)
    return abs(math.log2(unit)) * 2 ** (deepest - 1) if deepest else 0.0


def _deepest(circuit: Circuit, index: int) -> int:
    """Levels of the deepest polynomial of a value; 0 where none reads it."""
    users = [step for step in circuit.steps if isinstance(step, Polynomial) and step.operand == index]
    return max((polynomial_depth(circuit, step) for step in users), default=0)


def unit_of(bound: float) -> float:
    """The power of two that no number exceeds."""
    return 2.0 ** math.ceil(math.log2(bound)) if 0 < bound < math.inf else 1.0


def levels_of(circuit: Circuit, packed: dict[int, Packed]) -> tuple[int, ...]:
    """Each value as low as its uses allow: the lower, the cheaper everything is."""
    levels = [0] * len(circuit.steps)
    for index in reversed(range(len(circuit.steps))):
        step, level = circuit.steps[index], levels[index]
        match step:
            case Linear():
                need = level + packed[index].levels
            case Product():
                need = level + 1
            case Polynomial():
                need = level + polynomial_depth(circuit, step)
            case _:
                continue
        for operand in circuit.operands(index):
            levels[operand] = max(levels[operand], need)
    return tuple(levels)


def key_groups(arrangement: Arrangement) -> tuple[KeyGroup, ...]:
    """Few groups of keys by level: a key for a low level is a fraction of one for the top."""
    highest: dict[int, int] = {}
    for step, level in arrangement.rotations():
        highest[step] = max(level, highest.get(step, 0))
    relinearise = max(arrangement.relinearisations(), default=-1)
    conjugate = max(arrangement.conjugations(), default=-1)
    wanted = sorted({*highest.values(), relinearise, conjugate} - {-1})
    if not wanted:
        return ()
    bounds = few_levels(wanted, highest)
    groups, low = [], -1
    for bound in bounds:
        steps = tuple(sorted(s for s, level in highest.items() if low < level <= bound))
        level = max(bound, 1) if arrangement.depth else 0
        groups.append(KeyGroup(level, steps, low < relinearise <= bound, low < conjugate <= bound))
        low = bound
    return tuple(groups)
