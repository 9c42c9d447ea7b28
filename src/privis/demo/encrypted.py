"""The part of the demo in which a server computes features of an image that it gets encrypted."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from privis import draw
from privis.demo.hidden import Hidden, compare
from privis.extras import EXTRAS
from privis.features.colour import ColourHistogram
from privis.features.feature import Feature, core_shape
from privis.features.hog import HOG
from privis.features.image_ops import resize
from privis.report import Figure, FigureGroup, Row

if TYPE_CHECKING:
    from privis.serve.client.client import Client
    from privis.serve.client.program_keys import OwnerKeys
    from privis.serve.offerings.program import OfferProgram

Image = NDArray[np.uint8]

SIDE = 64  # pixels
PHOTOGRAPHS = 2  # the first one prepares, the second one is timed
MOST_SECONDS = 45.0  # that a feature may take for an image on this machine
SEEN = "its owner alone; the server got ciphertexts, and no result"
MISSING = "Without the extras he and serve (pip install 'privis[he,serve]') the demo leaves the encrypted image out."
CLIENT = "owner"
SHOWN = 256  # pixels, of a side of every picture


@dataclass(frozen=True)
class Offered:
    """A feature that the server computes: its ``name`` there, its ``title`` in the table."""

    name: str
    title: str
    feature: Feature

    @property
    def offer(self) -> OfferProgram:
        """How the server compiles it."""
        from privis.serve.offerings.program import OfferProgram

        core = core_shape(self.feature, (SIDE, SIDE, 3))
        return OfferProgram(self.name, self.title, self.feature.program(core))


OFFERED = (Offered("colours", "Colour histogram", ColourHistogram(bins=16)), Offered("hog", "HOG", HOG()))


def computed(images: Mapping[str, Image], on_step: Callable[[str], None]) -> tuple[list[Row], list[FigureGroup], str]:
    """Rows in the clear and through a server, what the server saw, and a note; only the note without the extras.

    A feature after the first that would take longer than ``MOST_SECONDS`` on this machine is left out, with a note.
    """
    if EXTRAS["he"].missing() or EXTRAS["serve"].missing():
        return [], [], MISSING
    from privis.serve.client.client import Client
    from privis.serve.client.executor import Remote
    from privis.serve.client.program_keys import OwnerKeys
    from privis.serve.http.server import Server
    from privis.serve.http.tokens import Token, Tokens, issue
    from privis.serve.limits import Limits

    small = {name: resize(image, (SIDE, SIDE)) for name, image in list(images.items())[:PHOTOGRAPHS]}
    rows: list[Row] = []
    notes = [
        "The server that computes on ciphertexts is a process of this machine, reached through its loopback device. "
        "The time under it is for one image, from encrypting to decrypting; making and sending keys are left out."
    ]
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        token = folder / "owner.token"
        issue(CLIENT, folder / "tokens", token)
        on_step("a server starts")
        offers = [each.offer for each in OFFERED]
        limits = Limits(grace_seconds=0.1)
        server = Server(offers, Tokens.load(folder / "tokens"), folder / "state", port=0, limits=limits)
        with server.running() as url, Client(url, Token.load(token)) as client:
            slower, keys = 1.0, dict[Offered, OwnerKeys]()  # slower than estimated
            for each in OFFERED:
                terms = client.terms(each.name)
                expected = slower * terms.estimate.seconds
                if rows and expected > MOST_SECONDS:
                    notes.append(f"{each.title} through the server would take {expected:.0f} s here: left out.")
                    continue
                on_step(f"{each.title}, encrypted")
                keys[each] = OwnerKeys.generate(terms, folder / each.name)
                with Remote(url, folder / each.name, token) as remote:
                    hidden = Hidden("encrypted (CKKS)", remote, SEEN)
                    rows += compare(f"{each.title}, {SIDE} × {SIDE}", each.feature, small, hidden)
                slower = max(slower, rows[-1].seconds / terms.estimate.seconds)
            gallery = _seen(client, keys[OFFERED[0]], OFFERED[0], next(iter(small.values())))
    return rows, [gallery], " ".join(notes)


def _seen(client: Client, keys: OwnerKeys, offered: Offered, image: Image) -> FigureGroup:
    """Send ``image`` once more, and draw what went there, what came back, and what the owner read in it."""
    from privis.serve.client.key_folder import KeyFolder

    query = keys.encrypt([(offered.feature.before(image),)])
    reply = KeyFolder(keys.folder).compute(client, query.message)
    decrypted = offered.feature.after(keys.decrypt(query, reply)[0][0])
    pictures = (
        (image.repeat(SHOWN // SIDE, 0).repeat(SHOWN // SIDE, 1), "What the owner sees.", "an image"),
        (_bytes(query.message), f"What the server got: {_start(query.message)} of ciphertext.", "noise"),
        (_bytes(reply), f"What the server sent back: {_start(reply)} of ciphertext.", "noise"),
        (draw.columns(decrypted), f"What the owner read in it: {offered.title.lower()}, decrypted.", "columns"),
    )
    sentence = (
        "The owner encrypts the image (CKKS, 128-bit security) and keeps the key; the server computes on what it "
        "cannot read. A pixel of a ciphertext's picture is one byte of it. Stripes are empty bytes of numbers that are "
        "shorter than their places, in the same places for every image."
    )
    figures = tuple(Figure(np.ascontiguousarray(drawn), text, alt) for drawn, text, alt in pictures)
    return FigureGroup("A server, no image", sentence, figures)


def _bytes(message: bytes) -> Image:
    """The middle of a message as a picture: its first bytes say what it is."""
    start = (len(message) - SHOWN**2) // 2
    return np.frombuffer(message, np.uint8, SHOWN**2, start).reshape(SHOWN, SHOWN)


def _start(message: bytes) -> str:
    return f"{SHOWN**2:,} of {len(message):,} bytes"
