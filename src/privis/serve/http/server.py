"""``Server``: a service behind uvicorn, with TLS, that stops without losing what it took."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import socket
import ssl
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType

from privis.errors import ParameterError, PrivisError, Problem, ServiceError, refuse
from privis.extras import optional_import
from privis.file_formats import FileFormat, format_of, misfit
from privis.serve.answering import AnswerSettings
from privis.serve.http.app import application
from privis.serve.http.connections import Connection, Connections
from privis.serve.http.loopback import is_loopback
from privis.serve.http.tokens import Tokens
from privis.serve.limits import Limits
from privis.serve.offerings.offering import MakeOffering, Terms
from privis.serve.service import Service

with optional_import("serve", "a server for encrypted images"):
    import uvicorn

_BACKLOG = 256
_CLOSING = 64  # connections that were told to close may take a moment
_LOOK_SECONDS = 0.05
_LAST_SECONDS = 5  # for answers that are on their way


@dataclass(frozen=True)
class Certificate:
    """Files of a TLS certificate chain and its private key, PEM."""

    chain: Path
    key: Path


@dataclass
class Server:
    """Serves offerings over HTTP to the clients that hold tokens.

    The process that answers cannot decrypt anything, and neither can its workers: ``privis.run.he.owner.keys`` is
    imported by none of them.

    Args:
        offerings: what is computed; each is compiled when the server opens.
        tokens: of the clients.
        state: folder for keys, messages and results; nobody else may use it.
        host: address to listen on.
        port: to listen on; 0: a free one.
        certificate: for TLS; None: plain HTTP, on a loopback address only, because tokens would be readable on the way.
        limits: of memory, time, sizes and jobs.
        answers: how many answers about the server's own templates and models a client may get, and where that is kept.

    Raises:
        ParameterError: settings do not fit together; from `open`, also what compiling the offerings raises.
    """

    offerings: Sequence[MakeOffering]
    tokens: Tokens
    state: Path
    host: str = "127.0.0.1"
    port: int = 8443
    certificate: Certificate | None = None
    limits: Limits = field(default_factory=Limits)
    answers: AnswerSettings = AnswerSettings()

    def __post_init__(self) -> None:
        if self.certificate is None and not is_loopback(self.host):
            got, remedy = f"{self.host} without TLS", "give a certificate and its key, or listen on 127.0.0.1"
            raise ParameterError(Problem("listen", got, "TLS for an address that others reach", remedy))
        self._socket: socket.socket | None = None
        self._server: _Draining | None = None
        self._server_started = threading.Event()

    @property
    def url(self) -> str:
        """URL of the server, known once it listens."""
        scheme = "http" if self.certificate is None else "https"
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{scheme}://{host}:{self.port}"

    def open(self) -> tuple[Terms, ...]:
        """Take port and folder and compile the offerings; `run` or `close` follows.

        Returns:
            The terms of the offerings.

        Raises:
            ServiceError: port or folder cannot be had.
        """
        if self.certificate is not None:
            _require_usable(self.certificate)
        self._socket = _bind(self.host, self.port)
        self.port = self._socket.getsockname()[1]
        try:
            clients = tuple(name for name, _ in self.tokens.known)
            self._service = Service.open(self.offerings, self.state, self.limits, clients, self.answers)
        except BaseException:
            self._socket.close()
            raise
        app = application(self._service, self.tokens)
        self._server = _Draining(self._service, app, self.certificate, self._server_started)
        return tuple(self._service.terms.values())

    def close(self) -> None:
        """Give back what `open` took, if nothing is to be served."""
        if self._socket is not None:
            self._socket.close()
            self._service.close()

    def run(self) -> None:
        """Answer until `stop`, SIGTERM or SIGINT: then end what runs, for `Limits.grace_seconds`; a second one stops.

        Raises:
            ServiceError: the process that holds the offerings ended.
        """
        if self._server is None:
            self.open()
        assert self._server is not None and self._socket is not None
        try:
            self._server.run([self._socket])
        finally:
            self._socket.close()
        if self._service.lost.is_set():
            problem = Problem("server", "its fork server ended", "it running", "see the log; start it again")
            raise ServiceError(problem)

    def stop(self) -> None:
        """Begin to stop; may be called from any thread."""
        if self._server is not None:
            self._server.begin_to_stop()

    @contextlib.contextmanager
    def running(self) -> Iterator[str]:
        """Serve in a thread of this process; for tests, notebooks and the demonstration.

        Yields:
            The URL.

        Raises:
            PrivisError: what ended the server.
        """
        self.open()
        failures: list[PrivisError] = []

        def serve() -> None:
            try:
                self.run()
            except PrivisError as error:
                failures.append(error)

        thread = threading.Thread(target=serve, name="privis-server", daemon=True)
        thread.start()
        while thread.is_alive() and not self._server_started.wait(_LOOK_SECONDS):
            pass
        try:
            yield self.url
        finally:
            self.stop()
            thread.join()
        if failures:
            raise failures[0]


class _Draining(uvicorn.Server):
    """uvicorn that answers on while it drains: results have to be fetched by somebody."""

    def __init__(
        self, service: Service, app: object, certificate: Certificate | None, listening: threading.Event
    ) -> None:
        self._service, self._loop, self._listening = service, None, listening
        self._begun = False
        limits = service.limits
        self._drain: asyncio.Task[None] | None = None
        config = uvicorn.Config(
            app,  # type: ignore[arg-type]
            loop="asyncio",
            http=functools.partial(Connection, Connections(limits)),  # type: ignore[arg-type]
            ws="none",
            lifespan="off",
            access_log=False,
            log_config=None,
            server_header=False,
            proxy_headers=False,
            backlog=_BACKLOG,
            limit_concurrency=limits.connections + _CLOSING,
            timeout_graceful_shutdown=_LAST_SECONDS,
            ssl_certfile=None if certificate is None else certificate.chain,
            ssl_keyfile=None if certificate is None else certificate.key,
        )
        super().__init__(config)

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Begin housekeeping with the loop."""
        self._loop = asyncio.get_running_loop()
        await self._service.start()
        self._watch = asyncio.create_task(self._stop_when_lost())
        await super().startup(sockets)
        self._listening.set()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """End requests, then jobs and workers."""
        self._watch.cancel()
        await super().shutdown(sockets)
        await self._service.stop()

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """The first signal begins to stop, the second one stops."""
        if self._begun:
            self.should_exit = True
        self.begin_to_stop()

    def begin_to_stop(self) -> None:
        """Let running jobs end, then exit."""
        self._begun = True
        if self._loop is None:
            self.should_exit = True
        else:
            self._loop.call_soon_threadsafe(self._start_draining)

    def _start_draining(self) -> None:
        if self._drain is None:
            self._drain = asyncio.create_task(self._drain_and_exit())

    async def _drain_and_exit(self) -> None:
        await self._service.drain(self._service.limits.grace_seconds)
        self.should_exit = True

    async def _stop_when_lost(self) -> None:
        await self._service.lost.wait()
        self.should_exit = True


def _require_usable(certificate: Certificate) -> None:
    """Found before the offerings compile, not after."""
    try:
        ssl.create_default_context(ssl.Purpose.CLIENT_AUTH).load_cert_chain(certificate.chain, certificate.key)
    except OSError as error:
        got = error.strerror or str(error)
        where = f"certificate {certificate.chain}, {certificate.key}"
        wanted = ((certificate.chain, FileFormat.CERTIFICATE), (certificate.key, FileFormat.PRIVATE_KEY))
        others = [
            misfit(path, form, str(found), f"{form}, PEM")
            for path, form in wanted
            if (found := format_of(path)) not in (form, FileFormat.UNKNOWN)
        ]
        refuse(ParameterError, others)
        raise ParameterError(Problem(where, got, "a certificate and its private key, PEM")) from error


def _bind(host: str, port: int) -> socket.socket:
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        with contextlib.ExitStack() as unless_bound:
            made = unless_bound.enter_context(socket.socket(family, kind, protocol))
            made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            made.bind(address)
            unless_bound.pop_all()
        return made
    except OSError as error:
        got, remedy = error.strerror or str(error), "choose another address with --listen HOST:PORT"
        raise ParameterError(Problem(f"listen {host}:{port}", got, "an address that is free", remedy)) from error
