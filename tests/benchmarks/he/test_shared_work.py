"""The benchmark of two processes runs, tiny, so that it cannot rot."""

import pytest

pytest.importorskip("tenseal")

from benchmarks.he import shared_work


def test_a_contestant_answers_and_keys_are_made():
    taken = shared_work.compared("colour", [shared_work.ROOT], 2, 1)
    assert all(one.seconds and one.processor[0] > 0 and one.memory > 0 and one.error < 1e-3 for one in taken)
    memory, processor = shared_work.key_making("colour", shared_work.ROOT)
    assert memory > 0 and processor > 0
