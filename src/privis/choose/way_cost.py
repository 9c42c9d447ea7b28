"""What a way takes: the prediction of an extraction, and around it comparison, scoring and detection."""

from __future__ import annotations

import contextlib
import json
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

import numpy as np

from privis.choose.cost.cost_probes import CostProbes
from privis.choose.cost.earlier_runs import (
    ENCRYPTED,
    PARTIES_START,
    TOTALLED,
    EarlierCost,
    LoggedCommand,
    at_owner,
    earlier_cost,
    extraction_digest,
)
from privis.choose.cost.prediction import CostPrediction, predict_cost
from privis.choose.cost.run_log import ScoredRun
from privis.choose.job_description import JobDescription, Task
from privis.choose.way import ReleaseKind, Side, Under, Vocabulary, Way
from privis.choose.way_commands import DETECTING_STEP, is_video, parted
from privis.errors import DomainError, Problem, UnsupportedError
from privis.features.feature import Feature, core_shape
from privis.features.image_ops import owner_image_shape
from privis.privacy import Release
from privis.program import Program
from privis.program import digest as program_digest
from privis.program.shapes import Shape
from privis.readings import cost
from privis.run.program_cache import CacheKey
from privis.run.protocol import Executor

MEBIBYTE = 1 << 20
START, MEMORY = 1.0, 260 * MEBIBYTE
"""Seconds and bytes of a command that loads models, before its first image."""
FACE_MEMORY = 468 * MEBIBYTE
"""Of a command that finds and embeds faces, with its networks."""
SEARCHING, PARTY_MORE, DECIDING = 72 * MEBIBYTE, 16 * MEBIBYTE, 690 * MEBIBYTE
"""Of a search beyond an extraction, of a party beyond what started it, and of encrypted decisions about faces."""
CLASSIFIER, CLASSIFYING_PARTY = 100 * MEBIBYTE, 65 * MEBIBYTE
"""Beyond an extraction: what a trained classifier loads, and what each process has where parties compute."""
TEMPLATE_SECONDS = 0.12
"""Of one face: found, aligned and embedded by SFace, in the clear, on one core of 2.5 GHz."""
DETECTED_PIXEL = 0.043 / (400 * 350)
"""Seconds of a pixel of a picture in which people are looked for: docs/detection.md, Penn-Fudan."""
TRACKED_FRAME = 0.007
"""Seconds of a frame that is followed: docs/video.md."""
FRAME_RATE = 7
_COMPARED: dict[Under, tuple[float, float, float, float, int]] = {
    Under.ABY3: (0.4, 2e-5, 7e4, 73.0, 60), Under.CHEETAH: (0.8, 7e-5, 2.3e6, 20.0, 90),
}  # fmt: skip
"""Of parties that compare: seconds, seconds a row, bytes, bytes a row, messages; docs/search.md and docs/faces.md."""
MOST_OPERATIONS = 1_500_000
"""Of an image on ciphertexts: a program of more takes minutes to be compiled, before anything is known of it."""
GAP_SECONDS = 2.7  # of one decision against 10,000 templates of 128 numbers, docs/faces.md


@dataclass(frozen=True)
class WayCosts:
    """Predicts what ways take.

    Args:
        words: from words to features and executors.
        probes: short runs that may be made, and what is known from earlier ones.
        predict: what an extraction takes.
        runs: what earlier commands took on this machine.
        slowness: how many times as long this machine takes as one with two cores of 2.5 GHz, of whose seconds the
            constants are (`CommandTimings`).
    """

    words: Vocabulary
    probes: CostProbes = field(default_factory=lambda: CostProbes(seconds=0.0))
    predict: Callable[..., CostPrediction] = predict_cost
    runs: Sequence[ScoredRun] = ()
    slowness: float = 1.0

    def cost(self, job: JobDescription, way: Way, feature: Feature | None, release: Release | None) -> CostPrediction:
        """Predict what the commands of a way take, those before it aside.

        Args:
            job: that is done.
            way: in which.
            feature: of the way, for tasks that extract one.
            release: of its vectors, where they are released one by one.

        Returns:
            The prediction.

        Raises:
            UnsupportedError: the executor cannot run it; with all reasons.
        """
        match job.task:
            case Task.EXTRACT | Task.CLASSIFY:
                assert feature is not None
                unprobed = replace(self, probes=replace(self.probes, seconds=0.0))
                costs = unprobed if self._before(job, way, feature, release) else self
                return self._as_before(job, way, costs._extraction(job, way, feature, release), feature, release)
            case Task.VERIFY | Task.IDENTIFY:
                pictures = job.number + (job.task is Task.VERIFY)
                seconds = self.slowness * (START + pictures * TEMPLATE_SECONDS)
                made = CostPrediction(seconds, FACE_MEMORY, 0, 0, None, "measured seconds of a face")
                found = self._compared(job, way, made, 128 if way.feature == "sface" else 3200, decides=True)
                return self._as_before(job, way, found)
            case Task.SEARCH:
                return self._as_before(job, way, self._searched(job, way))
            case _:
                return self._as_before(job, way, self._detected(job, way))

    def _as_before(
        self,
        job: JobDescription,
        way: Way,
        found: CostPrediction,
        feature: Feature | None = None,
        release: Release | None = None,
    ) -> CostPrediction:
        """What earlier runs of the same commands took, where there were any of each."""
        known = self._before(job, way, feature, release)
        if not known:
            return found
        counted = [one.sent for one in known if one.sent is not None]
        return replace(
            found,
            seconds=sum(one.seconds for one in known),
            memory=max(one.memory for one in known),
            sent=sum(counted) if counted else found.sent,
            basis="; ".join(one.basis for one in known),
        )

    def _before(
        self, job: JobDescription, way: Way, feature: Feature | None, release: Release | None
    ) -> list[EarlierCost]:
        """What earlier runs say of each command of a way; none where one of them never ran."""
        before = [earlier_cost(self.runs, one) for one in self._logged(job, way, feature, release)]
        return [] if None in before else [one for one in before if one is not None]

    def _logged(
        self, job: JobDescription, way: Way, feature: Feature | None, release: Release | None
    ) -> list[LoggedCommand]:
        """The commands of a way, as the log of runs knows them; none: it does not."""
        number, mean = job.number, way.release is ReleaseKind.AGGREGATE
        logged = partial(LoggedCommand, mechanism=way.under.value)
        totalled = [LoggedCommand("release", "clear", number, 0, TOTALLED)] if mean else []
        by_owner = way.under is not Under.CLEAR and way.extracted_by is Side.OWNER
        if way.under is Under.SERVER:
            return []
        match job.task:
            case Task.EXTRACT:
                assert feature is not None
                digest = extraction_digest(feature, release, job.size)
                return [logged("extract", images=number, what=feature.name, extraction=digest), *totalled]
            case Task.VERIFY:
                return [logged("face verify", images=number + 1, rows=1)]
            case Task.IDENTIFY:
                return [logged("face identify", images=number, rows=job.rows, what=ENCRYPTED if way.encrypted else "")]
            case Task.SEARCH:
                what = f"{way.feature} {ENCRYPTED}" if way.encrypted else way.feature
                return [logged("search query", images=1, rows=job.rows, what=what)]
            case Task.CLASSIFY:
                name = self.words.feature(*parted(way.feature)).name
                if way.release is ReleaseKind.TRAINING:  # the log would tell how many images there were
                    return []
                return [logged("classify predict", images=number, what=at_owner(name, by_owner))]
        if is_video(job):
            return [LoggedCommand("video count", "clear", number)] if job.task is Task.COUNT else []
        found = logged("detect", images=number, what=at_owner("", by_owner, way.shown_model))
        return [found, *([LoggedCommand("detect count", "clear", number)] if job.task is Task.COUNT else []), *totalled]

    def _extraction(self, job: JobDescription, way: Way, feature: Feature, release: Release | None) -> CostPrediction:
        shape = (*job.size, 3)
        under = Under.CKKS if way.under is Under.SERVER else way.under
        executor = self.words.executor(under, job.task)
        if under is Under.CKKS and way.extracted_by is Side.SERVER:
            _refuse_too_large(way, feature, owner_image_shape(feature, shape))
        if job.task is Task.EXTRACT:
            program = feature.program(core_shape(feature, owner_image_shape(feature, shape)))
            with self._refusals(executor, program, under):
                found = self.predict(feature, executor, shape, job.number, release=release, probes=self.probes)
            if way.release is ReleaseKind.AGGREGATE:  # the command that releases the mean
                return replace(found, seconds=found.seconds + self.slowness * START)
            return found
        if under is Under.CLEAR:
            processes = 0 if way.release is ReleaseKind.TRAINING else 1  # classify predict has one
            found = self.predict(feature, executor, shape, job.number, workers=processes, probes=self.probes)
            return replace(found, memory=found.memory + CLASSIFIER)
        from privis.estimators.classification.hidden_classifier import HiddenClassifier
        from privis.tasks.decisions import Revealed

        learn = Revealed.CLASS if under.parties > 1 else Revealed.SCORES
        hidden = HiddenClassifier(_made_up(job, feature), executor, learn, way.extracted_by is Side.OWNER)
        with self._refusals(executor, hidden.program(feature.size or job.size), under):
            hidden.check(feature.size or job.size)
            found = self.predict(hidden.feature, hidden.runner, shape, job.number, probes=self.probes)
        if under.parties == 1:
            return replace(found, memory=found.memory + CLASSIFIER)
        memory = (1 + under.parties) * (found.memory + CLASSIFIER + CLASSIFYING_PARTY)
        return replace(found, seconds=found.seconds + self.slowness * PARTIES_START, memory=memory)

    @contextlib.contextmanager
    def _refusals(self, executor: Executor, program: Program, under: Under) -> Iterator[None]:
        """Keep why ciphertexts refuse a program: finding it out takes as long as compiling it."""
        if under is not Under.CKKS:
            yield
            return
        key = CacheKey("refusal/1", program_digest(program), repr(executor), ("tenseal",))
        kept = self.probes.cache.load(key)
        if kept is not None:
            raise UnsupportedError(*(Problem(*words) for words in json.loads(bytes(kept))))
        try:
            yield
        except (UnsupportedError, DomainError) as error:
            words = [[one.where, one.got, one.expected, one.remedy] for one in error.problems]
            self.probes.cache.store(key, [json.dumps(words).encode()])
            raise

    def _searched(self, job: JobDescription, way: Way) -> CostPrediction:
        from privis.run.clear import Clear

        parts = RECIPE_PARTS.get(way.feature)
        if parts is None:
            parts = (parted(way.feature),)
        made, length = CostPrediction(0.0, 0, 0, 0, None, ""), 0
        for name, words in parts:
            feature = self.words.feature(name, words)
            found = self.predict(feature, Clear(), (*job.size, 3), 1, workers=1, probes=self.probes)
            # one process extracts them all: it starts once, however quickly
            more = max(0.0, found.seconds - self.slowness * START)
            seconds = made.seconds + more if made.seconds else found.seconds
            made = replace(found, seconds=seconds, memory=max(made.memory, found.memory))
            length += len(feature.names(core_shape(feature, owner_image_shape(feature, (*job.size, 3)))))
        made = replace(made, memory=made.memory + SEARCHING)
        return self._compared(job, way, made, LENGTHS.get(way.feature, length), decides=False)

    def _compared(
        self, job: JobDescription, way: Way, made: CostPrediction, length: int, *, decides: bool
    ) -> CostPrediction:
        """A comparison with each row of a gallery or index, after the vectors are made."""
        rows = 1 if job.task is Task.VERIFY else job.rows
        asked = job.number if job.task is not Task.SEARCH else 1
        if way.under is Under.CLEAR:
            work = asked * rows * length * 1e-9
            return replace(made, seconds=made.seconds + work, basis=f"{made.basis}; an inner product with each row")
        if way.under in _COMPARED:
            base, each, sent, sent_each, rounds = _COMPARED[way.under]
            wide = length / 512 if length > 512 else 1.0
            seconds = self.slowness * (PARTIES_START + asked * (base + each * rows * wide))
            total, messages = round(asked * (sent + sent_each * rows * wide)), asked * rounds
            basis = "seconds and bytes as they were measured of parties that compare, scaled to the rows"
        else:
            seconds, total, basis = self._encrypted(way, length, rows, asked, decides)
            messages = 2 * asked
        memory = made.memory + (DECIDING if decides else 0)
        if way.under in _COMPARED:  # each party is made of the process that starts it
            memory = made.memory + way.under.parties * (made.memory + PARTY_MORE)
        basis = f"{made.basis}; {basis}".strip("; ")
        return CostPrediction(made.seconds + seconds, memory, total, messages, None, basis)

    def _encrypted(self, way: Way, length: int, rows: int, asked: int, decides: bool) -> tuple[float, int, str]:
        from privis.run.he.matching.matching_cost import MatchingTimings, predicted
        from privis.run.he.matching.matching_specification import MatchingSpec

        spec = MatchingSpec.fitting(length, rows, way.encrypted)
        found = predicted(spec, rows, 1, machine=MatchingTimings.of_this_machine())
        assert found.seconds is not None and found.sent is not None
        if not decides:
            seconds = self.slowness * (0.1 + asked * 0.05) + asked * found.seconds
            sent = spec.key_bytes + asked * found.sent
            return seconds, sent, "closed form of encrypted matching, this machine's speeds"
        each = GAP_SECONDS * math.ceil(rows / 10_000) * length / 128
        seconds, basis = self.slowness * (3.0 + asked * each), "measured seconds of encrypted decisions, scaled to rows"
        return seconds, round(3e7 + asked * 1.5e6), basis

    def _detected(self, job: JobDescription, way: Way) -> CostPrediction:
        height, width = job.size
        if is_video(job):
            seconds = self.slowness * (START + job.number * TRACKED_FRAME)
            return CostPrediction(seconds, MEMORY, 0, 0, None, "measured seconds of a frame that is followed")
        commands = 1 + (job.task is Task.COUNT) + (way.release is ReleaseKind.AGGREGATE)
        start = self.slowness * START * commands
        if way.under is Under.CLEAR:
            seconds = start + self.slowness * job.number * height * width * DETECTED_PIXEL
            return CostPrediction(seconds, MEMORY, 0, 0, None, "measured seconds of a pixel of a picture")
        from privis.estimators.detection.detector import Detector
        from privis.estimators.detection.hidden_detector import HiddenDetector
        from privis.tasks.detection import installed_people_weights, window_model_of

        model = window_model_of(installed_people_weights(), "person")
        model = replace(model, pyramid=replace(model.pyramid, step=DETECTING_STEP))
        executor: Any = self.words.executor(way.under, job.task)
        hidden = HiddenDetector(Detector(model), executor, way.extracted_by is Side.OWNER, way.shown_model)
        if way.under is Under.CKKS and way.extracted_by is Side.SERVER:
            _refuse_operations(way, sum(cost(one).operations or 0 for one in hidden.programs((height, width, 3))))
        found = hidden.check((height, width, 3))
        if found.seconds is None or found.sent is None:
            raise UnsupportedError(Problem(way.words, "no formula for its seconds", "a protocol that has one"))
        each, rounds = found.seconds, (found.rounds or 2) * job.number
        sent = found.keys + found.sent * job.number
        memory = MEMORY * (way.under.parties + 1)
        basis = "closed forms of the executor, this machine's speeds"
        seconds = start + self.slowness * PARTIES_START + job.number * each
        return CostPrediction(seconds, memory, sent, rounds, None, basis)


def _refuse_too_large(way: Way, feature: Feature, shape: Shape) -> None:
    """Raise UnsupportedError where nobody waits for a program to be compiled to ciphertexts."""
    _refuse_operations(way, cost(feature.program(core_shape(feature, shape))).operations or 0)


def _refuse_operations(way: Way, operations: int) -> None:
    if operations > MOST_OPERATIONS:
        got, most = f"{operations:,} operations an image on ciphertexts", f"at most {MOST_OPERATIONS:,}"
        remedy = "name a smaller size; the feature is public, so the images' owner may extract it as well"
        raise UnsupportedError(Problem(way.words, got, f"{most}, which compile in seconds", remedy))


LENGTHS = {
    "colour-and-texture": 4864, "colour": 512, "rgb": 512, "texture": 256, "patches": 4096, "visual-words": 32,
    "co-occurrence": 48,
}  # fmt: skip
"""Numbers of an image, by recipe: docs/search.md."""
RECIPE_PARTS: dict[str, tuple[tuple[str, tuple[str, ...]], ...]] = {
    "colour": (("colour", ("bins=8", "joint=yes")),), "rgb": (("colour", ("bins=8", "joint=yes")),),
    "texture": (("lbp", ()),), "co-occurrence": (("glcm", ()),), "patches": (("dense-sift", ()),),
    "visual-words": (("dense-sift", ()),),
    "colour-and-texture": (("colour", ("bins=8", "joint=yes")), ("lbp", ()), ("dense-sift", ())),
}  # fmt: skip
"""Features that a recipe extracts, to predict how long that takes."""


def _made_up(job: JobDescription, feature: Feature) -> Any:
    """A classifier of the job's classes, as one that is trained: its cost does not hang on its numbers."""
    from privis.estimators.classification.trained_classifier import TrainedClassifier
    from privis.tasks.decisions import Link
    from privis.tasks.linear_head import LinearHead
    from privis.tasks.linear_stages import LinearMap

    classes = job.classes if len(job.classes) > 1 else ("first", "second", "third")
    length = len(feature.names(core_shape(feature, owner_image_shape(feature, (*(feature.size or job.size), 3)))))
    weights = np.random.default_rng(0).normal(0, 0.1, (len(classes), length))
    head = LinearHead(classes, (LinearMap(weights, np.zeros(len(classes))),), Link.SOFTMAX)
    return TrainedClassifier(feature, classes, head)
