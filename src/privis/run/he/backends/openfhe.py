"""OpenFHE behind the engine port: the evaluation side. It keeps the port honest; servers run on SEAL.

What differs from SEAL, and is evened out here: slots lie at powers of 5 (and conjugates) instead of powers of 3; levels
are counted from the top; numbers are encoded at one scale, so they are multiplied beforehand; keys have all levels,
whatever their group. Ciphertexts carry the scale that the caller knows.

The wheel on the package index imports on CPython 3.10, and on 3.12 where glibc is 2.38 or newer. The library's readers
were not written for hostile bytes: what comes from strangers belongs to SEAL's adapter.
Reference: Al Badawi et al., "OpenFHE", 2022, doi:10.1145/3560827.3563379.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from privis.errors import MissingExtraError, ParameterError, Problem, ProtocolError
from privis.run.he.engine import Ciphertext, KeyGroup, Parameters, Plaintext, galois_element, galois_elements

try:
    import openfhe
except ImportError as error:
    remedy = "CPython 3.10, or 3.12 with glibc 2.38: pip install openfhe"
    raise MissingExtraError(Problem("OpenFHE", f"no package 'openfhe' ({error})", "it installed", remedy)) from error

_VANISHED = "Scaling factor too small"  # what the library says when no coefficient reaches 1


@dataclass(frozen=True, eq=False)
class OpenFheRing:
    """A checked parameter set and the library's context for it."""

    parameters: Parameters
    context: Any

    @property
    def bits(self) -> int:
        """Of the one scale that the library encodes at."""
        return self.parameters.bits[1]

    @cached_property
    def primes(self) -> tuple[int, ...]:
        """Lowest first: quotients of the moduli of neighbouring levels."""
        levels = self.parameters.levels
        plain = [self.context.MakeCKKSPackedPlaintext([1.0], 1, levels - level) for level in range(levels + 1)]
        moduli = [x.GetElementModulus() for x in plain]
        return (moduli[0], *(high // low for low, high in pairwise(moduli)))

    @cached_property
    def _order(self) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
        """For each slot of the port the library's slot, and whether that one holds the conjugate.

        A slot of the port is the value at the root of unity to a power of 3; the library has powers of 5. Either are
        all odd powers up to their sign, which conjugates.
        """
        slots, whole = self.parameters.slots, 2 * self.parameters.degree
        ours, theirs = (np.array([pow(base, k, whole) for k in range(slots)]) for base in (3, 5))
        place = np.zeros(whole, np.int64)
        place[theirs], place[whole - theirs] = np.arange(slots), np.arange(slots)
        is_theirs = np.zeros(whole, bool)
        is_theirs[theirs] = True
        return place[ours], ~is_theirs[ours]

    def encoded(self, values: NDArray[Any], level: int, scale: float) -> Plaintext:
        """A plaintext at ``level`` whose numbers are stored times ``scale``."""
        place, conjugated = self._order
        numbers = np.zeros(self.parameters.slots, np.complex128)
        numbers[: len(values)] = values
        moved = np.empty_like(numbers)
        moved[place] = np.where(conjugated, numbers.conj(), numbers)
        times = scale / 2.0**self.bits
        made = self.context.MakeCKKSPackedPlaintext(moved * times, 1, self.parameters.levels - level)
        made.SetScalingFactor(scale)
        return made

    def decoded(self, plain: Plaintext, scale: float) -> NDArray[np.complex128]:
        """The numbers in the order of the port, of a plaintext that the library takes to be at its own scale."""
        place, conjugated = self._order
        plain.SetLength(self.parameters.slots)
        numbers = np.asarray(plain.GetCKKSPackedValue())[place] * (2.0**self.bits / scale)
        return np.where(conjugated, numbers.conj(), numbers)


def ring(parameters: Parameters) -> OpenFheRing:
    """Have the library check ``parameters`` for 128-bit security; ParameterError where it refuses.

    Its primes have the bits of ``parameters`` but for the special one, which it makes itself, of 60 bits.
    """
    if len(set(parameters.bits[1:-1])) != 1:
        raise ParameterError(Problem("Parameters.bits", f"{parameters.bits}", "levels of one size, at least one"))
    chosen = openfhe.CCParamsCKKSRNS()
    chosen.SetRingDim(parameters.degree)
    chosen.SetBatchSize(parameters.slots)
    chosen.SetMultiplicativeDepth(parameters.levels)
    chosen.SetFirstModSize(parameters.bits[0])
    chosen.SetScalingModSize(parameters.bits[1])
    chosen.SetScalingTechnique(openfhe.ScalingTechnique.FIXEDMANUAL)
    chosen.SetSecurityLevel(openfhe.SecurityLevel.HEStd_128_classic)
    chosen.SetSecretKeyDist(openfhe.SecretKeyDist.UNIFORM_TERNARY)
    chosen.SetKeySwitchTechnique(openfhe.KeySwitchTechnique.HYBRID)
    chosen.SetNumLargeDigits(parameters.levels + 1)
    chosen.SetCKKSDataType(openfhe.CKKSDataType.COMPLEX)
    try:
        context = openfhe.GenCryptoContext(chosen)
    except RuntimeError as error:
        got = str(error).rsplit("():", 1)[-1].strip()
        raise ParameterError(Problem("Parameters", got, "parameters OpenFHE accepts", "a larger ring")) from None
    for feature in ("PKE", "KEYSWITCH", "LEVELEDSHE"):
        context.Enable(getattr(openfhe.PKESchemeFeature, feature))
    return OpenFheRing(parameters, context)


def read(load: Callable[..., Any], data: bytes, what: str) -> Any:
    """``load(data)``; ProtocolError when the library does not like it."""
    try:
        return load(data, openfhe.BINARY)
    except (RuntimeError, MemoryError, ValueError) as error:
        got = f"{len(data)} bytes that are not ({error})"
        raise ProtocolError(Problem(what, got, f"a {what} of these parameters", "make and send it again")) from None


@dataclass(frozen=True, eq=False)
class OpenFheEngine:
    """Arithmetic with evaluation keys. Holds nothing that decrypts; the library itself keeps relinearisation keys."""

    ring: OpenFheRing
    groups: tuple[KeyGroup, ...] = ()
    keys: tuple[Any, ...] = field(default=(), repr=False)

    @classmethod
    def with_keys(cls, parameters: Parameters, groups: Sequence[KeyGroup], data: Sequence[bytes]) -> OpenFheEngine:
        """Load the evaluation keys of ``groups``; ProtocolError for damaged ones, or too few."""
        whole, keys = ring(parameters), []
        if len(data) != 2 * len(groups):
            got, expected = f"{len(data)} parts", f"{2 * len(groups)}"
            raise ProtocolError(Problem("evaluation keys", got, expected, "make them for this program"))
        for index, group in enumerate(groups):
            if group.relinearise:
                key = read(openfhe.DeserializeEvalKeyString, data[2 * index], "relinearisation key")
                if key.GetKeyTag() not in whole.context.GetAllEvalMultKeys():  # where the library looks for it
                    whole.context.InsertEvalMultKey([key], key.GetKeyTag())
            elements = galois_elements(group, parameters.degree)
            keys.append(read(openfhe.DeserializeEvalKeyMapString, data[2 * index + 1], "key") if elements else None)
        return cls(whole, tuple(groups), tuple(keys))

    @property
    def parameters(self) -> Parameters:
        """Ring degree and bits of the primes."""
        return self.ring.parameters

    @property
    def primes(self) -> tuple[int, ...]:
        """``primes[l]`` divides the scale when a ciphertext of level ``l`` is rescaled."""
        return self.ring.primes

    def encode(self, values: NDArray[Any] | float, level: int, scale: float) -> Plaintext:
        """Numbers, at most one per slot (real or complex), or one for all slots."""
        numbers = values if isinstance(values, np.ndarray) else np.full(self.parameters.slots, values)
        try:
            return self.ring.encoded(numbers, level, scale)
        except RuntimeError as error:
            if _VANISHED not in str(error):
                raise
            return None

    def is_zero(self, x: Plaintext) -> bool:
        """Whether nothing is left of the numbers at the plaintext's scale: no ciphertext is multiplied by that."""
        return x is None

    def level(self, x: Ciphertext) -> int:
        """Number of rescalings that a ciphertext can still take."""
        return self.parameters.levels - x.GetLevel()

    def scale(self, x: Ciphertext) -> float:
        """Factor by which the numbers are stored."""
        return x.GetScalingFactor()

    def at_scale(self, x: Ciphertext, scale: float) -> Ciphertext:
        """``x`` itself, from now on said to be at ``scale``: another unit of its numbers, for free."""
        x.SetScalingFactor(scale)
        x.SetNoiseScaleDeg(1)  # the library's own count of products says nothing here
        return x

    def copy(self, x: Ciphertext) -> Ciphertext:
        """Another ciphertext of the same numbers."""
        return x.Clone()

    def reusing(self) -> OpenFheEngine:
        """This engine: the library gives memory back."""
        return self

    def discard(self, x: Ciphertext) -> None:
        """Nothing: so does whoever drops it."""

    def negative(self, x: Ciphertext) -> Ciphertext:
        """Negate the numbers of all slots."""
        return self.at_scale(self.ring.context.EvalNegate(x), self.scale(x))

    def add(self, x: Ciphertext, y: Ciphertext) -> Ciphertext:
        """Add slot by slot; same level, scales equal up to rounding."""
        return self.at_scale(self.ring.context.EvalAdd(x, y), self.scale(x))

    def add_plain(self, x: Ciphertext, y: Plaintext) -> Ciphertext:
        """Add a plaintext slot by slot; same level and scale."""
        return self.at_scale(self.ring.context.EvalAdd(x, y), self.scale(x))

    def accumulate(self, total: Ciphertext | None, x: Ciphertext) -> Ciphertext:
        """``total + x``, written over ``total``; None counts as zero."""
        if total is None:
            return x
        self.ring.context.EvalAddInPlace(total, x)
        return total

    def multiply(self, x: Ciphertext, y: Ciphertext) -> Ciphertext:
        """Multiply slot by slot, same level; the result must be relinearised before it is rotated or multiplied."""
        return self.at_scale(self.ring.context.EvalMultNoRelin(x, y), self.scale(x) * self.scale(y))

    def multiply_plain(self, x: Ciphertext, y: Plaintext) -> Ciphertext:
        """Multiply by a plaintext slot by slot; same level."""
        return self.at_scale(self.ring.context.EvalMult(x, y), self.scale(x) * y.GetScalingFactor())

    def relinearise(self, x: Ciphertext) -> Ciphertext:
        """Bring a product back to two polynomials; its numbers stay."""
        level = self.level(x)
        if not any(group.relinearise and group.level >= level for group in self.groups):
            raise self._missing("a relinearisation key", level)
        return self.at_scale(self.ring.context.Relinearize(x), self.scale(x))

    def rescale(self, x: Ciphertext, scale: float) -> Ciphertext:
        """One level lower; ``scale`` is the exact scale the caller knows it to have then."""
        x = x.Clone()
        x.SetNoiseScaleDeg(2)  # what the library expects of a product
        return self.at_scale(self.ring.context.Rescale(x), scale)

    def lower(self, x: Ciphertext, level: int) -> Ciphertext:
        """Drop to a lower level; numbers and scale stay."""
        by = self.level(x) - level
        return self.at_scale(self.ring.context.LevelReduce(x, None, by), self.scale(x)) if by else x

    def rotate(self, x: Ciphertext, step: int) -> Ciphertext:
        """By ``step`` slots; the step must have a key at this level."""
        step %= self.parameters.slots
        if step == 0:
            return x
        level = self.level(x)
        for group, keys in zip(self.groups, self.keys, strict=True):
            if group.level >= level and step in group.steps:
                return self._permuted(x, galois_element(step, self.parameters.degree), keys)
        raise self._missing(f"a key for rotation by {step}", level)

    def conjugate(self, x: Ciphertext) -> Ciphertext:
        """The complex conjugate, slot by slot; needs a key at this level."""
        level = self.level(x)
        for group, keys in zip(self.groups, self.keys, strict=True):
            if group.level >= level and group.conjugate:
                return self._permuted(x, 2 * self.parameters.degree - 1, keys)
        raise self._missing("a key for conjugation", level)

    def _permuted(self, x: Ciphertext, element: int, keys: Any) -> Ciphertext:
        return self.at_scale(self.ring.context.EvalAutomorphism(x, element, keys), self.scale(x))

    def save(self, x: Ciphertext) -> bytes:
        """Bytes of a ciphertext, in the library's own format."""
        return bytes(openfhe.Serialize(x, openfhe.BINARY))

    def load(self, data: bytes) -> Ciphertext:
        """Deserialise; ProtocolError for anything but a ciphertext of these parameters."""
        made = read(openfhe.DeserializeCiphertextString, data, "ciphertext")
        same_ring = made.GetCryptoContext().GetRingDimension() == self.parameters.degree
        if not same_ring or made.NumberCiphertextElements() != 2 or not 0 <= self.level(made) <= self.parameters.levels:
            raise ProtocolError(Problem("ciphertext", "one of other parameters", "a fresh or evaluated ciphertext"))
        return made

    def write(self, x: Ciphertext, file: int) -> None:
        """Pass a ciphertext on through an empty file to `read` in a process of this machine."""
        with os.fdopen(os.dup(file), "wb") as opened:
            opened.write(self.save(x))

    def read(self, file: int) -> Ciphertext:
        """What another process of this machine wrote; ProtocolError where it is damaged."""
        return self.load(os.pread(file, os.fstat(file).st_size, 0))

    def _missing(self, what: str, level: int) -> ProtocolError:
        return ProtocolError(Problem("evaluation keys", f"none with {what} at level {level}", "keys of this program"))
