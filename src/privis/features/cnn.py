"""Deep features: the values of a convolutional network at one of its layers."""

from __future__ import annotations

import hashlib
import math
from dataclasses import dataclass, field, replace
from enum import Enum
from pathlib import Path
from typing import ClassVar

import numpy as np

from privis.errors import ImageError, ParameterError, Problem, refuse
from privis.features.feature import Array, Image, NamedTensor, numbered, vector
from privis.features.image_ops import colour, grey, planar, resize
from privis.identity import UNIDENTIFIED
from privis.program import Input, Program, Shape, Value, digest, ops, trace
from privis.program.onnx.inputs import NetworkInput, network_input
from privis.program.onnx.translate import join, parse_onnx, read_onnx, trace_onnx
from privis.validation import size_problem

Planes = float | tuple[float, ...]


class Channels(Enum):
    """The order in which a network reads the three colour planes; GREY: it reads the luma alone."""

    RGB = "rgb"
    BGR = "bgr"
    GREY = "grey"


@dataclass(frozen=True)
class CNN:
    """The values of a convolutional network at ``layer``, computed from pixels 0..255 of the network's input size.

    ``network`` is an ONNX model as bytes (`CNN.from_onnx` reads it from a file) or a `Program` of one input
    (C, H, W), C being 1 (grey) or 3, that expects normalised pixels. ``layer`` names an ONNX node or tensor; None
    means the network's outputs, several of them flattened one after another. ``size`` is the input's (height, width)
    in pixels and has to be given where the network leaves it open. The first node of the core normalises:
    ``(pixel / divisor - mean) / std``, with one number for all planes or one per plane in the network's order. So
    the defaults give [0, 1]; ``divisor=1`` with mean 0 and std 1 gives the raw pixels, without a node, and is what a
    network whose input is a tensor of integers gets. A network that reads a vector of height x width (grey) or
    height x width x 3 numbers gets the pixels row after row, as `image.reshape(-1)` gives them.

    Guarantee: float32 results equal onnxruntime's on the same file to 1e-4 of max(1, largest magnitude); float16
    networks are computed in float32, which is as close as float16 itself. While a model is imported, only nodes whose
    operands are constants are computed. Equality and hash go by the model's digest; instances can be pickled.

    Reference: the ONNX operator specification, https://onnx.ai/onnx/operators/.

    Args:
        network: an ONNX model as bytes, or a `Program` of one input (C, H, W), C 1 or 3.
        layer: name of an ONNX node or tensor; None: the network's outputs.
        size: (height, width) of the input in pixels, where the network leaves it open.
        mean: subtracted from pixel / divisor: one number, or one per plane.
        std: divides what is left: one number, or one per plane.
        divisor: grey levels that become 1; 255 gives [0, 1]. None: 255, or 1 where the network reads integers.
        channels: order in which the network reads colour planes. ``Channels.GREY`` says that a network with an open
            channel axis reads one plane, the luma.

    Raises:
        ParameterError: a parameter is wrong.
        ProgramError: the model is damaged, has several inputs or keeps its weights in other files.
        UnsupportedError: naming every node without a translation, and what to do about it.

    >>> mean_colour = trace(lambda x: x.sum(1, 2) * (1 / 64), Input((3, 8, 8)))
    >>> CNN(mean_colour).names((3, 8, 8))
    ('cnn_0', 'cnn_1', 'cnn_2')
    """

    name: ClassVar[str] = "cnn"
    identifier: ClassVar[str] = "privis.cnn/1"
    luma_only: ClassVar[bool] = False
    flattens: ClassVar[bool] = True

    network: bytes | Program = field(repr=False, compare=False, metadata=UNIDENTIFIED)  # by its digest
    layer: str | None = None
    size: tuple[int, int] | None = None
    mean: Planes = 0.0
    std: Planes = 1.0
    divisor: float | None = None
    channels: Channels = Channels.RGB
    sha256: str = field(init=False)
    shape: Shape = field(init=False, repr=False, metadata=UNIDENTIFIED)

    def __post_init__(self) -> None:
        reads = self._resolved(_reads(self.network))
        object.__setattr__(self, "divisor", (1.0 if reads.whole else 255.0) if self.divisor is None else self.divisor)
        refuse(ParameterError, self._problems(reads))
        whole = digest(self.network) if isinstance(self.network, Program) else _sha256(self.network)
        height, width = self.size or (reads.height, reads.width)
        for name, value in (("sha256", whole), ("size", (height, width)), ("shape", (reads.planes, height, width))):
            object.__setattr__(self, name, value)
        self.program(self.shape)  # a network without a translation is refused here, not at the first image

    @classmethod
    def from_onnx(
        cls,
        path: str | Path,
        layer: str | None = None,
        *,
        size: tuple[int, int] | None = None,
        mean: Planes = 0.0,
        std: Planes = 1.0,
        divisor: float | None = None,
        channels: Channels = Channels.RGB,
    ) -> CNN:
        """Read a network from an ONNX file.

        The feature holds the model itself: it works in other processes and after the file is gone.

        Args:
            path: of the ONNX file.
            layer: name of an ONNX node or tensor; None: the network's outputs.
            size: (height, width) of the input in pixels, where the network leaves it open.
            mean: subtracted from pixel / divisor: one number, or one per plane.
            std: divides what is left: one number, or one per plane.
            divisor: grey levels that become 1; 255 gives [0, 1].
            channels: order in which the network reads colour planes.

        Returns:
            The feature.

        Raises:
            ParameterError: a parameter is wrong, or the file cannot be read.
            ProgramError: the model is damaged, has several inputs or keeps its weights in other files.
            UnsupportedError: naming every node without a translation, and what to do about it.
        """
        return cls(read_onnx(path), layer, size, mean, std, divisor, channels)

    def _resolved(self, reads: NetworkInput) -> NetworkInput:
        """What the network reads, with the planes that the file leaves open."""
        if reads.planes is not None:
            return reads
        pixels = math.prod(self.size) if reads.flat and self.size and not size_problem("CNN.size", self.size) else 0
        if pixels and reads.flat in (pixels, 3 * pixels):
            return replace(reads, planes=1 if reads.flat == pixels else 3)
        return replace(reads, planes=1 if self.channels is Channels.GREY else 3)

    def _problems(self, reads: NetworkInput) -> list[Problem]:
        problems = size_problem("CNN.size", self.size)
        if reads.flat is not None and self.size and not problems:
            wanted = math.prod(self.size) * (reads.planes or 3)
            if reads.flat not in (0, wanted):
                got, remedy = (
                    f"{self.size} with a vector of {reads.flat} numbers",
                    "give the size of the images it was fitted to",
                )
                problems.append(Problem("CNN.size", got, "height x width numbers, or three times as many", remedy))
        if reads.planes == 3 and self.channels is Channels.GREY:
            problems.append(Problem("CNN.channels", "GREY for a network of 3 planes", "RGB or BGR"))
        if reads.whole and (self.divisor != 1 or np.any(self.mean) or (np.asarray(self.std) != 1).any()):
            got = f"divisor {self.divisor:g}, mean {self.mean} and std {self.std} for a tensor of integers"
            remedy = "leave them out: such a network reads the pixels 0 to 255 and normalises them itself"
            problems.append(Problem("CNN", got, "divisor 1, mean 0 and std 1", remedy))
        fixed = (reads.height, reads.width)
        if self.size is None and None in fixed:
            problems.append(Problem("CNN.size", "None", "(height, width): the network leaves its input size open"))
        if self.size and not problems and any(own not in (None, n) for own, n in zip(fixed, self.size, strict=True)):
            problems.append(Problem("CNN.size", str(self.size), f"the network's own size {fixed}", "leave size out"))
        if isinstance(self.network, Program) and self.layer is not None:
            problems.append(Problem("CNN.layer", repr(self.layer), "None: a program has no named layers"))
        if not isinstance(self.channels, Channels):
            problems.append(Problem("CNN.channels", repr(self.channels), "Channels.RGB, BGR or GREY"))
        for name, nonzero in (("mean", False), ("std", True), ("divisor", True)):
            value = getattr(self, name)
            numbers = value if isinstance(value, tuple) and name != "divisor" else (value,)
            good = all(isinstance(n, int | float) and math.isfinite(n) and (n or not nonzero) for n in numbers)
            if not good or len(numbers) not in (1, reads.planes):
                expected = "a finite number" if name == "divisor" else f"1 or {reads.planes} finite numbers"
                problems.append(Problem(f"CNN.{name}", repr(value), expected + ", not zero" * nonzero))
        return problems

    def before(self, image: Image) -> Array:
        """Resize to the network's input size; uint8 (C, H, W) with planes in the network's order."""
        resized = resize(image, self.size)
        if self.shape[0] == 1:
            return grey(resized)[None]
        pixels = colour(resized)
        return planar(pixels, backwards=self.channels is Channels.BGR)

    def core_shape(self, image_shape: Shape) -> Shape:
        """Return the network's input shape, whatever the image."""
        return tuple(map(int, self.shape))

    def program(self, shape: Shape) -> Program:
        """Translate the network for an input of ``shape`` (C, H, W)."""
        return join(self._traced(shape)[0])

    def after(self, values: Array) -> Array:
        """Flatten the outputs to a float32 vector."""
        return vector(values)

    def tensors(self, shape: Shape) -> tuple[NamedTensor, ...]:
        """Name and shape of every output of the network, without its batch axis, in the order of the vector.

        Args:
            shape: of the core's input.

        Returns:
            The outputs.
        """
        program, outputs = self._traced(shape)
        shapes = [made[1:] if made[:1] == (1,) else made for made in program.output_shapes]
        return tuple(NamedTensor(name, made) for name, made in zip(outputs, shapes, strict=True))

    def names(self, shape: Shape) -> tuple[str, ...]:
        """Number the components; with several outputs after the output's name."""
        program, outputs = self._traced(shape)
        if len(outputs) == 1:
            return numbered("cnn", join(program).output_shapes[0])
        parts = zip(outputs, program.output_shapes, strict=True)
        return tuple(name for output, made in parts for name in numbered(f"cnn_{output}", (math.prod(made),)))

    def _traced(self, shape: Shape) -> tuple[Program, tuple[str, ...]]:
        """The network for ``shape``, one output per tensor, and the tensors' names."""
        if shape != self.shape:
            raise ImageError(Problem("CNN", f"an input of shape {shape}", f"{self.shape}"))
        if not isinstance(self.network, Program):
            return trace_onnx(self.network, shape, self._normalise, self.layer)
        names = tuple(str(output) for output in range(len(self.network.outputs)))
        return trace(self._normalise, Input(shape)) >> self.network, names

    def _normalise(self, x: Value) -> Value:
        mean, std = (
            np.broadcast_to(np.asarray(v, np.float64), x.shape[0]).reshape(-1, 1, 1) for v in (self.mean, self.std)
        )
        scale, bias = 1.0 / (float(self.divisor or 1.0) * std), -mean / std
        return x if (scale == 1.0).all() and not bias.any() else x >> ops.Affine(scale, bias)


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def _reads(network: object) -> NetworkInput:
    """What the network reads: name, planes, height and width of its one input."""
    if isinstance(network, bytes):
        return network_input(parse_onnx(network))
    shapes = [x.shape for x in network.inputs] if isinstance(network, Program) else []
    if len(shapes) == 1 and len(shapes[0]) == 3 and shapes[0][0] in (1, 3):
        return NetworkInput("image", *shapes[0], planes_last=False)
    got = f"inputs of shapes {shapes}" if isinstance(network, Program) else f"a {type(network).__name__}"
    expected = "the bytes of an ONNX model, or a Program of one input (C, H, W) with C 1 or 3"
    raise ParameterError(Problem("CNN.network", got, expected, "read a file with CNN.from_onnx(path)"))
