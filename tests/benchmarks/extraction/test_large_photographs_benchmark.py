"""The benchmark of large photographs runs, tiny, so that it cannot rot."""

from __future__ import annotations

import re

from benchmarks.extraction import large_photographs


def test_contestants_take_turns_and_whole_pictures_keep_their_vectors(tmp_path):
    paths = large_photographs.large(tmp_path, 2, (301, 401))
    took = large_photographs.run(paths, large_photographs.ROOT, rounds=2, size=(32, 32))
    assert list(took) == ["baseline", "exact", "scaled"]
    assert all(len(taken.several) == len(taken.alone) == 2 and min(taken.several) > 0 for taken in took.values())
    assert took["baseline"].digest == took["exact"].digest != took["scaled"].digest
    lines = list(large_photographs.report(took))
    assert len([line for line in lines if re.search(r"[\d.]+ times as fast \(at least", line)]) == 4
    assert lines[-1] == "vectors of whole pictures are the same bytes"


def test_a_ratio_is_held_against_its_bar():
    took = {
        name: large_photographs.Taken(name, (seconds,), (seconds,), name)
        for name, seconds in (("baseline", 8.0), ("exact", 4.0), ("scaled", 4.0))
    }
    lines = list(large_photographs.report(took))
    assert "exact, several: 2.00 times as fast (at least 1.6 wanted) ok" in lines
    assert "scaled, alone: 2.00 times as fast (at least 4.0 wanted) MISSED" in lines
    assert lines[-1] == "vectors of whole pictures DIFFER"


def test_scaled_pictures_are_close_to_whole_ones(tmp_path):
    found = large_photographs.difference("small", large_photographs.large(tmp_path, 1, (301, 401)), (32, 32))
    assert 0 < found.mean < 10 and found.largest < 256 and found.cosine[0] > 0.9
    assert "32x32" in str(found)
