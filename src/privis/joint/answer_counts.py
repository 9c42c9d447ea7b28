"""How many answers a question gives about one template, and charging them to an answer ledger.

A question is counted by what it can tell of one template while all others are known (see
`privis.privacy.answers.answer_limits`): an index, a claim, one bit of a count are one decision; the order of the k best
is k + 1 values. On shares products are exact whole numbers of twice as many bits as a component, and a query need not
have length 1: one score tells up to two components, and counts as two.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from privis.privacy.answers.answer_ledger import AnswerCharge, AnswerLedger
from privis.privacy.answers.answer_limits import AnswerKind, AnswerSettings, bits
from privis.tasks.questions import Question, Top

COMPONENTS_OF_A_SCORE = 2


@dataclass(frozen=True)
class AnswerCount:
    """Answers about the template that is asked about most."""

    kind: AnswerKind
    count: int


def answer_count(question: Question, queries: int, claims: Sequence[str] = ()) -> AnswerCount:
    """Give the answers about one template that ``queries`` vectors are given.

    Args:
        question: that is asked of each.
        queries: vectors; each is compared with every template where there are no ``claims``.
        claims: for 1:1 verification the template that each query claims.

    Returns:
        Their kind and number.

    >>> answer_count(Top(3, score=False), 10)
    AnswerCount(kind=<AnswerKind.DECISION: 'decision'>, count=20)
    """
    most = max(Counter(claims).values()) if claims else queries
    if getattr(question, "score", False):
        return AnswerCount(AnswerKind.SCORE, COMPONENTS_OF_A_SCORE * most)
    return AnswerCount(AnswerKind.DECISION, most * (bits(question.count + 1) if isinstance(question, Top) else 1))


@dataclass(frozen=True)
class GalleryAnswers:
    """Counts what is asked of one gallery.

    Args:
        ledger: that is charged before anything is computed.
        name: of the gallery in it.
        settings: limits of each client; those of `AnswerLimits.of_vectors` where they name none.
    """

    ledger: AnswerLedger
    name: str
    settings: AnswerSettings = AnswerSettings()

    def charge(self, answers: AnswerCount, components: int, clients: Sequence[str]) -> str:
        """Charge a question to everybody who asks it or learns its answer.

        Args:
            answers: kind and number.
            components: of a template.
            clients: owner of the queries, and receivers.

        Returns:
            The sentence about limits that holds.

        Raises:
            AnswerLimitError: one of them may get no more; nothing was charged.
        """
        each = COMPONENTS_OF_A_SCORE if answers.kind is AnswerKind.SCORE else 1
        limits = self.settings.limits(components, each)
        charged = (AnswerCharge(client, self.name, answers.kind, answers.count, limits) for client in clients)
        self.ledger.charge(tuple(dict.fromkeys(charged)))
        return limits.sentence(answers.kind)
