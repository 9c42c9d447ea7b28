from __future__ import annotations

import pytest

from privis.choose.admissible import need_reasons, needs_release, release_reasons, under_reason, way_reason
from privis.choose.cost.prediction import CostPrediction
from privis.choose.way import AdmissibleWay, ReleaseKind, Side, Under, Way
from tests.choose.choosing import FAST, job

HIDDEN = dict(roles__images="hospital", roles__model="vendor", roles__computes="vendor", hide="pixels,features,model")


def test_alone_there_is_nobody_to_hide_from() -> None:
    asked = job("extract", roles__images="clinic")
    assert all("nobody" in under_reason(asked, under) for under in (Under.CKKS, Under.ABY3, Under.CHEETAH))
    assert under_reason(asked, Under.CLEAR) == ""


@pytest.mark.parametrize(("operators", "out"), [(1, {Under.ABY3}), (2, {Under.ABY3}), (3, set()), (7, set())])
def test_parties_need_operators(operators: int, out: set[Under]) -> None:
    asked = job("classify", machines__operators=operators, **HIDDEN)
    assert {under for under in Under if under is not Under.SERVER and under_reason(asked, under)} == out


def test_a_server_needs_an_address() -> None:
    asked = job("extract", roles__images="a", roles__computes="b")
    assert "machines.server" in under_reason(asked, Under.SERVER)
    assert not under_reason(job("extract", machines__server="https://x:1"), Under.SERVER)


def test_who_sees_what() -> None:
    asked = job("classify", machines__operators=3, **HIDDEN)
    at_server, at_owner = (Way("lbp", extracted_by=side) for side in (Side.SERVER, Side.OWNER))
    assert "vendor would see pixels and features" in way_reason(asked, at_server)
    assert "hospital would get the model of vendor" in way_reason(asked, at_owner)
    assert not way_reason(asked, Way("lbp", Under.ABY3)) and not way_reason(asked, Way("lbp", Under.CKKS))
    weak = job("classify", roles__images="hospital", roles__model="vendor", roles__computes="vendor")
    assert not way_reason(weak, at_server) and not way_reason(weak, at_owner)


def test_an_owner_without_machines_extracts_nothing() -> None:
    asked = job("extract", roles__images="phone", roles__computes="cloud", roles__owner_computes="no")
    assert "no machine" in way_reason(asked, Way("hog", extracted_by=Side.OWNER))
    assert not way_reason(asked, Way("hog", Under.CKKS))


def test_scores_of_windows_tell_a_private_detector() -> None:
    asked = job("detect", **HIDDEN)
    assert "worked out" in way_reason(asked, Way("people", Under.CKKS, extracted_by=Side.OWNER))
    assert not way_reason(asked, Way("people", Under.CHEETAH, extracted_by=Side.OWNER))


def test_a_training_under_privacy_is_not_hidden() -> None:
    way = Way("lbp", Under.ABY3, ReleaseKind.TRAINING)
    assert "in the clear" in way_reason(job("classify", machines__operators=3, **HIDDEN), way)


def test_whoever_receives_must_not_learn_about_a_person() -> None:
    asked = job("extract", hide="person", budget__epsilon=4, roles__images="a", roles__receives="b")
    assert needs_release(asked)
    found = release_reasons(asked, 4.0)
    assert "b would learn" in found[ReleaseKind.NONE]
    assert not found[ReleaseKind.PRIVUNIT] and not found[ReleaseKind.AGGREGATE]
    assert "leaves nothing" in found[ReleaseKind.PIXELS] and found[ReleaseKind.TRAINING]
    own = job("extract", hide="person", budget__epsilon=4, roles__images="a", roles__receives="a")
    assert not needs_release(own) and not release_reasons(own, 4.0)[ReleaseKind.NONE]


def test_units_decide_releases() -> None:
    pixels = job("extract", budget__epsilon=4, budget__unit="pixels:16")
    found = release_reasons(pixels, 4.0)
    assert not found[ReleaseKind.PIXELS] and "higher price" in found[ReleaseKind.PRIVUNIT]
    person = job("extract", hide="person", budget__epsilon=4, budget__unit="pixels:16")
    assert all(
        "hides no person" in release_reasons(person, 4.0)[kind] for kind in (ReleaseKind.PIXELS, ReleaseKind.FEATURE)
    )
    presence = release_reasons(job("extract", budget__epsilon=4, budget__unit="dataset"), 4.0)
    assert "somebody is there" in presence[ReleaseKind.PRIVUNIT] and not presence[ReleaseKind.AGGREGATE]


def test_rows_or_an_aggregate() -> None:
    rows, mean = (job("extract", budget__epsilon=1, result=word) for word in ("rows", "aggregate"))
    assert release_reasons(rows, 1.0)[ReleaseKind.AGGREGATE] and not release_reasons(rows, 1.0)[ReleaseKind.PRIVUNIT]
    assert release_reasons(mean, 1.0)[ReleaseKind.PRIVUNIT] and not release_reasons(mean, 1.0)[ReleaseKind.AGGREGATE]


def test_trainings_need_public_classes() -> None:
    asked = job("classify", hide="person", budget__epsilon=3)
    assert "images.classes" in release_reasons(asked, 3.0)[ReleaseKind.TRAINING]
    assert not release_reasons(job("classify", hide="person", budget__epsilon=3, images__classes="a,b"), 3.0)[
        ReleaseKind.TRAINING
    ]


def test_boxes_are_not_released() -> None:
    found = release_reasons(job("detect", hide="person", budget__epsilon=3), 3.0)
    assert all(found.values())


def test_needs() -> None:
    slow = CostPrediction(8.0, 3 << 30, 0, 0, None, "stated")
    asked = job("classify", needs__latency=1.5, machines__memory_gib=2, needs__accuracy="90%")
    choice = AdmissibleWay(Way("hog"), slow, 4, (), "", None, None)
    told = " ".join(need_reasons(asked, choice, 8.0))
    assert "2 s an image" in told and "MiB" in told and "nobody measured" in told
    assert not need_reasons(job("classify"), AdmissibleWay(Way("hog"), FAST, 4, (), "", None, None), 2.0)


@pytest.mark.parametrize("under", [Under.CKKS, Under.SERVER])
@pytest.mark.parametrize("task", ["verify", "identify", "search"])
def test_a_gallery_of_the_owner_is_not_shown_to_whoever_computes(task: str, under: Under) -> None:
    asked = job(task, roles__images="h", roles__computes="cloud", hide="features", machines__server="https://x:1")
    if (task, under) != ("verify", Under.SERVER) and (task, under) != ("search", Under.SERVER):
        assert "cloud would see the vectors that h compares with" in way_reason(asked, Way("a", under))
    assert not way_reason(asked, Way("a", Under.CKKS, encrypted=True))
    own = job(task, roles__images="h", roles__model="cloud", roles__computes="cloud", hide="pixels,features")
    assert not way_reason(own, Way("a", Under.CKKS))


def test_networks_are_not_hidden_detectors() -> None:
    asked = job("detect", features="faces", **HIDDEN)
    assert "networks" in way_reason(asked, Way("faces", Under.ABY3, extracted_by=Side.OWNER))
    assert not way_reason(asked, Way("people", Under.ABY3, extracted_by=Side.OWNER))


@pytest.mark.parametrize(
    ("task", "unit", "release", "admissible"),
    [
        ("search", "person:3", ReleaseKind.PRIVUNIT, False), ("search", "image", ReleaseKind.PRIVUNIT, True),
        ("identify", "person:3", ReleaseKind.PRIVUNIT, True), ("count", "person:3", ReleaseKind.FEATURE, False),
        ("count", "person:3", ReleaseKind.AGGREGATE, False), ("count", "person-day:4", ReleaseKind.AGGREGATE, False),
        ("count", "image", ReleaseKind.AGGREGATE, True), ("extract", "person:3", ReleaseKind.FEATURE, True),
        ("classify", "person:3", ReleaseKind.TRAINING, False), ("classify", "image", ReleaseKind.TRAINING, True),
    ],
)  # fmt: skip
def test_a_release_hides_the_unit_that_is_said(task: str, unit: str, release: ReleaseKind, admissible: bool) -> None:
    asked = job(task, hide="person", budget__epsilon=4, budget__unit=unit, images__classes="ill,well")
    assert (release_reasons(asked, 4.0)[release] == "") == admissible


def test_a_video_hides_everything_of_a_person() -> None:
    asked = job("count", hide="person", budget__epsilon=4, images__path="hall.mp4")
    assert "person-day" in release_reasons(asked, 4.0)[ReleaseKind.FEATURE]


def test_an_error_is_a_release() -> None:
    assert needs_release(job("extract", needs__error="5%"))
