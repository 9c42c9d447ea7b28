"""``PreparedFeature``, the core of a feature ready to run, and ``PreparedPrograms``, the last few of them."""

from __future__ import annotations

import hashlib
import os
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, TypeVar

from privis.features.feature import Feature, NamedTensor, tensors
from privis.program import Program, digest
from privis.program.shapes import Shape
from privis.readings import Cost, PredictedError
from privis.readings import cost as count
from privis.run.clear import Clear
from privis.run.protocol import Executor, Many

K, T = TypeVar("K"), TypeVar("T")
MOST_SHAPES = 32  # prepared programs kept at a time; a folder may hold any number of image sizes
MOST_WITH_KEYS = 4  # where several images may share what is prepared: hundreds of megabytes of keys each


@dataclass(frozen=True, eq=False)
class PreparedFeature:
    """The core of a feature for one input shape, ready to run; ``many`` where several images at once are cheaper."""

    feature: Feature
    under: Executor
    shape: Shape
    program: Program
    run: Callable[..., Any]
    made_by: bytes
    many: Many | None = None

    @cached_property
    def digest(self) -> str:
        """The program's digest; hashing weights takes a while, so only when asked."""
        return digest(self.program)

    @cached_property
    def purpose(self) -> bytes:
        """What tells noise on this feature from any other noise."""
        return purpose_of(self.made_by, self.digest)

    @cached_property
    def names(self) -> tuple[str, ...]:
        """A name of every component of the vector."""
        return self.feature.names(self.shape)

    @cached_property
    def layout(self) -> tuple[NamedTensor, ...]:
        """Name and shape of what lies in the vector."""
        return tensors(self.feature, self.shape)

    @cached_property
    def cost(self) -> Cost:
        """What the program counts, whoever runs it."""
        return count(self.program)

    @cached_property
    def error(self) -> PredictedError | None:
        """What a card says of the executor's error; None in the clear."""
        return stated_error(self.under, self.program)


def purpose_of(made_by: bytes, program_digest: str) -> bytes:
    """What tells noise on a feature from any other noise: who computes what, and the core program."""
    return hashlib.sha256(made_by + program_digest.encode()).digest()


@dataclass(eq=False)
class PreparedPrograms:
    """What was prepared of one feature under one executor, for all threads of one process.

    Args:
        most: programs that are kept; those that were not used for longest go.
    """

    most: int
    process: int = field(default_factory=os.getpid)
    turn: threading.Lock = field(default_factory=threading.Lock)
    _making: threading.RLock = field(default_factory=threading.RLock)
    _features: dict[tuple[Shape, int], PreparedFeature] = field(default_factory=dict)
    _sharing: dict[tuple[Shape, int], int] = field(default_factory=dict)

    def found(
        self, shape: Shape, images: int, together: Callable[[], int], make: Callable[[], PreparedFeature]
    ) -> PreparedFeature:
        """The core for inputs of ``shape``, made where it is not kept.

        Args:
            shape: of the core's input.
            images: how many there will be.
            together: how many of them are computed at once.
            make: makes it, for that number.
        """
        with self._making:
            sharing = _last(self._sharing, (shape, images), together, 16 * self.most)
            return _last(self._features, (shape, sharing), make, self.most)

    def clear(self) -> None:
        """Forget all programs, and the keys that were made for them."""
        with self._making:
            self._features.clear()
            self._sharing.clear()


def _last(kept: dict[K, T], key: K, make: Callable[[], T], most: int) -> T:
    """What is kept under ``key``, or made: it is the last to go from now on."""
    found = kept.pop(key) if key in kept else make()
    while len(kept) >= most:
        del kept[next(iter(kept))]
    kept[key] = found
    return found


def stated_error(under: Executor, program: Program) -> PredictedError | None:
    """What a card says of an executor's error; None in the clear, and where an executor has no prediction."""
    return None if isinstance(under, Clear) else predicted_error(under, program)


def predicted_error(under: Executor, program: Program) -> PredictedError | None:
    """What ``under`` predicts; None where an executor has no prediction."""
    predict = getattr(under, "error", None)
    return None if predict is None else predict(program)
