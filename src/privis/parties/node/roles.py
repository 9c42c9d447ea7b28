"""Roles of a member in a job: a compute party works on shares, an owner shares its data, a receiver joins results."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Protocol

from privis.errors import PartyError, Problem, refuse
from privis.parties.identity.certificates import Identity
from privis.parties.identity.link_proof import IdentityError, LinkProof
from privis.parties.job.agreement import code_problems
from privis.parties.job.disclosure import Withheld
from privis.parties.job.task import Array
from privis.parties.transport.control_plane import ControlPlane, PeerFailure
from privis.run.mpc.fixed_point import encoding
from privis.run.mpc.job import Drop, Instruction, Job, Pick, Reveal, Run, Share
from privis.run.mpc.runtime.link import LinkMeasurement, LinkPlan
from privis.run.mpc.runtime.shares import join, share
from privis.run.mpc.runtime.supervisor import StepError, Worker

CODE, UP = "code", "up"
LINK_SECONDS = 8.0  # for the data link to come up once every protocol process is


class LinkEnded(Withheld):
    """The protocol process failed: by itself, or because a peer's did."""


@contextlib.contextmanager
def _linked() -> Iterator[None]:
    try:
        yield
    except PeerFailure:
        raise
    except StepError as error:
        expected, remedy = "the step to succeed", "see the log of that party, and those of the others"
        told = tuple(Problem(one.where, "an error of its protocol process", expected, remedy) for one in error.problems)
        raise LinkEnded(error.problems, told) from None
    except PartyError as error:
        raise LinkEnded(error.problems, error.problems) from None


class Role(Protocol):
    """One member's part; every call may wait for others and raises PartyError when one of them fails."""

    measured: list[LinkMeasurement]

    def perform(self, job: Job, step: Instruction, arrays: Mapping[str, Array]) -> Array | None:
        """Do one instruction; ``arrays`` are this member's own sources. Returns what is revealed to it."""
        ...

    def kill(self) -> None:
        """Stop at once, from any thread."""
        ...


@dataclass(eq=False)
class ComputeRole:
    """A compute party: its protocol process holds the shares, this process only feeds it."""

    control_plane: ControlPlane
    worker: Worker
    measured: list[LinkMeasurement] = field(default_factory=list)

    def open(self, plan: LinkPlan, job: Job, identity: Identity, proof: LinkProof) -> None:
        """Connect to the other parties and prove who is who.

        Raises IdentityError for somebody else at the other end, PartyError, naming the addresses that are used, when
        there is no link within `LINK_SECONDS`.
        """
        peers = self._peers(job)
        self.control_plane.send(peers, UP)
        self.control_plane.gather(peers, UP)  # all processes are up: from here on, only the network can be slow
        limit, started = threading.Timer(LINK_SECONDS, self.worker.kill), time.monotonic()
        limit.start()
        try:
            self.worker.connect(plan, job.preset, job.fixed)
            proof.run(identity, self.worker.exchange)
        except IdentityError:
            raise
        except PartyError as error:
            if self.control_plane.failed and time.monotonic() - started < LINK_SECONDS / 2:
                raise LinkEnded(error.problems, error.problems) from None
            routes = ", ".join(f"{name} at {at}" for name, at in zip(job.parties, proof.routes, strict=True))
            remedy = "check these data addresses and the firewalls between them"
            where = f"data link of {identity.name}"
            raise PartyError(Problem(where, f"no link within {LINK_SECONDS:g} s", routes, remedy)) from None
        finally:
            limit.cancel()

    def agree_on_code(self, job: Job) -> None:
        """Compile every program and compare the code with all other parties."""
        me = self.control_plane.identity.name
        with _linked():
            code = {name: self.worker.load(name, program) for name, program in job.programs.items()}
        peers = self._peers(job)
        self.control_plane.send(peers, CODE, {CODE: code})
        said = {name: message.body for name, message in self.control_plane.gather(peers, CODE).items()}
        refuse(PartyError, code_problems(me, {me: {CODE: code}, **said}))

    def _peers(self, job: Job) -> list[str]:
        return [name for name in job.parties if name != self.control_plane.identity.name]

    def perform(self, job: Job, step: Instruction, arrays: Mapping[str, Array]) -> Array | None:
        """Do one instruction, in step with the other parties."""
        with _linked():
            match step:
                case Share(name):
                    self._share(job, name, arrays)
                case Run(program, inputs, outputs):
                    self.measured.append(self.worker.run(program, inputs, outputs))
                case Reveal(name, receivers):
                    return self._reveal(job, name, receivers)
                case Pick(name, rows, output, declared):
                    self.worker.pick(name, rows, output, declared)
                case Drop(names):
                    self.worker.drop(names)
        return None

    def _share(self, job: Job, name: str, arrays: Mapping[str, Array]) -> None:
        source = job.sources[name]
        if source.owner in job.parties:
            mine = arrays[name] if source.owner == self.control_plane.identity.name else None
            self.worker.share(name, job.parties.index(source.owner), encoding(source.declared), mine)
        else:
            self.worker.put(name, self.control_plane.receive(source.owner, f"share {name}").blob)

    def _reveal(self, job: Job, name: str, receivers: tuple[str, ...]) -> Array | None:
        outside = [receiver for receiver in receivers if receiver not in job.parties]
        if outside:
            self.control_plane.send(outside, f"piece {name}", blob=self.worker.take(name))
        inside = [job.parties.index(receiver) for receiver in receivers if receiver in job.parties]
        return self.worker.reveal(name, inside) if inside else None

    def kill(self) -> None:
        """End the protocol process."""
        self.worker.kill()


@dataclass(eq=False)
class OwnerRole:
    """An owner or receiver that computes nothing; it shares and joins in this process."""

    control_plane: ControlPlane
    measured: list[LinkMeasurement] = field(default_factory=list)

    def perform(self, job: Job, step: Instruction, arrays: Mapping[str, Array]) -> Array | None:
        """Share what is mine, join what is for me."""
        me = self.control_plane.identity.name
        self.control_plane.check()
        match step:
            case Share(name) if job.sources[name].owner == me:
                how = encoding(job.sources[name].declared)
                for party, part in zip(job.parties, share(arrays[name], how, job.preset, job.fixed), strict=True):
                    self.control_plane.send([party], f"share {name}", blob=part)
            case Reveal(name, receivers) if me in receivers:
                heard = self.control_plane.gather(job.parties, f"piece {name}")
                return join([heard[party].blob for party in job.parties], job.preset, job.fixed)
        return None

    def kill(self) -> None:
        """Stop nothing: what waits is woken by the control plane."""
