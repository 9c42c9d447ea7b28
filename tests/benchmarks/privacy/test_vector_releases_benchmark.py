"""The benchmark of ``privis release`` runs, tiny, and tells tables that differ."""

from __future__ import annotations

from dataclasses import replace

from benchmarks.privacy import vector_releases


def test_a_table_is_released_and_measured(capsys) -> None:
    (now,) = vector_releases.run(rows=40, components=8)
    assert now.processor > 0 and now.peak > 10**7
    vector_releases.report([now, replace(now, name="baseline", digest="another")], 40)
    assert "THE TABLES DIFFER" in capsys.readouterr().out
    vector_releases.report([replace(now, wall=61.0)], 1_000_000)
    assert "MISSED" in capsys.readouterr().out
