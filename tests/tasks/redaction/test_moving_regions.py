"""`moving_regions`: regions are held and moved along, so that no frame between two detections is left out."""

import numpy as np
import pytest

from privis.errors import ParameterError
from privis.tasks.redaction import ImageRegion, RegionHold, RegionKind, painted_mask


def face(x: float, y: float = 40, side: float = 20, kind: RegionKind = RegionKind.FACE) -> ImageRegion:
    return ImageRegion.of_box(kind, x, y, side, side)


def covered(regions: tuple[ImageRegion, ...], x: float, y: float = 40, side: float = 20) -> float:
    mask = painted_mask((120, 600), regions)
    return float(mask[round(y) : round(y + side), round(x) : round(x + side)].mean())


TIMES = [n / 25 for n in range(60)]


def test_a_face_that_moves_is_covered_in_every_gap_and_at_both_ends():
    """Four pixels a frame, seen in a third of the frames, with a gap of nearly a second."""
    seen = {10, 13, 14, 17, 20, 40, 43, 46}
    found = [(face(40 + 4 * n),) if n in seen else () for n in range(60)]
    painted = RegionHold(0.5).over(found, TIMES)
    for number in range(0, 59):
        assert covered(painted[number], 40 + 4 * number) == 1, number
    assert not RegionHold(0.1).over(found, TIMES)[30]


def test_what_appears_in_one_frame_is_held_around_it_and_no_longer():
    found = [(face(100),) if n == 30 else () for n in range(60)]
    painted = RegionHold(0.2).over(found, TIMES)
    assert [n for n in range(60) if painted[n]] == list(range(25, 36))
    assert all(covered(painted[n], 100) == 1 for n in range(25, 36))


def test_frames_far_apart_are_held_by_their_number():
    painted = RegionHold(0.5, 2).over([(), (), (face(10),), (), (), ()], [0, 60, 120, 180, 240, 300])
    assert [bool(each) for each in painted] == [True, True, True, True, True, False]


def test_two_that_cross_are_both_covered_and_kinds_are_apart():
    found = [(face(100 + 4 * n), face(260 - 4 * n, 44)) if n % 4 == 0 else () for n in range(41)]
    painted = RegionHold().over(found, TIMES[:41])
    for number in range(41):
        assert covered(painted[number], 100 + 4 * number) == 1 and covered(painted[number], 260 - 4 * number, 44) == 1
    kinds = [(face(100), face(100, kind=RegionKind.PLATE)), (), (face(100), face(100, kind=RegionKind.PLATE))]
    tracks = RegionHold().tracks(kinds, TIMES[:3])
    assert sorted((track.regions[0].kind, track.frames) for track in tracks) == [("face", (0, 2)), ("plate", (0, 2))]


def test_a_cut_begins_other_tracks():
    found = [(face(40),) if n < 10 else (face(400),) for n in range(20)]
    tracks = RegionHold().tracks(found, TIMES[:20])
    assert [track.frames for track in tracks] == [tuple(range(10)), tuple(range(10, 20))]
    wide = [(face(40, side=10),) if n < 10 else (face(30, 20, side=90),) for n in range(20)]
    assert len(RegionHold().tracks(wide, TIMES[:20])) == 2, "a size that no motion explains"


def test_every_detection_is_painted_whatever_is_joined(rng: np.random.Generator):
    found = [tuple(face(*rng.uniform(0, 500, 1), rng.uniform(0, 90)) for _ in range(rng.integers(0, 4))) for _ in TIMES]
    painted = RegionHold().over(found, TIMES)
    for regions, own in zip(painted, found, strict=True):
        assert all(any(each is region for each in regions) for region in own)


def test_words_that_do_not_fit():
    with pytest.raises(ParameterError, match=r"RegionHold\.frames(.|\n)*RegionHold\.seconds"):
        RegionHold(-1, 0)
    with pytest.raises(ParameterError, match="2 times"):
        RegionHold().over([()], [0, 1])
