"""Every example runs; their assertions are the test."""

import runpy
import subprocess
import sys
from pathlib import Path

import pytest

NEED_SPU = ("joint_extraction", "joint_training", "three_hospitals")
EXAMPLES = sorted((Path(__file__).resolve().parents[2] / "examples").glob("*.py"))


LONG = ("daft_pipeline", "ray_pipeline", "joint_training")
"""What starts an engine, or trains for half a minute as tests/joint/training does in less."""


@pytest.mark.parametrize(
    "path",
    [pytest.param(path, marks=[pytest.mark.long] if path.stem in LONG else [], id=path.stem) for path in EXAMPLES],
)
def test_example(path):
    assert len(path.read_text().splitlines()) <= 70
    if path.stem in NEED_SPU:
        pytest.importorskip("spu")
    if path.stem == "three_hospitals":
        pytest.importorskip("pydicom")
        pytest.importorskip("tenseal")
    if path.stem in LONG:  # in a process that is its own: engines leave some behind
        pytest.importorskip(path.stem.removesuffix("_pipeline"))
        subprocess.run([sys.executable, str(path)], check=True)
        return
    if path.stem == "private_network":
        pytest.importorskip("opacus")
    runpy.run_path(str(path), run_name="__main__")
