"""The mean of what is right of each class: what counts where classes have different numbers of images."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from privis.tasks.classification.class_report import ClassificationReport
from privis.tasks.classification.proportions import wilson_interval


@dataclass(frozen=True)
class BalancedAccuracy:
    """The mean of the sensitivities of all classes, with its 95 % interval.

    Args:
        value: in [0, 1].
        interval: lower and upper end.
    """

    value: float
    interval: tuple[float, float]

    def to_dict(self) -> dict[str, Any]:
        """Give it for JSON: of nothing it is null."""
        return {"value": None if math.isnan(self.value) else self.value, "interval": list(self.interval)}


def balanced_accuracy(report: ClassificationReport) -> BalancedAccuracy:
    """Average sensitivities, and their intervals by Wilson.

    The interval is of the method of variance estimates recovery (Zou and Donner, doi:10.1002/sim.3095), from Wilson's
    of each class; it takes images for independent.

    Args:
        report: of decided images.

    Returns:
        The average; NaN where a class has no image.

    >>> from privis.tasks.classification import classification_report
    >>> report = classification_report(["a", "b"], ["a"] * 8 + ["b"] * 2, ["a"] * 8 + ["a", "b"])
    >>> found = balanced_accuracy(report)
    >>> found.value, [round(end, 2) for end in found.interval]
    (0.75, [0.49, 0.95])
    """
    shares = [each.sensitivity for each in report.per_class.values()]
    if not shares or not all(share.tries for share in shares):
        return BalancedAccuracy(math.nan, (0.0, 1.0))
    ends = [wilson_interval(share.value, share.tries) for share in shares]
    mean = sum(share.value for share in shares) / len(shares)
    below = math.hypot(*(share.value - low for share, (low, _) in zip(shares, ends, strict=True))) / len(shares)
    above = math.hypot(*(high - share.value for share, (_, high) in zip(shares, ends, strict=True))) / len(shares)
    return BalancedAccuracy(mean, (max(0.0, mean - below), min(1.0, mean + above)))
