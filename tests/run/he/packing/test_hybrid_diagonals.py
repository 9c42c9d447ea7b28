"""Linear steps that use up the copies of what they read: fewer rotations, and nothing larger than an element."""

from dataclasses import replace

import numpy as np
import pytest

from privis.program import Input, ops, trace
from privis.run.he.compiler.compiler import Options, compile_program
from privis.run.he.compiler.parameters import noises
from privis.run.he.compiler.slot_encoding import fill_slots
from privis.run.he.engine import Parameters
from privis.run.he.evaluation.interpreter import CircuitInterpreter, Plaintexts
from privis.run.he.packing.arrangement import key_groups
from privis.run.he.packing.hybrid_diagonals import Entries, hybrid_entries
from privis.run.he.packing.layout import Layout
from tests.run.he.backends.clear_engine import run_in_the_clear

SLOTS = 4096


def entries(matrix: np.ndarray, period: int) -> tuple[Entries, Layout]:
    rows, columns = np.nonzero(matrix)
    distance = (columns - rows) % period
    same = np.zeros(len(rows), np.int64)
    own = Entries(same, distance, np.full(len(rows), period), same, rows, matrix[rows, columns])
    return own, Layout(np.arange(len(matrix)), SLOTS, 1)


@pytest.mark.parametrize("repeat", range(4))
@pytest.mark.parametrize("rows", [3, 10, 64, 100])
@pytest.mark.parametrize(("columns", "period"), [(256, 256), (200, 256), (64, 64), (64, SLOTS), (1000, 1024)])
def test_sums_of_products_in_other_slots_are_the_matrix_product(rows, columns, period, repeat, rng):
    scattered = rng.random((rows, columns)) < rng.choice([0.02, 1.0])
    matrix, x = np.abs(rng.normal(size=(rows, columns))) * scattered, np.ones(columns)
    matrix[:, 0] += 0.01
    held = np.full(SLOTS, 1e9)  # what lies between the elements must not matter
    for start in range(0, SLOTS, period):
        held[start : start + columns] = x
    found = hybrid_entries(*entries(matrix, period), SLOTS)
    if found is None:
        assert power(rows) * (power(columns) // power(rows)) * 2 > SLOTS or rows > columns
        return
    moved, folds = found
    sums = np.zeros(SLOTS)
    np.add.at(sums, moved.slot, moved.weight * held[(moved.slot + moved.distance) % SLOTS])
    for step in folds:
        sums = sums + np.roll(sums, -step)
    np.testing.assert_allclose(sums[:rows], matrix @ x, atol=1e-9)
    assert sums.max() <= matrix.sum(1).max() * (1 + 1e-9)  # weights and x are positive: no sum is hidden


def power(size: int) -> int:
    return 1 << (size - 1).bit_length()


def tutorial_network():
    rng = np.random.default_rng(9)
    kernel, first, second = rng.normal(size=(4, 1, 7, 7)) / 7, rng.normal(size=(64, 256)), rng.normal(size=(10, 64))

    def network(x):
        y = (x >> ops.Conv(kernel, (3, 3), (0,) * 4)) + 0.1
        y = ((y * y).reshape(256) >> ops.Dense(first / 16)) + 0.5
        return (y * y >> ops.Dense(second / 8)) - 0.25

    return trace(network, Input((1, 28, 28), -1.0, 1.0, None))


def test_the_network_of_the_tutorials_takes_25_rotations(rng):
    made, image = compile_program(tutorial_network(), Options(precision=1e-2)), rng.uniform(-1, 1, (1, 28, 28))
    assert made.rotations <= 25 and sum(p.products for p in made.choice.arrangement.packed.values()) <= 28
    (ours,) = run_in_the_clear(made, [image])
    np.testing.assert_allclose(ours, made.in_the_clear(image)[0], rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("sizes", [(8, 256), (4, 512), (16, 1024)])
def test_noise_of_sums_of_copies_is_what_is_predicted(sizes, rng):
    pytest.importorskip("tenseal")
    from privis.run.he.backends.seal import SealEngine
    from privis.run.he.owner.seal_keys import SealSecret

    matrix = rng.normal(size=sizes) / sizes[1] ** 0.5
    made = compile_program(trace(lambda x: x >> ops.Dense(matrix), Input(sizes[1:], -1.0, 1.0, None)), Options())
    arrangement, parameters = made.choice.arrangement, Parameters(8192, (43, 30, 50))  # noise, not float32, is measured
    (packed,) = arrangement.packed.values()
    assert len(packed.folds) >= 7  # rounding of 128 slots meets, which was once predicted as that of one
    secret, groups = SealSecret.generate(parameters), key_groups(arrangement)
    engine = SealEngine.with_keys(parameters, groups, secret.evaluation_keys(groups))
    interpreter = CircuitInterpreter(
        replace(made.choice, parameters=parameters, scale=2.0**30), engine, Plaintexts(1 << 26)
    )
    off = []
    for image in rng.uniform(-1, 1, (24, sizes[1])):
        rows = fill_slots(made.spec, made.spec.sources[0], [[image]])
        ((result,),) = interpreter.run([[engine.load(secret.encrypt(row, 1, 2.0**30)) for row in rows]])
        stored = secret.decrypt(engine.save(result)).real[arrangement.layouts[-1].positions]
        off.append(stored - matrix @ image / arrangement.units[-1])
    deviation = noises(arrangement, parameters, 30)[-1]
    assert np.sqrt(np.mean(np.square(off))) == pytest.approx(deviation, rel=0.25)
