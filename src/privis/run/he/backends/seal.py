"""Microsoft SEAL through ``tenseal.sealapi``: the evaluation side of the engine port.

What the library does without saying, each with a test: positive integers given to ``create_galois_keys`` are Galois
elements, not steps; files are read and written by path only (here anonymous files in memory); an all-zero plaintext
raises; the interpreter lock is held throughout, so that only processes run in parallel.
"""

from __future__ import annotations

import os
import struct
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property, lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from privis.errors import ParameterError, Problem, ProtocolError
from privis.extras import optional_import
from privis.run.he.backends.seal_files import PLAIN, plain_content, saved, to_bytes
from privis.run.he.backends.seal_memory import DiscardedCiphertexts, copied
from privis.run.he.engine import Ciphertext, KeyGroup, Parameters, Plaintext, galois_element, galois_elements

with optional_import("he", "homomorphic encryption"):
    import tenseal.sealapi as seal

_PRODUCT = 3  # polynomials of what is not relinearised
_HEADER, _COMPRESSION = 16, 5  # bytes of the header of the library's files, and where it names the compression


@dataclass(frozen=True, eq=False)
class SealRing:
    """A checked parameter set: SEAL's context, its primes and the name of each level."""

    parameters: Parameters
    context: Any
    moduli: tuple[Any, ...]
    names: tuple[tuple[int, ...], ...]

    @cached_property
    def levels(self) -> dict[tuple[int, ...], int]:
        """Level of each name."""
        return {name: level for level, name in enumerate(self.names)}

    @cached_property
    def encoder(self) -> Any:
        """SEAL's encoder of vectors as polynomials."""
        return seal.CKKSEncoder(self.context)

    @cached_property
    def evaluator(self) -> Any:
        """SEAL's evaluator, which computes without keys."""
        return seal.Evaluator(self.context)

    @property
    def primes(self) -> tuple[int, ...]:
        """The primes of the levels, lowest first; the special prime is not among them."""
        return tuple(modulus.value() for modulus in self.moduli[:-1])

    def below(self, level: int) -> SealRing:
        """The ring of the lowest primes up to ``level``, with the same special prime.

        Its levels have the same names, so ciphertexts pass freely; its keys are smaller.
        """
        return _below(self, level)


@lru_cache(maxsize=8)
def ring(parameters: Parameters) -> SealRing:
    """Check ``parameters`` by SEAL's own 128-bit rule; ParameterError when it refuses.

    The last ones are kept: a context is never changed, and making one takes as long as reading a client's keys.
    """
    return _ring(parameters, list(seal.CoeffModulus.Create(parameters.degree, list(parameters.bits))))


@lru_cache(maxsize=32)
def _below(whole: SealRing, level: int) -> SealRing:
    return _ring(*_parameters_below(whole.parameters, whole.moduli, level))


@dataclass(frozen=True, eq=False)
class KeyContext:
    """A checked parameter set without its levels: enough for keys, and next to no memory."""

    parameters: Parameters
    context: Any
    moduli: tuple[Any, ...]

    def below(self, level: int) -> KeyContext:
        """As `SealRing.below`, of keys; itself at its highest level."""
        if level == self.parameters.levels:
            return self
        small, moduli = _parameters_below(self.parameters, self.moduli, level)
        return KeyContext(small, _context(small, moduli, levels=False), tuple(moduli))


def key_context(parameters: Parameters) -> KeyContext:
    """As `ring`, for keys alone."""
    moduli = list(seal.CoeffModulus.Create(parameters.degree, list(parameters.bits)))
    return KeyContext(parameters, _context(parameters, moduli, levels=False), tuple(moduli))


def _parameters_below(whole: Parameters, moduli: Sequence[Any], level: int) -> tuple[Parameters, list[Any]]:
    bits = (*whole.bits[: level + 1], whole.bits[-1])
    return Parameters(whole.degree, bits), [*moduli[: level + 1], moduli[-1]]


def _context(parameters: Parameters, moduli: list[Any], *, levels: bool) -> Any:
    chosen = seal.EncryptionParameters(seal.SCHEME_TYPE.CKKS)
    chosen.set_poly_modulus_degree(parameters.degree)
    chosen.set_coeff_modulus(moduli)
    context = seal.SEALContext(chosen, levels, seal.SEC_LEVEL_TYPE.TC128)
    if not context.parameters_set():
        raise ParameterError(Problem("Parameters", context.parameters_error_message(), "parameters SEAL accepts"))
    return context


def _ring(parameters: Parameters, moduli: list[Any]) -> SealRing:
    context = _context(parameters, moduli, levels=True)
    names, data = [], context.first_context_data()
    while data is not None:
        names.append(tuple(data.parms_id()))
        data = data.next_context_data()
    return SealRing(parameters, context, tuple(moduli), tuple(reversed(names)))


def from_bytes(load: Callable[[str], None], data: bytes | memoryview, what: str) -> None:
    """Have ``load(path)`` read ``data``; ProtocolError when it does not like it."""
    handle = os.memfd_create("ckks")
    try:
        with os.fdopen(os.dup(handle), "wb") as file:
            file.write(data)
        load(f"/proc/self/fd/{handle}")
    except (ValueError, RuntimeError) as error:
        got = f"{len(data)} bytes that are not ({error})"
        raise ProtocolError(Problem(what, got, f"a {what} of these parameters", "make and send it again")) from None
    finally:
        os.close(handle)


def plaintext_file(plain: Plaintext | Ciphertext) -> bytes:
    """A plaintext, or a ciphertext, as the library's file without compression, which it reads many times faster.

    Raises ProtocolError for a file of the library that is compressed in another way.
    """
    with saved(plain) as file:
        head, content = plain_content(file)
        body = content.read()
    whole = struct.pack("<Q", _HEADER + len(body))
    return head[:_COMPRESSION] + bytes([PLAIN]) + head[_COMPRESSION + 1 : -len(whole)] + whole + body


def read_plaintext(made: SealRing, path: str, level: int) -> Plaintext:
    """Read what `plaintext_file` made from ``path``; ProtocolError for anything but a plaintext at ``level``."""
    plain = seal.Plaintext()
    try:
        plain.load(made.context, path)
    except (ValueError, RuntimeError) as error:
        raise ProtocolError(Problem("plaintext", str(error), "one of these parameters", "encode it again")) from None
    return _at_level(plain, made, level)


def plaintext_of(made: SealRing, data: bytes | memoryview, level: int) -> Plaintext:
    """What `read_plaintext` reads, from bytes."""
    plain = seal.Plaintext()
    from_bytes(lambda path: plain.load(made.context, path), data, "plaintext")
    return _at_level(plain, made, level)


def _at_level(plain: Plaintext, made: SealRing, level: int) -> Plaintext:
    if tuple(plain.parms_id()) != made.names[level]:
        raise ProtocolError(Problem("plaintext", "another level", f"level {level}", "encode it again"))
    return plain


@dataclass(frozen=True, eq=False)
class _Keys:
    """The keys of one group, usable up to its level."""

    group: KeyGroup
    ring: SealRing
    relinearise: Any
    rotate: Any


@dataclass(frozen=True, eq=False)
class SealEngine:
    """Arithmetic with evaluation keys. Holds nothing that decrypts."""

    ring: SealRing
    keys: tuple[_Keys, ...] = field(default=(), repr=False)  # lowest level first
    discarded: DiscardedCiphertexts | None = field(default=None, repr=False)  # to be written over

    @classmethod
    def with_keys(cls, parameters: Parameters, groups: Sequence[KeyGroup], data: Sequence[bytes]) -> SealEngine:
        """Load the evaluation keys of ``groups``; ProtocolError for keys of other parameters or damaged ones."""
        whole = ring(parameters)
        if len(data) != 2 * len(groups):
            got, expected = f"{len(data)} parts", f"{2 * len(groups)}"
            raise ProtocolError(Problem("evaluation keys", got, expected, "make them for this program"))
        keys = []
        for index, group in enumerate(groups):
            small = whole if group.level == parameters.levels else whole.below(group.level)
            relinearise, rotate = None, None
            if group.relinearise:
                relinearise = seal.RelinKeys()
                _load_keys(relinearise, small, data[2 * index])
            if group.steps or group.conjugate:
                rotate = seal.GaloisKeys()
                _load_keys(rotate, small, data[2 * index + 1])
                wanted = galois_elements(group, parameters.degree)
                missing = [element for element in wanted if not rotate.has_key(element)]
                if missing:
                    got = f"no keys for the automorphisms {missing}"
                    raise ProtocolError(Problem("evaluation keys", got, f"keys for {wanted}"))
            keys.append(_Keys(group, small, relinearise, rotate))
        return cls(whole, tuple(sorted(keys, key=lambda k: k.group.level)))

    @property
    def parameters(self) -> Parameters:
        """Ring degree and bits of the primes."""
        return self.ring.parameters

    @cached_property
    def primes(self) -> tuple[int, ...]:
        """``primes[l]`` divides the scale when a ciphertext of level ``l`` is rescaled."""
        return self.ring.primes

    def encode(self, values: NDArray[Any] | float, level: int, scale: float) -> Plaintext:
        """Numbers, at most one per slot (real or complex), or one for all slots."""
        made = seal.Plaintext()
        numbers = values.tolist() if isinstance(values, np.ndarray) else values
        self.ring.encoder.encode(numbers, list(self.ring.names[level]), scale, made)
        return made

    def is_zero(self, x: Plaintext) -> bool:
        """Whether nothing is left of the numbers at the plaintext's scale: no ciphertext is multiplied by that."""
        return x.is_zero()

    def level(self, x: Ciphertext) -> int:
        """Number of rescalings that a ciphertext can still take."""
        return self.ring.levels[tuple(x.parms_id())]

    def scale(self, x: Ciphertext) -> float:
        """Factor by which the numbers are stored."""
        return x.scale

    def at_scale(self, x: Ciphertext, scale: float) -> Ciphertext:
        """``x`` itself, from now on said to be at ``scale``: another unit of its numbers, for free."""
        x.scale = scale
        return x

    def copy(self, x: Ciphertext) -> Ciphertext:
        """Another ciphertext of the same numbers."""
        made = self._room(x)
        self.ring.evaluator.mod_switch_to(x, x.parms_id(), made)
        return made

    def negative(self, x: Ciphertext) -> Ciphertext:
        """Negate the numbers of all slots."""
        made = self._room(x)
        self.ring.evaluator.negate(x, made)
        return made

    def add(self, x: Ciphertext, y: Ciphertext) -> Ciphertext:
        """Add slot by slot; same level, scales equal up to rounding."""
        made = self._room(x, max(x.size(), y.size()))
        self.ring.evaluator.add(x, y, made)
        return made

    def add_plain(self, x: Ciphertext, y: Plaintext) -> Ciphertext:
        """Add a plaintext slot by slot; same level and scale."""
        made = self._room(x)
        self.ring.evaluator.add_plain(x, y, made)
        return made

    def accumulate(self, total: Ciphertext | None, x: Ciphertext) -> Ciphertext:
        """``total + x``, written over ``total``; None counts as zero."""
        if total is None:
            return x
        self.ring.evaluator.add_inplace(total, x)
        return total

    def multiply(self, x: Ciphertext, y: Ciphertext) -> Ciphertext:
        """Multiply slot by slot, same level; the result must be relinearised before it is rotated or multiplied."""
        made = self._room(x, _PRODUCT)
        if x is y:
            self.ring.evaluator.square(x, made)
        else:
            self.ring.evaluator.multiply(x, y, made)
        return made

    def multiply_plain(self, x: Ciphertext, y: Plaintext) -> Ciphertext:
        """Multiply by a plaintext slot by slot; same level; the plaintext must not be zero everywhere."""
        made = self._room(x)
        self.ring.evaluator.multiply_plain(x, y, made)
        return made

    def relinearise(self, x: Ciphertext) -> Ciphertext:
        """Bring a product back to two polynomials; its numbers stay."""
        level = self.level(x)
        for keys in self.keys:
            if keys.group.level >= level and keys.relinearise is not None:
                keys.ring.evaluator.relinearize_inplace(x, keys.relinearise)
                return x
        raise self._missing("a relinearisation key", level)

    def rescale(self, x: Ciphertext, scale: float) -> Ciphertext:
        """One level lower; ``scale`` is the exact scale the caller knows it to have then."""
        made = self._room(x)
        self.ring.evaluator.rescale_to_next(x, made)
        made.scale = scale
        return made

    def lower(self, x: Ciphertext, level: int) -> Ciphertext:
        """Drop to a lower level; numbers and scale stay."""
        if self.level(x) == level:
            return x
        made = self._room(x)
        self.ring.evaluator.mod_switch_to(x, list(self.ring.names[level]), made)
        return made

    def rotate(self, x: Ciphertext, step: int) -> Ciphertext:
        """By ``step`` slots; the step must have a key at this level."""
        step %= self.parameters.slots
        if step == 0:
            return x
        return self._permuted(x, galois_element(step, self.parameters.degree), f"rotation by {step}")

    def conjugate(self, x: Ciphertext) -> Ciphertext:
        """The complex conjugate, slot by slot; needs a key at this level."""
        return self._permuted(x, 2 * self.parameters.degree - 1, "conjugation")

    def _permuted(self, x: Ciphertext, element: int, what: str) -> Ciphertext:
        level = self.level(x)
        for keys in self.keys:
            if keys.group.level >= level and keys.rotate is not None and keys.rotate.has_key(element):
                made = self._room(x)
                keys.ring.evaluator.apply_galois(x, element, keys.rotate, made)
                return made
        raise self._missing(f"a key for {what}", level)

    def reusing(self) -> SealEngine:
        """This engine, which writes results over what is discarded; what was not is given up with it."""
        return replace(self, discarded=DiscardedCiphertexts())

    def discard(self, x: Ciphertext) -> None:
        """Nobody reads ``x`` any more: another result may be written over it."""
        if self.discarded is not None:
            self.discarded.add(x)

    def _room(self, x: Ciphertext, polynomials: int = 0) -> Ciphertext:
        """Where a result goes that is as large as ``x``, or has more polynomials."""
        if self.discarded is None:
            return seal.Ciphertext()
        words = (polynomials or x.size()) * x.coeff_modulus_size() * x.poly_modulus_degree()
        return self.discarded.room(words)

    def save(self, x: Ciphertext) -> bytes:
        """Bytes of a ciphertext, in the library's own format."""
        return to_bytes(x)

    def load(self, data: bytes) -> Ciphertext:
        """Deserialise; ProtocolError for anything but a ciphertext of these parameters."""
        made = seal.Ciphertext()
        from_bytes(lambda path: made.load(self.ring.context, path), data, "ciphertext")
        if tuple(made.parms_id()) not in self.ring.levels or made.size() != 2 or not made.is_ntt_form():
            raise ProtocolError(Problem("ciphertext", "one of other parameters", "a fresh or evaluated ciphertext"))
        return made

    def write(self, x: Ciphertext, file: int) -> None:
        """Pass a ciphertext on through an empty file to `read` in a process of this machine: not compressed."""
        if not copied(self.ring.context, x, file):
            x.save(f"/proc/self/fd/{file}")

    def read(self, file: int) -> Ciphertext:
        """What another process of this machine wrote; ProtocolError where it is damaged."""
        made = seal.Ciphertext()
        try:
            made.load(self.ring.context, f"/proc/self/fd/{file}")
        except (ValueError, RuntimeError) as error:
            raise ProtocolError(Problem("ciphertext", str(error), "one of another process")) from None
        return made

    def _missing(self, what: str, level: int) -> ProtocolError:
        return ProtocolError(Problem("evaluation keys", f"none with {what} at level {level}", "keys of this program"))


def _load_keys(keys: Any, small: SealRing, data: bytes) -> None:
    from_bytes(lambda path: keys.load(small.context, path), data, "evaluation key")
