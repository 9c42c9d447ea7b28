"""The benchmarks run, tiny, so that they cannot rot."""

from benchmarks.extraction import features as extraction
from benchmarks.extraction import folder
from benchmarks.privacy import private_extraction


def test_extraction_runs_and_names_what_it_races():
    took = extraction.run(repeats=2)
    assert all(milliseconds > 0 for milliseconds in took.values())
    for race in extraction.RACES:
        assert race.ours in took and race.peer in took


def test_private_extraction_runs(tmp_path):
    photographs = private_extraction.photographs_at(tmp_path, tmp_path)[:2]
    measured = private_extraction.run(repeats=1) | private_extraction.run_many(photographs, repeats=1)
    assert len(measured) == 9
    for took in measured.values():
        assert all(milliseconds > 0 for milliseconds in took.values())


def test_folder_runs():
    rates = folder.run(files=12, cores=2)
    assert rates.one > 0 and rates.many > 0 and rates.cores == 2
