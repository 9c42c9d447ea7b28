"""Noisy sums over random samples of a corpus: who is drawn, and what all of them together cost.

A training is a sequence of Gaussian releases. Each adds up what the members of a random sample give (an image each, or
a person with all their images), every one at most C in Euclidean length, and adds noise of standard deviation
``noise_multiplier`` * C. Every member is in a sample with the same probability, independently of all others and of all
other samples: Poisson sampling. Batches that are shuffled, or of a fixed size, are something else and are never
accounted like this.

Accounting is dp-accounting's: its events say what was done, its privacy loss distributions (Doroshenko et al.,
arXiv:2207.04380) what that costs, rounded so that they never flatter. Two relations of neighbours:

- one member comes or goes (`Neighbours.ADDED`): the sum with and without it, at most C apart;
- one member is replaced (`Neighbours.REPLACED`): at most 2 C apart, where both are drawn or neither, since a place in
  the corpus is drawn whoever has it.

Members are drawn with keyed bits and noise comes from sampled integers (`privis.privacy.sampling.integer_noise`),
within a total variation of tau of their exact distribution each. N numbers are together within N tau, so P'(S) <= P(S)
+ N tau <= exp(epsilon) Q(S) + delta + N tau <= exp(epsilon) Q'(S) + delta + (1 + exp(epsilon)) N tau: the last term is
taken off delta first.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import Enum
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from privis.errors import ParameterError, Problem, refuse
from privis.privacy.accounting.noise_calibration import gaussian_epsilon, gaussian_ratio
from privis.privacy.accounting.renyi import ORDERS, renyi_epsilon, replaced_divergences
from privis.privacy.mechanisms.additive import Gaussian
from privis.privacy.releases.noise import draw_noise
from privis.privacy.sampling.alias_table import TOTAL_VARIATION
from privis.privacy.sampling.release_key import NoiseStream
from privis.privacy.units import AddOrRemovePerson, Dataset, Person, WholeImage
from privis.subjects import subject_ids
from privis.validation import keep_whole, positive_number, whole_number

if TYPE_CHECKING:
    from dp_accounting import DpEvent

CorpusUnit = WholeImage | Dataset | Person | AddOrRemovePerson
LARGEST_MULTIPLIER = 2.0**20
_CLOSE = 2e-4
SAMPLING_ALLOWANCE = 1e-6
"""Share of delta that is set aside for sampled instead of exact noise."""


class Neighbours(Enum):
    """What the two corpora that must not be told apart differ by."""

    ADDED = "one more or one less"
    REPLACED = "one replaced"

    @classmethod
    def of(cls, unit: CorpusUnit) -> Neighbours:
        """Give the relation of ``unit``: `Dataset` and `AddOrRemovePerson` hide presence, others what was there."""
        return cls.ADDED if isinstance(unit, Dataset | AddOrRemovePerson) else cls.REPLACED

    @property
    def parts(self) -> int:
        """How many members' parts two neighbouring sums are apart at most: of who goes and of who comes."""
        return 1 if self is Neighbours.ADDED else 2


@dataclass(frozen=True)
class NoisySums:
    """``steps`` noisy sums, each over a sample that a member is in with probability ``sampling``.

    Raises ``ParameterError`` naming all bad parameters.

    >>> NoisySums(3.0, sampling=0.125, steps=200).event.count
    200
    """

    noise_multiplier: float
    sampling: float = 1.0
    steps: int = 1

    def __post_init__(self) -> None:
        problems = positive_number("NoisySums.noise_multiplier", self.noise_multiplier)
        problems += sampling_problem("NoisySums.sampling", self.sampling)
        problems += whole_number("NoisySums.steps", self.steps)
        refuse(ParameterError, problems)
        keep_whole(self, "steps")

    @property
    def event(self) -> DpEvent:
        """The whole training as an event of dp-accounting."""
        import dp_accounting

        one = dp_accounting.GaussianDpEvent(self.noise_multiplier)
        sampled = one if self.sampling >= 1 else dp_accounting.PoissonSampledDpEvent(self.sampling, one)
        return dp_accounting.SelfComposedDpEvent(sampled, self.steps)


@dataclass(frozen=True)
class StepSums:
    """Noisy sums of a training for any noise multiplier; the standardisation's follows from the share it may have.

    Args:
        sampling: probability of being in the sample of a step.
        steps: how many.
        standardise: share of the signal for a private standardisation; 0: none.
    """

    sampling: float
    steps: int
    standardise: float

    def __call__(self, multiplier: float) -> tuple[NoisySums, ...]:
        """Give the sums of all steps, then those of the standardisation."""
        steps = NoisySums(multiplier, self.sampling, self.steps)
        if not self.standardise:
            return (steps,)
        # Signal over noise, squared, is about steps * (sampling / multiplier)**2 for the steps.
        share = self.standardise / (1 - self.standardise)
        return steps, NoisySums(multiplier / (self.sampling * math.sqrt(self.steps * share)))


@lru_cache(maxsize=4096)
def epsilon_of(parts: tuple[NoisySums, ...], delta: float, neighbours: Neighbours) -> float:
    """Epsilon of all ``parts`` together at ``delta``, from above.

    By privacy loss distributions. They cut tails off and give none for a very small delta, or a very large epsilon:
    there the closed form of Gaussian noise takes their place, and Renyi divergences where members are drawn.

    >>> round(epsilon_of((NoisySums(3.0, 0.125, 200),), 1e-5, Neighbours.ADDED), 3)
    2.567
    """
    import dp_accounting
    from dp_accounting.pld import PLDAccountant

    relations = dp_accounting.NeighboringRelation
    relation = relations.ADD_OR_REMOVE_ONE if neighbours is Neighbours.ADDED else relations.REPLACE_ONE
    event = dp_accounting.ComposedDpEvent([part.event for part in parts])
    left = delta * (1 - SAMPLING_ALLOWANCE)
    with np.errstate(all="ignore"):
        found = float(PLDAccountant(relation).compose(event).get_epsilon(left))
    return found if math.isfinite(found) else _epsilon_without_tails(parts, event, left, neighbours)


def _epsilon_without_tails(parts: tuple[NoisySums, ...], event: DpEvent, delta: float, neighbours: Neighbours) -> float:
    """Epsilon by what has no tails to cut off."""
    from dp_accounting.rdp import RdpAccountant

    if all(part.sampling >= 1 for part in parts):
        squared = sum(part.steps / part.noise_multiplier**2 for part in parts)
        return gaussian_epsilon(neighbours.parts * math.sqrt(squared), delta)
    if neighbours is Neighbours.ADDED:
        return float(RdpAccountant(ORDERS.tolist()).compose(event).get_epsilon(delta))
    divergences = (part.steps * replaced_divergences(part.noise_multiplier, part.sampling) for part in parts)
    return renyi_epsilon(sum(divergences, np.zeros(ORDERS.size)), delta)


@lru_cache(maxsize=256)
def least_multiplier(
    make: Callable[[float], tuple[NoisySums, ...]], epsilon: float, delta: float, neighbours: Neighbours
) -> float:
    """Noise multiplier for which ``make(multiplier)`` keeps (epsilon, delta) and spends nearly all of epsilon.

    What is returned was accounted and keeps epsilon; it is within 0.02 % of the smallest that does. Raises
    ``ParameterError`` when no multiplier up to 2**20 does.
    """
    low, high = (0.0, math.inf), (math.inf, 0.0)  # (multiplier, its epsilon): too little noise, enough noise
    multiplier = _guess(make(1.0), epsilon, delta, neighbours)
    for tried in range(200):
        if multiplier > LARGEST_MULTIPLIER:
            got = f"{epsilon!r}, which needs noise of more than 2**20 times what one member adds"
            remedy = "train for fewer steps, or on smaller samples"
            raise ParameterError(Problem("epsilon", got, "an epsilon that some noise can keep", remedy))
        spent = epsilon_of(make(multiplier), delta, neighbours)
        low, high = (low, (multiplier, spent)) if spent <= epsilon else ((multiplier, spent), high)
        if high[1] >= (1 - _CLOSE) * epsilon or high[0] < low[0] * (1 + _CLOSE):
            break
        multiplier = _next(low, high, epsilon, halve=tried % 4 == 3)
    return high[0]


def _guess(parts: tuple[NoisySums, ...], epsilon: float, delta: float, neighbours: Neighbours) -> float:
    """Noise multiplier that would do if sampling scaled the signal, from parts with a multiplier of 1."""
    signal = sum(part.steps * (part.sampling / part.noise_multiplier) ** 2 for part in parts)
    return math.sqrt(signal) * (2 if neighbours is Neighbours.REPLACED else 1) / gaussian_ratio(epsilon, delta)


def _next(low: tuple[float, float], high: tuple[float, float], epsilon: float, halve: bool) -> float:
    """Where to look next: epsilon is about a power of the multiplier between the two ends."""
    if low[0] == 0.0:
        return high[0] * min(high[1] / epsilon, 1 - _CLOSE) if high[1] else high[0] / 2
    if math.isinf(high[0]):
        return low[0] * max(low[1] / epsilon, 1 + _CLOSE) if math.isfinite(low[1]) else 2 * low[0]
    if halve or not 0 < high[1] or math.isinf(low[1]):
        return math.sqrt(low[0] * high[0])
    place = math.log(low[1] / epsilon) / math.log(low[1] / high[1])
    found = low[0] * (high[0] / low[0]) ** place * (1 + _CLOSE / 2)
    return min(max(found, low[0] * (1 + _CLOSE / 4)), high[0] * (1 - _CLOSE / 4))


def check_sampling(numbers: int, epsilon: float, delta: float) -> None:
    """Raise ``ParameterError`` unless the noise of ``numbers`` sampled numbers fits into `SAMPLING_ALLOWANCE`."""
    charge = numbers * TOTAL_VARIATION * (1 + math.exp(min(epsilon, 700.0)))
    if charge > SAMPLING_ALLOWANCE * delta:
        got = f"epsilon {epsilon:.4g} and delta {delta:.1e}, for which sampled noise needs delta {charge:.1e}"
        remedy = "use a smaller epsilon or a larger delta: so large an epsilon protects nothing"
        raise ParameterError(Problem("epsilon", got, "a guarantee that sampled noise can keep", remedy))


def drawn(stream: NoiseStream, members: int, sampling: float) -> npt.NDArray[np.int64]:
    """Draw a sample of ``members``: each with probability ``sampling``, rounded down to a multiple of 2**-64.

    >>> from privis.privacy.sampling.release_key import ReleaseKey
    >>> stream = ReleaseKey(bytes(32)).stream("digits", b"", b"")  # a test key
    >>> len(drawn(stream, 60000, 0.125)), len(drawn(stream, 10, 1.0))
    (7619, 10)
    """
    if sampling >= 1:
        return np.arange(members)
    words = stream.words(0, (members + 1) // 2)[:members]
    return np.flatnonzero(words < np.uint64(math.floor(math.ldexp(sampling, 64))))


def noisy_sums(
    noise: Gaussian, scale: float, stream: NoiseStream, sums: npt.NDArray[np.int64]
) -> npt.NDArray[np.int64]:
    """Add integer noise of ``scale`` to ``sums``: a keyed function of the stream and of the very sums that it hides.

    Two runs whose sums differ, be it by one unit, have independent noise, whatever made them differ: their difference
    never shows what the sums differ by. Members of later samples must then differ too, and the later run is a release
    of its own.
    """
    content = hashlib.sha256(repr(sums.shape).encode() + np.ascontiguousarray(sums, np.int64).tobytes()).hexdigest()
    return sums + draw_noise(noise, scale, stream, sums.shape, content)


def sampling_problem(where: str, value: object) -> list[Problem]:
    """Return the problem that ``value`` is no probability of being drawn, if so."""
    if not positive_number(where, value) and 1e-9 <= value <= 1:  # type: ignore[operator]
        return []
    return [Problem(where, repr(value), "a probability from 1e-9 to 1", "1 means every member in every step")]


def members_of(subjects: Sequence[str | int] | None, count: int) -> tuple[npt.NDArray[np.int64], int]:
    """Number the members of a corpus: the row's member, and how many there are; without subjects, one per row.

    Ids are those of `privis.subjects`: ParameterError for a missing one.
    """
    if subjects is None:
        return np.arange(count), count
    _, owners = np.unique(np.asarray(subject_ids(subjects), dtype=str), return_inverse=True)
    return owners.astype(np.int64), int(owners.max(initial=-1)) + 1
