"""``compile_program``: from a program to what a server runs and what its clients must know."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import KW_ONLY, dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from privis.errors import Problem, UnsupportedError
from privis.program import Program, digest
from privis.readings import PolynomialForm, evaluate, homogeneity, polynomialise, ranges, split_at_owner
from privis.readings.approximation.predicted_error import typical
from privis.run.he.circuit.circuit import Circuit, CircuitInput
from privis.run.he.circuit.depth_bound import least_levels
from privis.run.he.circuit.lowering import lower
from privis.run.he.circuit.reference import outputs, with_expected_bounds
from privis.run.he.compiler.parameter_choice import ParameterChoice
from privis.run.he.compiler.parameters import choose, most_levels, too_deep
from privis.run.he.compiler.program_specification import InputSlots, OutputSlots, Spec, Stretched
from privis.run.he.packing.arrangement import Arrangement, key_groups
from privis.run.he.packing.batching import Batching
from privis.run.he.packing.layout import Layout
from privis.run.he.packing.side_by_side import by_image
from privis.run.he.packing.slot_per_image import sent, slot_per_image_keys
from privis.run.he.security import DEFAULT_STANDARD, SecurityStandard

MOST_LOWERED = 1 << 23  # elements of all values: a larger program is not written as matrices if its nodes are too deep
ROUNDED = 0.25  # of a grid step: results whose predicted error is below this are rounded to the grid


@dataclass(frozen=True)
class Options:
    """What a compilation may trade.

    Args:
        precision: largest difference of encrypted results from the polynomial form, relative to the largest output.
        signs: number of sign polynomials of degree 7 in a comparison, three levels each, or their odd degrees; fewer
            blur more values around thresholds.
        inside: normalise in the encrypted domain too; else the key owner does that after decryption, which costs
            nothing and takes five to eight levels off.
        normalise_domain: norms that normalisation is approximated on, as in ``polynomialise``.
        normalise_degree: degree of that approximation, as in ``polynomialise``.
        promised: accept domains that only hold for suitable inputs.
        stretch: let the owner scale an image of low contrast before encryption, where that makes it more precise; the
            specification then tells the program, so it is not for private models.
        processes: processes that share the work of one image: 1, or 2, which may need larger keys.
        batching: which images share ciphertexts: each gets cheaper, and one alone costs as much as the whole batch.
        standard: whose table of 128-bit security the parameters must meet.
    """

    precision: float = 1e-4
    _: KW_ONLY
    signs: int | tuple[int, ...] = 5
    inside: bool = False
    normalise_domain: tuple[float, float] | None = None
    normalise_degree: int | None = None
    promised: bool = False
    stretch: bool = True
    processes: int = 1
    batching: Batching = Batching.NONE
    standard: SecurityStandard = DEFAULT_STANDARD


def option_problems(where: str, precision: object, signs: object) -> list[Problem]:
    """What is wrong with the words of ``Options`` that users choose; none: all are right.

    >>> [str(problem) for problem in option_problems("CKKS", 1.0, 5)]
    ['CKKS.precision: got 1.0, expected 1e-9 to 0.1']
    """
    problems = []
    if not (isinstance(precision, float) and 1e-9 <= precision <= 0.1):
        problems.append(Problem(f"{where}.precision", repr(precision), "1e-9 to 0.1"))
    degrees = (7,) * signs if isinstance(signs, int) else signs
    if not (isinstance(degrees, tuple) and 1 <= len(degrees) <= 8 and set(degrees) <= {3, 5, 7, 9, 11, 13, 15}):
        problems.append(Problem(f"{where}.signs", repr(signs), "1 to 8 polynomials, or their odd degrees 3 to 15"))
    return problems


@dataclass(frozen=True, eq=False)
class CompiledProgram:
    """A program ready to run on ciphertexts, and its public side. ``head`` is the part that runs encrypted."""

    spec: Spec
    choice: ParameterChoice
    circuit: Circuit
    head: Program
    form: PolynomialForm

    @property
    def rotations(self) -> int:
        """Slot rotations for one image."""
        return len(self.choice.arrangement.rotations())

    def in_the_clear(self, *inputs: NDArray[Any]) -> list[NDArray[np.float64]]:
        """What decryption would give without noise: the polynomial form, with the owner's part before and after."""
        stretched = self.spec.stretched
        factor, degree = (1.0, 0.0) if stretched is None else (stretched.factor(inputs), stretched.degree)
        scaled = [np.asarray(x, np.float64) * factor for x in inputs]
        made = [x / factor**degree for x in outputs(self.circuit, scaled)]
        made = [
            x if o.step is None else np.round(x / o.step) * o.step for x, o in zip(made, self.spec.outputs, strict=True)
        ]
        if self.spec.tail is None:
            return made
        finished = evaluate(self.spec.tail, *made)
        return list(finished) if isinstance(finished, tuple) else [finished]


@dataclass(frozen=True, eq=False)
class LoweredProgram:
    """A program as a circuit, before it is decided how images share ciphertexts.

    ``expected`` is ``circuit`` with the sizes that values have in samples. What every batching needs of the program is
    computed once, when it is first asked for.
    """

    head: Program
    tail: Program | None
    form: PolynomialForm
    circuit: Circuit
    expected: Circuit
    options: Options

    def compiled(self, batching: Batching) -> CompiledProgram:
        """Choose parameters, layouts and keys for images that share ciphertexts by ``batching``.

        Raises:
            UnsupportedError: more levels or precision than 128-bit secure parameters give, or more memory than there
                is.
        """
        choice = choose(self.expected, self.options.precision, self.options.processes, batching, self.options.standard)
        return CompiledProgram(_spec(self, choice), choice, self.circuit, self.head, self.form)

    def spec(self, choice: ParameterChoice) -> Spec:
        """The public side of the program with these parameters."""
        return _spec(self, choice)

    @cached_property
    def digest(self) -> str:
        """Of the part that runs encrypted."""
        return digest(self.head)

    @cached_property
    def stretched(self) -> Stretched | None:
        """Only where an approximation depends on scale, and the result does in a known way."""
        degree = homogeneity(self.form.definition)
        if not self.options.stretch or degree is None or not self.form.errors:
            return None
        return Stretched(self.form.definition, tuple((e.node, *e.domain) for e in self.form.errors), degree)

    @cached_property
    def grid_steps(self) -> tuple[float | None, ...]:
        """Of each output, the grid that its exact values lie on; None where they are approximate or on no grid."""
        known = ranges(self.head)
        return tuple(known[output].step if not self.form.errors else None for output in self.head.outputs)


def compile_program(
    program: Program, options: Options, samples: Sequence[Sequence[NDArray[Any]]] = ()
) -> CompiledProgram:
    """Compile ``program`` for CKKS.

    Args:
        program: what is computed; its last part may be left to the key owner (``Options.inside``).
        options: precision, approximations and batching.
        samples: public inputs of the program that tell how large values are; none: typical images.

    Returns:
        The compiled program: ring and primes, levels, layouts, keys to make, and the public specification.

    Raises:
        UnsupportedError: an op without a polynomial form, or more levels or precision than 128-bit secure parameters
            give.
        DomainError: a polynomial could be evaluated outside its domain.
    """
    return lower_program(program, options, samples).compiled(options.batching)


def lower_program(program: Program, options: Options, samples: Sequence[Sequence[NDArray[Any]]] = ()) -> LoweredProgram:
    """Write ``program`` as a circuit, which is the same however images share ciphertexts.

    Args:
        program: as of `compile_program`.
        options: as of `compile_program`; ``batching`` is not read.
        samples: as of `compile_program`.

    Returns:
        The circuit with all that is known of it, ready to be compiled for any batching.

    Raises:
        UnsupportedError: an op without a polynomial form.
        DomainError: a polynomial could be evaluated outside its domain.
    """
    head, tail = _parts(program, options)
    forms: list[PolynomialForm] = []

    def polynomial(rest: Program) -> Program:
        forms.append(
            polynomialise(
                rest,
                promised=options.promised,
                stages=options.signs,
                normalise_domain=options.normalise_domain,
                normalise_degree=options.normalise_degree,
            )
        )
        if sum(map(math.prod, rest.shapes)) > MOST_LOWERED:
            least = least_levels(forms[-1].program)
            if least > most_levels(options.standard):
                raise UnsupportedError(too_deep(f"at least {least}", options.standard))
        return forms[-1].program

    circuit = lower(head, polynomial)
    shown = samples or list(zip(*map(typical, head.inputs), strict=True))
    made = LoweredProgram(head, tail, forms[-1], circuit, circuit, options)
    if samples and made.stretched is not None:  # as their owners would scale them
        shown = [[x * factor for x in own] for own in samples for factor in (made.stretched.factor(own),)]
    return replace(made, expected=with_expected_bounds(circuit, shown))


def encrypted_part(program: Program, options: Options) -> Program:
    """What of ``program`` runs on ciphertexts."""
    return _parts(program, options)[0]


def _parts(program: Program, options: Options) -> tuple[Program, Program | None]:
    """What runs encrypted, and what the key owner does after decryption (None: nothing)."""
    if options.inside:
        return program, None
    head, tail = split_at_owner(program)
    passed_on = not tail.nodes and tail.outputs == tuple(range(len(tail.inputs)))  # else it repeats or reorders them
    return head, None if passed_on else tail


def _spec(lowered: LoweredProgram, choice: ParameterChoice) -> Spec:
    head, arrangement = lowered.head, choice.arrangement
    circuit, layouts = arrangement.circuit, arrangement.layouts
    if arrangement.batch_size > 1 and not arrangement.slot_per_image:
        layouts = tuple(by_image(own, shape) for own, shape in zip(layouts, circuit.shapes, strict=True))
    sources = tuple(
        _input_slots(step, layouts[i], i, arrangement)
        for i, step in enumerate(circuit.steps)
        if isinstance(step, CircuitInput)
    )
    read = []
    for value, step, shape in zip(circuit.outputs, lowered.grid_steps, head.output_shapes, strict=True):
        exact = step is not None and choice.error * circuit.bounds[value] < ROUNDED * step
        read.append(OutputSlots(shape, layouts[value], arrangement.units[value], step if exact else None))
    return Spec(
        choice.parameters,
        choice.scale,
        slot_per_image_keys(arrangement) if arrangement.slot_per_image else key_groups(arrangement),
        tuple(x.shape for x in head.inputs),
        sources,
        tuple(read),
        lowered.tail,
        choice.error,
        tuple(_words(error) for error in lowered.form.errors),
        lowered.stretched,
        lowered.digest,
        arrangement.batch_size,
    )


def _input_slots(step: CircuitInput, layout: Layout, index: int, arrangement: Arrangement) -> InputSlots:
    unit, level = arrangement.units[index], arrangement.levels[index]
    if not arrangement.paired_inputs:
        return InputSlots(step, layout, unit, level)
    return InputSlots(step, sent(layout, arrangement.slots), 2 * unit, level)  # taking pairs apart doubles numbers


def _words(error: Any) -> str:
    blur = f", undecided closer than {error.blur:.3g} to the threshold" if error.blur else ""
    return f"{error.where}: error up to {error.error:.2g}{blur}"
