"""Memory of Microsoft SEAL: ciphertexts for other processes of this machine, uncompressed, and discarded ones.

The library compresses all that it writes, which takes thirty times as long as copying it, and its Python binding has no
switch for that. Here a ciphertext is copied from where the library holds it in memory, into the file that the library
would write without compression, and reads and checks as any other.

Where it lies in memory is no promise of the library or of its binding: the object of the interpreter points to that of
the library, which points to the residues. So a ciphertext that is made up is copied first: the copy must be the file
that the library was given. Then all that is found beside the residues of each ciphertext must be what the binding says
of it. Otherwise, and where memory cannot be read, nothing is copied, and the library writes its own file.
"""

from __future__ import annotations

import ctypes
import os
import struct
from bisect import bisect_left, insort
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

import numpy as np

from privis.extras import optional_import
from privis.run.he.backends.seal_files import PLAIN

with optional_import("he", "homomorphic encryption"):
    import tenseal.sealapi as seal

_POINTER = struct.Struct("=Q")
_OBJECT = 16  # bytes of an object of the interpreter before the pointer to the library's
_FIELDS = struct.Struct("=4Q?7xQQQdQ16xQQQ")  # name of the level, whether transformed, ..., where the residues are
_HEADER = struct.Struct("=HBBBBHQ")
_CONTENT = struct.Struct("=4Q?QQQdQ")
_WORD = 8


@dataclass(eq=False)
class DiscardedCiphertexts:
    """Ciphertexts that nobody reads any more, for results to be written over.

    The library keeps the memory of every size apart, so that what served one level does not serve another, and gives
    none back before the process ends; but a smaller result fits into a larger ciphertext. Of those that came from
    elsewhere, as many are given up: the smallest.
    """

    held: list[tuple[int, int, Any]] = field(default_factory=list)  # by words they have room for
    made: int = 0
    count: int = 0

    def room(self, words: int) -> Any:
        """The smallest with room for ``words`` residues; a new one where there is none."""
        place = bisect_left(self.held, (words,))
        if place < len(self.held):
            return self.held.pop(place)[-1]
        self.made += 1
        return seal.Ciphertext()

    def add(self, x: Any) -> None:
        """Keep ``x``, to be written over."""
        self.count += 1
        insort(self.held, (x.dyn_array().capacity(), self.count, x))
        del self.held[: max(len(self.held) - self.made, 0)]


def copied(context: Any, x: Any, file: int) -> bool:
    """Copy a ciphertext into an empty file, which the library can load.

    Args:
        context: the library's, of the ring.
        x: the ciphertext.
        file: open for writing.

    Returns:
        Whether that was done; else the file is as it was.
    """
    return _is_understood(context) and _copied(x, file)


@lru_cache(maxsize=8)
def _is_understood(context: Any) -> bool:
    """Whether the copy of a ciphertext is the file that it was loaded from."""
    lowest = context.last_context_data()
    degree, (modulus, *_) = lowest.parms().poly_modulus_degree(), lowest.parms().coeff_modulus()
    count = len(lowest.parms().coeff_modulus())
    residues = np.random.default_rng(0).integers(0, modulus.value(), (2, 1, degree), np.uint64)
    fields = (*lowest.parms_id(), True, 2, degree, count, 1.0, 1)
    given, probe = os.memfd_create("probe"), seal.Ciphertext()
    written = os.memfd_create("probe")
    try:
        os.write(given, _head(fields, residues.size) + residues.tobytes())
        probe.load(context, f"/proc/self/fd/{given}")
        if not _copied(probe, written):
            return False
        length = os.fstat(given).st_size
        return os.fstat(written).st_size == length and os.pread(given, length, 0) == os.pread(written, length, 0)
    except (OSError, ValueError, RuntimeError):
        return False
    finally:
        os.close(given)
        os.close(written)


def _copied(x: Any, file: int) -> bool:
    """As `copied`, where the library is understood."""
    try:
        memory = os.open("/proc/self/mem", os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        (place,) = _POINTER.unpack(os.pread(memory, _POINTER.size, id(x) + _OBJECT))
        *fields, capacity, words, residues = _FIELDS.unpack(os.pread(memory, _FIELDS.size, place))
        polynomials, degree, primes = x.size(), x.poly_modulus_degree(), x.coeff_modulus_size()
        said = [*x.parms_id(), x.is_ntt_form(), polynomials, degree, primes, x.scale]
        each = degree * primes
        if fields[: len(said)] != said or not 0 < polynomials * each == words <= capacity:
            return False
        firsts = [os.pread(memory, _WORD, residues + _WORD * each * number) for number in range(polynomials)]
        if firsts != [_POINTER.pack(x.data(number)) for number in range(polynomials)]:
            return False
        content = memoryview((ctypes.c_char * (_WORD * words)).from_address(residues)).cast("B")
        for part in (memoryview(_head(fields, words)), content):
            while part:
                part = part[os.write(file, part) :]
        return True
    except (OSError, struct.error, OverflowError, ValueError):
        os.ftruncate(file, 0)
        os.lseek(file, 0, os.SEEK_SET)
        return False
    finally:
        os.close(memory)


def _head(fields: Any, words: int) -> bytes:
    """What the library writes before the residues: of a file, of the ciphertext, of the array in it."""
    content, count = _CONTENT.pack(*fields), _POINTER.pack(words)
    inner = _HEADER.size + len(count) + _WORD * words
    return _header(_HEADER.size + len(content) + inner) + content + _header(inner) + count


def _header(size: int) -> bytes:
    """That of a file of ``size`` bytes."""
    made = seal.Serialization.SEALHeader()
    return _HEADER.pack(made.magic, made.header_size, made.version_major, made.version_minor, PLAIN, 0, size)
