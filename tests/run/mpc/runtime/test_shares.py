"""Answers for `privis.run.mpc.runtime.shares`: what a process that shares numbers leaves beside its result."""

import subprocess
import sys

import pytest

pytest.importorskip("spu")


def test_spu_prints_nothing_among_the_results_and_leaves_no_file(tmp_path):
    code = """
import numpy as np
from privis.run.mpc.fixed_point import Encoding, FixedPoint
from privis.run.mpc.protocols import ABY3
from privis.run.mpc.runtime.shares import share
share(np.zeros((200, 5000)), list(Encoding)[-1], ABY3, FixedPoint())  # so many that SPU starts its threads
"""
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert done.stdout == ""
    assert not list(tmp_path.iterdir())
