"""Membership inference against heads: ``python -m benchmarks.attacks.membership [DATA]``.

One head is fitted to 500 pictures of CIFAR-10 until it knows them (the positive control: an attacker who misses these
is too weak), one is what `privis classify train` fits, and others are trained on the same pictures under differential
privacy. The attacker has as many public pictures as there are others and trains eight models on halves of them. Bars:
members of the overfitted head are found (area at least 0.65, lower end of the interval; more members at 1 % false
positives than guessing, by the interval); of private heads no more members than by guessing at 0.1 % and 1 % false
positives, by the interval, and no more than epsilon allows.
"""

from __future__ import annotations

import argparse
import math
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from benchmarks.training.image_sets import SHARED, from_zips
from privis import HOG, extract
from privis.attack.audits.epsilon_bounds import one_run_bound
from privis.attack.inference.membership import (
    MembershipAttack,
    MembershipRate,
    area_under_curve,
    membership_rates,
    membership_scores,
)
from privis.attack.inference.reference_models import LabelledVectors, Model, head_model, train_references
from privis.estimators.classification.head_training import LinearTraining
from privis.privacy import Gaussian, LogisticTraining, WholeImage
from privis.training.fitting import train_head

MEMBERS, OTHERS = 500, 2_000
CONTROL = 0.65
"""Area under the curve that the overfitted head has to give away at least, by the lower end of the interval."""
PRIVATE = (8.0, 3.0)
_CLASSES = 10


@dataclass(frozen=True)
class Parts:
    """Pictures that are trained on, others like them, and the attacker's."""

    members: LabelledVectors
    others: LabelledVectors
    public: LabelledVectors


@dataclass(frozen=True)
class Attacked:
    """What the attack got of one head."""

    name: str
    epsilon: float | None
    right: float
    way: MembershipAttack
    area: tuple[float, tuple[float, float]]
    rates: tuple[MembershipRate, ...]
    proved: float

    @property
    def good(self) -> bool:
        """Whether the bars of this head are kept."""
        if self.epsilon is not None:
            allowed = [min(1.0, math.exp(self.epsilon) * rate.chance) for rate in self.rates]  # of all true positives
            told = all(rate.interval[0] <= most for rate, most in zip(self.rates, allowed, strict=True))
            return self.proved <= self.epsilon and told
        if self.name == "overfitted":
            return self.area[1][0] >= CONTROL and self.rates[-1].interval[0] > self.rates[-1].chance
        return True

    def line(self) -> str:
        """The row of the table."""
        low, high = self.area[1]
        rates = "  ".join(
            f"{rate.value:6.1%} ({rate.interval[0]:.1%} to {rate.interval[1]:.1%}; chance {rate.chance:.2%})"
            for rate in self.rates
        )
        return (
            f"{self.name:12} {self.right:7.1%}  {self.area[0]:.3f} ({low:.3f} to {high:.3f})  {rates}  "
            f"{self.proved:6.2f}  {self.way.name:16} {'' if self.good else 'MISSED'}"
        )


def parts_of(vectors: npt.NDArray[np.float32], labels: npt.NDArray[np.int64], members: int, others: int) -> Parts:
    """Cut a shuffled set."""
    classes = tuple(map(str, range(_CLASSES)))
    order = np.random.default_rng(0).permutation(len(labels))[: members + 2 * others]
    cut = np.split(order, [members, members + others])
    return Parts(*(LabelledVectors(vectors[part], labels[part], classes) for part in cut))


def cifar(data: Path) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.int64]]:
    """HOG of the 6,000 test pictures in JPEG, which nothing else here is trained on."""
    folder = data / "classification" / "cifar10" / "cifar10_jpeg_test_6000.zip"
    split = from_zips(folder, folder, "CIFAR-10 (JPEG)", 1)
    return extract(HOG(), list(split.test_images)).features, split.test_labels


def heads(parts: Parts, private: tuple[float, ...] = PRIVATE) -> Iterator[tuple[str, float | None, Model]]:
    """Train all of them."""
    members = parts.members
    names = [members.classes[number] for number in members.labels]
    for name, strength in (("overfitted", 1e3), ("usual", 0.003)):
        head = LinearTraining(strength).fit(members.vectors, names, members.classes)
        yield name, None, head_model(head, members.classes)
    for epsilon in private:
        shape = (len(members.classes), members.vectors.shape[1], len(members))
        plan = LogisticTraining.full_batch(*shape, Gaussian(epsilon, 1e-5), WholeImage())
        trained = train_head(plan, members.vectors, names, members.classes, corpus="members")
        yield f"epsilon {epsilon:g}", epsilon, trained.probabilities


def attacked(name: str, epsilon: float | None, model: Model, parts: Parts) -> Attacked:
    """Attack one head."""
    references = train_references(model, parts.public)
    both = LabelledVectors(
        np.concatenate([parts.members.vectors, parts.others.vectors]),
        np.concatenate([parts.members.labels, parts.others.labels]),
        parts.members.classes,
    )
    way, scores = membership_scores(model, both, references)
    inside, outside = scores[: len(parts.members)], scores[len(parts.members) :]
    right = float((np.asarray(model(parts.others.vectors)).argmax(1) == parts.others.labels).mean())
    # As many of both, as if a coin had decided who is trained on.
    fair = min(len(inside), len(outside))
    coins = np.repeat([True, False], fair)
    proved = one_run_bound(coins, np.concatenate([inside[:fair], outside[:fair]]), 1e-5, 0.05).epsilon
    return Attacked(
        name, epsilon, right, way, area_under_curve(inside, outside), membership_rates(inside, outside), proved
    )


def run(
    vectors: npt.NDArray[np.float32],
    labels: npt.NDArray[np.int64],
    members: int = MEMBERS,
    others: int = OTHERS,
    private: tuple[float, ...] = PRIVATE,
) -> Mapping[str, Attacked]:
    """Attack every head."""
    parts = parts_of(vectors, labels, members, others)
    found: dict[str, Attacked] = {}
    for name, epsilon, model in heads(parts, private):
        found[name] = attacked(name, epsilon, model, parts)
        print(found[name].line(), flush=True)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("data", type=Path, nargs="?", default=SHARED)
    options = parser.parse_args()
    start, spent = time.perf_counter(), time.process_time()
    vectors, labels = cifar(options.data)
    print(f"{MEMBERS:,} members, {OTHERS:,} others, {OTHERS:,} public pictures, HOG of {vectors.shape[1]} components")
    print(f"{'head':12} {'right':>7}  area under the curve     true positives at 0.1 % and 1 % false positives")
    found = run(vectors, labels)
    print(f"{sum(each.good for each in found.values())} of {len(found)} heads keep their bars")
    print(f"{time.process_time() - spent:.1f} s of processor, {time.perf_counter() - start:.1f} s of wall clock")
    raise SystemExit(0 if all(each.good for each in found.values()) else 1)


if __name__ == "__main__":
    main()
