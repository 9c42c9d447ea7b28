"""Thresholds from a stated false-match rate: a table of public impostor scores, and no magic cosine.

A table counts cosines of pairs of two people under one embedding, in steps of 0.001. Its threshold for a rate is the
lowest step at which the upper Clopper-Pearson bound of the false-match rate is at most that rate. A rate that the
number of pairs cannot support, even if none of them matched, is refused: for 1e-4 that takes 29,956 pairs.

Evolution of the file (JSON): ``format`` names it, and a reader refuses any other. Keys may be added under the same
number; one that goes, or means something else, takes the next.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from privis.errors import ParameterError, Problem, refuse
from privis.file_formats import FileFormat, misfit
from privis.tasks.verification.error_rates import CONFIDENCE, clopper_pearson
from privis.validation import real_values

FORMAT = "privis.calibration/1"
STEPS = 2000
"""Steps from -1 to 1."""
LARGEST = 1 << 20
"""Bytes of a file at most."""
DIGEST = 32
"""Bytes of an identity."""


@dataclass(frozen=True, eq=False)
class CalibrationTable:
    """How often two people are how similar, under one embedding.

    Guarantee: a pair of two people who are drawn as those of the table matches at `threshold` with at most the stated
    probability, with confidence 95 %, for pairs that are independent. Pairs of the same few people are not: take many.

    Args:
        embedding: 32 bytes, the identity of what made the vectors.
        network: what made them, in words.
        source: where the images are from, in words.
        people: how many people they show.
        counts: whole numbers (2,000,): how many pairs have a cosine from ``-1 + step / 1000`` on and below the next;
            the last one holds 1.0 as well.

    Raises:
        ParameterError: naming everything that does not fit.
    """

    embedding: bytes
    network: str
    source: str
    people: int
    counts: npt.NDArray[np.int64] = field(repr=False)

    def __post_init__(self) -> None:
        counts = np.asarray(self.counts)
        problems = []
        if not isinstance(self.embedding, bytes) or len(self.embedding) != DIGEST:
            problems.append(Problem("CalibrationTable.embedding", "something else", "an identity, 32 bytes"))
        if counts.dtype.kind not in "iu" or counts.shape != (STEPS,) or (counts < 0).any() or not counts.sum():
            got = f"{counts.dtype} values of shape {counts.shape}"
            problems.append(Problem("CalibrationTable.counts", got, f"({STEPS},) counts of at least one pair"))
        refuse(ParameterError, problems)
        object.__setattr__(self, "counts", counts.astype(np.int64))

    @classmethod
    def of_templates(
        cls, embedding: bytes, network: str, source: str, vectors: npt.ArrayLike, subjects: list[str] | tuple[str, ...]
    ) -> CalibrationTable:
        """Count the cosines of all pairs of two people.

        Args:
            embedding: the identity of what made the vectors.
            network: what made them, in words.
            source: where the images are from, in words.
            vectors: (images, components), of any length but zero.
            subjects: whose each is.

        Returns:
            The table.

        Raises:
            ParameterError: vectors without a direction, or of fewer than two people.

        >>> table = CalibrationTable.of_templates(bytes(32), "example", "axes", np.eye(3), ["ann", "bob", "bob"])
        >>> table.pairs, table.false_match_rate(0.0), table.false_match_rate(0.5)
        (2, 1.0, 0.0)
        """
        rows = real_values("vectors", vectors)
        if rows.ndim != 2 or len(rows) != len(subjects) or len(set(subjects)) < 2:
            got = f"shape {rows.shape} of {len(set(subjects))} people"
            raise ParameterError(Problem("CalibrationTable", got, "(images, components) of at least two people"))
        lengths = np.linalg.norm(rows, axis=1)
        if not (np.isfinite(lengths) & (lengths > 0)).all():
            raise ParameterError(Problem("CalibrationTable", "vectors of no length", "vectors that have a direction"))
        rows = rows / lengths[:, None]
        people = np.unique(np.asarray(subjects), return_inverse=True)[1].reshape(-1)
        counts = np.zeros(STEPS, np.int64)
        for cosines in _impostor_scores(rows, people):
            steps = np.clip(np.floor((cosines + 1) * STEPS / 2).astype(np.int64), 0, STEPS - 1)
            counts += np.bincount(steps, minlength=STEPS)
        return cls(embedding, network, source, len(set(subjects)), counts)

    @property
    def pairs(self) -> int:
        """How many pairs of two people there are."""
        return int(self.counts.sum())

    def least_rate(self, confidence: float = CONFIDENCE) -> float:
        """Give the smallest rate that the table can support.

        Args:
            confidence: of the bound.

        Returns:
            The upper bound where no pair matches.
        """
        return 1 - (1 - confidence) ** (1 / self.pairs)

    def false_match_rate(self, threshold: float) -> float:
        """Measure how many pairs of two people match.

        Args:
            threshold: a cosine.

        Returns:
            Their share; at a threshold within a step, that of the step's beginning, which is not less.
        """
        step = min(max(math.floor((threshold + 1) * STEPS / 2 + 1e-9), 0), STEPS)
        return float(self.counts[step:].sum()) / self.pairs

    def threshold(self, rate: float, gap: float = 0.0) -> float:
        """Find the lowest cosine from which on two people match at most so often.

        Args:
            rate: the false-match rate, in (0, 1).
            gap: how far from the threshold an executor that approximates may decide either way; the threshold is raised
                by it, so that the rate holds for all that is accepted.

        Returns:
            A cosine.

        Raises:
            ParameterError: a rate that is none, or that the number of pairs cannot support.

        >>> counts = np.bincount([1200, 1300], [900, 100], STEPS).astype(int)
        >>> table = CalibrationTable(bytes(32), "example", "none", 9, counts)
        >>> table.threshold(0.2), table.threshold(0.01)
        (0.201, 0.301)
        """
        if isinstance(rate, bool) or not isinstance(rate, int | float) or not 0 < rate < 1:
            raise ParameterError(Problem("threshold", f"the rate {rate!r}", "a false-match rate between 0 and 1"))
        if rate < self.least_rate():
            needed = math.ceil(math.log(1 - CONFIDENCE) / math.log1p(-rate))
            got = f"a false-match rate of {rate:g} from {self.pairs:,} impostor pairs"
            expected = f"at least {self.least_rate():.2g}, which so many pairs support"
            raise ParameterError(Problem("threshold", got, expected, f"calibrate with {needed:,} pairs for this rate"))
        at_least = np.append(self.counts[::-1].cumsum()[::-1], 0)
        low, high = 0, STEPS  # the bound falls as the threshold rises
        while low < high:
            middle = (low + high) // 2
            bound = clopper_pearson(int(at_least[middle]), self.pairs, 2 * CONFIDENCE - 1)[1]  # one-sided
            low, high = (low, middle) if bound <= rate else (middle + 1, high)
        found = round(low * 2 / STEPS - 1 + gap, 12)
        if found > 1:
            got = f"a false-match rate of {rate:g} with a gap of {gap:g}"
            raise ParameterError(Problem("threshold", got, "one that cosines up to 1 can meet", "allow a higher rate"))
        return found

    def save(self, path: str | Path) -> None:
        """Write the table as JSON.

        Args:
            path: of the file; what was there is replaced.

        Raises:
            OSError: it cannot be written.
        """
        Path(path).write_text(self.to_json(), encoding="utf-8")

    def to_json(self) -> str:
        """Write the table as text.

        Returns:
            JSON; of the counts those that are not zero, by step.
        """
        counts = {str(step): int(self.counts[step]) for step in np.flatnonzero(self.counts)}
        text = {"format": FORMAT, "embedding": self.embedding.hex(), "network": self.network, "source": self.source}
        return json.dumps({**text, "people": self.people, "counts": counts}, ensure_ascii=False, indent=0) + "\n"

    @classmethod
    def load(cls, path: str | Path) -> CalibrationTable:
        """Read what `save` wrote.

        Args:
            path: of the file.

        Returns:
            The table.

        Raises:
            ParameterError: it is no such file, or damaged.
        """
        try:
            if Path(path).stat().st_size > LARGEST:
                raise ValueError("a file that is too large")
            return cls.from_document(json.loads(Path(path).read_text(encoding="utf-8")))
        except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
            reason = f"{type(error).__name__}: {error}"
            remedy = "CalibrationTable.of_templates(...).save(path) makes one"
            raise ParameterError(misfit(path, FileFormat.CALIBRATION, reason, remedy=remedy)) from None

    @classmethod
    def from_document(cls, text: dict[str, Any]) -> CalibrationTable:
        """Read a parsed document.

        Args:
            text: what `to_json` wrote, parsed.

        Returns:
            The table.

        Raises:
            ValueError: it is something else.
            KeyError: a key is missing.
        """
        if text["format"] != FORMAT:
            raise ValueError(f"format {text['format']!r}, expected {FORMAT}")
        counts = np.zeros(STEPS, np.int64)
        for step, count in text["counts"].items():
            if not 0 <= int(step) < STEPS or isinstance(count, bool) or not isinstance(count, int):
                raise ValueError(f"a count {count!r} at step {step}")
            counts[int(step)] = count
        embedding = bytes.fromhex(text["embedding"])
        return cls(embedding, str(text["network"]), str(text["source"]), int(text["people"]), counts)


def _impostor_scores(
    rows: npt.NDArray[np.float64], people: npt.NDArray[np.int64], lot: int = 512
) -> Iterator[npt.NDArray[np.float64]]:
    """Cosines of all pairs of two people, each once, a few images at a time."""
    for start in range(0, len(rows), lot):
        cosines = rows[start : start + lot] @ rows[start:].T
        later = np.arange(len(rows) - start)[None] > np.arange(len(cosines))[:, None]
        yield cosines[later & (people[start : start + lot, None] != people[None, start:])]
