"""Activations, normalisations, comparisons, products and resampling of ONNX against onnxruntime, and what is refused.

Answers for `privis.program.onnx.operators.activation_rules`, `privis.program.onnx.operators.logic_rules`,
`privis.program.onnx.operators.product_rules`, `privis.program.onnx.operators.normalisation_rules`,
`privis.program.onnx.operators.learned_rules`, `privis.program.onnx.operators.patterns` and
`privis.program.onnx.resampling_rules`.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from privis.errors import UnsupportedError
from privis.program import Program, ops
from privis.program.onnx.refusals import REMEDIES
from privis.program.onnx.rules import RULES
from privis.program.onnx.translate import trace_onnx
from privis.readings import ranges
from tests.reference.onnx.test_onnx_nodes import CASES as NODES
from tests.reference.onnx.test_onnx_nodes import (
    IMAGE,
    Case,
    assert_equal_everywhere,
    case,
    imported,
    ints,
    model_of,
    noise,
)

onnx = pytest.importorskip("onnx")
SCALE, BIAS = np.float32([0.5, -2, 1.5]), np.float32([1, 0, -3])
ACTIVATIONS = [
    *(case(kind) for kind in ("Erf", "Softplus", "Softsign", "Selu", "Celu", "ThresholdedRelu", "Shrink", "Round")),
    *(case(kind, opset=20) for kind in ("Gelu",)),
    case("Gelu", approximate="tanh", opset=20),
    case("Mish", opset=18),
    case("Celu", alpha=0.3),
    case("Selu", alpha=1.2, gamma=2.0),
    case("ThresholdedRelu", alpha=0.4),
    case("Shrink", bias=0.2, lambd=0.6),
    *(case("LogSoftmax", axis=axis) for axis in (1, -1)),
    case("LogSoftmax", axis=1, opset=11),
    *(case("Hardmax", axis=axis) for axis in (1, -1)),
    Case("Log", positive=True),
    *(Case("Pow", (np.float32(e),), positive=True) for e in (1.5, 1 / 3, 4, 7)),
    Case("Pow", (np.float32(2.5),), first=True),
]
NORMALISATIONS = [
    case("InstanceNormalization", SCALE, BIAS),
    case("InstanceNormalization", SCALE, BIAS, epsilon=0.1),
    case("LayerNormalization", noise(8), noise(8)),
    case("LayerNormalization", noise(8)),
    case("LayerNormalization", noise(3, 11, 8), noise(3, 11, 8), axis=1, epsilon=0.01),
    Case("GroupNormalization", (np.float32([2, 3]), np.float32([1, -1])), {"num_groups": 2}, 18, (1, 6, 4, 4)),
    Case("GroupNormalization", (noise(6), noise(6)), {"num_groups": 3}, 21, (1, 6, 4, 4)),
    case("MeanVarianceNormalization"),
    case("LpNormalization", axis=1),
    case("LRN", size=3),
    case("LRN", size=5, alpha=0.5, beta=0.6, bias=2.0),
    case("LpPool", kernel_shape=[2, 2], strides=[2, 2]),
]
PRODUCTS = [
    case("ConvTranspose", noise(3, 4, 3, 3)),
    case("ConvTranspose", noise(3, 4, 3, 2), noise(4), strides=[2, 3], pads=[1, 0, 0, 1], output_padding=[1, 2]),
    case("ConvTranspose", noise(3, 2, 3, 3), noise(6), group=3, dilations=[2, 1], strides=[1, 2]),
    case("ConvTranspose", noise(3, 2, 2, 2), pads=[2, 2, 2, 2]),
    *(case("ConvTranspose", noise(3, 2, 3, 3), auto_pad=how, strides=[2, 2]) for how in ("SAME_UPPER", "SAME_LOWER")),
    Case("ConvTranspose", (noise(3, 2, 4),), {"strides": [2]}, shape=(1, 3, 9)),
    Case("Conv", (noise(4, 3, 3), noise(4)), {"pads": [1, 1], "strides": [2]}, shape=(1, 3, 9)),
    Case("MaxPool", attributes={"kernel_shape": [3], "strides": [2]}, shape=(1, 3, 9)),
    Case("AveragePool", attributes={"kernel_shape": [3], "pads": [1, 1]}, shape=(1, 3, 9)),
    Case("AveragePool", attributes={"kernel_shape": [3, 1, 1], "strides": [2, 1, 1]}, shape=(1, 2, 7, 3, 4)),
    Case("Einsum", (noise(5, 4),), {"equation": "bij,jk->bik"}, shape=(2, 3, 5)),
    Case("Einsum", (noise(2, 5, 4),), {"equation": "bij,bjk->kbi"}, shape=(2, 3, 5)),
    Case("Einsum", (noise(2, 5, 4),), {"equation": "ij,bjk->b"}, shape=(3, 5)),
    Case("Einsum", (), {"equation": "bij,bkj->bik"}, shape=(2, 3, 5), twice=True),
    Case("Einsum", (), {"equation": "ij->ji"}, shape=(3, 5)),
    Case("Einsum", (), {"equation": "i,j->ij"}, shape=(5,), twice=True),
    Case("MatMul", (noise(2, 5, 4),), shape=(2, 3, 5)),
    Case("MatMul", (noise(2, 4, 3),), shape=(2, 3, 5), first=True),
    Case("MatMul", (noise(3),), shape=(2, 3, 5), first=True),
    *(case("CumSum", np.array(axis), **flags) for axis in (2, -1) for flags in ({}, {"exclusive": 1}, {"reverse": 1})),
]
RESAMPLING = [
    *(
        case("Resize", None, None, ints(*size), mode="cubic", coordinate_transformation_mode=how)
        for size in ([1, 3, 22, 24], [1, 3, 7, 5])
        for how in ("half_pixel", "align_corners", "asymmetric")
    ),
    case("Resize", None, np.float32([1, 1, 1.5, 0.7]), mode="cubic", cubic_coeff_a=-0.5, exclude_outside=1),
    *(case("Resize", None, None, ints(1, 3, 5, 3), mode=mode, antialias=1, opset=18) for mode in ("linear", "cubic")),
]
MOVEMENT = [
    case("Expand", ints(2, 3, 11, 8)),
    Case("Expand", (ints(4, 3, 5),), shape=(3, 1)),
    case("Tile", ints(1, 2, 1, 3)),
    case("GatherElements", np.array([[[[0, 2, 1]]]]), axis=3),
    case("GatherElements", np.array([[[[0, -1]], [[3, 4]]]]), axis=2),
    case("GatherND", np.array([[0, 2], [0, 0]])),
    case("ScatterND", np.array([[0, 1, 2], [0, 0, 3]]), noise(2, 8)),
    case("Trilu", np.array(1)),
    case("Trilu", upper=0),
]
REDUCTIONS = [
    *(case(kind, axes=[1, 3], keepdims=keep) for kind in ("ReduceL1", "ReduceLogSumExp") for keep in (0, 1)),
    Case("ReduceLogSum", (), {"axes": [2]}, positive=True),
]
QUANTISED = [
    [("QuantizeLinear", ["image", "s", "z"], "q", {}), ("DequantizeLinear", ["q", "s", "z"], "y", {})],
    [
        ("QuantizeLinear", ["image", "t", "u"], "q", {"axis": 1}),
        ("DequantizeLinear", ["q", "t", "u"], "y", {"axis": 1}),
    ],
]
LOGIC = [
    ("Greater", ["image", "c"]), ("Less", ["image", "c"]), ("GreaterOrEqual", ["c", "image"]),
    ("LessOrEqual", ["image", "c"]), ("Sign", ["image"]),
]  # fmt: skip
OWN = [*ACTIVATIONS, *NORMALISATIONS, *PRODUCTS, *RESAMPLING, *MOVEMENT, *REDUCTIONS]
ELSEWHERE = {
    "ArgMax", "Reciprocal", "Shape", "And", "Or", "Not", "Xor", "Where", "QuantizeLinear", "DequantizeLinear",
    "ArgMin", "TopK", "CastLike", "EyeLike", "Size", "Swish", "RMSNormalization",
}  # fmt: skip
CONSTANTS = {
    "c": np.float32(0.25), "s": np.float32(0.05), "z": np.uint8(100), "t": np.float32([0.05, 0.1, 0.02]),
    "u": np.int8([0, 3, -20]), "inf": np.float32(-np.inf),
}  # fmt: skip


def graph_of(nodes: list[tuple[str, list[str], str, dict[str, Any]]], opset: int = 17, **more: Any) -> bytes:
    """Nodes on the image and ``CONSTANTS``; the last one's result is y."""
    from onnx import TensorProto, helper, numpy_helper

    used = {name for _, operands, _, _ in nodes for name in operands}
    known = {name: value for name, value in {**CONSTANTS, **more}.items() if name in used}
    made = [helper.make_node(kind, operands, result.split(), **own) for kind, operands, result, own in nodes]
    graph = helper.make_graph(
        made, "graph", [helper.make_tensor_value_info("image", TensorProto.FLOAT, (1, *IMAGE))],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)],
        [numpy_helper.from_array(np.asarray(value), name) for name, value in known.items()],
    )  # fmt: skip
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=9).SerializeToString()


def bits(kind: str, operands: list[str], result: str = "b") -> list[tuple[str, list[str], str, dict[str, Any]]]:
    return [(kind, operands, result, {})]


AS_NUMBER = ("Cast", ["b"], "y", {"to": 1})


def test_every_rule_has_a_case() -> None:
    covered = {case.kind for case in [*NODES, *OWN]} | {kind for kind, _ in LOGIC} | ELSEWHERE
    assert set(RULES) - covered == set()


@pytest.mark.parametrize("case", OWN, ids=lambda case: case.label)
def test_an_operator_equals_onnxruntime(case: Case) -> None:
    assert_equal_everywhere(model_of(case), 2 * noise(*IMAGE, seed=7))


@pytest.mark.parametrize(("kind", "operands"), LOGIC)
def test_comparisons_are_ones_and_zeros(kind: str, operands: list[str]) -> None:
    nodes = [*bits(kind, operands), AS_NUMBER]
    assert_equal_everywhere(graph_of(nodes), 2 * noise(*IMAGE))


@pytest.mark.parametrize("kind", ["And", "Or", "Xor"])
def test_truths_are_combined(kind: str) -> None:
    both = [*bits("Greater", ["image", "c"], "p"), *bits("Less", ["image", "s"], "n"), ("Not", ["n"], "q", {})]
    assert_equal_everywhere(graph_of([*both, *bits(kind, ["p", "q"]), AS_NUMBER]), 2 * noise(*IMAGE))


MASK = noise(11, 8) > 0


@pytest.mark.parametrize(
    "chosen", [["b", "image", "c"], ["b", "c", "image"], ["b", "c", "s"], ["b", "image", "squared"]]
)
def test_a_secret_condition_chooses(chosen: list[str]) -> None:
    nodes = [("Mul", ["image", "image"], "squared", {}), *bits("Greater", ["image", "c"]), ("Where", chosen, "y", {})]
    assert_equal_everywhere(graph_of(nodes), 2 * noise(*IMAGE))


@pytest.mark.parametrize("mask", [MASK, np.ones_like(MASK), np.zeros_like(MASK)])
@pytest.mark.parametrize("chosen", [["m", "image", "c"], ["m", "c", "image"], ["m", "image", "squared"]])
def test_a_public_condition_chooses(mask: np.ndarray, chosen: list[str]) -> None:
    nodes = [("Mul", ["image", "image"], "squared", {}), ("Where", chosen, "y", {})]
    assert_equal_everywhere(graph_of(nodes, m=mask), 2 * noise(*IMAGE))


def test_an_infinity_is_put_in_nowhere_or_refused() -> None:
    chosen = [("Where", ["m", "image", "inf"], "y", {})]
    assert_equal_everywhere(graph_of(chosen, m=np.ones((11, 8), bool)), noise(*IMAGE))
    with pytest.raises(UnsupportedError, match="-1e4"):
        imported(graph_of(chosen, m=MASK))


@pytest.mark.parametrize("nodes", QUANTISED)
def test_quantised_activations_are_rounded_as_onnxruntime_rounds(nodes: list[Any]) -> None:
    assert_equal_everywhere(graph_of(nodes), 2 * noise(*IMAGE))


@pytest.mark.parametrize("largest", [0, 1])
@pytest.mark.parametrize("axis", [1, -1])
def test_top_k_and_the_least_along_an_axis(axis: int, largest: int) -> None:
    top = ("TopK", ["image", "k"], "y places", {"axis": axis, "largest": largest})
    assert_equal_everywhere(graph_of([top], k=ints(2)), noise(*IMAGE))
    least = [("ArgMin", ["image"], "b", {"axis": axis, "keepdims": largest}), AS_NUMBER]
    assert_equal_everywhere(graph_of(least), noise(*IMAGE))


def test_shapes_are_public_whatever_they_are_asked_for() -> None:
    sized = [("Size", ["image"], "n", {}), ("Cast", ["n"], "f", {"to": 1}), ("Div", ["image", "f"], "y", {})]
    assert_equal_everywhere(graph_of(sized), noise(*IMAGE))
    like = [("CastLike", ["image", "c"], "y", {})]
    assert_equal_everywhere(graph_of(like), noise(*IMAGE))


def lengths(program: Program) -> list[ops.Normalise]:
    return [node.op for node in program.nodes if isinstance(node.op, ops.Normalise)]


MEAN = {"axes": [1], "keepdims": 1}
DIVIDED = {
    "layer norm": [
        ("ReduceMean", ["image"], "m", MEAN), ("Sub", ["image", "m"], "d", {}), ("Mul", ["d", "d"], "e", {}),
        ("ReduceMean", ["e"], "v", MEAN), ("Add", ["v", "c"], "w", {}), ("Sqrt", ["w"], "r", {}),
        ("Div", ["d", "r"], "y", {}),
    ],
    "root mean square": [
        ("Mul", ["image", "image"], "e", {}), ("ReduceMean", ["e"], "v", MEAN), ("Add", ["v", "c"], "w", {}),
        ("Sqrt", ["w"], "r", {}), ("Reciprocal", ["r"], "i", {}), ("Mul", ["image", "i"], "y", {}),
    ],
    "normalize": [
        ("ReduceL2", ["image"], "l", MEAN), ("Clip", ["l", "least"], "r", {}), ("Expand", ["r", "shape"], "f", {}),
        ("Div", ["image", "f"], "y", {}),
    ],
}  # fmt: skip


@pytest.mark.parametrize("name", DIVIDED)
def test_a_division_by_the_own_length_has_a_known_range(name: str) -> None:
    """Or a network of many layers would fit no fixed point."""
    content = graph_of(DIVIDED[name], least=np.float32(1e-12), shape=ints(1, *IMAGE))
    program = assert_equal_everywhere(content, 2 * noise(*IMAGE))
    assert len(lengths(program)) == 1
    assert max(map(abs, ranges(program)[-1].bounds)) <= np.sqrt(3) * (1 + 1e-9)


def test_a_division_by_another_length_is_a_division() -> None:
    other = [("Exp", ["image"], "e", {}), ("ReduceL2", ["e"], "r", MEAN), ("Div", ["image", "r"], "y", {})]
    assert lengths(assert_equal_everywhere(graph_of(other), noise(*IMAGE))) == []


@pytest.mark.parametrize("kind", ["Floor", "NonZero", "Sin", "Ceil"])
def test_what_has_no_translation_is_refused_with_its_own_remedy(kind: str) -> None:
    with pytest.raises(UnsupportedError) as caught:
        imported(graph_of([(kind, ["image"], "y", {})]))
    assert caught.value.problems[0].remedy == REMEDIES[kind]


def test_classical_models_have_translations(tmp_path: Any) -> None:
    """skl2onnx itself is in the table of exports."""
    import onnxruntime
    from onnx import TensorProto, helper

    random = np.random.default_rng(0)
    weights = {"coefficients": random.normal(size=12).tolist(), "intercepts": [0.1, -0.2, 0.3]}
    nodes = [
        helper.make_node("Scaler", ["x"], ["s"], domain="ai.onnx.ml", offset=[0.5] * 4, scale=[2.0, 1.0, 0.5, 3.0]),
        helper.make_node("Normalizer", ["s"], ["n"], domain="ai.onnx.ml", norm="L2"),
        helper.make_node(
            "LinearClassifier", ["n"], ["label", "scores"], domain="ai.onnx.ml", post_transform="SOFTMAX",
            classlabels_ints=[2, 3, 7], **weights,
        ),
    ]  # fmt: skip
    graph = helper.make_graph(
        nodes, "linear", [helper.make_tensor_value_info("x", TensorProto.FLOAT, (None, 4))],
        [helper.make_tensor_value_info("label", TensorProto.INT64, None),
         helper.make_tensor_value_info("scores", TensorProto.FLOAT, None)],
    )  # fmt: skip
    opsets = [helper.make_opsetid("", 17), helper.make_opsetid("ai.onnx.ml", 3)]
    content = helper.make_model(graph, opset_imports=opsets, ir_version=8).SerializeToString()
    session = onnxruntime.InferenceSession(content, providers=["CPUExecutionProvider"])
    from privis.readings import evaluate

    program, names = trace_onnx(content, (1, 2, 2), lambda x: x)
    assert names == ("label", "scores")
    for pixels in random.normal(size=(20, 2, 2)).astype(np.float32):
        label, scores = session.run(None, {"x": pixels.reshape(1, 4)})
        got = evaluate(program, pixels[None])
        assert got[0] == label
        np.testing.assert_allclose(got[1], scores, atol=1e-5)
