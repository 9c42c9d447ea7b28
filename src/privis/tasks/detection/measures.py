"""How good detections are: recall, average precision, log-average miss rate, and the mean over classes.

M. Everingham et al., "The PASCAL visual object classes (VOC) challenge", 2010, doi:10.1007/s11263-009-0275-4, section
4.2, with all points of the curve as the challenge takes them since 2010; P. Dollár et al., "Pedestrian detection: an
evaluation of the state of the art", 2012, doi:10.1109/TPAMI.2011.155, for the log-average miss rate; regions that do
not count are those of COCO, T.-Y. Lin et al., 2014, arXiv:1405.0312.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from privis.errors import ParameterError, Problem, refuse
from privis.tasks.detection.boxes import DetectedBoxes, Floats, overlaps

RATES = np.logspace(-2, 0, 9)
"""False positives an image at which the miss rate is read."""
LEAST_MISS_RATE = 1e-10
"""What stands for a miss rate of 0, which has no logarithm."""
COCO_OVERLAPS = tuple(round(0.5 + 0.05 * step, 2) for step in range(10))
"""Those over which COCO averages: .50 to .95."""
Ignored = Sequence[npt.ArrayLike] | None


@dataclass(frozen=True, eq=False)
class DetectionCurve:
    """How many objects a detector finds, and how often it errs, from every score on.

    Boxes of equal scores are one point, so that the order of the images does not count. Where nothing was found there
    are no points: recall and average precision are 0, the miss rate is 1.

    Args:
        thresholds: (points,), the scores that occur, falling.
        found: (points,), objects that were found with at least that score.
        false: (points,), boxes of at least that score that are on no object, or on one that was found already.
        objects: how many there are to find, at least 1.
        images: how many were looked at, at least 1.

    Raises:
        ParameterError: there is nothing to find, or no image.
    """

    thresholds: Floats = field(repr=False)
    found: npt.NDArray[np.int64] = field(repr=False)
    false: npt.NDArray[np.int64] = field(repr=False)
    objects: int
    images: int

    def __post_init__(self) -> None:
        problems = []
        if self.objects < 1:
            remedy = "a rate of nothing is undefined: leave the class out, or add images that show it"
            problems.append(Problem("DetectionCurve.objects", str(self.objects), "at least 1 to find", remedy))
        if self.images < 1:
            problems.append(Problem("DetectionCurve.images", str(self.images), "at least 1"))
        refuse(ParameterError, problems)

    @property
    def recall(self) -> Floats:
        """Share of the objects that are found, (points,), rising."""
        return self.found / self.objects

    @property
    def precision(self) -> Floats:
        """Share of the boxes that are on an object, (points,)."""
        return self.found / np.maximum(self.found + self.false, 1)

    @property
    def false_per_image(self) -> Floats:
        """False positives an image, (points,), rising."""
        return self.false / self.images

    @property
    def largest_recall(self) -> float:
        """Share of the objects that are found at any score."""
        return float(self.recall[-1]) if len(self.found) else 0.0

    @property
    def average_precision(self) -> float:
        """Area under the precision that is reached at each recall or a higher one, of all points, in [0, 1]."""
        reached = np.maximum.accumulate(self.precision[::-1])[::-1]
        return float((np.diff(self.recall, prepend=0.0) * reached).sum())

    @property
    def log_average_miss_rate(self) -> float:
        """Geometric mean of the miss rates at nine rates of false positives from 0.01 to 1 an image, in [1e-10, 1].

        At each the threshold is the lowest that makes no more of them; where there is none, all objects are missed.
        """
        points = np.searchsorted(self.false_per_image, RATES, side="right")
        missed = 1 - np.concatenate([[0.0], self.recall])[points]
        return float(np.exp(np.log(np.maximum(missed, LEAST_MISS_RATE)).mean()))

    def at(self, threshold: float) -> tuple[float, float, float]:
        """What the detector does where its scores are cut.

        Args:
            threshold: least score of a box.

        Returns:
            Recall, precision and false positives an image; without any box (0, 0, 0).
        """
        point = int((self.thresholds >= threshold).sum()) - 1
        if point < 0:
            return 0.0, 0.0, 0.0
        return float(self.recall[point]), float(self.precision[point]), float(self.false_per_image[point])


@dataclass(frozen=True)
class MeanAveragePrecision:
    """Average precision of every class that is there to be found, and their mean (mAP).

    Args:
        per_class: in [0, 1], by label.
        mean: over the classes.
    """

    per_class: Mapping[str, float]
    mean: float


def detection_curve(
    found: Sequence[DetectedBoxes],
    truth: Sequence[DetectedBoxes],
    overlap: float = 0.5,
    *,
    label: str | None = None,
    ignored: Ignored = None,
) -> DetectionCurve:
    """Match boxes with objects, and count.

    In every image boxes take turns by falling score, and each takes the object that it lies on best of those that are
    not taken yet. Two boxes on one object are therefore one found object and one false positive.

    Args:
        found: for each image what the detector found.
        truth: for each image what there is; scores are not read.
        overlap: least intersection over union of a box with its object, in (0, 1].
        label: only boxes and objects of it; None: all, whatever their labels.
        ignored: for each image which of ``truth`` do not count, as booleans: crowds, objects too small or hidden. They
            need not be found, and boxes that lie on one with at least the share ``overlap`` of their own area are
            neither right nor wrong. None: all count.

    Returns:
        The curve over all images.

    Raises:
        ParameterError: lists of different lengths, no images, nothing to find, or ``overlap`` is outside (0, 1].

    >>> cat, dog = [DetectedBoxes([[10, 10, 20, 20]], [1], "cat")], [DetectedBoxes([[10, 12, 20, 20]], [0.7], "dog")]
    >>> detection_curve(dog, cat).average_precision
    1.0
    """
    refuse(ParameterError, _problems(found, truth, [overlap], ignored))
    flags = _flags(truth, ignored)
    matched = []
    for ours, theirs, out in zip(found, truth, flags, strict=True):
        if label is not None:
            kept = np.array([each == label for each in theirs.labels], bool)
            ours, theirs, out = ours[np.array([each == label for each in ours.labels], bool)], theirs[kept], out[kept]
        matched.append(matched_boxes(ours, theirs, out, overlap))
    objects = sum(each.objects for each in matched)
    return _curve([each.scores for each in matched], [each.hits for each in matched], objects, len(found))


def mean_average_precision(
    found: Sequence[DetectedBoxes],
    truth: Sequence[DetectedBoxes],
    overlap: float | Sequence[float] = 0.5,
    *,
    ignored: Ignored = None,
) -> MeanAveragePrecision:
    """Average the average precision over the classes.

    Args:
        found: for each image what the detector found.
        truth: for each image what there is; scores are not read.
        overlap: least intersection over union of a box with its object, in (0, 1]; several are averaged over, as COCO
            does with `COCO_OVERLAPS`.
        ignored: for each image which of ``truth`` do not count; see `detection_curve`.

    Returns:
        A value for every label that ``truth`` has and that is not ignored everywhere; others have none, and boxes with
        such a label do not count.

    Raises:
        ParameterError: lists of different lengths, no images, nothing to find, or an overlap is outside (0, 1].

    >>> truth = [DetectedBoxes([[0, 0, 8, 8], [9, 9, 4, 4]], [1, 1], ("cat", "dog"))]
    >>> mean_average_precision([truth[0][:1]], truth).per_class
    {'cat': 1.0, 'dog': 0.0}
    """
    asked = [overlap] if isinstance(overlap, int | float) else list(overlap)
    refuse(ParameterError, _problems(found, truth, asked, ignored))
    flags = _flags(truth, ignored)
    parts: dict[str, list[tuple[DetectedBoxes, DetectedBoxes, npt.NDArray[np.bool_]]]] = {}
    for ours, theirs, out in zip(found, truth, flags, strict=True):
        our_labels, their_labels = np.asarray(ours.labels, object), np.asarray(theirs.labels, object)
        for label in {*ours.labels, *theirs.labels}:
            kept = their_labels == label
            parts.setdefault(label, []).append((ours[our_labels == label], theirs[kept], out[kept]))
    per_class = {}
    for label in sorted(parts):
        objects = sum(int((~out).sum()) for _, _, out in parts[label])
        if objects:
            curves = []
            for least in asked:
                matched = [matched_boxes(*part, least) for part in parts[label]]
                curves.append(_curve([m.scores for m in matched], [m.hits for m in matched], objects, len(found)))
            per_class[label] = float(np.mean([curve.average_precision for curve in curves]))
    if not per_class:
        remedy = "a rate of nothing is undefined: add images that show something"
        raise ParameterError(Problem("mean_average_precision.truth", "no objects", "at least 1 to find", remedy))
    return MeanAveragePrecision(per_class, float(np.mean(list(per_class.values()))))


@dataclass(frozen=True, eq=False)
class MatchedBoxes:
    """Boxes of one image that count, by falling score, and whether each is on an object.

    Args:
        rows: (n,), numbers of the boxes among all that were found.
        scores: (n,).
        hits: (n,), whether each is on an object that no surer box is on.
        objects: how many there were to find.
    """

    rows: npt.NDArray[np.int64] = field(repr=False)
    scores: Floats = field(repr=False)
    hits: npt.NDArray[np.bool_] = field(repr=False)
    objects: int


def matched_boxes(
    found: DetectedBoxes, truth: DetectedBoxes, ignored: npt.NDArray[np.bool_], overlap: float = 0.5
) -> MatchedBoxes:
    """Match the boxes of one image with its objects, as `detection_curve` does.

    Args:
        found: what the detector found.
        truth: what there is; scores and labels are not read.
        ignored: (n,), which of ``truth`` do not count.
        overlap: least intersection over union of a box with its object, in (0, 1].

    Returns:
        The boxes that count: none that lies on what does not count.
    """
    order = np.argsort(-found.scores, kind="stable")
    scores, shares = found.scores[order], overlaps(found.boxes[order], truth.boxes)
    areas, others = found.areas[order][:, None], truth.areas[None]
    shared = shares * (areas + others) / (1 + shares)
    covered = np.divide(shared, areas, out=np.zeros_like(shared), where=areas > 0)[:, ignored].max(1, initial=0.0)
    shares, least = shares[:, ~ignored].copy(), min(overlap, 1 - 1e-10)  # 1: rounding must not part equal boxes
    hits, counts = np.zeros(len(order), bool), np.ones(len(order), bool)
    for row in range(len(order)):
        best = int(shares[row].argmax()) if shares.shape[1] else -1
        if best >= 0 and shares[row, best] >= least:
            hits[row] = True
            shares[:, best] = -1.0
        elif covered[row] >= least:
            counts[row] = False
    return MatchedBoxes(order[counts], scores[counts], hits[counts], int((~ignored).sum()))


def _curve(
    scores: Sequence[Floats], hits: Sequence[npt.NDArray[np.bool_]], objects: int, images: int
) -> DetectionCurve:
    every, right = np.concatenate(scores), np.concatenate(hits)
    order = np.argsort(-every, kind="stable")
    every, right = every[order], right[order]
    last = np.flatnonzero(np.diff(every, append=np.nan) != 0)  # of boxes of one score
    true, false = (np.cumsum(each, dtype=np.int64)[last] for each in (right, ~right))
    return DetectionCurve(every[last], true, false, objects, images)


def _flags(truth: Sequence[DetectedBoxes], ignored: Ignored) -> list[npt.NDArray[np.bool_]]:
    given = [np.zeros(len(each), bool) for each in truth] if ignored is None else ignored
    return [np.asarray(flags, bool).reshape(-1) for flags in given]


def _problems(
    found: Sequence[DetectedBoxes], truth: Sequence[DetectedBoxes], asked: Sequence[float], ignored: Ignored
) -> list[Problem]:
    problems = []
    if len(found) != len(truth) or not len(truth):
        got = f"boxes of {len(found)} images, and objects of {len(truth)}"
        problems.append(Problem("found, truth", got, "both of the same images, at least one, in the same order"))
    wrong = [each for each in asked if not 0 < each <= 1]
    if wrong or not asked:
        got = ", ".join(map(str, wrong)) or "none"
        problems.append(Problem("overlap", got, "an intersection over union, in (0, 1]"))
    if ignored is not None:
        lengths, wanted = [np.asarray(flags).size for flags in ignored], [len(each) for each in truth]
        if lengths != wanted:
            got = f"flags for {sum(lengths)} objects of {len(lengths)} images"
            expected = f"a boolean for each of {sum(wanted)} objects of {len(wanted)} images"
            problems.append(Problem("ignored", got, expected))
    return problems
