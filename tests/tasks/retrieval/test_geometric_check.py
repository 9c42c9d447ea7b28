"""tasks/retrieval/geometric_check.py: descriptors that match under one homography count, others do not."""

import numpy as np
import pytest

from privis.errors import ParameterError
from privis.tasks.retrieval import LocalDescriptors, consistent_matches

RANDOM = np.random.default_rng(5)
PLACES = RANDOM.uniform(0, 300, (60, 2))
LOOKS = RANDOM.normal(size=(60, 32))
IMAGE = LocalDescriptors(PLACES, LOOKS)


def moved(places):
    """A rotation by 30 degrees, a scale of 0.7 and a shift."""
    angle = np.radians(30)
    turn = 0.7 * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    return places @ turn.T + [20, 50]


def test_another_view_of_the_same_thing():
    view = LocalDescriptors(moved(PLACES), LOOKS + RANDOM.normal(0, 0.02, LOOKS.shape))
    assert consistent_matches(view, IMAGE) == 60


def test_matches_without_a_common_transform_are_few():
    scattered = LocalDescriptors(RANDOM.uniform(0, 300, (60, 2)), LOOKS)
    assert consistent_matches(scattered, IMAGE) < 10


def test_other_descriptors_do_not_match():
    assert consistent_matches(LocalDescriptors(PLACES, RANDOM.normal(size=(60, 32))), IMAGE) < 10


def test_a_repeated_pattern_fails_the_ratio_test():
    twice = LocalDescriptors(np.tile(PLACES, (2, 1)), np.tile(LOOKS, (2, 1)))
    assert consistent_matches(IMAGE, twice) == 0


def test_many_points_on_one_are_no_evidence():
    crowd = LocalDescriptors(PLACES, np.tile(LOOKS[:1], (60, 1)))
    assert consistent_matches(crowd, IMAGE) == 0


def test_equal_images_get_equal_answers():
    view = LocalDescriptors(moved(PLACES) + RANDOM.normal(0, 2, PLACES.shape), LOOKS)
    assert len({consistent_matches(view, IMAGE) for _ in range(4)}) == 1


@pytest.mark.parametrize("count", [0, 3])
def test_too_few_points(count):
    assert consistent_matches(LocalDescriptors(PLACES[:count], LOOKS[:count]), IMAGE) == 0


def test_what_is_refused():
    with pytest.raises(ParameterError, match="32 and 8 components"):
        consistent_matches(IMAGE, LocalDescriptors(PLACES, LOOKS[:, :8]))
    with pytest.raises(ParameterError, match="shapes"):
        LocalDescriptors(PLACES[:5], LOOKS)
    with pytest.raises(ParameterError, match="NaN"):
        LocalDescriptors(PLACES, LOOKS * np.nan)
