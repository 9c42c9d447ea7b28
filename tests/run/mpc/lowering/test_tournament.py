"""The largest element on shares, in groups of any size: ties, ends of the range, lengths that no group divides.

Answers for `privis.run.mpc.lowering.comparison`.
"""

import numpy as np
import pytest

pytest.importorskip("spu")

from privis.program import Input, trace
from privis.program import ops as o
from privis.run.mpc.lowering import comparison
from tests.run.mpc.in_process import on_shares


@pytest.mark.parametrize(("length", "step"), [(7, 1.0), (7, None), (70, 1.0), (1301, 1.0)])
def test_the_first_of_equals_is_found_wherever_they_are(length, step):
    rng, most = np.random.default_rng(length), 2.0**20
    rows = [np.zeros(length), np.full(length, -most), rng.integers(-2, 3, length), rng.integers(-2, 3, length)]
    for places in ([0, length - 1], [length - 1], [length // 2, length // 2 + 1], rng.integers(0, length, 5)):
        row = rng.integers(-int(most), int(most), length).astype(float)
        row[places] = most
        rows.append(row)
    x = np.array(rows)
    program = trace(lambda v: (v >> o.ArgMax(1), v >> o.Max((1,))), Input(x.shape, -most, most, step))
    index, largest = on_shares(program, x)
    np.testing.assert_array_equal(index, x.argmax(1))
    np.testing.assert_array_equal(largest, x.max(1))


def test_groups_grow_while_elements_become_few():
    """What decides messages: 50,000 elements in eight steps for an eighth more comparisons, four windows in two."""

    def steps(count, rows):
        most, sizes, compared = max(count * rows // comparison.EXTRA, comparison.FEWEST), [], 0
        while count > 1:
            size = comparison._group_size(count, rows, most)
            sizes.append(size)
            compared += rows * (count // size) * size * (size - 1) // 2
            count = count // size + count % size
        return sizes, compared

    sizes, compared = steps(50_000, 1)
    assert len(sizes) <= 8 and sizes[:3] == [2, 2, 2] and compared <= 1.13 * 50_000
    assert steps(10, 1)[0] == [10]
    assert steps(4, 37_000) == ([2, 2], 3 * 37_000)
