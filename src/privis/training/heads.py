"""A trained linear classifier that can be handed on: weights, classes, guarantee.

Evolution of the file: ``format`` in its metadata names it, and a reader refuses any other. Arrays and keys may be added
under the same number; one that goes, or means something else, takes the next.
"""

from __future__ import annotations

import hashlib
import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from privis.cards.signed_content import SignedContent, model_card
from privis.errors import ParameterError, Problem, refuse
from privis.extraction.card import described
from privis.extraction.owner.at_owner import AtOwner
from privis.features.feature import Feature
from privis.file_formats import FileFormat, format_of, misfit
from privis.io.atomic import replacing
from privis.privacy.guarantee import Guarantee
from privis.privacy.learning.standardisation import Standardisation, unit_length
from privis.program import Program, Shape
from privis.tasks.decisions import Link, Predictions, Revealed
from privis.tasks.linear_head import LinearHead, Scored
from privis.tasks.linear_stages import LinearMap, Scaling, Stage, UnitLength
from privis.version import VERSION

FORMAT = "privis.head/1"
_ROWS = 4096


Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Head:
    """A linear classifier of feature vectors, trained under a guarantee.

    Vectors are brought to length 1, standardised if there is a ``standardisation``, and brought to length 1 again.

    Args:
        classes: names, all different.
        weights: float64 (classes, components + 1), the last column the biases.
        guarantee: what the weights guarantee.
        standardisation: of the components; None: none.
        feature: from what the vectors were computed, as a card says it.
        training: the private training, as a card says a release; empty: a file of a version that did not keep it.

    Raises:
        ParameterError: the parts do not fit each other.
    """

    classes: tuple[str, ...]
    weights: Floats = field(repr=False)
    guarantee: Guarantee
    standardisation: Standardisation | None = None
    feature: Mapping[str, Any] = field(default_factory=dict)
    training: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        problems = []
        shape = np.shape(self.weights)
        if len(shape) != 2 or shape[0] != len(self.classes) or shape[1] < 2 or not np.isfinite(self.weights).all():
            got = f"weights of shape {shape}"
            expected = f"finite numbers (classes, components + 1), {len(self.classes)} classes"
            problems.append(Problem("Head.weights", got, expected))
        elif (kept := self.standardisation) is not None:
            good = kept.mean.shape == kept.deviation.shape == (shape[1] - 1,)
            if not good or not np.isfinite(kept.mean).all() or not (kept.deviation > 0).all():
                expected = f"{shape[1] - 1} means and positive deviations"
                problems.append(Problem("Head.standardisation", f"shapes {kept.mean.shape}", expected))
        if len(set(self.classes)) != len(self.classes):
            problems.append(Problem("Head.classes", ", ".join(self.classes), "different names"))
        refuse(ParameterError, problems)

    @property
    def components(self) -> int:
        """Components of the vectors that it classifies."""
        return self.weights.shape[1] - 1

    def scores(self, vectors: npt.NDArray[np.floating]) -> Floats:
        """Score vectors for every class; the largest wins.

        Args:
            vectors: (rows, components).

        Returns:
            Float64 (rows, classes).

        Raises:
            ParameterError: vectors are of another length.
        """
        rows = np.asarray(vectors)
        if rows.ndim != 2 or rows.shape[1] != self.components or rows.dtype.kind not in "fiu":
            got, expected = f"{rows.dtype} values of shape {rows.shape}", f"real numbers (rows, {self.components})"
            remedy = "extract the feature that the head was trained on, with the same parameters"
            raise ParameterError(Problem("vectors", got, expected, remedy))
        weights = self.weights[:, :-1].T
        parts = [self._brought(rows[start : start + _ROWS]) @ weights for start in range(0, len(rows), _ROWS)]
        return np.concatenate([np.empty((0, len(self.classes))), *parts]) + self.weights[:, -1]

    def probabilities(self, vectors: npt.NDArray[np.floating]) -> Floats:
        """Softmax of the scores; not calibrated.

        Args:
            vectors: (rows, components).

        Returns:
            Float64 (rows, classes).
        """
        scores = self.scores(vectors)
        exponentials = np.exp(scores - scores.max(1, keepdims=True))
        return exponentials / exponentials.sum(1, keepdims=True)

    def predict(self, vectors: npt.NDArray[np.floating]) -> list[str]:
        """Name the class of every row.

        Args:
            vectors: (rows, components).

        Returns:
            A name per row.
        """
        return [self.classes[number] for number in self.scores(vectors).argmax(1)]

    @cached_property
    def linear(self) -> LinearHead:
        """The head as stages of public numbers, which a program can compute."""
        stages: list[Stage] = [UnitLength()]
        if (kept := self.standardisation) is not None:
            gain = 1.0 / np.asarray(kept.deviation, np.float64)
            stages += [Scaling(gain, -np.asarray(kept.mean, np.float64) * gain), UnitLength()]
        weights = np.asarray(self.weights, np.float64)
        stages.append(LinearMap(weights[:, :-1].copy(), weights[:, -1].copy()))
        return LinearHead(self.classes, tuple(stages), Link.SOFTMAX)

    def program(self, feature: Feature, shape: Shape, answer: Revealed = Revealed.SCORES) -> Program:
        """Return the core of ``feature`` with the head behind it, as one program.

        Args:
            feature: the one whose vectors it was trained on.
            shape: of the core's input.
            answer: what the program reveals.

        Returns:
            The program; its output is (classes,), or () with ``Revealed.CLASS``.

        Raises:
            ParameterError: it was trained on another feature, or its vector is of another length.
            UnsupportedError: the owner finishes the feature by itself.
        """
        refuse(ParameterError, self._feature_problems(feature))
        return self.linear.program(feature, shape, answer)

    def decide(self, revealed: npt.NDArray[np.floating], answer: Revealed = Revealed.SCORES) -> Predictions:
        """Read revealed scores, at their owner.

        Args:
            revealed: scores (rows, classes), or with ``Revealed.CLASS`` numbers of classes (rows, 1).
            answer: what was revealed.

        Returns:
            Names of classes and probabilities.

        Raises:
            ParameterError: ``revealed`` is of another shape.
        """
        return self.linear.decide(revealed, answer)

    def __rrshift__(self, feature: Feature) -> Scored:
        if isinstance(feature, type) or not isinstance(feature, Feature):
            return NotImplemented
        refuse(ParameterError, self._feature_problems(feature))
        return Scored(feature, self.linear)

    def _feature_problems(self, feature: Feature) -> list[Problem]:
        """What differs from the feature of the training, as the card of its table says it."""
        extracted = feature.feature if isinstance(feature, AtOwner) else feature
        told, found = dict(self.feature), json.loads(json.dumps(described(extracted)))
        told.pop("name", None)
        if not told or told == found:
            return []
        keys = [key for key in told | found if told.get(key) != found.get(key)]
        remedy = "use the feature that the head was trained on, with the same parameters"
        return [
            Problem(f"{feature.name} >> head: {key}", repr(found.get(key)), f"{told.get(key)!r}, as trained", remedy)
            for key in keys
        ]

    def save(self, path: str | Path) -> None:
        """Write to ``path`` as npz: numbers, and JSON for all that is text.

        Nothing in it is secret beyond what the guarantee says.

        Args:
            path: of the file.

        Raises:
            OutputError: it cannot be written.
        """
        text = {
            "format": FORMAT,
            "version": VERSION,
            "classes": self.classes,
            "guarantee": self.guarantee.to_dict(),
            "feature": dict(self.feature),
            **({"training": dict(self.training)} if self.training else {}),
        }
        arrays = {"weights": self.weights, "metadata": np.array(json.dumps(text, sort_keys=True))}
        if self.standardisation is not None:
            arrays |= {"mean": self.standardisation.mean, "deviation": self.standardisation.deviation}
        buffer = io.BytesIO()
        np.savez_compressed(buffer, **arrays)
        with replacing(Path(path)) as temporary:
            temporary.write_bytes(buffer.getvalue())

    @classmethod
    def load(cls, path: str | Path) -> Self:
        """Read what `save` wrote. Nothing in the file is executed.

        Args:
            path: of a file that `save` wrote.

        Returns:
            The classifier.

        Raises:
            ParameterError: the file cannot be read, or is anything else.
        """
        try:
            with np.load(io.BytesIO(Path(path).read_bytes()), allow_pickle=False) as members:
                text = json.loads(str(members["metadata"]))
                if text["format"] != FORMAT:
                    raise ValueError(f"format {text['format']!r}")
                kept = None
                if "mean" in members:
                    kept = Standardisation(members["mean"], members["deviation"])
                guarantee = Guarantee.from_dict(text["guarantee"])
                training = text.get("training", {})
                return cls(tuple(text["classes"]), members["weights"], guarantee, kept, text["feature"], training)
        except Exception as error:  # whatever damaged or hostile bytes do to a decoder, the file is no classifier
            if isinstance(error, ParameterError | MemoryError):
                raise
            reason = f"{type(error).__name__}: {error}"
            raise ParameterError(misfit(path, FileFormat.HEAD, reason, "a classifier that Head.save wrote")) from None

    def _brought(self, vectors: npt.NDArray[np.floating]) -> Floats:
        if self.standardisation is None:
            return unit_length(vectors)
        return unit_length(self.standardisation(vectors))


def head_content(path: Path) -> SignedContent:
    """Read what a card says of a head that `privis train` or `Head.save` wrote.

    Args:
        path: of the file.

    Returns:
        Digest of its bytes, counts, and its card.

    Raises:
        ParameterError: it is no such file.
    """
    head = Head.load(path)
    data = path.read_bytes()
    with np.load(io.BytesIO(data), allow_pickle=False) as members:
        version = str(json.loads(str(members["metadata"])).get("version", ""))
    card = model_card(head.feature, head.guarantee, head.training, version)
    counts = {"classes": len(head.classes), "components": head.components}
    return SignedContent(
        "classifier", path.name, hashlib.sha256(data).hexdigest(), "every byte of the file", counts, card
    )


def load_head(path: str | Path) -> Head | LinearHead:
    """Read a head of either format: one that a private training made, or any other linear model.

    Args:
        path: of a file that `Head.save` or `LinearHead.save` wrote.

    Returns:
        The head.

    Raises:
        ParameterError: the file cannot be read, or is anything else.
    """
    return LinearHead.load(path) if format_of(path) is FileFormat.LINEAR_HEAD else Head.load(path)


def class_numbers(labels: Sequence[str] | npt.NDArray[Any], classes: Sequence[str], rows: int) -> npt.NDArray[np.int64]:
    """Number the ``labels`` by their place in the public list ``classes``.

    Raises ``ParameterError`` naming everything that does not fit: a wrong number of labels, labels that are no class,
    classes without any row, fewer than two classes.
    """
    names = [str(label) for label in labels]
    number_of = {str(name): number for number, name in enumerate(classes)}
    problems = []
    if len(number_of) < 2 or len(number_of) != len(classes):
        problems.append(Problem("classes", ", ".join(map(str, classes)), "at least two different names"))
    if len(names) != rows:
        problems.append(Problem("labels", f"{len(names)} labels", f"{rows}, one per vector"))
    strange = [row for row, name in enumerate(names) if name not in number_of]
    if strange:
        shown = ", ".join(f"{names[row]!r} in row {row}" for row in strange[:5]) + (" …" if len(strange) > 5 else "")
        got = f"{len(strange)} that are no class: {shown}"
        problems.append(Problem("labels", got, f"one of {', '.join(number_of)}"))
    empty = sorted(set(number_of) - set(names))
    if empty and len(number_of) >= 2:
        remedy = "leave the class out, or add images of it"
        got = f"no row of {', '.join(empty[:5])}{' …' if len(empty) > 5 else ''}"
        problems.append(Problem("classes", got, "at least one row of every class", remedy))
    refuse(ParameterError, problems)
    return np.array([number_of[name] for name in names], np.int64)
