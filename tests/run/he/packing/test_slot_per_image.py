"""Many images at once, on the clear engine: whatever the program, every image gets its own result.

Answers for `privis.run.he.packing.slot_per_image`.
"""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import assume, given, settings

from privis.errors import DomainError, UnsupportedError
from privis.features.hog import HOG, BlockNorm
from privis.program import Input, concat, ops, trace
from privis.readings import evaluate
from privis.run.he.circuit import reference
from privis.run.he.compiler.compiler import Options, compile_program
from privis.run.he.packing.batching import Batching
from tests.conformance.programs import programs
from tests.run.he.backends.clear_engine import run_batch_in_the_clear

OPTIONS = Options(precision=0.1, promised=True, inside=True, batching=Batching.SLOT)
SHARED = pytest.mark.parametrize(
    "batching", [Batching.SIDE_BY_SIDE, Batching.SLOT, Batching.SLOT_OF_PAIRS], ids=lambda batching: batching.name
)


def agree(program, images, batching):
    made = compile_program(program, replace(OPTIONS, batching=batching))
    for image, ours in zip(images, run_batch_in_the_clear(made, images), strict=True):
        expected = evaluate(made.form.program, *(np.asarray(x, np.float64) for x in image))
        constants = (
            2.0**-26 * made.choice.arrangement.circuit.bounds[made.circuit.outputs[0]]
        )  # a trace of other values
        np.testing.assert_allclose(ours[0], expected, atol=1e-6 * max(1.0, np.abs(expected).max()) + constants)
    return made


@SHARED
@settings(max_examples=20, deadline=None)
@given(made=programs())
def test_random_programs_equal_their_polynomial_form_or_are_refused(batching, made):
    program, x = made
    try:
        agree(program, [(x,), (0.5 * x,)], batching)
    except (UnsupportedError, DomainError) as refusal:
        assume(refusal.problems)


WEIGHTS = np.random.default_rng(5)
KERNEL, MATRIX = WEIGHTS.normal(size=(3, 2, 3, 3)), WEIGHTS.normal(size=(4, 36))


def network(x):
    y = x >> ops.Conv(KERNEL, (2, 2), (1, 1, 1, 1))
    return ((y * y).reshape(36) + 0.25) * 0.5 >> ops.Dense(MATRIX)


def test_each_slot_holds_two_images_and_the_last_one_is_as_right_as_the_first(rng):
    program = trace(network, Input((2, 6, 8), -1.0, 1.0, None))
    made = compile_program(program, OPTIONS)
    slots = made.spec.parameters.slots
    assert made.spec.batch_size == 2 * slots and made.rotations == 0
    whole = rng.uniform(-1, 1, (2 * slots, 2, 6, 8))
    results = run_batch_in_the_clear(made, [(x,) for x in whole])
    for k in (0, 1, slots - 1, slots, slots + 1, 2 * slots - 1):
        np.testing.assert_allclose(results[k][0], evaluate(program, whole[k]), atol=1e-6)


@SHARED
@pytest.mark.parametrize("degree", [1, 2, 3, 7, 8, 15])
@pytest.mark.parametrize("several", [1, 4])
def test_polynomials_alone_and_several_of_one_value(degree, several, batching, rng):
    series = [tuple(rng.normal(size=degree + 1)) for _ in range(several)]
    program = trace(
        lambda x: concat(*[(x * 0.5 >> ops.Poly(c, (-1.0, 1.0))).reshape(1, 9) for c in series]),
        Input((9,), -2.0, 2.0, None),
    )
    agree(program, [(x,) for x in rng.uniform(-2, 2, (3, 9))], batching)


@SHARED
def test_values_read_again_later_and_products_of_inputs(batching, rng):
    def program(x, y):
        product = x * y
        summed = product + x
        return concat(product * summed, (summed >> ops.Poly((0.1, 0.5, 0.25), (-8.0, 8.0))) * x)

    inputs = [Input((2, 3), -1.0, 1.0, None), Input((2, 3), -2.0, 2.0, None)]
    images = list(zip(rng.uniform(-1, 1, (4, 2, 3)), rng.uniform(-2, 2, (4, 2, 3)), strict=True))
    agree(trace(program, *inputs), images, batching)


@pytest.mark.parametrize("stride", [1, 2, 3])
def test_images_side_by_side_fill_the_slots_and_keep_to_themselves(stride, rng):
    kernel = rng.normal(size=(5, 2, 3, 3))

    def network(x):
        y = x >> ops.Conv(kernel, (stride, stride), (1, 1, 1, 1))
        return ((y * y).sum(1, 2) >> ops.Dense(MATRIX[:, :5])) + 0.25

    program = trace(network, Input((2, 12, 16), -1.0, 1.0, None))
    every = compile_program(program, replace(OPTIONS, batching=Batching.SIDE_BY_SIDE)).spec
    images = rng.uniform(-1, 1, (every.batch_size, 2, 12, 16))
    assert every.batch_size == every.parameters.slots // 512
    for count in (1, len(images)):
        agree(program, [(x,) for x in images[:count]], Batching.SIDE_BY_SIDE)


def test_more_images_take_no_more_rotations_for_each_plane():
    program = HOG(block=2, norm=BlockNorm.L2).program((64, 64))
    alone, shared = (compile_program(program, Options(batching=way)) for way in (Batching.NONE, Batching.SIDE_BY_SIDE))
    assert shared.spec.batch_size == 4 and shared.spec.queried == 1
    images = np.random.default_rng(2).integers(0, 256, (3, 64, 64)).astype(float)
    for image, ours in zip(images, run_batch_in_the_clear(shared, [(x,) for x in images]), strict=True):
        theirs = reference.outputs(shared.circuit, [image])[0]
        np.testing.assert_allclose(ours[0], theirs, atol=1e-6 * np.abs(theirs).max())
    products = [len(made.choice.arrangement.relinearisations()) for made in (alone, shared)]
    assert products[1] / 4 < 0.8 * products[0] and shared.choice.arrangement.depth < alone.choice.arrangement.depth
