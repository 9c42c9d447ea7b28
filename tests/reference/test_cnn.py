"""Whole networks: ONNX files against onnxruntime on the same file, and networks from arrays against torch."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from privis.features.cnn import CNN, Channels
from privis.readings import evaluate
from privis.run.clear.onnx_lowering import lower
from tests.reference.onnx import networks

onnx = pytest.importorskip("onnx")
onnxruntime = pytest.importorskip("onnxruntime")
IMAGENET = {"mean": (0.485, 0.456, 0.406), "std": (0.229, 0.224, 0.225)}
AESPA = {"mean": (0.4914, 0.4822, 0.4465), "std": (0.2023, 0.1994, 0.2010)}


@dataclass(frozen=True)
class File:
    """An ONNX file under shared/data/weights and how its authors prepare the pixels."""

    path: str
    size: tuple[int, int] | None = None
    mean: float | tuple[float, ...] = 0.0
    std: float | tuple[float, ...] = 1.0
    divisor: float = 1.0
    channels: Channels = Channels.BGR

    def feature(self, weights: Path, layer: str | None = None) -> CNN:
        path = weights / self.path
        return CNN.from_onnx(
            path, layer, size=self.size, mean=self.mean, std=self.std, divisor=self.divisor, channels=self.channels
        )


FILES = (
    File("face_detection/yunet_n_320_320.onnx"),
    File("face_detection/yunet_n_640_640.onnx"),
    File("face_detection/yunet_n_dynamic.onnx", size=(256, 192)),
    File("face_detection/yunet_s_320_320.onnx"),
    File("face_detection/ultralight_RFB-320.onnx", mean=127.0, std=128.0, channels=Channels.RGB),
    File("face_detection/ultralight_slim-320.onnx", mean=127.0, std=128.0, channels=Channels.RGB),
    File("face_embedding_mobilefacenet/MobileFaceNet.onnx", **IMAGENET, divisor=255.0, channels=Channels.RGB),
    File("object_detection_fastestdet/FastestDet.onnx", divisor=255.0),
)


@pytest.fixture(scope="session")
def weights(shared: Path) -> Path:
    return shared / "weights"


def session(model: str | bytes) -> onnxruntime.InferenceSession:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.log_severity_level = 1, 3
    return onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])


def relative_error(values: np.ndarray, reference: np.ndarray) -> float:
    return float(np.abs(values - reference).max() / max(1.0, np.abs(reference).max()))


def test_every_onnx_file_of_shared_is_tested(weights: Path) -> None:
    assert {file.path for file in FILES} == {str(path.relative_to(weights)) for path in weights.rglob("*.onnx")}


@pytest.mark.parametrize("file", FILES, ids=lambda file: Path(file.path).stem)
def test_an_onnx_file_gives_what_onnxruntime_gives(file: File, weights: Path, astronaut: np.ndarray) -> None:
    feature = file.feature(weights)
    pixels = feature.before(astronaut)
    colours = astronaut if file.channels is Channels.RGB else astronaut[:, :, ::-1]
    import cv2

    height, width = feature.shape[1:]
    shrinks = height * width < 256 * 256
    resized = cv2.resize(colours, (width, height), interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR)
    mean, std = (np.broadcast_to(np.float64(v), 3) for v in (file.mean, file.std))
    prepared = ((resized / file.divisor - mean) / std).transpose(2, 0, 1).astype(np.float32)
    original = session(str(weights / file.path))
    outputs = original.run(None, {original.get_inputs()[0].name: prepared[None]})
    reference = np.concatenate([output.ravel() for output in outputs])

    program = feature.program(pixels.shape)
    lowered = lower(program)
    assert lowered is not None
    for values in (evaluate(program, pixels), lowered(pixels)):
        vector = feature.after(values)
        assert vector.dtype == np.float32 and len(vector) == len(feature.names(pixels.shape))
        for got, expected in zip(np.split(vector, np.cumsum([o.size for o in outputs])[:-1]), outputs, strict=True):
            assert relative_error(got, expected.ravel()) < 1e-4
    assert np.ptp(reference) > 0.1  # not a comparison of zeros


# Networks from arrays


def torch_resnet(w: dict[str, np.ndarray], x: np.ndarray, depth: int) -> np.ndarray:
    import torch
    import torch.nn.functional as F

    t = {name: torch.from_numpy(np.array(array)) for name, array in w.items()}

    def norm(x: torch.Tensor, name: str) -> torch.Tensor:
        statistics = (t[f"{name}.running_mean"], t[f"{name}.running_var"])
        return F.batch_norm(x, *statistics, t[f"{name}.weight"], t[f"{name}.bias"])

    y = F.relu(norm(F.conv2d(torch.from_numpy(x)[None], t["conv1.weight"], padding=1), "bn1"))
    for stage in (1, 2, 3):
        for k in range((depth - 2) // 6):
            name, stride = f"layer{stage}.{k}", 2 if stage > 1 and k == 0 else 1
            z = F.relu(norm(F.conv2d(y, t[f"{name}.conv1.weight"], stride=stride, padding=1), f"{name}.bn1"))
            z = norm(F.conv2d(z, t[f"{name}.conv2.weight"], padding=1), f"{name}.bn2")
            quarter = (z.shape[1] - y.shape[1]) // 2
            short = y if stride == 1 else F.pad(y[:, :, ::2, ::2], (0, 0, 0, 0, quarter, quarter))
            y = F.relu(z + short)
    y = F.avg_pool2d(y, y.shape[-1]).flatten(1)
    return F.linear(y, t["linear.weight"], t["linear.bias"]).numpy()[0]


def torch_aespa(w: dict[str, np.ndarray], x: np.ndarray, residual: bool) -> np.ndarray:
    import torch
    import torch.nn.functional as F

    t = {name: torch.from_numpy(np.array(array)) for name, array in w.items()}

    def act(x: torch.Tensor, name: str) -> torch.Tensor:
        a, b, c = (t[f"{name}_w{power}"].reshape(1, -1, 1, 1) for power in (2, 1, 0))
        return a * x**2 + b * x + c

    def conv(x: torch.Tensor, name: str, stride: int) -> torch.Tensor:
        return F.conv2d(x, t[f"{name}_weight"].reshape(-1, x.shape[1], 3, 3), stride=stride, padding=1)

    y = torch.from_numpy(x)[None]
    if residual:
        y = act(conv(y, "conv1", 1), "herpn")
        for stage in (1, 2, 3):
            for k in range(3):
                name, stride = f"layer{stage}_{k}", 2 if stage > 1 and k == 0 else 1
                z = conv(act(conv(y, f"{name}_conv1", stride), f"{name}_herpn1"), f"{name}_conv2", 1)
                extra = (z.shape[1] - y.shape[1]) // 2
                short = F.pad(y[:, :, ::stride, ::stride], (0, 0, 0, 0, extra, extra))
                y = act(z + short, f"{name}_herpn2")
    else:
        for layer in range(0, 20, 2):
            y = act(conv(y, f"features_{layer}", 2 if layer in (8, 14) else 1), f"features_{layer + 1}")
    y = F.adaptive_avg_pool2d(y, 1).flatten(1)
    return F.linear(y, t["linear_weight"].reshape(10, -1), t["linear_bias"]).numpy()[0]


def torch_squeezenet(w: dict[str, np.ndarray], x: np.ndarray) -> np.ndarray:
    import torch
    import torch.nn.functional as F

    def conv(x: torch.Tensor, name: str, stride: int = 1) -> torch.Tensor:
        kernel, bias = (torch.from_numpy(np.array(w[f"{name}_{part}"])) for part in "wb")
        return F.relu(F.conv2d(x, kernel, bias, stride, padding=1 if name.endswith("3x3") else 0))

    y = F.max_pool2d(conv(torch.from_numpy(x)[None], "conv1", 2), 3, 2, ceil_mode=True)
    for k in range(2, 10):
        y = conv(y, f"fire{k}/squeeze1x1")
        y = torch.cat([conv(y, f"fire{k}/expand1x1"), conv(y, f"fire{k}/expand3x3")], 1)
        y = F.max_pool2d(y, 3, 2, ceil_mode=True) if k in (4, 8) else y
    return F.adaptive_avg_pool2d(conv(y, "conv10"), 1).flatten().numpy()


def torch_mnist(w: dict[str, np.ndarray], x: np.ndarray) -> np.ndarray:
    import torch
    import torch.nn.functional as F

    t = {name: torch.from_numpy(np.array(array)) for name, array in w.items()}
    y = F.conv2d(torch.from_numpy(x)[None], t["conv1_weight"][:, None], t["conv1_bias"], stride=3)
    y = (y**2).flatten() @ t["fc1_weight"] + t["fc1_bias"]
    return (y**2 @ t["fc2_weight"] + t["fc2_bias"]).numpy()


@dataclass(frozen=True)
class FromArrays:
    """A network from published arrays: how it is read, built and computed by torch."""

    path: str
    read: Callable[[Path], dict[str, np.ndarray]]
    build: Callable[..., object]
    oracle: Callable[..., np.ndarray]
    settings: tuple[object, ...] = ()  # of the oracle; those of build are its first ``built`` ones
    built: int = 0


ARRAYS = (
    FromArrays("cifar10_resnet/resnet20-12fca82f.th", networks.checkpoint, networks.resnet, torch_resnet, (20,), 1),
    FromArrays("cifar10_resnet/resnet32-d509ac18.th", networks.checkpoint, networks.resnet, torch_resnet, (32,), 1),
    FromArrays(
        "cifar10_fhe_polynomial/resnet20_aespa-cifar10.npz",
        networks.arrays,
        networks.aespa_resnet20,
        torch_aespa,
        (True,),
    ),
    FromArrays(
        "cifar10_fhe_polynomial/vgg11_aespa-cifar10.npz", networks.arrays, networks.aespa_vgg11, torch_aespa, (False,)
    ),
    FromArrays(
        "imagenet_squeezenet/squeezenet_v1.0_deepcomp.npz", networks.arrays, networks.squeezenet, torch_squeezenet
    ),
    FromArrays("mnist_fhe_convnet/tenseal_ConvMNIST-0.1.npz", networks.arrays, networks.mnist_squares, torch_mnist),
)


@pytest.mark.parametrize("net", ARRAYS, ids=lambda net: Path(net.path).stem)
def test_a_network_from_arrays_gives_what_torch_gives(net: FromArrays, weights: Path, astronaut: np.ndarray) -> None:
    w = net.read(weights / net.path)
    program = net.build(w, *net.settings[: net.built])
    feature = CNN(program, **(IMAGENET if program.inputs[0].shape[0] == 3 else {"mean": 0.1307, "std": 0.3081}))
    pixels = feature.before(astronaut)
    mean, std = (np.reshape(v, (-1, 1, 1)) for v in (feature.mean, feature.std))
    reference = net.oracle(w, ((pixels / 255 - mean) / std).astype(np.float32), *net.settings)
    core = feature.program(pixels.shape)
    lowered = lower(core)
    assert lowered is not None
    assert relative_error(evaluate(core, pixels), reference) < 1e-4
    assert relative_error(lowered(pixels), reference) < 1e-4


def accuracy(feature: CNN, images: list[np.ndarray], labels: np.ndarray) -> float:
    run = lower(feature.program(feature.shape))
    assert run is not None
    return float(np.mean([feature.after(run(feature.before(image))).argmax() for image in images] == labels))


@pytest.fixture(scope="session")
def cifar(shared: Path) -> tuple[list[np.ndarray], np.ndarray]:
    """20 test images per class."""
    from privis.io.images.decode import load

    with zipfile.ZipFile(shared / "classification/cifar10/cifar10_jpeg_test_6000.zip") as archive:
        names = sorted(name for name in archive.namelist() if name.endswith(".jpg"))
        classes = sorted({name.split("/")[1] for name in names})
        chosen = [name for c in classes for name in [n for n in names if f"/{c}/" in n][:20]]
        from PIL import Image

        images = [load(Image.open(io.BytesIO(archive.read(name)))) for name in chosen]
    return images, np.array([classes.index(name.split("/")[1]) for name in chosen])


@pytest.mark.parametrize(
    ("net", "preparation", "published"),
    [(ARRAYS[0], IMAGENET, 0.81), (ARRAYS[1], IMAGENET, 0.83), (ARRAYS[2], AESPA, 0.824), (ARRAYS[3], AESPA, 0.8025)],
    ids=lambda value: Path(value.path).stem if isinstance(value, FromArrays) else "",
)
def test_cifar_networks_keep_their_accuracy_on_jpeg_test_images(
    net: FromArrays, preparation: dict, published: float, weights: Path, cifar: tuple[list[np.ndarray], np.ndarray]
) -> None:
    feature = CNN(net.build(net.read(weights / net.path), *net.settings[: net.built]), **preparation)
    assert abs(accuracy(feature, *cifar) - published) < 0.08


def test_the_mnist_network_keeps_its_accuracy(weights: Path, shared: Path) -> None:
    feature = CNN(networks.mnist_squares(networks.arrays(weights / ARRAYS[5].path)), mean=0.1307, std=0.3081)
    with np.load(shared / "classification/mnist/mnist.npz", allow_pickle=False) as data:
        images, labels = list(data["x_test"][:300]), data["y_test"][:300]
    assert accuracy(feature, images, labels) >= 0.95


def test_squeezenet_names_most_sample_photographs(weights: Path, shared: Path) -> None:
    from privis.io.images.decode import load

    folder = shared / "photos/imagenet_samples"
    rows = [line.split(",") for line in (folder / "labels.csv").read_text().splitlines()[1:]]
    program = networks.squeezenet(networks.arrays(weights / ARRAYS[4].path))
    feature = CNN(program, mean=(104.0, 117.0, 123.0), divisor=1.0, channels=Channels.BGR)
    assert accuracy(feature, [load(folder / name) for name, _ in rows], np.array([int(c) for _, c in rows])) > 0.5


def test_jax_evaluates_a_network_as_numpy_does(weights: Path, astronaut: np.ndarray) -> None:
    jax = pytest.importorskip("jax")
    feature = CNN(networks.mnist_squares(networks.arrays(weights / ARRAYS[5].path)), mean=0.1307, std=0.3081)
    pixels = feature.before(astronaut)
    program = feature.program(pixels.shape)
    assert relative_error(np.asarray(evaluate(program, pixels, xp=jax.numpy)), evaluate(program, pixels)) < 1e-4
