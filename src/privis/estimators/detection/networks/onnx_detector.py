"""``onnx_detector``: a detector of an ONNX file, whose head is named or told by the shapes of its outputs."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from privis.errors import ParameterError, Problem, ProgramError, UnsupportedError
from privis.estimators.detection.detector import Detector, FindsBoxes
from privis.estimators.detection.networks.face_outputs import DETECTION_HEADS, FaceOutputs
from privis.estimators.detection.networks.onnxruntime_detector import OnnxruntimeDetector, OriginalSession
from privis.features.cnn import CNN
from privis.file_formats import FileFormat, format_of
from privis.program.onnx.translate import parse_onnx, read_onnx
from privis.run.clear import Clear
from privis.run.protocol import Executor
from privis.tasks.detection.networks import (
    DetectionHead,
    DetectorNetwork,
    NetworkModel,
    NetworkReading,
    recognised_head,
)
from privis.tasks.detection.networks.class_names import class_names
from privis.tasks.detection.networks.detection_heads import MOST_LISTED
from privis.tasks.detection.networks.detector_network import LARGEST_SIDE, LONGEST, own_size, usual_size
from privis.tasks.detection.networks.encodings import Size

LARGEST_NAMES = 1 << 20
"""Bytes of a file of class names at most."""


def onnx_detector(
    path: str | Path,
    head: DetectionHead | str | None = None,
    *,
    classes: str | Path | Sequence[str] | None = None,
    size: Size | None = None,
    least: float | None = None,
    overlap: float | None = None,
    most: int | None = None,
    longest: int = LONGEST,
    under: Executor | None = None,
) -> FindsBoxes:
    """Read a detector from an ONNX file.

    In the clear a network of fixed size runs as a program where it can be translated. The file itself is run by
    onnxruntime where it cannot, as with suppression inside, and where every picture keeps its own size. Under another
    executor the network is always a program; its raw outputs are revealed to the owner of the picture, who decodes and
    suppresses.

    Args:
        path: of the file.
        head: what its outputs mean, or the name of a known head; None: the one that their shapes fit.
        classes: names in the network's order, or the path of a file of them; None: those in the metadata of the ONNX
            file, as Ultralytics writes them, or else ``class_0``, ``class_1``, …
        size: (height, width) of the input in pixels; None: see `DetectorNetwork`.
        least: score from which a box counts; None: that of the head.
        overlap: intersection over union from which two boxes of one class are one; None: that of the head.
        most: boxes of one picture at most; None: all.
        longest: pixels of the longer side of a picture that keeps its own size.
        under: who computes the network; None: `Clear`.

    Returns:
        The detector.

    Raises:
        ParameterError: a parameter is wrong, a file cannot be read, or the outputs fit no head or several.
        ProgramError: the model is damaged, or its outputs are not those of the head.
        UnsupportedError: the executor cannot compute the network.
    """
    content, executor = read_onnx(path), under or Clear()
    whole, names = size or usual_size(own_size(content)), _classes(content, classes)
    if max(whole) > LARGEST_SIDE:  # before any tensor of that size is made
        raise ParameterError(Problem("onnx_detector.size", f"{whole} pixels", f"at most {LARGEST_SIDE} a side"))
    outputs = _outputs(content, whole)
    if head is None:
        head = recognised_head(DETECTION_HEADS.values(), outputs, whole, len(names) or None)
    elif isinstance(head, str):
        if head not in DETECTION_HEADS:
            expected = f"one of {', '.join(DETECTION_HEADS)}"
            raise ParameterError(Problem("head of the detector", repr(head), expected))
        head = DETECTION_HEADS[head]
    head.decode(outputs, whole, 1.0, names)  # a head that does not fit is refused here
    if not names:
        count = head.class_count(outputs, whole) or MOST_LISTED
        names = ("face",) if isinstance(head, FaceOutputs) else tuple(f"class_{number}" for number in range(count))
    network = DetectorNetwork(content, head, names, size, least, longest)
    if isinstance(executor, Clear) and network.size is None:
        return OnnxruntimeDetector(network, overlap, most)
    kept = 1.0 if head.suppressed else head.overlap if overlap is None else overlap
    try:
        return Detector(NetworkModel(network), executor, kept, most)
    except (UnsupportedError, ProgramError) as error:
        if isinstance(executor, Clear):
            return OnnxruntimeDetector(network, overlap, most)
        remedy = "export the network without suppression inside, or run it in the clear"
        problems = [Problem(p.where, p.got, p.expected, p.remedy or remedy) for p in error.problems]
        raise type(error)(*problems) from None


def network_of(finder: FindsBoxes) -> DetectorNetwork:
    """The network of what `onnx_detector` made.

    Args:
        finder: made by it.

    Returns:
        The network, with its head.

    Raises:
        ParameterError: it is another one.
    """
    if isinstance(finder, OnnxruntimeDetector):
        return finder.network
    if isinstance(finder, Detector) and isinstance(finder.model, NetworkModel):
        return finder.model.network
    raise ParameterError(Problem("network_of.finder", f"a {type(finder).__name__}", "what onnx_detector made"))


def _outputs(content: bytes, size: Size) -> Mapping[str, NDArray[Any]]:
    """Outputs of the right shapes: those of a program are known, those of a file are computed."""
    with contextlib.suppress(UnsupportedError, ProgramError):
        feature = CNN(content, None, size)
        known = {tensor.name: np.zeros(tensor.shape) for tensor in feature.tensors(feature.shape)}
        if len(known) == len(parse_onnx(content).graph.output):  # a program has none that ignore the picture
            return known
    return OriginalSession(content).run(np.zeros((*size, 3), np.uint8), NetworkReading())


def _classes(content: bytes, given: str | Path | Sequence[str] | None) -> tuple[str, ...]:
    if isinstance(given, str | Path):
        return _names_in(Path(given))
    if given is not None:
        return tuple(map(str, given))
    said = {entry.key: entry.value for entry in parse_onnx(content).metadata_props}
    return class_names(said["names"], "names in the metadata of the ONNX file") if said.get("names") else ()


def _names_in(path: Path) -> tuple[str, ...]:
    """Names in a file of none of our formats: lines of a key must never become labels."""
    expected = "a text with the names of classes"
    found = format_of(path)
    if found not in (FileFormat.UNKNOWN, FileFormat.JSON):
        raise ParameterError(Problem(str(path), str(found), expected))
    try:
        with path.open("rb") as file:
            text = file.read(LARGEST_NAMES + 1).decode("utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        got = (error.strerror or "an error") if isinstance(error, OSError) else "bytes that are no UTF-8 text"
        raise ParameterError(Problem(str(path), got, expected)) from None
    if len(text) > LARGEST_NAMES:
        raise ParameterError(Problem(str(path), f"over {LARGEST_NAMES} bytes", expected))
    return class_names(text, str(path))
