"""Choose ring and primes for an arrangement, and predict how far encrypted results are from exact ones."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Set
from dataclasses import replace

import numpy as np
from numpy.polynomial import chebyshev
from scipy import sparse

from privis.errors import Problem, UnsupportedError
from privis.run.he.circuit.chebyshev import products
from privis.run.he.circuit.circuit import Circuit, CircuitInput, Linear, Polynomial, Product
from privis.run.he.compiler.parameter_choice import ParameterChoice
from privis.run.he.engine import DEGREES, Parameters, galois_element
from privis.run.he.packing.arrangement import MOST_DRIFT, Arrangement, arrange, drift, polynomial_depth
from privis.run.he.packing.batching import Batching
from privis.run.he.packing.coefficient_bounds import largest_coefficients
from privis.run.he.packing.diagonals import Packed, is_uniform
from privis.run.he.packing.side_by_side import fitting
from privis.run.he.packing.slot_per_image import arrange_slot_per_image
from privis.run.he.security import DEFAULT_STANDARD, SecurityStandard, largest_modulus

LEAST_SCALE, MOST_SCALE = 28, 45  # bits; below, rounding drowns what features need, above it gains nothing
SPECIAL = 60  # bits of the prime of key switching; the noise of a rotation is divided by it
UNKNOWN = 14  # bits of headroom where intervals say nothing: results may be 2**13 times what was expected
SIX_SIGMA = 6.0
MOST_LOST = 200.0  # bits of drift beyond which nothing is left anyway
MOST_SPARED = 16  # bits by which results may be stored smaller than 1, to spare the lowest prime
SIGN = 1 + 2.0**-5  # bits of a coefficient's sign, and of its noise and the prime's distance from a power of two


def choose(
    circuit: Circuit,
    precision: float,
    processes: int = 1,
    batching: Batching = Batching.NONE,
    standard: SecurityStandard = DEFAULT_STANDARD,
) -> ParameterChoice:
    """The smallest ring in which ``circuit`` keeps ``precision`` (relative to its largest output) at 128-bit security.

    ``standard`` is whose table says what is secure. Raises UnsupportedError, with the numbers, when even the largest
    ring has too few levels or too little precision.
    """
    least = _least_depth(circuit)
    if least > most_levels(standard):
        raise UnsupportedError(too_deep(f"{least}", standard))
    deepest, choices = least, []
    for arrangement, found in _tried(circuit, least, processes, batching, standard):
        deepest = arrangement.depth
        if found is not None:
            choices.append(found)
            if found.error <= precision:
                return found
    if not choices:
        raise UnsupportedError(too_deep(f"{deepest}", standard))
    best = min(choices, key=lambda choice: choice.error)
    got = f"a predicted error of {best.error:.1e} of the largest output with {math.log2(best.scale):.0f} bits a level"
    remedy = f"ask for precision={2 * best.error:.0e}, or for fewer levels (fewer sign polynomials, the owner's tail)"
    raise UnsupportedError(Problem("HE", got, f"at most {precision:.1e}", remedy))


def possible_choices(circuit: Circuit, standard: SecurityStandard = DEFAULT_STANDARD) -> Iterator[ParameterChoice]:
    """What `choose` chooses from for one image at a time, by ring, the smallest first; none where nothing fits.

    Args:
        circuit: with the sizes its values are expected to have.
        standard: whose table of security.

    Yields:
        The most precise parameters of each ring in which the levels fit.
    """
    least = _least_depth(circuit)
    if least <= most_levels(standard):
        yield from (found for _, found in _tried(circuit, least, 1, Batching.NONE, standard) if found is not None)


def _tried(
    circuit: Circuit, least: int, processes: int, batching: Batching, standard: SecurityStandard
) -> Iterator[tuple[Arrangement, ParameterChoice | None]]:
    """The arrangement for every ring that may have enough levels, and parameters where they fit."""
    for degree in DEGREES[1:]:
        most = largest_modulus(standard)[degree]
        if least * LEAST_SCALE <= most:
            arrangement = _arranged(circuit, degree // 2, processes, batching)
            yield arrangement, _fit(arrangement, degree, most)


def _arranged(circuit: Circuit, slots: int, processes: int, batching: Batching) -> Arrangement:
    match batching:
        case Batching.NONE:
            return arrange(circuit, slots, processes)
        case Batching.SIDE_BY_SIDE:
            return arrange(circuit, slots, processes, fitting(circuit, slots))
        case Batching.SLOT:
            return arrange_slot_per_image(circuit, slots, processes)
        case Batching.SLOT_OF_PAIRS:
            return arrange_slot_per_image(circuit, slots, processes, paired_inputs=True)


def most_levels(standard: SecurityStandard) -> int:
    """Levels that 128-bit security leaves at the least scale: 3 bits of headroom in each outer prime.

    >>> [most_levels(standard) for standard in SecurityStandard]
    [29, 28]
    """
    return (largest_modulus(standard)[DEGREES[-1]] - 2 * (LEAST_SCALE + 3)) // LEAST_SCALE


def _least_depth(circuit: Circuit) -> int:
    """Levels that any layout needs."""
    need = [0] * len(circuit.steps)
    for index in reversed(range(len(circuit.steps))):
        match circuit.steps[index]:
            case Product():
                need[index] += 1
            case Linear(_, matrices) if not all(is_uniform(matrix) for matrix in matrices):
                need[index] += 1
            case Polynomial() as step:
                need[index] += polynomial_depth(circuit, step)
        for operand in circuit.operands(index):
            need[operand] = max(need[operand], need[index])
    return max(need)


def too_deep(levels: str, standard: SecurityStandard) -> Problem:
    """Name the ``levels`` that a program needs, a number or its bound, where that is too many."""
    most = largest_modulus(standard)[DEGREES[-1]]
    got = f"a program that needs {levels} levels"
    secure = f"{most} bits are 128-bit secure by {standard.title}"
    expected = f"at most {most_levels(standard)}: {secure}, a level takes at least {LEAST_SCALE}"
    remedy = "leave the last part to the key owner, use fewer sign polynomials or a shallower network, or use MPC"
    return Problem("HE", got, expected, remedy)


def _fit(arrangement: Arrangement, degree: int, most: int) -> ParameterChoice | None:
    """Scale and primes that fill the ``most`` bits of modulus that are secure; None where the scale would be too small.

    Where results that are certain are far larger than those expected, the lowest prime has to hold more than fits.
    Then results are stored smaller, by no more than the coefficients of their polynomials ask for: every bit less is
    a bit of precision. For the same reason their copies are added up before they are rescaled.
    """
    found = _fit_primes(arrangement, degree, most, _headroom(arrangement))
    return _fit_results(arrangement, degree, most) if found is None else found


def _fit_results(arrangement: Arrangement, degree: int, most: int) -> ParameterChoice | None:
    """The most precise choice at the least scale whose results are stored as small as the lowest prime asks for."""
    circuit = arrangement.circuit
    read = {operand for index in range(len(circuit.steps)) for operand in circuit.operands(index)}
    sizes = {o: size for o, size in largest_coefficients(arrangement).items() if o not in read}
    fixed, fitting = _headroom(arrangement, but=set(sizes)), []
    for head in range(fixed, MOST_SCALE):
        smaller = {o: max(1.0, 2.0 ** (SIGN - head) * size) for o, size in sizes.items()}
        if not sizes or max(smaller.values()) > 2.0**MOST_SPARED:
            continue
        units = tuple(unit * smaller.get(index, 1.0) for index, unit in enumerate(arrangement.units))
        packed = {i: replace(own, folds_above=i in smaller) for i, own in arrangement.packed.items()}
        smallest = replace(arrangement, units=units, packed=packed)
        choice = _fit_primes(smallest, degree, most, head, LEAST_SCALE, _uncentred(smallest))
        if choice is None:
            break
        fitting.append(choice)
    return min(fitting, key=lambda choice: choice.error, default=None)


def _fit_primes(
    arrangement: Arrangement,
    degree: int,
    most: int,
    head: int,
    most_scale: int = MOST_SCALE,
    uncentred: Mapping[int, float] | None = None,
) -> ParameterChoice | None:
    """``most``: bits of the modulus; ``head``: of the lowest prime above the scale's; ``uncentred``: as in `noises`."""
    levels = arrangement.depth
    for bits in range(most_scale, LEAST_SCALE - 1, -1):
        lowest = min(60, bits + head)
        special = min(SPECIAL, most - lowest - bits * levels)
        if special >= max(lowest, bits):
            parameters = Parameters(degree, (lowest, *[bits] * levels, special))
            return ParameterChoice(arrangement, parameters, 2.0**bits, _error(arrangement, parameters, bits, uncentred))
    return None


def _headroom(arrangement: Arrangement, but: Set[int] = frozenset()) -> int:
    """Bits above the scale that stored results need at the lowest level, one of them for the sign."""
    largest = 1.0
    for index in range(len(arrangement.circuit.steps)):
        if arrangement.levels[index] == 0 and index not in but:
            largest = max(largest, arrangement.circuit.certain[index] / abs(arrangement.units[index]))
    return UNKNOWN if largest == math.inf else math.ceil(math.log2(largest)) + 3


def _error(arrangement: Arrangement, parameters: Parameters, bits: int, uncentred: Mapping[int, float] | None) -> float:
    """Six standard deviations of the noise in outputs, relative to their bounds; to 1 where they are always zero."""
    circuit, noise = arrangement.circuit, noises(arrangement, parameters, bits, uncentred)
    relative = [noise[o] * abs(arrangement.units[o]) / (circuit.bounds[o] or 1.0) for o in circuit.outputs]
    return SIX_SIGMA * max(relative)


def noises(
    arrangement: Arrangement, parameters: Parameters, bits: int, uncentred: Mapping[int, float] | None = None
) -> list[float]:
    """Standard deviations of the noise in every value's stored numbers, carried through the circuit by mean squares.

    Every rescaling adds rounding noise of ``sqrt(degree * (1 + degree * 2 / 3) / 12)`` in a slot, over the scale
    (ternary secret); encoding weights rounds by ``sqrt(degree / 12)``; key switching adds, for each digit, Gaussian
    noise times a uniform digit, divided by the special prime, and rounds like a rescaling. These are the sizes of
    complex numbers: where all values are real ones, only the real part of noise matters.

    The library's digits are not centred, so that most of this noise meets in one slot: ``uncentred`` says for linear
    steps how much of it elements have on average, over that of centred digits, as mean squares; without it every
    element is taken to be in the worst slot.
    """
    degree = parameters.degree
    lowest, *rest, special = parameters.bits
    circuit = arrangement.circuit
    stored = 2.0**bits * (math.sqrt(2) if circuit.is_real else 1.0)
    digits = math.sqrt(4.0**lowest + len(rest) * 4.0**bits) / 2.0**special
    switched = 3.2 * degree * digits / math.sqrt(12) / stored
    first = switched * math.sqrt(12 * degree) / math.pi
    rounding = math.sqrt(degree * (1 + degree * 2 / 3) / 12) / stored
    fresh = 3.2 * math.sqrt(degree) / stored
    encoded = math.sqrt(degree / 12) / stored
    noise: list[float] = []
    for index, step in enumerate(circuit.steps):
        unit = abs(arrangement.units[index])
        match step:
            case CircuitInput():
                noise.append(fresh)
            case Linear(operands, matrices):
                packed, spread = arrangement.packed[index], 0.0
                folds = 0 if packed.folds_above else len(packed.folds)
                met = folds + bool(packed.complex_shift)  # times that rescaled sums meet their rotations or conjugates
                for operand, matrix in zip(operands, matrices, strict=True):
                    scale = abs(arrangement.units[operand]) / unit
                    turned = noise[operand] ** 2 + (switched**2 + rounding**2) * (
                        _turns(packed) + bool(packed.complex_shift)
                    )
                    spread += turned * scale**2 * _gain(matrix)
                    size = circuit.sizes[operand] / abs(arrangement.units[operand])
                    size *= math.sqrt(2) if packed.complex_shift else 1.0
                    added = packed.products * 2 ** (
                        len(packed.folds) + met - folds
                    )  # weights are off where none are, too
                    spread += (encoded * size) ** 2 * added
                folded = first * math.sqrt(met)  # of every fold, in the same slot; the copies lie in others
                if uncentred is not None:
                    folded = switched * math.sqrt(uncentred[index])
                again = (switched**2 + rounding**2) * (2.0**met - 1)  # each fold adds up two slots, one turned anew
                noise.append(math.sqrt(spread + rounding**2 * 2.0**met + again + folded**2))
            case Product(left, right):
                sizes = [circuit.sizes[o] / abs(arrangement.units[o]) for o in (left, right)]
                carried = math.hypot(noise[left] * sizes[1], noise[right] * sizes[0])
                noise.append(math.hypot(carried * (math.sqrt(2) if left == right else 1), rounding))
            case Polynomial(operand, coefficients):
                slope = _slope(coefficients) * noise[operand]
                inside = rounding * math.sqrt(products(coefficients) + 1) * _size(coefficients)
                lost = drift(circuit, operand, abs(arrangement.units[operand])) - MOST_DRIFT
                inside *= 2.0 ** min(max(0.0, lost), MOST_LOST)
                noise.append(math.hypot(slope, inside) / unit)
    return noise


def _uncentred(arrangement: Arrangement) -> dict[int, float]:
    """For every linear step, ``3 / N / sin(pi e / 2 N) ** 2`` for the fold that made it and those before, averaged.

    The mean of digits below q is ``q / 2 (1 + X + ...)``, which is ``q / (1 - w)`` at the root ``w = exp(pi i e / N)``;
    slot ``s`` is the root with ``e = 3 ** s``.
    """
    if arrangement.slot_per_image:
        return dict.fromkeys(arrangement.packed, 0.0)
    slots = arrangement.slots
    exponents = np.array([galois_element(step, 2 * slots) for step in range(slots)], float)
    own = 3 / (2 * slots) / np.sin(np.pi * exponents / (4 * slots)) ** 2
    found: dict[int, float] = {}
    for index, packed in arrangement.packed.items():
        total = own if packed.complex_shift else np.zeros(slots)
        for step in () if packed.folds_above else packed.folds:
            total = total + np.roll(total, -step) + own
        places = [part % slots for part in arrangement.layouts[index].with_copies(slots)]
        found[index] = float(np.mean(total[np.concatenate(places)]))
    return found


def _turns(packed: Packed) -> float:
    """Rotations one after another before the product, on average."""
    return max((len(chain) / 2 for _, chain in packed.babies), default=0.0)


def _gain(matrix: sparse.csr_array) -> float:
    """By how much the matrix enlarges the mean square of noise."""
    return float((np.abs(matrix.data) ** 2).sum() / max(matrix.shape[0], 1))


def _slope(coefficients: tuple[float, ...]) -> float:
    """Root mean square slope on [-1, 1]: compositions of steep polynomials are flat where they land."""
    slopes = chebyshev.chebval(np.linspace(-1, 1, 1001), chebyshev.chebder(np.asarray(coefficients)))
    return float(np.sqrt(np.mean(slopes**2)))


def _size(coefficients: tuple[float, ...]) -> float:
    return float(np.abs(coefficients).max())
