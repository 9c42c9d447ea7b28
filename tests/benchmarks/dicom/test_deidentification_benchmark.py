"""A set with known people in it: every required action, and what real files show."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.dicom.deidentification import CLEAN, FLAGGED, SHARE, flagged, make, measured


def test_required_actions_are_taken(tmp_path: Path) -> None:
    count = measured(tmp_path, 1, 2)
    assert count.required > 500 and count.second == 0
    assert count.share >= SHARE, count.missed


def test_a_file_holds_people_in_200_places(tmp_path: Path) -> None:
    import pydicom

    from benchmarks.dicom.deidentification import _elements

    made = make(tmp_path, "CT", 1)
    places = [each for each in _elements(pydicom.dcmread(made.path)) if any(s in str(each.value) for s in made.secrets)]
    assert len(places) >= 200


@pytest.mark.parametrize("part", [slice(0, 1), pytest.param(slice(1, None), marks=pytest.mark.long)])
def test_ultrasound_is_flagged_and_nothing_else(shared: Path, part: slice) -> None:
    found = flagged(shared, (*FLAGGED[part], *CLEAN[part]))
    if not found:
        pytest.skip("none of these real files is in shared/data/medical, and they are not part of the project")
    assert all(found[name] for name in FLAGGED if name in found)
    assert not any(found[name] for name in CLEAN if name in found), found
