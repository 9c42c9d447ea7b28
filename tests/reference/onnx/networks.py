"""Networks whose weights are published as arrays, written down as programs on normalised pixels (C, H, W)."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from privis.program import Input, Program, Value, concat, ops, trace

Arrays = Mapping[str, np.ndarray]


def conv(x: Value, kernel: np.ndarray, stride: int = 1, pad: int = 0) -> Value:
    return x >> ops.Conv(kernel, (stride, stride), (pad,) * 4)


def channels(numbers: np.ndarray) -> np.ndarray:
    return numbers.reshape(-1, 1, 1)


def batch_norm(x: Value, w: Arrays, name: str) -> Value:
    scale = w[f"{name}.weight"] / np.sqrt(w[f"{name}.running_var"] + 1e-5)
    return x >> ops.Affine(channels(scale), channels(w[f"{name}.bias"] - w[f"{name}.running_mean"] * scale))


def option_a(x: Value, outputs: int) -> Value:
    """The shortcut without weights: every second pixel, and zero channels on both sides."""
    more = (outputs - x.shape[0]) // 2
    return x if more == 0 else x[:, ::2, ::2] >> ops.Pad(((more, more), (0, 0), (0, 0)))


def mean_of_planes(x: Value) -> Value:
    return x.sum(1, 2) * (1 / math.prod(x.shape[1:]))


def resnet(w: Arrays, depth: int) -> Program:
    """CIFAR ResNet of 6n + 2 layers (He et al. 2015, arXiv:1512.03385), keys as in the PyTorch checkpoint."""

    def block(x: Value, name: str, outputs: int) -> Value:
        stride = 1 if x.shape[0] == outputs else 2
        y = batch_norm(conv(x, w[f"{name}.conv1.weight"], stride, 1), w, f"{name}.bn1").relu()
        return (batch_norm(conv(y, w[f"{name}.conv2.weight"], 1, 1), w, f"{name}.bn2") + option_a(x, outputs)).relu()

    def network(x: Value) -> Value:
        x = batch_norm(conv(x, w["conv1.weight"], 1, 1), w, "bn1").relu()
        for stage, outputs in enumerate((16, 32, 64), 1):
            for k in range((depth - 2) // 6):
                x = block(x, f"layer{stage}.{k}", outputs)
        return (mean_of_planes(x) >> ops.Dense(w["linear.weight"])) + w["linear.bias"]

    return trace(network, Input((3, 32, 32), -3.0, 3.0, None))


def quadratic(x: Value, w: Arrays, name: str) -> Value:
    """w2 x**2 + w1 x + w0 per channel."""
    slope = x >> ops.Affine(channels(w[f"{name}_w2"]), channels(w[f"{name}_w1"]))
    return slope * x + channels(w[f"{name}_w0"])


def square_kernel(flat: np.ndarray, inputs: int) -> np.ndarray:
    return flat.reshape(-1, inputs, 3, 3)


def aespa_resnet20(w: Arrays) -> Program:
    """ResNet-20 with quadratic activations (AutoFHE, arXiv:2310.08012): no comparison anywhere."""

    def block(x: Value, name: str, outputs: int) -> Value:
        stride = 1 if x.shape[0] == outputs else 2
        y = conv(x, square_kernel(w[f"{name}_conv1_weight"], x.shape[0]), stride, 1)
        y = conv(quadratic(y, w, f"{name}_herpn1"), square_kernel(w[f"{name}_conv2_weight"], outputs), 1, 1)
        return quadratic(y + option_a(x, outputs), w, f"{name}_herpn2")

    def network(x: Value) -> Value:
        x = quadratic(conv(x, square_kernel(w["conv1_weight"], 3), 1, 1), w, "herpn")
        for stage, outputs in enumerate((16, 32, 64), 1):
            for k in range(3):
                x = block(x, f"layer{stage}_{k}", outputs)
        return (mean_of_planes(x) >> ops.Dense(w["linear_weight"].reshape(10, 64))) + w["linear_bias"]

    return trace(network, Input((3, 32, 32), -3.0, 3.0, None))


VGG11 = ((0, 1), (2, 1), (4, 1), (6, 1), (8, 2), (10, 1), (12, 1), (14, 2), (16, 1), (18, 1))  # name, stride


def aespa_vgg11(w: Arrays) -> Program:
    """VGG-11 with quadratic activations and strides instead of max-pooling (AutoFHE, arXiv:2310.08012)."""

    def network(x: Value) -> Value:
        for name, stride in VGG11:
            x = conv(x, square_kernel(w[f"features_{name}_weight"], x.shape[0]), stride, 1)
            x = quadratic(x, w, f"features_{name + 1}")
        return (mean_of_planes(x) >> ops.Dense(w["linear_weight"].reshape(10, 64))) + w["linear_bias"]

    return trace(network, Input((3, 32, 32), -3.0, 3.0, None))


def squeezenet(w: Arrays, side: int = 227, pooled: bool = False) -> Program:
    """SqueezeNet 1.0 (Iandola et al. 2016, arXiv:1602.07360): 1000 scores before the softmax.

    ``pooled``: the means of the 512 planes of its last fire module instead.
    """

    def layer(x: Value, name: str, stride: int = 1, pad: int = 0) -> Value:
        return (conv(x, w[f"{name}_w"], stride, pad) + channels(w[f"{name}_b"])).relu()

    def fire(x: Value, name: str) -> Value:
        x = layer(x, f"{name}/squeeze1x1")
        return concat(layer(x, f"{name}/expand1x1"), layer(x, f"{name}/expand3x3", pad=1))

    def pool(x: Value) -> Value:
        """3x3, stride 2, rounding up: the last row and column are repeated where a window reaches past them."""
        for axis in (1, 2):
            length = x.shape[axis]
            x = x >> ops.Gather(np.minimum(np.arange(length + (length - 3) % 2), length - 1), axis)
        return (x >> ops.Window((3, 3), (2, 2))) >> ops.Max((3, 4))

    def network(x: Value) -> Value:
        x = pool(layer(x, "conv1", 2))
        for k in range(2, 10):
            x = fire(x, f"fire{k}")
            x = pool(x) if k in (4, 8) else x
        return mean_of_planes(x if pooled else layer(x, "conv10"))

    return trace(network, Input((3, side, side), -128.0, 255.0, None))


def mnist_squares(w: Arrays) -> Program:
    """The MNIST network of the TenSEAL tutorials: one convolution, two dense layers, squares in between."""

    def network(x: Value) -> Value:
        x = conv(x, w["conv1_weight"][:, None], 3) + channels(w["conv1_bias"])
        x = (x * x).reshape(256)
        x = (x >> ops.Dense(w["fc1_weight"].T)) + w["fc1_bias"]
        return (x * x >> ops.Dense(w["fc2_weight"].T)) + w["fc2_bias"]

    return trace(network, Input((1, 28, 28), -0.5, 3.0, None))


def checkpoint(path: Path) -> dict[str, np.ndarray]:
    """The arrays of a PyTorch checkpoint {"state_dict": {"module.…": tensor}}, read without executing anything."""
    import torch

    state = torch.load(path, weights_only=True, map_location="cpu")["state_dict"]
    return {name.removeprefix("module."): tensor.numpy() for name, tensor in state.items()}


def arrays(path: Path) -> dict[str, np.ndarray]:
    with np.load(path, allow_pickle=False) as members:
        return {name: members[name] for name in members.files}


def tiny_onnx(size: tuple[int | str, int | str] = (12, 10), planes: int = 3) -> bytes:
    """An ONNX network of a dozen nodes, random weights: convolutions, pooling, two heads, one of them a softmax."""
    from onnx import TensorProto, helper, numpy_helper

    random = np.random.default_rng(5)
    weights = {
        "w1": random.normal(0, 0.4, (4, planes, 3, 3)),
        "b1": random.normal(0, 0.1, 4),
        "gain": 1 + random.random(4),
        "shift": random.normal(0, 0.1, 4),
        "mean": random.normal(0, 0.1, 4),
        "variance": 1 + random.random(4),
        "w2": random.normal(0, 0.3, (4, 1, 3, 3)),
        "w3": random.normal(0, 0.5, (5, 4)),
        "b3": random.normal(0, 0.1, 5),
    }
    nodes = [
        helper.make_node("Conv", ["image", "w1", "b1"], ["c1"], name="first", pads=[1, 1, 1, 1]),
        helper.make_node("BatchNormalization", ["c1", "gain", "shift", "mean", "variance"], ["n1"]),
        helper.make_node("Relu", ["n1"], ["r1"]),
        helper.make_node("MaxPool", ["r1"], ["p1"], kernel_shape=[3, 3], strides=[2, 2], pads=[1, 1, 1, 1]),
        helper.make_node("Conv", ["p1", "w2"], ["c2"], name="second", group=4, pads=[1, 1, 1, 1]),
        helper.make_node("Add", ["c2", "p1"], ["s2"]),
        helper.make_node("Sigmoid", ["s2"], ["map"]),
        helper.make_node("GlobalAveragePool", ["map"], ["g"]),
        helper.make_node("Flatten", ["g"], ["embedding"], name="embed"),
        helper.make_node("Gemm", ["embedding", "w3", "b3"], ["scores"], transB=1),
        helper.make_node("Softmax", ["scores"], ["classes"]),
    ]
    constants = [numpy_helper.from_array(array.astype(np.float32), name) for name, array in weights.items()]
    image = helper.make_tensor_value_info("image", TensorProto.FLOAT, (1, planes, *size))
    outputs = [helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in ("classes", "embedding")]
    graph = helper.make_graph(nodes, "tiny", [image], outputs, constants)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8).SerializeToString()
