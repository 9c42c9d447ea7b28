"""ONNX graphs as programs, node by node. Nothing in a model is executed: it is data that rules translate."""

from __future__ import annotations

import dataclasses
import difflib
import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from privis.errors import ParameterError, Problem, ProgramError, UnsupportedError, refuse
from privis.extras import optional_import
from privis.program import Input, Program, Shape, Value, concat, trace
from privis.program.onnx.constant_folding import FOLDED, attribute_value, fold
from privis.program.onnx.node import Call, Constant, Result
from privis.program.onnx.rules import RULES

if TYPE_CHECKING:
    from onnx import GraphProto, ModelProto, NodeProto

LARGEST_FILE = 2**31  # bytes: what a protocol buffer can hold
OLDEST_OPSET = 7  # from here on operands broadcast as in numpy
MALFORMED = (IndexError, KeyError, ValueError, TypeError, AttributeError, ZeroDivisionError, OverflowError)


@dataclass(frozen=True)
class NetworkInput:
    """The one input of a network: planes (1 or 3), its size in pixels as far as it is fixed, and the axis order."""

    name: str
    planes: int
    height: int | None
    width: int | None
    planes_last: bool


def read_onnx(path: str | Path) -> bytes:
    """Return the bytes of the ONNX file at ``path`` after `parse_onnx` has checked them.

    Raises ParameterError when there is no such file or it is of another kind.
    """
    path = Path(path)
    if path.suffix.lower() != ".onnx":
        remedy = "export the network, for PyTorch with torch.onnx.export(model, example, 'network.onnx')"
        raise ParameterError(Problem(str(path), f"the ending {path.suffix!r}", "an ONNX file, .onnx", remedy))
    try:
        if path.stat().st_size >= LARGEST_FILE:
            raise ParameterError(Problem(str(path), f"{path.stat().st_size} bytes", f"fewer than {LARGEST_FILE}"))
        content = path.read_bytes()
    except OSError as error:
        raise ParameterError(Problem(str(path), error.strerror or "an error", "a readable ONNX file")) from None
    parse_onnx(content, str(path))
    return content


def parse_onnx(content: bytes, where: str = "ONNX model") -> ModelProto:
    """Parse an ONNX model; ProgramError when it is damaged, keeps weights in other files or is older than opset 7."""
    with optional_import("cnn", "importing a network"):
        import onnx
        from google.protobuf.message import DecodeError

    try:
        model = onnx.load_model_from_string(content)
    except (DecodeError, ValueError) as error:
        raise ProgramError(Problem(where, f"{type(error).__name__}: {error}", "a complete ONNX model")) from None
    problems = []
    if not model.graph.node:
        problems.append(Problem(where, "a graph without nodes", "a complete ONNX model"))
    if any(tensor.data_location == onnx.TensorProto.EXTERNAL for tensor in _tensors(model.graph)):
        remedy = "merge them: onnx.save(onnx.load('network.onnx'), 'merged.onnx')"
        problems.append(Problem(where, "weights in other files", "weights inside the file", remedy))
    if model.graph.sparse_initializer:
        problems.append(Problem(where, "sparse weights", "dense weights"))
    if model.graph.node and _opset(model) < OLDEST_OPSET:
        remedy = "convert it: onnx.version_converter.convert_version(model, 13)"
        problems.append(Problem(where, f"opset {_opset(model)}", f"opset {OLDEST_OPSET} or newer", remedy))
    refuse(ProgramError, problems)
    return model


def _tensors(graph: GraphProto) -> Iterable[Any]:
    yield from graph.initializer
    for node in graph.node:
        yield from (attribute.t for attribute in node.attribute if attribute.HasField("t"))


def _opset(model: ModelProto) -> int:
    return max((entry.version for entry in model.opset_import if entry.domain in ("", "ai.onnx")), default=0)


def network_input(model: ModelProto) -> NetworkInput:
    """Return what the network reads; ProgramError unless that is one grey or RGB image."""
    constants = {tensor.name for tensor in model.graph.initializer}
    inputs = [entry for entry in model.graph.input if entry.name not in constants]
    if len(inputs) != 1:
        names = ", ".join(entry.name for entry in inputs) or "none"
        raise ProgramError(Problem("ONNX graph", f"{len(inputs)} inputs ({names})", "one input, the image"))
    kind = inputs[0].type.tensor_type
    lengths = [d.dim_value or None for d in kind.shape.dim] if kind.HasField("shape") else [None] * 4
    where = f"ONNX input {inputs[0].name!r}"
    if len(lengths) != 4 or lengths[0] not in (None, 1):
        remedy = "export it for one image, or with a dynamic batch axis"
        raise ProgramError(Problem(where, f"shape {tuple(lengths)}", "(1, planes, height, width)", remedy))
    _, planes, height, width = lengths
    if planes in (1, 3, None):
        return NetworkInput(inputs[0].name, planes or 3, height, width, False)
    if width in (1, 3):
        return NetworkInput(inputs[0].name, width, planes, height, True)
    raise ProgramError(Problem(where, f"shape {tuple(lengths)}", "1 or 3 planes"))


def trace_onnx(
    content: bytes, shape: Shape, normalise: Callable[[Value], Value], layer: str | None = None
) -> tuple[Program, tuple[str, ...]]:
    """Translate a model for an image of ``shape`` (C, H, W) whose pixels are integers from 0 to 255.

    ``normalise`` is traced first; behind it the batch axis is 1. Returns a program with one output per requested value
    (the node or tensor named ``layer``, or else the graph's outputs) and the names of these tensors. Raises
    UnsupportedError with all nodes that have no translation, ProgramError for a graph that does not fit together and
    ParameterError for an unknown ``layer``.
    """
    model = parse_onnx(content)
    source = network_input(model)
    wanted = _requested(model.graph, layer)
    found: list[str] = []

    def network(pixels: Value) -> tuple[Value, ...]:
        x = normalise(pixels)
        x = x.transpose(1, 2, 0) if source.planes_last else x
        known = _walk(model, wanted, {source.name: x.reshape(1, *x.shape)})
        absent = [name for name in wanted if name not in known]
        if absent:
            raise ProgramError(Problem("ONNX graph", f"an output {absent[0]!r} that no node writes", "a whole graph"))
        values = {name: value for name in wanted if isinstance(value := known[name], Value)}
        if not values:
            raise ProgramError(Problem("ONNX graph", "outputs that ignore the image", "at least one that reads it"))
        found.extend(values)
        return tuple(values.values())

    return trace(network, Input(shape)), tuple(found)


def _requested(graph: GraphProto, layer: str | None) -> tuple[str, ...]:
    """The tensors to compute."""
    if layer is None:
        return tuple(output.name for output in graph.output)
    tensors = [name for node in graph.node for name in node.output if name]
    nodes = {node.name: node.output[0] for node in graph.node if node.name and node.output}
    if layer in tensors:
        return (layer,)
    if layer in nodes:
        return (nodes[layer],)
    close = difflib.get_close_matches(layer, [*nodes, *tensors], 5) or [*nodes, *tensors][-5:]
    raise ParameterError(
        Problem("layer", repr(layer), "the name of a node or tensor", f"for example {', '.join(close)}")
    )


def _needed(graph: GraphProto, wanted: tuple[str, ...]) -> list[NodeProto]:
    """The nodes that ``wanted`` depend on, in the order of the file, which ONNX demands to be topological."""
    missing, kept = set(wanted), []
    for node in reversed(graph.node):
        if missing.intersection(node.output):
            missing.update(node.input)
            kept.append(node)
    return kept[::-1]


def _walk(model: ModelProto, wanted: tuple[str, ...], known: dict[str, Value | Constant]) -> Mapping[str, Any]:
    """Translate every needed node; nodes after an unsupported one are still looked up, so that all are reported."""
    from onnx import numpy_helper

    graph, opset = model.graph, _opset(model)
    for tensor in graph.initializer:
        known.setdefault(tensor.name, _checked(f"weights {tensor.name!r}", lambda t=tensor: numpy_helper.to_array(t)))
    problems: list[Problem] = []
    blocked: set[str] = set()
    for node in _needed(graph, wanted):
        where = f"node {node.name or node.output[0]!r} ({node.op_type})"
        if blocked.intersection(node.input):
            problems += [] if _has_rule(node) else [_no_rule(where, node, blocked)]
            blocked.update(node.output)
            continue
        try:
            result = _translate(node, where, known, opset)
        except UnsupportedError as error:
            problems += error.problems
            blocked.update(node.output)
            continue
        results = result if isinstance(result, tuple) else (result,)
        known.update(zip(node.output, results, strict=False))
        blocked.update(node.output[len(results) :])
    refuse(UnsupportedError, problems)
    return known


def _has_rule(node: NodeProto) -> bool:
    return node.domain in ("", "ai.onnx") and node.op_type in FOLDED.union(RULES)


def _no_rule(where: str, node: NodeProto, blocked: Iterable[str] = ()) -> Problem:
    kind = f"{node.domain}.{node.op_type}" if node.domain else node.op_type
    known = [name for name in node.input if name and name not in blocked]
    cut = f"cut the network before it with layer={known[0]!r}, or " if known else ""
    return Problem(where, f"the operation {kind}", "one that has a translation", f"{cut}replace it and export again")


def _translate(node: NodeProto, where: str, known: Mapping[str, Value | Constant], opset: int) -> Result:
    unknown = [name for name in node.input if name and name not in known]
    if unknown:
        raise ProgramError(
            Problem(where, f"an operand {unknown[0]!r} that nothing before it writes", "an ordered graph")
        )
    if not _has_rule(node):
        raise UnsupportedError(_no_rule(where, node))
    operands = tuple(known[name] if name else None for name in node.input)
    attributes = _checked(where, lambda: {a.name: attribute_value(a) for a in node.attribute})
    if not any(isinstance(x, Value) for x in operands) and node.op_type in FOLDED:
        return _checked(where, lambda: fold(node, where, operands, attributes, opset))
    if node.op_type not in RULES or not any(isinstance(x, Value) for x in operands):
        raise UnsupportedError(_no_rule(where, node))
    call = Call(node.op_type, where, operands, attributes, opset, len(node.output), node.input[0])
    result = _checked(where, lambda: RULES[node.op_type](call))
    for value in result if isinstance(result, tuple) else (result,):
        call.bounded(math.prod(value.shape))
    return result


def _checked(where: str, compute: Any) -> Any:
    """Run a rule; what only a malformed node can cause becomes a ProgramError that names the node."""
    try:
        return compute()
    except UnsupportedError:
        raise
    except ProgramError as error:
        raise ProgramError(*(dataclasses.replace(p, where=f"{where}, {p.where}") for p in error.problems)) from None
    except MALFORMED as error:
        remedy = "onnx.checker.check_model says more"
        raise ProgramError(Problem(where, f"{type(error).__name__}: {error}", "a well-formed node", remedy)) from None


def join(program: Program) -> Program:
    """One output: a single one without its batch axis, several flattened and put one after another."""
    shapes = program.output_shapes

    def joined(*values: Value) -> Value:
        if len(values) == 1:
            return values[0].reshape(*(shapes[0][1:] if shapes[0][:1] == (1,) else shapes[0]))
        return concat(*(value.reshape(-1) for value in values))

    return program >> trace(joined, *(Input(shape) for shape in shapes))
