"""What a classifier gets right: confusion, figures for each class and for each subgroup, with intervals."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from privis.errors import ParameterError, Problem, refuse
from privis.tasks.classification.proportions import Proportion, proportion_of

BINS = 10
"""Of probabilities, for the calibration error."""


@dataclass(frozen=True)
class ClassFigures:
    """What is known of one class, of the images that were decided.

    Args:
        images: of the class, decided or not.
        undecided: those of them that were left undecided.
        sensitivity: share of the class that was called so; also named recall.
        specificity: share of all others that were not called so.
        precision: share of those called so that are; also named positive predictive value, and true of the mix of
            classes among these images alone.
    """

    images: int
    undecided: int
    sensitivity: Proportion
    specificity: Proportion
    precision: Proportion

    def to_dict(self) -> dict[str, Any]:
        """Give the figures for JSON."""
        rates = {name: getattr(self, name).to_dict() for name in ("sensitivity", "specificity", "precision")}
        return {"images": self.images, "undecided": self.undecided, **rates}


@dataclass(frozen=True, eq=False)
class ClassificationReport:
    """What a classifier gets right.

    Args:
        classes: names, in the order of rows and columns.
        confusion: int64 (classes, classes + 1): rows are true, columns called, the last undecided.
        accuracy: share of the decided images whose class was named.
        decided: share of all images that were decided.
        per_class: figures of each class.
        subgroups: accuracy and sensitivities by subgroup.
        calibration_error: mean distance of probability and share of hits over `BINS` bins; None: no probabilities.
        brier: mean squared error of the probabilities, 0 to 2; None: no probabilities.
    """

    classes: tuple[str, ...]
    confusion: npt.NDArray[np.int64] = field(repr=False)
    accuracy: Proportion
    decided: Proportion
    per_class: Mapping[str, ClassFigures] = field(repr=False)
    subgroups: Mapping[str, ClassificationReport] = field(default_factory=dict, repr=False)
    calibration_error: float | None = None
    brier: float | None = None

    def to_dict(self) -> dict[str, Any]:
        """Give the report for JSON; ``confusion`` by true class, then by called class."""
        rows = {
            true: {called: int(count) for called, count in zip(self.classes, row[:-1], strict=True)}
            for true, row in zip(self.classes, self.confusion, strict=True)
        }
        known = {"calibration_error": self.calibration_error, "brier": self.brier}
        found = {
            "accuracy": self.accuracy.value if self.accuracy.tries else None,
            "interval": list(self.accuracy.interval), "interval_method": self.accuracy.method,
            "images": self.decided.tries, "patients": self.decided.patients,
            "undecided": self.decided.tries - self.decided.hits,
            "per_class": {name: figures.to_dict() for name, figures in self.per_class.items()}, "confusion": rows,
            **{name: value for name, value in known.items() if value is not None},
        }  # fmt: skip
        if self.subgroups:
            found["subgroups"] = {name: report.to_dict() for name, report in self.subgroups.items()}
        return found


def classification_report(
    classes: Sequence[str],
    labels: Sequence[str],
    called: Sequence[str | None],
    probabilities: npt.NDArray[np.floating] | None = None,
    patients: Sequence[Hashable] | None = None,
    subgroups: Sequence[str] | None = None,
) -> ClassificationReport:
    """Compare what images were called with what they are.

    Args:
        classes: names.
        labels: true class of each image.
        called: what each was called; None: undecided.
        probabilities: float (images, classes), whose calibration is measured.
        patients: whose each image is; None: each of its own. Intervals are wider where several are one patient's.
        subgroups: of each image, such as a scanner or a sex; empty: not known.

    Returns:
        The report.

    Raises:
        ParameterError: lengths differ, or a label is no class; all at once.

    >>> report = classification_report(["ill", "well"], ["ill", "ill", "well"], ["ill", None, "well"])
    >>> report.confusion.tolist(), report.decided.hits
    ([[1, 0, 1], [0, 1, 0]], 2)
    """
    names, total = tuple(classes), len(labels)
    problems = [
        Problem(f"classification_report.{name}", f"{len(values)} values", f"{total}, one for each image")
        for name, values in {
            "called": called, "probabilities": probabilities, "patients": patients, "subgroups": subgroups
        }.items()
        if values is not None and len(values) != total
    ]  # fmt: skip
    strange = sorted(({*labels, *(each for each in called if each is not None)}) - set(names))
    problems += [
        Problem("classification_report", f"the class {name!r}", f"one of {', '.join(names)}") for name in strange
    ]
    refuse(ParameterError, problems)
    numbers = {name: place for place, name in enumerate(names)}
    true = np.array([numbers[each] for each in labels], np.int64)
    found = np.array([len(names) if each is None else numbers[each] for each in called], np.int64)
    whole = _report(names, true, found, patients)
    parts = {}
    for name in sorted(set(subgroups or ()) - {""}):
        chosen = np.array([each == name for each in subgroups or ()])
        own = None if patients is None else [each for each, of in zip(patients, chosen, strict=True) if of]
        parts[name] = _report(names, true[chosen], found[chosen], own)
    error, brier = (None, None) if probabilities is None or not total else _calibration(probabilities, true)
    return ClassificationReport(
        names, whole.confusion, whole.accuracy, whole.decided, whole.per_class, parts, error, brier
    )


def _report(
    names: tuple[str, ...],
    true: npt.NDArray[np.int64],
    found: npt.NDArray[np.int64],
    patients: Sequence[Hashable] | None,
) -> ClassificationReport:
    confusion = np.zeros((len(names), len(names) + 1), np.int64)
    np.add.at(confusion, (true, found), 1)
    decided = found < len(names)

    def share(hits: npt.NDArray[np.bool_], among: npt.NDArray[np.bool_]) -> Proportion:
        own = None if patients is None else [each for each, of in zip(patients, among, strict=True) if of]
        return proportion_of(hits[among], own)

    figures = {}
    for number, name in enumerate(names):
        of, so = true == number, found == number
        figures[name] = ClassFigures(
            int(of.sum()), int((of & ~decided).sum()), share(so, of & decided), share(~so, ~of & decided),
            share(of, so & decided),
        )  # fmt: skip
    everyone = np.ones(true.size, bool)
    return ClassificationReport(names, confusion, share(true == found, decided), share(decided, everyone), figures)


def _calibration(probabilities: npt.NDArray[np.floating], true: npt.NDArray[np.int64]) -> tuple[float, float]:
    """Expected calibration error of the likeliest class, and the Brier score."""
    rows = np.asarray(probabilities, np.float64)
    best, top = rows.argmax(1), rows.max(1)
    bins = np.minimum((top * BINS).astype(int), BINS - 1)
    counts = np.bincount(bins, minlength=BINS)
    gaps = np.abs(np.bincount(bins, best == true, BINS) - np.bincount(bins, top, BINS))
    known = np.eye(rows.shape[1])[true]
    return float(gaps.sum() / counts.sum()), float(((rows - known) ** 2).sum(1).mean())
