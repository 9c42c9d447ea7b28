"""The part of the demo in which three parties compute features of photographs that none of them sees."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping

import numpy as np
from numpy.typing import NDArray

from privis import draw
from privis.errors import MissingExtraError
from privis.features.colour import ColourHistogram
from privis.features.feature import Feature
from privis.features.hog import HOG
from privis.features.lbp import LBP, Patterns
from privis.features.owner import grey, resize
from privis.plan import Executor, Extractor, card_of
from privis.privacy import no_release
from privis.report import Figure, Gallery, Row
from privis.run.clear import Clear
from privis.run.mpc.executor import MPC
from privis.run.mpc.fixed_point import Encoding, FixedPoint
from privis.run.mpc.presets import ABY3
from privis.run.mpc.shares import require_spu, share

Image = NDArray[np.uint8]

SIDE = 64  # pixels
FEATURES: tuple[tuple[str, Feature], ...] = (
    ("Colour histogram", ColourHistogram(bins=4, joint=True, density=True)),
    ("LBP, uniform", LBP(Patterns.UNIFORM, density=True)),
    ("HOG", HOG()),
)
PHOTOGRAPHS = 2  # of them the means are taken; a run takes about a second
HIDES = "hides the image from the parties; the result is exact"
MISSING = "Without the extra mpc (CPython 3.11: pip install 'privis[mpc]') the demo leaves the three parties out."


def computed(images: Mapping[str, Image], on_step: Callable[[str], None]) -> tuple[list[Row], list[Gallery], str]:
    """Rows in the clear and under three parties, what each party holds, and a note; only the note without SPU."""
    try:
        require_spu()
    except MissingExtraError:
        return [], [], MISSING
    small = {name: resize(image, (SIDE, SIDE)) for name, image in list(images.items())[:PHOTOGRAPHS]}
    rows: list[Row] = []
    with MPC("aby3") as parties:
        for title, feature in FEATURES:
            on_step(f"{title}, three parties")
            rows += _compare(f"{title}, {SIDE} × {SIDE}", feature, small, parties)
    note = (
        "The three parties are processes of this machine, connected through its loopback device; the time under them "
        "is for one photograph and leaves out starting them and compiling the program."
    )
    return rows, [_held(next(iter(small.values())), rows[-1].difference or 0.0)], note


def _compare(title: str, feature: Feature, images: Mapping[str, Image], parties: MPC) -> Iterator[Row]:
    exact = np.zeros(0)
    ways: tuple[tuple[str, Executor], ...] = (("in the clear", Clear()), ("three parties (ABY3)", parties))
    for protection, under in ways:
        extractor = Extractor(feature, under, None, None, None)
        name, image = next(iter(images.items()))
        extractor(image, f"{name}, to warm up")
        start = time.perf_counter()
        vectors = np.stack([extractor(image, name) for name, image in images.items()]).astype(np.float64)
        seconds = (time.perf_counter() - start) / len(images)
        exact = vectors if isinstance(under, Clear) else exact
        lengths = np.linalg.norm(exact, axis=1)
        cosines = (vectors * exact).sum(1) / lengths / np.linalg.norm(vectors, axis=1)
        differences = np.linalg.norm(vectors - exact, axis=1) / lengths
        another = np.linalg.norm(np.roll(exact, 1, 0) - exact, axis=1) / lengths
        prepared = extractor.prepare(feature.before(image).shape)
        card = card_of(extractor, no_release(), (prepared.digest,), len(images))
        difference, cosine, other = (float(values.mean()) for values in (differences, cosines, another))
        note, hides = ("", "") if isinstance(under, Clear) else (under.seen, HIDES)
        yield Row(title, protection, card.guarantee, seconds, difference, cosine, other, card, note, hides)


def _held(image: Image, difference: float) -> Gallery:
    """The owner's photograph beside the bytes that each party holds of it; ``difference`` is that of HOG under them."""
    luma = grey(image)
    parts = share(luma.astype(np.int64), Encoding.INTEGER, ABY3, FixedPoint(64, 18))
    scale = 256 // SIDE
    figures = [Figure(_large(luma, scale), "What the owner sees.", "a photograph")]
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
    return Gallery("Three parties, no image", sentence, tuple(figures))


def _large(picture: Image, scale: int) -> Image:
    return np.ascontiguousarray(picture.repeat(scale, 0).repeat(scale, 1))
