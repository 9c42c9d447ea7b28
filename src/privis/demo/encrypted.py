"""The part of the demo in which a server computes features of photographs that it gets encrypted."""

from __future__ import annotations

import importlib.util
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from privis.features.colour import ColourHistogram
from privis.features.feature import Feature
from privis.features.owner import resize
from privis.plan import Extractor, card_of
from privis.privacy import no_release
from privis.report import Figure, Gallery, Row
from privis.run.clear import Clear

if TYPE_CHECKING:
    from privis.plan import Executor

Image = NDArray[np.uint8]

SIDE = 64  # pixels
OFFERS: Mapping[str, tuple[str, Feature]] = {  # what takes a second; HOG takes ten
    "colour": ("Colour histogram", ColourHistogram(bins=16, size=(SIDE, SIDE))),
}
NEEDED = ("tenseal", "uvicorn", "starlette", "httpx")
HIDES = "hides image and feature from the server; the result is exact"
MISSING = "Without the extras he and serve (pip install 'privis[he,serve]') the demo leaves the server out."
SHOWN_ROWS = 256  # of the picture of a ciphertext


def computed(images: Mapping[str, Image], on_step: Callable[[str], None]) -> tuple[list[Row], list[Gallery], str]:
    """Rows in the clear and by a server, what the server holds, and a note; only the note without the extras.

    The server listens on the loopback device, in a thread, with keys and tokens that are gone afterwards.
    """
    if not all(importlib.util.find_spec(name) for name in NEEDED):
        return [], [], MISSING
    name, photograph = next(iter(images.items()))
    small = resize(photograph, (SIDE, SIDE))
    with tempfile.TemporaryDirectory(prefix="privis-demo-") as folder:
        on_step("a server that sees ciphertexts")
        rows, message = _asked(Path(folder), name, small, on_step)
    note = (
        "The server that computes on ciphertexts is a process of this machine, reached through its loopback device; "
        "the time under it is for one photograph: encrypting, sending, queueing, computing and decrypting."
    )
    return rows, [_held(small, message)], note


def _asked(folder: Path, name: str, image: Image, on_step: Callable[[str], None]) -> tuple[list[Row], bytes]:
    """All rows, and a message as the server got it."""
    from privis.serve.client import Client
    from privis.serve.homomorphic import OfferProgram
    from privis.serve.limits import Limits
    from privis.serve.owner import OwnerKeys
    from privis.serve.remote import Remote
    from privis.serve.server import Server
    from privis.serve.tokens import Token, Tokens, issue

    issue("demo", folder / "tokens", folder / "token")
    shapes = {offer: feature.before(image).shape for offer, (_, feature) in OFFERS.items()}
    makers = [OfferProgram(o, title, feature.program(shapes[o])) for o, (title, feature) in OFFERS.items()]
    limits = replace(Limits(), grace_seconds=0.1)
    server = Server(makers, Tokens.load(folder / "tokens"), folder / "state", port=0, limits=limits)
    rows: list[Row] = []
    with server.running() as url, Client(url, Token.load(folder / "token")) as client:
        for offer, (title, feature) in OFFERS.items():
            on_step(f"{title}, encrypted")
            keys = OwnerKeys.generate(client.terms(offer), folder / offer)
            message = keys.encrypt([feature.before(image)]).message
            with Remote(url, folder / offer, folder / "token") as remote:
                rows += _compare(f"{title}, {SIDE} × {SIDE}", feature, name, image, remote)
    return rows, message


def _compare(title: str, feature: Feature, name: str, image: Image, remote: Executor) -> Iterator[Row]:
    exact = np.zeros(0)
    ways: tuple[tuple[str, Executor], ...] = (("in the clear", Clear()), ("encrypted (CKKS)", remote))
    for protection, under in ways:
        extractor = Extractor(feature, under, None, None, None)
        extractor(image, f"{name}, to warm up")
        start = time.perf_counter()
        vector = extractor(image, name).astype(np.float64)
        seconds = time.perf_counter() - start
        exact = vector if isinstance(under, Clear) else exact
        length = np.linalg.norm(exact)
        cosine = float(vector @ exact / length / np.linalg.norm(vector))
        prepared = extractor.prepare(feature.before(image).shape)
        card = card_of(extractor, no_release(), (prepared.digest,), 1)
        note, hides = ("", "") if isinstance(under, Clear) else (under.seen, HIDES)
        difference = float(np.linalg.norm(vector - exact) / length)
        yield Row(title, protection, card.guarantee, seconds, difference, cosine, None, card, note, hides)


def _held(image: Image, message: bytes) -> Gallery:
    """The owner's photograph beside the first bytes of what the server gets instead."""
    size = SHOWN_ROWS * SHOWN_ROWS
    noise = np.frombuffer(message, np.uint8)[-size:].reshape(SHOWN_ROWS, SHOWN_ROWS)
    shown = np.ascontiguousarray(image.repeat(SHOWN_ROWS // SIDE, 0).repeat(SHOWN_ROWS // SIDE, 1))
    text = f"What the server gets: the last {size:,} of {len(message):,} bytes of the encrypted photograph."
    figures = (Figure(shown, "What the owner sees.", "a photograph"), Figure(noise, text, "noise"))
    sentence = (
        "The owner encrypts the photograph under a key that never leaves, and sends it with keys that let the server "
        "compute one feature and decrypt nothing. The result comes back encrypted, too."
    )
    return Gallery("A server without a view", sentence, figures)
