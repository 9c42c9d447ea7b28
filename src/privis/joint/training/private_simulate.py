"""Private training played from one process: owners, noise parties and receivers; on real machines each plays itself."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from privis.errors import ParameterError, Problem, refuse
from privis.joint.runners import Runner
from privis.joint.training.private_schedule import BIAS, UNITS, PrivateTraining, fresh_run
from privis.joint.training.schedule import source_name
from privis.joint.training.simulate import Labelled, one_hot
from privis.privacy.guarantee import Guarantee
from privis.privacy.ledger.file import FileLedger
from privis.privacy.sampling.release_key import ReleaseKey

Floats = NDArray[np.float32]
Arrays = dict[str, NDArray[np.generic]]


@dataclass(frozen=True)
class PrivateOwner:
    """Local state of one owner: vectors and classes, its key, and its ledger of this corpus.

    Args:
        data: vectors and classes.
        key: its own.
        ledger: with a budget per corpus.
    """

    data: Labelled
    key: ReleaseKey
    ledger: FileLedger


@dataclass(frozen=True)
class ReleasedModel:
    """A released model.

    Args:
        matrix: float64 (components + 1, classes), the biases last.
        guarantee: what it guarantees.
        revealed: who learns what, in words.
    """

    matrix: NDArray[np.float64]
    guarantee: Guarantee
    revealed: str

    def labels(self, vectors: NDArray[np.floating]) -> NDArray[np.int64]:
        """Classify vectors, in the clear, as ``bounded`` brings them on the grid.

        Args:
            vectors: (rows, components).

        Returns:
            Classes, int64 (rows,).
        """
        logits = bounded(vectors) / UNITS @ self.matrix[:-1] + self.matrix[-1]
        return np.argmax(logits, axis=1)


def bounded(vectors: NDArray[np.floating]) -> Floats:
    """Shorten each row to a norm of at most sqrt(15)/4 and round towards zero to integers in units of 1/4096, float32.

    Done by the owner, before anything is shared. Rows with NaN or infinity become 0.

    >>> bounded(np.array([[3.0, 4.0], [0.25, 0.0]])).tolist()
    [[2379.0, 3172.0], [1024.0, 0.0]]
    """
    rows = np.asarray(vectors, np.float64)
    rows = np.where(np.isfinite(rows).all(1, keepdims=True), rows, 0.0)
    largest = np.maximum(np.abs(rows).max(1, keepdims=True), 1e-300)
    length = np.maximum(np.linalg.norm(rows / largest, axis=1, keepdims=True), 1e-9)  # no square overflows
    longest = math.sqrt(UNITS**2 - BIAS**2) * (1.0 - 1e-9)
    factor = np.minimum(UNITS * np.minimum(largest, 1.0), longest / length)
    return np.trunc(rows / largest * factor).astype(np.float32)


def train_privately(
    plan: PrivateTraining, owners: Mapping[str, PrivateOwner], noise_keys: Mapping[str, ReleaseKey], run: Runner
) -> ReleasedModel:
    """Charge every ledger, train with noise inside, reveal the model; this process plays everybody.

    Every call is a release of its own, with its own noise and charge: see `privis.joint.training.private_schedule`.

    Args:
        plan: what all agree on.
        owners: their local states, by name.
        noise_keys: of the noise parties, by name.
        run: runs a job on the parties of one session.

    Returns:
        The model.

    Raises:
        ParameterError: something does not fit the plan.
        BudgetError: a ledger refuses; nothing was sampled.
    """
    problems = [
        Problem(f"data of {owner}", "another number of images", f"{count} images and classes")
        for owner, count in plan.owners
        if owner not in owners or not len(owners[owner].data.images) == len(owners[owner].data.classes) == count
    ]
    refuse(ParameterError, problems)
    vectors = {owner: bounded(owners[owner].data.images) for owner, _ in plan.owners}
    tags = {name: plan.tag(x, owners[name].data.classes, owners[name].key) for name, x in vectors.items()}
    prints = {party: plan.fingerprint(key) for party, key in noise_keys.items()}
    release_id = plan.release_id(tags, prints, {name: fresh_run() for name in plan.members})
    for owner, _ in plan.owners:
        plan.charge(owners[owner].ledger, release_id)
    revealed: Mapping[str, NDArray[np.floating]] = {}
    for index, job in enumerate(plan.jobs):
        epoch, first, last = plan.plan.stretches[index]
        arrays: dict[str, NDArray[np.generic]] = {}
        if index == 0:
            arrays["layer 0"] = np.zeros(plan.network.shapes[0], np.float32)
        for step in range(first, last):
            for (owner, _), rows in zip(plan.owners, plan.plan.rows, strict=True):
                taken = slice(step * rows, (step + 1) * rows)
                arrays[source_name(owner, "images", step)] = vectors[owner][taken]
                classes = one_hot(owners[owner].data.classes[taken], plan.network.classes)
                arrays[source_name(owner, "labels", step)] = classes
            for party, key in noise_keys.items():
                arrays[plan.noise_name(party, epoch, step)] = plan.noise_share(key, release_id, epoch, step)
        revealed = run(job, arrays)
    matrix = np.array(revealed["layer 0"], np.float64)
    matrix[-1] *= BIAS / UNITS
    kept = f"As long as at most {plan.colluding} of {', '.join(plan.committee.members)} pool their noise"
    sentence = f"{', '.join(plan.receivers)} learn the model and nothing else. {kept}: {plan.guarantee.sentence}"
    return ReleasedModel(matrix, plan.guarantee, sentence)
