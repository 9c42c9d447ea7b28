"""Pictures and videos of tracks that a command was asked for."""

from __future__ import annotations

import contextlib
import itertools
from collections import deque
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from privis.cli.video.following import VideoPass
from privis.cli.video.place_words import WatchedPlaces
from privis.errors import ParameterError, Problem, refuse
from privis.estimators.video.people_tracking import FollowedFrame
from privis.estimators.video.track_pictures import TrackPictures, boxes_drawn
from privis.io.atomic import check_writable, replacing
from privis.io.video.encoded_video import FORMS, TimedFrame, form_of, write_video
from privis.io.video.frame_choice import FrameChoice
from privis.io.video.frame_reading import video_frames
from privis.tasks.tracking.tracks import Tracks

Picture = npt.NDArray[np.uint8]
_PICTURES = (".png", ".jpg", ".jpeg")


def checked_pictures(
    output: Path, ways: Path | None, heat_map: Path | None, timeline: Path | None, annotated: Path | None, once: bool
) -> None:
    """Refuse names that could not be written, before anything is read.

    Args:
        output: the table.
        ways: picture of ways.
        heat_map: picture of where feet were.
        timeline: picture of who was there when.
        annotated: video.
        once: whether the video can be read a single time.

    Raises:
        ParameterError: a suffix that is not known, one name for two files, or a video of what cannot be read again.
        OutputError: a folder that may not be written.
    """
    problems = []
    named = {"--output": output, "--ways": ways, "--heat-map": heat_map, "--timeline": timeline}
    for option, path in list(named.items())[1:]:
        if path is not None and path.suffix.lower() not in _PICTURES:
            problems.append(Problem(option, repr(str(path)), f"a name that ends in {', '.join(_PICTURES)}"))
    if annotated is not None:
        if annotated.suffix.lower() not in FORMS:
            problems.append(Problem("--annotated", repr(str(annotated)), f"a name that ends in {', '.join(FORMS)}"))
        if once:
            got = "a pipe or a camera, which is read once"
            problems.append(Problem("--annotated", got, "a file, which is read again", "record it first"))
    given = [path for path in (*named.values(), annotated) if path is not None]
    if len({path.resolve() for path in given}) < len(given):
        problems.append(Problem("outputs", "one name for two files", "a name of its own for each"))
    refuse(ParameterError, problems)
    for path in given:
        check_writable(path)


class TrackDrawing:
    """Draws what was asked for, while a video is read and after it.

    Args:
        ways: picture of where everybody went.
        heat_map: picture of where feet were.
        timeline: picture of who was there when.
        annotated: video with boxes; its rows are kept meanwhile.
        watched: places, which are drawn into the video.
    """

    def __init__(
        self, ways: Path | None, heat_map: Path | None, timeline: Path | None, annotated: Path | None,
        watched: WatchedPlaces,
    ) -> None:  # fmt: skip
        self._ways, self._heat_map, self._timeline, self._annotated = ways, heat_map, timeline, annotated
        self._watched = watched
        self._pictures: TrackPictures | None = None
        self._ground: Picture | None = None
        self._rows: list[Tracks] = []

    def add(self, followed: FollowedFrame) -> None:
        """Take in a frame.

        Args:
            followed: of the video, in order.
        """
        if self._annotated is not None and len(followed.decided):
            self._rows.append(followed.decided)
        if self._ways is self._heat_map is self._timeline is None:
            return
        self._ground = followed.ground
        if self._pictures is None:
            height, width = followed.ground.shape[:2]
            self._pictures = TrackPictures((height, width))
        rows = followed.decided
        self._pictures.add(Tracks(rows.frames, rows.ids, rows.boxes / followed.factor, rows.scores, rows.times))

    def write(self, source: str, choice: FrameChoice, reading: VideoPass, max_pixels: int) -> None:
        """Write the files.

        Args:
            source: the video.
            choice: frames that were read.
            reading: of it, which is over.
            max_pixels: most pixels of a frame.

        Raises:
            OutputError: one could not be written.
        """
        if self._pictures is not None and self._ground is not None:
            if self._ways is not None:
                _save(self._ways, self._pictures.ways(self._ground))
            if self._heat_map is not None:
                _save(self._heat_map, self._pictures.heat_map(self._ground))
            if self._timeline is not None:
                _save(self._timeline, self._pictures.timeline(reading.end))
        if self._annotated is not None:
            drawn, rate = self._drawn(source, choice, reading.frames, max_pixels), Fraction(reading.rate)
            with replacing(self._annotated) as temporary:
                write_video(drawn, temporary, form_of(self._annotated.name), rate.limit_denominator(1000))

    def _drawn(self, source: str, choice: FrameChoice, frames: int, max_pixels: int) -> Iterator[TimedFrame]:
        parts, start = deque(self._rows), Fraction(0)
        given: Any = video_frames(source, choice, max_pixels=max_pixels)
        with contextlib.closing(given):
            for number, frame in enumerate(itertools.islice(given, frames), 1):
                while parts and parts[0].frames[-1] < number:
                    parts.popleft()
                rows = Tracks.none() if not parts else parts[0][parts[0].frames == number]
                pixels = boxes_drawn(frame.pixels, rows, self._watched.zones, self._watched.lines)
                time = Fraction(frame.time)
                start = time if number == 1 else start
                yield TimedFrame(time - start, pixels)


def _save(path: Path, picture: Picture) -> None:
    from PIL import Image

    form = "PNG" if path.suffix.lower() == ".png" else "JPEG"
    with replacing(path) as temporary:
        Image.fromarray(picture).save(temporary, form)
