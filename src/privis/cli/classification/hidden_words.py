"""From the words of ``--under`` and ``--learn`` to a classifier that is asked about images it does not see."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from privis.cli.classification.classify_words import FileReading
from privis.cli.console import err
from privis.cli.extraction.hidden_options import CLEAR, PROTECTIONS, ExtractingSide, predicted_line
from privis.errors import ImageError, ParameterError, Problem, refuse

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from privis.estimators.classification.hidden_classifier import HiddenClassifier
    from privis.estimators.classification.labelled_images import LabelledImages
    from privis.estimators.classification.trained_classifier import TrainedClassifier
    from privis.run.protocol import Executor

PRECISION = 1e-3
"""Largest error of a score under ckks, of the largest."""


class LearnedOfImages(StrEnum):
    """What the images' owner gets to know."""

    SCORES = "scores"
    DECISIONS = "decisions"


Learn = Annotated[
    LearnedOfImages,
    typer.Option(help="What the images' owner learns: scores (and so probabilities), or decisions alone."),
]


@dataclass(frozen=True)
class HiddenWords:
    """What was typed."""

    under: str = CLEAR
    learn: LearnedOfImages = LearnedOfImages.SCORES
    extracted_by: ExtractingSide = ExtractingSide.SERVER

    def check(self) -> None:
        """Refuse words that do not fit each other, before any model is opened.

        Raises:
            ParameterError: naming all.
        """
        problems = []
        if self.under not in PROTECTIONS:
            remedy = "a server is asked by privis query --server URL --predictions"
            problems.append(Problem("--under", repr(self.under), f"one of {', '.join(PROTECTIONS)}", remedy))
        elif self.under == CLEAR:
            given = {"--learn decisions": self.learn is LearnedOfImages.DECISIONS}
            given["--extracted-by owner"] = self.extracted_by is ExtractingSide.OWNER
            expected = "--under ckks, aby3 or cheetah, which hide something"
            problems += [Problem(option, "with --under clear", expected) for option, value in given.items() if value]
        refuse(ParameterError, problems)

    @contextlib.contextmanager
    def executor(self) -> Iterator[Executor]:
        """Start who computes; parties end with it."""
        from privis.cli.parsing import executor_named

        if self.under == "ckks":
            from privis.run.he.executor import CKKS

            yield CKKS(precision=PRECISION, inside=True)
            return
        made: Any = executor_named(self.under)
        try:
            yield made
        finally:
            made.close()


@dataclass(frozen=True, eq=False)
class HiddenAnswer:
    """What was learned of images.

    Args:
        images: that have an answer.
        scores: (images, scores); None: decisions alone were learned.
        labels: of decisions; None: they follow from the scores.
        document: seconds, bytes and who learned what, for JSON; None: nothing was hidden.
    """

    images: LabelledImages
    scores: npt.NDArray[np.float64] | None
    labels: tuple[str, ...] | None
    document: dict[str, Any] | None


def asked(
    words: HiddenWords, model: TrainedClassifier, images: LabelledImages, reading: FileReading, table: Path
) -> HiddenAnswer:
    """Ask a classifier as the words say; what it will take is told first.

    Args:
        words: of ``--under`` and what belongs to it.
        model: that is asked.
        images: about which.
        reading: of files.
        table: where answers are kept meanwhile.

    Returns:
        The answer.

    Raises:
        ParameterError, UnsupportedError: it cannot be asked so.
        ImageError: no file can be used.
    """
    if words.under == CLEAR:
        found, scores = reading.scores(model, images, table)
        return HiddenAnswer(found, scores, None, None)
    from privis.estimators.classification.hidden_classifier import HiddenClassifier
    from privis.tasks.decisions import Revealed

    learn = Revealed.CLASS if words.learn is LearnedOfImages.DECISIONS else Revealed.SCORES
    with words.executor() as under:
        hidden = HiddenClassifier(model, under, learn, words.extracted_by is ExtractingSide.OWNER)
        cost = hidden.check(_shape(hidden, images, reading))
        for line in (*hidden.told(), predicted_line(words.under, cost, len(images))):
            err.print(f"privis: {line}", markup=False, soft_wrap=True)
        found, vectors = FileReading(reading.decoding, 1, reading.label).vectors(
            hidden.feature, images, table, hidden.runner
        )
    document = {
        "under": words.under, "learned": words.learn.value, "seconds_an_image": cost.seconds,
        "bytes_an_image": cost.sent, "key_bytes": cost.keys, "told": list(hidden.told()),
    }  # fmt: skip
    if learn is Revealed.CLASS:
        return HiddenAnswer(found, None, hidden.labels(vectors), document)
    return HiddenAnswer(found, vectors.astype("float64"), None, document)


def _shape(hidden: HiddenClassifier, images: LabelledImages, reading: FileReading) -> tuple[int, ...]:
    """That of the feature's size, or of the first image that can be read."""
    if hidden.feature.size is not None:
        return (*hidden.feature.size, 3)
    for path in images.paths:
        with contextlib.suppress(ImageError):
            return reading.decoding(path).shape
    raise ImageError(Problem("images", "none that can be read", "at least one"))
