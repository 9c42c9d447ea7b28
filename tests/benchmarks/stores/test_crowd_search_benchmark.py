"""The benchmark of search for a crowd runs on a few vectors, so that it cannot rot."""

from benchmarks.stores import crowd_search
from benchmarks.stores.exact_search import vectors
from privis import CoverTraffic, CrowdServer


def test_a_few_vectors(capsys):
    index = vectors(120, 8)
    server = CrowdServer.of([str(row) for row in range(120)], index, CoverTraffic(1.0, 0.3, 10, 2), clusters=3)
    measured = crowd_search.measure(server, index, index[:2], processes=1)
    assert measured.of_clear >= 0.9 and measured.of_exact > 0.4
    assert crowd_search.simulate(server, measured, 1_000_000, 50_000, blocks=2) > 0
    assert "times cheaper (bar 5)" in capsys.readouterr().out
