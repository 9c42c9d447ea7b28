"""Real DICOM files beside GDCM and windows by hand, and the files of pydicom's wheel."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.dicom.checks import FILES, bundled, compared, rate


def test_real_files_are_read_right(shared: Path) -> None:
    pytest.importorskip("gdcm")
    assert [name for name, different in compared(shared) if different] == []


def test_every_file_of_the_wheel_is_read_or_refused() -> None:
    read, refused, other = bundled()
    assert (read, other) == (89, []) and refused > 80


def test_the_rate_is_measured(shared: Path) -> None:
    pictures, seconds = rate(shared / "medical" / next(iter(FILES)), 4, 1)
    assert pictures > 0 and seconds > 0
