"""Three wards that add up what they have, for the tests of distributed noise."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from privis.joint.release.distributed_noise import ReleasePlan, noise_source
from privis.joint.runners import InTheClear
from privis.joint.statistics.sums import source, total_of
from privis.privacy import Gaussian, Laplace, ReleaseKey, WholeImage
from privis.privacy.releases.corpus import Aggregate, CorpusHistogramRelease, MeanRelease, SumRelease
from privis.privacy.releases.partial_sums import Partial
from privis.privacy.units import Dataset, Person

OWNERS = ("north", "south", "west")
UNITS = [WholeImage(), Dataset(), Person(6)]
RELEASES: list[Aggregate] = [
    release
    for noise in (Laplace(1.0), Gaussian(1.0, 1e-6))
    for unit in UNITS
    for release in (
        SumRelease(noise, 0.7, unit),
        MeanRelease(noise, 0.7, unit),
        CorpusHistogramRelease(noise, (-0.5, 0.0, 0.5), unit),
    )
]
KEYS = {f"party {i}": ReleaseKey(bytes([i] * 32)) for i in range(3)}  # test keys


def plan_of(release: Aggregate, components: int = 4, **changes: Any) -> ReleasePlan:
    return ReleasePlan(release, "wards", components, OWNERS, ("north",), most_images=1000, **changes)


def partials(release: Aggregate, components: int = 4, seed: int = 0) -> dict[str, Partial]:
    rows = np.random.default_rng(seed).standard_normal((60, components))
    people = [f"{i % 15}" for i in range(20)] if isinstance(release.unit, Person) else None
    parts = zip(OWNERS, np.split(rows, 3), strict=True)
    return {name: release.partial(part, people and [name + person for person in people]) for name, part in parts}


def identity(plan: ReleasePlan, content: str = "content") -> str:
    tags = {owner: content for owner in plan.owners}
    return plan.release_id(tags, {name: plan.fingerprint(KEYS[name]) for name in plan.drawing})


def shares(plan: ReleasePlan, content: str = "content") -> dict[str, npt.NDArray[np.int64]]:
    return {name: plan.noise_share(KEYS[name], identity(plan, content)) for name in plan.drawing}


def added(noise: Mapping[str, npt.NDArray[np.int64]]) -> npt.NDArray[np.int64]:
    return np.sum(list(noise.values()), axis=0)


def run_with(plan: ReleasePlan, noise: Mapping[str, npt.NDArray[np.int64]], run=InTheClear()) -> list[int]:
    parts = partials(plan.release, plan.components)
    arrays: dict[str, Any] = {
        source(name): plan.contribution(name, part, KEYS["party 0"]).summand for name, part in parts.items()
    }
    arrays |= {noise_source(name): share for name, share in noise.items()}
    return total_of(run(plan.job, arrays)).tolist()


def merged(release: Aggregate, components: int = 4) -> Partial:
    parts = list(partials(release, components).values())
    return parts[0] + parts[1] + parts[2]
