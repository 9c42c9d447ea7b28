"""The benchmark of erasing runs on a few rows, so that it cannot rot."""

from benchmarks.stores import erasure


def test_a_few_rows(tmp_path, capsys):
    assert erasure.erase(tmp_path, 40) == 0
    erasure.scan(tmp_path, 1, 2, 1)
    assert "gone, holds: True" in capsys.readouterr().out
