"""Cover traffic of a crowd: fake requests that hide which parts of a server's data each member of the crowd asked for.

Clients ask for parts of a public partition (clusters of an index, say). Requests of all clients arrive through a
network that hides who sent them, each at a random instant of an epoch, so that the server sees a histogram: how many
requests each part got. Every client adds to every part a number of fake requests that nobody else can tell from real
ones, drawn such that the fakes of all clients together are negative binomial in every part. The share of each falls as
the crowd grows: in a large one, most clients send no fake at all.

H. Asi, F. Boemer, N. Genise, M. H. Mughees, T. Ogilvie, R. Rishi, K. Talwar, K. Tarbe, A. Wadia, R. Zhu, M. Zuliani,
"Scalable Private Search with Wally", arXiv:2406.06761, have the protocol. Epsilon and delta are computed here from the
privacy loss itself (`privis.privacy.accounting.shared_counts`), so that nothing rests on the constants of a bound.

Proof. Instants and order are independent of what is asked, so the histogram of honest clients' requests is all that
the server learns about clusters; what others send it knows and can subtract. In each part the honest clients' fakes
add up to a negative binomial count (`privis.privacy.sampling.count_tables`), independent of all others. More honest
clients than promised only add independent noise, which is post-processing. A client's real requests go to
different parts, always as many, so replacing them changes 2 * requests counts by 1, at most: the pair that
`shared_counts` accounts for. Sampled shares are each within a total variation v of theirs, sums of n shares within
n v, and delta grows by 2 * requests * n * v * (1 + exp(epsilon)) at most.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache
from typing import Self

import numpy as np
import numpy.typing as npt

from privis.errors import ParameterError, Problem, refuse
from privis.privacy.accounting.shared_counts import SMALLEST_DELTA, replaced_delta
from privis.privacy.guarantee import UNIT_NAMES, Guarantee
from privis.privacy.sampling.alias_table import TOTAL_VARIATION
from privis.privacy.sampling.count_tables import (
    LARGEST_RATIO,
    LARGEST_SHAPE,
    negative_binomial_table,
    problems_of,
    sample_counts,
)
from privis.privacy.sampling.release_key import NoiseStream
from privis.privacy.units import WholeImage
from privis.validation import integer_problem, keep_whole, positive_number

_MOST_REQUESTS = 1024
_COARSE = 100  # steps of the privacy loss up to epsilon while parameters are searched for
_MOST_FAKES = 1e6  # expected, in a part
_LARGEST_EPSILON = 40.0  # delta at a larger one is at most that at this, and sampling costs little at this
_ENOUGH = 1e-3  # how near to the fewest fakes a search goes, relative to them


@dataclass(frozen=True)
class CoverTraffic:
    """How many fake requests each client of an epoch adds to each part.

    Args:
        shape: r of the negative binomial count of fakes that all ``honest_clients`` together send to one part.
        ratio: p of it, within (0, 0.999]: the mean is ``shape * ratio / (1 - ratio)``.
        honest_clients: fewest clients that take part in an epoch, follow the protocol, and do not tell the server what
            they sent; each draws with the shape ``shape / honest_clients``.
        requests: real requests of a client in an epoch, exactly so many and to different parts.

    Raises:
        ParameterError: a number is out of range.

    >>> cover = CoverTraffic(20.0, 0.8, honest_clients=1000, requests=1)
    >>> cover.fakes_per_part, round(cover.fakes_per_client(32), 2), f"{cover.delta(1.0):.1e}"
    (80.00000000000001, 2.56, '3.5e-10')
    """

    shape: float
    ratio: float
    honest_clients: int
    requests: int

    def __post_init__(self) -> None:
        problems = integer_problem("CoverTraffic.honest_clients", self.honest_clients, 1)
        problems += integer_problem("CoverTraffic.requests", self.requests, 1, _MOST_REQUESTS)
        problems += positive_number("CoverTraffic.shape", self.shape)
        problems += positive_number("CoverTraffic.ratio", self.ratio)
        refuse(ParameterError, problems)
        keep_whole(self, "honest_clients", "requests")
        refuse(ParameterError, problems_of(self.shape, self.ratio) or problems_of(self.share, self.ratio))

    @classmethod
    def least(cls, epsilon: float, delta: float, honest_clients: int, requests: int, epochs: int = 1) -> Self:
        """Choose the fewest fakes that keep a guarantee.

        Args:
            epsilon: that one client's requests of all ``epochs`` together may cost.
            delta: likewise, from 1e-12.
            honest_clients: as above.
            requests: as above.
            epochs: in how many a client asks.

        Returns:
            Cover traffic with a guarantee of at most (epsilon, delta).

        Raises:
            ParameterError: a number is out of range, or no cover traffic that can be sampled is enough.

        >>> cover = CoverTraffic.least(1.0, 1e-6, honest_clients=1000, requests=1)
        >>> cover.delta(1.0) <= 1e-6, 30 < cover.fakes_per_part < 40
        (True, True)
        """
        problems = positive_number("CoverTraffic.epsilon", epsilon) + positive_number("CoverTraffic.delta", delta)
        problems += integer_problem("CoverTraffic.epochs", epochs, 1, _MOST_REQUESTS)
        problems += integer_problem("CoverTraffic.honest_clients", honest_clients, 1)
        problems += integer_problem("CoverTraffic.requests", requests, 1, _MOST_REQUESTS)
        if not problems and not SMALLEST_DELTA <= delta < 1:
            problems.append(Problem("CoverTraffic.delta", repr(delta), f"{SMALLEST_DELTA:g} to 1"))
        refuse(ParameterError, problems)
        found = _fewest(min(float(epsilon), _LARGEST_EPSILON), float(delta), int(requests), int(epochs))
        if found is None:
            got = f"epsilon {epsilon:g} and delta {delta:g} for {requests} requests in each of {epochs} epochs"
            expected = "a guarantee that at most a million fakes for each part keep"
            raise ParameterError(Problem("CoverTraffic.least", got, expected, "allow more, or ask for fewer parts"))
        shape, ratio = found
        cover = cls(shape, ratio, honest_clients, requests)
        while cover.delta(epsilon, epochs) > delta:  # what the steps of the search and sampling take
            cover = cls(cover.shape * (1 + _ENOUGH), ratio, honest_clients, requests)
        return cover

    @property
    def share(self) -> float:
        """Shape of one client's fakes in one part."""
        return self.shape / self.honest_clients

    @property
    def fakes_per_part(self) -> float:
        """Expected fakes that a part gets in an epoch of ``honest_clients``."""
        return self.shape * self.ratio / (1 - self.ratio)

    def fakes_per_client(self, parts: int) -> float:
        """Expected fakes that a client sends in an epoch.

        Args:
            parts: how many there are.

        Returns:
            A number of requests.
        """
        return self.fakes_per_part * parts / self.honest_clients

    def delta(self, epsilon: float, epochs: int = 1) -> float:
        """Smallest delta at ``epsilon``, from above.

        Args:
            epsilon: at least 0.
            epochs: in how many a client asks.

        Returns:
            Of everything that a client asks in these epochs together, sampling included.
        """
        moved, at = 2 * self.requests * epochs, min(float(epsilon), _LARGEST_EPSILON)
        sampling = moved * self.honest_clients * TOTAL_VARIATION * (1 + math.exp(at))
        return min(1.0, replaced_delta(self.shape, self.ratio, self.requests, at, epochs) + sampling)

    def guarantee(self, epsilon: float, epochs: int = 1) -> Guarantee:
        """Say what the server, and everybody who sees what it sees, cannot tell about one client's requests.

        Args:
            epsilon: for which delta is computed.
            epochs: in how many a client asks.

        Returns:
            Of all that a client asks in these epochs; it rests on promises that it names.

        Raises:
            ParameterError: a number is out of range.
        """
        problems = positive_number("CoverTraffic.epsilon", epsilon)
        problems += integer_problem("CoverTraffic.epochs", epochs, 1, _MOST_REQUESTS)
        refuse(ParameterError, problems)
        delta = self.delta(epsilon, epochs)
        during = "in an epoch" if epochs == 1 else f"in {epochs} epochs"
        return Guarantee(
            unit=UNIT_NAMES[WholeImage],
            relation=f"what one client that takes part asks for {during} is replaced by anything else",
            mechanism="negative binomial fake requests, shared by all clients",
            scale=math.sqrt(self.shape * self.ratio) / (1 - self.ratio),
            step=1.0,
            step_unit="requests",
            sensitivity=2.0 * self.requests * epochs,
            norm="L1",
            sensitivity_reason=(
                f"{self.requests} different parts lose a request and {self.requests} gain one in each epoch"
            ),
            epsilon=float(epsilon),
            delta=delta,
            whole_image_epsilon=float(epsilon),
            whole_image_delta=delta,
            promises=(
                f"at least {self.honest_clients:,} clients that follow the protocol and do not help the server ask in "
                "every epoch, each of them once",
                "the network hides from the server who sent a request, and each travels at a random instant",
                "every request has a key of its own and its encryption hides what is in it",
            ),
        )

    def draw(self, parts: int, stream: NoiseStream) -> npt.NDArray[np.int64]:
        """Draw one client's fakes for one epoch.

        Args:
            parts: how many there are.
            stream: secret, and never used for another epoch.

        Returns:
            (parts,) numbers of fake requests.

        Raises:
            ParameterError: ``parts`` is below 1.

        >>> from privis.privacy import ReleaseKey
        >>> cover = CoverTraffic(20.0, 0.8, honest_clients=1000, requests=1)
        >>> cover.draw(4, ReleaseKey.generate().stream("epoch", b"", b"")).shape
        (4,)
        """
        refuse(ParameterError, integer_problem("CoverTraffic.parts", parts, 1))
        return sample_counts(negative_binomial_table(self.share, self.ratio), stream, parts)


@lru_cache(maxsize=64)
def _fewest(epsilon: float, delta: float, requests: int, epochs: int) -> tuple[float, float] | None:
    """Shape and ratio of the smallest mean, by golden section over the logarithm of 1 - ratio."""

    def mean(place: float) -> tuple[float, float, float]:
        ratio = -math.expm1(place)
        shape = _least_shape(epsilon, delta, requests, epochs, ratio)
        return (math.inf if shape is None else shape * ratio / (1 - ratio)), shape or 0.0, ratio

    golden = (math.sqrt(5) - 1) / 2
    low, high = math.log(1 - LARGEST_RATIO) * 0.7, math.log(0.9)
    left, right = high - golden * (high - low), low + golden * (high - low)
    at_left, at_right = mean(left), mean(right)
    while high - low > 0.1:
        if at_left[0] <= at_right[0]:
            high, right, at_right = right, left, at_left
            left = high - golden * (high - low)
            at_left = mean(left)
        else:
            low, left, at_left = left, right, at_right
            right = low + golden * (high - low)
            at_right = mean(right)
    best = min(at_left, at_right)
    return None if math.isinf(best[0]) else best[1:]


def _least_shape(epsilon: float, delta: float, requests: int, epochs: int, ratio: float) -> float | None:
    """Smallest shape that keeps the guarantee: more noise of the same ratio is post-processing, so one bisection."""

    def enough(shape: float) -> bool:
        return replaced_delta(shape, ratio, requests, epsilon, epochs, _COARSE) <= delta

    # A count of 0 that a request would have raised tells: its probability alone may not exceed delta.
    low = max(1e-6, math.log(requests * epochs / delta) / -math.log1p(-ratio) / 2)
    high = 2 * low
    while not enough(high):
        low, high = high, 2 * high
        if high > min(LARGEST_SHAPE, _MOST_FAKES * (1 - ratio) / ratio):
            return None
    while high - low > _ENOUGH * high:
        middle = (low + high) / 2
        low, high = (low, middle) if enough(middle) else (middle, high)
    return high
