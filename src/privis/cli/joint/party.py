"""``privis party``: one member of joint jobs, as a process that runs until it is stopped."""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from pathlib import Path
from typing import Annotated

import typer

from privis.cli.console import err, explained
from privis.parties.node.events import DONE, FAILED, PROGRESS, Event

QUIET_SECONDS = 5.0  # between two lines of progress
WAKE_SECONDS = 0.5


def party(
    config: Annotated[Path, typer.Option("--config", "-c", help="party.toml of this member.")],
    check: Annotated[bool, typer.Option("--check", help="Only check the configuration.")] = False,
    until_stdin_closes: Annotated[bool, typer.Option(help="Also stop when standard input ends.")] = False,
) -> None:
    """Take part in joint jobs, as far as the policy in party.toml agrees; stop with Ctrl-C."""
    with explained():
        from privis.cli.joint import TASKS
        from privis.parties.configuration import load_party
        from privis.parties.node.party_server import PartyServer
        from privis.privacy.answers.answer_ledger import AnswerLedger

        configuration = load_party(config)
        counted = configuration.answers.ledger
        if counted is not None and counted.exists():
            AnswerLedger(counted).accounts()  # raises where it is damaged, before a job meets it
        if check:
            err.print(f"{config}: {configuration.name} is configured", markup=False, soft_wrap=True)
            return
        stopped = threading.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: stopped.set())
        if until_stdin_closes:
            threading.Thread(target=lambda: (sys.stdin.buffer.read(), stopped.set()), daemon=True).start()
        server = PartyServer(configuration, TASKS, Log())
        server.start()
        rules = f"{len(configuration.policy.rules)} policy rules"
        err.print(f"{configuration.name} listens on {configuration.listen}; {rules}", markup=False, soft_wrap=True)
        while not stopped.wait(WAKE_SECONDS):  # a signal that another thread got runs its handler only when this wakes
            pass
        err.print(f"{configuration.name} is stopping", markup=False)
        server.stop("a member that its operator stops")
        sys.stderr.flush()
        os._exit(0)  # threads of gRPC that still wait for members which are gone must not keep the process


class Log:
    """Lines for the operator: every state, progress now and then, every problem in full."""

    def __init__(self) -> None:
        self._last = 0.0

    def __call__(self, event: Event) -> None:
        """Print ``event`` as one line of the log."""
        if event.kind == PROGRESS:
            now = time.monotonic()
            if now - self._last < QUIET_SECONDS and event.done < event.total:
                return
            self._last = now
            text = f"{event.done} of {event.total} steps"
        elif event.kind == FAILED:
            for problem in event.problems:
                err.print(f"{event.member}: job failed: {problem}", markup=False, soft_wrap=True)
            return
        elif event.kind == DONE:
            text = "done; " + ", ".join(f"{key}: {value}" for key, value in event.facts.items())
        else:
            self._last = 0.0
            text = event.text
        err.print(f"{event.member}: {text}", markup=False, soft_wrap=True)
