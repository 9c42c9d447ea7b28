"""The submission of fetch-by-similarity in the harness's shape, beside the bars: ``python -m benchmarks.fhe_fetch``.

Every stage is a new process, so a stage's figures count its start. A run has two queries, one near a centre and one
anywhere, or as many as ``--queries`` says; results are compared byte for byte with those in the clear. ``--rows`` and
``--dimension`` make a gallery of another size in place of ``small``; ``--of 1000000`` gives it the specification of a
gallery of so many rows, and extrapolates to them.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from benchmarks.fhe_suite.fetch_data import FetchData, made_up
from benchmarks.fhe_suite.harness_shape import COMPUTE, StageUse, as_it_is, folder_bytes, moved_away, run_stage
from privis.serve.submission.similarity.fetch_call import FetchCall
from privis.serve.submission.similarity.fetch_directory import (
    FETCH_SIZES,
    FETCH_STAGES,
    FetchSize,
    write_fetch_submission,
)

BARS = {"toy": {}, "small": {"processor": 30.0, "wall": 20.0}, "medium": {"memory": 4e9}}
_ONCE = FETCH_STAGES[:3]
_NUMBERS = {"toy": "0", "small": "1", "medium": "2"}


@dataclass(frozen=True, eq=False)
class FetchRun:
    """What stages took, bytes of folders, whether each result was right, and how many rows matched."""

    stages: tuple[StageUse, ...]
    folders: dict[str, int]
    right: tuple[bool, ...]
    matches: tuple[int, ...]

    def of(self, stage: str) -> list[StageUse]:
        """What the calls of one stage took."""
        return [use for use in self.stages if use.stage == stage]


def run_fetch(
    submission: Path, root: Path, size: str, given: FetchData, near: Sequence[bool], *, count_only: bool = False
) -> FetchRun:
    """Run all stages for one size in an empty folder, the last three once for each query.

    Args:
        submission: the directory that ``privis stage init`` wrote.
        root: where ``io`` and ``datasets`` are made.
        size: the harness's name for it.
        given: rows and payloads.
        near: for each query, whether it is near a centre.
        count_only: whether matches are counted.

    Returns:
        What was measured.

    Raises:
        CalledProcessError: a stage failed, or a server stage touched the secret key.
    """
    call = FetchCall(submission, size, count_only, root)
    call.rows.parent.mkdir(parents=True)
    given.rows.tofile(call.rows)
    given.payloads.tofile(call.payloads)
    call.results.parent.mkdir(parents=True)
    words = [_NUMBERS[size], *["--count_only"] * count_only, "--seed", "7"]

    def run(stage: str) -> StageUse:
        server = stage.startswith("server_")
        with moved_away(call.secret.parent) if server else as_it_is():
            return run_stage(submission / "build" / stage, words, root, server=server)

    uses = [run(stage) for stage in _ONCE]
    folders = {"keys": folder_bytes(call.evaluation.parent), "database": folder_bytes(call.gallery)}
    right, matches = [], []
    for each in near:
        vector = given.query(each)
        vector.tofile(call.query_vector)
        uses += [run(stage) for stage in FETCH_STAGES[len(_ONCE) :]]
        expected = given.expected(vector)
        wanted = np.array([len(expected)], np.int64) if count_only else expected
        right.append(call.results.read_bytes() == wanted.tobytes())
        matches.append(len(expected))
    folders |= {"query": call.query.stat().st_size, "reply": call.answer.stat().st_size}
    return FetchRun(tuple(uses), folders, tuple(right), tuple(matches))


def lines(size: str, run: FetchRun) -> list[str]:
    """What one size took, beside its bars."""
    bars, told = BARS[size], []
    for stage in FETCH_STAGES:
        uses = run.of(stage)
        processor, wall = (
            statistics.median(column) for column in zip(*((u.processor, u.wall) for u in uses), strict=True)
        )
        memory = max(use.memory for use in uses)
        bar = "".join(f"   (bar {bars[word]:g} {word})" for word in bars) if stage == COMPUTE else ""
        told.append(f"  {stage:28}{processor:9.2f} processor s{wall:9.2f} s{memory / 1e6:8.0f} MB{bar}")
    told += [f"  {name:28}{size / 1e6:12.2f} MB" for name, size in run.folders.items()]
    return [*told, f"  right {sum(run.right)} of {len(run.right)}; matches {', '.join(map(str, run.matches))}"]


def extrapolation(run: FetchRun, rows: int, of: int) -> str:
    """The compute stage at ``of`` rows, of what it took at ``rows``."""
    processor = statistics.median(use.processor for use in run.of(COMPUTE))
    database = run.folders["database"] * of / rows / 1e9
    return (
        f"  extrapolated to {of:,} rows: {processor * of / rows:,.0f} processor s, database {database:,.1f} GB, "
        "assuming that both grow with the rows (start and rotations of the query with them); memory does not grow"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("place", nargs="?", type=Path, help="folder with room for galleries; else a temporary one")
    parser.add_argument("--sizes", default="toy,small")
    parser.add_argument("--queries", type=int, default=2)
    parser.add_argument("--count", action="store_true", help="count matches in place of fetching payloads")
    parser.add_argument("--rows", type=int)
    parser.add_argument("--dimension", type=int, default=128)
    parser.add_argument("--of", type=int, help="rows of the gallery that the specification is for")
    options = parser.parse_args()
    sizes = dict(FETCH_SIZES)
    chosen = options.sizes.split(",")
    if options.rows:
        chosen = ["medium" if options.of else "small"]
        gap = FETCH_SIZES["medium" if options.dimension >= 256 else "small"].gap
        sizes = {chosen[0]: FetchSize(options.of or options.rows, options.dimension, gap)}
    with tempfile.TemporaryDirectory(dir=options.place) as made:
        submission = Path(made) / "submission"
        write_fetch_submission(submission, sizes)
        for size in chosen:
            rows = options.rows or sizes[size].rows
            given = made_up(rows, sizes[size].dimension, 1)
            near = [number % 2 == 0 for number in range(options.queries)]
            run = run_fetch(submission, Path(made) / size, size, given, near, count_only=options.count)
            print(f"{size}, {rows:,} x {sizes[size].dimension}{', count' * options.count}", flush=True)
            print("\n".join(lines(size, run)), flush=True)
            if options.of:
                print(extrapolation(run, rows, options.of), flush=True)


if __name__ == "__main__":
    main()
