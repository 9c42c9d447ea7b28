"""A query and its first answers, drawn side by side."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from privis.draw import ACCENT, GREY, INK, PAPER
from privis.errors import ImageError
from privis.io.images.decode import load

MOST = 48
"""Answers that are drawn."""
TILE, MARGIN, LINE = 192, 12, 40


def contact_sheet(
    query: str | Path, answers: Sequence[tuple[str, int, float]]
) -> tuple[NDArray[np.uint8], dict[str, str]]:
    """Draw a query, framed, and its answers in their order, each with its rank and distance.

    Args:
        query: path of the image that was asked about.
        answers: path, rank and distance of each.

    Returns:
        uint8 (H, W, 3), and by path why an image could not be drawn: its place is empty.
    """
    from PIL import Image, ImageDraw, ImageFont

    from privis.features.image_ops import colour

    shown = list(answers[:MOST])
    across = min(6, 1 + len(shown))
    down = math.ceil((1 + len(shown)) / across)
    step = TILE + MARGIN, TILE + LINE + MARGIN
    canvas = Image.new("RGB", (across * step[0] + MARGIN, down * step[1] + MARGIN), PAPER)
    pen, font, unread = ImageDraw.Draw(canvas), ImageFont.load_default(14), {}
    for place, (path, words) in enumerate(
        [(str(query), "query"), *((path, f"{rank}   {distance:.3f}") for path, rank, distance in shown)]
    ):
        left, top = MARGIN + place % across * step[0], MARGIN + place // across * step[1]
        try:
            picture = Image.fromarray(np.ascontiguousarray(colour(load(path))))
            picture.thumbnail((TILE, TILE))
            corner = left + (TILE - picture.width) // 2, top + (TILE - picture.height) // 2
            canvas.paste(picture, corner)
        except ImageError as error:
            unread[path] = "; ".join(problem.got for problem in error.problems)
            pen.text((left + TILE / 2, top + TILE / 2), "not readable", GREY, font, "mm")
        frame = (left - 3, top - 3, left + TILE + 2, top + TILE + 2)
        pen.rectangle(frame, None, ACCENT if place == 0 else None, 3) if place == 0 else None
        pen.text((left, top + TILE + 12), words, INK, font, "lm")
        pen.text((left, top + TILE + 29), _short(Path(path).name), GREY, font, "lm")
    return np.asarray(canvas), unread


def _short(name: str) -> str:
    return name if len(name) <= 24 else f"{name[:23]}…"
