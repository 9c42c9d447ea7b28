"""Error rates of comparisons as pictures: receiver operating characteristic and detection error trade-off, as SVG."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from privis.tasks.verification import ErrorRates

WIDTH, HEIGHT, LEFT, RIGHT, TOP, BOTTOM = 640, 480, 84, 28, 44, 60
MOST_POINTS = 400
"""Corners of a drawn curve at most."""

Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class ErrorCurve:
    """False matches and false non-matches at every threshold at which they change.

    Args:
        thresholds: rising scores.
        false_matches: shares of impostor pairs.
        false_non_matches: shares of genuine pairs.
    """

    thresholds: Floats
    false_matches: Floats
    false_non_matches: Floats

    @classmethod
    def of(cls, rates: ErrorRates) -> ErrorCurve:
        """Measure a curve.

        Args:
            rates: scores of known pairs.

        Returns:
            The curve, thinned to what a picture can show; its first point accepts all, its last one nobody.
        """
        scores = np.unique(np.concatenate([rates.genuine, rates.impostor]))
        places = np.append(scores, np.nextafter(scores[-1], np.inf))
        falsely, missed = rates.false_matches(places), rates.false_non_matches(places)
        if len(places) > MOST_POINTS:
            with np.errstate(divide="ignore"):
                position = np.log10(np.maximum(falsely, 0.1 / rates.impostor.size))
            turns = np.linspace(position[-1], position[0], MOST_POINTS)
            kept = np.unique(np.r_[0, len(places) - 1, np.searchsorted(-position, -turns).clip(0, len(places) - 1)])
            places, falsely, missed = places[kept], falsely[kept], missed[kept]
        return cls(places, falsely, missed)


def roc_picture(curve: ErrorCurve, pairs: tuple[int, int]) -> str:
    """Draw true accepts against false accepts.

    Args:
        curve: what was measured.
        pairs: how many genuine and impostor pairs.

    Returns:
        An SVG document; false accepts on a logarithmic axis that ends at one impostor pair.
    """
    low = math.floor(math.log10(1 / pairs[1]))
    labels = "false accepts (share of impostor pairs)", "true accepts (share of genuine pairs)"
    points = [(_log(x, low), 1 - y) for x, y in zip(curve.false_matches, curve.false_non_matches, strict=True)]
    ticks = [(_log(10.0**e, low), _power(e)) for e in range(low, 1)]
    shares = [(share / 4, f"{25 * share} %") for share in range(5)]
    return _picture("Receiver operating characteristic", pairs, labels, points, ticks, shares)


def det_picture(curve: ErrorCurve, pairs: tuple[int, int]) -> str:
    """Draw false non-matches against false matches, both on logarithmic axes.

    Args:
        curve: what was measured.
        pairs: how many genuine and impostor pairs.

    Returns:
        An SVG document; each axis ends at one pair.
    """
    low, bottom = (math.floor(math.log10(1 / count)) for count in (pairs[1], pairs[0]))
    labels = "false-match rate", "false-non-match rate"
    sides = zip(curve.false_matches, curve.false_non_matches, strict=True)
    points = [(_log(x, low), _log(y, bottom)) for x, y in sides]
    across = [(_log(10.0**e, low), _power(e)) for e in range(low, 1)]
    up = [(_log(10.0**e, bottom), _power(e)) for e in range(bottom, 1)]
    return _picture("Detection error trade-off", pairs, labels, points, across, up)


def _log(share: float, low: int) -> float:
    """Place of a share on an axis from ``10**low`` (0) to 1 (1); what is less lies at its end."""
    return 0.0 if share <= 10.0**low else 1 - math.log10(share) / low


def _power(exponent: int) -> str:
    return "1" if exponent == 0 else f"1e{exponent}"


def _picture(
    title: str,
    pairs: tuple[int, int],
    labels: tuple[str, str],
    points: Sequence[tuple[float, float]],
    across: Sequence[tuple[float, str]],
    up: Sequence[tuple[float, str]],
) -> str:
    end, floor = WIDTH - RIGHT, HEIGHT - BOTTOM
    parts = [
        f'<text x="{LEFT}" y="24" font-size="15">{title}, {pairs[0]:,} genuine and {pairs[1]:,} impostor pairs</text>'
    ]
    for share, text in across:
        x = LEFT + share * (end - LEFT)
        parts.append(f'<line x1="{x:.1f}" y1="{TOP}" x2="{x:.1f}" y2="{floor}" stroke="#ddd"/>')
        parts.append(f'<text x="{x:.1f}" y="{floor + 18}" text-anchor="middle">{text}</text>')
    for share, text in up:
        y = floor - share * (floor - TOP)
        parts.append(f'<line x1="{LEFT}" y1="{y:.1f}" x2="{end}" y2="{y:.1f}" stroke="#ddd"/>')
        parts.append(f'<text x="{LEFT - 8}" y="{y + 4:.1f}" text-anchor="end">{text}</text>')
    corners = " ".join(f"{LEFT + x * (end - LEFT):.1f},{floor - y * (floor - TOP):.1f}" for x, y in points)
    parts.append(f'<polyline points="{corners}" fill="none" stroke="#1f5fa8" stroke-width="2"/>')
    middle, height = (LEFT + end) / 2, (TOP + floor) / 2
    parts.append(f'<text x="{middle}" y="{HEIGHT - 14}" text-anchor="middle">{labels[0]}</text>')
    turned = f'transform="rotate(-90 20 {height})" x="20" y="{height}" text-anchor="middle"'
    parts.append(f"<text {turned}>{labels[1]}</text>")
    head = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" font-family="sans-serif"'
    return f'{head} font-size="12"><rect width="100%" height="100%" fill="#fff"/>{"".join(parts)}</svg>\n'
