"""What commands that follow people share: their words as objects, and one pass through a video."""

from __future__ import annotations

import contextlib
import hashlib
import signal
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import FrameType

from privis.cli.console import INTERRUPTED, err
from privis.cli.detection.detect_words import DetectWords
from privis.errors import ParameterError, Problem, refuse
from privis.estimators.video.people_tracking import FollowedFrame, PeopleTracking
from privis.io.video.frame_choice import FrameChoice
from privis.io.video.opened_video import STANDARD_INPUT, address_scheme
from privis.tasks.tracking.finding.person_scale import SMALLEST, PersonScale, checked_scale

_HEIGHT = "PIXELS, or ROW:PIXELS,ROW:PIXELS of two rows, as 100:30,300:55"


def person_scale(words: str | None) -> PersonScale | None:
    """Read how tall people are.

    Args:
        words: of ``--person-height``; None: nothing was said.

    Returns:
        The scale; None: it is to be learned.

    Raises:
        ParameterError: they say no height.

    >>> person_scale("100:30,300:50").heights([200]).tolist()
    [40.0]
    """
    if words is None:
        return None
    try:
        if ":" not in words:
            slope, intercept = 0.0, float(words)
        else:
            (low, small), (high, tall) = (map(float, part.split(":")) for part in words.split(","))
            slope = (tall - small) / (high - low)
            intercept = small - slope * low
    except (ValueError, ZeroDivisionError):
        raise ParameterError(Problem("--person-height", repr(words), _HEIGHT)) from None
    if ":" not in words and intercept < SMALLEST:
        raise ParameterError(Problem("--person-height", repr(words), f"at least {SMALLEST:g} pixels"))
    return checked_scale("--person-height", slope, intercept)


@dataclass(eq=False)
class VideoPass:
    """One pass through a video, as long as nobody interrupts it.

    Args:
        source: path, ``-``, or an address.
        choice: which frames.
        tracking: how people are followed.
    """

    source: str
    choice: FrameChoice
    tracking: PeopleTracking
    frames: int = 0
    end: float = 0.0
    rate: float = 25.0
    interrupted: bool = False

    def __iter__(self) -> Iterator[FollowedFrame]:
        first = last = None
        with self._stopping():
            for followed in self.tracking.follow(self.source, self.choice, lambda: self.interrupted):
                if followed.time is not None:
                    self.frames += 1
                    first, last = (followed.time if first is None else first), followed.time
                    if last > first:
                        self.rate = (self.frames - 1) / (last - first)
                    self.end = last + 1 / self.rate
                yield followed

    def finish(self) -> None:
        """End the command where somebody interrupted it; what was read by then is kept.

        Raises:
            SystemExit: it was interrupted.
        """
        if self.interrupted:
            err.print(f"privis: interrupted at {self.end:.1f} s; what was read is kept", markup=False, soft_wrap=True)
            raise SystemExit(INTERRUPTED)

    @contextlib.contextmanager
    def _stopping(self) -> Iterator[None]:
        """The first interrupt ends the video, a second one the command."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return

        def stop(_number: int, _frame: FrameType | None) -> None:
            if self.interrupted:
                raise KeyboardInterrupt
            self.interrupted = True

        before = signal.signal(signal.SIGINT, stop)
        try:
            yield
        finally:
            signal.signal(signal.SIGINT, before)


def readable_once(source: str) -> bool:
    """Whether a video can be read a single time: a pipe or a camera.

    Args:
        source: as it was typed.

    Returns:
        Whether it is no regular file, nor missing.
    """
    return (
        (Path(source).exists() and not Path(source).is_file())
        or source == STANDARD_INPUT
        or bool(address_scheme(source))
    )


def tracking_words(
    person_height: str | None, whatever_moves: bool, what: str | None, model: Path | None, least: float | None
) -> tuple[object, ...]:
    """Say how people are followed in plain values, which are equal where the same is asked in other words.

    Args:
        person_height: how tall people are.
        whatever_moves: whether connected regions are followed as they are.
        what: is found by a detector; None: nothing.
        model: of the detector.
        least: score of it.

    Returns:
        The values; a model is its file's SHA-256.
    """
    scale = person_scale(person_height)
    heights = None if scale is None else (float(scale.slope), float(scale.intercept))
    weights = None if model is None or not model.is_file() else hashlib.sha256(model.read_bytes()).hexdigest()
    return heights, whatever_moves, what, weights, None if least is None else float(least)


def tracking_of(
    person_height: str | None,
    whatever_moves: bool,
    what: str | None,
    model: Path | None,
    least: float | None,
    max_pixels: int,
) -> PeopleTracking:
    """Make of the options how people are followed.

    Args:
        person_height: how tall people are.
        whatever_moves: whether connected regions are followed as they are.
        what: is found by a detector; None: nothing.
        model: of the detector.
        least: score of it.
        max_pixels: most pixels of a frame.

    Returns:
        The plan.

    Raises:
        ParameterError: naming every word that does not fit.
        MissingExtraError: of the detector.
    """
    scale = person_scale(person_height)
    if what is None:
        alone = [("--model", model), ("--score", least)]
        expected = "--what with it, as in --what people"
        refuse(ParameterError, [Problem(name, "no --what", expected) for name, said in alone if said is not None])
        return PeopleTracking(scale=scale, whatever_moves=whatever_moves, max_pixels=max_pixels)
    beside = [("--person-height", scale is not None), ("--whatever-moves", whatever_moves)]
    refuse(ParameterError, [Problem(name, "with --what", "one of them") for name, said in beside if said])
    finder = DetectWords(what, model, least).finder()
    return PeopleTracking(detector=finder.detect, max_pixels=max_pixels)
