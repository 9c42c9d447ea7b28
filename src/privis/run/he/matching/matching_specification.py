"""1:N matching by cosine on CKKS: what client and server agree on, all of it public.

The score of template ``s`` of a block is ``sum_k G[s, (s + k) mod d] * q[(s + k) mod d]``: one product per diagonal of
the templates with the query turned by ``k`` slots. The query is turned by ``i`` below ``turns`` once for all blocks,
the rest by Horner's rule on sums: baby steps and giant steps, with keys for few rotations (Halevi and Shoup, 2014,
doi:10.1007/978-3-662-44371-2_31, section 4.3).

Blocks of fewer templates than there are slots hold several copies of them, each with another share of the diagonals:
copy ``c`` meets the components that lie ``c * steps`` further on, and the scores of all copies are added by halves at
the end. So 512 templates take an eighth of the products. Vectors of more components than slots come in parts, a
ciphertext each, whose products are summed.

The query arrives at level 1, where turning it costs a little more and errs far less, and comes down to level 0 before
it meets a template: the product of a query at scale ``2**a`` with templates at scale ``2**b`` just fits one prime of
60 bits. (Turned at level 0, the error of single slots was 100 times that of others, and 4e-4 in a score for templates
of nearly equal components.)

Evolution of the format: ``matching`` in its JSON is the number, 2 where vectors come in parts or blocks are smaller
than ``BLOCK``, else 1. A reader refuses every other one and unknown fields, because keys for another reading of a
specification would be useless.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from privis.errors import ParameterError, Problem, ProtocolError, refuse
from privis.run.he.engine import KeyGroup, Parameters
from privis.run.he.wire.framing import overhead

PARAMETERS = Parameters(8192, (60, 30, 60))
"""One prime for the product, one for the turns and that of key switching: 150 bits of the 218 that 128-bit security
allows."""

BLOCK = PARAMETERS.slots
"""Most templates of one block: those whose scores share a ciphertext."""

ACCURACY = 1e-4
"""Largest error of a score, in tests and benchmarks: ten thousands of scores were within a third of it."""

MOST_DIMENSION = 16 * BLOCK
"""A query is 16 ciphertexts then."""

_GIANTS = 16
_POLYNOMIAL = PARAMETERS.degree * 8  # bytes of a polynomial at level 0
_SHORT = 0.55  # of a polynomial, where its prime has 30 bits: files are compressed
_FILE = 300  # bytes a serialised ciphertext or key has beyond its polynomials


@dataclass(frozen=True)
class MatchingSpec:
    """Unit vectors of ``dimension`` components; ``encrypted`` says that templates are, under the client's key.

    ``block`` is the number of templates whose scores share a ciphertext, a power of two: `fitting` chooses it.

    >>> spec = MatchingSpec(512)
    >>> spec.turns, spec.giants, [group.steps for group in spec.groups]
    (32, 16, [(32,), (1, 2, 4, 8, 16)])
    >>> small = MatchingSpec.fitting(4864, 450)
    >>> small.block, small.parts, small.steps, [group.steps for group in small.groups]
    (512, 2, 512, [(32, 512, 1024, 2048), (1, 2, 4, 8, 16)])
    """

    dimension: int
    encrypted: bool = False
    block: int = BLOCK

    def __post_init__(self) -> None:
        problems = []
        if type(self.dimension) is not int or not 1 <= self.dimension <= MOST_DIMENSION:
            expected = f"1 to {MOST_DIMENSION} components"
            remedy = "project the vectors first (privis.RandomProjection)"
            problems.append(Problem("MatchingSpec.dimension", repr(self.dimension), expected, remedy))
        elif type(self.block) is not int or self.block not in [
            1 << bit for bit in range(BLOCK.bit_length()) if (self.width << bit) >= BLOCK
        ]:
            expected = f"a power of two from {max(1, BLOCK // self.width)} to {BLOCK}"
            problems.append(Problem("MatchingSpec.block", repr(self.block), expected))
        refuse(ParameterError, problems)

    @classmethod
    def fitting(cls, dimension: int, templates: int, encrypted: bool = False) -> MatchingSpec:
        """Choose the smallest blocks that hold so many templates in one, which are the quickest to compare with.

        Args:
            dimension: components of a vector.
            templates: how many there will be; more make several blocks.
            encrypted: whether they are.

        Returns:
            The specification.

        Raises:
            ParameterError: a dimension that cannot be.
        """
        least = max(1, BLOCK // cls(dimension, encrypted).width)
        return cls(dimension, encrypted, min(BLOCK, max(least, 1 << (max(1, templates) - 1).bit_length())))

    @property
    def parts(self) -> int:
        """Ciphertexts of a query."""
        return -(-self.dimension // BLOCK)

    @property
    def width(self) -> int:
        """Slots after which a part of the query repeats: its components, filled up to a power of two."""
        return 1 << (min(self.dimension, BLOCK) - 1).bit_length()

    @property
    def steps(self) -> int:
        """Diagonals of a block and a part, and by how many components its copies are apart."""
        return self.width * self.block // BLOCK

    @property
    def giants(self) -> int:
        """Sums that Horner's rule adds up."""
        return min(_GIANTS, self.steps)

    @property
    def turns(self) -> int:
        """Rotations of a part of the query, the one by nothing among them."""
        return self.steps // self.giants

    @property
    def folds(self) -> tuple[int, ...]:
        """Rotations that add up the copies of a block."""
        return tuple(self.block << bit for bit in range((BLOCK // self.block).bit_length() - 1))

    @property
    def groups(self) -> tuple[KeyGroup, ...]:
        """The evaluation keys: powers of two at level 1 for the query, ``turns`` and ``folds`` at level 0 for sums."""
        powers = tuple(1 << bit for bit in range(self.turns.bit_length() - 1))
        giant = (self.turns,) if self.giants > 1 else ()
        low = KeyGroup(0, (*giant, *self.folds), relinearise=self.encrypted)
        return low, KeyGroup(1, powers, relinearise=False)

    @property
    def diagonals(self) -> int:
        """Plaintexts or ciphertexts that a block of templates is."""
        return self.parts * self.steps

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
        return self.parts * (round((1 + _SHORT) * _POLYNOMIAL) + _FILE)

    @property
    def block_bytes(self) -> int:
        """Size of an encrypted block on its way to the server, beyond the names in it."""
        return self.diagonals * (_POLYNOMIAL + _FILE) + overhead(self.diagonals + 1)

    @property
    def resident_bytes(self) -> int:
        """Memory that a block takes at the server: its diagonals as plaintexts or as ciphertexts."""
        return self.diagonals * _POLYNOMIAL * (2 if self.encrypted else 1)

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
        first = self.block == BLOCK and self.parts == 1
        words = {"matching": 1 if first else 2, "dimension": self.dimension, "encrypted": self.encrypted}
        return json.dumps(words if first else {**words, "block": self.block})

    @classmethod
    def from_json(cls, text: str | bytes) -> MatchingSpec:
        """Read what ``to_json`` wrote; ProtocolError for anything else."""
        try:
            found = json.loads(text)
            read = cls(found["dimension"], found["encrypted"], found.get("block", BLOCK))
            if json.loads(read.to_json()) != found or type(found["encrypted"]) is not bool:
                raise ValueError("other fields")
            return read
        except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
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

    def query(self, row: NDArray[Any]) -> Iterator[NDArray[Any]]:
        """The slots of each part of a query ``(dimension,)``, real or complex."""
        for part in self._parts(row[None]):
            yield part[0, self._components]

    def encoded(self, rows: NDArray[np.floating]) -> Iterator[list[NDArray[np.float64]]]:
        """For each giant step, the diagonals of a block's templates ``(at most block, dimension)``, by part, turn."""
        filled = np.zeros((self.block, self.dimension))
        filled[: len(rows)] = rows
        slots, parts = np.arange(BLOCK), list(self._parts(filled))
        for giant in range(self.giants):
            offset = giant * self.turns
            components = [self._components[(slots + offset + turn) % BLOCK] for turn in range(self.turns)]
            yield [np.roll(part[slots % self.block, each], offset) for part in parts for each in components]

    def _parts(self, rows: NDArray[Any]) -> Iterator[NDArray[Any]]:
        """Components of each part, filled up to the width."""
        for start in range(0, self.dimension, BLOCK):
            held = rows[:, start : start + BLOCK]
            yield np.pad(held, ((0, 0), (0, self.width - held.shape[1])))

    @property
    def _components(self) -> NDArray[np.int64]:
        """Which component of a part lies in each slot of a query.

        Read from any slot on, ``steps`` slots of each copy hold every component once: modulo ``steps`` they follow each
        other, and copies are ``steps`` apart.
        """
        copies, places = np.divmod(np.arange(BLOCK), self.block)
        return (places + self.steps * copies) % self.width
