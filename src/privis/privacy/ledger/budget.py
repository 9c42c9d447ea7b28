"""Budgets of a ledger, and what a release costs of one."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from enum import Enum
from functools import lru_cache

from privis.errors import BudgetError, ParameterError, Problem, refuse
from privis.privacy.accounting.noise_calibration import gaussian_delta, gaussian_privacy, gaussian_ratio
from privis.privacy.guarantee import CORPUS, OR_NONE, UNIT_NAMES, Guarantee
from privis.privacy.mechanisms.additive import Gaussian, Laplace
from privis.privacy.sensitivity import Sensitivity
from privis.privacy.units import AddOrRemovePerson, Dataset, Enrolment, Person, PersonDay
from privis.validation import positive_number

_ADDED = (UNIT_NAMES[AddOrRemovePerson], UNIT_NAMES[PersonDay])  # somebody comes or goes, nobody is replaced
_FINE = 2.0**30  # scale of the noise in the grid steps that a doubled sensitivity is rounded up to
_NUMBERS = 2**40  # more numbers than any memory holds: what sampling all of them costs is counted, too


class Per(Enum):
    """Whose charges are added up: those of each record, or all charges of the ledger."""

    SUBJECT = "subject"
    CORPUS = "corpus"


class BudgetUnit(Enum):
    """What the budget protects.

    IMAGE: one whole image, replaced by any other. PERSON: all images of one person, replaced. DATASET: whether an image
    is in the corpus at all. ADD_OR_REMOVE_PERSON: whether a person is in the corpus at all, with all their images.
    """

    IMAGE = "image"
    PERSON = "person"
    DATASET = "dataset"
    ADD_OR_REMOVE_PERSON = "add-or-remove-person"


class NoiseDistribution(Enum):
    """Distribution of a release's noise, as far as it helps to compose it better than its (epsilon, delta) alone."""

    LAPLACE = Laplace.name
    GAUSSIAN = Gaussian.name
    OTHER = "other"


@dataclass(frozen=True)
class Budget:
    """At most ``epsilon`` and ``delta`` for one unit, over everything that is ever released.

    ========  ==================  ==================================================================================
    per       unit                what is charged, and what is refused because it cannot be compared
    ========  ==================  ==================================================================================
    subject   image               the whole-image figures of every release of that image
    subject   person              records are people; the whole-image figures of every release of one of their images,
                                  or of one vector of all (``Enrolment()``). Each image is one charge, so a release for
                                  ``Person(k)`` costs its whole epsilon only after k images
    corpus    image               the whole-image figures of all releases of all images, and of aggregates
    corpus    person              the figures of releases for a person; those for ``AddOrRemovePerson(k)`` and
                                  ``PersonDay(m)`` count twice, as a person replaced is one removed and one added
                                  (see below); others are refused: a person may have several images
    corpus    dataset             the figures of aggregates for ``Dataset()``; others are refused: they do not hide
                                  presence
    corpus    add-or-remove-      the figures of aggregates for ``AddOrRemovePerson(k)`` and ``PersonDay(m)``, and of
              person              those for ``Person(k)`` that hide a person replaced by none, too; others are refused
    ========  ==================  ==================================================================================

    Two steps of a relation, at (epsilon, delta) each, are together (2 epsilon, (1 + e^epsilon) delta): P(S) is at most
    e^epsilon P'(S) + delta, which is at most e^(2 epsilon) P''(S) + e^epsilon delta + delta. For Gaussian noise the two
    steps are one of at most twice the sensitivity (triangle inequality), whose epsilon is stated at the same delta.

    An aggregate touches every image of its corpus: a ledger per subject refuses it. Two ledgers about the same images
    add up.

    Args:
        epsilon: most that all charges of an account may add up to.
        delta: as epsilon; between 0 and 1, both excluded.
        per: whose charges add up: of each record, or all of the ledger.
        unit: what is protected: an image, a person, or presence of an image or a person in the corpus.

    Raises:
        ParameterError: naming all bad parameters.

    >>> Budget(1.0, 1e-6).sentence
    'Everything released about one image, together, keeps epsilon 1 up to a probability of 1e-06 (delta).'
    """

    epsilon: float
    delta: float
    per: Per = Per.SUBJECT
    unit: BudgetUnit = BudgetUnit.IMAGE

    def __post_init__(self) -> None:
        problems = positive_number("Budget.epsilon", self.epsilon)
        if positive_number("Budget.delta", self.delta) or self.delta >= 1:
            remedy = "sampled noise has a delta of its own, often about 1e-20, so that 0 would allow nothing"
            problems.append(Problem("Budget.delta", repr(self.delta), "a number between 0 and 1, like 1e-6", remedy))
        if not isinstance(self.per, Per):
            problems.append(Problem("Budget.per", repr(self.per), "Per.SUBJECT or Per.CORPUS"))
        if not isinstance(self.unit, BudgetUnit):
            problems.append(Problem("Budget.unit", repr(self.unit), "a BudgetUnit"))
        elif self.per is Per.SUBJECT and self.unit in (BudgetUnit.DATASET, BudgetUnit.ADD_OR_REMOVE_PERSON):
            remedy = "per=Per.CORPUS: what is computed from a whole corpus touches every record"
            expected = "image or person for a budget per subject"
            problems.append(Problem("Budget.unit", self.unit.value, expected, remedy))
        refuse(ParameterError, problems)
        object.__setattr__(self, "epsilon", float(self.epsilon))
        object.__setattr__(self, "delta", float(self.delta))

    @property
    def sentence(self) -> str:
        """The promise of a ledger with this budget."""
        about = {
            (Per.SUBJECT, BudgetUnit.IMAGE): "about one image",
            (Per.SUBJECT, BudgetUnit.PERSON): "about all images of one person",
            (Per.CORPUS, BudgetUnit.IMAGE): "about the whole corpus, when one image in it is replaced",
            (Per.CORPUS, BudgetUnit.PERSON): "about the whole corpus, when all images of one person are replaced",
            (Per.CORPUS, BudgetUnit.DATASET): "about the whole corpus, when one image is added or removed",
            (
                Per.CORPUS,
                BudgetUnit.ADD_OR_REMOVE_PERSON,
            ): "about the whole corpus, when one person with all images is added or removed",
        }[self.per, self.unit]
        return (
            f"Everything released {about}, together, keeps epsilon {self.epsilon:.4g} up to a probability of "
            f"{self.delta:.4g} (delta)."
        )


@dataclass(frozen=True)
class PrivacyCost:
    """What one release spends: (epsilon, delta)-DP by noise of one distribution and ``scale`` (0 unless Laplace)."""

    epsilon: float
    delta: float
    distribution: NoiseDistribution
    scale: float


def cost_of(guarantee: Guarantee, budget: Budget) -> PrivacyCost:
    """Give what a release with ``guarantee`` spends of ``budget``; see the table of `Budget`.

    Raises ``BudgetError`` when it has no finite figures or they say nothing about the budget's unit.

    >>> from privis.privacy.releases.image import PixelRelease
    >>> from privis.privacy.units import Pixels
    >>> guarantee = PixelRelease(Laplace(4.0), Pixels(16)).guarantee((28, 28))
    >>> guarantee.epsilon, cost_of(guarantee, Budget(1.0, 1e-6)).epsilon
    (4.0, 196.0)
    """
    if reason := _incomparable(guarantee, budget):
        got = f"a release of {guarantee.computed_from} whose unit is {guarantee.unit}"
        expected = f"a release that says something about one {budget.unit.value}"
        raise BudgetError(Problem("ledger", got, expected, reason))
    whole = (guarantee.whole_image_epsilon, guarantee.whole_image_delta)
    stated = (guarantee.epsilon, guarantee.delta)
    by_image = budget.unit is BudgetUnit.IMAGE or budget.per is Per.SUBJECT
    epsilon, delta = whole if by_image else stated
    if not (0 <= epsilon < math.inf and 0 <= delta < 1 and max(map(abs, stated)) < math.inf):
        got, remedy = f"epsilon {epsilon:g} and delta {delta:g} for that", "nothing bounds what this release may reveal"
        raise BudgetError(Problem("ledger", got, "a release with finite figures", remedy))
    cost = noise_cost(guarantee.mechanism, float(guarantee.scale), float(epsilon), float(delta))
    if budget.per is Per.CORPUS and budget.unit is BudgetUnit.PERSON and guarantee.unit in _ADDED:
        return _two_steps(cost)
    return cost


@lru_cache(maxsize=4096)
def _two_steps(cost: PrivacyCost) -> PrivacyCost:
    """What a person replaced by another costs where one who comes or goes costs ``cost``; see `Budget`."""
    epsilon, delta = 2 * cost.epsilon, (1 + math.exp(min(cost.epsilon, 700.0))) * cost.delta
    if cost.distribution is NoiseDistribution.GAUSSIAN:
        ratio = gaussian_ratio(cost.epsilon, cost.delta)
        while gaussian_delta(ratio, cost.epsilon) <= cost.delta:  # it is from below, and is needed from above
            ratio *= 1 + 1e-6
        moved = math.ceil(2 * ratio * _FINE)
        epsilon, delta = gaussian_privacy(_FINE, Sensitivity("L2", moved**2, _NUMBERS, moved, ""), cost.delta)
    if delta >= 1:
        got = f"epsilon {epsilon:g} and delta {delta:g} for a person replaced by another"
        remedy = "nothing bounds what this release may reveal of that"
        raise BudgetError(Problem("ledger", got, "a release with finite figures", remedy))
    return replace(cost, epsilon=epsilon, delta=delta)


@lru_cache(maxsize=4096)
def noise_cost(mechanism: str, scale: float, epsilon: float, delta: float) -> PrivacyCost:
    """Give the cost of (``epsilon``, ``delta``) by ``mechanism``; a scale counts for Laplace noise alone."""
    if mechanism == Laplace.name and 0 < scale < math.inf:
        return PrivacyCost(epsilon, delta, NoiseDistribution.LAPLACE, scale)
    return PrivacyCost(
        epsilon, delta, NoiseDistribution.GAUSSIAN if mechanism == Gaussian.name else NoiseDistribution.OTHER, 0.0
    )


def _incomparable(guarantee: Guarantee, budget: Budget) -> str:
    """Why ``guarantee`` cannot be compared with ``budget``; empty when it can."""
    unit, dataset, person = guarantee.unit, UNIT_NAMES[Dataset], UNIT_NAMES[Person]
    if unit not in UNIT_NAMES.values():
        return "without a release there is no differential privacy, and no budget pays for that"
    if budget.per is Per.SUBJECT and guarantee.computed_from == CORPUS:
        return "it touches every record, and this budget is per record; charge it to a ledger per corpus"
    if budget.unit is BudgetUnit.DATASET and unit != dataset:
        return "it does not hide whether an image is in the corpus; use unit=Dataset(), or a ledger per subject"
    if budget.unit is BudgetUnit.ADD_OR_REMOVE_PERSON:
        hidden = unit in _ADDED or (unit == person and guarantee.relation.endswith(OR_NONE))
        return (
            "" if hidden else "it does not hide whether a person is in the corpus; use unit=AddOrRemovePerson(images)"
        )
    people = (person, *_ADDED, UNIT_NAMES[Enrolment])
    if budget.per is Per.CORPUS and budget.unit is BudgetUnit.PERSON and unit not in people:
        return "a person may have any number of images, of which it hides one; use unit=Person(images)"
    return ""
