"""Every kind of release, unit, placement, feature, shape and executor, with what the calculator says of each."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from itertools import product

import numpy as np

from privis.privacy import (
    CodeRelease,
    DirectionRelease,
    FeatureRelease,
    Gaussian,
    Guarantee,
    HistogramRelease,
    Laplace,
    Metric,
    Patch,
    Person,
    PixelRelease,
    Pixels,
    PrivUnit,
    RandomisedResponse,
    VonMisesFisher,
    WholeImage,
)
from privis.privacy.releases.corpus import CorpusHistogramRelease, CorpusUnit, MeanRelease, SumRelease
from privis.privacy.units import AddOrRemovePerson, Dataset, Enrolment, Unit
from privis.report.elements import in_words
from tests.guarantees import calculator, confirmed
from tests.guarantees.calculator import Move
from tests.guarantees.confirmed import Expected
from tests.guarantees.directional import code_differences, direction_differences

NOISES: tuple[Laplace | Gaussian, ...] = (
    Laplace(0.5), Laplace(4.0), Laplace(70.0), Gaussian(1.0, 1e-6), Gaussian(8.0, 1e-9), Gaussian(0.05, 1e-3),
)  # fmt: skip
IMAGES = ((4, 4), (3, 5), (1, 1), (7, 3), (28, 28), (4, 4, 3), (2, 3, 3), (5, 7, 3))
PERSONS = (Person(1), Person(3), Person(10))
NAMES: dict[type[Unit], str] = {
    WholeImage: "whole image", Pixels: "pixels", Patch: "patch", Person: "person", Dataset: "dataset", Metric: "metric",
    AddOrRemovePerson: "person added or removed", Enrolment: "enrolment",
}  # fmt: skip


@dataclass(frozen=True)
class Configuration:
    """One release over one shape; ``differences`` are sentences, none when the calculator confirms it."""

    words: str
    differences: Callable[[], list[str]]


def number_of(unit: Unit) -> int | None:
    """The number that the relation of ``unit`` must name."""
    match unit:
        case Pixels(count=number) | Patch(side=number) | Person(images=number) | AddOrRemovePerson(images=number):
            return number
    return None


def expected(noise: Laplace | Gaussian, unit: Unit, step: float, step_unit: str, where: str = "one image") -> Expected:
    """Names of additive noise."""
    mechanism, norm = ("discrete Laplace", "L1") if isinstance(noise, Laplace) else ("rounded Gaussian", "L2")
    return Expected(NAMES[type(unit)], number_of(unit), mechanism, step, step_unit, norm, where)


def moves_of_pixels(release: PixelRelease, shape: tuple[int, ...]) -> tuple[Move, Move]:
    """The unit's worst move, and a whole image's."""
    norm = "L1" if isinstance(release.noise, Laplace) else "L2"
    block = release.unit.side if isinstance(release.unit, Patch) else release.block
    whole = calculator.pixel_move(norm, shape, block, None)
    match release.unit:
        case Pixels(count=count):
            return calculator.pixel_move(norm, shape, block, count), whole
        case Patch():
            return calculator.pixel_move(norm, shape, block, None, patch=True), whole
        case Person(images=images):
            return whole.times(images), whole
    return whole, whole


def pixel_differences(release: PixelRelease, shape: tuple[int, ...], guarantee: Guarantee) -> list[str]:
    """Compare the guarantee of noise on pixels."""
    unit, whole = moves_of_pixels(release, shape)
    block = release.unit.side if isinstance(release.unit, Patch) else release.block
    area = calculator.block_areas(shape[0], shape[1], block)[0]
    told: dict[str, float] = {"by up to": 255}
    if len(shape) == 3 and shape[2] > 1:
        told["in each of"] = shape[2]
    if isinstance(release.unit, Pixels):
        told["changed pixels: at most"] = release.unit.count
    if block > 1:
        told["every sum over"] = block
    return [
        *confirmed.plain(guarantee, expected(release.noise, release.unit, 1 / area, "grey levels")),
        *confirmed.additive(guarantee, release.noise, unit, whole),
        *confirmed.reason(guarantee, told),
        *words(guarantee),
    ]


def feature_differences(release: FeatureRelease, components: int, guarantee: Guarantee) -> list[str]:
    """Compare the guarantee of noise on a clipped feature."""
    norm = "L1" if isinstance(release.noise, Laplace) else "L2"
    radius = calculator.radius_of(release.clip)
    whole = calculator.ball_move(norm, radius, components)
    unit = whole.times(number_of(release.unit) or 1)
    step = calculator.step_of(release.clip)
    return [
        *confirmed.plain(guarantee, expected(release.noise, release.unit, step, "feature units")),
        *confirmed.additive(guarantee, release.noise, unit, whole),
        *confirmed.reason(guarantee, {"norm is clipped to": radius}),
        *words(guarantee),
    ]


def count_differences(release: HistogramRelease, bins: int, guarantee: Guarantee) -> list[str]:
    """Compare the guarantee of noise on counts."""
    norm = "L1" if isinstance(release.noise, Laplace) else "L2"
    whole = None if release.total is None else calculator.replaced_counts(norm, bins, release.total)
    if isinstance(release.unit, Pixels):
        unit = calculator.moved_counts(norm, bins, release.unit.count * release.moves)
        told: dict[str, float] = {"at most": release.unit.count}
    else:
        assert whole is not None
        unit = whole.times(number_of(release.unit) or 1)
        told = {"at most": release.total or 0}
    return [
        *confirmed.plain(guarantee, expected(release.noise, release.unit, 1.0, "counts")),
        *confirmed.additive(guarantee, release.noise, unit, whole),
        *confirmed.reason(guarantee, told),
        *words(guarantee),
    ]


def sum_differences(release: SumRelease | MeanRelease, components: int, guarantee: Guarantee) -> list[str]:
    """Compare the guarantee of a noisy sum over a corpus, with a private count or without."""
    norm = "L1" if isinstance(release.noise, Laplace) else "L2"
    radius, kind = calculator.radius_of(release.clip), kind_of(release.unit)
    weight = private_weight(release, components)
    unit = calculator.sum_move(norm, kind, radius, components, weight)
    whole = calculator.sum_move(norm, ("replaced", 1), radius, components, 0)
    told: dict[str, float] = {"norm is clipped to": radius} | (
        {"one more coordinate, counts": weight} if weight else {}
    )
    step_unit = "feature units" + (", summed" if isinstance(release, MeanRelease) else "")
    step = calculator.step_of(release.clip)
    return [
        *confirmed.plain(guarantee, expected(release.noise, release.unit, step, step_unit, "corpus")),
        *confirmed.additive(guarantee, release.noise, unit, whole),
        *confirmed.reason(guarantee, told),
        *words(guarantee),
    ]


def bin_differences(release: CorpusHistogramRelease, components: int, guarantee: Guarantee) -> list[str]:
    """Compare the guarantee of a corpus's histograms."""
    norm = "L1" if isinstance(release.noise, Laplace) else "L2"
    bins = len(release.edges) + 1
    unit = calculator.bin_move(norm, kind_of(release.unit), bins, components)
    whole = calculator.bin_move(norm, ("replaced", 1), bins, components)
    return [
        *confirmed.plain(guarantee, expected(release.noise, release.unit, 1.0, "images", "corpus")),
        *confirmed.additive(guarantee, release.noise, unit, whole),
        *confirmed.reason(guarantee, {"in each of": components}),
        *words(guarantee),
    ]


def kind_of(unit: CorpusUnit) -> tuple[str, int]:
    """What the calculator calls the unit of a corpus."""
    match unit:
        case Person(images=images):
            return "person", images
        case Dataset():
            return "present", 1
        case AddOrRemovePerson(images=images):
            return "present", images
    return "replaced", 1


def words(guarantee: Guarantee) -> list[str]:
    """Compare what is printed with the numbers, and the dictionary that a card carries."""
    back = Guarantee.from_dict(guarantee.to_dict())
    changed = [] if back == guarantee else [f"the card's dictionary reads as {back}"]
    return changed + confirmed.sentence(guarantee) + confirmed.report_line(guarantee, in_words(guarantee))


def private_weight(release: SumRelease | MeanRelease, components: int) -> int:
    """What one image adds to the count's coordinate, read off the integers that noise is added to; 0 without one."""
    if isinstance(release, SumRelease) or isinstance(release.unit, WholeImage):
        return 0
    subjects = ["ann"] if release.unit.needs_subjects else None
    return release.steps(release.partial(np.zeros((1, components)), subjects))[-1]


def pixel_configurations() -> Iterator[Configuration]:
    """Noise on pixels."""
    units = (WholeImage(), Pixels(1), Pixels(2), Pixels(5), Pixels(16), Pixels(1000), *PERSONS)
    placed = [(unit, block) for unit, block in product(units, (1, 2, 3, 5))]
    placed += [(Patch(side), 1) for side in (1, 2, 3, 4, 9)]
    for shape, (unit, block), noise in product(IMAGES, placed, NOISES):
        release = PixelRelease(noise, unit, block)
        yield _made(release, shape, partial(pixel_differences, release, shape))


def vector_configurations() -> Iterator[Configuration]:
    """Noise on clipped features and on counts."""
    for noise, unit, clip, length in product(
        NOISES, (WholeImage(), Enrolment(), *PERSONS), (1.0, 0.3, 2.0**-100, 2.5e-5, 1e6), (1, 7, 128)
    ):
        release = FeatureRelease(noise, clip, unit)
        yield _made(release, (length,), partial(feature_differences, release, length))
    counted = [(unit, total) for unit, total in product((WholeImage(), *PERSONS), (1, 16, 784))]
    counted += [(Pixels(count), total) for count, total in product((1, 16), (None, 784))]
    for noise, (unit, total), moves, bins in product(NOISES, counted, (1, 3, 9), (1, 2, 24, 256)):
        histogram = HistogramRelease(noise, moves, unit, total)
        yield _made(histogram, (bins,), partial(count_differences, histogram, bins))


def corpus_configurations() -> Iterator[Configuration]:
    """Aggregates."""
    added = (AddOrRemovePerson(1), AddOrRemovePerson(4))
    units: tuple[CorpusUnit, ...] = (WholeImage(), Dataset(), *PERSONS, *added)
    for noise, unit, clip, length in product(NOISES, units, (1.0, 0.3), (1, 8, 128)):
        for kind in (SumRelease, MeanRelease):
            release = kind(noise, clip, unit)
            yield _made(release, (length,), partial(sum_differences, release, length))
    for noise, unit, edges, length in product(NOISES, units, (1, 3, 15), (1, 3)):
        binned = CorpusHistogramRelease(noise, tuple(map(float, range(edges))), unit)
        yield _made(binned, (length,), partial(bin_differences, binned, length))


def directional_configurations() -> Iterator[Configuration]:
    """Directions and codes."""
    for epsilon, unit, length in product((0.1, 4.0, 30.0), (WholeImage(), Enrolment(), *PERSONS), (2, 3, 16, 300)):
        release = DirectionRelease(PrivUnit(epsilon), unit)
        yield _made(release, (length,), partial(direction_differences, release, length))
    for concentration, unit, length in product(
        (0.1, 5.0, 60.0), (WholeImage(), Enrolment(), *PERSONS, Metric()), (2, 3, 16, 300)
    ):
        release = DirectionRelease(VonMisesFisher(concentration), unit)
        yield _made(release, (length,), partial(direction_differences, release, length))
    for epsilon, unit, bits in product((0.1, 4.0, 30.0), (WholeImage(), Enrolment(), *PERSONS), (1, 2, 5, 64, 256)):
        code = CodeRelease(RandomisedResponse(epsilon), unit)
        yield _made(code, (bits,), partial(code_differences, code, bits))


def _made(release, shape: tuple[int, ...], compare: Callable[[Guarantee], list[str]]) -> Configuration:
    def differences() -> list[str]:
        guarantee = release.guarantee(shape)
        found = compare(guarantee)
        if isinstance(release, DirectionRelease | CodeRelease):
            return found + words(guarantee)
        return found

    return Configuration(f"{release!r} of {shape}", differences)


def releases() -> list[Configuration]:
    """All of them."""
    parts = pixel_configurations(), vector_configurations(), corpus_configurations(), directional_configurations()
    return [configuration for part in parts for configuration in part]
