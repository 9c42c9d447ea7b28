"""Programs compiled to an ONNX graph and run by onnxruntime: the clear executor's fast path for networks.

The graph is written from the program, never copied from the file a network came from, so any program of these ops
has one. Runs of ops that ONNX names as one operator (convolution with bias, pooling, …) are recognised by their nodes;
onnxruntime's own optimiser fuses the rest.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from privis.errors import Problem, ProgramError
from privis.extras import optional_import
from privis.program import Kind, Program, Shape, ops
from privis.program.graph import Node
from privis.readings.evaluate import compare_threshold
from privis.run.clear import onnx_patterns as patterns
from privis.run.clear.onnx_graph import FLOAT, Graph

if TYPE_CHECKING:
    from onnx import ModelProto

Array = np.ndarray[Any, Any]
OPSET, IR_VERSION = 18, 8  # of the graphs written here; every onnxruntime since 1.14 reads them


def lower(program: Program, threads: int = 1) -> Callable[..., Any] | None:
    """Return a function of the inputs that computes what `evaluate` does in float32; None if an op has no counterpart.

    ``threads`` is how many threads one call may use. The function holds an onnxruntime session: it cannot be pickled,
    so every process makes its own. Raises MissingExtraError without onnx and onnxruntime.

    >>> from privis.program import Input, trace
    >>> run = lower(trace(lambda x: (x * 2.0).sum(0), Input((3,))))
    >>> float(run(np.array([1, 2, 3])))
    12.0
    """
    if any(isinstance(node.op, ops.Histogram) for node in program.nodes):
        return None
    model = to_onnx(program).SerializeToString()
    with optional_import("cnn", "running a network fast"):
        import onnxruntime
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
    options.execution_mode = onnxruntime.ExecutionMode.ORT_SEQUENTIAL
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    inputs, made = session.get_inputs(), program.output_shapes
    declared = [x.shape for x in program.inputs]

    def run(*values: Array) -> Any:
        got = [np.shape(value) for value in values]
        if got != declared:
            raise ProgramError(Problem("lowered program", f"inputs of shapes {got}", f"{declared}"))
        feeds = {x.name: np.asarray(v, np.float32).reshape(x.shape) for x, v in zip(inputs, values, strict=True)}
        results = [np.asarray(result) for result in session.run(None, feeds)]
        outputs = tuple(y.reshape(shape) for y, shape in zip(results, made, strict=True))
        return outputs[0] if len(outputs) == 1 else outputs

    return run


def to_onnx(program: Program) -> ModelProto:
    """Write ``program`` as an ONNX model with float32 inputs ``x0``, ``x1``, …"""
    with optional_import("cnn", "running a network fast"):
        from onnx import TensorProto, helper
    graph = Graph(program)
    for index, node in enumerate(program.nodes):
        graph.tensors.append(_write(graph, node, graph.first + index))
    names = [graph.emit("Identity", graph.tensors[value]) for value in program.outputs]
    inputs, outputs = (
        [
            helper.make_tensor_value_info(name, TensorProto.FLOAT, graph.full(shape))
            for name, shape in zip(tensors, shapes, strict=True)
        ]
        for tensors, shapes in (
            (graph.tensors[: graph.first], [x.shape for x in program.inputs]),
            (names, program.output_shapes),
        )
    )
    nodes, constants = graph.reachable(names)
    return helper.make_model(
        helper.make_graph(nodes, "privis", inputs, outputs, constants),
        opset_imports=[helper.make_opsetid("", OPSET)],
        ir_version=IR_VERSION,
    )


def _write(graph: Graph, node: Node, value: int) -> str:
    """Write the op that makes ``value``; the name of its tensor."""
    match node.op:
        case ops.Conv() | ops.Dense() | ops.Affine() | ops.MatMul() | ops.Add() | ops.Sub() | ops.Mul():
            return _linear(graph, node, value)
        case ops.Sum() | ops.Max() | ops.ArgMax() | ops.TopK():
            return _reduction(graph, node, value)
        case ops.Compare() | ops.Normalise() | ops.Poly() | ops.Nonlinear():
            return _scalar_function(graph, node, value)
        case _:
            return _movement(graph, node, value)


# Linear


def _linear(graph: Graph, node: Node, value: int) -> str:
    operands = [_with_rank(graph, v, value) for v in node.operands]
    match node.op:
        case ops.Conv():
            return patterns.convolution(graph, node.op, node.operands[0], value, 1.0, 0.0)
        case ops.Dense(matrix):
            return graph.emit("MatMul", operands[0], graph.constant(matrix.T))
        case ops.Affine(scale, bias):
            return patterns.affine(graph, value) or graph.affine(operands[0], scale, bias)
        case ops.Add():
            return patterns.leaky(graph, value) or graph.emit("Add", *operands)
        case _:
            return graph.emit(type(node.op).__name__, *operands)


def _with_rank(graph: Graph, operand: int, value: int) -> str:
    """The operand with at least as many axes as the result, so that leading axes of length 1 stay in front."""
    shape, missing = graph.shapes[operand], len(graph.shapes[value]) - len(graph.shapes[operand])
    tensor = graph.tensors[operand]
    return graph.reshape(tensor, graph.full((1,) * missing + shape)) if graph.lead and missing > 0 else tensor


# Reductions and pooling


def _reduction(graph: Graph, node: Node, value: int) -> str:
    operand = node.operands[0]
    x = graph.tensors[operand]
    match node.op:
        case ops.Sum(axes, keep):
            return _reduce(graph, "ReduceSum", x, axes, keep)
        case ops.Max(axes, keep):
            return patterns.max_pool(graph, value) or _reduce(graph, "ReduceMax", x, axes, keep)
        case ops.ArgMax(axis):
            index = graph.emit("ArgMax", x, attributes={"axis": axis + graph.lead, "keepdims": 0})
            return graph.emit("Cast", index, attributes={"to": FLOAT})
        case ops.TopK(count):
            largest, index = graph.emit_all("TopK", 2, x, graph.integers([count]))
            index = graph.emit("Cast", index, attributes={"to": FLOAT})
            front = graph.integers([graph.lead])
            pair = [graph.emit("Unsqueeze", tensor, front) for tensor in (largest, index)]
            return graph.emit("Concat", *pair, attributes={"axis": graph.lead})
    raise TypeError(node.op)


def _reduce(graph: Graph, kind: str, x: str, axes: tuple[int, ...], keep: bool) -> str:
    """Without axes ONNX would reduce all of them, and numpy none."""
    shifted = graph.integers([axis + graph.lead for axis in axes])
    return graph.emit(kind, x, shifted, attributes={"keepdims": int(keep)}) if axes else x


# Scalar functions


def _scalar_function(graph: Graph, node: Node, value: int) -> str:
    x = _with_rank(graph, node.operands[0], value)
    match node.op:
        case ops.Compare() as op:
            above = graph.emit("GreaterOrEqual", x, graph.constant(compare_threshold(op)))
            return graph.emit("Cast", above, attributes={"to": FLOAT})
        case ops.Normalise(_, inside, outside):
            energy = graph.emit("ReduceSumSquare", x, graph.integers([-1]))
            root = graph.emit("Sqrt", graph.affine(energy, 1.0, inside))
            return graph.emit("Div", x, graph.affine(root, 1.0, outside))
        case ops.Poly() as op:
            return _polynomial(graph, op, x)
        case ops.Nonlinear() as op:
            return _nonlinear(graph, op, x)
    raise TypeError(node.op)


def _polynomial(graph: Graph, op: ops.Poly, x: str) -> str:
    """Clenshaw's recurrence, as in `evaluate`."""
    low, high = op.domain
    twice = graph.affine(x, 4 / (high - low), -2 * (low + high) / (high - low))
    ahead, behind = graph.constant(0.0), graph.constant(0.0)
    for coefficient in op.coefficients[:0:-1]:
        product = graph.affine(graph.emit("Mul", twice, ahead), 1.0, coefficient)
        ahead, behind = graph.emit("Sub", product, behind), ahead
    product = graph.emit("Mul", graph.affine(twice, 0.5, 0.0), ahead)
    return graph.emit("Sub", graph.affine(product, 1.0, op.coefficients[0]), behind)


def _nonlinear(graph: Graph, op: ops.Nonlinear, x: str) -> str:
    match op.kind:
        case Kind.SQRT:
            return graph.emit("Sqrt", graph.emit("Relu", x))
        case Kind.RSQRT:
            return graph.emit("Reciprocal", graph.emit("Sqrt", graph.affine(x, 1.0, op.a)))
        case Kind.RECIPROCAL:
            return graph.emit("Reciprocal", graph.affine(x, 1.0, op.a))
        case Kind.CLIP if (op.a, op.b) == (0.0, math.inf):
            return graph.emit("Relu", x)
        case Kind.CLIP:
            return graph.emit("Clip", x, *(graph.constant(v) if math.isfinite(v) else "" for v in (op.a, op.b)))
        case Kind.LOG:
            return graph.emit("Log", graph.affine(x, 1.0, op.a))
        case Kind.ABS | Kind.SIGMOID | Kind.TANH | Kind.EXP | Kind.ERF | Kind.SOFTPLUS | Kind.ROUND:
            return graph.emit(op.kind.value.capitalize(), x)


# Movement


def _movement(graph: Graph, node: Node, value: int) -> str:
    x, lead = graph.tensors[node.operands[0]], graph.lead
    match node.op:
        case ops.Reshape(shape):
            return graph.reshape(x, graph.full(shape))
        case ops.Transpose(order):
            return graph.emit("Transpose", x, attributes={"perm": (*range(lead), *(axis + lead for axis in order))})
        case ops.Slice(index):
            starts, stops, steps = zip(*index, strict=True)
            axes = range(lead, lead + len(index))
            return graph.emit("Slice", x, *(graph.integers(v) for v in (starts, stops, axes, steps)))
        case ops.Gather(index, axis):
            gather = {"axis": axis + lead}
            return patterns.enlarged(graph, value) or graph.emit("Gather", x, graph.integers(index), attributes=gather)
        case ops.Window() as op:
            return _sliding(graph, op, x, graph.full(graph.shapes[value]))
        case ops.Pad(widths, fill):
            sides = (*(0,) * lead, *(w[0] for w in widths), *(0,) * lead, *(w[1] for w in widths))
            return graph.emit("Pad", x, graph.integers(sides), graph.constant(fill))
        case ops.Concat(axis):
            tensors = [graph.tensors[operand] for operand in node.operands]
            return graph.emit("Concat", *tensors, attributes={"axis": axis + lead})
    raise TypeError(node.op)


def _sliding(graph: Graph, op: ops.Window, x: str, shape: Shape) -> str:
    """(..., H, W) -> (..., H', W', rows, columns) by gathering rows, then columns."""
    rank = len(shape) - 2
    for side in (0, 1):
        taps = np.arange(shape[rank - 2 + side])[:, None] * op.stride[side] + np.arange(op.size[side])
        axis = rank - 2 + 2 * side  # the rows' taps have pushed the columns one axis back
        x = graph.emit("Gather", x, graph.integers(taps), attributes={"axis": axis})
    return graph.emit("Transpose", x, attributes={"perm": (*range(rank - 1), rank, rank - 1, rank + 1)})
