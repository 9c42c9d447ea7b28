"""Networks run from their programs beside onnxruntime on the original files, in the same process on one core.

Run ``python -m benchmarks.cnn [folder of .onnx files]``; without a folder, shared/data/weights beside the checkout.
Both sides get the same pixels and return the same values; ours normalises them too. Medians of interleaved runs.
onnxruntime does not fold weights that an old file also declares as inputs, which explains ratios far below 1.
"""

from __future__ import annotations

import statistics
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from privis.features.cnn import CNN
from privis.program.onnx.translate import network_input, parse_onnx
from privis.readings import evaluate
from privis.run.clear.onnx_lowering import lower

WEIGHTS = Path(__file__).resolve().parents[3] / "shared" / "data" / "weights"
OPEN_SIZE = (320, 320)  # for networks that leave it open


@dataclass(frozen=True)
class Timing:
    """Milliseconds per image of onnxruntime on the file, of the lowered program and of `evaluate`, and the error."""

    onnxruntime: float
    lowered: float
    evaluate: float
    error: float  # largest difference from onnxruntime, relative to max(1, its largest magnitude)

    @property
    def ratio(self) -> float:
        """Lowered over onnxruntime."""
        return self.lowered / self.onnxruntime


def run(folder: Path = WEIGHTS, repeats: int = 21) -> dict[str, Timing]:
    """Time every ONNX file below ``folder``; empty when there is none."""
    return {path.stem: _timing(path, repeats) for path in sorted(folder.rglob("*.onnx"))}


def _timing(path: Path, repeats: int) -> Timing:
    import onnxruntime

    reads = network_input(parse_onnx(path.read_bytes()))
    size = (reads.height or OPEN_SIZE[0], reads.width or OPEN_SIZE[1])
    feature = CNN.from_onnx(path, size=size, divisor=1.0, mean=0.5)
    program = feature.program(feature.shape)
    pixels = np.random.default_rng(0).integers(0, 256, feature.shape).astype(np.float32)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.log_severity_level = 1, 3
    session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    feeds = {session.get_inputs()[0].name: pixels[None] - np.float32(0.5)}
    lowered = lower(program)
    assert lowered is not None
    reference = np.concatenate([np.asarray(output).ravel() for output in session.run(None, feeds)])
    error = np.abs(feature.after(lowered(pixels)) - reference).max() / max(1.0, np.abs(reference).max())
    theirs, ours = _interleaved(lambda: session.run(None, feeds), lambda: lowered(pixels), repeats=repeats)
    (definition,) = _interleaved(lambda: evaluate(program, pixels), repeats=1)
    return Timing(theirs, ours, definition, float(error))


def _interleaved(*works: Callable[[], object], repeats: int) -> tuple[float, ...]:
    """Median milliseconds of each work, taking turns so that both meet the same machine."""
    times: list[list[float]] = [[] for _ in works]
    for _ in range(repeats):
        for work, taken in zip(works, times, strict=True):
            start = time.perf_counter()
            work()
            taken.append(1000 * (time.perf_counter() - start))
    return tuple(statistics.median(taken) for taken in times)


if __name__ == "__main__":
    measured = run(Path(sys.argv[1]) if len(sys.argv) > 1 else WEIGHTS)
    if not measured:
        print("skipped: no .onnx files; name their folder")
    else:
        print(f"{'network':22} {'onnxruntime':>12} {'lowered':>9} {'ratio':>6} {'evaluate':>9} {'error':>8}   (ms)")
    for network, t in measured.items():
        columns = f"{t.onnxruntime:12.2f} {t.lowered:9.2f} {t.ratio:6.2f} {t.evaluate:9.1f} {t.error:8.0e}"
        print(f"{network:22} {columns}")
