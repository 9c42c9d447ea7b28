"""Nodes of an ONNX graph whose operands are all public, computed while the graph is imported."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from privis.errors import Problem, ProgramError, UnsupportedError
from privis.extras import optional_import
from privis.program.onnx.node import LARGEST, Constant, Operand

if TYPE_CHECKING:
    from onnx import AttributeProto, ModelProto, NodeProto

# onnx's reference evaluator computes these, bit for bit as it always did: digests of programs hang on their results.
_NAMES = """
Abs Add And Cast Ceil Concat Constant ConstantOfShape DequantizeLinear Div Equal Exp Expand Flatten Floor Gather Greater
Identity Less Log Max Min Mod Mul Neg Not Or Pow Range Reciprocal ReduceMax ReduceMin ReduceProd ReduceSum Reshape Round
Shape Size Slice Split Sqrt Squeeze Sub Tile Transpose Unsqueeze Where
"""
FOLDED = frozenset(_NAMES.split())
FIRST_REFERENCE = {"DequantizeLinear": 19}  # the opset from which the reference evaluator has it
RANDOM = frozenset("Bernoulli Multinomial RandomNormal RandomNormalLike RandomUniform RandomUniformLike".split())
SHRINKING = frozenset("Compress NonMaxSuppression NonZero Unique".split())  # no result is much larger than the operands
LARGEST_STATED = 1024  # elements of an operand that may be a shape


def attribute_value(attribute: AttributeProto) -> Any:
    """An attribute as a number, string, list or array; ValueError for a graph."""
    from onnx import AttributeProto, helper, numpy_helper

    if attribute.type in (AttributeProto.GRAPH, AttributeProto.GRAPHS):
        raise ValueError("a graph inside a node")
    value = helper.get_attribute_value(attribute)
    if attribute.type == AttributeProto.TENSOR:
        return real(numpy_helper.to_array(value))
    if attribute.type == AttributeProto.STRINGS:
        return [item.decode() for item in value]
    return value.decode() if isinstance(value, bytes) else value


def real(array: Constant) -> Constant:
    """Half precision as float32, which holds all of it: programs know real numbers only."""
    is_half = array.dtype == np.float16 or array.dtype.name.startswith(("bfloat", "float8"))
    return array.astype(np.float32) if is_half else array


def fold(
    node: NodeProto, where: str, operands: tuple[Operand, ...], attributes: Mapping[str, Any], opset: int
) -> Constant | tuple[Constant, ...]:
    """Compute a node whose operands are all public, by onnx's reference evaluator or onnxruntime.

    Raises ProgramError for a result of absurd size, UnsupportedError for what neither computes.
    """
    if node.op_type == "Constant":
        (value,) = attributes.values()
        return real(np.asarray(value, np.float32 if isinstance(value, float) else None))
    feeds = {name: value for name, value in zip(node.input, operands, strict=True) if isinstance(value, np.ndarray)}
    if node.op_type in RANDOM:
        raise UnsupportedError(Problem(where, "random numbers", "constants", "export the network in evaluation mode"))
    model = _alone(node, feeds, opset)
    _refuse_large(model, where, node.op_type)
    if node.op_type in FOLDED and opset >= FIRST_REFERENCE.get(node.op_type, 0):
        from onnx.reference import ReferenceEvaluator

        results: Sequence[Any] = ReferenceEvaluator(model.graph, opsets={"": opset}).run(None, feeds)
    else:
        results = _by_onnxruntime(model, feeds, where)
    if not all(isinstance(result, np.ndarray | np.generic | int | float) for result in results):
        remedy = "export again with constant folding"
        raise UnsupportedError(Problem(where, "a constant that is no tensor", "tensors", remedy))
    return tuple(real(np.asarray(result)) for result in results)


def _alone(node: NodeProto, feeds: Mapping[str, Constant], opset: int) -> ModelProto:
    """A model of this node; small operands stand in it, for they may say how large the result is."""
    from onnx import TypeProto, helper, numpy_helper

    inputs = [
        helper.make_tensor_value_info(name, helper.np_dtype_to_tensor_dtype(value.dtype), value.shape)
        for name, value in feeds.items()
    ]
    outputs = [helper.make_value_info(name, TypeProto()) for name in node.output if name]
    small = [numpy_helper.from_array(v, name) for name, v in feeds.items() if v.size <= LARGEST_STATED]
    graph = helper.make_graph([node], "folded", inputs, outputs, small)
    opsets = [helper.make_opsetid("", opset)]
    return helper.make_model(graph, opset_imports=opsets, ir_version=helper.find_min_ir_version_for(opsets, True))


def _refuse_large(model: ModelProto, where: str, kind: str) -> None:
    """Refuse a result of absurd size before it is computed, by onnx's shape inference."""
    from onnx import shape_inference

    inferred = shape_inference.infer_shapes(model)
    for output in inferred.graph.output:
        tensor = output.type.tensor_type
        lengths = [d.dim_value if d.HasField("dim_value") else None for d in tensor.shape.dim]
        if not tensor.HasField("shape") or None in lengths:
            if kind in SHRINKING or (kind in FOLDED and _bound(model, kind) <= LARGEST):
                continue
            raise ProgramError(Problem(where, "a constant of unknown size", f"at most {LARGEST} elements"))
        if math.prod(n for n in lengths if n is not None) > LARGEST:
            raise ProgramError(Problem(where, "a constant of absurd size", f"at most {LARGEST} elements"))


def _bound(model: ModelProto, kind: str) -> float:
    """Elements of a result whose shape is not inferred: those of the operands, unless small ones multiply them."""
    sizes = [math.prod(d.dim_value for d in x.type.tensor_type.shape.dim) for x in model.graph.input]
    return math.inf if kind in ("ConstantOfShape", "Expand", "Range", "Tile") else float(math.prod(sizes))


def _by_onnxruntime(model: ModelProto, feeds: Mapping[str, Constant], where: str) -> Sequence[Any]:
    with optional_import("cnn", "importing a network"):
        import onnxruntime
        from onnxruntime.capi import onnxruntime_pybind11_state as state
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.intra_op_num_threads, options.log_severity_level = 1, 4
    try:
        session = onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
        return session.run(None, feeds)
    except (
        state.Fail,
        state.InvalidArgument,
        state.InvalidGraph,
        state.NotImplemented,
        state.RuntimeException,
    ) as error:
        got = f"a constant that onnxruntime cannot compute ({str(error).splitlines()[0][:120]})"
        remedy = "export again with constant folding, or with opset 13 or newer"
        raise UnsupportedError(Problem(where, got, "constant nodes of standard types", remedy)) from None
