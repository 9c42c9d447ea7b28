"""Who is in which window of time: the counts that are released of a camera, and what one person can change of them."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from privis.errors import ParameterError, Problem, refuse
from privis.tasks.tracking.tracks import Tracks
from privis.validation import positive_number, whole_number

Floats = npt.NDArray[np.float64]
MOST_WINDOWS = 10_000_000


@dataclass(frozen=True, eq=False)
class PresenceTable:
    """Windows of time and who is in each.

    Args:
        starts: (windows,) seconds from the start of the video.
        ends: (windows,) seconds; the last one ends with the video.
        people: (people,) ids.
        present: (windows, people): whether the person is counted in the window.
        cut_off: how many times somebody was in a window and is not counted there, so that nobody is in more windows
            than allowed.

    >>> tracks = Tracks([1, 2, 3], [1, 1, 2], [[0, 0, 4, 8]] * 3, [1.0] * 3, [0.0, 12.0, 12.5])
    >>> presence(tracks, 10.0, 20.0).counts.tolist()
    [1, 2]
    """

    starts: Floats
    ends: Floats
    people: npt.NDArray[np.int64]
    present: npt.NDArray[np.bool_] = field(repr=False)
    cut_off: int = 0

    @property
    def counts(self) -> npt.NDArray[np.int64]:
        """People in each window (windows,)."""
        return self.present.sum(axis=1, dtype=np.int64)


def window_bounds(window: float, duration: float, start: float = 0.0) -> tuple[Floats, Floats]:
    """Cut a video into windows of one length.

    Args:
        window: seconds.
        duration: of the video in seconds.
        start: seconds from the start of the video, at which the first window begins.

    Returns:
        Starts and ends; the last window is shorter where the duration is no multiple.

    Raises:
        ParameterError: a number is not above 0, or there would be more than ten million windows.

    >>> [side.tolist() for side in window_bounds(10.0, 25.0)]
    [[0.0, 10.0, 20.0], [10.0, 20.0, 25.0]]
    """
    problems = positive_number("window", window) + positive_number("duration", duration)
    length = duration - start
    if not problems and not (math.isfinite(start) and length > 0):
        problems.append(Problem("start", f"{start} s", f"a time before the end at {duration:g} s"))
    if not problems and length / window > MOST_WINDOWS:
        problems.append(Problem("window", f"{length / window:.3g} windows", f"at most {MOST_WINDOWS:,}"))
    refuse(ParameterError, problems)
    count = max(1, int(np.ceil(length / window - 1e-9)))
    starts = start + window * np.arange(count)
    return starts, np.minimum(starts + window, duration)


class PresenceLog:
    """Collects who is in which window while tracks come in; memory holds each of these once.

    Args:
        window: seconds.
        start: seconds from the start of the video, at which the first window begins.

    Raises:
        ParameterError: it is not above 0.
    """

    def __init__(self, window: float, start: float = 0.0) -> None:
        refuse(ParameterError, positive_number("window", window))
        self._window, self._start = float(window), float(start)
        self._seen: set[tuple[int, int]] = set()

    def add(self, tracks: Tracks) -> None:
        """Take in rows.

        Args:
            tracks: of the video.
        """
        numbers = np.floor((tracks.times - self._start) / self._window + 1e-9).astype(np.int64)
        self._seen |= set(zip(numbers.tolist(), tracks.ids.tolist(), strict=True))

    def table(self, duration: float, most: int | None = None) -> PresenceTable:
        """Make the table.

        Args:
            duration: of the video in seconds; what is shown later counts in the last window.
            most: windows that a person is counted in, the first ones; None: all.

        Returns:
            The table.

        Raises:
            ParameterError: a number is not above 0, or there would be more than ten million windows.
        """
        refuse(ParameterError, [] if most is None else whole_number("most", most))
        starts, ends = window_bounds(self._window, duration, self._start)
        people = np.unique(np.array([person for _, person in self._seen], np.int64))
        columns = {int(person): column for column, person in enumerate(people)}
        present = np.zeros((len(starts), len(people)), bool)
        for number, person in self._seen:
            present[min(max(number, 0), len(starts) - 1), columns[person]] = True
        if most is None:
            return PresenceTable(starts, ends, people, present)
        kept = present & (np.cumsum(present, axis=0) <= most)
        return PresenceTable(starts, ends, people, kept, int(present.sum() - kept.sum()))


def presence(tracks: Tracks, window: float, duration: float, most: int | None = None) -> PresenceTable:
    """Say who is in which window: of tracks, in at most ``most`` windows an id.

    Which windows of an id count is decided by its own rows alone (the first ones). So rows of one id that are added or
    removed change at most ``most`` counts, each by one: the sensitivity of the counts under neighbours that differ in
    one id is ``most`` in l1, and its root in l2. A person whom the tracker gave two ids is two of them.

    Args:
        tracks: of one video.
        window: seconds.
        duration: of the video in seconds; what is shown later counts in the last window.
        most: windows that an id is counted in; None: all.

    Returns:
        The table.

    Raises:
        ParameterError: a number is not above 0, or there would be more than ten million windows.

    >>> tracks = Tracks([1, 2, 3], [5, 5, 5], [[0, 0, 4, 8]] * 3, [1.0] * 3, [1.0, 11.0, 21.0])
    >>> table = presence(tracks, 10.0, 30.0, most=2)
    >>> table.counts.tolist(), table.cut_off
    ([1, 1, 0], 1)
    """
    log = PresenceLog(window)
    log.add(tracks)
    return log.table(duration, most)
