"""A server that is killed, or asked to stop, in the middle of a job.

Answers for `privis.serve.workers.fork_server`.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading

import pytest

from privis.errors import ServiceError
from privis.serve.client.client import Client
from tests.serve.place import ServerFolder, until
from tests.serve.test_server import post, total
from tests.serve.toy import message

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(__file__)))


class Process:
    """A server in its own process; ``port`` 0 takes a free one."""

    def __init__(self, place: ServerFolder, port: int = 0) -> None:
        self.place, self.log = place, place.folder / "log"
        with open(self.log, "ab") as log:
            command = [sys.executable, "-m", "tests.serve.toy_server", str(place.folder), str(port)]
            self.process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=log, text=True)
        assert self.process.stdout is not None
        self.url = self.process.stdout.readline().strip()
        assert self.url, self.log.read_text()
        self.process.stdout.close()
        self.port = int(self.url.rpartition(":")[2])

    def client(self, patience: float = 20.0) -> Client:
        return Client(self.url, self.place.token("alice"), patience=patience)

    def descendants(self) -> list[int]:
        return descendants(self.process.pid)

    def fork_server(self) -> int:
        for pid in self.descendants():
            with open(f"/proc/{pid}/cmdline") as file:
                if "spawn_main" in file.read():
                    return pid
        raise AssertionError("no fork server")

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()


def descendants(pid: int) -> list[int]:
    with open(f"/proc/{pid}/task/{pid}/children") as file:
        found = [int(word) for word in file.read().split()]
    return [each for child in found for each in (child, *descendants(child))]


def alive(pid: int) -> bool:
    try:
        with open(f"/proc/{pid}/stat") as file:
            return file.read().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


@pytest.fixture
def server(place):
    made = Process(place)
    yield made
    made.kill()


def in_a_thread(function):
    """Run it; the list gets its result, or what it raised."""
    found = []

    def run():
        try:
            found.append(function())
        except Exception as error:
            found.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    return thread, found


def until_it_runs(steps):
    until(lambda: any(step.phase == "running" and step.done > 0 for step in steps))


def test_a_server_killed_in_the_middle_is_a_clear_error_and_leaves_no_process(server):
    path, keys = server.place.keys()
    steps = []
    with server.client(patience=1.0) as client:
        digest = client.send_keys("sum", path)
        content = message(keys, [1], "sleep", 60)
        thread, found = in_a_thread(lambda: client.compute("sum", digest, content, steps.append))
        until_it_runs(steps)
        started = server.descendants()
        assert descendants(server.fork_server()) != []
        server.kill()
        thread.join()
    assert isinstance(found[0], ServiceError)
    assert "no answer" in str(found[0]) and "nothing is done twice" in str(found[0])
    until(lambda: not any(map(alive, started)))


def test_a_client_that_waits_gets_its_result_from_the_server_that_comes_back(server):
    path, keys = server.place.keys()
    steps = []
    with server.client(patience=30.0) as client:
        digest = client.send_keys("sum", path)
        content = message(keys, [40, 2], "sleep", 2.0)
        thread, found = in_a_thread(lambda: client.compute("sum", digest, content, steps.append))
        until_it_runs(steps)
        server.kill()
        state = server.place.folder / "state"
        left = state / "unfinished" / "half"
        left.write_bytes(b"of an upload")
        assert [*state.glob("jobs/*/message")], "what the killed server was working on"
        again = Process(server.place, server.port)
        try:
            assert not left.exists()
            thread.join()
            assert total(found[0]) == 42
            assert any(step.phase.startswith("sent again") for step in steps)
            assert not any(step.phase == "sending keys" for step in steps), "keys survive a restart"
            assert not [*state.glob("jobs/*")] and not [*state.glob("unfinished/*")]
        finally:
            again.kill()


def test_a_server_that_is_asked_to_stop_finishes_what_runs(server):
    path, keys = server.place.keys()
    steps = []
    with server.client(patience=0.5) as client, server.client(patience=20.0) as other:
        digest = client.send_keys("sum", path)
        content = message(keys, [40, 2], "sleep", 2.0)
        thread, found = in_a_thread(lambda: other.compute("sum", digest, content, steps.append))
        until_it_runs(steps)
        server.process.send_signal(signal.SIGTERM)
        until(lambda: b"stopping" in client._http.get("/healthz").content)
        with pytest.raises(ServiceError, match="it is stopping"):
            client.compute("sum", digest, message(keys, [1]))
        thread.join()
        assert total(found[0]) == 42
    assert server.process.wait(30) == 0
    text = server.log.read_text()
    assert "done" in text and "Traceback" not in text
    for name in ("alice", "bob"):
        assert server.place.token(name).header.removeprefix("Bearer ") not in text


def test_a_second_signal_does_not_wait(server):
    path, keys = server.place.keys()
    with server.client(patience=1.0) as client:
        digest = client.send_keys("sum", path)
        post(client._http, digest, message(keys, [1], "spin", 60.0))
        started = server.descendants()
        server.process.send_signal(signal.SIGINT)
        until(lambda: b"stopping" in client._http.get("/healthz").content)
        server.process.send_signal(signal.SIGINT)
        server.process.wait(30)  # of the 60 seconds that the job would take
    until(lambda: not any(map(alive, started)))


def test_without_its_fork_server_a_server_ends_with_the_reason(server):
    path, keys = server.place.keys()
    with server.client(patience=1.0) as client:
        digest = client.send_keys("sum", path)
        post(client._http, digest, message(keys, [1], "spin", 60.0))
        until(lambda: descendants(server.fork_server()) != [])
        started = server.descendants()
        os.kill(server.fork_server(), signal.SIGKILL)
    assert server.process.wait(30) == 1
    assert "its fork server ended" in server.log.read_text()
    until(lambda: not any(map(alive, started)))
