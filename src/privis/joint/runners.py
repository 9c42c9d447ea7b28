"""Ways to run a job here: on processes of this machine, or, to try out without any protection, in the clear."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from privis.errors import ParameterError, Problem
from privis.readings import evaluate
from privis.run.mpc.job import Drop, Job, Pick, Reveal, Run, Share

Arrays = Mapping[str, NDArray[Any]]
Runner = Callable[[Job, Arrays], Arrays]
"""Runs a job on the sources' arrays and returns what it reveals: ``LocalParties.run`` is one."""


def on_this_machine(job: Job, arrays: Arrays) -> Arrays:
    """Start all parties of ``job`` as processes of this machine, run it and end them.

    Args:
        job: to be run.
        arrays: of all sources, by name.

    Returns:
        What the job reveals, by variable name.
    """
    from privis.run.mpc.runtime.local_parties import LocalParties

    with LocalParties(job.preset, job.fixed) as parties:
        return parties.run(job, arrays)


class InTheClear:
    """Runs jobs by `evaluate` in double precision, keeping variables between jobs: no protection, for trying out.

    >>> from privis.joint.statistics.sums import Committee, owners_job
    >>> job = owners_job(Committee(), 2, 9, ["ann", "bob"], ["ann"])
    >>> arrays = {"summand of ann": np.array([1, 2]), "summand of bob": np.array([3, 4])}
    >>> InTheClear()(job, arrays)["total"]
    array([4., 6.])
    """

    def __init__(self) -> None:
        self.variables: dict[str, NDArray[Any]] = {}

    def __call__(self, job: Job, arrays: Arrays) -> Arrays:
        """Run ``job``; ParameterError when a source's array is missing, DomainError when it breaks its declaration."""
        revealed = {}
        for step in job.instructions:
            match step:
                case Share(name):
                    if name not in arrays:
                        raise ParameterError(Problem("arrays", f"none for {name!r}", "one per source"))
                    job.check_array(name, np.asarray(arrays[name]))
                    self.variables[name] = np.asarray(arrays[name], np.float64)
                case Run(program, inputs, outputs):
                    given = [self.variables[name] for name in inputs]
                    made = evaluate(job.programs[program], *given)
                    made = made if isinstance(made, tuple) else (made,)
                    self.variables.update(zip(outputs, (np.asarray(value) for value in made), strict=True))
                case Reveal(name):
                    revealed[name] = self.variables[name]
                case Pick(name, rows, output, _):
                    self.variables[output] = self.variables[name][list(rows)]
                case Drop(names):
                    for name in names:
                        del self.variables[name]
        return revealed
