"""The pipe between a supervisor and its worker: frames of one JSON header and any number of byte strings."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from multiprocessing.connection import Connection
from typing import Any

Header = dict[str, Any]


@dataclass(frozen=True, eq=False)
class Channel:
    """One end of the pipe; EOFError or OSError when the other end is gone. Nothing is ever unpickled."""

    connection: Connection

    def send(self, header: Header, blobs: Sequence[bytes | memoryview] = ()) -> None:
        """Send one frame; blocks while the pipe is full."""
        self.connection.send_bytes(json.dumps({**header, "blobs": len(blobs)}).encode())
        for blob in blobs:
            self.connection.send_bytes(blob)

    def receive(self) -> tuple[Header, list[bytes]]:
        """Receive one frame; blocks until it has arrived."""
        header = json.loads(self.connection.recv_bytes())
        return header, [self.connection.recv_bytes() for _ in range(header.pop("blobs"))]
