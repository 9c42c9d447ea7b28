"""Protocol of a joint task: pure functions from a specification to a `Job`, and from revealed arrays to outputs."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, Self, runtime_checkable

from numpy.typing import NDArray

from privis.errors import ParameterError, Problem
from privis.io.tables import Table
from privis.parties.job.specification import Specification
from privis.privacy.answers.answer_limits import AnswerKind
from privis.privacy.ledger.file import FileLedger
from privis.privacy.sampling.release_key import ReleaseKey
from privis.program.shapes import Shape

if TYPE_CHECKING:
    from privis.run.mpc.job import Job

Array = NDArray[Any]


@dataclass(frozen=True)
class LocalData:
    """Local data that this party's configuration offers to jobs under ``name``: a folder or list of images, a table
    that ``io.tables`` reads, or an npz file of arrays. Exactly one of ``images``, ``table``, ``arrays`` is set.
    Releases of it are charged to ``ledger``; without one there are none.

    What only the owner can know is stated here and never in a job: ``subject``, the column that tells people apart (a
    release for a person needs one); ``disjoint``, that nobody in it is at another owner; ``labels``, the columns that
    a job may take classes from; ``payloads``, those that a job may hand to whoever matches a row.
    """

    name: str
    images: Path | None = None
    table: Path | None = None
    arrays: Path | None = None
    ledger: Path | None = None
    subject: str | None = None
    disjoint: bool = False
    labels: tuple[str, ...] = ("label",)
    payloads: tuple[str, ...] = ()

    @property
    def path(self) -> Path:
        """Path of the images, the table or the arrays."""
        return self.images or self.table or self.arrays or Path()


@dataclass(frozen=True)
class LocalNetwork:
    """A network that this party's configuration offers to jobs under ``name``: jobs name it, and never a file."""

    name: str
    path: Path

    @property
    def sha256(self) -> str:
        """Of the file, as 64 hexadecimal digits; all members of a job compare it. ParameterError without a file."""
        try:
            return hashlib.sha256(self.path.read_bytes()).hexdigest()
        except OSError as error:
            got = error.strerror or "an error"
            raise ParameterError(Problem(str(self.path), got, "a network in an ONNX file", "check the path")) from None


Networks = Mapping[str, LocalNetwork]
"""By name."""


@dataclass(frozen=True)
class Protection:
    """What the outputs guarantee, as long as at most ``colluding`` of the compute parties pool their noise.

    ``relation`` says what is hidden: which change of the data.
    """

    epsilon: float
    delta: float
    colluding: int
    relation: str = ""

    @property
    def sentence(self) -> str:
        """The guarantee as one sentence without a full stop, for receipts and job descriptions."""
        figures = f"differential privacy with epsilon {self.epsilon:g} and delta {self.delta:g}"
        hidden = f" for {self.relation}" if self.relation else ""
        return f"{figures}{hidden}, as long as at most {self.colluding} compute parties pool their noise"


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
        """Convert to JSON values: part of the greeting between members, and of the job digest."""
        return {"owner": self.owner, "shapes": [list(shape) for shape in self.shapes], "facts": dict(self.facts)}


@dataclass(frozen=True, eq=False, repr=False)
class PreparedInput:
    """One input as read by its owner: the announcement, the secret arrays by source name, and names of the items.

    ``kept`` is what `JointTask.draw` makes further arrays of, as secret as they are.
    """

    announcement: Announcement
    arrays: Mapping[str, Array]
    labels: tuple[str, ...]
    kept: Any = None


@dataclass(frozen=True, eq=False)
class AgreedJob:
    """A job that all members agreed on: the specification, every announcement (by input name) and the job.

    ``pledges`` is what each member said for a release, by its name; see `Releasing`.
    """

    specification: Specification
    announcements: Mapping[str, Announcement]
    job: Job
    pledges: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)


@dataclass(frozen=True, eq=False, repr=False)
class PrivateState:
    """Private state of one member in a job: its inputs, release key and ledgers. Never sent."""

    member: str
    prepared: Mapping[str, PreparedInput]
    key: ReleaseKey | None = None
    ledgers: Mapping[str, FileLedger] = field(default_factory=dict)

    @property
    def noise_key(self) -> ReleaseKey:
        """The key, where there is a release: sessions have checked that before."""
        assert self.key is not None
        return self.key


Outputs = Mapping[str, Table | Mapping[str, Array]]
"""By file name without suffix: a table of rows, or arrays for an npz file."""


class Releasing(Protocol):
    """The differentially private side of one specification: pledge, charge at every owner, and only then draw."""

    @property
    def protection(self) -> Protection:
        """What the outputs guarantee; policies judge by it."""
        ...

    def pledge(self, announcements: Mapping[str, Announcement], state: PrivateState) -> Mapping[str, Any]:
        """What a member tells all others, in JSON's types: a tag of its data, a fingerprint of its key."""
        ...

    def charge(self, agreed: AgreedJob, state: PrivateState) -> None:
        """Charge an owner's ledgers; BudgetError when one of them refuses. Nobody draws before all have charged."""
        ...


@dataclass(frozen=True)
class InputAnswers:
    """What one input with templates is asked in a job: ``count`` answers of ``kind`` about the template asked most.

    ``each`` is the least that one query is given, ``components`` are a template's; ``clients`` choose what is asked,
    ``receivers`` learn the answers.
    """

    kind: AnswerKind
    count: int
    each: int
    components: int
    clients: tuple[str, ...]
    receivers: tuple[str, ...]


@runtime_checkable
class Answering(Protocol):
    """A task whose outputs are answers about single templates, which their owners count."""

    def answers(self, agreed: AgreedJob) -> Mapping[str, InputAnswers]:
        """Say, of every input that holds templates, by its name, what the job tells of it."""
        ...


class JointTask(Protocol):
    """Everything the parties need to know of one kind of joint computation; all functions are deterministic but
    ``draw``.
    """

    def with_networks(self, networks: Networks) -> Self:
        """Return this task with the ``networks`` that a member's configuration offers by name."""
        ...

    def releasing(self, specification: Specification) -> Releasing | None:
        """The release that ``specification.release`` asks for, or None: then results are exact.

        Policies judge by it, so a task that does not know releases returns None, and refuses them in ``build``. Reads
        words alone: no file is opened.
        """
        ...

    def revealed(self, specification: Specification) -> str:
        """What receivers learn, and what nobody does, in sentences for receipts and views; "" where outputs say it all.

        Reads words alone, which `releasing` has checked.
        """
        ...

    def prepare(self, specification: Specification, name: str, local: LocalData) -> PreparedInput:
        """Read, on the owner's side, what input ``name`` of the job takes from ``local``."""
        ...

    def build(self, specification: Specification, announcements: Mapping[str, Announcement]) -> Job:
        """The job; every member builds the same from the same.

        Its digest covers the specification, the announcements and the feature: `Job.stating`.
        """
        ...

    def draw(self, agreed: AgreedJob, state: PrivateState) -> Mapping[str, Array]:
        """Secret arrays by source name that a member can make only now: batches, and noise once all have charged."""
        ...

    def finish(
        self, agreed: AgreedJob, member: str, labels: Mapping[str, tuple[str, ...]], revealed: Mapping[str, Array]
    ) -> Outputs:
        """What ``member`` keeps of the arrays revealed to it; ``labels`` are those of its own inputs."""
        ...
