"""`left_regions`: whose faces stay, which people with them, and what a track of faces decides."""

from privis.tasks.redaction import (
    FaceVerdict,
    ImageRegion,
    RegionKind,
    RegionTrack,
    is_head_of,
    is_same_face,
    left_tracks,
    people_of,
    without_left,
)

LEAVE, PAINT, UNSURE = FaceVerdict.LEAVE, FaceVerdict.PAINT, FaceVerdict.UNSURE


def face(x: float, y: float = 10, side: float = 20) -> ImageRegion:
    return ImageRegion.of_box(RegionKind.FACE, x, y, side, side)


def person(x: float, y: float = 0) -> ImageRegion:
    return ImageRegion.of_box(RegionKind.PERSON, x, y, 50, 150)


def test_one_face_found_twice_is_one_and_neighbours_are_not():
    assert is_same_face(face(10), face(14, 12, 26)) and not is_same_face(face(10), face(28))
    assert not is_same_face(face(10, side=60), face(30, 30, 12)), "a badge on a face is not that face"
    assert not is_same_face(face(10), ImageRegion.of_box(RegionKind.PLATE, 10, 10, 20, 20))


def test_a_person_is_left_with_the_head_and_nobody_else():
    stays = face(15)
    regions = [face(16, 11), face(80), person(0), person(70), ImageRegion.of_box(RegionKind.TEXT, 15, 10, 20, 20)]
    assert [each.kind for each in without_left(regions, [stays])] == ["face", "person", "text"]
    assert (
        is_head_of(stays, person(0)) and not is_head_of(face(15, 80), person(0)) and not is_head_of(face(45), person(0))
    )


def decided(*verdicts: FaceVerdict) -> tuple[list[tuple[int, ...]], list[tuple[int, ...]]]:
    track = RegionTrack(tuple(range(len(verdicts))), tuple(face(10 + n) for n in range(len(verdicts))))
    stay, painted = left_tracks([track], [verdicts])
    return [each.frames for each in stay], [each.frames for each in painted]


def test_frames_that_cannot_tell_go_with_those_that_can():
    assert decided(UNSURE, LEAVE, UNSURE, LEAVE, LEAVE, UNSURE) == ([(0, 1, 2, 3, 4, 5)], [])
    assert decided(LEAVE, UNSURE, UNSURE, LEAVE) == ([], [(0, 1, 2, 3)]), "two decisions are too few"
    assert decided(LEAVE) == ([(0,)], []) and decided(UNSURE, UNSURE) == ([], [(0, 1)])
    assert decided(LEAVE, LEAVE, LEAVE, PAINT, PAINT) == ([], [(0, 1, 2, 3, 4)])


def test_somebody_else_in_the_same_track_is_painted_with_the_frames_around():
    stay, painted = decided(LEAVE, LEAVE, UNSURE, PAINT, UNSURE, LEAVE, LEAVE)
    assert stay == [(0, 1), (5, 6)] and painted == [(2, 3, 4)]


def test_people_go_with_faces_in_half_of_their_frames():
    track = RegionTrack((0, 1, 2), (person(0), person(0), person(0)))
    assert people_of([track], [[face(15)], [], [face(15)]]) == (track,)
    assert people_of([track], [[face(15)], [], [face(80)]]) == ()
