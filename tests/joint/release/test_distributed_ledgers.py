"""Who pays for distributed noise, what is refused before any is drawn, and the same on shares."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from privis.errors import BudgetError, ParameterError
from privis.joint.release import distributed_noise
from privis.joint.release.simulated_release import Owner, release_jointly
from privis.joint.runners import Arrays, InTheClear, on_this_machine
from privis.joint.statistics.sums import Committee, total_of
from privis.privacy import Gaussian, Laplace, ReleaseKey, WholeImage
from privis.privacy.ledger.budget import Budget, BudgetUnit, Per
from privis.privacy.ledger.file import FileLedger
from privis.privacy.releases.corpus import Aggregate, MeanRelease, SumRelease
from privis.privacy.releases.partial_sums import Partial
from privis.privacy.units import Dataset, Person
from privis.run.mpc.job import Job
from tests.joint.wards import KEYS, UNITS, partials, plan_of

# Ledgers


def home(folder: Path, name: str, part: Partial, epsilon: float = 2.5, unit=BudgetUnit.IMAGE) -> Owner:
    path = folder / name
    ledger = FileLedger(path) if path.exists() else FileLedger.create(path, Budget(epsilon, 1e-5, Per.CORPUS, unit))
    return Owner(part, ReleaseKey(name.encode().ljust(32)), ledger)


def homes(folder: Path, release: Aggregate, epsilon: float = 2.5, unit=BudgetUnit.IMAGE, seed=0) -> dict[str, Owner]:
    return {name: home(folder, name, part, epsilon, unit) for name, part in partials(release, seed=seed).items()}


UNIT_OF = {WholeImage: BudgetUnit.IMAGE, Dataset: BudgetUnit.DATASET, Person: BudgetUnit.PERSON}


@pytest.mark.parametrize("unit", UNITS, ids=repr)
def test_every_owner_pays_the_whole_epsilon_once(tmp_path: Path, unit) -> None:
    release = MeanRelease(Laplace(1.0), 0.7, unit)
    plan, owners = plan_of(release), homes(tmp_path, release, unit=UNIT_OF[type(unit)])
    first = release_jointly(plan, owners, KEYS, run=InTheClear())
    again = release_jointly(plan, owners, KEYS, run=InTheClear())
    assert (first.values == again.values).all()  # the same release
    for owner in owners.values():
        assert (owner.ledger.spent().charges, owner.ledger.spent().epsilon) == (1, 1.0)
    fresh = homes(tmp_path, release, seed=1)
    assert (release_jointly(plan, fresh, KEYS, run=InTheClear()).values != first.values).all()
    assert [owner.ledger.spent().charges for owner in fresh.values()] == [2, 2, 2]
    assert "As long as at most 2 of the noise parties" in first.revealed and "epsilon 1)" in first.revealed


def test_nothing_is_drawn_when_a_ledger_refuses(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    release = SumRelease(Laplace(1.0), 0.7)
    plan, owners = plan_of(release), homes(tmp_path, release)
    owners["west"] = Owner(owners["west"].partial, owners["west"].key, FileLedger.create(tmp_path / "poor", Budget(
        0.5, 1e-5, Per.CORPUS)))  # fmt: skip

    def forbidden(*given: object) -> None:
        raise AssertionError("noise was drawn, or a job run, before all ledgers were charged")

    monkeypatch.setattr(distributed_noise, "draw_noise", forbidden)
    with pytest.raises(BudgetError, match=r"at most about epsilon 0\.5"):
        release_jointly(plan, owners, KEYS, run=forbidden)  # type: ignore[arg-type]
    assert owners["north"].ledger.spent().charges == 1  # wasted, never overspent; the same release is free later
    with pytest.raises(BudgetError):
        release_jointly(plan, owners, KEYS, run=forbidden)  # type: ignore[arg-type]
    assert owners["north"].ledger.spent().charges == 1


def test_a_ledger_per_subject_is_refused(tmp_path: Path) -> None:
    plan = plan_of(SumRelease(Laplace(1.0), 0.7))
    with pytest.raises(ParameterError, match="per corpus"):
        plan.charge(FileLedger.create(tmp_path / "x", Budget(9.0, 1e-5)), "id")


def test_persons_over_several_owners(tmp_path: Path) -> None:
    """Nobody can count a person's images over owners, so each owner takes its part of k, unless they are disjoint."""
    release = SumRelease(Laplace(1.0), 0.7, Person(6))
    part = release.partial(np.ones((3, 4)), ["ann"] * 3)
    with pytest.raises(ParameterError, match="more than 2 images of a person"):
        plan_of(release).contribution("north", part, KEYS["party 0"])
    assert plan_of(release, disjoint=True).contribution("north", part, KEYS["party 0"]).images is None
    with pytest.raises(ParameterError, match="at least one image per person"):
        plan_of(SumRelease(Laplace(1.0), 0.7, Person(2)))


@pytest.mark.parametrize(
    ("changes", "match"),
    [
        ({"colluding": 3}, "0 to 2"),
        ({"colluding": -1}, "0 to 2"),
        ({"colluding": True}, "0 to 2"),
        ({"colluding": 1}, "only sums of Gaussian"),
        ({"noise_parties": ()}, "at least one"),
        ({"noise_parties": ("a", "a")}, "each named once"),
        ({"release": "mean"}, "histogram"),
        ({"components": 0}, "components"),
    ],
)
def test_plans_that_promise_too_much_are_refused(changes: dict[str, Any], match: str) -> None:
    plan = plan_of(SumRelease(Laplace(1.0), 0.7))
    with pytest.raises(ParameterError, match=match):
        dataclasses.replace(plan, **changes)


def test_contributions_must_fit() -> None:
    release = SumRelease(Laplace(1.0), 0.7)
    part, plan = release.partial(np.ones((3, 5))), plan_of(release)
    with pytest.raises(ParameterError) as caught:
        dataclasses.replace(plan, most_images=2).contribution("east", part, KEYS["party 0"])
    assert [problem.where for problem in caught.value.problems] == ["owner", "Partial", "Partial"]
    with pytest.raises(ParameterError, match="noise_keys"):
        release_jointly(plan, {}, {})


# On shares


def test_aby3_adds_exactly(tmp_path: Path) -> None:
    pytest.importorskip("spu")
    release = MeanRelease(Gaussian(1.0, 1e-6), 0.7, Dataset())
    plan = plan_of(release, colluding=1)
    totals: list[Arrays] = []

    def both(job: Job, arrays: Arrays) -> Arrays:
        shared, clear = on_this_machine(job, arrays), InTheClear()(job, arrays)
        totals.extend([shared, clear])
        return shared

    released = release_jointly(plan, homes(tmp_path, release, unit=BudgetUnit.DATASET), KEYS, run=both)
    assert total_of(totals[0]).tolist() == total_of(totals[1]).tolist()
    assert released.guarantee == plan.guarantee
    assert Committee() == plan.committee
