"""Small random programs, made by hypothesis out of the whole vocabulary."""

from __future__ import annotations

import numpy as np
from hypothesis import strategies as st

from privis.program import Input, Kind, Program, Value, apply, concat, ops, trace


def _constant(draw: st.DrawFn, *shape: int) -> np.ndarray:
    numbers = draw(st.lists(st.integers(-8, 8), min_size=int(np.prod(shape)), max_size=int(np.prod(shape))))
    return np.array(numbers, float).reshape(shape) / 4


ALL = tuple(range(17))
LINEAR = (*range(10), 12, 16)


def _grow(draw: st.DrawFn, x: Value, y: Value, kinds: tuple[int, ...]) -> Value:
    """One more op on ``x``, of shape (C, H, W); ``y`` is an earlier value."""
    channels, height, width = x.shape
    match draw(st.sampled_from(kinds)):
        case 0 if min(height, width) >= 3:
            kernel = _constant(draw, 2, channels, 3, 3)
            return x >> ops.Conv(kernel, draw(st.sampled_from([(1, 1), (2, 1)])), (1, 0, 1, 2))
        case 1:
            return x >> ops.Dense(_constant(draw, 3, width))
        case 2:
            return x * 0.5 + _constant(draw, 1, 1, width)
        case 3:
            return x.transpose(0, 2, 1)
        case 4 if height > 1:
            return x[:, 1::2, :]
        case 5:
            return x >> ops.Gather(np.arange(width)[::-1], 2)
        case 6 if min(height, width) >= 2:
            return (x >> ops.Window((2, 2), (1, 2))).sum(-1, -2)
        case 7:
            return x >> ops.Pad(((0, 0), (1, 0), (0, 2)), 1.5)
        case 8:
            return concat(x, x * 2.0)
        case 9 if x.shape == y.shape:
            return x - y
        case 10:
            return x * x
        case 11:
            return x @ x.transpose(0, 2, 1)
        case 12:
            return x.sum(1, keep=True)
        case 13:
            return x.compare(_constant(draw, 1, 1, width) + 0.013, step=1e-3, exact=False)
        case 14:
            kind = draw(st.sampled_from([Kind.SQRT, Kind.ABS, Kind.CLIP, Kind.SIGMOID, Kind.TANH]))
            return x * 0.125 >> ops.Nonlinear(kind, None, -1.0, 2.0)
        case 15:
            return apply(ops.Normalise((1.0, 1e6), inside=1.0), x)
    return x + y if x.shape == y.shape else x + 1.0


@st.composite
def programs(draw: st.DrawFn, kinds: tuple[int, ...] = ALL) -> tuple[Program, np.ndarray]:
    """A program of up to six ops on (C, H, W) integers, and an input for it."""
    shape = draw(st.tuples(st.integers(1, 3), st.integers(1, 6), st.integers(1, 6)))
    steps = draw(st.integers(1, 6))

    def build(x: Value) -> Value:
        values = [x * 0.25]
        for _ in range(steps):
            values.append(_grow(draw, values[-1], draw(st.sampled_from(values)), kinds))
        return values[-1]

    program = trace(build, Input(shape, 0.0, 16.0))
    numbers = draw(st.lists(st.integers(0, 16), min_size=int(np.prod(shape)), max_size=int(np.prod(shape))))
    return program, np.array(numbers, np.uint8).reshape(shape)
