"""``Detector``: a detection model under an executor, for one picture after another."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any, ClassVar, Protocol

import numpy.typing as npt

from privis.errors import ParameterError, Problem, UnsupportedError, refuse
from privis.identity import UNIDENTIFIED
from privis.io.images.decode import load
from privis.program.shapes import Shape
from privis.run.clear import Clear
from privis.run.protocol import BatchingExecutor, Executor
from privis.tasks.detection.boxes import DetectedBoxes
from privis.tasks.detection.detection_model import DetectionModel
from privis.validation import whole_number

MOST_SHAPES, MOST_WITH_KEYS = 256, 4
"""Prepared programs that are kept at a time: compiled kernels are small, keys are hundreds of megabytes."""


class FindsBoxes(Protocol):
    """What finds things in a picture, whatever it is made of."""

    @property
    def labels(self) -> tuple[str, ...]:
        """What it can find."""
        ...

    def detect(self, image: Any) -> DetectedBoxes:
        """Find the things in one picture.

        Args:
            image: a path, a PIL image or a uint8 array (H, W) or (H, W, 3) RGB.

        Returns:
            What was found, by falling score, in pixels of the upright picture.
        """
        ...


@dataclass(frozen=True, eq=False)
class Detector:
    """A detection model under an executor: every view runs, is decoded, and the best boxes are kept.

    Programs are prepared once for each shape of a view and kept, the last 256 of them; several threads may call it
    under `Clear`. Suppression is at the owner, in the clear, whatever the executor: which boxes are kept tells whoever
    sees it where things are. A copy in another process prepares its own programs.

    Args:
        model: what runs, and what decodes afterwards.
        under: who computes; of parties each sees the model, which
            `privis.estimators.detection.hidden_detector.HiddenDetector` hides, too.
        overlap: intersection over union from which two boxes of one label are one thing, in [0, 1].
        most: boxes of one picture at most, those of the highest scores; None: all.

    Raises:
        ParameterError: naming everything that does not fit.

    >>> import numpy as np
    >>> from privis.tasks.detection import WindowModel
    >>> nothing = Detector(WindowModel(np.zeros(3780), -1.0, "person"))
    >>> len(nothing.detect(np.zeros((200, 100), np.uint8)))
    0
    """

    identifier: ClassVar[str] = "privis.detector/1"

    model: DetectionModel
    under: Executor = field(default_factory=Clear)
    overlap: float = 0.35
    most: int | None = None
    _programs: _ViewPrograms = field(init=False, repr=False, compare=False, metadata=UNIDENTIFIED)

    def __post_init__(self) -> None:
        problems = [] if self.most is None else whole_number("Detector.most", self.most)
        if not 0 <= self.overlap <= 1:
            problems.append(Problem("Detector.overlap", str(self.overlap), "an intersection over union, in [0, 1]"))
        refuse(ParameterError, problems)
        object.__setattr__(self, "_programs", _ViewPrograms(self.model, self.under))

    @property
    def labels(self) -> tuple[str, ...]:
        """What it can find."""
        return self.model.labels

    def detect(self, image: Any) -> DetectedBoxes:
        """Find the things in one picture.

        Args:
            image: a path, a PIL image or a uint8 array (H, W) or (H, W, 3) RGB.

        Returns:
            What was found, by falling score, in pixels of the upright picture and cut at its sides.

        Raises:
            ImageError: the picture cannot be read.
            UnsupportedError: the executor cannot run the model's program.
        """
        pixels = load(image)
        found = (
            self.model.decode(self._programs.prepared(view.shape)(self.model.before(pixels, view)), view)
            for view in self.model.views(pixels.shape)
        )
        return DetectedBoxes.joined(found).suppressed(self.overlap, self.most).within(pixels.shape)

    def detect_many(self, images: Iterable[Any]) -> Iterator[DetectedBoxes]:
        """Find the things in pictures that come one after another.

        Args:
            images: as `detect` takes them.

        Yields:
            What `detect` finds in each.
        """
        for image in images:
            yield self.detect(image)


@dataclass(eq=False)
class _ViewPrograms:
    """The last prepared programs of one model, in the process that made them."""

    model: DetectionModel
    under: Executor
    process: int = field(default_factory=os.getpid)
    turn: threading.Lock = field(default_factory=threading.Lock)
    kept: dict[Shape, Callable[..., npt.NDArray[Any]]] = field(default_factory=dict)

    def prepared(self, shape: Shape) -> Callable[..., npt.NDArray[Any]]:
        """The model's program for one shape of views, ready to run."""
        with self.turn:
            if self.process != os.getpid():  # a fork: keys are never used in two processes
                self.kept, self.process = {}, os.getpid()
            ready = self.kept.pop(shape, None)
            if ready is None:
                program = self.model.program(shape)
                refuse(UnsupportedError, self.under.supports(program))
                ready = self.under.prepare(program)
            while len(self.kept) >= (MOST_WITH_KEYS if isinstance(self.under, BatchingExecutor) else MOST_SHAPES):
                del self.kept[next(iter(self.kept))]
            self.kept[shape] = ready
            return ready

    def __reduce__(self) -> tuple[type[_ViewPrograms], tuple[Any, ...]]:
        return _ViewPrograms, (self.model, self.under)
