"""What a task brings: pure functions from a specification to a `Job`, and from revealed arrays to outputs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from numpy.typing import NDArray

from privis.io.tables import Table
from privis.parties.specification import Specification
from privis.program.shapes import Shape

if TYPE_CHECKING:
    from privis.run.mpc.job import Job

Array = NDArray[Any]


@dataclass(frozen=True)
class Lent:
    """Data that this party's configuration lends to jobs under ``name``: a folder or list of pictures, a table that
    ``io.tables`` reads, or an npz file of arrays. Exactly one of ``images``, ``table``, ``arrays`` is set.
    """

    name: str
    images: Path | None = None
    table: Path | None = None
    arrays: Path | None = None


@dataclass(frozen=True)
class Announcement:
    """What the owner of one input tells every member, and what is therefore public.

    ``shapes`` holds the shape of the core input of every item (its length is the count); ``facts`` whatever else the
    task makes public, in JSON's types.
    """

    owner: str
    shapes: tuple[Shape, ...]
    facts: Mapping[str, Any] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        """As JSON says it."""
        return {"owner": self.owner, "shapes": [list(shape) for shape in self.shapes], "facts": dict(self.facts)}


@dataclass(frozen=True, eq=False, repr=False)
class Prepared:
    """One input, ready: what is announced, the secret arrays by source name, and the owner's names of the items."""

    announcement: Announcement
    arrays: Mapping[str, Array]
    labels: tuple[str, ...]


@dataclass(frozen=True, eq=False)
class Agreed:
    """What all members know once they agreed: the specification, every announcement (by input name) and the job."""

    specification: Specification
    announcements: Mapping[str, Announcement]
    job: Job


Outputs = Mapping[str, Table | Mapping[str, Array]]
"""By file name without suffix: a table of rows, or arrays for an npz file."""


class Task(Protocol):
    """Everything the parties need to know of one kind of joint computation; all functions are deterministic but
    ``draw``.
    """

    def epsilon(self, specification: Specification) -> float | None:
        """What the outputs guarantee under ``specification.release``: an epsilon, or None when they are exact.

        Policies judge by it, so a task that does not know ``release`` must return None.
        """
        ...

    def prepare(self, specification: Specification, name: str, lent: Lent) -> Prepared:
        """Read, on the owner's side, what input ``name`` of the job takes from ``lent``."""
        ...

    def build(self, specification: Specification, announcements: Mapping[str, Announcement]) -> Job:
        """The job; every member builds the same from the same."""
        ...

    def draw(self, agreed: Agreed, member: str) -> Mapping[str, Array]:
        """Secret arrays by source name that ``member`` makes itself (noise shares), after charging its ledger."""
        ...

    def finish(
        self, agreed: Agreed, member: str, labels: Mapping[str, tuple[str, ...]], revealed: Mapping[str, Array]
    ) -> Outputs:
        """What ``member`` keeps of the arrays revealed to it; ``labels`` are those of its own inputs."""
        ...
