"""What people see: progress on a terminal, plain lines in a pipe, errors with exit codes."""

from __future__ import annotations

import contextlib
import errno
import sys
import threading
import time
import warnings
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from privis import errors
from privis.errors import Problem

if TYPE_CHECKING:
    from privis.io.resumable.run import Progress as Step

SOME_FAILED, USAGE, UNUSABLE, OUTPUT, BUDGET, PARTY, SERVER, NO, INTERRUPTED = 1, 2, 3, 4, 5, 6, 7, 8, 130
EXIT_CODES = """Exit codes: 0 done · 1 done, but some files failed (they are listed) · 2 a wrong option or parameter ·
3 no image could be used, or none had budget left · 4 the output could not be written · 5 a ledger is damaged (privis
ledger), or a server gives no more answers · 6 a party of a joint computation failed or disagreed · 7 a server failed
or refused, or keys or messages are damaged or of another program · 8 no: nobody matches (privis face), nothing is
found (privis search), the accuracy is too low (privis classify), pictures were held back (privis redact), something
of whom was erased is left, or a card, table, ledger or receipt does not hold (privis verify) · 130 interrupted (the
same command goes on)."""
SILENT_SECONDS = 2.0  # before work says what it is
_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EFBIG)
QUIET_SECONDS = 5.0  # between two lines in a pipe

PIPE_WIDTH = 160  # columns of a table that no terminal limits

out = Console(highlight=False, width=None if sys.stdout.isatty() else PIPE_WIDTH)
err = Console(stderr=True, highlight=False)


@contextlib.contextmanager
def explained() -> Iterator[None]:
    """Print an error as its sentences and leave with its exit code; no traceback for what a user can mend.

    Warnings about ids of people, depths of images, damaged videos and noise that leaves nothing are printed as
    sentences, too.
    """
    try:
        with _warned():
            yield
    except errors.PrivisError as error:
        for problem in error.problems:
            err.print(f"privis: {problem}", markup=False, soft_wrap=True)
        raise SystemExit(exit_code(error)) from None
    except OSError as error:  # of a file or folder that a command was given, whatever it is there for
        if error.filename is None:
            raise
        problem = Problem(str(error.filename), error.strerror or "an error", "one that can be used", "check the path")
        err.print(f"privis: {problem}", markup=False, soft_wrap=True)
        raise SystemExit(OUTPUT if error.errno in _FULL else USAGE) from None
    except KeyboardInterrupt as interrupt:
        err.print(f"privis: {str(interrupt) or 'interrupted'}", markup=False, soft_wrap=True)
        raise SystemExit(INTERRUPTED) from None


@contextlib.contextmanager
def _warned() -> Iterator[None]:
    from privis.extraction.noise_level import NoiseWarning
    from privis.io.images.depth import DepthWarning
    from privis.io.video.frame_reading import VideoWarning
    from privis.subjects import SubjectWarning

    sentences = (SubjectWarning, DepthWarning, NoiseWarning, VideoWarning)
    with warnings.catch_warnings():
        shown = warnings.showwarning

        def show(message: Warning | str, category: type[Warning], *place: Any, **more: Any) -> None:
            if issubclass(category, sentences):
                err.print(f"privis: warning: {message}", markup=False, soft_wrap=True)
            else:
                shown(message, category, *place, **more)

        warnings.showwarning = show
        for category in sentences:
            warnings.simplefilter("always", category)
        yield


def exit_code(error: errors.PrivisError) -> int:
    """The documented exit code of an error."""
    match error:
        case errors.OutputError():
            return OUTPUT
        case errors.BudgetError():
            return BUDGET
        case errors.ImageError():
            return UNUSABLE
        case errors.PartyError():
            return PARTY
        case errors.ServiceError() | errors.ProtocolError():
            return SERVER
        case _:
            return USAGE


@contextlib.contextmanager
def progress(label: str, counted: str = "files") -> Iterator[Callable[[Step], None]]:
    """A bar with the time left on a terminal; otherwise a line now and then on stderr, in numbers of ``counted``."""
    if not err.is_terminal:
        yield _lines(label, counted)
        return
    columns = (
        TextColumn(label),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[failed]}"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=err) as bar:
        task = bar.add_task(label, total=None, failed="")

        def show(step: Step) -> None:
            failed = f"[red]{step.failed} failed[/red]" if step.failed else ""
            bar.update(task, total=step.total, completed=step.done, failed=failed)

        yield show


def _lines(label: str, counted: str) -> Callable[[Step], None]:
    last = time.monotonic()

    def show(step: Step) -> None:
        nonlocal last
        now = time.monotonic()
        if now - last < QUIET_SECONDS and step.done < step.total:
            return
        last = now
        left = "" if step.eta_seconds is None else f", {step.eta_seconds:.0f} s left"
        failed = f", {step.failed} failed" if step.failed else ""
        print(f"{label}: {step.done:,} of {step.total:,} {counted}{failed}{left}", file=sys.stderr, flush=True)

    return show


@contextlib.contextmanager
def working(label: str) -> Iterator[Callable[[float], None]]:
    """Say what is being done while it takes more than two seconds, for work that is not counted in files.

    The function that is given takes the share that is done, in [0, 1], and adds the time that is left.
    """
    started, done, stop = time.monotonic(), [0.0], threading.Event()

    def line() -> str:
        seconds = time.monotonic() - started
        left = f", {seconds * (1 - done[0]) / done[0]:.0f} s left" if done[0] else ""
        return f"{label}: {seconds:.0f} s{left}"

    if err.is_terminal:
        with err.status(label) as status:

            def show(share: float) -> None:
                done[0] = share
                status.update(line())

            yield show
        return

    def repeat() -> None:
        wait = SILENT_SECONDS
        while not stop.wait(wait):
            print(line(), file=sys.stderr, flush=True)
            wait = QUIET_SECONDS

    thread = threading.Thread(target=repeat, daemon=True)
    thread.start()
    try:
        yield lambda share: done.__setitem__(0, share)
    finally:
        stop.set()
        thread.join()
