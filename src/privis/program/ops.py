"""The op vocabulary: frozen dataclasses over real tensors of static shape.

Arrays inside an op are public constants. Every value that flows between ops may be secret, so no op looks at a
value to decide what to do next: that is what lets one program run in the clear, on shares and on ciphertexts.

======================  =====================================================================================
linear, public          ``Conv`` ``Dense`` ``Affine``
movement                ``Reshape`` ``Transpose`` ``Slice`` ``Gather`` ``Window`` ``Pad`` ``Concat``
between secrets         ``Add`` ``Sub`` ``Mul`` ``MatMul`` ``Sum``
non-linear              ``Compare`` ``Histogram`` ``Normalise`` ``Poly`` ``Nonlinear``
where executors can     ``Max`` ``ArgMax`` ``TopK``
======================  =====================================================================================
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from enum import Enum

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.floating]
Constant = float | Array


def _freeze_arrays(op: object) -> None:
    """Make the arrays of a frozen dataclass read-only, so that a program cannot change after its digest.

    They are in C order, as those of a file are: in another order sums differ in their last bit, and so do parameters.
    """
    for field in dataclasses.fields(op):  # type: ignore[arg-type]
        value = getattr(op, field.name)
        if isinstance(value, np.ndarray):
            value = value.copy() if value.flags.writeable or not value.flags.c_contiguous else value
            value.setflags(write=False)
            object.__setattr__(op, field.name, value)


@dataclass(frozen=True, eq=False)
class Conv:
    """Cross-correlation of ``(..., C, H, W)`` with ``kernel (O, C / groups, kh, kw)``, zero padding, no bias.

    ``stride`` and ``dilation`` are (rows, columns) in pixels; ``pad`` is (top, left, bottom, right).
    """

    kernel: Array
    stride: tuple[int, int] = (1, 1)
    pad: tuple[int, int, int, int] = (0, 0, 0, 0)
    groups: int = 1
    dilation: tuple[int, int] = (1, 1)

    def __post_init__(self) -> None:
        _freeze_arrays(self)


@dataclass(frozen=True, eq=False)
class Dense:
    """Matrix on the last axis: ``y[..., o] = sum_i matrix[o, i] x[..., i]``."""

    matrix: Array

    def __post_init__(self) -> None:
        _freeze_arrays(self)


@dataclass(frozen=True, eq=False)
class Affine:
    """``scale * x + bias`` with public scale and bias, broadcast against ``x``."""

    scale: Constant = 1.0
    bias: Constant = 0.0

    def __post_init__(self) -> None:
        _freeze_arrays(self)


@dataclass(frozen=True, eq=False)
class Reshape:
    """Another shape for the elements in C order."""

    shape: tuple[int, ...]


@dataclass(frozen=True, eq=False)
class Transpose:
    """Axes reordered: axis ``i`` of the result is axis ``order[i]`` of the operand."""

    order: tuple[int, ...]


@dataclass(frozen=True, eq=False)
class Slice:
    """One ``(start, stop, step)`` per axis, all non-negative, ``step`` at least 1."""

    index: tuple[tuple[int, int, int], ...]


@dataclass(frozen=True, eq=False)
class Gather:
    """``numpy.take`` along one axis: repeat, roll, mirror, nearest-neighbour resize."""

    index: NDArray[np.integer]
    axis: int

    def __post_init__(self) -> None:
        _freeze_arrays(self)


@dataclass(frozen=True, eq=False)
class Window:
    """Sliding windows over the last two axes: ``(..., H, W) -> (..., H', W', rows, columns)``."""

    size: tuple[int, int]
    stride: tuple[int, int] = (1, 1)


@dataclass(frozen=True, eq=False)
class Pad:
    """A public constant around the operand: one ``(before, after)`` per axis."""

    widths: tuple[tuple[int, int], ...]
    value: float = 0.0


@dataclass(frozen=True, eq=False)
class Concat:
    """All operands one after another along ``axis``."""

    axis: int = 0


@dataclass(frozen=True, eq=False)
class Add:
    """``x + y``, broadcast."""


@dataclass(frozen=True, eq=False)
class Sub:
    """``x - y``, broadcast."""


@dataclass(frozen=True, eq=False)
class Mul:
    """``x * y``, elementwise and broadcast, both operands possibly secret."""


@dataclass(frozen=True, eq=False)
class MatMul:
    """Matrix product over the last two axes, both operands possibly secret."""


@dataclass(frozen=True, eq=False)
class Sum:
    """Sum over ``axes`` (non-negative); ``keep`` leaves them with length 1."""

    axes: tuple[int, ...]
    keep: bool = False


@dataclass(frozen=True, eq=False)
class Compare:
    """1 where ``x >= threshold``, else 0.

    With ``exact`` the operand lies on the grid ``step * integers`` and the test is ``x >= threshold - step / 2``:
    the same answer in floating point, fixed point and polynomial form. Without it the operand is real and ``step``
    is the width around the threshold that a polynomial form may blur.
    """

    threshold: Constant = 0.0
    step: float = 1.0
    exact: bool = True

    def __post_init__(self) -> None:
        _freeze_arrays(self)


@dataclass(frozen=True, eq=False)
class Histogram:
    """Counts of mixed-radix codes: ``(k, ..., N) -> (..., product of bins)``.

    Digit ``i`` of an element is the number of ``edges[i]`` that are ``<= x[i]`` (each edge as in an exact ``Compare``
    of grid ``step``); the first digit is the most significant.
    """

    edges: tuple[tuple[float, ...], ...]
    step: float = 1.0


@dataclass(frozen=True, eq=False)
class Normalise:
    """Last axis: ``x / (sqrt(sum x**2 + inside) + outside)``.

    ``domain`` is the interval of ``sum x**2`` on which a polynomial form of degree ``degree`` must hold.
    """

    domain: tuple[float, float]
    inside: float = 0.0
    outside: float = 0.0
    degree: int = 31


@dataclass(frozen=True, eq=False)
class Poly:
    """Chebyshev series ``sum_k coefficients[k] T_k(t)``, ``t`` the operand mapped from ``domain`` to [-1, 1]."""

    coefficients: tuple[float, ...]
    domain: tuple[float, float] = (-1.0, 1.0)


class Kind(Enum):
    """The scalar functions of ``Nonlinear``; ``a`` and ``b`` are its two parameters."""

    SQRT = "sqrt"  # sqrt(max(x, 0))
    RSQRT = "rsqrt"  # 1 / sqrt(x + a)
    RECIPROCAL = "reciprocal"  # 1 / (x + a)
    ABS = "abs"  # |x|
    CLIP = "clip"  # min(max(x, a), b); relu is a = 0, b = inf
    SIGMOID = "sigmoid"  # 1 / (1 + exp(-x))
    TANH = "tanh"  # tanh(x)
    EXP = "exp"  # exp(x)
    LOG = "log"  # log(x + a)
    ERF = "erf"  # the error function, 2 / sqrt(pi) times the integral of exp(-t**2) from 0 to x
    SOFTPLUS = "softplus"  # log(1 + exp(x))
    ROUND = "round"  # the nearest whole number, of two the even one


@dataclass(frozen=True, eq=False)
class Nonlinear:
    """An elementwise function; ``domain`` is where a polynomial form of degree ``degree`` must hold (None: derived)."""

    kind: Kind
    domain: tuple[float, float] | None = None
    a: float = 0.0
    b: float = 0.0
    degree: int = 15


@dataclass(frozen=True, eq=False)
class Max:
    """Largest element over ``axes``; no polynomial form."""

    axes: tuple[int, ...]
    keep: bool = False


@dataclass(frozen=True, eq=False)
class ArgMax:
    """Index of the largest element along ``axis`` (the first of equals), as a number."""

    axis: int


@dataclass(frozen=True, eq=False)
class TopK:
    """The ``count`` largest elements of the last axis, largest first: ``(..., N) -> (2, ..., count)``.

    Values first, then their indices as numbers; of equal elements the first comes first.
    """

    count: int


Op = (
    Conv | Dense | Affine
    | Reshape | Transpose | Slice | Gather | Window | Pad | Concat
    | Add | Sub | Mul | MatMul | Sum
    | Compare | Histogram | Normalise | Poly | Nonlinear
    | Max | ArgMax | TopK
)  # fmt: skip
Move = Reshape | Transpose | Slice | Gather | Window
OPS: tuple[type, ...] = Op.__args__
