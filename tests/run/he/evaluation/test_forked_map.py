"""Forked work: in any number of processes the same, failures said, nobody left behind."""

import os
import signal

import pytest

from privis.errors import Problem, ProtocolError
from privis.run.he.evaluation.forked_map import WorkerError, cores, forked
from privis.run.he.wire.framing import join, overhead, split


def children():
    with open(f"/proc/self/task/{os.getpid()}/children") as file:
        return file.read().split()


@pytest.mark.parametrize("processes", [1, 2, 3, 9])
@pytest.mark.parametrize("count", [0, 1, 2, 5])
def test_every_part_is_done_once(processes, count):
    before = children()
    found = dict(forked(lambda part: bytes([part]) * 3_000_000, range(count), processes))
    assert found == {index: bytes([index]) * 3_000_000 for index in range(count)}
    assert children() == before and cores() >= 1


def test_an_exception_in_a_process_is_told():
    def work(part):
        return (1 // part).to_bytes(1, "big")

    before = children()
    with pytest.raises(WorkerError, match="ZeroDivisionError"):
        list(forked(work, [1, 1, 0, 1], 2))
    assert children() == before


def test_a_killed_process_is_noticed():
    def work(part):
        if part:
            os.kill(os.getpid(), signal.SIGKILL)
        return b"x"

    before = children()
    with pytest.raises(WorkerError, match="ended with"):
        list(forked(work, [0, 1], 2))
    assert children() == before


def test_leaving_early_ends_the_others():
    def work(part):
        while part:
            pass
        return b"first"

    before, results = children(), forked(work, [0, 1], 2)
    assert next(results) == (0, b"first")
    results.close()
    assert children() == before


@pytest.mark.parametrize("parts", [[], [b""], [b"a", b"", b"c" * 999]])
def test_frames(parts):
    data = join(parts)
    assert split(data, "message") == parts == split(data, "message", len(parts))
    assert len(data) == overhead(len(parts)) + sum(map(len, parts))
    for wrong in (data[:-1], data + b"x", b"y" + data, b"", data[:16] + b"\xff\xff\xff\xff" + data[20:]):
        with pytest.raises(ProtocolError, match="message"):
            split(wrong, "message")
    with pytest.raises(ProtocolError, match="of 7 parts"):
        split(data, "message", 7)


@pytest.mark.parametrize("processes", [1, 2])
def test_bad_input_is_refused_by_name_in_whichever_process(processes):
    def work(part):
        raise ProtocolError(Problem("block", "nothing", "a ciphertext", f"send {part} again"))

    with pytest.raises(ProtocolError) as refused:
        list(forked(work, ["it", "it"], processes))
    assert refused.value.problems == (Problem("block", "nothing", "a ciphertext", "send it again"),)
