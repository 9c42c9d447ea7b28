"""``earlier_cost``: what a command takes, by what earlier runs of it took on this machine."""

from __future__ import annotations

import hashlib
import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from privis.choose.cost.run_log import ScoredRun
from privis.errors import ParameterError
from privis.features.feature import Feature
from privis.identity import identity
from privis.privacy import Release
from privis.program.shapes import Shape

START = 0.9  # seconds that any command takes before its first image, at most what the quickest run took
PARTIES_START = 1.5  # seconds more until all parties of a protocol run
PROTOCOLS = ("aby3", "cheetah")
LATEST = 30  # runs that count
FEW, MANY = 0.5, 2.0  # times its rows: a gallery of others is another job
ENCRYPTED, TOTALLED = "encrypted", "aggregate"  # what a command was of, beside its feature


@dataclass(frozen=True)
class LoggedCommand:
    """A command as `RunLog` knows it.

    Args:
        command: as ``face identify``.
        mechanism: who computes.
        images: how many there are.
        rows: of the gallery or index; 0: none.
        what: name of the feature or recipe; empty where the command has none.
        extraction: what `extraction_digest` says of an extraction; empty for other commands.
    """

    command: str
    mechanism: str
    images: int
    rows: int = 0
    what: str = ""
    extraction: str = ""

    @property
    def start(self) -> float:
        """Seconds before the first image."""
        return START + (PARTIES_START if self.mechanism in PROTOCOLS else 0.0)

    def is_like(self, run: ScoredRun) -> bool:
        """Whether a run was of this command, with about as many rows."""
        alike = self.command, self.mechanism, self.what, self.extraction
        return (run.command, run.mechanism, run.feature, run.extraction) == alike and _near(run.rows, self.rows)


def at_owner(what: str, by_owner: bool, shown_model: bool = False) -> str:
    """What a command was of that may leave extraction to the owner of the images.

    Args:
        what: name of the feature; empty where there is none.
        by_owner: whether the owner extracts.
        shown_model: whether the owner sees the model.

    Returns:
        As it is logged.

    >>> at_owner("hog", True), at_owner("", True, True), at_owner("lbp", False)
    ('hog of the owner', 'of the owner who sees the model', 'lbp')
    """
    words = [what, "of the owner" if by_owner else "", "who sees the model" if shown_model else ""]
    return " ".join(word for word in words if word)


def extraction_digest(feature: Feature, release: Release | None, shape: Shape) -> str:
    """Which extractions take equally long: a digest of feature, kind of noise and size of the images.

    Args:
        feature: what is extracted, with its parameters.
        release: its noise; None: none. How much there is does not count.
        shape: of the images of the files, (H, W) or (H, W, 3).

    Returns:
        16 hexadecimal digits; none where the feature has no identity.
    """
    try:
        parts = feature, "" if release is None else type(release).__name__, tuple(shape[:2])
        return hashlib.sha256(identity(parts, "extraction")).hexdigest()[:16]
    except ParameterError:
        return ""


@dataclass(frozen=True)
class EarlierCost:
    """What earlier runs say.

    Args:
        seconds: by the clock on the wall.
        memory: bytes at the peak.
        sent: bytes; None: not counted.
        basis: in plain words.
    """

    seconds: float
    memory: int
    sent: int | None
    basis: str


def earlier_cost(runs: Sequence[ScoredRun], asked: LoggedCommand) -> EarlierCost | None:
    """Predict what a command takes.

    With runs of several numbers of images a line through them, else what exceeds the start of a command is shared out
    over the images.

    Args:
        runs: all that are known, the earliest first.
        asked: the command.

    Returns:
        The prediction; None where no run is like it.
    """
    images, like = asked.images, [run for run in runs if asked.is_like(run)][-LATEST:]
    if not like:
        return None
    seconds = _scaled(like, images, lambda run: run.measured.seconds, asked.start)
    memory = round(statistics.median(run.measured.memory for run in like))
    counted = [run for run in like if run.measured.sent is not None]
    sent = round(_scaled(counted, images, lambda run: run.measured.sent or 0, 0.0)) if counted else None
    word = "an earlier run" if len(like) == 1 else f"{len(like)} earlier runs"
    return EarlierCost(seconds, memory, sent, f"{word} of privis {asked.command} on this machine")


def _near(known: int, wanted: int) -> bool:
    return known == wanted or (known > 0 and FEW <= wanted / known <= MANY)


def _scaled(runs: Sequence[ScoredRun], images: int, value: Callable[[ScoredRun], float], start: float) -> float:
    """The value for so many images: a line that never falls through the medians of each number of images."""
    medians = {
        count: statistics.median(value(run) for run in runs if run.images == count)
        for count in {run.images for run in runs}
    }
    if images in medians:
        return medians[images]
    if len(medians) > 1:
        slope, intercept = statistics.linear_regression(list(medians), list(medians.values()))
        if slope > 0 and intercept > 0:
            return intercept + slope * images
    nearest = min(medians, key=lambda count: abs(count - images))
    fixed = min(start, medians[nearest])
    return fixed + (medians[nearest] - fixed) * images / max(1, nearest)
