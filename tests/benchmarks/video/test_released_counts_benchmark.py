"""The benchmark of released counts on three walkers and few draws."""

from __future__ import annotations

import numpy as np

from benchmarks.video.released_counts import count_errors
from privis.tasks.tracking import Tracks


def test_noise_is_within_its_bar_and_what_is_cut_off_adds_up() -> None:
    rows = [(n, person) for n in range(60) for person in (1, 2, 3) if n < 10 * person * 2]
    frames, ids = np.array(rows).T
    tracks = Tracks(frames + 1, ids, np.tile([0, 0, 4, 8], (len(rows), 1)), np.ones(len(rows)), frames / 10)
    errors = list(count_errors(tracks, 6.0, 30, window=1.0))
    assert [(e.most, e.epsilon) for e in errors] == [(m, e) for m in (2, 4) for e in (1.0, 2.0, 4.0)]
    assert [e.cut_off for e in errors][::3] == [(0 + 2 + 4) / 6, (0 + 0 + 2) / 6]
    for error in errors:
        assert 0 < error.noise <= 1.5 * error.bar and abs(error.both - error.noise) <= error.cut_off + 1e-9
