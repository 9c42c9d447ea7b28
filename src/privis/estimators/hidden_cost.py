"""What a model takes that is asked about images which whoever computes does not see."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class HiddenCost:
    """What it takes, as predicted for this machine.

    Args:
        seconds: for one image, once keys are made and parties run; None: not known.
        sent: bytes for one image, to and from a server, or by each party.
        keys: bytes that are sent once.
        rounds: messages of a party for one image, one after another; None: not known.
    """

    seconds: float | None
    sent: int | None
    keys: int = 0
    rounds: int | None = None
