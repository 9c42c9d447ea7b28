"""All windows of a picture as one program whose weights are inputs, for those who see neither picture nor model."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from privis.features.dalal_triggs import CELL
from privis.program import Input, Kind, Program, Value, concat, ops, trace
from privis.program.graph import Node, apply
from privis.readings.transform.in_step import in_step
from privis.tasks.detection.detection_model import PictureView
from privis.tasks.detection.window_model import CHANNELS, WindowModel

Array = npt.NDArray[Any]
ROOT_STEPS = 1 << 10
"""Steps of a square root of luma: roots become whole numbers, which secret sharing multiplies exactly."""
LARGEST_ROOT = 16
LEAST_ABOVE = 2.0**-12
"""What counts as above a threshold: more than the last places that truncation on shares may make of 0."""


@dataclass(frozen=True, eq=False)
class HiddenWindows:
    """The scores of all windows of a picture in one program, of which nothing below the threshold comes out.

    Its inputs are what the owner of the picture makes of all views, and the weights and the bias of the model, which
    its owner shares: no number of the model stands in the program, only its shapes, its threshold and the powers of two
    that bound it. The steps of all views are taken together. The output is, for every window, by how much its score is
    above ``model.least``, and 0 for all others: of them it tells nothing else.

    Args:
        model: a linear model of windows.
        views: of pictures of one size.
        from_blocks: the owner of the picture extracts the public feature, and the model alone runs on hidden values.
    """

    model: WindowModel
    views: tuple[PictureView, ...]
    from_blocks: bool = False

    @property
    def weights(self) -> tuple[Array, Array]:
        """What the model's owner shares: a matrix (columns of blocks x 36, rows of blocks), and the bias (1,)."""
        columns, rows, _ = self.model.weights.shape
        matrix = self.model.weights.transpose(0, 2, 1).reshape(columns * CHANNELS, rows)
        return matrix, np.array([self.model.bias])

    @cached_property
    def shapes(self) -> tuple[tuple[int, int], ...]:
        """What of each view windows reach, (height, width) in pixels, with one pixel more for the last gradients."""
        return tuple(reached(view, self.model.window) for view in self.views)

    def pixels(self, arrays: Sequence[Array]) -> Array:
        """Make the first input, at the owner of the picture.

        Args:
            arrays: of the views, cut to ``shapes``: what the model's ``before`` makes, or with ``from_blocks`` the
                blocks of that.

        Returns:
            All elements, one after another; square roots as whole numbers of 1/1024.
        """
        flat = np.concatenate([np.ravel(each) for each in arrays])
        return np.round(flat * ROOT_STEPS) if self.model.gamma and not self.from_blocks else flat

    def blocks(self, shape: Sequence[int]) -> Program:
        """The public feature of a view.

        Args:
            shape: of the view, as in ``shapes``.

        Returns:
            The program from whole numbers to blocks (columns, rows, 4, 9).
        """
        core = _cut_off_above(self.model.feature.program((int(shape[0]), int(shape[1]))))
        if not self.model.gamma:
            return core
        counts = Input(core.inputs[0].shape, 0.0, float(LARGEST_ROOT * ROOT_STEPS), 1.0)
        return trace(lambda x: x * (1 / ROOT_STEPS), counts) >> core

    @cached_property
    def program(self) -> Program:
        """From pixels (or blocks), matrix and bias to a number for every window of every view, (windows,)."""
        cores = [self.blocks(shape) for shape in self.shapes]
        shapes = [core.output_shapes[0] for core in cores]
        if self.from_blocks:
            declared = Input((sum(math.prod(shape) for shape in shapes),), 0.0, 1.0, None)
            return trace(lambda x, matrix, bias: self._scored(_cut(x, shapes), matrix, bias), declared, *self._hidden)
        taken = [core.inputs[0] for core in cores]
        flat = Input((sum(math.prod(each.shape) for each in taken),), taken[0].low, taken[0].high, taken[0].step)
        together = in_step(cores)

        def build(x: Value, matrix: Value, bias: Value) -> Value:
            values: list[Any] = _cut(x, [each.shape for each in taken])
            made = together.read(lambda _, node, operands: apply(node.op, *operands), values)
            return self._scored([made[output] for output in together.outputs], matrix, bias)

        return trace(build, flat, *self._hidden)

    @property
    def _hidden(self) -> tuple[Input, ...]:
        return tuple(Input(each.shape, -bound, bound, None) for each in self.weights for bound in [_power(each)])

    def _scored(self, blocks: Sequence[Value], matrix: Value, bias: Value) -> Value:
        """A product for every row of windows and row of the window's blocks; a window adds those below it."""
        width, height, _ = self.model.weights.shape
        rows = []
        for each in blocks:
            columns, count = each.shape[:2]
            grid, reach = each.reshape(columns, count, CHANNELS), columns - width + 1
            rows.append(concat(*(grid[at : at + reach] for at in range(width)), axis=2))
        products = _cut(
            concat(*(each.reshape(-1, each.shape[-1]) for each in rows)) @ matrix,
            [(*each.shape[:2], height) for each in rows],
        )
        scores = []
        for each in products:
            reach = each.shape[1] - height + 1
            found = each[:, :reach, 0]
            for at in range(1, height):
                found = found + each[:, at : at + reach, at]
            scores.append(found.transpose(1, 0).reshape(-1))
        return (concat(*scores) + bias - self.model.least).relu()

    def opened(self, values: Array) -> list[Array]:
        """Read what was opened, at the owner of the picture.

        Args:
            values: the program's output.

        Returns:
            For every view the scores (rows, columns), as the model's ``decode`` reads them; of windows at or below the
            threshold, of which nothing is known, minus infinity.
        """
        flat = np.ravel(np.asarray(values, np.float64))
        known = np.where(flat > LEAST_ABOVE, flat + self.model.least, -np.inf)
        found, start = [], 0
        for view, shape in zip(self.views, self.shapes, strict=True):
            rows, columns = (_windows(side, own) for side, own in zip(shape, self.model.window, strict=True))
            part = known[start : start + rows * columns].reshape(rows, columns)
            found.append(in_whole_view(part, view, self.model.window))
            start += rows * columns
        return found


def reached(view: PictureView, window: tuple[int, int]) -> tuple[int, int]:
    """What of a view windows reach.

    Args:
        view: of a picture.
        window: (height, width) in pixels.

    Returns:
        (height, width) in pixels from the top left corner: up to the end of the last window, and the pixel behind it
        where there is one, for the last gradients.
    """
    sides = []
    for axis, own in enumerate(window):
        ends = []
        for copy in view.copies:
            start, length = (copy.top, copy.height) if axis == 0 else (copy.left, copy.width)
            first, framed = start - copy.border, length + 2 * copy.border
            last = (_windows(framed, own) - 1) * CELL + own
            ends.append(first + min(framed, last + 1))
        sides.append(max(ends))
    return sides[0], sides[1]


def in_whole_view(scores: Array, view: PictureView, window: tuple[int, int]) -> Array:
    """Scores of the part of a view that windows reach as those of the whole view.

    Args:
        scores: (rows, columns) of that part.
        view: of a picture.
        window: (height, width) in pixels.

    Returns:
        (rows, columns) as the model's ``decode`` reads them; minus infinity where no window was.
    """
    rows, columns = (_windows(side, own) for side, own in zip(view.shape, window, strict=True))
    whole = np.full((rows, columns), -np.inf)
    whole[: scores.shape[0], : scores.shape[1]] = scores
    return whole


def _windows(side: int, window: int) -> int:
    """How many windows stand beside each other."""
    return (side - window) // CELL + 1


def _cut_off_above(program: Program) -> Program:
    """Normalised histograms are not negative, so that a comparison less will do."""

    def above(op: ops.Op) -> ops.Op:
        clip = isinstance(op, ops.Nonlinear) and op.kind is Kind.CLIP and op.a == 0
        return dataclasses.replace(op, a=-math.inf) if clip else op

    return dataclasses.replace(program, nodes=tuple(Node(above(node.op), node.operands) for node in program.nodes))


def _cut(x: Value, shapes: Sequence[tuple[int, ...]]) -> list[Value]:
    """Parts along the first axis: of a vector its elements, of a matrix its rows."""
    found, start, inner = [], 0, len(x.shape) - 1
    for shape in shapes:
        length = math.prod(shape[: len(shape) - inner]) if inner else math.prod(shape)
        found.append(x[start : start + length].reshape(*shape))
        start += length
    return found


def _power(values: Array) -> float:
    """The power of two that no value exceeds, which tells little of them."""
    return 2.0 ** math.ceil(math.log2(max(float(np.abs(values).max()), 2.0**-20)))
