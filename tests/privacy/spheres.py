"""What the tests of released directions share: laws, streams and inputs."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from privis.privacy import NoiseStream, ReleaseKey
from privis.privacy.sampling.zonal_distribution import ZonalDistribution, best_cap

KEY = ReleaseKey(bytes(range(32)))  # fixed: a test must not be a lottery
LAWS = [
    ZonalDistribution(2, 0.0, 1.0, best_cap(1.0, 2)),
    ZonalDistribution(3, 0.0, 30.0, best_cap(30.0, 3)),
    ZonalDistribution(512, 0.0, 8.0, best_cap(8.0, 512)),
    ZonalDistribution(2, 9.0, 0.0, 0.0),
    ZonalDistribution(40, 300.0, 0.0, 0.0),
]


def streams(count: int, record: str = "a.png") -> list[NoiseStream]:
    return [KEY.stream(f"{record} {index}", b"", b"") for index in range(count)]


def unit_vector(dimension: int, seed: int = 0) -> npt.NDArray[np.float64]:
    vector = np.random.default_rng(seed).normal(size=dimension)
    return vector / np.linalg.norm(vector)
