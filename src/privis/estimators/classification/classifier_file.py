"""A trained classifier as one file: an npz of numbers, and JSON for all that is text.

It holds the head, the identity of the feature, classes, calibration, the decision rule, and of the training numbers
alone: no path, no name and no digest of an image. A network that is the feature is in the file, too.

Evolution of the file: ``format`` in its metadata names it, and a reader refuses any other. Arrays and keys may be added
under the same number; one that goes, or means something else, takes the next.
"""

from __future__ import annotations

import hashlib
import io
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from privis.cards.signed_content import SignedContent, model_card
from privis.errors import ParameterError, Problem
from privis.estimators.classification.default_feature import default_feature
from privis.estimators.classification.trained_classifier import TrainedClassifier
from privis.features.cnn import CNN
from privis.features.feature import Feature
from privis.file_formats import FileFormat, misfit
from privis.identity import identity
from privis.io.atomic import replacing
from privis.privacy import NO_GUARANTEE, Guarantee
from privis.tasks.classification.decision_rule import DecisionRule
from privis.tasks.classification.probability_calibration import CalibrationMethod, ScoreScaling
from privis.tasks.decisions import Link
from privis.tasks.head_files import arrays_of, stages_of
from privis.tasks.linear_head import LinearHead
from privis.version import VERSION

FORMAT = "privis.classifier/1"
LARGEST = 1 << 31
"""Bytes of a file at most."""


@dataclass(frozen=True, eq=False)
class ClassifierFile:
    """What stands in the file.

    Args:
        text: the metadata.
        arrays: the numbers by name.
    """

    text: Mapping[str, Any]
    arrays: Mapping[str, npt.NDArray[Any]] = field(repr=False)

    @classmethod
    def of(cls, model: TrainedClassifier) -> Self:
        """Describe a classifier.

        Args:
            model: that is to be saved.

        Returns:
            What stands in its file.
        """
        kinds, arrays = ([], {}) if model.head is None else arrays_of(model.head.stages)
        found: dict[str, npt.NDArray[Any]] = dict(arrays)
        if isinstance(model.feature, CNN) and isinstance(model.feature.network, bytes):
            found["network"] = np.frombuffer(model.feature.network, np.uint8)
        rule = model.rule
        text = {
            "format": FORMAT, "version": VERSION, "classes": list(model.classes), "link": model.link.value,
            "stages": None if model.head is None else kinds,
            "scaling": {"factor": model.scaling.factor, "shift": model.scaling.shift},
            "calibration": model.calibration.value, "feature": model.described, "feature_identity": model.identity,
            "rule": {
                "watched": rule.watched, "threshold": rule.threshold, "abstain_below": rule.abstain_below,
                "sensitivity": rule.sensitivity,
            },
            "split": dict(model.split), "guarantee": None if model.guarantee is None else dict(model.guarantee),
            "words": dict(model.words), **({} if model.training is None else {"training": dict(model.training)}),
        }  # fmt: skip
        return cls(text, found)

    @property
    def network(self) -> bytes | None:
        """The network that is the feature, as an ONNX file."""
        found = self.arrays.get("network")
        return None if found is None else found.tobytes()

    @property
    def words(self) -> Mapping[str, Any]:
        """From which the command line makes the feature again."""
        return self.text["words"]

    def save(self, path: Path) -> None:
        """Write it, whole or not at all.

        Args:
            path: of the file.

        Raises:
            OutputError: it cannot be written.
        """
        buffer = io.BytesIO()
        members: dict[str, Any] = {"metadata": np.array(json.dumps(self.text, sort_keys=True)), **self.arrays}
        np.savez_compressed(buffer, **members)
        with replacing(path) as temporary:
            temporary.write_bytes(buffer.getvalue())

    @classmethod
    def load(cls, path: Path) -> Self:
        """Read what `save` wrote.

        Args:
            path: of the file.

        Returns:
            What stands in it.

        Raises:
            ParameterError: it is damaged, of another version, or something else.
        """
        expected = "a classifier that `privis classify train` made"
        try:
            if path.stat().st_size > LARGEST:
                raise ValueError("a file that is too large")
            with np.load(io.BytesIO(path.read_bytes()), allow_pickle=False) as members:
                text = json.loads(str(members["metadata"]))
                if text["format"] != FORMAT:
                    raise ValueError(f"format {text['format']!r}")
                found = cls(text, {name: np.asarray(members[name]) for name in members.files if name != "metadata"})
            found._model(default_feature())
            return found
        except Exception as error:  # whatever damaged or hostile bytes do to a decoder, the file is no classifier
            if isinstance(error, MemoryError):
                raise
            remedy = "privis classify train FOLDER --labels-from folder -o MODEL makes one"
            reason = f"{type(error).__name__}: {error}"
            raise ParameterError(misfit(path, FileFormat.CLASSIFIER, reason, expected, remedy)) from None

    def opened(self, feature: Feature | None = None) -> TrainedClassifier:
        """Make the classifier.

        Args:
            feature: what is extracted; None: that of `default_feature`.

        Returns:
            The classifier.

        Raises:
            ParameterError: it was trained on another feature.
        """
        chosen = feature or default_feature()
        if identity(chosen, "feature").hex() != self.text["feature_identity"]:
            known = self.text["feature"]
            got = type(chosen).__name__ + ", not as it was trained with"
            expected = f"{known.get('class')} with {', '.join(f'{k}={v}' for k, v in known.items() if k != 'class')}"
            remedy = "pass that feature, as in load(path, feature)"
            raise ParameterError(Problem("feature", got, expected, remedy))
        return self._model(chosen)

    def _model(self, feature: Feature) -> TrainedClassifier:
        text = self.text
        classes = tuple(map(str, text["classes"]))
        link = Link(text["link"])
        head = None
        if text["stages"] is not None:
            head = LinearHead(classes, stages_of(text["stages"], self.arrays), link)
        rule, scaling = text["rule"], text["scaling"]
        return TrainedClassifier(
            feature, classes, head, ScoreScaling(float(scaling["factor"]), float(scaling["shift"])), link,
            DecisionRule(rule["watched"], rule["threshold"], rule["abstain_below"], rule["sensitivity"]),
            CalibrationMethod(text["calibration"]), dict(text["split"]), text["guarantee"], dict(text["words"]),
            text.get("training"),
        )  # fmt: skip


def classifier_content(path: Path) -> SignedContent:
    """Read what a card says of a classifier that `privis classify train` wrote.

    Args:
        path: of the file.

    Returns:
        Digest of its bytes, counts, and its card.

    Raises:
        ParameterError: it is no such file.
    """
    text = ClassifierFile.load(path).text
    told = text["guarantee"]
    guarantee = NO_GUARANTEE if told is None else Guarantee.from_dict(told)
    card = model_card(text["feature"], guarantee, text.get("training"), str(text["version"]))
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    counts = {"classes": len(text["classes"])}
    return SignedContent("classifier of images", path.name, digest, "every byte of the file", counts, card)
