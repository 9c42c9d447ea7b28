"""Answers of a member: what a job would tell of its templates, charged to its own ledger before anything is computed.

Charged are all who learn an answer and who chose what was asked, each with the whole: of two members of whom one sends
the queries and the other receives the answers, both have asked. A member's own questions about its own templates are
not counted where nobody else learns the answers. Queries are hidden from the members who keep templates, so that the
same job again is a new question.
"""

from __future__ import annotations

from privis.errors import AnswerLimitError, Problem
from privis.parties.configuration import ANSWERS, PartyConfiguration
from privis.parties.job.disclosure import Withheld
from privis.parties.job.overlap import overlapping
from privis.parties.job.task import AgreedJob, Answering
from privis.privacy.answers.answer_ledger import AnswerCharge, AnswerLedger

_LONGEST = 400


def charge_answers(configuration: PartyConfiguration, agreed: AgreedJob, task: object) -> str | None:
    """Charge what ``agreed`` would tell others of this member's inputs; give the limits as a sentence.

    None where the task answers nothing of this kind; an empty sentence where this member has nothing to protect in it.
    Raises Withheld, which tells others that a limit was reached and not what is left.
    """
    if not isinstance(task, Answering):
        return None
    me, inputs, sentences = configuration.name, agreed.specification.inputs, set[str]()
    charges: list[AnswerCharge] = []
    for name, answers in task.answers(agreed).items():
        clients = [client for client in answers.clients if client != me]
        learning = [client for client in answers.receivers if client != me]
        if inputs[name].owner != me or not learning:
            continue
        limits = configuration.answers.limits(answers.components, answers.each)
        values = gallery_of(configuration, inputs[name].lends), answers.kind, answers.count, limits
        charges += [AnswerCharge(client, *values) for client in dict.fromkeys((*clients, *learning))]
        sentences.add(limits.sentence(answers.kind))
    if not charges:
        return ""
    try:
        AnswerLedger.at(configuration.answers.ledger or configuration.output / ANSWERS).charge(charges)
    except AnswerLimitError as error:
        got, expected = "more answers than its limits allow", "a job that they allow"
        remedy = f"ask fewer queries, or later; {me} may lift the limit: its log says how"
        raise Withheld(error.problems, (Problem(f"answers of {me}", got, expected, remedy),)) from None
    return " ".join(sorted(sentences))


def gallery_of(configuration: PartyConfiguration, lends: str) -> str:
    """The account of an input: one for all names under which the same templates are lent, or parts of them."""
    names, pairs = {lends}, [(one.name, other.name) for one, other in overlapping(configuration.inputs.values())]
    while more := {name for pair in pairs if names & set(pair) for name in pair} - names:
        names |= more
    return min(names)


def told_limits(heard: object) -> str:
    """What another member says of its limits, made fit for a record."""
    text = heard if isinstance(heard, str) else ""
    return "".join(letter if letter.isprintable() else "?" for letter in text[:_LONGEST])
