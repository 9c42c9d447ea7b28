"""A file of framed parts (`privis.run.he.wire.framing`), of which one at a time is read."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from privis.errors import ParameterError, Problem
from privis.run.he.wire.framing import places


@dataclass(frozen=True, eq=False)
class FramedFile:
    """An open file and where its parts lie: ``(first byte, length)`` of each."""

    file: int
    places: tuple[tuple[int, int], ...]

    @classmethod
    @contextmanager
    def open(cls, path: Path) -> Iterator[FramedFile]:
        """Open a file for reading.

        Args:
            path: of the file.

        Yields:
            The file.

        Raises:
            ParameterError: it cannot be read.
            ProtocolError: it is no file of framed parts, or of another length.
        """
        try:
            file = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        except OSError as error:
            raise ParameterError(Problem(str(path), error.strerror or str(error), "a block of a gallery")) from error
        try:
            size = os.fstat(file).st_size
            yield cls(file, places(lambda start, length: os.pread(file, length, start), size, str(path)))
        finally:
            os.close(file)

    @property
    def parts(self) -> int:
        """How many there are."""
        return len(self.places)

    def part(self, index: int) -> bytes:
        """The bytes of one part; ``index`` from 0."""
        start, length = self.places[index]
        return os.pread(self.file, length, start)
