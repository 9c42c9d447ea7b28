"""``python -m tests.parties.processes.party_process``: a member of the fault tests, with a task that compiles at once.

The real party process and its real tasks run in tests/cli/test_cli_mpc.py; here everything but the task is real too.
"""

from __future__ import annotations

import argparse
import dataclasses
import faulthandler
import os
import signal
import threading
import time
from pathlib import Path

import numpy as np

from privis.cli.console import err, explained
from privis.cli.joint import TASKS
from privis.cli.joint.party import Log
from privis.io.tables import Table
from privis.parties.configuration import load_party
from privis.parties.job import agreement
from privis.parties.job.task import Announcement, PreparedInput
from privis.parties.node.party_server import PartyServer
from privis.parties.transport.control_plane import ControlPlane
from privis.program import Input, trace
from privis.run.mpc.job import Drop, Job, Reveal, Run, Share, Source
from privis.run.mpc.protocols import preset

LENGTH = 8


@dataclasses.dataclass(frozen=True)
class Total:
    """The sum of all inputs, doubled ``rounds`` times over and over, so that a job takes as long as a test wants."""

    bias: float = 0.0

    def with_networks(self, networks):
        return self

    def releasing(self, specification):
        return None

    def revealed(self, specification):
        return ""

    def prepare(self, specification, name, local):
        with np.load(local.arrays) as members:
            values = members["values"]
        owner = specification.inputs[name].owner
        return PreparedInput(Announcement(owner, (values.shape,)), {name: values}, (f"{owner}'s own",))

    def build(self, specification, announcements):
        inputs = {name: Input(one.shapes[0], 0, 100, 1.0) for name, one in announcements.items()}
        bias = self.bias

        def total(*values):
            result = values[0] + bias
            for value in values[1:]:
                result = result + value
            return result

        program = trace(total, *inputs.values())
        sources = {name: Source(one.owner, inputs[name]) for name, one in announcements.items()}
        shares = [Share(name) for name in sources]
        runs = [Run("total", tuple(sources), ("sum",)) for _ in range(specification.options.get("rounds", 1))]
        reveal = Reveal("sum", specification.receiving("sum"))
        kind = preset(specification.preset)
        return Job(kind, specification.parties, sources, {"total": program}, (*shares, *runs, reveal, Drop(("sum",))))

    def draw(self, agreed, state):
        return {}

    def finish(self, agreed, member, labels, revealed):
        names = tuple(f"s{i}" for i in range(LENGTH))
        return {"sum": Table(("sum",), revealed["sum"].astype(np.float32)[None], names, {})}


def main() -> None:
    words = argparse.ArgumentParser()
    words.add_argument("config", type=Path)
    words.add_argument("--bias", type=float, default=0.0)
    words.add_argument("--version", default=None)
    words.add_argument("--dial-after", type=float, default=0.0, help="seconds before it opens streams to the others")
    chosen = words.parse_args()
    if chosen.version:
        agreement.VERSION = chosen.version
    if chosen.dial_after:
        dials = ControlPlane._dial

        def later(*arguments):
            time.sleep(chosen.dial_after)
            dials(*arguments)

        ControlPlane._dial = later
    faulthandler.register(signal.SIGUSR1)
    stopped = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stopped.set())
    with explained():
        server = PartyServer(load_party(chosen.config), {**TASKS, "total": Total(chosen.bias)}, Log())
        server.start()
        err.print("ready")
        while not stopped.wait(0.2):  # as the command does
            pass
        server.stop("a member that its operator stops")
        os._exit(0)  # as the command does


if __name__ == "__main__":
    main()
