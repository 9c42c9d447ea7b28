"""The benchmark of membership inference, tiny, on made-up vectors: the control is caught, a private head is not."""

import numpy as np

from benchmarks.attacks.membership import run


def test_the_control_is_caught_and_private_heads_keep_their_epsilon() -> None:
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 10, 420)
    vectors = (rng.normal(size=(420, 40)) + np.eye(40)[labels]).astype(np.float32)
    found = run(vectors, labels, 120, 150, (4.0,))
    assert list(found) == ["overfitted", "usual", "epsilon 4"]
    assert all(each.good for each in found.values())
    assert found["overfitted"].area[0] > found["epsilon 4"].area[0] + 0.1
    assert found["epsilon 4"].proved <= 4
