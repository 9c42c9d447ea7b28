"""Write ONNX files with the exporters that this interpreter has: `python write.py FOLDER [FAMILY…]`, without Privis.

Each file FAMILY-NAME-opsetN.onnx has a line in FOLDER/FAMILY.json. What an exporter itself refuses is no file.
"""

from __future__ import annotations

import importlib.util
import json
import sys
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

SCRIPT_OPSETS, DYNAMO_OPSETS = (10, 11, 12, 13, 14, 15, 16, 17), (18, 19, 20)
Found = tuple[str, dict[str, Any]]  # file name, what the reader has to say about the image


def _torch(folder: Path) -> Iterator[Found]:
    import torch
    import torch_layers

    torch.backends.mha.set_fastpath_enabled(False)  # that one operator has no export
    makers = torch_layers.modules()
    yield from _script(folder, torch, makers, torch_layers.IMAGE)
    if importlib.util.find_spec("onnxscript"):
        yield from _dynamo(folder, torch, makers, torch_layers.IMAGE)
    if importlib.util.find_spec("timm"):
        yield from _timm(folder, torch)


def _made(torch: Any, make: Callable[[], Any]) -> Any:
    torch.manual_seed(0)
    module = make().eval()
    for layer in module.modules():
        if isinstance(layer, torch.nn.BatchNorm2d):
            torch.nn.init.uniform_(layer.running_var, 0.5, 2.0)
            torch.nn.init.normal_(layer.running_mean, 0.0, 0.1)
    return module


def _script(folder: Path, torch: Any, makers: dict[str, Callable[[], Any]], shape: tuple[int, ...]) -> Iterator[Found]:
    for number, (name, make) in enumerate(makers.items()):
        for opset in (SCRIPT_OPSETS[number % len(SCRIPT_OPSETS)], 17):
            path = folder / f"torchscript-{name}-opset{opset}.onnx"
            if _exported(torch, _made(torch, make), shape, path, opset, dynamo=False):
                yield path.name, {}
                break  # an operator that came with a later opset is exported with that


def _dynamo(folder: Path, torch: Any, makers: dict[str, Callable[[], Any]], shape: tuple[int, ...]) -> Iterator[Found]:
    for number, (name, make) in enumerate(makers.items()):
        opset = DYNAMO_OPSETS[number % len(DYNAMO_OPSETS)]
        path = folder / f"dynamo-{name}-opset{opset}.onnx"
        if _exported(torch, _made(torch, make), shape, path, opset, dynamo=True):
            yield path.name, {}


def _timm(folder: Path, torch: Any) -> Iterator[Found]:
    import timm

    for name in ("vit_tiny_patch16_224", "convnext_atto"):
        path = folder / f"timm-{name}-opset20.onnx"
        module = _made(torch, lambda name=name: timm.create_model(name, num_classes=10))
        if _exported(torch, module, (3, 224, 224), path, 20, dynamo=True):
            yield path.name, {"large": True}


def _exported(torch: Any, module: Any, shape: tuple[int, ...], path: Path, opset: int, *, dynamo: bool) -> bool:
    example = torch.rand(1, *shape, generator=torch.Generator().manual_seed(1))
    options = {"dynamo": True, "external_data": True, "verbose": False} if dynamo else {"dynamo": False}
    try:
        with torch.no_grad():
            torch.onnx.export(module, (example,), str(path), opset_version=opset, **options)
    except Exception as error:  # an exporter may raise anything; what it does not write is not judged
        print(f"not exported: {path.name}: {type(error).__name__}: {str(error).splitlines()[0][:100]}", file=sys.stderr)
        path.unlink(missing_ok=True)
        return False
    return True


def _keras(folder: Path) -> Iterator[Found]:
    import tensorflow as tf
    import tf2onnx

    layers = tf.keras.layers
    stacks: dict[str, tuple[tuple[Any, ...], list[Any]]] = {
        "conv_pool": ((12, 12, 3), [layers.Conv2D(4, 3, activation="relu"), layers.MaxPool2D(), layers.Conv2D(2, 3)]),
        "dense": ((8, 8, 1), [layers.Flatten(), layers.Dense(6, "tanh"), layers.Dense(3, "softmax")]),
        "separable": ((12, 12, 3), [layers.SeparableConv2D(4, 3, padding="same"), layers.ReLU(6.0)]),
        "batch_norm": ((12, 12, 3), [layers.Conv2D(4, 3, 2, "same"), layers.BatchNormalization(), layers.LeakyReLU()]),
        "layer_norm": ((12, 12, 3), [layers.Conv2D(4, 3), layers.LayerNormalization()]),
        "transpose": ((12, 12, 3), [layers.Conv2DTranspose(4, 3, 2, "same", activation="elu")]),
        "upsample": ((12, 12, 3), [layers.UpSampling2D(interpolation="bilinear"), layers.Conv2D(2, 3)]),
        "gelu": ((12, 12, 3), [layers.Conv2D(4, 3, activation="gelu"), layers.GlobalAveragePooling2D()]),
        "swish": ((12, 12, 3), [layers.Conv2D(4, 3, activation="swish"), layers.GlobalMaxPooling2D()]),
        "selu": ((12, 12, 3), [layers.Conv2D(4, 3, activation="selu"), layers.AveragePooling2D(padding="same")]),
        "softplus": ((12, 12, 3), [layers.Conv2D(4, 3, activation="softplus"), layers.ZeroPadding2D(1)]),
        "open_size": ((None, None, 3), [layers.Conv2D(4, 3, padding="same"), layers.GlobalAveragePooling2D()]),
    }
    for number, (name, (shape, stack)) in enumerate(stacks.items()):
        tf.keras.utils.set_random_seed(0)
        model = tf.keras.Sequential([layers.Input(shape), *stack])
        opset = (11, 12, 13, 15, 17, 18)[number % 6]
        path = folder / f"tf2onnx-{name}-opset{opset}.onnx"
        signature = [tf.TensorSpec((None, *shape), tf.float32, name="image")]
        tf2onnx.convert.from_keras(model, signature, opset, output_path=str(path))
        yield path.name, {"size": [12, 10]} if None in shape else {}


def _sklearn(folder: Path) -> Iterator[Found]:
    from skl2onnx import to_onnx
    from sklearn.decomposition import PCA
    from sklearn.linear_model import LogisticRegression, Ridge
    from sklearn.neural_network import MLPClassifier, MLPRegressor
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import MinMaxScaler, Normalizer, StandardScaler
    from sklearn.svm import LinearSVC

    random = np.random.default_rng(0)
    x, y = random.random((60, 64)).astype(np.float32), np.arange(60) % 3
    small = {"hidden_layer_sizes": (5,), "max_iter": 30, "random_state": 0}
    models = {
        "logistic": (LogisticRegression(), y), "binary": (LogisticRegression(), y % 2), "svc": (LinearSVC(), y),
        "ridge": (Ridge(), y), "mlp": (MLPClassifier(**small), y),
        "mlp_tanh": (MLPClassifier(activation="tanh", **small), y),
        "mlp_regressor": (MLPRegressor(**small), y), "pca": (PCA(4), None),
        "scaled": (make_pipeline(StandardScaler(), PCA(5), LogisticRegression()), y),
        "unit": (make_pipeline(MinMaxScaler(), Normalizer(), Ridge()), y),
    }  # fmt: skip
    for name, (model, labels) in models.items():
        fitted = model.fit(x, labels)
        options = {id(fitted): {"zipmap": False}} if hasattr(fitted, "predict_proba") else None
        path = folder / f"skl2onnx-{name}-opset17.onnx"
        path.write_bytes(to_onnx(fitted, x[:1], options=options, target_opset=17).SerializeToString())
        yield path.name, {"size": [8, 8]}


def _quantised(folder: Path) -> Iterator[Found]:
    from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_static

    class Images(CalibrationDataReader):
        def __init__(self, name: str, shape: tuple[int, ...]) -> None:
            random = np.random.default_rng(0)
            self.images = iter([{name: random.random(shape, np.float32)} for _ in range(4)])

        def get_next(self) -> Any:
            return next(self.images, None)

    import onnx

    for source in ("torchscript-vgg", "torchscript-resnet", "torchscript-mobilenet"):
        path = next(folder.glob(f"{source}-opset*.onnx"))
        model = onnx.load(path)
        name = model.graph.input[0].name
        target = folder / f"quantised-{source.split('-')[1]}-opset{model.opset_import[0].version}.onnx"
        options: dict[str, Any] = {"quant_format": QuantFormat.QDQ, "activation_type": QuantType.QUInt8}
        quantize_static(str(path), str(target), Images(name, (1, 3, 12, 12)), per_channel=False, **options)
        yield target.name, {"quantum": True}


FAMILIES: dict[str, tuple[str, Callable[[Path], Iterator[Found]]]] = {
    "torch": ("torch", _torch),
    "keras": ("tf2onnx", _keras),
    "sklearn": ("skl2onnx", _sklearn),
    "quantised": ("torch", _quantised),
}


def main(folder: Path, chosen: list[str]) -> None:
    """Write what this interpreter can, or of that the ``chosen`` families."""
    folder.mkdir(parents=True, exist_ok=True)
    warnings.simplefilter("ignore")
    for family, (module, write) in FAMILIES.items():
        if chosen and family not in chosen:
            continue
        if importlib.util.find_spec(module) is None:
            print(f"{family}: no {module} here", file=sys.stderr)
            continue
        found = dict(write(folder))
        (folder / f"{family}.json").write_text(json.dumps(found, indent=1))
        print(f"{family}: {len(found)} files", file=sys.stderr)


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2:])
