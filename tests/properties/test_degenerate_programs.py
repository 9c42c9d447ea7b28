"""Programs with nothing in them: zeros, constants, identities, single numbers, empty axes; on every executor.

Each executor gives what the definition gives, or refuses the program in its own words before any key is made.
"""

from __future__ import annotations

import importlib.util
import math
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from privis.errors import PrivisError
from privis.program import Input, Kind, Program, Value, concat, ops, trace
from privis.readings import evaluate, polynomialise
from privis.run.clear import Clear
from privis.run.clear.onnx_lowering import lower
from privis.run.he.compiler.compiler import Options, compile_program
from privis.run.he.executor import CKKS
from privis.run.he.paillier_executor import Paillier
from privis.run.mpc.executor import MPC

IMAGE, FOUR, ONE = Input((3, 4, 4)), Input((4,)), Input((1,))
NOUGHT = np.zeros((2, 3, 1, 1))
Function = Callable[[Value], "Value | tuple[Value, ...]"]
PROGRAMS: dict[str, tuple[Function, Input]] = {
    "identity": (lambda x: x, IMAGE),
    "factor of one": (lambda x: x * 1.0, IMAGE),
    "factor of zero": (lambda x: x * 0.0, IMAGE),
    "constant": (lambda x: x * 0.0 + 3.0, IMAGE),
    "convolution of zeros": (lambda x: (x >> ops.Conv(NOUGHT)) + 1.5, IMAGE),
    "matrix of zeros": (lambda x: x.reshape(-1) >> ops.Dense(np.zeros((2, 48))), IMAGE),
    "zeros beside values": (lambda x: ((x >> ops.Conv(NOUGHT)) + 1.5).sum(0) + x.sum(0), IMAGE),
    "a channel of zeros": (lambda x: x >> ops.Conv(np.concatenate([NOUGHT[:1], np.ones((1, 3, 1, 1))])), IMAGE),
    "product with zero": (lambda x: (x * 0.0) * x + x, IMAGE),
    "product with a constant": (lambda x: (x * 0.0 + 2.0) * x, IMAGE),
    "matrix product with zero": (lambda x: (x * 0.0) @ x + x, Input((3, 3))),
    "difference from itself": (lambda x: x - x, IMAGE),
    "one number": (lambda x: x * 2.0, ONE),
    "no axis": (lambda x: x * 2.0, Input(())),
    "a sum without an axis": (lambda x: x.sum(0), FOUR),
    "one pixel": (lambda x: x >> ops.Conv(np.ones((1, 1, 1, 1))), Input((1, 1, 1))),
    "empty axis": (lambda x: x * 2.0, Input((0,))),
    "empty slice": (lambda x: x[0:0], FOUR),
    "empty part": (lambda x: concat(x[0:0], x), FOUR),
    "input of one value": (lambda x: x * 2.0, Input((4,), 3.0, 3.0)),
    "two outputs, one constant": (lambda x: (x, x * 0.0), FOUR),
    "the same output twice": (lambda x: (x, x), FOUR),
    "outputs in another order": (lambda x: (x * 2.0, x), FOUR),
    "relu of zero": (lambda x: (x * 0.0).relu() + x, FOUR),
    "root of a constant": (lambda x: (x * 0.0 + 4.0).sqrt() + x, FOUR),
    "comparison that always holds": (lambda x: x.compare(-5.0), FOUR),
    "comparison of a constant": (lambda x: (x * 0.0).compare(0.0) + x, FOUR),
    "histogram of a constant": (lambda x: (x * 0.0).reshape(1, -1) >> ops.Histogram(((1.0,),)), FOUR),
    "polynomial of degree 0": (lambda x: x >> ops.Poly((2.0,), (0.0, 255.0)), FOUR),
    "polynomial of zeros": (lambda x: x >> ops.Poly((0.0, 0.0), (0.0, 255.0)), FOUR),
    "polynomial of a constant": (lambda x: ((x * 0.0) >> ops.Poly((1.0, 1.0))) + x, FOUR),
    "length of a constant": (lambda x: ((x * 0.0 + 1.0) >> ops.Normalise((1.0, 8.0))) + x, FOUR),
    "largest of one": (lambda x: x >> ops.Max((0,)), ONE),
    "place of one": (lambda x: x >> ops.ArgMax(0), ONE),
    "one largest of one": (lambda x: x >> ops.TopK(1), ONE),
    **{
        f"{kind.value} of a constant": (lambda x, kind=kind: ((x * 0.0 + 2.0) >> ops.Nonlinear(kind)) + x, FOUR)
        for kind in Kind
        if kind is not Kind.CLIP
    },
}
EXECUTORS = {"clear": Clear(), "definition": Clear(native=False), "ckks": CKKS(), "paillier": Paillier(bits=2048)}
if importlib.util.find_spec("spu"):
    EXECUTORS["aby3"] = MPC()
TOLERANCE = {"clear": 1e-6, "definition": 0.0, "ckks": 5e-2, "paillier": 1e-3, "aby3": 1e-2}


def inputs(program: Program) -> np.ndarray:
    (declared,) = program.inputs
    count = math.prod(declared.shape)
    ramp = np.arange(count).reshape(declared.shape) % 17 * 3.0
    return np.clip(ramp, declared.low, declared.high)


def close(got: object, wanted: object, tolerance: float) -> None:
    pairs = zip(*(x if isinstance(x, tuple) else (x,) for x in (got, wanted)), strict=True)
    for ours, right in pairs:
        assert np.shape(ours) == np.shape(right)
        np.testing.assert_allclose(ours, right, rtol=0, atol=tolerance)


@pytest.mark.parametrize("executor", EXECUTORS)
@pytest.mark.parametrize("name", PROGRAMS)
def test_a_degenerate_program_runs_or_is_refused_in_words(name: str, executor: str) -> None:
    function, declared = PROGRAMS[name]
    program, under = trace(function, declared), EXECUTORS[executor]
    x = inputs(program)
    problems = under.supports(program)
    if problems:
        assert all(problem.got and problem.expected for problem in problems)
        with pytest.raises(PrivisError):
            under.prepare(program)
        return
    close(under.prepare(program)(x), evaluate(program, x), TOLERANCE[executor])


@pytest.mark.parametrize("name", PROGRAMS)
def test_a_degenerate_program_has_an_onnx_graph(name: str) -> None:
    function, declared = PROGRAMS[name]
    program = trace(function, declared)
    run = lower(program)
    if run is not None:
        close(run(inputs(program)), evaluate(program, inputs(program)), 1e-5)


def test_what_runs_in_the_clear_is_refused_nowhere_for_being_an_identity() -> None:
    for name in ("identity", "factor of one", "one number", "the same output twice", "zeros beside values"):
        function, declared = PROGRAMS[name]
        assert all(under.supports(trace(function, declared)) == [] for under in EXECUTORS.values())


@st.composite
def sparse_layers(draw: st.DrawFn) -> Program:
    """Layers of which some are zero, one, or constant, joined by sums and products."""
    random = np.random.default_rng(draw(st.integers(0, 2**16)))
    kinds = draw(st.lists(st.sampled_from("zero ones some bias product sum square".split()), min_size=1, max_size=5))

    def network(x: Value) -> Value:
        values = [x]
        for kind in kinds:
            a, b = values[-1], values[random.integers(len(values))]
            match kind:
                case "zero" | "ones" | "some":
                    density = {"zero": 0.0, "ones": 1.0, "some": 0.3}[kind]
                    made = a >> ops.Dense((random.random((4, 4)) < density) * random.normal(size=(4, 4)) / 4)
                case "bias":
                    made = a * 0.0 + random.normal(size=4)
                case "product":
                    made = a * b * 0.1
                case "sum":
                    made = a - b
                case _:
                    made = a * a * 0.1
            values.append(made)
        return values[-1]

    return trace(network, Input((4,), -1.0, 1.0, None))


@settings(max_examples=60, deadline=None)
@given(sparse_layers())
def test_circuits_of_layers_that_are_zero_compute_what_the_program_does(program: Program) -> None:
    x = np.linspace(-1, 1, 4)
    try:
        made = compile_program(program, Options())
    except PrivisError:
        return
    close(tuple(made.in_the_clear(x)), (evaluate(program, x),), 1e-6)


@settings(max_examples=60, deadline=None)
@given(sparse_layers(), st.sampled_from([kind for kind in Kind if kind not in (Kind.CLIP, Kind.LOG, Kind.RSQRT)]))
def test_functions_of_values_that_do_not_vary_are_constants(program: Program, kind: Kind) -> None:
    """A polynomial through a single point divides by zero."""
    shifted = program >> trace(lambda x: ((x * 0.0) + 1.0) >> ops.Nonlinear(kind), Input((4,), -1e3, 1e3, None))
    x = np.linspace(-1, 1, 4)
    close(evaluate(polynomialise(shifted).program, x), evaluate(shifted, x), 1e-5)
