"""1:N cosine matching on secret-shared galleries: three ABY3 parties on this machine, one process each.

``python -m benchmarks.mpc_matching [TEMPLATES ...]`` (10000 50000). Median seconds of a run inside the parties (sharing
of the query, compilation and start are left out; enrolment is a line of its own), bytes and messages that the first
party sent, and whether the answer was that of the same integers in the clear.
"""

from __future__ import annotations

import statistics
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from privis.joint.gallery import ANSWER, FIXED, QUERY, Gallery
from privis.joint.live_gallery import LiveGallery
from privis.run.mpc.runtime.local_parties import LocalParties
from privis.tasks import AnyAbove, Best, Question, Top, VectorGrid, read_answer

DIMENSION = 512
QUESTIONS: dict[str, Question] = {
    "best, index and cosine": Best(score=True),
    "best, index only": Best(),
    "best of at least 0.5": Best(threshold=0.5, score=True),
    "top 5 in order, indices": Top(5),
    "top 5 in order, cosines": Top(5, score=True),
    "any of at least 0.5": AnyAbove(0.5),
}


@dataclass(frozen=True)
class Figures:
    """Of one question: median seconds, bytes and messages of the first party, and whether all answers were right."""

    templates: int
    name: str
    seconds: float
    sent: int
    messages: int
    right: bool


def measure(
    templates: int, dimension: int = DIMENSION, repeats: int = 5, names: Sequence[str] = tuple(QUESTIONS)
) -> list[Figures]:
    """Enrol random unit vectors once and ask every question ``repeats`` times; the first line is the enrolment."""
    generator = np.random.default_rng(0)
    faces = generator.standard_normal((templates, dimension))
    queries = faces[generator.integers(0, templates, repeats)] + 0.5 * generator.standard_normal((repeats, dimension))
    gallery = Gallery(VectorGrid(dimension, templates))
    with LocalParties(gallery.committee.preset, FIXED) as parties:
        live = LiveGallery(gallery, parties.run)
        start = time.perf_counter()
        live.enrol("owner", [str(number) for number in range(templates)], faces)
        found = [Figures(templates, "enrolment", time.perf_counter() - start, 0, 0, True)]
        plain = live.gallery.grid.unit_vectors(faces)
        for name in names:
            found.append(_asked(live, parties, name, plain, queries))
    return found


def _asked(
    live: LiveGallery, parties: LocalParties, name: str, plain: NDArray[np.int64], queries: NDArray[np.float64]
) -> Figures:
    question, grid, right, runs = QUESTIONS[name], live.gallery.grid, True, []
    for query in grid.unit_vectors(queries):
        job = live.gallery.query(question, 1, "clinic", ("clinic",))
        revealed = parties.run(job, {QUERY: query[None]})[ANSWER]
        runs.append(parties.measured[0])
        right &= _is_right(grid, question, revealed, plain @ query)
    seconds = statistics.median(run.seconds for run in runs)
    sent, messages = (
        round(statistics.median(values)) for values in zip(*((r.sent, r.messages) for r in runs), strict=True)
    )
    return Figures(len(plain), name, seconds, sent, messages, right)


def _is_right(grid: VectorGrid, question: Question, revealed: NDArray[np.generic], products: NDArray[np.int64]) -> bool:
    matches = read_answer(grid, len(products), question, revealed)
    if isinstance(question, AnyAbove):
        return matches.found is not None and bool(matches.found[0]) == bool((products >= grid.unit / 2).any())
    order = np.argsort(-products, kind="stable")[: question.count]
    wanted = [-1 if question.threshold and products[i] < question.threshold * grid.unit else int(i) for i in order]
    if matches.indices is None or matches.indices[0].tolist() != wanted:
        return False
    if matches.cosines is None:
        return True
    cosines = np.where(np.array(wanted) < 0, np.nan, products[order] / grid.unit)
    return bool(np.allclose(matches.cosines[0], cosines, rtol=0, atol=1e-6, equal_nan=True))


def table(found: Sequence[Figures]) -> str:
    """One line per question."""
    lines = [f"{'templates':>9}  {'question':26}{'seconds':>8}{'MB sent':>9}{'messages':>10}  right"]
    for one in found:
        traffic = f"{one.sent / 1e6:9.2f}{one.messages:10}" if one.messages else f"{'':19}"
        lines.append(f"{one.templates:9,}  {one.name:26}{one.seconds:8.3f}{traffic}  {'yes' if one.right else 'NO'}")
    return "\n".join(lines)


if __name__ == "__main__":
    for size in [int(word) for word in sys.argv[1:]] or [10_000, 50_000]:
        print(table(measure(size)), flush=True)
