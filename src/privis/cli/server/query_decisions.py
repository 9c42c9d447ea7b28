"""``privis query`` with keys for a gallery that decides: who matches vectors that the server cannot see."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from privis.errors import ParameterError, Problem, refuse
from privis.tasks.matches import Decision
from privis.tasks.questions import AnyAbove, Claim, Count

if TYPE_CHECKING:
    from privis.serve.client.client import Client, RequestProgress
    from privis.serve.client.decision_keys import DecisionKeys

COLUMNS = ("query", "decision", "template", "count")

Row = tuple[str, str, str, str]


class GalleryQuestion(StrEnum):
    """What is asked of a gallery that decides."""

    ALL = "all"
    ANY = "any"
    COUNT = "count"
    CLAIM = "claim"


def require_asked(words: dict[str, Any], scores: bool, question: GalleryQuestion | None, claim: str | None) -> bool:
    """Whether a gallery decides; ParameterError for questions that it does not answer, and scores not asked for."""
    decides, problems = words.get("answers") == "decisions", []
    if decides and scores:
        remedy = "the operator offers scores with privis serve --scores"
        problems.append(Problem("--scores", "a gallery that tells decisions alone", "no --scores", remedy))
    if not decides and not scores:
        expected = "--scores, which says that you want them"
        problems.append(Problem("gallery", "one that tells every cosine", expected, "decisions tell less"))
    if not decides and (question is not None or claim is not None):
        problems.append(Problem("--question, --claim", "a gallery of scores", "neither: it tells every cosine"))
    if (question is GalleryQuestion.CLAIM) != (claim is not None):
        problems.append(Problem("--claim", repr(claim), "the claimed template, for --question claim alone"))
    refuse(ParameterError, problems)
    return decides


def decisions(
    client: Client,
    keys: Path,
    vectors: Sequence[tuple[str, NDArray[Any]]],
    question: GalleryQuestion,
    claim: str | None,
    show: Callable[[int, RequestProgress], None],
) -> Iterator[list[Row]]:
    """What is decided of every vector; ``show`` gets how many are done, and how far the next is."""
    from privis.serve.client.decision_keys import DecisionKeys

    owner = DecisionKeys.load(keys)
    spec = owner.owner.spec
    told = owner.names
    claims = None if claim is None else [_claimed(owner, told, claim)]
    asked = {
        GalleryQuestion.ANY: AnyAbove(spec.threshold, spec.gap),
        GalleryQuestion.COUNT: Count(spec.threshold, spec.gap),
        GalleryQuestion.CLAIM: Claim(spec.threshold, spec.gap),
    }.get(question)
    for done, (label, vector) in enumerate(vectors):
        step = lambda each, done=done: show(done, each)  # noqa: E731
        if asked is None:
            found = owner.all_decisions(client, vector, step)
            names = found.names if told is None else dict(enumerate(told))
            rows = [(label, "accepted", names.get(number, str(number)), "") for number in found.accepted]
            rows += [(label, "undecided", names.get(number, str(number)), "") for number in found.undecided]
            yield rows or [(label, "rejected", "", "")]
            continue
        found = owner.ask(client, asked, np.asarray(vector)[None], claims, step)
        assert found.decisions is not None
        state = Decision(int(found.decisions[0])).name.lower()
        number = "" if found.counts is None or found.counts[0] < 0 else str(found.counts[0])
        yield [(label, state, claim or "", number)]


def _claimed(owner: DecisionKeys, names: tuple[str, ...] | None, claim: str) -> int:
    if names is not None and claim in names:
        return names.index(claim)
    most = owner.owner.spec.templates
    if claim.isascii() and claim.isdecimal() and int(claim[:9]) < most and len(claim) <= 9:
        return int(claim)
    expected = f"a number below {most}" if names is None else "a name of your templates, or a number"
    raise ParameterError(Problem("--claim", repr(claim), expected))
