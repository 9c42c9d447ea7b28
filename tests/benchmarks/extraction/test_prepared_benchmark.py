"""The benchmark of what is kept runs, tiny, so that it cannot rot."""

from __future__ import annotations

import numpy as np

from benchmarks.extraction import prepared
from privis import CNN
from privis.program import Input, trace


def test_a_new_process_times_its_calls(tmp_path):
    made = prepared.in_new_process(prepared.ROOT / "src", tmp_path, "privis.Clear()", "prepared", 2)
    assert len(made.calls) == 2 and all(seconds > 0 for seconds in made.calls) and made.processor > 0


def test_every_ratio_of_parties_is_of_one_run(monkeypatch, capsys):
    seconds = {"extract": 8.0, "prepared": 0.5}
    timed = lambda source, programs, under, way, calls=1: prepared.Process((seconds[way],) * calls, 1.0)  # noqa: E731
    monkeypatch.setattr(prepared, "in_new_process", timed)
    found = prepared.parties(repeats=1)
    assert len(found) in (2, 4) and {ratio.seconds / ratio.other for ratio in found} == {1.0, 0.5 / 8.0}
    assert "processor seconds" in capsys.readouterr().out


def test_encrypted_images_run():
    feature = CNN(trace(lambda x: x.sum(1, 2) * (1 / 64), Input((3, 8, 8))))
    (ratio,) = prepared.ckks(feature, (8, 8, 3))
    assert 0 < ratio.other < ratio.seconds


def test_a_network_runs(shared):
    found = prepared.network(prepared.WEIGHTS, repeats=1)
    assert [ratio.bar for ratio in found] == [1.25, np.inf]


def test_a_ratio_says_whether_it_is_within_its_bar():
    assert "ratio 0.500, within 0.5" in str(prepared.Ratio("a", 1.0, "b", 2.0, 0.5))
    assert "BEYOND" in str(prepared.Ratio("a", 1.1, "b", 2.0, 0.5))
