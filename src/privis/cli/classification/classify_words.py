"""What commands of classification share: features and models of words, vectors of files, and what is told of them."""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.table import Table

from privis.cli.classification.classify_options import Calibrated, OnLeak
from privis.cli.console import err, out, progress
from privis.cli.parsing import feature_named
from privis.errors import ParameterError, Problem
from privis.io.images.decode import Decoding
from privis.io.images.dicom.reading import FILE, DicomReading

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from privis.estimators.classification.classifier_training import TrainingPlan
    from privis.estimators.classification.labelled_images import LabelledImages
    from privis.estimators.classification.trained_classifier import TrainedClassifier
    from privis.features.feature import Feature
    from privis.run.protocol import Executor
    from privis.tasks.classification.class_report import ClassificationReport
    from privis.tasks.classification.patient_splits import Leak
    from privis.tasks.classification.proportions import Proportion

SHOWN = 20
FILES_FOR_A_PROCESS = 64
NETWORK = "cnn"
_PATH = "path="


@dataclass(frozen=True)
class FeatureWords:
    """What was said of the feature.

    Args:
        name: of the feature; None: the default one.
        parameters: NAME=VALUE.
    """

    name: str | None = None
    parameters: tuple[str, ...] = ()

    def feature(self) -> Feature:
        """Make the feature.

        Returns:
            It.

        Raises:
            ParameterError: naming every word that does not fit.
        """
        if self.name is None:
            from privis.estimators.classification.default_feature import default_feature

            if self.parameters:
                got = " ".join(self.parameters)
                raise ParameterError(Problem("-p", got, "-f FEATURE, which it is a parameter of", "privis features"))
            return default_feature()
        return feature_named(self.name, self.parameters)

    def to_dict(self, decoding: Decoding = Decoding()) -> dict[str, Any]:
        """The words that a model keeps: no path of a network, which is in the model itself.

        Args:
            decoding: how files became the pixels that it was trained on.
        """
        return {
            "feature": self.name, "parameters": [each for each in self.parameters if not each.startswith(_PATH)],
            "bits": decoding.bits, "window": decoding.dicom.window, "overlays": decoding.dicom.overlays,
        }  # fmt: skip


def opened_model(path: Path) -> TrainedClassifier:
    """Open a classifier by the words that it keeps of its feature.

    Args:
        path: of what `privis classify train` wrote.

    Returns:
        The classifier.

    Raises:
        ParameterError: it is damaged, something else, or its feature cannot be made of words.
    """
    from privis.estimators.classification.classifier_file import ClassifierFile

    file = ClassifierFile.load(path)
    name, parameters = file.words.get("feature"), [str(each) for each in file.words.get("parameters", ())]
    with contextlib.ExitStack() as stack:
        if name == NETWORK and file.network is not None:
            folder = stack.enter_context(tempfile.TemporaryDirectory())
            place = Path(folder) / "network.onnx"
            place.write_bytes(file.network)
            parameters = [f"{_PATH}{place}", *parameters]
        return file.opened(FeatureWords(name, tuple(parameters)).feature())


def decoding_of(model: TrainedClassifier, max_pixels: int, patient: bool = False) -> Decoding:
    """Read files as those of the training were.

    Args:
        model: whose training decides bits, window and overlays.
        max_pixels: of an image.
        patient: whether DICOM files without a Patient ID are refused.

    Returns:
        How files become pixels.
    """
    words = model.words
    dicom = DicomReading(str(words.get("window", FILE)), bool(words.get("overlays", False)), patient)
    bits = words.get("bits")
    return Decoding(max_pixels, None if bits is None else int(bits), dicom)


def plan_of(
    strength: float,
    balanced: bool,
    calibration: Calibrated,
    folds: int,
    sensitivity: float | None,
    watched: str | None,
    abstain_below: float | None,
    seed: int,
) -> TrainingPlan:
    """Make a plan of the options.

    Args:
        strength: of the linear head.
        balanced: whether classes count equally.
        calibration: how scores become probabilities.
        folds: of the images.
        sensitivity: that is wanted.
        watched: the class that it is wanted for.
        abstain_below: probability below which nothing is said.
        seed: of the folds.

    Returns:
        The plan.

    Raises:
        ParameterError: naming every option that does not fit.
    """
    from privis.estimators.classification.classifier_training import TrainingPlan
    from privis.estimators.classification.head_training import LinearTraining
    from privis.tasks.classification.probability_calibration import CalibrationMethod

    if (sensitivity is None) != (watched is None):
        got = "--for alone" if sensitivity is None else "--sensitivity alone"
        raise ParameterError(Problem("--sensitivity, --for", got, "both, as in --sensitivity 0.95 --for ill"))
    method = CalibrationMethod(calibration.value)
    return TrainingPlan(
        LinearTraining(strength, balanced), method, folds, watched, sensitivity, abstain_below or 0.0, seed
    )


@dataclass(frozen=True)
class FileReading:
    """How files are read.

    Args:
        decoding: how they become pixels.
        workers: processes; 0: one per core.
        label: of the progress.
    """

    decoding: Decoding
    workers: int
    label: str

    def pixels(self, images: LabelledImages) -> LabelledImages:
        """Decode every file once, for the digest of its pixels.

        Args:
            images: that are read.

        Returns:
            Those that can be used.

        Raises:
            ImageError: no file can be used.
        """
        with progress(f"{self.label}: reading") as show:
            return images.read(self.decoding, self.workers or os.cpu_count() or 1, show)

    def vectors(
        self, feature: Feature, images: LabelledImages, table: Path, under: Executor | None = None
    ) -> tuple[LabelledImages, npt.NDArray[np.float32]]:
        """Extract a feature; the same call goes on where it was stopped.

        Args:
            feature: what is extracted.
            images: of which.
            table: where vectors are kept meanwhile.
            under: who computes; None: this machine.

        Returns:
            The images that have a vector, and the vectors.

        Raises:
            ImageError: no file can be used.
        """
        from privis.estimators.classification.labelled_images import vectors_of_images

        workers = min(self.workers or os.cpu_count() or 1, max(1, len(images) // FILES_FOR_A_PROCESS))
        with progress(self.label) as show:
            return vectors_of_images(
                feature, images, table, under=under, decoding=self.decoding, workers=workers, on_progress=show
            )

    def scores(
        self, model: TrainedClassifier, images: LabelledImages, table: Path, under: Executor | None = None
    ) -> tuple[LabelledImages, npt.NDArray[np.float64]]:
        """Score images by a classifier.

        Args:
            model: that scores.
            images: which.
            table: where vectors, or scores, are kept meanwhile.
            under: who computes scores of images that it does not see; None: this machine.

        Returns:
            The images that have scores, and the scores (images, scores).

        Raises:
            ImageError: no file can be used.
        """
        if under is None:
            images, vectors = self.vectors(model.feature, images, table)
            return images, model.scores_of(vectors)
        images, scores = self.vectors(model.scored, images, table, under)
        return images, scores.astype("float64")


@contextlib.contextmanager
def kept_beside(output: Path | None) -> Iterator[Path]:
    """Say where vectors are kept while a command runs: beside its output, or in a folder that goes.

    Args:
        output: of the command; None: it has none.

    Yields:
        The path of the table.
    """
    if output is not None:
        yield output.with_name(output.name + ".features.parquet")
        return
    with tempfile.TemporaryDirectory() as folder:
        yield Path(folder) / "features.parquet"


def tell_refused(refused: Mapping[str, str]) -> None:
    """List images that could not be used.

    Args:
        refused: by path, why.
    """
    for path, why in list(refused.items())[:SHOWN]:
        err.print(f"refused: {path}: {why}", markup=False, soft_wrap=True)
    if len(refused) > SHOWN:
        err.print(f"… and {len(refused) - SHOWN:,} more; --json lists all", markup=False)


def tell_notes(images: LabelledImages, notes: Sequence[str] = ()) -> None:
    """Warn of what a list says of nobody, and of equal pixels.

    Args:
        images: that were read.
        notes: sentences of the words.
    """
    found = [*notes, *images.contradictions()]
    for each in found[:SHOWN]:
        err.print(f"privis: warning: {each}", markup=False, soft_wrap=True)
    if len(found) > SHOWN:
        err.print(f"privis: … and {len(found) - SHOWN:,} more", markup=False)
    if images.repeated:
        told = f"{images.repeated:,} images have the pixels of another one; equal ones stay on one side of every split"
        err.print(f"privis: {told}", markup=False, soft_wrap=True)


def without_leaks(images: LabelledImages, leaks: Sequence[Leak], on_leak: OnLeak) -> LabelledImages:
    """Deal with tested images that are on the side of the training, too.

    Args:
        images: that are tested.
        leaks: of them.
        on_leak: what becomes of them.

    Returns:
        The images that are tested.

    Raises:
        ParameterError: naming them, where they are refused, or if none is left.
    """
    if not leaks:
        return images
    told = {images.paths[each.place]: f"{each.why} as in the training" for each in leaks}
    places = {each.place for each in leaks}
    others = [place for place in range(len(images)) if place not in places]
    if on_leak is OnLeak.REFUSE or (on_leak is OnLeak.LEAVE_OUT and not others):
        remedy = "test on others, or say --on-leak leave-out (or count, and do not believe the figures)"
        shown = [Problem(path, why, "an image of the test alone", remedy) for path, why in list(told.items())[:SHOWN]]
        more = len(told) - len(shown)
        rest = [Problem("leaks", f"{more:,} more", "none", remedy)] if more else []
        raise ParameterError(*shown, *rest)
    for path, why in list(told.items())[:SHOWN]:
        done = "left out" if on_leak is OnLeak.LEAVE_OUT else "counted all the same"
        err.print(f"leak: {path}: {why}; {done}", markup=False, soft_wrap=True)
    if len(told) > SHOWN:
        err.print(f"… and {len(told) - SHOWN:,} more; --json lists all", markup=False)
    return images.only(others) if on_leak is OnLeak.LEAVE_OUT else images


def listed(images: LabelledImages, leaks: Sequence[Leak]) -> list[dict[str, str]]:
    """Give leaks for JSON.

    Args:
        images: that they are of.
        leaks: found.

    Returns:
        Path and reason of each.
    """
    return [{"path": images.paths[each.place], "why": each.why} for each in leaks]


def tell_report(report: ClassificationReport, title: str) -> None:
    """Print a report as tables.

    Args:
        report: that is told.
        title: what it is of.
    """
    accuracy = report.accuracy
    told = f"{title}: accuracy {_shown(accuracy)} of {accuracy.tries:,} images"
    if report.decided.hits < report.decided.tries:
        told += f"; {report.decided.tries - report.decided.hits:,} of {report.decided.tries:,} left undecided"
    out.print(told, markup=False, soft_wrap=True)
    table = Table("class", "images", "sensitivity", "specificity", "precision")
    for name, each in report.per_class.items():
        table.add_row(name, f"{each.images:,}", *map(_shown, (each.sensitivity, each.specificity, each.precision)))
    out.print(table)
    undecided = report.confusion[:, -1].any()
    confusion = Table("true \\ called", *report.classes, *(["undecided"] if undecided else []))
    for name, row in zip(report.classes, report.confusion, strict=True):
        confusion.add_row(name, *(f"{count:,}" for count in (row if undecided else row[:-1])))
    out.print(confusion)
    if report.subgroups:
        parts = Table("subgroup", "images", "accuracy")
        for name, each in report.subgroups.items():
            parts.add_row(name, f"{each.decided.tries:,}", _shown(each.accuracy))
        out.print(parts)
    if report.calibration_error is not None:
        told = f"probabilities: calibration error {report.calibration_error:.3f}, Brier score {report.brier:.3f}"
        out.print(told, markup=False, soft_wrap=True)
    out.print(f"Intervals: 95 %, {accuracy.method}.", markup=False)


def _shown(share: Proportion) -> str:
    if not share.tries:
        return "no image"
    low, high = share.interval
    return f"{share.value:.3f} ({low:.3f} to {high:.3f})"
