"""``Circuit``: a polynomial program as linear maps, products and polynomials of vectors, without any packing yet."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from functools import cached_property
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:  # a server that has everything encoded starts without scipy and without programs
    from scipy import sparse

    from privis.program.shapes import Shape

Vector = NDArray[np.float64]
Matrix: TypeAlias = "sparse.csr_array"


class InputEncoding(Enum):
    """How the owner writes an input before it is encrypted."""

    NUMBERS = "numbers"  # as they are
    ROOTS = "roots"  # code c of B codes as exp(2 pi i c / B), so that powers tell codes apart


@dataclass(frozen=True, eq=False)
class CircuitInput:
    """A vector that the owner encrypts.

    ``NUMBERS``: program input ``index``, flat. ``ROOTS``: for each element the mixed-radix code of ``codes`` values
    that it falls into; ``edges`` as in ``ops.Histogram``, ``gather[d]`` the input elements that digit ``d`` reads.
    """

    index: int
    encoding: InputEncoding = InputEncoding.NUMBERS
    gather: tuple[NDArray[np.int64], ...] = ()
    edges: tuple[tuple[float, ...], ...] = ()
    step: float = 1.0

    @property
    def codes(self) -> int:
        """Number of codes, the order of the roots of unity."""
        return int(np.prod([len(digit) + 1 for digit in self.edges]))


@dataclass(frozen=True, eq=False)
class Linear:
    """``sum(matrix @ operand) + bias``; complex matrices stand for the real part of the sum."""

    operands: tuple[int, ...]
    matrices: tuple[Matrix, ...]
    bias: Vector


@dataclass(frozen=True, eq=False)
class Product:
    """Elementwise product of two values; the square when they are the same."""

    left: int
    right: int


@dataclass(frozen=True, eq=False)
class Polynomial:
    """Chebyshev series of a value that lies in [-1, 1]."""

    operand: int
    coefficients: tuple[float, ...]


Step = CircuitInput | Linear | Product | Polynomial


@dataclass(frozen=True, eq=False)
class Circuit:
    """Steps in order; value ``i`` is the result of step ``i``.

    ``shapes`` are the tensors that the values are, ``certain`` the largest magnitude each can have (infinite where
    intervals say nothing), ``bounds`` the one it is expected to have: stored numbers are close to 1 where that is
    right; ``sizes`` the expected root mean square, which predicts noise. ``outputs`` are the values to decrypt;
    ``names`` say which program node a step computes, for messages. What follows from the steps alone is computed once,
    when it is first asked for.
    """

    steps: tuple[Step, ...]
    shapes: tuple[Shape, ...]
    bounds: tuple[float, ...]
    certain: tuple[float, ...]
    sizes: tuple[float, ...]
    outputs: tuple[int, ...]
    names: tuple[str, ...]

    def polynomials(self, operand: int) -> int:
        """How many polynomials are taken of a value: three or more share its Chebyshev polynomials."""
        return self._polynomial_counts.get(operand, 0)

    @cached_property
    def _polynomial_counts(self) -> Mapping[int, int]:
        return Counter(step.operand for step in self.steps if isinstance(step, Polynomial))

    def operands(self, index: int) -> tuple[int, ...]:
        """The values that step ``index`` reads."""
        match self.steps[index]:
            case Linear(operands):
                return operands
            case Product(left, right):
                return (left, right)
            case Polynomial(operand):
                return (operand,)
            case _:
                return ()

    @cached_property
    def must_be_clean(self) -> tuple[bool, ...]:
        """Values whose padding slots must be zero: a Chebyshev series follows, which diverges outside [-1, 1]."""
        clean = [False] * len(self.steps)
        for index in reversed(range(len(self.steps))):
            step = self.steps[index]
            reaches = isinstance(step, Polynomial) or clean[index]
            if isinstance(step, Linear) and not any(_keeps_places(matrix) for matrix in step.matrices):
                continue  # what it reads is where elements are, and nothing else
            if reaches and not isinstance(step, CircuitInput):
                for operand in self.operands(index):
                    clean[operand] = True
        return tuple(clean)

    @cached_property
    def without_imaginary_parts(self) -> tuple[bool, ...]:
        """Values without imaginary parts."""
        real: list[bool] = []
        for index, step in enumerate(self.steps):
            own = all(real[operand] for operand in self.operands(index))
            if isinstance(step, CircuitInput):
                own = step.encoding is InputEncoding.NUMBERS
            elif isinstance(step, Linear):
                own = own and not any(np.iscomplexobj(matrix.data) for matrix in step.matrices)
            real.append(own)
        return tuple(real)

    @cached_property
    def is_real(self) -> bool:
        """Whether no value is complex."""
        is_complex = any(
            (isinstance(step, CircuitInput) and step.encoding is not InputEncoding.NUMBERS)
            or (isinstance(step, Linear) and any(np.iscomplexobj(matrix.data) for matrix in step.matrices))
            for step in self.steps
        )
        return not is_complex

    @cached_property
    def only_added(self) -> tuple[bool, ...]:
        """Values that are multiplied by nothing but public weights: their numbers may be larger than 1."""
        only = [True] * len(self.steps)
        for index, step in enumerate(self.steps):
            if isinstance(step, Product | Polynomial):
                for operand in self.operands(index):
                    only[operand] = False
        return tuple(only)

    @cached_property
    def groups(self) -> tuple[int, ...]:
        """Values that must share a layout have the same number: operands and results of products and polynomials."""
        root = list(range(len(self.steps)))

        def find(i: int) -> int:
            while root[i] != i:
                i = root[i]
            return i

        for index, step in enumerate(self.steps):
            if isinstance(step, Product | Polynomial):
                for operand in self.operands(index):
                    root[find(operand)] = find(index)
        return tuple(find(i) for i in range(len(self.steps)))


def _keeps_places(matrix: Matrix) -> bool:
    """Each element of the result reads the same element and no other."""
    rows, columns = matrix.shape
    return rows == columns == matrix.nnz and np.array_equal(matrix.indices, np.arange(rows))


def must_be_clean(circuit: Circuit) -> list[bool]:
    """Former way to ask for ``circuit.must_be_clean``."""
    return list(circuit.must_be_clean)


def without_imaginary_parts(circuit: Circuit) -> list[bool]:
    """Former way to ask for ``circuit.without_imaginary_parts``."""
    return list(circuit.without_imaginary_parts)


def is_real(circuit: Circuit) -> bool:
    """Former way to ask for ``circuit.is_real``."""
    return circuit.is_real


def only_added(circuit: Circuit) -> list[bool]:
    """Former way to ask for ``circuit.only_added``."""
    return list(circuit.only_added)
