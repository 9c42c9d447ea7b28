"""Session of one member in one job: from a specification to committed results, or to one error for all members."""

from __future__ import annotations

import tempfile
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from privis.errors import BudgetError, PartyError, PrivisError, Problem, refuse
from privis.parties.answer_charges import charge_answers, told_limits
from privis.parties.configuration import PartyConfiguration
from privis.parties.identity.certificates import session_certificate
from privis.parties.identity.link_proof import LinkProof
from privis.parties.job import agreement
from privis.parties.job.disclosure import Withheld, own_of, public, told_of, withholding
from privis.parties.job.policy import Rule, job_refusals
from privis.parties.job.specification import Specification
from privis.parties.job.task import AgreedJob, Array, JointTask, PreparedInput, PrivateState, Releasing
from privis.parties.judging import judged, networks_of
from privis.parties.node.data_address import free_data_address
from privis.parties.node.events import DONE, FAILED, PROGRESS, STATE, Event
from privis.parties.node.results import StagedResults, receipt_of, stage
from privis.parties.node.roles import LINK_SECONDS, ComputeRole, LinkEnded, OwnerRole, Role
from privis.parties.node.standby_worker import StandbyWorker
from privis.parties.table_reader import shown
from privis.parties.transport.control_plane import ControlPlane, PeerFailure
from privis.privacy.ledger.file import FileLedger
from privis.privacy.sampling.release_key import ReleaseKey
from privis.run.mpc.job import Job, Share
from privis.run.mpc.runtime.link import LinkPlan, TlsFiles

GREETING, JOB, READY, CHARGED, WRITTEN = "greeting", "job", "ready", "charged", "written"
ANSWERS = "answers"
SomeRole = TypeVar("SomeRole", bound=Role)
PROGRESS_SECONDS = 0.25  # between two reports of progress
RECEIVE_SECONDS = 24 * 3600.0  # dead peers are noticed by the control plane; a long computation is no failure


@dataclass(frozen=True)
class Assignment:
    """A submitted job at a member: session id, submitter, specification, the task that runs it, seconds to wait."""

    session: str
    submitter: str
    specification: Specification
    task: JointTask
    wait: float


class Session:
    """One member's session. ``run`` returns when it is over; the other methods are called by other threads."""

    def __init__(
        self,
        configuration: PartyConfiguration,
        assignment: Assignment,
        standby: StandbyWorker,
        on_event: Callable[[Event], None],
    ) -> None:
        self.configuration, self.assignment, self._standby = configuration, assignment, standby
        self._on_event = on_event
        self.control_plane = ControlPlane(
            configuration.identity, assignment.session, assignment.specification.members, self._wake
        )
        self._task = assignment.task.with_networks(configuration.networks)
        self._role: Role | None = None
        self._staged: StagedResults | None = None
        self._own: list[Problem] = []
        self._lock = threading.Lock()
        self.over = threading.Event()
        self.told: tuple[Problem, ...] = ()  # why it failed, as far as others may know

    # called by other threads ------------------------------------------------------------------------------------

    def stop(self, problem: Problem) -> None:
        """End the job for a reason of this member's own: its submitter left, its operator stops it."""
        self._fail(PartyError(problem))

    def _fail(self, error: PrivisError) -> None:
        with self._lock:
            self._own.extend(error.problems)
        self.control_plane.fail()

    def _wake(self) -> None:
        """Abort pending data-link calls as soon as any member fails."""
        with self._lock:
            role = self._role
        if role is not None:
            role.kill()

    # the session's own thread -----------------------------------------------------------------------------------

    def run(self) -> None:
        """Run to the end and report how it ended; raises nothing."""
        try:
            with tempfile.TemporaryDirectory(prefix="privis-session-") as folder:
                facts = self._play(Path(folder))
        except BaseException as error:  # whatever it is, the other members must hear of it
            self._failed(error)
        else:
            self._event(DONE, facts=facts)
        finally:
            if self._staged is not None:
                self._staged.discard()
            if self._role is not None:
                self._role.kill()
            self.control_plane.close()
            self.over.set()

    def _failed(self, error: BaseException) -> None:
        me = self.configuration.name
        own, told = own_of(me, error), told_of(me, error)
        if isinstance(error, PeerFailure) or (isinstance(error, LinkEnded) and self.control_plane.failed):
            own = told = ()  # another member failed, or its process was ended because one did
        with self._lock:
            own, told = (*self._own, *own), (*self._own, *told)
        if self._own:  # stopped from outside: what broke after that is a consequence
            own = told = tuple(self._own)
        self.control_plane.fail()
        self.control_plane.abort((*self.control_plane.losses, *told))
        others = (*self.control_plane.losses, *self.control_plane.reports)
        self.told = tuple(dict.fromkeys((*others, *told)))
        self._event(FAILED, problems=tuple(dict.fromkeys((*others, *own))))

    def _play(self, folder: Path) -> dict[str, Any]:
        started = time.monotonic()
        specification = self.assignment.specification
        self.control_plane.dial(self._addresses(), self.assignment.wait, self._fail)
        self._event(STATE, "asking the policy")
        releasing, rules = judged(self.configuration, self.assignment.submitter, specification, self._task)
        computes = self.configuration.name in specification.parties
        state = self._private_state(releasing)
        agreed, said = self._agree(state, releasing, computes, rules, folder)
        arrays = self._arrays(agreed, state)
        role = self._opened(agreed.job, said, folder) if computes else self._taken(OwnerRole(self.control_plane))
        heard = self._exchange(READY, agreement.public_record(agreed))
        refuse(PartyError, agreement.record_problems(self.configuration.name, heard))
        arrays |= self._drawn(agreed, releasing, state)
        self._check_sources(agreed.job, arrays)
        limits = self._limited(agreed)
        revealed = self._compute(role, agreed.job, arrays)
        facts = self._keep(agreed, state.prepared, revealed, limits)
        took = role.measured  # the link needs no goodbye: every member has all it was to get
        facts |= {"protocol seconds": round(sum(m.seconds for m in took), 3), "sent bytes": sum(m.sent for m in took)}
        return {**facts, "messages": sum(m.messages for m in took), "seconds": round(time.monotonic() - started, 3)}

    def _addresses(self) -> dict[str, str]:
        others = self.control_plane.others
        unknown = [name for name in others if name not in self.configuration.peers]
        if unknown or self.configuration.name not in self.assignment.specification.members:
            where = f"members known to {self.configuration.name}"
            remedy = "add them under [peers] of its configuration, or correct the job"
            self._fail(PartyError(Problem(where, f"no {shown(unknown) or 'part in this job'}", shown(others), remedy)))
            self.control_plane.check()
            raise PartyError(*self._own)
        return {name: self.configuration.peers[name] for name in others}

    def _private_state(self, releasing: Releasing | None) -> PrivateState:
        """My own inputs, and for a release my key and ledgers."""
        me, inputs = self.configuration.name, self.assignment.specification.inputs
        prepared, path = self._prepared(), self.configuration.release_key
        if releasing is None or path is None:
            return PrivateState(me, prepared)
        with self._withholding(f"release key and ledgers of {me}", "key and ledgers"):
            local = {name: self.configuration.inputs[inputs[name].lends].ledger for name in prepared}
            ledgers = {name: FileLedger(ledger) for name, ledger in local.items() if ledger is not None}
            return PrivateState(me, prepared, ReleaseKey.load(path), ledgers)

    def _taken(self, role: SomeRole) -> SomeRole:
        """Make ``role`` this session's, so that any failure ends it."""
        with self._lock:
            self._role = role
        if self.control_plane.failed:
            role.kill()
        return role

    def _prepared(self) -> dict[str, PreparedInput]:
        """Read my own inputs; what is wrong with them goes to my log, not to the others."""
        specification, me = self.assignment.specification, self.configuration.name
        found = {}
        for name, use in specification.inputs.items():
            if use.owner == me:
                self._event(STATE, f"preparing {name}")
                with self._withholding(f"input {name} of {me}", "data for the task"):
                    local = self.configuration.inputs[use.lends]
                    found[name] = self._task.prepare(specification, name, local)
        return found

    def _withholding(self, where: str, expected: str) -> AbstractContextManager[None]:
        return withholding(self.configuration.name, where, expected)

    def _agree(
        self, state: PrivateState, releasing: Releasing | None, computes: bool, rules: tuple[Rule, ...], folder: Path
    ) -> tuple[AgreedJob, dict[str, Mapping[str, Any]]]:
        """Announce, build, compare: afterwards all members hold the same job."""
        specification, me = self.assignment.specification, self.configuration.name
        greeting: dict[str, Any] = {
            "specification": specification.digest,
            "versions": agreement.versions(),
            "networks": networks_of(self.configuration, specification),
            "inputs": {name: one.announcement.to_dict() for name, one in state.prepared.items()},
        }
        if computes:
            certificate, key = session_certificate(me)
            (folder / "key.pem").touch(0o600)
            (folder / "key.pem").write_bytes(key)
            (folder / "certificate.pem").write_bytes(certificate)
            greeting |= {"data": free_data_address(self.configuration), "link": certificate.decode()}
        self._event(STATE, "waiting for the other members")
        self.control_plane.meet(self.assignment.wait)
        said = self._exchange(GREETING, greeting)
        refuse(PartyError, agreement.greeting_problems(me, said))
        announcements = agreement.announced(specification, said)
        self._event(STATE, "building the job")
        with public():
            job = self._task.build(specification, announcements)
        self._check_built(job, rules)
        pledge: Mapping[str, Any] = {}
        if releasing is not None:
            with self._withholding(f"contribution of {me}", "what the release bounds"):
                pledge = releasing.pledge(announcements, state)
        heard = self._exchange(JOB, {**agreement.job_record(job), "pledge": pledge})
        refuse(PartyError, agreement.job_problems(me, heard))
        pledges = agreement.pledged(specification, releasing is not None, heard)
        return AgreedJob(specification, announcements, job, pledges), said

    def _check_built(self, job: Job, rules: tuple[Rule, ...]) -> None:
        specification, me = self.assignment.specification, self.configuration.name
        refused = job_refusals(rules, me, job)
        if refused:
            raise Withheld(tuple(refused), self.configuration.policy.told(self.assignment.submitter, me, refused))
        problems = []
        if (job.parties, job.preset.name) != (specification.parties, specification.preset):
            got = f"{shown(job.parties)} with {job.preset.name}"
            expected = f"{shown(specification.parties)} with {specification.preset}"
            problems.append(Problem(f"job built at {me}", got, expected, "report this: the task ignored the job file"))
        refuse(PartyError, problems)

    def _exchange(self, kind: str, body: Mapping[str, Any]) -> dict[str, Mapping[str, Any]]:
        others = self.control_plane.others
        self.control_plane.send(others, kind, body)
        heard = {name: message.body for name, message in self.control_plane.gather(others, kind).items()}
        return {self.configuration.name: body, **heard}

    def _together(self, kind: str) -> None:
        """Barrier: return when every member has sent ``kind``."""
        self._exchange(kind, {})

    def _opened(self, job: Job, said: Mapping[str, Mapping[str, Any]], folder: Path) -> ComputeRole:
        """A protocol process with its data link, who is who on that link proved, and the same code everywhere."""
        me, parties = self.configuration.name, job.parties
        routes = {name: self.configuration.routes.get(name, str(said[name].get("data"))) for name in parties}
        used = tuple(_route(at, str(said[name].get("data"))) for name, at in routes.items())
        if self.configuration.listen_data and self.configuration.listen_data != self.configuration.data:
            routes[me] = self.configuration.listen_data
        (folder / "authority.pem").write_text("".join(str(said[name].get("link")) for name in parties))
        tls = TlsFiles(folder / "authority.pem", folder / "certificate.pem", folder / "key.pem")
        session = self.assignment.session
        plan = LinkPlan(session, parties.index(me), tuple(routes.values()), tls, LINK_SECONDS, RECEIVE_SECONDS)
        certificates = {**self.control_plane.certificates, me: self.configuration.identity.certificate}
        proof = LinkProof(job.digest, session, parties, certificates, used)
        self._event(STATE, "opening the data link")
        role = self._taken(ComputeRole(self.control_plane, self._standby.take()))
        role.open(plan, job, self.configuration.identity, proof)
        self._event(STATE, "compiling")
        role.agree_on_code(job)
        return role

    def _arrays(self, agreed: AgreedJob, state: PrivateState) -> dict[str, Array]:
        """My secret sources that are ready before anything starts, each as the job declares it."""
        made = {name: array for one in state.prepared.values() for name, array in one.arrays.items()}
        return self._checked(agreed.job, made)

    def _drawn(self, agreed: AgreedJob, releasing: Releasing | None, state: PrivateState) -> dict[str, Array]:
        """My other sources; noise is drawn only after every owner has charged its ledgers."""
        if releasing is not None:
            self._event(STATE, "charging")
            me = state.member
            with self._withholding(f"ledger of {me}", "one that takes the charge"):
                try:
                    releasing.charge(agreed, state)
                except BudgetError as error:
                    remedy = f"ask for a smaller epsilon; what is left is in the log of {me}"
                    got, expected = "a budget that does not pay for this release", "one that does"
                    raise Withheld(error.problems, (Problem(f"ledger of {me}", got, expected, remedy),)) from None
            self._together(CHARGED)
        with self._withholding(f"secret sources of {state.member}", "what the job needs"):
            drawn = dict(self._task.draw(agreed, state))
        return self._checked(agreed.job, drawn)

    def _limited(self, agreed: AgreedJob) -> dict[str, str]:
        """Answers are charged at every owner of templates before anybody computes; the limits of each, by its name."""
        me = self.configuration.name
        with self._withholding(f"answer ledger of {me}", "one that takes the charge"):
            limits = charge_answers(self.configuration, agreed, self._task)
        if limits is None:
            return {}
        heard = self._exchange(ANSWERS, {"limits": limits})
        told = {name: told_limits(body.get("limits")) for name, body in heard.items()}
        return {name: text for name, text in told.items() if text}

    def _checked(self, job: Job, arrays: dict[str, Array]) -> dict[str, Array]:
        """Those of my sources that the job knows; an array that breaks its declaration would wrap silently."""
        me = self.configuration.name
        shared = {step.name for step in job.instructions if isinstance(step, Share)}
        mine = {name: a for name, a in arrays.items() if name in shared and job.sources[name].owner == me}
        with self._withholding(f"secret sources of {me}", "what the job declares"):
            for name, array in mine.items():
                job.check_array(name, array)
        return mine

    def _check_sources(self, job: Job, arrays: Mapping[str, Array]) -> None:
        me = self.configuration.name
        wanted = [step.name for step in job.instructions if isinstance(step, Share)]
        missing = [name for name in wanted if job.sources[name].owner == me and name not in arrays]
        if missing:
            remedy = "report this: the task prepared something else"
            raise PartyError(Problem(f"sources of {me}", f"no {shown(missing)}", "all of them", remedy))

    def _compute(self, role: Role, job: Job, arrays: Mapping[str, Array]) -> dict[str, Array]:
        """All instructions; returns what was revealed to this member."""
        revealed, told = {}, 0.0
        for index, step in enumerate(job.instructions):
            if time.monotonic() - told > PROGRESS_SECONDS:
                told = time.monotonic()
                self._event(PROGRESS, done=index, total=len(job.instructions))
            array = role.perform(job, step, arrays)
            if array is not None:
                revealed[step.name] = array  # type: ignore[union-attr]  only Reveal returns one
        self._event(PROGRESS, done=len(job.instructions), total=len(job.instructions))
        return revealed

    def _keep(
        self,
        agreed: AgreedJob,
        prepared: Mapping[str, PreparedInput],
        revealed: Mapping[str, Array],
        limits: Mapping[str, str],
    ) -> dict[str, Any]:
        """Write results aside; show them when every member has got so far."""
        me, session = self.configuration.name, self.assignment.session
        labels = {name: one.labels for name, one in prepared.items()}
        task, submitter = self._task, self.assignment.submitter
        where, failed = f"results of {me}", "an error while they were written"
        with withholding(me, where, "results that are written", failed):
            outputs = task.finish(agreed, me, labels, revealed) if revealed else {}
            if outputs:
                releasing = task.releasing(agreed.specification)
                protection = releasing.protection if releasing else None
                said = task.revealed(agreed.specification)
                receipt = receipt_of(agreed, me, submitter, session, protection, limits, said)
                name = f"{agreed.specification.name}-{session[:8]}"
                self._staged = stage(outputs, receipt, self.configuration.output, name)
        self._together(WRITTEN)
        if self._staged is None:
            return {"received": []}
        place, self._staged = self._staged.commit(), None
        return {"received": sorted(outputs), "folder": str(place)}

    def _event(
        self,
        kind: str,
        text: str = "",
        *,
        done: int = 0,
        total: int = 0,
        facts: Mapping[str, Any] | None = None,
        problems: tuple[Problem, ...] = (),
    ) -> None:
        self._on_event(Event(self.configuration.name, kind, text, done, total, facts or {}, problems))


def _route(used: str, announced: str) -> str:
    return used if used == announced else f"{used} (it announces {announced})"
