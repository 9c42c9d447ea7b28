"""Tracks: who was where in which frame."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from privis.errors import ParameterError, Problem, refuse

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]
COLUMNS = ("frame", "id", "x", "y", "w", "h", "score")
"""Of a table of tracks, those of the MOT challenge (Milan et al., 2016, arXiv:1603.00831)."""


@dataclass(frozen=True, eq=False)
class Tracks:
    """Boxes of people, or of whatever moves, with who each is; one row for each box, by rising frame.

    Args:
        frames: (n,) numbers of frames, from 1, in the order in which they are shown.
        ids: (n,) who it is, from 1; at most once in a frame.
        boxes: (n, 4): x and y of the top left corner, width, height, in pixels of the upright picture.
        scores: (n,), the higher the surer.
        times: (n,) seconds from the start of the video.

    Raises:
        ParameterError: naming everything that does not fit.

    >>> tracks = Tracks([1, 2], [1, 1], [[0, 0, 4, 8], [1, 0, 4, 8]], [0.9, 0.8], [0.0, 0.04])
    >>> tracks.feet.tolist(), tracks.people.tolist()
    ([[2.0, 8.0], [3.0, 8.0]], [1])
    """

    frames: Integers
    ids: Integers
    boxes: Floats = field(repr=False)
    scores: Floats = field(repr=False)
    times: Floats = field(repr=False)

    def __post_init__(self) -> None:
        count = np.asarray(self.frames).size
        problems = []
        for name, shape, kinds in (
            ("frames", (count,), "iu"),
            ("ids", (count,), "iu"),
            ("boxes", (count, 4), "fiu"),
            ("scores", (count,), "fiu"),
            ("times", (count,), "fiu"),
        ):
            array = np.asarray(getattr(self, name))
            array = array.reshape(shape) if not count and not array.size else array
            fits = array.shape == shape and (not count or (array.dtype.kind in kinds and np.isfinite(array).all()))
            if fits:
                object.__setattr__(self, name, array.astype(np.int64 if kinds == "iu" else np.float64))
            else:
                kind = "whole numbers" if kinds == "iu" else "finite numbers"
                problems.append(
                    Problem(f"Tracks.{name}", f"{array.dtype} values of shape {array.shape}", f"{kind} {shape}")
                )
        if not problems and count:
            if (np.diff(self.frames) < 0).any() or self.frames[0] < 1:
                problems.append(Problem("Tracks.frames", "numbers that fall, or below 1", "rising numbers from 1"))
            pairs = np.stack([self.frames, self.ids], axis=1)
            if len(np.unique(pairs, axis=0)) < count:
                problems.append(Problem("Tracks.ids", "one id twice in a frame", "each at most once in a frame"))
        refuse(ParameterError, problems)

    @classmethod
    def none(cls) -> Tracks:
        """What is there where nothing moves.

        Returns:
            No rows.
        """
        none = np.zeros(0, np.int64)
        return cls(none, none, np.zeros((0, 4)), np.zeros(0), np.zeros(0))

    @classmethod
    def joined(cls, parts: Iterable[Tracks]) -> Tracks:
        """All rows of several, one after another.

        Args:
            parts: by rising frame.

        Returns:
            The rows.

        Raises:
            ParameterError: frames fall, or somebody is twice in a frame.
        """
        given = [part for part in parts if len(part)]
        if not given:
            return cls.none()
        names = ("frames", "ids", "boxes", "scores", "times")
        return cls(*(np.concatenate([getattr(part, name) for part in given]) for name in names))

    def __len__(self) -> int:
        return len(self.frames)

    def __getitem__(self, rows: npt.NDArray[np.bool_] | Integers | slice) -> Tracks:
        """Some of the rows, by a slice, booleans or an array of their numbers in rising order."""
        return Tracks(self.frames[rows], self.ids[rows], self.boxes[rows], self.scores[rows], self.times[rows])

    @property
    def people(self) -> Integers:
        """Ids, each once, by rising number."""
        return np.unique(self.ids)

    @property
    def feet(self) -> Floats:
        """Middles of the lower sides (n, 2), x and y in pixels: where somebody stands."""
        return self.boxes[:, :2] + self.boxes[:, 2:] * np.array([0.5, 1.0])

    def of(self, person: int) -> Tracks:
        """One person's rows.

        Args:
            person: the id.

        Returns:
            The rows, by rising frame.
        """
        return self[self.ids == person]
