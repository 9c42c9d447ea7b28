"""Bytes of a pipe that may fall silent: reading ends where nothing comes for too long."""

from __future__ import annotations

import io
import os
import select
from typing import Any


class TimedStream(io.RawIOBase):
    """Reads a pipe, a named one or standard input, and waits for no longer than ``seconds`` each time.

    Where nothing comes in time the stream ends, as it does where whoever writes closes it; ``fell_silent`` tells the
    two apart. A library that reads through a callback can be told of an end, but not of an exception.

    Args:
        source: path of a pipe, or an open descriptor.
        seconds: longest wait.
    """

    def __init__(self, source: str | int, seconds: float) -> None:
        self.fell_silent = False
        self._seconds = seconds
        self._owned = isinstance(source, str)
        # without O_NONBLOCK, opening a pipe would wait for ever for somebody who writes
        self._file = os.open(source, os.O_RDONLY | os.O_NONBLOCK) if isinstance(source, str) else source

    def readable(self) -> bool:
        """It can be read."""
        return True

    def readinto(self, buffer: Any) -> int:
        """Fill ``buffer`` with what comes next; 0 bytes are the end.

        Args:
            buffer: for at least one byte.

        Returns:
            How many bytes there were.
        """
        if self.fell_silent or self._file < 0:
            return 0
        while True:
            ready = select.select([self._file], [], [], self._seconds)[0]
            if not ready:
                self.fell_silent = True
                return 0
            try:
                found = os.read(self._file, len(buffer))
            except BlockingIOError:
                continue
            buffer[: len(found)] = found
            return len(found)

    def close(self) -> None:
        """Let go of the pipe."""
        if self._owned and self._file >= 0:
            os.close(self._file)
        self._file = -1
        super().close()
