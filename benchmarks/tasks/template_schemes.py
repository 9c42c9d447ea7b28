"""Schemes of renewable templates, as they are published, and the solver that inverts them with a known key.

Only the rotation is part of Privis. The others are here to be measured:

- BioHashing: A. Teoh, A. Goh and D. Ngo, doi:10.1109/TPAMI.2006.250: signs of a rotated template.
- Index-of-max hashing (GRP): Z. Jin et al., doi:10.1109/TIFS.2017.2753172: which of 16 random projections is largest.
- PolyProtect: V. Krivokuca Hahn and S. Marcel, arXiv:2110.00434: polynomials of five neighbouring components.

The solver follows V. Krivokuca Hahn, J. Maceiras and S. Marcel, arXiv:2605.03857: minimise the cosine distance of a
guess's protected template to the stolen one. Here it is gradient descent (Adam) through a smooth form of each scheme,
from templates of other people: a better solver may succeed more often.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np

from privis.privacy import TemplateKey

Array = np.ndarray
HASHES, CHOICES = 100, 16


def unit(rows: Array) -> Array:
    return rows / np.linalg.norm(rows, axis=-1, keepdims=True)


class Scheme(Protocol):
    """A scheme under one key."""

    def protected(self, rows: Array) -> Array:
        """Rows that are compared by their cosine."""
        ...

    def smooth(self, rows: Array) -> tuple[Array, Array]:
        """A form of `protected` that has a gradient, and what `pulled` needs of it."""
        ...

    def pulled(self, rows: Array, kept: Array, gradient: Array) -> Array:
        """The gradient by the template of what has this gradient by its smooth form."""
        ...


class Rotation:
    """What Privis ships."""

    def __init__(self, seed: int, components: int) -> None:
        self.matrix = TemplateKey(seed.to_bytes(32, "big")).rotation(components)

    def protected(self, rows: Array) -> Array:
        """Rows that are compared."""
        return rows @ self.matrix.T

    def smooth(self, rows: Array) -> tuple[Array, Array]:
        """A form with a gradient."""
        return rows @ self.matrix.T, rows

    def pulled(self, rows: Array, kept: Array, gradient: Array) -> Array:
        """The gradient by the template."""
        return gradient @ self.matrix


class BioHash(Rotation):
    """A bit of each component."""

    def protected(self, rows: Array) -> Array:
        """Rows that are compared."""
        return np.where(rows @ self.matrix.T > 0, 1.0, -1.0)

    def smooth(self, rows: Array) -> tuple[Array, Array]:
        """A form with a gradient."""
        bits = np.tanh(2 * np.sqrt(rows.shape[1]) * unit(rows) @ self.matrix.T)
        return bits, bits

    def pulled(self, rows: Array, kept: Array, gradient: Array) -> Array:
        """The gradient by the template."""
        return 2 * np.sqrt(rows.shape[1]) * (gradient * (1 - kept**2)) @ self.matrix


class IndexOfMax:
    """The index of the largest of 16 projections, 100 times, one-hot."""

    def __init__(self, seed: int, components: int) -> None:
        self.matrix = np.random.default_rng(seed).normal(size=(HASHES * CHOICES, components))

    def _products(self, rows: Array) -> Array:
        return (unit(rows) @ self.matrix.T).reshape(len(rows), HASHES, CHOICES)

    def protected(self, rows: Array) -> Array:
        """Rows that are compared."""
        return np.eye(CHOICES)[self._products(rows).argmax(2)].reshape(len(rows), -1)

    def smooth(self, rows: Array) -> tuple[Array, Array]:
        """A form with a gradient."""
        powers = np.exp(4 * self._products(rows))
        shares = powers / powers.sum(2, keepdims=True)
        return shares.reshape(len(rows), -1), shares

    def pulled(self, rows: Array, kept: Array, gradient: Array) -> Array:
        """The gradient by the template."""
        by_share = gradient.reshape(kept.shape)
        by_product = kept * (by_share - (kept * by_share).sum(2, keepdims=True))
        return 4 * by_product.reshape(len(rows), -1) @ self.matrix


class PolyProtect:
    """Polynomials with coefficients from 1 to 50 of either sign and exponents 1 to 5, each window shifted by a step."""

    step = 1

    def __init__(self, seed: int, components: int) -> None:
        random = np.random.default_rng(seed)
        self.coefficients = random.choice(np.r_[-50:0, 1:51], 5, replace=False).astype(float)
        self.exponents = random.permutation(5) + 1
        self.places = np.arange(0, components - 4, self.step)[:, None] + np.arange(5)
        self.scale = np.sqrt(components)  # components of about 1: what 2605.03857 calls normalised

    def protected(self, rows: Array) -> Array:
        """Rows that are compared."""
        windows = (self.scale * unit(rows))[:, self.places]
        return (self.coefficients * windows**self.exponents).sum(2)

    def smooth(self, rows: Array) -> tuple[Array, Array]:
        """A form with a gradient."""
        return self.protected(rows), (self.scale * unit(rows))[:, self.places]

    def pulled(self, rows: Array, kept: Array, gradient: Array) -> Array:
        """The gradient by the template."""
        slopes = gradient[:, :, None] * self.coefficients * self.exponents * kept ** (self.exponents - 1)
        out = np.zeros_like(rows)
        for term in range(5):
            np.add.at(out, (slice(None), self.places[:, term]), slopes[:, :, term])
        return self.scale * out


class PolyProtectApart(PolyProtect):
    """Windows that do not overlap: the hardest to invert, and the least accurate."""

    step = 5


SCHEMES: dict[str, type[Scheme]] = {
    "rotation (Privis)": Rotation,
    "BioHashing": BioHash,
    "index-of-max": IndexOfMax,
    "PolyProtect, overlap 4": PolyProtect,
    "PolyProtect, overlap 0": PolyProtectApart,
}


@dataclass(frozen=True)
class Solver:
    """Gradient descent on the cosine distance to a stolen template."""

    steps: int = 150
    starts: int = 2
    rate: float = 0.05

    def inverted(self, scheme: Scheme, stolen: Array, others: Array, seed: int = 0) -> Array:
        """Guess templates, of length 1, from protected ones: of several starts the one that comes nearest."""
        random, best, nearest = np.random.default_rng(seed), None, np.full(len(stolen), -np.inf)
        target = unit(stolen)
        for _ in range(self.starts):
            rows = others[random.integers(len(others), size=len(stolen))].copy()
            mean, square = np.zeros_like(rows), np.zeros_like(rows)
            for step in range(1, self.steps + 1):
                formed, kept = scheme.smooth(rows)
                length = np.linalg.norm(formed, axis=1, keepdims=True)
                cosine = (formed * target).sum(1, keepdims=True) / length
                gradient = scheme.pulled(rows, kept, (cosine * formed / length - target) / length)
                mean, square = 0.9 * mean + 0.1 * gradient, 0.99 * square + 0.01 * gradient**2
                change = mean / (1 - 0.9**step) / (np.sqrt(square / (1 - 0.99**step)) + 1e-12)
                rows = unit(rows - self.rate * (1 - step / (self.steps + 1)) / np.sqrt(rows.shape[1]) * change)
            reached = (unit(scheme.protected(rows)) * target).sum(1)
            best = rows if best is None else np.where((reached > nearest)[:, None], rows, best)
            nearest = np.maximum(nearest, reached)
        assert best is not None
        return best
