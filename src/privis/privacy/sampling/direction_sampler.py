"""Directions drawn from a zonal distribution and put on a public grid, as if real numbers were computed with.

What is released is ``floor(v / STEP + t)`` per component, with v from `privis.privacy.sampling.zonal_distribution` and
t uniform in [0, 1) and independent: a function of v and fresh randomness, hence post-processing, and right on average
(the mean of floor(a + t) is a). The random numbers are real numbers in binary, whose digits are read from the stream as
far as they are needed; v = cos(a) x + sin(a) u with u the component of independent normal values orthogonal to x.

A first pass computes in double precision and keeps only what cannot depend on its errors or on digits not read yet:
an angle whose acceptance, and a row whose every floor, is further from tipping than a bound on all errors. The rest,
about one row of 512 components in 10**5, is done again by `privis.privacy.sampling.exact_direction` with 128 digits,
and should this not decide, with up to 1,088. So the integers released are those of exact arithmetic, on every machine;
how probable it is that even the last stage is wrong is bounded there and charged to delta.

Bounds of the first pass. Its special functions (log, exp, sin, cos, the normal quantile) err by some 2**-50 where they
are used; the bounds have room for 2**-43. A normal value is the quantile of a uniform number q known to 2**-63: dz =
dq / (2 phi(z)) is below 0.75 * 2**-40 as long as q >= 2**-25, and rows with a smaller q are not kept; these have
values up to 5.6, so that the rounding errors of pairwise sums of d <= 2**16 products (below 2**-47 of their size) add
less than 0.1 * 2**-40 per value. An error e in each of d normal values turns u by at most 2 e sqrt(d) / |g|, where
|g| is the length of their orthogonal component. An acceptance probability is the exponential of a sum of terms below
2**27: good to 2**-24, and allowed 2**-20.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from privis.privacy.sampling.release_key import NoiseStream
from privis.privacy.sampling.zonal_distribution import STEP, ZonalDistribution

"""Grid of the released components; a direction's components are of size 1 / sqrt(d)."""

_NORMAL_ERROR = 2.0**-40
_ACCEPT_ERROR = 2.0**-20
_LEAST_UNIFORM = 2.0**-25
_CHUNK = 1 << 17  # components per turn: the arrays of a turn stay in the cache

Words = npt.NDArray[np.uint64]
Reals = npt.NDArray[np.float64]


def sample(distribution: ZonalDistribution, inputs: Reals, streams: Sequence[NoiseStream]) -> npt.NDArray[np.int64]:
    """Draw a direction for each row of ``inputs``, (n, d) float64 of length near 1, with the stream of the row.

    Gives int64 (n, d) in units of ``STEP``. A row depends on its input and its stream only. Not constant-time:
    the timing of single draws leaks the noise.

    >>> from privis.privacy.sampling.release_key import ReleaseKey
    >>> stream = ReleaseKey(bytes(32)).stream("a.png", b"", b"")  # a test key
    >>> near = ZonalDistribution(4, slope=1000.0, jump=0.0, cap=0.0)
    >>> drawn = sample(near, np.array([[0.6, 0.8, 0.0, 0.0]]), [stream])
    >>> bool((abs(drawn * STEP - [0.6, 0.8, 0.0, 0.0]) < 0.2).all())  # 1000 keeps it close
    True
    """
    out = np.empty(inputs.shape, np.int64)
    rows = max(1, _CHUNK // distribution.dimension)
    for first in range(0, len(inputs), rows):
        part = slice(first, first + rows)
        out[part] = _drawn(distribution, inputs[part], streams[part])
    return out


def _drawn(distribution: ZonalDistribution, inputs: Reals, streams: Sequence[NoiseStream]) -> npt.NDArray[np.int64]:
    d = distribution.dimension
    # Coordinates 0 .. d-1: a normal value and a rounding each. From d on, two per attempt at an angle.
    words = np.stack([stream.words(0, d + 2) for stream in streams]).reshape(len(streams), d + 2, 2)
    angles, attempts = _angles(distribution, words[:, d:], streams)
    steps, sure = first_pass(inputs, angles, words[:, :d])
    if not sure.all():
        from privis.privacy.sampling.exact_direction import exact_row

        for row in np.flatnonzero(~sure):
            steps[row] = exact_row(distribution, inputs[row], streams[int(row)], int(attempts[row]))
    return steps


def _angles(
    distribution: ZonalDistribution, head: Words, streams: Sequence[NoiseStream]
) -> tuple[Reals, npt.NDArray[np.int64]]:
    """An accepted angle per row, and at which attempt."""
    angles = np.empty(len(streams))
    attempts = np.zeros(len(streams), np.int64)
    waiting = np.arange(len(streams))
    while waiting.size:
        proposed, accepted, sure = propose(distribution, head)
        if not sure.all():
            from privis.privacy.sampling.exact_direction import exact_acceptance

            for at in np.flatnonzero(~sure):
                row = int(waiting[at])
                accepted[at] = exact_acceptance(distribution, streams[row], int(attempts[row]))
        angles[waiting[accepted]] = proposed[accepted]
        waiting = waiting[~accepted]
        attempts[waiting] += 1
        if waiting.size:
            fresh = [streams[int(row)].words(distribution.dimension + 2 * int(attempts[row]), 2) for row in waiting]
            head = np.stack(fresh).reshape(waiting.size, 2, 2)
    return angles, attempts


def propose(distribution: ZonalDistribution, head: Words) -> tuple[Reals, npt.NDArray[np.bool_], npt.NDArray[np.bool_]]:
    """Propose an angle per row of ``head``, words (n, 2, 2): the angle, whether accepted, whether that is sure."""
    cells = distribution.cells
    cell = np.searchsorted(cells.below, head[:, 0, 0], side="right")
    angles = cells.edges[cell] + (cells.edges[cell + 1] - cells.edges[cell]) * _unit(head[:, 0, 1])
    chance = np.exp(distribution.smooth(angles) + distribution.jump * cells.inside[cell] - cells.log_bound[cell])
    gap = chance - _unit(head[:, 1, 0])
    # Near 0 and pi the density has a logarithm too steep for double precision.
    edge = np.minimum(angles, np.abs(np.pi - angles)) < 2.0**-24
    return angles, gap > 0, (np.abs(gap) > _ACCEPT_ERROR) & ~edge


def first_pass(inputs: Reals, angles: Reals, words: Words) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.bool_]]:
    """The steps of each row, (n, d), in double precision, and whether they are sure."""
    uniform = _unit(words[:, :, 0] >> np.uint64(1) << np.uint64(1))
    normal = normal_magnitude(uniform)
    np.negative(normal, out=normal, where=(words[:, :, 0] & np.uint64(1)).astype(bool))
    normal -= (normal * inputs).sum(axis=1)[:, None] * inputs
    length = np.sqrt((normal * normal).sum(axis=1))
    with np.errstate(divide="ignore", invalid="ignore"):  # a row of length 0 is not sure
        error = (2 * _NORMAL_ERROR * np.sqrt(inputs.shape[1]) / length + 2.0**-46) / STEP
        normal *= (np.sin(angles) / length / STEP)[:, None]
        normal += (np.cos(angles) / STEP)[:, None] * inputs
    normal += _unit(words[:, :, 1])
    apart = np.abs(normal - np.rint(normal)).min(axis=1) > error  # NaN compares as not sure
    sure = apart & (uniform.min(axis=1) > _LEAST_UNIFORM)
    normal[~sure] = 0.0
    return np.floor(normal).astype(np.int64), sure


def normal_magnitude(uniform: Reals) -> Reals:
    """Size of a normal value that is exceeded with probability ``uniform``."""
    from scipy.special import ndtri

    return -ndtri(uniform / 2)


def _unit(words: Words) -> Reals:
    """The middle of the real numbers in [0, 1) that begin with these 64 binary digits."""
    return words.astype(np.float64) * 2.0**-64 + 2.0**-65
