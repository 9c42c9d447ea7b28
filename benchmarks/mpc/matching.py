"""Cosine matching on secret-shared galleries, 1:N and 1:1: three ABY3 parties on this machine, one process each.

``python -m benchmarks.mpc_matching [TEMPLATES ...]`` (10000 50000). Of every question: median seconds of a run inside
the parties; of a whole call (sharing of the query, choice of rows, revealing; compilation left out); processor seconds
of all parties together in a call; bytes and messages that the first party sent inside; and whether every answer was
that of the same integers in the clear. Queries claim, hit and miss different templates. The gallery is ten times as
large as its grid's capacity: it has grown. Enrolment is a line of its own.
"""

from __future__ import annotations

import os
import statistics
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, fields
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from privis.joint.gallery import ANSWER, FIXED, QUERY, Gallery
from privis.joint.live_gallery import LiveGallery
from privis.run.mpc.runtime.local_parties import LocalParties
from privis.tasks import (
    AllAbove,
    AnyAbove,
    Best,
    Claim,
    Count,
    Matches,
    Payload,
    PayloadFormat,
    Question,
    Top,
    VectorGrid,
    match,
)

DIMENSION = 512
PAYLOAD = PayloadFormat(16)
QUESTIONS: dict[str, Question] = {
    "claim (1:1) of at least 0.5": Claim(0.5),
    "any of at least 0.5": AnyAbove(0.5),
    "count of at least 0.5": Count(0.5),
    "all of at least 0.5, if 1": AllAbove(0.5),
    "all of at least 0.5, if <= 3": AllAbove(0.5, most=3),
    "16 bytes of payload, if 1": Payload(0.5),
    "best, index only": Best(),
    "best, index and cosine": Best(score=True),
    "best of at least 0.5": Best(threshold=0.5, score=True),
    "top 5 in order, indices": Top(5),
    "top 5 in order, cosines": Top(5, score=True),
}
BARS = {"claim (1:1) of at least 0.5": (0.1, 2_000)}
"""Most seconds of a call, and most bytes that a party sends inside."""


@dataclass(frozen=True)
class Figures:
    """Of one question: median seconds inside and of a call, processor seconds, traffic, whether all were right."""

    templates: int
    name: str
    seconds: float
    call: float
    processor: float
    sent: int
    messages: int
    right: bool


def measure(
    templates: int, dimension: int = DIMENSION, repeats: int = 5, names: Sequence[str] = tuple(QUESTIONS)
) -> list[Figures]:
    """Enrol random unit vectors once and ask every question ``repeats`` times; the first line is the enrolment."""
    generator = np.random.default_rng(0)
    faces = generator.standard_normal((templates, dimension))
    carried = generator.integers(0, 256, (templates, PAYLOAD.width))
    chosen = generator.integers(0, templates, repeats)
    queries = faces[chosen] + 0.5 * generator.standard_normal((repeats, dimension))
    queries[::3] = generator.standard_normal((len(queries[::3]), dimension))
    gallery = Gallery(VectorGrid(dimension, max(1, templates // 10)), payload=PAYLOAD)
    with LocalParties(gallery.committee.preset, FIXED) as parties:
        live = LiveGallery(gallery, parties.run)
        start, used = time.perf_counter(), _processor(parties)
        live.enrol("owner", [str(number) for number in range(templates)], faces, payloads=carried)
        took = time.perf_counter() - start
        found = [Figures(templates, "enrolment", took, took, _processor(parties) - used, 0, 0, True)]
        for name in names:
            found.append(_asked(live, parties, name, faces, carried, queries, chosen))
    return found


def _asked(
    live: LiveGallery,
    parties: LocalParties,
    name: str,
    faces: NDArray[np.float64],
    carried: NDArray[np.int64],
    queries: NDArray[np.float64],
    chosen: NDArray[np.int64],
) -> Figures:
    question, gallery, right, runs, calls, used = QUESTIONS[name], live.gallery, True, [], [], []
    for query, row in zip(queries, chosen.tolist(), strict=True):
        claims = [row] if isinstance(question, Claim) else []
        job = gallery.query(question, 1, "clinic", ("clinic",), claims)
        vector = gallery.grid.unit_vectors(query[None])
        if not runs:
            parties.run(job, {QUERY: vector})  # compiled once for all queries, whichever template they claim
        start, before = time.perf_counter(), _processor(parties)
        revealed = parties.run(job, {QUERY: vector})[ANSWER]
        calls.append(time.perf_counter() - start)
        used.append(_processor(parties) - before)
        runs.append(parties.measured[0])
        payloads = carried if isinstance(question, Payload) else None
        wanted = match(question, query[None], faces, claims=claims or None, payloads=payloads, grid=gallery.grid)
        right &= _alike(gallery.answer(question, revealed, ("clinic",)).matches, wanted)
    middle = [statistics.median(values) for values in ((run.seconds for run in runs), calls, used)]
    sent, messages = (
        round(statistics.median(values)) for values in zip(*((r.sent, r.messages) for r in runs), strict=True)
    )
    return Figures(len(faces), name, *middle, sent, messages, right)


def _alike(found: Matches, wanted: Matches) -> bool:
    """Every field the same; cosines of a Top to six digits, as fixed point holds them."""
    for each in fields(Matches)[1:]:
        one, other = getattr(found, each.name), getattr(wanted, each.name)
        if (one is None) != (other is None):
            return False
        if one is not None and not np.allclose(one, other, rtol=0, atol=1e-6, equal_nan=True):
            return False
    return True


def _processor(parties: LocalParties) -> float:
    """Processor seconds of all parties so far."""
    ticks = 0
    for worker in parties.workers:
        words = Path(f"/proc/{worker.pid}/stat").read_text().rpartition(")")[2].split()
        ticks += int(words[11]) + int(words[12])
    return ticks / os.sysconf("SC_CLK_TCK")


def table(found: Sequence[Figures]) -> str:
    """One line per question."""
    lines = [
        f"{'templates':>9}  {'question':29}{'inside s':>9}{'call s':>8}{'cpu s':>7}{'kB sent':>9}{'messages':>10} right"
    ]
    for one in found:
        traffic = f"{one.sent / 1e3:9.2f}{one.messages:10}" if one.messages else f"{'':19}"
        times = f"{one.seconds:9.3f}{one.call:8.3f}{one.processor:7.2f}"
        lines.append(f"{one.templates:9,}  {one.name:29}{times}{traffic}  {'yes' if one.right else 'NO'}{_judged(one)}")
    return "\n".join(lines)


def _judged(one: Figures) -> str:
    if one.name not in BARS:
        return ""
    seconds, sent = BARS[one.name]
    kept = one.call <= seconds and one.sent <= sent and one.right
    return f"  bar: call {seconds} s, {sent / 1e3:g} kB: {'kept' if kept else 'MISSED'}"


if __name__ == "__main__":
    for size in [int(word) for word in sys.argv[1:]] or [10_000, 50_000]:
        print(table(measure(size)), flush=True)
