"""People followed through a video of a fixed camera: background, foreground, places, tracks."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt

from privis.estimators.video.background_ahead import SeenFrame, frames_with_background
from privis.io.video.frame_choice import FrameChoice
from privis.io.video.frame_reading import VideoWarning, video_frames
from privis.io.video.opened_video import MAX_PIXELS, SILENCE, without_password
from privis.tasks.detection.boxes import DetectedBoxes
from privis.tasks.tracking.finding.appearance import appearances
from privis.tasks.tracking.finding.foreground import Background, ForegroundPlan, closed_foreground
from privis.tasks.tracking.finding.moving_people import (
    PeoplePlan,
    PlacesOfPeople,
    moving_blobs,
    people_in_foreground,
    single_blobs,
)
from privis.tasks.tracking.finding.person_scale import PersonScale
from privis.tasks.tracking.finding.rolling_background import BackgroundPlan
from privis.tasks.tracking.tracker import Tracker, TrackerPlan
from privis.tasks.tracking.tracks import Tracks

Picture = npt.NDArray[np.uint8]
ENOUGH_BLOBS = 400
"""Of which the heights of people are learned; then the line stays."""
UNKNOWN_HEIGHT = 1 / 8
"""Of a person while none is known, as a share of the picture's."""
MOST_MOVING = 0.5
"""Of a picture; where more differs from the background, the camera moved or the light changed."""
FEW = 0.05
"""Of frames, of which it is not told that they were left out."""


@dataclass(frozen=True)
class PeopleTracking:
    """How people are followed.

    Args:
        background: how it is learned.
        foreground: when a pixel counts as moving.
        people: when a place of the foreground is a person.
        tracker: when detections are one person.
        scale: how tall people are in pixels of the video; None: learned from it.
        whatever_moves: follow connected parts of the foreground as they are, such as cars.
        detector: boxes of a frame, uint8 (H, W, 3) RGB, by another detector, each of them sure; then the camera
            may move. None: people are found as what differs from the background.
        side: pixels that the longer side of frames is reduced to.
        max_pixels: most pixels of a frame.
        silence: seconds that a pipe or a camera may give nothing.
    """

    background: BackgroundPlan = BackgroundPlan()
    foreground: ForegroundPlan = ForegroundPlan()
    people: PeoplePlan = PeoplePlan()
    tracker: TrackerPlan = TrackerPlan()
    scale: PersonScale | None = None
    whatever_moves: bool = False
    detector: Callable[[Picture], DetectedBoxes] | None = None
    side: int = 640
    max_pixels: int = MAX_PIXELS
    silence: float = SILENCE

    def follow(
        self, source: Path | str, choice: FrameChoice | None = None, stop: Callable[[], bool] = lambda: False
    ) -> Iterator[FollowedFrame]:
        """Follow people through a video.

        Args:
            source: path, ``-`` for standard input, or an address of a camera.
            choice: which frames.
            stop: asked before each frame; true ends the video there, as if no more came.

        Yields:
            One for each frame, with the rows of tracks that are decided by then, and a last one with the rest.

        Raises:
            ImageError: no video, or one without frames.
            MissingExtraError: PyAV is not installed.

        Warns:
            VideoWarning: what could not be read, or frames in which most of the picture changed.
        """
        tracker, finder = Tracker(self._tracker()), _Finder(self)
        frames = self._frames(source, choice)
        last: SeenFrame | None = None
        for last in frames:
            if stop():
                break
            found, looks = finder.find(last, tracker.expected(last.time))
            rows = tracker.update(last.time, found, looks)
            yield FollowedFrame(last.time, _enlarged(rows, last.factor), _ground(last), last.factor)
        if finder.left_out > FEW * finder.frames:
            told = f"in {finder.left_out:,} of {finder.frames:,} frames more than half of the picture differs from "
            told += "the background: the camera moves or its light changes; nobody was looked for there"
            warnings.warn(f"{without_password(str(source))}: {told}", VideoWarning, stacklevel=2)
        if last is not None:
            yield FollowedFrame(None, _enlarged(tracker.finish(), last.factor), _ground(last), last.factor)

    def _tracker(self) -> TrackerPlan:
        return self.tracker if self.detector is None else replace(self.tracker, sure=-np.inf)

    def _frames(self, source: Path | str, choice: FrameChoice | None) -> Iterator[SeenFrame]:
        if self.detector is None:
            yield from frames_with_background(source, choice, self.background, self.side, self.max_pixels, self.silence)
            return
        for frame in video_frames(source, choice, max_pixels=self.max_pixels, silence=self.silence):
            yield SeenFrame(frame.time, frame.pixels, None, (), 1.0)


@dataclass(frozen=True, eq=False)
class FollowedFrame:
    """A frame that was read, and what is known since.

    Args:
        time: when it is shown, in seconds from the start; None: the video is over.
        decided: rows of tracks of frames up to some seconds before, in pixels of the video.
        ground: uint8 (H, W, 3), reduced: the background, or plain grey while there is none; nobody is on it.
        factor: how much larger the video is than ``ground``.
    """

    time: float | None
    decided: Tracks
    ground: Picture = field(repr=False)
    factor: float = 1.0


class _Finder:
    """Finds people in frames, and learns how tall they are meanwhile; one pass through one video."""

    def __init__(self, plan: PeopleTracking) -> None:
        self._plan = plan
        self._places: PlacesOfPeople | None = None
        self._learned: Background | None = None  # that blobs were taken of
        self._blobs = np.zeros((0, 4))
        self.left_out = self.frames = 0

    def find(
        self, frame: SeenFrame, expected: npt.NDArray[np.float64]
    ) -> tuple[DetectedBoxes, npt.NDArray[np.float64]]:
        """People, or whatever moves, in a frame, in its pixels, and how they look."""
        self.frames += 1
        if self._plan.detector is not None:
            found = self._plan.detector(frame.pixels)
            return found, appearances(frame.pixels, np.ones(frame.pixels.shape[:2], np.uint8), found.boxes)
        if frame.background is None:
            return DetectedBoxes.none(), np.zeros((0, 1))
        plan = self._plan
        if not plan.whatever_moves and frame.background is not self._learned:
            self._learn(frame)
        height = self._height(frame)
        moving = frame.background.foreground(frame.pixels, plan.foreground)
        if moving.mean() > MOST_MOVING:
            self.left_out += 1
            return DetectedBoxes.none(), np.zeros((0, 1))
        moving = closed_foreground(moving, height)
        if self._places is None:
            found = moving_blobs(moving)
        else:
            found = people_in_foreground(moving, self._places, expected, plan.people)
        return found, appearances(frame.pixels, moving, found.boxes)

    def _height(self, frame: SeenFrame) -> float:
        """Of a person in the middle of the picture, in its pixels."""
        rows = frame.pixels.shape[0]
        return rows * UNKNOWN_HEIGHT if self._places is None else float(self._places.scale.heights(rows / 2))

    def _learn(self, frame: SeenFrame) -> None:
        background = self._learned = frame.background
        shape = frame.pixels.shape[0], frame.pixels.shape[1]
        assert background is not None
        if self._plan.scale is not None:
            if self._places is None:
                self._places = PlacesOfPeople(self._plan.scale.scaled(1 / frame.factor), shape)
            return
        if len(self._blobs) >= ENOUGH_BLOBS:
            return
        masks = (background.foreground(sample, self._plan.foreground) for sample in frame.samples)
        blobs = [single_blobs(closed_foreground(mask, self._height(frame))) for mask in masks]
        self._blobs = np.concatenate([self._blobs, *blobs])
        scale = PersonScale.learned(self._blobs, shape)
        if scale is not None and (self._places is None or scale != self._places.scale):
            self._places = PlacesOfPeople(scale, shape)


def _ground(frame: SeenFrame) -> Picture:
    return np.full_like(frame.pixels, 128) if frame.background is None else frame.background.pixels


def _enlarged(rows: Tracks, factor: float) -> Tracks:
    return rows if factor == 1 else Tracks(rows.frames, rows.ids, rows.boxes * factor, rows.scores, rows.times)
