"""All parties on this machine, each its own process: for trying out, for the executor, for tests."""

from __future__ import annotations

import contextlib
import secrets
import socket
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from types import TracebackType
from typing import Any, Self, TypeVar
from weakref import WeakKeyDictionary

import numpy as np
from numpy.typing import NDArray

from privis.errors import ParameterError, PartyError, Problem, refuse
from privis.program import Program, digest
from privis.run.mpc.fixed_point import FixedPoint, encoding
from privis.run.mpc.job import Drop, Job, Pick, Reveal, Run, Share
from privis.run.mpc.protocols import Preset
from privis.run.mpc.runtime.link import LinkMeasurement, LinkPlan
from privis.run.mpc.runtime.private_folder import PrivateFolder
from privis.run.mpc.runtime.shares import join, share
from privis.run.mpc.runtime.supervisor import Worker

T = TypeVar("T")
MOST_PROGRAMS = 64  # compiled programs that a session keeps


class LocalParties:
    """The parties of one session as processes on this machine, connected through the loopback device.

    This process plays every owner and every receiver, so nothing is protected from it: real parties are
    ``privis party`` processes on machines of different owners. Use it as a context manager.

    Args:
        preset: the protocol.
        fixed: fixed point of the session.
        addresses: for each party, host:port of all parties as it reaches them; None: free ports of the loopback device.

    Raises:
        PartyError: a party does not start.
    """

    def __init__(self, preset: Preset, fixed: FixedPoint, *, addresses: Sequence[Sequence[str]] | None = None) -> None:
        self.preset, self.fixed = preset, fixed
        self.measured: list[LinkMeasurement] = []  # of rank 0, one per Run of the last job
        self.sent = 0  # bytes by a party, mean of all, in all runs
        self._compiled: dict[str, None] = {}  # the program that was not run for longest is the first
        self._digests: WeakKeyDictionary[Program, str] = WeakKeyDictionary()  # hashing weights takes a while
        self._folder = PrivateFolder("privis-parties-")
        self._threads = ThreadPoolExecutor(preset.parties, thread_name_prefix="privis-party")
        self.workers: tuple[Worker, ...] = ()
        shared = [f"127.0.0.1:{port}" for port in free_ports(preset.parties)]
        views = addresses or [shared] * preset.parties
        session = secrets.token_hex(8)
        try:
            for rank in range(preset.parties):
                log = self._folder.path / f"party{rank}.log"
                self.workers += (Worker(str(rank), log),)
            plans = [LinkPlan(session, rank, tuple(view)) for rank, view in enumerate(views)]
            self.call_all(lambda _, worker: worker.ready())
            self.call_all(lambda rank, worker: worker.connect(plans[rank], preset, fixed))
        except BaseException:
            self.kill()
            raise

    def call_all(self, step: Callable[[int, Worker], T]) -> list[T]:
        """Call a function for all parties at once; the first failure ends all of them, so that none waits for it.

        Args:
            step: called with rank and worker, in a thread for each.

        Returns:
            What it returned, by rank.

        Raises:
            PrivisError: what the first failing call raised.
        """
        futures = [self._threads.submit(step, rank, worker) for rank, worker in enumerate(self.workers)]
        try:
            done, waiting = wait(futures, return_when=FIRST_EXCEPTION)
            if waiting or any(future.exception() for future in done):
                raise next(error for future in done if (error := future.exception()))
        except BaseException:
            for worker in self.workers:
                worker.kill()
            raise
        return [future.result() for future in futures]

    def load(self, program: Program, most: int = MOST_PROGRAMS) -> str:
        """Compile a program at all parties, once per session as long as it is among the last ``most``.

        Args:
            program: what is run on shares.
            most: programs that are kept.

        Returns:
            Its digest.

        Raises:
            PartyError: the parties do not get the same code.
        """
        key = self._digests.get(program) or digest(program)
        self._digests[program] = key
        if key not in self._compiled:
            codes = self.call_all(lambda rank, worker: worker.load(key, program))
            if len(set(codes)) != 1:
                raise PartyError(Problem("compiled code", " and ".join(sorted(set(codes))), "one and the same"))
            while len(self._compiled) >= most:
                oldest = next(iter(self._compiled))
                self.call_all(lambda _, worker, key=oldest: worker.unload(key))
                del self._compiled[oldest]
        self._compiled.pop(key, None)
        self._compiled[key] = None
        return key

    def run(
        self,
        job: Job,
        arrays: Mapping[str, NDArray[Any]],
        progress: Callable[[int, int], None] | None = None,
    ) -> dict[str, NDArray[Any]]:
        """Run a job on all parties.

        Args:
            job: of the session's protocol and fixed point.
            arrays: of all sources, by name.
            progress: called with how many of the instructions are done, and how many there are.

        Returns:
            What the job reveals, by variable name.

        Raises:
            DomainError: an array breaks its declaration; nothing was shared.
            PartyError: a party failed.
        """
        self._check(job, arrays)
        most = max(MOST_PROGRAMS, len(job.programs))
        keys = {name: self.load(program, most) for name, program in job.programs.items()}
        self.measured = []
        revealed: dict[str, NDArray[Any]] = {}
        for index, step in enumerate(job.instructions):
            match step:
                case Share(name):
                    declared = job.sources[name].declared
                    parts = share(arrays[name], encoding(declared), self.preset, self.fixed)
                    self.call_all(lambda rank, worker, n=name, p=parts: worker.put(n, p[rank]))
                case Run(program, inputs, outputs):
                    took = self.call_all(lambda _, w, k=keys[program], i=inputs, o=outputs: w.run(k, i, o))
                    self.measured.append(took[0])
                    self.sent += sum(party.sent for party in took) // len(took)
                case Reveal(name):
                    parts = self.call_all(lambda _, worker, n=name: worker.take(n))
                    revealed[name] = join(parts, self.preset, self.fixed)
                case Pick(name, rows, output, declared):
                    self.call_all(lambda _, worker, n=name, r=rows, o=output, d=declared: worker.pick(n, r, o, d))
                case Drop(names):
                    self.call_all(lambda _, worker, n=names: worker.drop(n))
            if progress:
                progress(index + 1, len(job.instructions))
        return revealed

    def _check(self, job: Job, arrays: Mapping[str, NDArray[Any]]) -> None:
        problems = []
        if (job.preset, job.fixed) != (self.preset, self.fixed):
            got, expected = f"a job for {job.preset.name}, {job.fixed}", f"{self.preset.name}, {self.fixed}"
            problems.append(Problem("LocalParties.run", got, expected, "start parties for this job"))
        needed = [step.name for step in job.instructions if isinstance(step, Share)]
        missing = [name for name in needed if name not in arrays]
        if missing:
            problems.append(Problem("LocalParties.run", f"no array for {', '.join(missing)}", "one per source"))
        refuse(ParameterError, problems)
        for name in needed:
            job.check_array(name, np.asarray(arrays[name]))

    def close(self) -> None:
        """End the session: workers stop after their last answer."""
        with contextlib.suppress(PartyError):
            self.call_all(lambda _, worker: worker.close())
        self.kill()

    def kill(self) -> None:
        """Kill the processes of all parties; nothing is waited for."""
        for worker in self.workers:
            worker.kill()
        self._threads.shutdown(wait=False)
        self._folder.remove()

    def leave_to_parent(self) -> None:
        """In a child of a fork: let go of what is the parent's, which ends with the parent alone."""
        for worker in self.workers:
            worker.leave_to_parent()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is None:
            self.close()
        else:
            self.kill()


def free_ports(count: int) -> tuple[int, ...]:
    """Ports of the loopback device that nobody listens on just now."""

    def opened(stack: contextlib.ExitStack) -> Iterator[int]:
        for _ in range(count):
            listener = stack.enter_context(socket.socket())
            listener.bind(("127.0.0.1", 0))
            yield listener.getsockname()[1]

    with contextlib.ExitStack() as stack:
        return tuple(opened(stack))
