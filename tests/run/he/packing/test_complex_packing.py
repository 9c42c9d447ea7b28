"""Linear steps on pairs of numbers: half the products, the same sums, whatever lies in slots without an element."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from privis.features.colour import ColourHistogram
from privis.program import Input, ops, trace
from privis.run.he.compiler.compiler import CompiledProgram, Options, compile_program
from privis.run.he.packing.complex_packing import complex_products
from privis.run.he.packing.hybrid_diagonals import Entries
from privis.run.he.packing.layout import second
from tests.run.he.backends.clear_engine import run_in_the_clear

SLOTS = 256


@settings(deadline=None, max_examples=50)
@given(st.sampled_from([2, 8, 64, SLOTS]), st.integers(1, 40), st.floats(0.01, 1.0), st.integers(0, 2**32 - 1))
def test_real_parts_of_products_with_pairs_are_the_matrix_product(period, rows, density, seed):
    rng = np.random.default_rng(seed)
    matrix = rng.normal(size=(rows, period)) * (rng.random((rows, period)) < density)
    where = np.unique(rng.integers(0, SLOTS, rows))
    row, column = np.nonzero(matrix[: len(where)])
    none, distance = np.zeros(len(row), int), (column - where[row]) % period
    made = complex_products(
        Entries(none, distance, none + period, none, where[row], matrix[row, column]), period // 2, SLOTS
    )
    held = np.tile(rng.normal(size=period), SLOTS // period)
    pairs = held + second(SLOTS) * np.roll(held, -(period // 2))
    sums = np.zeros(SLOTS, complex)
    np.add.at(sums, made.slot, made.weight * pairs[(made.slot + made.distance) % SLOTS])
    np.testing.assert_allclose((sums + sums.conj()).real[where], matrix[: len(where)] @ held[:period], atol=1e-9)
    assert made.distance.max(initial=0) < period // 2


def convolutions(channels: int, strides: tuple[int, ...]) -> tuple[CompiledProgram, np.ndarray]:
    rng, kernels, width = np.random.default_rng(17), [], 3
    for stride in strides:
        kernels.append((rng.normal(size=(channels, width, 3, 3)) / (3 * width**0.5), stride))
        width, channels = channels, channels * 2

    def network(x):
        for kernel, stride in kernels:
            y = x >> ops.Conv(kernel, (stride, stride), (1, 1, 1, 1))
            x = y * y + 0.1
        return x

    program = trace(network, Input((3, 16, 16), -1.0, 1.0, None))
    return compile_program(program, Options(precision=1e-2)), rng.uniform(-1, 1, (3, 16, 16))


@pytest.mark.parametrize(
    ("channels", "strides"),
    [
        *((8, (1, 1)), (8, (1, 2)), (16, (2, 1, 2)), (16, (1, 1)), (8, (1, 1, 1))),
        pytest.param(32, (1, 1), marks=pytest.mark.long),
    ],
)
def test_convolutions_on_pairs(channels, strides):
    made, image = convolutions(channels, strides)
    assert any(packed.complex_shift for packed in made.choice.arrangement.packed.values())
    (found,), (expected,) = run_in_the_clear(made, [image]), made.in_the_clear(image)
    np.testing.assert_allclose(found, expected, atol=1e-6 * np.abs(expected).max())


def test_a_conjugation_key_is_made_where_pairs_need_one():
    made = convolutions(8, (1, 1, 1))[0]
    arrangement = made.choice.arrangement
    levels = [arrangement.levels[i] for i, packed in arrangement.packed.items() if packed.complex_shift]
    assert arrangement.conjugations() == levels and len(levels) == 2
    assert [group.level >= max(levels) for group in made.spec.keys if group.conjugate] == [True]


def test_what_is_complex_is_not_paired():
    made = compile_program(ColourHistogram(bins=16).program((3, 64, 64)), Options())
    assert not any(packed.complex_shift for packed in made.choice.arrangement.packed.values())


def test_encrypted_pairs():
    pytest.importorskip("tenseal")
    from privis.run.he.evaluation.evaluator import Evaluator
    from privis.run.he.owner.keys import SecretKeys

    made, image = convolutions(8, (1, 1))
    assert any(packed.complex_shift for packed in made.choice.arrangement.packed.values())
    keys = SecretKeys.generate(made.spec)
    query = keys.encrypt(made.spec, [[image]])
    evaluator = Evaluator.open(made, keys.evaluation_keys(made.spec))
    (found,), (expected,) = keys.decrypt(made.spec, query, evaluator.run(query.message))[0], made.in_the_clear(image)
    bound = made.circuit.bounds[made.circuit.outputs[0]]
    assert np.abs(found - expected).max() < made.spec.error * bound  # what it promises to be relative to
