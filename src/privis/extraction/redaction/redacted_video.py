"""One video painted over: every frame looked at, regions held over gaps, written anew, and looked at again."""

from __future__ import annotations

import contextlib
import warnings
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from privis.errors import ImageError, Problem
from privis.extraction.redaction.redacted_file import HeldBack, refuse_outside
from privis.extraction.redaction.redactor import Redacted, Redactor
from privis.io.atomic import replacing
from privis.io.images.decode import MAX_PIXELS
from privis.io.video.encoded_video import TimedFrame, VideoForm, form_of, write_video
from privis.io.video.frame_choice import FrameChoice
from privis.io.video.frame_pixels import FramePixels, display_matrix
from privis.io.video.frame_reading import VideoWarning, chosen_frames
from privis.io.video.opened_video import opened_video
from privis.tasks.redaction.left_regions import FaceVerdict, left_tracks, people_of, without_left
from privis.tasks.redaction.moving_regions import RegionHold, RegionTrack
from privis.tasks.redaction.painting import paint, painted_mask
from privis.tasks.redaction.regions import ImageRegion, RegionKind

Pixels = NDArray[np.uint8]
Regions = tuple[ImageRegion, ...]
_ONLY_SEEN = RegionHold(0, 1)
"""How faces that stay are followed: what is found beside them is somebody else."""
_SHOWN = 100
"""Frames of a video that are shown for checking by eye, at most."""


@dataclass(frozen=True)
class FrameRedaction:
    """What was painted in one frame.

    Args:
        seconds: when it is shown.
        regions: as they were found or given there, without margins; not those that were held from other frames.
        share: of the frame that is painted, in [0, 1].
    """

    seconds: Fraction
    regions: Regions = field(repr=False)
    share: float


@dataclass(frozen=True)
class VideoRedaction:
    """What was painted in one video, and whether it was written.

    Args:
        frames: one for each, in the order in which they are shown.
        size: (height, width) of them in pixels.
        tracks: how many things of each kind were painted, each followed through frames.
        passes: how often detectors looked at the whole video.
        unsettled: frames in which they found something new the last time, by their seconds; empty: none.
        missing: kinds that had to be there and of which nothing was found.
    """

    frames: tuple[FrameRedaction, ...] = field(repr=False)
    size: tuple[int, int]
    tracks: Mapping[RegionKind, int]
    passes: int
    unsettled: tuple[Fraction, ...]
    missing: tuple[RegionKind, ...]

    @property
    def written(self) -> bool:
        """Whether the output has its name."""
        return not self.unsettled and not self.missing

    @property
    def settled(self) -> bool:
        """Whether nothing new was found in the end."""
        return not self.unsettled

    @property
    def painted(self) -> int:
        """How many things were painted."""
        return sum(self.tracks.values())


@dataclass(frozen=True)
class VideoRules:
    """How a video is painted, beside what is painted.

    Args:
        hold: how long regions stay where detectors see nothing.
        keep_sound: whether the first sound is written, too.
        every: seconds between two frames that detectors look at; None: they look at all.
        required: kinds of which a video has to show at least one, or it is held back.
        max_pixels: most pixels of a frame.
    """

    hold: RegionHold = RegionHold()
    keep_sound: bool = False
    every: Fraction | None = None
    required: frozenset[RegionKind] = frozenset()
    max_pixels: int = MAX_PIXELS


def redact_video(
    redactor: Redactor,
    source: Path | str,
    output: Path,
    rules: VideoRules = VideoRules(),
    given: Mapping[int | None, Sequence[ImageRegion]] | None = None,
    *,
    look: Callable[[int, Pixels, Redacted], None] | None = None,
    before: Callable[[VideoRedaction, Path], None] | None = None,
    on_progress: Callable[[float], None] = lambda share: None,
) -> VideoRedaction:
    """Write a painted copy of a video, in the format of the output's name where that is written, else as MP4.

    Detectors look at every frame; what they find is held over gaps (`RegionHold`), painted, and written. Then they look
    at the frames of what was written, until they find nothing new. Whatever happens, ``output`` is either as before or
    the whole painted video: what is written meanwhile has another name, and holds painted frames only.

    Args:
        redactor: what is painted.
        source: the video; it is only read.
        output: its painted copy.
        rules: how.
        given: the user's own regions by number of the frame, from 0, or None for all frames.
        look: is given number, pixels and result of frames in which something appears, a hundred at most.
        before: is given the result and the path of the finished file just before that gets its name.
        on_progress: is told the share that is done, in (0, 1], where nothing new is found in the second look.

    Returns:
        What was painted; ``written`` is False where the video was held back.

    Raises:
        ImageError: the video cannot be read, has no frame, or a given region lies outside of it.
        OutputError: the output cannot be written.
        MissingExtraError: the extra ``video`` is not installed.
    """
    form, work = form_of(output.name), _Work(redactor, Path(source), rules, dict(given or {}), on_progress)
    work.first_look()
    result = None
    try:
        with replacing(output) as temporary:
            while True:
                work.write(temporary, form)
                if not work.may_look or work.is_settled(temporary):
                    break
            if look is not None:
                work.show(look)
            result = work.result()
            if not result.written:
                raise HeldBack
            if before is not None:
                before(result, temporary)
    except HeldBack:
        pass
    assert result is not None
    return result


class _Work:
    """What is known of one video while it is painted."""

    def __init__(
        self,
        redactor: Redactor,
        source: Path,
        rules: VideoRules,
        given: dict[int | None, Sequence[ImageRegion]],
        on_progress: Callable[[float], None],
    ) -> None:
        self._redactor, self._source, self._rules, self._given = redactor, source, rules, given
        self._on_progress = on_progress
        self._times: list[Fraction] = []
        self._found: list[list[ImageRegion]] = []
        self._looked: list[bool] = []
        self._verdicts: list[list[FaceVerdict]] = []
        self._left: tuple[Regions, ...] = ()
        self._painted: tuple[Regions, ...] = ()
        self._shares: list[float] = []
        self._unsettled: tuple[Fraction, ...] = ()
        self._size, self._passes = (0, 0), 0
        with contextlib.closing(opened_video(source, max_pixels=rules.max_pixels)) as video:
            if video.is_live:
                remedy = "record it first: what is written is looked at again"
                raise ImageError(Problem(video.where, "a pipe or a camera", "a file, which can be read twice", remedy))
            self._rate = video.rate or Fraction(25)
            self._aspect = Fraction(video.stream.sample_aspect_ratio or 1)
            self._expected = int((video.declared_seconds or 0) * self._rate)

    @property
    def may_look(self) -> bool:
        """Whether detectors are to look once more."""
        return bool(self._redactor.finders) and self._passes < self._redactor.passes

    def first_look(self) -> None:
        """Look at the frames of the source."""
        always, due = tuple(self._given.pop(None, ())), Fraction(-1)
        seen: Pixels | None = None
        new: list[ImageRegion] = []
        verdicts: list[FaceVerdict] = []
        for number, frame in enumerate(self._frames(self._source)):
            own = [*always, *self._given.pop(number, ())]
            refuse_outside(f"{self._source} frame {number + 1}", own, frame.pixels.shape)
            self._looked.append(frame.seconds >= due)
            if self._looked[-1]:
                due = frame.seconds + (self._rules.every or 0)
                if seen is None or own or not np.array_equal(seen, frame.pixels):  # a standing picture: once
                    new = self._redactor.new_regions(frame.pixels, painted_mask(frame.pixels.shape, own))
                    verdicts = self._judged(frame.pixels, new)
                    seen = None if own else frame.pixels
            self._times.append(frame.seconds)
            self._found.append([*own, *(new if self._looked[-1] else ())])
            self._verdicts.append([FaceVerdict.PAINT] * len(own) + (verdicts if self._looked[-1] else []))
            self._tell(number + 1)
        if self._given:
            got = f"regions of frame {max(number for number in self._given if number is not None) + 1}"
            raise ImageError(Problem(str(self._source), got, f"frames 1 to {len(self._times)}"))
        self._leave()
        self._passes = 1 if self._redactor.finders else 0
        if self._redactor.finders:  # until somebody has looked at what is written
            self._unsettled = tuple(time for time, found in zip(self._times, self._found, strict=True) if found)

    def _judged(self, pixels: Pixels, regions: Sequence[ImageRegion]) -> list[FaceVerdict]:
        judge = self._redactor.judge
        return [FaceVerdict.PAINT] * len(regions) if judge is None else judge.judge(pixels, regions)

    def _leave(self) -> None:
        """Take out the faces that stay, and the people whose heads they are, through all frames."""
        times = [float(time) for time in self._times]
        said = {
            id(region): verdict
            for regions, verdicts in zip(self._found, self._verdicts, strict=True)
            for region, verdict in zip(regions, verdicts, strict=True)
        }
        tracks = self._tracks()
        faces = [track for track in tracks if track.regions[0].kind is RegionKind.FACE]
        stay, _ = left_tracks(faces, [[said[id(region)] for region in track.regions] for track in faces])
        self._left = _ONLY_SEEN.of_tracks(stay, times)
        people = people_of((t for t in tracks if t.regions[0].kind is RegionKind.PERSON), self._left)
        out = {id(region) for track in (*stay, *people) for region in track.regions}
        for number, regions in enumerate(self._found):
            kept = [region for region in regions if id(region) not in out]
            self._found[number] = list(without_left(kept, [r for r in self._left[number] if id(r) in out]))

    def write(self, path: Path, form: VideoForm) -> None:
        """Paint what is known by now, and write all frames."""
        self._painted = self._rules.hold.over(self._found, [float(time) for time in self._times])
        self._shares = []
        start = Fraction(0) if self._rules.keep_sound else self._times[0]
        frames = (TimedFrame(each.seconds - start, pixels) for each, pixels in self._masked())
        sound = self._source if self._rules.keep_sound else None
        with _without_warnings():
            write_video(frames, path, form, self._rate, aspect=self._aspect, sound=sound)
        if len(self._shares) != len(self._times):
            raise self._changed(len(self._shares))

    def is_settled(self, path: Path) -> bool:
        """Look at what was written, and say whether nothing is new, or nobody may look any more."""
        new: dict[int, list[ImageRegion]] = {}
        fresh: dict[int, bool] = {}
        count = 0
        with _without_warnings():
            for count, frame in enumerate(self._frames(path), 1):
                if count <= len(self._times) and self._looked[count - 1]:
                    mask = self._mask(count - 1, frame.pixels.shape)
                    if found := self._redactor.new_regions(frame.pixels, mask, self._left[count - 1], True):
                        new[count - 1] = found
                        fresh[count - 1] = bool(self._redactor.fresh(found, mask))
                self._tell(count)
        if count != len(self._times):
            raise self._changed(count)
        self._passes += 1
        for number, found in new.items():
            self._found[number] += found
        self._unsettled = tuple(self._times[number] for number, is_fresh in fresh.items() if is_fresh)
        return not new or not self.may_look

    def show(self, look: Callable[[int, Pixels, Redacted], None]) -> None:
        """Show frames in which something appears."""
        begins = sorted({track.frames[0] for track in self._tracks()})[:_SHOWN]
        with _without_warnings():
            for number, frame in enumerate(self._frames(self._source)):
                if number in begins:
                    mask, regions = self._mask(number, frame.pixels.shape), self._painted[number]
                    painted = paint(frame.pixels, mask, self._redactor.colour)
                    look(number, frame.pixels, Redacted(painted, regions, mask, self._passes, not self._unsettled))

    def result(self) -> VideoRedaction:
        """Say what was painted."""
        tracks = Counter(track.regions[0].kind for track in self._tracks())
        missing = tuple(kind for kind in RegionKind if kind in self._rules.required - set(tracks))
        whole = zip(self._times, self._found, self._shares, strict=True)
        frames = tuple(FrameRedaction(time, tuple(found), share) for time, found, share in whole)
        return VideoRedaction(frames, self._size, tracks, self._passes, self._unsettled, missing)

    def _tracks(self) -> tuple[RegionTrack, ...]:
        return self._rules.hold.tracks(self._found, [float(time) for time in self._times])

    def _frames(self, path: Path) -> Iterator[TimedFrame]:
        convert = FramePixels()
        chosen = chosen_frames(path, FrameChoice(), where=str(self._source), max_pixels=self._rules.max_pixels)
        with contextlib.closing(chosen) as decoded:
            for frame in decoded:
                pixels = convert(frame.picture)
                if not self._times:
                    self._size = pixels.shape[:2]
                    self._aspect = 1 / self._aspect if _is_turned(frame.picture) else self._aspect
                yield TimedFrame(frame.time, pixels)

    def _masked(self) -> Iterator[tuple[TimedFrame, Pixels]]:
        for number, frame in enumerate(self._frames(self._source)):
            if number >= len(self._times) or frame.seconds != self._times[number]:
                raise self._changed(number + 1)
            mask = self._mask(number, frame.pixels.shape)
            self._shares.append(float(mask.mean()))
            yield frame, paint(frame.pixels, mask, self._redactor.colour)

    def _mask(self, number: int, shape: Sequence[int]) -> NDArray[np.bool_]:
        return painted_mask(shape, self._redactor.margins.around(self._painted[number]))

    def _changed(self, count: int) -> ImageError:
        got = f"another video when it was read again (frame {count} of {len(self._times)})"
        return ImageError(Problem(str(self._source), got, "a file that does not change", "run the same command again"))

    def _tell(self, frames: int) -> None:
        known = len(self._times) if self._passes else max(self._expected, frames)
        self._on_progress(min(1.0, (min(self._passes, 1) + frames / max(known, 1)) / 2))


def _is_turned(picture: Any) -> bool:
    """Whether the width of the stored frame is the height of the upright one."""
    matrix = display_matrix(picture)
    return matrix is not None and abs(matrix[1]) + abs(matrix[2]) > abs(matrix[0]) + abs(matrix[3])


@contextlib.contextmanager
def _without_warnings() -> Iterator[None]:
    """Of the reader, which the first look gave already."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", VideoWarning)
        yield
