"""What `privis.prepare` and the programs on disk save: ``python -m benchmarks.prepared [PART]``, or several parts.

Every ratio stands beside its bar, and both its parts are of one run. ``network``: one image of MobileFaceNet beside
onnxruntime on the original file, both with one thread. ``parties``: one 64×64 HOG between three parties, the second
call of a prepared feature and a new process with programs on disk, beside the call that makes everything: of this code
without programs on disk, and of the last code that kept none, which git has. ``ckks``: two encrypted images, the second
call beside its own arithmetic; it takes minutes. ``vgg11``, only where it is named, is `benchmarks.he_kept`: 6.7 GB.
"""

from __future__ import annotations

import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from benchmarks.he import kept
from benchmarks.timing import medians
from privis import CKKS, CNN, HOG, Feature, extract, prepare
from privis.run.he.evaluation.evaluator import Evaluator

ROOT = Path(__file__).resolve().parents[2]
WEIGHTS = ROOT.parent / "shared" / "data" / "weights" / "face_embedding_mobilefacenet" / "MobileFaceNet.onnx"
FORMER = "ee397a4"  # the last commit that kept nothing
PARTIES = "privis.MPC(privis.MPCProtocol.ABY3)"
CALL = """
import json, sys, time
import numpy as np
import privis
feature, under = privis.HOG(), eval(sys.argv[1])
image = np.random.default_rng(0).integers(0, 256, (64, 64)).astype(np.uint8)
taken, found = [], []
start = time.perf_counter()
made = privis.prepare(feature, under=under) if sys.argv[2] == "prepared" else None
for _ in range(int(sys.argv[3])):
    result = privis.extract(feature, [image], under=under) if made is None else made(image)
    taken.append(time.perf_counter() - start)
    found.append(float(np.abs(result.features).sum()))
    start = time.perf_counter()
if hasattr(under, "close"):
    under.close()
print(json.dumps([taken, found]))
"""


@dataclass(frozen=True)
class Ratio:
    """Two times of one run, in seconds, and the largest quotient that is good enough."""

    what: str
    seconds: float
    beside: str
    other: float
    bar: float

    def __str__(self) -> str:
        good = "within" if self.seconds / self.other <= self.bar else "BEYOND"
        parts = f"{self.what} {self.seconds:.4f} s, {self.beside} {self.other:.4f} s"
        return f"{parts}: ratio {self.seconds / self.other:.3f}, {good} {self.bar:.3g}"


def network(path: Path = WEIGHTS, repeats: int = 51, clock: Callable[[], float] = time.process_time) -> list[Ratio]:
    """One image of a network through `privis.prepare` and `privis.extract`, beside onnxruntime's own time."""
    import onnxruntime

    feature = CNN.from_onnx(path, mean=0.5)
    image = np.random.default_rng(0).integers(0, 256, (*feature.shape[1:], 3)).astype(np.uint8)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.log_severity_level = 1, 3
    session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    feeds = {session.get_inputs()[0].name: (feature.before(image).astype(np.float32) / 255 - np.float32(0.5))[None]}
    with prepare(feature, shape=image.shape) as prepared:
        works = {"onnxruntime": lambda: session.run(None, feeds), "prepared": lambda: prepared(image)}
        took = medians(works, repeats, clock)
        own = prepared(image).features
    took |= medians({"extract": lambda: extract(feature, [image])}, max(1, repeats // 10), clock)
    assert own.tobytes() == extract(feature, [image]).features.tobytes()
    reference = np.asarray(session.run(None, feeds)[0]).ravel()
    assert np.abs(own[0] - reference).max() <= 1e-3 * max(1.0, np.abs(reference).max())
    theirs = took["onnxruntime"] / 1000
    return [
        Ratio("prepared, one image", took["prepared"] / 1000, "onnxruntime", theirs, 1.25),
        Ratio("extract, one image", took["extract"] / 1000, "onnxruntime", theirs, float("inf")),
    ]


@dataclass(frozen=True)
class Process:
    """Seconds of each call in a new process, and processor seconds of all of it, parties included."""

    calls: tuple[float, ...]
    processor: float


def in_new_process(source: Path, programs: Path, under: str, way: str, calls: int = 1) -> Process:
    """Call `privis.extract` or a prepared feature in a new process; ``source`` holds the package."""
    environment = {**os.environ, "PYTHONPATH": str(source), "PRIVIS_CACHE": str(programs)}
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    command = [sys.executable, "-c", CALL, under, way, str(calls)]
    done = subprocess.run(command, env=environment, stdout=subprocess.PIPE, check=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    taken, found = json.loads(done.stdout)
    assert max(found) - min(found) <= 1e-2 * max(found)
    return Process(tuple(taken), after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)


def former_source(folder: Path) -> Path | None:
    """The package of the last commit that kept nothing, in ``folder``; None where git does not have it."""
    archive = subprocess.run(["git", "archive", FORMER, "src"], cwd=ROOT, capture_output=True)
    if archive.returncode:
        return None
    subprocess.run(["tar", "-x", "-C", str(folder)], input=archive.stdout, check=True)
    return folder / "src"


def parties(under: str = PARTIES, repeats: int = 3) -> list[Ratio]:
    """One HOG between parties: made anew, by another process that finds programs on disk, and a second time."""
    nothing, found = Path(os.devnull), []
    with tempfile.TemporaryDirectory() as place:
        programs, source = Path(place) / "programs", Path(place) / "former"
        source.mkdir()
        former = former_source(source)
        in_new_process(ROOT / "src", programs, under, "extract")
        processes: dict[str, list[Process]] = {"former": [], "anew": [], "warm": [], "prepared": []}
        for _ in range(repeats):
            if former is not None:
                processes["former"].append(in_new_process(former, nothing, under, "extract"))
            processes["anew"].append(in_new_process(ROOT / "src", nothing, under, "extract"))
            processes["warm"].append(in_new_process(ROOT / "src", programs, under, "extract"))
            processes["prepared"].append(in_new_process(ROOT / "src", programs, under, "prepared", 6))
    first = {name: _median([each.calls[0] for each in own]) for name, own in processes.items() if own}
    second = _median([call for each in processes["prepared"] for call in each.calls[1:]])
    for name, own in processes.items():
        if own:
            print(f"{name:9} {_median([each.processor for each in own]):6.2f} processor seconds of the whole process")
    for name, words in (("former", f"a call of {FORMER}"), ("anew", "a call without programs on disk")):
        if name in first:
            found.append(Ratio("second call", second, words, first[name], 1 / 10))
            found.append(Ratio("new process, programs on disk", first["warm"], words, first[name], 1 / 2.5))
    return found


def ckks(feature: Feature | None = None, size: tuple[int, ...] = (64, 64), calls: int = 2) -> list[Ratio]:
    """Two encrypted images: the second call of a prepared feature beside the arithmetic on ciphertexts in it."""
    images = list(np.random.default_rng(0).integers(0, 256, (2, *size)).astype(np.uint8))
    own, arithmetic = Evaluator.run, [0.0]

    def timed(self: Evaluator, *given: object) -> bytes:
        start = time.perf_counter()
        try:
            return own(self, *given)  # type: ignore[arg-type]
        finally:
            arithmetic[0] += time.perf_counter() - start

    Evaluator.run = timed  # type: ignore[method-assign]
    try:
        start = time.perf_counter()
        with prepare(feature or HOG(), under=CKKS(), shape=size, images=2) as prepared:
            print(f"prepared in {time.perf_counter() - start:.2f} s")
            for number in range(calls):
                arithmetic[0], start = 0.0, time.perf_counter()
                prepared(images)
                took = time.perf_counter() - start
                print(f"call {number + 1}: {took:.2f} s, of which {arithmetic[0]:.2f} s are arithmetic")
    finally:
        Evaluator.run = own  # type: ignore[method-assign]
    return [Ratio("last call", took, "its arithmetic", arithmetic[0], 1.15)]


def _median(values: Sequence[float]) -> float:
    return statistics.median(values)


def main() -> None:
    """Run the parts that are named, or all."""
    known = {"network": network, "parties": parties, "ckks": ckks}
    chosen = [name for name in sys.argv[1:] if name in known or name == "vgg11"] or list(known)
    for name in chosen:
        if name == "vgg11":
            print("\n".join(kept.lines(*kept.measure(name))), flush=True)
            continue
        if name == "network" and not WEIGHTS.is_file():
            print("network: skipped, no shared/data beside the checkout")
            continue
        for ratio in known[name]():
            print(f"{name}: {ratio}", flush=True)


if __name__ == "__main__":
    main()
