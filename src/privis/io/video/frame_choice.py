"""Which frames of a video are wanted: a period between two times, and one frame for every so many seconds."""

from __future__ import annotations

import re
from dataclasses import dataclass
from fractions import Fraction

from privis.errors import ParameterError, Problem, refuse

_UNITS = {"us": Fraction(1, 10**6), "ms": Fraction(1, 1000), "s": Fraction(1), "min": Fraction(60), "h": Fraction(3600)}
_LENGTH = re.compile(r"([0-9]{1,9}(?:\.[0-9]{1,9})?)(us|ms|s|min|h)?")
_CLOCK = re.compile(r"(?:([0-9]{1,5}):)?([0-9]{1,2}):([0-9]{1,2}(?:\.[0-9]{1,9})?)")
_EXPECTED = "a time such as 0.5s, 500ms, 90s, 2min, 1h or 1:30"


def seconds_of(words: str, where: str) -> Fraction:
    """Read a length of time, or a time from the start of a video.

    Args:
        words: a number with us, ms, s, min or h (seconds where none is named), or ``MINUTES:SECONDS`` and
            ``HOURS:MINUTES:SECONDS``.
        where: the place that messages name.

    Returns:
        Seconds, exactly.

    Raises:
        ParameterError: it is neither.

    >>> seconds_of("500ms", "--every"), seconds_of("1:30.5", "--from")
    (Fraction(1, 2), Fraction(181, 2))
    """
    found = _LENGTH.fullmatch(words.strip())
    if found is not None:
        return Fraction(found[1]) * _UNITS[found[2] or "s"]
    found = _CLOCK.fullmatch(words.strip())
    if found is None or int(found[2]) > 59 or Fraction(found[3]) >= 60:
        raise ParameterError(Problem(where, repr(words), _EXPECTED))
    return int(found[1] or 0) * 3600 + int(found[2]) * 60 + Fraction(found[3])


@dataclass(frozen=True)
class FrameChoice:
    """Frames that are shown from ``start`` on and before ``end``; of these one for every interval, or all.

    With ``every``, the times ``start``, ``start + every``, ``start + 2 every``, … choose the first frame that is shown
    at or after each of them, once: where a frame stands longer than the interval, it is one frame.

    Args:
        every: seconds, above 0; None: all frames.
        start: seconds from the start of the video, at least 0.
        end: seconds from the start of the video, after ``start``; None: to its end.

    Raises:
        ParameterError: an interval that is not above 0, or an end that is not after the start.

    >>> chosen = FrameChoice(every=Fraction(1)).picker()
    >>> [time for time in (0.0, 0.4, 1.2, 1.9, 3.5, 3.9) if chosen.takes(Fraction(time))]
    [0.0, 1.2, 3.5]
    """

    every: Fraction | None = None
    start: Fraction = Fraction(0)
    end: Fraction | None = None

    def __post_init__(self) -> None:
        problems = []
        if self.every is not None and self.every <= 0:
            problems.append(Problem("every", f"{float(self.every):g} s", "more than 0 s"))
        if self.start < 0:
            problems.append(Problem("from", f"{float(self.start):g} s", "at least 0 s"))
        if self.end is not None and self.end <= self.start:
            got, least = f"{float(self.end):g} s", f"more than the {float(self.start):g} s of from"
            problems.append(Problem("to", got, least))
        refuse(ParameterError, problems)

    @classmethod
    def named(cls, every: str | None = None, start: str | None = None, end: str | None = None) -> FrameChoice:
        """Read what users write.

        Args:
            every: a length of time, as of `seconds_of`.
            start: a time.
            end: a time.

        Returns:
            The choice.

        Raises:
            ParameterError: one is no time, or they contradict each other.

        >>> FrameChoice.named("2s", "1:00").start
        Fraction(60, 1)
        """
        return cls(
            None if every is None else seconds_of(every, "every"),
            Fraction(0) if start is None else seconds_of(start, "from"),
            None if end is None else seconds_of(end, "to"),
        )

    @property
    def words(self) -> str:
        """The choice in one word of digits, commas and slashes, from which `of_words` makes it again."""
        return ",".join("" if value is None else str(value) for value in (self.every, self.start, self.end))

    @classmethod
    def of_words(cls, words: str) -> FrameChoice:
        """Make a choice from its `words`.

        Args:
            words: of a choice.

        Returns:
            The choice.

        Raises:
            ParameterError: they are those of none.

        >>> FrameChoice.of_words(FrameChoice(Fraction(1, 2)).words)
        FrameChoice(every=Fraction(1, 2), start=Fraction(0, 1), end=None)
        """
        try:
            every, start, end = (Fraction(word) if word else None for word in words.split(","))
        except (ValueError, ZeroDivisionError):
            raise ParameterError(Problem("frames of a video", repr(words), "every,from,to in seconds")) from None
        return cls(every, start or Fraction(0), end)

    def picker(self) -> FramePicker:
        """Begin to choose among frames that come in the order in which they are shown."""
        return FramePicker(self)


class FramePicker:
    """Says of one frame after another whether it is wanted."""

    def __init__(self, choice: FrameChoice) -> None:
        self._choice = choice
        self._interval = -1

    def takes(self, time: Fraction) -> bool:
        """Whether the frame is wanted.

        Args:
            time: at which it is shown, in seconds, after that of the frame before.

        Returns:
            Whether it is.
        """
        choice = self._choice
        if time < choice.start or self.is_past(time):
            return False
        if choice.every is None:
            return True
        interval = (time - choice.start) // choice.every
        if interval <= self._interval:
            return False
        self._interval = interval
        return True

    def is_past(self, time: Fraction) -> bool:
        """Whether this frame and all that follow come too late.

        Args:
            time: in seconds.

        Returns:
            Whether they do.
        """
        return self._choice.end is not None and time >= self._choice.end
