"""From words on the command line to a `Verifier` or an `Identifier`."""

from __future__ import annotations

import contextlib
import warnings
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from privis.cli.console import err
from privis.cli.faces.face_options import ChoiceName, HeadName
from privis.errors import ImageError, ParameterError, Problem, ProgramError, UnsupportedError, refuse

if TYPE_CHECKING:
    from privis.estimators.faces.identifier import Identifier
    from privis.estimators.faces.template_matching import TemplateMatcher
    from privis.estimators.faces.template_protection import TemplateRelease, TemplateTransform
    from privis.estimators.faces.verifier import Verifier
    from privis.extraction.faces.face_detector import FaceDetector
    from privis.extraction.faces.face_templates import FaceTemplateExtractor
    from privis.features.cnn import CNN
    from privis.tasks.verification import CalibrationTable

DEFAULT_THRESHOLD = "fmr:1e-4"
DEFAULT_INPUT = "rgb:-1..1"
LEAST_SCORE = 0.6
_RANGES = {"0..255": (1.0, 0.0), "0..1": (255.0, 0.0), "-1..1": (127.5, 1.0)}
"""Grey levels that become 1, and what is subtracted afterwards."""


@dataclass(frozen=True)
class FaceWords:
    """What was typed of a comparison; the meanings are those of `privis.cli.faces.face_options`."""

    detector: Path | None = None
    head: HeadName = HeadName.YUNET
    embedder: Path | None = None
    embedder_input: str = DEFAULT_INPUT
    choice: ChoiceName = ChoiceName.CENTRAL
    threshold: str = DEFAULT_THRESHOLD
    calibration: Path | None = None
    under: str = "clear"
    release: str | None = None
    epsilon: float | None = None
    key: Path | None = None
    ledger: Path | None = None
    transform: Path | None = None
    gap: float | None = None
    encrypted_gallery: bool = False


def rate_of(threshold: str) -> float:
    """The false-match rate of ``fmr:RATE``; ParameterError for anything else.

    >>> rate_of("fmr:1e-4")
    0.0001
    """
    kind, separator, text = threshold.partition(":")
    try:
        rate = float(text)
    except ValueError:
        rate = 0.0
    if kind != "fmr" or not separator or not 0 < rate < 1:
        remedy = "a cosine means nothing without the rate at which two people reach it"
        raise ParameterError(
            Problem("--threshold", repr(threshold), "fmr: and a rate between 0 and 1, as fmr:1e-4", remedy)
        )
    return rate


def refuse_unreadable(*pictures: Path) -> None:
    """Refuse pictures that cannot be read before any network is, all at once."""
    from privis.io.images import decode

    problems: list[Problem] = []
    for picture in pictures:
        try:
            decode.load(picture)
        except ImageError as error:
            problems += error.problems
    refuse(ImageError, problems)


def detector_of(path: Path, head: HeadName, least: float = LEAST_SCORE) -> FaceDetector:
    """A detector of one's own, whose outputs mean ``head`` and which finds faces from the score ``least`` on."""
    from privis.extraction.faces.face_detector import FaceDetector
    from privis.tasks import faces

    heads = {HeadName.YUNET: faces.YUNET, HeadName.SCRFD: faces.SCRFD, HeadName.RETINAFACE: faces.RETINAFACE}
    with _named("--detector", path):
        return FaceDetector.from_onnx(path, heads[head], least=least)


def extractor_of(words: FaceWords) -> FaceTemplateExtractor:
    """What makes templates; a warning is a sentence on stderr."""
    from privis.extraction.faces.face_networks import DEFAULT_REFUSED, face_template_extractor
    from privis.tasks import faces

    finder = None if words.detector is None else detector_of(words.detector, words.head)
    feature = None
    if words.embedder is not None:
        with _named("--embedder", words.embedder):
            feature = _embedder(words.embedder, words.embedder_input)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        only = words.choice is ChoiceName.ONLY
        choice = faces.FaceChoice.CENTRAL if only else faces.FaceChoice(words.choice.value)
        refused = DEFAULT_REFUSED | ({faces.FindingKind.SEVERAL_FACES} if only else frozenset())
        made = face_template_extractor(finder, feature, choice=choice, refused=refused)
    for warning in caught:
        err.print(f"privis: warning: {warning.message}", markup=False, soft_wrap=True)
    return made


@contextlib.contextmanager
def warnings_in_words() -> Iterator[None]:
    """Print warnings about pictures of several faces as sentences."""
    from privis.estimators.faces.face_comparison import SeveralFacesWarning

    shown = warnings.showwarning

    def show(message: Warning | str, category: type[Warning], *place: Any, **more: Any) -> None:
        if issubclass(category, SeveralFacesWarning):
            err.print(f"privis: warning: {message}", markup=False, soft_wrap=True)
        else:
            shown(message, category, *place, **more)

    with warnings.catch_warnings():
        warnings.showwarning = show
        warnings.simplefilter("always", SeveralFacesWarning)
        yield


@contextlib.contextmanager
def _named(option: str, path: Path) -> Iterator[None]:
    """Say of what is wrong with a network which one it is."""
    try:
        yield
    except (ParameterError, ProgramError, UnsupportedError) as error:
        problems = [
            p if str(path) in p.where else replace(p, where=f"{option} {path}: {p.where}") for p in error.problems
        ]
        raise type(error)(*problems) from None


def _embedder(path: Path, reads: str) -> CNN:
    from privis.features.cnn import CNN, Channels

    order, separator, values = reads.partition(":")
    if order not in ("rgb", "bgr") or not separator or values not in _RANGES:
        expected = f"rgb or bgr, and one of {', '.join(_RANGES)}, as in {DEFAULT_INPUT}"
        raise ParameterError(Problem("--embedder-input", repr(reads), expected))
    divisor, mean = _RANGES[values]
    try:
        return CNN.from_onnx(path, divisor=divisor, mean=mean, channels=Channels(order))
    except ParameterError as error:  # a network that leaves its size open
        if not any(problem.where == "CNN.size" for problem in error.problems):
            raise
        return CNN.from_onnx(path, size=(112, 112), divisor=divisor, mean=mean, channels=Channels(order))


def verifier_of(words: FaceWords) -> Verifier:
    """One against one, as it was typed."""
    from privis.estimators.faces.verifier import Verifier

    return Verifier(*_parts(words))


def identifier_of(words: FaceWords) -> Identifier:
    """One against many, as it was typed."""
    from privis.estimators.faces.identifier import Identifier

    return Identifier(*_parts(words))


def _parts(
    words: FaceWords,
) -> tuple[
    FaceTemplateExtractor,
    float,
    CalibrationTable | None,
    TemplateMatcher,
    TemplateTransform | None,
    TemplateRelease | None,
]:
    """Cheap words first: what is wrong with them is said before any network is read."""
    from privis.cli.faces.matcher_words import matcher_named
    from privis.cli.faces.release_words import release_named
    from privis.cli.faces.transform_words import transform_at
    from privis.tasks.verification import CalibrationTable

    rate, matcher = rate_of(words.threshold), matcher_named(words.under, words.gap, words.encrypted_gallery)
    release = release_named(words.release, words.epsilon, words.key, words.ledger)
    transform = transform_at(words.transform)
    table = None if words.calibration is None else CalibrationTable.load(words.calibration)
    return extractor_of(words), rate, table, matcher, transform, release
