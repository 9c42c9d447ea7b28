"""The benchmark of encrypted features runs on its smallest case, with an owner and a server process."""

import numpy as np

from benchmarks.he import cases as he_cases
from benchmarks.he import features as he
from benchmarks.he import kept, standards
from privis.features.colour import ColourHistogram
from privis.run.he.compiler.circuit_cost import CKKSTimings


def test_the_smallest_case_runs_and_its_predictions_are_close():
    case = next(case for case in he_cases.cases() if case.tiny)
    (row,) = he.run([case], 1, 1, CKKSTimings())
    assert not isinstance(row, str)
    assert row.error == 0.0 and "largest difference of a count 0" in row.quality
    for predicted, measured in (
        (row.expected.keys, row.keys),
        (row.expected.query, row.query),
        (row.expected.reply, row.reply),
    ):
        assert np.isclose(predicted, measured, rtol=0.3)
    assert abs(row.expected.memory - row.memory) < 160 << 20  # of so small a case it is mostly that of libraries
    lines: list[str] = []
    he.table(iter([row, "refused"]), lines.append)
    assert len(lines) == 4 and row.batch is not None and row.batch.error == 0.0


def test_plans_under_both_standards_are_compared():
    tiny = he_cases.Case("colour", ColourHistogram(bins=4).program((3, 16, 16)))
    earlier, later = standards.plans(tiny)
    assert isinstance(later, standards.Plan) and later.bits <= 438
    assert "seconds x 1.000" in standards.line("colour", earlier, later)


def test_a_program_that_was_seen_before_is_measured_in_processes_of_its_own():
    first, again, size, keeping = kept.measure("colour")  # too small to gain anything
    assert size > 0 and keeping > 0 and first.memory > 0
    table = kept.lines(first, again, size, keeping)
    assert [line.split()[0] for line in table[1:3]] == ["unseen", "seen"]
    assert f"bar {kept.BAR:.3f}" in table[-1]
