"""The benchmarks of ledgers run, tiny, so that they cannot rot; bars of speed are judged where they are run."""

from __future__ import annotations

from benchmarks.cards import verification
from benchmarks.privacy.ledgers import answers, ledger
from privis.privacy.answers.answer_limits import AnswerLimits


def test_every_case_is_measured(tmp_path, monkeypatch, capsys) -> None:
    monkeypatch.chdir(tmp_path)
    measured = ledger.run(entries=20, charges=2)
    assert len(measured) == 6 and all(times.largest >= times.median > 0 for times in measured.values())
    ledger.report(
        {"slow": ledger.Times(1, 30.0, 40), "quick": ledger.Times(1, 3.0, 40), ledger.DISK: ledger.Times(1, 2, 3)}
    )
    slow, quick, _ = capsys.readouterr().out.splitlines()
    assert "TOO SLOW" in slow and "ok" in quick


def test_attacks_need_more_answers_than_the_defaults_give(capsys) -> None:
    curves = answers.run(templates=8, counts=(4, 32, 128))
    for curve in curves.values():
        assert list(curve.cosines) == sorted(curve.cosines)
    assert curves["scores", 0.3].cosines[-1] > 0.999, "as many scores as components are the template"
    assert curves["signs", 0.3].cosines[-1] > 0.6
    limits = AnswerLimits.of_vectors(answers.COMPONENTS)
    assert curves["signs", 0.3].at(limits.decisions.total)[0] < 0.45
    assert curves["scores", 0.3].at(limits.scores.total)[0] < 0.25
    answers.report(curves)
    assert "default 32 gives" in capsys.readouterr().out


def test_the_bars_of_the_ledger_hold(tmp_path) -> None:
    for bar in answers.ledger_bars(tmp_path, rounds=1, kills=4, damages=20):
        assert bar.measured == bar.wanted, bar


def test_a_check_of_a_card_is_timed(capsys) -> None:
    found = verification.run(rows=20, components=8)
    assert [each.suffix for each in found] == [".parquet", ".npz"] and all(each.holds for each in found)
    verification.report([*found, verification.Check(".csv", 3.0, 3.0, True)], 20)
    assert capsys.readouterr().out.splitlines()[-1].endswith("MISSED")
