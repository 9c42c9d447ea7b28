"""Runtime bounds: promises that no interval proves, checked on shares while the program runs.

A promised activation (``privis.readings.promised``) bounds what follows it, so that a network fits a smaller ring. No
party sees activations, so the parties compare, on shares, what each activation lets through in total with the promise.
Totals are proved to fit from the promises before them, hence a broken promise cannot hide behind a wrapped number. At
the end all outputs are replaced by the sentinel value unless all bounds hold: one bit, which receivers learn and
refuse.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from privis.errors import DomainError, Problem
from privis.program import Kind, Program, ops
from privis.readings import ranges
from privis.run.mpc.fixed_point import SLACK_BITS, FixedPoint
from privis.run.mpc.lowering.shared_tensor import (
    LoweringContext,
    RuntimeBound,
    SharedTensor,
    Tensor,
    integer,
    magnitude,
)

MARGIN = 0.99  # results must stay below this fraction of the sentinel value


def checked(context: LoweringContext, op: ops.Nonlinear, y: SharedTensor) -> SharedTensor:
    """Note that ``y``, what a clip lets through, must add up to no more than the clip's domain promises.

    Totals are of the last three axes (an image's planes) or, where there are fewer, of the last one.
    """
    if not _is_open(op, context.operands[0].bounds[1]):
        return y
    assert op.domain is not None
    y = integer(y) if y.is_bit else y
    axes = tuple(range(-3 if y.array.ndim >= 3 else -1, 0))
    count = math.prod(y.array.shape[axis] for axis in axes)
    largest = count * (magnitude(context.operands[0]) + abs(op.a))
    context.need("a total that a promise is compared with", largest / y.scale, 1 if y.is_fixed else 0)
    limit = (op.domain[1] - op.a + count * op.a) / y.scale
    context.runtime_bounds.append(RuntimeBound(_totals(y.array, count), limit))
    return y


def _totals(x: Tensor, count: int) -> Tensor:
    """Sums of ``count`` neighbours each, as a product of ring integers with ones.

    Sums along axes were 3 % of the time of a ResNet-20 on eight images; the products are lost in the noise.
    Read as integers, fixed-point numbers are multiplied without a truncation, hence without a message.
    """
    from jax import lax

    rows = x.reshape(-1, count)
    if x.dtype == np.int64:
        return rows @ np.ones(count, np.int64)
    return lax.bitcast_convert_type(lax.bitcast_convert_type(rows, np.int32) @ np.ones(count, np.int32), x.dtype)


def _is_open(op: ops.Op, highest: float) -> bool:
    """Whether ``op`` relies on a promise: on the upper end of a domain that values up to ``highest`` may leave."""
    if not isinstance(op, ops.Nonlinear) or op.kind is not Kind.CLIP or op.domain is None:
        return False
    return op.domain[1] < min(highest, op.b) and op.a > -math.inf


def has_open_promises(program: Program) -> bool:
    """Whether a result of ``program`` may be ``sentinel``."""
    known = ranges(program)
    return any(_is_open(node.op, known[node.operands[0]].bounds[1]) for node in program.nodes)


def all_hold(bounds: Sequence[RuntimeBound]) -> Tensor:
    """One shared bit: 1 where all totals stay within their limits."""
    import jax.numpy as jnp

    bits = []
    for dtype in (np.int64, np.float32):
        alike = [bound for bound in bounds if bound.totals.dtype == dtype]
        if alike:
            limits = np.concatenate([np.full(bound.totals.shape, bound.limit) for bound in alike])
            limits = np.asarray(np.floor(limits) if dtype is np.int64 else limits, dtype)
            bits.append(jnp.concatenate([bound.totals for bound in alike]) <= limits)
    every = jnp.concatenate(bits)
    while (count := every.shape[0]) > 1:
        half = count // 2
        every = jnp.concatenate([every[:half] & every[half : 2 * half], every[2 * half :]])
    return every.reshape(())


def sentinel(field_bits: int, fraction_bits: int) -> float:
    """The sentinel value, the largest number of the ring: it replaces results when a runtime bound is broken."""
    return 2.0 ** (field_bits - SLACK_BITS - fraction_bits)


def with_sentinel(output: Tensor, held: Tensor, fixed: FixedPoint) -> Tensor:
    """``output`` where every bound holds, else the sentinel value in all elements."""
    import jax.numpy as jnp

    value = 2**62 if output.dtype == np.int64 else sentinel(fixed.field_bits, fixed.fraction_bits)
    return jnp.where(held, output, np.full(output.shape, value, output.dtype))


def refuse_sentinel(result: NDArray[Any], fixed: FixedPoint) -> None:
    """Raise DomainError where ``result`` holds the sentinel value: a runtime bound was broken."""
    limit = 2**62 if result.dtype.kind == "i" else MARGIN * sentinel(fixed.field_bits, fixed.fraction_bits)
    if ((result >= limit) | (result <= -limit)).any():
        got = "activations beyond what the program promises"
        raise DomainError(Problem("result", got, "the promised bound", "promise a larger one, or none"))
