"""How many people were there in every window of a day, with noise added once: for cameras and doors.

Everything of one person on the day is hidden (`PersonDay`): a person counts once in a window, however often they were
seen in it, and in their first ``windows`` windows of the day at most. What was cut off is private, too: how many people
had more windows is one more number with noise, so that a reader knows how much the counts fall short. The exact
number of windows that were cut off has no bound for one person; it stays with the owner (`Partial.left_out`).

Sensitivity. A window counts a person in ``resolution`` = r grid steps, and one who is cut off is one step. One id that
comes or goes moves at most m = min(windows of the id, windows of the day) of the counts by r, and, where more windows
than m are possible, the number of those who were cut off by 1: L1 at most r m + 1 and L2 at most sqrt(r^2 m + 1). Which
windows count is decided by the id's own windows, so that the part of everybody else stays. A person of k ids moves k
times that: distances add up, and all ids may be in the same windows. Both are attained by a person whose every id has
more than m windows. More ids than the unit says are not hidden as it says. In people, the noise of a window is
that of k (m + 1/r), and the noise of the number cut off is r times it: r = 5 has at most a fifth more noise than
counts without that number.

Windows may be of time, of space (the cells of a map), or both: they are numbers.

Shards may be merged where no id is in two of them: an id's windows are told apart within a shard alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from privis.errors import ParameterError, Problem, refuse
from privis.identity import LATER
from privis.privacy.guarantee import CORPUS, Guarantee
from privis.privacy.mechanisms.additive import Noise
from privis.privacy.releases.corpus_noise import Subjects, check_made_by, noisy_steps
from privis.privacy.releases.noise import noise_guarantee, noise_problems
from privis.privacy.releases.partial_sums import Partial
from privis.privacy.sampling.release_key import NoiseStream
from privis.privacy.sensitivity import Norm, Sensitivity
from privis.privacy.units import PersonDay
from privis.subjects import shortened, subject_ids, warn_of_alike
from privis.validation import keep_whole, whole_number

LARGEST_DAY = 2**20
"""Most windows of a day."""
FINEST = 2**10
"""Most grid steps of a person."""


@dataclass(frozen=True)
class WindowCountRelease:
    """People per window of a day, and people of whom windows were cut off; sensitivity: see the module.

    Args:
        noise: `Laplace` or `Gaussian`.
        windows: of the day, numbered from 0; public.
        unit: what is hidden: PersonDay(m), of which m windows count, or PersonDay(m, ids=k).
        resolution: grid steps in which a window counts a person; more of them make counts more exact, and the number
            of people who were cut off less.

    Raises:
        ParameterError: naming all bad parameters.

    >>> from privis.privacy import Laplace
    >>> release = WindowCountRelease(Laplace(1.0), windows=96, unit=PersonDay(4))
    >>> release.partial([3, 3, 4, 90, 90], ["ann", "ann", "ann", "ann", "bob"]).total[90]
    2
    >>> release.guarantee((96,)).sensitivity
    5.0
    >>> finer = WindowCountRelease(Laplace(1.0), windows=96, unit=PersonDay(4), resolution=5)
    >>> finer.guarantee((96,)).sensitivity / 5  # people
    4.2
    """

    identifier: ClassVar[str] = "privis.window-count-release/1"

    noise: Noise
    windows: int
    unit: PersonDay
    resolution: int = field(default=1, metadata=LATER)

    def __post_init__(self) -> None:
        problems = noise_problems("WindowCountRelease.noise", self.noise)
        problems += whole_number("WindowCountRelease.windows", self.windows)
        problems += whole_number("WindowCountRelease.resolution", self.resolution)
        if not problems and int(self.resolution) > FINEST:
            problems.append(Problem("WindowCountRelease.resolution", repr(self.resolution), f"at most {FINEST:,}"))
        if not problems and int(self.windows) > LARGEST_DAY:
            problems.append(Problem("WindowCountRelease.windows", repr(self.windows), f"at most {LARGEST_DAY:,}"))
        if not isinstance(self.unit, PersonDay):
            problems.append(Problem("WindowCountRelease.unit", repr(self.unit), "PersonDay(windows)"))
        refuse(ParameterError, problems)
        keep_whole(self, "windows")
        keep_whole(self, "resolution")

    def __repr__(self) -> str:
        # Noise streams name a release by its text, which stays what it was before there was a resolution.
        finer = "" if self.resolution == 1 else f", resolution={self.resolution}"
        return f"WindowCountRelease(noise={self.noise!r}, windows={self.windows}, unit={self.unit!r}{finer})"

    def guarantee(self, shape: tuple[int, ...]) -> Guarantee:
        """The guarantee, computed without looking at anybody.

        Args:
            shape: (windows,).

        Returns:
            Epsilon and delta of everything of one person on the day; nothing bounds an image of several people.

        Raises:
            ParameterError: the shape is another, or no noise can keep this epsilon.
        """
        if shape != (self.windows,):
            raise ParameterError(Problem("window counts", f"shape {shape}", f"({self.windows},)"))
        sensitivity = window_sensitivity(self.noise.norm, self.windows, self.unit, self.resolution)
        stated = noise_guarantee(self.noise, self.unit, sensitivity, None, 1 / self.resolution, "people")
        promises = () if self.unit.ids == 1 else (f"nobody has more than {self.unit.ids} ids",)
        return replace(stated, computed_from=CORPUS, promises=promises)

    def partial(self, windows: Sequence[int] | npt.NDArray[Any], subjects: Subjects | None = None) -> Partial:
        """Count the people of one shard.

        Args:
            windows: number of the window of every sighting, in any order.
            subjects: who was seen.

        Returns:
            Exact integers, as secret as the sightings; ``left_out`` is how many windows of people were cut off.

        Raises:
            ParameterError: windows that are none of the day's, or not one id for every sighting.
        """
        numbers = self._numbers(windows)
        if subjects is None:
            raise ParameterError(Problem("subjects", "none", "a subject for every sighting, as a person is hidden"))
        names = subject_ids(subjects)
        if len(names) != len(numbers):
            raise ParameterError(Problem("subjects", f"{len(names)} subjects", f"{len(numbers)}, one per sighting"))
        warn_of_alike(names)
        seen: dict[str, set[int]] = {}
        for number, name in zip(numbers, names, strict=True):
            seen.setdefault(name, set()).add(number)
        most = self.unit.windows
        counts = np.zeros(self.windows, np.int64)
        for own in seen.values():
            counts[sorted(own)[:most]] += self.resolution
        beyond = [len(own) - most for own in seen.values() if len(own) > most]
        total = (*counts.tolist(), len(beyond))
        images = int(counts.sum()) // self.resolution
        # Everybody has given all they may: who is in two shards might be in one window twice.
        given = dict.fromkeys(seen, most)
        return Partial(repr(self), (self.windows,), most, total, images, sum(beyond), given)

    def steps(self, partial: Partial) -> tuple[int, ...]:
        """Give the integers that noise is added to, people who were cut off last; as secret as the partial."""
        check_made_by(self, partial)
        return partial.total

    def release(self, partial: Partial, stream: NoiseStream) -> npt.NDArray[np.int64]:
        """Release the counts; one release, to be charged once.

        Args:
            partial: of all shards together.
            stream: that the noise is drawn from.

        Returns:
            People in every window, and last of whom windows were cut off: int64 (windows + 1,).

        Raises:
            ParameterError: the partial is another release's, or no noise can keep this epsilon.
        """
        return self.people(noisy_steps(self, partial, stream))

    def people(self, steps: Sequence[int]) -> npt.NDArray[np.int64]:
        """Give grid steps as people; post-processing.

        Args:
            steps: of every window, and last of those of whom windows were cut off.

        Returns:
            People, rounded: int64 (windows + 1,).
        """
        numbers = np.array(steps, np.int64)
        numbers[:-1] = np.rint(numbers[:-1] / self.resolution)
        return numbers

    def _numbers(self, windows: Sequence[int] | npt.NDArray[Any]) -> list[int]:
        array = np.asarray(windows)
        if array.ndim != 1 or array.dtype.kind not in "iuf":
            got = f"{array.dtype} values of shape {array.shape}"
            raise ParameterError(Problem("windows", got, "one whole number per sighting"))
        with np.errstate(invalid="ignore"):
            wrong = ~((array >= 0) & (array < self.windows) & (array == np.floor(array)))
        remedy = "number the windows of the day from 0; another day is another release"
        problems = [
            Problem(f"windows[{row}]", f"{array[row]}", f"a whole number from 0 to {self.windows - 1}", remedy)
            for row in np.flatnonzero(wrong)
        ]
        refuse(ParameterError, shortened(problems, "windows"))
        return [int(number) for number in array]


def window_sensitivity(norm: Norm, windows: int, unit: PersonDay, resolution: int = 1) -> Sensitivity:
    """Sensitivity of counts of people in ``windows``, in steps of one person's ``resolution``-th; see the module.

    >>> window_sensitivity("L1", 96, PersonDay(4)).value, window_sensitivity("L2", 96, PersonDay(3)).value
    (5.0, 2.0)
    >>> window_sensitivity("L1", 96, PersonDay(4, ids=2), resolution=5).value
    42.0
    """
    counted = min(unit.windows, windows)
    beyond = 1 if unit.windows < windows else 0
    one = (counted * resolution + beyond) ** 2 if norm == "L1" else counted * resolution**2 + beyond
    reason = f"a person counts once in each of at most {counted} windows, and comes or goes"
    if resolution > 1:
        reason += f"; a person is {resolution} steps"
    if beyond:
        reason += "; one more number counts the people of whom windows were cut off"
        reason += "" if resolution == 1 else " in one step each"
    if unit.ids > 1:
        reason += f"; {unit.ids} ids of one person together"
    moved = min(counted * unit.ids, windows) + beyond
    return Sensitivity(norm, one * unit.ids**2, moved, resolution * unit.ids, reason)
