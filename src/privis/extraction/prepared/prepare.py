"""``prepare``: a feature that is ready to run, for images that come one after another."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np

from privis.errors import ParameterError, Problem, refuse
from privis.extraction.extractor import Extractor
from privis.extraction.images import Result, check_release, extracted, listed_images
from privis.extraction.programs.prepared_programs import MOST_SHAPES, MOST_WITH_KEYS, PreparedPrograms
from privis.features.feature import Feature
from privis.privacy import Ledger, Release
from privis.privacy.sampling.release_key import KeySource
from privis.program.shapes import Shape
from privis.run.clear import Clear
from privis.run.protocol import BatchingExecutor, ClosableExecutor, Executor, StartingExecutor
from privis.validation import whole_number


@dataclass(eq=False, repr=False)
class Prepared:
    """A feature under an executor, with all that is made once: program, session, keys, parties. Made by `prepare`.

    Call it with one image or several. Several threads may; only `Clear` computes for them at the same time. A child of
    a fork prepares its own: nothing that was made here, keys above all, is used in two processes.

    Args:
        feature: what is extracted.
        under: who computes.
        release: what the output may say; None: everything.
        ledger: budget that is charged before any noise is drawn.
        key: secret that noise is a function of; None: a fresh one in every call.
        images: how many will come at a time; None: each call has its own number.

    >>> from privis import HOG
    >>> with prepare(HOG(), shape=(64, 64)) as hog:
    ...     [hog(np.zeros((64, 64), np.uint8)).features.shape for _ in range(2)]
    [(1, 2916), (1, 2916)]
    """

    feature: Feature
    under: Executor
    release: Release | None = None
    ledger: Ledger | None = None
    key: KeySource | None = None
    images: int | None = None
    _programs: PreparedPrograms | None = field(default=None, init=False)
    _inherited: list[PreparedPrograms] = field(default_factory=list, init=False)
    _closed: bool = field(default=False, init=False)

    def __call__(self, images: Any, *, subjects: Sequence[str | int] | None = None) -> Result:
        """Extract from one image or several, as `extract` does.

        Args:
            images: a path, a PIL image or a uint8 array (H, W) or (H, W, 3), or several of these.
            subjects: id of the person in each image.

        Returns:
            What `extract` returns for the same images, byte for byte where the executor's arithmetic is exact: a row
            of features for each.

        Raises:
            ParameterError: it is closed, or as of `extract`.
            ImageError: naming every image that cannot be used.
            UnsupportedError: the executor cannot run the feature's program.
            BudgetError: the budget does not allow the release.
        """
        sources = [images] if _is_one(images) else listed_images(images)
        with self._turn() as programs:
            release, ledger, key = self.release, self.ledger, self.key
            return extracted(self.feature, sources, self.under, release, ledger, key, subjects, programs, self.images)

    def warm(self, shape: Shape) -> None:
        """Make now all that the first image of ``shape`` would wait for.

        Args:
            shape: of a decoded image, (H, W) or (H, W, 3) in pixels.

        Raises:
            ParameterError: no shape, or one that is too small for the feature; or it is closed.
            UnsupportedError: the executor cannot run the feature's program.
        """
        refuse(ParameterError, _shape_problems(shape))
        with self._turn() as programs:
            extractor = Extractor(
                self.feature, self.under, self.release, None, None, expected=self.images or 1, programs=programs
            )
            extractor.check(shape)
            if isinstance(self.under, StartingExecutor):
                for prepared in extractor.prepared.values():
                    self.under.start(prepared.program)

    def close(self) -> None:
        """Forget programs and keys, and end what the executor runs, parties or connections; twice is once.

        The executor is the caller's: another feature that was prepared under it starts parties of its own again.
        """
        if self._closed:
            return
        with self._turn() as programs:
            self._closed = True
            programs.clear()
            if isinstance(self.under, ClosableExecutor):
                self.under.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __reduce__(self) -> tuple[type[Prepared], tuple[Any, ...]]:
        given = (self.feature, self.under, self.release, self.ledger, self.key, self.images)
        return Prepared, given  # a copy, in whatever process, prepares its own

    def __repr__(self) -> str:
        release = "" if self.release is None else f", release={self.release!r}"
        return f"Prepared({self.feature!r}, under={self.under!r}{release})"

    @contextlib.contextmanager
    def _turn(self) -> Iterator[PreparedPrograms]:
        """The programs of this process, for one thread at a time unless the executor is `Clear`."""
        programs = self._programs
        if programs is None or programs.process != os.getpid():
            if programs is not None:
                self._inherited.append(programs)  # never used, and never ended: it is the parent's
            most = MOST_WITH_KEYS if isinstance(self.under, BatchingExecutor) else MOST_SHAPES
            programs = self._programs = PreparedPrograms(most)
        with contextlib.nullcontext() if isinstance(self.under, Clear) else programs.turn:
            if self._closed:
                raise ParameterError(
                    Problem("Prepared", "one that is closed", "an open one", "prepare the feature again")
                )
            yield programs


def prepare(
    feature: Feature,
    *,
    under: Executor | None = None,
    shape: Shape | None = None,
    release: Release | None = None,
    ledger: Ledger | None = None,
    key: KeySource | None = None,
    images: int | None = None,
) -> Prepared:
    """Make a feature ready to run: for images that come one after another, where `extract` begins anew in every call.

    Kept are the last few programs, by the shape of images and how many are computed at once: compiled kernels or the
    session of a network in the clear, running parties under `MPC`, keys and compiled program under `CKKS`, the
    connection to a server. Keys stay in memory. Call `close`, or use it in a ``with`` block, to end them; they end
    with this process, too. What was compiled is kept on disk as well, for other processes, in ``~/.cache/privis`` or
    where ``PRIVIS_CACHE`` says.

    Args:
        feature: what is extracted.
        under: who computes; None: `Clear`.
        shape: of the images, (H, W) or (H, W, 3) in pixels, to make everything now; None: when the first one comes.
        release: what the output may say; None: everything.
        ledger: budget that is charged before any noise is drawn.
        key: secret that noise is a function of; None: a fresh one in every call.
        images: how many will come at a time, for executors that several images may share; None: each call has its own
            number.

    Returns:
        The feature, to be called with images.

    Raises:
        ParameterError: an option is wrong, the release does not fit the feature, or ``shape`` is too small for it.
        UnsupportedError: the executor cannot run the feature's program.

    >>> from privis import LBP
    >>> lbp = prepare(LBP())
    >>> lbp([np.zeros((8, 8), np.uint8), np.zeros((9, 9), np.uint8)]).features.shape
    (2, 256)
    """
    check_release(release, ledger, feature)
    problems = [] if images is None else whole_number("prepare.images", images)
    refuse(ParameterError, problems + ([] if shape is None else _shape_problems(shape)))
    made = Prepared(feature, under or Clear(), release, ledger, key, images)
    if shape is not None:
        made.warm(shape)
    return made


def _is_one(images: Any) -> bool:
    """Whether it is one image and not a list: a path, an array of two or three axes, a PIL image."""
    if isinstance(images, np.ndarray):
        return images.ndim in (2, 3) and images.dtype.kind not in "OUT"
    return isinstance(images, str | Path) or not isinstance(images, Iterable)


def _shape_problems(shape: object) -> list[Problem]:
    sides = shape if isinstance(shape, tuple) else ()
    whole = all(not whole_number("", side) for side in sides)
    if whole and (len(sides) == 2 or (len(sides) == 3 and sides[2] == 3)):
        return []
    return [Problem("prepare.shape", repr(shape), "(height, width) or (height, width, 3) in pixels", "try (64, 64)")]
