from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from privis.choose.cost.cost_probes import CostProbes
from privis.choose.cost.earlier_runs import TOTALLED, extraction_digest
from privis.choose.cost.prediction import CostPrediction
from privis.choose.cost.run_log import ScoredRun, Taken
from privis.choose.way import ReleaseKind, Side, Under, Way
from privis.choose.way_cost import LENGTHS, RECIPE_PARTS, START, WayCosts
from privis.cli.choose.choose_words import vocabulary
from privis.errors import Problem, UnsupportedError
from privis.run.program_cache import ProgramCache
from tests.choose.choosing import FAST, job, stated


def costs() -> WayCosts:
    return WayCosts(vocabulary(), predict=stated)


def test_searches_take_longer_the_more_rows_there_are() -> None:
    few, many = (job("search", images__rows=rows) for rows in (30, 100_000))
    for under in (Under.CLEAR, Under.CKKS, Under.ABY3, Under.CHEETAH):
        first, second = (costs().cost(asked, Way("colour", under), None, None) for asked in (few, many))
        assert first.seconds < second.seconds and first.sent <= second.sent
    assert costs().cost(few, Way("colour"), None, None).sent == 0


def test_recipes_are_all_known() -> None:
    assert set(LENGTHS) == set(RECIPE_PARTS)
    for recipe in RECIPE_PARTS:
        assert costs().cost(job("search"), Way(recipe), None, None).seconds > 0


def test_an_encrypted_gallery_costs_more() -> None:
    ways = (Way("colour", Under.CKKS, encrypted=encrypted) for encrypted in (False, True))
    plain, encrypted = (costs().cost(job("search", images__rows=20_000), way, None, None) for way in ways)
    assert encrypted.seconds > plain.seconds


@pytest.mark.parametrize("under", [Under.CLEAR, Under.ABY3, Under.CKKS])
def test_faces(under: Under) -> None:
    one = costs().cost(job("verify", images__number=1), Way("sface", under), None, None)
    more = costs().cost(job("identify", images__number=9), Way("sface", under), None, None)
    assert 0 < one.seconds < more.seconds


def test_scores_of_a_made_up_classifier_are_what_is_predicted() -> None:
    asked = job("classify", images__classes="a,b,c,d")
    way = Way("lbp:patterns=uniform,density=yes,size=32x32", Under.CKKS)
    feature = vocabulary().feature("lbp", ["patterns=uniform", "density=yes", "size=32x32"])
    seen = {}

    def predict(feature, under, shape, images, **more):  # type: ignore[no-untyped-def]
        seen["components"] = len(feature.names((1024,)))
        return FAST

    from privis.choose.way import Side

    owner = Way(way.feature, Under.CKKS, extracted_by=Side.OWNER)
    WayCosts(vocabulary(), predict=predict).cost(asked, owner, feature, None)
    assert seen["components"] == 4


def test_a_refusal_of_ciphertexts_is_kept(tmp_path: Path) -> None:
    asked: list[str] = []

    def refused(feature, under, shape, images, **more):  # type: ignore[no-untyped-def]
        asked.append(feature.name)
        raise UnsupportedError(Problem("CKKS", "too many levels", "fewer", "a smaller size"))

    words = vocabulary()
    probes = CostProbes(0.0, ProgramCache(tmp_path))
    for _ in range(2):
        with pytest.raises(UnsupportedError, match="too many levels, expected fewer; a smaller size"):
            WayCosts(words, probes, refused).cost(
                job("extract"), Way("colour", Under.CKKS), words.feature("colour", []), None
            )
    assert asked == ["colour"]
    with pytest.raises(UnsupportedError):
        WayCosts(words, probes, refused).cost(job("extract"), Way("lbp", Under.CKKS), words.feature("lbp", []), None)
    assert asked == ["colour", "lbp"]


def test_a_mean_takes_a_second_command() -> None:
    feature = vocabulary().feature("colour", [])
    ways = (Way("colour", release=kind) for kind in (ReleaseKind.NONE, ReleaseKind.AGGREGATE))
    rows, mean = (costs().cost(job("extract"), way, feature, None).seconds for way in ways)
    assert mean == pytest.approx(rows + START)


def test_a_detector_whose_compilation_takes_minutes_is_not_tried() -> None:
    more = dict(roles__images="m", roles__computes="v", hide="pixels", images__size="128x96")
    asked, way = job("detect", **more), Way("people", Under.CKKS, extracted_by=Side.SERVER, shown_model=True)
    with pytest.raises(UnsupportedError, match="24,530,341 operations"):
        costs().cost(asked, way, None, None)


def test_a_training_is_no_prediction_of_classes() -> None:
    asked, words = job("classify", features="colour"), vocabulary()
    way, feature = Way("colour", extracted_by=Side.OWNER), words.feature("colour", [])
    run = ScoredRun("classify predict", "clear", "", feature.name, 4, 0, 1, "", None, Taken(99.0, 1 << 30))
    found = WayCosts(words, predict=stated, runs=[run])
    assert found.cost(asked, way, feature, None).seconds == 99.0
    assert found.cost(asked, replace(way, release=ReleaseKind.TRAINING), feature, None).seconds < 99.0


def test_a_job_of_two_commands_takes_what_both_took() -> None:
    asked, feature = job("extract"), vocabulary().feature("colour", [])
    way, digest = Way("colour", release=ReleaseKind.AGGREGATE), extraction_digest(feature, None, asked.size)
    first = ScoredRun("extract", "clear", "", "colour", 4, 0, 2, "", None, Taken(9.0, 1 << 30, 0), digest)
    second = ScoredRun("release", "clear", "", TOTALLED, 4, 0, 1, "", None, Taken(4.0, 1 << 29))
    words = vocabulary()
    found = WayCosts(words, predict=stated, runs=[first, second]).cost(asked, way, feature, None)
    assert (found.seconds, found.memory) == (13.0, 1 << 30)
    alone = WayCosts(words, predict=stated, runs=[first]).cost(asked, way, feature, None)
    assert alone.seconds == pytest.approx(FAST.seconds + START)


def test_nothing_is_probed_that_ran_before() -> None:
    asked, words, probed = job("extract"), vocabulary(), []

    def predict(feature, under, shape, images, **more):  # type: ignore[no-untyped-def]
        probed.append(more["probes"].seconds)
        return FAST

    feature = words.feature("colour", [])
    digest = extraction_digest(feature, None, asked.size)
    run = ScoredRun("extract", "clear", "", "colour", 4, 0, 2, "", None, Taken(9.0, 1 << 30, 0), digest)
    for runs in ([], [run]):
        WayCosts(words, CostProbes(8.0), predict, runs).cost(asked, Way("colour"), feature, None)
    assert probed == [8.0, 0.0]


@pytest.mark.parametrize("task", ["verify", "detect", "count"])
def test_a_slower_machine_takes_longer(task: str) -> None:
    asked, words = job(task), vocabulary()
    way = Way("sface" if task == "verify" else "people")
    quick, slow = (WayCosts(words, predict=stated, slowness=factor).cost(asked, way, None, None) for factor in (1, 2))
    assert slow.seconds > quick.seconds


@pytest.mark.parametrize(("under", "measured"), [(Under.CLEAR, 469), (Under.CHEETAH, 1451), (Under.CKKS, 1160)])
def test_memory_of_faces_is_as_it_was_measured(under: Under, measured: int) -> None:
    found = costs().cost(job("verify"), Way("sface", under, extracted_by=Side.OWNER), None, None)
    assert found.memory / (1 << 20) == pytest.approx(measured, rel=0.05)


def test_parties_that_classify_are_processes_that_start() -> None:
    words = vocabulary()
    feature, asked = words.feature("hog", ["size=64x64"]), job("classify", machines__operators=3)
    first = Way("hog:size=64x64", Under.CLEAR, extracted_by=Side.OWNER)
    clear, joint = (
        costs().cost(asked, replace(first, under=under), feature, None) for under in (first.under, Under.ABY3)
    )
    assert joint.memory > 3 * clear.memory and joint.seconds > FAST.seconds


@pytest.mark.parametrize(("under", "measured"), [(Under.CKKS, 264), (Under.ABY3, 1158)])
def test_memory_of_searches_is_as_it_was_measured(under: Under, measured: int) -> None:
    asked = job("search", images__rows=30, images__size="256x384")
    found = WayCosts(vocabulary()).cost(asked, Way("colour", under, extracted_by=Side.OWNER), None, None)
    assert found.memory / (1 << 20) == pytest.approx(measured, rel=0.1)


def test_a_recipe_of_several_parts_starts_once_however_quick_that_is() -> None:
    """A probe may find a start that is shorter than the usual one: no part takes seconds off."""

    def predict(feature, under, shape, images, **more):  # type: ignore[no-untyped-def]
        return CostPrediction(0.9, 1 << 28, 0, 0, None, "a probe")

    recipe = max(RECIPE_PARTS, key=lambda name: len(RECIPE_PARTS[name] or ()))
    assert len(RECIPE_PARTS[recipe] or ()) > 1
    found = WayCosts(vocabulary(), predict=predict).cost(job("search"), Way(recipe), None, None)
    assert found.seconds >= 0.9
