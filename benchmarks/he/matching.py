"""One encrypted query of 512 components against galleries, beside TenSEAL's own products in the same run.

``python -m benchmarks.he_matching [plain:TEMPLATES | encrypted:TEMPLATES ...]`` (plain:10000 plain:100000
encrypted:10000). Median seconds of the server for a query, over as many processes as there are cores; enrolment and
keys are lines of their own. Errors are the largest over all templates and queries. Predicted figures were computed
before, from a second of calibration. TenSEAL's ways run on fewer templates, and their time is multiplied.

On a busy machine wall-clock seconds are those of the machine: processor seconds, of all processes together, are beside
them.
"""

from __future__ import annotations

import gc
import os
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from privis.readings import Cost
from privis.run.he.evaluation.forked_map import cores
from privis.run.he.matching.matcher import EncryptedScoreGallery, Matcher, PlainGallery
from privis.run.he.matching.matching_cost import predicted
from privis.run.he.matching.matching_specification import BLOCK, MatchingSpec
from privis.run.he.owner.matching import MatchingOwner, calibrate

DIMENSION = 512
CASES = ("plain:10000", "plain:100000", "encrypted:10000")


@dataclass(frozen=True)
class Figures:
    """Of one gallery: seconds, bytes, largest error, whether all best templates were right, and what was predicted.

    ``processor`` is the server's for a query, over all processes; ``memory`` what the gallery and the templates added.
    """

    case: str
    enrol: float
    server: float
    processor: float
    client: float
    error: float
    right: bool
    query: int
    reply: int
    keys: int
    memory: int
    predicted: Cost


@dataclass(frozen=True)
class Peer:
    """TenSEAL's own way: wall-clock and processor seconds for as many templates as it takes in one go."""

    name: str
    templates: int
    seconds: float
    processor: float


def faces(templates: int, dimension: int, queries: int) -> tuple[NDArray[Any], NDArray[Any]]:
    """Random unit vectors, and queries near some of them."""
    generator = np.random.default_rng(0)
    found = generator.standard_normal((templates, dimension), np.float32)
    found /= np.linalg.norm(found, axis=1, keepdims=True)
    near = found[generator.integers(0, templates, queries)] * dimension**0.5
    asked = near + 0.7 * generator.standard_normal((queries, dimension))
    return found, asked / np.linalg.norm(asked, axis=1, keepdims=True)


def measure(case: str, dimension: int = DIMENSION, repeats: int = 5, processes: int | None = None) -> Figures:
    """Enrol, then ask ``repeats`` times after one to warm up; accuracy is that of the same answers."""
    kind, _, number = case.partition(":")
    spec, processes = MatchingSpec(dimension, kind == "encrypted"), processes or cores()
    cost = predicted(spec, int(number), processes, machine=calibrate(spec))
    templates, queries = faces(int(number), dimension, repeats)
    before, owner = _memory(), MatchingOwner.generate(spec)
    start = time.perf_counter()
    gallery = _enrolled(spec, owner, templates)
    enrol, keys = time.perf_counter() - start, owner.evaluation_keys()
    matcher, times, error, right = Matcher.open(gallery, keys, processes), [], 0.0, True
    owner.scores(matcher.run(owner.query(queries[0])))
    memory = _memory() - before
    for query in queries:
        start = time.perf_counter()
        message = owner.query(query)
        asked, busy = time.perf_counter(), _processor()
        reply = matcher.run(message)
        answered, worked = time.perf_counter(), _processor() - busy
        scores = owner.scores(reply)
        times.append((answered - asked, worked, asked - start + time.perf_counter() - answered))
        expected = templates.astype(np.float64) @ query
        error = max(error, float(np.abs(scores.values - expected).max()))
        right &= scores.top(1)[0][0] == str(expected.argmax())
    server, processor, client = (statistics.median(column) for column in zip(*times, strict=True))
    sizes = (len(message), len(reply), len(keys), memory)
    return Figures(case, enrol, server, processor, client, error, right, *sizes, cost)


def _enrolled(
    spec: MatchingSpec, owner: MatchingOwner, templates: NDArray[Any]
) -> PlainGallery | EncryptedScoreGallery:
    names = [str(number) for number in range(len(templates))]
    if not spec.encrypted:
        plain = PlainGallery(spec)
        plain.add(names, templates)
        return plain
    gallery = EncryptedScoreGallery(spec)
    for first in range(0, len(templates), BLOCK):
        gallery.put(str(first), owner.block(names[first : first + BLOCK], templates[first : first + BLOCK]))
    return gallery


def _memory() -> int:
    """Bytes of this process now."""
    gc.collect()
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * resource.getpagesize()


def _processor() -> float:
    """Processor seconds of this process and of those it has waited for."""
    found = os.times()
    return found.user + found.system + found.children_user + found.children_system


def tenseal(dimension: int = DIMENSION, few: int = 16, block: int = BLOCK, repeats: int = 3) -> list[Peer]:
    """TenSEAL's vector products with the parameters of its tutorials at this depth.

    ``dot`` answers for one template at a time; ``mm`` for a block in one ciphertext, which it encodes at each call.
    """
    import tenseal as ts

    context = ts.context(ts.SCHEME_TYPE.CKKS, 8192, coeff_mod_bit_sizes=[60, 40, 60])
    context.global_scale = 2.0**40
    context.generate_galois_keys()
    found, (query, *_) = faces(max(few, block), dimension, 1)
    asked, rows = ts.ckks_vector(context, query.tolist()), [row.tolist() for row in found[:few]]
    encrypted = [ts.ckks_vector(context, row) for row in rows]
    columns = found[:block].T.tolist()
    contests = {
        "TenSEAL mm, plain templates": (block, lambda: asked.mm(columns)),
        "TenSEAL dot, plain templates": (few, lambda: [asked.dot(row) for row in rows]),
        "TenSEAL dot, encrypted templates": (few, lambda: [asked.dot(row) for row in encrypted]),
    }
    peers = []
    for name, (count, run) in contests.items():
        times = []
        for _ in range(repeats):
            start, busy = time.perf_counter(), _processor()
            run()
            times.append((time.perf_counter() - start, _processor() - busy))
        wall, processor = (statistics.median(column) for column in zip(*times, strict=True))
        peers.append(Peer(name, count, wall, processor))
    return peers


HEAD = (
    f"{'gallery':17}{'server s':>9}{'predicted':>10}{'CPU s':>7}{'client s':>9}{'error':>9}  best right"
    f"{'query kB':>10}{'reply kB':>9}{'predicted':>10}{'keys kB':>8}{'predicted':>10}"
    f"{'MB':>6}{'predicted':>10}{'enrol s':>8}"
)


def line(one: Figures) -> str:
    """Of one gallery."""
    cost, spec = one.predicted, MatchingSpec(DIMENSION, one.case.startswith("encrypted"))
    predicted_reply = ((cost.sent or 0) - spec.query_bytes) / 1e3
    return (
        f"{one.case:17}{one.server:9.3f}{cost.seconds:10.3f}{one.processor:7.2f}{one.client:9.3f}{one.error:9.1e}  "
        f"{'yes' if one.right else 'NO':10}{one.query / 1e3:10.0f}{one.reply / 1e3:9.0f}{predicted_reply:10.0f}"
        f"{one.keys / 1e3:8.0f}{spec.key_bytes / 1e3:10.0f}{one.memory / 1e6:6.0f}{(cost.memory or 0) / 1e6:10.0f}"
        f"{one.enrol:8.1f}"
    )


def peer_line(peer: Peer, templates: int = 10_000) -> str:
    """Of one way of TenSEAL, extrapolated to ``templates`` by whole turns of what was measured."""
    turns = -(-templates // peer.templates)
    return (
        f"{peer.name:33}{peer.seconds:7.2f} s ({peer.processor:.2f} s CPU) for {peer.templates:,}; extrapolated to "
        f"{templates:,}: {turns * peer.seconds:.1f} s ({turns * peer.processor:.1f} s CPU)"
    )


def main(cases: Sequence[str]) -> None:
    """One case in this process, several in one process each, so that memory is measured from nothing."""
    if len(cases) == 1:
        print(line(measure(cases[0])), flush=True)
        return
    print(HEAD, flush=True)
    for case in cases or CASES:
        subprocess.run([sys.executable, "-m", "benchmarks.he_matching", case], check=True)
    for peer in tenseal():
        print(peer_line(peer), flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
