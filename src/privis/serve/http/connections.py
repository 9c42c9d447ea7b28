"""Connections of uvicorn that nobody can hoard: those that wait are bounded per client, in number and in time.

uvicorn itself bounds how long a connection is kept after an answer, and nothing else: a head of a request that never
comes, a body that comes after its refusal, and an answer that is never read would each hold a connection for ever.
"""

from __future__ import annotations

import asyncio
import ipaddress
import json
import sys
from http import HTTPStatus
from typing import Any

from privis.extras import optional_import
from privis.serve.http.app import CLIENT
from privis.serve.limits import Limits

with optional_import("serve", "a server for encrypted images"):
    import h11
    from uvicorn.protocols.http.h11_impl import H11Protocol

_SHOWN = 120
_IPV6_PREFIX = 64  # one customer's, as addresses are given out


class Connections:
    """The connections that wait for a request, by who opened them; one event loop only."""

    def __init__(self, limits: Limits) -> None:
        self.limits = limits
        self._waiting: dict[str, dict[Connection, None]] = {}  # oldest first

    def add(self, owner: str, connection: Connection, of_all: int) -> None:
        """A connection of ``owner`` waits, one ``of_all``; whoever has too many loses the one that waited longest."""
        self._waiting.setdefault(owner, {})[connection] = None
        if len(self._waiting[owner]) > self.limits.connections_per_client:
            next(iter(self._waiting[owner])).give_up()
        elif of_all > self.limits.connections:
            most = max(self._waiting.values(), key=len)
            next(iter(most)).give_up()

    def remove(self, owner: str, connection: Connection) -> None:
        """Note that a connection no longer waits."""
        mine = self._waiting.get(owner, {})
        mine.pop(connection, None)
        if not mine:
            self._waiting.pop(owner, None)


class Connection(H11Protocol):
    """uvicorn's connection, which closes itself when its peer is silent, slow or greedy."""

    def __init__(self, connections: Connections, *words: Any, **settings: Any) -> None:
        super().__init__(*words, **settings)
        self._all, self._limits = connections, connections.limits
        self._owner = ""  # while it waits
        self._head: asyncio.TimerHandle | None = None
        self._reader: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Count the new connection as waiting for its first request."""
        super().connection_made(transport)
        self._settle()

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget a connection that was closed."""
        self._stop_waiting()
        self._stop_reader()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Take bytes of a request, and time its head."""
        if not self.transport.is_closing():
            super().data_received(data)
        self._settle()

    def on_response_complete(self) -> None:
        """Count the connection as waiting for its next request."""
        super().on_response_complete()
        self._settle()

    def timeout_keep_alive_handler(self) -> None:
        """Close the connection: no request came within the keep-alive time."""
        super().timeout_keep_alive_handler()
        self._settle()

    def pause_writing(self) -> None:
        """Start the timer of an answer that the peer does not read."""
        super().pause_writing()
        self._stop_reader()
        self._reader = self.loop.call_later(self._limits.answer_idle_seconds, self.transport.abort)

    def resume_writing(self) -> None:
        """Stop the timer: the peer reads."""
        super().resume_writing()
        self._stop_reader()
        self._settle()

    def send_400_response(self, msg: str) -> None:
        """Say in words what h11 refuses, as every other refusal does."""
        error = sys.exception()
        got = ascii(str(error or msg)[:_SHOWN]).strip("'\"")
        if self.cycle is not None and not self.cycle.response_complete:
            self.cycle.disconnected = True  # whoever reads the body is told that no more comes
            self.cycle.message_event.set()
        if self.conn.our_state in (h11.IDLE, h11.SEND_RESPONSE):
            for event in _refusal(got):
                self.transport.write(self.conn.send(event) or b"")
        self.transport.close()
        self._settle()

    def give_up(self) -> None:
        """Close a connection that waits."""
        self.transport.close()
        self._settle()

    def _settle(self) -> None:
        """Count and time it while it waits, and only then: bytes that are no whole request win no time."""
        if self.transport.is_closing():
            self._stop_waiting()
            if self._reader is None:  # what is still to be sent is not waited for longer than any answer
                self._reader = self.loop.call_later(self._limits.answer_idle_seconds, self.transport.abort)
        elif self.cycle is not None and not self.cycle.response_complete:
            self._stop_waiting()
        elif not self._owner:
            client = None if self.cycle is None else self.cycle.scope.get(CLIENT)
            self._owner = f"client {client}" if client else f"address {_network(self.client)}"
            self._head = self.loop.call_later(self._limits.header_seconds, self.give_up)
            self._all.add(self._owner, self, len(self.connections))

    def _stop_waiting(self) -> None:
        if self._owner:
            self._all.remove(self._owner, self)
        if self._head is not None:
            self._head.cancel()
        self._owner, self._head = "", None

    def _stop_reader(self) -> None:
        if self._reader is not None:
            self._reader.cancel()
        self._reader = None


def _refusal(got: str) -> list[h11.Event]:
    problem = {"where": "request", "got": got, "expected": "a request in HTTP/1.1", "remedy": ""}
    content = {"title": HTTPStatus.BAD_REQUEST.phrase, "status": 400, "kind": "request", "problems": [problem]}
    body = json.dumps(content).encode()
    headers = [
        ("Content-Type", "application/problem+json"),
        ("Content-Length", f"{len(body)}"),
        ("Connection", "close"),
    ]
    reason = HTTPStatus.BAD_REQUEST.phrase.encode()
    return [h11.Response(status_code=400, headers=headers, reason=reason), h11.Data(data=body), h11.EndOfMessage()]


def _network(peer: tuple[str, int] | None) -> str:
    """Whose address it is: all of an IPv6 network of one customer are one.

    >>> _network(("192.0.2.7", 1)), _network(("2001:db8::1:2", 1)), _network(None)
    ('192.0.2.7', '2001:db8::', '')
    """
    try:
        address = ipaddress.ip_address(peer[0].partition("%")[0] if peer else "")
    except ValueError:
        return ""
    if isinstance(address, ipaddress.IPv6Address):
        if address.ipv4_mapped is not None:
            return str(address.ipv4_mapped)
        return str(ipaddress.ip_network((address, _IPV6_PREFIX), strict=False).network_address)
    return str(address)
