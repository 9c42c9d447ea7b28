"""Three members on loopback that fault tests share: real processes, certificates, configurations, logs."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from privis.errors import PrivisError
from privis.parties.configuration import load_submitter
from privis.parties.identity.certificates import make_group
from privis.parties.job.specification import Specification, Use
from privis.parties.node.submitter import submit
from privis.run.mpc.runtime.local_parties import free_ports

PARTIES = ("hospital", "clinic", "lab")
OUTSIDERS = ("patient", "analyst")
MEMBERS = PARTIES + OUTSIDERS
LIMIT = 45.0  # seconds within which every survivor must know what went wrong: 15 where nothing else runs
POLICY = """
[[policy]]
submitters = ["boss"]
tasks = ["total", "extract"]
inputs = ["numbers", "photos"]
receivers = ["hospital", "clinic", "lab", "analyst", "patient"]
"""


@dataclass(frozen=True)
class Variant:
    """How a member differs from the ordinary one: files of another folder, extra configuration, extra arguments."""

    keys: str | None = None  # folder with certificate.pem, key.pem, authority.pem
    name: str | None = None
    routes: str = ""
    policy: str = POLICY
    arguments: tuple[str, ...] = ()
    wait: float = 30.0


ORDINARY = Variant()


@dataclass
class Group:
    """The members' processes; ``ensure`` starts those that are missing or differ."""

    folder: Path
    processes: dict[str, subprocess.Popen] = field(default_factory=dict)
    variants: dict[str, Variant] = field(default_factory=dict)
    marks: dict[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        ports = free_ports(len(MEMBERS) + len(PARTIES))
        self.control = {name: f"127.0.0.1:{port}" for name, port in zip(MEMBERS, ports, strict=False)}
        self.data = {name: f"127.0.0.1:{port}" for name, port in zip(PARTIES, ports[len(MEMBERS) :], strict=True)}
        hosts = {**dict.fromkeys(MEMBERS, "127.0.0.1"), "impostor": "127.0.0.1", "boss": None, "stranger": None}
        make_group(self.folder, hosts, 1)
        make_group(self.folder / "other", {"clinic": "127.0.0.1"}, 1)
        members = "".join(f'{name} = "{at}"\n' for name, at in self.control.items())
        for name in ("boss", "stranger"):
            (self.folder / name / "submitter.toml").write_text(f'name = "{name}"\n[members]\n{members}')
        for index, name in enumerate(MEMBERS):
            (self.folder / name / "results").mkdir()
            np.savez(self.folder / name / "numbers.npz", values=np.arange(8) + 10 * index)

    def configuration(self, name: str, variant: Variant) -> Path:
        keys = self.folder / (variant.keys or name)
        files = {"certificate": "certificate.pem", "key": "key.pem", "authority": "authority.pem"}
        lines = [f'name = "{variant.name or name}"', f'control = "{self.control[name]}"', f"wait = {variant.wait}"]
        lines += [f'{key} = "{keys / file}"' for key, file in files.items()]
        lines += [f'data = "{self.data[name]}"'] if name in PARTIES else []
        lines += ['release_key = "release.key"'] if (self.folder / name / "release.key").is_file() else []
        lines += ["[peers]", *(f'{peer} = "{at}"' for peer, at in self.control.items() if peer != name)]
        lines += ["[inputs.numbers]", 'arrays = "numbers.npz"']
        if (self.folder / name / "photos").is_dir():
            lines += ["[inputs.photos]", 'images = "photos"']
        path = self.folder / name / "party.toml"
        path.write_text("\n".join([*lines, variant.routes, variant.policy]))
        return path

    def ensure(self, *names: str, **variants: Variant) -> None:
        """All named members run, the ones in ``variants`` as those say; others that run are left as they are."""
        wanted = {**dict.fromkeys(names or PARTIES, ORDINARY), **variants}
        fresh = []
        for name, variant in wanted.items():
            process = self.processes.get(name)
            if process is None or process.poll() is not None or self.variants[name] != variant:
                self.stop(name)
                self.start(name, variant)
                fresh.append(name)
        for name in fresh:
            self.await_ready(name)
        self.marks = {name: self.log(name).stat().st_size for name in wanted}

    def start(self, name: str, variant: Variant = ORDINARY) -> None:
        command = [
            sys.executable,
            "-m",
            "tests.parties.processes.party_process",
            str(self.configuration(name, variant)),
        ]
        with self.log(name).open("wb") as log:
            self.processes[name] = subprocess.Popen(
                [*command, *variant.arguments], stdin=subprocess.DEVNULL, stdout=log, stderr=log
            )
        self.variants[name] = variant
        self.marks[name] = 0

    def await_ready(self, name: str) -> None:
        until(lambda: "ready" in self.log(name).read_text(), f"{name} to start: {self.log(name).read_text()}", 30)

    def stop(self, name: str) -> None:
        process = self.processes.pop(name, None)
        if process is not None:
            process.terminate()
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.send_signal(signal.SIGUSR1)
                time.sleep(1)
                process.kill()
                process.wait()
                raise AssertionError(f"{name} did not stop; it said:\n{self.log(name).read_text()}") from None

    def log(self, name: str) -> Path:
        return self.folder / f"{name}.log"

    def said(self, name: str) -> str:
        """What a member's operator read since ``ensure``."""
        return self.log(name).read_bytes()[self.marks[name] :].decode()

    def failures(self, name: str) -> str:
        """What a member said of a failure, within the time that it may take."""
        try:
            until(lambda: "job failed" in self.said(name), f"{name} to notice", LIMIT)
        except AssertionError:
            self.processes[name].send_signal(signal.SIGUSR1)  # where its threads are goes to its log
            time.sleep(1)
            raise AssertionError(f"{name} did not notice within {LIMIT} s; it said:\n{self.said(name)}") from None
        return "\n".join(line for line in self.said(name).splitlines() if "job failed" in line)

    def received(self) -> list[Path]:
        """All that lies in any member's folder of results, hidden files too."""
        return [path for name in MEMBERS for path in (self.folder / name / "results").iterdir()]

    def clear(self) -> None:
        import shutil

        for path in self.received():
            shutil.rmtree(path)

    def children(self, name: str) -> list[int]:
        """Process ids of a member's children: its protocol process, of a job or waiting for one."""
        pid = self.processes[name].pid
        found = []
        for task in Path(f"/proc/{pid}/task").iterdir():
            with contextlib.suppress(FileNotFoundError, ProcessLookupError):  # a thread that has just ended
                found += map(int, (task / "children").read_text().split())
        return found

    def submission(self, specification: Specification, *, by: str = "boss", wait: float = 20.0) -> Submission:
        return Submission(self, specification, by, wait)


class Submission:
    """A job sent from a thread of the test, its events, and how it ended."""

    def __init__(self, group: Group, specification: Specification, by: str, wait: float) -> None:
        self.events, self.error, self.reports = [], None, None
        self._arguments = (specification, load_submitter(group.folder / by / "submitter.toml"), wait)
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        specification, configuration, wait = self._arguments
        try:
            self.reports = submit(specification, configuration, wait=wait, on_event=self.events.append)
        except PrivisError as error:
            self.error = error

    def running(self) -> None:
        """Wait until the protocol itself runs at all parties."""

        def members() -> set[str]:
            return {event.member for event in self.events if event.kind == "progress" and event.done > 3}

        until(lambda: members() >= set(PARTIES) or self.error, "the job to run", 40)
        assert self.error is None, self.error

    def failure(self, seconds: float = LIMIT) -> str:
        self._thread.join(seconds)
        assert not self._thread.is_alive(), f"no end after {seconds} s: {self.events[-3:]}"
        assert self.error is not None, self.reports
        return str(self.error)

    def success(self, seconds: float = 40):
        self._thread.join(seconds)
        assert not self._thread.is_alive(), f"no end after {seconds} s: {self.events[-3:]}"
        assert self.error is None, self.error
        return {report.member: report.facts for report in self.reports}


def total(*owners: str, receivers: tuple[str, ...] = ("hospital",), parties=PARTIES, **rest) -> Specification:
    """The job most tests send: the sum of numbers of ``owners``."""
    owners = owners or ("hospital", "clinic")
    uses = {f"x{index}": Use(owner, "numbers") for index, owner in enumerate(owners)}
    return Specification("sums", "total", parties, uses, {"sum": receivers}, **rest)


LONG = {"options": {"rounds": 20_000}}  # many short runs: minutes, if nothing stops them


def until(condition, what: str, seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"waited {seconds} s for {what}"
        time.sleep(0.05)


def alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
