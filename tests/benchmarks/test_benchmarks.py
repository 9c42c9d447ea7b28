"""The benchmarks run, tiny, so that they cannot rot; speed itself is asserted only where the margin is wide."""

import pytest

from benchmarks import extraction, folder, private_extraction

pytestmark = pytest.mark.alone


def test_extraction_runs_and_names_what_it_races():
    took = extraction.run(repeats=5)
    assert all(milliseconds > 0 for milliseconds in took.values())
    for race in extraction.RACES:
        assert race.ours in took and race.peer in took
    # Ratios of 20 to 60 when quiet: even a busy machine does not hide the loss of a kernel.
    assert took["LBP"] * 5 < took["skimage local_binary_pattern"]
    assert took["HOG"] * 5 < took["skimage hog"]


def test_private_extraction_runs(tmp_path):
    photographs = private_extraction.photographs_at(tmp_path, tmp_path)[:2]
    measured = private_extraction.run(repeats=3) | private_extraction.run_many(photographs, repeats=1)
    assert len(measured) == 9
    for took in measured.values():
        assert all(milliseconds > 0 for milliseconds in took.values())


def test_folder_runs():
    rates = folder.run(files=48, cores=2)
    assert rates.one > 0 and rates.many > 0 and rates.cores == 2
