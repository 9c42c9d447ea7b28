"""When a frame is shown: seconds from the start of its file, always later than the frame before.

The start is what the container calls so, the earliest time of any of its streams: a video that begins half a second
after the sound has its first frame at 0.5 s, as in players. Where frames have no time, as in AVI files with frames that
are stored in another order than they are shown, the times at which they are decoded stand in, from the first one on.
What a container leaves out or contradicts besides is mended here, in the order in which frames are shown, and said.
"""

from __future__ import annotations

from fractions import Fraction
from typing import Any

MICROSECONDS = 10**6
_FALLBACK_RATE = Fraction(25)
"""Frames a second where neither a time nor a rate is written down, as in raw streams."""


def microseconds(time: Fraction) -> int:
    """What a frame is known by.

    Args:
        time: in seconds.

    Returns:
        The nearest microsecond.

    >>> microseconds(Fraction(1001, 30000))
    33367
    """
    return round(time * MICROSECONDS)


class PresentationClock:
    """Gives the time of one frame after another.

    Args:
        start: of the file in seconds; None: it does not say, and the first frame is the start.
        rate: frames a second, for frames without a time; None: not known.
    """

    def __init__(self, start: Fraction | None, rate: Fraction | None) -> None:
        self.mended = ""
        self.start = start
        self._period = 1 / rate if rate else 1 / _FALLBACK_RATE
        self._last: Fraction | None = None
        self._shift = Fraction(0)
        self._by_decoding: bool | None = None
        self._decoded: Fraction | None = None

    def time_of(self, frame: Any) -> Fraction:
        """When a frame is shown.

        Args:
            frame: of PyAV, the next one in order.

        Returns:
            Seconds from the start.
        """
        time = self._stamped(frame)
        if self._last is None:
            time = max(time, Fraction(0))
        elif microseconds(time) <= microseconds(self._last):
            self.mended = self.mended or f"times go back after {float(self._last):.3f} s, and go on from there"
            mended = self._last + self._period
            self._shift += mended - time
            time = mended
        self._last = time
        return time

    def _stamped(self, frame: Any) -> Fraction:
        following = Fraction(0) if self._last is None else self._last + self._period
        base = frame.time_base
        if base is not None and self._by_decoding is None:
            # where the first frame has no time of its own, those that some later frames have are not on one scale
            self._by_decoding = frame.pts is None
            if self._by_decoding:
                self.start = None
                self._decoded = None if frame.dts is None else frame.dts * base
            elif self.start is None:
                self.start = frame.pts * base
        stamp = frame.dts if self._by_decoding else frame.pts
        if base is not None and stamp is not None:
            origin = self.start if self.start is not None else self._decoded
            return stamp * base - (origin or Fraction(0)) + self._shift
        if not (self._by_decoding and self._decoded is not None):  # the last frames of such a file have neither
            self.mended = self.mended or f"frames without a time are shown {float(self._period):g} s apart"
        return following
