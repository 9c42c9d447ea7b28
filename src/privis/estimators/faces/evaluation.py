"""Error rates on pictures of people who are known: genuine and impostor scores of all pairs, or of listed ones.

And what a release of stored templates leaves of them, over several draws of pictures and noise.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from typing import Any

import numpy as np
from numpy.typing import NDArray

from privis.errors import ImageError, ParameterError, Problem, refuse
from privis.estimators.faces.face_comparison import FaceComparison, FaceVectors
from privis.estimators.faces.released_templates import ReleasedTemplates
from privis.extraction.faces.face_templates import RefusedFace
from privis.extraction.images import image_record, listed_images
from privis.io.face_gallery import FaceGallery
from privis.privacy import ReleaseKey
from privis.subjects import subject_ids, warn_of_alike
from privis.tasks.verification import ErrorRates


@dataclass(frozen=True, eq=False)
class FaceEvaluation:
    """Scores of pairs of pictures.

    Args:
        rates: scores of the pairs of one person and of two.
        rows: (usable pictures, components) of length 1.
        places: (usable pictures,) number of each among those that were given.
        refused: why, by the number of each other picture.
        repeated: pairs that are one image twice; they are left out.
    """

    rates: ErrorRates
    rows: NDArray[np.float32] = field(repr=False)
    places: NDArray[np.int64] = field(repr=False)
    refused: dict[int, RefusedFace]
    repeated: int


@dataclass(frozen=True)
class DrawnRate:
    """A rate that is another one with every draw of pictures and noise.

    Args:
        value: mean over draws.
        interval: 95 %, Student's t over draws; people are the same in all of them, so that it says nothing of others.
    """

    value: float
    interval: tuple[float, float]


@dataclass(frozen=True, eq=False)
class ReleasedEvaluation:
    """Exact probes against released templates of a gallery.

    Args:
        draws: how often pictures and noise were drawn.
        images: pictures that each template is the mean of.
        people: in the gallery: those with at least so many pictures.
        pairs: of one person and of two, in each draw.
        equal_error: where as many impostors match as genuine pairs do not.
        rank_one: share of probes whose most similar template is their own, of probes whose person is in the gallery.
        true_accepts: by the false-accept rate.
        false_matches: at the threshold that was given; None: none was.
        matches: likewise, of pairs of one person.
    """

    draws: int
    images: int
    people: int
    pairs: tuple[int, int]
    equal_error: DrawnRate
    rank_one: DrawnRate
    true_accepts: Mapping[float, DrawnRate]
    false_matches: DrawnRate | None
    matches: DrawnRate | None


def evaluate_people(
    comparison: FaceComparison,
    images: Iterable[Any],
    subjects: Sequence[Any],
    on_progress: Callable[[float], None] = lambda share: None,
) -> FaceEvaluation:
    """Measure all pairs of pictures, one picture against one, in the clear.

    Args:
        comparison: makes the templates.
        images: paths, PIL images or uint8 arrays (H, W) or (H, W, 3) RGB, one person in each.
        subjects: whose each is, by the rules of `privis.subjects`.
        on_progress: is told the share of the pictures that have a template, in (0, 1].

    Returns:
        The scores. Pictures without a template are in no pair.

    Raises:
        ImageError: no picture has a template.
        ParameterError: no pair of one person or of two people, another number of subjects, or subjects that are no ids.

    Warns:
        SubjectWarning: ids that may be one person's.
    """
    listed = listed_images(images)
    ids = subject_ids(subjects)
    if len(ids) != len(listed):
        raise ParameterError(Problem("subjects", f"{len(ids)} ids", f"{len(listed)}, one for each image"))
    warn_of_alike(ids)
    found = _usable(comparison, listed, on_progress)
    first, second = np.triu_indices(len(found.rows), 1)
    people = np.unique([ids[place] for place in found.places], return_inverse=True)[1].reshape(-1)
    return _measured(listed, found, first, second, people[first] == people[second])


def evaluate_pairs(
    comparison: FaceComparison,
    pairs: Sequence[tuple[Any, Any, bool]],
    on_progress: Callable[[float], None] = lambda share: None,
) -> FaceEvaluation:
    """Measure pairs of which it is known whether they are one person's.

    Args:
        comparison: makes the templates.
        pairs: two pictures each, as paths, and whether they show one person.
        on_progress: is told the share of the pictures that have a template, in (0, 1].

    Returns:
        The scores; pictures are numbered in the order in which they come first. Pairs with a picture that has no
        template are left out.

    Raises:
        ImageError: no picture has a template.
        ParameterError: no pair of one person or of two people is left.
    """
    numbers: dict[str, int] = {}
    for first, second, _ in pairs:
        for each in (first, second):
            numbers.setdefault(str(each), len(numbers))
    listed = listed_images(list(numbers))
    found = _usable(comparison, listed, on_progress)
    rows = {int(place): row for row, place in enumerate(found.places)}
    places = [(numbers[str(a)], numbers[str(b)], same) for a, b, same in pairs]
    kept = [(rows[a], rows[b], same) for a, b, same in places if a in rows and b in rows]
    columns = np.array(kept, np.int64).reshape(-1, 3)
    return _measured(listed, found, columns[:, 0], columns[:, 1], columns[:, 2].astype(bool))


def _usable(comparison: FaceComparison, listed: Sequence[Any], on_progress: Callable[[float], None]) -> FaceVectors:
    found = comparison.vectors(listed, on_progress)
    if not len(found.rows):
        refuse(ImageError, [problem for why in found.refused.values() for problem in why.problems])
    return found


def _measured(
    listed: Sequence[Any],
    found: FaceVectors,
    first: NDArray[np.int64],
    second: NDArray[np.int64],
    same: NDArray[np.bool_],
) -> FaceEvaluation:
    records = np.unique([image_record(listed[place]) for place in found.places], return_inverse=True)[1].reshape(-1)
    once = records[first] != records[second]
    rows = found.rows.astype(np.float64)
    step = 1 << 16  # pairs at a time
    lots = range(0, len(first), step)
    parts = [(rows[first[lot : lot + step]] * rows[second[lot : lot + step]]).sum(1) for lot in lots]
    scores = np.concatenate(parts) if parts else np.zeros(0)
    rates = ErrorRates(scores[same & once], scores[~same & once])
    return FaceEvaluation(rates, found.rows, found.places, found.refused, int((~once).sum()))


def evaluate_released(
    measured: FaceEvaluation,
    subjects: Sequence[str],
    release: ReleasedTemplates,
    *,
    images: int = 1,
    draws: int = 8,
    false_accepts: Sequence[float] = (),
    threshold: float | None = None,
) -> ReleasedEvaluation:
    """Measure what a release of stored templates leaves of recognition: the gallery is released, probes are exact.

    In each draw the pictures of every person are shuffled; the first ones are enrolled, all others are probes. Keys are
    fixed, so that figures repeat; nothing that is released is kept. The rates are of exact pictures, and not private.

    Args:
        measured: what `evaluate_people` gave.
        subjects: whose each picture is, of all that were given there.
        release: of the templates; its key and ledger are not used.
        images: pictures that each person enrols with.
        draws: how many, at least 2.
        false_accepts: rates at which true accepts are wanted.
        threshold: cosine that `ReleasedTemplates.calibrated` gave; None: rates at it are not measured.

    Returns:
        Means over draws.

    Raises:
        ParameterError: fewer than two people with enough pictures, nobody with one more, or fewer than 2 draws.
    """
    _, first = np.unique(measured.rows, axis=0, return_index=True)  # one image twice is no probe of itself
    rows, whose = (
        measured.rows[np.sort(first)],
        np.array([subjects[place] for place in measured.places])[np.sort(first)],
    )
    names, counts = np.unique(whose, return_counts=True)
    names = names[counts >= images]
    problems = []
    if draws < 2 or images < 1:
        got = f"{draws} draws of {images} images"
        problems.append(Problem("draws, images", got, "at least 2 draws of at least 1 image"))
    if len(names) < 2 or counts.max() <= images:
        got = f"{len(names)} people with {images} pictures, and {int((counts > images).sum())} with one more"
        remedy = "enrol with fewer pictures, or take more of each person"
        problems.append(Problem("images", got, "at least two people, and one picture more of one of them", remedy))
    refuse(ParameterError, problems)
    drawn = [_drawn(rows, whose, names, replace(release, ledger=None), images, number) for number in range(draws)]
    rates = [ErrorRates(genuine, impostor) for genuine, impostor, _ in drawn]
    at = [] if threshold is None else [threshold]
    return ReleasedEvaluation(
        draws, images, len(names), (rates[0].genuine.size, rates[0].impostor.size),
        _over([each.equal_error.value for each in rates]), _over([hits for _, _, hits in drawn]),
        {rate: _over([each.true_accepts(rate).value for each in rates]) for rate in false_accepts},
        _over([float(each.false_matches(at)[0]) for each in rates]) if at else None,
        _over([1 - float(each.false_non_matches(at)[0]) for each in rates]) if at else None,
    )  # fmt: skip


def _drawn(
    rows: NDArray[np.float32],
    whose: NDArray[Any],
    names: NDArray[Any],
    release: ReleasedTemplates,
    images: int,
    number: int,
) -> tuple[NDArray[np.float64], NDArray[np.float64], float]:
    """Scores of genuine and impostor pairs of one draw, and its rank one."""
    random = np.random.default_rng(number)
    chosen = [random.permutation(np.flatnonzero(whose == name))[:images] for name in names]
    enrolled = np.concatenate(chosen)
    drawing = replace(release, key=ReleaseKey(number.to_bytes(32, "big")))
    own, records = [str(whose[row]) for row in enrolled], [str(row) for row in enrolled]
    gallery = drawing.enrolled(FaceGallery(bytes(32), "evaluation"), own, records, rows[enrolled], date.today())
    templates = gallery.templates / np.linalg.norm(gallery.templates, axis=1, keepdims=True)
    probes = np.setdiff1d(np.arange(len(rows)), enrolled)
    cosines = rows[probes].astype(np.float64) @ templates.T
    same = whose[probes][:, None] == np.array(gallery.subjects)[None]
    known = same.any(1)
    hits = same[known, cosines[known].argmax(1)].mean()
    return cosines[same], cosines[~same], float(hits)


def _over(values: Sequence[float]) -> DrawnRate:
    from scipy.stats import t

    mean, half = float(np.mean(values)), float(t.ppf(0.975, len(values) - 1) * np.std(values, ddof=1))
    half /= math.sqrt(len(values))
    return DrawnRate(mean, (max(0.0, mean - half), min(1.0, mean + half)))
