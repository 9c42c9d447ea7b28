"""Linkage of a table with a second release of the same people, as ``privis attack --release-of`` offers it."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from privis.attack.linkage.likeness import Likeness
from privis.attack.linkage.rehearsal import Rehearsal, usual_likeness
from privis.attack.linkage.two_releases import TwoReleases, linkage_findings
from privis.cli.attack.attacked_table import (
    AttackedTable,
    attacked_table,
    computed_rows,
    people_of_rows,
    pictures_of,
)
from privis.cli.attack.offered_attack import Attacked, AttackOptions, OfferedAttack, Show
from privis.errors import ParameterError, Problem, refuse
from privis.extraction.card import described
from privis.file_formats import FileFormat, format_of
from privis.privacy import PixelRelease


def _linkage(options: AttackOptions, show: Show) -> Iterator[Attacked]:
    assert options.release_of is not None
    first, second = attacked_table(options), _second(options)
    _check_alike(first, second, options)
    pictures = _picture_names(first.table.paths), _picture_names(second.table.paths)
    people = tuple(people_of_rows(each.table, options) for each in (first, second))
    other = [place for place, name in enumerate(pictures[1]) if name not in set(pictures[0])]
    kinds = {
        "picture": (range(len(pictures[1])), *pictures),
        "person": (other, people[0], [people[1][place] for place in other]),
    }
    linked = {kind: each for kind, each in kinds.items() if set(each[1]) & set(each[2]) and len(set(each[1])) > 1}
    if not linked:
        remedy = "name rows by the paths of pictures, of which some are in both, or of the same people"
        got = "no picture and nobody of the first table"
        raise ParameterError(Problem(f"--release-of {options.release_of}", got, "some of them", remedy))
    failed: tuple[str, ...] = ()
    words = first.words if first.words == second.words else f"{first.words}; {second.words}"
    for kind, (places, first_of, second_of) in linked.items():
        rows = second.table.features[list(places)]
        likeness, failed = _likeness(first, second, options, kind == "person")
        tables = TwoReleases(first.table.features, rows, list(first_of), list(second_of))
        found = linkage_findings(tables, likeness, words, of=kind, guarantee=first.guarantee)
        yield Attacked(found, failed=failed)
        failed = ()


def _second(options: AttackOptions) -> AttackedTable:
    path = options.release_of
    found = format_of(str(path))
    if found is not FileFormat.TABLE:
        raise ParameterError(Problem(f"--release-of {path}", str(found), str(FileFormat.TABLE), "check the path"))
    return attacked_table(replace(options, against=str(path)))


def _check_alike(first: AttackedTable, second: AttackedTable, options: AttackOptions) -> None:
    """Refuse rows that say different things."""
    lengths = [each.table.features.shape[1] for each in (first, second)]
    words = [json.dumps(described(each.feature), sort_keys=True, default=str) for each in (first, second)]
    got = "another feature than that of the first table" if words[0] != words[1] else f"rows of {lengths[1]:,} numbers"
    problem = Problem(
        f"--release-of {options.release_of}", got, f"the same feature, of {lengths[0]:,} numbers", "extract both alike"
    )
    refuse(ParameterError, [problem] if lengths[0] != lengths[1] or words[0] != words[1] else [])


def _picture_names(paths: Sequence[str]) -> list[str]:
    """The shortest endings of paths that tell a table's pictures apart: folders above may be named anew.

    >>> _picture_names(["/a/ann/1.png", "/a/bob/1.png"])
    ['ann/1.png', 'bob/1.png']
    """
    parts = [Path(path).parts for path in paths]
    for length in range(2, max(map(len, parts), default=0) + 1):
        names = ["/".join(each[-length:]) for each in parts]
        if max(Counter(names).values()) == 1:
            return names
    return list(paths)


def _likeness(
    first: AttackedTable, second: AttackedTable, options: AttackOptions, other_picture: bool
) -> tuple[Likeness, tuple[str, ...]]:
    """The comparison that links most of public pictures released alike; without these, the one that fits the noise."""
    release = first.release or second.release
    if options.public is None or release is None or isinstance(release, PixelRelease):
        return usual_likeness(release), ()
    named = pictures_of(options.public, options)
    computed = computed_rows(first.feature, named.paths, str(options.public))
    whose = dict(zip(named.paths, named.subjects, strict=True))
    people = [whose[path] for path in computed.paths]
    if computed.rows.shape[1] != first.table.features.shape[1] or len(set(people)) < 4:
        return usual_likeness(release), computed.failed
    rehearsal = Rehearsal.of(np.asarray(computed.rows, np.float64), people, release)
    return rehearsal.best(other_picture), computed.failed


LINKAGE_ATTACKS: tuple[OfferedAttack, ...] = (
    OfferedAttack("linkage", "finds rows of one release in another", ("--release-of",), _linkage),
)
