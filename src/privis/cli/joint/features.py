"""The feature that a job words. A job names no file: a network has a name, under which every member lends its own."""

from __future__ import annotations

import typing
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from privis.cli.parsing import FEATURES, feature_named, parameter_types
from privis.errors import ParameterError, PrivisError, Problem, UnsupportedError, refuse
from privis.extraction.owner.at_owner import AtOwner
from privis.features.feature import Feature
from privis.parties.job.disclosure import DOES_NOT_FIT, Withheld
from privis.parties.job.specification import HEAD, NETWORK
from privis.parties.job.task import Networks
from privis.parties.table_reader import NAME, shown
from privis.training.heads import load_head

BY, OWNER, PARTIES = "extracted_by", "owner", "parties"
"""The parameter that says who computes the feature in front of a head, and its two values."""


def job_feature(name: str, words: Sequence[str], networks: Networks | None) -> Feature | None:
    """Build the feature ``name`` of ``name=value`` words, with the head behind it that ``head=NAME`` names.

    Args:
        name: a feature of `FEATURES`.
        words: its parameters; of a network ``network=NAME`` and the rest, and perhaps ``head=NAME``, with
            ``extracted_by=owner`` where owners extract the feature and share the vector instead of the image.
        networks: what this member lends; None to check words alone, and then no file is read: a feature that needs a
            network is None.

    Raises:
        ParameterError: every word that does not fit, a file above all.
        Withheld: the network does not fit; what it holds is for the log of who lends it.
    """
    heads, who = ([word.partition("=")[2] for word in words if word.partition("=")[0] == key] for key in (HEAD, BY))
    plain = [word for word in words if word.partition("=")[0] not in (HEAD, BY)]
    if who and (who not in ([OWNER], [PARTIES]) or not heads):
        expected = f"{OWNER} or {PARTIES}, once, with {HEAD}=NAME"
        raise ParameterError(Problem(f"parameter {BY}", shown(who), expected))
    before = _before_head(name, plain, networks)
    if not heads:
        return before
    if before is not None and who == [OWNER]:
        before = AtOwner(before)
    remedy = f"{HEAD}=NAME, and path = … under [networks.NAME] at every member"
    if len(heads) > 1 or not NAME.fullmatch(heads[0]):
        raise ParameterError(Problem(f"parameter {HEAD}", shown(heads), "one name", remedy))
    return None if networks is None or before is None else _with_head(before, heads[0], networks)


def _before_head(name: str, words: Sequence[str], networks: Networks | None) -> Feature | None:
    if name not in FEATURES:
        raise ParameterError(Problem("feature", repr(name), f"one of {shown(FEATURES)}"))
    files = [key for key, kind in parameter_types(FEATURES[name].load()).items() if _names_a_file(kind)]
    keys = Counter(word.partition("=")[0] for word in words)
    named = [word.partition("=")[2] for word in words if word.partition("=")[0] == NETWORK]
    problems = [Problem(f"parameter {key}", f"{count} times", "once") for key, count in keys.items() if count > 1]
    remedy = f"{NETWORK}=NAME, and path = … under [networks.NAME] at every member"
    problems += [
        Problem(f"parameter {key}", "a file", "none: a job names no files", remedy) for key in files if keys[key]
    ]
    if files and not all(map(NAME.fullmatch, named)):
        problems.append(Problem(f"parameter {NETWORK}", "no name", "letters, digits, - and _, at most 63", remedy))
    if files and not named:
        problems.append(Problem(f"feature {name}", "no network", f"{NETWORK}=NAME", remedy))
    refuse(ParameterError, problems)
    if not files:
        return feature_named(name, words)
    return None if networks is None else _of_network(name, words, files[0], named[0], networks)


def _of_network(name: str, words: Sequence[str], key: str, named: str, networks: Networks) -> Feature:
    _require(NETWORK, named, networks)
    rest = [word for word in words if word.partition("=")[0] != NETWORK]
    try:
        return feature_named(name, [f"{key}={networks[named].path}", *rest])
    except (PrivisError, OSError) as error:
        raise _withheld(NETWORK, named, "one that gives the feature", error) from None


def _with_head(feature: Feature, named: str, networks: Networks) -> Feature:
    _require(HEAD, named, networks)
    try:
        return feature >> load_head(networks[named].path)
    except UnsupportedError as error:  # of the feature, which the job names
        remedy = f"{BY}={OWNER}: owners extract it and share the vector"
        raise UnsupportedError(*(replace(problem, remedy=remedy) for problem in error.problems)) from None
    except (PrivisError, OSError) as error:
        raise _withheld(HEAD, named, "a head of this feature", error) from None


def _require(what: str, named: str, networks: Networks) -> None:
    if named not in networks:
        raise ParameterError(Problem(f"{what} {named}", "none of that name", f"one of {shown(sorted(networks))}"))


def _withheld(what: str, named: str, expected: str, error: PrivisError | OSError) -> Withheld:
    remedy = "the log of the member that says so has more"
    told = Problem(f"{what} {named}", DOES_NOT_FIT, expected, remedy)
    own = error.problems if isinstance(error, PrivisError) else (Problem(named, str(error), f"a {what}"),)
    return Withheld(own, (told,))


def _names_a_file(kind: Any) -> bool:
    return kind is Path or Path in typing.get_args(kind)
