"""Server of one party: listens on the control plane, runs one session at a time, and outlives failed ones."""

from __future__ import annotations

import json
import queue
import threading
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

from privis.errors import PartyError, PrivisError, Problem, refuse
from privis.parties.configuration import PartyConfiguration
from privis.parties.job.specification import specification_from
from privis.parties.job.task import JointTask
from privis.parties.node.events import DONE, FAILED, Event
from privis.parties.node.session import Assignment, Session
from privis.parties.node.standby_worker import StandbyWorker
from privis.parties.table_reader import Reader, shown
from privis.parties.transport.messages import ControlMessage, messages, pieces, printable, problems_to
from privis.parties.transport.peer_stream import SERVER_OPTIONS, SERVICE, SUBMIT, TALK, caller, grpc_module

THREADS = 64  # streams of two sessions with more members than anyone has
REMEMBERED = 64  # ended sessions whose late talkers are told why
STOP_SECONDS = 5.0


class PartyServer:
    """One member's control plane. ``start``, then ``stop``; everything between happens in threads.

    ``tasks`` are the computations it knows by name; ``on_event`` hears how each job goes, with all details.
    """

    def __init__(
        self, configuration: PartyConfiguration, tasks: Mapping[str, JointTask], on_event: Callable[[Event], None]
    ) -> None:
        self._configuration, self._tasks, self._on_event = configuration, tasks, on_event
        self._changed = threading.Condition()
        self._running: Session | None = None
        self._ended: dict[str, tuple[Problem, ...]] = {}
        self._stopping = False
        self._server: Any = None
        self._standby = StandbyWorker(configuration.name)

    def start(self) -> None:
        """Listen; PartyError when the address cannot be used."""
        grpc = grpc_module()
        identity, listen = self._configuration.identity, self._configuration.listen
        handlers = {
            SUBMIT: grpc.stream_stream_rpc_method_handler(self._submit),
            TALK: grpc.stream_unary_rpc_method_handler(self._talk),
        }
        server = grpc.server(ThreadPoolExecutor(THREADS, thread_name_prefix="control"), options=SERVER_OPTIONS)
        server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(SERVICE, handlers),))
        pair = [(identity.private_key, identity.certificate)]
        credentials = grpc.ssl_server_credentials(pair, identity.authority, require_client_auth=True)
        try:
            bound = server.add_secure_port(listen, credentials)
        except RuntimeError:
            bound = 0
        if not bound:
            remedy = "stop what uses the port (another privis party?), or choose another control address"
            raise PartyError(Problem(listen, "an address that cannot be bound", "a free port of this machine", remedy))
        server.start()
        self._server = server
        self._warm()

    def _warm(self) -> None:
        if self._configuration.data is not None:
            self._standby.warm()

    def stop(self, reason: str) -> None:
        """End a running job at all its members, then leave."""
        with self._changed:
            self._stopping = True
            running = self._running
            self._changed.notify_all()
        if running is not None:
            name = self._configuration.name
            running.stop(
                Problem(name, reason, "it to stay until the job ends", f"start it again: privis party ({name})")
            )
            running.over.wait(STOP_SECONDS)
        if self._server is not None:
            self._server.stop(1.0).wait(STOP_SECONDS)
        self._standby.close()

    # calls of submitters ----------------------------------------------------------------------------------------

    def _submit(self, requests: Iterator[bytes], context: Any) -> Iterator[bytes]:
        submitter, _ = caller(context)
        incoming = messages(requests)
        events: queue.SimpleQueue[Event] = queue.SimpleQueue()
        try:
            session = self._begin(submitter, next(incoming, None), events)
        except PrivisError as error:
            failed = Event(self._configuration.name, FAILED, problems=error.problems)
            self._on_event(failed)
            yield from pieces(ControlMessage(failed.kind, failed.to_dict()))
            return
        gone = Problem(f"submitter {submitter}", "a connection that ended", "it to stay", "submit the job again")
        context.add_callback(lambda: None if session.over.is_set() else session.stop(gone))
        threading.Thread(target=_listen, args=(incoming, session, submitter), daemon=True).start()
        threading.Thread(target=self._play, args=(session,), daemon=True).start()
        while True:
            event = events.get()
            if event.last:  # whoever hears of the end may submit the next job at once
                with self._changed:
                    self._changed.wait_for(lambda: self._running is not session, STOP_SECONDS)
            told = replace(event, problems=session.told) if event.kind == FAILED else event
            if event.kind == DONE:  # where results lie is nobody else's affair
                told = replace(event, facts={k: v for k, v in event.facts.items() if k != "folder"})
            yield from pieces(ControlMessage(told.kind, told.to_dict()))
            if event.last:
                return

    def _begin(self, submitter: str | None, first: ControlMessage | None, events: queue.SimpleQueue[Event]) -> Session:
        """Make the session that a submitter's first message asks for; PartyError or ParameterError says why not."""
        name = self._configuration.name
        if submitter is None or first is None or first.kind != "submit":
            raise PartyError(Problem(name, "a call without a name or a job", "privis mpc run", "use the same version"))
        where = f"job sent by {submitter}"
        reader = Reader(first.body, where)
        session_id, longest = reader.token("session"), self._configuration.wait
        wait = min(longest, reader.number("wait", longest) or longest)
        document = reader.json("specification") or {}
        refuse(PartyError, reader.problems)
        specification = specification_from(document, where)
        task = self._tasks.get(specification.task)
        if task is None:
            known = f"one of {shown(sorted(self._tasks))}"
            raise PartyError(Problem(f"task at {name}", repr(specification.task), known, "install the same version"))
        assignment = Assignment(session_id, submitter, specification, task, wait)

        def tell(event: Event) -> None:
            self._on_event(event)
            events.put(event)

        with self._changed:
            if self._running is not None or self._stopping:
                got = "a member that is being stopped" if self._stopping else "a member with a job under way"
                raise PartyError(Problem(name, got, "one that is free", "submit again when that job is over"))
            self._running = session = Session(self._configuration, assignment, self._standby, tell)
            self._changed.notify_all()
        return session

    def _play(self, session: Session) -> None:
        session.run()
        with self._changed:
            self._ended[session.assignment.session] = session.told
            while len(self._ended) > REMEMBERED:
                del self._ended[next(iter(self._ended))]
            self._running = None
            self._changed.notify_all()
        self._warm()

    # calls of other members -------------------------------------------------------------------------------------

    def _talk(self, requests: Iterator[bytes], context: Any) -> bytes:
        grpc = grpc_module()
        member, certificate = caller(context)
        wanted = str(dict(context.invocation_metadata()).get("session"))
        session = self._awaited(wanted, context)
        if session is None:
            name = self._configuration.name
            problem = Problem(
                name, "no such job", "the job from the submitter too", "see whether the submitter reached it"
            )
            details = json.dumps({"problems": problems_to(self._ended.get(wanted) or (problem,))})
            context.abort(grpc.StatusCode.FAILED_PRECONDITION, details)
            return b""
        control_plane = session.control_plane
        if member is None or member not in control_plane.others:
            context.abort(grpc.StatusCode.PERMISSION_DENIED, "no member of this job")
            return b""
        control_plane.joined(member, certificate, context.cancel)

        def signs_of_life() -> Iterator[bytes]:
            for piece in requests:
                control_plane.alive(member)
                yield piece

        try:
            for message in messages(signs_of_life()):
                control_plane.received(member, message)
        except Exception:  # a broken stream, however gRPC words it
            control_plane.lost(member)
        else:
            control_plane.lost(member)  # nothing happens when it said goodbye
        return b""

    def _awaited(self, wanted: str, context: Any) -> Session | None:
        """The session ``wanted``, which a peer may know of a moment before this member does."""

        def running() -> Session | None:
            here = self._running
            known = here is not None and here.assignment.session == wanted and not here.control_plane.closed
            return here if known else None  # one that has left the session says why when it has ended

        def settled() -> bool:
            known = running() is not None or wanted in self._ended
            return known or self._stopping or not context.is_active()

        with self._changed:
            self._changed.wait_for(settled, self._configuration.wait)
            return running()


def _listen(incoming: Iterator[ControlMessage], session: Session, submitter: str) -> None:
    """Stop the session when the submitter cancels the job."""
    try:
        for message in incoming:
            if message.kind == "cancel":
                got = printable(message.body.get("reason", "a wish to end the job"))
                session.stop(Problem(f"submitter {submitter}", got, "it to wait for the end", "submit the job again"))
    except Exception:  # the connection ended: the callback of its end has dealt with it
        return
