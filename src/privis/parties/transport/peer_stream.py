"""The control plane's transport: gRPC with mutual TLS, our own frames, and names that certificates prove.

Each member has one `PeerStream` to every other for as long as a session lasts. A stream that breaks, or falls silent,
is how the death of a peer is noticed, whatever the data link is waiting for. (gRPC's own keep-alive does not notice a
frozen process within 20 s, so an idle stream sends heartbeats.)
"""

from __future__ import annotations

import queue
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

from privis.errors import PartyError, Problem
from privis.extras import optional_import
from privis.parties.identity.certificates import Identity, member_name
from privis.parties.table_reader import host_and_port
from privis.parties.transport.messages import LARGEST_HEADER, ControlMessage, pieces

SERVICE = "privis.Party"
TALK, SUBMIT = "Talk", "Submit"
ALIVE = "alive"
HEARTBEAT_SECONDS = 1.5  # between two heartbeats on an idle stream
RETRY_SECONDS = 0.2
PROBE_SECONDS = 3.0
ASK_SECONDS = 2.0  # for a member that hung up to say why


def grpc_module() -> Any:
    """Import gRPC, or raise MissingExtraError with the command that brings it."""
    with optional_import("mpc", "parties on real machines"):
        import grpc
    return grpc


OPTIONS: tuple[tuple[str, Any], ...] = (
    ("grpc.max_receive_message_length", LARGEST_HEADER),
    ("grpc.max_send_message_length", LARGEST_HEADER),
    ("grpc.enable_http_proxy", 0),
)
SERVER_OPTIONS = (*OPTIONS, ("grpc.so_reuseport", 0))  # else two parties could share a port unnoticed


def reach(name: str, address: str, identity: Identity, seconds: float, given_up: Callable[[], bool]) -> Any:
    """A gRPC channel to member ``name`` at ``address``, waiting ``seconds`` for it to come up.

    Raises PartyError when it does not, at once when who answers is somebody else or refuses our certificate.
    """
    deadline = time.monotonic() + seconds
    while True:
        try:
            probe(name, address, identity)
            return _channel(name, address, identity)
        except OSError as error:
            reason = error.strerror or str(error) or type(error).__name__
        if time.monotonic() > deadline or given_up():
            remedy = f"start it there with privis party, or check its address ({address}) and the firewall"
            raise PartyError(
                Problem(f"{name} at {address}", f"no answer within {seconds:g} s ({reason})", name, remedy)
            )
        time.sleep(RETRY_SECONDS)


def probe(name: str, address: str, identity: Identity) -> None:
    """Make sure that ``name`` answers at ``address`` and accepts our certificate.

    gRPC retries a failed handshake in silence; this says what is wrong. OSError: nobody answers (yet). PartyError:
    somebody else answers, by its certificate, or it does not trust ours.
    """
    where = f"{name} at {address}"
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False  # members have names of their own, checked below
    context.load_verify_locations(cadata=identity.authority.decode())
    context.load_cert_chain(identity.certificate_path, identity.key_path)
    context.set_alpn_protocols(["h2"])
    with socket.create_connection(host_and_port(address), PROBE_SECONDS) as plain:
        try:
            with context.wrap_socket(plain, server_hostname=name) as secure:
                answering = member_name(ssl.DER_cert_to_PEM_cert(secure.getpeercert(True) or b"").encode())
                if answering != name:
                    remedy = "correct the address of one of them, or the certificate of the one that answers"
                    raise PartyError(Problem(where, f"a certificate of {answering}", f"one of {name}", remedy))
                secure.recv(1)  # TLS 1.3 tells of a refused client certificate only now
        except ssl.SSLCertVerificationError as error:
            remedy = (
                f"all members need certificates of one authority; {name} has one of another, or {identity.name} has"
            )
            got = f"a certificate that is not to be trusted ({error.verify_message})"
            raise PartyError(Problem(where, got, "one of our authority", remedy)) from None
        except ssl.SSLError as error:
            remedy = (
                f"all members need certificates of one authority; {name} has one of another, or {identity.name} has"
            )
            got = f"a refusal of the certificate of {identity.name} ({error.reason or error})"
            raise PartyError(Problem(where, got, "it to be accepted", remedy)) from None


def _channel(name: str, address: str, identity: Identity) -> Any:
    grpc = grpc_module()
    credentials = grpc.ssl_channel_credentials(identity.authority, identity.private_key, identity.certificate)
    options = (*OPTIONS, ("grpc.ssl_target_name_override", name))
    return grpc.secure_channel(address, credentials, options)


def caller(context: Any) -> tuple[str | None, bytes]:
    """The member that makes a call, proved by its certificate, and that certificate; the server's side."""
    found = context.auth_context().get("x509_pem_cert", [b""])[0]
    return member_name(found), found


def reason_of_end(channel: Any, session: str) -> str:
    """What the member at the other end of ``channel`` says of a session that it has ended; "" when it says nothing."""
    grpc = grpc_module()
    try:
        call = channel.stream_unary(f"/{SERVICE}/{TALK}")
        call(iter(()), timeout=ASK_SECONDS, metadata=(("session", session),))
    except grpc.RpcError as error:
        return (error.details() or "") if error.code() is grpc.StatusCode.FAILED_PRECONDITION else ""
    except ValueError:  # our own side has closed the channel
        return ""
    return ""


class PeerStream:
    """Ordered message stream to one peer; ``on_loss`` is called when it breaks before ``close``."""

    def __init__(self, channel: Any, session: str, on_loss: Callable[[str], None]) -> None:
        self._channel, self._on_loss = channel, on_loss
        self._waiting: queue.SimpleQueue[ControlMessage | None] = queue.SimpleQueue()
        self._closing = threading.Event()
        call = channel.stream_unary(f"/{SERVICE}/{TALK}")
        self._call = call.future(self._pieces(), metadata=(("session", session),))
        self._call.add_done_callback(self._ended)

    def send(self, message: ControlMessage) -> None:
        """Queue ``message``; returns at once."""
        self._waiting.put(message)

    def close(self, seconds: float) -> None:
        """Send a goodbye and wait up to ``seconds`` until all messages were delivered."""
        self._closing.set()
        self._waiting.put(ControlMessage("bye"))
        self._waiting.put(None)
        done = threading.Event()
        self._call.add_done_callback(lambda _: done.set())
        done.wait(seconds)
        self._channel.close()

    def _pieces(self) -> Iterator[bytes]:
        while True:
            try:
                message = self._waiting.get(timeout=HEARTBEAT_SECONDS)
            except queue.Empty:
                message = ControlMessage(ALIVE)
            if message is None:
                return
            yield from pieces(message)

    def _ended(self, call: Any) -> None:
        self._waiting.put(None)
        if not self._closing.is_set():
            self._on_loss(call.details() or "")
