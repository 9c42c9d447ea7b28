"""The benchmark of the store in LanceDB runs on a few vectors, so that it cannot rot."""

from pathlib import Path

import pytest

pytest.importorskip("lancedb")

from benchmarks.stores import lance_store


def test_a_few_vectors(tmp_path: Path) -> None:
    told = lance_store.measured(tmp_path, True, 300, 16, 20, 1)
    assert told["equal to numpy's"] == "True" and told["searched for residue"].endswith("; 0 found")
