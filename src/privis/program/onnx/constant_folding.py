"""Nodes of an ONNX graph whose operands are all public, computed while the graph is imported."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from privis.errors import Problem, ProgramError
from privis.program.onnx.node import LARGEST, Constant, Operand

if TYPE_CHECKING:
    from onnx import AttributeProto, NodeProto

_NAMES = """
Abs Add And Cast Ceil Concat Constant ConstantOfShape DequantizeLinear Div Equal Exp Expand Flatten Floor Gather Greater
Identity Less Log Max Min Mod Mul Neg Not Or Pow Range Reciprocal ReduceMax ReduceMin ReduceProd ReduceSum Reshape Round
Shape Size Slice Split Sqrt Squeeze Sub Tile Transpose Unsqueeze Where
"""
FOLDED = frozenset(_NAMES.split())  # shape arithmetic and prepared weights, never control flow


def attribute_value(attribute: AttributeProto) -> Any:
    """An attribute as a number, string, list or array; ValueError for a graph."""
    from onnx import AttributeProto, helper, numpy_helper

    if attribute.type in (AttributeProto.GRAPH, AttributeProto.GRAPHS):
        raise ValueError("a graph inside a node")
    value = helper.get_attribute_value(attribute)
    if attribute.type == AttributeProto.TENSOR:
        return numpy_helper.to_array(value)
    return value.decode() if isinstance(value, bytes) else value


def fold(
    node: NodeProto, where: str, operands: tuple[Operand, ...], attributes: Mapping[str, Any], opset: int
) -> Constant | tuple[Constant, ...]:
    """Compute a node whose operands are all public."""
    if node.op_type == "Constant":
        (value,) = attributes.values()
        return np.asarray(value, np.float32 if isinstance(value, float) else None)
    from onnx import TypeProto, helper
    from onnx.reference import ReferenceEvaluator

    if _folded_size(node.op_type, operands) > LARGEST:
        raise ProgramError(Problem(where, "a constant of absurd size", f"at most {LARGEST} elements"))
    feeds = {name: value for name, value in zip(node.input, operands, strict=True) if name}
    inputs, outputs = ([helper.make_value_info(name, TypeProto()) for name in names] for names in (feeds, node.output))
    graph = helper.make_graph([node], "folded", inputs, outputs)
    results = ReferenceEvaluator(graph, opsets={"": opset}).run(None, feeds)
    return tuple(np.asarray(result) for result in results)  # type: ignore[union-attr]


def _folded_size(kind: str, operands: tuple[Operand, ...]) -> int:
    """An upper bound of the elements a folded node makes, known before it is computed."""
    arrays = [x for x in operands if isinstance(x, np.ndarray)]
    match kind:
        case "ConstantOfShape":
            return math.prod(int(n) for n in arrays[0])
        case "Expand":
            return arrays[0].size * math.prod(max(1, int(n)) for n in arrays[1])
        case "Tile":
            return arrays[0].size * math.prod(int(n) for n in arrays[1])
        case "Range":
            start, limit, step = (float(x) for x in arrays)
            return math.ceil(abs((limit - start) / step))
        case "Gather":
            return arrays[0].size * arrays[1].size
        case "Concat":
            return sum(x.size for x in arrays)
        case "Add" | "Sub" | "Mul" | "Div" | "Pow" | "Where" | "Equal" | "Less" | "Greater" | "Mod" | "Max" | "Min":
            return math.prod(np.broadcast_shapes(*(x.shape for x in arrays)))
        case _:
            return max((x.size for x in arrays), default=0)
