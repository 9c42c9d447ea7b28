"""Two tables about the same people, and how many rows of one an attacker finds in the other."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from privis.attack.attack_finding import AttackFinding
from privis.attack.linkage.likeness import Likeness
from privis.errors import ParameterError, Problem, refuse
from privis.tasks.verification.error_rates import ErrorRates

FALSE_RATES = (0.001, 0.01, 0.1)
"""Of wrong pairs that an attacker may take for right ones: the first that the number of pairs supports is measured."""


@dataclass(frozen=True, eq=False)
class TwoReleases:
    """Two tables, and whose each row is: which the attacker wants to know, and the judge knows.

    Args:
        first: (n, d) released vectors.
        second: (m, d) released vectors.
        first_of: whose each row of ``first`` is: a picture, or a person.
        second_of: the same of ``second``.

    Raises:
        ParameterError: vectors of two lengths, values that are not finite, another number of names, or nobody who is in
            both tables, or nobody but one.
    """

    first: npt.NDArray[Any]
    second: npt.NDArray[Any]
    first_of: Sequence[str]
    second_of: Sequence[str]

    def __post_init__(self) -> None:
        problems = []
        shapes = [np.shape(table) for table in (self.first, self.second)]
        if any(len(shape) != 2 or not shape[0] for shape in shapes) or shapes[0][-1:] != shapes[1][-1:]:
            got = " and ".join(map(str, shapes))
            problems.append(Problem("TwoReleases", got, "rows of one feature, of one length", "release both alike"))
        elif not all(np.isfinite(np.asarray(table, np.float64)).all() for table in (self.first, self.second)):
            problems.append(Problem("TwoReleases", "values that are not finite", "numbers", "release again"))
        for name, table, whose in (("first", self.first, self.first_of), ("second", self.second, self.second_of)):
            if len(whose) != len(table):
                got = f"{len(whose)} names for {len(table)} rows"
                problems.append(Problem(f"TwoReleases.{name}_of", got, "one name for each row"))
        if not problems and not (self._mates.any() and (~self._mates).any()):
            got = "no row of one that belongs to a row of the other" if not self._mates.any() else "rows of one alone"
            expected = "at least two, of whom one is in both tables"
            problems.append(Problem("TwoReleases", got, expected, "name pictures or people alike in both tables"))
        refuse(ParameterError, problems)

    @property
    def _mates(self) -> npt.NDArray[np.bool_]:
        return np.asarray(np.asarray(self.first_of)[:, None] == np.asarray(self.second_of)[None])

    @property
    def chance(self) -> float:
        """Share of rows whose mate is found by guessing."""
        mates = self._mates
        return float(mates[mates.any(1)].mean())

    def nearest(self, likeness: Likeness) -> npt.NDArray[np.bool_]:
        """Look up every row of the first table in the second.

        Args:
            likeness: how the attacker compares.

        Returns:
            (k,) whether the row that is most like it is its mate, of those that have one. Of equally like rows one is
            taken in an order that has nothing to do with names.
        """
        order = np.random.default_rng(0).permutation(len(self.second))
        found = likeness.scores(self.first, np.asarray(self.second)[order])
        mates = self._mates[:, order]
        asked = mates.any(1)
        return np.asarray(mates[np.arange(len(mates)), found.argmax(1)][asked])

    def rates(self, likeness: Likeness) -> ErrorRates:
        """Compare all pairs.

        Args:
            likeness: how the attacker compares.

        Returns:
            Scores of pairs that belong together, and of all others.
        """
        scores, mates = likeness.scores(self.first, self.second), self._mates
        return ErrorRates(scores[mates], scores[~mates])


def linkage_findings(
    tables: TwoReleases,
    likeness: Likeness,
    against: str,
    *,
    of: str = "picture",
    guarantee: Mapping[str, Any] | None = None,
) -> tuple[AttackFinding, ...]:
    """Link two releases and say how far that went.

    Args:
        tables: both, and whose each row is.
        likeness: how the attacker compares, as of `Rehearsal.best` or `usual_likeness`.
        against: feature and protection, in the words of a command.
        of: what a row's name means: "picture" (released twice) or "person" (on two pictures).
        guarantee: of one table, as its card has it.

    Returns:
        Rows of the first table of which the nearest row of the second is the right one, and pairs that are recognised
        where one wrong pair in 1,000 (or in 100, or in ten, with few pairs) is taken for a right one.

    >>> rows = np.eye(40)
    >>> names = [str(number) for number in range(40)]
    >>> from privis.attack.linkage.likeness import Cosine
    >>> rank, rate = linkage_findings(TwoReleases(rows, rows, names, names), Cosine(), "one-hot vectors")
    >>> rank.value, rank.chance, rate.value, rate.measure
    (1.0, 0.025, 1.0, 'linked at 0.1 % false links')
    """
    spent = time.process_time()
    hits = tables.nearest(likeness)
    knows = ("both tables", "the mechanism", f"compares by {likeness.name}")
    what = "their picture's" if of == "picture" else "their person's other picture's"
    sentence = (
        f"Of {len(hits)} rows, {int(hits.sum())} led to {what} row in the other table "
        f"({tables.chance:.1%} by guessing): whoever has both tables links what they say."
    )
    rank = AttackFinding.of_share(
        "linkage", against, knows, f"linked to the same {of}, first guess", int(hits.sum()), len(hits),
        chance=tables.chance, processor_seconds=time.process_time() - spent, sentence=sentence, guarantee=guarantee,
    )  # fmt: skip
    rates = tables.rates(likeness)
    allowed = next((rate for rate in FALSE_RATES if rates.supports(rate)), FALSE_RATES[-1])
    hit = round(rates.true_accepts(allowed).value * rates.genuine.size)
    rate = AttackFinding.of_share(
        "linkage", against, knows, f"linked at {100 * allowed:g} % false links", hit, rates.genuine.size,
        chance=allowed, processor_seconds=time.process_time() - spent,
        sentence=f"{hit} of {rates.genuine.size} pairs of the same {of} are recognised with certainty enough that "
        f"{100 * allowed:g} % of wrong pairs are taken for right ones.", guarantee=guarantee,
    )  # fmt: skip
    return rank, rate
