"""Features of encrypted images: seconds, memory and bytes, predicted and measured, and how far results are off.

``python -m benchmarks.he [--tiny] [--only NAME-OR-PART] [--photographs N] [--runs N]``. Owner and server are two
processes: the owner makes keys, encrypts and decrypts; the server has compiled the same program, loads the evaluation
keys and computes. Seconds are the server's for one image, the first one (which encodes weights) left out, medians;
``batch`` is a batch of as many images as lie side by side in two sets of ciphertexts, one for each of two processes,
per image. Memory is the server's peak without what compiling took. ``error`` is the distance of decrypted results from
the polynomial form in the clear, over the largest; ``quality`` is against the textbook: the least and the mean cosine
of HOG with scikit-image, the largest wrong share of a histogram's pixels.
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
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.he.cases import Case, named
from privis.errors import UnsupportedError
from privis.run.he.compiler.circuit_cost import CKKSTimings, Prediction, predict
from privis.run.he.compiler.compiler import CompiledProgram, compile_program
from privis.run.he.evaluation.evaluator import Evaluator
from privis.run.he.evaluation.interpreter import Plaintexts
from privis.run.he.owner.keys import SecretKeys
from privis.run.he.packing.batching import Batching


@dataclass(frozen=True)
class Row:
    """One case; bytes, seconds, and measured beside predicted."""

    case: Case
    made: CompiledProgram
    expected: Prediction
    seconds: float
    first_seconds: float
    processor: float
    memory: int
    keys: int
    query: int
    reply: int
    error: float
    quality: str
    batch: Batch | None


@dataclass(frozen=True)
class Batch:
    """Images that share ciphertexts: how many were asked at once, seconds for each, and as in ``Row``."""

    images: int
    seconds: float
    expected: float
    keys: int
    error: float
    quality: str


def run(chosen: Sequence[Case], images: int, runs: int, machine: CKKSTimings) -> Iterator[Row | str]:
    """Every case in turn; a sentence where it is refused."""
    for case in chosen:
        try:
            made = compile_program(case.program, case.options, case.samples)
        except UnsupportedError as refusal:
            yield f"{case.name}: refused: {refusal}"
            continue
        yield _row(case, made, images, runs, machine)


def _row(case: Case, made: CompiledProgram, images: int, runs: int, machine: CKKSTimings) -> Row:
    shown = case.inputs()[:images]
    secret = SecretKeys.generate(made.spec)
    queries = [secret.encrypt(made.spec, [inputs]) for inputs in shown]
    keys, replies, found = _served(case, made, secret, [q.message for q in queries], runs)
    outputs = [secret.decrypt(made.spec, q, r)[0] for q, r in zip(queries, replies, strict=True)]
    took = found["seconds"]
    return Row(
        case,
        made,
        predict(made.spec, made.choice.arrangement, case.cache, machine),
        statistics.median(took[1:] or took),
        took[0],
        statistics.median(found["processor"][1:] or found["processor"]),
        found["memory"],
        keys,
        len(queries[0].message),
        len(replies[0]),
        max(_error(made, inputs, out) for inputs, out in zip(shown, outputs, strict=True)),
        case.quality([out[0] for out in outputs]),
        _batch(case, machine) if case.batch else None,
    )


def _batch(case: Case, machine: CKKSTimings) -> Batch:
    """Two sets of ciphertexts, each for one process."""
    case = replace(case, options=replace(case.options, batching=Batching.SIDE_BY_SIDE, processes=1))
    made = compile_program(case.program, case.options, case.samples)
    images = 2 * made.spec.batch_size
    own = case.inputs()
    shown = [own[k % len(own)] for k in range(images)]
    secret = SecretKeys.generate(made.spec)
    query = secret.encrypt(made.spec, shown)
    keys, (reply,), found = _served(case, made, secret, [query.message], 0)
    outputs = secret.decrypt(made.spec, query, reply)
    expected = predict(made.spec, made.choice.arrangement, case.cache, machine).seconds * machine.beside
    return Batch(
        images,
        found["seconds"][-1] / images,
        expected / made.spec.batch_size / 2,
        keys,
        max(_error(made, inputs, out) for inputs, out in zip(shown, outputs, strict=True)),
        case.quality([out[0] for out in outputs[: len(own)]]),
    )


def _served(
    case: Case, made: CompiledProgram, secret: SecretKeys, queries: Sequence[bytes], runs: int
) -> tuple[int, list[bytes], dict[str, Any]]:
    """Bytes of the evaluation keys, and what a server process answers and says that it took."""
    keys = secret.evaluation_keys(made.spec)
    command = ["benchmarks.he", "--serve", case.name, "--sharing", case.options.batching.value]
    return len(keys), *asked(command, {"keys": keys}, queries, runs)


def asked(
    command: Sequence[str], files: Mapping[str, bytes], queries: Sequence[bytes], runs: int = 0
) -> tuple[list[bytes], dict[str, Any]]:
    """What a server process answers and says that it took; ``command`` names its module, and ``answer`` is its work."""
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        for name, data in files.items():
            (place / name).write_bytes(data)
        for number, query in enumerate(queries):
            (place / f"query-{number}").write_bytes(query)
        whole = [sys.executable, "-m", *command, "--in", folder, "--runs", str(runs)]
        said = subprocess.run(whole, check=True, stdout=subprocess.PIPE, text=True).stdout
        return [(place / f"reply-{number}").read_bytes() for number in range(len(queries))], json.loads(said)


def _error(made: CompiledProgram, inputs: Sequence[np.ndarray], outputs: Sequence[np.ndarray]) -> float:
    """Against the polynomial form, with the owner's part on both sides."""
    form = made.in_the_clear(*inputs)[0]
    return float(np.abs(outputs[0] - form).max() / np.abs(form).max())


def serve(case: Case, place: Path, runs: int, batching: Batching) -> dict[str, Any]:
    """The server's process: compile, and answer."""
    if batching is not case.options.batching:
        case = replace(case, options=replace(case.options, batching=batching, processes=1))
    return answer(compile_program(case.program, case.options, case.samples), case.cache, place, runs)


def answer(made: CompiledProgram, cache: int, place: Path, runs: int = 0) -> dict[str, Any]:
    """Load keys, answer the queries, say what it took; the last one again until there were ``runs`` after the first."""
    _reset_peak()
    keys = (place / "keys").read_bytes()
    evaluator = Evaluator.open(made, keys, Plaintexts(cache), at_once=2)
    del keys
    count = len(list(place.glob("query-*")))
    seconds, processor = [], []
    for run in range(max(count, runs + 1)):  # one query in memory at a time, as a server has it
        query = (place / f"query-{min(run, count - 1)}").read_bytes()
        start, before = time.perf_counter(), _processor()
        reply = evaluator.run(query)
        seconds.append(time.perf_counter() - start)
        processor.append(_processor() - before)
        if run < count:
            (place / f"reply-{run}").write_bytes(reply)
    return {"seconds": seconds, "processor": processor, "memory": _peak()}


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
        f"{'case':14} {'ring/levels/bits':18} {'rot':>4} {'s':>7} {'pred':>7} {'first':>7} {'cpu s':>7} "
        f"{'batch':>7} {'pred':>7} "
        f"{'MiB':>6} {'pred':>6} {'keys MB':>8} {'pred':>6} {'query':>6} {'pred':>6} {'reply':>6} {'pred':>6} "
        f"{'error':>8}  quality"
    )
    for row in rows:
        if isinstance(row, str):
            show(row)
            continue
        p, e = row.made.spec.parameters, row.expected
        batch = f"{row.batch.seconds:7.2f} {row.batch.expected:7.2f}" if row.batch else f"{'-':>7} {'-':>7}"
        show(
            f"{row.case.name:14} 2^{p.degree.bit_length() - 1}/{p.levels}/{p.bits[1]:<10} {row.made.rotations:4d} "
            f"{row.seconds:7.2f} {e.seconds:7.2f} {row.first_seconds:7.2f} {row.processor:7.2f} {batch} "
            f"{row.memory / 2**20:6.0f} {e.memory / 2**20:6.0f} {row.keys / 1e6:8.1f} {e.keys / 1e6:6.1f} "
            f"{row.query / 1e6:6.2f} {e.query / 1e6:6.2f} {row.reply / 1e6:6.2f} {e.reply / 1e6:6.2f} "
            f"{row.error:8.1e}  {row.quality}"
        )
        if row.batch:
            b = row.batch
            show(f"{'':14} batch of {b.images}, keys {b.keys / 1e6:.1f} MB, error {b.error:.1e}, {b.quality}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tiny", action="store_true")
    parser.add_argument("--only", default="")
    parser.add_argument("--photographs", type=int, default=3)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--serve")
    parser.add_argument("--in", dest="place", type=Path)
    parser.add_argument("--sharing", type=Batching, default=Batching.NONE)
    options, _ = parser.parse_known_args()
    if options.serve:
        case = named()[options.serve]()
        print(json.dumps(serve(case, options.place, options.runs, options.sharing)))
        return
    known = named()
    asked = [name for name in known if name == options.only] or [name for name in known if options.only in name]
    chosen = [case for case in (known[name]() for name in asked) if case.tiny or not options.tiny]
    rows = run(chosen, options.photographs, options.runs, CKKSTimings.of_this_machine())
    table(rows, lambda line: print(line, flush=True))


if __name__ == "__main__":
    main()
