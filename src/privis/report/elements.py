"""What a report says: rows, pictures, charts; and the report of a folder run."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from privis.extraction.card import Card
from privis.extraction.folder import FolderResult
from privis.io.resumable.run import Failure
from privis.privacy import Guarantee
from privis.privacy.guarantee import shown, shown_delta

Picture = NDArray[np.uint8]
EXACT = "everything: it is exact"
LEAST_DELTA = 1e-12  # smaller ones, of sampling alone, are left to the details


@dataclass(frozen=True)
class Row:
    """One line of the table of results.

    ``seconds`` are per image; ``difference`` is the Euclidean distance from the exact feature over the length of that
    feature, ``cosine`` their cosine, ``another`` the difference that another image makes; None where there is nothing
    to compare with. ``note`` is a plain sentence for the details. ``seen`` says who saw the image, in a few words;
    where it is empty, the card's sentence stands for it.
    """

    feature: str
    protection: str
    promise: Guarantee
    seconds: float
    difference: float | None = None
    cosine: float | None = None
    another: float | None = None
    card: Card | None = None
    note: str = ""
    seen: str = ""

    @property
    def guarantee(self) -> str:
        """What the result may say, in a few words, with the epsilon of its unit and of the whole image."""
        return in_words(self.promise)

    @property
    def saw(self) -> str:
        """Who saw the image; what the result may say is another matter."""
        return self.seen or ("" if self.card is None else self.card.seen)


@dataclass(frozen=True, eq=False)
class Figure:
    """A picture, uint8 ``(H, W)`` or ``(H, W, 3)``, what it shows, and the same for who cannot see it."""

    picture: Picture
    caption: str
    alt: str


@dataclass(frozen=True)
class FigureGroup:
    """Figures side by side under a heading and a sentence."""

    title: str
    sentence: str
    figures: tuple[Figure, ...]


@dataclass(frozen=True)
class Line:
    """A named line of a chart: points ``(x, y)`` in order of x."""

    name: str
    points: tuple[tuple[float, float], ...]


@dataclass(frozen=True)
class Level:
    """A named horizontal line of a chart."""

    name: str
    y: float


@dataclass(frozen=True)
class Chart:
    """Lines over a logarithmic x axis; y is a share from 0 to 1, written in per cent.

    ``described`` says what it shows to who cannot see it; where it is empty, that follows from the axes.
    """

    title: str
    sentence: str
    x_label: str
    y_label: str
    lines: tuple[Line, ...]
    levels: tuple[Level, ...] = ()
    described: str = ""


@dataclass(frozen=True)
class Report:
    """Everything on the page; empty parts are left out."""

    title: str
    sentence: str
    rows: tuple[Row, ...] = ()
    parts: tuple[FigureGroup | Chart, ...] = ()
    failures: tuple[Failure, ...] = ()
    notes: tuple[str, ...] = ()


def folder_report(result: FolderResult, figures: Sequence[Figure] = ()) -> Report:
    """Report on a folder run; ``figures`` are shown as they are, so give none that the release was to protect."""
    outcome, card = result.outcome, result.card
    feature = str(card.feature.get("name", "feature"))
    fresh = outcome.rows - min(outcome.resumed, outcome.rows)
    protection = "in the clear" if card.release is None else _release_words(result.guarantee)
    row = Row(feature, protection, result.guarantee, outcome.seconds / max(1, fresh), card=card)
    sentence = (
        f"{outcome.rows:,} × {outcome.length:,} numbers, a row per image, made in {outcome.seconds:,.1f} seconds; "
        f"they are in {outcome.output}."
    )
    notes = card.threat_model, "The time per image counts the whole run: start, reading, extraction, writing."
    gallery = (FigureGroup("Samples", "Some of the images.", tuple(figures)),) if figures else ()
    return Report(f"Features: {feature}", sentence, (row,), gallery, outcome.failures, notes)


def _release_words(guarantee: Guarantee) -> str:
    places = {"feature units": "feature", "grey levels": "pixels", "counts": "counts"}
    if guarantee.step_unit not in places:
        return f"{guarantee.mechanism} on the feature"
    return f"{guarantee.mechanism} noise on the {places[guarantee.step_unit]}"


def in_words(guarantee: Guarantee) -> str:
    """Say a guarantee in a few words.

    >>> from privis.privacy import Laplace, PixelRelease, Pixels
    >>> in_words(PixelRelease(Laplace(4.0), Pixels(16), block=4).guarantee((28, 28)))
    'hides changes of up to 16 pixels: ε 4 · whole image: ε 196'
    """
    if math.isinf(guarantee.epsilon):
        return EXACT
    words = f"hides {hidden(guarantee)}: ε {bound(guarantee.epsilon)}"
    words += f", δ {scientific(guarantee.delta)}" if guarantee.delta > LEAST_DELTA else ""
    if guarantee.unit == "whole image":
        return words
    return f"{words} · whole image: ε {bound(guarantee.whole_image_epsilon)}"


def hidden(guarantee: Guarantee) -> str:
    """What a guarantee hides, in words."""
    match guarantee.unit:
        case "whole image":
            return "the whole image"
        case "person":
            return "all images of a person"
        case "enrolment":
            return "all enrolled images of a person"
        case "person added or removed":
            return "whether a person is there at all"
        case "person and day":
            return "everything of a person on one day"
        case "metric":
            return "small differences, per unit of distance"
    changed = guarantee.relation.removeprefix("images that differ ")
    return (
        f"changes of {changed.removeprefix('in ').replace('at most', 'up to')}"
        if "most" in changed
        else f"changes {changed}"
    )


def scientific(value: float) -> str:
    """Write a tiny bound, rounded up.

    >>> scientific(1e-6), scientific(2.4e-12)
    ('1e-6', '3e-12')
    """
    return shown_delta(value, 1).replace("e-0", "e-")


def number(value: float | None) -> str:
    """Write a number for a table: four digits at most, thousands apart, an infinite one as ∞."""
    if value is None:
        return "–"
    if math.isinf(value):
        return "∞"
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.3g}"


def bound(value: float) -> str:
    """Write an epsilon as `number` would, but rounded up: what is stated holds.

    >>> bound(4.0), bound(4.591), bound(1234.5), bound(math.inf)
    ('4', '4.6', '1,235', '∞')
    """
    return "∞" if math.isinf(value) else shown(value, 3)
