"""Train, score and use a joint classifier from one process that plays all owners; on real machines each plays itself.

``run`` runs jobs: ``LocalParties.run``, or ``InTheClear()``, which evaluates the same programs in numpy and shows what
multi-party computation changes.

>>> from privis.joint.training.network_programs import Network
>>> from privis.joint.runners import InTheClear
>>> random = np.random.default_rng(0)
>>> def labelled(rows):  # classes are told apart by which half of a 2 x 2 image is bright
...     classes = random.integers(0, 2, rows)
...     bright = np.where(classes[:, None, None] == np.array([[0, 1]]), 200, 50)
...     return Labelled.of_bytes((bright + random.integers(0, 40, (rows, 2, 2))).astype(np.uint8), classes)
>>> owners = {"bob": labelled(256), "carol": labelled(256)}
>>> training = Training(Network((4, 2)), (("bob", 256), ("carol", 256)), batch=64, rates=((2.0,),))
>>> run = InTheClear()
>>> fit(training, run, owners)
>>> score(training, run, "alice", labelled(100)).accuracy
1.0
"""

from __future__ import annotations

import itertools
import secrets
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from privis.errors import ParameterError, Problem, refuse
from privis.joint.runners import Runner
from privis.joint.training.network_programs import PIXEL
from privis.joint.training.schedule import Training, portions, source_name

Array = NDArray[Any]
Arrays = dict[str, Array]


@dataclass(frozen=True)
class Labelled:
    """An owner's input vectors and their classes.

    Args:
        images: float32 (rows, components), as the network declares them.
        classes: integers (rows,).
    """

    images: Array = field(repr=False)
    classes: Array = field(repr=False)

    @classmethod
    def of_bytes(cls, images: Array, classes: Array) -> Labelled:
        """Take 8-bit images; see ``pixels``.

        Args:
            images: uint8 (rows, ...), of one size.
            classes: integers (rows,).

        Returns:
            Input vectors and classes.
        """
        return cls(pixels(images), np.asarray(classes))


@dataclass(frozen=True)
class JointTrainingProgress:
    """Where a training is: jobs done of all, seconds since it started or went on, and about how many are left."""

    jobs_done: int
    jobs: int
    seconds: float
    seconds_left: float


@dataclass(frozen=True)
class Score:
    """What is revealed of a model's quality.

    Args:
        images: how many it was tried on.
        loss: mean cross entropy, in nats.
        accuracy: fraction of right answers.
    """

    images: int
    loss: float
    accuracy: float


def pixels(images: Array) -> NDArray[np.float32]:
    """8-bit images as input vectors: float32 (rows, components), each byte / 256; ParameterError for others.

    >>> pixels(np.full((1, 2, 2), 128, np.uint8))
    array([[0.5, 0.5, 0.5, 0.5]], dtype=float32)
    """
    if images.dtype != np.uint8 or images.ndim < 2:
        raise ParameterError(Problem("images", f"{images.dtype} {images.shape}", "uint8 (rows, ...)"))
    return images.reshape(len(images), -1).astype(np.float32) * np.float32(PIXEL)


def fit(
    training: Training,
    run: Runner,
    data: Mapping[str, Labelled],
    *,
    first: int = 0,
    progress: Callable[[JointTrainingProgress], None] | None = None,
    seed: int | None = None,
) -> None:
    """Train; the model stays with the parties as shares, resident in the session.

    Args:
        training: everything public.
        run: runs a job on the parties of one session.
        data: of the owners, by name.
        first: jobs done before, in the same session.
        progress: called after each job; when it raises, the training stops there and can go on later with ``first``.
        seed: repeats the owners' orders, for benchmarks; None: they are secret.

    Raises:
        ParameterError: the data are not what ``training`` says.
        DomainError: an owner's data break what the network declares.
    """
    refuse(ParameterError, _problems(training, data))
    secret, started = secrets.randbits(128) if seed is None else seed, time.perf_counter()
    for index, job in enumerate(training.jobs[first:], start=first):
        epoch, start, stop = training.stretches[index]
        arrays: Arrays = {}
        if index == 0:
            arrays |= dict(zip(training.layers, training.network.start(training.seed), strict=True))
        for place, (owner, _) in enumerate(training.owners):
            order = np.random.default_rng([secret, epoch, place])
            arrays |= batches(training, place, data[owner], order, range(start, stop))
        run(job, arrays)
        if progress:
            done, seconds = index + 1, time.perf_counter() - started
            left = seconds / (done - first) * (len(training.jobs) - done)
            progress(JointTrainingProgress(done, len(training.jobs), seconds, left))


def batches(
    training: Training, place: int, data: Labelled, order: np.random.Generator, steps: range
) -> dict[str, Array]:
    """Give the sources of the owner at ``place`` for some steps of the epoch whose secret order ``order`` draws."""
    owner, rows = training.owners[place][0], training.rows[place]
    shuffled = order.permutation(len(data.images))[: rows * training.steps].reshape(training.steps, rows)
    made: Arrays = {}
    for step in steps:
        taken = shuffled[step]
        made[source_name(owner, "images", step)] = data.images[taken]
        made[source_name(owner, "labels", step)] = one_hot(data.classes[taken], training.network.classes)
    return made


def score(training: Training, run: Runner, owner: str, data: Labelled, receivers: Sequence[str] = ()) -> Score:
    """Reveal loss and accuracy of the resident model on an owner's images to receivers.

    Args:
        training: everything public.
        run: runs a job on the session that holds the model.
        owner: whose images they are.
        data: input vectors and classes.
        receivers: names of those who learn it; none: the owner.

    Returns:
        Loss and accuracy.
    """
    count = len(data.images)
    job = training.score_job(owner, count, tuple(receivers) or (owner,))
    arrays: Arrays = {}
    for index, rows in enumerate(_slices(count)):
        arrays[source_name(owner, "images", index)] = data.images[rows]
        arrays[source_name(owner, "labels", index)] = one_hot(data.classes[rows], training.network.classes)
    loss, right = map(float, run(job, arrays)["score"])
    return Score(count, loss / count, round(right) / count)


def label(training: Training, run: Runner, owner: str, images: Array) -> NDArray[np.int64]:
    """Reveal the resident model's labels of an owner's images to that owner.

    Args:
        training: everything public.
        run: runs a job on the session that holds the model.
        owner: whose images they are.
        images: float32 (rows, components).

    Returns:
        Classes, int64 (rows,).
    """
    job = training.label_job(owner, len(images))
    arrays = {source_name(owner, "images", index): images[rows] for index, rows in enumerate(_slices(len(images)))}
    revealed = run(job, arrays)
    return np.rint(np.concatenate([revealed[f"labels {index}"] for index in range(len(arrays))])).astype(np.int64)


def one_hot(classes: Array, count: int) -> NDArray[np.float32]:
    """Float32 (rows, count) with a 1 at each row's class; ParameterError for classes that do not exist.

    >>> one_hot(np.array([1, 0]), 3)
    array([[0., 1., 0.],
           [1., 0., 0.]], dtype=float32)
    """
    if classes.size and not (classes.dtype.kind in "iu" and 0 <= classes.min() and classes.max() < count):
        raise ParameterError(Problem("classes", f"{classes.dtype} values", f"integers from 0 to {count - 1}"))
    return np.eye(count, dtype=np.float32)[classes]


def _problems(training: Training, data: Mapping[str, Labelled]) -> list[Problem]:
    problems = []
    for owner, count in training.owners:
        if owner not in data:
            problems.append(Problem("data", f"nothing of {owner}", f"{count} images"))
        elif not len(data[owner].images) == len(data[owner].classes) == count:
            got = f"{len(data[owner].images)} images and {len(data[owner].classes)} classes"
            problems.append(Problem(f"data of {owner}", got, f"{count} of each, as Training.owners says"))
    return problems


def _slices(images: int) -> list[slice]:
    ends = itertools.accumulate(portions(images), initial=0)
    return [slice(start, end) for start, end in itertools.pairwise(ends)]
