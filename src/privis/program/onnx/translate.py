"""ONNX graphs as programs, node by node. Nothing in a model is executed: it is data that rules translate."""

from __future__ import annotations

import dataclasses
import difflib
import functools
import math
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from privis.errors import ParameterError, Problem, ProgramError, UnsupportedError, refuse
from privis.extras import optional_import
from privis.file_formats import FileFormat, format_of, misfit
from privis.program import Input, Program, Shape, Value, concat, trace
from privis.program.onnx.constant_folding import attribute_value, fold, real
from privis.program.onnx.inputs import network_input
from privis.program.onnx.node import Call, Constant, Result, Rule
from privis.program.onnx.operators.learned_rules import LEARNED
from privis.program.onnx.refusals import no_rule
from privis.program.onnx.rules import RULES

if TYPE_CHECKING:
    from onnx import GraphProto, ModelProto, NodeProto

LARGEST_FILE = 2**31  # bytes: what a protocol buffer can hold
OLDEST_OPSET = 7  # from here on operands broadcast as in numpy
MALFORMED = (IndexError, KeyError, ValueError, TypeError, AttributeError, ZeroDivisionError, OverflowError)


def read_onnx(path: str | Path) -> bytes:
    """Return the bytes of the ONNX file at ``path`` after `parse_onnx` has checked them.

    Weights that stand in other files beside it are read from there and put into the bytes. Raises ParameterError when
    there is no such file or it is of another kind, ProgramError for weights that cannot be read.
    """
    path = Path(path)
    if path.suffix.lower() != ".onnx":
        remedy = "export the network, for PyTorch with torch.onnx.export(model, example, 'network.onnx')"
        raise ParameterError(
            misfit(path, FileFormat.NETWORK, f"the ending {path.suffix!r}", "an ONNX file, .onnx", remedy)
        )
    try:
        if path.stat().st_size >= LARGEST_FILE:
            raise ParameterError(Problem(str(path), f"{path.stat().st_size} bytes", f"fewer than {LARGEST_FILE}"))
        content = path.read_bytes()
    except OSError as error:
        reason, expected = error.strerror or "an error", "a readable ONNX file"
        raise ParameterError(misfit(path, FileFormat.NETWORK, reason, expected)) from None
    try:
        if _external(_parsed(content, str(path)).graph):
            content = _with_weights(path)
        parse_onnx(content, str(path))
    except ProgramError:
        if (found := format_of(path)) not in (FileFormat.NETWORK, FileFormat.UNKNOWN):
            raise ParameterError(misfit(path, FileFormat.NETWORK, str(found), "an ONNX network")) from None
        raise
    return content


def _with_weights(path: Path) -> bytes:
    """The model with the weights of the files beside it; onnx refuses paths that lead elsewhere."""
    import onnx

    try:
        model = onnx.load(path)
    except (OSError, ValueError, onnx.checker.ValidationError) as error:
        got = f"weights in other files: {str(error).splitlines()[0]}"
        remedy = "keep the files of the export in one folder, or merge them: onnx.save(onnx.load(path), 'merged.onnx')"
        raise ProgramError(Problem(str(path), got, "readable files beside it", remedy)) from None
    if (size := model.ByteSize()) >= LARGEST_FILE:
        raise ParameterError(Problem(str(path), f"{size} bytes with its weights", f"fewer than {LARGEST_FILE}"))
    return model.SerializeToString(deterministic=True)


def _parsed(content: bytes, where: str) -> ModelProto:
    with optional_import("cnn", "importing a network"):
        import onnx
        from google.protobuf.message import DecodeError

    try:
        model = onnx.load_model_from_string(content)
    except (DecodeError, ValueError) as error:
        raise ProgramError(Problem(where, f"{type(error).__name__}: {error}", "a complete ONNX model")) from None
    return model


def parse_onnx(content: bytes, where: str = "ONNX model") -> ModelProto:
    """Parse an ONNX model; ProgramError when it is damaged, keeps weights in other files or is older than opset 7."""
    model = _parsed(content, where)
    problems = []
    if not model.graph.node:
        problems.append(Problem(where, "a graph without nodes", "a complete ONNX model"))
    if _external(model.graph):
        remedy = "read it with CNN.from_onnx(path), or merge them: onnx.save(onnx.load(path), 'merged.onnx')"
        problems.append(Problem(where, "weights in other files", "weights inside the file", remedy))
    if model.graph.sparse_initializer:
        problems.append(Problem(where, "sparse weights", "dense weights"))
    if model.graph.node and _opset(model) < OLDEST_OPSET:
        remedy = "convert it: onnx.version_converter.convert_version(model, 13)"
        problems.append(Problem(where, f"opset {_opset(model)}", f"opset {OLDEST_OPSET} or newer", remedy))
    refuse(ProgramError, problems)
    return model


def _external(graph: GraphProto) -> bool:
    from onnx import TensorProto

    return any(tensor.data_location == TensorProto.EXTERNAL for tensor in _tensors(graph))


def _tensors(graph: GraphProto) -> Iterable[Any]:
    yield from graph.initializer
    for node in graph.node:
        yield from (attribute.t for attribute in node.attribute if attribute.HasField("t"))


def _opset(model: ModelProto) -> int:
    return max((entry.version for entry in model.opset_import if entry.domain in ("", "ai.onnx")), default=0)


def trace_onnx(
    content: bytes, shape: Shape, normalise: Callable[[Value], Value], layer: str | None = None
) -> tuple[Program, tuple[str, ...]]:
    """Translate a model for an image of ``shape`` (C, H, W) whose pixels are integers from 0 to 255.

    ``normalise`` is traced first; behind it the batch axis is 1. Returns a program with one output per requested value
    (the node or tensor named ``layer``, or else the graph's outputs) and the names of these tensors. Raises
    UnsupportedError with all nodes that have no translation, ProgramError for a graph that does not fit together and
    ParameterError for an unknown ``layer``.
    """
    model = _inlined(parse_onnx(content))
    source = network_input(model)
    wanted = _requested(model.graph, layer)
    found: list[str] = []

    def network(pixels: Value) -> tuple[Value, ...]:
        x = source.laid_out(normalise(pixels))
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


def _inlined(model: ModelProto) -> ModelProto:
    """Functions of the model's own in the place of their calls."""
    if not model.functions:
        return model
    from onnx import inliner

    return inliner.inline_local_functions(model)


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
            missing.update(_reads(node))
            kept.append(node)
    return kept[::-1]


def _reads(node: NodeProto) -> set[str]:
    """The tensors a node reads, those inside its branches included."""
    names = set(node.input)
    for attribute in node.attribute:
        if attribute.HasField("g"):
            names = names.union(*(_reads(inner) for inner in attribute.g.node), (o.name for o in attribute.g.output))
    return names


def _walk(model: ModelProto, wanted: tuple[str, ...], known: dict[str, Value | Constant]) -> Mapping[str, Any]:
    """Translate every needed node; nodes after an unsupported one are still looked up, so that all are reported."""

    opset = _opset(model)
    _add_weights(model.graph, known)
    problems: list[Problem] = []
    _walk_nodes(_needed(model.graph, wanted), known, opset, problems, set())
    refuse(UnsupportedError, problems)
    return known


def _add_weights(graph: GraphProto, known: dict[str, Value | Constant]) -> None:
    from onnx import numpy_helper

    for tensor in graph.initializer:
        read = functools.partial(numpy_helper.to_array, tensor)
        known.setdefault(tensor.name, real(_checked(f"weights {tensor.name!r}", read)))


def _walk_nodes(
    nodes: Iterable[NodeProto],
    known: dict[str, Value | Constant],
    opset: int,
    problems: list[Problem],
    blocked: set[str],
) -> None:
    for node in nodes:
        where = f"node {node.name or node.output[0]!r} ({node.op_type})"
        if blocked.intersection(node.input):
            problems += [] if _rule(node) or not _depends(node, known, blocked) else [no_rule(where, node, blocked)]
            blocked.update(node.output)
            continue
        branch = _branch(node, known)
        if branch is not None:
            _add_weights(branch, known)
            _walk_nodes(branch.node, known, opset, problems, blocked)
            for name, inner in zip(node.output, branch.output, strict=True):
                if inner.name in known:
                    known[name] = known[inner.name]
                else:
                    blocked.add(name)
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


def _depends(node: NodeProto, known: Mapping[str, Value | Constant], blocked: set[str]) -> bool:
    """Whether a node may read the image: it reads an activation, or what could not be translated."""
    return any(name in blocked or isinstance(known.get(name), Value) for name in node.input)


def _branch(node: NodeProto, known: Mapping[str, Value | Constant]) -> GraphProto | None:
    """The branch that an If with a public condition takes; None for other nodes."""
    condition = known.get(node.input[0]) if node.op_type == "If" and node.input else None
    if condition is None or isinstance(condition, Value):
        return None
    name = "then_branch" if bool(condition.item()) else "else_branch"
    return next((attribute.g for attribute in node.attribute if attribute.name == name), None)


def _rule(node: NodeProto) -> Rule | None:
    tables = {"": RULES, "ai.onnx": RULES, "ai.onnx.ml": LEARNED}
    return tables.get(node.domain, {}).get(node.op_type)


def _translate(node: NodeProto, where: str, known: Mapping[str, Value | Constant], opset: int) -> Result:
    unknown = [name for name in node.input if name and name not in known]
    if unknown:
        raise ProgramError(
            Problem(where, f"an operand {unknown[0]!r} that nothing before it writes", "an ordered graph")
        )
    operands = tuple(known[name] if name else None for name in node.input)
    is_public = not any(isinstance(x, Value) for x in operands) and node.domain in ("", "ai.onnx")
    if any(attribute.HasField("g") for attribute in node.attribute):
        raise UnsupportedError(no_rule(where, node))
    attributes = _checked(where, lambda: {a.name: attribute_value(a) for a in node.attribute})
    if is_public:
        return _checked(where, lambda: fold(node, where, operands, attributes, opset))
    rule = _rule(node)
    if rule is None:
        raise UnsupportedError(no_rule(where, node))
    call = Call(node.op_type, where, operands, attributes, opset, len(node.output), node.input[0])
    result = _checked(where, lambda: rule(call))
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
