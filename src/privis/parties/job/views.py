"""Description of what each member of a job learns, from the specification alone."""

from __future__ import annotations

from privis.parties.job.specification import Specification
from privis.parties.job.task import Protection
from privis.run.mpc.protocols import preset


def views_of(specification: Specification, protection: Protection | None = None, revealed: str = "") -> list[str]:
    """One sentence per member, after what holds for all; results without ``protection`` are exact.

    ``revealed`` is what the task says of them.
    """
    kind = preset(specification.preset, insecure=specification.insecure)
    lines = [
        f"Job {specification.name}: {specification.task} with {kind.name} ({kind.model}).",
        "All members learn: this job file, how many items each owner brings and their shapes, and who receives what.",
    ]
    if protection is not None:
        lines.append(f"What is received satisfies {protection.sentence}; owners' ledgers are charged for it.")
    if revealed:
        lines.append(revealed)
    for member in specification.members:
        lines.append(f"{member} {'; '.join(_view(specification, member))}.")
    return lines


def _view(specification: Specification, member: str) -> list[str]:
    owned = [use.lends for use in specification.inputs.values() if use.owner == member]
    said = []
    if owned:
        said.append(f"lends {', '.join(owned)}, which nobody else sees")
    if member in specification.parties:
        said.append(f"computes as rank {specification.parties.index(member)} on shares that say nothing by themselves")
    others = [use.owner for use in specification.inputs.values() if use.owner != member]
    for output in specification.receivers:
        about = [owner for owner in dict.fromkeys((*others, member)) if _receives(specification, output, owner, member)]
        owners = [owner for owner in about if any(use.owner == owner for use in specification.inputs.values())]
        said += [f"receives {output} of {', '.join(owners)}"] if owners else []
    if not any(part.startswith("receives") for part in said):
        said.append("receives nothing")
    return said


def _receives(specification: Specification, output: str, owner: str, member: str) -> bool:
    return member in specification.receiving(output, owner)
