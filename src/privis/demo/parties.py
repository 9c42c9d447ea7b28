"""The part of the demo in which three parties compute features of images that none of them sees."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
from numpy.typing import NDArray

from privis import draw
from privis.demo.hidden import Hidden, compare
from privis.extras import EXTRAS
from privis.features.colour import ColourHistogram
from privis.features.feature import Feature
from privis.features.hog import HOG
from privis.features.image_ops import grey, resize
from privis.features.lbp import LBP, Patterns
from privis.report import Figure, FigureGroup, Row
from privis.run.mpc.executor import MPC
from privis.run.mpc.fixed_point import Encoding, FixedPoint
from privis.run.mpc.protocols import ABY3
from privis.run.mpc.runtime.shares import share

Image = NDArray[np.uint8]

SIDE = 64  # pixels
FEATURES: tuple[tuple[str, Feature], ...] = (
    ("Colour histogram", ColourHistogram(bins=4, joint=True, density=True)),
    ("LBP, uniform", LBP(Patterns.UNIFORM, density=True)),
    ("HOG", HOG()),
)
PHOTOGRAPHS = 2  # the first one prepares, the second one is timed; a run takes about a second
SEEN = "its owner alone; each party got random shares"
MISSING = "Without the extra mpc (CPython 3.11: pip install 'privis[mpc]') the demo leaves the three parties out."


def computed(images: Mapping[str, Image], on_step: Callable[[str], None]) -> tuple[list[Row], list[FigureGroup], str]:
    """Rows in the clear and under three parties, what each party holds, and a note; only the note without SPU."""
    if EXTRAS["mpc"].missing():
        return [], [], MISSING
    small = {name: resize(image, (SIDE, SIDE)) for name, image in list(images.items())[:PHOTOGRAPHS]}
    rows: list[Row] = []
    with MPC() as parties:
        for title, feature in FEATURES:
            on_step(f"{title}, three parties")
            hidden = Hidden("three parties (ABY3)", parties, SEEN)
            rows += compare(f"{title}, {SIDE} × {SIDE}", feature, small, hidden)
    note = (
        "The three parties are processes of this machine, connected through its loopback device; the time under them "
        "is for one image and leaves out starting them and compiling the program."
    )
    return rows, [_held(next(iter(small.values())), rows[-1].difference or 0.0)], note


def _held(image: Image, difference: float) -> FigureGroup:
    """The owner's image beside the bytes that each party holds of it; ``difference`` is that of HOG under them."""
    luma = grey(image)
    parts = share(luma.astype(np.int64), Encoding.INTEGER, ABY3, FixedPoint(64, 18))
    scale = 256 // SIDE
    figures = [Figure(_large(luma, scale), "What the owner sees.", "an image")]
    for rank, part in enumerate(parts):
        caption = f"What party {rank + 1} holds of it: uniformly random numbers."
        lowest = np.frombuffer(part, np.uint8)[-16 * luma.size :: 16].reshape(
            luma.shape
        )  # two words of 8 bytes a pixel
        figures.append(Figure(_large(lowest, scale), caption, caption))
    text = (
        "HOG, drawn from the clear result: what the owner joins from the parties' shares is apart from it by "
        f"{difference:.1e} of its length."
    )
    figures.append(Figure(draw.picture(HOG(), luma), text, text))
    sentence = (
        "The owner splits every pixel into three random numbers that add up to it, and gives each party two of them. "
        "The lowest byte of one is drawn. No party alone learns anything; two that pool what they hold see the image."
    )
    return FigureGroup("Three parties, no image", sentence, tuple(figures))


def _large(picture: Image, scale: int) -> Image:
    return np.ascontiguousarray(picture.repeat(scale, 0).repeat(scale, 1))
