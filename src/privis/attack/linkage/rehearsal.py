"""The attacker's rehearsal: public vectors, released twice under the mechanism that is attacked."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from privis.attack.linkage.likeness import Cosine, LikelihoodRatio, Likeness, Nearness
from privis.errors import ParameterError, Problem, refuse
from privis.extraction.noise_level import NoiseWarning
from privis.extraction.vectors.vector_release import release as release_vectors
from privis.privacy import DirectionRelease, Release, ReleaseKey
from privis.subjects import SubjectWarning

_FEWEST_PEOPLE = 4


@dataclass(frozen=True, eq=False)
class Rehearsal:
    """Public vectors whose owners are known, and two releases of them with keys of the attacker's.

    Args:
        clear: (n, d) exact vectors of public pictures.
        first: (n, d) one release of them.
        second: (n, d) another one, under another key.
        people: (n,) whose picture each is.

    Raises:
        ParameterError: other shapes, or fewer than four people.
    """

    clear: npt.NDArray[Any]
    first: npt.NDArray[Any]
    second: npt.NDArray[Any]
    people: npt.NDArray[Any]

    def __post_init__(self) -> None:
        shapes = {np.shape(self.clear), np.shape(self.first), np.shape(self.second)}
        problems = []
        if len(shapes) != 1 or np.ndim(self.clear) != 2 or len(self.people) != len(self.clear):
            got = " and ".join(sorted(map(str, shapes))) + f", {len(self.people)} people"
            problems.append(Problem("Rehearsal", got, "vectors and two releases of one shape, and a person for each"))
        elif len(np.unique(self.people)) < _FEWEST_PEOPLE:
            got, expected = f"pictures of {len(np.unique(self.people))} people", f"at least {_FEWEST_PEOPLE}"
            problems.append(Problem("Rehearsal", got, expected, "give more public pictures"))
        refuse(ParameterError, problems)

    @classmethod
    def of(cls, vectors: npt.NDArray[Any], people: Sequence[str], release: Release) -> Rehearsal:
        """Release public vectors twice, as the attacked tables were.

        Args:
            vectors: (n, d) exact vectors of public pictures.
            people: whose picture each is.
            release: of the attacked tables, on vectors.

        Returns:
            Vectors and both releases.

        Raises:
            ParameterError: vectors that cannot be released so, or a release on pixels.
        """
        told = [_released(vectors, release) for _ in range(2)]
        return cls(np.asarray(vectors, np.float64), told[0], told[1], np.asarray(people))

    def best(self, other_picture: bool) -> Likeness:
        """Choose the likeness that links most in the rehearsal.

        Those that are learned are learned from one half of the people and judged on the other, both ways; the best one
        is then learned from all.

        Args:
            other_picture: whether to link pictures of one person, or releases of one picture.

        Returns:
            The likeness to attack with.
        """
        names = np.unique(self.people)
        right: dict[int, float] = {}
        for half in (0, 1):
            known = np.isin(self.people, names[half::2])
            learned, judged = self._part(known), self._part(~known)
            for place, likeness in enumerate(learned.candidates(other_picture)):
                right[place] = right.get(place, 0.0) + judged.linked(likeness, other_picture)
        best = max(right, key=lambda place: right[place])  # the first of equal ones: the simplest
        return self.candidates(other_picture)[best]

    def candidates(self, other_picture: bool) -> tuple[Likeness, ...]:
        """Give every likeness that is tried, simplest first.

        Args:
            other_picture: what they are learned for.

        Returns:
            All of them.
        """
        people = self.people if other_picture else None
        return (
            Cosine(),
            Nearness("L2"),
            Nearness("L1"),
            Cosine(np.asarray(self.first, np.float64).mean(0)),
            LikelihoodRatio.fitted(self.clear, self.first, people),
        )

    def linked(self, likeness: Likeness, other_picture: bool) -> float:
        """Measure a likeness on the two releases.

        Args:
            likeness: the measure.
            other_picture: whether a picture itself does not count as its mate.

        Returns:
            Mean share of wrong rows that a mate is above, in [0, 1].
        """
        scores = likeness.scores(self.first, self.second)
        mates = self.people[:, None] == self.people[None]
        same = np.eye(len(self.people), dtype=bool)
        wrong = ~mates
        rows = [
            (scores[row][right][:, None] > scores[row][wrong[row]][None]).mean()
            for row, right in enumerate((mates & ~same) if other_picture else same)
            if right.any() and wrong[row].any()
        ]
        return float(np.mean(rows)) if rows else 0.0

    def _part(self, chosen: npt.NDArray[np.bool_]) -> Rehearsal:
        part = object.__new__(Rehearsal)  # half of the people may be fewer than a rehearsal needs
        for name in ("clear", "first", "second", "people"):
            object.__setattr__(part, name, np.asarray(getattr(self, name))[chosen])
        return part


def usual_likeness(release: Release | None) -> Likeness:
    """Give the likeness that fits a mechanism without any rehearsal.

    Args:
        release: of both tables; None: exact vectors.

    Returns:
        The cosine for directions, the distance that fits the noise otherwise.
    """
    if release is None or isinstance(release, DirectionRelease):
        return Cosine()
    noise = getattr(release, "noise", None)
    return Nearness("L1" if getattr(noise, "norm", "L2") == "L1" else "L2")


def _released(vectors: npt.NDArray[Any], release: Release) -> npt.NDArray[Any]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", NoiseWarning)  # that noise leaves nothing is what an attack may find
        warnings.simplefilter("ignore", SubjectWarning)  # public pictures may be given twice
        records = [str(number) for number in range(len(vectors))]
        return release_vectors(vectors, release, records=records, key=ReleaseKey.generate()).features
