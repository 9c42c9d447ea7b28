"""The benchmarks of matching and of decisions run, tiny, so that they cannot rot."""

import pytest

from benchmarks.he import decisions as he_decisions
from benchmarks.he import matching as he_matching
from privis.run.he.matching.decision_specification import DecisionSpec


@pytest.mark.parametrize("case", ["plain:300", "encrypted:60"])
def test_galleries(case):
    found = he_matching.measure(case, dimension=32, repeats=2)
    assert found.right and found.error < 1e-4 and found.server > 0
    assert found.predicted.sent == pytest.approx(found.query + found.reply, rel=0.1)
    assert len(he_matching.line(found)) == len(he_matching.HEAD)


def test_tenseal_beside_it():
    peers = he_matching.tenseal(dimension=32, few=2, block=64, repeats=1)
    assert len(peers) == 3 and all(peer.seconds > 0 and peer.name in he_matching.peer_line(peer) for peer in peers)


def test_decisions_and_changes():
    spec = DecisionSpec(8, 0.4, 0.3, 40, payload=4, encrypted=True)
    found = he_decisions.measure("40x8:payload", queries=2, spec=spec, processes=1)
    assert found.right == found.decided == 80 and len(found.matches) == 2
    assert found.case in he_decisions.line(found)
    change = he_decisions.changes(8, 64)
    assert change.enrolled > 0 and "bar 0.3" in he_decisions.change_line(change)
