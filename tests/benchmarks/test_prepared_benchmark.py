"""The benchmark of what is kept runs, tiny, so that it cannot rot."""

from __future__ import annotations

import numpy as np

from benchmarks.extraction import prepared
from privis import CNN
from privis.program import Input, trace


def test_parties_run_in_new_processes(capsys):
    found = prepared.parties("privis.Clear()", repeats=1)
    assert len(found) in (2, 4) and all(ratio.seconds > 0 and ratio.other > 0 for ratio in found)
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
