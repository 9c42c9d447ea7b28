"""A codebook (k-means) of several owners' features: assignments and every centre but the last stay inside.

Rows are secret-shared once. Each Lloyd step assigns every row to its nearest centre and moves a centre to the mean of
its rows; a centre without rows stays where it is. The number of rows of every owner is public (pad to hide it).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from privis.errors import ParameterError, Problem, refuse
from privis.joint.runners import Runner, on_this_machine
from privis.joint.statistics.exact import Floats, feature_rows
from privis.joint.statistics.sums import Committee, owner_problems, source, who_learns
from privis.program import Input, Kind, Program, trace
from privis.program.graph import Value, concat
from privis.program.ops import Affine, ArgMax, Nonlinear, Pad, Transpose
from privis.run.mpc.job import Drop, Job, Reveal, Run, Share, Source
from privis.validation import positive_number, real_values, whole_number

CENTRES = "centres"


@dataclass(frozen=True)
class JointCodebook:
    """Centres of k-means over the rows of several owners.

    Args:
        centres: float64 (words, components).
        revealed: who learns them, in words.
    """

    centres: Floats
    revealed: str


def lloyd_program(rows: Sequence[int], components: int, words: int) -> Program:
    """One Lloyd step: centres (words, components) and every owner's rows, all within [-1, 1], to the next centres."""
    total = sum(rows)

    def build(centres: Value, *blocks: Value) -> Value:
        values = concat(*blocks)
        across = centres >> Transpose((1, 0))
        half_squares = ((centres * centres).sum(1) * 0.5).reshape(1, words)
        nearest = (values @ across - half_squares) >> ArgMax(1)
        chosen = _one_hot(nearest.reshape(total, 1), words) >> Transpose((1, 0))
        sums = (chosen @ values) * (1 / total)
        share = (chosen.sum(1) * (1 / total)).reshape(words, 1)
        each = share.clip(1 / total, 1.0) >> Nonlinear(Kind.RECIPROCAL, (1 / total, 1.0))
        return (centres + (sums - share * centres) * each).clip(-1.0, 1.0)

    return trace(build, _vectors(words, components), *(_vectors(count, components) for count in rows))


def _one_hot(index: Value, words: int) -> Value:
    """(n, 1) to (n, words): exactly one 1 per row, by thermometer code."""
    if words == 1:
        return index * 0.0 + 1.0
    at_least = concat(*[index] * (words - 1), axis=1) >> Affine(1.0, -np.arange(1.0, words))
    code = at_least.compare(0.0)
    return (code >> Pad(((0, 0), (1, 0)), 1.0)) - (code >> Pad(((0, 0), (0, 1)), 0.0))


def _vectors(count: int, components: int) -> Input:
    return Input((count, components), -1.0, 1.0, None)


def codebook_job(
    rows: Mapping[str, int],
    components: int,
    words: int,
    steps: int,
    receivers: Sequence[str],
    committee: Committee | None = None,
) -> Job:
    """Build the job: Lloyd steps on shares, the last centres to receivers.

    The first owner shares the start, which is public.

    Args:
        rows: how many, by owner.
        components: of a row.
        words: centres.
        steps: of Lloyd's algorithm.
        receivers: names of those who learn the result.
        committee: the compute parties and their protocol; None: the default one.

    Returns:
        The job.

    Raises:
        ParameterError: naming all bad parameters.
    """
    owners = tuple(rows)
    problems = owner_problems(owners)
    for name, value in (("components", components), ("words", words), ("steps", steps)):
        problems += whole_number(name, value)
    for owner, count in rows.items():
        problems += whole_number(f"rows of {owner}", count)
    refuse(ParameterError, problems)
    who, names = committee or Committee(), tuple(source(owner) for owner in owners)
    sources = {source(owner): Source(owner, _vectors(count, components)) for owner, count in rows.items()}
    return Job(
        preset=who.preset,
        parties=who.members,
        sources={CENTRES: Source(owners[0], _vectors(words, components)), **sources},
        programs={"lloyd": lloyd_program(tuple(rows.values()), components, words)},
        instructions=(
            Share(CENTRES),
            *(Share(name) for name in names),
            *(Run("lloyd", (CENTRES, *names), (CENTRES,)) for _ in range(steps)),
            Drop(names),
            Reveal(CENTRES, tuple(receivers)),
            Drop((CENTRES,)),
        ),
    )


def codebook(
    data: Mapping[str, NDArray[Any]],
    start: NDArray[Any],
    bound: float,
    receivers: Sequence[str],
    *,
    steps: int = 10,
    committee: Committee | None = None,
    run: Runner = on_this_machine,
) -> JointCodebook:
    """Find a codebook by Lloyd's algorithm on shares; this process plays everybody.

    Args:
        data: feature vectors (rows, components) by owner.
        start: public centres to begin with, (words, components).
        bound: largest size of one value, in the feature's own units.
        receivers: names of those who learn the result.
        steps: of Lloyd's algorithm.
        committee: the compute parties and their protocol; None: the default one.
        run: runs a job; by default, parties as processes of this machine.

    Returns:
        The last centres.

    Raises:
        ParameterError: values do not fit each other, or break the bound.
    """
    centres = real_values("start", start)
    refuse(ParameterError, positive_number("bound", bound) + owner_problems(tuple(data)))
    if centres.ndim != 2 or not len(centres) or np.abs(centres).max() > bound:
        expected = f"values of shape (words, components) of at most {bound:g} in size"
        raise ParameterError(Problem("start", f"values of shape {centres.shape}", expected))
    arrays = {CENTRES: centres / bound}
    for owner, rows in data.items():
        values = feature_rows(rows, centres.shape[1])
        if np.abs(values).max(initial=0.0) > bound:
            raise ParameterError(Problem(f"rows of {owner}", f"values beyond {bound:g}", "none", "clip the features"))
        arrays[source(owner)] = values / bound
    owners = tuple(data)
    counts = {owner: len(rows) for owner, rows in data.items()}
    job = codebook_job(counts, centres.shape[1], len(centres), steps, receivers, committee)
    found = np.asarray(run(job, arrays)[CENTRES], np.float64) * bound
    sentence = who_learns(f"the {len(centres)} final centres", owners, receivers)
    return JointCodebook(found, f"{sentence} The number of rows of each owner is public.")
