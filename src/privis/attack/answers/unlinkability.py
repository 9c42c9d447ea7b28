"""Whether protected templates of one person under two keys, or of two releases, are told from those of two people."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from privis.attack.answers.template_prior import Array, unit_rows
from privis.attack.attack_finding import AttackFinding
from privis.errors import ParameterError, Problem
from privis.tasks.verification import global_linkability

REPLICATES = 200
_QUANTILE, _DEVIATIONS = 0.975, 1.96


@dataclass(frozen=True)
class Linkability:
    """D_sys with its interval.

    Args:
        value: from 0 (unlinkable by these scores) to 1.
        interval: at 95 %, of people who are drawn as these (normal, with the standard error of a bootstrap of people).
        chance: mean D_sys where people of one set take the places of others.
        most_by_chance: which 97.5 % of such exchanges stay below.
        mated: scores of one person.
        non_mated: scores of two people.
    """

    value: float
    interval: tuple[float, float]
    chance: float
    most_by_chance: float
    mated: int
    non_mated: int


def linkability(
    first: npt.ArrayLike,
    second: npt.ArrayLike,
    first_people: Sequence[str],
    second_people: Sequence[str],
    *,
    replicates: int = REPLICATES,
    seed: int = 0,
) -> Linkability:
    """Measure D_sys of two sets of protected templates by their cosines, with an interval over people.

    Reference: Gomez-Barrero et al., doi:10.1109/TIFS.2017.2788000; `privis.tasks.verification.global_linkability`.

    Args:
        first: (templates, components) under one key, or of one release.
        second: (templates, components) under another.
        first_people: whose each of ``first`` is.
        second_people: whose each of ``second`` is.
        replicates: of the bootstrap, and of the random assignments.
        seed: of both.

    Returns:
        The measure, its interval and what chance gives.

    Raises:
        ParameterError: fewer than 20 pairs of one person or of two people, or sets that do not fit each other.

    >>> rows = np.random.default_rng(0).normal(size=(40, 16))
    >>> names = [f"person {number}" for number in range(40)]
    >>> found = linkability(rows, rows, names, names)
    >>> found.value > 0.95, found.chance < 0.5
    (True, True)
    """
    one, two = np.asarray(first, np.float64), np.asarray(second, np.float64)
    fits = one.ndim == two.ndim == 2 and one.shape[1:] == two.shape[1:]
    if not fits or (len(one), len(two)) != (len(first_people), len(second_people)):
        got = f"shapes {one.shape} and {two.shape} of {len(first_people)} and {len(second_people)} people"
        raise ParameterError(Problem("linkability", got, "templates of one length, each with its person"))
    names, number = np.unique([*first_people, *second_people], return_inverse=True)
    left, right = number[: len(one)], number[len(one) :]
    scores, random = unit_rows(one) @ unit_rows(two).T, np.random.default_rng(seed)
    same = left[:, None] == right[None]
    value = global_linkability(scores[same], scores[~same])
    drawn, assigned = [], []
    for _ in range(replicates):
        weights = np.bincount(random.integers(len(names), size=len(names)), minlength=len(names))
        drawn.append(_weighted(scores, same, weights[left], weights[right], random))
        # whole people change places: pictures of one are alike
        exchanged = left[:, None] == random.permutation(len(names))[right][None]
        assigned.append(global_linkability(scores[exchanged], scores[~exchanged]))
    error = _DEVIATIONS * float(np.std(drawn))
    interval = (max(value - error, 0.0), min(value + error, 1.0))
    most = float(np.quantile(assigned, _QUANTILE))
    return Linkability(value, interval, float(np.mean(assigned)), most, int(same.sum()), int((~same).sum()))


def _weighted(scores: Array, same: npt.NDArray[np.bool_], left: Any, right: Any, random: np.random.Generator) -> float:
    """D_sys of people who were drawn so many times each; pairs of two are drawn by both weights."""
    own = np.repeat(scores[same], np.broadcast_to(left[:, None], same.shape)[same])
    chances = (left[:, None] * right[None])[~same].astype(np.float64)
    drawn = random.choice(scores[~same], chances.size, p=chances / chances.sum())
    return global_linkability(own, drawn) if own.size >= 20 else 0.0


def unlinkability_finding(
    first: npt.ArrayLike,
    second: npt.ArrayLike,
    first_people: Sequence[str],
    second_people: Sequence[str],
    against: str,
    guarantee: Mapping[str, Any] | None = None,
) -> AttackFinding:
    """Measure the linkability of two sets of protected templates, and say what it means.

    Args:
        first: (templates, components) under one key, or of one release.
        second: under another.
        first_people: whose each of ``first`` is.
        second_people: whose each of ``second`` is.
        against: what was compared.
        guarantee: of both releases, as a card has it.

    Returns:
        The finding: D_sys, with its interval and what chance gives.

    Raises:
        ParameterError: as `linkability`.
    """
    began = time.process_time()
    found = linkability(first, second, first_people, second_people)
    linked = found.value > found.most_by_chance and found.interval[0] > found.chance
    told = "can be told to be of one person" if linked else "cannot be told to be of one person by their cosine"
    return AttackFinding(
        "unlinkability", against, ("both sets of protected templates", "neither key"), "D_sys",
        found.value, found.interval, found.chance, 0, time.process_time() - began,
        f"Two protected templates of one person {told} (0: never, 1: always; chance {found.chance:.2f}); "
        f"{found.mated:,} pairs of one person, {found.non_mated:,} of two.",
        dict(guarantee or {}),
    )  # fmt: skip
