"""Side-by-side packing: several images in the slots of one ciphertext, which one image would leave empty.

A plane of 64x64 pixels fills a quarter of a large ring's slots. Four images take one ciphertext for each plane, in the
same places of which the same is computed: no rotation more than for one image, and no part of a ciphertext wasted.
"""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from privis.run.he.circuit.circuit import Circuit, CircuitInput, Linear, Matrix, Step
from privis.run.he.packing.layout import Layout, power_of_two

if TYPE_CHECKING:
    from privis.program.shapes import Shape

MOST = 64  # images: more are cheaper with a slot for each
MOST_WEIGHTS = 1 << 24  # of all images together, when matrices are written out


def fitting(circuit: Circuit, slots: int) -> int:
    """How many images fit side by side, by the slots that the largest input of one leaves empty; 1: no more."""
    sources = [math.prod(circuit.shapes[i]) for i, step in enumerate(circuit.steps) if isinstance(step, CircuitInput)]
    weights = sum(matrix.nnz for step in circuit.steps if isinstance(step, Linear) for matrix in step.matrices)
    count = MOST
    while count > 1 and (count * power_of_two(max(sources)) > slots or count * weights > MOST_WEIGHTS):
        count //= 2
    return count


def pack_side_by_side(circuit: Circuit, count: int) -> Circuit:
    """The circuit that does to ``count`` images what ``circuit`` does to one.

    Its values have an axis of images before the last two axes, or in front of a vector's only one, so that channels
    come first: then a ciphertext holds one channel of all images. Its sources are still those of one image.
    """
    shapes = tuple(_with_images(shape, count) for shape in circuit.shapes)
    places = [places_of(shape) for shape in shapes]

    def step_of(index: int, step: Step) -> Step:
        if not isinstance(step, Linear):
            return step
        matrices = tuple(
            _repeated(matrix, places[index], places[operand])
            for operand, matrix in zip(step.operands, step.matrices, strict=True)
        )
        bias = np.empty(places[index].size)
        bias[places[index]] = step.bias
        return Linear(step.operands, matrices, bias)

    return replace(circuit, steps=tuple(step_of(i, s) for i, s in enumerate(circuit.steps)), shapes=shapes)


def places_of(shape: Shape) -> NDArray[np.int64]:
    """(images, elements of one image): where they are in a value of that ``shape`` of all images.

    >>> places_of((2, 3, 1, 2)).tolist()
    [[0, 1, 6, 7], [2, 3, 8, 9], [4, 5, 10, 11]]
    """
    axis = max(len(shape) - 3, 0)
    return np.moveaxis(np.arange(math.prod(shape)).reshape(shape), axis, 0).reshape(shape[axis], -1)


def by_image(layout: Layout, shape: Shape) -> Layout:
    """The layout of a value of that ``shape`` of all images, with the elements of the first image first."""
    return replace(layout, positions=layout.positions[places_of(shape).reshape(-1)])


def _with_images(shape: Shape, count: int) -> Shape:
    axis = max(len(shape) - 2, 0)
    return (*shape[:axis], count, *shape[axis:])


def _repeated(matrix: Matrix, rows: NDArray[np.int64], columns: NDArray[np.int64]) -> Matrix:
    """``matrix`` from each image to the same image."""
    from scipy import sparse  # here alone: a server that has everything encoded starts without it

    coo = matrix.tocoo()
    places = rows[:, coo.row].reshape(-1), columns[:, coo.col].reshape(-1)
    made = sparse.csr_array((np.tile(coo.data, len(rows)), places), (rows.size, columns.size))
    made.sort_indices()
    return made


__all__ = ["by_image", "fitting", "pack_side_by_side", "places_of"]
