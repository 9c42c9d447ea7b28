"""Constants of a network and what it reads: types, layouts, scales; against onnxruntime.

Answers for `privis.program.onnx.constant_folding` and `privis.program.onnx.inputs`.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from privis.errors import ParameterError, ProgramError, UnsupportedError
from privis.features.cnn import CNN, Channels
from privis.program.onnx.constant_folding import real
from privis.readings import evaluate

onnx = pytest.importorskip("onnx")
onnxruntime = pytest.importorskip("onnxruntime")
WEIGHTS = np.random.default_rng(0).normal(size=(2, 3, 1, 1)).astype(np.float32)
PIXELS = np.random.default_rng(1).integers(0, 256, (3, 4, 6)).astype(np.uint8)


def model(nodes: list[Any], kind: int, shape: tuple[Any, ...], opset: int = 17, **constants: Any) -> bytes:
    from onnx import TensorProto, helper, numpy_helper

    graph = helper.make_graph(
        nodes, "graph", [helper.make_tensor_value_info("image", kind, shape)],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)],
        [numpy_helper.from_array(np.asarray(value), name) for name, value in constants.items()],
    )  # fmt: skip
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=9).SerializeToString()


def node(kind: str, *names: str, **attributes: Any) -> Any:
    *operands, result = names
    return onnx.helper.make_node(kind, operands, [result], **attributes)


def convolved(kind: int, shape: tuple[Any, ...]) -> bytes:
    nodes = [node("Cast", "image", "x", to=1), node("Conv", "x", "w", "y")]
    return model(nodes, kind, shape, w=WEIGHTS)


def right(content: bytes, image: np.ndarray) -> np.ndarray:
    session = onnxruntime.InferenceSession(content, providers=["CPUExecutionProvider"])
    return session.run(None, {"image": image})[0][0]


def got(cnn: CNN, pixels: np.ndarray = PIXELS) -> np.ndarray:
    return np.asarray(evaluate(cnn.program(cnn.shape), pixels))


@pytest.mark.parametrize("kind", ["UINT8", "UINT16", "INT16", "INT32", "INT64"])
def test_a_tensor_of_integers_holds_the_pixels_themselves(kind: str) -> None:
    number = getattr(onnx.TensorProto, kind)
    content = convolved(number, (1, 3, 4, 6))
    image = PIXELS.astype(onnx.helper.tensor_dtype_to_np_dtype(number))[None]
    cnn = CNN(content)
    assert cnn.divisor == 1
    np.testing.assert_allclose(got(cnn), right(content, image), rtol=1e-4, atol=1e-3)
    for wrong in ({"divisor": 255.0}, {"mean": 0.5}, {"std": 0.2}):
        with pytest.raises(ParameterError, match="leave them out"):
            CNN(content, **wrong)


@pytest.mark.parametrize("kind", ["INT8", "BOOL", "STRING", "COMPLEX64"])
def test_a_tensor_that_cannot_hold_pixels_is_refused_with_what_could(kind: str) -> None:
    with pytest.raises(ProgramError, match="uint8"):
        CNN(convolved(getattr(onnx.TensorProto, kind), (1, 3, 4, 6)))


@pytest.mark.parametrize("kind", ["FLOAT", "FLOAT16", "DOUBLE"])
def test_real_numbers_are_scaled_to_one_whatever_their_size(kind: str) -> None:
    number = getattr(onnx.TensorProto, kind)
    content = convolved(number, (1, 3, 4, 6))
    image = (PIXELS / 255).astype(onnx.helper.tensor_dtype_to_np_dtype(number))[None]
    cnn = CNN(content)
    assert cnn.divisor == 255
    np.testing.assert_allclose(got(cnn), right(content, image), atol=2e-3 if kind == "FLOAT16" else 1e-5)


@pytest.mark.parametrize(
    ("shape", "planes_last"),
    [
        ((1, 4, 6, 3), True), (("n", "h", "w", 3), True), ((None, 4, None, 3), True), ((1, None, None, None), True),
        ((1, 3, 4, 6), False), (("n", 3, "h", "w"), False), ((1, None, None, None), False), ((1, "c", 4, 6), False),
    ],
)  # fmt: skip
def test_the_axis_of_the_planes_is_found(shape: tuple[Any, ...], planes_last: bool) -> None:
    first = [node("Transpose", "image", "x", perm=[0, 3, 1, 2])] if planes_last else [node("Identity", "image", "x")]
    content = model([*first, node("Conv", "x", "w", "y")], 1, shape, w=WEIGHTS)
    image = (PIXELS / 255).astype(np.float32)
    image = image.transpose(1, 2, 0) if planes_last else image
    np.testing.assert_allclose(got(CNN(content, size=(4, 6))), right(content, image[None]), atol=1e-5)


def test_grey_is_said_where_the_network_does_not_say_it() -> None:
    content = model([node("Conv", "image", "w", "y")], 1, (1, None, 4, 6), w=WEIGHTS[:, :1])
    grey = CNN(content, channels=Channels.GREY)
    assert grey.shape == (1, 4, 6)
    assert grey.before(PIXELS.transpose(1, 2, 0)).shape == (1, 4, 6)
    np.testing.assert_allclose(
        got(grey, PIXELS[:1]), right(content, (PIXELS[None, :1] / 255).astype(np.float32)), atol=1e-5
    )
    with pytest.raises(ParameterError, match="RGB or BGR"):
        CNN(convolved(1, (1, 3, 4, 6)), channels=Channels.GREY)
    single = model([node("Conv", "image", "w", "y")], 1, (1, 1, 4, 6), w=WEIGHTS[:, :1])
    assert CNN(single).shape == CNN(single, channels=Channels.GREY).shape == (1, 4, 6)


@pytest.mark.parametrize("planes", [1, 3])
def test_a_vector_of_pixels_is_the_image_row_after_row(planes: int) -> None:
    length = 24 * planes
    matrix = np.random.default_rng(2).normal(size=(length, 2)).astype(np.float32)
    content = model([node("MatMul", "image", "w", "y")], 1, (None, length), w=matrix)
    cnn = CNN(content, size=(4, 6))
    assert cnn.shape == (planes, 4, 6)
    pixels = PIXELS[:planes]
    flat = (pixels.transpose(1, 2, 0).reshape(1, -1) / 255).astype(np.float32)
    np.testing.assert_allclose(got(cnn, pixels), right(content, flat), atol=1e-4)
    with pytest.raises(ParameterError, match="fitted"):
        CNN(content, size=(5, 5))
    with pytest.raises(ParameterError, match="size"):
        CNN(content)


FOLDED = {
    "ReduceL2": [node("ReduceL2", "w", "n", axes=[1, 2, 3]), node("Div", "w", "n", "k")],
    "Softmax": [node("Softmax", "w", "k", axis=0)],
    "Clip": [node("Clip", "w", "low", "", "k")],
    "Resize": [node("Resize", "w", "", "", "sizes", "k")],
    "Einsum": [node("Einsum", "w", "s", "k", equation="oihw,i->oihw")],
    "Erf": [node("Erf", "w", "k")],
    "CumSum": [node("CumSum", "w", "axis", "k")],
    "TopK": [onnx.helper.make_node("TopK", ["w", "two"], ["k", "places"], axis=1)],
    "Trilu": [node("Trilu", "square", "t"), node("Unsqueeze", "t", "behind", "k")],
}


@pytest.mark.parametrize(
    ("name", "opset"),
    [(name, opset) for name in FOLDED for opset in (13, 17) if (name, opset) != ("Trilu", 13)],  # it came with 14
)
def test_whatever_has_public_operands_only_is_computed_as_onnxruntime_computes_it(name: str, opset: int) -> None:
    random = np.random.default_rng(5)
    known = {
        "w": WEIGHTS, "low": np.float32(0), "sizes": np.array([2, 3, 3, 3]), "s": np.float32([1, -1, 2]),
        "axis": np.array(1), "two": np.array([2]), "square": random.normal(size=(2, 3)).astype(np.float32),
        "behind": np.array([2, 3]),
    }  # fmt: skip
    used = {operand for n in FOLDED[name] for operand in n.input} | {"w"}
    kept = {key: value for key, value in known.items() if key in used}
    last = [node("Slice", "image", "from", "to", "one", "part"), node("Conv", "part", "k", "y")]
    planes = 2 if name == "TopK" else 3
    extra = {"from": np.array([0]), "to": np.array([planes]), "one": np.array([1])}
    content = model([*FOLDED[name], *last], 1, (1, 3, 4, 6), opset, **kept, **extra)
    np.testing.assert_allclose(got(CNN(content)), right(content, (PIXELS[None] / 255).astype(np.float32)), atol=1e-5)


def test_a_branch_that_a_constant_chooses_is_taken() -> None:
    helper, kind = onnx.helper, onnx.TensorProto.FLOAT

    def branch(name: str) -> Any:
        made = helper.make_node(name, ["image"], [f"made{name}"])
        return helper.make_graph([made], name, [], [helper.make_tensor_value_info(f"made{name}", kind, None)])

    for chosen in (True, False):
        choice = helper.make_node("If", ["c"], ["y"], then_branch=branch("Relu"), else_branch=branch("Tanh"))
        content = model([choice], 1, (1, 3, 4, 6), c=np.array(chosen))
        np.testing.assert_allclose(
            got(CNN(content)), right(content, (PIXELS[None] / 255).astype(np.float32)), atol=1e-6
        )


def test_constants_that_nobody_can_compute_are_refused_with_a_remedy() -> None:
    content = model([node("Erf", "w", "k"), node("Add", "image", "k", "y")], 1, (1, 3, 4, 6), w=np.array(True))
    with pytest.raises(UnsupportedError, match="constant folding"):
        CNN(content)
    random = [onnx.helper.make_node("RandomNormal", [], ["k"], shape=[1]), node("Add", "image", "k", "y")]
    with pytest.raises(UnsupportedError, match="evaluation mode"):
        CNN(model(random, 1, (1, 3, 4, 6)))


def test_half_precision_becomes_float32_without_a_loss() -> None:
    for value in (np.float16([1.5, -0.1]), np.float32([1.5, 2])):
        assert real(value).dtype == np.float32 and (real(value) == value).all()
    assert real(np.array([1, 2])).dtype == np.int64
