"""Attacks beside inversion by ridge: gradients, linkage, answers under HE and MPC, and their transcripts."""

from __future__ import annotations

import math
import time
from collections.abc import Callable

import numpy as np
import numpy.typing as npt

import privis
from benchmarks.attacks.feature_table.attackers import Counted, Judge, counted, neighbour, ridge, sharp_inverter
from benchmarks.attacks.feature_table.figures import Figure, FigureFile
from benchmarks.attacks.feature_table.pictures import SIDE, Pictures
from benchmarks.attacks.feature_table.protections import COMPONENTS, Protected, protections
from privis.attack.attack_finding import AttackFinding
from privis.attack.inversion.gradient_inversion import GradientInversion, feature_program
from privis.attack.linkage.rehearsal import Rehearsal
from privis.attack.linkage.two_releases import TwoReleases
from privis.attack.transcripts.transcript_runs import encrypted_transcripts, shared_transcripts, transcript_findings
from privis.errors import PrivisError
from privis.features.feature import Feature
from privis.privacy import DirectionRelease, PrivUnit
from privis.run.he.executor import CKKS
from privis.run.mpc.executor import MPC

Rows = npt.NDArray[np.float32]
GRADIENT = ("hog",)
DESCENDED = ("clear", "privunit epsilon=4", "privunit epsilon=2")
"""Protections that gradients are tried against."""
ENCRYPTED = ("colour", "hog", "dense_sift", "template")
"""Features whose answers are asked for under HE: others take gigabytes to compile before they are refused."""
LINKED = ("template", "hog")
EPSILONS = (2.0, 4.0, 8.0, 16.0, 32.0)
_FACES = 44
_MOST_SECONDS, _MOST_MEMORY = 20.0, 3 << 30  # of an answer under HE, an image


def gradient(
    name: str, feature: Feature, pictures: Pictures, judge: Judge, kept: FigureFile, rows: Callable[[], Rows]
) -> None:
    """Invert rows of one fold by descent, from ridge's pictures on: exact ones, and released ones."""
    if name not in GRADIENT:
        return
    public = pictures.folds[0]
    for protection in protections(SIDE):
        if protection.name in DESCENDED and not kept.has("faces", name, protection.name, "gradient"):
            exact = rows()
            seen = protection.protect(exact, public)
            whole = None if np.isinf(protection.epsilon) else protection.epsilon
            found = _descended(feature, pictures, judge, seen.released, _aims(seen.released, exact, public, whole))
            kept.add(_figure("faces", name, protection.name, "gradient", found, whole))


def _aims(released: Rows, exact: Rows, public: npt.NDArray[np.bool_], epsilon: float | None) -> Rows:
    """Rows that descent aims at: a released direction from the public mean, as long as public rows are."""
    if epsilon is None:
        return released
    mean = exact[public].mean(0)
    long = np.median(np.linalg.norm(exact[public] - mean, axis=1))
    return np.asarray(mean + long * released / np.linalg.norm(released, axis=1, keepdims=True), np.float32)


def _descended(feature: Feature, pictures: Pictures, judge: Judge, seen: Rows, aims: Rows) -> Counted:
    import cv2

    public = pictures.folds[0]
    count = int((~public).sum())
    places = np.linspace(0, count - 1, min(_FACES, count)).astype(np.intp)
    start = time.process_time()
    inverter = sharp_inverter(seen[public], judge, public)
    begun = inverter(seen[~public][places])
    shape = np.asarray(feature.before(pictures.images[0])).shape
    large = np.stack([cv2.resize(each, shape[::-1], interpolation=cv2.INTER_CUBIC) for each in begun])
    made = GradientInversion()(feature_program(feature, shape), aims[~public][places], np.clip(large, 0, 255))
    return judge(made.astype(np.float64), 0, places, time.process_time() - start)


def linkage(name: str, pictures: Pictures, kept: FigureFile, rows: Callable[[], Rows]) -> None:
    """Link two releases of PrivUnit: of the same picture, and of two pictures of a person."""
    if name not in LINKED:
        return
    for components in (0, COMPONENTS):
        for epsilon in EPSILONS:
            words = f"{f'PCA {components}, ' if components else ''}privunit epsilon={epsilon:g}, twice"
            if kept.has("faces", name, words, "linkage, another picture"):
                continue
            found = [_linked(rows(), pictures, fold, components, epsilon) for fold in range(len(pictures.folds))]
            for place, of in enumerate(("the same picture", "another picture")):
                total = found[0][place] + found[1][place]
                kept.add(_figure("faces", name, words, f"linkage, {of}", total, epsilon, f"twice {components}"))


def _linked(rows: Rows, pictures: Pictures, fold: int, components: int, epsilon: float) -> tuple[Counted, Counted]:
    public, names = pictures.folds[fold], pictures.names
    vectors = rows - rows[public].mean(0)
    if components:
        vectors = privis.Projection.pca(vectors[public], components, source="public faces")(vectors)
    release = DirectionRelease(PrivUnit(epsilon))
    rehearsal = Rehearsal.of(vectors[public], list(names[public]), release)
    random = np.random.default_rng(fold)
    people = np.unique(names[~public])
    two = [random.permutation(np.flatnonzero(names == person))[:2] for person in people]
    one, other = (np.array([pair[place] for pair in two]) for place in (0, 1))
    made = Rehearsal.of(vectors[np.concatenate([one, other])], [*people, *people], release)
    count, found = len(people), []
    for second, different in ((made.second[:count], False), (made.second[count:], True)):
        start = time.process_time()
        both = TwoReleases(made.first[:count], second, list(people), list(people))
        likeness = rehearsal.best(different)
        guessed = people[likeness.scores(both.first, both.second).argmax(1)]
        found.append(counted(guessed, people, time.process_time() - start))
    return found[0], found[1]


def answers(
    kind: str, name: str, feature: Feature, pictures: Pictures, judge: Judge, kept: FigureFile, every: int,
    rows: Callable[[], Rows],
) -> None:  # fmt: skip
    """Attack exact features with the error that answers under HE and MPC have, measured on one picture."""
    for words, under in (
        ("under HE: answers", CKKS(promised=True, most_seconds=_MOST_SECONDS, most_memory=_MOST_MEMORY)),
        ("under MPC: answers", MPC()),
    ):
        if isinstance(under, CKKS) and name not in ENCRYPTED:
            continue
        if kept.has(kind, name, words, "neighbour") or kept.has(kind, name, f"{words}, refused", "none"):
            continue
        try:
            image = [pictures.images[0]]
            answer = privis.extract(feature, image, under=under).features
            error = float(np.abs(answer - privis.extract(feature, image).features).max())
        except PrivisError as problem:
            note = str(problem.problems[0]).replace("|", "/").replace("\n", " ")[:120]
            kept.add(Figure(kind, name, f"{words}, refused", "none", 0, 1, 0.0, (0, 0), note=note))
            continue
        exact = rows()
        noise = np.random.default_rng(0).uniform(-error, error, exact.shape)
        near = Protected(exact, (exact + noise).astype(np.float32))
        for attack in ("ridge", "neighbour"):
            found = [
                ridge(near, judge, fold, every) if attack == "ridge" else neighbour(near, pictures, fold)
                for fold in range(len(pictures.folds))
            ]
            total = found[0] if len(found) == 1 else found[0] + found[1]
            kept.add(
                _figure(kind, name, words, attack, total, note=f"error up to {error:.1e}, measured on one picture")
            )


def transcripts(pictures: Pictures, kept: FigureFile, tiny: bool) -> None:
    """Attack what a server under HE and what one party of MPC receive, and controls that hide nothing."""
    import cv2

    feature = privis.ColourHistogram(bins=4)
    repeats, side = (4, 16) if tiny else (16, 32)
    chosen = np.linspace(0, len(pictures.images) - 1, 8).astype(int)
    small = [cv2.resize(pictures.images[place], (side, side), interpolation=cv2.INTER_AREA) for place in chosen]
    inputs = [(np.asarray(feature.before(image)),) for image in small]
    program = feature.program(inputs[0][0].shape)
    preset = MPC().preset
    for words, sees, make in (
        ("under HE: transcript", "a server's keys, queries and replies",
         lambda masked: encrypted_transcripts(
             program, inputs, CKKS(promised=True), repeats, answered=masked, masked=masked)),
        ("under MPC: transcript", "one party's shares and all it receives",
         lambda masked: shared_transcripts(program, inputs, preset, repeats, masked=masked)),
    ):  # fmt: skip
        for masked in (True, False):
            protection = words + ("" if masked else " without masks (control)")
            if kept.has("faces", "colour", protection, "transcript"):
                continue
            content, lengths = transcript_findings(make(masked), protection, sees)
            if masked:
                kept.add(_of_finding(protection, "transcript, lengths alone", lengths))
            kept.add(_of_finding(protection, "transcript", content))


def _of_finding(protection: str, attack: str, found: AttackFinding) -> Figure:
    spread = 1.96 * math.sqrt(found.chance * (1 - found.chance) * found.tries)
    middle = found.chance * found.tries
    span = (max(0, math.floor(middle - spread)), math.ceil(middle + spread))
    hits = round(found.value * found.tries)
    seconds = found.processor_seconds
    return Figure("faces", "colour", protection, attack, hits, found.tries, found.chance, span, seconds=seconds)


def _figure(
    kind: str, name: str, protection: str, attack: str, found: Counted, epsilon: float | None = None,
    monotone: str = "", note: str = "",
) -> Figure:  # fmt: skip
    return Figure(
        kind, name, protection, attack, found.hits, found.tries, found.chance, found.range, epsilon, epsilon,
        found.seconds, monotone, note,
    )  # fmt: skip
