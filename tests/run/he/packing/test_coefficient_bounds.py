"""What is said to fit the lowest prime does: bounds on coefficients, against those of encoded results."""

from __future__ import annotations

import numpy as np
import pytest

from privis.program import Input, Value, ops, trace
from privis.run.he.compiler.compiler import CompiledProgram, Options, compile_program
from privis.run.he.compiler.slot_encoding import fill_slots
from privis.run.he.engine import galois_element
from privis.run.he.evaluation.batch_interpreter import BatchInterpreter
from privis.run.he.evaluation.interpreter import CircuitInterpreter, Plaintexts
from privis.run.he.packing.batching import Batching
from privis.run.he.packing.coefficient_bounds import largest_coefficients, largest_numbers
from tests.run.he.backends.clear_engine import ClearEngine

WEIGHTS = np.random.default_rng(5)
KERNEL, FIRST, SECOND = WEIGHTS.normal(size=(3, 2, 3, 3)), WEIGHTS.normal(size=(20, 48)), WEIGHTS.normal(size=(10, 20))


def network(x: Value) -> Value:
    y = (x >> ops.Conv(KERNEL, (2, 2), (1, 1, 1, 1))).reshape(48)
    y = (y * y >> ops.Dense(FIRST)) - 1.0
    return (y * y >> ops.Dense(SECOND)) + 0.5


def filters(x: Value) -> Value:
    return x * x >> ops.Conv(KERNEL, (1, 1), (1, 1, 1, 1))


def sums(x: Value) -> Value:
    return (x * x).sum(1, 2) >> ops.Dense(SECOND[:3, :2])


def coefficients(slots: np.ndarray) -> np.ndarray:
    """Of the polynomial with these values, by the inverse of the canonical embedding."""
    degree = 2 * len(slots)
    values = np.zeros(degree, complex)
    exponents = np.array([galois_element(step, degree) for step in range(len(slots))])
    values[exponents // 2] = slots  # at the roots exp(pi i (2 t + 1) / N)
    values[(2 * degree - exponents) // 2] = slots.conj()
    steps = np.arange(degree)
    return np.real(np.fft.fft(values) / degree * np.exp(-1j * np.pi * steps / degree))


def results(made: CompiledProgram, images: np.ndarray) -> list[np.ndarray]:
    """The slots of every ciphertext of the first output."""
    spec, slot = made.spec, made.choice.arrangement.slot_per_image
    engine = ClearEngine(spec.parameters, spec.keys)
    run = BatchInterpreter(made.choice, engine) if slot else CircuitInterpreter(made.choice, engine, Plaintexts(0))
    given = [[engine.encrypt(row, s.level, spec.scale) for row in fill_slots(spec, s, images)] for s in spec.sources]
    return [x.values for x in run.run(given)[0]]


@pytest.mark.parametrize(
    ("layers", "batching"),
    [*((network, how) for how in Batching), *((layers, Batching.NONE) for layers in (filters, sums))],
)
def test_no_coefficient_is_larger_than_its_bound(layers, batching: Batching, rng) -> None:
    program = trace(layers, Input((2, 8, 8), -1.0, 1.0, None))
    made = compile_program(program, Options(1e-2, batching=batching))
    (bound,) = largest_coefficients(made.choice.arrangement).values()
    extremes = [rng.uniform(-1, 1, (2, 8, 8)), np.ones((2, 8, 8)), rng.choice([-1.0, 1.0], (2, 8, 8))]
    for image in extremes:
        found = results(made, np.stack([image] * made.spec.batch_size)[:, None])
        if not made.choice.arrangement.slot_per_image:
            numbers = largest_numbers(made.choice.arrangement, made.circuit.outputs[0])
            assert (np.abs(found) <= numbers * (1 + 1e-9) + 1e-12).all()
        assert max(np.abs(coefficients(own)).max() for own in found) <= bound * (1 + 1e-9)
        assert np.isfinite(bound) and bound > 0


def test_a_result_that_fills_few_slots_has_smaller_coefficients_than_numbers() -> None:
    arrangement = compile_program(trace(network, Input((2, 8, 8), -1.0, 1.0, None)), Options(1e-2)).choice.arrangement
    (output,), (bound,) = arrangement.circuit.outputs, largest_coefficients(arrangement).values()
    assert bound < arrangement.circuit.certain[output] / arrangement.units[output] / 8


def test_coefficients_are_those_of_the_polynomial(rng) -> None:
    slots = rng.normal(size=8) + 1j * rng.normal(size=8)
    polynomial = coefficients(slots)
    roots = np.exp(1j * np.pi * np.array([galois_element(step, 16) for step in range(8)]) / 16)
    np.testing.assert_allclose(np.polynomial.polynomial.polyval(roots, polynomial), slots, atol=1e-12)
    assert np.abs(polynomial).max() <= np.abs(slots).mean()
