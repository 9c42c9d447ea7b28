"""Counts with noise: near the exact ones at a large epsilon, the same with the same key, charged once, named in words.

Answers for `privis.estimators.video.presence_release`.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from privis import Budget, BudgetUnit, FileLedger, Per, ReleaseKey
from privis.errors import BudgetError, ParameterError
from privis.estimators.video.presence_release import released_counts
from privis.privacy import Gaussian, Laplace, PersonDay
from privis.tasks.tracking import Tracks, presence

WINDOWS, PEOPLE = [0, 1, 2, 3, 0, 0], [1, 1, 1, 1, 2, 3]


def told(noise=Laplace(100.0), unit=PersonDay(2), **options):
    return released_counts(WINDOWS, PEOPLE, 5, noise, unit, recording="door, Monday", **options)


def test_windows_beyond_those_of_the_unit_are_cut_off() -> None:
    released = told()
    assert np.abs(released.counts - [3, 1, 0, 0, 0]).max() <= 1 and abs(released.people_cut_off - 1) <= 2
    assert "at most 2 windows count" in released.guarantee.sentence and released.guarantee.epsilon == 100.0
    assert released.card.images == 0 and "tracks of people" in released.card.to_json()
    assert "nobody has more than one id" in released.guarantee.sentence and "everybody else" in released.card.to_json()
    assert told(Gaussian(50.0, 1e-6), PersonDay(2, ids=3)).guarantee.promises[0] == "nobody has more than 3 ids"


def test_one_recording_is_charged_once_whatever_is_asked_again(tmp_path: Path) -> None:
    presence_budget = Budget(2.5, 1e-6, Per.CORPUS, BudgetUnit.ADD_OR_REMOVE_PERSON)
    ledger, key = FileLedger.create(tmp_path / "ledger", presence_budget), ReleaseKey.generate()
    first, again = (told(Laplace(1.0), key=key, ledger=ledger) for _ in range(2))
    assert first.counts.tolist() == again.counts.tolist() and ledger.spent().charges == 1
    told(Laplace(1.0), PersonDay(3), key=key, ledger=ledger)
    with pytest.raises(BudgetError):
        told(Laplace(1.0), PersonDay(4), key=key, ledger=ledger)
    assert ledger.spent().charges == 2
    drawn = {tuple(told(Laplace(0.1)).counts.tolist()) for _ in range(4)}
    assert len(drawn) > 1, "without a key every call draws noise of its own"


def test_sightings_of_a_table_are_those_of_tracks() -> None:
    tracks = Tracks([1, 2, 3], [7, 9, 9], [[0, 0, 4, 8]] * 3, [1.0] * 3, [0.0, 12.0, 25.0])
    table = presence(tracks, 10.0, 30.0)
    windows, columns = np.nonzero(table.present)
    released = released_counts(windows, table.people[columns], 3, Laplace(100.0), PersonDay(3), recording="a")
    assert np.abs(released.counts - table.counts).max() <= 1


def test_what_does_not_fit_is_said() -> None:
    with pytest.raises(ParameterError, match="one window and one id for every sighting"):
        released_counts([0, 1], [1], 2, Laplace(1.0), PersonDay(1), recording="a")
    with pytest.raises(ParameterError, match="a whole number from 0 to 1"):
        released_counts([0, 2], [1, 1], 2, Laplace(1.0), PersonDay(1), recording="a")
    with pytest.raises(ParameterError):
        released_counts([0], [1], 2, Laplace(1.0), PersonDay(1), recording="")
