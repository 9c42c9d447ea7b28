"""``EncryptedGallery``: a key holder's vectors and payloads in a folder of a server, which counts and fetches matches.

==========================  ===========================================================================
file                        content
==========================  ===========================================================================
``specification.key``       the `DecisionSpec`, a bundle of kind PUBLIC
``block-000017.bin``        a block as its owner sent it, or the sum of what was sent (`decision_messages`)
==========================  ===========================================================================

A question reads blocks one after the other and keeps none, so that memory does not grow with the gallery. Every change
replaces one file, whole or not at all. Threads and processes may share a folder: changes wait for each other and for
questions, by an advisory lock of the folder, since a block is read, added to and replaced.

Evolution of the format: there is no number of its own, each file has that of its format and readers refuse others;
another layout of the folder takes another file name.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from privis.errors import OutputError, ParameterError, Problem, ProtocolError
from privis.run.he.backends.seal import SealEngine, plaintext_file, ring
from privis.run.he.engine import Ciphertext
from privis.run.he.matching.decision_gallery import Contents, loaded
from privis.run.he.matching.decision_matcher import DecisionMatcher
from privis.run.he.matching.decision_messages import Ask, Change, Request
from privis.run.he.matching.decision_specification import DecisionSpec
from privis.run.he.matching.stored.framed_file import FramedFile
from privis.run.he.wire import key_file
from privis.run.he.wire.framing import join
from privis.run.he.wire.whole_folder import require_empty, whole_folder

_SPECIFICATION, _PATTERN = "specification.key", "block-*.bin"


class EncryptedGallery:
    """Encrypted vectors in a folder, about which whoever holds the key asks encrypted questions.

    *Guarantee.* Let no cosine of a query with a vector of the gallery lie within ``spec.gap`` of ``spec.threshold``.
    Then of every vector a number v is computed that is within ``spec.comparison.error`` of 1, where the cosine is above
    the threshold, and of 0 elsewhere: the comparison is a composition of minimax polynomials (Lee, Lee, No and Kim,
    2022, doi:10.1109/TDSC.2021.3105111), the encrypted cosine is off by at most ``ACCURACY``, and that was taken from
    the gap before polynomials were chosen. Each error is at most ``0.1 / spec.templates``, so a count is off by at
    most 0.1 and the noise of encryption, and rounds to the right one. A slot of the fetched sums holds ``spec.halves``
    errors: together less than ``TOLERANCE``, so its bytes round to those of the vectors that match. Of cosines inside
    the gap v is between 0 and 1: the answer says that it is undecided. Matches that meet in a slot are told apart by a
    second, shifted sum (`privis.run.he.matching.fetching.shifted_tables`), or counted as ambiguous: with a probability
    of at most ``ambiguity(spec.halves, spec.layout.slots, matches)``, where vectors are numbered in random order.

    The server learns how many vectors there are, under which numbers, when they change, and when what is asked. It is
    assumed to follow the protocol: a wrong answer is not noticed. Nothing that was decrypted may go back to it.

    Args:
        folder: that `create` made.

    Raises:
        ParameterError: there is no such folder.
        ProtocolError: its specification is damaged.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = Path(folder)
        self.spec = self._specification()
        self._engine = SealEngine(ring(self.spec.parameters))

    @classmethod
    def create(cls, folder: Path, spec: DecisionSpec) -> EncryptedGallery:
        """Make a gallery without vectors.

        Args:
            folder: new, or empty.
            spec: of encrypted templates.

        Returns:
            The gallery.

        Raises:
            ParameterError: a specification of templates in the clear.
            OutputError: there is something in the folder, or it cannot be written.
        """
        folder = Path(folder)
        if not spec.encrypted:
            expected = "DecisionSpec(…, encrypted=True)"
            raise ParameterError(Problem("EncryptedGallery", "a plain specification", expected))
        require_empty(folder)
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            got = error.strerror or str(error)
            raise OutputError(Problem(str(folder), got, "a new folder", "choose another place")) from error
        content = spec.to_json().encode()
        key_file.write(folder / _SPECIFICATION, key_file.KeyKind.PUBLIC, spec.digest, content, mode=0o644)
        return cls(folder)

    def put(self, change: bytes) -> None:
        """Add vectors, or take them out: what is sent for a block that is there is added to it.

        Ciphertexts of a new block are checked when a question reads them. Waits while somebody else changes the gallery
        or asks it.

        Args:
            change: what ``DecisionOwner.enrolled`` or ``DecisionOwner.removed`` made.

        Raises:
            ProtocolError: anything else, or places that are taken or free already; then nothing has changed.
            ParameterError: the folder is no longer there.
            OutputError: it cannot be written.
        """
        found = Change.read(change, self.spec)
        with _locked(self.folder, fcntl.LOCK_EX):
            self._put(found, change)

    def _put(self, found: Change, change: bytes) -> None:
        path = self._path(found.block)
        held = self._block(found.block).filled if path.exists() else frozenset()
        added, removed = frozenset(found.added), frozenset(found.removed)
        if held & added or not removed <= held:
            expected = "free places for new templates, taken ones to remove"
            raise ProtocolError(Problem("change of a gallery", "other places", expected))
        left = (held | added) - removed
        if not left:
            path.unlink()
            return
        key_file.write_message(path, self._sum(found, left).message() if held else change)

    def prepare(self, folder: Path, progress: Callable[[float], None] = lambda share: None) -> EncryptedGallery:
        """Copy the gallery, with ciphertexts as they are computed with: ten times quicker to read.

        What an owner sends is compressed, and half of it is a seed; a copy takes about 3.6 times as many bytes.

        Args:
            folder: new; there is a whole copy in it or none.
            progress: called with the fraction done, 0 to 1.

        Returns:
            The copy.

        Raises:
            ProtocolError: a block is damaged.
            OutputError: there is something in the folder, or no room.
        """
        folder = Path(folder)
        with _locked(self.folder, fcntl.LOCK_SH), whole_folder(folder) as unfinished:
            made, blocks = EncryptedGallery.create(unfinished, self.spec), self.contents().blocks
            for done, number in enumerate(blocks):
                with FramedFile.open(self._path(number)) as file:
                    head, *parts = (file.part(index) for index in range(file.parts))
                plain = [plaintext_file(self._engine.load(part)) if part else part for part in parts]
                key_file.write_message(made._path(number), join([head, *plain]))
                progress((done + 1) / len(blocks))
        return EncryptedGallery(folder)

    def contents(self) -> Contents:
        """What is there now: blocks and payloads that are read when they are used.

        Returns:
            Blocks, filled numbers, and payloads.

        Raises:
            ParameterError: the folder is no longer there.
            ProtocolError: a block is damaged, or another gallery is in the folder now.
        """
        if self._specification() != self.spec:
            expected = "the one that was opened"
            raise ProtocolError(Problem(str(self.folder), "a gallery of another specification", expected))
        filled = np.zeros(self.spec.templates, bool)
        blocks: dict[int, _StoredBlock] = {}
        for path in sorted(self.folder.glob(_PATTERN)):
            number = path.stem.removeprefix("block-")
            if not number.isdecimal() or path != self._path(int(number)):
                continue
            block = blocks[int(number)] = self._block(int(number))
            filled[block.number * self.spec.layout.block + np.array(sorted(block.filled), int)] = True
        return Contents(blocks, filled, _StoredPayloads(self.spec, self._engine, blocks))

    def count(
        self,
        query: bytes,
        keys: bytes,
        *,
        processes: int | None = None,
        progress: Callable[[float], None] = lambda share: None,
    ) -> bytes:
        """Count the vectors whose cosine with a query is above the threshold, on ciphertexts.

        Args:
            query: what ``DecisionOwner.query`` made of a vector and ``Ask.COUNT``.
            keys: what ``DecisionOwner.evaluation_keys`` made.
            processes: how many compute at once; None: all processors.
            progress: called with the fraction done, 0 to 1.

        Returns:
            The encrypted count, for ``DecisionOwner.decisions``: two ciphertexts.

        Raises:
            ProtocolError: another question, a damaged block, or keys of another specification.
        """
        return self._answered(Ask.COUNT, query, keys, processes, progress)

    def fetch(
        self,
        query: bytes,
        keys: bytes,
        *,
        processes: int | None = None,
        progress: Callable[[float], None] = lambda share: None,
    ) -> bytes:
        """Fetch the payloads of the vectors whose cosine with a query is above the threshold, on ciphertexts.

        Args:
            query: what ``DecisionOwner.query`` made of a vector and ``Ask.FETCH``.
            keys: what ``DecisionOwner.evaluation_keys`` made.
            processes: how many compute at once; None: all processors.
            progress: called with the fraction done, 0 to 1.

        Returns:
            Encrypted sums, for ``DecisionOwner.decisions``: as many ciphertexts for any number of vectors, and no
            cosine outside the gap in them.

        Raises:
            ProtocolError: another question, a damaged block, or keys of another specification.
        """
        return self._answered(Ask.FETCH, query, keys, processes, progress)

    def _answered(
        self, ask: Ask, query: bytes, keys: bytes, processes: int | None, progress: Callable[[float], None]
    ) -> bytes:
        found, _ = Request.read(query, self.spec)
        if found.ask is not ask:
            raise ProtocolError(Problem("query", f"the question {found.ask}", f"{ask}"))
        with _locked(self.folder, fcntl.LOCK_SH):
            return DecisionMatcher.open(self, keys, processes).run(query, progress)

    def _specification(self) -> DecisionSpec:
        return DecisionSpec.from_json(key_file.read(self.folder / _SPECIFICATION, key_file.KeyKind.PUBLIC))

    def _path(self, block: int) -> Path:
        return self.folder / f"block-{block:06}.bin"

    def _block(self, number: int) -> _StoredBlock:
        path = self._path(number)
        with FramedFile.open(path) as file:
            found = Change.read_places(file.part(0), file.parts, self.spec)
        if found.block != number or found.removed or not found.added:
            raise ProtocolError(Problem(str(path), "another block", f"block {number}, with vectors"))
        return _StoredBlock(self.spec, path, number, frozenset(found.added))

    def _sum(self, found: Change, left: frozenset[int]) -> Change:
        spec, engine = self.spec, self._engine
        with FramedFile.open(self._path(found.block)) as file:
            parts: list[bytes] = []
            for index, new in enumerate((*found.templates, *found.payloads)):
                old = file.part(1 + index)
                level, scale = (
                    (spec.parameters.levels, spec.vector_scale)
                    if index < spec.layout.turns
                    else (1, spec.payload_scale)
                )
                both = [loaded(engine, each, level, scale, "change of a gallery") for each in (old, new) if each]
                parts.append(engine.save(engine.add(*both)) if len(both) == 2 else old or new)
        cut = spec.layout.turns
        return Change(found.block, tuple(sorted(left)), (), tuple(parts[:cut]), tuple(parts[cut:]))


@contextmanager
def _locked(folder: Path, operation: int) -> Iterator[None]:
    """Hold a lock of a gallery's folder, ``fcntl.LOCK_EX`` or ``fcntl.LOCK_SH``; waits for it."""
    try:
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except OSError as error:
        raise ParameterError(Problem(str(folder), error.strerror or str(error), "the folder of a gallery")) from error
    try:
        fcntl.flock(descriptor, operation)
        yield
    finally:
        fcntl.flock(descriptor, fcntl.LOCK_UN)  # a process forked meanwhile keeps the folder open, not locked
        os.close(descriptor)


@dataclass(frozen=True, eq=False)
class _StoredBlock:
    """A block in its file; ``filled``: places with a template."""

    spec: DecisionSpec
    path: Path
    number: int
    filled: frozenset[int]

    def product(self, engine: SealEngine, turned: Sequence[Ciphertext]) -> Ciphertext:
        """The sum of the products with a query, given with all its turns: one ciphertext is in memory at a time."""
        total: Ciphertext | None = None
        level, scale = self.spec.parameters.levels, self.spec.vector_scale
        with FramedFile.open(self.path) as file:
            for turn, query in enumerate(turned):
                templates = loaded(engine, file.part(1 + turn), level, scale, str(self.path))
                total = engine.accumulate(total, engine.multiply(query, templates))
        return total

    def payloads(self, engine: SealEngine, half: int) -> Iterator[Ciphertext | None]:
        """What comes with the templates of a half, as far as they are of this block; None where nothing does."""
        first = 1 + self.spec.layout.turns + half * self.spec.payloads
        with FramedFile.open(self.path) as file:
            for index in range(first, first + self.spec.payloads):
                data = file.part(index)
                yield loaded(engine, data, 1, self.spec.payload_scale, str(self.path)) if data else None


@dataclass(frozen=True, eq=False)
class _StoredPayloads(Mapping[tuple[int, int], Sequence[Ciphertext]]):
    """By group and half, read and added up over blocks when asked for."""

    spec: DecisionSpec
    engine: SealEngine
    blocks: Mapping[int, _StoredBlock]

    def __getitem__(self, part: tuple[int, int]) -> Sequence[Ciphertext]:
        group, half = part
        totals: list[Ciphertext | None] = [None] * self.spec.payloads
        rows = self.spec.layout.rows
        for block in (self.blocks[n] for n in range(group * rows, (group + 1) * rows) if n in self.blocks):
            for index, held in enumerate(block.payloads(self.engine, half)):
                if held is not None:
                    totals[index] = self.engine.accumulate(totals[index], held)
        if any(each is None for each in totals):
            raise KeyError(part)
        return totals

    def __iter__(self) -> Iterator[tuple[int, int]]:
        groups = sorted({number // self.spec.layout.rows for number in self.blocks})
        return ((group, half) for group in groups for half in (0, 1))

    def __len__(self) -> int:
        return sum(1 for _ in self)


__all__ = ["EncryptedGallery"]
