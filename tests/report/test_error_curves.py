"""Curves of error rates.

Answers for `privis.report.error_curves`.
"""

from __future__ import annotations

import re
import xml.etree.ElementTree as ElementTree

import numpy as np

from privis.report.error_curves import HEIGHT, MOST_POINTS, WIDTH, ErrorCurve, det_picture, roc_picture
from privis.tasks.verification import ErrorRates

RANDOM = np.random.default_rng(0)
RATES = ErrorRates(RANDOM.normal(2, 1, 3000), RANDOM.normal(0, 1, 20_000))


def test_a_curve_goes_from_all_to_nobody() -> None:
    few = ErrorCurve.of(ErrorRates(np.array([0.5, 0.9]), np.array([0.1, 0.5])))
    assert few.thresholds[:3].tolist() == [0.1, 0.5, 0.9]
    assert few.false_matches.tolist() == [1, 0.5, 0, 0] and few.false_non_matches.tolist() == [0, 0, 0.5, 1]
    curve = ErrorCurve.of(RATES)
    assert len(curve.thresholds) <= MOST_POINTS + 2 and (np.diff(curve.thresholds) > 0).all()
    assert (curve.false_matches[0], curve.false_non_matches[-1]) == (1, 1)
    for threshold, falsely, missed in list(zip(*vars(curve).values(), strict=True))[::50]:
        assert falsely == (RATES.impostor >= threshold).mean()
        assert np.isclose(missed, (RATES.genuine < threshold).mean())
    rare = curve.false_matches[curve.false_matches > 0].min()
    assert rare <= 2 / RATES.impostor.size, "thinning keeps the rare end"


def test_pictures_hold_the_curve() -> None:
    curve = ErrorCurve.of(RATES)
    for draw, word in ((roc_picture, "Receiver"), (det_picture, "Detection")):
        text = draw(curve, (3000, 20_000))
        ElementTree.fromstring(text)
        assert word in text and "3,000 genuine and 20,000 impostor pairs" in text and "1e-5" in text
        corners = re.search(r'polyline points="([^"]+)"', text)
        assert corners is not None
        points = np.array([[float(v) for v in each.split(",")] for each in corners[1].split()])
        assert len(points) == len(curve.thresholds) and (points >= 0).all() and (points <= [WIDTH, HEIGHT]).all()
        assert (np.diff(points[:, 0]) <= 0).all(), "fewer false accepts with every threshold"
