"""A tap between parties on this machine: relays that write down every message that one party sends to another."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections import defaultdict
from collections.abc import Callable, Iterator

import numpy as np

from privis.run.mpc.runtime.local_parties import free_ports

Link = tuple[int, int]  # from rank, to rank


class Taps:
    """Relays between parties that do not use TLS; ``views`` are the addresses to give each rank.

    Only what the sender's connection carries is kept: the receiver's answers are acknowledgements.
    """

    def __init__(self, parties: int) -> None:
        self.recorded: dict[Link, list[bytearray]] = defaultdict(list)
        self._sockets: list[socket.socket] = []
        self._threads: list[threading.Thread] = []
        own = free_ports(parties)
        self.views = [[f"127.0.0.1:{own[j]}" if i == j else self._relay((i, j), own[j]) for j in range(parties)]
                      for i in range(parties)]  # fmt: skip

    def _relay(self, link: Link, port: int) -> str:
        listener = socket.create_server(("127.0.0.1", 0))
        self._sockets.append(listener)
        self._start(self._accept, link, listener, port)
        return f"127.0.0.1:{listener.getsockname()[1]}"

    def _start(self, target: Callable[..., None], *arguments: object) -> None:
        self._threads.append(threading.Thread(target=target, args=arguments, daemon=True))
        self._threads[-1].start()

    def _accept(self, link: Link, listener: socket.socket, port: int) -> None:
        while True:
            try:
                sender, _ = listener.accept()
            except OSError:
                return
            try:
                receiver = socket.create_connection(("127.0.0.1", port))
            except OSError:  # that party does not listen yet: the sender will try again
                sender.close()
                continue
            kept = bytearray()
            self.recorded[link].append(kept)
            self._sockets += [sender, receiver]
            self._start(_pump, sender, receiver, kept)
            self._start(_pump, receiver, sender, bytearray())

    def messages(self, link: Link) -> list[tuple[str, bytes]]:
        """Every message on ``link``: its key, which counts the messages, and its content."""
        found = []
        for connection in self.recorded[link]:
            for request in _frames(bytes(connection)):
                content = dict(fields(request))
                key, value = bytes(content.get(2, b"")), bytes(content.get(3, b""))
                found.append((key.decode(errors="replace"), value))
        return [(key, value) for key, value in found if not key.startswith(("ACK", "connect"))]

    def close(self) -> None:
        """End all relays, and with them the connections of parties that are still there."""
        for end in list(self._sockets):
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
        for thread in list(self._threads):
            thread.join(10)
        for end in self._sockets:
            end.close()


def _pump(source: socket.socket, target: socket.socket, written: bytearray) -> None:
    with contextlib.suppress(OSError):
        while data := source.recv(1 << 16):
            written += data
            target.sendall(data)
    for end in (source, target):
        with contextlib.suppress(OSError):
            end.shutdown(socket.SHUT_RDWR)


def _frames(data: bytes) -> Iterator[bytes]:
    """The requests inside baidu_std frames: "PRPC", length of the body, length of its head, head, request."""
    at = 0
    while at < len(data):
        assert data[at : at + 4] == b"PRPC", "not a frame of this protocol"
        body, head = (int.from_bytes(data[at + i : at + i + 4], "big") for i in (4, 8))
        yield data[at + 12 + head : at + 12 + body]
        at += 12 + body


def fields(message: bytes) -> Iterator[tuple[int, bytes | int]]:
    """The fields of a protocol buffer: number, and bytes or an integer."""
    at = 0
    while at < len(message):
        key, at = _varint(message, at)
        if key & 7 == 0:
            value, at = _varint(message, at)
            yield key >> 3, value
            continue
        length, at = _varint(message, at) if key & 7 == 2 else ({1: 8, 5: 4}[key & 7], at)
        yield key >> 3, message[at : at + length]
        at += length


def _varint(message: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = message[at]
        value, shift, at = value | (byte & 127) << shift, shift + 7, at + 1
        if byte < 128:
            return value, at


def opens(received: bytes, own: np.ndarray, secret: np.ndarray) -> bool:
    """Whether some eight-byte words of ``received``, plus or minus none, one or two of the ``own`` words of the same
    element, are the elements of ``secret`` one after another: what a party could simply add up.

    ``own`` is ``(words, elements)`` and ``secret`` ``(elements,)``, all integers modulo ``2**64``.
    """
    bases = [np.zeros(len(secret), np.uint64), *own, *([own[0] + own[1]] if len(own) == 2 else [])]
    for shift in range(8):
        words = np.frombuffer(received[shift : shift + (len(received) - shift) // 8 * 8], np.uint64)
        for base in bases:
            for wanted in (secret - base, base - secret, secret + base):
                for stride in (1, 2):
                    starts = np.flatnonzero(words[: len(words) - stride * (len(wanted) - 1)] == wanted[0])
                    for start in starts:
                        if (words[start::stride][: len(wanted)] == wanted).all():
                            return True
    return False
