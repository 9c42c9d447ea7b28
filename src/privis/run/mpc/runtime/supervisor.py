"""``Worker``: starts one party's child process, feeds it and survives it."""

from __future__ import annotations

import contextlib
import dataclasses
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Sequence
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from privis.errors import PartyError, Problem
from privis.program import Input, Program
from privis.program.files import to_bytes
from privis.run.mpc.fixed_point import Encoding, FixedPoint, encoding
from privis.run.mpc.protocols import Preset
from privis.run.mpc.runtime.link import LinkMeasurement, LinkPlan
from privis.run.mpc.runtime.pipe import Channel, Header
from privis.run.mpc.runtime.private_folder import PrivateFolder
from privis.run.mpc.runtime.shares import require_spu

# More than one OpenMP thread per party makes SPU's matrix products spin: a hundred times slower on a busy machine.
ENVIRONMENT = {
    "JAX_PLATFORMS": "cpu",
    "OMP_WAIT_POLICY": "PASSIVE",
    "OMP_THREAD_LIMIT": "1",
    # glibc keeps freed arrays instead of giving them back page by page: a tenth of the time of a large network
    "MALLOC_MMAP_THRESHOLD_": str(1 << 30),
    "MALLOC_TRIM_THRESHOLD_": str(1 << 33),
}
PATIENCE = 5.0  # seconds a child gets to end by itself


class StepError(PartyError):
    """A step failed inside the protocol process, in the words of a library that holds this party's own arrays."""


class Worker:
    """One party's child process; it ends with this object, with this process, or with SPU.

    Every call waits for its answer. Those marked collective only end when all parties make them, so parties that
    live in one process need a thread each. A child that dies, or an error inside it, raises PartyError; the worker
    is then useless and ``kill`` is all that is left. Nothing secret is in its arguments, environment or log.
    """

    def __init__(self, name: str, log: Path | None = None) -> None:
        require_spu()  # a missing extra is said here, not in a child
        self.name = name
        self._folder = PrivateFolder("privis-party-")
        self.log = log or self._folder.path / "spu.log"
        ours, theirs = socket.socketpair()
        environment = {**os.environ, **ENVIRONMENT}
        command = [sys.executable, "-m", "privis.run.mpc.runtime.party_worker", str(theirs.fileno()), str(self.log)]
        with theirs, self.log.open("ab") as log_file:
            self._process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=log_file,
                stderr=log_file,
                env=environment,
                pass_fds=[theirs.fileno()],
                start_new_session=True,
            )
        self._channel = Channel(Connection(ours.detach()))

    @property
    def pid(self) -> int:
        """The child's process id."""
        return self._process.pid

    def _ask(self, command: str, header: Header, *blobs: bytes | memoryview) -> tuple[Header, list[bytes]]:
        try:
            self._channel.send({"command": command, **header}, blobs)
            answer, data = self._channel.receive()
        except (EOFError, OSError):
            raise PartyError(self._death(command)) from None
        if "error" in answer:
            remedy = "all parties must run the same job and stay up; see the log of each party"
            raise StepError(Problem(f"party {self.name}, {command}", answer["error"], "the step to succeed", remedy))
        return answer, data

    def _death(self, command: str) -> Problem:
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(PATIENCE)
        code = self._process.returncode
        match code:
            case 255:
                how = "ended because a peer was lost (SPU's exit status 255)"
            case int() if code < 0:
                how = f"was ended by {signal.Signals(-code).name}"
            case _:
                how = f"ended with exit status {code}"
        got, remedy = f"its protocol process {how}", "look at the party that failed first, then start the job again"
        return Problem(f"party {self.name}, {command}", got, "it to finish the step", remedy)

    def ready(self) -> None:
        """Wait until the child has loaded SPU: parties that then connect at once need not wait for each other."""
        self._ask("ready", {})

    def connect(self, plan: LinkPlan, preset: Preset, fixed: FixedPoint) -> None:
        """Join the other parties of the session; collective."""
        tls = {key: str(path) for key, path in dataclasses.asdict(plan.tls).items()} if plan.tls else None
        header = {"plan": {**dataclasses.asdict(plan), "tls": tls}, "preset": preset.name}
        self._ask("connect", {**header, "fixed": dataclasses.asdict(fixed)})

    def exchange(self, outgoing: Sequence[bytes]) -> tuple[bytes, ...]:
        """Send ``outgoing[rank]`` to each party and return what each sent to this one; collective."""
        return tuple(self._ask("exchange", {}, *outgoing)[1])

    def load(self, key: str, program: Program) -> str:
        """Compile ``program`` as ``key`` and return the SHA-256 of the code, to be compared between parties."""
        return self._ask("load", {"key": key}, to_bytes(program))[0]["digest"]

    def unload(self, key: str) -> None:
        """Forget the program ``key``."""
        self._ask("unload", {"key": key})

    def share(self, name: str, owner: int, encoding: Encoding, array: NDArray[Any] | None) -> None:
        """Secret-share the array of the party of rank ``owner`` as variable ``name``; collective, None elsewhere."""
        header: Header = {"name": name, "owner": owner, "encoding": encoding.value}
        if array is None:
            self._ask("share", header)
            return
        values = np.ascontiguousarray(array)
        header |= {"dtype": values.dtype.str, "shape": list(values.shape)}
        self._ask("share", header, values.tobytes())

    def put(self, name: str, share: bytes) -> None:
        """Store a share that an outside owner made."""
        self._ask("put", {"name": name}, share)

    def take(self, name: str) -> bytes:
        """Return this party's share of ``name`` for an outside receiver."""
        return self._ask("take", {"name": name})[1][0]

    def run(self, key: str, inputs: Sequence[str], outputs: Sequence[str]) -> LinkMeasurement:
        """Run program ``key`` on variables; collective."""
        header = {"key": key, "inputs": list(inputs), "outputs": list(outputs)}
        return LinkMeasurement(**self._ask("run", header)[0])

    def reveal(self, name: str, receivers: Sequence[int]) -> NDArray[Any] | None:
        """Reconstruct ``name`` at the parties of ranks ``receivers``, None elsewhere; collective."""
        header, data = self._ask("reveal", {"name": name, "receivers": list(receivers)})
        return np.frombuffer(data[0], np.dtype(header["dtype"])).reshape(header["shape"]) if data else None

    def pick(self, name: str, rows: Sequence[int], output: str, declared: Input) -> None:
        """Copy rows of variable ``name``, which is as ``declared``, to variable ``output``; nothing is sent."""
        header: Header = {"name": name, "rows": list(rows), "output": output, "shape": list(declared.shape)}
        self._ask("pick", header | {"encoding": encoding(declared).value})

    def drop(self, names: Sequence[str]) -> None:
        """Delete this party's shares of the named variables."""
        self._ask("drop", {"names": list(names)})

    def close(self) -> None:
        """Leave the session in step with the others and end the child; collective once connected."""
        try:
            self._ask("close", {})
        finally:
            self.kill()

    def leave_to_parent(self) -> None:
        """In a child of a fork: close its copy of the pipe, which else outlives the parent, and its worker with it."""
        self._channel.connection.close()
        self._process.returncode = 0  # nothing of this process to wait for

    def kill(self) -> None:
        """End the child at once; safe to call twice and from another thread."""
        with contextlib.suppress(ProcessLookupError):
            self._process.kill()
        self._process.wait()  # a call that waits in another thread now reads the end of the pipe
        self._folder.remove()
