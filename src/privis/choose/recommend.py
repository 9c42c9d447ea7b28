"""``recommend``: every admissible way to do a job, what it takes, why the others are out, and which one to take."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

from privis.choose.admissible import need_reasons, needs_release, release_reasons, under_reason, way_reason
from privis.choose.expected_accuracy import expected, sets
from privis.choose.job_description import JobDescription, ResultKind, Task
from privis.choose.published_rules import RuleCheck, network_seconds, rule_checks
from privis.choose.tolerable_error import Quantity, corpus_error, epsilon_for
from privis.choose.way import AdmissibleWay, Excluded, ReleaseKind, Under, Vocabulary, Way
from privis.choose.way_commands import BOXES, COMPONENTS, commands, is_video, parted
from privis.choose.way_cost import LENGTHS, WayCosts
from privis.choose.ways import features_of, unknown_features, ways_of
from privis.errors import ParameterError, PrivisError, Problem, refuse
from privis.extraction.noise_level import LEAST_LEFT, nothing_left, predicted
from privis.extraction.placement import best_release, largest_norm
from privis.features.feature import Feature, core_shape
from privis.features.image_ops import owner_image_shape
from privis.features.postprocessing.projection import RandomProjection
from privis.features.postprocessing.steps import L2, Posted
from privis.privacy import (
    AddOrRemovePerson,
    Dataset,
    DirectionRelease,
    Gaussian,
    HistogramRelease,
    Laplace,
    Person,
    PixelRelease,
    PrivUnit,
    Release,
    WholeImage,
)

SAME_ACCURACY = 0.005
"""Figures that differ by less are as good as each other: the faster way is taken."""


@dataclass(frozen=True)
class Recommendation:
    """What is recommended for a job.

    Args:
        job: that was asked about.
        choices: admissible ways, the best first; the first one is recommended.
        excluded: what is out, and why.
        why: the recommendation in two sentences.
        rules: published rules, held against the predictions.
        epsilon: that is spent; None: nothing is released.
        solved: how epsilon follows from the error that can be accepted; empty where it was stated.
    """

    job: JobDescription
    choices: tuple[AdmissibleWay, ...]
    excluded: tuple[Excluded, ...]
    why: str
    rules: tuple[RuleCheck, ...]
    epsilon: float | None
    solved: str = ""

    @property
    def recommended(self) -> AdmissibleWay | None:
        """The first choice; None where no way is admissible."""
        return self.choices[0] if self.choices else None

    def seconds(self, choice: AdmissibleWay) -> float:
        """Tell how long a way takes, its network included.

        Args:
            choice: one of ``choices``.

        Returns:
            Seconds of all images.
        """
        return _seconds(self.job, choice)

    def probed(self, costs: WayCosts, words: Vocabulary) -> Recommendation:
        """Predict what comes first anew, with short runs of the real thing, and what comes first then.

        Args:
            costs: whose probes may run.
            words: from words to features, executors and units.

        Returns:
            The answer, ranked anew.
        """
        if self.recommended is None:
            return self
        search = _Search(self.job, words, costs, self.epsilon, lambda _: None)
        best, *others = self.choices
        try:
            again = search.predicted(best.way)
        except PrivisError:
            return self
        if isinstance(again, Excluded):
            return self
        reasons = need_reasons(self.job, again, _seconds(self.job, again))
        out = (Excluded(again.way.words, "; ".join(reasons)),) if reasons else ()
        choices = others if reasons else [again, *others]
        return _answered(self.job, choices, (*self.excluded, *out), self.epsilon, self.solved)


def recommend(
    job: JobDescription, words: Vocabulary, costs: WayCosts | None = None, say: Callable[[str], None] | None = None
) -> Recommendation:
    """Choose for a job.

    Args:
        job: that is to be done.
        words: from words to features, executors and units.
        costs: predicts; None: from counts and calibration, and what earlier probes found.
        say: called with what is looked at now.

    Returns:
        The answer, also where nothing is admissible.

    Raises:
        ParameterError: a feature or unit of the job is none, or no epsilon has so small an error.
    """
    problems = unknown_features(job) + _unread(job, words)
    if job.like is not None and job.like not in sets():
        problems.append(Problem("job: needs.like", repr(job.like), f"one of {', '.join(sets())}"))
    refuse(ParameterError, problems)
    epsilon, solved = _budget(job, words)
    found = _Search(job, words, costs or WayCosts(words), epsilon, say or (lambda _: None))
    choices, excluded = found.all()
    return _answered(job, choices, tuple(excluded), epsilon, solved)


def _unread(job: JobDescription, words: Vocabulary) -> list[Problem]:
    """Problems of features that are extracted and of recipes, none of which the vocabulary reads."""
    if job.task not in (Task.EXTRACT, Task.CLASSIFY, Task.SEARCH):
        return []
    problems: list[Problem] = []
    for one in job.features:
        if job.task is Task.SEARCH and one in LENGTHS:
            continue
        try:
            words.feature(*parted(one))
        except ParameterError as error:
            problems += error.problems
    return problems


def _answered(
    job: JobDescription,
    choices: Sequence[AdmissibleWay],
    excluded: tuple[Excluded, ...],
    epsilon: float | None,
    solved: str,
) -> Recommendation:
    """Ranked, with the rules held against the predictions."""
    answer = Recommendation(job, (), excluded, "", (), epsilon, solved)
    ranked = tuple(sorted(choices, key=lambda choice: _rank(answer, choice)))
    answer = replace(answer, choices=ranked, rules=rule_checks(ranked, job.days))
    return replace(answer, why=_why(answer))


def _budget(job: JobDescription, words: Vocabulary) -> tuple[float | None, str]:
    """The epsilon that is stated, or that has the error which can be accepted."""
    if job.epsilon is not None or job.error is None:
        return job.epsilon, ""
    if not needs_release(job):
        return None, ""
    unit = words.unit(job.unit)
    problems = []
    if job.task not in (Task.COUNT, Task.EXTRACT) or is_video(job):
        what = "a video" if is_video(job) else f"task {job.task.value}"
        problems.append(Problem("job: needs.error", what, "task count or extract, of images", _STATED))
    if job.result is ResultKind.ROWS:
        problems.append(Problem("job: needs.error", "rows", "an aggregate, for which it is solved", _STATED))
    if not isinstance(unit, WholeImage | Dataset | Person | AddOrRemovePerson):
        expected_words = "image, person:IMAGES, add-or-remove-person:IMAGES or dataset, with an error"
        problems.append(Problem("job: budget.unit", job.unit, expected_words, _STATED))
    refuse(ParameterError, problems)
    features = [] if job.task is Task.COUNT else [words.feature(*parted(feature)) for feature in features_of(job)]
    length = max((_length(job, feature) for feature in features), default=1)
    epsilon = epsilon_for(job.error, lambda e: _aggregate_error(job, words, e, length))
    what = f"the mean of {length:,} numbers over {job.number:,} images"
    if job.task is Task.COUNT:
        what = f"the sum of counts, with one person in each of {job.number:,} images"
    return epsilon, f"an error of {100 * job.error:g} % of {what} takes epsilon {epsilon:g} for {job.unit}"


_STATED = "say budget.epsilon; privis explain tells the noise of a vector at an epsilon"


def _aggregate_error(job: JobDescription, words: Vocabulary, epsilon: float, length: int) -> float:
    """Of the sum of counts, or of the mean of vectors of ``length`` numbers, as a share."""
    unit = words.unit(job.unit)
    if job.task is Task.COUNT:
        return BOXES * corpus_error(Quantity.COUNT, Laplace(epsilon), unit, job.number)
    return corpus_error(Quantity.MEAN, Gaussian(epsilon, job.delta), unit, job.number, length)


def _length(job: JobDescription, feature: Feature) -> int:
    return len(feature.names(core_shape(feature, owner_image_shape(feature, (*job.size, 3)))))


@dataclass(frozen=True)
class _Search:
    job: JobDescription
    words: Vocabulary
    costs: WayCosts
    epsilon: float | None
    say: Callable[[str], None]

    def all(self) -> tuple[list[AdmissibleWay], list[Excluded]]:
        choices: list[AdmissibleWay] = []
        excluded: list[Excluded] = []
        out = release_reasons(self.job, self.epsilon)
        excluded += [Excluded(f"release: {kind.value}", why) for kind, why in out.items() if why]
        for under in Under:
            reason = under_reason(self.job, under)
            if reason:
                excluded.append(Excluded(f"under {under.value}", reason))
                continue
            for release in (kind for kind, why in out.items() if not why):
                for found in self._ways(release, under):
                    (choices if isinstance(found, AdmissibleWay) else excluded).append(found)  # type: ignore[arg-type]
        return choices, list(dict.fromkeys(excluded))

    def _ways(self, release: ReleaseKind, under: Under) -> Iterator[AdmissibleWay | Excluded]:
        for way in ways_of(self.job, release, under):
            reason = way_reason(self.job, way)
            if reason:
                yield Excluded(way.words, reason)
                continue
            self.say(way.words)
            try:
                choice = self.predicted(way)
            except PrivisError as error:
                yield Excluded(way.words, "; ".join(str(problem) for problem in error.problems))
                continue
            if isinstance(choice, Excluded):
                yield choice
                continue
            reasons = need_reasons(self.job, choice, _seconds(self.job, choice))
            yield Excluded(way.words, "; ".join(reasons)) if reasons else choice

    def predicted(self, way: Way) -> AdmissibleWay | Excluded:
        job, name = self.job, parted(way.feature)
        feature = self.words.feature(*name) if job.task in (Task.EXTRACT, Task.CLASSIFY) else None
        release, detail, posted = None, (), feature
        if feature is not None and job.task is Task.EXTRACT and way.release is not ReleaseKind.NONE:
            assert self.epsilon is not None
            release, detail, posted = self._release(way, feature)
        signal = None
        if release is not None and posted is not None:
            level = predicted(posted, release, (*job.size, 3))
            if level.leaves_nothing:
                return Excluded(way.words, nothing_left(level))
            signal = level.signal_to_noise
        if way.release is ReleaseKind.AGGREGATE or signal is not None:
            reason = self._too_noisy(feature, signal)
            if reason:
                return Excluded(way.words, reason)
        measured = "people-in-video" if is_video(job) else name[0]
        accuracy = expected(job, measured, way.release.value, None if way.release is ReleaseKind.NONE else self.epsilon)
        if job.accuracy is not None and accuracy is None and job.task is not Task.COUNT:
            return Excluded(way.words, f"nobody measured its accuracy, and {job.accuracy:g} is needed")
        cost = self.costs.cost(job, way, posted, release)
        spent = None if way.release is ReleaseKind.NONE else self.epsilon
        before, command = commands(job, way, spent, detail)
        return AdmissibleWay(way, cost, job.number, before, command, accuracy, spent, signal)

    def _too_noisy(self, feature: Feature | None, signal: float | None) -> str:
        """Why the noise of an aggregate, or of vectors with ``signal`` over noise, is too large; empty: it is not."""
        if signal is None:
            length = 1 if feature is None else _length(self.job, feature)
            error, what = _aggregate_error(self.job, self.words, self.epsilon or 0.0, length), "largest value"
        else:
            error, what = 1 / signal, "longest signal"
        if error > 1 / LEAST_LEFT:
            return f"noise {error:.4g} times as long as the {what}: nothing is left"
        if self.job.error is not None and error > self.job.error * (1 + 1e-6):
            allowed = f"at most {100 * self.job.error:g} % allowed"
            return f"its error is {100 * error:.3g} % at epsilon {self.epsilon:g}, {allowed}"
        return ""

    def _release(self, way: Way, feature: Feature) -> tuple[Release | None, tuple[str, ...], Feature]:
        """The release of vectors one by one, the words that place it, and the feature with its public steps."""
        epsilon, shapes = self.epsilon or 0.0, [(*self.job.size, 3)]
        unit: Any = self.words.unit(self.job.unit)
        match way.release:
            case ReleaseKind.PIXELS:
                return PixelRelease(Laplace(epsilon), unit), ("--release", "laplace", "--at", "pixels"), feature
            case ReleaseKind.PRIVUNIT:
                steps = (RandomProjection(COMPONENTS), L2())
                words = ("--post", f"random:{COMPONENTS},l2", "--release", "privunit")
                return DirectionRelease(PrivUnit(epsilon), unit), words, Posted(feature, steps)
            case ReleaseKind.AGGREGATE:
                return None, self._mean_words(feature, shapes), feature
        placed = [
            best_release(feature, noise, unit, shapes)
            for noise in (Gaussian(epsilon, self.job.delta), Laplace(epsilon))
        ]
        kept = [release for release in placed if not isinstance(release, PixelRelease)]
        if not kept:
            expected_words = "a bound of its length, or of the counts that one pixel moves"
            raise ParameterError(Problem(way.words, f"{self.job.unit} of a vector without one", expected_words))
        best = max(kept, key=lambda release: predicted(feature, release, shapes[0]).signal_to_noise)
        gaussian = isinstance(best.noise, Gaussian)  # type: ignore[union-attr]
        place = "counts" if isinstance(best, HistogramRelease) else "feature"
        delta = ("--delta", f"{self.job.delta!r}") if gaussian else ()
        return best, ("--release", "gaussian" if gaussian else "laplace", *delta, "--at", place), feature

    def _mean_words(self, feature: Feature, shapes: Sequence[tuple[int, ...]]) -> tuple[str, ...]:
        clip = largest_norm(feature, "L2", shapes)
        if clip is None:
            raise ParameterError(Problem(feature.name, "a vector of unknown length", "a public bound of its norm"))
        words = ("--release", "gaussian", "--delta", f"{self.job.delta!r}", "--clip", f"{clip:.6g}")
        return (*words, "--unit", self.job.unit)


def _seconds(job: JobDescription, choice: AdmissibleWay) -> float:
    return choice.cost.seconds + network_seconds(choice.cost, job.round_trip, job.bandwidth)


def _rank(answer: Recommendation, choice: AdmissibleWay) -> tuple[float, ...]:
    """Accuracy first, in steps that make a difference, then what is left beside noise, then seconds."""
    accuracy = -1.0 if choice.accuracy is None else choice.accuracy.value * (1 if choice.accuracy.is_share else -1)
    left = min(choice.signal or 0.0, 1.0)
    return -round(accuracy / SAME_ACCURACY), -round(left, 1), answer.seconds(choice), choice.cost.sent


def _why(answer: Recommendation) -> str:
    """Two sentences: what is taken and what it gives, and what speaks for it."""
    best = answer.recommended
    if best is None:
        return "No way is admissible. Give up the need that the exclusions name most, or say who else can compute."
    job, each = answer.job, answer.seconds(best) / max(1, best.images)
    spent = "" if best.epsilon is None else f", epsilon {best.epsilon:g} for {job.unit}"
    sent = f", {best.cost.sent / 1e6:.3g} MB" if best.cost.sent else ""
    images = "1 image" if best.images == 1 else f"{best.images:,} images ({each:.2g} s each)"
    first = f"Take {best.way.words}: {answer.seconds(best):.3g} s for {images}{sent}{spent}."
    others = len(answer.choices) - 1
    accuracy = "nobody measured its accuracy" if best.accuracy is None else best.accuracy.words.partition(" [")[0]
    count = (
        "it is the only admissible way"
        if not others
        else f"it comes first of {others + 1} admissible ways, by accuracy, then by seconds"
    )
    return f"{first} {count[0].upper()}{count[1:]}; {accuracy}."
