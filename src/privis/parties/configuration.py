"""Configuration of a member, ``party.toml``, and of a submitter, ``submitter.toml``.

Format: TOML, written by people. An unknown key is an error, so that a misspelt policy allows nothing. Keys are added
with a default that keeps old files valid; none is renamed or given another meaning without an error that names the new
one.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from privis.errors import ParameterError, refuse
from privis.file_formats import FileFormat
from privis.parties.identity.certificates import AUTHORITY, CERTIFICATE, KEY, Identity, load_identity
from privis.parties.job.overlap import overlapping
from privis.parties.job.policy import Policy, Rule
from privis.parties.job.specification import read_toml
from privis.parties.job.task import LocalData, LocalNetwork, Networks
from privis.parties.table_reader import Reader
from privis.privacy.answers.answer_limits import Allowance, AnswerSettings

ANSWERS = "answers.ledger"
"""Name of the answer ledger in the folder of results, where nothing else is said; made where there is none."""

WAIT = 60.0  # seconds until every member of a job must be reachable


@dataclass(frozen=True)
class PartyConfiguration:
    """One member: who it is, where it listens, whom it knows, its local data, where results go, what it agrees to.

    ``control`` is the address others reach its control plane at, ``data`` that of its data link (None: it computes
    nothing and only owns or receives); ``listen`` and ``listen_data`` are what it binds where that differs.
    ``routes`` replaces, per peer, the data address which that peer announces. Noise and tags of releases are made with
    the key in ``release_key``; without one it takes part in none. Answers about templates are counted as ``answers``
    says.
    """

    identity: Identity
    control: str
    data: str | None
    listen: str
    listen_data: str | None
    peers: Mapping[str, str]
    routes: Mapping[str, str]
    inputs: Mapping[str, LocalData]
    output: Path
    policy: Policy
    wait: float = WAIT
    release_key: Path | None = None
    networks: Networks = field(default_factory=dict)
    answers: AnswerSettings = AnswerSettings()

    @property
    def name(self) -> str:
        """The member's name, as its certificate says it."""
        return self.identity.name


@dataclass(frozen=True)
class SubmitterConfiguration:
    """Who sends jobs, and where the members are."""

    identity: Identity
    members: Mapping[str, str]


def load_party(path: Path) -> PartyConfiguration:
    """Read ``party.toml``; paths in it are relative to its folder. ParameterError lists everything that is wrong."""
    reader = Reader(read_toml(path, FileFormat.PARTY), str(path))
    base = path.parent
    name, control = reader.name("name"), reader.address("control")
    data = reader.address("data", "") or None
    listen, listen_data = reader.address("listen", control), reader.address("listen_data", data or "") or None
    peers, routes = _addresses(reader, "peers"), _addresses(reader, "routes")
    inputs, networks = _inputs(reader, base), _networks(reader, base)
    output = base / reader.text("output", "results")
    policy = Policy(tuple(_rule(entry) for entry in reader.listed("policy")))
    wait = reader.number("wait", WAIT) or WAIT
    release_key = reader.path("release_key", base) if reader.has("release_key") else None
    answers = _answers(reader.table("answers"), base, output)
    identity = _identity(reader, base, name)
    reader.done()
    if release_key is not None and not release_key.is_file():
        reader.wrong("release_key", f"{release_key}: no such file", "one", f"privis keygen {release_key}")
    if name in peers:
        reader.wrong("peers", f"{name} itself", "the other members")
    if not output.is_dir():
        reader.wrong("output", f"{output}: no such folder", "one that exists", f"mkdir -p {output}")
    refuse(ParameterError, reader.problems)
    assert identity is not None
    places = (control, data, listen, listen_data, peers, routes)
    return PartyConfiguration(identity, *places, inputs, output, policy, wait, release_key, networks, answers)


def load_submitter(path: Path) -> SubmitterConfiguration:
    """Read ``submitter.toml``; ParameterError lists everything that is wrong."""
    reader = Reader(read_toml(path, FileFormat.SUBMITTER), str(path))
    name, members = reader.name("name"), _addresses(reader, "members")
    identity = _identity(reader, path.parent, name)
    reader.done()
    refuse(ParameterError, reader.problems)
    assert identity is not None
    return SubmitterConfiguration(identity, members)


def _identity(reader: Reader, base: Path, name: str) -> Identity | None:
    paths = [
        base / reader.text(key, default)
        for key, default in (("certificate", CERTIFICATE), ("key", KEY), ("authority", AUTHORITY))
    ]
    try:
        identity = load_identity(*paths)
    except ParameterError as error:
        reader.problems.extend(error.problems)
        return None
    if name and identity.name != name:
        reader.wrong("name", repr(name), f"{identity.name!r}, whom {paths[0]} names", "use this member's own files")
    return identity


def _addresses(reader: Reader, key: str) -> dict[str, str]:
    table = reader.table(key)
    found = {name: table.address(name) for name in table.keys}
    table.done()
    return found


def _inputs(reader: Reader, base: Path) -> dict[str, LocalData]:
    found = {}
    for name, entry in reader.tables("inputs").items():
        kinds = ("images", "table", "arrays")
        paths = {kind: entry.path(kind, base) for kind in kinds if entry.has(kind)}
        if len(paths) != 1:
            got = " and ".join(paths) or "nothing"
            entry.wrong("kind", got, "one of images, table, arrays", 'for example images = "photos"')
        ledger = {"ledger": entry.path("ledger", base)} if entry.has("ledger") else {}
        for kind, path in (paths | ledger).items():
            if not path.exists():
                entry.wrong(kind, f"{path}: no such file or folder", "one that exists", "check the path")
        labels = entry.words("labels") if entry.has("labels") else LocalData.labels
        payloads = entry.words("payloads")
        subject, disjoint = entry.text("subject", "") or None, entry.flag("disjoint", False)
        entry.done()
        images, table, arrays = map(paths.get, kinds)
        found[name] = LocalData(name, images, table, arrays, ledger.get("ledger"), subject, disjoint, labels, payloads)
    for one, other in overlapping(found.values()):
        if one.ledger and other.ledger and os.path.realpath(one.ledger) != os.path.realpath(other.ledger):
            got, remedy = f"another ledger than {one.name}, which lends the same data", "name one ledger in both"
            reader.wrong(f"inputs: {other.name}", got, "one budget for them", remedy)
    return found


def _answers(table: Reader, base: Path, output: Path) -> AnswerSettings:
    """Limits of answers; a kind that is not named has those that stand for the templates."""
    ledger = base / table.text("ledger") if table.has("ledger") else output / ANSWERS
    unlimited, allowed = table.flag("unlimited", False), []
    for kind in ("decisions", "scores"):
        total, per_hour = table.whole(kind, None), table.whole(f"{kind}_per_hour", None)
        chosen = total is not None or per_hour is not None
        if chosen and unlimited:
            table.wrong("unlimited", f"true, and {kind}", "one of both")
        allowed.append(Allowance(per_hour, total) if chosen or unlimited else None)
    table.done()
    if table.has("ledger") and not ledger.parent.is_dir():
        table.wrong("ledger", f"{ledger.parent}: no such folder", "one that exists", f"mkdir -p {ledger.parent}")
    decisions, scores = allowed
    return AnswerSettings(decisions, scores, ledger)


def _networks(reader: Reader, base: Path) -> dict[str, LocalNetwork]:
    found = {}
    for name, entry in reader.tables("networks").items():
        path = entry.path("path", base)
        if not path.is_file():
            entry.wrong("path", f"{path}: no such file", "an ONNX file or a head", "check the path")
        entry.done()
        found[name] = LocalNetwork(name, path)
    return found


def _rule(entry: Reader) -> Rule:
    parameters = _allowed(entry, "parameters") if entry.has("parameters") else None
    rule = Rule(
        submitters=entry.names("submitters"),
        tasks=entry.names("tasks"),
        receivers=entry.names("receivers"),
        inputs=entry.names("inputs", ()),
        networks=entry.names("networks", ()),
        features=entry.names("features") if entry.has("features") else None,
        parties=entry.names("parties") if entry.has("parties") else None,
        options=_allowed(entry, "options"),
        release=_allowed(entry, "release"),
        parameters=None if parameters is None else {key: tuple(map(str, words)) for key, words in parameters.items()},
        epsilon=entry.number("epsilon", None),
        delta=entry.number("delta", None) or Rule.delta,
        colluding=entry.whole("colluding", None),
        insecure=entry.flag("insecure", False),
        scores=entry.flag("scores", False),
        jobs=entry.digests("jobs"),
    )
    entry.done()
    return rule


def _allowed(entry: Reader, key: str) -> dict[str, tuple[Any, ...]]:
    """The values allowed, by what they are of; one alone counts as a list of one."""
    tables = entry.json(key) or {}
    return {name: tuple(value) if isinstance(value, list) else (value,) for name, value in tables.items()}
