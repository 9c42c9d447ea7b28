"""The client's side of encrypted matching: keys, queries, templates to encrypt, scores to decrypt. Never on a server.

Decrypted scores are for the client alone. CKKS scores carry noise that depends on the secret key: whoever is told
many of them can compute the key (Li and Micciancio, 2021, doi:10.1007/978-3-030-77870-5_23). Never send scores,
decisions at a threshold or the order of templates back to the server.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, NoReturn

import numpy as np
from numpy.typing import NDArray

from privis.errors import ParameterError, Problem, ProtocolError
from privis.run.he.backends.seal import SealEngine
from privis.run.he.matching.matcher import checked_names
from privis.run.he.matching.matching_cost import MatchingTimings
from privis.run.he.matching.matching_specification import PARAMETERS, MatchingSpec
from privis.run.he.owner.seal_keys import SealSecret
from privis.run.he.wire.framing import join, split

_SLACK = 0.01


@dataclass(frozen=True)
class Scores:
    """Cosines of a query with every template, float64 ``(templates,)``, and their names."""

    names: tuple[str, ...]
    values: NDArray[np.float64]

    def top(self, count: int) -> list[tuple[str, float]]:
        """The ``count`` most similar templates with their cosines, most similar first."""
        order = np.argsort(-self.values, kind="stable")[:count]
        return [(self.names[index], float(self.values[index])) for index in order]


@dataclass(frozen=True, eq=False, repr=False)
class MatchingOwner:
    """A secret key for queries of one specification. Never printed, never pickled.

    Args:
        spec: dimension of the vectors and layout of the templates.
        secret: the key.
    """

    spec: MatchingSpec
    secret: SealSecret

    def __repr__(self) -> str:
        return f"<MatchingOwner of {self.spec}: secret>"

    def __reduce_ex__(self, protocol: object) -> NoReturn:
        raise TypeError("a secret key is never pickled; save it as a typed file")

    @classmethod
    def generate(cls, spec: MatchingSpec) -> MatchingOwner:
        """A fresh secret key.

        Args:
            spec: dimension of the vectors and layout of the templates.

        Returns:
            An owner with a fresh secret key.
        """
        return cls(spec, SealSecret.generate(PARAMETERS))

    @classmethod
    def from_bytes(cls, spec: MatchingSpec, data: bytes) -> MatchingOwner:
        """Read what ``to_bytes`` gave.

        Args:
            spec: that the key was made for.
            data: what ``to_bytes`` gave; secret.

        Returns:
            The owner.

        Raises:
            ProtocolError: the bytes are anything else.
        """
        return cls(spec, SealSecret.from_bytes(PARAMETERS, data))

    def to_bytes(self) -> bytes:
        """The secret key: for a bundle of kind SECRET, which nobody else can read.

        Returns:
            The bytes.
        """
        return self.secret.to_bytes()

    def evaluation_keys(self) -> bytes:
        """What a server needs to answer queries: rotation keys, and for encrypted templates one to relinearise.

        Returns:
            Bytes that hold no secret.
        """
        return join(self.secret.evaluation_keys(self.spec.groups))

    def query(self, vector: NDArray[Any], beside: NDArray[Any] | None = None) -> bytes:
        """Normalise and encrypt a vector, or two in one message: the second as imaginary parts, for no extra work.

        Args:
            vector: (dimension,), finite and not zero.
            beside: a second one, whose scores `both_scores` reads; a server counts a message as two either way.

        Returns:
            A ciphertext for each part of the specification.

        Raises:
            ParameterError: a vector has no direction.
        """
        given = [self.spec.unit_rows(np.asarray(each)[None])[0] for each in (vector, beside) if each is not None]
        row = given[0] + 1j * given[1] if len(given) == 2 else given[0]
        scale = self.spec.scales[0] * self.secret.ring.primes[1]
        parts = [self.secret.encrypt(slots, 1, scale) for slots in self.spec.query(row)]
        return parts[0] if len(parts) == 1 else join(parts)

    def block(
        self, names: Sequence[str], vectors: NDArray[Any], progress: Callable[[float], None] | None = None
    ) -> bytes:
        """Normalise and encrypt templates for ``EncryptedScoreGallery.put``.

        The server sees the names: use numbers where names say something.

        Args:
            names: one per vector, all different.
            vectors: (rows, dimension), at most ``spec.block`` rows, finite and not zero.
            progress: called with the fraction done, 0 to 1.

        Returns:
            The encrypted block.

        Raises:
            ParameterError: there are more templates, names that are not different or not as many; and as
                ``MatchingSpec.unit_rows``.
        """
        rows, found = self.spec.unit_rows(vectors), [str(name) for name in names]
        if not 1 <= len(rows) <= self.spec.block or len(found) != len(rows) or len({*found}) != len(rows):
            got = f"{len(found)} names for {len(rows)} vectors"
            raise ParameterError(Problem("block", got, f"1 to {self.spec.block} vectors with a different name each"))
        _, scale = self.spec.scales
        parts = [json.dumps(found).encode()]
        for giant, diagonals in enumerate(self.spec.encoded(rows)):
            parts += [self.secret.encrypt(diagonal, 0, scale) for diagonal in diagonals]
            if progress:
                progress((giant + 1) / self.spec.giants)
        return join(parts)

    def scores(self, reply: bytes) -> Scores:
        """Decrypt the reply to a query.

        Args:
            reply: what ``Matcher.run`` gave.

        Returns:
            Names and cosines.

        Raises:
            ProtocolError: the reply is damaged, or to a query under another key.
        """
        names, values = self._decrypted(reply)
        return Scores(names, self._cosines(values.real))

    def both_scores(self, reply: bytes) -> tuple[Scores, Scores]:
        """Decrypt the reply to a query of two vectors.

        Args:
            reply: what ``Matcher.run`` gave.

        Returns:
            Names and cosines of the first and of the second vector.

        Raises:
            ProtocolError: the reply is damaged, or to a query under another key.
        """
        names, values = self._decrypted(reply)
        return Scores(names, self._cosines(values.real)), Scores(names, self._cosines(values.imag))

    def _decrypted(self, reply: bytes) -> tuple[tuple[str, ...], NDArray[np.complex128]]:
        head, *parts = split(reply, "reply")
        try:
            found: Any = json.loads(head)
        except (ValueError, RecursionError):
            found = None
        if not isinstance(found, list) or len(found) != len(parts):
            raise ProtocolError(Problem("reply", "names that do not fit the scores", "a reply as the server made it"))
        blocks = [checked_names(block, self.spec.block) for block in found]
        names: list[str] = []
        values: list[NDArray[np.complex128]] = []
        for held, part in zip(blocks, parts, strict=True):
            slots = self.secret.decrypt(part)
            self._cosines(slots.real)  # of free slots, too: another key leaves numbers everywhere
            used = [slot for slot, name in enumerate(held) if name is not None]
            names += [name for name in held if name is not None]
            values.append(slots[used])
        return tuple(names), np.concatenate(values) if values else np.zeros(0, np.complex128)

    @staticmethod
    def _cosines(values: NDArray[np.float64]) -> NDArray[np.float64]:
        if not np.abs(values).max(initial=0.0) <= 1 + _SLACK:
            raise ProtocolError(Problem("reply", "numbers that are no cosines", "scores under this key"))
        return values


def calibrate(spec: MatchingSpec) -> MatchingTimings:
    """Measure this machine in about a second, with keys that are forgotten."""
    owner = MatchingOwner.generate(spec)
    groups = spec.groups
    keys = split(owner.evaluation_keys(), "evaluation keys", 2 * len(groups))
    engine = SealEngine.with_keys(PARAMETERS, groups, keys)
    return MatchingTimings.measure(spec, engine, owner.query(np.ones(spec.dimension)))
