"""A server of the toy offering, its clients, and what it leaves behind."""

from __future__ import annotations

import contextlib
import os
import socket
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx

from privis.errors import ServiceError
from privis.run.he.wire import key_file as bundle
from privis.serve.answering import AnswerSettings
from privis.serve.client.client import Client
from privis.serve.http.server import Server
from privis.serve.http.tokens import Token, Tokens, issue
from privis.serve.limits import MIB, Limits
from tests.serve.toy import Adder, spec_digest

LIMITS = Limits(memory=600 * MIB, job_memory=200 * MIB, jobs_at_once=2, grace_seconds=0.2, disk_reserve_bytes=0)


@dataclass(frozen=True)
class ServerFolder:
    """A folder with a file of tokens, and the tokens of two clients."""

    folder: Path

    @property
    def tokens(self) -> Tokens:
        return Tokens.load(self.folder / "tokens")

    def token(self, name: str) -> Token:
        return Token.load(self.folder / f"{name}.token")

    def server(self, limits: Limits = LIMITS, *offerings: Adder, answers: AnswerSettings = AnswerSettings()) -> Server:
        made = offerings or (Adder(), Adder("other"))
        return Server(made, self.tokens, self.folder / "state", port=0, limits=limits, answers=answers)

    def keys(self, offer: str = "sum", size: int = 4096) -> tuple[Path, bytes]:
        """A new bundle of evaluation keys, and its content."""
        content = os.urandom(size)
        path = self.folder / f"{content[:8].hex()}.key"
        bundle.write(path, bundle.KeyKind.EVALUATION, spec_digest(offer), content)
        return path, content


@dataclass(frozen=True)
class Running:
    """A server that runs, and how to speak to it."""

    place: ServerFolder
    url: str
    server: Server

    def client(self, name: str = "alice", patience: float = 10.0) -> Client:
        return Client(self.url, self.place.token(name), patience=patience)

    def http(self, name: str = "alice") -> httpx.Client:
        """Requests that no library of ours makes."""
        headers = {"Authorization": self.place.token(name).header}
        return httpx.Client(base_url=self.url, headers=headers, timeout=30, verify=False)  # http: there is no TLS

    def head(self, request: str, name: str = "", *lines: str) -> bytes:
        """The head of a request, with the token of a client, as bytes for `connect`."""
        said = [f"{request} HTTP/1.1", f"Host: {self.url.removeprefix('http://')}"]
        said += [f"Authorization: {self.place.token(name).header}"] if name else []
        return "\r\n".join([*said, *lines, "", ""]).encode("latin-1")

    def connect(self, sent: bytes = b"", reads: int = 0) -> socket.socket:
        """A connection on which anything may be sent, and that takes about so many bytes before they are read."""
        host, port = self.url.removeprefix("http://").split(":")
        link = socket.socket()
        link.settimeout(10)
        if reads:
            link.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, reads)
        link.connect((host, int(port)))
        link.sendall(sent)
        return link

    def left(self) -> list[str]:
        """Files of uploads and jobs that the server keeps."""
        state = self.place.folder / "state"
        return [str(path.relative_to(state)) for part in ("unfinished", "jobs") for path in (state / part).rglob("*")]


def new_place(folder: Path, names: tuple[str, ...] = ("alice", "bob")) -> ServerFolder:
    for name in names:
        issue(name, folder / "tokens", folder / f"{name}.token")
    return ServerFolder(folder)


@contextlib.contextmanager
def serving(
    place: ServerFolder, limits: Limits = LIMITS, *offerings: Adder, answers: AnswerSettings = AnswerSettings()
) -> Iterator[Running]:
    server = place.server(limits, *offerings, answers=answers)
    with server.running() as url:
        yield Running(place, url, server)


def until(what: Callable[[], bool], seconds: float = 30.0) -> None:
    """Wait for something that has to happen."""
    deadline = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < deadline, "it did not happen"
        time.sleep(0.02)


def until_closed(link: socket.socket, sent: bytes = b"", times: int = 3000) -> bytes:
    """Everything that comes until the server closes, while something is sent again and again."""
    found = b""
    link.settimeout(0.01)
    for _ in range(times):
        try:
            if sent:
                link.sendall(sent)
            block = link.recv(1 << 16)
        except TimeoutError:
            continue
        except OSError:
            return found
        if not block:
            return found
        found += block
    raise AssertionError("it was never closed")


@contextlib.contextmanager
def meanwhile(what: Callable[[], None], times: int = 2000) -> Iterator[None]:
    """Something again and again, as long as the honest client takes; a connection that is closed is opened no more."""
    done = threading.Event()

    def run() -> None:
        for _ in range(times):
            if done.wait(0.002):
                return
            with contextlib.suppress(OSError, ServiceError):
                what()

    thread = threading.Thread(target=run)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()
