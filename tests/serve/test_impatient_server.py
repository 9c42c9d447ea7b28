"""Unfinished heads and bodies, and answers that are not read, end at the time limits of a server."""

from __future__ import annotations

import contextlib
import os
import socket
from collections.abc import Iterator
from dataclasses import replace

import pytest

from privis.run.he.wire import key_file as bundle
from privis.serve.limits import MIB
from tests.serve.place import LIMITS, Running, new_place, serving, until, until_closed
from tests.serve.toy import spec_digest


@pytest.fixture(scope="module")
def hasty(tmp_path_factory) -> Iterator[Running]:
    """A server that waits for nobody."""
    limits = replace(
        LIMITS,
        upload_idle_seconds=0.4,
        upload_bytes_per_second=100_000,
        header_seconds=0.3,
        answer_idle_seconds=0.3,
        keys_bytes=64 * MIB,
    )
    with serving(new_place(tmp_path_factory.mktemp("hasty")), limits) as running:
        yield running


@pytest.mark.parametrize("sent", [b"", b"GET /healthz HTTP/1.1\r\nHost: x\r\nX-Filler: "])
def test_a_head_that_does_not_end_is_not_waited_for(hasty, sent):
    with hasty.connect(sent) as link:
        assert until_closed(link, b"" if not sent else b"x") == b""


def test_a_body_by_the_byte_is_not_waited_for(hasty):
    head = hasty.head(f"PUT /v1/offers/sum/keys/{'0' * 64}", "alice", "Content-Length: 500000")
    with hasty.connect(head) as link:
        found = until_closed(link, b"x")
    assert found.startswith(b"HTTP/1.1 408") and b"less than 100,000 bytes a second" in found
    until(lambda: hasty.left() == [])


def test_a_body_that_comes_after_its_refusal_is_not_waited_for(hasty):
    head = hasty.head("POST /v1/offers/sum/jobs", "", "Content-Length: 500000")
    with hasty.connect(head) as link:
        assert until_closed(link, b"x").startswith(b"HTTP/1.1 401")


def test_a_result_that_is_not_read_is_not_waited_for(hasty):
    head = hasty.head("GET /openapi.json", "alice")
    connections = hasty.server._server.server_state.connections
    with hasty.connect(head, reads=4096) as link:
        assert link.recv(1) == b"H"
        link.settimeout(0.05)
        with contextlib.suppress(OSError):
            for _ in range(100):
                link.sendall(head * 100)
        until(lambda: not connections)


def test_what_is_left_of_an_answer_is_not_waited_for_after_its_end(hasty):
    """The last answer on a connection: too much for the kernels, too little to be waited for before its end."""
    listening = hasty.server._socket
    before = listening.getsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF) // 2  # what Linux says is twice what was set
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 2048)
    try:
        with hasty.connect(hasty.head("GET /openapi.json", "alice", "Connection: close"), reads=2048) as link:
            assert link.recv(1) == b"H"
            until(lambda: not hasty.server._server.server_state.connections)
    finally:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, before)


def test_an_honest_upload_in_pieces_is_in_time(hasty):
    content = os.urandom(3 * MIB)
    path = hasty.place.folder / "pieces.key"
    digest = bundle.write(path, bundle.KeyKind.EVALUATION, spec_digest("sum"), content).digest
    whole = path.read_bytes()
    head = hasty.head(f"PUT /v1/offers/sum/keys/{digest}", "alice", f"Content-Length: {len(whole)}")
    with hasty.connect(head) as link:
        for start in range(0, len(whole), MIB // 2):
            link.sendall(whole[start : start + MIB // 2])
        assert link.recv(1 << 16).startswith(b"HTTP/1.1 204")
