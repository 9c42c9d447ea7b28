"""Oriented gradients with few comparisons, of several images at once, or with one product after the comparisons.

A gradient's votes for ``n`` directions are a linear function of its ``n`` absolute distances from them. Folded into
one octant (two absolute values, their order, and one more fold) all but a few of these distances have a known sign: of
18 directions 4 comparisons are left, and 3 fold. Bits of the folds bring the votes back to their bins.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from privis.program import Input, Program, Region, Value, concat, ops, trace

Array = NDArray[np.float64]
Together = Callable[[Sequence[Value]], list[Value]]
Constants = tuple[int, Array, Array]
REGION = "interpolated_gradient_blocks"
SIDE_BITS, FORM_BITS, POOL_BITS = 12, 14, 10
"""Binary places of public weights, so that integers stay exact up to the second pooling."""


def folded_blocks(program: Program, region: Region) -> Together | None:
    """Compute the region ``interpolated_gradient_blocks`` of several images at once, with fewer comparisons.

    Args:
        program: with the region.
        region: of it; directions and weights are read from its nodes.

    Returns:
        A function of the images (height, width) that gives what the region makes of each, up to the rounding of its
        weights to 12, 14 and 10 binary places: within 2e-3 of the largest number. None where the region is another one,
        or its directions are not those of equal angles.

    Reference: Dalal and Triggs, 2005, doi:10.1109/CVPR.2005.177, for the votes.
    """
    constants = _constants(program, region)
    if constants is None:
        return None
    count, _, pool = constants

    def together(images: Sequence[Value]) -> list[Value]:
        votes = _votes([_gradient(image) for image in images], count)
        return [_pooled(each, pool) for each in votes]

    return together


def with_distance_votes(program: Program) -> Program:
    """State a polynomial alternative of regions ``interpolated_gradient_blocks``, for executors that run polynomials.

    A bin's vote is a linear function of a gradient's distances from its centre and from its neighbours' centres, each
    the gradient's side times its sign: a comparison for each bin instead of two, and one product after them. Votes are
    within 2 % of the definition's, and blocks closer, because what lies between two centres is theirs in other shares.

    Args:
        program: with such regions, or without.

    Returns:
        The same nodes; regions of other directions than equal angles are left as they are.

    >>> from privis.features.dalal_triggs import DalalTriggsHOG
    >>> stated = with_distance_votes(DalalTriggsHOG().program((128, 64)))
    >>> sum(isinstance(node.op, ops.Mul) for node in stated.regions[0].polynomial.nodes)
    1
    """

    def stated(region: Region) -> Region:
        constants = _constants(program, region)
        if constants is None:
            return region
        shapes = [program.shapes[value] for value in region.inputs]
        inputs = (Input(shape, -math.inf, math.inf, None) for shape in shapes)
        return dataclasses.replace(region, polynomial=trace(lambda x: _distance_votes(x, *constants), *inputs))

    return dataclasses.replace(program, regions=tuple(stated(region) for region in program.regions))


def _distance_votes(image: Value, count: int, weights: Array, pool: Array) -> Value:
    """Blocks (columns, rows, cells x bins) of an image, with one product after the comparisons."""
    bins, size = count // 2, pool.shape[1]
    width = math.pi / bins
    centres = (np.arange(bins) + 0.5) * width
    across, down = (each.reshape(1, *image.shape) for each in _gradient(image))
    along = np.stack([np.cos(centres), -np.sin(centres)], 1)
    sides = concat(down, across) >> ops.Conv(along[:, :, None, None])
    distances = sides * (2.0 * sides.compare(0.0, step=0.02, exact=False) - 1.0)
    one = np.eye(bins)
    votes = np.roll(one, 1, 0) + np.roll(one, -1, 0) - 2 * math.cos(width) * one
    made = distances >> ops.Conv((votes / (2 * math.sin(width)))[:, :, None, None])
    windows = made >> ops.Window((size, size), (size // 2, size // 2))
    blocks = windows.reshape(*windows.shape[:3], size**2) >> ops.Dense(weights)
    blocks = blocks.transpose(2, 1, 3, 0)
    return blocks.reshape(*blocks.shape[:2], 4 * bins)


def _constants(program: Program, region: Region) -> Constants | None:
    """Directions, cell weights (4, pixels) and their factor (2, size); None where the region is not understood."""
    nodes = [node.op for node in program.nodes[region.first : region.last + 1]]
    convs = [op.kernel for op in nodes if isinstance(op, ops.Conv)]
    denses = [op.matrix for op in nodes if isinstance(op, ops.Dense)]
    windows = [op for op in nodes if isinstance(op, ops.Window)]
    if region.name != REGION or (len(convs), len(denses), len(windows)) != (2, 1, 1):
        return None
    count, size = len(convs[0]), windows[0].size[0]
    if windows[0].size != (size, size) or windows[0].stride != (size // 2, size // 2) or size % 2:
        return None
    angles = (np.arange(count) + 1) * math.pi / count
    along = np.stack([np.cos(angles), -np.sin(angles)], 1)
    pool = _separate(np.asarray(denses[0]).reshape(-1, size, size))
    if count % 4 != 2 or convs[0].shape != (count, 2, 1, 1) or pool is None:
        return None
    if np.abs(convs[0][:, :, 0, 0] - along).max() > 1e-12 or not _halves(convs[1][:, :, 0, 0]):
        return None
    return count, np.asarray(denses[0]), pool


def _separate(weights: Array) -> Array | None:
    """The factor (2, size) of which cell weights (4, size, size), cells down and then right, are products; or None."""
    if len(weights) != 4:
        return None
    factor = np.sqrt(np.einsum("cii->ci", weights)[[0, 3]])
    whole = np.einsum("xu,yv->xyvu", factor, factor).reshape(weights.shape)
    return factor if np.abs(whole - weights).max() < 1e-12 else None


def _halves(merge: Array) -> bool:
    """Whether every other direction is a bin, and those between vote for both by half."""
    bins, count = merge.shape
    wanted = np.zeros_like(merge)
    for k in range(bins):
        wanted[k, 2 * k], wanted[k, 2 * k - 1], wanted[k, (2 * k + 1) % count] = 1.0, 0.5, 0.5
    return count == 2 * bins and bool((merge == wanted).all())


def _gradient(image: Value) -> tuple[Value, Value]:
    """Central differences along columns and rows, zero on the border."""
    across = (image[:, 2:] - image[:, :-2]) >> ops.Pad(((0, 0), (1, 1)))
    down = (image[2:, :] - image[:-2, :]) >> ops.Pad(((1, 1), (0, 0)))
    return across, down


def _votes(gradients: Sequence[tuple[Value, Value]], count: int) -> list[Value]:
    """Votes (bins, height, width) of each image; all pixels of all images are compared together."""
    shapes = [across.shape for across, _ in gradients]
    gx, gy = (concat(*(each[k].reshape(-1) for each in gradients)).reshape(1, 1, -1) for k in (0, 1))
    both = concat(gx, gy)
    signs = 2.0 * both.compare(0.0, step=0.02, exact=False) - 1.0
    sizes = signs * both
    u, v = sizes[:1], sizes[1:]
    direct = _counted(0.5 * (signs[:1] * signs[1:]) + 0.5)  # whether the gradient is in the first quadrant, up to sign
    order = 2.0 * _counted((v - u).compare(0.0, step=0.02, exact=False)) - 1.0
    spread = order * (v - u)
    total = u + v
    folded = concat(total + spread, total - spread)  # twice the larger, twice the smaller
    inner, mean, half = _forms(count)
    sides = folded >> ops.Conv(_rounded(0.5 * inner, SIDE_BITS)[:, :, None, None])
    lengths = concat(folded, (2.0 * sides.compare(0.0, step=0.02, exact=False) - 1.0) * sides)
    forms = lengths >> ops.Conv(_rounded(np.concatenate([mean, half]), FORM_BITS)[:, :, None, None])
    quadrant = forms[: len(mean)] + order * forms[len(mean) :]
    flat, level = quadrant[:-1], quadrant[-1:]  # `level` is the half vote of direction 0 for the bins on either side
    last = (count + 2) // 4  # bins of the quadrant; the last is its own mirror image
    kept = direct * flat[: last - 1]
    mirrored = flat[: last - 1] - kept
    votes = concat(kept[:1] + level, kept[1:], flat[last - 1 :], mirrored >> _reversed(last - 1))
    votes = concat(votes[:-1], votes[-1:] + level)
    ends = np.cumsum([math.prod(shape) for shape in shapes])
    starts = [0, *ends[:-1]]
    return [
        votes[:, :, int(start) : int(end)].reshape(count // 2, *shape)
        for start, end, shape in zip(starts, ends, shapes, strict=True)
    ]


def _counted(bit: Value) -> Value:
    """A bit as a number that is multiplied several times: a sum of one element makes executors convert it once."""
    return bit.reshape(1, *bit.shape).sum(0)


def _reversed(count: int) -> ops.Gather:
    return ops.Gather(np.arange(count)[::-1].copy(), 0)


def _forms(count: int) -> tuple[Array, Array, Array]:
    """Linear forms of a gradient (larger, smaller) in the octant, in units of twice its components.

    Returns:
        Sides (inner directions, 2), whose absolute values follow (larger, smaller) in what the others read: merged
        votes (bins of the quadrant and half of direction 0, 2 + inner directions), the mean of what they are in both
        octants, and half of what the upper octant has more.
    """
    step = math.pi / count
    octant = (count + 2) // 4  # the first direction above half a right angle
    angles = np.arange(octant) * step
    inner = np.stack([-np.sin(angles[1:]), np.cos(angles[1:])], 1)  # of (larger, smaller)
    distance = np.zeros((octant + 3, 2 + len(inner)))  # |side| of directions -1 ... octant + 1
    distance[0, :2] = math.sin(step), math.cos(step)
    distance[1, :2] = 0.0, 1.0
    for k in range(len(inner)):
        distance[2 + k, 2 + k] = 1.0
    for k in (octant, octant + 1):
        distance[1 + k, :2] = math.sin(k * step), -math.cos(k * step)
    distance[:, :2] *= 0.5  # of twice the larger and the smaller
    middle = distance[:-2] + distance[2:] - 2 * math.cos(step) * distance[1:-1]
    votes = middle / (2 * math.sin(step))  # of directions 0 ... octant
    right = count // 2  # the direction of a right angle
    lower, upper = (np.zeros((right + 1, votes.shape[1])) for _ in range(2))
    lower[: octant + 1], upper[right - octant :] = votes, votes[::-1]
    below, above = (_merged(each) for each in (lower, upper))
    return inner, (above + below) / 2, (above - below) / 2


def _merged(votes: Array) -> Array:
    """Votes of directions 0 ... right angle in bins at every other one from 1; half of direction 0 comes last."""
    bins = [votes[k] + 0.5 * votes[k + 1] + (0.5 * votes[k - 1] if k > 1 else 0) for k in range(1, len(votes) - 1, 2)]
    return np.stack([*bins, votes[-1] + 0.5 * votes[-2], 0.5 * votes[0]])


def _pooled(votes: Value, factor: Array) -> Value:
    """Blocks (columns, rows, cells x bins) of votes (bins, height, width): each block is four strips of half its side.

    Neighbouring blocks share strips, whose weighted sums are computed once.
    """
    bins, height, width = votes.shape
    half = factor.shape[1] // 2
    rows, columns = height // half, width // half
    strips = _rounded(np.concatenate([factor[:, :half], factor[:, half:]]), POOL_BITS)  # (first 2, second 2), half
    x = votes[:, : rows * half, : columns * half].reshape(bins, rows, half, columns * half).transpose(0, 1, 3, 2)
    x = x >> ops.Dense(strips)
    x = x[:, :-1, :, :2] + x[:, 1:, :, 2:]  # (bins, block rows, width, cell rows)
    x = x.transpose(0, 1, 3, 2).reshape(bins, rows - 1, 2, columns, half) >> ops.Dense(strips)
    x = x[:, :, :, :-1, :2] + x[:, :, :, 1:, 2:]  # (bins, block rows, cell rows, block columns, cell columns)
    return x.transpose(3, 1, 4, 2, 0).reshape(columns - 1, rows - 1, 4 * bins)


def _rounded(weights: Array, bits: int) -> Array:
    return np.asarray(np.round(weights * 2.0**bits) * 2.0**-bits)


__all__ = ["folded_blocks", "with_distance_votes"]
