"""Whether protected templates of one person under two keys, or of two releases, are told from those of two people."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
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
_LEAST_PAIRS = 20
_PROFILE = 32  # quantiles of a template's cosines with the others of its set


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
    return score_linkability(
        unit_rows(one) @ unit_rows(two).T, first_people, second_people, replicates=replicates, seed=seed
    )


def score_linkability(
    scores: npt.ArrayLike,
    first_people: Sequence[str],
    second_people: Sequence[str],
    *,
    replicates: int = REPLICATES,
    seed: int = 0,
) -> Linkability:
    """Measure D_sys of two sets of protected templates by scores of an attacker's own.

    Args:
        scores: (first templates, second templates), higher for two of one person.
        first_people: whose each of the first set is.
        second_people: whose each of the second set is.
        replicates: of the bootstrap, and of the random assignments.
        seed: of both.

    Returns:
        The measure, its interval and what chance gives.

    Raises:
        ParameterError: fewer than 20 pairs of one person or of two people.

    >>> names = [f"person {number}" for number in range(40)]
    >>> score_linkability(np.eye(40), names, names, replicates=2).value
    1.0
    """
    given, random = np.asarray(scores, np.float64), np.random.default_rng(seed)
    names, number = np.unique([*first_people, *second_people], return_inverse=True)
    left, right = number[: len(first_people)], number[len(first_people) :]
    same = left[:, None] == right[None]
    value = global_linkability(given[same], given[~same])
    drawn, assigned = [], []
    for _ in range(replicates):
        weights = np.bincount(random.integers(len(names), size=len(names)), minlength=len(names))
        drawn.append(_weighted(given, same, weights[left], weights[right], random))
        # whole people change places: pictures of one are alike
        exchanged = left[:, None] == random.permutation(len(names))[right][None]
        if exchanged.sum() >= _LEAST_PAIRS:  # people who are in one set alone are nobody's pair
            assigned.append(global_linkability(given[exchanged], given[~exchanged]))
    error = _DEVIATIONS * float(np.std(drawn))
    interval = (max(value - error, 0.0), min(value + error, 1.0))
    most = float(np.quantile(assigned or [0.0], _QUANTILE))
    return Linkability(value, interval, float(np.mean(assigned or [0.0])), most, int(same.sum()), int((~same).sum()))


def _weighted(scores: Array, same: npt.NDArray[np.bool_], left: Any, right: Any, random: np.random.Generator) -> float:
    """D_sys of people who were drawn so many times each; pairs of two are drawn by both weights."""
    own = np.repeat(scores[same], np.broadcast_to(left[:, None], same.shape)[same])
    chances = (left[:, None] * right[None])[~same].astype(np.float64)
    drawn = random.choice(scores[~same], chances.size, p=chances / chances.sum())
    return global_linkability(own, drawn) if own.size >= _LEAST_PAIRS else 0.0


def neighbourhood_scores(first: npt.ArrayLike, second: npt.ArrayLike) -> Array:
    """Compare templates by how similar each is to the others of its own set, which no rotation under one key changes.

    Args:
        first: (templates, components), at least three.
        second: (templates, components), of any key and length.

    Returns:
        (first templates, second templates), 0 for the same neighbourhood, else below.

    >>> rows = np.random.default_rng(0).normal(size=(30, 8))
    >>> turned = rows @ np.linalg.qr(np.random.default_rng(1).normal(size=(8, 8)))[0]
    >>> bool((neighbourhood_scores(rows, turned).argmax(1) == np.arange(30)).all())
    True
    """
    profiles = [_profiles(unit_rows(rows)) for rows in (first, second)]
    distances: Array = np.linalg.norm(profiles[0][:, None] - profiles[1][None], axis=2)
    return -distances


def _profiles(rows: Array) -> Array:
    cosines = (rows @ rows.T)[~np.eye(len(rows), dtype=bool)].reshape(len(rows), -1)
    found: Array = np.quantile(cosines, np.linspace(0, 1, _PROFILE), axis=1).T
    return found


def unlinkability_findings(
    first: npt.ArrayLike,
    second: npt.ArrayLike,
    first_people: Sequence[str],
    second_people: Sequence[str],
    against: str,
    guarantee: Mapping[str, Any] | None = None,
) -> Iterator[AttackFinding]:
    """Measure whether templates of two sets are linked, one by one and by their places among the others.

    Args:
        first: (templates, components) under one key, or of one release.
        second: under another.
        first_people: whose each of ``first`` is.
        second_people: whose each of ``second`` is.
        against: what was compared.
        guarantee: of both releases, as a card has it.

    Yields:
        D_sys by the cosine of two templates, and by whole sets, each with its interval and what chance gives.

    Raises:
        ParameterError: as `linkability`.
    """
    began = time.process_time()
    alone = linkability(first, second, first_people, second_people)
    yield _said(alone, "D_sys of one template each", ("a template of each set",), against, began, guarantee)
    began = time.process_time()
    whole = score_linkability(neighbourhood_scores(first, second), first_people, second_people)
    yield _said(whole, "D_sys of whole sets", ("both whole sets",), against, began, guarantee)


def _said(
    found: Linkability,
    measure: str,
    has: tuple[str, ...],
    against: str,
    began: float,
    guarantee: Mapping[str, Any] | None,
) -> AttackFinding:
    linked = found.value > found.most_by_chance and found.interval[0] > found.chance
    told = "can be told to be of one person" if linked else "cannot be told to be of one person so"
    return AttackFinding(
        "unlinkability", against, (*has, "neither key"), measure,
        found.value, found.interval, found.chance, 0, time.process_time() - began,
        f"With {has[0]}: two templates of one person {told} (0: never, 1: always; chance {found.chance:.2f}); "
        f"{found.mated:,} pairs of one person, {found.non_mated:,} of two.",
        dict(guarantee or {}),
    )  # fmt: skip
