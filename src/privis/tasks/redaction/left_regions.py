"""Selected people who are left as they are: whose faces, which whole people with them, and through which frames."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Sequence
from enum import StrEnum

import numpy as np

from privis.tasks.redaction.moving_regions import RegionTrack
from privis.tasks.redaction.regions import ImageRegion, RegionKind

_SHARED, _ALIKE = 0.6, 6.0
"""Two boxes are of one face that share so much of the smaller one, if the areas differ by no more."""
_LEAST = 3
"""Detections that a track of faces needs to stay, or as many as it has."""


class FaceVerdict(StrEnum):
    """What is decided of one face."""

    LEAVE = "leave"
    """It is, or is not, one of the selected people, so that it stays."""
    PAINT = "paint"
    UNSURE = "unsure"
    """Too small, turned or blurred to tell: painted, unless other frames decide."""


def is_same_face(one: ImageRegion, other: ImageRegion) -> bool:
    """Tell whether two detections are of one face.

    Args:
        one: a region.
        other: of the same picture.

    Returns:
        Whether both are faces and one box lies mostly in the other, of about its size.
    """
    if one.kind is not RegionKind.FACE or other.kind is not RegionKind.FACE:
        return False
    (x, y, width, height), (left, top, wide, tall) = one.box, other.box
    across = min(x + width, left + wide) - max(x, left)
    down = min(y + height, top + tall) - max(y, top)
    small, large = sorted((width * height, wide * tall))
    return across > 0 and down > 0 and large <= _ALIKE * small and across * down >= _SHARED * small


def is_head_of(face: ImageRegion, person: ImageRegion) -> bool:
    """Tell whether a face is where the head of a person is.

    Args:
        face: of kind face.
        person: of kind person, in the same picture.

    Returns:
        Whether its middle lies in the middle of the upper part of the person's box.

    >>> face = ImageRegion.of_box(RegionKind.FACE, 45, 5, 10, 12)
    >>> is_head_of(face, ImageRegion.of_box(RegionKind.PERSON, 30, 0, 40, 100))
    True
    """
    if face.kind is not RegionKind.FACE or person.kind is not RegionKind.PERSON:
        return False
    x, y, width, height = person.box
    across, down = face.corners.mean(axis=0)
    return bool(x + 0.2 * width <= across <= x + 0.8 * width and y - 0.05 * height <= down <= y + 0.35 * height)


def without_left(regions: Iterable[ImageRegion], left: Sequence[ImageRegion]) -> tuple[ImageRegion, ...]:
    """Take out what belongs to people who are left as they are.

    Args:
        regions: of one picture.
        left: faces that stay, in the same picture.

    Returns:
        The others: neither one of these faces, nor the person whose head it is.
    """
    return tuple(
        each for each in regions if not any(is_same_face(each, face) or is_head_of(face, each) for face in left)
    )


def left_tracks(
    tracks: Iterable[RegionTrack], verdicts: Iterable[Sequence[FaceVerdict]]
) -> tuple[tuple[RegionTrack, ...], tuple[RegionTrack, ...]]:
    """Decide of faces through the frames of a video, so that a face stays where some frames cannot tell.

    A track stays where two thirds of the frames that decide say so, and at least three; in it stay the detections that
    say so, and those that cannot tell between them. Where one says that it is somebody else, or the next one that
    decides says it, the face is painted: two people who cross may have become one track.

    Args:
        tracks: of faces.
        verdicts: of every detection of each.

    Returns:
        What stays, in tracks without gaps of what is painted, and what is painted.
    """
    stay, painted = [], []
    for track, decided in zip(tracks, verdicts, strict=True):
        leave = sum(verdict is FaceVerdict.LEAVE for verdict in decided)
        paint = sum(verdict is FaceVerdict.PAINT for verdict in decided)
        sure = leave >= min(_LEAST, len(decided)) and leave >= 2 * paint
        stays = _resolved(decided) if sure else [False] * len(decided)
        for kept, places in itertools.groupby(range(len(decided)), key=stays.__getitem__):
            part = list(places)
            frames, regions = tuple(track.frames[p] for p in part), tuple(track.regions[p] for p in part)
            (stay if kept else painted).append(RegionTrack(frames, regions))
    return tuple(stay), tuple(painted)


def _resolved(decided: Sequence[FaceVerdict]) -> list[bool]:
    """Whether each detection stays: none of the nearest decisions before, at and after it is to paint."""
    before, after = _nearest(decided), _nearest(decided[::-1])[::-1]
    return [FaceVerdict.PAINT not in pair for pair in zip(before, after, strict=True)]


def _nearest(decided: Sequence[FaceVerdict]) -> list[FaceVerdict]:
    last, found = FaceVerdict.LEAVE, []
    for verdict in decided:
        last = last if verdict is FaceVerdict.UNSURE else verdict
        found.append(last)
    return found


def people_of(tracks: Iterable[RegionTrack], left: Sequence[Sequence[ImageRegion]]) -> tuple[RegionTrack, ...]:
    """Tracks of people that belong to faces that stay.

    Args:
        tracks: of people.
        left: faces that stay, in every frame.

    Returns:
        Those that have such a face for a head in half of their frames or more.
    """
    return tuple(
        track
        for track in tracks
        if np.mean([
            any(is_head_of(face, region) for face in left[frame])
            for frame, region in zip(track.frames, track.regions, strict=True)
        ])
        >= 0.5
    )  # fmt: skip
