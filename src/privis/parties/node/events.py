"""Events of a job at one member, for its submitter and its operator."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from privis.errors import Problem
from privis.parties.transport.messages import problems_from, problems_to

STATE, PROGRESS, DONE, FAILED = "state", "progress", "done", "failed"


@dataclass(frozen=True)
class Event:
    """One event of a job at ``member``.

    ``state``: ``text`` says what it does now; ``progress``: ``done`` of ``total`` instructions; ``done``: ``facts``
    say what it received and what the protocol took; ``failed``: ``problems`` say why.
    """

    member: str
    kind: str
    text: str = ""
    done: int = 0
    total: int = 0
    facts: Mapping[str, Any] = field(default_factory=dict)
    problems: tuple[Problem, ...] = ()

    @property
    def last(self) -> bool:
        """Whether no event of this job follows."""
        return self.kind in (DONE, FAILED)

    def to_dict(self) -> dict[str, Any]:
        """Convert to JSON values, without the member, whom the certificate proves."""
        numbers = {"text": self.text, "done": self.done, "total": self.total, "facts": dict(self.facts)}
        return {**numbers, "problems": problems_to(self.problems)}


def event_from(member: str, kind: str, body: Mapping[str, Any]) -> Event:
    """The event that ``member`` sent."""
    return Event(
        member,
        kind,
        str(body.get("text", "")),
        int(body.get("done", 0)),
        int(body.get("total", 0)),
        dict(body.get("facts", {})),
        problems_from(body.get("problems", [])),
    )
