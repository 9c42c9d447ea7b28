"""Motion that is unusual at its place, on drawn frames.

Answers for `privis.tasks.behaviour.unusual_motion` and `privis.estimators.video.unusual_moments`.
"""

from __future__ import annotations

import numpy as np
import pytest

from privis.errors import ImageError, ParameterError
from privis.estimators.video.unusual_moments import unusual_moments
from privis.tasks.behaviour import UnusualMotionPlan, most_unusual_region, motion_in_cells, unusualness, usual_motion
from tests.tasks.tracking.walking import boxes_at, drawn, scene

WALKERS = ((10.0, 8.0, 60.0), (150.0, -7.0, 70.0), (60.0, 8.0, 115.0), (120.0, -7.0, 110.0))


def frames(rng: np.random.Generator, cyclist: float, count: int = 60) -> list[tuple[float, np.ndarray]]:
    """People who walk; from the second second on somebody is as fast as ``cyclist``, pixels a second."""
    ground = scene(rng)
    made = []
    for number in range(count):
        time = number / 10
        people = (*WALKERS, (-cyclist, cyclist, 90.0)) if time >= 1 else WALKERS
        made.append((time, drawn(ground, boxes_at(time, people))))
    return made


def test_who_is_faster_than_all_is_the_most_unusual(rng: np.random.Generator) -> None:
    shown = frames(rng, 90.0)
    found = unusual_moments(shown)
    assert len(found.regions) == len(found.times) == 60
    hits = []
    for (time, _), region in zip(shown, found.regions, strict=True):
        x = -90.0 + 90.0 * time
        if 4 <= x <= 180:
            hits.append(region.x < x + 16 and region.x + region.w > x and region.y < 90 and region.y + region.h > 50)
    assert len(hits) > 15 and np.mean(hits) >= 0.9
    assert 1.0 <= found.times[found.top(1)[0]] <= 4.0
    assert len({round(found.times[place]) for place in found.top(3)}) == 3
    assert found.picture().shape == shown[0][1].shape


def test_places_nearer_the_camera_may_move_more() -> None:
    motion = np.zeros((50, 8, 8), np.float32)
    motion[:, 6, ::2] = 40.0  # people near the camera, always
    motion[25, 1, 3] = 12.0
    plan = UnusualMotionPlan(cells=8, smoothing=0.5)
    unusual = unusualness(motion, usual_motion(motion, plan), plan)
    assert np.unravel_index(unusual.argmax(), unusual.shape) == (25, 1, 3)
    assert most_unusual_region(unusual[25], (80, 80))[1:] == (30.0, 10.0, 10.0, 10.0)


def test_still_and_wrong_recordings() -> None:
    still = np.full((40, 60, 3), 90, np.uint8)
    found = unusual_moments([(0.0, still), (1.0, still), (2.0, still)])
    assert found.top(3) == () and not found.heat.any() and found.regions[0].score == 0
    with pytest.raises(ImageError, match="1 frame"):
        unusual_moments([(0.0, still)], where="a.mp4")
    with pytest.raises(ImageError, match="60 x 40 and 40 x 60"):
        unusual_moments([(0.0, still), (1.0, still.transpose(1, 0, 2))])
    with pytest.raises(ParameterError, match="one size"):
        motion_in_cells(still[..., 0], still[:20, :, 0])
    with pytest.raises(ParameterError, match="some"):
        usual_motion(np.zeros((0, 4, 4)))


def test_all_that_is_wrong_with_a_plan_is_said() -> None:
    with pytest.raises(ParameterError) as refused:
        UnusualMotionPlan(cells=1, region=(0, 3), share=1.0, smoothing=0.0, floor=-1.0)
    assert len(refused.value.problems) == 5
