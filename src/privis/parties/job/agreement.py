"""Agreement of all members before anything starts: same specification, versions, job, compiled code."""

from __future__ import annotations

import hashlib
import importlib.metadata
import json
import math
import re
from collections.abc import Mapping
from typing import Any

from privis.errors import PartyError, Problem, refuse
from privis.parties.job.specification import Specification
from privis.parties.job.task import AgreedJob, Announcement
from privis.run.mpc.job import Job
from privis.version import VERSION

MOST_VALUES = 1 << 28  # of one item, and of anything else that an owner counts: memory ends there
PLEDGE = re.compile(r"[0-9a-f]{16,128}")

Bodies = Mapping[str, Mapping[str, Any]]
"""Bodies of one kind of message of every member, this one included, by name."""


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
    for name in said[me]["networks"]:
        here = {member: {f"network {name}": _of(body, "networks").get(name)} for member, body in said.items()}
        problems += differences(me, here, f"network {name}", "lend the same file everywhere")
    for name, mine in said[me]["versions"].items():
        here = {member: {name: _of(body, "versions").get(name)} for member, body in said.items()}
        problems += differences(me, here, name, f"install {name} {mine} everywhere, or another one everywhere")
    return problems


def announced(specification: Specification, said: Bodies) -> dict[str, Announcement]:
    """Every input's announcement, by its owner and nobody else; PartyError for one that is missing or malformed."""
    found = {}
    for name, use in specification.inputs.items():
        try:
            value = said[use.owner]["inputs"][name]
            shapes = tuple(map(_shape, value["shapes"]))
            found[name] = Announcement(use.owner, shapes, _facts(value["facts"]))
        except (KeyError, TypeError, ValueError, AttributeError):
            got = "no announcement that can be read"
            raise PartyError(Problem(f"input {name}", got, f"one by {use.owner}", "see its log")) from None
    return found


def pledged(specification: Specification, released: bool, said: Bodies) -> dict[str, Mapping[str, Any]]:
    """Every member's pledge: for a release a tag of each owner and a fingerprint of each party, and nothing strange.

    PartyError for anything else.
    """
    owners = {use.owner for use in specification.inputs.values()}
    found, problems = {}, []
    for member, body in said.items():
        pledge = body.get("pledge") or {}
        needed = {name for name, who in (("tag", owners), ("fingerprint", specification.parties)) if member in who}
        if _is_pledge(pledge) and (not released or needed <= set(pledge)):
            found[member] = pledge
        else:
            problems.append(Problem(f"pledge of {member}", "one that cannot be read", "a tag, a fingerprint, a count"))
    refuse(PartyError, problems)
    return found


def public_record(agreed: AgreedJob) -> dict[str, Any]:
    """Digests of all that members told each other: an owner that tells two of them two things is found out."""
    announced = {name: one.to_dict() for name, one in agreed.announcements.items()}
    return {"announcements": _sha(announced), "pledges": _sha({name: dict(p) for name, p in agreed.pledges.items()})}


def record_problems(me: str, said: Bodies) -> list[Problem]:
    """Members that were told something else than this one."""
    remedy = "somebody told two members two things: look at the logs of the owners"
    return [problem for what in said[me] for problem in differences(me, said, what, remedy)]


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
        Problem(f"compiled code of {name} at {member}", str(_of(body, "code").get(name)), f"{digest}, as at {me}")
        for member, body in said.items()
        for name, digest in mine.items()
        if _of(body, "code").get(name) != digest
    ]


def _of(body: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    value = body.get(key)
    return value if isinstance(value, dict) else {}


def _shape(sizes: Any) -> tuple[int, ...]:
    """A shape that an array of this world can have: what a peer announces is not yet believed."""
    shape = tuple(sizes)
    if not all(type(size) is int and size > 0 for size in shape) or math.prod(shape) > MOST_VALUES:
        raise ValueError
    return shape


def _facts(stated: Any) -> dict[str, Any]:
    facts = dict(stated)
    if any(type(value) is int and not 0 < value <= MOST_VALUES for value in facts.values()):
        raise ValueError
    return facts


def _is_pledge(pledge: Any) -> bool:
    return isinstance(pledge, dict) and all(
        (value is None or (type(value) is int and 0 <= value <= MOST_VALUES))
        if name == "images"
        else isinstance(value, str) and PLEDGE.fullmatch(value) is not None
        for name, value in pledge.items()
    )


def _sha(value: Any) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()
