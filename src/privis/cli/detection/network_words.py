"""From the words of ``privis detect --model FILE.onnx`` to what finds boxes."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from privis.cli.detection.detect_options import ALL, FACES, PEOPLE, PLATES, NetworkHead
from privis.errors import ParameterError, Problem, ProgramError, UnsupportedError

if TYPE_CHECKING:
    from privis.estimators.detection.detector import FindsBoxes
    from privis.tasks.faces import DetectorHead

NETWORK = ".onnx"
"""Ending of a file that is read as a network."""
_SYNONYMS = {
    PEOPLE: ("person", ("people", "pedestrian", "human")),
    FACES: ("face", ("faces", "human face")),
    PLATES: ("plate", ("plates", "license plate", "licence plate", "license_plate", "licence_plate", "number plate")),
}
"""Label of what is found, and what networks call it besides."""
_SIZE = re.compile(r"(\d{1,5})x(\d{1,5})")


@dataclass(frozen=True)
class OnnxDetectorWords:
    """What was said of a network that detects.

    Args:
        what: is looked for.
        model: its file.
        head: what its outputs mean; None: told by their shapes.
        names: file of the names of its classes.
        size: of its input, ``HEIGHTxWIDTH`` in pixels.
        least: score from which something is found.
        overlap: from which two boxes are one thing.
        most: boxes of one picture at most.
        hidden: whether it is to run on what whoever computes does not see, so as one program on one size of a picture.
    """

    what: str
    model: Path
    head: NetworkHead | None = None
    names: Path | None = None
    size: str | None = None
    least: float | None = None
    overlap: float | None = None
    most: int | None = None
    hidden: bool = False

    def finder(self) -> FindsBoxes:
        """Make what finds boxes.

        Returns:
            It.

        Raises:
            ParameterError: words that do not fit, a file that cannot be read, or outputs that fit no head or several.
            ProgramError: the network is damaged, or its outputs are not those of the head.
        """
        from privis.estimators.detection.networks.face_outputs import FaceOutputs
        from privis.estimators.detection.networks.kept_labels import asked_for
        from privis.estimators.detection.networks.onnx_detector import network_of, onnx_detector

        size = self._size()
        with _said_of(self.model):
            found = onnx_detector(
                self.model, None if self.head is None else self.head.value, classes=self.names, size=size,
                least=self.least, overlap=self.overlap, most=self.most if self.what == ALL else None,
            )  # fmt: skip
        network = network_of(found)
        if self.what == FACES and not self.hidden and isinstance(network.head, FaceOutputs):
            return self._faces(network.head.head, size, network.score)
        if self.what == ALL:
            return found
        what, others = _SYNONYMS.get(self.what, (self.what, ()))
        try:
            return asked_for(found, what, others, called=what, most=self.most)
        except ParameterError as error:
            remedy = f"name its classes with --names, or ask for --what {ALL}"
            raise ParameterError(
                *(
                    replace(p, where="--what", got=repr(self.what), remedy=p.remedy if "mean" in p.remedy else remedy)
                    for p in error.problems
                )
            ) from None

    def _faces(self, head: DetectorHead, size: tuple[int, int] | None, least: float) -> FindsBoxes:
        """Faces, looked for at two sizes as everywhere in Privis."""
        from privis.estimators.detection.networks.kept_labels import KeptLabels
        from privis.estimators.detection.other_finders import FaceBoxes
        from privis.extraction.faces.face_detector import FaceDetector

        with _said_of(self.model):
            detector = FaceDetector.from_onnx(self.model, head, size=size, least=least)
            boxes = FaceBoxes(detector if self.overlap is None else replace(detector, overlap=self.overlap))
        return boxes if self.most is None else KeptLabels(boxes, boxes.labels, most=self.most)

    def _size(self) -> tuple[int, int] | None:
        if self.size is None:
            return None
        said = _SIZE.fullmatch(self.size.strip().lower())
        if said is None:
            raise ParameterError(Problem("--size", repr(self.size), "HEIGHTxWIDTH in pixels", "for example 640x640"))
        return int(said[1]), int(said[2])


@contextmanager
def _said_of(model: Path) -> Iterator[None]:
    """Say of what is wrong which option it is of."""
    try:
        yield
    except (ParameterError, ProgramError, UnsupportedError) as error:
        raise type(error)(*(replace(p, where=_option(model, p.where)) for p in error.problems)) from None


def _option(model: Path, where: str) -> str:
    if where == "head of the detector":
        return "--head"
    options = {"least": "--score", "overlap": "--overlap", "size": "--size"}
    _, _, name = where.rpartition(".")
    if name in options:
        return options[name]
    return f"--model {where}" if str(model) in where else f"--model {model}: {where}"
