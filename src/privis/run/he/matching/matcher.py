"""The server's side of encrypted matching: galleries, and scores of an encrypted query against them."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from privis.errors import ParameterError, Problem, ProtocolError
from privis.former_names import former_names
from privis.run.he.backends.seal import SealEngine, ring
from privis.run.he.engine import Ciphertext, Plaintext
from privis.run.he.evaluation.forked_map import cores, forked
from privis.run.he.matching.matching_specification import BLOCK, PARAMETERS, MatchingSpec
from privis.run.he.wire.framing import join, split

Names = tuple[str | None, ...]
"""Slot by slot: None where a template was removed."""

Progress = Callable[[float], None]


class Block(Protocol):
    """At most ``spec.block`` templates, whose scores come in one ciphertext."""

    @property
    def names(self) -> Names:
        """Of the templates, slot by slot."""
        ...

    def scores(self, engine: SealEngine, turned: Sequence[Ciphertext]) -> Ciphertext:
        """Inner products with a query, given with all turns of its parts."""
        ...


class TemplateGallery(Protocol):
    """Templates of one specification."""

    spec: MatchingSpec

    @property
    def blocks(self) -> tuple[Block, ...]:
        """What is there now; later changes leave this tuple as it is."""
        ...


@dataclass(frozen=True, eq=False)
class PlainBlock:
    """Templates that the server may see: unit rows, and their diagonals as plaintexts (None: encoded at each query)."""

    spec: MatchingSpec
    names: Names
    rows: NDArray[np.float32] = field(repr=False)
    encoded: tuple[tuple[Plaintext | None, ...], ...] | None = field(default=None, repr=False)

    def scores(self, engine: SealEngine, turned: Sequence[Ciphertext]) -> Ciphertext:
        """Inner products with a query, given with all turns of its parts."""
        encoded = self.encoded or self.encode(engine)
        total: Ciphertext | None = None
        for row in reversed(encoded):
            total = None if total is None else engine.rotate(total, self.spec.turns)
            for query, diagonal in zip(turned, row, strict=True):
                if diagonal is not None:
                    total = engine.accumulate(total, engine.multiply_plain(query, diagonal))
        return folded(engine, total, self.spec)

    def encode(self, engine: SealEngine) -> tuple[tuple[Plaintext | None, ...], ...]:
        """The diagonals as plaintexts; None for those that round to zero, with which the library multiplies nothing."""
        _, scale = self.spec.scales

        def plaintext(diagonal: NDArray[np.float64]) -> Plaintext | None:
            made = engine.encode(diagonal, 0, scale)
            return None if engine.is_zero(made) else made

        return tuple(tuple(map(plaintext, row)) for row in self.spec.encoded(self.rows))


@dataclass(frozen=True, eq=False)
class EncryptedBlock:
    """Templates encrypted under the client's key: ciphertexts of their diagonals."""

    spec: MatchingSpec
    names: Names
    diagonals: tuple[tuple[Ciphertext, ...], ...] = field(repr=False)

    @classmethod
    def load(cls, spec: MatchingSpec, engine: SealEngine, data: bytes) -> EncryptedBlock:
        """Read what ``MatchingOwner.block`` made; ProtocolError for anything else."""
        head, *parts = split(data, "encrypted block", 1 + spec.diagonals)
        _, scale = spec.scales
        found = [_loaded(engine, part, 0, scale, "template") for part in parts]
        each = spec.parts * spec.turns
        rows = tuple(tuple(found[start : start + each]) for start in range(0, spec.diagonals, each))
        return cls(spec, read_names(head, spec.block), rows)

    def scores(self, engine: SealEngine, turned: Sequence[Ciphertext]) -> Ciphertext:
        """Inner products with a query, given with all turns of its parts; sums are relinearised, not every product."""
        total: Ciphertext | None = None
        for row in reversed(self.diagonals):
            inner: Ciphertext | None = None
            for query, diagonal in zip(turned, row, strict=True):
                inner = engine.accumulate(inner, engine.multiply(query, diagonal))
            inner = engine.relinearise(inner)
            total = inner if total is None else engine.accumulate(engine.rotate(total, self.spec.turns), inner)
        return folded(engine, total, self.spec)


class PlainGallery:
    """Templates of the server, for one thread of changes; queries take ``blocks`` as they are when they start.

    ``memory`` limits the bytes of encoded diagonals (None: no limit): 33.6 MB for each 4,096 templates of 512
    components. Blocks beyond it are encoded anew at each query, which then takes several times as long.
    """

    def __init__(self, spec: MatchingSpec, memory: int | None = None) -> None:
        if spec.encrypted:
            raise ParameterError(Problem("PlainGallery", "an encrypted specification", "MatchingSpec(dimension)"))
        self.spec = spec
        self.memory = memory
        self.blocks: tuple[PlainBlock, ...] = ()
        self._engine = SealEngine(ring(PARAMETERS))

    @property
    def names(self) -> tuple[str, ...]:
        """Names of all templates, in the order of the blocks."""
        return tuple(name for block in self.blocks for name in block.names if name is not None)

    def add(self, names: Sequence[str], vectors: NDArray[Any], progress: Progress | None = None) -> None:
        """Add templates, normalised: into free slots first, so that only blocks that gain any are encoded.

        Raises ParameterError for names that are taken or not as many as vectors, and as ``MatchingSpec.unit_rows``.
        """
        rows, added = self.spec.unit_rows(vectors), [str(name) for name in names]
        taken = len(added) - len({*added} - {*self.names})
        if len(added) != len(rows) or taken:
            got = f"{len(added)} names for {len(rows)} vectors, {taken} of them taken"
            raise ParameterError(Problem("names", got, "a new one for each vector", "remove a template to replace it"))
        blocks, start = list(self.blocks), 0
        places = [index for index in reversed(range(len(blocks))) if None in _slots(blocks[index])]
        while start < len(rows):
            index = places.pop(0) if places else len(blocks)
            old = blocks[index] if index < len(blocks) else _empty(self.spec)
            free = [slot for slot, name in enumerate(_slots(old)) if name is None][: len(rows) - start]
            new = _filled(old, free, added[start : start + len(free)], rows[start : start + len(free)])
            blocks[index : index + 1] = [self._prepared(new, index)]
            start += len(free)
            if progress:
                progress(start / len(rows))
        self.blocks = tuple(blocks)

    def remove(self, names: Sequence[str]) -> None:
        """Take templates out, by overwriting their rows and encoding their blocks without them.

        Raises ParameterError for unknown names; then nothing has changed.
        """
        gone = {*names}
        if unknown := gone - {*self.names}:
            raise ParameterError(Problem("names", f"{len(unknown)} that are not here", "names of templates"))
        kept: list[PlainBlock] = []
        for block in self.blocks:
            slots = [slot for slot, name in enumerate(block.names) if name in gone]
            if slots:
                left = tuple(None if name in gone else name for name in block.names)
                block.rows[slots] = 0.0
                block = self._prepared(replace(block, names=left, encoded=None), len(kept))
            if any(name is not None for name in block.names):
                kept.append(block)
        self.blocks = tuple(kept)

    def _prepared(self, block: PlainBlock, index: int) -> PlainBlock:
        if self.memory is not None and (index + 1) * self.spec.resident_bytes > self.memory:
            return block
        if all(name is None for name in block.names):
            return block
        return replace(block, encoded=block.encode(self._engine))


class EncryptedScoreGallery:
    """Templates that the server cannot see, in blocks as their owner encrypted them."""

    def __init__(self, spec: MatchingSpec) -> None:
        if not spec.encrypted:
            raise ParameterError(
                Problem("EncryptedScoreGallery", "a plain specification", "MatchingSpec(…, encrypted=True)")
            )
        self.spec = spec
        self._engine = SealEngine(ring(PARAMETERS))
        self._blocks: dict[str, EncryptedBlock] = {}

    @property
    def blocks(self) -> tuple[EncryptedBlock, ...]:
        """In the order in which their labels first came."""
        return tuple(self._blocks.values())

    def put(self, label: str, data: bytes) -> None:
        """Add a block, or replace it: templates are added and removed by their owner, who encrypts the block anew."""
        self._blocks[label] = EncryptedBlock.load(self.spec, self._engine, data)

    def drop(self, label: str) -> None:
        """Forget a block; ParameterError when there is none of this label."""
        if self._blocks.pop(label, None) is None:
            raise ParameterError(Problem("block", f"{label!r}, which is not here", f"one of {[*self._blocks]}"))


@dataclass(frozen=True, eq=False)
class Matcher:
    """A gallery with one client's evaluation keys.

    Args:
        gallery: the templates, in the clear or encrypted.
        engine: that holds the client's evaluation keys.
        processes: how many compute at once.
    """

    gallery: TemplateGallery
    engine: SealEngine = field(repr=False)
    processes: int = field(default_factory=cores)

    @classmethod
    def open(cls, gallery: TemplateGallery, keys: bytes, processes: int | None = None) -> Matcher:
        """Load the evaluation keys of one client.

        Args:
            gallery: the templates.
            keys: what ``MatchingOwner.evaluation_keys`` made.
            processes: how many compute at once; None: all processors.

        Returns:
            The matcher.

        Raises:
            ProtocolError: these are no such keys.
        """
        groups = gallery.spec.groups
        engine = SealEngine.with_keys(PARAMETERS, groups, split(keys, "evaluation keys", 2 * len(groups)))
        return cls(gallery, engine, processes or cores())

    def run(self, message: bytes, progress: Progress = lambda _: None) -> bytes:
        """Score an encrypted query against every template, on ciphertexts.

        Args:
            message: what ``MatchingOwner.query`` made.
            progress: called with the fraction done, 0 to 1.

        Returns:
            The encrypted scores, and the names they belong to.

        Raises:
            ProtocolError: the message is no query of this specification.
        """
        spec, blocks = self.gallery.spec, self.gallery.blocks
        scale = spec.scales[0] * self.engine.primes[1]
        parts_of_query = [message] if spec.parts == 1 else split(message, "query", spec.parts)
        loaded = [_loaded(self.engine, part, 1, scale, "query") for part in parts_of_query]
        turned = [each for query in loaded for each in turns(self.engine, query, spec)]
        done, parts = 0, {}
        work = lambda block: self.engine.save(block.scores(self.engine, turned))  # noqa: E731
        for index, data in forked(work, blocks, self.processes):
            parts[index] = data
            done += 1
            progress(done / len(blocks))
        names = json.dumps([block.names for block in blocks]).encode()
        return join([names, *(parts[index] for index in range(len(blocks)))])


def turns(engine: SealEngine, query: Ciphertext, spec: MatchingSpec) -> list[Ciphertext]:
    """The query turned by 0, 1, 2, ... slots, at level 0: each from the one with a bit less set."""
    made = [query]
    for step in range(1, spec.turns):
        lowest = step & -step
        made.append(engine.rotate(made[step - lowest], lowest))
    return [engine.rescale(turned, spec.scales[0]) for turned in made]


def folded(engine: SealEngine, total: Ciphertext, spec: MatchingSpec) -> Ciphertext:
    """The sum over all copies of a block, in each of them."""
    for step in spec.folds:
        total = engine.add(total, engine.rotate(total, step))
    return total


def read_names(data: bytes, most: int = BLOCK) -> Names:
    """A JSON list of names; ProtocolError for anything else, or for more."""
    try:
        found: Any = json.loads(data)
    except (ValueError, RecursionError):
        found = None
    return checked_names(found, most)


def checked_names(found: Any, most: int = BLOCK) -> Names:
    """``found`` as the names of a block; ProtocolError when it is anything else."""
    if isinstance(found, list) and len(found) <= most and all(n is None or isinstance(n, str) for n in found):
        return tuple(found)
    raise ProtocolError(Problem("names", "something else", f"a list of at most {most} names"))


def _loaded(engine: SealEngine, data: bytes, level: int, scale: float, what: str) -> Ciphertext:
    made = engine.load(data)
    if engine.level(made) != level or engine.scale(made) != scale:
        expected = f"level {level} and scale {scale:g}, as made for this gallery"
        raise ProtocolError(Problem(what, "a ciphertext of another level or scale", expected))
    return made


def _empty(spec: MatchingSpec) -> PlainBlock:
    return PlainBlock(spec, (), np.zeros((0, spec.dimension), np.float32))


def _slots(block: PlainBlock) -> list[str | None]:
    return [*block.names, *[None] * (block.spec.block - len(block.names))]


def _filled(block: PlainBlock, slots: list[int], names: list[str], rows: NDArray[np.float32]) -> PlainBlock:
    held = _slots(block)[: max(len(block.names), slots[-1] + 1)]
    values = np.zeros((len(held), rows.shape[1]), np.float32)
    values[: len(block.rows)] = block.rows
    for slot, name in zip(slots, names, strict=True):
        held[slot] = name
    values[slots] = rows
    return PlainBlock(block.spec, tuple(held), values)


__getattr__ = former_names(__name__)
