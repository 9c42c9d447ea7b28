"""Lower bounds of epsilon of every mechanism, beside its claim: ``python -m benchmarks.attacks.audits [--seeds 100]``.

A release is run many times on two neighbouring inputs (two-point), and once on a table whose rows are one or the other
by a coin (one run); a classifier is trained once on canaries that are there by a coin. Bars: in no seed is a bound
above the claim, and where the noise is half of what is claimed, in 95 % of the seeds it is. A bound is above the true
epsilon with a probability of at most 1e-6, so that 5,000 of them raise a false alarm with a probability below 0.005.
Guesses about a training are at 1e-3: a delta of 1e-5 leaves nothing to prove at less. Half the noise is half its scale;
of directions and codes, which have none, twice epsilon.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

from privis.attack.audits.epsilon_bounds import EpsilonBound
from privis.attack.audits.neighbour_pairs import worst_pair
from privis.attack.audits.training_audit import audit_training
from privis.privacy import (
    AddOrRemovePerson,
    CodeRelease,
    CorpusHistogramRelease,
    Dataset,
    DirectionRelease,
    FeatureRelease,
    Gaussian,
    HistogramRelease,
    Laplace,
    LogisticTraining,
    MeanRelease,
    Metric,
    Patch,
    Person,
    PersonDay,
    PixelRelease,
    Pixels,
    PrivUnit,
    RandomisedResponse,
    ReleaseKey,
    SumRelease,
    VonMisesFisher,
    WholeImage,
    WindowCountRelease,
)
from privis.privacy.accounting.noise_calibration import gaussian_epsilon, gaussian_ratio

CAUGHT = 0.95
"""Share of the seeds in which half the noise is to be found."""
TRIES, CANARIES = 2_000, 2_000
_L, _G = Laplace(1.0), Gaussian(4.0, 1e-5)
OF_RARE_EVENTS = 5_000
"""Tries of von Mises and Fisher's mechanism, which reaches its epsilon in a single direction alone."""
RELEASES: dict[str, tuple[Any, tuple[int, ...]]] = {
    "Laplace, feature": (FeatureRelease(_L, 1.0), (128,)),
    "Laplace, feature, a person's 2 images": (FeatureRelease(_L, 1.0, Person(2)), (8,)),
    "Gaussian, feature": (FeatureRelease(_G, 1.0), (128,)),
    "Laplace, pixel": (PixelRelease(_L, Pixels(1)), (4, 4)),
    "Laplace, patch": (PixelRelease(_L, Patch(2)), (4, 4)),
    "Laplace, whole image in a block": (PixelRelease(_L, WholeImage(), 4), (4, 4)),
    "Gaussian, pixels": (PixelRelease(_G, Pixels(2)), (4, 4)),
    "Laplace, counts": (HistogramRelease(_L, 1, Pixels(1)), (16,)),
    "Laplace, counts of whole images": (HistogramRelease(_L, 1, total=50), (16,)),
    "Gaussian, counts": (HistogramRelease(_G, 3, Pixels(2)), (16,)),
    "randomised response": (CodeRelease(RandomisedResponse(1.0)), (64,)),
    "PrivUnit": (DirectionRelease(PrivUnit(1.0)), (64,)),
    "von Mises-Fisher": (DirectionRelease(VonMisesFisher(0.5)), (2,)),
    "von Mises-Fisher, metric": (DirectionRelease(VonMisesFisher(0.5), Metric()), (2,)),
    "Laplace, sum": (SumRelease(_L, 1.0), (8,)),
    "Laplace, sum with or without a person": (SumRelease(_L, 1.0, AddOrRemovePerson(3)), (8,)),
    "Gaussian, sum with or without an image": (SumRelease(_G, 1.0, Dataset()), (8,)),
    "Laplace, mean": (MeanRelease(_L, 1.0), (8,)),
    "Laplace, mean, a person replaced": (MeanRelease(_L, 1.0, Person(3)), (8,)),
    "Gaussian, mean of a private number": (MeanRelease(_G, 1.0, Dataset()), (64,)),
    "Laplace, histogram of a corpus": (CorpusHistogramRelease(_L, (0.0, 1.0)), (1,)),
    "Gaussian, histogram of a corpus": (CorpusHistogramRelease(_G, (0.0, 1.0), Dataset()), (1,)),
    "Laplace, people in a window": (WindowCountRelease(_L, 1, PersonDay(1)), (1,)),
}
TRAININGS = {
    "training, an image there or not": LogisticTraining(2, 2048, 2048, _G, Dataset(), sampling=1.0, steps=10),
    "training, an image replaced": LogisticTraining(10, 2048, 2048, _G, WholeImage(), sampling=1.0, steps=10),
}


@dataclass(frozen=True)
class Audited:
    """Bounds of one mechanism over its claim, with its noise and with half of it, one of each per seed."""

    name: str
    way: str
    epsilon: float
    kept: tuple[float, ...]
    halved: tuple[float, ...]
    barred: bool = True

    @property
    def caught(self) -> float:
        """Share of the seeds in which half the noise was found."""
        return sum(each > 1 for each in self.halved) / len(self.halved)

    @property
    def good(self) -> bool:
        """Whether both bars are kept."""
        return max(self.kept) <= 1 and (self.caught >= CAUGHT or not self.barred)


def with_half_the_noise(release: Any) -> Any:
    """The release with half the noise."""
    name = "noise" if hasattr(release, "noise") else "mechanism"
    mechanism = getattr(release, name)
    if isinstance(mechanism, Gaussian):
        twice = gaussian_epsilon(2 * gaussian_ratio(mechanism.epsilon, mechanism.delta), mechanism.delta)
        return replace(release, **{name: Gaussian(twice, mechanism.delta)})
    if isinstance(mechanism, VonMisesFisher):
        return replace(release, mechanism=VonMisesFisher(2 * mechanism.concentration))
    return replace(release, **{name: type(mechanism)(2 * mechanism.epsilon)})


def key_of(*numbers: int) -> ReleaseKey:
    """A key that repeats: these are tests, and hide nothing."""
    return ReleaseKey(b"".join(number.to_bytes(8, "big") for number in numbers).rjust(32, b"\0"))


def audited_release(name: str, seeds: int, tries: int = TRIES, canaries: int = CANARIES) -> Iterator[Audited]:
    """Audit one of `RELEASES` both ways."""
    release, shape = RELEASES[name]
    if isinstance(getattr(release, "mechanism", None), VonMisesFisher):
        tries = max(tries, OF_RARE_EVENTS)
    claimed = release.guarantee(shape)
    pairs = [worst_pair(each, shape, claimed) for each in (release, with_half_the_noise(release))]
    ways: dict[str, Callable[[Any, int, int], EpsilonBound]] = {
        "two-point": lambda pair, number, seed: pair.two_point(tries, key_of(1, number, seed)),
        "one run": lambda pair, number, seed: pair.one_run(canaries, key_of(2, number, seed), seed),
    }
    for way, bound in ways.items():
        kept, halved = (
            tuple(bound(pair, number, seed).epsilon / pair.epsilon for seed in range(seeds))
            for number, pair in enumerate(pairs)
        )
        yield Audited(name, way, pairs[0].epsilon, kept, halved)


def audited_training(name: str, seeds: int) -> Iterator[Audited]:
    """Audit one of `TRAININGS`, by the trade-off of its noise and by guesses alone."""
    plan = TRAININGS[name]
    claimed = plan.guarantee
    audits = [
        [audit_training(each, key_of(3, number, seed), seed, claimed) for seed in range(seeds)]
        for number, each in enumerate((plan, with_half_the_noise(plan)))
    ]
    for way in ("one run, trade-off", "one run, guesses"):
        kept, halved = (
            tuple(
                (each.by_trade_off() if "trade-off" in way else each.by_guesses()).epsilon / claimed.epsilon
                for each in side
            )
            for side in audits
        )
        # Guesses find half of Gaussian noise at no number of canaries that fits: shown, without a bar.
        yield Audited(name, way, claimed.epsilon, kept, halved, barred="trade-off" in way)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--seeds", type=int, default=100)
    parser.add_argument("--only", default="", help="part of a mechanism's name")
    options = parser.parse_args()
    start, spent = time.perf_counter(), time.process_time()
    rare = f"(von Mises-Fisher: {OF_RARE_EVENTS:,})"
    print(f"{options.seeds} seeds; {TRIES:,} releases of each input {rare}, or {CANARIES:,} rows of one table")
    print(f"{'mechanism':40} {'audit':18} {'epsilon':>7}  largest bound / claim (bar: 1)   half the noise caught")
    results = []
    for names, audit in ((RELEASES, audited_release), (TRAININGS, audited_training)):
        for name in names:
            for found in audit(name, options.seeds) if options.only in name else ():
                results.append(found)
                bar = f"bar: {CAUGHT:.0%}" if found.barred else "no bar"
                print(
                    f"{name:40} {found.way:18} {found.epsilon:7.3f}  {max(found.kept):21.3f} "
                    f"{found.caught:26.0%} ({bar}) {'' if found.good else 'MISSED'}",
                    flush=True,
                )
    print(f"{sum(each.good for each in results)} of {len(results)} audits keep their bars")
    print(f"{time.process_time() - spent:.1f} s of processor, {time.perf_counter() - start:.1f} s of wall clock")
    raise SystemExit(0 if all(each.good for each in results) else 1)


if __name__ == "__main__":
    main()
