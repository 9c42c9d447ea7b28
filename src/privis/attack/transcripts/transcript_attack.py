"""Which picture a transcript is of, guessed by an attacker who has other transcripts of the same pictures.

The game is the one that encryption and secret sharing are proved for, with more given to the attacker than any real one
has: he knows all pictures, and has transcripts of each, made with the same keys in the same session. Whoever cannot
tell one picture from another here finds neither people nor features. What he tries are classifiers, so that a result at
chance is evidence of a fault not being there, such as reused randomness, and no proof.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, get_args

import numpy as np
import numpy.typing as npt

from privis.errors import ParameterError, Problem, refuse

Floats = npt.NDArray[np.float64]
Classifier = Literal["nearest neighbour", "ridge classifier"]


@dataclass(frozen=True, eq=False)
class Transcripts:
    """Transcripts as numbers.

    Args:
        channels: by name, (n, f) numbers: what was seen in one way.
        pictures: (n,) number of the picture that each transcript is of.

    Raises:
        ParameterError: channels of other lengths, or fewer than two pictures.
    """

    channels: Mapping[str, npt.NDArray[Any]]
    pictures: npt.NDArray[np.int64]

    def __post_init__(self) -> None:
        wrong = [name for name, seen in self.channels.items() if np.ndim(seen) != 2 or len(seen) != len(self.pictures)]
        problems = [Problem(f"Transcripts.{name}", "another shape", "a row for each transcript") for name in wrong]
        if not self.channels or len(np.unique(self.pictures)) < 2:
            got = f"{len(self.channels)} channels, {len(np.unique(self.pictures))} pictures"
            problems.append(Problem("Transcripts", got, "at least one channel and two pictures"))
        refuse(ParameterError, problems)

    def only(self, channel: str) -> Transcripts:
        """Give what was seen in one way.

        Args:
            channel: its name.

        Returns:
            The same transcripts, of which nothing else is known.
        """
        return Transcripts({channel: self.channels[channel]}, self.pictures)

    def halves(self) -> tuple[Transcripts, Transcripts]:
        """Give each picture's transcripts in turn to two sides."""
        turn = np.zeros(len(self.pictures), np.int64)
        for picture in np.unique(self.pictures):
            own = self.pictures == picture
            turn[own] = np.arange(own.sum()) % 2
        return self.part(turn == 0), self.part(turn == 1)

    def part(self, chosen: npt.NDArray[Any]) -> Transcripts:
        """Give some transcripts.

        Args:
            chosen: which, as an index of arrays.

        Returns:
            Those.
        """
        kept = {name: np.asarray(seen)[chosen] for name, seen in self.channels.items()}
        return Transcripts(kept, np.asarray(self.pictures)[chosen])


@dataclass(frozen=True)
class TranscriptAttack:
    """How far an attacker came.

    Args:
        hits: transcripts of which the picture was told.
        tries: all that were tested.
        chance: share that guessing gives.
        channel: what the attacker looked at, chosen on transcripts of his own.
        classifier: how.
    """

    hits: int
    tries: int
    chance: float
    channel: str
    classifier: Classifier


def attack_transcripts(known: Transcripts, tested: Transcripts) -> TranscriptAttack:
    """Tell which pictures transcripts are of.

    Channel and classifier are chosen on the known transcripts, one half against the other, so that the figure on the
    tested ones is of one attack alone.

    Args:
        known: transcripts of which the attacker knows the pictures.
        tested: transcripts of the same pictures, which were not used for anything else.

    Returns:
        What he got right.

    Raises:
        ParameterError: other channels, or a picture of which there is one known transcript alone.

    >>> rng = np.random.default_rng(0)
    >>> pictures = np.repeat(np.arange(4), 6)
    >>> told = Transcripts({"plain": np.eye(4)[pictures] + 0.1 * rng.normal(size=(24, 4))}, pictures)
    >>> found = attack_transcripts(*told.halves())
    >>> found.hits, found.tries, found.chance
    (12, 12, 0.25)
    """
    pictures, counts = np.unique(known.pictures, return_counts=True)
    problems = []
    if set(known.channels) != set(tested.channels) or not np.isin(tested.pictures, pictures).all():
        problems.append(Problem("tested", "other channels or pictures", "those of the known transcripts"))
    if counts.min() < 2:
        problems.append(Problem("known", "one transcript of a picture", "at least two of each"))
    refuse(ParameterError, problems)
    halves = known.halves()
    best: tuple[float, str, Classifier] | None = None
    for channel in known.channels:
        for classifier in get_args(Classifier):
            right = [
                (guessed(halves[a], halves[b], channel, classifier) == halves[b].pictures).mean()
                for a, b in ((0, 1), (1, 0))
            ]
            if best is None or np.mean(right) > best[0]:
                best = (float(np.mean(right)), channel, classifier)
    assert best is not None
    _, channel, classifier = best
    hits = int((guessed(known, tested, channel, classifier) == tested.pictures).sum())
    return TranscriptAttack(hits, len(tested.pictures), 1 / len(pictures), channel, classifier)


def guessed(known: Transcripts, asked: Transcripts, channel: str, classifier: Classifier) -> npt.NDArray[np.int64]:
    """Guess the picture of transcripts from one channel.

    Args:
        known: what the attacker learned from.
        asked: transcripts.
        channel: what is looked at.
        classifier: how.

    Returns:
        (n,) numbers of pictures.
    """
    rows, others = (np.asarray(each.channels[channel], np.float64) for each in (known, asked))
    mean = rows.mean(0)
    spread = float((rows - mean).std()) or 1.0  # one for all: a unit for each number would make noise of what is still
    rows, others = ((each - mean) / (spread * np.sqrt(rows.shape[1])) for each in (rows, others))
    if classifier == "nearest neighbour":
        distances = (rows**2).sum(1)[None] - 2 * others @ rows.T  # up to the other's own length
        order = np.random.default_rng(0).permutation(len(rows))  # of equally near ones none is first by its place
        return np.asarray(known.pictures[order][distances[:, order].argmin(1)])
    pictures, place = np.unique(known.pictures, return_inverse=True)
    kernel = rows @ rows.T
    weight = 0.1 * max(float(np.trace(kernel)) / len(rows), 1e-12)
    targets = np.eye(len(pictures))[place] - 1 / len(pictures)
    votes = (others @ rows.T) @ np.linalg.solve(kernel + weight * np.eye(len(rows)), targets)
    order = np.random.default_rng(0).permutation(len(pictures))
    return np.asarray(pictures[order][votes[:, order].argmax(1)])
