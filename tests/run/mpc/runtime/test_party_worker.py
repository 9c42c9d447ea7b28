"""Parties as processes: they compute, they end, and they never take the caller down.

Answers for `privis.run.mpc.runtime.pipe` and `privis.run.mpc.runtime.party_worker`.
"""

import contextlib
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("spu")

from privis.errors import DomainError, ParameterError, PartyError, ProgramError
from privis.joint.runners import InTheClear
from privis.program import Input, trace
from privis.run.mpc.executor import MPC
from privis.run.mpc.fixed_point import Encoding, FixedPoint
from privis.run.mpc.job import Drop, Job, Pick, Reveal, Run, Share, Source
from privis.run.mpc.protocols import ABY3, MPCProtocol, preset
from privis.run.mpc.runtime.local_parties import LocalParties
from privis.run.mpc.runtime.shares import from_bytes, join, share

SQUARES = trace(lambda x: (x * x).sum(0), Input((8,)))
SLOW = trace(lambda x: x.sqrt((0.0, 255.0)), Input((200_000,)))


def alive(pid):
    with contextlib.suppress(ProcessLookupError, FileNotFoundError):
        return "zombie" not in Path(f"/proc/{pid}/status").read_text()
    return False


def gone(pids, seconds):
    deadline = time.monotonic() + seconds
    while any(map(alive, pids)) and time.monotonic() < deadline:
        time.sleep(0.05)
    return not any(map(alive, pids))


@pytest.fixture(scope="module")
def mpc():
    with MPC() as executor:
        yield executor


def test_the_result_is_the_definition_and_parties_stay_for_the_next_run(mpc):
    run = mpc.prepare(SQUARES)
    assert run(np.arange(8)) == 140
    (parties,) = mpc._sessions.running.values()
    pids = [worker.pid for worker in parties.workers]
    assert run(np.full(8, 255)) == 8 * 255**2
    assert [worker.pid for worker in parties.workers] == pids
    assert parties.measured[0].sent > 0 and parties.measured[0].messages > 0


def test_an_array_that_breaks_its_declaration_is_refused_before_sharing(mpc):
    run = mpc.prepare(SQUARES)
    for wrong in (np.full(8, 256), np.full(8, -1), np.full(8, np.nan), np.full(8, 0.5), np.zeros(9)):
        with pytest.raises(DomainError, match="source x0"):
            run(wrong)
    assert run(np.arange(8)) == 140


def test_a_killed_party_is_an_error_at_once_and_the_next_run_starts_afresh():
    with MPC() as executor:
        run = executor.prepare(SQUARES)
        run(np.arange(8))
        (parties,) = executor._sessions.running.values()
        pids = [worker.pid for worker in parties.workers]
        os.kill(pids[1], signal.SIGKILL)
        with pytest.raises(PartyError, match=r"party 1.*SIGKILL"):
            run(np.arange(8))
        assert gone(pids, 10)
        assert run(np.arange(8)) == 140


def test_a_party_killed_in_the_middle_of_a_run_ends_all():
    with MPC() as executor:
        run = executor.prepare(SLOW)
        run(np.zeros(200_000))
        (parties,) = executor._sessions.running.values()
        pids = [worker.pid for worker in parties.workers]
        killer = threading.Timer(0.4, os.kill, (pids[2], signal.SIGKILL))
        killer.start()
        with pytest.raises(PartyError, match="party"):
            for _ in range(50):
                run(np.zeros(200_000))
        assert gone(pids, 10)


def test_parties_end_with_a_killed_owner():
    script = """
import os, sys, numpy as np
from privis.run.mpc.executor import MPC
from privis.run.mpc.protocols import MPCProtocol
from privis.program import Input, trace
executor = MPC()
executor.prepare(trace(lambda x: x + 1.0, Input((4,))))(np.zeros(4))
(parties,) = executor._sessions.running.values()
print(*[worker.pid for worker in parties.workers], flush=True)
sys.stdin.read()
"""
    owner = subprocess.Popen([sys.executable, "-c", script], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert owner.stdout is not None
    pids = [int(pid) for pid in owner.stdout.readline().split()]
    assert len(pids) == 3 and all(map(alive, pids))
    owner.kill()
    owner.communicate()
    assert gone(pids, 20)


def test_insecure_presets_need_to_be_asked_for():
    with pytest.raises(ParameterError, match="can open every secret"):
        MPC(MPCProtocol.SEMI2K)
    assert not MPC(MPCProtocol.SEMI2K, insecure=True).preset.secure


def test_shares_join_exactly_and_reject_other_bytes():
    fixed = FixedPoint(64, 18)
    values = np.arange(-5, 5, dtype=np.int64).reshape(2, 5)
    parts = share(values, Encoding.INTEGER, ABY3, fixed)
    assert np.array_equal(join(parts, ABY3, fixed), values)
    reals = np.linspace(-100, 100, 7, dtype=np.float32)
    assert np.abs(join(share(reals, Encoding.FIXED, ABY3, fixed), ABY3, fixed) - reals).max() <= 2.0**-18
    for wrong in (b"", b"privis.share/1\n{}\n", parts[0][:-1], b"x" + parts[0], parts[0].replace(b"meta", b"mete")):
        with pytest.raises(ParameterError):
            from_bytes(wrong)


def test_nothing_of_an_image_is_in_a_log_an_argument_or_an_environment(mpc):
    run = mpc.prepare(SQUARES)
    distinctive = np.array([171, 205, 239, 18, 52, 86, 120, 154])
    run(distinctive)
    (parties,) = mpc._sessions.running.values()
    texts = [worker.log.read_bytes() for worker in parties.workers]
    texts += [Path(f"/proc/{w.pid}/{name}").read_bytes() for w in parties.workers for name in ("cmdline", "environ")]
    for text in texts:
        assert b"171, 205" not in text and b"171 205" not in text
        assert all(distinctive.astype(dtype).tobytes() not in text for dtype in (np.uint8, np.int64, np.float32))
    assert any(b"Link details" in text for text in texts)  # the control: the log is the log


def job(**changes):
    parts = {
        "preset": ABY3,
        "parties": ("a", "b", "c"),
        "sources": {"x": Source("a", Input((8,)))},
        "programs": {"squares": SQUARES},
        "instructions": (Share("x"), Run("squares", ("x",), ("y",)), Reveal("y", ("a", "analyst")), Drop(("x",))),
    }
    return Job(**{**parts, **changes})


def test_a_job_says_all_that_is_wrong_with_it():
    with pytest.raises(Exception, match="3 different ones") as refusal:
        job(parties=("a", "b"))
    with pytest.raises(Exception, match="variable 'z'") as refusal:
        job(instructions=(Run("squares", ("z",), ("y",)), Run("cubes", ("z",), ("y",)), Reveal("y", ())))
    assert len(refusal.value.problems) == 4
    with pytest.raises(Exception, match=r"\[0, 1000\].*declared \[0, 255\]"):
        job(sources={"x": Source("a", Input((8,), 0, 1000))})
    with pytest.raises(Exception, match="carried as fixed"):
        job(sources={"x": Source("a", Input((8,), step=None))})
    with pytest.raises(Exception, match="scale them down"):
        job(sources={"x": Source("a", Input((8,), 0, 2.0**62))})


def test_what_is_left_and_who_stands_outside():
    made = job()
    assert made.outsiders == ("analyst",)
    assert set(made.left) == {"y"} and made.left["y"].high == 8 * 255.0**2


def test_the_digest_depends_on_everything_the_parties_must_agree_on():
    cube = trace(lambda x: (x * x * 1.0).sum(0), Input((8,)))
    variants = [
        job(),
        job(parties=("b", "a", "c")),
        job(programs={"squares": cube}),
        job(sources={"x": Source("b", Input((8,)))}),
        job(sources={"x": Source("a", Input((8,), 0, 200))}),
        job(instructions=(Share("x"), Run("squares", ("x",), ("y",)), Reveal("y", ("b",)))),
        job(fixed_point=FixedPoint(64, 16)),
    ]
    assert len({variant.digest for variant in variants}) == len(variants)
    assert job().digest == variants[0].digest


def test_two_jobs_of_one_session_share_resident_variables():
    enrol = job(instructions=(Share("x"),))
    ask = job(instructions=(Run("squares", ("x",), ("y",)), Reveal("y", ("a",))), sources={}, resident=enrol.left)
    with LocalParties(ABY3, enrol.fixed) as parties:
        assert parties.run(enrol, {"x": np.arange(8)}) == {}
        assert parties.run(ask, {})["y"] == 140


WHOLE, REAL = Input((6, 3), 0, 255, 1.0), Input((5,), -2.0, 2.0, None)


@pytest.fixture(scope="module")
def parties():
    with LocalParties(ABY3, FixedPoint(64, 18)) as started:
        yield started


def test_rows_are_picked_as_a_variable_of_their_own(parties):
    """Whole and real numbers, of one axis and of two, a row twice; what they came of stays."""
    real, whole = np.linspace(-2, 2, 5), np.arange(18).reshape(6, 3)
    sources = {"whole": Source("a", WHOLE), "real": Source("b", REAL)}
    for rows in ((5,), (0,), (3,)):
        picks = (Pick("whole", rows, "one", WHOLE), Pick("real", (4, 1, 1), "three", REAL))
        steps = (Share("whole"), Share("real"), *picks, Reveal("one", ("a",)), Reveal("three", ("b",)))
        made = job(sources=sources, programs={}, instructions=(*steps, Drop(("one",))), fixed_point=parties.fixed)
        assert made.left["three"].shape == (3,) and made.left["whole"].shape == (6, 3)
        assert InTheClear()(made, {"whole": whole, "real": real})["one"].tolist() == whole[list(rows)].tolist()
        revealed = parties.run(made, {"whole": whole, "real": real})
        assert revealed["one"].tolist() == whole[list(rows)].tolist()
        np.testing.assert_allclose(revealed["three"], real[[4, 1, 1]], atol=1e-4)


def test_rows_that_are_not_there_are_refused():
    for step, said in (
        (Pick("x", (8,), "y", Input((8,))), "rows"),
        (Pick("x", (-1,), "y", Input((8,))), "rows"),
        (Pick("x", (), "y", Input((8,))), "rows"),
        (Pick("z", (0,), "y", Input((8,))), "variable 'z'"),
        (Pick("x", (0,), "y", Input((9,))), "what is known of x"),
        (Pick("x", (0,), "y", Input((8,), step=None)), "what is known of x"),
    ):
        with pytest.raises(ProgramError, match=said):
            job(instructions=(Share("x"), step))
    picked = [job(instructions=(Share("x"), Pick("x", (row,), "y", Input((8,))))).digest for row in (1, 2)]
    assert picked[0] != picked[1]  # all parties agree on the rows


def test_presets_say_what_they_protect_against():
    assert preset("aby3").corruptions == 1 and preset("cheetah").parties == 2
