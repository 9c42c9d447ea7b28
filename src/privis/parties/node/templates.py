"""Configurations to start from, written beside the keys."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path

from privis.parties.table_reader import host_and_port

PARTY = """\
name = {name}
control = {control}
{data}output = "results"  # a folder that exists; what this member receives goes there

# release_key = "release.key"  # for releases with noise: privis keygen release.key; nobody else may ever see it

[peers]
{peers}
# What this member lends to jobs, by the name that jobs use:
# [inputs.photos]
# images = "/data/photos"
# ledger = "photos.ledger"  # pays for releases with noise: privis ledger init photos.ledger --per corpus …
# subject = "patient"  # the column that tells people apart, for releases that protect a person
# disjoint = true  # nobody in it is at another owner
# [networks.faces]
# path = "faces.onnx"  # what jobs call network=faces

# How many answers about its templates others may get (docs/answers.md); each client, within an hour and in total:
# [answers]
# decisions = 32
# decisions_per_hour = 8
# scores = 4

# What it agrees to. Without a rule nothing runs.
# [[policy]]
# submitters = {submitters}
# tasks = ["extract"]
# features = ["hog"]
# inputs = ["photos"]
# receivers = [{name}]
"""


def write_templates(
    folder: Path, parties: Mapping[str, str], outsiders: Mapping[str, str], submitters: Iterable[str]
) -> None:
    """Write party.toml and submitter.toml into the folders of ``folder``, where there are none yet."""
    members = {**parties, **outsiders}
    for name, control in members.items():
        host, port = host_and_port(control)
        beside = f"{host}:{port + 1 if port else 0}"
        data = f"data = {_text(beside)}  # the protocol itself\n" if name in parties else ""
        peers = "".join(f"{peer} = {_text(at)}\n" for peer, at in members.items() if peer != name)
        values = {"name": _text(name), "control": _text(control), "data": data, "peers": peers}
        text = PARTY.format(**values, submitters=json.dumps(list(submitters)))
        _write(folder / name / "party.toml", text)
        (folder / name / "results").mkdir(exist_ok=True)
    listed = "".join(f"{name} = {_text(at)}\n" for name, at in members.items())
    for name in submitters:
        _write(folder / name / "submitter.toml", f"name = {_text(name)}\n\n[members]\n{listed}")


def _text(value: str) -> str:
    return json.dumps(value)


def _write(path: Path, text: str) -> None:
    if not path.exists():
        path.write_text(text)
