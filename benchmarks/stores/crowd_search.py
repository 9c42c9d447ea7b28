"""Search for a crowd: server time, recall, cover traffic, and what it saves at 3.2 million entries.

``python -m benchmarks.crowd_search``. Bars: at 100,000 x 128 at most 200 ms of server time for a query, cover traffic
included, and recall@10 at least .96 of the same clusters searched in the clear; at 3,200,000 entries at least 5 times
cheaper than a full encrypted scan, by simulation from costs that are measured here. ``--real DATA`` also asks an
index of real pictures, the digits of ``DATA/classification/mnist`` by 128 principal components of their pixels.
"""

from __future__ import annotations

import os
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from benchmarks.stores.exact_search import vectors
from privis.estimators.search.crowd_search import CrowdQuestion, CrowdServer
from privis.privacy import CoverTraffic
from privis.run.he.matching.matcher import Matcher
from privis.run.he.matching.matching_specification import BLOCK
from privis.run.he.owner.matching import MatchingOwner
from privis.tasks.retrieval.vector_clusters import ROOM

TOP = 10
EPSILON, DELTA = 1.0, 1e-6
CLIENTS_HERE, CLIENTS_THERE = 10_000, 100_000
ENTRIES = 3_200_000


@dataclass(frozen=True)
class Measured:
    """What a run took and found.

    Args:
        wall: seconds of server time per request.
        processor: likewise, of all its processes.
        of_clear: recall@10 of the encrypted answers against the same clusters in the clear.
        of_exact: likewise against a scan of all rows.
        sent: bytes of a request.
        received: bytes of a reply.
        asking: processor seconds of the client per request.
    """

    wall: float
    processor: float
    of_clear: float
    of_exact: float
    sent: float
    received: float
    asking: float


def real_requests(question: CrowdQuestion) -> list[int]:
    """Places of the requests that are no fakes."""
    return [place for place, owner in enumerate(question.owners) if owner is not None]


def measure(server: CrowdServer, index: np.ndarray, queries: np.ndarray, processes: int | None = None) -> Measured:
    """Ask for every query, real requests and fakes, answer all in one batch and compare."""
    start = time.process_time()
    questions = [server.terms.ask(query) for query in queries]
    asking = time.process_time() - start
    batch = [request.message for question in questions for request in question.requests]
    begun, used = time.perf_counter(), processor()
    answers = server.answers(batch, processes)
    wall, spent = time.perf_counter() - begun, processor() - used
    assert not any(answer.refusal for answer in answers)
    probes = server.terms.cover.requests
    clear = server.clusters.search(index, queries, probes, TOP)
    hits, exact_hits, at = 0, 0, 0
    for question, query, (rows, _) in zip(questions, queries, clear, strict=True):
        count = len(question.requests)
        found = question.ranked([answer.reply for answer in answers[at : at + count]], TOP)
        at += count
        names = {int(name) for name, _ in found}
        hits += len(names & {*rows.tolist()})
        exact_hits += len(names & {*np.argpartition(-(index @ query), TOP)[:TOP].tolist()})
    return Measured(
        wall / len(batch),
        spent / len(batch),
        hits / (TOP * len(queries)),
        exact_hits / (TOP * len(queries)),
        float(np.mean([len(message) for message in batch])),
        float(np.mean([len(answer.reply or b"") for answer in answers])),
        asking / len(batch),
    )


def processor() -> float:
    """Processor seconds of this process and of those that it waited for."""
    used = os.times()
    return used.user + used.system + used.children_user + used.children_system


@dataclass(frozen=True)
class _Blocks:
    """The first clusters of a server as one gallery, for a scan of all of them."""

    spec: object
    blocks: tuple


def scan_seconds(server: CrowdServer, blocks: int) -> tuple[float, float]:
    """Processor seconds of an encrypted scan: what a query costs once, and what each block adds; keys are loaded."""
    spec, owner = server.terms.spec, MatchingOwner.generate(server.terms.spec)
    query, keys = owner.query(np.ones(spec.dimension)), owner.evaluation_keys()
    taken = []
    for count in (1, blocks):
        matcher = Matcher.open(_Blocks(spec, server.matcher.blocks[:count]), keys, 1)
        runs = []
        for _ in range(3):
            start = time.process_time()
            matcher.run(query)
            runs.append(time.process_time() - start)
        taken.append(min(runs))
    each = (taken[1] - taken[0]) / max(1, blocks - 1)
    return taken[0] - each, each


def report_cover(cover: CoverTraffic, clusters: int, measured: Measured | None) -> float:
    """Print what a client sends and what that hides; fakes per real request."""
    fakes = cover.fakes_per_client(clusters)
    print(
        f"  epsilon {EPSILON:g}, delta {cover.delta(EPSILON):.2e} for what one client asks in an epoch (replaced); "
        f"{cover.honest_clients:,} honest clients; negative binomial r {cover.shape:.1f}, p {cover.ratio:.4f}"
    )
    print(
        f"  {clusters} clusters; a client sends {cover.requests} real requests and {fakes:.2f} fakes on average: "
        f"{fakes / cover.requests:.3f} fakes per real request"
    )
    if measured:
        each = measured.sent + measured.received
        print(
            f"  a request {measured.sent / 1e6:.2f} MB, a reply {measured.received / 1e6:.2f} MB: "
            f"{(cover.requests + fakes) * each / 1e6:.2f} MB a query, {fakes * each / 1e6:.2f} MB of it cover"
        )
    return fakes / cover.requests


def report_run(title: str, index: np.ndarray, queries: np.ndarray, probes: int) -> tuple[CrowdServer, Measured]:
    """Run for real; print times, recalls and cover traffic beside the bars."""
    cover = CoverTraffic.least(EPSILON, DELTA, CLIENTS_HERE, probes)
    start = time.process_time()
    server = CrowdServer.of([str(row) for row in range(len(index))], index, cover)
    built = time.process_time() - start
    measured = measure(server, index, queries)
    clusters = len(server.clusters)
    print(f"{title}: clustered and encoded in {built:.1f} processor s")
    share = report_cover(cover, clusters, measured)
    each = cover.requests * (1 + share)
    print(
        f"  server time of a query, cover included: {1e3 * each * measured.processor:.0f} ms processor, "
        f"{1e3 * each * measured.wall:.0f} ms wall (bar 200); of a request {1e3 * measured.processor:.1f} ms; "
        f"the client takes {1e3 * measured.asking:.0f} ms processor a request"
    )
    print(
        f"  recall@{TOP} of {len(queries)} queries: {measured.of_clear:.4f} of the clustered clear search (bar .96), "
        f"{measured.of_exact:.4f} of an exact scan"
    )
    return server, measured


def simulate(server: CrowdServer, measured: Measured, entries: int, clients: int, blocks: int, seed: int = 0) -> float:
    """Cost of an epoch at ``entries``, from the costs of one cluster here; how many times cheaper than full scans."""
    once, block = scan_seconds(server, blocks)
    probes, clusters = server.terms.cover.requests, round(ROOM * entries / BLOCK)
    cover = CoverTraffic.least(EPSILON, DELTA, clients, probes)
    random = np.random.default_rng(seed)
    popular = random.permutation(1 / np.arange(1.0, clusters + 1))
    real = random.multinomial(clients * probes, popular / popular.sum())
    fakes = random.negative_binomial(cover.shape, 1 - cover.ratio, clusters)
    crowd = (real.sum() + fakes.sum()) * measured.processor / clients
    scan = once + -(-entries // BLOCK) * block
    print(f"{entries:,} x {server.terms.spec.dimension}, simulated")
    print(
        f"  assumed: {clients:,} clients an epoch, each with {probes} requests, clusters of at most {BLOCK:,} with "
        f"popularity 1/rank; measured: {1e3 * measured.processor:.1f} ms a request, a scan {1e3 * once:.1f} ms and "
        f"{1e3 * block:.1f} ms for each {BLOCK:,} entries (keys loaded beforehand)"
    )
    report_cover(cover, clusters, measured)
    print(
        f"  requests drawn for a cluster: {fakes.min():,} fakes at the least, {(real + fakes).max():,} requests at the "
        f"most, {real.sum():,} real and {fakes.sum():,} fake in all"
    )
    print(
        f"  a query {crowd:.3f} processor s in a crowd, {scan:.1f} by a full encrypted scan: {scan / crowd:.1f} times "
        f"cheaper (bar 5)"
    )
    each = cover.fakes_per_part * clusters * measured.processor
    least = each / (scan / 5 - probes * measured.processor)
    print(f"  5 times cheaper from {least:,.0f} clients an epoch")
    return scan / crowd


def digits(data: Path) -> tuple[np.ndarray, np.ndarray]:
    """Pixels of MNIST's training and first test digits on the 128 principal components of the training digits."""
    with np.load(data / "classification" / "mnist" / "mnist.npz") as arrays:
        train, test = (arrays[name].reshape(len(arrays[name]), -1).astype(np.float32) for name in ("x_train", "x_test"))
    mean = train.mean(0)
    _, axes = np.linalg.eigh(np.cov((train - mean).T))
    made = [(part - mean) @ axes[:, -128:].astype(np.float32) for part in (train, test[:30])]
    index, queries = (part / np.linalg.norm(part, axis=1, keepdims=True) for part in made)
    return index, queries


def main() -> None:
    index = vectors(100_000, 128)
    random = np.random.default_rng(1)
    queries = index[random.integers(0, len(index), 30)] + 0.05 * random.normal(size=(30, 128))
    queries = (queries / np.linalg.norm(queries, axis=1, keepdims=True)).astype(np.float32)
    server, measured = report_run("100,000 x 128", index, queries, probes=2)
    simulate(server, measured, ENTRIES, CLIENTS_THERE, blocks=8)
    if "--real" in sys.argv:
        index, queries = digits(Path(sys.argv[sys.argv.index("--real") + 1]))
        report_run(f"{len(index):,} digits x 128", index, queries, probes=2)


if __name__ == "__main__":
    main()
