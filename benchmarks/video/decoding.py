"""Frames a processor second, and where frames and times differ, beside PyAV by hand.

By hand: ``for frame in container.decode(video=0): frame.to_ndarray(format="rgb24")``, with one thread as the product
has. It leaves frames turned and interlaced, takes times as they come, and converts colours by swscale's defaults; the
product converts without bias and the same on every processor, which costs the difference in time.
"""

from __future__ import annotations

import sys
import time
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from privis.io.video.frame_at import frame_at
from privis.io.video.frame_choice import FrameChoice
from privis.io.video.frame_reading import VideoWarning, video_frames
from privis.io.video.packet_times import chosen_times
from privis.io.video.presentation import microseconds

CLIPS = (
    "video/pets2009_s2l1/pets2009_s2l1_view001_480x360.avi",
    "video/background_model_clips/highway_video02.avi",
    "video/background_model_clips/shop.avi",
    "actions/kth_walking/person01_walking_d4_uncomp.avi",
    "actions/urfd_falls/fall/fall-01-cam0.mp4",
    "actions/urfd_falls/adl/adl-01-cam0.mp4",
)
Frame = tuple[float, NDArray[np.uint8]]


@dataclass(frozen=True)
class Decoding:
    """How one clip is read.

    Args:
        frames: that the product gives.
        by_hand: frames that PyAV by hand gives.
        uneven: intervals between frames by hand that go back or differ from the most frequent one by more than 2 ms.
        own_uneven: the same of the product.
        difference: mean difference of both in grey levels.
        own_rate: frames a processor second.
        hand_rate: the same by hand.
        listed_rate: frames a processor second whose times are listed.
        wrong: frames of 20 asked for by their times in any order that are not those of the whole.
    """

    frames: int
    by_hand: int
    uneven: int
    own_uneven: int
    difference: float
    own_rate: float
    hand_rate: float
    listed_rate: float
    wrong: int


def by_hand(path: Path) -> Iterator[Frame]:
    """What a script of three lines reads."""
    import av

    with av.open(str(path)) as container:
        container.streams.video[0].codec_context.thread_count = 1
        for frame in container.decode(video=0):
            yield float(frame.time or 0.0), frame.to_ndarray(format="rgb24")


def own(path: Path) -> Iterator[Frame]:
    """What the product reads."""
    yield from video_frames(path)


def measured(path: Path, repeats: int = 3, seeks: int = 20) -> Decoding:
    """Read a clip both ways, in turn."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", VideoWarning)
        hand, mine = list(by_hand(path)), list(own(path))
        pairs = list(zip(hand, mine, strict=False))
        differences = [
            float(np.abs(a[1].astype(np.int16) - b[1]).mean()) for a, b in pairs[:: max(1, len(pairs) // 50)]
        ]
        hand_rate, own_rate = (min(_seconds(read, path) for _ in range(repeats)) for read in (by_hand, own))
        started = time.process_time()
        times = chosen_times(path, FrameChoice())
        listed = time.process_time() - started
        order = np.random.default_rng(1).permutation(len(mine))[:seeks]
        wrong = sum(not np.array_equal(frame_at(path, microseconds(Fraction(times[at]))), mine[at][1]) for at in order)
    return Decoding(
        len(mine), len(hand), _uneven(hand), _uneven(mine), float(np.mean(differences)), len(mine) / own_rate,
        len(hand) / hand_rate, len(times) / max(listed, 1e-9), wrong,
    )  # fmt: skip


def _seconds(read: Callable[[Path], Iterator[Frame]], path: Path) -> float:
    started = time.process_time()
    for _ in read(path):
        pass
    return time.process_time() - started


def _uneven(frames: list[Frame]) -> int:
    steps = np.diff([moment for moment, _ in frames])
    return int((np.abs(steps - np.median(steps)) > 2e-3).sum()) if len(steps) else 0


def main() -> None:
    """Print a line for each clip."""
    data = Path(sys.argv[1])
    print(
        "frames | by hand | uneven times: here, by hand | grey levels apart | frames a processor second: here, by "
        "hand, listed"
    )
    for name in CLIPS:
        if not (data / name).exists():
            print(f"{name}: not there")
            continue
        found = measured(data / name)
        print(
            f"{Path(name).name}: {found.frames} | {found.by_hand} | {found.own_uneven}, {found.uneven} | "
            f"{found.difference:.2f} | {found.own_rate:.0f}, {found.hand_rate:.0f}, {found.listed_rate:.0f} | "
            f"{found.wrong} of 20 wrong by time (bar 0)"
        )
