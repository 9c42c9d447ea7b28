"""Backgrounds, foregrounds, and people in them.

Answers for `privis.tasks.tracking.finding.foreground`, `privis.tasks.tracking.finding.rolling_background`,
`privis.tasks.tracking.finding.person_scale`, `privis.tasks.tracking.finding.moving_people` and
`privis.tasks.tracking.finding.appearance`.
"""

from __future__ import annotations

import numpy as np
import pytest

from privis.errors import ParameterError
from privis.tasks.detection.boxes import overlaps
from privis.tasks.tracking import (
    Background,
    BackgroundPlan,
    ForegroundPlan,
    PersonScale,
    PlacesOfPeople,
    RollingBackground,
    appearance_distances,
    appearances,
    closed_foreground,
    people_in_foreground,
)
from tests.tasks.tracking.walking import SHAPE, boxes_at, drawn, scene

SCALE = PersonScale(0.0, 40.0, 0.4)


def test_the_background_is_what_stands_in_most_samples(rng: np.random.Generator) -> None:
    ground = scene(rng)
    samples = [drawn(ground, boxes_at(n, ((10, 30, 100),))) for n in range(5)]
    assert (Background.learned(samples).pixels == ground).all()
    assert Background.learned(samples).noise == 0


def test_the_noise_of_the_camera_is_measured_and_not_taken_for_people(rng: np.random.Generator) -> None:
    ground = np.full((*SHAPE, 3), 120, np.float64)
    samples = [np.clip(ground + rng.normal(0, 8, ground.shape), 0, 255).astype(np.uint8) for _ in range(15)]
    background = Background.learned(samples)
    assert 7 < background.noise < 9
    assert background.foreground(samples[3]).mean() < 0.001


@pytest.mark.parametrize("samples", [[], [np.zeros((4, 4, 3), np.uint8)] * 2, [np.zeros((4, 4), np.uint8)] * 3])
def test_too_few_samples_or_of_a_wrong_shape_are_refused(samples: list[np.ndarray]) -> None:
    with pytest.raises(ParameterError, match="at least 3 frames"):
        Background.learned(samples)


def test_a_frame_of_another_size_is_refused() -> None:
    with pytest.raises(ParameterError, match="of shape"):
        Background(np.zeros((4, 6, 3), np.uint8), 0.0).foreground(np.zeros((4, 7, 3), np.uint8))


def test_a_plan_names_all_that_is_wrong() -> None:
    with pytest.raises(ParameterError) as caught:
        ForegroundPlan(least_difference=-1, noise_factor=0, shadow=(0.9, 0.1))
    assert len(caught.value.problems) == 3


def test_shadows_are_ground_and_dark_clothes_are_not(rng: np.random.Generator) -> None:
    ground = np.full((*SHAPE, 3), (160, 140, 120), np.uint8)
    frame = ground.copy()
    frame[10:20, 10:20] = (ground[0, 0] * 0.7).astype(np.uint8)  # a shadow
    frame[40:50, 10:20] = (50, 45, 40)  # too dark for one
    frame[70:80, 10:20] = (100, 140, 160)  # as dark, of another colour
    moving = Background(ground, 1.0).foreground(frame)
    assert not moving[10:20, 10:20].any()
    assert moving[40:50, 10:20].all() and moving[70:80, 10:20].all()


def test_what_is_rolling_follows_the_light_and_stays_bounded() -> None:
    plan = BackgroundPlan(span=10.0, samples=5)
    rolling = RollingBackground(plan)
    assert rolling.background is None
    for n in range(200):
        rolling.add(n / 4, np.full((4, 6, 3), 10 if n < 100 else 90, np.uint8))
    assert len(rolling.samples) == 5
    assert rolling.background is not None and rolling.background.pixels.max() == 90


def test_the_scale_is_learned_among_groups_and_fragments(rng: np.random.Generator) -> None:
    feet = rng.uniform(100, 350, 120)
    heights = (20 + 0.12 * feet) * rng.normal(1, 0.05, 120)
    boxes = np.stack([feet, feet - heights, 0.4 * heights, heights], axis=1)
    groups, pieces = boxes[:40].copy(), boxes[40:70].copy()
    groups[:, 2] *= 2.5
    pieces[:, 3] *= 0.5
    pieces[:, 2] *= 0.4
    scale = PersonScale.learned(np.concatenate([boxes, groups, pieces]), (360, 480))
    assert scale is not None
    assert np.allclose(scale.heights([100, 350]), [32, 62], rtol=0.06)


def test_no_scale_is_learned_of_nothing_or_of_a_heap(rng: np.random.Generator) -> None:
    assert PersonScale.learned(np.zeros((0, 4)), (360, 480)) is None
    assert PersonScale.learned([[0, 0, 10, 30]] * 5, (360, 480)) is None
    falling = np.linspace(100, 300, 50)  # smaller the nearer they are
    boxes = np.stack([falling, falling - (90 - 0.2 * falling), 20 + 0 * falling, 90 - 0.2 * falling], axis=1)
    assert PersonScale.learned(boxes, (360, 480)) is None


@pytest.mark.parametrize("apart", [40.0, 18.0, 12.0])
def test_two_people_are_two_however_near_they_walk(rng: np.random.Generator, apart: float) -> None:
    ground = scene(rng)
    boxes = boxes_at(0, ((60, 0, 100), (60 + apart, 0, 100)))
    moving = closed_foreground(Background(ground, 1.0).foreground(drawn(ground, boxes)), 40.0)
    found = people_in_foreground(moving, PlacesOfPeople(SCALE, SHAPE))
    assert len(found) == 2
    assert (overlaps(boxes, found.boxes).max(axis=1) > 0.6).all()


def test_of_two_that_overlap_the_one_who_is_expected_is_found() -> None:
    moving = np.zeros(SHAPE, np.uint8)
    moving[60:100, 60:90] = 1  # a blob of nearly two people
    places = PlacesOfPeople(SCALE, SHAPE)
    for middle in (70.0, 80.0):
        found = people_in_foreground(moving, places, [[middle, 100.0]])
        assert abs(found.boxes[:, 0] + 8 - middle).min() <= 2


def test_people_at_the_sides_of_the_picture_and_pictures_without_any(rng: np.random.Generator) -> None:
    ground = scene(rng)
    boxes = boxes_at(0, ((-3, 0, 60), (190, 0, 125)))
    moving = Background(ground, 1.0).foreground(drawn(ground, boxes))
    found = people_in_foreground(moving, PlacesOfPeople(SCALE, SHAPE))
    assert (overlaps(boxes, found.boxes).max(axis=1) > 0.5).all()
    assert len(people_in_foreground(np.zeros(SHAPE, np.uint8), PlacesOfPeople(SCALE, SHAPE))) == 0


def test_people_look_alike_themselves_and_unlike_others(rng: np.random.Generator) -> None:
    ground = scene(rng)
    people = ((20.0, 20.0, 100.0), (130.0, -5.0, 100.0))
    looks = []
    for second in (0.0, 2.0):
        frame, boxes = drawn(ground, boxes_at(second, people)), boxes_at(second, people)
        looks.append(appearances(frame, Background(ground, 1.0).foreground(frame), boxes))
    distances = appearance_distances(looks[0], looks[1])
    assert distances.diagonal().max() < 0.2 < 0.8 < distances[0, 1]
    assert appearance_distances(looks[0], np.zeros((1, looks[0].shape[1]))).tolist() == [[0.5], [0.5]]
