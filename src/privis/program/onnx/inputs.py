"""What the one input of an ONNX network is: its planes, size, layout, and what its numbers mean."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from privis.errors import Problem, ProgramError
from privis.program import Value

if TYPE_CHECKING:
    from onnx import GraphProto, ModelProto

FLOATS = frozenset({1, 10, 11, 16})  # FLOAT, FLOAT16, DOUBLE, BFLOAT16
WHOLE = frozenset({2, 4, 5, 6, 7, 12, 13})  # integers that hold 0..255: all but INT8


@dataclass(frozen=True)
class NetworkInput:
    """The one input of a network: ``planes`` (1 or 3), height and width in pixels; None where the file leaves it open.

    ``planes_last``: the axis order (height, width, planes). ``whole``: a tensor of integers, which holds the pixels 0
    to 255 themselves. ``flat``: a vector of so many numbers, the pixels row after row; 0 where the file leaves it open;
    None for an image.
    """

    name: str
    planes: int | None
    height: int | None
    width: int | None
    planes_last: bool
    whole: bool = False
    flat: int | None = None

    def laid_out(self, x: Value) -> Value:
        """An image (planes, height, width) as the network reads it, without the batch axis."""
        if self.flat is not None:
            return x.transpose(1, 2, 0).reshape(-1)
        return x.transpose(1, 2, 0) if self.planes_last else x


def network_input(model: ModelProto) -> NetworkInput:
    """Return what the network reads; ProgramError unless that is one grey or RGB image. Inputs that no node reads do
    not count."""
    constants = {tensor.name for tensor in model.graph.initializer}
    listed = [entry for entry in model.graph.input if entry.name not in constants]
    # tools that quantise leave the weights that they replaced among the inputs
    read = {name for node in model.graph.node for name in node.input}
    inputs = [entry for entry in listed if entry.name in read] or listed
    if len(inputs) != 1:
        names = ", ".join(entry.name for entry in inputs) or "none"
        remedy = "bind the others to constants before the export"
        raise ProgramError(Problem("ONNX graph", f"{len(inputs)} inputs ({names})", "one input, the image", remedy))
    kind, name = inputs[0].type.tensor_type, inputs[0].name
    where = f"ONNX input {name!r}"
    whole = _is_whole(kind.elem_type, where)
    lengths = [d.dim_value or None for d in kind.shape.dim] if kind.HasField("shape") else [None] * 4
    if len(lengths) == 2 and lengths[0] in (None, 1):
        return NetworkInput(name, None, None, None, False, whole, lengths[1] or 0)
    if len(lengths) != 4 or lengths[0] not in (None, 1):
        remedy = "export it for one image, or with a dynamic batch axis"
        raise ProgramError(Problem(where, f"shape {tuple(lengths)}", "(1, planes, height, width)", remedy))
    _, first, middle, last = lengths
    if first in (1, 3) or (first is None and last not in (1, 3) and not _is_transposed(model.graph, name)):
        return NetworkInput(name, first, middle, last, False, whole)
    if last in (1, 3, None):
        return NetworkInput(name, last, first, middle, True, whole)
    remedy = "export a network that reads one grey or RGB image"
    raise ProgramError(Problem(where, f"shape {tuple(lengths)}", "1 or 3 planes", remedy))


def _is_whole(kind: int, where: str) -> bool:
    if kind in WHOLE:
        return True
    if kind in FLOATS or kind == 0:
        return False
    from onnx import TensorProto

    got = f"a tensor of {TensorProto.DataType.Name(kind)}"
    remedy = "export it with an input of float32, or of uint8 for raw pixels"
    raise ProgramError(Problem(where, got, "real numbers, or integers that hold 0 to 255", remedy))


def _is_transposed(graph: GraphProto, name: str) -> bool:
    """Whether the first thing done to an input of open axes brings its last axis to the front: planes come last."""
    for node in graph.node:
        if name in node.input:
            orders = [list(a.ints) for a in node.attribute if a.name == "perm"]
            return node.op_type == "Transpose" and orders == [[0, 3, 1, 2]]
    return False
