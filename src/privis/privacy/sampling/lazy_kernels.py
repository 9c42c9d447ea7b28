"""The compiled loops, loaded when first used: numba is slow to import, and so are import statements in a hot path."""

from __future__ import annotations

from functools import cache
from types import ModuleType


@cache
def kernels() -> ModuleType:
    """Import `privis.privacy.sampling.kernels` at the first call, and return it."""
    import privis.privacy.sampling.kernels

    return privis.privacy.sampling.kernels
