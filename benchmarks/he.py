"""Features of encrypted images: seconds, memory and bytes, predicted and measured, and how far results are off.

``python -m benchmarks.he [--tiny] [--only NAME-OR-PART] [--photographs N] [--runs N]``. Owner and server are two
processes: the owner makes keys, encrypts and decrypts; the server has compiled the same program, loads the evaluation
keys and computes. Seconds are the server's for one image, the first one (which encodes weights) left out, medians; ``at
once`` are two images in two processes, per image. Memory is the server's peak without what compiling took. ``error`` is
the distance of decrypted results from the polynomial form in the clear, over the largest; ``quality`` is against the
textbook: the least and the mean cosine of HOG with scikit-image, the largest wrong share of a histogram's pixels.
"""

from __future__ import annotations

import argparse
import json
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.he_cases import Case, cases
from privis.errors import UnsupportedError
from privis.run.he.compiled import Compiled, compiled
from privis.run.he.cost import Machine, Prediction, predict
from privis.run.he.evaluator import Evaluator
from privis.run.he.frames import join, split
from privis.run.he.machine import Plaintexts
from privis.run.he.secret import SecretKeys


@dataclass(frozen=True)
class Row:
    """One case; bytes, seconds, and measured beside predicted."""

    case: Case
    made: Compiled
    expected: Prediction
    seconds: float
    first_seconds: float
    at_once: float | None
    processor: float
    memory: int
    keys: int
    query: int
    reply: int
    error: float
    quality: str


def run(chosen: Sequence[Case], images: int, runs: int, machine: Machine) -> Iterator[Row | str]:
    """Every case in turn; a sentence where it is refused."""
    for case in chosen:
        try:
            made = compiled(case.program, case.options, case.samples)
        except UnsupportedError as refusal:
            yield f"{case.name}: refused: {refusal}"
            continue
        yield _row(case, made, images, runs, machine)


def _row(case: Case, made: Compiled, images: int, runs: int, machine: Machine) -> Row:
    shown = case.inputs[:images]
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        secret = SecretKeys.generate(made.spec)
        keys = secret.evaluation_keys(made.spec)
        (place / "keys").write_bytes(keys)
        queries = [secret.encrypt(made.spec, [inputs]) for inputs in shown]
        pair = secret.encrypt(made.spec, [shown[0]] * 2) if case.at_once else None
        parts = [q.message for q in queries] + ([pair.message] if pair else [])
        (place / "queries").write_bytes(join(parts))
        command = [sys.executable, "-m", "benchmarks.he", "--serve", case.name, "--in", folder, "--runs", str(runs)]
        found = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
        replies = split((place / "replies").read_bytes(), "replies")
        outputs = [secret.decrypt(made.spec, q, r)[0] for q, r in zip(queries, replies, strict=True)]
    errors = [_error(made, inputs, out) for inputs, out in zip(shown, outputs, strict=True)]
    took = found["seconds"]
    return Row(
        case,
        made,
        predict(made.spec, made.choice.arrangement, case.cache, machine),
        statistics.median(took[1:] or took),
        took[0],
        found["at_once"],
        statistics.median(found["processor"][1:] or found["processor"]),
        found["memory"],
        len(keys),
        len(queries[0].message),
        len(replies[0]),
        max(errors),
        case.quality([out[0] for out in outputs]),
    )


def _error(made: Compiled, inputs: Sequence[np.ndarray], outputs: Sequence[np.ndarray]) -> float:
    """Against the polynomial form, with the owner's part on both sides."""
    form = made.in_the_clear(*inputs)[0]
    return float(np.abs(outputs[0] - form).max() / np.abs(form).max())


def serve(case: Case, place: Path, runs: int) -> dict[str, Any]:
    """The server's process: compile, load keys, answer the queries, say what it took."""
    made = compiled(case.program, case.options, case.samples)
    _reset_peak()
    keys = (place / "keys").read_bytes()
    evaluator = Evaluator.open(made, keys, Plaintexts(case.cache), at_once=2)
    del keys
    *queries, last = split((place / "queries").read_bytes(), "queries")
    queries = [*queries, last] if not case.at_once else queries
    seconds, processor, replies = [], [], []
    for query in [*queries, *queries[-1:] * max(0, runs + 1 - len(queries))]:
        start, before = time.perf_counter(), _processor()
        replies.append(evaluator.run(query))
        seconds.append(time.perf_counter() - start)
        processor.append(_processor() - before)
    memory = _peak()
    at_once = None
    if case.at_once:
        start = time.perf_counter()
        evaluator.run(last)
        at_once = (time.perf_counter() - start) / 2
    (place / "replies").write_bytes(join(replies[: len(queries)]))
    return {
        "seconds": seconds,
        "processor": processor,
        "at_once": at_once,
        "memory": memory,
    }


def _processor() -> float:
    usage = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(u.ru_utime + u.ru_stime for u in usage)


def _reset_peak() -> None:
    Path("/proc/self/clear_refs").write_text("5")


def _peak() -> int:
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM"))


def table(rows: Iterator[Row | str], show: Callable[[str], None]) -> None:
    """Print as rows come."""
    show(
        f"{'case':14} {'ring/levels/bits':18} {'rot':>4} {'s':>7} {'pred':>7} {'first':>7} {'cpu s':>7} {'at once':>7} "
        f"{'MiB':>6} {'pred':>6} {'keys MB':>8} {'pred':>6} {'query':>6} {'pred':>6} {'reply':>6} {'pred':>6} "
        f"{'error':>8}  quality"
    )
    for row in rows:
        if isinstance(row, str):
            show(row)
            continue
        p, e = row.made.spec.parameters, row.expected
        at_once = f"{row.at_once:7.2f}" if row.at_once else "      -"
        show(
            f"{row.case.name:14} 2^{p.degree.bit_length() - 1}/{p.levels}/{p.bits[1]:<10} {row.made.rotations:4d} "
            f"{row.seconds:7.2f} {e.seconds:7.2f} {row.first_seconds:7.2f} {row.processor:7.2f} {at_once} "
            f"{row.memory / 2**20:6.0f} {e.memory / 2**20:6.0f} {row.keys / 1e6:8.1f} {e.keys / 1e6:6.1f} "
            f"{row.query / 1e6:6.2f} {e.query / 1e6:6.2f} {row.reply / 1e6:6.2f} {e.reply / 1e6:6.2f} "
            f"{row.error:8.1e}  {row.quality}"
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tiny", action="store_true")
    parser.add_argument("--only", default="")
    parser.add_argument("--photographs", type=int, default=3)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--serve")
    parser.add_argument("--in", dest="place", type=Path)
    options, _ = parser.parse_known_args()
    if options.serve:
        case = next(c for c in cases() if c.name == options.serve)
        print(json.dumps(serve(case, options.place, options.runs)))
        return
    named = [c for c in cases() if c.name == options.only] or [c for c in cases() if options.only in c.name]
    chosen = [c for c in named if c.tiny or not options.tiny]
    rows = run(chosen, options.photographs, options.runs, Machine.of_this_machine())
    table(rows, lambda line: print(line, flush=True))


if __name__ == "__main__":
    main()
