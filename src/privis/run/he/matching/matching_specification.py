"""1:N matching by cosine on CKKS: what client and server agree on, all of it public.

The score of template ``s`` of a block is ``sum_k G[s, (s + k) mod d] * q[(s + k) mod d]``: one product per diagonal of
the templates with the query turned by ``k`` slots. The query is turned by ``i`` below ``turns`` once for all blocks,
the rest by Horner's rule on sums: baby steps and giant steps, with keys for few rotations (Halevi and Shoup, 2014,
doi:10.1007/978-3-662-44371-2_31, section 4.3).

The query arrives at level 1, where turning it costs a little more and errs far less, and comes down to level 0 before
it meets a template: the product of a query at scale ``2**a`` with templates at scale ``2**b`` just fits one prime of
60 bits. (Turned at level 0, the error of single slots was 100 times that of others, and 4e-4 in a score for templates
of nearly equal components.)

Evolution of the format: ``matching`` in its JSON is the number. A reader refuses every other one and unknown fields,
because keys for another reading of a specification would be useless.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from privis.errors import ParameterError, Problem, ProtocolError
from privis.run.he.engine import KeyGroup, Parameters
from privis.run.he.wire.framing import overhead

PARAMETERS = Parameters(8192, (60, 30, 60))
"""One prime for the product, one for the turns and that of key switching: 150 bits of the 218 that 128-bit security
allows."""

BLOCK = PARAMETERS.slots
"""Templates of one block: those whose scores share a ciphertext."""

ACCURACY = 1e-4
"""Largest error of a score, in tests and benchmarks: ten thousands of scores were within a third of it."""

MOST_DIMENSION = BLOCK
_GIANTS = 16
_POLYNOMIAL = PARAMETERS.degree * 8  # bytes of a polynomial at level 0
_SHORT = 0.55  # of a polynomial, where its prime has 30 bits: files are compressed
_FILE = 300  # bytes a serialised ciphertext or key has beyond its polynomials


@dataclass(frozen=True)
class MatchingSpec:
    """Unit vectors of ``dimension`` components; ``encrypted`` says that templates are, under the client's key.

    >>> spec = MatchingSpec(512)
    >>> spec.turns, spec.giants, [group.steps for group in spec.groups]
    (32, 16, [(32,), (1, 2, 4, 8, 16)])
    """

    dimension: int
    encrypted: bool = False

    def __post_init__(self) -> None:
        if not isinstance(self.dimension, int) or not 1 <= self.dimension <= MOST_DIMENSION:
            expected = f"1 to {MOST_DIMENSION} components"
            remedy = "project the vectors first (privis.RandomProjection)"
            raise ParameterError(Problem("MatchingSpec.dimension", repr(self.dimension), expected, remedy))

    @property
    def width(self) -> int:
        """Slots after which the query repeats: the dimension, filled up to a power of two."""
        return 1 << (self.dimension - 1).bit_length()

    @property
    def giants(self) -> int:
        """Sums that Horner's rule adds up."""
        return min(_GIANTS, self.width)

    @property
    def turns(self) -> int:
        """Rotations of the query, the one by nothing among them."""
        return self.width // self.giants

    @property
    def groups(self) -> tuple[KeyGroup, ...]:
        """The evaluation keys: powers of two at level 1 for the query, ``turns`` at level 0 for the sums."""
        powers = tuple(1 << bit for bit in range(self.turns.bit_length() - 1))
        giant = (self.turns,) if self.giants > 1 else ()
        return KeyGroup(0, giant, relinearise=self.encrypted), KeyGroup(1, powers, relinearise=False)

    @property
    def scales(self) -> tuple[float, float]:
        """Of the query at level 0 and of the templates; encrypted templates carry noise and need more."""
        return (2.0**30, 2.0**28) if self.encrypted else (2.0**32, 2.0**26)

    @property
    def key_bytes(self) -> int:
        """Size of the evaluation keys, to a few percent: half of their polynomials are seeds."""
        low, high = self.groups
        polynomials = (len(low.steps) + low.relinearise) * 2 + len(high.steps) * 2 * (2 + _SHORT)
        return round(polynomials * _POLYNOMIAL) + (len(low.steps) + len(high.steps) + 1) * _FILE + overhead(4)

    @property
    def query_bytes(self) -> int:
        """Size of a query, to a few percent: of its two polynomials one is a seed."""
        return round((1 + _SHORT) * _POLYNOMIAL) + _FILE

    @property
    def block_bytes(self) -> int:
        """Size of an encrypted block on its way to the server, beyond the names in it."""
        return self.width * (_POLYNOMIAL + _FILE) + overhead(self.width + 1)

    @property
    def resident_bytes(self) -> int:
        """Memory that a block takes at the server: its diagonals as plaintexts or as ciphertexts."""
        return self.width * _POLYNOMIAL * (2 if self.encrypted else 1)

    def reply_bytes(self, blocks: int) -> int:
        """Size of a reply, beyond the names in it."""
        return blocks * (2 * _POLYNOMIAL + _FILE) + overhead(blocks + 1)

    @property
    def digest(self) -> str:
        """SHA-256 of all that keys depend on."""
        content = f"{self.to_json()} {PARAMETERS} {self.groups} {self.scales}"
        return hashlib.sha256(content.encode()).hexdigest()

    def to_json(self) -> str:
        """The specification as one line of JSON, in UTF-8."""
        return json.dumps({"matching": 1, "dimension": self.dimension, "encrypted": self.encrypted})

    @classmethod
    def from_json(cls, text: str | bytes) -> MatchingSpec:
        """Read what ``to_json`` wrote; ProtocolError for anything else."""
        try:
            found = json.loads(text)
            if set(found) != {"matching", "dimension", "encrypted"} or found["matching"] != 1:
                raise ValueError("other fields")
            if type(found["dimension"]) is not int or type(found["encrypted"]) is not bool:
                raise ValueError("other types")
            return cls(found["dimension"], found["encrypted"])
        except (ValueError, TypeError) as error:
            remedy = "is it a Privis server, of this version?"
            raise ProtocolError(Problem("matching", type(error).__name__, "a specification", remedy)) from None

    def unit_rows(self, vectors: NDArray[Any]) -> NDArray[np.float32]:
        """Vectors ``(rows, dimension)`` of length 1; ParameterError naming rows that have no direction."""
        rows = np.asarray(vectors)
        if rows.ndim != 2 or rows.shape[1] != self.dimension or rows.dtype.kind not in "fiu":
            got, expected = f"{rows.dtype} values of shape {rows.shape}", f"numbers of shape (rows, {self.dimension})"
            raise ParameterError(Problem("vectors", got, expected))
        rows = rows.astype(np.float64)
        with np.errstate(invalid="ignore", over="ignore"):
            lengths = np.linalg.norm(rows, axis=1)
        bad = np.flatnonzero(~((lengths > 1e-150) & (lengths < 1e150)))
        if bad.size:
            got = f"{bad.size} rows of length zero or not finite, the first at {bad[0]}"
            raise ParameterError(Problem("vectors", got, "vectors that have a direction"))
        return (rows / lengths[:, None]).astype(np.float32)

    def diagonals(self, rows: NDArray[np.floating]) -> Iterator[list[NDArray[np.float64]]]:
        """For each giant step, the diagonals of a block's templates ``(at most BLOCK, dimension)`` for every turn."""
        filled = np.zeros((BLOCK, self.width))
        filled[: len(rows), : self.dimension] = rows
        slots = np.arange(BLOCK)
        for giant in range(self.giants):
            offset = giant * self.turns
            columns = (slots + offset) % self.width
            yield [np.roll(filled[slots, (columns + turn) % self.width], offset) for turn in range(self.turns)]
