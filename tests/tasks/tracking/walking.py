"""People who walk through drawn frames, and the tracks that they leave."""

from __future__ import annotations

import numpy as np

from privis.tasks.tracking import Tracks

SHAPE = (120, 200)
COLOURS = ((220, 40, 40), (40, 200, 40), (40, 40, 230), (230, 230, 60))


def scene(rng: np.random.Generator) -> np.ndarray:
    """A ground with texture, uint8 (H, W, 3)."""
    return rng.integers(90, 140, (*SHAPE, 3), np.uint8)


def boxes_at(seconds: float, people: tuple[tuple[float, float, float], ...]) -> np.ndarray:
    """Boxes of people of 16 x 40 pixels: x at the start, pixels by second, row of the feet."""
    return np.array([(x + speed * seconds, row - 40, 16, 40) for x, speed, row in people]).reshape(-1, 4)


def drawn(ground: np.ndarray, boxes: np.ndarray) -> np.ndarray:
    """A frame with heads, bodies and legs."""
    frame = ground.copy()
    for number, (x, y, w, h) in enumerate(boxes):
        for top, bottom, share in ((0.0, 0.17, 0.4), (0.17, 0.55, 0.85), (0.55, 1.0, 0.65)):
            left, right = x + (1 - share) * w / 2, x + (1 + share) * w / 2
            rows = slice(max(0, round(y + top * h)), max(0, round(y + bottom * h)))
            frame[rows, max(0, round(left)) : max(0, round(right))] = COLOURS[number % len(COLOURS)]
    return frame


def truth(frames: int, rate: float, people: tuple[tuple[float, float, float], ...]) -> Tracks:
    """The tracks of people who are there all the time."""
    times = np.repeat(np.arange(frames) / rate, len(people))
    boxes = np.concatenate([boxes_at(n / rate, people) for n in range(frames)])
    ids = np.tile(np.arange(1, len(people) + 1), frames)
    return Tracks(np.repeat(np.arange(1, frames + 1), len(people)), ids, boxes, np.ones(len(ids)), times)
