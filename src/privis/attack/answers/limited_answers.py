"""How far an attacker comes with answers that somebody counts: a real server, asked until it refuses."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import numpy as np

from privis.attack.answers.asked_answers import AnswersGot, answers_got
from privis.attack.answers.first_acceptance import acceptance_guesses
from privis.attack.answers.score_inversion import expected_cosine, score_queries
from privis.attack.answers.template_prior import Array, TemplatePrior
from privis.attack.attack_finding import AttackFinding
from privis.errors import AnswerLimitError

NAME = "limits"
"""Of all findings, as ``privis attack --with`` spells it."""
_KNOWS = ("a token of the server", "keys of a client", "answers to vectors of the attacker's choice")


@dataclass(frozen=True)
class AskedServer:
    """A server of templates, as its client asks it.

    Args:
        ask: gives (templates,) scores, or (1,) whether any accepts, of a query (components,); raises AnswerLimitError
            where it refuses.
        again: the same as another client would be, who is the same: with new keys.
        prior: what the attacker knows of templates.
        stated: what the server says of its limit, in a sentence.
        against: of the findings.
        most: questions that are asked at most.
    """

    ask: Callable[[Array], Array] = field(repr=False)
    again: Callable[[Array], Array] = field(repr=False)
    prior: TemplatePrior = field(repr=False)
    stated: str
    against: str
    most: int


def limited_score_findings(server: AskedServer) -> Iterator[AttackFinding]:
    """Ask for scores until the server refuses, and reckon what they tell of the templates.

    Args:
        server: that answers with cosines.

    Yields:
        How many questions were answered, how many more with new keys, and how near the estimates are by what the
        attacker knows, as it has no template to compare them with.
    """
    began = time.process_time()
    queries = score_queries(server.prior, min(server.most, server.prior.components))
    got = answers_got(server.ask, queries)
    yield from _counted(server, got, queries, began)
    asked = len(got.answers)
    yield AttackFinding(
        NAME, server.against, _KNOWS, "expected cosine of an estimate with its template",
        expected_cosine(queries[:asked], server.prior), chance=expected_cosine(queries[:0], server.prior),
        sentence=f"From {asked} scores the attacker has an estimate of each of {_templates(got)} templates.",
    )  # fmt: skip


def limited_guess_findings(server: AskedServer, threshold: float) -> Iterator[AttackFinding]:
    """Guess until the server refuses, and count the guesses that somebody's template accepted.

    Args:
        server: that answers with decisions.
        threshold: that it states.

    Yields:
        How many guesses were answered, how many more with new keys, and the share that was accepted.
    """
    began = time.process_time()
    guesses = acceptance_guesses(server.prior, threshold, server.most)
    got = answers_got(server.ask, guesses)
    yield from _counted(server, got, guesses, began)
    if len(got.answers):
        hits = int(got.answers.astype(bool).any(1).sum())
        yield AttackFinding.of_share(
            NAME, server.against, _KNOWS, "guesses that somebody's template accepted", hits, len(got.answers),
            sentence=f"Of {len(got.answers)} guesses {hits} were accepted as somebody.",
        )  # fmt: skip


def _counted(server: AskedServer, got: AnswersGot, queries: Array, began: float) -> Iterator[AttackFinding]:
    asked, refused = len(got.answers), got.refusal is not None
    end = f"then it refused: {got.refusal.problems[0]}" if got.refusal is not None else "and it never refused"
    yield AttackFinding(
        NAME, server.against, _KNOWS, "questions answered before it refused" if refused else "questions answered",
        float(asked), processor_seconds=time.process_time() - began,
        sentence=f"The server answered {asked} questions, {end}. It states: {server.stated}",
    )  # fmt: skip
    if refused:
        try:
            server.again(queries[-1] if asked == len(queries) else queries[asked])
            more = 1
        except AnswerLimitError:
            more = 0
        told = "New keys are no new client: it still refused." if not more else "WITH NEW KEYS IT ANSWERED AGAIN."
        yield AttackFinding(
            NAME, server.against, _KNOWS, "questions answered after that, with new keys", float(more), sentence=told
        )


def _templates(got: AnswersGot) -> int:
    return int(np.shape(got.answers)[1]) if len(got.answers) else 0
