"""What a worker must know to join the others: addresses, certificates, patience."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class TlsFiles:
    """PEM files: the authority that signed every party's certificate, and this party's own certificate and key."""

    authority: Path
    certificate: Path
    private_key: Path


@dataclass(frozen=True)
class LinkPlan:
    """How the parties of one session reach each other; the same for all but ``rank`` and ``tls``.

    ``addresses`` are "host:port" in rank order. Waits are in seconds: ``connect_timeout`` for a peer to come up,
    ``receive_timeout`` for a message of a peer that is up.
    """

    session: str
    rank: int
    addresses: tuple[str, ...]
    tls: TlsFiles | None = None
    connect_timeout: float = 60.0
    receive_timeout: float = 120.0


@dataclass(frozen=True)
class LinkMeasurement:
    """What one run took at one party: wall-clock seconds, bytes sent and received, and messages sent."""

    seconds: float
    sent: int
    received: int
    messages: int
