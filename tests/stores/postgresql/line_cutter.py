"""A line to a server that is cut where a test says."""

from __future__ import annotations

import contextlib
import select
import socket
import threading
from collections.abc import Iterator


@contextlib.contextmanager
def cut_off(server: int, word: bytes, before: bool) -> Iterator[int]:
    """A port that passes on to a server until a client sends a word; that is passed on or not, and the line is cut."""
    listener = socket.create_server(("127.0.0.1", 0))
    peers: dict[socket.socket, socket.socket] = {}
    clients: set[socket.socket] = set()
    state = {"cut": False, "ended": False}

    def end(*sockets: socket.socket) -> None:
        for each in sockets:
            peers.pop(each, None)
            each.close()

    def serve() -> None:
        while not state["ended"]:
            for ready in select.select([listener, *peers], [], [], 0.05)[0]:
                if ready is listener:
                    client, upstream = listener.accept()[0], socket.create_connection(("127.0.0.1", server))
                    peers.update({client: upstream, upstream: client})
                    clients.add(client)
                elif ready in peers:
                    pass_on(ready, peers[ready])
        end(listener, *peers)

    def pass_on(ready: socket.socket, other: socket.socket) -> None:
        part = b""
        with contextlib.suppress(OSError):
            part = ready.recv(1 << 16)
        cuts = ready in clients and word in part and not state["cut"]
        state["cut"] |= cuts
        with contextlib.suppress(OSError):
            if part and not (cuts and before):
                other.sendall(part)
        if cuts or not part:
            end(ready, other)

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        yield listener.getsockname()[1]
    finally:
        state["ended"] = True
        thread.join()
