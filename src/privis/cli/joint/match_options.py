"""What a job file can ask of ``match``: words become a question."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from privis.cli.joint.datasets import NAME, Reading, read_reading
from privis.errors import ParameterError, Problem, refuse
from privis.parties.job.specification import Specification
from privis.parties.job.task import Networks
from privis.parties.table_reader import Reader, shown
from privis.tasks.questions import AllAbove, AnyAbove, Best, Claim, Count, Payload, Question, Top

QUERIES = "queries"
ANSWERS = ("best", "top", "any", "all", "count", "payload", "claim")
NUMBERED = ("top", "all", "payload")
"""Answers that take a number, as in top:3; the others' is 1."""
MOST_BYTES = 4096


@dataclass(frozen=True)
class MatchOptions:
    """The options of ``match``.

    ``answer`` (best; top:K; any; count; all:M, the templates that reach the threshold, if at most M; payload:M, their
    payloads; claim, 1:1) and ``threshold`` make ``question``; ``score`` (whether best and top reveal cosines);
    ``claims`` (INPUT/ROW for each query; without it row i of the only templates is claimed by query i); ``payload``
    (name, the templates' names at their owner, or a column) and ``payload_bytes``; ``feature`` and ``parameters``
    where inputs are images.
    """

    reading: Reading
    question: Question
    claims: tuple[tuple[str, int], ...] = ()
    payload: str | None = None
    payload_bytes: int = 64

    def check_size(self, templates: int) -> None:
        """Refuse, by ParameterError, an answer with room for more templates than there are."""
        match self.question:
            case Top(number) | AllAbove(_, number) | Payload(_, number) if number > templates:
                raise ParameterError(Problem("answer", f"room for {number} templates", f"at most all {templates}"))

    def claimed(self, counts: Mapping[str, int]) -> list[tuple[str, int]]:
        """Input and row of the template that each query claims; ``counts`` are the rows of every input.

        ParameterError where claims do not fit what was announced.
        """
        queries, templates = counts[QUERIES], {name: count for name, count in counts.items() if name != QUERIES}
        listed = list(self.claims)
        if not listed:
            name, count = next(iter(templates.items()))
            if count != queries:
                remedy = 'or name them: claims = ["INPUT/ROW", …]'
                got = f"{queries} queries and {count} templates"
                raise ParameterError(Problem("claims", got, "as many, as query i claims template i", remedy))
            return [(name, row) for row in range(queries)]
        problems = []
        if len(listed) != queries:
            problems.append(Problem("claims", f"{len(listed)} for {queries} queries", "one for each"))
        beyond = [f"{name}/{row}" for name, row in listed if row >= templates[name]]
        if beyond:
            expected = f"rows that are announced: {shown(f'{count} of {name}' for name, count in templates.items())}"
            problems.append(Problem("claims", shown(beyond[:20]), expected))
        refuse(ParameterError, problems)
        return listed


def read_options(reader: Reader, specification: Specification, networks: Networks | None) -> MatchOptions:
    """Take all options out of ``reader``; what does not fit goes to its problems."""
    problems = reader.problems
    reading, answer = read_reading(reader, networks), reader.text("answer", "best")
    threshold, score = reader.number("threshold", None), reader.flag("score", False)
    words = reader.words("claims")
    payload, size = reader.text("payload", ""), reader.whole("payload_bytes", MatchOptions.payload_bytes)
    reader.done()
    kind, colon, number = answer.partition(":")
    counted = number.isdecimal() and len(number) < 10 and int(number) > 0
    if kind not in ANSWERS or (kind == "top" and not colon) or (colon and not (kind in NUMBERED and counted)):
        expected = "best, top:K as in top:3, any, all or all:M, count, payload or payload:M, claim"
        reader.wrong("answer", repr(answer), expected)
        kind = ""
    if threshold is None and kind not in ("best", "top", ""):
        reader.wrong("threshold", "nothing", f"a cosine, for the answer {kind}")
    if score and kind not in ("best", "top", ""):
        reader.wrong("score", "true", f"no cosines, for the answer {kind}", "ask best or top:K for them")
    if bool(payload) != (kind == "payload") and kind:
        expected = f"{NAME}, or a column, for the answer payload and for no other"
        reader.wrong("payload", repr(payload) if payload else "nothing", expected)
    if not 1 <= (size or 0) <= MOST_BYTES:
        reader.wrong("payload_bytes", repr(size), f"1 to {MOST_BYTES}")
    templates = [name for name in specification.inputs if name != QUERIES]
    if QUERIES not in specification.inputs or not templates:
        got = shown(specification.inputs)
        problems.append(Problem(f"{specification.name}: inputs", got, f"{QUERIES}, and at least one more"))
    claims = _claims(reader, words, templates)
    if words and kind != "claim":
        reader.wrong("claims", f"{len(words)} of them", "none but for the answer claim")
    elif kind == "claim" and not words and len(templates) > 1:
        reader.wrong("claims", "nothing", f"a template for each query, as in {templates[0]}/0")
    most = int(number) if counted else 1
    question: Question = Best()
    try:
        question = _question(kind, most, threshold, score)
    except ParameterError as error:
        problems.extend(error.problems)
    return MatchOptions(reading, question, claims, payload or None, size or 1)


def _question(kind: str, most: int, threshold: float | None, score: bool) -> Question:
    match kind:
        case "any":
            return AnyAbove(threshold or 0.0)
        case "count":
            return Count(threshold or 0.0)
        case "claim":
            return Claim(threshold or 0.0)
        case "all":
            return AllAbove(threshold or 0.0, most)
        case "payload":
            return Payload(threshold or 0.0, most)
        case "top":
            return Top(most, threshold, score)
        case _:
            return Best(threshold, score)


def _claims(reader: Reader, words: tuple[str, ...], templates: list[str]) -> tuple[tuple[str, int], ...]:
    found, wrong = [], []
    for word in words:
        name, _, row = word.rpartition("/")
        if name in templates and row.isdecimal() and row.isascii() and len(row) < 10:
            found.append((name, int(row)))
        else:
            wrong.append(word)
    if wrong:
        reader.wrong("claims", shown(map(repr, wrong[:20])), f"INPUT/ROW, of the inputs {shown(templates)}")
    return tuple(found)
