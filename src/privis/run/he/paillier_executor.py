"""``Paillier``: the executor that computes linear programs on additively encrypted images."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np

from privis.errors import DomainError, ParameterError, Problem, UnsupportedError, refuse
from privis.identity import UNIDENTIFIED
from privis.program import Program
from privis.readings import Cost, PredictedError, cost, ranges
from privis.run.he.owner.paillier import SecretKey
from privis.run.he.paillier.fixed_point_encoding import MOST_WEIGHT_BITS
from privis.run.he.paillier.linear_lowering import LinearExtraction, linear_extraction
from privis.run.he.paillier.scheme import DEFAULT_BITS, LEAST_BITS, MOST_BITS
from privis.run.machine_profile import MachineProfile
from privis.validation import whole_number

SECTION = "paillier"  # of a machine's profile


@dataclass(frozen=True)
class PaillierTimings:
    """Seconds of one modular product, one encryption by the key owner, one mask by the server, one decryption.

    The defaults are for 3072 bits on two cores; ``measure`` finds those of this machine.
    """

    product: float = 1.7e-5
    encryption: float = 6e-3
    mask: float = 2e-2
    decryption: float = 1.1e-2
    bits: int = DEFAULT_BITS

    def __post_init__(self) -> None:
        refuse(ParameterError, whole_number("PaillierTimings.bits", self.bits))

    @classmethod
    def of_this_machine(cls) -> PaillierTimings:
        """What ``privis doctor --calibrate`` measured; the defaults where it never ran."""
        return MachineProfile.of_this_machine().section(SECTION, cls())

    @classmethod
    def measure(cls, key: SecretKey) -> PaillierTimings:
        """Time each, in well under a second."""
        public = key.public
        x = key.encrypt(range(8))

        def seconds(run: Callable[[], Any], count: int) -> float:
            run()
            start = time.perf_counter()
            run()
            return (time.perf_counter() - start) / count

        many = np.tile(x, 64)
        return cls(
            seconds(lambda: public.add(many, many), len(many)),
            seconds(lambda: key.encrypt(range(8)), 8),
            seconds(lambda: public.masks(4), 4),
            seconds(lambda: key.decrypt(x), 8),
            public.bits,
        )

    def scaled(self, bits: int) -> PaillierTimings:
        """For another length of key: schoolbook growth, squared for products and cubed for powers."""
        ratio = bits / self.bits
        encryption, mask, decryption = (x * ratio**3 for x in (self.encryption, self.mask, self.decryption))
        return PaillierTimings(self.product * ratio**2, encryption, mask, decryption, bits)


@dataclass(frozen=True)
class Paillier:
    """Compute linear programs on images encrypted under Paillier's additively homomorphic scheme.

    The caller is the key owner; the same process plays the server, with the public key alone. Slow: an encryption per
    pixel. Sums of encrypted values are exact. Reference: Paillier, 1999, doi:10.1007/3-540-48910-X_16.

    Args:
        bits: length of the modulus, even; 3072 gives 128-bit security, 2048 gives 112.
        weight_bits: bits that weights keep below an op's largest; they are not rounded where they have no more. See
            ``rounding`` for the bound on what that changes.
        key: the owner's secret key, of ``bits`` bits. None: made at first use.
        machine: timings for predictions. None: those that ``privis doctor --calibrate`` measured of this machine.

    Raises:
        ParameterError: a value out of range, or a key of another length.
    """

    identifier: ClassVar[str] = "privis.paillier/1"

    bits: int = DEFAULT_BITS
    weight_bits: int = 24
    key: SecretKey | None = field(default=None, compare=False, metadata=UNIDENTIFIED)
    machine: PaillierTimings | None = field(default=None, metadata=UNIDENTIFIED)
    _made: list[SecretKey] = field(default_factory=list, init=False, repr=False, compare=False, metadata=UNIDENTIFIED)

    def __post_init__(self) -> None:
        problems = []
        if not (isinstance(self.bits, int) and LEAST_BITS <= self.bits <= MOST_BITS and self.bits % 2 == 0):
            expected = f"an even number from {LEAST_BITS} to {MOST_BITS}, {DEFAULT_BITS} for 128-bit security"
            problems.append(Problem("Paillier.bits", repr(self.bits), expected))
        if not (isinstance(self.weight_bits, int) and 1 <= self.weight_bits <= MOST_WEIGHT_BITS):
            problems.append(Problem("Paillier.weight_bits", repr(self.weight_bits), f"1 to {MOST_WEIGHT_BITS}"))
        if self.key is not None and self.key.public.bits != self.bits:
            problems.append(Problem("Paillier.key", f"{self.key.public.bits} bits", f"a key of {self.bits} bits"))
        refuse(ParameterError, problems)

    def __reduce__(self) -> tuple[type[Paillier], tuple[Any, ...]]:
        return Paillier, (self.bits, self.weight_bits, None, self.machine)  # the key stays where it is

    @property
    def seen(self) -> str:
        """The owner alone, who holds the key."""
        return f"Only their owner sees the images; a server sees {self.bits}-bit Paillier ciphertexts of every pixel."

    def supports(self, program: Program) -> list[Problem]:
        """All nodes that are not linear, or all values that may be too large for the key."""
        try:
            self._extraction(program)
        except (UnsupportedError, DomainError) as error:
            return list(error.problems)
        return []

    def rounding(self, program: Program) -> tuple[float, ...]:
        """How far results may be from exact ones, for any declared input.

        Args:
            program: the core of a feature; linear.

        Returns:
            A bound per output, in the output's units; 0 is exact.
        """
        return tuple(held.error for held in self._extraction(program).outputs)

    def error(self, program: Program) -> PredictedError:
        """The stated rounding of weights, of the largest value that the declared ranges allow."""
        known = ranges(program)
        sizes = [max(map(abs, known[output].bounds)) for output in program.outputs]
        off = max((e / s if s else e for e, s in zip(self.rounding(program), sizes, strict=True)), default=0.0)
        return PredictedError(off, "a bound on the rounding of weights" if off else "whole numbers: exact")

    def cost(self, program: Program) -> Cost:
        """Predicted seconds of owner and server together, and bytes of query and reply."""
        extraction = self._extraction(program)
        machine = (self.machine or PaillierTimings.of_this_machine()).scaled(self.bits)
        asked, answered = extraction.lengths
        replies = extraction.slots.plaintexts(answered)
        products = sum(step.products for step in extraction.steps) + answered * (extraction.slots.width + 1)
        seconds = (
            products * machine.product + asked * machine.encryption + replies * (machine.mask + machine.decryption)
        )
        counted, sent = cost(program), sum(extraction.messages)
        return dataclasses.replace(counted, depth=None, rounds=2, sent=sent, seconds=seconds)

    def prepare(self, program: Program) -> Callable[..., Any]:
        """Lower ``program`` to steps on ciphertexts.

        Returns:
            A function of the inputs (numpy arrays of the declared shapes) that encrypts, combines and decrypts; it
            returns the outputs (float32) and raises DomainError for inputs outside their declared range.

        Raises:
            UnsupportedError, DomainError: ``supports`` has objections.
        """
        extraction = self._extraction(program)

        def run(*inputs: Any) -> Any:
            key = self.secret()
            reply = extraction.reply(key.public, extraction.query(key, *inputs))
            outputs = [array.astype(np.float32) for array in extraction.result(key, reply)]
            return outputs[0] if len(outputs) == 1 else tuple(outputs)

        return run

    def secret(self) -> SecretKey:
        """The owner's key; made now if there is none.

        Returns:
            The key.
        """
        if self.key is not None:
            return self.key
        if not self._made:
            self._made.append(SecretKey.generate(self.bits))
        return self._made[0]

    def _extraction(self, program: Program) -> LinearExtraction:
        return linear_extraction(program, self.bits, self.weight_bits)
