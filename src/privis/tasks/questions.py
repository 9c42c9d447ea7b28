"""What can be asked of vectors and templates; clear, encrypted and joint matching all take these questions.

A template *matches* a query when the cosine of the two is at least the question's threshold. Executors that compute
exactly (in the clear, on shares) decide every cosine. One that approximates (under encryption) need decide none that is
less than ``gap`` away from the threshold: there its answer may be `privis.tasks.Decision.UNDECIDED`, and elsewhere it
is the exact one.

================================  =====================================================  ===========================
question                          what the receivers learn of each query                 where no template matches
================================  =====================================================  ===========================
`Claim(t)`                        one bit: does the template that it claims match        rejected
`AnyAbove(t)`                     one bit: does any template match                       rejected
`Count(t)`                        how many templates match                               0
`AllAbove(t, most=m)`             the indices of those that match, if at most m          that there is none
`Payload(t, most=m)`              their payloads, if at most m match                     that there is none
`Best()`, `Best(t)`               the index of the most similar template (that matches)  that there is none
`Top(k)`, `Top(k, t)`             the indices of the k most similar, in order            fewer than k
`Best(score=True)`, `Top(k,       the same with their cosines
score=True)`
================================  =====================================================  ===========================

Cosines are told only where ``score=True`` asks for them: those of as many known queries as a template has components
determine the template.
"""

from __future__ import annotations

from dataclasses import dataclass
from numbers import Real
from typing import ClassVar

from privis.errors import ParameterError, Problem, refuse
from privis.validation import keep_whole, whole_number

LARGEST_GAP = 1.0


@dataclass(frozen=True)
class Best:
    """The most similar template, if it reaches ``threshold``.

    Args:
        threshold: Smallest cosine that counts, in [-1, 1]; None: any.
        score: Whether its cosine is revealed beside its index.

    Raises:
        ParameterError: a threshold that is no cosine.
    """

    threshold: float | None = None
    score: bool = False

    def __post_init__(self) -> None:
        refuse(ParameterError, _problems(self, self.threshold))
        _keep_numbers(self)

    @property
    def count(self) -> int:
        """Number of templates in an answer."""
        return 1

    @property
    def reveals(self) -> str:
        """What receivers learn, in words."""
        what = (
            "the index and the cosine of its most similar template" if self.score else "the index of the most similar"
        )
        return what if self.threshold is None else f"{what} if that reaches {self.threshold:g}, else that none does"


@dataclass(frozen=True)
class Top:
    """The ``count`` most similar templates in order, as far as they reach ``threshold``.

    Args:
        count: Templates in an answer, at least 1.
        threshold: Smallest cosine that counts, in [-1, 1]; None: any.
        score: Whether their cosines are revealed beside their indices.

    Raises:
        ParameterError: a threshold that is no cosine, or a count below 1.
    """

    count: int
    threshold: float | None = None
    score: bool = False

    def __post_init__(self) -> None:
        refuse(ParameterError, whole_number("Top.count", self.count) + _problems(self, self.threshold))
        _keep_numbers(self)
        keep_whole(self, "count")

    @property
    def reveals(self) -> str:
        """What receivers learn, in words."""
        what = "the indices and the cosines" if self.score else "the indices, in order,"
        limit = "" if self.threshold is None else f", as far as they reach {self.threshold:g}"
        return f"{what} of its {self.count} most similar templates{limit}"


@dataclass(frozen=True)
class AnyAbove:
    """Whether any template's cosine is at least ``threshold``: one bit.

    Args:
        threshold: Smallest cosine that counts, in [-1, 1].
        gap: How far a cosine may be from the threshold (0 to 1) and still be left undecided by an executor that
            approximates.

    Raises:
        ParameterError: a threshold that is no cosine, or a gap outside [0, 1].
    """

    threshold: float
    gap: float = 0.0

    def __post_init__(self) -> None:
        refuse(ParameterError, _problems(self, self.threshold, self.gap))
        _keep_numbers(self)

    @property
    def reveals(self) -> str:
        """What receivers learn, in words."""
        return f"whether any template's cosine is at least {self.threshold:g}, one bit"


@dataclass(frozen=True)
class Claim:
    """Whether the cosine to the one template that a query claims is at least ``threshold``: 1:1 verification, one bit.

    Which template each query claims is public to all who compute.

    Args:
        threshold: Smallest cosine that counts, in [-1, 1].
        gap: How far a cosine may be from the threshold (0 to 1) and still be left undecided by an executor that
            approximates.

    Raises:
        ParameterError: a threshold that is no cosine, or a gap outside [0, 1].
    """

    threshold: float
    gap: float = 0.0

    def __post_init__(self) -> None:
        refuse(ParameterError, _problems(self, self.threshold, self.gap))
        _keep_numbers(self)

    @property
    def reveals(self) -> str:
        """What receivers learn, in words."""
        return f"whether its cosine to the template that it claims is at least {self.threshold:g}, one bit"


@dataclass(frozen=True)
class Count:
    """How many templates' cosines are at least ``threshold``.

    Args:
        threshold: Smallest cosine that counts, in [-1, 1].
        gap: How far a cosine may be from the threshold (0 to 1) and still leave the number undecided by an executor
            that approximates.

    Raises:
        ParameterError: a threshold that is no cosine, or a gap outside [0, 1].
    """

    threshold: float
    gap: float = 0.0

    def __post_init__(self) -> None:
        refuse(ParameterError, _problems(self, self.threshold, self.gap))
        _keep_numbers(self)

    @property
    def reveals(self) -> str:
        """What receivers learn, in words."""
        return f"how many templates' cosines are at least {self.threshold:g}"


@dataclass(frozen=True)
class _AtMost:
    """A question about all templates that match, which is answered as long as they are few."""

    what: ClassVar[str]

    threshold: float
    most: int = 1
    gap: float = 0.0

    def __post_init__(self) -> None:
        where = f"{type(self).__name__}.most"
        refuse(ParameterError, whole_number(where, self.most) + _problems(self, self.threshold, self.gap))
        _keep_numbers(self)
        keep_whole(self, "most")

    @property
    def reveals(self) -> str:
        """What receivers learn, in words."""
        which = f"the templates whose cosine is at least {self.threshold:g}, in the order of the gallery"
        return f"{self.what} of {which}, if they are at most {self.most}, else that they are more"


@dataclass(frozen=True)
class AllAbove(_AtMost):
    """The indices of all templates whose cosine is at least ``threshold``, as long as these are at most ``most``.

    Args:
        threshold: Smallest cosine that counts, in [-1, 1].
        most: Most templates of an answer; where more match, receivers learn that and nothing else.
        gap: How far a cosine may be from the threshold (0 to 1) and still leave the answer undecided by an executor
            that approximates.

    Raises:
        ParameterError: a threshold that is no cosine, a gap outside [0, 1], or a number below 1.
    """

    what: ClassVar[str] = "the indices"


@dataclass(frozen=True)
class Payload(_AtMost):
    """The payloads of all templates whose cosine is at least ``threshold``, as long as these are at most ``most``.

    A payload is a row of whole numbers that was enrolled with its template and stays as secret as that.

    Args:
        threshold: Smallest cosine that counts, in [-1, 1].
        most: Most templates of an answer; where more match, receivers learn that and nothing else.
        gap: How far a cosine may be from the threshold (0 to 1) and still leave the answer undecided by an executor
            that approximates.

    Raises:
        ParameterError: a threshold that is no cosine, a gap outside [0, 1], or a number below 1.
    """

    what: ClassVar[str] = "the payloads"


Question = Best | Top | AnyAbove | Claim | Count | AllAbove | Payload


def _problems(question: object, threshold: object, gap: object = 0.0) -> list[Problem]:
    where, problems = type(question).__name__, []
    optional = threshold is None and isinstance(question, Best | Top)
    if not optional and not _within(threshold, -1.0, 1.0):
        problems.append(Problem(f"{where}.threshold", repr(threshold), "a cosine from -1 to 1"))
    if not _within(gap, 0.0, LARGEST_GAP):
        problems.append(Problem(f"{where}.gap", repr(gap), f"a distance of cosines from 0 to {LARGEST_GAP:g}"))
    return problems


def _within(value: object, low: float, high: float) -> bool:
    return isinstance(value, Real) and not isinstance(value, bool) and low <= float(value) <= high


def _keep_numbers(question: Question | _AtMost) -> None:
    """Python's floats in place of numpy's: a threshold of single precision times a unit of the grid is not exact."""
    for name in ("threshold", "gap"):
        value = getattr(question, name, None)
        if value is not None:
            object.__setattr__(question, name, float(value))
