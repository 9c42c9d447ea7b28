"""What a program that was seen before saves: compiling and encoding, in new processes, beside what is kept on disk.

``python -m benchmarks.he_kept [--case NAME] [--tiny]``. Three processes, one after the other: the first compiles a case
of `benchmarks.he.cases` and encodes all its weights, with an empty folder; the second keeps them; the third reads what
was compiled and all encoded weights. Seconds of the wall clock and of the processor, importing left out; bytes on disk.
The bar is a fifth. It takes the memory of one compilation, and as much disk as the weights.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from benchmarks.he.cases import Case, named
from privis.run.he.backends.seal import SealEngine, ring
from privis.run.he.compiler.compiled_files import compile_kept
from privis.run.he.compiler.compiler import CompiledProgram
from privis.run.he.engine import Plaintext
from privis.run.he.evaluation.interpreter import CircuitInterpreter, Plaintexts
from privis.run.he.evaluation.kept_weights import for_engine, keep_weights, weights_of

BAR = 1 / 5
Result = TypeVar("Result")


@dataclass(frozen=True)
class Took:
    """Wall-clock and processor seconds of compiling, or reading that, and of encoding all weights, or reading them."""

    compiling: tuple[float, float]
    encoding: tuple[float, float]
    memory: int

    @property
    def wall(self) -> float:
        """Seconds together."""
        return self.compiling[0] + self.encoding[0]

    @property
    def processor(self) -> float:
        """Processor seconds together."""
        return self.compiling[1] + self.encoding[1]


@dataclass(eq=False)
class Each(Plaintexts):
    """Asks for every plaintext once and holds none, so that memory does not decide how many are encoded."""

    source: Plaintexts = field(default_factory=lambda: Plaintexts(0))

    def has_room(self, size: int) -> bool:
        """There is always room for what is not held."""
        return True

    def get(self, key: tuple[int, int, int, int], size: int, make: Callable[[], Plaintext]) -> Plaintext:
        """From the disk, or made."""
        return self.source.get(key, size, make)


def encode_all(made: CompiledProgram) -> None:
    """Every weight once, from the disk where it is kept."""
    engine = SealEngine(ring(made.spec.parameters))
    CircuitInterpreter(made.choice, engine, Each(0, source=for_engine(weights_of(made, 0), engine))).encode()


def one(case: Case) -> Took:
    """In this process."""
    made, compiling = timed(lambda: compile_kept(case.program, case.options, case.samples))
    _, encoding = timed(lambda: encode_all(made))
    return Took(compiling, encoding, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024)


def keep(case: Case) -> int:
    """Bytes that weights take on disk."""
    return keep_weights(compile_kept(case.program, case.options, case.samples))


def timed(work: Callable[[], Result]) -> tuple[Result, tuple[float, float]]:
    """A result, and wall-clock and processor seconds."""
    start, before = time.perf_counter(), time.process_time()
    result = work()
    return result, (time.perf_counter() - start, time.process_time() - before)


def measure(name: str) -> tuple[Took, Took, int, float]:
    """Unseen, seen before, bytes of weights on disk, and processor seconds that keeping them took."""
    with tempfile.TemporaryDirectory() as folder:

        def asked(what: str) -> dict[str, Any]:
            command = [sys.executable, "-m", "benchmarks.he_kept", "--case", name, "--do", what]
            environment = os.environ | {"PRIVIS_CACHE": str(Path(folder) / "programs")}
            return json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE, env=environment).stdout)

        first, kept, again = asked("one"), asked("keep"), asked("one")
    return _took(first), _took(again), kept["bytes"], kept["processor"]


def _took(found: dict[str, Any]) -> Took:
    return Took(tuple(found["compiling"]), tuple(found["encoding"]), found["memory"])


def lines(first: Took, again: Took, size: int, keeping: float) -> list[str]:
    """The table, and the ratio beside its bar."""
    table = [f"{'':14}{'compile s':>10}{'CPU s':>8}{'encode s':>10}{'CPU s':>8}{'both s':>9}{'CPU s':>8}{'peak MB':>9}"]
    for name, took in (("unseen", first), ("seen before", again)):
        parts = [*took.compiling, *took.encoding, took.wall, took.processor]
        table.append(
            f"{name:14}"
            + "".join(f"{p:{w}.2f}" for p, w in zip(parts, (10, 8) * 2 + (9, 8), strict=True))
            + f"{took.memory / 1e6:9.0f}"
        )
    wall, processor = again.wall / first.wall, again.processor / first.processor
    table.append(f"{size / 1e6:,.0f} MB of encoded weights on disk; keeping them took {keeping:.1f} CPU s once")
    table.append(f"seen before / unseen: wall {wall:.3f}, processor {processor:.3f}; bar {BAR:.3f}")
    return table


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("shared", nargs="?", help="ignored: `python -m benchmarks` names the folder it looked for")
    parser.add_argument("--case", default="vgg11")
    parser.add_argument("--tiny", action="store_true")
    parser.add_argument("--do", choices=["one", "keep"], help=argparse.SUPPRESS)
    options = parser.parse_args()
    name = "colour" if options.tiny else options.case
    match options.do:
        case "one":
            print(json.dumps(asdict(one(named()[name]()))))
        case "keep":
            size, (_, processor) = timed(lambda: keep(named()[name]()))
            print(json.dumps({"bytes": size, "processor": processor}))
        case _:
            print("\n".join(lines(*measure(name))))


if __name__ == "__main__":
    main()
