"""The benchmarks run, tiny, so that they cannot rot."""

from benchmarks.extraction import features as extraction
from benchmarks.extraction import folder
from benchmarks.privacy import private_extraction


def test_extraction_runs_and_names_what_it_races():
    """Every row has a peer beside it; what is slower than its bar says so."""
    rows = [extraction.run(race, rounds=1) for race in extraction.races(extraction.photograph(64), batch=2)]
    assert len({row.feature for row in rows}) == len(rows) >= 19
    for row in rows:
        assert row.milliseconds > 0 and row.peer_milliseconds > 0 and row.peer not in row.slower
        assert ("TOO SLOW" in str(row)) == (row.ratio > row.limit)


def test_private_extraction_runs(tmp_path):
    photographs = private_extraction.photographs_at(tmp_path, tmp_path)[:2]
    measured = private_extraction.run(repeats=1) | private_extraction.run_many(photographs, repeats=1)
    assert len(measured) == 9
    for took in measured.values():
        assert all(milliseconds > 0 for milliseconds in took.values())


def test_folder_runs():
    rates = folder.run(files=12, cores=2)
    assert rates.one > 0 and rates.many > 0 and rates.cores == 2
