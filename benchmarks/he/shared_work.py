"""Encrypted features in one process and in two: today's code beside an older one, and what keys take to make.

``python -m benchmarks.he_shared_work [--baseline WORKTREE] [--only NAME] [--rounds N]``. The baseline is a checkout of
an older commit (the bars are for cbca4a7), which runs in processes of its own with the same Python. All contestants
answer queries of the same images in turns; seconds are medians after a first run, which encodes weights.
``efficiency`` is the seconds of one process over twice those of two. Memory is the largest sum of what a server's
processes hold (shared pages counted once), and the peak of a process that makes the keys and writes them to a file.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.he.cases import named

ROOT = Path(__file__).resolve().parents[2]
BARS = {"hog": 0.75, "hog, batch of 8": 0.85, "vgg11": 0.75, "lbp": 0.75}
EFFICIENCY, KEY_MEMORY = 0.93, 1.2e9
IMPORTS = """
import json, os, resource, sys, time
from dataclasses import replace
from pathlib import Path
try:
    from benchmarks.he.cases import named
    from privis.run.he.compiler.compiler import compile_program
    from privis.run.he.compiler.program_specification import Spec
    from privis.run.he.evaluation.evaluator import Evaluator
    from privis.run.he.evaluation.interpreter import Plaintexts
    from privis.run.he.owner.keys import SecretKeys
    from privis.run.he.packing.batching import Batching
    from privis.run.he.wire import key_file
    together = {"batching": Batching.SIDE_BY_SIDE}
except ImportError:  # as of cbca4a7
    from benchmarks.he_cases import named
    from privis.run.he import bundle as key_file
    from privis.run.he.compiled import compiled as compile_program
    from privis.run.he.evaluator import Evaluator
    from privis.run.he.machine import Plaintexts
    from privis.run.he.secret import SecretKeys
    from privis.run.he.spec import Spec
    from privis.run.he.sharing import Sharing
    together = {"sharing": Sharing.SIDE_BY_SIDE}
name, processes, images, folder = json.loads(sys.argv[1])
folder = Path(folder)

def compiled():
    case = named()[name]()
    options = replace(case.options, processes=processes, **({} if images == 1 else together))
    return case, compile_program(case.program, options, case.samples)
"""
SERVER = """
case, made = compiled()
evaluator = Evaluator.open(made, (folder / "keys").read_bytes(), Plaintexts(case.cache), at_once=min(images, 2))
query = (folder / "query").read_bytes()

def processor():
    used = sum(sum(resource.getrusage(who)[:2]) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    for child in Path(f"/proc/self/task/{os.getpid()}/children").read_text().split():
        fields = Path(f"/proc/{child}/stat").read_text().rpartition(")")[2].split()
        used += (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
    return used

for line in sys.stdin:
    before, start = processor(), time.perf_counter()
    reply = evaluator.run(query)
    took = time.perf_counter() - start
    used = processor() - before
    (folder / "reply").write_bytes(reply)
    print(json.dumps([took, used]), flush=True)
"""
OWNER = """
case, made = compiled()
secret, own = SecretKeys.generate(made.spec), case.inputs()
shown = [own[k % len(own)] for k in range(images)]
query = secret.encrypt(made.spec, shown)
(folder / "query").write_bytes(query.message)
(folder / "keys").write_bytes(secret.evaluation_keys(made.spec))
print("null", flush=True)
for line in sys.stdin:
    error = 0.0
    for inputs, outputs in zip(shown, secret.decrypt(made.spec, query, (folder / "reply").read_bytes())):
        form = made.in_the_clear(*inputs)[0]
        error = max(error, float(abs(outputs[0] - form).max() / abs(form).max()))
    print(json.dumps(error), flush=True)
"""
KEYS = """
if os.fork() == 0:  # the owner of keys never compiles
    (folder / "specification").write_text(compiled()[1].spec.to_json())
    os._exit(0)
os.wait()
spec = Spec.from_json((folder / "specification").read_text())
Path("/proc/self/clear_refs").write_text("5")
secret, before = SecretKeys.generate(spec), time.process_time()
if hasattr(secret, "write_evaluation_keys"):
    secret.write_evaluation_keys(spec, folder / "evaluation.key")
else:
    content = secret.evaluation_keys(spec)
    key_file.write(folder / "evaluation.key", key_file.Kind.EVALUATION, spec.digest, content)
peak = next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM"))
print(json.dumps([int(peak.split()[1]) * 1024, time.process_time() - before]), flush=True)
"""


@dataclass(frozen=True)
class Taken:
    """What runs of a contestant took.

    Args:
        seconds: of each run but the first, by the clock.
        processor: of the same, of all its processes.
        memory: bytes of all its processes at their peak.
        error: of the decrypted results from the polynomial form, over the largest.
    """

    seconds: tuple[float, ...]
    processor: tuple[float, ...]
    memory: int
    error: float


@contextmanager
def process(tree: Path, script: str, name: str, processes: int, images: int, folder: Path) -> Iterator[Any]:
    """A process of the code in ``tree``: its owner of keys or its server of a case."""
    arguments = json.dumps([name, processes, images, str(folder)])
    environment = {**os.environ, "PYTHONPATH": f"{tree / 'src'}:{tree}", "OMP_WAIT_POLICY": "PASSIVE"}
    with subprocess.Popen(
        [sys.executable, "-W", "ignore", "-c", IMPORTS + script, arguments],
        cwd=tree,
        env=environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as child:
        yield child
        child.stdin.close()  # type: ignore[union-attr]


def asked(child: Any) -> Any:
    """What a process answers when it is told to go on."""
    child.stdin.write("\n")
    child.stdin.flush()
    return json.loads(child.stdout.readline())


def resident(pid: int) -> int:
    """Bytes of a process and its children; what several share counts once for all."""
    total, waiting = 0, [pid]
    while waiting:
        own = waiting.pop()
        try:
            rollup = Path(f"/proc/{own}/smaps_rollup").read_text()
            waiting += [int(c) for c in Path(f"/proc/{own}/task/{own}/children").read_text().split()]
        except OSError:
            continue
        total += 1024 * sum(int(line.split()[1]) for line in rollup.splitlines() if line.startswith("Pss:"))
    return total


def compared(name: str, trees: Sequence[Path], processes: int, rounds: int, images: int = 1) -> list[Taken]:
    """Every tree's server, in turns, each on its own tree's query of the same ``images``."""
    with ExitStack() as stack:
        folders = [Path(stack.enter_context(tempfile.TemporaryDirectory())) for _ in trees]
        both = [*zip(trees, folders, strict=True)]
        owners = [stack.enter_context(process(t, OWNER, name, processes, images, f)) for t, f in both]
        for owner in owners:
            owner.stdout.readline()
        servers = [stack.enter_context(process(t, SERVER, name, processes, images, f)) for t, f in both]
        peaks, stop = [0] * len(servers), threading.Event()

        def watch() -> None:
            while not stop.wait(0.5):
                for number, server in enumerate(servers):
                    peaks[number] = max(peaks[number], resident(server.pid))

        watcher = threading.Thread(target=watch)
        watcher.start()
        took = [[asked(server)] for server in servers]
        stop.set()  # what looks at memory takes time itself
        watcher.join()
        for _ in range(rounds):
            for server, runs in zip(servers, took, strict=True):
                runs.append(asked(server))
        errors = [asked(owner) for owner in owners]
        return [
            Taken(tuple(r[0] for r in runs[1:]), tuple(r[1] for r in runs[1:]), peak, error)
            for runs, peak, error in zip(took, peaks, errors, strict=True)
        ]


def key_making(name: str, tree: Path) -> tuple[float, float]:
    """Peak bytes and processor seconds of a process that makes the keys of a case and writes them to a file."""
    with tempfile.TemporaryDirectory() as place, process(tree, KEYS, name, 2, 1, Path(place)) as child:
        memory, processor = json.loads(child.stdout.readline())
    return memory, processor


def lines(name: str, trees: Sequence[Path], rounds: int, batch: int) -> Iterator[str]:
    """Sentences about a case."""
    one: list[Taken] = []
    kinds = [("alone", 1, 1), ("shared", 2, 1)] + ([("batch", 1, batch)] if batch > 1 else [])
    for kind, processes, images in kinds:
        found = compared(name, trees, processes, rounds, images)
        seconds = [statistics.median(taken.seconds) / images for taken in found]
        what = {
            "alone": "one process",
            "shared": "two processes",
            "batch": f"batches of {images}, two processes, an image",
        }
        for taken, wall, whose in zip(found, seconds, ("now", "baseline"), strict=False):
            yield (
                f"{name}, {what[kind]}, {whose}: {wall:.2f} s, processor "
                f"{statistics.median(taken.processor) / images:.2f} s, memory {taken.memory / 1e9:.2f} GB, "
                f"error {taken.error:.1e}"
            )
        if len(found) > 1 and kind != "alone":
            bar = BARS.get(f"{name}, batch of {images}" if kind == "batch" else name)
            yield f"{name}, {what[kind]}: {seconds[0] / seconds[1]:.2f} of the baseline; bar {bar}"
        if kind == "shared":
            for before, after, whose in zip(one, found, ("now", "baseline"), strict=False):
                efficiency = statistics.median(before.seconds) / statistics.median(after.seconds) / 2
                yield f"{name}, efficiency of two, {whose}: {efficiency:.3f}; bar {EFFICIENCY}"
        else:
            one = found if kind == "alone" else one
    for tree, whose in zip(trees, ("now", "baseline"), strict=False):
        memory, processor = key_making(name, tree)
        yield f"{name}, making keys, {whose}: {memory / 1e9:.2f} GB at the peak, {processor:.1f} s of processor"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("shared", nargs="?", help="ignored: `python -m benchmarks` names the folder it looked for")
    parser.add_argument("--baseline", type=Path)
    parser.add_argument("--only", default="")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--tiny", action="store_true")
    options = parser.parse_args()
    trees = [ROOT] + ([options.baseline.resolve()] if options.baseline else [])
    chosen = ["colour"] if options.tiny else [n for n in ("hog", "lbp", "vgg11") if options.only in n and n in named()]
    for name in chosen:
        for line in lines(name, trees, 1 if options.tiny else options.rounds, 8 if name == "hog" else 1):
            print(line, flush=True)


if __name__ == "__main__":
    main()
