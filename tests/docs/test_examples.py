"""Every example runs; their assertions are the test."""

import runpy
from pathlib import Path

import pytest

NEED_SPU = ("joint_extraction", "joint_training", "three_hospitals")
EXAMPLES = sorted((Path(__file__).resolve().parents[2] / "examples").glob("*.py"))


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_example(path):
    if path.stem in NEED_SPU:
        pytest.importorskip("spu")
    if path.stem == "three_hospitals":
        pytest.importorskip("pydicom")
        pytest.importorskip("tenseal")
    if path.stem == "private_network":
        pytest.importorskip("opacus")
    assert len(path.read_text().splitlines()) <= 70
    runpy.run_path(str(path), run_name="__main__")
