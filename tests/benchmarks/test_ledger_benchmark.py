"""The benchmark of the ledger runs, tiny, so that it cannot rot; its bar is judged where it is run."""

from __future__ import annotations

from benchmarks.privacy import ledger


def test_every_case_is_measured(tmp_path, monkeypatch, capsys) -> None:
    monkeypatch.chdir(tmp_path)
    measured = ledger.run(entries=20, charges=2)
    assert len(measured) == 6 and all(times.largest >= times.median > 0 for times in measured.values())
    ledger.report(
        {"slow": ledger.Times(1, 30.0, 40), "quick": ledger.Times(1, 3.0, 40), ledger.DISK: ledger.Times(1, 2, 3)}
    )
    slow, quick, _ = capsys.readouterr().out.splitlines()
    assert "TOO SLOW" in slow and "ok" in quick
