"""The matching benchmark runs, tiny, so that it cannot rot."""

import pytest

from benchmarks.he import matching as he_matching


@pytest.mark.parametrize("case", ["plain:300", "encrypted:60"])
def test_galleries(case):
    found = he_matching.measure(case, dimension=32, repeats=2)
    assert found.right and found.error < 1e-4 and found.server > 0
    assert found.predicted.sent == pytest.approx(found.query + found.reply, rel=0.1)
    assert len(he_matching.line(found)) == len(he_matching.HEAD)


def test_tenseal_beside_it():
    peers = he_matching.tenseal(dimension=32, few=2, block=64, repeats=1)
    assert len(peers) == 3 and all(peer.seconds > 0 and peer.name in he_matching.peer_line(peer) for peer in peers)
