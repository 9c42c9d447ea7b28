"""SPU's code is compiled once: later it is read from the disk, byte for byte the same, and JAX is not even imported.

Answers for `privis.run.mpc.runtime.compile`.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from privis import HOG
from privis.errors import DomainError
from privis.program import Input, trace
from privis.run.mpc.fixed_point import FixedPoint
from privis.run.mpc.lowering import lower
from privis.run.mpc.lowering.precision import choose_fixed_point
from privis.run.mpc.runtime import compile as compiling
from privis.run.mpc.runtime.compile import compile_for_spu

pytest.importorskip("spu")
PROGRAM = trace(lambda x: ((x * 0.5).sqrt() * 2.0, x.sum(0)), Input((5,), 0.0, 9.0))
FRESH = """
import sys
from privis.program import Input, trace
from privis.run.mpc.lowering.precision import choose_fixed_point
from privis.run.mpc.runtime.compile import compile_for_spu
program = trace(lambda x: ((x * 0.5).sqrt() * 2.0, x.sum(0)), Input((5,), 0.0, 9.0))
sys.stdout.buffer.write(compile_for_spu(program, choose_fixed_point([program])).code)
assert "jax" not in sys.modules and "spu.api" not in sys.modules
"""


@pytest.fixture
def programs(tmp_path, monkeypatch) -> Path:
    monkeypatch.setenv("PRIVIS_CACHE", str(tmp_path / "programs"))
    return tmp_path / "programs"


def test_code_and_fixed_point_are_read_from_the_disk_without_jax(programs):
    fixed = choose_fixed_point([PROGRAM])
    made = compile_for_spu(PROGRAM, fixed)
    assert len(list(programs.iterdir())) >= 2
    done = subprocess.run([sys.executable, "-c", FRESH], capture_output=True, env=dict(os.environ), timeout=60)
    assert done.returncode == 0, done.stderr.decode()[-2000:]
    assert done.stdout == made.code


def test_it_is_compiled_again_for_another_program_ring_or_damage(programs, monkeypatch):
    compiled = []
    really = compiling._compiled
    monkeypatch.setattr(compiling, "_compiled", lambda *given: compiled.append(given) or really(*given))
    fixed = FixedPoint()
    first = compile_for_spu(PROGRAM, fixed)
    again = compile_for_spu(PROGRAM, fixed)
    assert len(compiled) == 1
    assert again.code == first.code and again.name == first.name
    assert list(again.input_names) == list(first.input_names) == ["in0"]
    assert list(again.output_names) == list(first.output_names) == ["out0", "out1"]
    compile_for_spu(PROGRAM, FixedPoint(64, 17))
    assert len(compiled) == 2
    for entry in programs.iterdir():
        entry.write_bytes(entry.read_bytes()[:-1])
        entry.chmod(0o600)
    assert compile_for_spu(PROGRAM, fixed).code == first.code and len(compiled) == 3


def test_what_is_refused_is_refused_again_and_kept_nowhere(programs):
    wide = trace(lambda x: x * x, Input((3,), 0.0, 1e30, None))
    for _ in range(2):
        with pytest.raises(DomainError):
            compile_for_spu(wide, FixedPoint())
    assert not programs.exists()


def test_ring_requirements_are_those_that_were_traced(programs):
    program = HOG(block=1).program((16, 16))
    traced = lower._ring_requirements(program, FixedPoint())
    assert lower.ring_requirements(program, FixedPoint()) == lower.ring_requirements(program, FixedPoint()) == traced
    endless = trace(lambda x: x * 2.0, Input((3,), float("-inf"), float("inf"), None))
    assert lower.ring_requirements(endless, FixedPoint()) == lower.ring_requirements(endless, FixedPoint()) != []
