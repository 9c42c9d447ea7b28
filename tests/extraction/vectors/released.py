"""What tests of released vectors share: vectors, releases, and a ledger that remembers."""

from __future__ import annotations

import numpy as np

import privis
from privis.errors import BudgetError
from privis.privacy import (
    Budget,
    BudgetUnit,
    CodeRelease,
    DirectionRelease,
    FeatureRelease,
    Gaussian,
    HistogramRelease,
    Laplace,
    Per,
    PrivUnit,
    RandomisedResponse,
    ReleaseKey,
)

KEY = ReleaseKey(bytes(range(32)))
VECTORS = np.random.default_rng(5).normal(size=(4, 6)).astype(np.float32)
IDS = ["a", "b", "c", "d"]
NOISY = FeatureRelease(Gaussian(8.0, 1e-6), clip=3.0)
RELEASES = {
    "feature": NOISY,
    "laplace": FeatureRelease(Laplace(8.0), clip=3.0),
    "direction": DirectionRelease(PrivUnit(8.0)),
    "code": CodeRelease(RandomisedResponse(8.0)),
    "counts": HistogramRelease(Laplace(8.0), moves=1, total=50),
}


def made(vectors=VECTORS, release=NOISY, **options):
    given = {"records": IDS[: len(vectors)], "key": KEY} | options
    return privis.release(vectors, release, **given)


def values_of(name: str) -> np.ndarray:
    return np.abs(np.round(VECTORS * 5)) if name == "counts" else VECTORS


class Book:
    """A ledger that remembers."""

    def __init__(self, unit: BudgetUnit | None = None, per: Per = Per.SUBJECT, most: int = 100) -> None:
        self.budget = None if unit is None else Budget(1.0, 1e-6, per, unit)
        self.lines: list[tuple[str, str]] = []
        self.most = most

    def charge(self, record, guarantee, release_id, *, formerly=()) -> None:
        if (record, release_id) in self.lines:
            return
        if len(self.lines) >= self.most:
            raise BudgetError(privis.Problem("ledger", "no budget", "some"))
        self.lines.append((record, release_id))
