"""Two neighbouring inputs that a release can tell apart as well as it ever can, and what tells them apart.

For every release the inputs are as far apart as its sensitivity says, and as few coordinates carry the distance as
possible: noise on many coordinates looks more and more Gaussian, which finite tries tell less of. The score is the
logarithm of the likelihood ratio of the mechanism's noise, up to a constant and to what post-processing (rounding,
clamping) took away: no other test is more powerful (Neyman and Pearson, doi:10.1098/rsta.1933.0009).

A pair stands for the whole unit: k images of a person are k releases of one try.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import singledispatch
from typing import Any

import numpy as np
import numpy.typing as npt

from privis.attack.audits.epsilon_bounds import LEVEL, EpsilonBound, gaussian_bound, one_run_bound, two_point_bound
from privis.errors import ParameterError, Problem
from privis.privacy import (
    CodeRelease,
    CorpusHistogramRelease,
    DirectionRelease,
    FeatureRelease,
    Gaussian,
    Guarantee,
    HistogramRelease,
    Laplace,
    MeanRelease,
    Metric,
    NoiseStream,
    Patch,
    Person,
    PersonDay,
    PixelRelease,
    Pixels,
    ReleaseKey,
    SumRelease,
    WholeImage,
    WindowCountRelease,
)

Array = npt.NDArray[Any]
Floats = npt.NDArray[np.float64]
Released = Callable[[int, Sequence[NoiseStream]], Array]
"""Number of the input (0 or 1) and a stream per release -> values, one row per release."""

FAR = 30
"""Scales of noise between a count and zero, where negative counts are cut off."""
OTHERS = 1000
"""Images of everybody else in a corpus: enough for a private count of them to say little."""
_TURN = 256  # tries at once: vectors may be long


@dataclass(frozen=True, eq=False)
class NeighbourPair:
    """Two inputs of a release, how it releases them, and a score of what came out.

    Args:
        claimed: what the release states.
        epsilon: claimed for these two inputs.
        released: the release itself, of the first (0) or the second input (1).
        score: of rows of released values (tries, images * values), larger where they look more like the first input.
        images: releases of one try.
        gaussian: whether the noise is said to be Gaussian.
    """

    claimed: Guarantee
    epsilon: float
    released: Released = field(repr=False)
    score: Callable[[Array], Floats] = field(repr=False)
    images: int = 1
    gaussian: bool = False

    def scores(self, inputs: npt.NDArray[np.integer[Any]] | Sequence[int], key: ReleaseKey) -> Floats:
        """Release once per try, with noise of its own, and score what comes out.

        Args:
            inputs: 0 or 1 of every try.
            key: decides all noise.

        Returns:
            A score per try.
        """
        chosen = np.asarray(inputs, np.int64)
        found = np.empty(chosen.size)
        for which in (0, 1):
            own = np.flatnonzero(chosen == which)
            for start in range(0, own.size, _TURN):
                part = own[start : start + _TURN]
                streams = [
                    key.stream(f"audit {place} {image}", b"", b"") for place in part for image in range(self.images)
                ]
                values = np.asarray(self.released(which, streams))
                found[part] = self.score(values.reshape(part.size, -1).astype(np.float64))
        return found

    def two_point(self, tries: int, key: ReleaseKey, level: float = LEVEL) -> EpsilonBound:
        """Release each input so often, and bound epsilon.

        Args:
            tries: of each input, at least 10.
            key: decides all noise.
            level: probability of a bound that is too large.

        Returns:
            The bound at the claim's delta.
        """
        scores = self.scores(np.repeat([0, 1], tries), key)
        bound = gaussian_bound if self.gaussian else two_point_bound
        return bound(scores[:tries], scores[tries:], self.claimed.delta, level)

    def one_run(self, canaries: int, key: ReleaseKey, seed: int, level: float = LEVEL) -> EpsilonBound:
        """Release a table once, in which every row is the first or the second input by a coin, and guess the coins.

        Args:
            canaries: rows.
            key: decides all noise.
            seed: of the coins.
            level: probability of a bound that is too large.

        Returns:
            The bound at the claim's delta.
        """
        first = np.random.default_rng(seed).random(canaries) < 0.5
        scores = self.scores(np.where(first, 0, 1), key)
        if self.gaussian:
            return gaussian_bound(scores[first], scores[~first], self.claimed.delta, level)
        return one_run_bound(first, scores, self.claimed.delta, level)


@singledispatch
def worst_pair(release: Any, shape: tuple[int, ...], claimed: Guarantee | None = None) -> NeighbourPair:
    """Give two neighbours that ``release`` can tell apart as well as it ever can.

    Args:
        release: any of `privis.privacy`: of images, features, counts, directions, codes or corpora.
        shape: of the values that it reads; (components,) of a corpus's vectors.
        claimed: what is claimed of it; None: what it states itself.

    Returns:
        The pair.

    Raises:
        ParameterError: it is no release that is audited, or does not fit the shape.

    >>> pair = worst_pair(FeatureRelease(Laplace(1.0), clip=1.0), (8,))
    >>> bound = pair.two_point(500, ReleaseKey(bytes(32)), level=0.01)  # a test key
    >>> 0.3 < bound.epsilon <= 1
    True
    """
    expected = "a release of images, features, counts, directions, codes or corpora"
    raise ParameterError(Problem("worst_pair.release", repr(release), expected))


@worst_pair.register
def _(release: FeatureRelease, shape: tuple[int, ...], claimed: Guarantee | None = None) -> NeighbourPair:
    far = np.zeros(shape)
    far.flat[0] = release.clip
    return _of_values(release, release.noise, (far, -far), claimed)


@worst_pair.register
def _(release: PixelRelease, shape: tuple[int, ...], claimed: Guarantee | None = None) -> NeighbourPair:
    """White pixels against black ones; those that change share as few blocks as they can."""
    release.guarantee(shape)  # refuses another shape
    changed = np.ones(shape, bool)
    if isinstance(release.unit, Pixels | Patch):
        side = release.unit.side if isinstance(release.unit, Patch) else release.block
        rows, columns = np.indices(shape[:2])
        order = np.lexsort((columns.ravel(), rows.ravel(), columns.ravel() // side, rows.ravel() // side))
        count = side * side if isinstance(release.unit, Patch) else release.unit.count
        inside = order[:count]
        if isinstance(release.unit, Patch):
            inside = np.flatnonzero(((rows < side) & (columns < side)).ravel())
        changed = np.zeros(shape[:2], bool)
        changed.flat[inside] = True
        changed = np.broadcast_to(changed.reshape(*shape[:2], *[1] * (len(shape) - 2)), shape)
    black = np.zeros(shape, np.uint8)
    return _of_values(release, release.noise, (np.where(changed, np.uint8(255), black), black), claimed)


@worst_pair.register
def _(release: HistogramRelease, shape: tuple[int, ...], claimed: Guarantee | None = None) -> NeighbourPair:
    """Counts that leave one bin for another; far from 0 where the unit leaves the rest of the histogram alone."""
    stated, counts = release.guarantee(shape), np.zeros((2, *shape))
    rows = counts.reshape(2, -1)
    if rows.shape[1] < 2:
        raise ParameterError(Problem("histogram", "one bin", "at least two, so that counts can move"))
    if isinstance(release.unit, Pixels):
        moved = release.unit.count * release.moves
        rows[:] = np.ceil(FAR * stated.scale)
        rows[0, 0] += moved
        rows[1, 1] += moved
    else:
        rows[0, 0] = rows[1, 1] = release.total or 0
    return _of_values(release, release.noise, (counts[0], counts[1]), claimed)


@worst_pair.register
def _(release: CodeRelease, shape: tuple[int, ...], claimed: Guarantee | None = None) -> NeighbourPair:
    code = np.where(np.arange(int(np.prod(shape))) % 2 == 0, 1.0, -1.0).reshape(shape)
    return _of_values(release, None, (code, -code), claimed)


@worst_pair.register
def _(release: DirectionRelease, shape: tuple[int, ...], claimed: Guarantee | None = None) -> NeighbourPair:
    """A direction against the opposite one: with `Metric`, the largest distance, at the whole image's epsilon."""
    size = int(np.prod(shape))
    direction = np.zeros(size)
    direction[: min(2, size)] = (0.6, 0.8)[: min(2, size)]

    def released(which: int, streams: Sequence[NoiseStream]) -> Array:
        return release.apply_many(np.broadcast_to(direction * (1 - 2 * which), (len(streams), size)), streams)

    stated, images = claimed or release.guarantee(shape), release.unit.images
    epsilon = stated.whole_image_epsilon if isinstance(release.unit, Metric) else stated.epsilon
    return NeighbourPair(stated, epsilon, released, lambda rows: rows @ np.tile(direction, images), images)


@worst_pair.register(SumRelease)
@worst_pair.register(MeanRelease)
@worst_pair.register(CorpusHistogramRelease)
def _of_corpus(
    release: SumRelease | MeanRelease | CorpusHistogramRelease, shape: tuple[int, ...], claimed: Guarantee | None = None
) -> NeighbourPair:
    """Rows of one image or person at one end, against others at the other end, or against none."""
    unit, (size,) = release.unit, shape
    most = unit.images
    if isinstance(release, CorpusHistogramRelease):
        ends = np.full(size, release.edges[0] - 1), np.full(size, release.edges[-1])
        others = np.tile(ends[0], (1, 1))
    else:
        far = np.zeros(size)
        far[0] = release.clip
        ends, others = (far, -far), np.zeros((OTHERS if isinstance(release, MeanRelease) else 1, size))
    replaced = isinstance(unit, WholeImage | Person)
    names = [f"other {number}" for number in range(len(others))]
    partials = [
        release.partial(np.concatenate([others, np.tile(end, (count, 1))]),
                        [*names, *["one"] * count] if unit.needs_subjects else None)
        for end, count in zip(ends, (most, most if replaced else 0), strict=True)
    ]  # fmt: skip
    return _of_partials(release, partials, shape, claimed)


@worst_pair.register
def _(release: WindowCountRelease, shape: tuple[int, ...], claimed: Guarantee | None = None) -> NeighbourPair:
    """A person, with all ids, in as many windows as there are, against nobody."""
    unit: PersonDay = release.unit
    seen = np.arange(min(unit.windows + 1, release.windows))
    people = [f"one {number}" for number in range(unit.ids) for _ in seen]
    partials = [release.partial(np.tile(seen, unit.ids), people), release.partial(np.zeros(0, np.int64), [])]
    return _of_partials(release, partials, shape, claimed)


def _of_partials(
    release: Any, partials: Sequence[Any], shape: tuple[int, ...], claimed: Guarantee | None
) -> NeighbourPair:
    # Where noise would be none, which is where noise is likeliest.
    middles = [_without_noise(release, partial) for partial in partials]

    def released(which: int, streams: Sequence[NoiseStream]) -> Array:
        return np.stack([release.release(partials[which], stream) for stream in streams])

    stated = claimed or release.guarantee(shape)
    gaussian = isinstance(release.noise, Gaussian)
    return NeighbourPair(stated, stated.epsilon, released, _likelihood(release.noise, *middles), 1, gaussian)


def _without_noise(release: Any, partial: Any) -> Floats:
    steps = np.array(release.steps(partial), np.float64)
    if isinstance(release, WindowCountRelease):
        return release.people(release.steps(partial)).astype(np.float64)
    if isinstance(release, CorpusHistogramRelease):
        return steps
    grid = FeatureRelease(release.noise, release.clip).grid
    if isinstance(release, SumRelease):
        return steps * grid
    size = partial.shape[0]
    return steps[:size] * grid / max(1, partial.images)


def _of_values(
    release: Any, noise: Laplace | Gaussian | None, inputs: tuple[Array, Array], claimed: Guarantee | None
) -> NeighbourPair:
    def released(which: int, streams: Sequence[NoiseStream]) -> Array:
        return np.stack([release.apply(inputs[which], stream).ravel() for stream in streams])

    stated, images = claimed or release.guarantee(inputs[0].shape), release.unit.images
    sides = [np.tile(each.ravel().astype(np.float64), images) for each in inputs]
    score = _likelihood(noise, *sides)
    return NeighbourPair(stated, stated.epsilon, released, score, images, isinstance(noise, Gaussian))


def _likelihood(noise: Laplace | Gaussian | None, first: Floats, second: Floats) -> Callable[[Array], Floats]:
    """Logarithm of the likelihood ratio, up to a factor; for noise that is neither, the inner product."""
    moved = np.flatnonzero(first != second)
    one, other = first[moved], second[moved]
    if isinstance(noise, Laplace):
        return lambda rows: (np.abs(rows[:, moved] - other) - np.abs(rows[:, moved] - one)).sum(1)
    return lambda rows: rows[:, moved] @ (one - other)
