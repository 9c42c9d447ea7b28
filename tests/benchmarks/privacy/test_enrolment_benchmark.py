"""The benchmark of enrolment, tiny: templates of made-up people, and the equal error rate itself."""

import numpy as np
import pytest

from benchmarks.privacy.enrolment import equal_error_rate, rates, unit


def test_the_equal_error_rate_is_where_both_errors_meet() -> None:
    assert equal_error_rate(np.array([3.0, 2.0]), np.array([1.0, 0.0])) == 0
    assert equal_error_rate(np.array([0.0]), np.array([1.0])) == 100
    genuine, impostor = np.array([4.0, 3.0, 2.0, 0.5]), np.array([1.0, 0.0, -1.0, -2.0])
    assert equal_error_rate(genuine, impostor) == 25


@pytest.fixture(scope="module")
def people() -> tuple[np.ndarray, np.ndarray]:
    """Ten people, six noisy images of each."""
    rng = np.random.default_rng(3)
    centres = rng.normal(size=(10, 8))
    return unit(np.repeat(centres, 6, 0) + rng.normal(scale=0.5, size=(60, 8))), np.repeat(
        [f"p{n}" for n in range(10)], 6
    )


def test_one_release_of_four_images_beats_one_image_and_four_releases(people) -> None:
    vectors, whose = people
    ours, one, four = (
        rates(vectors, whose, 16.0, images, apart, draws=4).together
        for images, apart in ((4, False), (1, False), (4, True))
    )
    exact = rates(vectors, whose, None, 4, draws=1).together
    assert exact <= ours < four - 5 and ours < one + 5, (exact, ours, one, four)
    again = rates(vectors, whose, 16.0, 4, draws=4).together
    assert again == ours, "keys are fixed"
