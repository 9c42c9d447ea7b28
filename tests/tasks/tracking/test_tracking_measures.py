"""Measures of tracks beside those of py-motmetrics 1.4.0, kept here as numbers.

Answers for `privis.tasks.tracking.tracking_measures`.
"""

from __future__ import annotations

import numpy as np
import pytest

from privis.tasks.tracking import Tracks, tracking_quality

MOTMETRICS = {
    0: (0.118519, 0.325581, 15, 46, 58, 123, 42),
    1: (0.290076, 0.348837, 19, 35, 39, 127, 45),
    2: (0.253623, 0.347490, 16, 35, 52, 121, 45),
    3: (0.246377, 0.262172, 19, 38, 47, 129, 35),
}
"""By seed: MOTA, IDF1, switches, false positives, misses, boxes found, boxes of the same identity."""


def scenario(seed: int) -> tuple[Tracks, Tracks]:
    """Five people on crossing ways, and a tracker that misses, invents, shifts boxes and mixes up ids."""
    random = np.random.default_rng(seed)
    known, found = [], []
    alias = list(range(5))
    for frame in range(1, 31):
        if random.random() < 0.3:
            a, b = random.choice(5, 2, replace=False)
            alias[a], alias[b] = alias[b], alias[a]
        if random.random() < 0.2:
            alias[random.integers(5)] = int(random.integers(10, 99)) * 100 + frame
        for person in range(5):
            x, y = 20 * person + 3.0 * frame * (-1) ** person, 10.0 * person
            if random.random() < 0.9:
                known.append((frame, person + 1, x, y, 10.0, 20.0))
            if random.random() < 0.8:
                dx, dy = random.normal(0, 2.0, 2)
                found.append((frame, alias[person] + 1, x + dx, y + dy, 10.0, 20.0))
        if random.random() < 0.2:
            found.append((frame, 90000 + frame, 300.0, 300.0, 10.0, 20.0))
    return _tracks(known), _tracks(found)


def _tracks(rows: list[tuple[float, ...]]) -> Tracks:
    values = np.array(rows)
    frames, ids = values[:, 0].astype(int), values[:, 1].astype(int)
    return Tracks(frames, ids, values[:, 2:], np.ones(len(rows)), values[:, 0])


@pytest.mark.parametrize("seed", MOTMETRICS)
def test_measures_are_those_of_another_library(seed: int) -> None:
    quality = tracking_quality(*scenario(seed))
    mota, idf1, switches, false, missed, boxes, same = MOTMETRICS[seed]
    assert (quality.mota, quality.idf1) == pytest.approx((mota, idf1), abs=1e-6)
    assert (quality.switches, quality.false_positives, quality.missed) == (switches, false, missed)
    assert (quality.found, quality.same_identity) == (boxes, same)
