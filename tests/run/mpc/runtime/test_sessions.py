"""Parties stay for the next job, serve one thread at a time, and belong to the process that started them.

Answers for `privis.run.mpc.runtime.sessions` and `privis.run.mpc.runtime.private_folder`.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from privis import CNN, MPC, MPCProtocol, extract, prepare
from privis.program import Input, trace
from privis.readings import evaluate
from privis.run.mpc.runtime.private_folder import PrivateFolder

pytest.importorskip("spu")
SUMS = CNN(trace(lambda x: (x * x).sum(1, 2) * (1 / 64), Input((3, 8, 8))))
IMAGE = np.arange(192, dtype=np.uint8).reshape(8, 8, 3)


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False


@pytest.fixture(scope="module")
def prepared():
    with prepare(SUMS, under=MPC(MPCProtocol.SEMI2K, insecure=True), shape=(8, 8, 3)) as made:
        yield made


def pids(prepared) -> list[int]:
    return [worker.pid for parties in prepared.under._sessions.running.values() for worker in parties.workers]


def test_parties_run_before_the_first_image_and_serve_threads_in_turn(prepared):
    before = pids(prepared)
    assert len(before) == 2 and all(map(alive, before))
    with ThreadPoolExecutor(4) as pool:
        rows = list(pool.map(lambda k: prepared(IMAGE // k).features, range(1, 9)))
    exact = [extract(SUMS, [IMAGE // k]).features for k in range(1, 9)]
    np.testing.assert_allclose(rows, exact, atol=1e-4)
    assert pids(prepared) == before
    assert prepared(IMAGE).card.under["class"] == "MPC"


def test_threads_that_share_an_executor_take_turns(prepared):
    run, before = prepared.under.prepare(SUMS.program(SUMS.shape)), pids(prepared)
    inputs = [SUMS.before(IMAGE // k) for k in range(1, 13)]
    with ThreadPoolExecutor(6) as pool:
        found = list(pool.map(run, inputs))
    np.testing.assert_allclose(found, [evaluate(SUMS.program(SUMS.shape), x) for x in inputs], atol=1e-2)
    assert pids(prepared) == before


def test_a_child_of_a_fork_starts_its_own_and_the_parents_stay(prepared):
    before = pids(prepared)
    (parties,) = prepared.under._sessions.running.values()
    expected = prepared(IMAGE).features
    child = os.fork()
    if child == 0:
        signal.alarm(60)
        right = np.allclose(prepared(IMAGE).features, expected, atol=1e-4) and not set(pids(prepared)) & set(before)
        prepared.close()
        parties._folder.remove()
        os._exit(0 if right else 1)
    assert os.waitpid(child, 0)[1] == 0
    assert all(map(alive, before)) and parties._folder.path.is_dir()
    np.testing.assert_allclose(prepared(IMAGE).features, expected, atol=1e-4)


def test_a_killed_party_costs_one_call(prepared):
    before = pids(prepared)
    os.kill(before[0], signal.SIGKILL)
    with pytest.raises(Exception, match=r"SIGKILL|party"):
        prepared(IMAGE)
    np.testing.assert_allclose(prepared(IMAGE).features, extract(SUMS, [IMAGE]).features, atol=1e-4)
    assert not set(pids(prepared)) & set(before)


def test_programs_of_a_session_are_bounded(prepared):
    (parties,) = prepared.under._sessions.running.values()
    programs = [trace(lambda x, k=k: x * float(k), Input((2,))) for k in range(2, 5)]
    first, second, third = (parties.load(program, most=2) for program in programs)
    assert list(parties._compiled) == [second, third] and first != second
    assert parties.load(programs[1], most=2) == second and list(parties._compiled) == [third, second]
    np.testing.assert_allclose(prepared(IMAGE).features, extract(SUMS, [IMAGE]).features, atol=1e-4)


LEFT = """
import sys
import numpy as np
from privis import CNN, MPC, MPCProtocol, prepare
from privis.program import Input, trace
feature = CNN(trace(lambda x: (x * x).sum(1, 2) * (1 / 64), Input((3, 8, 8))))
prepared = prepare(feature, under=MPC(MPCProtocol.SEMI2K, insecure=True), shape=(8, 8, 3))
print(*[worker.pid for parties in prepared.under._sessions.running.values() for worker in parties.workers])
print(*[parties._folder.path for parties in prepared.under._sessions.running.values()])
"""


def test_parties_and_their_folders_end_with_the_process():
    done = subprocess.run([sys.executable, "-c", LEFT], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr[-2000:]
    workers, folders = done.stdout.splitlines()
    assert not any(alive(int(pid)) for pid in workers.split())
    assert not any(Path(folder).exists() for folder in folders.split())


def test_a_private_folder_is_not_removed_by_a_child():
    folder = PrivateFolder("privis-test-")
    child = os.fork()
    if child == 0:
        folder.remove()
        os._exit(0)
    os.waitpid(child, 0)
    assert folder.path.is_dir()
    folder.remove()
    folder.remove()
    assert not folder.path.exists()
