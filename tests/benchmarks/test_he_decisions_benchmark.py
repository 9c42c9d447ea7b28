"""The benchmark of decisions runs, tiny, so that it cannot rot."""

from benchmarks.he import decisions as he_decisions
from privis.run.he.matching.decision_specification import DecisionSpec


def test_a_gallery_and_changes():
    spec = DecisionSpec(8, 0.4, 0.3, 40, payload=4, encrypted=True)
    found = he_decisions.measure("40x8:payload", queries=2, spec=spec, processes=1)
    assert found.right == found.decided == 80 and found.matches[1] == 2
    assert found.case in he_decisions.line(found)
    change = he_decisions.changes(8, 64)
    assert change.enrolled > 0 and "bar 0.3" in he_decisions.change_line(change)
