"""A gallery of faces can be signed: bytes, number of people, and epsilon of released templates.

Answers for `privis.cards.gallery_content`.
"""

from __future__ import annotations

import json
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from privis.cards import Against, CardKey, SignedCard, checked_table, gallery_content
from privis.cards.card_check import beside
from privis.extraction.card import described
from privis.io.face_gallery import FaceGallery
from privis.privacy import DirectionRelease, Enrolment, PrivUnit

KEY = CardKey(bytes(range(32)))
STEPS = [29, pytest.param(1, marks=pytest.mark.long)]
"""Between two bytes that are changed."""
RELEASE = DirectionRelease(PrivUnit(8.0), unit=Enrolment())


def told(epsilon: float | None = None, kept: bool = True) -> dict[str, Any]:
    """What a gallery says of its templates."""
    guarantee = RELEASE.guarantee((16,)).to_dict()
    guarantee |= {} if epsilon is None else {"epsilon": epsilon, "whole_image_epsilon": epsilon}
    return json.loads(json.dumps({**guarantee, **({"release": described(RELEASE)} if kept else {})}))


def gallery_at(path: Path, guarantee: dict[str, Any] | None) -> Path:
    empty, templates, day = FaceGallery(bytes(32), "network"), np.eye(2, 16), date(2026, 1, 1)
    if guarantee is None:
        made = empty.with_images(["ann", "bob"], ["a1", "b1"], templates, day)
    else:
        made = empty.with_released(["ann", "bob"], [1, 3], templates, guarantee, day)
    path.write_bytes(made.to_bytes())
    signed = SignedCard.issued(gallery_content(path), KEY, time="2026-01-01T00:00:00+00:00", chain={})
    beside(path).write_bytes(signed.to_bytes())
    return path


def check(path: Path) -> Any:
    return checked_table(path, None, Against(KEY.public), read=gallery_content)


def test_epsilon_of_released_templates_is_recomputed(tmp_path: Path) -> None:
    found = check(gallery_at(tmp_path / "g", told()))
    assert found.findings.problems == () and any("recomputed" in each for each in found.findings.checked)
    assert found.card["content"]["counts"] == {"people": 2, "components": 16}
    text = beside(tmp_path / "g").read_text()
    assert '"ann"' not in text and '"bob"' not in text, "nobody is named"
    assert not check(gallery_at(tmp_path / "lower", told(2.0))).findings.holds
    unknown = check(gallery_at(tmp_path / "unknown", told(kept=False))).findings
    assert unknown.holds and any(each.startswith("epsilon:") for each in unknown.not_checked)
    exact = check(gallery_at(tmp_path / "exact", None))
    assert exact.findings.holds and "Without noise" in exact.card["limits"][0] and "guess" in exact.card["limits"][1]


@pytest.mark.parametrize("step", STEPS)
def test_every_changed_byte_of_a_gallery_and_its_card_is_found(tmp_path: Path, step: int) -> None:
    path = gallery_at(tmp_path / "g", told())
    for file in (path, beside(path)):
        data = file.read_bytes()
        for place in range(0, len(data), step):
            file.write_bytes(data[:place] + bytes([data[place] ^ 1]) + data[place + 1 :])
            assert not check(path).findings.holds, (file, place)
        file.write_bytes(data)
    assert check(path).findings.holds
