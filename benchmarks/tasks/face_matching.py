"""Faces compared under encryption and among parties: decisions, seconds and bytes beside their bars, and beside peers.

``python -m benchmarks.face_matching [DATA] [pairs | times | peers ...]``. ``pairs``: all pairs of the faces of LFW10,
ORL and Yale, decided by everybody who can; a decision is wrong when it is not that of the exact cosine, which lies
outside the gap. ``times``: one against 10,000 templates of 128 numbers, from the probe's vector to the answer in the
clear, by its owner: encryption, computation and decryption together; medians, after one to warm up. ``peers``:
LightPHE, which deepface encrypts templates with, where it is installed, and dot products of TenSEAL, on the same
vectors.

On a busy machine wall-clock seconds are those of the machine: processor seconds, of all processes together, are beside
them.
"""

from __future__ import annotations

import importlib.util
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.he.matching import Peer, faces, peer_line, tenseal
from benchmarks.he.matching import _processor as processor
from benchmarks.mpc.matching import _processor as parties_processor
from privis.estimators.faces.matchers.encrypted_matching import EncryptedMatcher, EncryptedTemplates
from privis.estimators.faces.matchers.joint_matching import JointMatcher, JointTemplates
from privis.extraction.faces.cascade_detector import CascadeDetector
from privis.extraction.faces.face_networks import face_template_extractor, has_face_networks
from privis.extraction.faces.face_templates import FaceTemplate, FaceTemplateExtractor
from privis.features.cnn import CNN
from privis.joint.gallery import FIXED, Gallery
from privis.joint.live_gallery import LiveGallery
from privis.joint.statistics.sums import Committee
from privis.run.mpc.protocols import MPCProtocol, preset
from privis.run.mpc.runtime.local_parties import LocalParties
from privis.tasks.matches import Decision
from privis.tasks.questions import Claim
from privis.tasks.vector_grid import VectorGrid

DATA = Path(__file__).resolve().parents[3] / "shared" / "data"
SETS = ("lfw10", "orl", "yale")
THRESHOLD, SCORE_ERROR, MEGABYTE = 0.5, 1e-4, 1e6
PARTS = ("pairs", "times", "peers")
ENCRYPTED = {"plain gallery": False, "encrypted gallery": True}
PROTOCOLS = (MPCProtocol.ABY3, MPCProtocol.CHEETAH)


@dataclass(frozen=True)
class Decided:
    """All pairs of faces, by one executor: how many are inside its gap, and how many others are wrong."""

    name: str
    pairs: int
    inside: int
    wrong: int
    undecided: int
    seconds: float
    processor: float


@dataclass(frozen=True)
class Timed:
    """One probe against templates: medians of seconds, bytes beside bars, and whether all answers were right."""

    name: str
    seconds: float
    processor: float
    bar: float | None
    sent: int
    most: float | None
    right: bool

    @property
    def kept(self) -> str:
        """Whether the bars are kept."""
        if self.bar is None and self.most is None:
            return ""
        good = self.right and self.seconds <= (self.bar or np.inf) and self.sent <= (self.most or np.inf)
        return "kept" if good else "MISSED"


def extractor(data: Path) -> tuple[str, FaceTemplateExtractor]:
    """Whichever networks are there, and what they are called."""
    if has_face_networks():
        return "SFace", face_template_extractor()
    path = data / "weights" / "face_embedding_mobilefacenet" / "MobileFaceNet.onnx"
    scale = {"mean": (0.485, 0.456, 0.406), "std": (0.229, 0.224, 0.225)}
    return "MobileFaceNet", FaceTemplateExtractor(CascadeDetector(), CNN.from_onnx(path, **scale, divisor=255.0))


def templates(data: Path, made: FaceTemplateExtractor) -> tuple[NDArray[np.float32], NDArray[np.str_]]:
    """Vectors of all faces that are found, and whose they are."""
    files = [path for name in SETS for path in sorted((data / "faces" / name).glob("*/*"))]
    found = [
        (f"{path.parts[-3]}/{path.parent.name}", each.vector)
        for path, each in zip(files, made.many(files), strict=True)
        if isinstance(each, FaceTemplate)
    ]
    return np.stack([vector for _, vector in found]), np.array([name for name, _ in found])


def all_pairs(
    vectors: NDArray[Any], threshold: float, matchers: Sequence[str], gap: float = 0.05, processes: int | None = None
) -> list[Decided]:
    """Decide every pair once, by each matcher: ``scores`` and ``decisions`` under encryption, and protocols."""
    pairs = np.stack(np.triu_indices(len(vectors), 1), 1)
    rows = vectors.astype(np.float64) / np.linalg.norm(vectors.astype(np.float64), axis=1, keepdims=True)
    cosines = np.einsum("ij,ij->i", rows[pairs[:, 0]], rows[pairs[:, 1]])
    made = []

    def judged(name: str, width: float, decide: Callable[[], NDArray[np.int8]], used: Callable[[], float]) -> None:
        start, busy = time.perf_counter(), used()
        found = decide()
        took, worked = time.perf_counter() - start, used() - busy
        outside = np.abs(cosines - threshold) >= width
        wrong = int((found != (cosines >= threshold))[outside].sum())
        undecided = int((found == Decision.UNDECIDED).sum())
        made.append(Decided(name, len(pairs), int((~outside).sum()), wrong, undecided, took, worked))

    for kind, hidden in ENCRYPTED.items():
        matcher = EncryptedMatcher(gap, hidden, processes)
        if f"scores, {kind}" in matchers:
            with matcher.holding(vectors) as held:
                scored = lambda held=held: held.cosines(vectors)[tuple(pairs.T)] >= threshold  # noqa: E731
                judged(f"CKKS, scores, {kind}", SCORE_ERROR, scored, processor)
        if f"decisions, {kind}" in matchers:
            with matcher.holding(vectors) as held:
                alone = lambda held=held: held.pair_decisions(vectors, pairs, threshold, gap)  # noqa: E731
                judged(f"CKKS, decisions alone, {kind}", gap, alone, processor)
    for protocol in PROTOCOLS:
        if protocol.value in matchers:
            joint = JointMatcher(protocol)
            with _PartiesHolding(joint, vectors) as (held, parties):
                width = joint.gap(vectors.shape[1], len(vectors))
                alone = lambda held=held: held.pair_decisions(vectors, pairs, threshold, 0.0)  # noqa: E731
                used = lambda parties=parties: parties_processor(parties)  # noqa: E731
                judged(f"MPC, {protocol.value}", width, alone, used)
    return made


class _PartiesHolding:
    """Templates on parties that can be asked how much they worked and sent."""

    def __init__(self, matcher: JointMatcher, rows: NDArray[Any]) -> None:
        chosen = preset(matcher.protocol.value)
        committee = Committee(tuple(f"party {rank}" for rank in range(chosen.parties)), chosen)
        self._gallery, self._rows = Gallery(VectorGrid(rows.shape[1], len(rows)), committee), rows
        self._parties = LocalParties(chosen, FIXED)

    def __enter__(self) -> tuple[JointTemplates, LocalParties]:
        self._parties.__enter__()
        live = LiveGallery(self._gallery, self._parties.run)
        live.enrol("owner", [str(number) for number in range(len(self._rows))], self._rows)
        return JointTemplates(live), self._parties

    def __exit__(self, *error: Any) -> None:
        self._parties.__exit__(*error)


def one_to_many(
    count: int = 10_000, dimension: int = 128, repeats: int = 5, gap: float = 0.05, processes: int | None = None
) -> list[Timed]:
    """One probe against ``count`` templates, and one against one, by everybody."""
    rows, probes = faces(count, dimension, repeats)
    expected = (probes @ rows.astype(np.float64).T).argmax(1).tolist()
    made = []
    bars = {
        ("scores", False): 0.3, ("scores", True): 0.4, ("decisions alone", False): 4.0, ("decisions alone", True): 5.0,
    }  # fmt: skip
    for kind, hidden in ENCRYPTED.items():
        matcher = EncryptedMatcher(gap, hidden, processes)
        question = matcher.identification(1, THRESHOLD, gap)
        with matcher.holding(rows) as held:
            ways: dict[str, Callable[[Any], list[int]]] = {
                "scores": lambda probe, held=held: held.cosines(probe[None]).argmax(1).tolist(),
                "decisions alone": lambda probe, held=held, asked=question: (
                    held.ask(asked, probe[None]).indices[:, 0].tolist()
                ),
            }
            for way, ask in ways.items():
                made.append(_encrypted(f"CKKS, {way}, {kind}", held, ask, probes, expected, bars[way, hidden]))
    for protocol in PROTOCOLS:
        made += _joint(JointMatcher(protocol), rows, probes, expected)
    return made


def _encrypted(
    name: str,
    held: EncryptedTemplates,
    ask: Callable[[Any], list[int]],
    probes: NDArray[Any],
    expected: list[int],
    bar: float,
) -> Timed:
    ask(probes[0])  # keys, and the gallery
    walls, busy, right, sent = [], [], True, held.query_bytes + held.reply_bytes
    for probe, best in zip(probes, expected, strict=True):
        start, before = time.perf_counter(), processor()
        right &= ask(probe) == [best]
        walls.append(time.perf_counter() - start)
        busy.append(processor() - before)
    each = (held.query_bytes + held.reply_bytes - sent) // len(probes)
    return Timed(name, statistics.median(walls), statistics.median(busy), bar, each, None, right)


def _joint(matcher: JointMatcher, rows: NDArray[Any], probes: NDArray[Any], expected: list[int]) -> list[Timed]:
    made, judged = [], matcher.protocol is MPCProtocol.ABY3
    with _PartiesHolding(matcher, rows) as (held, parties):
        question = matcher.identification(1, THRESHOLD, 0.0)
        claimed = np.einsum("ij,ij->i", probes, rows[: len(probes)].astype(np.float64)) >= THRESHOLD
        ways: dict[str, tuple[Callable[[int], bool], float | None, float | None]] = {
            f"1:{len(rows):,}": (
                lambda n: held.ask(question, probes[[n]]).indices.ravel().tolist() == [expected[n]],
                0.5,
                MEGABYTE,
            ),
            "1:1": (
                lambda n: held.ask(Claim(THRESHOLD), probes[[n]], [n]).found[0] == claimed[n],
                0.1,
                None,
            ),
        }
        for way, (ask, bar, most) in ways.items():
            ask(0)  # compiled
            walls, busy, right, sent = [], [], True, 0
            for number in range(len(probes)):
                start, before = time.perf_counter(), parties_processor(parties)
                right &= ask(number)
                walls.append(time.perf_counter() - start)
                busy.append(parties_processor(parties) - before)
                sent = max(sent, parties.measured[0].sent)
            bars = (bar, most) if judged else (None, None)
            name = f"MPC, {matcher.name}, {way}"
            middle = statistics.median(walls), statistics.median(busy)
            made.append(Timed(name, *middle, bars[0], sent, bars[1], right))
    return made


def lightphe(dimension: int = 128, few: int = 4) -> list[Peer] | None:
    """LightPHE's Paillier: one encrypted probe with plain templates, at its default and at 128 bits of security.

    Vectors are made positive, as it refuses others, so that these are not cosines. None: not installed.
    """
    if importlib.util.find_spec("lightphe") is None:
        return None
    from lightphe import LightPHE

    rows, (probe, *_) = faces(few, dimension, 1)
    low = min(rows.min(), probe.min())
    made = []
    for bits in (None, 3072):
        scheme = LightPHE(algorithm_name="Paillier", precision=19, key_size=bits)
        asked = scheme.encrypt((probe - low).tolist())
        start, busy = time.perf_counter(), processor()
        for row in rows:
            scheme.decrypt(asked @ (row - low).astype(float).tolist())
        name = f"LightPHE, {'its default of 1024' if bits is None else bits} bits"
        made.append(Peer(name, few, time.perf_counter() - start, processor() - busy))
    return made


PAIRS_HEAD = (
    f"{'all pairs':42}{'pairs':>9}{'inside gap':>12}{'undecided':>11}{'wrong':>7}{'bar':>5}{'s':>8}{'CPU s':>8}"
)
TIMES_HEAD = f"{'one probe':42}{'s':>8}{'bar':>6}{'CPU s':>8}{'kB sent':>10}{'bar':>7}  right"


def pairs_line(one: Decided) -> str:
    """Of one executor."""
    counts = f"{one.pairs:9,}{one.inside:12,}{one.undecided:11,}{one.wrong:7,}{0:5}"
    return f"{one.name:42}{counts}{one.seconds:8.1f}{one.processor:8.1f}"


def times_line(one: Timed) -> str:
    """Of one executor, beside its bars."""
    bar, most = f"{one.bar:g}" if one.bar else "", f"{one.most / 1e3:g}" if one.most else ""
    times = f"{one.seconds:8.3f}{bar:>6}{one.processor:8.2f}{one.sent / 1e3:10.1f}{most:>7}"
    return f"{one.name:42}{times}  {'yes' if one.right else 'NO':6}{one.kept}"


def main(words: Sequence[str]) -> None:
    parts = [word for word in words if word in PARTS] or PARTS
    (data,) = [Path(word) for word in words if word not in PARTS] or [DATA]
    if "pairs" in parts:
        network, made = extractor(data)
        vectors, people = templates(data, made)
        same = people[:, None] == people[None]
        impostors = (vectors @ vectors.T)[~same]
        threshold = float(np.quantile(impostors, 1 - 1e-3, method="higher"))
        print(f"{len(vectors)} faces of {', '.join(SETS)} by {network}, threshold {threshold:.4f}", flush=True)
        print(PAIRS_HEAD, flush=True)
        ways = [f"{way}, {kind}" for kind in ENCRYPTED for way in ("scores", "decisions")]
        for matcher in (*ways, *(protocol.value for protocol in PROTOCOLS)):
            for one in all_pairs(vectors, threshold, [matcher]):
                print(pairs_line(one), flush=True)
    if "times" in parts:
        print(TIMES_HEAD, flush=True)
        for timed in one_to_many():
            print(times_line(timed), flush=True)
    if "peers" in parts:
        found = lightphe()
        if found is None:
            print("LightPHE skipped: pip install lightphe==0.0.27")
        for peer in (*(found or ()), *tenseal(128)):
            print(peer_line(peer), flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
