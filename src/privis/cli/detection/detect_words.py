"""From the words of ``privis detect`` to what finds boxes."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from privis.cli.detection.detect_options import FACES, PEOPLE, PLATES, NetworkHead
from privis.cli.detection.network_words import NETWORK, OnnxDetectorWords
from privis.errors import MissingExtraError, ParameterError, Problem, refuse
from privis.file_formats import FileFormat, format_of

if TYPE_CHECKING:
    from privis.estimators.detection.detector import FindsBoxes
    from privis.tasks.detection import WindowModel

PERSON = "person"
LEAST_FACE = 0.6


@dataclass(frozen=True)
class DetectWords:
    """What was said of a detector, as `privis.cli.detection.detect_options` describes it; None: nothing was.

    Args:
        what: is looked for.
        model: file of the detector.
        least: score from which something is found.
        overlap: from which two boxes are one thing.
        step: of the pyramid.
        border: of the pyramid.
        largest: of the pyramid.
        most: boxes of one picture at most.
        head: of an ONNX network.
        names: file of the names of its classes.
        size: of its input, ``HEIGHTxWIDTH`` in pixels.
        hidden: whether the detector is to run on what whoever computes does not see.
    """

    what: str
    model: Path | None = None
    least: float | None = None
    overlap: float | None = None
    step: float | None = None
    border: int | None = None
    largest: float | None = None
    most: int | None = None
    head: NetworkHead | None = None
    names: Path | None = None
    size: str | None = None
    hidden: bool = False

    def finder(self) -> FindsBoxes:
        """Make what finds boxes.

        Returns:
            It.

        Raises:
            ParameterError: words that do not fit, or a model that cannot be read.
            MissingExtraError: faces without the extra and without a model, or people with an OpenCV without weights.
        """
        networks = self.head is not None or self.names is not None or self.size is not None
        if self.model is not None and (networks or self.model.suffix.lower() == NETWORK):
            self._refuse("an ONNX network", "step", "border", "largest")
            return OnnxDetectorWords(
                self.what,
                self.model,
                self.head,
                self.names,
                self.size,
                self.least,
                self.overlap,
                self.most,
                self.hidden,
            ).finder()
        self._refuse_network_words()  # without any file
        if not self.what.strip():
            raise ParameterError(Problem("--what", "no word", f"{PEOPLE}, {FACES}, {PLATES}, or a label with --model"))
        if self.model is not None and format_of(self.model) is FileFormat.DETECTOR:  # whatever its label is
            return self._trained(self.model)
        if self.what == FACES:
            self._refuse("--what faces", "step", "border", "largest", "most", "overlap")
            return self._faces()
        if self.what == PLATES:
            self._refuse("--what plates", "model", "step", "border", "largest", "most")
            return self._plates()
        if self.what != PEOPLE and self.model is None:
            expected = f"{PEOPLE}, {FACES} or {PLATES}; for anything else its --model"
            raise ParameterError(Problem("--what", self.what, expected))
        return self._windows(PERSON if self.what == PEOPLE else self.what)

    def _windows(self, label: str) -> FindsBoxes:
        from privis.estimators.detection.detector import Detector
        from privis.tasks.detection import installed_people_weights, opencv_weights, window_model_of

        try:
            weights = installed_people_weights() if self.model is None else opencv_weights(self.model)
        except MissingExtraError as error:
            (problem,) = error.problems
            remedy = f"{problem.remedy}, or name a file of weights: --model FILE"
            raise MissingExtraError(replace(problem, where=f"--what {self.what}", remedy=remedy)) from None
        model: WindowModel = window_model_of(weights, label)
        given = {"step": self.step, "border": self.border, "largest": self.largest}
        model = replace(
            model,
            pyramid=replace(model.pyramid, **{name: value for name, value in given.items() if value is not None}),
            least=model.least if self.least is None else self.least,
        )
        detector = Detector(model, most=self.most)
        return detector if self.overlap is None else replace(detector, overlap=self.overlap)

    def _trained(self, path: Path) -> FindsBoxes:
        """What `privis detect train` made; without a word it finds what it was trained on."""
        from privis.estimators.detection.detector import Detector
        from privis.estimators.detection.training.detector_file import load_detector

        self._refuse("a trained detector, which knows its sizes", "largest")
        found = load_detector(path)
        windows, given = found.model.windows, {"step": self.step, "border": self.border}
        windows = replace(
            windows,
            label=windows.label if self.what == PEOPLE else self.what,
            pyramid=replace(windows.pyramid, **{name: value for name, value in given.items() if value is not None}),
        )
        model = replace(found.model, windows=windows, least=found.model.least if self.least is None else self.least)
        return Detector(model, overlap=found.overlap if self.overlap is None else self.overlap, most=self.most)

    def _faces(self) -> FindsBoxes:
        from privis.cli.faces.face_options import HeadName
        from privis.cli.faces.face_words import detector_of
        from privis.estimators.detection.other_finders import FaceBoxes
        from privis.extraction.faces.face_networks import yunet

        least = LEAST_FACE if self.least is None else self.least
        if self.model is not None:
            return FaceBoxes(detector_of(self.model, HeadName.YUNET, least))
        try:
            return FaceBoxes(yunet(least=least))
        except MissingExtraError as error:
            (problem,) = error.problems
            remedy = f"{problem.remedy}, or name a network: --model FILE.onnx"
            raise MissingExtraError(replace(problem, where="--what faces", remedy=remedy)) from None

    def _plates(self) -> FindsBoxes:
        from privis.estimators.detection.other_finders import RegionBoxes
        from privis.extraction.redaction.picture_finders import PlateSearch

        search = PlateSearch() if self.least is None else PlateSearch(score=self.least)
        found = RegionBoxes(search)
        return found if self.overlap is None else replace(found, overlap=self.overlap)

    def _refuse_network_words(self) -> None:
        """Options of ONNX networks, where there is none."""
        given = [name for name in ("head", "names", "size") if getattr(self, name) is not None]
        expected = f"--model FILE{NETWORK} with it"
        refuse(ParameterError, [Problem(f"--{name}", "no model", expected, "leave it out") for name in given])

    def _refuse(self, what: str, *names: str) -> None:
        """Options that mean nothing for ``what``, all at once."""
        words = {"largest": "--enlarge"}
        refuse(
            ParameterError,
            [
                Problem(words.get(name, f"--{name}"), f"with {what}", "leave it out: it does nothing there")
                for name in names
                if getattr(self, name) is not None
            ],
        )
