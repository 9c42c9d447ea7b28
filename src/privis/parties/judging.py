"""Decide whether this member takes part in a job: policy and options first, then the task, then its own local data."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from privis.errors import PartyError, Problem, refuse
from privis.parties.configuration import PartyConfiguration
from privis.parties.job.disclosure import DOES_NOT_FIT, Withheld, public, withholding
from privis.parties.job.overlap import overlapping
from privis.parties.job.policy import Rule
from privis.parties.job.specification import Specification
from privis.parties.job.task import JointTask, Releasing
from privis.parties.table_reader import shown


def judged(
    configuration: PartyConfiguration, submitter: str, specification: Specification, task: JointTask
) -> tuple[Releasing | None, tuple[Rule, ...]]:
    """The release that is asked for, and the rules that allow the job; PartyError says as much as others may know.

    No option is interpreted before the policy has judged the words, and no file is opened here but the networks of the
    configuration.
    """
    me, policy = configuration.name, configuration.policy
    refused = policy.word_refusals(me, submitter, specification)
    if refused:
        raise Withheld(tuple(refused), policy.told(submitter, me, refused))
    with public():
        releasing = task.releasing(specification)
    protection = None if releasing is None else releasing.protection
    refused, rules = policy.refusals(me, submitter, specification, protection)
    if refused:
        raise Withheld(tuple(refused), policy.told(submitter, me, refused))
    _check_local_data(configuration, specification)
    refuse(PartyError, _lacking(configuration, specification, releasing is not None))
    return releasing, rules


def networks_of(configuration: PartyConfiguration, specification: Specification) -> Mapping[str, Any]:
    """The SHA-256 of every network that the job names, here; what is wrong with one is this member's own affair."""
    found = {}
    for name in specification.networks:
        with withholding(configuration.name, f"network {name} of {configuration.name}", "a network that it can read"):
            found[name] = configuration.networks[name].sha256
    return found


def _check_local_data(configuration: PartyConfiguration, specification: Specification) -> None:
    """Check that this member's inputs are in its configuration, and that no data goes in under two names."""
    me = configuration.name
    own: list[Problem] = []
    told: list[Problem] = []
    mine = _mine(configuration, specification)
    known, networks = set(configuration.inputs), set(specification.networks)
    for what, names, offered in (("inputs", mine, known), ("networks", networks, set(configuration.networks))):
        for name in sorted(names):
            if name not in offered:
                own.append(
                    Problem(f"{what} of {me}", repr(name), f"one of {shown(sorted(offered))}", "name one it lends")
                )
                told.append(Problem(f"{what} of {me}", repr(name), "one that it lends"))
    for one, other in overlapping(configuration.inputs[name] for name in sorted(mine & known)):
        got, expected = f"{one.name} and {other.name}, which lend the same data", "every image once"
        own.append(Problem(f"inputs of {me}", got, expected, "name one of them"))
        told.append(Problem(f"inputs of {me}", DOES_NOT_FIT, expected, f"the log of {me} says what it is"))
    if own:
        raise Withheld(tuple(own), tuple(told))


def _mine(configuration: PartyConfiguration, specification: Specification) -> set[str]:
    return {use.lends for use in specification.inputs.values() if use.owner == configuration.name}


def _lacking(configuration: PartyConfiguration, specification: Specification, released: bool) -> list[Problem]:
    """What the job needs of this member and its configuration lacks."""
    me, problems = configuration.name, []
    if me in specification.parties and configuration.data is None:
        remedy = "add data = HOST:PORT to its configuration, or do not name it among the parties"
        problems.append(Problem(f"{me} as a compute party", "no data address", "one", remedy))
    if not released:
        return problems
    if configuration.release_key is None:
        remedy = 'run privis keygen release.key there, and add release_key = "release.key" to its configuration'
        problems.append(Problem(f"release key of {me}", "none", "one, for a release with noise", remedy))
    for name in sorted(_mine(configuration, specification)):
        if configuration.inputs[name].ledger is None:
            remedy = f'run privis ledger init with --per corpus there, and add ledger = "…" to [inputs.{name}]'
            problems.append(Problem(f"ledger of {name} at {me}", "none", "one that pays for the release", remedy))
    return problems
