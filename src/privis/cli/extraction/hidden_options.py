"""Options of commands that ask a model about images which whoever computes does not see."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from privis.estimators.hidden_cost import HiddenCost

CLEAR, PROTECTIONS = "clear", ("clear", "ckks", "aby3", "cheetah")


class ExtractingSide(StrEnum):
    """Who computes the feature in front of a head."""

    SERVER = "server"
    OWNER = "owner"


Under = Annotated[
    str,
    typer.Option(
        help="Who computes: clear (this process sees images and model), ckks (the model's owner, on ciphertexts), aby3 "
        "or cheetah (three or two parties, on shares)."
    ),
]
ExtractedBy = Annotated[
    ExtractingSide,
    typer.Option(help="Hidden: who computes the public feature in front of the head; owner: before images are hidden."),
]


def predicted_line(under: str, cost: HiddenCost, images: int) -> str:
    """Say what it will take.

    Args:
        under: word of `--under`.
        cost: of an image.
        images: how many.

    Returns:
        A sentence.
    """
    seconds = "unknown" if cost.seconds is None else f"{cost.seconds:.2g} s an image, {cost.seconds * images:.3g} s"
    sent = "" if cost.sent is None else f"; {cost.sent / 1e6:.2g} MB an image"
    sent += " to the server and back" if under == "ckks" else " sent by each party"
    keys = f"; keys of {cost.keys / 1e6:.1f} MB once" if cost.keys else ""
    return f"Predicted under {under}, once started: {seconds} for {images:,}{sent}{keys}."
