"""Attacks against a table without any reconstruction: attributes that nobody asked for, and epsilon of its release."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np

from privis.attack.attack_finding import AttackFinding
from privis.cli.attack.attacked_table import AttackedTable, attacked_table, computed_rows, people_of_rows, pictures_of
from privis.cli.attack.offered_attack import Attacked, AttackOptions, OfferedAttack, Show
from privis.cli.attack.pictures.same_pictures import same_pictures, without_attacked
from privis.errors import ParameterError, Problem

DRAWS = 3
"""How often the attacker releases every public picture: what is learned has to fit rows with noise."""
TRIES = 2_000
"""Releases of each of two neighbouring inputs."""


def _attribute(options: AttackOptions, show: Show) -> Iterator[Attacked]:
    from privis.attack.inference.attribute import infer_attribute

    assert options.public is not None and options.attribute_from is not None
    started = time.process_time()
    attacked = attacked_table(options)
    asked = replace(options, subject_from=options.attribute_from)
    named = pictures_of(options.public, asked)
    true = people_of_rows(attacked.table, asked, set(named.subjects))
    which = dict(zip(named.paths, named.subjects, strict=True))
    draws = 1 if attacked.release is None else DRAWS
    people = None
    if attacked.release is not None and attacked.release.unit.needs_subjects:
        people = {path: f"person {number}" for number, path in enumerate(named.paths)}
    computed = [
        computed_rows(
            attacked.feature,
            named.paths,
            str(options.public),
            attacked.release,
            people,
            lambda done, draw=draw: show((draw + done) / draws),
        )
        for draw in range(draws)
    ]
    same, _ = same_pictures(attacked, computed[0], options)
    where = f"--public {options.public}"
    warnings = without_attacked(computed[0], same, where)[1]
    computed = [without_attacked(each, same, where)[0] for each in computed]
    found = infer_attribute(
        np.concatenate([each.rows for each in computed]),
        [which[path] for each in computed for path in each.paths],
        [number for each in computed for number in range(len(each.paths))],
        attacked.table.features,
        true,
    )
    knows = ("the feature", f"{len(computed[0].paths):,} public pictures whose attribute is known")
    yield Attacked(
        (
            AttackFinding.of_share(
                "attribute",
                attacked.words,
                (attacked.knows, *knows),
                f"attribute named, of {len(set(true)):,}",
                found.hits,
                len(true),
                chance=found.chance,
                processor_seconds=time.process_time() - started,
                sentence=f"The attribute of {found.hits:,} of {len(true):,} rows is named; calling all of them the "
                f"commonest would name {round(found.chance * len(true)):,}.",
                guarantee=attacked.guarantee,
            ),
        ),
        warnings=warnings,
        failed=computed[0].failed,
    )


def _epsilon(options: AttackOptions, show: Show) -> Iterator[Attacked]:
    from privis.attack.audits.epsilon_bounds import LEVEL
    from privis.attack.audits.neighbour_pairs import worst_pair
    from privis.privacy import ReleaseKey

    started = time.process_time()
    attacked = attacked_table(options)
    if attacked.release is None:
        raise ParameterError(Problem("epsilon", "exact rows, of which none is claimed", "rows with a release"))
    pair = worst_pair(attacked.release, _shape(attacked))
    bound = pair.two_point(TRIES, ReleaseKey.generate())
    # Epsilon of a metric is per unit of distance, and these two inputs are as far apart as they can be.
    claimed = pair.claimed.epsilon
    least = bound.epsilon * claimed / pair.epsilon
    told = f"{2 * TRIES:,} releases of two inputs by this installation prove epsilon of at least {least:.2f}"
    above = f", above {claimed:g}, which is claimed: the claim is wrong."
    within = f", of {claimed:g} that is claimed: nothing contradicts the claim."
    yield Attacked(
        (
            AttackFinding(
                "epsilon",
                attacked.words,
                (
                    "the mechanism",
                    f"{TRIES:,} releases of each of two neighbouring inputs, as far apart as they can be",
                ),
                f"epsilon, lower bound at delta {pair.claimed.delta:.2g} ({bound.method})",
                least,
                (least, math.inf),
                0.0,
                bound.tries,
                time.process_time() - started,
                told + (above if least > claimed else within),
                attacked.guarantee,
                1 - LEVEL,
            ),
        )
    )


def _shape(attacked: AttackedTable) -> tuple[int, ...]:
    """What the release reads: vectors as long as the rows, or images just large enough for what is hidden."""
    from privis.privacy import Patch, PixelRelease, Pixels

    release: Any = attacked.release
    if not isinstance(release, PixelRelease):
        return (attacked.table.features.shape[1],)
    blocks = 1
    if isinstance(release.unit, Pixels):
        blocks = math.ceil(math.sqrt(release.unit.count) / release.block)
    side = release.unit.side if isinstance(release.unit, Patch) else release.block * blocks
    return (side, side)


RELEASE_ATTACKS: tuple[OfferedAttack, ...] = (
    OfferedAttack(
        "attribute", "names an attribute that was not asked for", ("--public", "--attribute-from"), _attribute
    ),
    OfferedAttack("epsilon", "proves how large epsilon of the release is at least", (), _epsilon),
)
