"""How private noise is, from first principles: what guarantees are compared with.

Nothing here calls Privis. Distances between neighbours are found by counting, losses from the probability functions of
the laws:

- discrete Laplace, P(z) proportional to exp(-|z| / t): the loss log P(z) - log P(z - d) is (|z - d| - |z|) / t, at most
  |d| / t and that much for z <= min(0, d) or z >= max(0, d). Independent coordinates add up, so epsilon is L1 / t,
  exactly and for every pair.
- Gaussian: the loss of a move by a vector of length r standard deviations is normal with mean r^2 / 2 and deviation r
  (project onto the move). Hence delta(epsilon) = P(loss > epsilon) - exp(epsilon) P(loss' > epsilon) = Phi(r / 2 -
  epsilon / r) - exp(epsilon) Phi(-r / 2 - epsilon / r). Rounding is a function of the result and adds nothing.
  k such releases one after the other, whatever each depends on, lose the sum of such losses: r sqrt(k).
- randomised response and directions: the ratio of the largest to the smallest density, as every input has the same.

Sampled noise is within VARIATION of its law in every coordinate. With n of them moved, the sampled law is
(epsilon, delta + c)-private: for Laplace with c = sum_i VARIATION (1 + exp(d_i / t)), for Gaussian noise with the
smaller of two charges, as any proof will do (`gaussian_charges`).
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import lru_cache

import mpmath
import numpy as np
import numpy.typing as npt

VARIATION = Fraction(1, 2**108)
"""Total variation between a sampled value and its law; `test_tables_keep_the_variation` measures it."""

SLACKS = (1.0e-9, 1.01e-9, 1.1e-9, 2e-9)
"""Slacks to try, as parts of epsilon; any would do."""

Array = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Move:
    """The worst pair of neighbours on the integer grid.

    ``squared`` is the square of their L1 or L2 distance; at most ``coordinates`` values differ, each by ``largest`` at
    most. ``loose`` times the distance may be stated where a wider bound is documented.
    """

    norm: str
    squared: Fraction
    coordinates: int
    largest: int
    loose: float = 1.0

    def times(self, images: int) -> Move:
        """The worst of ``images`` pairs one after the other: L1 adds up, L2 in squares."""
        factor = images**2 if self.norm == "L1" else images
        return replace(self, squared=self.squared * factor, coordinates=self.coordinates * images)

    @property
    def distance(self) -> mpmath.mpf:
        """The distance, to some 90 digits."""
        with mpmath.workprec(300):
            return mpmath.sqrt(mpmath.mpf(self.squared.numerator) / self.squared.denominator)

    def measured(self, difference: Array) -> Fraction:
        """Squared distance of this norm."""
        sizes = np.abs(difference.ravel()).tolist()
        return Fraction(sum(sizes) ** 2 if self.norm == "L1" else sum(size * size for size in sizes))


# --- distances on the grid of pixels ---


@lru_cache(maxsize=4096)
def block_areas(height: int, width: int, block: int) -> tuple[int, ...]:
    """Pixels of every block, by counting them."""
    areas: dict[tuple[int, int], int] = {}
    for row, column in itertools.product(range(height), range(width)):
        at = row // block, column // block
        areas[at] = areas.get(at, 0) + 1
    return tuple(sorted(areas.values(), reverse=True))


def pixel_move(norm: str, shape: tuple[int, ...], block: int, pixels: int | None, patch: bool = False) -> Move:
    """Worst move of block sums when ``pixels`` pixels change (None: all), or those of one block.

    A sum over a block and channel of which a pixels change moves by 255 a at most, and does from black to white; blocks
    and channels do not share pixels. So the worst pair is the best way to spread changed pixels over blocks, which
    `spread` finds among all ways. `brute_force` finds the same among all pairs of small images.
    """
    channels = math.prod(shape[2:])
    areas = block_areas(shape[0], shape[1], block)
    if patch:
        best = max(255**2 * area**2 for area in areas) * (channels if norm == "L2" else channels**2)
        return Move(norm, Fraction(best), channels, 255 * areas[0])
    count = sum(areas) if pixels is None else min(pixels, sum(areas))
    power = 1 if norm == "L1" else 2
    gain = spread(areas, count, power)
    squared = (255 * channels * gain) ** 2 if norm == "L1" else 255**2 * channels * gain
    return Move(norm, Fraction(squared), min(count, len(areas)) * channels, 255 * min(count, areas[0]))


@lru_cache(maxsize=4096)
def spread(areas: tuple[int, ...], count: int, power: int) -> int:
    """Largest sum of a_j ** power over all a_j <= areas[j] that add up to ``count``, by dynamic programming."""
    if count == sum(areas):
        return sum(area**power for area in areas)
    best = np.full(count + 1, -1, np.int64)
    best[0] = 0
    for area in areas:
        before = best.copy()
        for taken in range(1, min(area, count) + 1):
            reached = np.where(before[:-taken] >= 0, before[:-taken] + taken**power, -1)
            best[taken:] = np.maximum(best[taken:], reached)
    return int(best[count])


def sums_of(images: Array, shape: tuple[int, ...], block: int) -> Array:
    """Block sums of flat images, (n, blocks * channels), pixel by pixel."""
    height, width, *rest = shape
    channels, across = math.prod(rest), -(-width // block)
    sums = np.zeros((len(images), -(-height // block) * across * channels), np.int64)
    for at, (row, column, channel) in enumerate(itertools.product(range(height), range(width), range(channels))):
        sums[:, ((row // block) * across + column // block) * channels + channel] += images[:, at]
    return sums


def brute_force(
    norm: str, shape: tuple[int, ...], block: int, levels: tuple[int, ...], pixels: int | None, patch: bool = False
) -> int:
    """Squared distance of the worst among all pairs of images of these grey levels."""
    size, channels = math.prod(shape), math.prod(shape[2:])
    images = np.array(list(itertools.product(levels, repeat=size)), np.int64)
    sums = sums_of(images, shape, block)
    positions = images.reshape(len(images), shape[0] * shape[1], channels)
    places = np.arange(shape[0] * shape[1])
    patches = (places // shape[1] // block) * 1000 + places % shape[1] // block
    worst = 0
    for one, own in zip(positions, sums, strict=True):
        changed = (positions != one).any(2)
        allowed = np.ones(len(images), bool) if pixels is None else changed.sum(1) <= pixels
        if patch:
            allowed = np.zeros(len(images), bool)
            for number in np.unique(patches):
                allowed |= ~changed[:, patches != number].any(1)
        moves = np.abs(sums[allowed] - own)
        worst = max(worst, int((moves.sum(1) ** 2).max() if norm == "L1" else (moves**2).sum(1).max()))
    return worst


# --- distances of counts and of clipped vectors ---


def histograms(bins: int, total: int) -> Array:
    """All histograms of at most ``total`` counts."""
    every = itertools.product(range(total + 1), repeat=bins)
    return np.array([counts for counts in every if sum(counts) <= total], np.int64)


@lru_cache(maxsize=256)
def replaced_counts(norm: str, bins: int, total: int) -> Move:
    """Worst of all pairs of histograms of at most ``total`` counts.

    Not negative, they are at most the sum of their norms apart: 2 total in L1, and sqrt(2) total in L2 as their inner
    product is not negative either; two bins with everything in one or the other are that far apart. One bin: total.
    """
    factor = (4 if norm == "L1" else 2) if bins > 1 else 1
    loose = 1.0 if bins > 1 else 2.0  # documented in `count_sensitivity`
    return Move(norm, Fraction(factor * total**2), min(bins, 2 * total), total, loose)


def moved_counts(norm: str, bins: int, moved: int) -> Move:
    """Worst pair when ``moved`` counts go from a bin to another: all from one to one other."""
    if bins == 1:  # nowhere to go; what is stated is that of two bins
        return Move(norm, Fraction(0), 1, 0, math.inf)
    return Move(norm, Fraction((4 if norm == "L1" else 2) * moved**2), min(bins, 2 * moved), moved)


def radius_of(clip: float) -> int:
    """Steps in ``clip`` when a power of two is chosen that makes them 2**19 to 2**20."""
    step = Fraction(1)
    while Fraction(clip) / step >= 2**20:
        step *= 2
    while Fraction(clip) / step < 2**19:
        step /= 2
    return math.floor(Fraction(clip) / step)


def step_of(clip: float) -> float:
    """That power of two."""
    step = 1.0
    while Fraction(clip) / Fraction(step) >= 2**20:
        step *= 2
    while Fraction(clip) / Fraction(step) < 2**19:
        step /= 2
    return step


def ball_move(norm: str, radius: int, coordinates: int) -> Move:
    """Two vectors of norm ``radius`` are 2 radius apart when they are opposite, and never further."""
    return Move(norm, Fraction(2 * radius) ** 2, coordinates, 2 * radius)


def sum_move(norm: str, unit: tuple[str, int], radius: int, components: int, weight: int) -> Move:
    """Worst move of a sum of vectors of norm ``radius`` and ``weight`` times their number, in one vector.

    ``unit`` is ("replaced", 1), ("present", k) or ("person", k). Parts of c and c' vectors are sums of norm c radius
    and c' radius at most, opposite at worst; all c and c' that the unit allows are tried.
    """
    kind, most = unit
    counts = {
        "replaced": [(1, 1)],
        "present": [(count, 0) for count in range(most + 1)],
        "person": list(itertools.product(range(most + 1), repeat=2)),
    }
    worst = Fraction(0)
    for one, other in counts[kind]:
        apart, counted = (one + other) * radius, abs(one - other) * weight
        worst = max(worst, Fraction((apart + counted) ** 2 if norm == "L1" else apart**2 + counted**2))
    more = 1 if weight and kind != "replaced" else 0
    largest = {"replaced": 2, "present": most, "person": 2 * most}[kind] * radius
    return Move(norm, worst, components + more, largest)


@lru_cache(maxsize=1024)
def bin_move(norm: str, unit: tuple[str, int], bins: int, components: int) -> Move:
    """Worst move of the counts per bin of each component when an image, or a person's, changes.

    Components are independent: an image has any bin in each. In one, the counts before and after are any histograms of
    the person's numbers of images, and two bins are as bad as more of them.
    """
    kind, most = unit
    few = histograms(2, most)
    before, after = few[:, None, :], few[None, :, :]
    if kind == "replaced":
        same = before.sum(2) == after.sum(2)
    elif kind == "present":
        same = np.minimum(before.sum(2), after.sum(2)) == 0
    else:
        same = np.ones(before.shape[:1] + after.shape[1:2], bool)
    moves = np.abs(before - after)
    one = int((moves.sum(2) if norm == "L1" else (moves**2).sum(2))[same].max())
    squared = (one * components) ** 2 if norm == "L1" else one * components
    touched = {"replaced": 2, "present": min(most, bins), "person": min(2 * most, bins)}[kind]
    return Move(norm, Fraction(squared), touched * components, most)


# --- losses ---


def laplace_charge(move: Move, scale: float) -> mpmath.mpf:
    """What sampling costs: largest moves first, as exp is convex, until the distance is used up."""
    left, charge = Fraction(math.isqrt(int(move.squared))), mpmath.mpf(0)
    with mpmath.workprec(200):
        full = min(move.coordinates, int(left // move.largest)) if move.largest else 0
        rest = left - full * move.largest if full < move.coordinates else Fraction(0)
        others = move.coordinates - full
        unit = mpmath.mpf(1) / scale
        charge = full * (1 + mpmath.exp(move.largest * unit))
        if others:
            charge += 1 + mpmath.exp(mpmath.mpf(rest.numerator) / rest.denominator * unit) + 2 * (others - 1)
        return charge * mpmath.mpf(VARIATION.numerator) / VARIATION.denominator


def gaussian_profile(ratio: mpmath.mpf, epsilon: float | mpmath.mpf) -> mpmath.mpf:
    """Delta of Gaussian noise for a move of ``ratio`` standard deviations."""
    with mpmath.workprec(200):
        r, e = mpmath.mpf(ratio), mpmath.mpf(epsilon)
        root = mpmath.sqrt(2)
        above = mpmath.erfc((e / r - r / 2) / root) / 2
        below = mpmath.erfc((e / r + r / 2) / root) / 2
        return above - mpmath.exp(e) * below


def gaussian_charges(move: Move, scale: float, epsilon: float) -> Iterator[tuple[mpmath.mpf, mpmath.mpf]]:
    """(slack of epsilon, charge to delta) for sampled noise, each with a proof.

    No slack and n v (1 + exp(epsilon)). Or any slack s and n (v + b): with h = 1 - exp(-s / n), a value whose sampled
    probability is below (1 - h) of its own has, over all such values, own probability v / h at most, and at most b =
    exp(e) v / h + delta_1(e) under the neighbour, for any e, where delta_1 is the profile of the one coordinate.
    """
    with mpmath.workprec(200):
        v, n = mpmath.mpf(VARIATION.numerator) / VARIATION.denominator, move.coordinates
        yield mpmath.mpf(0), n * v * (1 + mpmath.exp(epsilon))
        reach, root = mpmath.mpf(move.largest) / scale, mpmath.sqrt(2)
        least = int(reach * reach / 2 - 8 * reach)  # below, the tail is of no use
        tails = {e: mpmath.erfc((e / reach - reach / 2) / root) / 2 for e in range(max(1, least), 76)}
        for wide in SLACKS if tails else ():
            slack = mpmath.mpf(max(wide * epsilon, 1e-30))
            h = -mpmath.expm1(-slack / n)
            yield slack, n * (v + min(mpmath.exp(e) * v / h + tail for e, tail in tails.items()))


def table_profile(masses: list[int], whole: int, move: int, epsilon: float) -> mpmath.mpf:
    """Delta of the noise with these probabilities, times ``whole``, of 0, +-1 ... when one value moves, by summing."""
    with mpmath.workprec(400):
        factor = int(mpmath.floor(mpmath.exp(mpmath.mpf(epsilon)) * 2**300))
    reach = len(masses)

    def chance(value: int) -> int:
        size = abs(value)
        return 0 if size >= reach else masses[size] * (1 if size else 2)  # of 2 * whole: the sign is one bit

    over = sum(
        max(0, (chance(value) << 300) - factor * chance(value - move)) for value in range(1 - reach, reach + move)
    )
    with mpmath.workprec(400):
        return mpmath.mpf(over) / (2 * whole) / mpmath.mpf(2) ** 300
