"""What can be said of a joint job before any member starts: of its words alone, and of the data it would take."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from privis.errors import ParameterError, PrivisError, Problem, refuse
from privis.parties.job.specification import Specification
from privis.parties.job.task import JointTask, Protection
from privis.parties.table_reader import shown
from privis.run.mpc.job import Job
from privis.run.mpc.protocols import preset


def task_of(specification: Specification) -> JointTask:
    """The task that a job names; ParameterError when there is none."""
    from privis.cli.joint import TASKS

    if specification.task not in TASKS:
        raise ParameterError(Problem(f"{specification.name}: task", repr(specification.task), f"one of {shown(TASKS)}"))
    return TASKS[specification.task]


def protection_of(specification: Specification) -> Protection | None:
    """What the results of a job guarantee; ParameterError lists every option that does not fit.

    That is: of the task, its feature and its release, and the number of parties that the protocol takes.
    """
    problems: list[Problem] = []
    protocol = preset(specification.preset, insecure=specification.insecure)
    if len(specification.parties) != protocol.parties:
        got = f"{len(specification.parties)} ({shown(specification.parties)})"
        expected = f"{protocol.parties}, which {protocol.name} computes with"
        problems.append(Problem(f"{specification.name}: parties", got, expected))
    releasing = None
    try:
        releasing = task_of(specification).releasing(specification)
    except ParameterError as error:
        problems += error.problems
    refuse(ParameterError, problems)
    return None if releasing is None else releasing.protection


def built(specification: Specification, data: Mapping[tuple[str, str], Path], networks: Mapping[str, Path]) -> Job:
    """The job that these data make, as every member would build it.

    Args:
        specification: of the job.
        data: by owner and the name under which it is lent.
        networks: ONNX files by the names that the job gives them.

    Returns:
        The job; nothing was shared and nobody was asked.

    Raises:
        PrivisError: with everything that is wrong with any input, each named with its owner.
    """
    from privis.parties.job.disclosure import Withheld
    from privis.parties.job.task import LocalNetwork
    from privis.parties.node.local import local_data_at

    lent = {name: LocalNetwork(name, path) for name, path in networks.items()}
    task, announcements, problems = task_of(specification).with_networks(lent), {}, []
    kinds: set[type[PrivisError]] = set()
    for name, use in specification.inputs.items():
        path = data[use.owner, use.lends]
        try:
            local = local_data_at(specification, use.lends, path)
            announcements[name] = task.prepare(specification, name, local).announcement
        except PrivisError as error:
            kinds.add(ParameterError if isinstance(error, Withheld) else type(error))
            where = f"input {name}, {use.lends} of {use.owner} ({path})"
            problems += [Problem(f"{where}: {p.where}", p.got, p.expected, p.remedy) for p in error.problems]
    if problems:
        raise (kinds.pop() if len(kinds) == 1 else ParameterError)(*problems)
    return task.build(specification, announcements)
