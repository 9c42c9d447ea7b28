"""Attacks against a table of features: what is listed here, ``privis attack`` offers."""

from __future__ import annotations

import time
from collections.abc import Iterator

from privis.attack.attack_finding import AttackFinding
from privis.cli.attack.attacked_table import attacked_table, computed_rows, people_of_rows, pictures_of
from privis.cli.attack.inversion_attacks import INVERSION_ATTACKS
from privis.cli.attack.linkage_attack import LINKAGE_ATTACKS
from privis.cli.attack.offered_attack import Attacked, AttackOptions, OfferedAttack, Show
from privis.cli.attack.pictures.same_pictures import same_pictures
from privis.cli.attack.release_attacks import RELEASE_ATTACKS
from privis.errors import ParameterError, Problem


def _neighbour(options: AttackOptions, show: Show) -> Iterator[Attacked]:
    from privis.attack.inversion.nearest_neighbour import nearest_people

    assert options.known is not None
    attacked = attacked_table(options)
    named = pictures_of(options.known, options)
    people = people_of_rows(attacked.table, options, set(named.subjects))
    started = time.process_time()
    computed = computed_rows(attacked.feature, named.paths, str(options.known))
    whose = dict(zip(named.paths, named.subjects, strict=True))
    if computed.rows.shape[1] != attacked.table.features.shape[1]:
        got = f"features of {computed.rows.shape[1]:,} numbers"
        expected = f"{attacked.table.features.shape[1]:,}, as the rows have"
        remedy = "extract the table with a size, or give pictures of the size that was extracted"
        raise ParameterError(Problem(str(options.known), got, expected, remedy))
    names = [whose[path] for path in computed.paths]
    same, compared = same_pictures(attacked, computed, options)
    found = nearest_people(attacked.table.features, people, computed.rows, names, same)
    spent = time.process_time() - started
    copies, other = int(same.any(0).sum()), "other " if compared else ""
    warnings = ()
    if copies:
        warnings = (f"{copies:,} pictures of --known are attacked, too: none counts as known for its own row",)
    who = f"{found.hits:,} of {found.tries:,} rows give away whose they are to somebody with {len(names):,} pictures of"
    yield Attacked(
        (
            AttackFinding.of_share(
                "neighbour",
                attacked.words,
                (attacked.knows, "the feature", f"{len(names):,} {other}pictures of {len(set(names)):,} named people"),
                "re-identified",
                found.hits,
                found.tries,
                chance=found.chance,
                processor_seconds=spent,
                sentence=f"{who} {len(set(names)):,} named people; guessing would give {100 * found.chance:.1f} %.",
                guarantee=attacked.guarantee,
            ),
        ),
        warnings=warnings,
        failed=computed.failed,
    )


TABLE_ATTACKS: tuple[OfferedAttack, ...] = (
    *INVERSION_ATTACKS,
    OfferedAttack("neighbour", "takes every row for the person of the nearest known picture", ("--known",), _neighbour),
    *LINKAGE_ATTACKS,
    *RELEASE_ATTACKS,
)
