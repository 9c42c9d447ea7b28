"""What is painted in every frame of a video: regions that detectors saw, and where they were when nobody saw them.

A face that a detector sees in one frame and misses in the next is still there. So detections of one kind that follow
each other are joined to tracks, and between two of them the region moves along; before the first and after the last of
a track it stays for a while, both where it was and where its motion would have brought it. Joining two that are not one
only paints more.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import numpy as np
from scipy.optimize import linear_sum_assignment

from privis.errors import ParameterError, Problem, refuse
from privis.tasks.redaction.regions import ImageRegion
from privis.validation import whole_number

_NEAR = 1.0
"""Middles of two detections of one track are at most so many sides apart, beside what its motion explains."""
_ALIKE = 2.5
"""Ratio of the sides of two detections of one track, at most."""
_WIDER, _WIDEST = 0.04, 0.4
"""Share of its sides by which a region grows for every frame without a detection, and at most."""


@dataclass(frozen=True, eq=False)
class RegionTrack:
    """One thing through the frames of a video.

    Args:
        frames: numbers of the frames in which it was detected, from 0, rising.
        regions: what was detected there.
    """

    frames: tuple[int, ...]
    regions: tuple[ImageRegion, ...] = field(repr=False)


@dataclass(frozen=True)
class RegionHold:
    """How long a region stays where nobody sees it.

    Args:
        seconds: before the first and after the last detection of a track; twice as long may pass between two.
        frames: that it stays at least, however far apart frames are.

    Raises:
        ParameterError: naming everything that does not fit.

    >>> from privis.tasks.redaction.regions import RegionKind
    >>> face = ImageRegion.of_box(RegionKind.FACE, 10, 10, 20, 20)
    >>> found = [(), (), (face,), (), (), ()]
    >>> [len(regions) for regions in RegionHold(0.1).over(found, [0, 0.04, 0.08, 0.12, 0.16, 1])]
    [1, 1, 1, 1, 1, 0]
    """

    seconds: float = 0.5
    frames: int = 2

    def __post_init__(self) -> None:
        problems = whole_number("RegionHold.frames", self.frames)
        if not 0 <= self.seconds <= 60:
            problems.append(Problem("RegionHold.seconds", repr(self.seconds), "0 to 60"))
        refuse(ParameterError, problems)

    def over(
        self, found: Sequence[Iterable[ImageRegion]], times: Sequence[float]
    ) -> tuple[tuple[ImageRegion, ...], ...]:
        """Say what is painted in every frame.

        Args:
            found: regions that were detected in each frame, without margins.
            times: when each frame is shown, in seconds, rising.

        Returns:
            For each frame the regions, without margins: what was detected there, and what is held or moved along.

        Raises:
            ParameterError: another number of times than frames.
        """
        return self.of_tracks(self.tracks(found, times), times)

    def tracks(self, found: Sequence[Iterable[ImageRegion]], times: Sequence[float]) -> tuple[RegionTrack, ...]:
        """Join detections that follow each other: each is in one track.

        Args:
            found: regions that were detected in each frame.
            times: when each frame is shown, in seconds, rising.

        Returns:
            The tracks, in the order of their first frames.

        Raises:
            ParameterError: another number of times than frames.
        """
        if len(found) != len(times):
            raise ParameterError(
                Problem("RegionHold.times", f"{len(times)} times", f"{len(found)}, one for each frame")
            )
        begun: list[tuple[list[int], list[ImageRegion]]] = []
        open_tracks: list[int] = []
        for number, regions in enumerate(found):
            own = tuple(regions)
            open_tracks = [each for each in open_tracks if self._reaches(begun[each][0][-1], number, times, 2)]
            taken = _assigned([begun[each] for each in open_tracks], own, number)
            for place, region in enumerate(own):
                if place in taken:
                    track = begun[open_tracks[taken[place]]]
                else:
                    track = ([], [])
                    open_tracks.append(len(begun))
                    begun.append(track)
                track[0].append(number)
                track[1].append(region)
        return tuple(RegionTrack(tuple(frames), tuple(regions)) for frames, regions in begun)

    def of_tracks(self, tracks: Iterable[RegionTrack], times: Sequence[float]) -> tuple[tuple[ImageRegion, ...], ...]:
        """Say where tracks are in every frame.

        Args:
            tracks: as of `tracks`.
            times: when each frame is shown, in seconds, rising.

        Returns:
            For each frame the regions, without margins.
        """
        painted: list[list[ImageRegion]] = [[] for _ in times]
        for track in tracks:
            for frame, region in zip(track.frames, track.regions, strict=True):
                painted[frame].append(region)
            for (first, before), (last, after) in _pairs(track):
                for number in range(first + 1, last):
                    painted[number].append(_between(before, after, (number - first) / (last - first), last - first))
            for step, frame, region, motion in _ends(track):
                number = frame + step
                while 0 <= number < len(times) and self._reaches(frame, number, times, 1):
                    painted[number].append(_held(region, motion, abs(number - frame)))
                    number += step
        return tuple(tuple(regions) for regions in painted)

    def _reaches(self, seen: int, number: int, times: Sequence[float], factor: int) -> bool:
        apart = abs(times[number] - times[seen])
        return apart <= factor * self.seconds + 1e-9 or abs(number - seen) <= factor * self.frames


def _pairs(track: RegionTrack) -> Iterable[tuple[tuple[int, ImageRegion], tuple[int, ImageRegion]]]:
    return itertools.pairwise(zip(track.frames, track.regions, strict=True))


def _ends(track: RegionTrack) -> Iterable[tuple[int, int, ImageRegion, np.ndarray]]:
    """Of both ends: the step outward, the frame, the region there, and its motion in pixels for each such step."""
    last = _motion(list(track.frames), list(track.regions))
    first = _motion(list(track.frames[::-1]), list(track.regions[::-1]))
    yield -1, track.frames[0], track.regions[0], first
    yield 1, track.frames[-1], track.regions[-1], last


def _motion(frames: list[int], regions: list[ImageRegion]) -> np.ndarray:
    """Pixels for each frame at the end of a track, (2,), over at most its last five detections."""
    if len(frames) < 2:
        return np.zeros(2)
    start = max(0, len(frames) - 5)
    moved = regions[-1].corners.mean(axis=0) - regions[start].corners.mean(axis=0)
    return np.asarray(moved / abs(frames[-1] - frames[start]))


def _assigned(
    tracks: Sequence[tuple[list[int], list[ImageRegion]]], regions: Sequence[ImageRegion], number: int
) -> dict[int, int]:
    """For each region that goes on with a track the number of that: the pairs that lie nearest, all together."""
    if not tracks or not regions:
        return {}
    costs = np.full((len(tracks), len(regions)), np.inf)
    for row, (frames, seen) in enumerate(tracks):
        expected = seen[-1].corners.mean(axis=0) + _motion(frames, seen) * (number - frames[-1])
        side = max(seen[-1].box[2:])
        for column, region in enumerate(regions):
            longest = max(region.box[2:])
            small, large = sorted((max(side, 1.0), max(longest, 1.0)))
            middle = region.corners.mean(axis=0)
            apart = min(np.hypot(*(middle - expected)), np.hypot(*(middle - seen[-1].corners.mean(axis=0)))) / large
            if region.kind is seen[-1].kind and large <= _ALIKE * small and apart <= _NEAR:
                costs[row, column] = apart
    rows, columns = linear_sum_assignment(np.where(np.isfinite(costs), costs, 1e6))
    return {int(c): int(r) for r, c in zip(rows, columns, strict=True) if np.isfinite(costs[r, c])}


def _between(before: ImageRegion, after: ImageRegion, share: float, gap: int) -> ImageRegion:
    corners = before.corners * (1 - share) + after.corners * share
    wider = min(_WIDEST, _WIDER * min(share, 1 - share) * gap)
    return ImageRegion(before.kind, corners, min(before.score, after.score)).grown(wider)


def _held(region: ImageRegion, motion: np.ndarray, steps: int) -> ImageRegion:
    """The box around where a region was and where its motion would have brought it, at most two sides away."""
    x, y, width, height = region.box
    farthest = 2 * max(width, height)
    moved = np.clip(motion * steps, -farthest, farthest)
    left, top = min(x, x + moved[0]), min(y, y + moved[1])
    box = ImageRegion.of_box(region.kind, left, top, width + abs(moved[0]), height + abs(moved[1]), region.score)
    return box.grown(min(_WIDEST, _WIDER * steps))
