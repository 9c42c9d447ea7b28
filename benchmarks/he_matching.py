"""One encrypted query of 512 components against galleries, beside TenSEAL's own products in the same run.

``python -m benchmarks.he_matching [plain:TEMPLATES | encrypted:TEMPLATES ...]`` (plain:10000 plain:100000
encrypted:10000). Median seconds of the server for a query, over as many processes as there are cores; enrolment and
keys are lines of their own. Errors are the largest over all templates and queries. Predicted figures were computed
before, from a second of calibration. TenSEAL answers for a few templates, and its time is multiplied.
"""

from __future__ import annotations

import gc
import resource
import statistics
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from privis.readings import Cost
from privis.run.he.forks import cores
from privis.run.he.matching import EncryptedGallery, Matcher, PlainGallery
from privis.run.he.matching_cost import predicted
from privis.run.he.matching_secret import MatchingOwner, calibrate
from privis.run.he.matching_spec import BLOCK, MatchingSpec

DIMENSION = 512
CASES = ("plain:10000", "plain:100000", "encrypted:10000")


@dataclass(frozen=True)
class Figures:
    """Of one gallery: seconds, bytes, largest error, whether all best templates were right, and what was predicted."""

    case: str
    enrol: float
    server: float
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
    """TenSEAL's own way: seconds for ``templates`` of them, and for how many they are extrapolated."""

    name: str
    templates: int
    seconds: float

    def extrapolated(self, templates: int) -> float:
        return self.seconds * templates / self.templates


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
    templates, queries = faces(int(number), dimension, repeats + 1)
    before, owner, start = _memory(), MatchingOwner.generate(spec), time.perf_counter()
    gallery = _enrolled(spec, owner, templates)
    enrol, keys = time.perf_counter() - start, owner.evaluation_keys()
    matcher, server, client, error, right = Matcher.open(gallery, keys, processes), [], [], 0.0, True
    for query in queries:
        times = [time.perf_counter()]
        message = owner.query(query)
        times.append(time.perf_counter())
        reply = matcher.run(message)
        times.append(time.perf_counter())
        scores = owner.scores(reply)
        times.append(time.perf_counter())
        expected = templates.astype(np.float64) @ query
        error = max(error, float(np.abs(scores.values - expected).max()))
        right &= scores.top(1)[0][0] == str(expected.argmax())
        server.append(times[2] - times[1])
        client.append(times[3] - times[2] + times[1] - times[0])
    seconds = (statistics.median(server[1:]), statistics.median(client[1:]))
    memory = _memory() - before + templates.nbytes * 0
    return Figures(case, enrol, *seconds, error, right, len(message), len(reply), len(keys), memory, cost)


def _enrolled(spec: MatchingSpec, owner: MatchingOwner, templates: NDArray[Any]) -> PlainGallery | EncryptedGallery:
    names = [str(number) for number in range(len(templates))]
    if not spec.encrypted:
        plain = PlainGallery(spec)
        plain.add(names, templates)
        return plain
    gallery = EncryptedGallery(spec)
    for first in range(0, len(templates), BLOCK):
        gallery.put(str(first), owner.block(names[first : first + BLOCK], templates[first : first + BLOCK]))
    return gallery


def _memory() -> int:
    """Bytes of this process now."""
    gc.collect()
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * resource.getpagesize()


def tenseal(dimension: int = DIMENSION, templates: int = 32, repeats: int = 3) -> list[Peer]:
    """TenSEAL's vector products with the parameters of its tutorials at this depth, both kinds of templates."""
    import tenseal as ts

    context = ts.context(ts.SCHEME_TYPE.CKKS, 8192, coeff_mod_bit_sizes=[60, 40, 60])
    context.global_scale = 2.0**40
    context.generate_galois_keys()
    found, (query, *_) = faces(templates, dimension, 1)
    asked, rows = ts.ckks_vector(context, query.tolist()), [row.tolist() for row in found]
    encrypted = [ts.ckks_vector(context, row) for row in rows]
    columns = found.T.tolist()
    contests = {
        "TenSEAL dot, plain templates": lambda: [asked.dot(row) for row in rows],
        "TenSEAL mm, plain templates": lambda: asked.mm(columns),
        "TenSEAL dot, encrypted templates": lambda: [asked.dot(row) for row in encrypted],
    }
    peers = []
    for name, run in contests.items():
        seconds = []
        for _ in range(repeats):
            start = time.perf_counter()
            run()
            seconds.append(time.perf_counter() - start)
        peers.append(Peer(name, templates, statistics.median(seconds)))
    return peers


def table(found: Sequence[Figures]) -> str:
    """One line per gallery."""
    lines = [
        f"{'gallery':18}{'server s':>9}{'pred.':>7}{'client s':>9}{'error':>9}  right"
        f"{'query kB':>9}{'reply kB':>9}{'pred. kB':>9}{'keys kB':>8}{'MB':>6}{'pred.':>6}{'enrol s':>8}"
    ]
    for one in found:
        cost = one.predicted
        lines.append(
            f"{one.case:18}{one.server:9.3f}{cost.seconds:7.3f}{one.client:9.3f}{one.error:9.1e}  "
            f"{'yes  ' if one.right else 'NO   '}{one.query / 1e3:9.0f}{one.reply / 1e3:9.0f}"
            f"{(cost.sent or 0) / 1e3 - one.query / 1e3:9.0f}{one.keys / 1e3:8.0f}{one.memory / 1e6:6.0f}"
            f"{(cost.memory or 0) / 1e6:6.0f}{one.enrol:8.1f}"
        )
    return "\n".join(lines)


def peer_table(peers: Sequence[Peer], templates: int) -> str:
    """One line per way of TenSEAL."""
    return "\n".join(
        f"{peer.name:34}{peer.seconds:8.3f} s for {peer.templates}, extrapolated to {templates:,}: "
        f"{peer.extrapolated(templates):.0f} s"
        for peer in peers
    )


if __name__ == "__main__":
    for case in sys.argv[1:] or CASES:
        print(table([measure(case)]), flush=True)
    print(peer_table(tenseal(), 10_000))
