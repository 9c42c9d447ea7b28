"""Train a head: check, charge, go on from where an earlier run was, train, and hand over."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from privis.errors import ParameterError, Problem, refuse
from privis.extraction.card import described
from privis.privacy.learning.clipped_gradients import IntegerRows, Integers, check_vectors
from privis.privacy.learning.least_squares import LeastSquaresTraining
from privis.privacy.learning.logistic_regression import LogisticTraining, TrainingState, first_sums, prepared, steps
from privis.privacy.learning.subsampling import members_of
from privis.privacy.ledger.ledger_protocol import Ledger
from privis.privacy.releases.partial_sums import within_bound
from privis.privacy.sampling.release_key import KeySource, NoiseStream, ReleaseKey
from privis.privacy.units import AddOrRemovePerson, Person, WholeImage
from privis.subjects import subject_ids
from privis.training import checkpoints
from privis.training.arithmetic import arithmetic
from privis.training.heads import Head, class_numbers

_CHECKPOINT_SECONDS = 10.0

Vectors = npt.NDArray[np.floating]
Labels = Sequence[str] | npt.NDArray[Any]


@dataclass(frozen=True)
class TrainingProgress:
    """How far a training is.

    Args:
        done: steps done.
        total: steps of the training.
        loss: noisy, in nats; part of what the guarantee covers.
        seconds: since the training began.
        eta_seconds: until it ends; None: not known yet.
    """

    done: int
    total: int
    loss: float
    seconds: float
    eta_seconds: float | None


@dataclass(frozen=True, eq=False)
class Corpus:
    """Labelled private vectors, gathered by members.

    Args:
        vectors: (rows, components).
        labels: class of every row, integers (rows,).
        owners: number of every row's member, integers (rows,).
        shares: rows of every row's member, integers (rows,).
        members: how many there are.
    """

    vectors: Vectors = field(repr=False)
    labels: Integers = field(repr=False)
    owners: Integers = field(repr=False)
    shares: Integers = field(repr=False)
    members: int


def content_of(*arrays: npt.NDArray[Any]) -> bytes:
    """SHA-256 of arrays and their shapes."""
    digest = hashlib.sha256()
    for array in arrays:
        digest.update(repr((array.shape, str(array.dtype))).encode())
        digest.update(np.ascontiguousarray(array).data)
    return digest.digest()


def corpus_of(
    vectors: Vectors,
    labels: Labels,
    classes: Sequence[str],
    unit: object,
    subjects: Sequence[str | int] | None = None,
) -> Corpus:
    """Check labelled vectors and bound what every person gives: the first k rows of one count for ``Person(k)`` and
    ``AddOrRemovePerson(k)``.

    Raises ``ParameterError`` naming what does not fit.
    """
    rows = np.asarray(vectors)
    check_vectors("vectors", rows)
    problems = []
    if len(rows) < 2:
        problems.append(Problem("vectors", "one row", "at least two: one image is not learned from, it is released"))
    people = isinstance(unit, Person | AddOrRemovePerson)
    if people and subjects is None:
        problems.append(Problem("subjects", "none", "a subject for every row, as a person is hidden"))
    if not people and subjects is not None:
        problems.append(Problem("subjects", "some", "none", "unit=Person(images) hides a person"))
    refuse(ParameterError, problems)
    names = None if subjects is None else subject_ids(subjects)
    if names is not None and len(names) != len(rows):
        raise ParameterError(Problem("subjects", f"{len(names)} subjects", f"{len(rows)}, one per row"))
    numbers = class_numbers(labels, classes, len(rows))
    if isinstance(unit, Person | AddOrRemovePerson) and names is not None:
        used = np.flatnonzero(within_bound(names, unit.images))
        rows, numbers = rows[used], numbers[used]
        names = tuple(names[row] for row in used)
    owners, members = members_of(names, len(rows))
    return Corpus(rows, numbers, owners, np.bincount(owners)[owners], members)


def train_head(
    plan: LogisticTraining,
    vectors: Vectors,
    labels: Labels,
    classes: Sequence[str],
    *,
    corpus: str,
    key: KeySource | None = None,
    ledger: Ledger | None = None,
    subjects: Sequence[str | int] | None = None,
    checkpoint: Path | None = None,
    feature: Mapping[str, Any] | None = None,
    on_progress: Callable[[TrainingProgress], None] = lambda progress: None,
) -> Head:
    """Train a linear classifier on private vectors under ``plan.guarantee``.

    A checkpoint is written every ten seconds; a training that was killed and is called again with the same key, plan,
    vectors and labels goes on from there and is not charged again. Where the version of numpy or the kind of processor
    gives other sums it is another training, with noise and a charge of its own; a checkpoint of another training is
    refused before anything is charged.

    Args:
        plan: all that decides the training.
        vectors: private, (rows, components).
        labels: name of every row's class, (rows,).
        classes: the public list of names.
        corpus: what the ledger calls the images.
        key: decides the noise; None: a fresh one.
        ledger: charged once, before any noise is drawn, with the whole training; None: nobody accounts for it.
        subjects: whose each row is, where a person is hidden.
        checkpoint: file to go on from; None: none is written.
        feature: from what the vectors were computed, as a card says it.
        on_progress: called after every step.

    Returns:
        The classifier.

    Raises:
        ParameterError: something does not fit.
        BudgetError: the ledger refuses.
        OutputError: a checkpoint cannot be written.

    >>> from privis.privacy import Dataset, Gaussian
    >>> rng = np.random.default_rng(0)
    >>> vectors = rng.normal(size=(2000, 8)) + np.repeat([[2.0], [-2.0]], 1000, axis=0)
    >>> plan = LogisticTraining(2, 8, 2000, Gaussian(1.0, 1e-5), Dataset(), sampling=0.25, steps=20)
    >>> head = train_head(plan, vectors, ["a"] * 1000 + ["b"] * 1000, ["a", "b"], corpus="made up")
    >>> head.predict(np.array([[1.0] * 8, [-1.0] * 8]))
    ['a', 'b']
    """
    given = corpus_of(vectors, labels, classes, plan.unit, subjects)
    _check_fits(plan, given, classes)
    content = content_of(given.vectors, given.labels, given.owners)
    stream = ReleaseKey.of(key).stream(corpus, content, plan.digest + arithmetic())
    stream = stream.narrowed(first_sums(plan, given.vectors, given.labels, given.owners, given.shares, stream))
    release_id = stream.narrowed(b"release id").words(0, 2).tobytes().hex()
    shape = (plan.classes, plan.components + 1)
    kept_state = None if checkpoint is None else checkpoints.load(checkpoint, release_id, shape, plan.steps)
    if ledger is not None:
        ledger.charge(corpus, plan.guarantee, release_id)
    names = tuple(map(str, classes))
    first = state = kept_state or _start(plan, given, stream, release_id, checkpoint)
    kept = first.standardisation
    rows = IntegerRows.of(given.vectors if kept is None else kept(given.vectors))
    started = saved = time.monotonic()
    for state in steps(plan, rows, given.labels, given.owners, given.shares, stream, first):
        now = time.monotonic()
        if checkpoint is not None and (now - saved > _CHECKPOINT_SECONDS or state.step == plan.steps):
            checkpoints.save(checkpoint, release_id, state)
            saved = now
        left = (now - started) / (state.step - first.step) * (plan.steps - state.step)
        on_progress(TrainingProgress(state.step, plan.steps, state.loss, now - started, left))
    return Head(names, state.released, plan.guarantee, kept, dict(feature or {}), described(plan))


def solve_head(
    plan: LeastSquaresTraining,
    vectors: Vectors,
    labels: Labels,
    classes: Sequence[str],
    *,
    corpus: str,
    key: KeySource | None = None,
    ledger: Ledger | None = None,
    subjects: Sequence[str | int] | None = None,
    feature: Mapping[str, Any] | None = None,
) -> Head:
    """Solve for a linear classifier of private vectors under ``plan.guarantee``, in one release.

    `train_head` learned more on HOG of MNIST also at epsilon 0.1.

    Args:
        plan: all that decides the training.
        vectors: private, (rows, components).
        labels: name of every row's class, (rows,).
        classes: the public list of names.
        corpus: what the ledger calls the images.
        key: decides the noise; None: a fresh one.
        ledger: charged once, before any noise is drawn, with the whole training; None: nobody accounts for it.
        subjects: whose each row is, where a person is hidden.
        feature: from what the vectors were computed, as a card says it.

    Returns:
        The classifier.

    Raises:
        ParameterError: something does not fit.
        BudgetError: the ledger refuses.
    """
    given = corpus_of(vectors, labels, classes, plan.unit, subjects)
    _check_fits(plan, given, classes)
    content = content_of(given.vectors, given.labels, given.owners)
    stream = ReleaseKey.of(key).stream(corpus, content, plan.digest + arithmetic())
    if ledger is not None:
        ledger.charge(corpus, plan.guarantee, stream.narrowed(b"release id").words(0, 2).tobytes().hex())
    weights = plan.weights(IntegerRows.of(given.vectors), given.labels, given.shares, stream)
    names = tuple(map(str, classes))
    return Head(names, weights, plan.guarantee, None, dict(feature or {}), described(plan))


def _start(
    plan: LogisticTraining, given: Corpus, stream: NoiseStream, release_id: str, checkpoint: Path | None
) -> TrainingState:
    state = TrainingState.start(plan, prepared(plan, given.vectors, given.shares, stream))
    if checkpoint is not None:  # a checkpoint that could not be written should be known at once
        checkpoints.save(checkpoint, release_id, state)
    return state


def _check_fits(plan: LogisticTraining | LeastSquaresTraining, given: Corpus, classes: Sequence[str]) -> None:
    problems = []
    if given.vectors.shape[1] != plan.components:
        got = f"{given.vectors.shape[1]} components"
        problems.append(Problem("vectors", got, f"{plan.components}, as the plan says"))
    if len(classes) != plan.classes:
        problems.append(Problem("classes", f"{len(classes)} classes", f"{plan.classes}, as the plan says"))
    if isinstance(plan.unit, WholeImage) and given.members != plan.size:
        remedy = "replacing an image keeps their number, which is public; unit=Dataset() hides it"
        problems.append(Problem("plan.size", f"{plan.size}", f"{given.members}, the number of images", remedy))
    refuse(ParameterError, problems)
