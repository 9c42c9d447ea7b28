"""What Privis makes of exported ONNX files: imports, equals onnxruntime, runs on shares, runs on ciphertexts."""

from __future__ import annotations

import gc
import json
import sys
from collections.abc import Container, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime

import privis
from privis.errors import PrivisError
from privis.program import Program
from privis.readings import evaluate

CLEAR_BOUND = 1e-4  # of max(1, largest magnitude): what the class promises
HALF = 2.0**-10  # float16 rounds results by as much


@dataclass(frozen=True)
class Row:
    """One file. ``imports`` and ``remedy`` say why not; distances are of max(1, largest magnitude of the result)."""

    name: str
    imports: str = ""
    remedy: bool = True
    clear: float | None = None
    quantum: float = 0.0
    aby3: str = ""
    ckks: str = ""

    @property
    def equal(self) -> bool:
        """Whether the clear result is onnxruntime's, for quantised networks to one quantum of the result."""
        return self.clear is not None and self.clear <= max(CLEAR_BOUND, self.quantum)


def rows(folders: Iterable[Path], known: Container[str], *, runs: bool) -> Iterator[Row]:
    """A row for each file that is listed in a folder's JSON files and is not among the ``known`` ones."""
    parties = privis.MPC() if runs else None
    listings = [(folder, listing) for folder in folders for listing in sorted(folder.glob("*.json"))]
    try:
        for folder, listing in listings:
            for name, options in json.loads(listing.read_text()).items():
                if name not in known:
                    yield row(folder / name, options, parties, runs)
                    gc.collect()
    finally:
        if parties is not None:
            parties.close()


def row(path: Path, options: dict[str, Any], parties: privis.MPC | None, ciphertexts: bool) -> Row:
    """Judge one file on one image of noise."""
    try:
        cnn = privis.CNN.from_onnx(path, size=tuple(options["size"]) if "size" in options else None)
    except PrivisError as error:
        problems = error.problems
        words = "; ".join(f"{p.where}: {p.got}" for p in problems)
        return Row(path.name, words, all(p.remedy for p in problems))
    program = cnn.program(cnn.shape)
    image = np.random.default_rng(3).integers(0, 256, cnn.shape).astype(np.float64)
    right = _onnxruntime(path, image, len(program.inputs))
    scale = max(1.0, float(np.abs(right).max()))
    got = np.ravel(privis.Clear().prepare(program)(image.astype(np.float32)))
    clear = float(np.abs(got - right).max() / scale) if got.shape == right.shape else float("inf")
    quantum = float(np.diff(np.unique(right)).min() / scale) if options.get("quantum") else 0.0
    quantum = HALF if "half" in path.name else quantum
    aby3 = _shares(program, image, parties, scale) if parties is not None else ""
    ckks = _ciphertexts(program) if ciphertexts and not options.get("large") else ""
    return Row(path.name, "", True, clear, quantum, aby3, ckks)


def _onnxruntime(path: Path, image: np.ndarray, inputs: int) -> np.ndarray:
    session = onnxruntime.InferenceSession(str(path), _quiet(), providers=["CPUExecutionProvider"])
    (source,) = session.get_inputs()
    pixels = (image / 255).astype(np.float32)[None]
    if len(source.shape) == 2:
        pixels = pixels.transpose(0, 2, 3, 1).reshape(1, -1)
    elif source.shape[-1] in (1, 3) and source.shape[1] not in (1, 3):
        pixels = pixels.transpose(0, 2, 3, 1)
    results = session.run(None, {source.name: pixels})
    return np.concatenate([np.ravel(result).astype(np.float64) for result in results])


def _quiet() -> onnxruntime.SessionOptions:
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    options.intra_op_num_threads = 1
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    return options


def _shares(program: Program, image: np.ndarray, parties: privis.MPC, scale: float) -> str:
    refused = parties.supports(program)
    if refused:
        return f"✗ {refused[0].where.split()[-1]}: {refused[0].got}"
    try:
        got = np.ravel(parties.prepare(program)(image))
    except PrivisError as error:
        return f"✗ {error.problems[0].got}" if error.problems else f"✗ {type(error).__name__}"
    return shown(float(np.abs(got - np.ravel(evaluate(program, image))).max() / scale))


def _ciphertexts(program: Program) -> str:
    """What the executor says itself: whether it runs the program, and how exactly."""
    executor = privis.CKKS()
    refused = executor.supports(program)
    if refused:
        return f"✗ {refused[0].where.split()[-1]}: {refused[0].got}"
    return shown(executor.error(program).relative or 0.0)


def shown(error: float) -> str:
    """Two digits, rounded up."""
    return f"{error:.1e}"


def table(found: list[Row], words: tuple[str, ...]) -> str:
    """The rows as a Markdown table, refusals and differences in words."""
    lines = ["| " + " | ".join(words) + " |", "| --- " * len(words) + "|"]
    for row in sorted(found, key=lambda row: row.name):
        if row.imports:
            lines.append(f"| {row.name} | ✗ {row.imports} | | | |")
            continue
        equal = f"{'=' if row.equal else '≠'} {shown(row.clear if row.clear is not None else 0.0)}"
        lines.append(f"| {row.name} | ✓ | {equal} | {row.aby3} | {row.ckks} |")
    return "\n".join(lines)


def summary(found: list[Row]) -> str:
    """How many of how many."""
    imported = [row for row in found if not row.imports]
    count = len(found)
    runs = {name: [r for r in imported if (cell := getattr(r, name)) and cell[0] != "✗"] for name in ("aby3", "ckks")}
    return (
        f"{count} files; imported {len(imported)} ({len(imported) / max(count, 1):.1%}); equal to onnxruntime "
        f"{sum(row.equal for row in imported)}; under ABY3 {len(runs['aby3'])}; under CKKS {len(runs['ckks'])}; "
        f"refused without a remedy {sum(not row.remedy for row in found)}"
    )


def progress(row: Row) -> Row:
    """Say what was found as it is found."""
    cells = [f"clear {shown(row.clear)}" if row.clear is not None else f"✗ {row.imports}", row.aby3, row.ckks]
    print(row.name, *filter(None, cells), sep="  ", file=sys.stderr, flush=True)
    return row
