"""How many answers a client may get about one gallery or model: per hour and in total, decisions and scores.

**What one answer is.** What is protected is one template (or one output of a model), so answers are counted *about one
template*: comparing a query with all templates of a gallery answers once about each of them, however many there are. A
batch of 100 queries counts as 100, whatever the size of the gallery. So no template was answered about more often than
the ledger says, and a large gallery is as usable as a small one.

- A *decision* is one bit about a template: whether it matches, whether it is the most similar one, one more or less in
  a count. An answer with m possible values of one template, all others being known, counts as the next whole number
  above log2(m) decisions: the order of the k best is k + 1 values, accept, reject or undecided is three.
- A *score* is a number: a cosine, an output of a model. It is not converted to bits: d scores of known queries are the
  template, for decisions it takes more.

Both share what a client may get: used shares of the two limits add up to at most one.

**What the limits rest on** is measured, not proved (``python -m benchmarks.answer_attacks``): how many answers it takes
until half of the templates are passed. `AnswerLimits.of_vectors` stays below in total, which nothing per hour would.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import StrEnum
from fractions import Fraction
from pathlib import Path

from privis.errors import ParameterError, Problem, refuse

DECISIONS_PER_COMPONENT = Fraction(1, 4)
SCORES_PER_COMPONENT = Fraction(1, 32)
OUTPUTS_PER_INPUT = Fraction(1, 4)
HOURS = 4
"""A client that asks as fast as it may has all that it may ask in total after so many hours."""


class AnswerKind(StrEnum):
    """What an answer says of one template: one bit, or a number."""

    DECISION = "decision"
    SCORE = "score"


@dataclass(frozen=True)
class Allowance:
    """Answers of one kind that a client may get: within any hour, and in total until somebody lifts it.

    Args:
        per_hour: at least 1; None: as many as in total.
        total: at least 1; None: unlimited.

    Raises:
        ParameterError: naming all bad parameters.
    """

    per_hour: int | None = None
    total: int | None = None

    def __post_init__(self) -> None:
        problems = [
            Problem(f"Allowance.{name}", repr(value), "a whole number of at least 1, or None")
            for name, value in (("per_hour", self.per_hour), ("total", self.total))
            if value is not None and (isinstance(value, bool) or not isinstance(value, int) or value < 1)
        ]
        refuse(ParameterError, problems)

    @property
    def largest(self) -> int | None:
        """The most answers that one question can be given; None: unlimited."""
        return min((each for each in (self.per_hour, self.total) if each is not None), default=None)


UNLIMITED = Allowance()


@dataclass(frozen=True)
class AnswerLimits:
    """What one client may learn about one gallery: decisions, scores, or some of both.

    Used shares of ``decisions`` and of ``scores`` add up to at most one, per hour and in total.

    Args:
        decisions: bits about a template.
        scores: numbers about a template.

    >>> AnswerLimits.of_vectors(128).sentence(AnswerKind.DECISION)
    'One client gets at most 8 decisions about a template per hour and 32 in total.'
    """

    decisions: Allowance = UNLIMITED
    scores: Allowance = UNLIMITED

    @classmethod
    def of_vectors(cls, components: int, each: int = 1) -> AnswerLimits:
        """Give the limits about templates that stand where nobody chose others.

        Args:
            components: of a template: unknown numbers that answers may tell.
            each: answers that one question is given; where the total allows one question, the hour does too.

        Returns:
            A quarter as many decisions as components, a thirty-second as many scores, a quarter of each per hour.

        Raises:
            ParameterError: there are no components, or ``each`` is below 1.
        """
        return cls(_share(components, DECISIONS_PER_COMPONENT, each), _share(components, SCORES_PER_COMPONENT, each))

    @classmethod
    def of_model(cls, inputs: int, each: int = 1) -> AnswerLimits:
        """Give the limits about a private model that stand where nobody chose others.

        A linear model of n inputs is known after n + 1 outputs, so the hidden part of it is as a template is. Of
        networks this says nothing: what they tell depends on them.

        Args:
            inputs: numbers that the model reads.
            each: answers that one question is given.

        Returns:
            A quarter as many answers as inputs, a quarter of that per hour.

        Raises:
            ParameterError: there are no inputs, or ``each`` is below 1.
        """
        allowed = _share(inputs, OUTPUTS_PER_INPUT, each)
        return cls(allowed, allowed)

    def of(self, kind: AnswerKind) -> Allowance:
        """The limits of answers of this kind.

        Args:
            kind: decisions or scores.

        Returns:
            Answers per hour and in total.
        """
        return self.decisions if kind is AnswerKind.DECISION else self.scores

    def sentence(self, kind: AnswerKind, about: str = "a template") -> str:
        """What a card and the terms of a server say.

        Args:
            kind: of the answers that are given.
            about: what they are about: a template, or an output of a model.

        Returns:
            One sentence.
        """
        allowed = self.of(kind)
        if allowed == UNLIMITED:
            return (
                f"No limit is kept of the {kind}s about {about}: a client that asks enough learns what they are about."
            )
        told = [f"{count:,} {word}" for count, word in ((allowed.per_hour, "per hour"), (allowed.total, "in total"))
                if count is not None]  # fmt: skip
        most = " and ".join(told).replace(" ", f" {kind}s about {about} ", 1)
        never = "" if allowed.total is not None else "; there is no limit in total, so that it learns all in time"
        return f"One client gets at most {most}{never}."


@dataclass(frozen=True)
class AnswerSettings:
    """What an operator chose: limits of each kind (None: those that stand), and where answers are counted.

    Args:
        decisions: per hour and in total; None: `AnswerLimits.of_vectors`.
        scores: per hour and in total; None: `AnswerLimits.of_vectors`, of models `AnswerLimits.of_model`.
        ledger: the answer ledger, which several servers may share; None: one in the server's or party's folder.
    """

    decisions: Allowance | None = None
    scores: Allowance | None = None
    ledger: Path | None = None

    def limits(self, components: int, each: int = 1, model: bool = False) -> AnswerLimits:
        """Give the limits that hold.

        Args:
            components: of a template, or inputs of a model.
            each: answers that one question is given.
            model: whether it is a model.

        Returns:
            What was chosen, else what stands where nobody chose.

        Raises:
            ParameterError: there are no components, or ``each`` is below 1.
        """
        usual = (AnswerLimits.of_model if model else AnswerLimits.of_vectors)(components, each)
        return AnswerLimits(self.decisions or usual.decisions, self.scores or usual.scores)


def bits(values: int) -> int:
    """Decisions that an answer with ``values`` possible values of one template counts as.

    Args:
        values: at least 1.

    Returns:
        The next whole number above log2, at least 1.

    >>> bits(2), bits(3), bits(4), bits(11)
    (1, 2, 2, 4)
    """
    return max(1, (values - 1).bit_length())


def _share(components: int, share: Fraction, each: int) -> Allowance:
    if components < 1 or each < 1:
        raise ParameterError(Problem("components", f"{components}, of which {each} at once", "at least 1 each"))
    total = max(1, math.floor(components * share))
    return Allowance(min(total, max(each, total // HOURS)), total)
