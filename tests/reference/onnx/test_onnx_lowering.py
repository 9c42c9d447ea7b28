"""Programs lowered to ONNX equal `evaluate`, op by op; fused patterns are really fused and only when they may be.

Answers for `privis.run.clear.onnx_graph` and `privis.run.clear.onnx_patterns`.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable

import numpy as np
import pytest

from privis.errors import ProgramError
from privis.program import Input, Kind, Program, Value, concat, ops, trace
from privis.readings import evaluate
from privis.run.clear.onnx_lowering import lower, to_onnx

pytest.importorskip("onnxruntime")
WEIGHTS = np.random.default_rng(3)
KERNEL = WEIGHTS.normal(size=(4, 3, 3, 3))


def kinds(program: Program) -> Counter[str]:
    return Counter(node.op_type for node in to_onnx(program).graph.node)


def assert_equal(program: Program, *inputs: np.ndarray) -> None:
    run = lower(program)
    assert run is not None
    expected, got = evaluate(program, *inputs), run(*inputs)
    pairs = zip(expected, got, strict=True) if isinstance(expected, tuple) else [(expected, got)]
    for reference, values in pairs:
        assert values.shape == np.shape(reference) and values.dtype == np.float32
        np.testing.assert_allclose(values, reference, rtol=0, atol=2e-6 * max(1.0, np.abs(reference).max()))


PROGRAMS: dict[str, tuple[Callable[..., Value | tuple[Value, ...]], tuple[int, ...]]] = {
    "affine grows its operand": (lambda x: x >> ops.Affine(np.ones((2, 1, 1, 1)), 0.5), (3, 7, 6)),
    "dense on a vector": (lambda x: x >> ops.Dense(WEIGHTS.normal(size=(4, 6))), (6,)),
    "dense on the last axis": (lambda x: x >> ops.Dense(WEIGHTS.normal(size=(4, 6))), (3, 7, 6)),
    "compare on a grid": (lambda x: (x >> ops.Affine(2.0)).compare(3.0, step=1.0), (3, 7, 6)),
    "compare with many thresholds": (lambda x: x.compare(np.array([0.0, 1.0, 2.0]), exact=False), (4, 3)),
    "normalise": (lambda x: x >> ops.Normalise((0.0, 100.0), 0.1, 0.2), (3, 7, 6)),
    "polynomial": (lambda x: x >> ops.Poly((0.5, -1.0, 0.25, 0.125, -0.5), (-9.0, 12.0)), (3, 7, 6)),
    "polynomial of degree 0": (lambda x: x >> ops.Poly((0.5,)), (3, 7)),
    "several outputs, one twice": (lambda x: (x, x * 2.0, x.sum(0), x.sum(0)), (3, 4)),
    "product of matrices": (lambda x: x @ x.transpose(0, 2, 1), (3, 7, 6)),
    "matrix of windows": (lambda x: x >> ops.Window((3, 2), (2, 1)), (3, 7, 6)),
    "sum of some taps": (lambda x: (x >> ops.Window((3, 2), (2, 1))).sum(1, 4), (3, 7, 6)),
    "argmax": (lambda x: x >> ops.ArgMax(1), (3, 7, 6)),
    "largest three": (lambda x: x >> ops.TopK(3), (2, 7)),
    "pad, slice, gather": (
        lambda x: (x >> ops.Pad(((1, 0), (0, 2), (0, 0)), -1.5))[1:, ::2] >> ops.Gather(np.array([[2, 0], [1, 1]]), 2),
        (3, 7, 6),
    ),
    "concatenation of differences": (lambda x: concat(x - x * 0.5, x + x, x * x, axis=1), (3, 7, 6)),
    "convolutions of rank 3 and 4": (
        lambda x: (
            (x >> ops.Conv(KERNEL)).reshape(1, 4, 5, 4) >> ops.Conv(KERNEL[:, :2, :2, :2], groups=2, pad=(1, 0, 0, 1))
        ),
        (3, 7, 6),
    ),
    "a batch of batches": (lambda x: x >> ops.Conv(KERNEL, (2, 1), dilation=(1, 2)), (2, 2, 3, 7, 6)),
    "matrices beside convolutions": (
        lambda x: (x >> ops.Conv(KERNEL)).sum(1, 2) >> ops.Dense(np.ones((3, 4))),
        (3, 7, 6),
    ),
    "rank grows behind a convolution": (lambda x: (y := x >> ops.Conv(KERNEL)) + y.reshape(1, 4, 5, 4), (3, 7, 6)),
    "sums of nothing": (lambda x: x.sum() >> ops.Max(()), (3, 2)),
}


@pytest.mark.parametrize("name", PROGRAMS)
def test_a_lowered_program_equals_its_definition(name: str, rng: np.random.Generator) -> None:
    build, shape = PROGRAMS[name]
    assert_equal(trace(build, Input(shape)), np.round(4 * rng.normal(size=shape)))


@pytest.mark.parametrize("kind", Kind)
def test_scalar_functions(kind: Kind, rng: np.random.Generator) -> None:
    op = ops.Nonlinear(kind, a=0.5, b=2.0)
    assert_equal(trace(lambda x: x >> op, Input((4, 5))), np.abs(rng.normal(size=(4, 5))))


@pytest.mark.parametrize(("low", "high"), [(0.0, math.inf), (-math.inf, 1.0), (-0.5, math.inf), (-1.0, 1.0)])
def test_clips(low: float, high: float, rng: np.random.Generator) -> None:
    assert_equal(trace(lambda x: x.clip(low, high), Input((4, 5))), rng.normal(size=(4, 5)))


def border(x: Value, before: int, after: int) -> Value:
    """Rows and columns at the border repeated."""
    for axis in (1, 2):
        index = np.clip(np.arange(-before, x.shape[axis] + after), 0, x.shape[axis] - 1)
        x = x >> ops.Gather(index, axis)
    return x


def pooled(x: Value, size: int = 3, stride: int = 2) -> Value:
    return (x >> ops.Window((size, size), (stride, stride))) >> ops.Max((3, 4))


def mean(x: Value, factor: float = 1 / 9) -> Value:
    return (x >> ops.Window((3, 3), (2, 2))).sum(3, 4) * factor


CHANNELS = np.array([0.5, 1.5, -1.0, 2.0]).reshape(4, 1, 1)
FUSED: dict[str, tuple[Callable[[Value], Value], dict[str, int]]] = {
    "bias and normalisation": (
        lambda x: ((x >> ops.Conv(KERNEL)) + CHANNELS) >> ops.Affine(CHANNELS, 3.0),
        {"Conv": 1, "Mul": 0, "Add": 0},
    ),
    "relu": (lambda x: (x >> ops.Conv(KERNEL)).relu(), {"Relu": 1, "Clip": 0}),
    "maximum": (pooled, {"MaxPool": 1}),
    "maximum behind a repeated border": (lambda x: pooled(border(x, 1, 2)), {"MaxPool": 1, "Gather": 0}),
    "maximum behind a wide border": (lambda x: pooled(border(x, 3, 0)), {"MaxPool": 1, "Gather": 2}),
    "maximum of distant taps": (
        lambda x: (x >> ops.Window((3, 5), (1, 1)))[:, :, :, ::2, ::4] >> ops.Max((3, 4)),
        {"MaxPool": 1, "Slice": 0},
    ),
    "mean": (mean, {"AveragePool": 1, "Mul": 0}),
    "mean behind zeros": (lambda x: mean(x >> ops.Pad(((0, 0), (1, 1), (0, 2)))), {"AveragePool": 1, "Pad": 0}),
    "scaled mean behind ones": (
        lambda x: mean(x >> ops.Pad(((0, 0), (1, 1), (0, 2)), 1.0), 0.5),
        {"AveragePool": 1, "Pad": 1, "Mul": 1},
    ),
    "mean of planes": (lambda x: (x >> ops.Conv(KERNEL)).sum(1, 2, keep=True) * (1 / 154), {"GlobalAveragePool": 1}),
    "sum of biased branches": (
        lambda x: ((x >> ops.Conv(KERNEL)) + CHANNELS) + ((x >> ops.Conv(KERNEL)) * CHANNELS),
        {"Conv": 2, "Add": 1, "Mul": 0},
    ),
    "leaky relu": (lambda x: x * 0.25 + x.relu() * 0.75, {"LeakyRelu": 1, "Mul": 0, "Add": 0}),
    "almost a leaky relu": (lambda x: x * 0.25 + x.relu() * 0.5, {"LeakyRelu": 0}),
    "plain sum stays exact": (lambda x: (x >> ops.Window((3, 3), (2, 2))).sum(3, 4), {"AveragePool": 0}),
    "doubled pixels": (
        lambda x: (
            (x >> ops.Conv(KERNEL))
            >> ops.Gather(np.repeat(np.arange(11), 2), 1)
            >> ops.Gather(np.repeat(np.arange(14), 3), 2)
        ),
        {"Resize": 1, "Gather": 0},
    ),
}


@pytest.mark.parametrize("name", FUSED)
def test_patterns_become_single_operators(name: str, rng: np.random.Generator) -> None:
    build, expected = FUSED[name]
    program = trace(build, Input((3, 13, 16)))
    counted = kinds(program)
    assert {kind: counted[kind] for kind in expected} == expected
    assert_equal(program, rng.normal(size=(3, 13, 16)) - 2.0)


def test_a_value_that_is_read_twice_is_not_swallowed(rng: np.random.Generator) -> None:
    def both(x: Value) -> tuple[Value, Value]:
        y = x >> ops.Conv(KERNEL)
        return y, y + CHANNELS

    program = trace(both, Input((3, 13, 16)))
    assert kinds(program)["Conv"] == 1
    assert_equal(program, rng.normal(size=(3, 13, 16)))


def test_an_affine_that_is_not_per_channel_stays(rng: np.random.Generator) -> None:
    program = trace(lambda x: (x >> ops.Conv(KERNEL)) * rng.normal(size=(11, 14)), Input((3, 13, 16)))
    assert kinds(program)["Mul"] == 1
    assert_equal(program, rng.normal(size=(3, 13, 16)))


def test_integers_stay_exact(rng: np.random.Generator) -> None:
    program = trace(lambda x: (x >> ops.Window((8, 8), (8, 8))).sum(2, 3), Input((64, 64)))
    pixels = rng.integers(0, 256, (64, 64))
    run = lower(program)
    assert run is not None and (run(pixels) == pixels.reshape(8, 8, 8, 8).sum((1, 3))).all()


def test_histograms_have_no_counterpart_and_shapes_are_checked() -> None:
    assert lower(trace(lambda x: x >> ops.Histogram(((1.0, 2.0),)), Input((1, 5)))) is None
    run = lower(trace(lambda x: x * 2.0, Input((2, 3))))
    assert run is not None
    with pytest.raises(ProgramError, match="shapes"):
        run(np.zeros((3, 2)))
