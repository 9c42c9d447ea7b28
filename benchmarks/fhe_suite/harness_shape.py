"""One run in the shape of the harness: stages as processes, what each took, and what the server could see.

While a server stage runs, the folder of the secret key is elsewhere, and an audit hook ends the process that opens
anything of it. Bytes are counted as ``du -sb`` counts them.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from privis.serve.submission.stage_call import SIZES, StageCall
from privis.serve.submission.submission_directory import REMOTE_STAGES, STAGES

NO_SECRETS = Path(__file__).parent / "no_secrets"
MEASURED = Path(__file__).parent / "measured_stage.py"
COMPUTE = "server_encrypted_compute"


@dataclass(frozen=True)
class StageCode:
    """Which code processes load: ``package``, the folder of another version's package, in place of this one; and
    ``bytecode``, a folder where Python keeps what it compiled, as an installer does beside a package.
    """

    package: Path | None = None
    bytecode: Path | None = None

    def environment(self, *first: Path) -> dict[str, str]:
        """Of a process that looks for modules in the folders ``first``, then there, then where this process does."""
        places = [*map(str, first), *[str(self.package)] * (self.package is not None), *filter(None, sys.path)]
        made = os.environ | {"PYTHONPATH": os.pathsep.join(places)}
        made["PATH"] = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")])
        if self.bytecode is not None:
            made["PYTHONPYCACHEPREFIX"] = str(self.bytecode)
            made.pop("PYTHONDONTWRITEBYTECODE", None)
        return made


AS_HERE = StageCode()


@dataclass(frozen=True)
class StageUse:
    """What a stage took: seconds of the wall clock, processor seconds of all its processes, and the peak of the
    largest one's memory, bytes.
    """

    stage: str
    wall: float
    processor: float
    memory: int


@dataclass(frozen=True, eq=False)
class HarnessRun:
    """What stages took, bytes of folders, and the classes that came out."""

    stages: tuple[StageUse, ...]
    folders: dict[str, int]
    classes: NDArray[np.int64] = field(repr=False)

    def of(self, stage: str) -> StageUse:
        """What one stage took."""
        return next(use for use in self.stages if use.stage == stage)


def run_harness(
    submission: Path, root: Path, size: int, images: NDArray[np.uint8], code: StageCode = AS_HERE
) -> HarnessRun:
    """Run all stages for one size in an empty folder.

    Args:
        submission: the directory that ``privis stage init`` wrote; with ``--remote`` the environment names the server.
        root: where ``io`` and ``datasets`` are made.
        size: 0 to 3.
        images: uint8 (N, height, width).
        code: that stages load.

    Returns:
        What was measured, and the classes.

    Raises:
        CalledProcessError: a stage failed, or a server stage touched the secret key.
    """
    call = StageCall(submission, SIZES[size], root)
    call.pixels.parent.mkdir(parents=True)
    np.savetxt(call.pixels, images.reshape(len(images), -1) / 255.0, fmt="%.6f")
    call.predictions.parent.mkdir(parents=True)
    uses = []
    for stage in stages_of(submission):
        server = stage.startswith("server_")
        words = [] if stage == "server_preprocess_model" else [str(size)]  # the harness does not say it there
        with moved_away(call.secret) if server and call.secret.exists() else as_it_is():
            uses.append(run_stage(submission / "build" / stage, words, root, server=server, code=code))
    folders = {each.name: folder_bytes(each) for each in (call.public, call.query.parent, call.answer.parent)}
    return HarnessRun(tuple(uses), folders, np.loadtxt(call.predictions, np.int64, ndmin=1))


def stages_of(submission: Path) -> tuple[str, ...]:
    """Stages in the order in which the harness runs them; remote ones around the keys that they are about."""
    local = [stage for stage in STAGES if (submission / f"{stage}.py").is_file()]
    if not (submission / "server_upload_ek.py").is_file():
        return tuple(local)
    get_params, upload_keys, _ = REMOTE_STAGES
    return (get_params, local[0], upload_keys, *local[1:])


def run_stage(script: Path, words: list[str], root: Path, *, server: bool, code: StageCode = AS_HERE) -> StageUse:
    """Run a stage in ``root``; a server's is ended when it touches a secret. CalledProcessError when it fails."""
    environment = code.environment(*[NO_SECRETS] * server)
    told = root / f"{script.name}.json"
    measured = [sys.executable, "-I", "-S", str(MEASURED), str(told), str(script), *words]
    ended = subprocess.run(measured, cwd=root, env=environment, check=False)
    if ended.returncode:
        raise subprocess.CalledProcessError(ended.returncode, [script.name, *words])
    return StageUse(script.name, **json.loads(told.read_text()))


@contextmanager
def moved_away(secret: Path) -> Iterator[None]:
    """Meanwhile the folder of the secret key is elsewhere."""
    away = secret.parent.parent.parent / "away"
    shutil.move(secret, away)
    try:
        yield
    finally:
        shutil.move(away, secret)


@contextmanager
def as_it_is() -> Iterator[None]:
    """Meanwhile everything is where it was."""
    yield


def folder_bytes(folder: Path) -> int:
    """As ``du -sb``: apparent sizes of all files, and of the folders themselves."""
    return folder.lstat().st_size + sum(path.lstat().st_size for path in folder.rglob("*"))
