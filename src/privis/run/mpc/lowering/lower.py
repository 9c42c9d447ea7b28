"""From a program to the function that is run on shares: the definition, with other algorithms for some ops."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from privis.errors import DomainError, refuse
from privis.program import Program, ops
from privis.program.graph import Node
from privis.readings import ranges
from privis.readings.analysis.ranges import Interval
from privis.run.mpc.fixed_point import Demand, Encoding, FixedPoint, encoding, problems_of
from privis.run.mpc.lowering import comparison as selection
from privis.run.mpc.lowering import linear as arithmetic
from privis.run.mpc.lowering import movement
from privis.run.mpc.lowering import nonlinear as smooth
from privis.run.mpc.lowering.affine_folding import folded
from privis.run.mpc.lowering.runtime_bounds import MARGIN, kept, marked
from privis.run.mpc.lowering.shared_tensor import INTEGER_BITS, Held, Promise, Site, fixed, integer, magnitude, rescaled

Rule = Callable[..., Held]  # (site, op, *operands) -> result


@dataclass(frozen=True, eq=False)
class Lowered:
    """``function`` takes and returns arrays of int64 (``INTEGER``) or float32 (``FIXED``); JAX traces it.

    It must be traced with 64-bit types enabled (``jax.experimental.enable_x64``).
    """

    function: Callable[..., Any]
    inputs: tuple[Encoding, ...]
    outputs: tuple[Encoding, ...]


def lower(program: Program, fixed_point: FixedPoint) -> Lowered:
    """Return what SPU runs for ``program``.

    Raises DomainError, while it is traced, when a value may leave what ``fixed_point`` can hold.
    """
    program = folded(program)
    known = ranges(program)
    outputs = tuple(_output_encoding(known[output]) for output in program.outputs)

    def function(*inputs: Any) -> Any:
        noted: list[Demand] = []
        results = _trace(program, known, fixed_point, outputs, inputs, noted)
        refuse(DomainError, problems_of(noted, fixed_point))
        return results[0] if len(results) == 1 else results

    inputs = tuple(encoding(declared) for declared in program.inputs)
    return Lowered(function, inputs, outputs)


def demands(program: Program, fixed_point: FixedPoint) -> list[Demand]:
    """Return what every node asks of the ring: the program is traced, nothing is computed."""
    import jax
    import jax.numpy as jnp
    from jax.experimental import enable_x64

    program = folded(program)
    known = ranges(program)
    endless = _unbounded(program, known)
    if endless:
        return endless
    outputs = tuple(_output_encoding(known[output]) for output in program.outputs)
    noted: list[Demand] = []
    with enable_x64(True):
        dtypes = {Encoding.INTEGER: jnp.int64, Encoding.FIXED: jnp.float32}
        shown = [jax.ShapeDtypeStruct(x.shape, dtypes[encoding(x)]) for x in program.inputs]
        jax.eval_shape(lambda *inputs: _trace(program, known, fixed_point, outputs, inputs, noted), *shown)
    return noted


def _unbounded(program: Program, known: Sequence[Interval]) -> list[Demand]:
    names = [f"input {i}" for i in range(len(program.inputs))] + [program.where(i) for i in range(len(program.nodes))]
    return [
        Demand(name, "unbounded values", math.inf, 1)
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
    noted: list[Demand],
) -> tuple[Any, ...]:
    """Walk the graph with values as they are held on shares."""
    first = len(program.inputs)
    promises: list[Promise] = []

    def rule(index: int, node: Node, operands: list[Held]) -> Held:
        taken = tuple(known[i] for i in node.operands)
        site = Site(program.where(index), known[first + index], taken, fixed_point, noted, promises)
        return RULES.get(type(node.op), movement.move)(site, node.op, *operands)

    start = [Held(array, 1.0, magnitude(interval)) for array, interval in zip(inputs, known, strict=False)]
    for index, x in enumerate(start):
        noted.append(Demand(f"input {index}", "values", x.bound, 1 if x.is_fixed else 0))
    values = program.read(rule, start)
    results = tuple(
        _output(Site(f"output {i}", known[value], (), fixed_point, noted), values[value], how)
        for i, (value, how) in enumerate(zip(program.outputs, outputs, strict=True))
    )
    if not promises:
        return results
    all_kept = kept(promises)
    return tuple(marked(result, all_kept, fixed_point) for result in results)


def _output(site: Site, x: Held, how: Encoding) -> Any:
    if how is Encoding.INTEGER and not x.is_fixed:
        x = integer(x)
        if x.scale % 1 == 0:
            return x.array * round(x.scale)
    point = rescaled(site, fixed(site, x), 1.0)
    site.need("a result", point.bound / MARGIN, 1)
    return integer(point).array if how is Encoding.INTEGER else point.array


RULES: Mapping[type, Rule] = MappingProxyType(
    {
        ops.Conv: arithmetic.conv,
        ops.Dense: arithmetic.dense,
        ops.Affine: arithmetic.affine,
        ops.Slice: movement.slices,
        ops.Gather: movement.gather,
        ops.Window: movement.window,
        ops.Pad: movement.pad,
        ops.Concat: movement.concat,
        ops.Add: arithmetic.add,
        ops.Sub: arithmetic.sub,
        ops.Mul: arithmetic.mul,
        ops.MatMul: arithmetic.matmul,
        ops.Sum: arithmetic.add_up,
        ops.Compare: selection.compare,
        ops.Histogram: selection.histogram,
        ops.Max: selection.largest,
        ops.ArgMax: selection.index_of_largest,
        ops.TopK: selection.strongest,
        ops.Nonlinear: smooth.nonlinear,
        ops.Normalise: smooth.normalise,
        ops.Poly: smooth.chebyshev,
    }
)
