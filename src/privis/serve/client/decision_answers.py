"""Questions as messages of encrypted decisions, and what was decrypted as the answer that all executors give.

Nothing here speaks HTTP: whoever holds both sides in one process uses it, too.
"""

from __future__ import annotations

import numpy as np

from privis.run.he.matching.decision_messages import Ask
from privis.run.he.matching.decision_specification import DecisionSpec
from privis.run.he.owner.decision_owner import Decisions
from privis.tasks.matches import Decision, Matches
from privis.tasks.questions import AllAbove, AnyAbove, Best, Claim, Count, Payload, Question

_ASKS = {Claim: Ask.CLAIM, AnyAbove: Ask.COUNT, Count: Ask.COUNT, AllAbove: Ask.INDEX, Payload: Ask.PAYLOAD}


def kind_of_message(question: Question) -> Ask | None:
    """Find what a server is asked for a question.

    Args:
        question: what is to be known of a query.

    Returns:
        The message's kind; None for one about order, which decisions do not tell.

    >>> kind_of_message(AnyAbove(0.5)).value
    'count'
    """
    return _ASKS.get(type(question))


def matches_of_decisions(question: Question, found: Decisions, spec: DecisionSpec) -> Matches:
    """What was decrypted of one query, as the answer that all executors give.

    Args:
        question: what was asked.
        found: what was decrypted.
        spec: of the gallery.

    Returns:
        The answer about one query. Undecided templates make it undecided, but for `AnyAbove` and `Count` alike a sum
        that is certain.
    """
    number = -1 if found.count is None else found.count
    state = Decision.UNDECIDED if number < 0 else Decision.ACCEPTED if number else Decision.REJECTED
    if isinstance(question, Claim | AnyAbove):
        return Matches(question, decisions=np.array([state], np.int8))
    if isinstance(question, Count):
        return Matches(question, decisions=np.array([state], np.int8), counts=np.array([number]))
    assert isinstance(question, AllAbove | Payload)
    most = question.most
    if number > most:
        state, number = Decision.UNDECIDED, most + 1
    accepted = found.accepted if 0 <= number <= most else ()
    decisions, counts = np.array([state], np.int8), np.array([number])
    if isinstance(question, AllAbove):
        indices = np.full((1, most), -1, np.int64)
        indices[0, : len(accepted)] = accepted
        return Matches(question, indices=indices, decisions=decisions, counts=counts)
    payloads = np.full((1, most, spec.payload // 2), -1, np.int64)
    for place, each in enumerate(accepted):
        payloads[0, place] = np.frombuffer(found.payloads[each], ">u2")
    return Matches(question, decisions=decisions, counts=counts, payloads=payloads)


def best_of_decisions(question: Best, found: Decisions) -> Matches:
    """Read who is most similar from decisions about all templates, where they tell.

    A comparison that is certain is larger than one that is not, and belongs to the more similar template (to within
    the error of a cosine, 0.001): one accepted template is the best one, whatever is undecided beside it. Which of
    several accepted ones is the best is not told.

    Args:
        question: with a threshold, and without its score.
        found: what was decrypted of one query, of all templates.

    Returns:
        The answer about one query; ``counts`` holds how many templates match, or -1 where none certainly does and some
        are undecided.

    >>> best_of_decisions(Best(0.5), Decisions((7,), (2,))).indices.tolist()
    [[7]]
    """
    accepted = found.accepted
    count = -1 if found.undecided and not accepted else len(accepted)
    state = {0: Decision.REJECTED, 1: Decision.ACCEPTED}.get(count, Decision.UNDECIDED)
    indices = np.array([[accepted[0] if count == 1 else -1]], np.int64)
    return Matches(question, indices=indices, decisions=np.array([state], np.int8), counts=np.array([count]))
