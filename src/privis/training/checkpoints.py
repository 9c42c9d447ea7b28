"""Where a training stands, in a file, so that a killed one goes on.

Evolution of the file: ``format`` names it, and a reader refuses any other: the training then starts from its beginning,
which costs time but no budget.
"""

from __future__ import annotations

import io
import json
import os
import zipfile
from pathlib import Path

import numpy as np

from privis.errors import ParameterError, Problem
from privis.file_formats import FileFormat, misfit
from privis.io.atomic import replacing
from privis.privacy.learning.logistic_regression import TrainingState
from privis.privacy.learning.standardisation import Standardisation

FORMAT = "privis.checkpoint/1"
_ARRAYS = ("weights", "velocity", "average")


def save(path: Path, release_id: str, state: TrainingState) -> None:
    """Write ``state`` of the training ``release_id``; readable by its owner alone (mode 0600).

    Everything in it is computed from noisy sums, and no key is in it: it tells no more than the guarantee says.
    """
    text = {
        "format": FORMAT,
        "release": release_id,
        "step": state.step,
        "averaged": state.averaged,
        "loss": state.loss,
    }
    arrays = {name: getattr(state, name) for name in _ARRAYS} | {"metadata": np.array(json.dumps(text))}
    if state.standardisation is not None:
        arrays |= {"mean": state.standardisation.mean, "deviation": state.standardisation.deviation}
    buffer = io.BytesIO()
    np.savez(buffer, **arrays)
    with replacing(path) as temporary:
        with os.fdopen(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
            file.write(buffer.getvalue())


def load(path: Path, release_id: str, shape: tuple[int, int], steps: int) -> TrainingState | None:
    """Read the state that the training ``release_id`` was in, None when there is no file.

    ``shape`` is that of its weights, ``steps`` how many it has. Raises ``ParameterError`` when the file is damaged or
    another training's.
    """
    if not path.exists():
        return None
    remedy = "move it away: the training then starts from its beginning, which costs time but no budget"
    try:
        with np.load(io.BytesIO(Path(path).read_bytes()), allow_pickle=False) as members:
            text = json.loads(str(members["metadata"]))
            if text["format"] != FORMAT:
                raise ValueError(f"format {text['format']!r}")
            kept = Standardisation(members["mean"], members["deviation"]) if "mean" in members else None
            arrays = [np.asarray(members[name], np.float64) for name in _ARRAYS]
            numbers = int(text["step"]), float(text["averaged"]), float(text["loss"])
            release = str(text["release"])
            finite = all(np.isfinite(array).all() for array in arrays) and np.isfinite(numbers).all()
            if not finite or (release == release_id and not 0 <= numbers[0] <= steps):
                raise ValueError("numbers that no training leaves")
    except (OSError, ValueError, KeyError, TypeError, EOFError, zipfile.BadZipFile) as error:
        reason = f"{type(error).__name__}: {error}"
        raise ParameterError(misfit(path, FileFormat.CHECKPOINT, reason, remedy=remedy)) from None
    if release != release_id or any(array.shape != shape for array in arrays):
        got = "the checkpoint of another training"
        expected = "one of the same images, labels, parameters, key, version of numpy and kind of processor"
        remedy = "move it away: this training then starts from its beginning, and is charged as a release of its own"
        raise ParameterError(Problem(str(path), got, expected, remedy))
    step, averaged, loss = numbers
    return TrainingState(step, arrays[0], arrays[1], arrays[2], averaged, loss, kept)
