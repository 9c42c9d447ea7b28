"""Whole rankings of an index that is asked under encryption and on shares, beside those in the clear.

``python -m benchmarks.private_search [DATA] [colour | network | colour-and-texture ...]``. Corel-1000, leave-one-out:
every image asks all of them, and itself is left out of the answer. Bars: mean average precision as in the clear, to
three decimals, by CKKS with a plain and with an encrypted gallery and by ABY3. Under encryption the key's owner ranks
decrypted scores, two queries in a message; on shares nothing but the order of rows is revealed, all queries in one job.

Processor seconds are of all sides together, per query, without keys and enrolment, which ``once`` holds; bytes per
query are those of both directions, on shares those that the first party sends. Rounds are of one message, or messages
of the first party in the one job, whose compilation (some seconds) is among its processor seconds.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from benchmarks.he.matching import _processor as processor
from benchmarks.mpc.matching import _processor as parties_processor
from benchmarks.tasks.retrieval import corel, leave_one_out, squeezenet
from privis.estimators.faces.matchers.encrypted_matching import EncryptedMatcher
from privis.estimators.faces.matchers.joint_matching import JointMatcher
from privis.extraction.images import extract
from privis.extraction.recipes.search_recipe import SearchRecipe, colour, colour_and_texture
from privis.features.feature import Array
from privis.tasks.questions import Top

DATA = Path(__file__).resolve().parents[3] / "shared" / "data"
RECIPES: dict[str, Callable[[Path], SearchRecipe]] = {
    "colour": lambda data: colour(),
    "network": squeezenet,
    "colour-and-texture": lambda data: colour_and_texture(),
}
ENCRYPTED = {"CKKS, plain gallery": False, "CKKS, encrypted gallery": True}
JOINT = "ABY3, order alone"
HEAD = (
    f"{'':26}{'mAP':>7}{'clear':>7}{'bar':>8}{'P@10':>7}{'CPU s/query':>13}{'kB/query':>10}{'rounds':>8}"
    f"{'once: CPU s':>13}{'MB':>7}"
)


@dataclass(frozen=True)
class Ranked:
    """Rankings of all images by one mechanism: quality beside the clear one, and cost of a query and of the start."""

    name: str
    precision: float
    clear: float
    first: float
    processor: float
    sent: float
    rounds: int
    start: float
    start_sent: int

    @property
    def kept(self) -> bool:
        """Whether mean average precision is that in the clear, to three decimals."""
        return f"{self.precision:.3f}" == f"{self.clear:.3f}"

    def line(self) -> str:
        """Beside its bar."""
        quality = f"{self.precision:7.3f}{self.clear:7.3f}{'kept' if self.kept else 'MISSED':>8}{self.first:7.3f}"
        cost = f"{self.processor:13.4f}{self.sent / 1e3:10.1f}{self.rounds:8}"
        cost += f"{self.start:13.1f}{self.start_sent / 1e6:7.1f}"
        return f"{self.name:26}{quality}{cost}"


def vectors_of(recipe: SearchRecipe, images: Sequence[Array]) -> Array:
    """Vectors as an index stores them (images, components), of length 1."""
    found = {name: extract(part.feature, images).features for name, part in recipe.parts.items()}
    return recipe.fusion({name: rows.shape[1] for name, rows in found.items()}).vectors(found)


def precision_of(order: Array, labels: Array) -> tuple[float, float]:
    """Mean average precision and precision at 10 of rankings (images, images) of each image among all."""
    scores = np.zeros(order.shape)
    np.put_along_axis(scores, order, -np.arange(order.shape[1], dtype=np.float64)[None], axis=1)
    averages, firsts = leave_one_out(scores, labels)
    return float(averages.mean()), float(firsts.mean())


def encrypted(vectors: Array, labels: Array, clear: float, name: str, processes: int | None = None) -> Ranked:
    """All images ask, the key's owner ranks."""
    with EncryptedMatcher(encrypted_templates=ENCRYPTED[name], processes=processes).holding(vectors) as held:
        before = processor()
        held.cosines(vectors[:1])  # keys, and the gallery
        start, begun, sent = processor() - before, processor(), held.query_bytes + held.reply_bytes
        order = held.ask(Top(len(vectors)), vectors).indices
        used, sent = processor() - begun, held.query_bytes + held.reply_bytes - sent
        averages, firsts = precision_of(order, labels)
        each = (used / len(vectors), sent / len(vectors))
        return Ranked(name, averages, clear, firsts, *each, 2, start, held.key_bytes)


def shared(vectors: Array, labels: Array, clear: float) -> Ranked:
    """All images ask in one job, which reveals the order of rows."""
    before = processor()
    with JointMatcher().holding(vectors) as held:
        parties = held.live.parties
        start = processor() - before + parties_processor(parties)
        before, begun = processor(), parties_processor(parties)
        order = held.ask(Top(len(vectors)), vectors).indices
        used = processor() - before + parties_processor(parties) - begun
        averages, firsts = precision_of(order, labels)
        link = parties.measured[0]
        each = (used / len(vectors), link.sent / len(vectors))
        return Ranked(JOINT, averages, clear, firsts, *each, link.messages, start, 0)


def measure(vectors: Array, labels: Array, processes: int | None = None) -> list[Ranked]:
    """All mechanisms on unit vectors (images, components)."""
    averages, firsts = leave_one_out(vectors @ vectors.T, labels)
    clear = float(averages.mean())
    begun = time.process_time()
    _ = np.argsort(-(vectors @ vectors.T), axis=1)
    used = (time.process_time() - begun) / len(vectors)
    made = [Ranked("clear", clear, clear, float(firsts.mean()), used, 0, 0, 0.0, 0)]
    made += [encrypted(vectors, labels, clear, name, processes) for name in ENCRYPTED]
    return [*made, shared(vectors, labels, clear)]


def main(words: Sequence[str]) -> None:
    chosen = [word for word in words if word in RECIPES] or list(RECIPES)
    (data,) = [Path(word) for word in words if word not in RECIPES] or [DATA]
    images, labels = corel(data)
    for name in chosen:
        vectors = vectors_of(RECIPES[name](data), images)
        print(f"{name}: {len(vectors)} images, {vectors.shape[1]} numbers each\n{HEAD}", flush=True)
        for one in measure(vectors, labels):
            print(one.line(), flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
