"""What commands of private trainings share: the key beside the output, and how far a training is."""

from __future__ import annotations

import contextlib
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from privis.cli.console import QUIET_SECONDS, err

if TYPE_CHECKING:
    from privis.privacy.learning.logistic_regression import LogisticTraining
    from privis.privacy.sampling.release_key import ReleaseKey
    from privis.training.fitting import TrainingProgress


@contextlib.contextmanager
def kept_key(output: Path, key: Path | None) -> Iterator[ReleaseKey]:
    """Give the release key; without a name for it one that lives beside the output until that is written.

    Args:
        output: of the command.
        key: file of the key; None: none was named.

    Yields:
        The key.

    Raises:
        ParameterError: the file holds none.
    """
    from privis.privacy.sampling.release_key import ReleaseKey

    path = key or output.with_name(output.name + ".key")
    if not path.exists():
        ReleaseKey.generate().save(path)
    yield ReleaseKey.load(path)
    if key is None:
        path.unlink(missing_ok=True)


@contextlib.contextmanager
def training_progress(plan: LogisticTraining) -> Iterator[Callable[[TrainingProgress], None]]:
    """Tell how far a private training is: a line that is rewritten on a terminal, one now and then in a pipe.

    Args:
        plan: of the training.

    Yields:
        What is called after every step.
    """
    from privis.privacy.guarantee import shown

    last, told = time.monotonic(), (-1, 0.0)
    with contextlib.ExitStack() as stack:
        status = stack.enter_context(err.status("train")) if err.is_terminal else None

        def show(progress: TrainingProgress) -> None:
            nonlocal last, told
            now = time.monotonic()
            if now - last < (0.5 if status else QUIET_SECONDS) and progress.done < progress.total:
                return
            last = now
            eighth = 8 * progress.done // progress.total
            if eighth > told[0]:  # accounting takes longer than a step: say it eight times
                told = (eighth, plan.epsilon_after(-(-min(eighth + 1, 8) * progress.total // 8)))
            left = "" if progress.eta_seconds is None else f", {progress.eta_seconds:.0f} s left"
            line = (
                f"train: step {progress.done:,} of {progress.total:,}, loss {progress.loss:.3f} (noisy), "
                f"epsilon so far at most {shown(told[1], 3)}{left}"
            )
            status.update(line) if status else print(line, file=sys.stderr, flush=True)

        yield show
