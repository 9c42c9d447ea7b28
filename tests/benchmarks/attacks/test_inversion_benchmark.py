"""The benchmark of inversion, tiny: painted faces, a network that sees brightness, and what is a missed bar."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.attacks.inversion import gradient, halves, line, released_report, ridge, rows_of
from privis.features.hog import HOG
from tests.estimators.faces.painted_faces import EXTRACTOR, picture, strips


def test_faces_come_back_from_templates_and_noise_hides_them(capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("torch")
    people = [str(person) for person in range(24) for _ in range(2)]
    faces = [
        np.repeat(picture(person, shot).mean(2)[:, :, None], 3, 2).astype(np.uint8)
        for person in range(24)
        for shot in range(2)
    ]
    both = halves(faces, people, EXTRACTOR)
    assert not set(both[0].people) & set(both[1].people)
    rows = [rows_of(strips(), half) for half in both]
    found, starts = ridge("strips", rows, both)
    assert found.tries == 48 and found.chance == pytest.approx(1 / 23) and found.interval[0] > 2 * found.chance
    assert released_report(rows, both)
    assert "epsilon=2" in capsys.readouterr().out
    rows = [rows_of(HOG(cell=16), half) for half in both]
    descended = gradient(HOG(cell=16), rows, both, starts, 12, 2)
    assert descended.tries == 4 and "MISSED" in line(descended, "100%", False)
