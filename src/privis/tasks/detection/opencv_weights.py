"""Weights of window detectors as OpenCV publishes them: one flat list, the bias last, as an array or as text."""

from __future__ import annotations

import io
import os
import re
from pathlib import Path

import numpy as np
import numpy.typing as npt

from privis.errors import MissingExtraError, ParameterError, Problem
from privis.file_formats import FileFormat, misfit
from privis.tasks.detection.pyramid import Pyramid
from privis.tasks.detection.window_model import CHANNELS, WindowModel

WINDOWS = {3781: (128, 64), 1981: (96, 48)}
"""Windows by the count of numbers: OpenCV's people detector, and Daimler's."""
LARGEST = 1 << 20
"""Bytes of a file at most."""
PEOPLE_PYRAMID = Pyramid(step=1.05)
_BETWEEN = re.compile(r"[\s,;\[\](){}]+")


def opencv_weights(path: str | os.PathLike[str]) -> npt.NDArray[np.float64]:
    """Read what ``cv2.HOGDescriptor_getDefaultPeopleDetector()`` gives, from a file.

    Args:
        path: of a ``.npy`` file, or of text with numbers between spaces, commas, brackets or line ends.

    Returns:
        (3781,) or (1981,): weights of the window's blocks, block columns first, and the bias.

    Raises:
        ParameterError: it cannot be read, or is not as many finite numbers.
    """
    expected = "the 3780 weights and the bias of OpenCV's people detector, as .npy or text"
    place = Path(path)
    try:
        with open(place, "rb") as file:
            content = file.read(LARGEST + 1)
    except OSError as error:
        reason = error.strerror or str(error)
        raise ParameterError(misfit(place, FileFormat.UNKNOWN, reason, expected, "check the path")) from None
    try:
        if len(content) > LARGEST:
            raise ValueError("a larger file")
        if content.startswith(b"\x93NUMPY"):
            values = np.asarray(np.load(io.BytesIO(content), allow_pickle=False))
        else:
            words = _BETWEEN.split(content.decode("ascii"))
            values = np.array([float(word) for word in words if word])
        if values.dtype.kind not in "fiu":
            raise ValueError(f"{values.dtype} values")
    except (ValueError, EOFError, OSError) as error:
        got = "no list of numbers" if isinstance(error, UnicodeDecodeError) else str(error).splitlines()[0][:200]
        raise ParameterError(misfit(place, FileFormat.UNKNOWN, got, expected)) from None
    if values.size not in WINDOWS or not np.isfinite(values).all():
        got = f"{values.size} numbers" if np.isfinite(values).all() else "numbers that are not finite"
        counts = " or ".join(f"{count} for windows of {w} x {h}" for count, (h, w) in WINDOWS.items())
        remedy = "the bias is the last one"
        raise ParameterError(misfit(place, FileFormat.UNKNOWN, got, f"finite numbers: {counts}", remedy))
    return values.astype(np.float64).ravel()


def installed_people_weights() -> npt.NDArray[np.float64]:
    """The weights of the people detector that the installed OpenCV holds.

    Returns:
        (3781,): weights and bias.

    Raises:
        MissingExtraError: this OpenCV has none, as from version 5 on.
    """
    import cv2

    published = getattr(cv2, "HOGDescriptor_getDefaultPeopleDetector", None)
    if published is None:
        got, expected = f"OpenCV {cv2.__version__}, which has no people detector", "OpenCV 4, or a file of its weights"
        raise MissingExtraError(Problem("people", got, expected, "pip install 'opencv-python-headless<5'"))
    return np.asarray(published(), np.float64).ravel()


def window_model_of(
    weights: npt.ArrayLike, label: str = "person", least: float = 0.0, pyramid: Pyramid = PEOPLE_PYRAMID
) -> WindowModel:
    """Make a model of a flat list of weights.

    Args:
        weights: as `opencv_weights` gives them.
        label: what is found.
        least: score of a window from which it is kept.
        pyramid: which copies of a picture are looked at; as fine as OpenCV's own by default.

    Returns:
        The model, with the margins that were chosen for people.

    Raises:
        ParameterError: the count is none of a known window.

    >>> window_model_of(np.zeros(1981)).window
    (96, 48)
    """
    values = np.asarray(weights, np.float64).ravel()
    if values.size not in WINDOWS:
        expected = f"one of {', '.join(map(str, WINDOWS))}: {CHANNELS} for each block, and the bias"
        raise ParameterError(Problem("window_model_of.weights", f"{values.size} numbers", expected))
    return WindowModel(values[:-1], float(values[-1]), label, WINDOWS[values.size], pyramid, least=least)
