from __future__ import annotations

import json

import pytest

from privis.choose.recommend import recommend
from privis.choose.way import ReleaseKind, Side, Under
from privis.choose.way_cost import WayCosts
from privis.cli.choose.choose_told import document_of
from privis.cli.choose.choose_words import vocabulary
from privis.errors import ParameterError
from tests.choose.choosing import FAST, answer, job, stated, why

OUTSOURCED = dict(roles__images="phone", roles__computes="cloud", roles__owner_computes="no", hide="pixels,features")


def test_whatever_is_hidden_is_never_computed_in_the_clear_by_others() -> None:
    found = answer(job("extract", machines__operators=3, **OUTSOURCED))
    assert found.choices and all(choice.way.under is not Under.CLEAR for choice in found.choices)
    assert "cloud would see pixels" in why(found, "hog:size=64x64 under clear")
    assert "262,300,032 operations" in why(found, "scattering under ckks")
    assert "too many levels" in why(found, "glcm under ckks")  # the executor's own reason


def test_every_way_is_a_choice_or_has_a_reason() -> None:
    found = answer(job("extract", machines__operators=3, hide="person", budget__epsilon=4,
                       roles__images="a", roles__computes="b", roles__receives="c"))  # fmt: skip
    assert all(one.why for one in found.excluded)
    assert len({one.what for one in found.excluded}) == len(found.excluded)
    assert all(choice.epsilon == 4.0 for choice in found.choices)
    assert not {one.what for one in found.excluded} & {choice.way.words for choice in found.choices}


def test_networks_turn_the_order() -> None:
    more = dict(machines__operators=3, features="hog:size=64x64", **OUTSOURCED)
    local, wide = answer(job("extract", **more)), answer(job("extract", network__kind="wan", **more))
    assert local.recommended is not None and local.recommended.way.under is Under.ABY3
    assert wide.recommended is not None and wide.seconds(wide.recommended) > local.seconds(local.recommended)
    far = answer(job("extract", network__kind="wan", network__round_trip=2.0, **more))
    assert far.recommended is not None and far.recommended.way.under is Under.CKKS


def test_latency_and_accuracy_exclude_with_figures() -> None:
    needs = dict(needs__latency=3.0, needs__accuracy="99%", needs__like="medical-mnist", machines__operators=3)
    roles = dict(roles__images="a", roles__model="b", roles__computes="b", hide="pixels,features,model")
    found = answer(job("classify", features="hog:size=64x64,colour", **needs, **roles))
    assert {choice.way.under for choice in found.choices} == {Under.ABY3, Under.CHEETAH}
    assert "s an image predicted" in why(found, "hog:size=64x64 under ckks, extracted by the owner")
    assert "nobody measured" in why(found, "colour")
    assert all(choice.accuracy is not None and choice.accuracy.value >= 0.99 for choice in found.choices)


def test_the_more_accurate_way_comes_first() -> None:
    found = answer(job("classify", needs__like="medical-mnist"))
    assert found.recommended is not None and found.recommended.accuracy is not None
    values = [-1 if choice.accuracy is None else choice.accuracy.value for choice in found.choices]
    assert values == sorted(values, reverse=True)


def test_noise_that_leaves_nothing_is_out() -> None:
    found = answer(job("extract", hide="person", budget__epsilon=0.01, features="hog:size=64x64", result="rows"))
    assert "nothing is left" in why(found, "hog:size=64x64 under clear at the images’ owner, feature noise")


def test_an_accepted_error_is_solved_for_and_said() -> None:
    asked = job("extract", hide="person", needs__error="5%", features="colour", images__number=1000)
    found = answer(asked)
    assert found.recommended is not None and found.recommended.way.release is ReleaseKind.AGGREGATE
    assert found.epsilon is not None and f"--epsilon {found.epsilon:g}" in found.recommended.command
    assert "5 %" in found.solved
    looser = answer(job("extract", hide="person", needs__error="10%", features="colour", images__number=1000))
    assert looser.epsilon is not None and looser.epsilon < found.epsilon


def test_counts_of_pictures_and_videos() -> None:
    pictures = answer(job("count", hide="person", budget__epsilon=4, result="aggregate"))
    assert pictures.recommended is not None and "--aggregate sum" in pictures.recommended.command
    video = answer(job("count", hide="person", budget__epsilon=4, budget__unit="person-day:4", images__path="hall.mp4"))
    assert video.recommended is not None and video.recommended.command.startswith("privis video count hall.mp4")
    assert video.recommended.accuracy is not None and video.recommended.accuracy.set == "pets-2009"


def test_the_document_has_what_scripts_read() -> None:
    found = document_of(answer(job("extract", features="lbp")))
    json.dumps(found, allow_nan=False)
    assert {"command", "seconds", "memory_mib", "megabytes", "epsilon", "why"} <= set(found["recommended"])
    assert set(found) >= {"recommended", "alternatives", "excluded"}
    assert all(set(one) == {"what", "why"} for one in found["excluded"])
    assert found["recommended"]["why"].count(". ") == 1  # two sentences


def test_nothing_admissible_is_an_answer() -> None:
    found = answer(job("detect", hide="person", budget__epsilon=4))
    assert found.recommended is None and document_of(found)["recommended"] is None and "No way" in found.why


def test_unknown_words_are_refused() -> None:
    with pytest.raises(ParameterError, match="like"):
        answer(job("extract", needs__like="holidays"))
    with pytest.raises(ParameterError, match="hogg"):
        answer(job("extract", features="hogg"))


def test_a_probe_may_turn_the_order() -> None:
    found = answer(job("classify", features="lbp,hog:size=64x64", needs__like="medical-mnist"))
    assert found.recommended is not None
    first = found.recommended.way

    def slower(feature, under, shape, images, **more):  # type: ignore[no-untyped-def]
        return FAST.__class__(99.0, 1, 0, 0, None, "probed")

    words = vocabulary()
    again = found.probed(WayCosts(words, predict=slower), words)
    assert again.recommended is not None and again.recommended.way != first
    late = job("classify", features="lbp,hog:size=64x64", needs__like="medical-mnist", needs__latency=3.0)
    kept = recommend(late, words, WayCosts(words, predict=stated)).probed(WayCosts(words, predict=slower), words)
    assert first.words not in kept.why and "24.8 s an image" in why(kept, first.words)


def test_sides_are_told_apart() -> None:
    found = answer(job("extract", features="lbp", roles__images="a", roles__computes="b"))
    assert {choice.way.extracted_by for choice in found.choices if choice.way.under is Under.CLEAR} == set(Side)


def test_all_unknown_words_are_told_at_once() -> None:
    with pytest.raises(ParameterError) as refused:
        answer(job("extract", features="hogg,colour,lpb", needs__like="nothing"))
    assert [problem.got for problem in refused.value.problems] == ["'hogg'", "'lpb'", "'nothing'"]
    for task in ("identify", "detect", "search"):
        with pytest.raises(ParameterError, match="foo"):
            answer(job(task, features="foo"))


def test_a_stated_budget_whose_error_is_too_large_is_out() -> None:
    more = dict(hide="person", features="colour", result="aggregate", images__number=1000, budget__epsilon=0.1)
    assert answer(job("extract", needs__error="90%", **more)).recommended is not None
    assert "at epsilon 0.1, at most 1 % allowed" in why(answer(job("extract", needs__error="1%", **more)), "colour")


def test_an_aggregate_of_which_noise_leaves_nothing_is_out() -> None:
    found = answer(job("extract", hide="person", features="colour", result="aggregate", budget__epsilon=1e-4))
    assert "nothing is left" in why(found, "colour") and found.recommended is None


@pytest.mark.parametrize(
    ("task", "more", "where"),
    [
        ("classify", {}, "needs.error"), ("extract", {"budget__unit": "pixels:4"}, "budget.unit"),
        ("count", {"images__path": "hall.mp4"}, "needs.error"), ("extract", {"result": "rows"}, "needs.error"),
    ],
)  # fmt: skip
def test_an_error_that_cannot_be_solved_for_is_refused(task: str, more: dict[str, str], where: str) -> None:
    with pytest.raises(ParameterError, match=where):
        answer(job(task, needs__error="20%", **more))
