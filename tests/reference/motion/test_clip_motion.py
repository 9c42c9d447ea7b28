"""The descriptor of clips against its definition, moment by moment, in plain numpy.

Answers for `privis.features.motion.clip_motion`.
"""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from privis.errors import ParameterError, UnsupportedError
from privis.extraction.extractor import Extractor
from privis.extraction.images import extract
from privis.extraction.owner.at_owner import AtOwner
from privis.features.motion.clip_motion import ClipMotion
from privis.features.motion.frame_stack import stacked_frames
from privis.io.images.record import ImageRecord
from privis.run.clear import Clear
from privis.tasks.linear_head import LinearHead
from privis.tasks.linear_stages import LinearMap

SMALL = ClipMotion(frames=8, grid=(2, 4), size=None)


def described(feature: ClipMotion, frames: np.ndarray) -> dict[str, float]:
    image = stacked_frames(list(frames))
    found = Extractor(feature, Clear(), None, None, None)(ImageRecord(image, "clip"))
    return dict(zip(feature.names(image.shape), found.tolist(), strict=True))


def moment(before: np.ndarray, after: np.ndarray, rows: int, columns: int) -> dict[str, float]:
    """What is said of two frames, pixel by pixel."""
    a, b = before.astype(float), after.astype(float)
    difference, middle = b - a, (a + b) / 2
    down, across = np.zeros_like(a), np.zeros_like(a)
    down[1:-1] = (middle[2:] - middle[:-2]) / 2
    across[:, 1:-1] = (middle[:, 2:] - middle[:, :-2]) / 2
    high, wide = a.shape[0] // rows, a.shape[1] // columns
    sums = {"down": 0.0, "sideways": 0.0, "downwards": 0.0, "speed": 0.0, "y": 0.0, "n": 0.0}
    for row in range(rows):
        for column in range(columns):
            cell = np.s_[row * high : (row + 1) * high, column * wide : (column + 1) * wide]
            v = -(difference[cell] * down[cell]).sum() / ((down[cell] ** 2).sum() + 4 * high * wide)
            u = -(difference[cell] * across[cell]).sum() / ((across[cell] ** 2).sum() + 4 * high * wide)
            moving = float((np.abs(difference[cell]) >= 12).sum())
            for name, value in (("down", v), ("sideways", abs(u)), ("downwards", max(v, 0)), ("speed", np.hypot(u, v))):
                sums[name] += moving * value
            sums["y"] += moving * (row + 0.5) / rows
            sums["n"] += moving
    weight = sums["n"] + high * wide / 2
    found = {name: np.clip(sums[name] / weight / 8, -1, 1) for name in ("down", "sideways", "downwards", "speed")}
    changed = {f"changed{level}": np.sqrt((np.abs(difference) >= level).mean()) for level in (6, 12, 24, 48, 96)}
    return {**found, **changed, "height": sums["y"] / weight}


def test_statistics_are_those_of_all_moments(rng: np.random.Generator) -> None:
    frames = rng.integers(0, 40, (8, 16, 24), np.uint8)
    frames[3:, 4:12, 6:12] += 120
    found = described(SMALL, frames)
    moments = [moment(a, b, 2, 4) for a, b in itertools.pairwise(frames)]
    for signal in moments[0]:
        values = np.array([each[signal] for each in moments])
        wanted = values.max(), values.min(), values.mean(), values.std()
        got = [found[f"{signal}_{statistic}"] for statistic in ("max", "min", "mean", "deviation")]
        assert got == pytest.approx(wanted, abs=1e-5), signal
    strong = np.maximum(np.abs(np.diff(frames.astype(float), axis=0)) - 8, 0)
    bands = strong.reshape(7, 4, 4, 24).mean((2, 3))
    assert found["band_0_1"] == pytest.approx(np.sqrt(bands[0, 1]) / 16, abs=1e-5)
    assert found["band_5_2"] == pytest.approx(np.sqrt(bands[5:7, 2].mean()) / 16, abs=1e-5)


def falling(step: int, texture: np.ndarray) -> np.ndarray:
    frames = np.full((8, 48, 48), 60, np.uint8)
    for number in range(8):
        top = 6 + step * number if step >= 0 else 36 + step * number
        frames[number, top : top + 8, 16:32] = texture
    return frames


def test_down_is_down_and_sideways_is_neither(rng: np.random.Generator) -> None:
    shade = (120 + 60 * np.sin(np.linspace(0, 3, 8))[:, None] + np.zeros((8, 16))).astype(np.uint8)
    feature = ClipMotion(frames=8, grid=(3, 3), size=None)
    down, up = described(feature, falling(2, shade)), described(feature, falling(-2, shade))
    assert down["down_mean"] > 0.02 > -0.02 > up["down_mean"]
    assert down["height_max"] > down["height_min"] and up["downwards_mean"] < down["downwards_mean"]
    turned = described(feature, falling(2, shade).transpose(0, 2, 1))
    assert abs(turned["down_mean"]) < down["down_mean"] / 2 < turned["sideways_mean"]


def test_a_clip_that_is_filled_up_with_its_last_frame_is_the_same_clip(rng: np.random.Generator) -> None:
    short = rng.integers(0, 255, (8, 16, 24), np.uint8)
    long = np.concatenate([short, np.repeat(short[-1:], 8, 0)])
    twice = ClipMotion(frames=16, grid=(2, 4), size=None)
    assert described(SMALL, short) == pytest.approx(described(twice, long), abs=1e-6)


def test_nothing_moves_in_a_still_clip_and_everything_is_bounded(rng: np.random.Generator) -> None:
    still = described(SMALL, np.full((8, 16, 24), 90, np.uint8))
    assert not any(still.values())
    flashes = np.zeros((8, 16, 24), np.uint8)
    flashes[::2, :, ::2] = 255
    found = described(SMALL, flashes)
    assert max(map(abs, found.values())) <= 1 and found["changed96_max"] == pytest.approx(np.sqrt(0.5))


def test_what_is_no_stack_of_frames_is_refused() -> None:
    with pytest.raises(ParameterError) as refused:
        ClipMotion(frames=4, rate=0, grid=(0, 2))
    assert len(refused.value.problems) == 3
    with pytest.raises(ParameterError, match="below each other"):
        ClipMotion(frames=48, size=(2881, 80))
    with pytest.raises(ParameterError, match="below each other"):
        SMALL.program((50, 24))


def test_its_owner_describes_and_a_head_follows_on_the_hidden_vector(rng: np.random.Generator) -> None:
    feature = ClipMotion(frames=8, grid=(2, 4), size=(128, 24))
    head = LinearHead(("a", "b"), (LinearMap(rng.normal(size=(1, 76)), np.zeros(1)),))
    image = rng.integers(0, 255, (128, 24), np.uint8)
    with pytest.raises(UnsupportedError, match="AtOwner"):
        feature >> head  # type: ignore[operator]
    scores = extract(AtOwner(feature) >> head, [image]).features  # type: ignore[operator]
    assert scores == pytest.approx(head.scores(extract(feature, [image]).features), abs=1e-5)
