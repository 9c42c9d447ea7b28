"""Every feature in the clear beside the fastest named library for the same job, one thread each, in one run.

``python -m benchmarks.extraction [WORDS …]``; with words, only rows that have one of them. Ours runs as
``privis.extract`` runs it: owner's side with the conversion to luma, core, owner's side again; peers get what they read
ready-made (a network's planes, of which both subtract the mean), and are not asked for what they lack. Contestants of
a row take turns; a ratio is the median of the ratios of all turns, of processor seconds, so that neither other work on
the machine nor a thread in the background counts. The bar is 1: no feature takes longer than the fastest peer.
"""

from __future__ import annotations

import statistics
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from skimage import data

from benchmarks.extraction import peers
from benchmarks.extraction.networks import OPEN_SIZE
from benchmarks.extraction.peers import Work
from privis import (
    CNN,
    GLCM,
    HOG,
    LBP,
    SIFT,
    SURF,
    BagOfVisualWords,
    Clear,
    Codebook,
    ColourHistogram,
    DalalTriggsHOG,
    DenseSIFT,
    FlowHistogram,
    Foreground,
    FrameDifference,
    Gabor,
    MotionEnergy,
    Patterns,
    Scattering,
    extract,
    stacked_frames,
)
from privis.extraction.extractor import Extractor
from privis.features.feature import Feature
from privis.io.images.record import ImageRecord
from privis.program.onnx.translate import network_input, parse_onnx

SIDE = 256
BATCH = 64
SHARED = Path(__file__).resolve().parents[3] / "shared" / "data"


@dataclass(frozen=True)
class Race:
    """Ours against all peers of one job; ``limit`` is the largest allowed ratio of our time to the fastest peer's."""

    feature: str
    ours: Work
    peers: Mapping[str, Work]
    limit: float = 1.0


@dataclass(frozen=True)
class Row:
    """What a race took: medians in milliseconds of a turn, and the median ratio to the fastest peer."""

    feature: str
    milliseconds: float
    peer: str
    peer_milliseconds: float
    ratio: float
    limit: float
    slower: tuple[str, ...] = field(default=())

    def __str__(self) -> str:
        verdict = "ok" if self.ratio <= self.limit else "TOO SLOW"
        others = f"; slower: {', '.join(self.slower)}" if self.slower else ""
        return (
            f"{self.feature:26} {self.milliseconds:9.2f} {self.peer:38} {self.peer_milliseconds:9.2f} {self.ratio:6.2f}"
            f"  (at most {self.limit:g}) {verdict}{others}"
        )


def races(image: NDArray[np.uint8], batch: int = BATCH, whole: NDArray[np.uint8] | None = None) -> Iterator[Race]:
    """The races on one RGB image (H, W, 3), those of key points on ``whole`` where it is given."""
    luma = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)
    large = image if whole is None else whole
    large_luma = cv2.cvtColor(large, cv2.COLOR_RGB2GRAY)
    hog = peers.cv2_hog([luma])
    yield Race("HOG", ours(HOG(), image), {"cv2.HOGDescriptor": hog, "skimage hog": peers.skimage_hog(luma)})
    opencv_layout = DalalTriggsHOG(size=None, gamma=False)
    yield Race("HOG, OpenCV's layout", ours(opencv_layout, image), {"cv2.HOGDescriptor": hog})
    together, many = {f"cv2.HOGDescriptor, {batch} images": peers.cv2_hog([luma] * batch)}, [image] * batch
    yield Race(f"HOG, {batch} images", lambda: extract(HOG(), many), together, 0.5)
    yield Race("the same, OpenCV's layout", lambda: extract(opencv_layout, many), together)
    yield Race(
        "LBP",
        ours(LBP(), image),
        {"skimage local_binary_pattern": peers.skimage_lbp(luma), "mahotas lbp": peers.mahotas_lbp(luma)},
    )
    uniform = {"skimage local_binary_pattern, uniform": peers.skimage_lbp(luma, "nri_uniform")}
    yield Race("LBP, uniform", ours(LBP(Patterns.UNIFORM), image), uniform)
    histograms = {"cv2.calcHist, 3 channels": peers.cv2_channel_histograms(image)}
    yield Race("colour histogram", ours(ColourHistogram(), image), histograms)
    joint = {"cv2.calcHist, joint": peers.cv2_joint_histogram(image)}
    yield Race("colour histogram, joint", ours(ColourHistogram(bins=8, joint=True), image), joint)
    yield Race(
        "GLCM",
        ours(GLCM(), image),
        {"skimage graycomatrix": peers.skimage_cooccurrence(luma), "mahotas haralick": peers.mahotas_haralick(luma)},
    )
    gabor = {"cv2.filter2D, 48 filters": peers.cv2_gabor(luma), "scipy fftconvolve": peers.scipy_gabor(luma)}
    yield Race("Gabor", ours(Gabor(), image), gabor)
    small = cv2.resize(luma, (64, 64), interpolation=cv2.INTER_AREA)
    scattering = {"kymatio, numpy": peers.kymatio_numpy(small), "kymatio, torch": peers.kymatio_torch(small)}
    yield Race("scattering, 64x64", ours(Scattering(size=(64, 64)), image), scattering)
    yield from _key_points(luma, image, large_luma, large)
    yield from _motion(luma)


def _key_points(
    luma: NDArray[np.uint8], image: NDArray[np.uint8], large_luma: NDArray[np.uint8], large: NDArray[np.uint8]
) -> Iterator[Race]:
    yield Race("dense SIFT", ours(DenseSIFT(), image), {"cv2.SIFT on a grid": peers.cv2_dense_sift(luma)})
    yield Race("SIFT, all key points", lambda: SIFT().describe(large), {"cv2.SIFT": peers.cv2_sift(large_luma)})
    yield Race("SIFT, 256 key points", ours(SIFT(), large), {"cv2.SIFT, 256": peers.cv2_sift(large_luma, 256)})
    yield Race("SURF, 256 key points", ours(SURF(), large), {"mahotas surf, 256": peers.mahotas_surf(large_luma, 256)})
    centres = np.random.default_rng(0).random((32, 128)).astype(np.float32)
    words = centres / np.linalg.norm(centres, axis=1, keepdims=True)
    gathered = BagOfVisualWords(SIFT(), Codebook(words, source="random numbers"))
    visual = {"cv2.BOWImgDescriptorExtractor": peers.cv2_visual_words(large_luma, words, 256)}
    yield Race("visual words of SIFT", ours(gathered, large), visual)


def _motion(luma: NDArray[np.uint8]) -> Iterator[Race]:
    frames = [np.roll(luma, (shift, 2 * shift), (0, 1)) for shift in range(6)]
    two, first, second = stacked_frames(frames[:2]), frames[0], frames[1]
    yield Race("flow", ours(FlowHistogram(), two), {"cv2 Farnebäck and histograms": peers.cv2_flow(first, second)})
    yield Race("motion energy", ours(MotionEnergy(), two), {"cv2.absdiff": peers.cv2_motion_energy(first, second)})
    counted = {"cv2.subtract, threshold": peers.cv2_frame_difference(first, second)}
    yield Race("frame difference", ours(FrameDifference(), two), counted)
    yield Race(
        "foreground", ours(Foreground(), stacked_frames(frames)), {"numpy median": peers.numpy_foreground(frames)}
    )


def real_races() -> Iterator[Race]:
    """Key points of photographs of ``../shared/data``, and a network, where these are there."""
    kodak = [
        cv2.imread(str(path), cv2.IMREAD_GRAYSCALE) for path in sorted((SHARED / "photos/kodak").glob("*.png"))[:4]
    ]
    graf = cv2.imread(str(SHARED / "local_features/graf/img1.png"), cv2.IMREAD_GRAYSCALE)
    for name, photographs in (("Kodak, 4 images", kodak), ("graf", [] if graf is None else [graf])):
        if photographs:
            theirs = [peers.cv2_sift(each) for each in photographs]
            yield Race(
                f"SIFT, {name}",
                lambda own=tuple(photographs): [SIFT().describe(each) for each in own],
                {"cv2.SIFT": lambda own=tuple(theirs): [work() for work in own]},
            )
    for path in sorted((SHARED / "weights").rglob("*.onnx")):
        yield _network(path)


def _network(path: Path) -> Race:
    reads = network_input(parse_onnx(path.read_bytes()))
    size = (reads.height or OPEN_SIZE[0], reads.width or OPEN_SIZE[1])
    feature = CNN.from_onnx(path, size=size, divisor=1.0, mean=0.5)
    pixels = np.random.default_rng(0).integers(0, 256, feature.shape).astype(np.float32)
    run = Clear().prepare(feature.program(feature.shape))
    theirs = peers.onnxruntime_network(str(path), pixels[None], 0.5)
    return Race(f"network {path.stem}"[:26], lambda: run(pixels), {"onnxruntime": theirs})


def ours(feature: Feature, image: NDArray[np.uint8]) -> Work:
    """The extraction of one image that is decoded, as ``privis.extract`` runs it once a program is prepared."""
    extractor = Extractor(feature, Clear(), None, None, None)
    record = ImageRecord(image, "benchmark", is_file=False)
    return lambda: extractor(record)


def run(race: Race, rounds: int = 15, seconds: float = 4.0) -> Row:
    """Let the contestants of a race take turns: ``rounds`` times, fewer (3 at least) where that takes ``seconds``."""
    contestants = {race.feature: race.ours, **race.peers}
    for work in contestants.values():
        work()  # compiles, fills caches
    taken: dict[str, list[float]] = {name: [] for name in contestants}
    begun = time.process_time()
    for done in range(rounds):
        for name, work in contestants.items():
            start = time.process_time()
            work()
            taken[name].append(time.process_time() - start)
        if done >= 2 and time.process_time() - begun > seconds:
            break
    medians = {name: 1000 * statistics.median(times) for name, times in taken.items()}
    fastest, *slower = sorted(race.peers, key=medians.__getitem__)
    ratio = statistics.median(a / b for a, b in zip(taken[race.feature], taken[fastest], strict=True))
    return Row(race.feature, medians[race.feature], fastest, medians[fastest], ratio, race.limit, tuple(slower))


def photograph(side: int = SIDE) -> NDArray[np.uint8]:
    """An RGB photograph of ``side`` x ``side`` pixels."""
    return np.ascontiguousarray(data.astronaut()[:side, 100 : 100 + side])


def main(words: Sequence[str] = ()) -> None:
    cv2.setNumThreads(1)
    with suppress(ImportError):
        from threadpoolctl import threadpool_limits

        threadpool_limits(1)
    print(f"{'feature':26} {'ms':>9} {'fastest peer':38} {'ms':>9} {'ratio':>6}")
    for each in (*races(photograph(), whole=data.astronaut()), *real_races()):
        if not words or any(word in each.feature for word in words):
            print(run(each), flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
