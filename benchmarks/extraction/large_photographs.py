"""Features of 12-megapixel JPEGs: today's code beside an older one, and what scaled decoding changes.

``python -m benchmarks.large_photographs [--baseline WORKTREE]``. The baseline is a checkout of an older commit (``git
worktree add WORKTREE COMMIT``; the bars are for cbca4a7), which runs in a process of its own with the same Python.
Every contestant extracts HOG at 256×256 from the same photographs, in turns; figures are medians of processor seconds,
so that other work on the machine counts little. Photographs are made from Kodak's (``../shared/data``; scikit-image's
without them), enlarged, with grain as a sensor has it. At the end scaled decoding is compared with whole decoding, of
these photographs and of the originals as JPEGs.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from privis import HOG, extract
from privis.features.image_ops import resize
from privis.io.images import decode

ROOT = Path(__file__).resolve().parents[2]
KODAK = ROOT.parent / "shared" / "data" / "photos" / "kodak"
LARGE, SIZE = (3000, 4000), (256, 256)
BARS = {"exact": 1.6, "scaled": 4.0}
CHILD = """
import hashlib, json, sys, time
import cv2
import privis
cv2.setNumThreads(1)
size, scaled, paths = json.loads(sys.argv[1])
feature = privis.HOG(size=tuple(size))
if scaled:
    feature = privis.ScaledDecoding(feature)
privis.extract(feature, paths)
for line in sys.stdin:
    start = time.process_time()
    together = privis.extract(feature, paths)
    several = time.process_time() - start
    start = time.process_time()
    privis.extract(feature, paths[:1])
    alone = time.process_time() - start
    digest = hashlib.sha256(together.features.tobytes()).hexdigest()
    print(json.dumps([several / len(paths), alone, digest]), flush=True)
"""


@dataclass(frozen=True)
class Taken:
    """Processor seconds of one photograph.

    Args:
        name: of the contestant.
        several: as one of several of a call, one figure for each round.
        alone: in a call of its own, which makes the program anew.
        digest: of the vectors.
    """

    name: str
    several: tuple[float, ...]
    alone: tuple[float, ...]
    digest: str


@dataclass(frozen=True)
class Difference:
    """Scaled decoding beside whole decoding, both resized alike.

    Args:
        photographs: which.
        size: (height, width) that they are resized to, in pixels.
        largest: of all differences of pixels, in levels of 255.
        mean: absolute difference of pixels, in levels.
        cosine: of the HOG vectors, the smallest and the median.
    """

    photographs: str
    size: tuple[int, int]
    largest: int
    mean: float
    cosine: tuple[float, float]

    def __str__(self) -> str:
        low, middle = self.cosine
        words = f"pixels differ by {self.mean:.2f} levels on average and {self.largest} at most"
        return (
            f"{self.photographs}, {self.size[0]}x{self.size[1]}: {words}; cosine of HOG {middle:.4f}, least {low:.4f}"
        )


def originals() -> list[NDArray[np.uint8]]:
    """Photographs as uint8 (H, W, 3)."""
    if KODAK.is_dir():
        return [np.asarray(Image.open(path).convert("RGB")) for path in sorted(KODAK.glob("*.png"))]
    from skimage import data

    return [data.astronaut(), data.coffee(), data.chelsea()]


def large(folder: Path, count: int, shape: tuple[int, int] = LARGE) -> list[str]:
    """Write ``count`` large photographs of ``shape`` as JPEGs (4:2:0, quality 90); give their paths."""
    random, made, paths = np.random.default_rng(12), originals(), []
    for number in range(count):
        enlarged = cv2.resize(made[number % len(made)], shape[::-1], interpolation=cv2.INTER_CUBIC).astype(np.float32)
        enlarged += random.normal(0, 4, enlarged.shape).astype(np.float32)
        paths.append(str(folder / f"large{number}.jpg"))
        Image.fromarray(enlarged.clip(0, 255).astype(np.uint8)).save(paths[-1], quality=90)
    return paths


@contextmanager
def contestant(checkout: Path, size: tuple[int, int], scaled: bool, paths: Sequence[str]) -> Iterator[subprocess.Popen]:
    """A process that extracts with the code of ``checkout`` whenever it is given a line."""
    environment = {**os.environ, "PYTHONPATH": str(checkout / "src"), "OMP_WAIT_POLICY": "PASSIVE"}
    words = [sys.executable, "-c", CHILD, json.dumps([size, scaled, list(paths)])]
    process = subprocess.Popen(words, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    try:
        yield process
    finally:
        process.communicate()


def run(paths: Sequence[str], baseline: Path | None, rounds: int = 7, size: tuple[int, int] = SIZE) -> dict[str, Taken]:
    """Let contestants take turns: ``exact``, ``scaled``, and ``baseline`` if there is one."""
    kinds = {"exact": (ROOT, False), "scaled": (ROOT, True)}
    if baseline is not None:
        kinds = {"baseline": (baseline, False), **kinds}
    found: dict[str, list[tuple[float, float, str]]] = {name: [] for name in kinds}
    with ExitStack() as stack:
        processes = {
            name: stack.enter_context(contestant(checkout, size, scaled, paths))
            for name, (checkout, scaled) in kinds.items()
        }
        for _ in range(rounds):
            for name, process in processes.items():
                assert process.stdin is not None and process.stdout is not None
                process.stdin.write("again\n")
                process.stdin.flush()
                found[name].append(tuple(json.loads(process.stdout.readline())))
    return {
        name: Taken(name, tuple(t[0] for t in took), tuple(t[1] for t in took), took[0][2])
        for name, took in found.items()
    }


def difference(name: str, paths: Sequence[str], size: tuple[int, int]) -> Difference:
    """Decode ``paths`` whole and scaled, and compare what becomes of them at ``size``."""
    gaps, cosines = [], []
    for path in paths:
        whole, scaled = (resize(decode.load(path, at_least=least), size) for least in (None, size))
        gaps.append(np.abs(whole.astype(np.int16) - scaled))
        one, other = extract(HOG(), [whole, scaled]).features
        cosines.append(float(one @ other / (np.linalg.norm(one) * np.linalg.norm(other))))
    largest, mean = max(int(gap.max()) for gap in gaps), float(np.mean([gap.mean() for gap in gaps]))
    return Difference(name, size, largest, mean, (min(cosines), statistics.median(cosines)))


def differences(folder: Path, paths: Sequence[str]) -> Iterator[Difference]:
    """Of large photographs at two sizes, and of the originals (quality 95) where they are scaled by 1/2, 1/4, 1/8."""
    yield difference("12 megapixels", paths, SIZE)
    yield difference("12 megapixels", paths, (128, 128))
    written = []
    for number, picture in enumerate(originals()):
        written.append(str(folder / f"original{number}.jpg"))
        Image.fromarray(picture).save(written[-1], quality=95)
    for side in (192, 96, 64):
        yield difference("originals", written, (side, side))


def report(took: dict[str, Taken]) -> Iterator[str]:
    """Lines of milliseconds, ratios beside their bars, and whether the vectors stayed what they were."""
    for name, taken in took.items():
        several, alone = (1000 * statistics.median(each) for each in (taken.several, taken.alone))
        yield f"{name:9} {several:7.1f} ms of processor a photograph among several, {alone:7.1f} in a call of its own"
    if "baseline" not in took:
        yield "no --baseline: nothing to compare with"
        return
    for name, bar in BARS.items():
        for way in ("several", "alone"):
            pairs = zip(getattr(took["baseline"], way), getattr(took[name], way), strict=True)
            ratio = statistics.median(old / new for old, new in pairs)
            verdict = "ok" if ratio >= bar else "MISSED"
            yield f"{name}, {way}: {ratio:.2f} times as fast (at least {bar} wanted) {verdict}"
    same = took["baseline"].digest == took["exact"].digest
    yield f"vectors of whole pictures {'are the same bytes' if same else 'DIFFER'}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, prog="python -m benchmarks.large_photographs")
    parser.add_argument("--baseline", type=Path, help="checkout of an older commit")
    parser.add_argument("--photographs", type=int, default=8)
    parser.add_argument("--rounds", type=int, default=7)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        paths = large(Path(name), given.photographs)
        sizes = [os.path.getsize(path) / 1e6 for path in paths]
        print(f"{len(paths)} photographs of {LARGE[1]}x{LARGE[0]}, {min(sizes):.1f} to {max(sizes):.1f} MB")
        for line in report(run(paths, given.baseline, given.rounds)):
            print(line)
        for each in differences(Path(name), paths):
            print(each)


if __name__ == "__main__":
    main()
