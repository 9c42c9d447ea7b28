"""SqueezeNet from an ONNX file on secret shares, beside the same network written for SPU by hand, and in CrypTen.

``python -m benchmarks.network_on_shares [DATA] [--protocol aby3|cheetah] [--images N] [--crypten FOLDER]``: photographs
of ImageNet, the first one apart, because then parties compile and prepare. Seconds of Privis are from sharing an image
to joining its 1,000 scores, of the others from shares to shares; processor seconds are of all parties together. Weights
are public to the parties. Bytes and messages are the largest that a party sends for an image. ``--crypten`` names a
folder that ``pip install --no-deps --target`` made of the packages that `benchmarks.mpc.crypten.peer` names; PyTorch
must be installed, and three of its parties take more than 7 GB. ``--tiny``: a small network of the same layers,
random weights, without the others.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from benchmarks.mpc.by_hand import ByHand
from privis.features.cnn import CNN, Channels
from privis.program import Program
from privis.readings import evaluate, promised
from privis.run.mpc.cost.calibration import Resident
from privis.run.mpc.fixed_point import FixedPoint
from privis.run.mpc.lowering.precision import choose_fixed_point
from privis.run.mpc.protocols import ABY3, CHEETAH, Preset
from privis.run.mpc.runtime.local_parties import LocalParties

DATA = Path(__file__).resolve().parents[3] / "shared" / "data"
MEANS = (104.0, 117.0, 123.0)
TOTAL = 2.0**28  # what any ReLU lets through of an image, promised; five times the most that was seen
BARS = {"aby3": 3.0, "cheetah": 15.0}
SQUEEZENET = Path("weights/imagenet_squeezenet/squeezenet_v1.0_deepcomp.npz")
Weights = Mapping[str, np.ndarray]


@dataclass(frozen=True)
class Measured:
    """Of one image: seconds, processor seconds of all parties, bytes and messages sent, and the scores."""

    seconds: float
    processor: float
    sent: int
    messages: int
    scores: np.ndarray


def squeezenet_onnx(weights: Weights, side: int) -> bytes:
    """SqueezeNet 1.0 as PyTorch and others export it: convolutions, ReLU, max-pooling that rounds up, concatenation."""
    from onnx import TensorProto, helper, numpy_helper

    nodes = []
    constants = [numpy_helper.from_array(np.asarray(array, np.float32), name) for name, array in weights.items()]

    def layer(x: str, name: str, stride: int = 1, pad: int = 0) -> str:
        settings = {"kernel_shape": weights[f"{name}_w"].shape[2:], "strides": [stride] * 2, "pads": [pad] * 4}
        nodes.append(helper.make_node("Conv", [x, f"{name}_w", f"{name}_b"], [name], **settings))
        nodes.append(helper.make_node("Relu", [name], [f"{name}/relu"]))
        return f"{name}/relu"

    def pool(x: str) -> str:
        nodes.append(helper.make_node("MaxPool", [x], [f"{x}/pool"], kernel_shape=[3, 3], strides=[2, 2], ceil_mode=1))
        return f"{x}/pool"

    x = pool(layer("image", "conv1", 2))
    for k in range(2, 10):
        squeezed = layer(x, f"fire{k}/squeeze1x1")
        expanded = [layer(squeezed, f"fire{k}/expand1x1"), layer(squeezed, f"fire{k}/expand3x3", pad=1)]
        nodes.append(helper.make_node("Concat", expanded, [f"fire{k}"], axis=1))
        x = pool(f"fire{k}") if k in (4, 8) else f"fire{k}"
    nodes.append(helper.make_node("GlobalAveragePool", [layer(x, "conv10")], ["scores"]))
    shapes = {"image": [1, 3, side, side], "scores": [1, len(weights["conv10_b"]), 1, 1]}
    image, scores = (helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name, shape in shapes.items())
    graph = helper.make_graph(nodes, "squeezenet", [image], [scores], constants)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
    return bytes(model.SerializeToString())


def tiny_weights() -> dict[str, np.ndarray]:
    """Random weights of a few channels under the names of SqueezeNet's layers."""
    random = np.random.default_rng(3)
    shapes = {"conv1": (4, 3, 7, 7), "conv10": (5, 6, 1, 1)}
    for k in range(2, 10):
        shapes[f"fire{k}/squeeze1x1"] = (2, 4 if k == 2 else 6, 1, 1)
        shapes |= {f"fire{k}/expand1x1": (3, 2, 1, 1), f"fire{k}/expand3x3": (3, 2, 3, 3)}
    drawn = {f"{name}_w": random.standard_normal(s) * (2 / np.prod(s[1:])) ** 0.5 for name, s in shapes.items()}
    return {**drawn, **{f"{name}_b": random.standard_normal(s[0]) for name, s in shapes.items()}}


def network(weights: Weights, side: int) -> CNN:
    """The feature that reads the ONNX file, with the normalisation that the network was trained with."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "squeezenet.onnx"
        path.write_bytes(squeezenet_onnx(weights, side))
        return CNN.from_onnx(path, mean=MEANS, divisor=1.0, channels=Channels.BGR)


def cropped(path: Path, side: int) -> np.ndarray:
    """The middle of a photograph whose short side was made 256 pixels, (side, side, 3) in RGB."""
    import cv2

    image = cv2.imread(str(path))[:, :, ::-1]
    scale = 256 / min(image.shape[:2])
    size = (round(image.shape[1] * scale), round(image.shape[0] * scale))
    image = cv2.resize(image, size, interpolation=cv2.INTER_AREA)
    top, left = ((length - side) // 2 for length in image.shape[:2])
    return np.ascontiguousarray(image[top : top + side, left : left + side])


def processor_seconds(pids: Sequence[int]) -> float:
    """What the processes have taken so far."""
    fields = [Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split() for pid in pids]
    return sum(int(each[11]) + int(each[12]) for each in fields) / os.sysconf("SC_CLK_TCK")


def on_shares(program: Program, images: Sequence[np.ndarray], preset: Preset) -> list[Measured]:
    """One image after another between the same parties."""
    found = []
    with LocalParties(preset, choose_fixed_point([program])) as parties:
        parties.load(program)
        pids = [worker.pid for worker in parties.workers]
        for image in images:
            before, start = processor_seconds(pids), time.perf_counter()
            ready = Resident.of(parties, program, [image])
            took = ready.run()
            (scores,) = ready.reveal()
            seconds, processor = time.perf_counter() - start, processor_seconds(pids) - before
            ready.drop()
            sent, messages = max(party.sent for party in took), max(party.messages for party in took)
            found.append(Measured(seconds, processor, sent, messages, scores.ravel()))
    return found


def in_order(weights: Weights) -> list[np.ndarray]:
    """Kernel (height, width, in, out) and bias of every layer, as the script by hand reads them."""
    parts = ("squeeze1x1", "expand1x1", "expand3x3")
    order = ["conv1", *(f"fire{k}/{part}" for k in range(2, 10) for part in parts), "conv10"]
    layers = [(weights[f"{name}_w"].transpose(2, 3, 1, 0), weights[f"{name}_b"]) for name in order]
    return [np.asarray(array, np.float32) for layer in layers for array in layer]


def by_hand(weights: Weights, image: np.ndarray, preset: Preset) -> tuple[float, float, np.ndarray]:
    """Seconds, processor seconds and scores of the script by hand, of its second run."""
    pixels = image.transpose(1, 2, 0) - np.array(MEANS, np.float32)
    constants = in_order(weights)
    with ByHand("squeezenet", [pixels.astype(np.float32)], constants, preset, FixedPoint()) as script:
        before = processor_seconds(script.pids)
        seconds = script.run()
        return seconds, processor_seconds(script.pids) - before, script.output.ravel()


def crypten(data: Path, folder: Path, image: np.ndarray) -> str:
    """What CrypTen says of the same image between three parties, and between two."""
    with tempfile.TemporaryDirectory() as made:
        np.save(Path(made) / "image.npy", image - np.array(MEANS, np.float32)[:, None, None])
        script = Path(__file__).parent / "crypten" / "network.py"
        environment = {**os.environ, "PYTHONPATH": str(folder), "OMP_NUM_THREADS": "1"}
        command = [sys.executable, str(script), str(data / SQUEEZENET), f"{made}/image.npy"]
        lines = []
        for parties in (2, 3):
            done = subprocess.run(
                [*command, str(parties)], capture_output=True, text=True, env=environment, timeout=900, check=False
            )
            told = [line for line in done.stdout.splitlines() if line.startswith("{")]
            failed = f"failed, code {done.returncode}: {done.stderr[-300:]}"
            lines.append(f"CrypTen, {parties} parties: {told[-1] if told else failed}")
    return "\n".join(lines)


def measure(weights: Weights, images: Sequence[np.ndarray], preset: Preset) -> list[Measured]:
    """Run the network on every image, print a line for each, and return what was measured."""
    feature = network(weights, images[0].shape[0])
    program = promised(feature.program(feature.shape), TOTAL)
    cores = [np.asarray(feature.before(image), np.int64) for image in images]
    found = on_shares(program, cores, preset)
    for number, (each, core) in enumerate(zip(found, cores, strict=True)):
        clear = evaluate(program, core.astype(np.float64)).ravel()
        error = float(np.abs(each.scores - clear).max())
        print(
            f"{preset.name:8} image {number + 1}: {each.seconds:7.2f} s, {each.processor:7.2f} processor s, "
            f"{each.sent / 1e6:7.1f} MB, {each.messages} messages; top-1 {each.scores.argmax()}, in the clear "
            f"{clear.argmax()}; largest error {error:.4f} of {np.abs(clear).max():.1f}",
            flush=True,
        )
    return found


def beside_bar(found: Sequence[Measured], preset: Preset) -> str:
    """Seconds of all images but the first, beside the bar."""
    seconds, bar = float(np.median([each.seconds for each in found[1:] or found])), BARS[preset.name]
    return f"{preset.name:8} after the first: {seconds:.2f} s, bar {bar:g} s: {'met' if seconds <= bar else 'missed'}"


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", nargs="?", type=Path, default=DATA)
    parser.add_argument("--protocol", choices=sorted(BARS), help="one of them alone")
    parser.add_argument("--images", type=int, default=3)
    parser.add_argument("--crypten", type=Path, metavar="FOLDER")
    parser.add_argument("--tiny", action="store_true")
    given = parser.parse_args(arguments)
    presets = [preset for preset in (ABY3, CHEETAH) if given.protocol in (None, preset.name)]
    if given.tiny:
        images = [np.random.default_rng(k).integers(0, 256, (67, 67, 3)).astype(np.uint8) for k in range(given.images)]
        for preset in presets:
            measure(tiny_weights(), images, preset)
        return
    with np.load(given.data / SQUEEZENET, allow_pickle=False) as members:
        weights = {name: members[name] for name in members.files}
    paths = sorted((given.data / "photos" / "imagenet_samples").glob("*.JPEG"))
    images = [cropped(path, 227) for path in paths[:: max(1, len(paths) // given.images)][: given.images]]
    last = images[-1].transpose(2, 0, 1)[::-1].astype(np.float32)  # planes in BGR
    for preset in presets:
        ours = measure(weights, images, preset)
        print(beside_bar(ours, preset))
        seconds, processor, scores = by_hand(weights, last, preset)
        error = np.abs(scores - ours[-1].scores).max()
        print(
            f"{preset.name:8} by hand: {seconds:.2f} s, {processor:.2f} processor s; {error:.4f} from ours", flush=True
        )
    print(crypten(given.data, given.crypten, last) if given.crypten else "CrypTen: skipped, see --crypten")


if __name__ == "__main__":
    main()
