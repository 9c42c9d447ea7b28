"""How far corpora that are neighbours are apart, and the noise that hides it; see `privis.privacy.releases.corpus`."""

from __future__ import annotations

import hashlib
from collections.abc import Hashable, Sequence
from dataclasses import replace
from functools import lru_cache
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from privis.errors import ParameterError, Problem
from privis.privacy.guarantee import CORPUS, OR_NONE, Guarantee
from privis.privacy.mechanisms.additive import Noise
from privis.privacy.releases.image import FeatureRelease
from privis.privacy.releases.noise import draw_noise, noise_guarantee
from privis.privacy.releases.partial_sums import Integers, Partial
from privis.privacy.sampling.release_key import NoiseStream
from privis.privacy.sensitivity import Norm, Sensitivity
from privis.privacy.units import AddOrRemovePerson, Dataset, Person, WholeImage

CorpusUnit = WholeImage | Dataset | Person | AddOrRemovePerson
Subjects = Sequence[str | int] | npt.NDArray[Any]


class CorpusRelease(Hashable, Protocol):
    """A release of one result about a corpus: integers of a `Partial`, with noise added once."""

    @property
    def noise(self) -> Noise:
        """Laplace or Gaussian noise."""
        ...

    def guarantee(self, shape: tuple[int, ...]) -> Guarantee:
        """The guarantee, computed without looking at any vector.

        Args:
            shape: (components,) of a vector.

        Returns:
            The guarantee.
        """
        ...

    def steps(self, partial: Partial) -> tuple[int, ...]:
        """Give the integers that noise is added to; as secret as the partial.

        Args:
            partial: of this release.

        Returns:
            One integer per coordinate.
        """
        ...


def sum_sensitivity(norm: Norm, unit: CorpusUnit, radius: int, components: int, weight: int = 0) -> Sensitivity:
    """Sensitivity of a sum of integer rows of norm at most ``radius``, with ``weight`` <= radius times their number.

    The derivation is in the module's text and, for the count, in `MeanRelease`.

    >>> sum_sensitivity("L2", Dataset(), 1000, 128, weight=300).squared
    1090000
    """
    rows = f"every row's {norm} norm is clipped to {radius} grid steps"
    count = (
        f", and the private number of images, one more coordinate, counts {weight} steps per image" if weight else ""
    )
    coordinates = components + (1 if weight else 0)
    if isinstance(unit, WholeImage):  # the number of images stays
        reason = f"{rows}; one row is replaced by another: at most twice that"
        return Sensitivity(norm, (2 * radius) ** 2, components, 2 * radius, reason)
    if isinstance(unit, Dataset):
        squared = (radius + weight) ** 2 if norm == "L1" else radius**2 + weight**2
        return Sensitivity(norm, squared, coordinates, radius, f"{rows}{count}; one row comes or goes")
    if isinstance(unit, AddOrRemovePerson):
        most = unit.images
        squared = most**2 * ((radius + weight) ** 2 if norm == "L1" else radius**2 + weight**2)
        reason = f"{rows}{count}; at most {most} rows of a person come or go"
        return Sensitivity(norm, squared, coordinates, most * radius, reason)
    free = ", which costs nothing more" if weight else ""
    reason = f"{rows}{count}{free}; at most {unit.images} rows of a person are replaced by as many, more or fewer"
    reach = 2 * unit.images * radius
    return Sensitivity(norm, reach**2, coordinates, reach, reason)


def bin_sensitivity(norm: Norm, unit: CorpusUnit, bins: int, components: int) -> Sensitivity:
    """Sensitivity of the counts of ``bins`` bins for each of ``components``; derived in `CorpusHistogramRelease`.

    >>> bin_sensitivity("L1", WholeImage(), 10, 3).value, bin_sensitivity("L2", Person(5), 10, 2).value
    (6.0, 10.0)
    """
    rows = f"an image counts once in each of {components} components"
    if isinstance(unit, WholeImage):
        squared = (2 * components) ** 2 if norm == "L1" else 2 * components
        return Sensitivity(norm, squared, 2 * components, 1, f"{rows}; replaced, it moves from one bin to another")
    if isinstance(unit, Dataset):
        squared = components**2 if norm == "L1" else components
        return Sensitivity(norm, squared, components, 1, f"{rows}; one image comes or goes")
    most = unit.images
    if isinstance(unit, AddOrRemovePerson):
        squared = (most * components) ** 2 if norm == "L1" else most**2 * components
        reason = f"{rows}; at most {most} images of a person come or go"
        return Sensitivity(norm, squared, min(most, bins) * components, most, reason)
    squared = (2 * most * components) ** 2 if norm == "L1" else 2 * most**2 * components
    reason = f"{rows}; at most {most} images of a person move from some bins to others, come or go"
    return Sensitivity(norm, squared, min(2 * most, bins) * components, most, reason)


def noisy_steps(release: CorpusRelease, partial: Partial, stream: NoiseStream) -> list[int]:
    """The integers of ``partial`` with noise: one release."""
    steps = release.steps(partial)
    scale = noise_scale(release, partial.shape)
    content = hashlib.sha256(repr(steps).encode()).hexdigest()
    purpose = f"{partial.made_by}, {partial.shape}, {content}"  # made by this release, as ``steps`` has checked
    noise = draw_noise(release.noise, scale, stream, (len(steps),), purpose).tolist()
    return [step + more for step, more in zip(steps, noise, strict=True)]


@lru_cache(maxsize=256)
def noise_scale(release: CorpusRelease, shape: tuple[int, ...]) -> float:
    """Scale of the noise for vectors of ``shape``, in grid steps."""
    return release.guarantee(shape).scale


def corpus_guarantee(
    noise: Noise, unit: CorpusUnit, sensitivity: Sensitivity, whole: Sensitivity, step: float, step_unit: str
) -> Guarantee:
    """The guarantee of a result about a corpus, in the words of its unit."""
    guarantee = replace(noise_guarantee(noise, unit, sensitivity, whole, step, step_unit), computed_from=CORPUS)
    if not isinstance(unit, Person):
        return guarantee
    # Stronger than the unit's own relation, which keeps the number of images.
    relation = f"all images of one person, of which at most {unit.images} count, replaced by others, {OR_NONE}"
    return replace(guarantee, relation=relation)


def grid_sum(noise: Noise, clip: float, rows: npt.NDArray[Any]) -> Integers:
    """Sum of the rows, each clipped to ``clip`` and put on the grid."""
    to_grid = FeatureRelease(noise, clip).on_grid
    total = np.zeros(rows.shape[1], np.int64)
    for row in rows:
        total += to_grid(row)
    return total


def most_rows(unit: CorpusUnit) -> int | None:
    """Rows of one person that count; None where nobody is counted."""
    return unit.images if unit.needs_subjects else None


def components_of(shape: tuple[int, ...]) -> int:
    """Components of vectors of ``shape``; ParameterError unless it is (components,)."""
    if len(shape) != 1 or shape[0] < 1:
        raise ParameterError(Problem("feature shape", repr(shape), "(components,), at least one"))
    return shape[0]


def check_made_by(release: CorpusRelease, partial: Partial) -> None:
    """Refuse the partial of another release."""
    if partial.made_by != repr(release):
        raise ParameterError(Problem("Partial", f"one of {partial.made_by}", f"one of {release!r}"))


def unit_problems(where: str, unit: object) -> list[Problem]:
    """What is wrong with ``unit`` as what a corpus's release hides."""
    if isinstance(unit, WholeImage | Dataset | Person | AddOrRemovePerson):
        return []
    expected = "WholeImage(), Dataset(), Person(images) or AddOrRemovePerson(images)"
    return [Problem(where, repr(unit), expected)]


def clipped_problems(name: str, noise: Noise, clip: float, unit: object) -> list[Problem]:
    """What is wrong with the parameters of a release that clips rows."""
    problems = unit_problems(f"{name}.unit", unit)
    try:
        FeatureRelease(noise, clip)
    except ParameterError as error:
        problems += [replace(p, where=p.where.replace("FeatureRelease", name)) for p in error.problems]
    return problems
