"""Play a distributed release from one process: all owners, all noise parties and the receiver.

On real machines the same steps run where they belong: `ReleasePlan.contribution` and ``charge`` at each owner,
``noise_share`` at each noise party, ``result`` at a receiver.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from privis.errors import ParameterError, Problem, refuse
from privis.joint.release.distributed_noise import JointResult, ReleasePlan, noise_source
from privis.joint.runners import Runner, on_this_machine
from privis.joint.statistics.sums import source
from privis.privacy.ledger.file import FileLedger
from privis.privacy.releases.partial_sums import Partial
from privis.privacy.sampling.release_key import ReleaseKey


@dataclass(frozen=True)
class Owner:
    """Local state of one owner: its exact partial, its key, and its ledger of this corpus.

    Args:
        partial: exact sums or counts of its images.
        key: its own.
        ledger: with a budget per corpus.
    """

    partial: Partial = field(repr=False)
    key: ReleaseKey
    ledger: FileLedger


def release_jointly(
    plan: ReleasePlan,
    owners: Mapping[str, Owner],
    noise_keys: Mapping[str, ReleaseKey],
    run: Runner = on_this_machine,
) -> JointResult:
    """Release the aggregate of all ``owners``: tag, agree, charge every ledger, draw noise, add inside, reveal.

    Args:
        plan: what all agree on.
        owners: their local states, by name.
        noise_keys: of the noise parties, by name.
        run: runs a job; by default, parties as processes of this machine.

    Returns:
        The release.

    Raises:
        ParameterError: something does not fit the plan.
        BudgetError: a ledger refuses; nothing was sampled.

    >>> import tempfile
    >>> import numpy as np
    >>> from privis.joint.runners import InTheClear
    >>> from privis.privacy.releases.corpus import MeanRelease
    >>> from privis.privacy.ledger.budget import Budget, Per
    >>> from privis.privacy.mechanisms.additive import Laplace
    >>> release = MeanRelease(Laplace(50.0), clip=1.0)
    >>> names = ("north", "south")
    >>> plan = ReleasePlan(release, "wards", components=2, owners=names, receivers=names)
    >>> folder = tempfile.TemporaryDirectory()
    >>> def owner(name: str, rows: list[list[float]]) -> Owner:
    ...     ledger = FileLedger.create(f"{folder.name}/{name}", Budget(60.0, 1e-6, Per.CORPUS))
    ...     return Owner(release.partial(np.array(rows)), ReleaseKey.generate(), ledger)
    >>> home = {"north": owner("north", [[0.5, 0.25]] * 60), "south": owner("south", [[0.25, 0.5]] * 40)}
    >>> keys = {name: ReleaseKey.generate() for name in plan.drawing}
    >>> released = release_jointly(plan, home, keys, run=InTheClear())
    >>> bool(np.abs(released.values - [0.4, 0.35]).max() < 0.05)
    True
    >>> bool((release_jointly(plan, home, keys, run=InTheClear()).values == released.values).all())
    True
    >>> home["north"].ledger.spent().charges  # the second one was the same release
    1
    >>> folder.cleanup()
    """
    problems = []
    for what, got, expected in (("owners", owners, plan.owners), ("noise_keys", noise_keys, plan.drawing)):
        if set(got) != set(expected):
            problems.append(Problem(what, f"those of {', '.join(got) or 'nobody'}", ", ".join(expected)))
    refuse(ParameterError, problems)
    brought = {name: plan.contribution(name, home.partial, home.key) for name, home in owners.items()}
    tags = {name: contribution.tag for name, contribution in brought.items()}
    release_id = plan.release_id(tags, {name: plan.fingerprint(key) for name, key in noise_keys.items()})
    for home in owners.values():
        plan.charge(home.ledger, release_id)
    arrays = {source(name): contribution.summand for name, contribution in brought.items()}
    arrays |= {noise_source(name): plan.noise_share(key, release_id) for name, key in noise_keys.items()}
    images = [contribution.images for contribution in brought.values()]
    known = sum(count for count in images if count is not None) if None not in images else None
    return plan.result(run(plan.job, arrays), known)
