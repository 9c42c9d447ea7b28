"""``CKKS``: the executor that computes on an encrypted image; ``HE`` names the schemes."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar

from privis.errors import DomainError, ParameterError, PrivisError, Problem, UnsupportedError, refuse
from privis.identity import LATER, UNIDENTIFIED
from privis.program import Program, digest
from privis.readings import Cost, PredictedError, broken_promises, cost, domain_problems
from privis.readings.approximation.predicted_error import largest_error, made_up
from privis.run.he.compiler.circuit_cost import CKKSTimings, Prediction, predict
from privis.run.he.compiler.compiled_files import compile_kept
from privis.run.he.compiler.compiler import CompiledProgram, Options, option_problems
from privis.run.he.compiler.fitting_options import fitting_options
from privis.run.he.compiler.quickest import quickest
from privis.run.he.compiler.samples import Inputs, PublicSamples
from privis.run.he.evaluation.evaluator import CACHE, Evaluator
from privis.run.he.evaluation.forked_map import cores
from privis.run.he.evaluation.kept_weights import keep_weights, weights_of
from privis.run.he.owner.keys import SecretKeys
from privis.run.he.packing.batching import Batching
from privis.run.he.paillier_executor import Paillier
from privis.run.he.security import DEFAULT_STANDARD, SecurityStandard
from privis.validation import positive_number

MOST_KEPT = 4  # compiled programs; each may hold hundreds of megabytes of weights


@dataclass(frozen=True)
class CKKS:
    """Compute on images encrypted under CKKS, with Microsoft SEAL at 128-bit security.

    The caller is the key owner: each input is encrypted, a server side that holds evaluation keys only computes, the
    result is decrypted. Here both are in one process, to try out programs and measure them; `privis serve` is the
    real server. Reference: Cheon, Kim, Kim and Song, 2017, doi:10.1007/978-3-319-70694-8_15.

    Args:
        precision: largest difference of encrypted results from the polynomial form, relative to the largest output;
            1e-9 to 0.1.
        signs: number of sign polynomials of degree 7 in a comparison, three levels each, or their odd degrees.
        inside: normalise vectors in the encrypted domain; else the key owner does so after decryption.
        promised: accept domains that hold for suitable inputs only; others are refused before encryption.
        most_memory: refuse programs predicted to take more bytes of server memory. None: no limit.
        most_seconds: refuse programs predicted to take more seconds per image. None: no limit.
        most_error: refuse programs whose predicted error is more than this share of the largest value. None: no limit.
        standard: whose table of 128-bit security ring and modulus must meet.
        samples: public inputs of the program (what the feature's ``before`` makes of public images; a tuple of arrays
            for a program of several inputs), which tell how large values are: with them a smaller ring may do than
            with typical images, which has smaller keys and quicker runs. None: typical images.

    Raises:
        ParameterError: a value out of range.

    >>> CKKS().seen
    'Only their owner, who holds the secret key, sees the images; a server sees CKKS ciphertexts.'
    """

    identifier: ClassVar[str] = "privis.ckks/1"

    precision: float = 1e-4
    signs: int | tuple[int, ...] = 5
    inside: bool = False
    promised: bool = False
    most_memory: int | None = field(default=None, metadata=UNIDENTIFIED)
    most_seconds: float | None = field(default=None, metadata=UNIDENTIFIED)
    most_error: float | None = field(default=None, repr=False, metadata=UNIDENTIFIED)
    standard: SecurityStandard = field(default=DEFAULT_STANDARD, metadata=LATER)
    samples: PublicSamples | Sequence[Any] | None = field(default=None, metadata=LATER)
    _kept: dict[str, CompiledProgram] = field(
        default_factory=dict, init=False, repr=False, compare=False, metadata=UNIDENTIFIED
    )
    _refused: dict[str, tuple[Problem, ...]] = field(
        default_factory=dict, init=False, repr=False, compare=False, metadata=UNIDENTIFIED
    )
    _messages: list[int] = field(
        default_factory=lambda: [0], init=False, repr=False, compare=False, metadata=UNIDENTIFIED
    )  # bytes of all so far

    def __post_init__(self) -> None:
        problems = option_problems("CKKS", self.precision, self.signs)
        if self.most_error is not None:
            problems += positive_number("CKKS.most_error", self.most_error)
        if not isinstance(self.standard, SecurityStandard):
            known = ", ".join(str(one) for one in SecurityStandard)
            problems.append(Problem("CKKS.standard", repr(self.standard), f"one of {known}"))
        refuse(ParameterError, problems)
        if self.samples is not None and not isinstance(self.samples, PublicSamples):
            object.__setattr__(self, "samples", PublicSamples.of(self.samples, "CKKS.samples"))

    def __reduce__(self) -> tuple[type[CKKS], tuple[Any, ...]]:
        limits = (self.most_memory, self.most_seconds, self.most_error)
        own = self.precision, self.signs, self.inside, self.promised
        return CKKS, (*own, *limits, self.standard, self.samples)  # compiled programs are made again

    @property
    def seen(self) -> str:
        """The owner alone, who holds the key."""
        return "Only their owner, who holds the secret key, sees the images; a server sees CKKS ciphertexts."

    def compiled(self, program: Program) -> CompiledProgram:
        """Compile ``program`` for one image at a time; the last few compiled programs are kept.

        Args:
            program: the core of a feature.

        Returns:
            Parameters, layout and instructions, which hold no secret.

        Raises:
            UnsupportedError: no 128-bit secure parameters give enough levels or precision.
            DomainError: a polynomial could be evaluated outside its domain.
        """
        return self._keep(
            digest(program), lambda: compile_kept(program, self._options(Batching.NONE), self._shown(program))
        )

    def keep_weights(self, program: Program) -> int:
        """Keep the encoded weights of ``program`` on disk, for this and later processes of this user.

        They are read in an eighth to a third of the time that encoding takes: worth it for large networks that are
        run again and again. The compiled program itself is kept wherever it took long to compile.

        Args:
            program: the core of a feature.

        Returns:
            Bytes on disk; 0 where there is no room for them.

        Raises:
            UnsupportedError, DomainError: ``supports`` has objections.
        """
        return keep_weights(self.compiled(program))

    def _options(self, batching: Batching) -> Options:
        return Options(
            self.precision,
            signs=self.signs,
            inside=self.inside,
            promised=self.promised,
            batching=batching,
            standard=self.standard,
        )

    def _shown(self, program: Program) -> Sequence[Inputs]:
        """Samples that fit ``program``; UnsupportedError names those that do not."""
        if not isinstance(self.samples, PublicSamples):
            return ()
        refuse(UnsupportedError, self.samples.problems(program, "CKKS.samples"))
        return self.samples.images

    def _keep(self, name: str, make: Callable[[], CompiledProgram]) -> CompiledProgram:
        if name not in self._kept:
            made = make()
            while len(self._kept) >= MOST_KEPT:
                del self._kept[next(iter(self._kept))]
            self._kept[name] = made
        return self._kept[name]

    def supports(self, program: Program) -> list[Problem]:
        """All reasons why ``program`` cannot run on ciphertexts, with numbers, and the nearest settings that fit."""
        name = digest(program)
        if name in self._refused:
            return list(self._refused[name])
        try:
            expected = self.predicted(program)
        except PrivisError as error:
            while len(self._refused) >= MOST_KEPT:
                del self._refused[next(iter(self._refused))]
            self._refused[name] = tuple(self._with_remedy(program, error.problems))
            return list(self._refused[name])
        problems = self._beyond(expected)
        if self.most_error is not None:
            problems += self.error(program).problems("CKKS.most_error", self.most_error)
        return problems

    def _beyond(self, expected: Prediction | None) -> list[Problem]:
        """Limits that a program takes more than; none where nothing is predicted."""
        problems, remedy = [], "a smaller size, fewer sign polynomials, or a larger limit"
        if expected is None:
            return []
        if self.most_memory is not None and expected.memory > self.most_memory:
            got = f"{expected.memory / 2**20:,.0f} MiB predicted"
            problems.append(Problem("CKKS.most_memory", got, f"at most {self.most_memory / 2**20:,.0f} MiB", remedy))
        if self.most_seconds is not None and expected.seconds > self.most_seconds:
            got = f"{expected.seconds:.3g} s predicted"
            problems.append(Problem("CKKS.most_seconds", got, f"at most {self.most_seconds:g} s", remedy))
        return problems

    def _with_remedy(self, program: Program, problems: Sequence[Problem]) -> list[Problem]:
        """Before other remedies, the first settings that fit and keep all limits, and what they take."""
        options, machine = self._options(Batching.NONE), CKKSTimings.of_this_machine()
        try:
            found = fitting_options(program, options, self._shown(program), CACHE, machine)
            nearest = next((one for one in found if not self._beyond(one.expected)), None)
        except PrivisError:  # samples that are none
            nearest = None
        if nearest is None:
            return list(problems)
        first, *others = problems
        remedies = [nearest.words(options), *([first.remedy] if first.remedy else [])]
        return [replace(first, remedy="; or ".join(remedies)), *others]

    def predicted(self, program: Program) -> Prediction:
        """Seconds, memory and bytes of one image, by the constants of ``privis doctor --calibrate``.

        Args:
            program: the core of a feature.

        Returns:
            The prediction.
        """
        made = self.compiled(program)
        return predict(made.spec, made.choice.arrangement, CACHE, CKKSTimings.of_this_machine())

    def error(self, program: Program) -> PredictedError:
        """That of the polynomials, found on made-up inputs in the clear, and what encryption adds at most."""
        made = self.compiled(program)
        found = largest_error(program, made.in_the_clear, made_up(program, cost(program).operations or 0))
        basis = "polynomials, compared on made-up images, and encryption" if made.spec.approximations else "encryption"
        return PredictedError(found + self.precision, basis, made.spec.approximations)

    def cost(self, program: Program) -> Cost:
        """Levels and rotations, predicted seconds and memory, bytes sent for one image without keys."""
        made, expected = self.compiled(program), self.predicted(program)
        return replace(
            cost(program),
            memory=expected.memory,
            depth=made.choice.arrangement.depth,
            rotations=made.rotations,
            rounds=2,
            sent=expected.query + expected.reply,
            seconds=expected.seconds,
        )

    def prepare(self, program: Program) -> Callable[..., Any]:
        """Compile ``program`` and make keys.

        Returns:
            A function of the inputs (numpy arrays of the declared shapes) that encrypts, computes and decrypts; it
            returns the outputs (float32) and raises DomainError for inputs that break a promised domain.

        Raises:
            UnsupportedError, DomainError: ``supports`` has objections.
        """
        made = self.compiled(program)
        keys = SecretKeys.generate(made.spec)
        message = keys.evaluation_keys(made.spec)
        self._count(message)
        evaluator = Evaluator.open(made, message, weights_of(made, CACHE))
        promises = bool(domain_problems(made.head))

        def run(*inputs: Any) -> Any:
            if promises:
                refuse(DomainError, broken_promises(made.head, *inputs))
            query = keys.encrypt(made.spec, [inputs])
            reply = evaluator.run(query.message)
            self._count(query.message, reply)
            (outputs,) = keys.decrypt(made.spec, query, reply)
            return outputs[0] if len(outputs) == 1 else tuple(outputs)

        return run

    def together(self, program: Program, expected: int | None = None) -> int:
        """How many images ``prepare_many`` computes at once, for the ``expected`` number of them; 1: each alone."""
        return self.shared(program, expected).spec.batch_size

    def prepare_many(self, program: Program, expected: int | None = None) -> ManyImages:
        """Make a program ready for many images, which share ciphertexts.

        Images share ciphertexts in the way that is predicted to be quickest: side by side, or each in a slot of its
        own, so that thousands take as long as one. All processors take part.

        Raises:
            UnsupportedError, DomainError: ``supports`` has objections.
        """
        made = self.shared(program, expected)
        keys = SecretKeys.generate(made.spec)
        message = keys.evaluation_keys(made.spec)
        self._count(message)
        return ManyImages(made, keys, Evaluator.open(made, message, at_once=cores()), self._count)

    def _count(self, *messages: bytes) -> None:
        """Add their bytes to what was sent."""
        self._messages[0] += sum(map(len, messages))

    @property
    def sent(self) -> int:
        """Bytes of keys, queries and replies so far: what a server elsewhere would be sent, and send."""
        return self._messages[0]

    def shared(self, program: Program, images: int | None) -> CompiledProgram:
        """Compile a program for many images, in the quickest of the ways to share ciphertexts that fit.

        Args:
            program: the core of a feature.
            images: how many there will be; None: any number.

        Returns:
            Parameters, layout and instructions, which hold no secret.

        Raises:
            UnsupportedError, DomainError: ``supports`` has objections.
        """
        return self._keep(f"{digest(program)} for {images}", lambda: self._quickest(program, images))

    def _quickest(self, program: Program, images: int | None) -> CompiledProgram:
        return quickest(program, self._options(Batching.NONE), self._shown(program), images, CACHE)


@dataclass(frozen=True, eq=False)
class ManyImages:
    """A program with keys, for many images at once."""

    made: CompiledProgram
    keys: SecretKeys = field(repr=False)
    evaluator: Evaluator = field(repr=False)
    count: Callable[[bytes, bytes], None] = field(default=lambda query, reply: None, repr=False)

    def check(self, *inputs: Any) -> None:
        """Raise DomainError where the inputs of an image break a domain that the program relies on."""
        if domain_problems(self.made.head):
            refuse(DomainError, broken_promises(self.made.head, *inputs))
        if self.made.spec.stretched is not None:
            self.made.spec.stretched.factor(inputs)

    def __call__(self, images: Sequence[Sequence[Any]]) -> list[Any]:
        """The outputs of each image; raises as ``check``, before anything is computed."""
        for inputs in images:
            self.check(*inputs)
        if not images:
            return []
        query = self.keys.encrypt(self.made.spec, images)
        reply = self.evaluator.run(query.message)
        self.count(query.message, reply)
        results = self.keys.decrypt(self.made.spec, query, reply)
        return [outputs[0] if len(outputs) == 1 else tuple(outputs) for outputs in results]


def HE(scheme: str = "ckks") -> CKKS | Paillier:
    """Former way to the executor of a scheme with its defaults: call ``CKKS()`` or ``Paillier()``.

    Args:
        scheme: ``"ckks"`` or ``"paillier"``.

    Returns:
        The executor.

    Raises:
        ParameterError: ``scheme`` is neither.
    """
    message = "HE() ends with the next version: call CKKS() or Paillier()"
    warnings.warn(message, DeprecationWarning, stacklevel=2)
    match scheme:
        case "ckks":
            return CKKS()
        case "paillier":
            return Paillier()
    raise ParameterError(Problem("HE.scheme", repr(scheme), "'ckks' or 'paillier'"))
