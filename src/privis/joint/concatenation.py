"""Several jobs of one session as a single one: for parties that keep nothing between jobs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace

from privis.run.mpc.job import Drop, Instruction, Job, Pick, Reveal, Run, Share


def chained(jobs: Sequence[Job]) -> Job:
    """Do ``jobs`` one after another; the variables that one leaves are those that the next finds.

    Args:
        jobs: of the same parties, one after another.

    Returns:
        One job that does all of them.

    >>> from privis.joint.statistics.sums import Committee, owners_job
    >>> one = owners_job(Committee(), 2, 9, ["ann"], ["ann"])
    >>> list(chained([one, one]).sources)
    ['0: summand of ann', '1: summand of ann']
    """
    steps: list[Instruction] = []
    sources = {}
    for job, names in zip(jobs, chained_names(jobs), strict=True):
        sources |= {names[name]: source for name, source in job.sources.items()}
        steps += [_renamed(step, names) for step in job.instructions]
    programs = {name: program for job in jobs for name, program in job.programs.items()}
    return replace(jobs[0], sources=sources, programs=programs, instructions=tuple(steps))


def chained_names(jobs: Sequence[Job]) -> list[dict[str, str]]:
    """For each job the names that its sources have in the whole: those that several jobs have get a number."""
    count = Counter(name for job in jobs for name in job.sources)
    return [
        {name: f"{index}: {name}" if count[name] > 1 else name for name in job.sources}
        for index, job in enumerate(jobs)
    ]


def _renamed(step: Instruction, names: Mapping[str, str]) -> Instruction:
    match step:
        case Share(name):
            return Share(names[name])
        case Run(program, inputs, outputs):
            return Run(program, *(tuple(names.get(name, name) for name in row) for row in (inputs, outputs)))
        case Reveal(name, receivers):
            return Reveal(names.get(name, name), receivers)
        case Pick(name, rows, output, declared):
            return Pick(names.get(name, name), rows, names.get(output, output), declared)
        case Drop(dropped):
            return Drop(tuple(names.get(name, name) for name in dropped))
