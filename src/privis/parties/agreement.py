"""Nothing starts before all members hold the same: specification, versions, job, compiled code."""

from __future__ import annotations

import hashlib
import importlib.metadata
import json
from collections.abc import Mapping
from typing import Any

from privis.errors import PartyError, Problem
from privis.parties.specification import Specification
from privis.parties.task import Announcement
from privis.run.mpc.job import Job
from privis.version import VERSION

Bodies = Mapping[str, Mapping[str, Any]]
"""What every member said, this one included, by name."""


def versions() -> dict[str, str]:
    """The versions on which the compiled code and the meaning of messages depend."""
    return {"privis": VERSION, **{name: importlib.metadata.version(name) for name in ("spu", "jax", "numpy")}}


def differences(me: str, said: Bodies, what: str, remedy: str) -> list[Problem]:
    """A problem for every other member whose value of ``what`` is not this member's."""
    mine = said[me].get(what)
    return [
        Problem(f"{what} at {member}", str(body.get(what)), f"{mine}, as at {me}", remedy)
        for member, body in said.items()
        if body.get(what) != mine
    ]


def greeting_problems(me: str, said: Bodies) -> list[Problem]:
    """Members with another specification or other versions."""
    remedy = "send the same job file to all"
    problems = differences(me, said, "specification", remedy)
    for name, mine in said[me]["versions"].items():
        here = {member: {name: body.get("versions", {}).get(name)} for member, body in said.items()}
        problems += differences(me, here, name, f"install {name} {mine} everywhere, or another one everywhere")
    return problems


def announced(specification: Specification, said: Bodies) -> dict[str, Announcement]:
    """Every input's announcement, by its owner and nobody else; PartyError for one that is missing or malformed."""
    found = {}
    for name, use in specification.inputs.items():
        try:
            value = said[use.owner]["inputs"][name]
            shapes = tuple(tuple(int(n) for n in shape) for shape in value["shapes"])
            found[name] = Announcement(use.owner, shapes, dict(value["facts"]))
        except (KeyError, TypeError, ValueError):
            got = "no announcement that can be read"
            raise PartyError(Problem(f"input {name}", got, f"one by {use.owner}", "see its log")) from None
    return found


def job_record(job: Job) -> dict[str, Any]:
    """The job's digest, and one per part, so that a difference can be named."""
    parts = {key: _sha(value) for key, value in job.public_record().items()}
    return {"job": job.digest, "parts": parts}


def job_problems(me: str, said: Bodies) -> list[Problem]:
    """Members that built another job, and which parts of it differ."""
    mine = said[me]
    problems = []
    for member, body in said.items():
        if body.get("job") != mine["job"]:
            theirs = body.get("parts", {})
            parts = [key for key, value in mine["parts"].items() if theirs.get(key) != value]
            got = f"{body.get('job')} (differs in {', '.join(parts) or 'nothing that is named'})"
            remedy = "use the same files (networks, codebooks), options and versions everywhere"
            problems.append(Problem(f"job at {member}", got, f"{mine['job']}, as at {me}", remedy))
    return problems


def code_problems(me: str, said: Bodies) -> list[Problem]:
    """Members whose compiler made other code from the same programs."""
    mine = said[me]["code"]
    return [
        Problem(f"compiled code of {name} at {member}", str(body["code"].get(name)), f"{digest}, as at {me}")
        for member, body in said.items()
        for name, digest in mine.items()
        if body["code"].get(name) != digest
    ]


def _sha(value: Any) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()
