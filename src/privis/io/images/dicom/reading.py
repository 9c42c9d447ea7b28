"""What is said of DICOM files before they are read: public, and the same for every file of a run."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from privis.errors import ParameterError, Problem

FILE, FULL = "file", "full"
PRESETS: Mapping[str, tuple[float, float]] = MappingProxyType(
    {
        "lung": (-600.0, 1500.0),
        "mediastinum": (50.0, 350.0),
        "abdomen": (40.0, 400.0),
        "liver": (30.0, 150.0),
        "bone": (400.0, 1800.0),
        "brain": (40.0, 80.0),
        "subdural": (75.0, 215.0),
        "stroke": (32.0, 8.0),
    }
)
"""Windows by name: centre and width in Hounsfield units, for CT alone."""


@dataclass(frozen=True)
class DicomReading:
    """How DICOM files become pixels.

    Grey goes through the modality LUT or rescale of the file, then through a window, then MONOCHROME1 is inverted. No
    window is ever taken from an image's own values: that would tell of them what no guarantee covers.

    Args:
        window: of grey pictures. ``file``: the VOI LUT or first window of the file, per frame where it has that, and
            ``full`` where it has none; ``full``: the range of the stored bits; a name of `PRESETS`, for CT; or
            ``CENTRE,WIDTH`` in the units that the rescale gives.
        overlays: whether overlays are drawn in white; without it they are left out.
        patient: whether a file without a Patient ID is refused, as subjects are to come from it.

    Raises:
        ParameterError: a window of no such form, or a width below 1.

    >>> DicomReading("lung").fixed
    (-600.0, 1500.0)
    >>> DicomReading("40,400").fixed
    (40.0, 400.0)
    """

    window: str = FILE
    overlays: bool = False
    patient: bool = False

    def __post_init__(self) -> None:
        if self.window not in (FILE, FULL, *PRESETS):
            _numbers(self.window)

    @property
    def fixed(self) -> tuple[float, float] | None:
        """Centre and width of a public window, or None where files are to say."""
        if self.window in (FILE, FULL):
            return None
        return PRESETS.get(self.window) or _numbers(self.window)


def _numbers(window: str) -> tuple[float, float]:
    expected = f"{FILE}, {FULL}, CENTRE,WIDTH with a width of at least 1, or one of {', '.join(PRESETS)}"
    try:
        centre, width = (float(word) for word in window.split(","))
        if math.isfinite(centre) and math.isfinite(width) and width >= 1:
            return centre, width
    except ValueError:
        pass
    raise ParameterError(Problem("window", repr(window), expected))
