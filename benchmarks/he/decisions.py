"""Decisions instead of scores on encrypted galleries: seconds, bytes, memory, and whether all are right.

``python -m benchmarks.he_decisions [TEMPLATESxCOMPONENTS[:QUESTION] ...]`` (10000x512:index 50000x128:count
50000x128:payload). One process for each gallery, whose queries use as many processes as there are cores. Templates are
random, cosines of some are put at hard places: 1, -1, and just outside the gap on both sides, different ones for every
query; a decision is right when it is that of the clear cosine. The last line is of small changes: 64 templates, and one
that is taken out.

On a busy machine wall-clock seconds are those of the machine: processor seconds, of all processes together, are beside
them.
"""

from __future__ import annotations

import os
import resource
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from privis.run.he.evaluation.forked_map import cores
from privis.run.he.matching.decision_gallery import EncryptedDecisionGallery
from privis.run.he.matching.decision_matcher import DecisionMatcher
from privis.run.he.matching.decision_messages import Ask
from privis.run.he.matching.decision_specification import DecisionSpec
from privis.run.he.owner.decision_owner import DecisionOwner, Decisions

CASES = ("10000x512:index", "50000x128:count", "50000x128:payload")
BARS = {"10000x512:index": 8.0, "50000x128:count": 25.0, "50000x128:payload": 25.0}
THRESHOLD, GAP, PAYLOAD = 0.4, 0.05, 14  # seven numbers of 16 bits, as of fetch-by-similarity


@dataclass(frozen=True)
class Figures:
    """Of one gallery: medians of seconds, bytes, and how many decisions were right.

    ``memory`` is the largest of the process that holds gallery and keys; ``gallery`` what ciphertexts take in it.
    """

    case: str
    ring: str
    enrol: float
    wall: float
    processor: float
    decided: int
    right: int
    matches: tuple[int, ...]
    query: int
    reply: int
    keys: int
    gallery: int
    memory: int


@dataclass(frozen=True)
class Change:
    """Bytes and processor seconds of a template, of owner and server together: of 64 enrolled, and of one removed."""

    enrolled: int
    enrol: float
    removed: int
    remove: float


def hard(spec: DecisionSpec, queries: int, seed: int = 0) -> tuple[NDArray[np.float32], NDArray[np.float64]]:
    """Unit templates and queries: none of the cosines is inside the gap, and each query has hard ones of its own."""
    generator = np.random.default_rng(seed)
    rows = generator.standard_normal((spec.templates, spec.dimension), np.float32)
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    asked = generator.standard_normal((queries, spec.dimension))
    asked, _ = np.linalg.qr(asked.T) if queries <= spec.dimension else (asked.T, None)
    asked = asked.T / np.linalg.norm(asked.T, axis=1, keepdims=True)
    edge = spec.gap + 2e-4
    places = generator.permutation(spec.templates)
    for number, query in enumerate(asked):
        cosines = np.array([1.0, -1.0, spec.threshold + edge, spec.threshold - edge, 0.999, 0.95, 0.7, -0.5])
        cosines = cosines[: 8 if number % 3 else 2 * (number % 2)]  # of every third query none
        mine, places = places[: len(cosines)], places[len(cosines) :]
        rows[mine] = _turned(rows[mine], query, cosines)
    for _ in range(3):  # what lies in the gap of a query by chance is turned away from it
        scores = rows.astype(np.float64) @ asked.T
        template, query = np.nonzero(np.abs(scores - spec.threshold) < edge - 1e-4)
        for each, number in zip(template, query, strict=True):
            rows[each] = _turned(rows[each : each + 1], asked[number], np.array([0.0]))[0]
    return rows, asked


def measure(case: str, queries: int = 6, spec: DecisionSpec | None = None, processes: int | None = None) -> Figures:
    """Enrol, then ask ``queries`` times."""
    size, _, question = case.partition(":")
    templates, dimension = map(int, size.split("x"))
    ask = Ask(question or "index")
    spec = spec or DecisionSpec(dimension, THRESHOLD, GAP, templates, PAYLOAD * (ask is Ask.PAYLOAD), True)
    rows, asked = hard(spec, queries)
    payloads = [number.to_bytes(4, "big").ljust(spec.payload, b"\xff") for number in range(templates)]
    owner, start = DecisionOwner.generate(spec), _processor()
    keys, gallery = owner.evaluation_keys(), EncryptedDecisionGallery(spec)
    start = _processor()
    held = 0
    for first in range(0, templates, spec.layout.block):
        part = range(first, min(first + spec.layout.block, templates))
        mine = payloads[first : part.stop] if spec.payload else None
        for change in owner.enrolled(part, rows[first : part.stop], mine):
            gallery.change(change)
            held += spec.layout.turns * 2 * (spec.parameters.levels + 1) * spec.parameters.degree * 8
    enrol, matcher = _processor() - start, DecisionMatcher.open(gallery, keys, processes or cores())
    times, right, decided, matches = [], 0, 0, []
    for query in asked:
        message = owner.query(query, ask)
        began, busy = time.perf_counter(), _processor()
        reply = matcher.run(message)
        times.append((time.perf_counter() - began, _processor() - busy))
        expected = tuple(np.flatnonzero(rows.astype(np.float64) @ query >= spec.threshold).tolist())
        decided += templates
        right += _right(owner.decisions(reply), ask, expected, payloads, templates)
        matches.append(len(expected))
    wall, processor = (float(np.median(column)) for column in zip(*times, strict=True))
    ring = f"{spec.parameters.degree}/{sum(spec.parameters.bits)}"
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    return Figures(
        case, ring, enrol, wall, processor, decided, right, tuple(matches),
        len(message), len(reply), len(keys), held, memory,
    )  # fmt: skip


def changes(dimension: int = 512, templates: int = 10_000) -> Change:
    """Enrol 64 templates in a gallery, and take one of them out."""
    spec = DecisionSpec(dimension, THRESHOLD, GAP, templates, encrypted=True)
    owner, gallery = DecisionOwner.generate(spec), EncryptedDecisionGallery(spec)
    vectors = np.random.default_rng(0).standard_normal((64, dimension))
    owner.query(vectors[0], Ask.INDEX)  # what is loaded once
    start = _processor()
    enrolled = owner.enrolled(range(64), vectors)
    for each in enrolled:
        gallery.change(each)
    middle = _processor()
    removed = owner.removed([7], vectors[7:8])
    for each in removed:
        gallery.change(each)
    seconds = (middle - start) / 64, _processor() - middle
    return Change(sum(map(len, enrolled)) // 64, seconds[0], sum(map(len, removed)), seconds[1])


def _right(found: Decisions, ask: Ask, expected: tuple[int, ...], payloads: Sequence[bytes], templates: int) -> int:
    """How many templates are decided as in the clear; of a count: all or none."""
    if ask is Ask.COUNT:
        return templates * (found.count == len(expected))
    wrong = {*found.accepted} ^ {*expected} | {*found.undecided}
    if ask is Ask.PAYLOAD:
        wrong |= {number for number in expected if found.payloads.get(number) != payloads[number]}
    return templates - len(wrong)


def _turned(rows: NDArray[Any], query: NDArray[Any], cosines: NDArray[Any]) -> NDArray[np.float32]:
    """Unit vectors with these cosines to ``query``, in the planes of ``rows``."""
    beside = rows - (rows @ query)[:, None] * query
    beside /= np.linalg.norm(beside, axis=1, keepdims=True)
    return (cosines[:, None] * query + np.sqrt(1 - cosines**2)[:, None] * beside).astype(np.float32)


def _processor() -> float:
    """Processor seconds of this process and of those it has waited for."""
    found = os.times()
    return found.user + found.system + found.children_user + found.children_system


HEAD = (
    f"{'encrypted gallery':20}{'ring/bits':>11}{'wall s':>8}{'bar':>6}{'CPU s':>7}{'right / decisions':>20}  "
    f"{'query MB':>9}{'reply MB':>9}{'keys MB':>8}{'gallery GB':>11}{'peak GB':>8}{'enrol CPU s':>12}  matches"
)


def line(one: Figures) -> str:
    """Of one gallery, beside its bar."""
    bar = f"{BARS[one.case]:.0f}" if one.case in BARS else "-"
    return (
        f"{one.case:20}{one.ring:>11}{one.wall:8.2f}{bar:>6}{one.processor:7.2f}"
        f"{one.right:>10,}/{one.decided:<9,}  {one.query / 1e6:9.2f}{one.reply / 1e6:9.2f}{one.keys / 1e6:8.0f}"
        f"{one.gallery / 1e9:11.2f}{one.memory / 1e9:8.2f}{one.enrol:12.1f}  {list(one.matches)}"
    )


def change_line(one: Change) -> str:
    """Of small changes, beside their bars."""
    return (
        f"512 components, of 64 enrolled at once: {one.enrolled / 1e6:.3f} MB a template (bar 0.3), "
        f"{one.enrol:.3f} CPU s (bar 0.2); one removed: {one.removed / 1e6:.1f} MB, {one.remove:.2f} CPU s"
    )


def main(cases: Sequence[str]) -> None:
    """One case in this process, several in one process each, so that memory is measured from nothing."""
    if len(cases) == 1:
        print(change_line(changes()) if cases[0] == "changes" else line(measure(cases[0])), flush=True)
        return
    print(HEAD, flush=True)
    for case in (*(cases or CASES), "changes"):
        subprocess.run([sys.executable, "-m", "benchmarks.he_decisions", case], check=True)


if __name__ == "__main__":
    main(sys.argv[1:])
