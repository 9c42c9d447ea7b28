"""Figures of behaviour, on little data.

Answers for `benchmarks.behaviour.unusual_regions`, `benchmarks.behaviour.clips`,
`benchmarks.behaviour.rules` and `benchmarks.behaviour.commands_run`.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.behaviour import clips, rules, unusual_regions


def test_the_most_unusual_region_is_where_the_anomaly_is(shared: Path) -> None:
    pytest.importorskip("av")
    found = unusual_regions.clip_overlap(shared, "05")
    assert found.frames == 129 and found.overlapping >= 0.9 and found.union >= 0.85


@pytest.mark.long
@pytest.mark.parametrize("case", clips.CASES, ids=lambda case: case.folder)
def test_what_people_do_is_recognised(shared: Path, case: clips.Case) -> None:
    pytest.importorskip("av")
    value, (low, high), count, _ = clips.balanced(shared, case)
    assert count == 36 and low < value < high and value >= case.bar


@pytest.mark.long
def test_rules_find_on_own_tracks_what_they_find_on_annotated_ones(shared: Path) -> None:
    pytest.importorskip("av")
    found = rules.qualities(shared)
    assert len(found) == 3
    for quality in found.values():
        assert quality.recall.tries >= 5 and quality.recall.value >= 0.7 and quality.precision.value >= 0.6
