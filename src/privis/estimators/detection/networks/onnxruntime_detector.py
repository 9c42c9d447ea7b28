"""``OnnxruntimeDetector``: a detector's file as it is, run in the clear by onnxruntime."""

from __future__ import annotations

import os
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from privis.errors import ParameterError, Problem, ProgramError
from privis.extras import optional_import
from privis.features.image_ops import grey
from privis.identity import UNIDENTIFIED
from privis.io.images.decode import load
from privis.program.onnx.inputs import NetworkInput, network_input
from privis.program.onnx.translate import parse_onnx
from privis.tasks.detection import DetectedBoxes
from privis.tasks.detection.networks import DetectorNetwork, NetworkReading

_KINDS = {
    "tensor(float)": np.float32, "tensor(float16)": np.float16, "tensor(double)": np.float64,
    "tensor(uint8)": np.uint8, "tensor(int32)": np.int32, "tensor(int64)": np.int64,
}  # fmt: skip


@dataclass(frozen=True)
class OnnxruntimeDetector:
    """A network that is no program: suppression is inside, or its input has the size of every picture.

    The machine that runs it sees the pictures: no executor on hidden values has these operations.

    Args:
        network: with its head.
        overlap: intersection over union from which two boxes of one label are one thing, in [0, 1]; of no meaning where
            the network suppresses; None: that of the head.
        most: boxes of one picture at most, those of the highest scores; None: all.

    Raises:
        ParameterError: ``overlap`` is wrong.
        ProgramError: onnxruntime cannot load the network, or its outputs are not those of the head.
    """

    identifier: ClassVar[str] = "privis.onnxruntime-detector/1"

    network: DetectorNetwork
    overlap: float | None = None
    most: int | None = None
    _session: OriginalSession = field(init=False, repr=False, compare=False, metadata=UNIDENTIFIED)

    def __post_init__(self) -> None:
        if self.overlap is not None and not 0 <= self.overlap <= 1:
            where = "OnnxruntimeDetector.overlap"
            raise ParameterError(Problem(where, str(self.overlap), "an intersection over union, in [0, 1]"))
        object.__setattr__(self, "_session", OriginalSession(self.network.content))
        side = self.network.head.reads.multiple
        self.detect(np.zeros(self.network.size or (side, side), np.uint8))  # a head that does not fit is refused here

    @property
    def labels(self) -> tuple[str, ...]:
        """What it can find."""
        return self.network.classes

    def detect(self, image: Any) -> DetectedBoxes:
        """Find the things in one picture.

        Args:
            image: a path, a PIL image or a uint8 array (H, W) or (H, W, 3) RGB.

        Returns:
            What was found, by falling score, in pixels of the upright picture and cut at its sides.

        Raises:
            ImageError: the picture cannot be read.
            ProgramError: the network cannot run, or its outputs are not those of the head.
        """
        pixels, network = load(image), self.network
        box = network.letterbox((pixels.shape[0], pixels.shape[1]))
        found = network.decode(self._session.run(network.drawn(pixels, box), network.head.reads), box)
        overlap = 1.0 if network.head.suppressed else network.head.overlap if self.overlap is None else self.overlap
        return found.suppressed(overlap, self.most)

    def __reduce__(self) -> tuple[type[OnnxruntimeDetector], tuple[Any, ...]]:
        return OnnxruntimeDetector, (self.network, self.overlap, self.most)


@dataclass(eq=False)
class OriginalSession:
    """A session of onnxruntime on a file, one for each process, with one thread as lowered programs have.

    Args:
        content: the ONNX model.
    """

    content: bytes = field(repr=False)
    _process: int = field(default=0, init=False, repr=False)
    _session: Any = field(default=None, init=False, repr=False)
    _turn: threading.Lock = field(default_factory=threading.Lock, init=False, repr=False)

    def __post_init__(self) -> None:
        self._input: NetworkInput = network_input(parse_onnx(self.content))

    def run(self, canvas: NDArray[np.uint8], reads: NetworkReading) -> Mapping[str, NDArray[Any]]:
        """Compute the outputs for one input.

        Args:
            canvas: uint8 (height, width, 3) RGB of the input's size.
            reads: how the network reads it.

        Returns:
            The outputs by name.

        Raises:
            ProgramError: onnxruntime cannot load or run the network.
        """
        own, session = self._input, self._ready()
        pixels = grey(canvas)[..., None] if own.planes == 1 else canvas
        pixels = pixels[..., ::-1] if reads.channels == "bgr" else pixels
        if not own.whole:
            mean = np.asarray(np.mean(reads.mean) if own.planes == 1 else reads.mean, np.float32)
            pixels = (pixels.astype(np.float32) - mean) / np.float32(reads.deviation)
        feed = np.ascontiguousarray(pixels if own.planes_last else pixels.transpose(2, 0, 1))[None]
        kind = session.get_inputs()[0].type
        if kind not in _KINDS:
            raise ProgramError(Problem("ONNX input", kind, f"one of {', '.join(_KINDS)}"))
        try:
            results = session.run(None, {own.name: feed.astype(_KINDS[kind], copy=False)})
        except Exception as error:  # of its own classes, which share no other base
            got = f"an input of {canvas.shape[0]} x {canvas.shape[1]} pixels: {_first_line(error)}"
            remedy = "give the size that it was exported for"
            raise ProgramError(Problem("ONNX model", got, "a network that runs at this size", remedy)) from None
        return {output.name: np.asarray(result) for output, result in zip(session.get_outputs(), results, strict=True)}

    def _ready(self) -> Any:
        with self._turn:
            if self._session is None or self._process != os.getpid():
                with optional_import("cnn", "running a detector"):
                    import onnxruntime
                options = onnxruntime.SessionOptions()
                options.intra_op_num_threads = options.inter_op_num_threads = 1
                options.log_severity_level = 3
                try:
                    session = onnxruntime.InferenceSession(self.content, options, providers=["CPUExecutionProvider"])
                except Exception as error:  # of its own classes, which share no other base
                    got = _first_line(error)
                    raise ProgramError(Problem("ONNX model", got, "a network that onnxruntime can load")) from None
                self._session, self._process = session, os.getpid()
            return self._session


def _first_line(error: Exception) -> str:
    return next(iter(str(error).splitlines()), type(error).__name__)
