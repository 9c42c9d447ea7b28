"""Processes that stay: what they pass on, failures said, nobody left behind, whoever ends first."""

import os
import signal
import threading
import time

import pytest

from privis.errors import Problem, ProtocolError
from privis.run.he.evaluation.forked_map import WorkerError, forked
from privis.run.he.evaluation.worker_group import WorkerGroup, as_file, content


def children(pid=None):
    with open(f"/proc/{pid or os.getpid()}/task/{pid or os.getpid()}/children") as file:
        return [int(number) for number in file.read().split()]


def around(channel, data, progress):
    """Everybody sends its number and the data to all others; the first returns what came."""
    everybody = range(int(data[:1]))
    for other in everybody:
        if other != channel.rank:
            with as_file(b"%d:%s" % (channel.rank, data)) as file:
                channel.send(other, channel.rank, file)
    progress(0.5)
    return [content(channel.receive(other, other)) for other in everybody if other != channel.rank]


@pytest.mark.parametrize("processes", [1, 2, 3])
def test_the_same_processes_pass_on_in_every_run(processes):
    group, shares = WorkerGroup(processes, around), []
    for text in (b"one", bytes(300_000)):
        data = b"%d%s" % (processes, text)
        assert group.run(data, shares.append) == [b"%d:%s" % (other, data) for other in range(1, processes)]
        workers = group.workers
    assert shares == [0.5, 0.5] and len(workers) == processes - 1 and set(workers) <= {*children()}
    group.close()
    assert not set(workers) & {*children()} and group.workers == ()
    assert group.run(b"%d" % processes) == [b"%d:%d" % (other, processes) for other in range(1, processes)]
    workers = group.workers
    del group
    assert not set(workers) & {*children()}


def test_more_messages_than_a_queue_holds_while_both_send():
    def work(channel, data, progress):
        other = 1 - channel.rank
        for number in range(900):
            with as_file(b"%d" % number) as file:
                channel.send(other, number, file)
        return sum(int(content(channel.receive(other, number))) for number in reversed(range(900)))

    assert WorkerGroup(2, work).run(b"") == sum(range(900))


def test_waiting_is_used():
    def work(channel, data, progress):
        if channel.rank:
            time.sleep(0.2)
            with as_file() as file:
                channel.send(0, 7, file)
            return 0
        left = [1, 2, 3]
        content(channel.receive(1, 7, lambda: bool(left and left.pop())))
        return len(left)

    assert WorkerGroup(2, work).run(b"") == 0


@pytest.mark.parametrize("who", [0, 1])
def test_an_exception_ends_all_and_is_told(who):
    def work(channel, data, progress):
        if channel.rank == who:
            raise ArithmeticError("no such number")
        return content(channel.receive(who, 1))

    group = WorkerGroup(2, work)
    with pytest.raises((WorkerError, ArithmeticError), match="no such number"):
        group.run(b"")
    assert group.workers == () and group.run.__self__ is group


@pytest.mark.parametrize("who", [0, 1])
def test_bad_input_is_refused_by_name_in_whichever_process(who):
    def work(channel, data, progress):
        if channel.rank == who:
            raise ProtocolError(Problem("query", "nothing", "a ciphertext", "send it again"))
        return content(channel.receive(who, 1))

    with pytest.raises(ProtocolError) as refused:
        WorkerGroup(2, work).run(b"")
    assert refused.value.problems == (Problem("query", "nothing", "a ciphertext", "send it again"),)


def test_why_a_process_ended_is_told_to_those_who_still_send():
    """It has not taken in what was sent to it: its socket is reset, which is said before its last words."""

    def work(channel, data, progress):
        if channel.rank:
            raise ArithmeticError("no such number")
        time.sleep(0.1)
        for number in range(2):
            with as_file() as file:
                channel.send(1, number, file)
            os.waitid(os.P_PID, group.workers[0], os.WEXITED | os.WNOWAIT)

    group = WorkerGroup(2, work)
    with pytest.raises(WorkerError, match="no such number"):
        group.run(b"")


def test_a_killed_process_is_noticed_and_replaced():
    def work(channel, data, progress):
        if channel.rank and data == b"die":
            os.kill(os.getpid(), signal.SIGKILL)
        if channel.rank:
            with as_file(data) as file:
                channel.send(0, 1, file)
            return b""
        return content(channel.receive(1, 1))

    group = WorkerGroup(3, work)
    for data in (b"live", b"die", b"live"):
        if data == b"die":
            before = group.workers
            with pytest.raises(WorkerError, match="ended before its work was done"):
                group.run(data)
            assert not {*before} & {*children()}
        else:
            assert group.run(data) == data


@pytest.mark.parametrize("start", [lambda: WorkerGroup(3, around).run(b"3"), lambda: [*forked(bytes, [1, 2], 2)]])
def test_an_interrupt_while_processes_are_forked_leaves_none_behind(start, monkeypatch):
    def interrupted():
        pid = fork()
        if pid:
            os.kill(os.getpid(), signal.SIGINT)
        return pid

    before, fork, over = children(), os.fork, threading.Event()
    monkeypatch.setattr(os, "fork", interrupted)
    other = threading.Thread(target=over.wait)  # which takes the signal while the main thread does not
    other.start()
    try:
        with pytest.raises(KeyboardInterrupt):
            start()
    finally:
        over.set()
        other.join()
    assert children() == before


def test_workers_of_a_killed_process_end():
    reader, writer = os.pipe()
    pid = os.fork()
    if pid == 0:
        group = WorkerGroup(2, around)
        group.run(b"2")
        os.write(writer, b"%d" % group.workers[0])
        signal.pause()
    worker = int(os.read(reader, 99))
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
    end = time.monotonic() + 30
    while os.path.exists(f"/proc/{worker}") and "Z" not in state(worker):
        assert time.monotonic() < end
        time.sleep(0.02)
    os.close(reader)
    os.close(writer)


def state(pid):
    try:
        with open(f"/proc/{pid}/stat") as file:
            return file.read().rpartition(")")[2].split()[0]
    except OSError:
        return "Z"


def test_a_forked_process_has_workers_of_its_own():
    group = WorkerGroup(2, around)
    group.run(b"2")
    pid = os.fork()
    if pid == 0:
        try:
            before = group.workers
            good = group.run(b"2x") == [b"1:2x"] and group.workers != before
            group.close()
        finally:
            os._exit(0 if good else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
    assert group.run(b"2y") == [b"1:2y"]
