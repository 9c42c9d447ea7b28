"""MPyC, another protocol by other people, gets the same answers as Privis on shares; both those of plain numbers."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from privis.program import Input, ops, trace
from privis.run.mpc.cost.calibration import trial
from privis.run.mpc.fixed_point import FixedPoint
from privis.run.mpc.protocols import ABY3
from privis.run.mpc.runtime.local_parties import LocalParties, free_ports

pytest.importorskip("spu")
pytest.importorskip("mpyc")

TEMPLATES, WIDTH, THRESHOLD = 12, 16, 2000


@pytest.fixture(scope="module")
def numbers():
    generator = np.random.default_rng(5)
    return generator.integers(-100, 101, WIDTH), generator.integers(-100, 101, (TEMPLATES, WIDTH))


@pytest.fixture(scope="module")
def oracle(numbers, tmp_path_factory):
    folder = tmp_path_factory.mktemp("oracle")
    query, templates = numbers
    np.savez(folder / "numbers.npz", query=query, templates=templates, threshold=THRESHOLD)
    script = Path(__file__).with_name("oracle_party.py")
    command = [sys.executable, str(script), str(folder), "-M3", f"-B{free_ports(1)[0]}", "--no-log"]
    subprocess.run(command, check=True, timeout=120, capture_output=True)
    return json.loads((folder / "found.json").read_text())


@pytest.fixture(scope="module")
def ours(numbers):
    query, templates = numbers
    shared = [Input(array.shape, -100.0, 100.0) for array in (query[:, None], templates)]

    def compare(x, rows):
        products = (rows @ x).reshape(TEMPLATES)
        return products, products >> ops.ArgMax(0), products >> ops.Max((0,)), products.compare(float(THRESHOLD))

    with LocalParties(ABY3, FixedPoint()) as parties:
        return trial(parties, trace(compare, *shared), [query[:, None], templates], repeats=0).outputs


def test_products_largest_and_threshold_agree(numbers, oracle, ours):
    products, best, largest, above = ours
    plain = numbers[1] @ numbers[0]
    assert oracle["parties"] == 3
    assert 0 < sum(oracle["above"]) < TEMPLATES, "a threshold that decides nothing tests nothing"
    assert products.tolist() == oracle["products"] == plain.tolist()
    assert (int(best), int(largest)) == (oracle["best"], oracle["largest"]) == (plain.argmax(), plain.max())
    assert above.astype(int).tolist() == oracle["above"] == (plain >= THRESHOLD).astype(int).tolist()
