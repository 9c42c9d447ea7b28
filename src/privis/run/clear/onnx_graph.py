"""An ONNX graph while it is written from a program."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import numpy as np

from privis.program import Program, Shape, ops
from privis.program.ops import Op

if TYPE_CHECKING:
    from onnx import NodeProto, TensorProto

NONE: Mapping[str, Any] = MappingProxyType({})
FLOAT = 1  # ONNX's number for float32


class Graph:
    """The ONNX graph being written: nodes, constants, and the tensor that holds each value of the program.

    Values have ``lead`` more axes of length 1 in front than in the program, so that a convolution of (C, H, W) meets
    the batch axis that ONNX demands and no reshape comes between the layers.
    """

    def __init__(self, program: Program) -> None:
        self.program, self.shapes, self.first = program, program.shapes, len(program.inputs)
        ranks = {len(self.shapes[n.operands[0]]) for n in program.nodes if isinstance(n.op, ops.Conv)}
        self.lead = 1 if ranks == {3} else 0
        self.tensors = [f"x{i}" for i in range(self.first)]
        self.readers = [0] * len(self.shapes)
        for value in [v for node in program.nodes for v in node.operands] + list(program.outputs):
            self.readers[value] += 1
        self.nodes: list[NodeProto] = []
        self.constants: dict[str, TensorProto] = {}

    def emit(self, kind: str, *operands: str, attributes: Mapping[str, Any] = NONE) -> str:
        """Append an ONNX node and return the name of its result."""
        return self.emit_all(kind, 1, *operands, attributes=attributes)[0]

    def emit_all(self, kind: str, results: int, *operands: str, attributes: Mapping[str, Any] = NONE) -> list[str]:
        """Append an ONNX node and return the names of its results."""
        from onnx import helper

        names = [f"t{len(self.nodes)}_{k}" for k in range(results)]
        self.nodes.append(helper.make_node(kind, operands, names, **attributes))
        return names

    def constant(self, value: Any, kind: type = np.float32) -> str:
        """Add a public array and return its name."""
        from onnx import numpy_helper

        name = f"c{len(self.constants)}"
        self.constants[name] = numpy_helper.from_array(np.asarray(value, kind), name)
        return name

    def integers(self, values: Sequence[int] | np.ndarray) -> str:
        """Add public integers: axes, shapes, indices."""
        return self.constant(values, np.int64)

    def full(self, shape: Shape) -> Shape:
        """A value's shape in the ONNX graph."""
        return (1,) * self.lead + shape

    def affine(self, tensor: str, scale: ops.Constant, bias: ops.Constant) -> str:
        """Add ``scale * tensor + bias``, or as much of it as is needed."""
        shifts = np.shape(scale) == np.shape(bias) and np.any(bias)  # and brings what it is added to into its shape
        if np.any(np.not_equal(scale, 1.0)) or (np.shape(scale) and not shifts):
            tensor = self.emit("Mul", tensor, self.constant(scale))
        if np.shape(bias) or bias != 0.0:
            tensor = self.emit("Add", tensor, self.constant(bias))
        return tensor

    def reshape(self, tensor: str, shape: Shape) -> str:
        """Reshape to ``shape``, an ONNX shape."""
        return self.emit("Reshape", tensor, self.integers(shape))

    def op(self, value: int) -> Op | None:
        """The op that makes ``value``; None for inputs."""
        return self.program.nodes[value - self.first].op if value >= self.first else None

    def operands(self, value: int) -> tuple[int, ...]:
        """The operands of the op that makes ``value``."""
        return self.program.nodes[value - self.first].operands

    def operand(self, value: int) -> int:
        """Name of the node's first operand."""
        return self.operands(value)[0]

    def only_read_once(self, value: int) -> bool:
        """Whether ``value`` has exactly one consumer, so that it may be fused into it."""
        return self.readers[value] == 1

    def reachable(self, wanted: list[str]) -> tuple[list[NodeProto], list[TensorProto]]:
        """The nodes and constants that ``wanted`` depend on: fused patterns leave unread ones behind."""
        needed, kept = set(wanted), []
        for node in reversed(self.nodes):
            if needed.intersection(node.output):
                needed.update(node.input)
                kept.append(node)
        return kept[::-1], [tensor for name, tensor in self.constants.items() if name in needed]
