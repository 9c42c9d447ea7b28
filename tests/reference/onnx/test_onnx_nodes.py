"""Every supported ONNX node, in its variants, against onnxruntime: imported and evaluated, and imported and lowered.

Answers for `privis.program.onnx.movement_rules`, `privis.program.onnx.node`
and `privis.program.onnx.window_rules`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from privis.program import Kind, Program
from privis.program.onnx.translate import trace_onnx
from privis.readings import evaluate, ranges
from privis.run.clear.onnx_lowering import lower

onnx = pytest.importorskip("onnx")
onnxruntime = pytest.importorskip("onnxruntime")
IMAGE = (3, 11, 8)
OPSET = 17


def noise(*shape: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=shape).astype(np.float32)


def ints(*values: int) -> np.ndarray:
    return np.array(values, np.int64)


@dataclass(frozen=True, eq=False)
class Case:
    """One node on a centred image of shape (1, 3, 11, 8), or on its first elements in another ``shape``.

    ``constants`` follow the image among the operands (None: left out); ``first`` puts them before it.
    """

    kind: str
    constants: tuple[np.ndarray | None, ...] = ()
    attributes: dict[str, Any] = field(default_factory=dict)
    opset: int = OPSET
    shape: tuple[int, ...] = (1, *IMAGE)
    first: bool = False
    results: int = 1
    positive: bool = False
    twice: bool = False  # the image is the second operand too, shifted by one pixel

    @property
    def label(self) -> str:
        chosen = "-".join(f"{k}={v}" for k, v in self.attributes.items()).replace(" ", "")
        return f"{self.kind}-{chosen}-{self.opset}"


def case(kind: str, *constants: np.ndarray | None, opset: int = OPSET, **attributes: Any) -> Case:
    return Case(kind, constants, attributes, opset)


def model_of(case: Case) -> bytes:
    """The node behind the steps that bring the image to its shape; also the constants as initialisers."""
    from onnx import TensorProto, helper, numpy_helper

    length = int(np.prod(case.shape))
    known = {"flat": ints(-1), "none": ints(0), "length": ints(length), "shape": ints(*case.shape)}
    known |= {f"c{k}": value for k, value in enumerate(case.constants) if value is not None}
    names = [f"c{k}" if value is not None else "" for k, value in enumerate(case.constants)]
    nodes = [
        helper.make_node("Reshape", ["image", "flat"], ["all"]),
        helper.make_node("Slice", ["all", "none", "length"], ["some"]),
        helper.make_node("Abs" if case.positive else "Identity", ["some"], ["real"]),
        helper.make_node("Reshape", ["real", "shape"], ["x"]),
    ]
    operands = [*names, "x"] if case.first else ["x", *names]
    if case.twice:
        nodes.append(helper.make_node("Tanh", ["x"], ["z"]))
        operands = [*operands, "z"]
    results = [f"y{k}" for k in range(case.results)]
    nodes.append(helper.make_node(case.kind, operands, results, name="node", **case.attributes))
    image = helper.make_tensor_value_info("image", TensorProto.FLOAT, (1, *IMAGE))
    outputs = [helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in results]
    initializers = [numpy_helper.from_array(value, name) for name, value in known.items()]
    if case.opset < 10:  # Slice had attributes then
        nodes[1] = helper.make_node("Slice", ["all"], ["some"], starts=[0], ends=[length])
    graph = helper.make_graph(nodes, "case", [image], outputs, initializers)
    opsets = [helper.make_opsetid("", case.opset)]
    return helper.make_model(graph, opset_imports=opsets, ir_version=8).SerializeToString()


def imported(model: bytes, shape: tuple[int, ...] = IMAGE) -> Program:
    return trace_onnx(model, shape, lambda x: x)[0]


def onnxruntime_of(model: bytes, image: np.ndarray) -> list[np.ndarray]:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.log_severity_level = 1, 3
    session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    return session.run(None, {session.get_inputs()[0].name: image[None]})


def tuple_of(values: Any) -> tuple[np.ndarray, ...]:
    return values if isinstance(values, tuple) else (values,)


def assert_equal_everywhere(model: bytes, image: np.ndarray) -> Program:
    program = imported(model, image.shape)
    lowered = lower(program)
    assert lowered is not None
    expected = onnxruntime_of(model, image)
    for values in (tuple_of(evaluate(program, image)), tuple_of(lowered(image))):
        assert [value.shape for value in values] == [value.shape for value in expected]
        for value, reference in zip(values, expected, strict=True):
            np.testing.assert_allclose(value, reference, rtol=0, atol=1e-5 * max(1.0, np.abs(reference).max()))
    return program


CONVOLUTIONS = [
    case("Conv", noise(4, 3, 3, 3)),
    case("Conv", noise(4, 3, 3, 3), noise(4)),
    case("Conv", noise(6, 1, 3, 2), noise(6), group=3, pads=[1, 0, 2, 1]),
    case("Conv", noise(4, 3, 3, 2), strides=[2, 1], pads=[0, 1, 2, 0]),
    case("Conv", noise(4, 3, 3, 2), dilations=[2, 3]),
    case("Conv", noise(4, 3, 3, 2), dilations=[3, 1], pads=[3, 0, 3, 1], strides=[1, 2]),
    case("Conv", noise(4, 3, 3, 4), auto_pad="SAME_UPPER"),
    case("Conv", noise(4, 3, 4, 3), auto_pad="SAME_LOWER", strides=[2, 3]),
    case("Conv", noise(4, 3, 3, 3), auto_pad="VALID"),
    case("BatchNormalization", *(np.abs(noise(3, seed=k)) + 0.1 for k in range(4)), epsilon=1e-3),
    Case("BatchNormalization", tuple(np.abs(noise(5, seed=k)) + 0.1 for k in range(4)), shape=(2, 5)),
]
POOLS = [
    case(kind, kernel_shape=kernel, **attributes)
    for kind in ("MaxPool", "AveragePool")
    for kernel, attributes in (
        ([2, 2], {}),
        ([2, 2], {"strides": [2, 2]}),
        ([3, 2], {"strides": [2, 1], "pads": [1, 0, 2, 1]}),
        ([3, 3], {"strides": [2, 2], "ceil_mode": 1}),
        ([3, 3], {"strides": [3, 2], "ceil_mode": 1, "pads": [1, 1, 1, 1]}),
        ([2, 2], {"strides": [3, 3], "ceil_mode": 1, "pads": [1, 1, 1, 1]}),
        ([3, 4], {"auto_pad": "SAME_UPPER", "strides": [2, 2]}),
        ([4, 3], {"auto_pad": "SAME_LOWER", "strides": [2, 2]}),
    )
] + [
    case("AveragePool", kernel_shape=[3, 3], pads=[1, 1, 1, 1], count_include_pad=1),
    case("AveragePool", kernel_shape=[3, 3], pads=[1, 0, 1, 2], count_include_pad=1, strides=[2, 2], ceil_mode=1),
    case("AveragePool", kernel_shape=[3, 3], pads=[1, 0, 1, 2], strides=[2, 2], ceil_mode=1),
    case("AveragePool", kernel_shape=[3, 2], pads=[1, 0, 1, 1], dilations=[2, 1], opset=19),
    case("MaxPool", kernel_shape=[3, 3], dilations=[2, 1]),
    case("MaxPool", kernel_shape=[3, 3], dilations=[3, 2], pads=[2, 1, 1, 2], strides=[2, 1]),
    case("GlobalAveragePool"),
    case("GlobalMaxPool"),
]
SIZES = ([1, 3, 22, 24], [1, 3, 7, 5], [1, 3, 11, 8], [1, 3, 13, 1])
RESIZES = [
    case("Resize", None, None, ints(*size), mode=mode, coordinate_transformation_mode=coordinates)
    for size in SIZES
    for mode in ("nearest", "linear")
    for coordinates in ("half_pixel", "asymmetric", "align_corners", "pytorch_half_pixel")
] + [
    *(
        case("Resize", None, np.array([1, 1, 2, 1.7], np.float32), mode="nearest", nearest_mode=rounding)
        for rounding in ("floor", "ceil", "round_prefer_floor", "round_prefer_ceil")
    ),
    *(
        case(
            "Resize",
            None,
            np.array([1, 1, 0.7, 2.5], np.float32),
            mode=mode,
            coordinate_transformation_mode=coordinates,
        )
        for mode in ("nearest", "linear")
        for coordinates in ("half_pixel", "asymmetric", "half_pixel_symmetric")
    ),
    case("Resize", None, np.array([3, 2], np.float32), mode="nearest", axes=[2, 3], opset=18),
    case("Resize", np.array([1, 1, 2, 2], np.float32), mode="nearest", opset=10),
    case("Resize", np.array([1, 1, 2, 1.5], np.float32), mode="linear", opset=10),
    case("Upsample", np.array([1, 1, 2, 3], np.float32), mode="nearest", opset=9),
    case("Upsample", mode="nearest", scales=[1.0, 1.0, 2.0, 2.0], opset=7),
]
PADS = [
    case("Pad", ints(0, 0, 1, 2, 0, 0, 3, 0)),
    case("Pad", ints(0, 0, 1, 2, 0, 0, 3, 0), np.float32(-2.5)),
    case("Pad", ints(0, 1, -2, 2, 0, 0, 3, -1)),
    case("Pad", ints(0, 0, 1, 2, 0, 0, 3, 4), mode="edge"),
    case("Pad", ints(0, 0, 1, 2, 0, 0, 3, 4), mode="reflect"),
    case("Pad", ints(2, 1), np.float32(1), ints(-1), opset=18),
    case("Pad", pads=[0, 0, 1, 1, 0, 0, 0, 2], value=0.5, opset=9),
]
ELEMENTWISE = [
    *(case(kind) for kind in ("Abs", "Exp", "HardSwish", "Identity", "Neg", "Relu", "Sigmoid", "Tanh")),
    *(Case(kind, positive=True) for kind in ("Sqrt",)),
    *(case(kind) for kind in ("Elu", "HardSigmoid", "LeakyRelu", "Dropout")),
    case("Elu", alpha=0.3),
    case("HardSigmoid", alpha=0.1, beta=0.4),
    case("LeakyRelu", alpha=0.3),
    case("PRelu", np.float32([[[0.1]], [[0.2]], [[-0.3]]])),
    case("PRelu", np.float32([0.25])),
    case("Clip", np.float32(-0.5), np.float32(0.25)),
    case("Clip", None, np.float32(0.25)),
    case("Clip", np.float32(0.1)),
    case("Clip"),
    case("Clip", min=0.0, max=6.0, opset=9),
    *(case("Softmax", axis=axis) for axis in (1, 2, -1)),
    *(case("Softmax", axis=axis, opset=11) for axis in (1, 2, 3)),
    case("Softmax", opset=11),
    case("Cast", to=1),
    *(case("Pow", np.float32(exponent)) for exponent in (1, 2, 3)),
    *(Case("Pow", (np.float32(exponent),), positive=True) for exponent in (0.5,)),
]
CONSTANTS = (np.float32(1.5), np.float32([[[0.5]], [[2]], [[-1]]]), noise(8) + 5, noise(1, 3, 11, 8) + 5)
ARITHMETIC = [
    *(case(kind, c) for kind in ("Add", "Sub", "Mul", "Div", "Max", "Min", "Sum", "Mean") for c in CONSTANTS),
    *(Case(kind, (c,), first=True) for kind in ("Add", "Sub", "Mul", "Max") for c in CONSTANTS),
    *(Case(kind, twice=True) for kind in ("Add", "Sub", "Mul", "Max", "Min", "Sum", "Mean")),
    case("Add", noise(2, 3, 1, 8)),  # a constant may be the larger operand
    Case("Add", (noise(4, 2, 3, 5),), shape=(3, 1)),
]
MATRICES = [
    Case("Gemm", (noise(5, 7), noise(7)), shape=(1, 5)),
    Case("Gemm", (noise(7, 5), noise(7)), {"transB": 1}, shape=(1, 5)),
    Case("Gemm", (noise(7, 5), noise(3, 1)), {"transB": 1, "alpha": 0.5, "beta": 2.0}, shape=(3, 5)),
    Case("Gemm", (noise(3, 7),), {"transA": 1}, shape=(3, 5)),
    Case("Gemm", (noise(4, 3),), shape=(3, 5), first=True),
    Case("Gemm", (noise(5, 7), noise(1)), {"beta": 0.5}, shape=(2, 5)),
    Case("MatMul", (noise(5, 7),), shape=(2, 3, 5)),
    Case("MatMul", (noise(5),), shape=(2, 3, 5)),
    Case("MatMul", (noise(7, 3),), shape=(2, 3, 5), first=True),
    Case("MatMul", twice=True, shape=(2, 4, 4)),
    Case("Gemm", twice=True, attributes={"transB": 1}, shape=(2, 4)),
]
REDUCTIONS = [
    *(
        case(kind, axes=axes, keepdims=keep)
        for kind in ("ReduceMean", "ReduceMax", "ReduceMin", "ReduceL2", "ReduceSumSquare")
        for axes, keep in (([2, 3], 0), ([-1], 1), ([1], 0))
    ),
    *(case("ReduceSum", ints(*axes), keepdims=keep) for axes, keep in (((2, 3), 0), ((-1,), 1))),
    case("ReduceSum", axes=[1, 2], opset=11),
    case("ReduceMean"),
    case("ReduceMean", ints(1, 3), opset=18),
]
MOVEMENT = [
    case("Reshape", ints(0, -1)),
    case("Reshape", ints(1, 0, 8, -1)),
    case("Reshape", ints(3, 8, 11)),
    case("Flatten"),
    *(case("Flatten", axis=axis) for axis in (0, 2, 4, -1)),
    Case("Squeeze", (ints(0, 2),), shape=(1, 3, 1, 8)),
    Case("Squeeze", shape=(1, 3, 1, 8)),
    Case("Squeeze", attributes={"axes": [2]}, shape=(1, 3, 1, 8), opset=11),
    case("Unsqueeze", ints(0, -1)),
    case("Unsqueeze", axes=[2], opset=11),
    case("Transpose"),
    case("Transpose", perm=[0, 2, 3, 1]),
    case("Transpose", perm=[0, 1, 2, 3]),
    case("Slice", ints(1), ints(2), ints(1)),
    case("Slice", ints(-5, 1), ints(2**63 - 1, -1), ints(2, 3), ints(2, 3)),
    case("Slice", ints(-1), ints(-(2**63) + 1), ints(2), ints(-1)),
    case("Slice", ints(8), ints(1), ints(2), ints(-3)),
    case("Slice", starts=[1, 2], ends=[9, 2**31], axes=[2, -1], opset=9),
    Case("Split", (ints(2, 5, 4),), {"axis": 2}, results=3),
    Case("Split", attributes={"axis": -1}, results=4),
    Case("Split", attributes={"axis": 2, "split": [4, 7]}, opset=11, results=2),
    Case("Split", attributes={"axis": 2, "num_outputs": 3}, opset=18, results=3),
    case("Gather", ints(2, 0, -1), axis=1),
    case("Gather", np.array(1, np.int64), axis=2),
    case("Gather", np.array([[0, 1], [-2, 3]]), axis=-1),
    Case("Concat", (noise(1, 2, 11, 8),), {"axis": 1}),
    Case("Concat", attributes={"axis": -2}, twice=True),
    Case("DepthToSpace", attributes={"blocksize": 2}, shape=(1, 8, 3, 5)),
    Case("DepthToSpace", attributes={"blocksize": 2, "mode": "CRD"}, shape=(1, 8, 3, 5)),
    Case("SpaceToDepth", attributes={"blocksize": 2}, shape=(1, 3, 4, 6)),
]
CASES = [
    *CONVOLUTIONS, *POOLS, *RESIZES, *PADS, *ELEMENTWISE, *ARITHMETIC, *MATRICES, *REDUCTIONS, *MOVEMENT,
]  # fmt: skip


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.label)
def test_a_node_equals_onnxruntime(case: Case) -> None:
    assert_equal_everywhere(model_of(case), 2 * noise(*IMAGE, seed=7))


@pytest.mark.parametrize("case", [case("Softmax", axis=-1), case("Softmax", axis=1, opset=11)])
def test_a_softmax_of_any_numbers_never_overflows_nor_divides_by_less_than_one(case: Case) -> None:
    program = imported(model_of(case))
    known = {
        node.op.kind: ranges(program)[node.operands[0]].bounds for node in program.nodes if hasattr(node.op, "kind")
    }
    assert known[Kind.EXP] == (-80.0, 0.0) and known[Kind.RECIPROCAL] == (1.0, case_length(case))
    image = 1000 * noise(*IMAGE)
    assert np.isfinite(evaluate(program, image)).all()


def case_length(case: Case) -> float:
    """How many terms the softmax of ``case`` sums: the last axis, or all but the batch."""
    return float(IMAGE[-1] if case.opset >= 13 else np.prod(IMAGE))


def test_argmax_gives_the_index_as_a_number() -> None:
    case = Case("ArgMax", attributes={"axis": 1, "keepdims": 1})
    model, image = model_of(case), noise(*IMAGE)
    expected = evaluate(imported(model), image)
    assert expected.shape == (1, 1, 11, 8)
    assert (expected[0, 0] == image.argmax(0)).all()


def test_reciprocal() -> None:
    assert_equal_everywhere(model_of(Case("Reciprocal", positive=True)), 1 + np.abs(noise(*IMAGE)))


@st.composite
def layers(draw: st.DrawFn) -> list[Any]:
    """A random network: nodes that keep (1, C, H, W), each reading the one before and sometimes an earlier one."""
    from onnx import helper, numpy_helper

    random = np.random.default_rng(draw(st.integers(0, 2**16)))
    nodes, constants, shapes = [], [], {"image": (3, 14, 12)}
    current = "image"
    for k in range(draw(st.integers(1, 7))):
        planes, height, width = shapes[current]
        kinds = ["Conv", "Depthwise", "Relu", "PRelu", "Sigmoid", "Resize", "Concat", "Add", "Split"]
        kind = draw(st.sampled_from(kinds + (["MaxPool", "AveragePool"] if min(height, width) > 3 else [])))
        name, weight, made = f"t{k}", f"w{k}", shapes[current]
        same = [other for other, shape in shapes.items() if shape[1:] == (height, width)]
        match kind:
            case "Conv" | "Depthwise":
                stride, groups = draw(st.sampled_from([1, 2])), 1 if kind == "Conv" else planes
                outputs = 2 * planes if kind == "Depthwise" else draw(st.integers(1, 5))
                array = random.normal(0, 1, (outputs, planes // groups, 3, 3)) / planes
                attributes = {"pads": [1, 1, 1, 1], "strides": [stride, stride], "group": groups}
                nodes.append(helper.make_node("Conv", [current, weight], [name], **attributes))
                made = (outputs, -(-height // stride), -(-width // stride))
            case "PRelu":
                array = random.normal(0, 0.5, (planes, 1, 1))
                nodes.append(helper.make_node(kind, [current, weight], [name]))
            case "MaxPool" | "AveragePool":
                pad = draw(st.sampled_from([0, 1]))
                array, attributes = np.zeros(0), {"kernel_shape": [3, 3], "strides": [2, 2], "pads": [pad] * 4}
                nodes.append(helper.make_node(kind, [current], [name], **attributes))
                made = (planes, (height + 2 * pad - 3) // 2 + 1, (width + 2 * pad - 3) // 2 + 1)
            case "Resize":
                array = np.array([1, 1, 2, 2])
                attributes = {"mode": draw(st.sampled_from(["nearest", "linear"]))}
                attributes["coordinate_transformation_mode"] = "asymmetric"
                nodes.append(helper.make_node(kind, [current, "", weight], [name], **attributes))
                made = (planes, 2 * height, 2 * width)
            case "Concat":
                other = draw(st.sampled_from(same))
                array = np.zeros(0)
                nodes.append(helper.make_node(kind, [current, other], [name], axis=1))
                made = (planes + shapes[other][0], height, width)
            case "Add":
                other = draw(st.sampled_from([other for other in same if shapes[other] == shapes[current]]))
                array = np.zeros(0)
                nodes.append(helper.make_node(kind, [current, other], [name]))
            case "Split":
                array = np.zeros(0)
                nodes.append(helper.make_node(kind, [current], [name, f"{name}_rest"], axis=2, num_outputs=2))
                made = (planes, -(-height // 2), width)
            case _:
                array = np.zeros(0)
                nodes.append(helper.make_node(kind, [current], [name]))
        constants.append(numpy_helper.from_array(array.astype(np.float32), weight))
        shapes[name] = made
        current = name
    return [nodes, constants, current]


@settings(max_examples=60)
@given(layers())
def test_random_networks_equal_onnxruntime(drawn: list[Any]) -> None:
    from onnx import TensorProto, helper

    nodes, constants, last = drawn
    image = helper.make_tensor_value_info("image", TensorProto.FLOAT, (1, 3, 14, 12))
    output = helper.make_tensor_value_info(last, TensorProto.FLOAT, None)
    graph = helper.make_graph(nodes, "random", [image], [output], constants)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=8)
    assert_equal_everywhere(model.SerializeToString(), noise(3, 14, 12))
