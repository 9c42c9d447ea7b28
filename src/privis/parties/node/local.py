"""Run all members of a job as processes on this machine, with keys that last as long as the job: for trials."""

from __future__ import annotations

import itertools
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType, TracebackType
from typing import Any, Self

from privis.errors import OutputError, ParameterError, Problem, refuse
from privis.file_formats import FileFormat, format_of
from privis.parties.configuration import ANSWERS, SubmitterConfiguration, load_submitter
from privis.parties.identity.certificates import make_group
from privis.parties.job.specification import Specification
from privis.parties.job.task import LocalData, Protection
from privis.parties.table_reader import shown
from privis.privacy.ledger.budget import Budget, Per
from privis.privacy.ledger.file import FileLedger
from privis.privacy.sampling.release_key import ReleaseKey
from privis.run.mpc.runtime.local_parties import free_ports

SUBMITTER = "local-submitter"
HOST = "127.0.0.1"
START_SECONDS, STOP_SECONDS = 30.0, 10.0
NONE: Mapping[str, Path] = MappingProxyType({})
LENT = (
    FileFormat.FOLDER,
    FileFormat.PICTURE,
    FileFormat.DICOM,
    FileFormat.LIST,
    FileFormat.TABLE,
    FileFormat.ARRAYS,
    FileFormat.UNKNOWN,
)
"""What may be data; of something unknown its reader says more."""
KINDS = {".parquet": "table", ".csv": "table", ".npz": "arrays"}


def local_data_words(specification: Specification, words: Sequence[str]) -> dict[tuple[str, str], Path]:
    """OWNER.NAME=PATH words for every input of a job; ParameterError lists those that are missing or wrong."""
    needed = {(use.owner, use.lends) for use in specification.inputs.values()}
    found, problems = {}, []
    for word in words:
        key, _, path = word.partition("=")
        owner, _, name = key.partition(".")
        if (owner, name) not in needed:
            expected = f"one of {shown(f'{o}.{n}=PATH' for o, n in sorted(needed))}"
            problems.append(Problem("--lend", repr(word), expected))
        elif (owner, name) in found:
            problems.append(Problem("--lend", f"{owner}.{name} again", "every input once"))
        elif not Path(path).exists():
            problems.append(Problem("--lend", f"{path}: no such file or folder", "one that exists", "check the path"))
        elif (kind := format_of(path)) not in LENT:
            problems.append(Problem("--lend", f"{path}: {kind}", "pictures, a list of them, a table or arrays"))
        else:
            found[owner, name] = Path(path).resolve()
    mentioned = {tuple(word.partition("=")[0].split(".", 1)) for word in words}
    for owner, name in sorted(needed - mentioned):
        problems.append(Problem("--lend", f"nothing for {owner}.{name}", f"--lend {owner}.{name}=PATH"))
    for (one, path), (other, same) in itertools.combinations(found.items(), 2):
        if one[0] == other[0] and path == same:
            got = f"{path} as {one[1]} and {other[1]} of {one[0]}"
            problems.append(Problem("--lend", got, "what an owner lends once", "name it in one input"))
    refuse(ParameterError, problems)
    return found


def network_words(specification: Specification, words: Sequence[str]) -> dict[str, Path]:
    """NAME=PATH words for every network that a job names; ParameterError lists those that are missing or wrong."""
    found, problems = {}, []
    for word in words:
        name, _, path = word.partition("=")
        if name not in specification.networks:
            expected = f"one of {shown(f'{known}=PATH' for known in specification.networks)}"
            problems.append(Problem("--network", repr(word), expected))
        elif name in found:
            problems.append(Problem("--network", f"{name} again", "every network once"))
        elif not Path(path).is_file():
            problems.append(Problem("--network", f"{path}: no such file", "an ONNX file or a head", "check the path"))
        else:
            found[name] = Path(path).resolve()
    missing = [name for name in specification.networks if name not in {word.partition("=")[0] for word in words}]
    problems += [Problem("--network", f"nothing for {name}", f"--network {name}=PATH") for name in missing]
    refuse(ParameterError, problems)
    return found


def local_data_at(specification: Specification, name: str, path: Path) -> LocalData:
    """What ``path`` is by its suffix: a table, arrays, or else images; in a trial the job speaks for the owners."""
    kind, stated = _kind(path), _stated(specification)
    subject, labels = stated.get("subject"), tuple(stated.get("labels", LocalData.labels))
    images, table, arrays = (path if kind == one else None for one in ("images", "table", "arrays"))
    payloads = tuple(stated.get("payloads", ()))
    return LocalData(name, images, table, arrays, None, subject, stated.get("disjoint", False), labels, payloads)


def _stated(specification: Specification) -> dict[str, Any]:
    """What owners would say of their inputs, as the job has it."""
    release, options = specification.release or {}, specification.options
    stated = {key: release[key] for key in ("subject", "disjoint") if release.get(key)}
    return stated | {f"{key}s": [options[key]] for key in ("label", "payload") if options.get(key) is not None}


def _kind(path: Path) -> str:
    """A CSV file that was written as a table has its record beside it; another one lists images."""
    if path.suffix.lower() == ".csv" and not path.with_name(f"{path.name}.json").exists():
        return "images"
    return KINDS.get(path.suffix.lower(), "images")


def _make_folder(path: Path) -> None:
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        expected = "a folder that can be made"
        raise OutputError(Problem(str(path), error.strerror or "an error", expected, "choose another -o")) from error


class LocalGroup:
    """The members' processes; a context manager that leaves none behind.

    A trial's release (with ``protection``) is charged to ledgers that end with the group, to nobody's own.
    """

    def __init__(
        self,
        folder: Path,
        specification: Specification,
        data: Mapping[tuple[str, str], Path],
        output: Path,
        protection: Protection | None = None,
        networks: Mapping[str, Path] = NONE,
    ) -> None:
        self._folder, self._specification, self._output = folder, specification, output
        self._networks = dict(networks)
        self._budget = None if protection is None else Budget(2 * protection.epsilon, 0.5, Per.CORPUS)
        self.processes: dict[str, subprocess.Popen[bytes]] = {}
        members = specification.members
        ports = dict(zip(members, free_ports(len(members)), strict=True))
        make_group(folder, {**dict.fromkeys(members, HOST), SUBMITTER: None}, days=1)
        self._addresses = {name: f"{HOST}:{port}" for name, port in ports.items()}
        for name in members:
            own = {use: path for (owner, use), path in data.items() if owner == name}
            _make_folder(output / name)
            (folder / name / "party.toml").write_text(self._configuration(name, own))
        listed = "".join(f"{name} = {json.dumps(at)}\n" for name, at in self._addresses.items())
        submitter = folder / SUBMITTER / "submitter.toml"
        submitter.write_text(f"name = {json.dumps(SUBMITTER)}\n[members]\n{listed}")
        self.submitter: SubmitterConfiguration = load_submitter(submitter)
        self._before = {name: set((output / name).iterdir()) for name in members}

    def _configuration(self, name: str, own: Mapping[str, Path]) -> str:
        """A party.toml that allows this very job."""
        job, quoted = self._specification, json.dumps
        rule: dict[str, Any] = {
            "submitters": [SUBMITTER],
            "tasks": [job.task],
            "receivers": list(job.members),
            "inputs": list(own),
            "networks": list(self._networks),
            "insecure": job.insecure,
            "scores": bool(job.options.get("score")),
        }
        lines = [f"name = {quoted(name)}", f"control = {quoted(self._addresses[name])}"]
        lines += [f"data = {quoted(f'{HOST}:0')}"] if name in job.parties else []
        lines += [f"output = {quoted(str((self._output / name).resolve()))}"]
        if self._budget is not None:
            ReleaseKey.generate().save(self._folder / name / "release.key")
            lines.append('release_key = "release.key"')
        lines += ["[answers]", "unlimited = true", f'ledger = "{ANSWERS}"']  # whoever tries a job out has all templates
        lines.append("[peers]")
        lines += [f"{peer} = {quoted(at)}" for peer, at in self._addresses.items() if peer != name]
        for use, path in own.items():
            lines += [f"[inputs.{use}]", f"{_kind(path)} = {quoted(str(path))}"]
            lines += [f"{key} = {quoted(value)}" for key, value in _stated(job).items()]
            if self._budget is not None:
                FileLedger.create(self._folder / name / f"{use}.ledger", self._budget)
                lines.append(f'ledger = "{use}.ledger"')
        for network, path in self._networks.items():
            lines += [f"[networks.{network}]", f"path = {quoted(str(path))}"]
        lines += ["[[policy]]", *(f"{key} = {quoted(value)}" for key, value in rule.items())]
        return "\n".join(lines) + "\n"

    def __enter__(self) -> Self:
        try:
            for name in self._specification.members:
                self._start(name)
        except BaseException:
            self._stop()
            raise
        return self

    def _start(self, name: str) -> None:
        config = str(self._folder / name / "party.toml")
        command = [sys.executable, "-m", "privis", "party", "--config", config, "--until-stdin-closes"]
        environment = {**os.environ, "OMP_WAIT_POLICY": "PASSIVE"}
        with (self._folder / f"{name}.log").open("wb") as log:
            # a group of its own, so that Ctrl-C reaches the submitter first, who ends the job in good order
            self.processes[name] = subprocess.Popen(
                command, stdin=subprocess.PIPE, stdout=log, stderr=log, env=environment, start_new_session=True
            )

    def logs(self) -> dict[str, list[str]]:
        """Lines that each member has written so far, by name."""
        found = {}
        for name in self.processes:
            text = (self._folder / f"{name}.log").read_text(encoding="utf-8", errors="replace")
            found[name] = [line for line in text.splitlines() if line.strip()]
        return found

    def received(self) -> dict[str, list[Path]]:
        """Files of results that this job gave each member, by name."""
        found = {}
        for name, before in self._before.items():
            new = sorted(set((self._output / name).iterdir()) - before)
            found[name] = [path for folder in new for path in sorted(folder.iterdir())]
        return found

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop()

    def _stop(self) -> None:
        for process in self.processes.values():
            process.send_signal(signal.SIGTERM)
            if process.stdin is not None:
                process.stdin.close()
        deadline = time.monotonic() + STOP_SECONDS
        for process in self.processes.values():
            try:
                process.wait(max(0.1, deadline - time.monotonic()))
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
