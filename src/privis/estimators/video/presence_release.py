"""Counts of people per window of time, or per cell of the picture, released of one recording with noise added once.

What is hidden is everything of one person in the recording: that they were there at all (`PersonDay`, whose day is the
recording). What the guarantee rests on is said in it: a person has no more tracks than the unit has ids, and the
tracks of others are what they would be without them. How many windows or cells there are is public.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from privis.errors import ParameterError, Problem, refuse
from privis.extraction.card import Card
from privis.extraction.vectors.origin import origin_of
from privis.extraction.vectors.vector_release import released
from privis.privacy import Guarantee, Ledger, Noise, PersonDay, ReleaseKey, WindowCountRelease
from privis.privacy.sampling.release_key import KeySource

FEATURE = "tracks of people before a fixed camera"
UNDISTURBED = "the tracks of everybody else are what they would be without the person"
RESOLUTION = 5
"""Grid steps of a person: a fifth more noise at most than without the number of people who were cut off."""


@dataclass(frozen=True)
class ReleasedCounts:
    """People per window, with noise, and what holds for them.

    Args:
        counts: people in each window, int64 (windows,); noise may bring them below 0.
        people_cut_off: of how many people windows do not count, because they were in more than a person may be; with
            noise as well.
        guarantee: of both.
        card: the record to hand on.
    """

    counts: npt.NDArray[np.int64]
    people_cut_off: int
    guarantee: Guarantee
    card: Card


def released_counts(
    windows: npt.ArrayLike,
    people: npt.ArrayLike,
    count: int,
    noise: Noise,
    unit: PersonDay,
    *,
    recording: str,
    key: KeySource = None,
    ledger: Ledger | None = None,
    resolution: int = RESOLUTION,
    question: tuple[object, ...] = (),
) -> ReleasedCounts:
    """Release how many different people were in each window.

    Guarantee: that of `WindowCountRelease`, for everything of one person in the recording.

    Args:
        windows: (n,) number of the window of every sighting, from 0.
        people: (n,) id of who was seen.
        count: of windows; public.
        noise: `Laplace` or `Gaussian`.
        unit: in how many windows a person counts, and how many ids one person may have.
        recording: names it in the ledger, such as "camera 3, Monday": one name for all that is released of it.
        key: of the noise; None: one that nobody keeps, so that every call is another release.
        ledger: of presence, that is charged before any noise is drawn.
        resolution: grid steps of a person.
        question: plain values that say of what the windows are: their length, the zone, how people are followed, which
            bytes were read. Two questions that go by one name have equal noise where their counts are equal, which
            shows that they are.

    Returns:
        The counts.

    Raises:
        ParameterError: naming all that does not fit.
        BudgetError: the ledger refuses; nothing was drawn.

    >>> from privis.privacy import Laplace
    >>> told = released_counts([0, 0, 2], [7, 8, 7], 3, Laplace(50.0), PersonDay(2), recording="door, Monday")
    >>> told.counts.tolist(), told.guarantee.epsilon
    ([2, 0, 1], 50.0)
    """
    numbers, ids = np.asarray(windows, np.int64), np.asarray(people, np.int64)
    if numbers.ndim != 1 or numbers.shape != ids.shape:
        expected = "one window and one id for every sighting"
        refuse(ParameterError, [Problem("windows, people", f"shapes {numbers.shape}, {ids.shape}", expected)])
    counted = WindowCountRelease(noise, count, unit, resolution)
    origin = origin_of(FEATURE)
    asked = replace(origin, question=(*origin.question, *question))
    secret = ReleaseKey.generate() if key is None else key
    told = released(asked, numbers, None, counted, recording, ids, secret, ledger)
    *counts, cut_off = told.features[0].tolist()
    single = ("nobody has more than one id",) if unit.ids == 1 else ()
    guarantee = replace(told.guarantee, promises=(*single, *told.guarantee.promises, UNDISTURBED))
    card = replace(told.card, guarantee=guarantee)
    return ReleasedCounts(np.array(counts, np.int64), int(cut_off), guarantee, card)
