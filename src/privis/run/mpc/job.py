"""``Job``: a joint computation as data, so that all parties can agree on all of it before anything starts.

Evolution of its record: it is digested and compared, never read back, and it holds the version of Privis, so parties of
two versions never agree. The number in ``format`` rises with the meaning of a key.
"""

from __future__ import annotations

import copy
import dataclasses
import hashlib
import importlib.metadata
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from types import MappingProxyType

import numpy as np

from privis.errors import DomainError, Problem, ProgramError, refuse
from privis.program import Input, Program, digest
from privis.readings import ranges
from privis.run.mpc.fixed_point import Encoding, FixedPoint, encoding
from privis.run.mpc.lowering.lower import lower_program
from privis.run.mpc.lowering.precision import choose_fixed_point, representation_problems
from privis.run.mpc.lowering.runtime_bounds import has_open_promises, sentinel
from privis.run.mpc.protocols import Preset
from privis.version import VERSION

MOST_PROBLEMS = 20  # named at once; one wrong range comes back in every later instruction
NOTHING: Mapping[str, Input] = MappingProxyType({})


@dataclass(frozen=True)
class Source:
    """A secret array and its owner, a compute party or an outsider.

    ``declared`` is public: shape, bounds and grid. An owner whose array breaks it is refused before sharing.
    """

    owner: str
    declared: Input


@dataclass(frozen=True)
class Share:
    """The owner of source ``name`` secret-shares it; from then on it is a resident variable."""

    name: str


@dataclass(frozen=True)
class Run:
    """Run ``program`` on resident variables; its outputs become, or replace, resident variables."""

    program: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]


@dataclass(frozen=True)
class Reveal:
    """Reconstruct variable ``name`` at the receivers, parties or outsiders, and nowhere else."""

    name: str
    receivers: tuple[str, ...]


@dataclass(frozen=True)
class Drop:
    """Instruction: every party deletes its shares of these variables."""

    names: tuple[str, ...]


@dataclass(frozen=True)
class Pick:
    """Instruction: every party copies ``rows`` of its shares of ``name`` to a new variable; nothing is sent.

    The rows are public and no part of a program: other rows need no other code. ``declared`` is what is known of the
    variable.
    """

    name: str
    rows: tuple[int, ...]
    output: str
    declared: Input


Instruction = Share | Run | Reveal | Drop | Pick


@dataclass(frozen=True)
class Variable:
    """What is publicly known of a resident variable: shape, certain bounds, grid, and how it is carried."""

    known: Input
    encoding: Encoding


@dataclass(frozen=True, eq=False)
class Job:
    """Everything the parties compute together; what is not revealed here stays secret-shared.

    ``public_record`` is what parties agree on, in a format with a number: a change of a key, or of what one means,
    takes a new number, and jobs of different numbers never agree.

    Args:
        preset: the protocol.
        parties: names in rank order, as many as the preset needs.
        sources: the owner and the declared shape, range and grid of each input.
        programs: what ``Run`` instructions name.
        instructions: what is shared, run, revealed and dropped, in order.
        resident: variables that an earlier job of the same session left.
        fixed_point: ring and fraction bits. None: chosen for ``programs``.
        statement: digest of what the programs do not show: the request, and what owners compute before they share.

    Raises:
        ProgramError: a name that refers to nothing; all problems at once.
        DomainError: a value could leave what fixed point can hold; all problems at once.
    """

    preset: Preset
    parties: tuple[str, ...]
    sources: Mapping[str, Source]
    programs: Mapping[str, Program]
    instructions: tuple[Instruction, ...]
    resident: Mapping[str, Input] = field(default_factory=lambda: NOTHING)
    fixed_point: FixedPoint | None = None
    statement: str = ""

    def __post_init__(self) -> None:
        problems = _party_problems(self)
        refuse(ProgramError, problems)
        if self.fixed_point is None:
            object.__setattr__(self, "fixed_point", choose_fixed_point(list(self.programs.values())))
        reading = _Reading(self)
        refuse(
            ProgramError if reading.references else DomainError, (reading.references + reading.values)[:MOST_PROBLEMS]
        )
        object.__setattr__(self, "_left", MappingProxyType(reading.variables))

    @property
    def fixed(self) -> FixedPoint:
        """How values are carried in this session."""
        assert self.fixed_point is not None
        return self.fixed_point

    @property
    def left(self) -> Mapping[str, Input]:
        """The variables still resident at the end, with what is publicly known of them: ``resident`` of a next job."""
        return {name: variable.known for name, variable in self._left.items()}  # type: ignore[attr-defined]

    @property
    def outsiders(self) -> tuple[str, ...]:
        """Owners and receivers that compute nothing, in order of appearance."""
        named = [source.owner for source in self.sources.values()]
        named += [name for step in self.instructions if isinstance(step, Reveal) for name in step.receivers]
        return tuple(dict.fromkeys(name for name in named if name not in self.parties))

    def stating(self, statement: str) -> Job:
        """This job with another ``statement``; it was checked when it was built, and is not checked again."""
        made = copy.copy(self)
        object.__setattr__(made, "statement", statement)
        made.__dict__.pop("digest", None)
        return made

    @cached_property
    def digest(self) -> str:
        """SHA-256 over all that decides who computes what and who learns it, as 64 hexadecimal digits.

        Of jobs that tasks build that includes ``statement``: two means of other features at home are two jobs.
        """
        return hashlib.sha256(json.dumps(self.public_record(), sort_keys=True).encode()).hexdigest()

    def public_record(self) -> dict[str, object]:
        """What all parties must agree on, as plain JSON values."""
        return {
            "format": "privis.job/2",
            "statement": self.statement,
            "versions": {"privis": VERSION, **{name: _version(name) for name in ("spu", "jax")}},
            "preset": self.preset.name,
            "fixed_point": dataclasses.asdict(self.fixed),
            "parties": list(self.parties),
            "sources": {k: [v.owner, *_declared(v.declared)] for k, v in self.sources.items()},
            "resident": {k: _declared(v) for k, v in self.resident.items()},
            "programs": {k: digest(v) for k, v in self.programs.items()},
            "instructions": [[type(step).__name__, *dataclasses.astuple(step)] for step in self.instructions],
        }

    def check_array(self, name: str, array: np.ndarray) -> None:
        """Raise DomainError when an owner's ``array`` breaks what source ``name`` declares: it would wrap silently."""
        declared = self.sources[name].declared
        values = np.asarray(array)
        problems = []
        where = f"source {name}"
        if values.shape != declared.shape:
            problems.append(Problem(where, f"shape {values.shape}", f"shape {declared.shape}"))
        elif values.size and not np.isfinite(values).all():
            problems.append(Problem(where, "values that are not finite", "numbers", "check the data"))
        elif values.size and not (declared.low <= values.min().item() and values.max().item() <= declared.high):
            got = f"values outside [{declared.low:g}, {declared.high:g}]"
            problems.append(Problem(where, got, "what the job declares", "widen the declared range, or clip first"))
        elif encoding(declared) is Encoding.INTEGER and (values != np.round(values)).any():
            problems.append(Problem(where, "fractions", f"multiples of {declared.step:g}", "declare step=None"))
        refuse(DomainError, problems)


def _declared(known: Input) -> list[object]:
    return [list(known.shape), known.low, known.high, known.step]


def _version(package: str) -> str:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return "absent"


def _party_problems(job: Job) -> list[Problem]:
    problems = []
    if len(job.parties) != job.preset.parties or len(set(job.parties)) != len(job.parties):
        got = f"parties {', '.join(job.parties) or 'none'}"
        problems.append(Problem("Job.parties", got, f"{job.preset.parties} different ones for {job.preset.name}"))
    if not job.instructions:
        problems.append(Problem("Job.instructions", "none", "at least one"))
    return problems


class _Reading:
    """One walk over the instructions: which variables exist, and between which bounds they certainly lie."""

    def __init__(self, job: Job) -> None:
        self.job = job
        self.references: list[Problem] = []
        self.values: list[Problem] = []
        self.variables = {name: Variable(known, encoding(known)) for name, known in job.resident.items()}
        self.carried: dict[str, tuple[Encoding, ...]] = {}
        self.seen: dict[tuple[str, tuple[Input, ...]], tuple[Variable, ...]] = {}
        for index, step in enumerate(job.instructions):
            where = f"instruction {index} {type(step).__name__}"
            match step:
                case Share(name):
                    self._share(where, name)
                case Run():
                    self._run(where, step)
                case Reveal(name, receivers):
                    self._exists(where, name)
                    if not receivers:
                        self.references.append(Problem(where, "no receiver", "at least one"))
                case Drop(names):
                    for name in names:
                        self._exists(where, name)
                        self.variables.pop(name, None)
                case Pick():
                    self._pick(where, step)

    def _exists(self, where: str, name: str) -> bool:
        if name not in self.variables:
            known = ", ".join(self.variables) or "none"
            self.references.append(Problem(where, f"variable {name!r}", f"a resident one; here: {known[:200]}"))
        return name in self.variables

    def _share(self, where: str, name: str) -> None:
        source = self.job.sources.get(name)
        if source is None:
            self.references.append(Problem(where, f"source {name!r}", "one of Job.sources"))
            return
        self.variables[name] = Variable(source.declared, encoding(source.declared))
        self.values += _value_problems(where, source.declared, self.job.fixed)

    def _pick(self, where: str, step: Pick) -> None:
        if not self._exists(where, step.name):
            return
        variable, shape = self.variables[step.name], step.declared.shape
        if (shape, encoding(step.declared)) != (variable.known.shape, variable.encoding):
            got, expected = f"shape {shape}", f"what is known of {step.name}: shape {variable.known.shape}"
            self.references.append(Problem(where, f"{got}, {encoding(step.declared).name.lower()}", expected))
            return
        if not shape or not step.rows or not all(0 <= row < shape[0] for row in step.rows):
            expected = f"at least one, of the first axis of {shape}"
            self.references.append(Problem(where, f"rows {str(step.rows)[:200]}", expected))
            return
        known = dataclasses.replace(variable.known, shape=(len(step.rows), *shape[1:]))
        self.variables[step.output] = Variable(known, variable.encoding)

    def _run(self, where: str, step: Run) -> None:
        program = self.job.programs.get(step.program)
        if program is None:
            self.references.append(Problem(where, f"program {step.program!r}", "one of Job.programs"))
            return
        if not all([self._exists(where, name) for name in step.inputs]):
            return
        given = [self.variables[name] for name in step.inputs]
        problems = _fit_problems(where, program, step, given)
        if problems:
            self.references += problems
            # As declared, then: to find what else is wrong.
            given = [Variable(declared, encoding(declared)) for declared in program.inputs]
            step = dataclasses.replace(step, outputs=step.outputs[: len(program.outputs)])
        key = (step.program, tuple(variable.known for variable in given))
        if key not in self.seen:
            self.seen[key] = self._outputs(step.program, given)
        self.variables.update(zip(step.outputs, self.seen[key], strict=False))

    def _outputs(self, program: str, given: list[Variable]) -> tuple[Variable, ...]:
        """The interval of every output for what is known of the inputs."""
        read = self.job.programs[program]
        known = ranges(dataclasses.replace(read, inputs=tuple(variable.known for variable in given)))
        made = []
        for output, shape, how in zip(read.outputs, read.output_shapes, self._carried(program), strict=True):
            low, high = known[output].bounds
            if has_open_promises(read):  # nothing but a receiver can read its outputs: they may be the sentinel value
                high = sentinel(self.job.fixed.field_bits, self.job.fixed.fraction_bits)
            made.append(Variable(Input(shape, low, high, known[output].step if how is Encoding.INTEGER else None), how))
        return tuple(made)

    def _carried(self, program: str) -> tuple[Encoding, ...]:
        """How outputs are carried; what the ring cannot hold of a program is found once, on the way.

        The declared ranges decide, not the narrower known ones: they are what the program is compiled for.
        """
        if program not in self.carried:
            read = self.job.programs[program]
            for found in representation_problems(read, self.job.fixed):
                self.values.append(dataclasses.replace(found, where=f"program {program}, {found.where}"))
            self.carried[program] = lower_program(read, self.job.fixed).outputs
        return self.carried[program]


def _fit_problems(where: str, program: Program, step: Run, given: list[Variable]) -> list[Problem]:
    problems = []
    if len(given) != len(program.inputs):
        problems.append(Problem(where, f"{len(given)} inputs", f"{len(program.inputs)}"))
    if len(step.outputs) != len(program.outputs) or len(set(step.outputs)) != len(step.outputs):
        problems.append(Problem(where, f"outputs {step.outputs}", f"{len(program.outputs)} different names"))
    for name, variable, declared in zip(step.inputs, given, program.inputs, strict=False):
        known = variable.known
        here = f"{where}, {name}"
        if known.shape != declared.shape:
            problems.append(Problem(here, f"shape {known.shape}", f"shape {declared.shape}"))
        if known.low < declared.low or known.high > declared.high:
            got, expected = f"[{known.low:g}, {known.high:g}]", f"[{declared.low:g}, {declared.high:g}]"
            problems.append(Problem(here, f"values in {got}", f"the declared {expected}", "declare a wider Input"))
        if variable.encoding is not encoding(declared):
            got, expected = variable.encoding.name.lower(), encoding(declared).name.lower()
            remedy = "give the program's Input the step of what it is fed (None for real numbers)"
            problems.append(Problem(here, f"carried as {got}", expected, remedy))
    return problems


def _value_problems(where: str, declared: Input, fixed: FixedPoint) -> list[Problem]:
    bits = fixed.field_bits - 2 - (0 if encoding(declared) is Encoding.INTEGER else fixed.fraction_bits)
    largest = max(abs(declared.low), abs(declared.high))
    if largest < 2.0**bits:
        return []
    return [Problem(where, f"values up to {largest:g}", f"less than 2**{bits} in this ring", "scale them down")]
