from __future__ import annotations

from dataclasses import fields

import pytest

from privis.choose.job_description import (
    ENTRIES,
    Concealed,
    JobDescription,
    NetworkKind,
    ResultKind,
    Task,
    job_of,
    read_document,
    share,
)
from privis.errors import ParameterError

PLAIN = {"task": "extract", "images.path": "in", "images.number": 3, "images.size": "64x48"}


def test_every_field_has_an_entry_and_every_option_a_name_of_its_own() -> None:
    assert [field.name for field in fields(JobDescription)] != [] and {e.field for e in ENTRIES} == {
        f.name for f in fields(JobDescription)
    }
    assert len({entry.option for entry in ENTRIES}) == len(ENTRIES)


def test_words_and_toml_values_say_the_same(tmp_path) -> None:
    path = tmp_path / "job.toml"
    path.write_text(
        'task = "classify"\nhide = ["pixels", "model"]\n[images]\npath = "in"\nnumber = 3\nsize = [64, 48]\n'
        'labelled = "known"\nclasses = ["ill", "well"]\n[roles]\nmodel = "vendor"\n[network]\nkind = "wan"\n'
        "[needs]\naccuracy = 0.95\n"
    )
    words = PLAIN | {
        "task": "classify", "hide": "pixels,model", "images.labelled": "known", "images.classes": "ill, well",
        "roles.model": "vendor", "network.kind": "WAN", "needs.accuracy": "95%", "images.number": "3",
    }  # fmt: skip
    assert job_of(read_document(path)) == job_of(words)
    job = job_of(words)
    assert job.hide == {Concealed.PIXELS, Concealed.MODEL} and job.size == (64, 48)
    assert (job.network, job.round_trip, job.bandwidth) == (NetworkKind.WAN, 0.05, 1e8)


def test_all_problems_come_at_once() -> None:
    wrong = {"task": "paint", "images.path": " ", "images.number": 0, "needs.accuracy": "120%", "colour": "red",
             "network.bandwidth": True, "hide": "faces"}  # fmt: skip
    with pytest.raises(ParameterError) as caught:
        job_of(wrong)
    told = str(caught.value)
    assert len(caught.value.problems) == 8  # the size is missing, too
    for key in (*wrong, "images.size"):
        assert key in told


@pytest.mark.parametrize(
    ("more", "named"),
    [
        ({"hide": "person"}, "hide"),
        ({"hide": "model"}, "roles.model"),
        ({"task": "verify"}, "images.reference"),
        ({"task": "search"}, "images.labelled"),
        ({"budget.unit": "dog:3"}, "budget.unit"),
        ({"budget.unit": "person"}, "budget.unit"),
        ({"budget.epsilon": float("nan")}, "budget.epsilon"),
        ({"budget.delta": 1}, "budget.delta"),
        ({"roles.owner_computes": "perhaps"}, "owner_computes"),
        ({"images.classes": [1, 2]}, "images.classes"),
    ],
)
def test_what_does_not_fit_is_named(more: dict[str, object], named: str) -> None:
    with pytest.raises(ParameterError, match=named):
        job_of(PLAIN | more)


def test_an_error_is_that_of_an_aggregate() -> None:
    assert job_of(PLAIN | {"needs.error": "5%", "hide": "person"}).result is ResultKind.AGGREGATE
    assert job_of(PLAIN | {"needs.error": "5%", "budget.epsilon": 1}).result is None


def test_shares() -> None:
    assert share("5%") == share(0.05) == 0.05 and share("100%") == 1.0
    for wrong in ("", "0", "-1", "5", "101%", "%", None, True):
        with pytest.raises(ValueError):
            share(wrong)


def test_a_file_that_is_none_is_said(tmp_path) -> None:
    with pytest.raises(ParameterError, match=r"missing\.toml"):
        read_document(tmp_path / "missing.toml")
    for content in (b"task = ", b"\xff\xfe"):
        (tmp_path / "bad.toml").write_bytes(content)
        with pytest.raises(ParameterError, match=r"bad\.toml"):
            read_document(tmp_path / "bad.toml")


def test_units_and_roles() -> None:
    job = JobDescription(Task.EXTRACT, "in", 1, (8, 8), owner="a", computes="b", receives="a", unit="pixels:3")
    assert job.outsourced and not job.leaves and not job.hides_person


def test_parameters_of_a_typed_feature_stay_with_it() -> None:
    typed = job_of({**PLAIN, "features": "lbp:patterns=uniform,density=yes, colour,hog:size=64x64,cell=8,glcm"})
    assert typed.features == ("lbp:patterns=uniform,density=yes", "colour", "hog:size=64x64,cell=8", "glcm")


@pytest.mark.parametrize("wrong", ["0%", "-5%", "5", "nan", "150%"])
def test_a_budget_that_cannot_be_read_is_one_problem(wrong: str) -> None:
    with pytest.raises(ParameterError) as refused:
        job_of({**PLAIN, "hide": "person", "needs.error": wrong})
    assert [problem.where for problem in refused.value.problems] == ["job: needs.error"]
