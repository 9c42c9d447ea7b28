"""``KeptLabels``: of what a detector finds, the kinds that are asked for."""

from __future__ import annotations

import difflib
from dataclasses import dataclass
from typing import Any, ClassVar

from privis.errors import ParameterError, Problem, refuse
from privis.estimators.detection.detector import FindsBoxes
from privis.tasks.detection import DetectedBoxes
from privis.validation import whole_number

UNNAMED = ("class_0",)
"""Labels of a network of one class that has no name."""
_SHOWN = 8


@dataclass(frozen=True)
class KeptLabels:
    """A detector of several kinds, asked for some.

    Args:
        finder: the detector.
        kept: its labels whose boxes are kept.
        called: what they are called then; None: as the detector does.
        most: boxes of one picture at most, those of the highest scores; None: all.

    Raises:
        ParameterError: a label that the detector does not have, or ``most`` is wrong.
    """

    identifier: ClassVar[str] = "privis.kept-labels/1"

    finder: FindsBoxes
    kept: tuple[str, ...]
    called: str | None = None
    most: int | None = None

    def __post_init__(self) -> None:
        problems = [] if self.most is None else whole_number("KeptLabels.most", self.most)
        unknown = [label for label in self.kept if label not in self.finder.labels]
        if unknown or not self.kept:
            got = ", ".join(map(repr, unknown)) or "no label"
            problems.append(Problem("KeptLabels.kept", got, described_labels(self.finder.labels)))
        refuse(ParameterError, problems)

    @property
    def labels(self) -> tuple[str, ...]:
        """What it can find."""
        return self.kept if self.called is None else (self.called,)

    def detect(self, image: Any) -> DetectedBoxes:
        """Find the things in one picture.

        Args:
            image: a path, a PIL image or a uint8 array (H, W) or (H, W, 3) RGB.

        Returns:
            What was found of the kinds asked for, by falling score.

        Raises:
            ImageError: the picture cannot be read.
        """
        found = self.finder.detect(image)
        kept = found[[number for number, label in enumerate(found.labels) if label in self.kept]][: self.most]
        return kept if self.called is None else DetectedBoxes(kept.boxes, kept.scores, (self.called,) * len(kept))


def asked_for(
    finder: FindsBoxes, what: str, synonyms: tuple[str, ...] = (), *, called: str | None = None, most: int | None = None
) -> KeptLabels:
    """The detector of one kind of thing.

    Args:
        finder: a detector of several kinds.
        what: the kind, by the detector's own label; any word where it has one class without a name.
        synonyms: other labels of that kind.
        called: the label of the result; None: ``what``.
        most: boxes of one picture at most; None: all.

    Returns:
        The detector.

    Raises:
        ParameterError: nothing that it finds is called so; the message has what is.
    """
    kept = tuple(label for label in finder.labels if label == what or label.lower() in synonyms)
    if not kept and finder.labels == UNNAMED:
        kept = UNNAMED
    if not kept:
        near = difflib.get_close_matches(what, finder.labels, 3)
        remedy = f"did you mean {' or '.join(near)}?" if near else "ask for one of them, or for all"
        raise ParameterError(Problem("what is looked for", repr(what), described_labels(finder.labels), remedy))
    return KeptLabels(finder, kept, called or what, most)


def described_labels(labels: tuple[str, ...]) -> str:
    """What a detector finds, in words.

    Args:
        labels: of the detector.

    Returns:
        The first of them, and how many there are.

    >>> described_labels(("cat", "dog"))
    'one of cat, dog'
    """
    shown = ", ".join(labels[:_SHOWN])
    return f"one of {shown}" + (f" and {len(labels) - _SHOWN} others" if len(labels) > _SHOWN else "")
