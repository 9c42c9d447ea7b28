"""Releases for people among owners who do not see each other's: windows of cameras, and models of patients."""

import dataclasses

import numpy as np
import pytest

from privis import Budget, BudgetUnit, FileLedger, Per
from privis.cli.joint import TASKS
from privis.errors import ParameterError
from tests.parties.homes import check_told, specified

pytest.importorskip("spu")


def test_people_per_window_at_two_cameras(joint, homes):
    """Rows are numbers of windows; a person may be at both cameras, under an id at each."""
    presence = Budget(100.0, 1e-5, Per.CORPUS, BudgetUnit.ADD_OR_REMOVE_PERSON)
    ledgers = {name: FileLedger.create(homes.folder / name / "days", presence) for name in ("alice", "bob")}

    def lend(name, rows):
        homes.lend(name, "rows", np.array(rows), subject="patient")
        lent = homes.members[name]["inputs"]
        lent["rows"] = dataclasses.replace(lent["rows"], ledger=homes.folder / name / "days")

    for name in ledgers:
        lend(name, [[3.0], [3.0], [5.0]])
    words = {"corpus": "doors", "epsilon": 50.0, "noise": "laplace", "unit": "person-day:2:2"}
    options = {"statistic": "windows", "windows": 8, "resolution": 5}
    ending = joint(specified(options=options, release=words))
    assert not ending.failed, ending.told
    with np.load(ending.received["carol"][0]) as found:
        assert np.abs(found["windows"] - [0, 0, 0, 2, 0, 2, 0, 0, 0])[:-1].max() <= 2
    assert [ledger.spent().charges for ledger in ledgers.values()] == [1, 1]
    for changes, told in (
        ({"options": {"statistic": "windows"}}, "how many windows a day has"),
        ({"release": {**words, "unit": "person:2"}}, "person-day:WINDOWS:IDS for windows"),
        ({"options": {"statistic": "mean"}}, "person-day:WINDOWS:IDS for windows"),
        ({"release": {**words, "clip": 1.0}}, "none for counts"),
        ({"release": {**words, "unit": "person-day:2"}}, "an id at each of 2 owners"),
    ):
        ending = joint(specified(**{"options": options, "release": words, **changes}))
        assert ending.failed and told in ending.all_told + str(ending.log), ending.told
    lend("alice", [[3.0], [8.0]])
    ending = joint(specified(options=options, release=words))
    assert ending.failed and "a whole number from 0 to 7" in ending.log["alice"]
    check_told(ending, homes, "windows[1]")


def test_a_model_for_a_person_takes_no_more_rows_of_them_than_it_says(joint, homes):
    """All rows are one patient's: person:4 over two owners lets each use two, and over two lends one of each."""
    for name in ("alice", "bob"):
        homes.lend(name, "rows", np.full((20, 4), 0.1), subject="patient", labels=("label",))
        homes.lend(name, "more", np.full((20, 4), 0.1), subject="patient", labels=("label",))
    words = {"task": "train", "options": {"classes": 2, "rates": [1.0], "batch": 4}, "receivers": {"model": ["carol"]}}
    release = {"corpus": "wards", "epsilon": 0.5, "delta": 1e-6, "unit": "person:4"}
    job, task = specified(**words, release=release), TASKS["train"]
    prepared = task.prepare(job, "one", homes.members["alice"]["inputs"]["rows"])
    assert len(prepared.announcement.shapes) == len(prepared.labels) == 2
    ending = joint(job)
    assert not ending.failed, ending.told
    assert homes.spent("alice") == homes.spent("bob") == 1
    uses = {
        f"{owner}-{lends}": {"owner": owner, "lends": lends} for owner in ("alice", "bob") for lends in ("rows", "more")
    }
    both = specified(**words, release=release, inputs=uses)
    assert len(task.prepare(both, "alice-more", homes.members["alice"]["inputs"]["more"]).announcement.shapes) == 1
    with pytest.raises(ParameterError, match="person:4 at least"):
        task.releasing(specified(**words, release={**release, "unit": "person:3"}, inputs=uses))
    homes.lend("bob", "rows", np.full((20, 4), 0.1), labels=("label",))
    ending = joint(job)
    assert ending.failed and "no column of people" in ending.log["bob"]
