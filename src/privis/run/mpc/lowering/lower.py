"""From a program to the function that is run on shares: the definition, with other algorithms for some ops."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import astuple, dataclass
from types import MappingProxyType
from typing import Any

from privis.errors import DomainError, refuse
from privis.extras import optional_import
from privis.program import Program, digest, ops
from privis.program.graph import Node
from privis.readings import ranges
from privis.readings.analysis.ranges import Interval
from privis.run.mpc.fixed_point import LIBRARIES, Encoding, FixedPoint, RingRequirement, encoding, problems_of
from privis.run.mpc.lowering import comparison, linear, movement, nonlinear
from privis.run.mpc.lowering.affine_folding import folded
from privis.run.mpc.lowering.pooling import clipped_after_pooling, max_poolings
from privis.run.mpc.lowering.roots import unit_vectors
from privis.run.mpc.lowering.runtime_bounds import MARGIN, all_hold, with_sentinel
from privis.run.mpc.lowering.shared_tensor import (
    INTEGER_BITS,
    LoweringContext,
    RuntimeBound,
    SharedTensor,
    fixed,
    hidden_zero,
    integer,
    magnitude,
    rescaled,
)
from privis.run.program_cache import CacheKey, ProgramCache

Rule = Callable[..., SharedTensor]  # (context, op, *operands) -> result


@dataclass(frozen=True, eq=False)
class Lowered:
    """``function`` takes and returns arrays of int64 (``INTEGER``) or float32 (``FIXED``); JAX traces it.

    It must be traced with 64-bit types enabled (``jax.experimental.enable_x64``).
    """

    function: Callable[..., Any]
    inputs: tuple[Encoding, ...]
    outputs: tuple[Encoding, ...]


def lower_program(program: Program, fixed_point: FixedPoint) -> Lowered:
    """Lower ``program`` to a function on shares, for SPU to compile.

    Args:
        program: any program whose values are bounded.
        fixed_point: ring and fraction bits of the session.

    Returns:
        The function with the encodings of its inputs and outputs. While it is traced it raises DomainError when a
        value may leave what ``fixed_point`` can hold.
    """
    program = folded(clipped_after_pooling(program))
    known = ranges(program)
    outputs = tuple(_output_encoding(known[output]) for output in program.outputs)

    def function(*inputs: Any) -> Any:
        requirements: list[RingRequirement] = []
        results = _trace(program, known, fixed_point, outputs, inputs, requirements)
        refuse(DomainError, problems_of(requirements, fixed_point))
        return results[0] if len(results) == 1 else results

    inputs = tuple(encoding(declared) for declared in program.inputs)
    return Lowered(function, inputs, outputs)


def ring_requirements(program: Program, fixed_point: FixedPoint) -> list[RingRequirement]:
    """Return what every node asks of the ring: the program is traced, nothing is computed.

    What was traced before is read from the `privis.run.program_cache.ProgramCache`.
    """
    settings = f"{fixed_point.field_bits} bits, {fixed_point.fraction_bits} of a fraction"
    return ProgramCache().kept(
        CacheKey("spu ring requirements", digest(program), settings, LIBRARIES),
        lambda: _ring_requirements(program, fixed_point),
        to_bytes=lambda found: [json.dumps([astuple(each) for each in found]).encode()],
        from_bytes=lambda content: [RingRequirement(*each) for each in json.loads(bytes(content))],
    )


def _ring_requirements(program: Program, fixed_point: FixedPoint) -> list[RingRequirement]:
    with optional_import("mpc", "MPC"):
        import jax
        import jax.numpy as jnp
        from jax.experimental import enable_x64

    program = folded(clipped_after_pooling(program))
    known = ranges(program)
    endless = _unbounded(program, known)
    if endless:
        return endless
    outputs = tuple(_output_encoding(known[output]) for output in program.outputs)
    requirements: list[RingRequirement] = []
    with enable_x64(True):
        dtypes = {Encoding.INTEGER: jnp.int64, Encoding.FIXED: jnp.float32}
        shown = [jax.ShapeDtypeStruct(x.shape, dtypes[encoding(x)]) for x in program.inputs]
        jax.eval_shape(lambda *inputs: _trace(program, known, fixed_point, outputs, inputs, requirements), *shown)
    return requirements


def _unbounded(program: Program, known: Sequence[Interval]) -> list[RingRequirement]:
    names = [f"input {i}" for i in range(len(program.inputs))] + [program.where(i) for i in range(len(program.nodes))]
    return [
        RingRequirement(name, "unbounded values", math.inf, 1)
        for name, interval in zip(names, known, strict=True)
        if not math.isfinite(magnitude(interval))
    ]


def _output_encoding(interval: Interval) -> Encoding:
    whole = interval.step is not None and interval.step % 1 == 0 and magnitude(interval) < 2.0**INTEGER_BITS
    return Encoding.INTEGER if whole else Encoding.FIXED


def _trace(
    program: Program,
    known: Sequence[Interval],
    fixed_point: FixedPoint,
    outputs: Sequence[Encoding],
    inputs: Sequence[Any],
    requirements: list[RingRequirement],
) -> tuple[Any, ...]:
    """Walk the graph with values as they are held on shares."""
    first = len(program.inputs)
    bounds: list[RuntimeBound] = []
    poolings = max_poolings(program)
    made: list[SharedTensor] = []
    zero = hidden_zero(inputs)

    def rule(index: int, node: Node, operands: list[SharedTensor]) -> SharedTensor:
        taken = tuple(known[i] for i in node.operands)
        of_node = program.where(index), known[first + index], taken
        context = LoweringContext(*of_node, fixed_point, zero, requirements, bounds)
        if index in poolings:
            pooling = poolings[index]
            result = comparison.largest_of_windows(context, made[pooling.operand], pooling.size, pooling.stride)
        else:
            result = RULES.get(type(node.op), movement.move)(context, node.op, *operands)
        made.append(result)
        return result

    start = [SharedTensor(array, 1.0, magnitude(interval)) for array, interval in zip(inputs, known, strict=False)]
    for index, x in enumerate(start):
        requirements.append(RingRequirement(f"input {index}", "values", x.bound, 1 if x.is_fixed else 0))
    made.extend(start)
    values = program.read(rule, start)
    results = tuple(
        _output(LoweringContext(f"output {i}", known[value], (), fixed_point, zero, requirements), values[value], how)
        for i, (value, how) in enumerate(zip(program.outputs, outputs, strict=True))
    )
    if not bounds:
        return results
    held = all_hold(bounds)
    return tuple(with_sentinel(result, held, fixed_point) for result in results)


def _output(context: LoweringContext, x: SharedTensor, how: Encoding) -> Any:
    if how is Encoding.INTEGER and not x.is_fixed:
        x = integer(x)
        if x.scale % 1 == 0:
            return x.array * round(x.scale)
    point = rescaled(context, fixed(context, x), 1.0)
    context.need("a result", point.bound / MARGIN, 1)
    return integer(point).array if how is Encoding.INTEGER else point.array


RULES: Mapping[type, Rule] = MappingProxyType(
    {
        ops.Conv: linear.conv,
        ops.Dense: linear.dense,
        ops.Affine: linear.affine,
        ops.Slice: movement.slices,
        ops.Gather: movement.gather,
        ops.Window: movement.window,
        ops.Pad: movement.pad,
        ops.Concat: movement.concat,
        ops.Add: linear.add,
        ops.Sub: linear.sub,
        ops.Mul: linear.mul,
        ops.MatMul: linear.matmul,
        ops.Sum: linear.add_up,
        ops.Compare: comparison.compare,
        ops.Histogram: comparison.histogram,
        ops.Max: comparison.largest,
        ops.ArgMax: comparison.index_of_largest,
        ops.TopK: comparison.strongest,
        ops.Nonlinear: nonlinear.scalar_function,
        ops.Normalise: unit_vectors.normalise,
        ops.Poly: nonlinear.chebyshev_series,
    }
)
