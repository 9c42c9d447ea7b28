"""Pictures of tracks: ways and a heat map over the empty place, boxes in a frame, who was there when.

The ground of the pictures is the background, on which nobody is. Boxes in frames show the people.
"""

from __future__ import annotations

import colorsys
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from privis.tasks.tracking.line_crossings import CountingLine
from privis.tasks.tracking.tracks import Tracks
from privis.tasks.tracking.zone_visits import PolygonZone

Picture = npt.NDArray[np.uint8]
GOLDEN = 0.381966
"""Of a turn of hues, so that ids that follow each other differ."""
LABEL_HEIGHT = 0.4
ROW = 18
"""Pixels of a person in a timeline."""
MOST_ROWS = 200


def colour_of(person: int) -> tuple[int, int, int]:
    """The colour of a person in every picture.

    Args:
        person: the id.

    Returns:
        Red, green and blue.

    >>> colour_of(1) == colour_of(1) != colour_of(2)
    True
    """
    red, green, blue = colorsys.hsv_to_rgb(person * GOLDEN % 1.0, 0.85, 1.0)
    return round(255 * red), round(255 * green), round(255 * blue)


def boxes_drawn(
    frame: Picture, tracks: Tracks, zones: Sequence[PolygonZone] = (), lines: Sequence[CountingLine] = ()
) -> Picture:
    """Draw boxes and ids, zones and lines.

    Args:
        frame: uint8 (H, W, 3).
        tracks: rows of this frame.
        zones: that are watched.
        lines: that are watched.

    Returns:
        uint8 (H, W, 3).
    """
    import cv2

    canvas = np.ascontiguousarray(frame).copy()
    thick = max(1, round(max(frame.shape) / 640))
    for zone in zones:
        cv2.polylines(canvas, [np.round(zone.polygon).astype(np.int32)], True, (255, 255, 255), thick, cv2.LINE_AA)
        _text(canvas, zone.name, zone.polygon.mean(axis=0), (255, 255, 255), thick)
    for line in lines:
        start, end = (tuple(round(float(v)) for v in point) for point in (line.start, line.end))
        cv2.arrowedLine(canvas, start, end, (255, 255, 255), thick, cv2.LINE_AA, tipLength=0.03)
        _text(canvas, line.name, np.array(end), (255, 255, 255), thick)
    for person, box in zip(tracks.ids, tracks.boxes, strict=True):
        left, top, right, bottom = (round(float(v)) for v in (*box[:2], *(box[:2] + box[2:])))
        colour = colour_of(int(person))
        cv2.rectangle(canvas, (left, top), (right, bottom), colour, thick)
        _text(canvas, str(person), np.array([left, top - 3]), colour, thick)
    return canvas


class TrackPictures:
    """Collects pictures while tracks come in; memory holds a heat map, a drawing and the times of each person.

    Args:
        shape: (height, width) of the video in pixels.
    """

    def __init__(self, shape: tuple[int, int]) -> None:
        self._ways = np.zeros((*shape, 3), np.uint8)
        self._heat = np.zeros(shape, np.float32)
        self._last: dict[int, tuple[float, npt.NDArray[np.float64]]] = {}
        self._spans: dict[int, list[list[float]]] = {}

    def add(self, tracks: Tracks, pause: float = 1.0) -> None:
        """Take in rows.

        Args:
            tracks: of later frames than those before, in pixels of the pictures.
            pause: seconds after which somebody was away in between.
        """
        import cv2

        width = self._heat.shape[1]
        for person, time, foot, box in zip(tracks.ids, tracks.times, tracks.feet, tracks.boxes, strict=True):
            person, time = int(person), float(time)
            before = self._last.get(person)
            if before is not None and time - before[0] <= pause:
                start, end = (tuple(round(float(v)) for v in point) for point in (before[1], foot))
                cv2.line(self._ways, start, end, colour_of(person), max(1, width // 480), cv2.LINE_AA)
                self._spans[person][-1][1] = time
            else:
                self._spans.setdefault(person, []).append([time, time])
            self._last[person] = time, foot
            radius = max(1, round(0.15 * float(box[3])))
            x, y = (round(float(v)) for v in foot)
            part = self._heat[max(0, y - radius) : max(0, y + radius), max(0, x - radius) : max(0, x + radius)]
            part += 1.0

    def ways(self, ground: Picture) -> Picture:
        """Where everybody's feet went, over the place.

        Args:
            ground: uint8 (H, W, 3), such as the background.

        Returns:
            uint8 (H, W, 3).
        """
        drawn = self._ways.any(axis=2)
        return np.where(drawn[..., None], self._ways, _dimmed(ground)).astype(np.uint8)

    def heat_map(self, ground: Picture) -> Picture:
        """How often feet were where, over the place, in the colours of inferno.

        Args:
            ground: uint8 (H, W, 3), such as the background.

        Returns:
            uint8 (H, W, 3).
        """
        import cv2

        sigma = max(1.0, self._heat.shape[1] / 160)
        smooth = np.asarray(cv2.GaussianBlur(self._heat, (0, 0), sigma))
        top = float(smooth.max())
        shares = np.sqrt(smooth / top) if top > 0 else smooth
        colours = cv2.applyColorMap(np.round(255 * shares).astype(np.uint8), cv2.COLORMAP_INFERNO)
        colours = np.asarray(cv2.cvtColor(colours, cv2.COLOR_BGR2RGB), np.float32)
        weight = np.clip(shares * 1.5, 0, 0.9)[..., None]
        return np.round(_dimmed(ground) * (1 - weight) + colours * weight).astype(np.uint8)

    def timeline(self, duration: float) -> Picture:
        """Who was there when: a row for each person, the first 200 of them.

        Args:
            duration: of the video in seconds.

        Returns:
            uint8 (H, W, 3).
        """
        import cv2

        people = sorted(self._spans)[:MOST_ROWS]
        left, width = 60, 900
        canvas = np.full((ROW * len(people) + 40, left + width + 20, 3), 255, np.uint8)
        for row, person in enumerate(people):
            top = 10 + row * ROW
            cv2.putText(
                canvas, str(person), (10, top + 13), cv2.FONT_HERSHEY_SIMPLEX, 0.42, (40, 40, 40), 1, cv2.LINE_AA
            )
            for start, end in self._spans[person]:
                first, last = (left + int(width * min(v / max(duration, 1e-9), 1.0)) for v in (start, end))
                cv2.rectangle(canvas, (first, top + 3), (max(last, first + 1), top + ROW - 4), colour_of(person), -1)
        bottom = 10 + ROW * len(people)
        cv2.line(canvas, (left, bottom), (left + width, bottom), (120, 120, 120), 1)
        for share in (0.0, 0.25, 0.5, 0.75, 1.0):
            words = f"{share * duration:.0f} s"
            place = (left + int(width * share) - (30 if share else 0), bottom + 18)
            cv2.putText(canvas, words, place, cv2.FONT_HERSHEY_SIMPLEX, 0.42, (40, 40, 40), 1, cv2.LINE_AA)
        return canvas


def _dimmed(ground: Picture) -> npt.NDArray[np.float32]:
    grey = np.asarray(ground, np.float32).mean(axis=2, keepdims=True)
    return np.repeat(60 + 0.5 * grey, 3, axis=2).astype(np.float32)


def _text(canvas: Picture, words: str, place: npt.ArrayLike, colour: tuple[int, int, int], thick: int) -> None:
    import cv2

    x, y = (round(float(v)) for v in np.asarray(place, np.float64))
    size = LABEL_HEIGHT * max(1.0, max(canvas.shape) / 640)
    at = x, max(y, 10)
    cv2.putText(canvas, words, at, cv2.FONT_HERSHEY_SIMPLEX, size, (0, 0, 0), thick + 2, cv2.LINE_AA)
    cv2.putText(canvas, words, at, cv2.FONT_HERSHEY_SIMPLEX, size, colour, thick, cv2.LINE_AA)
