"""People in windows at two cameras: exact inside, the noise and the guarantee of the clear, and ids at both owners.

Answers for `privis.joint.release.aggregate_integers`.
"""

from __future__ import annotations

import numpy as np
import pytest

from privis import Budget, BudgetUnit, FileLedger, Per, ReleaseKey
from privis.errors import ParameterError
from privis.joint.release.aggregate_integers import coordinates, largest_integer, released_values, shared_sensitivity
from privis.joint.release.distributed_noise import ReleasePlan
from privis.joint.release.simulated_release import Owner, release_jointly
from privis.joint.runners import InTheClear
from privis.privacy import Gaussian, Laplace, PersonDay, WindowCountRelease
from privis.privacy.releases.corpus import SumRelease
from privis.privacy.units import Dataset

CAMERAS = ("north door", "south door")
DAY = 24
UNIT = PersonDay(3, ids=2)
BUDGET = Budget(200.0, 1e-6, Per.CORPUS, BudgetUnit.ADD_OR_REMOVE_PERSON)
SIGHTINGS = {"north door": ([3, 3, 4, 5, 6], ["1", "1", "1", "1", "1"]), "south door": ([4, 4, 9], ["1", "2", "2"])}
EXACT = {3: 1, 4: 3, 5: 1, 9: 1, DAY: 1}


def plan_of(release: WindowCountRelease, **changes) -> ReleasePlan:
    return ReleasePlan(release, "doors, Monday", DAY, CAMERAS, ("analyst",), **changes)


@pytest.mark.parametrize("resolution", [1, 5])
def test_both_cameras_are_one_release_charged_at_each(tmp_path, resolution) -> None:
    release = WindowCountRelease(Laplace(100.0), DAY, UNIT, resolution)
    plan = plan_of(release)
    homes = {}
    for name, (windows, tracks) in SIGHTINGS.items():
        ledger = FileLedger.create(tmp_path / name, BUDGET)
        homes[name] = Owner(release.partial(windows, tracks), ReleaseKey.generate(), ledger)
    noise_keys = {name: ReleaseKey.generate() for name in plan.drawing}
    told = release_jointly(plan, homes, noise_keys, run=InTheClear())
    wanted = np.array([EXACT.get(window, 0) for window in range(DAY + 1)])
    assert told.values.shape == (DAY + 1,) and np.abs(told.values - wanted)[:-1].max() <= 2
    again = release_jointly(plan, homes, noise_keys, run=InTheClear())
    assert np.array_equal(told.values, again.values)
    assert [home.ledger.spent().charges for home in homes.values()] == [1, 1]
    assert "2 ids" in told.guarantee.sentence and "corpus" == told.guarantee.computed_from


def test_the_guarantee_is_the_one_of_the_clear_unless_fewer_collude() -> None:
    release = WindowCountRelease(Gaussian(1.0, 1e-6), DAY, UNIT, 5)
    clear = release.guarantee((DAY,))
    assert plan_of(release).guarantee == clear
    fewer = plan_of(release, colluding=1).guarantee
    assert (fewer.epsilon, fewer.delta) == (clear.epsilon, clear.delta)
    assert fewer.whole_image_epsilon == clear.whole_image_epsilon == np.inf
    assert plan_of(release, colluding=1).variance < plan_of(release).variance


def test_an_id_at_every_camera_or_the_promise_that_nobody_is_at_two() -> None:
    one = WindowCountRelease(Laplace(1.0), DAY, PersonDay(3))
    with pytest.raises(ParameterError, match="an id at each of 2 owners"):
        plan_of(one)
    assert "nobody is at two of the owners" in plan_of(one, disjoint=True).guarantee.promises
    assert plan_of(WindowCountRelease(Laplace(1.0), DAY, UNIT)).guarantee.promises == ("nobody has more than 2 ids",)
    with pytest.raises(ParameterError, match=r"24, one per window"):
        ReleasePlan(one, "doors", 23, CAMERAS, ("analyst",), disjoint=True)


def test_integers_of_every_kind() -> None:
    release = WindowCountRelease(Laplace(1.0), DAY, UNIT, 5)
    assert coordinates(release, DAY) == DAY + 1 and largest_integer(release, 100) == 500
    assert released_values(release, DAY, [7, 8, *[0] * (DAY - 2), 4], None).tolist() == [1, 2, *[0] * (DAY - 2), 4]
    plain = shared_sensitivity(release, UNIT, DAY, 1)
    assert plain.coordinates == 2 * (2 * 3 + 1) and plain.value == 2 * (3 * 5 + 1)
    with pytest.raises(ParameterError, match="sum, mean or histogram"):
        shared_sensitivity(SumRelease(Laplace(1.0), 1.0, Dataset()), UNIT, 4, 1)
