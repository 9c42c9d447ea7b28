"""Galleries as fetch-by-similarity makes them: half of the rows near centres, payloads of seven numbers."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

NEAR, THRESHOLD = 0.3, 0.8
_ROWS_OF_A_CENTRE, _WIDTH, _LARGEST = 32, 7, 512


@dataclass(frozen=True, eq=False)
class FetchData:
    """Unit rows float32 (N, dimension), their payloads int16 (N, 7) in [0, 512), and the centres."""

    rows: NDArray[np.float32] = field(repr=False)
    payloads: NDArray[np.int16] = field(repr=False)
    centres: NDArray[np.float32] = field(repr=False)
    generator: np.random.Generator = field(repr=False)

    def query(self, near: bool) -> NDArray[np.float32]:
        """A unit vector, near a centre or anywhere."""
        made = self.generator.standard_normal(self.rows.shape[1], np.float32)
        made /= np.linalg.norm(made)
        if near:
            made = self.centres[self.generator.integers(len(self.centres))] + np.float32(NEAR) * made
        return made / np.linalg.norm(made)

    def expected(self, query: NDArray[np.float32]) -> NDArray[np.int16]:
        """Payloads of the rows whose cosine is above the threshold, sorted by their first numbers, then the next."""
        found = self.payloads[self.rows @ query > THRESHOLD]
        return found[np.lexsort(found.T[::-1])]


def made_up(rows: int, dimension: int, seed: int) -> FetchData:
    """Make a gallery; the same for the same seed."""
    generator = np.random.default_rng(seed)
    centres = generator.standard_normal((max(1, rows // _ROWS_OF_A_CENTRE), dimension), np.float32)
    centres /= np.linalg.norm(centres, axis=1, keepdims=True)
    made = generator.standard_normal((rows, dimension), np.float32)
    made /= np.linalg.norm(made, axis=1, keepdims=True)
    near = generator.random(rows) < 0.5
    made[near] = centres[generator.integers(len(centres), size=near.sum())] + np.float32(NEAR) * made[near]
    made /= np.linalg.norm(made, axis=1, keepdims=True)
    payloads = generator.integers(0, _LARGEST, (rows, _WIDTH), dtype=np.int16)
    return FetchData(made, payloads, centres, generator)
