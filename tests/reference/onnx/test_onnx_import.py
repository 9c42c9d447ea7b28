"""`CNN` on small networks written here: what users choose, what is refused and with which words."""

from __future__ import annotations

import contextlib
import pickle
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from privis.errors import ImageError, MissingExtraError, ParameterError, PrivisError, ProgramError, UnsupportedError
from privis.features.cnn import CNN, Channels
from privis.features.feature import Feature
from privis.program import Input, ops, trace
from privis.program.onnx.translate import read_onnx
from privis.readings import domain_problems, evaluate
from privis.run.clear.onnx_lowering import lower
from tests.reference.onnx.networks import tiny_onnx

onnx = pytest.importorskip("onnx")
TINY = tiny_onnx()


def model(
    nodes: list[Any], *, inputs: int = 1, outputs: tuple[str, ...] = ("y",), opset: int = 13, **arrays: Any
) -> Any:
    """A model of ``nodes`` on image0 (1, 3, 8, 8), and on as many more images."""
    from onnx import TensorProto, helper, numpy_helper

    images = [helper.make_tensor_value_info(f"image{k}", TensorProto.FLOAT, (1, 3, 8, 8)) for k in range(inputs)]
    made = [helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in outputs]
    constants = [numpy_helper.from_array(np.asarray(array), name) for name, array in arrays.items()]
    graph = helper.make_graph(nodes, "small", images, made, constants)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=8)


def node(kind: str, operands: list[str], results: list[str], name: str = "", **attributes: Any) -> Any:
    from onnx import helper

    return helper.make_node(kind, operands, results, name=name, **attributes)


def refused(error: type[PrivisError], content: Any, **parameters: Any) -> str:
    content = content if isinstance(content, bytes) else content.SerializeToString()
    with pytest.raises(error) as caught:
        CNN(content, **parameters)
    return str(caught.value)


# What a feature is


def test_outputs_are_joined_in_the_order_of_the_graph(astronaut: np.ndarray) -> None:
    feature = CNN(tiny_onnx())
    assert isinstance(feature, Feature)
    pixels = feature.before(astronaut)
    vector = feature.after(evaluate(feature.program(pixels.shape), pixels))
    names = feature.names(pixels.shape)
    assert names == tuple([f"cnn_classes_{k}" for k in range(5)] + [f"cnn_embedding_{k}" for k in range(4)])
    assert vector.shape == (9,) and abs(vector[:5].sum() - 1) < 1e-6
    embedding = CNN(tiny_onnx(), layer="embed")
    assert (embedding.after(evaluate(embedding.program(pixels.shape), pixels)) == vector[5:]).all()
    assert embedding.names(pixels.shape) == ("cnn_0", "cnn_1", "cnn_2", "cnn_3")


def test_a_layer_is_the_name_of_a_node_or_of_a_tensor() -> None:
    by_node, by_tensor = (CNN(tiny_onnx(), layer=name).program((3, 12, 10)) for name in ("second", "c2"))
    assert by_node.output_shapes == by_tensor.output_shapes == ((4, 6, 5),)
    assert len(by_node.nodes) < len(CNN(tiny_onnx()).program((3, 12, 10)).nodes)
    assert "for example" in refused(ParameterError, tiny_onnx(), layer="secnd")


def test_normalisation_is_the_first_node_and_follows_the_documented_formula() -> None:
    identity = trace(lambda x: x * 1.0, Input((3, 2, 2)))
    mean, std = (0.1, 0.2, 0.3), (0.5, 0.25, 2.0)
    feature = CNN(identity, mean=mean, std=std)
    program = feature.program((3, 2, 2))
    assert isinstance(program.nodes[0].op, ops.Affine) and program.inputs[0] == Input((3, 2, 2), 0.0, 255.0, 1.0)
    pixels = np.random.default_rng(0).integers(0, 256, (3, 2, 2)).astype(np.float64)
    expected = (pixels / 255 - np.reshape(mean, (3, 1, 1))) / np.reshape(std, (3, 1, 1))
    np.testing.assert_allclose(evaluate(program, pixels), expected, atol=1e-12)
    assert CNN(identity, divisor=1.0).program((3, 2, 2)).nodes[0].op is identity.nodes[0].op


def test_before_resizes_and_orders_the_planes(astronaut: np.ndarray) -> None:
    rgb, bgr = (CNN(tiny_onnx(), channels=order).before(astronaut) for order in (Channels.RGB, Channels.BGR))
    assert rgb.dtype == np.uint8 and rgb.shape == (3, 12, 10) and rgb.flags.c_contiguous
    assert (rgb == bgr[::-1]).all() and (rgb != bgr).any()
    grey = CNN(tiny_onnx(planes=1)).before(astronaut)
    assert grey.shape == (1, 12, 10)
    assert (CNN(tiny_onnx()).before(astronaut[:, :, 0])[0] == CNN(tiny_onnx()).before(astronaut[:, :, 0])[2]).all()


def test_a_network_of_open_size_takes_the_given_one() -> None:
    for size in ((16, 20), (9, 7)):
        assert CNN(tiny_onnx(("height", "width")), size=size, layer="map").shape == (3, *size)
    assert "leaves its input size open" in refused(ParameterError, tiny_onnx(("height", "width")))
    assert "leave size out" in refused(ParameterError, tiny_onnx((12, "width")), size=(13, 10))


def test_images_with_planes_last_are_understood() -> None:
    from onnx import TensorProto, helper

    image = helper.make_tensor_value_info("image", TensorProto.FLOAT, ("n", 8, 6, 3))
    output = helper.make_tensor_value_info("y", TensorProto.FLOAT, None)
    nodes = [node("Transpose", ["image"], ["p"], perm=[0, 3, 1, 2]), node("ReduceMean", ["p"], ["y"], axes=[2, 3])]
    graph = helper.make_graph(nodes, "planes last", [image], [output])
    content = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8).SerializeToString()
    feature = CNN(content, divisor=1.0)
    pixels = np.arange(3 * 8 * 6, dtype=np.float64).reshape(3, 8, 6)
    np.testing.assert_allclose(feature.after(evaluate(feature.program((3, 8, 6)), pixels)).ravel(), pixels.mean((1, 2)))


def test_a_feature_travels_to_another_process_and_hides_its_weights(tmp_path: Path, astronaut: np.ndarray) -> None:
    feature = CNN(tiny_onnx(), mean=0.5)
    assert len(repr(feature)) < 300 and len(feature.sha256) == 64
    assert feature == CNN(tiny_onnx(), mean=0.5, size=(12, 10)) and hash(feature) == hash(CNN(tiny_onnx(), mean=0.5))
    assert feature != CNN(tiny_onnx(), mean=0.4) and feature != CNN(tiny_onnx(planes=1), mean=0.5)
    (tmp_path / "feature").write_bytes(pickle.dumps(feature))
    np.save(tmp_path / "pixels.npy", feature.before(astronaut))
    code = (
        "import pickle, sys, numpy as np; from privis.readings import evaluate\n"
        "feature = pickle.loads(open(sys.argv[1] + '/feature', 'rb').read())\n"
        "print(evaluate(feature.program(feature.shape), np.load(sys.argv[1] + '/pixels.npy')).tolist())"
    )
    done = subprocess.run([sys.executable, "-c", code, str(tmp_path)], capture_output=True, text=True, check=True)
    expected = evaluate(feature.program(feature.shape), feature.before(astronaut))
    assert done.stdout.strip() == str(expected.tolist())


def test_declared_domains_of_the_tiny_network_are_certain() -> None:
    assert domain_problems(CNN(tiny_onnx()).program((3, 12, 10))) == []


def test_shape_arithmetic_is_folded() -> None:
    nodes = [
        node("Shape", ["image0"], ["s"]),
        node("Gather", ["s", "two"], ["h"]),
        node("Div", ["h", "two"], ["half"]),
        node("Cast", ["half"], ["half64"], to=7),
        node("Unsqueeze", ["half64", "zero"], ["u"]),
        node("Concat", ["minus", "u"], ["shape"], axis=0),
        node("Reshape", ["image0", "shape"], ["y"]),
    ]
    arrays = {"two": np.int64(2), "zero": np.int64([0]), "minus": np.int64([-1])}
    assert CNN(model(nodes, **arrays).SerializeToString()).program((3, 8, 8)).output_shapes == ((48, 4),)


# What is refused


def test_all_unsupported_nodes_are_named_at_once_with_a_remedy() -> None:
    nodes = [
        node("Relu", ["image0"], ["a"]),
        node("Sin", ["a"], ["b"], name="curve"),
        node("Relu", ["b"], ["c"]),
        node("NonZero", ["c"], ["d"], name="contrast"),
        node("Pow", ["a", "scales"], ["e"], name="smooth"),
        node("Conv", ["a", "a"], ["f"], name="dynamic"),
        node("Sum", ["d", "e", "f"], ["y"]),
    ]
    message = refused(UnsupportedError, model(nodes, scales=np.float32([1, 1, 1, 1])))
    for part in (
        "'curve' (Sin)",
        "'contrast' (NonZero)",
        "'smooth' (Pow)",
        "'dynamic' (Conv)",
        "layer='a'",
        "exponent",
    ):
        assert part in message
    assert len(message.splitlines()) == 4
    assert CNN(model(nodes, scales=np.float32([1, 1, 1, 1])).SerializeToString(), layer="a").sha256


def test_control_flow_and_foreign_operations_are_unsupported_not_run() -> None:
    from onnx import TensorProto, helper

    body = helper.make_graph(
        [node("Identity", ["image0"], ["z"])], "body", [], [helper.make_tensor_value_info("z", TensorProto.FLOAT, None)]
    )
    branches = {"then_branch": body, "else_branch": body}
    chosen = [node("ReduceMax", ["image0"], ["m"], keepdims=0), node("Greater", ["m", "c"], ["d"])]
    secret = [*chosen, node("If", ["d"], ["y"], **branches)]
    assert "(If)" in refused(UnsupportedError, model(secret, c=np.float32(0)))
    random = [node("RandomNormal", [], ["r"], shape=[1, 3, 8, 8]), node("Add", ["image0", "r"], ["y"])]
    assert "(RandomNormal)" in refused(UnsupportedError, model(random))
    foreign = model([helper.make_node("Relu", ["image0"], ["y"], domain="com.example")])
    assert "com.example.Relu" in refused(UnsupportedError, foreign)


def added(*nodes: Any) -> list[Any]:
    """Nodes that make the constant c, and the image plus c."""
    return [*nodes, node("Add", ["image0", "c"], ["y"])]


HUGE = np.array([2**20, 2**20])
GREEDY: list[tuple[list[Any], dict[str, Any]]] = [
    (added(node("ConstantOfShape", ["n"], ["c"])), {"n": HUGE}),
    (added(node("Expand", ["one", "n"], ["c"])), {"n": HUGE, "one": np.float32([1])}),
    (added(node("Tile", ["one", "n"], ["c"])), {"n": HUGE, "one": np.float32([[1]])}),
    (
        added(node("Range", ["from", "to", "by"], ["c"])),
        {"from": np.int64(0), "to": np.int64(2**40), "by": np.int64(1)},
    ),
    (
        added(*(node("Concat", [f"c{k}"] * 64, [f"c{k + 1}" if k < 7 else "c"], axis=0) for k in range(8))),
        {"c0": np.float32([1])},
    ),
    (added(node("Mul", ["row", "column"], ["c"])), {"row": np.ones((1, 2**14)), "column": np.ones((2**14, 1))}),
    ([node("Resize", ["image0", "", "s"], ["y"])], {"s": np.float32([1, 1, 2**20, 2**20])}),
    ([node("Pad", ["image0", "p"], ["y"])], {"p": np.int64([0, 0, 2**40, 0, 0, 0, 0, 0])}),
    ([node("MaxPool", ["image0"], ["y"], kernel_shape=[2**40, 1], pads=[2**39, 0, 2**39, 0])], {}),
]


@pytest.mark.parametrize(
    ("nodes", "arrays"), GREEDY, ids=lambda value: value[0].op_type if isinstance(value, list) else ""
)
def test_a_small_file_cannot_ask_for_absurd_memory(nodes: list[Any], arrays: dict[str, Any]) -> None:
    assert "at most" in refused(ProgramError, model(nodes, **arrays))


def test_damaged_and_foreign_files_are_refused(tmp_path: Path) -> None:
    whole = tiny_onnx()
    cases = {
        "cut.onnx": (whole[: len(whole) // 2], ProgramError, "complete ONNX model"),
        "text.onnx": (b"this is not a model", ProgramError, "complete ONNX model"),
        "empty.onnx": (b"", ParameterError, "an empty file"),
        "weights.pth": (whole, ParameterError, "torch.onnx.export"),
    }
    for name, (content, error, words) in cases.items():
        (tmp_path / name).write_bytes(content)
        with pytest.raises(error, match=words):
            CNN.from_onnx(tmp_path / name)
    with pytest.raises(ParameterError, match="no such file"):
        CNN.from_onnx(tmp_path / "absent.onnx")
    (tmp_path / "good.onnx").write_bytes(whole)
    assert read_onnx(tmp_path / "good.onnx") == whole
    assert CNN.from_onnx(tmp_path / "good.onnx", "embed", mean=0.5) == CNN(whole, "embed", mean=0.5)


@settings(max_examples=300)
@given(st.lists(st.tuples(st.integers(0, len(TINY) - 1), st.integers(0, 255)), min_size=1, max_size=3))
def test_a_file_with_wrong_bytes_is_imported_or_refused_in_our_words(changes: list[tuple[int, int]]) -> None:
    content = bytearray(TINY)
    for position, byte in changes:
        content[position] = byte
    with contextlib.suppress(PrivisError):
        CNN(bytes(content))


def test_weights_in_other_files_are_read_from_there(tmp_path: Path) -> None:
    content, path = onnx.load_model_from_string(tiny_onnx()), tmp_path / "split.onnx"
    onnx.save(content, path, save_as_external_data=True, size_threshold=0, location="weights.bin")
    whole, split = CNN(tiny_onnx()), CNN.from_onnx(path)
    image = np.arange(np.prod(whole.shape)).reshape(whole.shape) % 256
    np.testing.assert_array_equal(*(evaluate(cnn.program(cnn.shape), image) for cnn in (whole, split)))
    assert CNN.from_onnx(path).sha256 == split.sha256
    assert "CNN.from_onnx" in refused(ProgramError, path.read_bytes())
    (tmp_path / "weights.bin").unlink()
    with pytest.raises(ProgramError, match="one folder"):
        CNN.from_onnx(path)


def test_weights_outside_of_the_folder_are_not_read(tmp_path: Path) -> None:
    content = onnx.load_model_from_string(tiny_onnx())
    (tmp_path / "inside").mkdir()
    path = tmp_path / "inside" / "split.onnx"
    onnx.save(content, path, save_as_external_data=True, size_threshold=0, location="weights.bin")
    (tmp_path / "inside" / "weights.bin").rename(tmp_path / "weights.bin")
    split = onnx.load(path, load_external_data=False)
    for tensor in split.graph.initializer:
        next(entry for entry in tensor.external_data if entry.key == "location").value = "../weights.bin"
    path.write_bytes(split.SerializeToString())
    with pytest.raises(ProgramError, match="weights in other files"):
        CNN.from_onnx(path)


def test_graphs_that_do_not_fit_are_refused() -> None:
    relu = [node("Relu", ["image0"], ["y"])]
    both = [node("Add", ["image0", "image1"], ["y"])]
    assert "2 inputs (image0, image1)" in refused(ProgramError, model(both, inputs=2))
    assert CNN(model(relu, inputs=2).SerializeToString()).shape == (3, 8, 8), "an input that nothing reads is none"
    assert "opset 6" in refused(ProgramError, model(relu, opset=6))
    assert "nothing before it writes" in refused(ProgramError, model([node("Relu", ["ghost"], ["y"])]))
    dense = [node("MatMul", ["image0", "w"], ["y"], name="dense")]
    assert "'dense' (MatMul), Dense" in refused(ProgramError, model(dense, w=np.ones((5, 2), np.float32)))
    pool = [node("MaxPool", ["image0"], ["y"], name="pool")]
    assert "'pool' (MaxPool)" in refused(ProgramError, model(pool))
    constant = [node("Neg", ["w"], ["y"])]
    assert "ignore the image" in refused(ProgramError, model(constant, w=np.ones(3, np.float32)))
    training = [node("BatchNormalization", ["image0", *"abcd"], ["y"], training_mode=1)]
    ones = {name: np.ones(3, np.float32) for name in "abcd"}
    assert "evaluation mode" in refused(UnsupportedError, model(training, opset=15, **ones))


def test_wrong_parameters_are_refused_together() -> None:
    message = refused(
        ParameterError, tiny_onnx(), mean=(1.0, 2.0), std=0.0, divisor=float("nan"), channels="rgb", size=(0, 5)
    )
    assert all(f"CNN.{name}" in message for name in ("mean", "std", "divisor", "channels", "size"))
    with pytest.raises(ParameterError, match=r"CNN\.network"):
        CNN("network.onnx")  # type: ignore[arg-type]
    with pytest.raises(ParameterError, match="no named layers"):
        CNN(trace(lambda x: x * 2.0, Input((1, 4, 4))), layer="conv1")
    with pytest.raises(ImageError, match="shape"):
        CNN(tiny_onnx()).program((3, 13, 10))


@pytest.mark.parametrize("package", ["onnx", "onnxruntime"])
def test_a_missing_extra_is_one_sentence_with_the_command(package: str, monkeypatch: pytest.MonkeyPatch) -> None:
    content, program = tiny_onnx(), CNN(tiny_onnx()).program((3, 12, 10))
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(MissingExtraError, match=r"pip install 'privis\[cnn\]'"):
        lower(program)
    if package == "onnx":
        with pytest.raises(MissingExtraError, match=r"pip install 'privis\[cnn\]'"):
            CNN(content)
