"""One folder run in a process of its own, so that nothing is warm and its memory is its own; prints JSON."""

from __future__ import annotations

import json
import resource
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from privis import HOG, LBP, Budget, FeatureRelease, FileLedger, Laplace
from privis.extraction.folder import extract_folder

FEATURES: dict[str, Callable[[], Any]] = {
    "lbp": lambda: LBP(),
    "hog": lambda: HOG(size=(128, 128)),
    "photograph": lambda: HOG(size=(256, 256)),
}
ENGINES = ("local", "ray", "daft")


@dataclass(frozen=True)
class Job:
    """What is run.

    Args:
        engine: local, ray or daft.
        feature: a name of `FEATURES`.
        private: whether noise is drawn and charged to a ledger.
        workers: that compute.
        sources: file of paths, one a line.
        output: the table.
        key: file of the release key, the same for all engines.
    """

    engine: str
    feature: str
    private: bool
    workers: int
    sources: str
    output: str
    key: str


@dataclass(frozen=True)
class Timed:
    """What a run took.

    Args:
        files: that it read.
        failed: that gave no row.
        first: seconds until the first spans were done, which is start-up and those spans.
        at_first: files that were done by then.
        computed: seconds until the last span was done.
        seconds: in all.
        processor: seconds of the processor, of this process and its children that have ended.
        driver: seconds of the processor of this process between the first spans and the last, when nothing but sharing
            out is done there.
        spans: how often it was told of one in that time.
    """

    files: int
    failed: int
    first: float
    at_first: int
    computed: float
    seconds: float
    processor: float
    driver: float
    spans: int

    @property
    def rate(self) -> float:
        """Files a second from the first span to the written table: start-up aside."""
        return (self.files - self.at_first) / max(1e-9, self.seconds - self.first)

    @property
    def steady(self) -> float:
        """Files a second while spans were computed."""
        return (self.files - self.at_first) / max(1e-9, self.computed - self.first)


def scheduler(engine: str, workers: int) -> Any:
    """What computes the spans; None for processes of this machine."""
    if engine == "ray":
        from privis.io.resumable.engines.ray_scheduler import RayScheduler

        return RayScheduler(workers=workers)
    if engine == "daft":
        from privis.io.resumable.engines.daft_scheduler import DaftScheduler

        return DaftScheduler(workers=workers)
    return None


def run(job: Job) -> Timed:
    """Run and time it."""
    sources = Path(job.sources).read_text(encoding="utf-8").splitlines()
    feature = FEATURES[job.feature]()
    output = Path(job.output)
    options: dict[str, Any] = {}
    if job.private:
        book = output.with_name(output.name + ".ledger")
        for path in output.parent.glob(book.name + "*"):
            path.unlink()
        release = FeatureRelease(Laplace(4.0), clip=8.0)
        options = {
            "release": release, "ledger": FileLedger.create(book, Budget(100.0, 1e-6)), "key": Path(job.key),
        }  # fmt: skip
    on = scheduler(job.engine, job.workers)
    if on is not None:
        options["on"] = on
    start = time.perf_counter()
    seen: list[tuple[float, int, float]] = []

    def show(progress: Any) -> None:
        seen.append((time.perf_counter() - start, progress.done, time.process_time()))

    result = extract_folder(feature, sources, output, workers=job.workers, on_progress=show, **options)
    seconds = time.perf_counter() - start
    begun = next(number for number, (_, done, _) in enumerate(seen) if done)
    first, at_first, driver = seen[begun]
    own = resource.getrusage(resource.RUSAGE_SELF)
    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    processor = own.ru_utime + own.ru_stime + children.ru_utime + children.ru_stime
    files, failed = len(sources), len(result.outcome.failures)
    in_driver, spans = seen[-1][2] - driver, len(seen) - begun - 1
    return Timed(files, failed, first, at_first, seen[-1][0], seconds, processor, in_driver, spans)


if __name__ == "__main__":
    print(json.dumps(asdict(run(Job(**json.loads(sys.argv[1]))))))
