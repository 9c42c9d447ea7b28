"""Weights that are zero, alone or for whole channels and outputs: whatever is left, every ciphertext is answered.

Answers for `privis.run.he.packing.diagonals`. A ciphertext of a result that reads nothing is a ciphertext all the same:
what follows counts on its place, and the owner on the number of replies.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from privis.errors import UnsupportedError
from privis.features.colour import ColourHistogram
from privis.program import Input, Program, Value, ops, trace
from privis.readings import evaluate
from privis.run.he.compiler.compiler import CompiledProgram, Options, compile_program
from privis.run.he.executor import CKKS
from privis.run.he.packing.batching import Batching
from tests.run.he.backends.clear_engine import run_batch_in_the_clear

OPTIONS = Options(precision=1e-2)
PLANE = (64, 64)  # fills a ciphertext of the smallest ring: channels are ciphertexts
SMALL = (4, 4)


def agree(program: Program, batching: Batching, *images: np.ndarray) -> CompiledProgram:
    """Every output of as many images as fit, and as many ciphertexts as the specification says."""
    made = compile_program(program, replace(OPTIONS, batching=batching))
    images = images[: made.spec.batch_size]
    bounds = made.choice.arrangement.circuit.bounds
    for image, ours in zip(images, run_batch_in_the_clear(made, [(x,) for x in images]), strict=True):
        expected = evaluate(program, image)
        for got, right, value in zip(
            ours, expected if isinstance(expected, tuple) else (expected,), made.circuit.outputs, strict=True
        ):
            trace_of_others = 2.0**-26 * (bounds[value] or 1.0)
            np.testing.assert_allclose(got, right, rtol=0, atol=1e-6 * np.abs(right).max() + trace_of_others)
    return made


@st.composite
def sparse(draw: st.DrawFn, rows: int, columns: int) -> np.ndarray:
    """A matrix with zeros: single ones, whole columns (ignored channels), whole rows (dead outputs)."""
    random = np.random.default_rng(draw(st.integers(0, 2**16)))
    kept = np.outer(
        draw(st.lists(st.booleans(), min_size=rows, max_size=rows)),
        draw(st.lists(st.booleans(), min_size=columns, max_size=columns)),
    )
    weights = np.ones((rows, columns)) if draw(st.booleans()) else random.normal(size=(rows, columns))
    return weights * kept * (random.random((rows, columns)) < draw(st.sampled_from([0.3, 1.0])))


@st.composite
def networks(draw: st.DrawFn, planes: tuple[tuple[int, int], ...]) -> tuple[tuple[int, int], Program]:
    """One or two layers of sparse weights, with or without biases, a square in between, one or two outputs."""
    plane = draw(st.sampled_from(planes))
    first, second = (draw(sparse(*size))[:, :, None, None] for size in ((4, 3), (3, 4)))
    bias, squares, both = (draw(st.booleans()) for _ in range(3))

    def network(x: Value) -> Value | tuple[Value, Value]:
        y = x >> ops.Conv(first)
        y = y + np.array([0.5, 0.0, -1.0, 0.25]).reshape(4, 1, 1) if bias else y
        z = (y * y if squares else y) >> ops.Conv(second)
        return (y, z) if both else z

    return plane, trace(network, Input((3, *plane), -1.0, 1.0, None))


def refused_for_a_constant(refusal: UnsupportedError) -> bool:
    return all("constant" in problem.got for problem in refusal.problems)


@pytest.mark.parametrize("batching", [Batching.NONE, Batching.SIDE_BY_SIDE])
@settings(max_examples=12, deadline=None)
@given(made=networks((PLANE, SMALL)))
def test_sparse_layers_compute_what_the_program_does(batching: Batching, made: tuple[tuple[int, int], Program]) -> None:
    plane, program = made
    images = np.random.default_rng(0).uniform(-1, 1, (2, 3, *plane))
    try:
        agree(program, batching, *images)
    except UnsupportedError as refusal:
        if not refused_for_a_constant(refusal):
            raise


@settings(max_examples=10, deadline=None)
@given(made=networks((SMALL,)))
def test_sparse_layers_with_a_slot_for_each_image(made: tuple[tuple[int, int], Program]) -> None:
    plane, program = made
    try:
        agree(program, Batching.SLOT, *np.random.default_rng(0).uniform(-1, 1, (2, 3, *plane)))
    except UnsupportedError as refusal:
        if not refused_for_a_constant(refusal):
            raise


CLASSES, BINS = 6, 4
HEADS = {
    "two channels unused": np.arange(3 * BINS) < BINS,
    "one bin alone": np.arange(3 * BINS) == 5,
    "a dead class": np.array([1, 0, 1, 1, 1, 1])[:, None] * np.ones(3 * BINS),
    "the last classes dead": np.array([1, 0, 0, 0, 0, 0])[:, None] * np.ones(3 * BINS),
    "one class alive": np.array([0, 0, 0, 1, 0, 0])[:, None] * (np.arange(3 * BINS) >= BINS),
}


def head(kept: np.ndarray, size: int, bias: float = 0.0) -> Program:
    """Scores of a linear model on a colour histogram."""
    weights = np.random.default_rng(1).normal(size=(CLASSES, 3 * BINS)) * kept
    counted = ColourHistogram(bins=BINS).program((3, size, size))
    declared = Input(counted.output_shapes[0], 0.0, float(size * size), 1.0)
    return counted >> trace(lambda h: (h.reshape(3 * BINS) >> ops.Dense(weights)) + bias, declared)


@pytest.mark.parametrize("batching", [Batching.NONE, Batching.SIDE_BY_SIDE, Batching.SLOT])  # complex: not in pairs
@pytest.mark.parametrize("bias", [0.0, 2.0])
@pytest.mark.parametrize("kept", HEADS)
def test_a_linear_model_that_ignores_channels(kept: str, bias: float, batching: Batching, rng) -> None:
    size = {Batching.SLOT: 8, Batching.SIDE_BY_SIDE: 32, Batching.NONE: 64}[batching]
    images = rng.integers(0, 256, (2, 3, size, size)).astype(np.uint8)
    agree(head(HEADS[kept], size, bias), batching, *images)


@pytest.mark.parametrize("alive", [1, 2])
@pytest.mark.parametrize("batching", [Batching.NONE, Batching.SIDE_BY_SIDE])
def test_parts_of_sums_do_not_land_where_a_dead_channel_is_read(alive: int, batching: Batching, rng) -> None:
    weights = np.array([[1.0, 2.0, 3.0, 4.0], [1.0, 2.0, 2.0, 2.0], [0.0] * 4])
    weights[alive:] = 0.0
    program = trace(lambda x: x * x >> ops.Conv(weights[:, :, None, None]), Input((4, *SMALL), -1.0, 1.0, None))
    agree(program, batching, *rng.uniform(-1, 1, (2, 4, *SMALL)))


def test_padding_that_fills_whole_ciphertexts() -> None:
    """All its weights are ones, so that no product would be needed: but a sum of nothing is no ciphertext."""
    program = trace(lambda x: x >> ops.Pad(((1, 2), (0, 0), (0, 0)), 0.5), Input((1, *PLANE), -1.0, 1.0, None))
    agree(program, Batching.NONE, np.random.default_rng(0).uniform(-1, 1, (1, *PLANE)))


def test_a_channel_in_the_middle_reads_nothing_and_what_follows_keeps_its_place() -> None:
    first = np.diag([1.0, 0.0, 2.0])[:, :, None, None]
    second = np.array([[0.0, 0.0, 1.0]])[:, :, None, None]

    def network(x: Value) -> Value:
        y = x >> ops.Conv(first)
        return y * y >> ops.Conv(second)

    made = agree(trace(network, Input((3, *PLANE), -1.0, 1.0, None)), Batching.NONE, np.ones((3, *PLANE)) * 0.5)
    assert made.choice.arrangement.layouts[1].ciphertexts == 3


def test_weights_that_vanish_at_the_scale_are_zero_and_the_owner_reads_the_reply() -> None:
    weights = np.array([[1.0, 0.0, 0.0], [0.0, 1e-30, 0.0], [0.0, 0.0, 0.0]])[:, :, None, None]
    program = trace(lambda x: x >> ops.Conv(weights), Input((3, *PLANE), -1.0, 1.0, None))
    x = np.random.default_rng(0).uniform(-1, 1, (3, *PLANE))
    found = CKKS().prepare(program)(x)
    np.testing.assert_allclose(found, evaluate(program, x), atol=1e-4)
