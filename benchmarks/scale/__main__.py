"""``python -m benchmarks.scale --work DIR``: folders, Ray and Daft beside each other, and ten million images.

Makes its images in DIR once (100,000 small JPEG files, 2.5 GB, and 2,000 photographs of 12 megapixels, 8 GB), from the
Kodak photographs in ``../shared/data/photos``; ``--images`` and ``--photographs`` make fewer. Whatever ended it, the
same command goes on. Every run has processes of its own and starts cold. Overhead is that of the time between the first
span and the last, engines in turns; how long they take to start, and to end with the table, is printed beside it.
Processor seconds are those of the driver and of what it started and waited for: engines' own processes are not in them.
"""

from __future__ import annotations

import argparse
import shutil
import statistics
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from benchmarks.scale.made_images import LARGE, SMALL, ImageSet, different, make
from benchmarks.scale.measured_runs import (
    Measured,
    RunFailedError,
    measured,
    rate_from_memory,
    same_rows,
    seconds_per_row,
)
from benchmarks.scale.one_run import ENGINES, Job
from benchmarks.scale.process_tree import MEBIBYTE
from benchmarks.scale.simulation import Cluster, simulated

PHOTOGRAPHS = Path(__file__).resolve().parents[3] / "shared" / "data" / "photos" / "kodak"
OVERHEAD, FROM_MEMORY, FROM_JPEG, EFFICIENCY, PEAK = 0.15, 2500.0, 1200.0, 0.92, 600.0
SMALL_FEATURES = ("lbp", "hog")
RUNS = tuple((feature, private) for feature in SMALL_FEATURES for private in (False, True))


@dataclass(frozen=True)
class Bar:
    """A figure beside what is wanted of it.

    Args:
        name: of the figure.
        value: as it was measured.
        bar: that is wanted.
        at_least: whether more is better.
    """

    name: str
    value: float
    bar: float
    at_least: bool

    @property
    def met(self) -> bool:
        """Whether the figure is as wanted."""
        return self.value >= self.bar if self.at_least else self.value <= self.bar

    def __str__(self) -> str:
        words = "at least" if self.at_least else "at most"
        return f"{self.name}: {self.value:,.3g}, wanted {words} {self.bar:,.3g}: {'met' if self.met else 'MISSED'}"


@dataclass(frozen=True)
class Place:
    """Where a benchmark works.

    Args:
        work: folder of images and tables.
        workers: that compute.
        engines: that are run.
        told: is given every line.
        runs: features, and whether each is released with noise.
        seconds: for which rates from memory are measured.
        repeats: turns of all engines.
    """

    work: Path
    workers: int
    engines: Sequence[str]
    told: Callable[[str], None]
    runs: Sequence[tuple[str, bool]] = RUNS
    seconds: float = 3.0
    repeats: int = 1

    def job(self, engine: str, feature: str, private: bool, sources: Path, workers: int | None = None) -> Job:
        """Describe a run."""
        count = workers or self.workers
        output = self.work / f"{feature}{'.dp' if private else ''}.{engine}.{count}.parquet"
        key = str(self.work / "release.key")
        return Job(engine, feature, private, count, str(sources), str(output), key)

    def listed(self, name: str, paths: Sequence[str]) -> Path:
        """Keep a list of sources."""
        path = self.work / f"{name}.list"
        path.write_text("\n".join(paths) + "\n", encoding="utf-8")
        return path


def beside(place: Place, feature: str, private: bool, sources: Path) -> dict[str, list[Measured]]:
    """The same run on every engine, in turns, and whether their tables are the same."""
    kind = f"{feature}, {'with noise and a ledger' if private else 'exact'}"
    found: dict[str, list[Measured]] = {engine: [] for engine in place.engines}
    for engine in [*place.engines] * place.repeats:
        job = place.job(engine, feature, private, sources)
        shutil.rmtree(f"{job.output}.partial", ignore_errors=True)
        try:
            made = measured(job)
        except RunFailedError as error:
            place.told(f"{kind}, {engine}: FAILED: {str(error).splitlines()[-1][:300]}")
            continue
        found[engine].append(made)
        timed = made.timed
        place.told(f"{kind}, {engine}: {timed.steady:,.0f} files/s while computing, {timed.rate:,.0f} to the table")
        place.told(
            f"  first span after {timed.first:.1f} s, last {timed.computed:.1f}, table {timed.seconds:.1f}; "
            f"{timed.failed} failed; peak {made.peak / MEBIBYTE:,.0f} MiB of {made.processes} processes"
        )
    tables = {engine: Path(runs[0].job.output) for engine, runs in found.items() if runs}
    for engine in [engine for engine in tables if engine != "local" and "local" in tables]:
        rows = same_rows(tables["local"], tables[engine])
        whole = tables["local"].read_bytes() == tables[engine].read_bytes()
        words = "every byte of the file" if whole else "every byte of every vector" if rows else "DIFFERENT VECTORS"
        place.told(f"{kind}, {engine} beside local: {words}")
    return {engine: runs for engine, runs in found.items() if runs}


def bars_of(found: dict[str, list[Measured]], kind: str) -> Iterator[Bar]:
    """Overhead, the median of what each turn says, and the most memory of each engine."""
    for engine, runs in found.items():
        if engine != "local" and "local" in found:
            turns = zip(found["local"], runs, strict=False)
            share = statistics.median(local.timed.steady / made.timed.steady - 1 for local, made in turns)
            yield Bar(f"overhead of {engine}, {kind}", share, OVERHEAD, at_least=False)
        peak = max(made.peak for made in runs) / MEBIBYTE
        yield Bar(f"peak memory of {engine} in MiB, {kind}", peak, PEAK, at_least=False)


def local_bars(place: Place, sources: Path, paths: Sequence[str], two: Sequence[Measured]) -> Iterator[Bar]:
    """Rates of LBP on this machine's processes, and how much two bring."""
    memory = rate_from_memory("lbp", paths, place.workers, place.seconds)
    yield Bar(f"LBP from memory, images/s of {place.workers} processes", memory, FROM_MEMORY, at_least=True)
    rate = statistics.median(made.timed.rate for made in two)
    yield Bar(f"LBP from JPEG to the table, files/s of {place.workers} processes", rate, FROM_JPEG, at_least=True)
    shares = []
    for _ in range(place.repeats):
        pair = [measured(place.job("local", "lbp", False, sources, workers=count)) for count in (1, place.workers)]
        for made in pair:
            each = 1000 * made.timed.processor / made.timed.files
            words = (
                f"{made.timed.steady:,.0f} files/s while computing, {each:.3f} ms of a processor per file, all included"
            )
            place.told(f"lbp, {made.job.workers} processes: {words}")
        shares.append(pair[1].timed.steady / pair[0].timed.steady / place.workers)
    yield Bar(f"efficiency of {place.workers} processes", statistics.median(shares), EFFICIENCY, at_least=True)


def cluster_of(made: Measured, image_bytes: float, workers: int) -> Cluster:
    """What a run says of a cluster."""
    timed = made.timed
    join = seconds_per_row(Path(made.job.output))
    return Cluster(workers / timed.steady, timed.driver / max(1, timed.spans), join, timed.first, image_bytes)


def tell_simulation(place: Place, made: Measured, image_bytes: float) -> None:
    """Ten million images on 64 workers, from one run."""
    cluster = cluster_of(made, image_bytes, place.workers)
    place.told(f"simulation from {made.job.feature} on {made.job.engine}:")
    for sentence in cluster.sentences():
        place.told(f"  {sentence}")
    for reads in (1, 8):
        _tell_simulated(place, replace(cluster, reads=reads))


def _tell_simulated(place: Place, cluster: Cluster) -> None:
    came = simulated(cluster)
    place.told(
        f"  {cluster.images:,} images on {cluster.workers} workers, {cluster.reads} objects at a time: "
        f"{came.seconds / 3600:.2f} h, the cores alone {came.ideal / 3600:.2f} h ({came.efficiency:.0%})"
    )
    place.told(
        f"    driver busy {came.driver_busy:.1%}, {came.deaths} deaths cost {came.wasted / 60:.0f} minutes of workers, "
        f"table written in {came.joined / 60:.0f} minutes"
    )


def run(place: Place, images: int, photographs: int, originals: Path = PHOTOGRAPHS) -> list[Bar]:
    """Make the images, run everything, and say every figure.

    Args:
        place: where.
        images: small ones.
        photographs: of 12 megapixels.
        originals: folder of the photographs that all are made from.

    Returns:
        The figures for which there is a bar.
    """
    place.work.mkdir(parents=True, exist_ok=True)
    bars: list[Bar] = []
    paths = make(ImageSet("small", SMALL, images), originals, place.work, place.told, place.workers)
    unlike, total = different(paths)
    place.told(f"{len(paths):,} files of {SMALL[0]}x{SMALL[1]}, {total / 1e9:.2f} GB, {unlike:,} different")
    sources = place.listed("small", paths)
    last: dict[str, list[Measured]] = {}
    for feature, private in place.runs:
        found = beside(place, feature, private, sources)
        bars += bars_of(found, f"{feature}{' with noise' if private else ''}")
        if (feature, private) == ("lbp", False) and "local" in found:
            bars += local_bars(place, sources, paths, found["local"])
            last = found
    for runs in last.values():
        tell_simulation(place, runs[-1], total / len(paths))
    if photographs:
        paths = make(ImageSet("photographs", LARGE, photographs), originals, place.work, place.told, place.workers)
        unlike, total = different(paths)
        place.told(f"{len(paths):,} files of {LARGE[1]}x{LARGE[0]}, {total / 1e9:.2f} GB, {unlike:,} different")
        found = beside(place, "photograph", False, place.listed("photographs", paths))
        bars += bars_of(found, "photographs of 12 megapixels")
        for runs in found.values():
            tell_simulation(place, runs[-1], total / len(paths))
    for bar in bars:
        place.told(str(bar))
    return bars


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.scale", description=__doc__.splitlines()[0])
    parser.add_argument("--work", type=Path, required=True, help="folder for images and tables, 11 GB")
    parser.add_argument("--images", type=int, default=100_000, help="small ones")
    parser.add_argument("--photographs", type=int, default=2_000, help="of 12 megapixels")
    parser.add_argument("--only", default=",".join(ENGINES), help="engines, as in local,ray")
    parser.add_argument("--features", default="lbp,hog", help="of the small ones, as in lbp")
    parser.add_argument("--noise", choices=("both", "without", "with"), default="both", help="exact runs, releases")
    parser.add_argument("--repeats", type=int, default=3, help="turns of all engines; overhead is the median")
    parser.add_argument("--workers", type=int, default=2, help="processes of each run")
    words = parser.parse_args()
    engines = tuple(words.only.split(","))
    if unknown := [engine for engine in engines if engine not in ENGINES]:
        parser.error(f"--only: got {', '.join(unknown)}, expected some of {', '.join(ENGINES)}")
    if unknown := [feature for feature in words.features.split(",") if feature not in SMALL_FEATURES]:
        parser.error(f"--features: got {', '.join(unknown)}, expected some of {', '.join(SMALL_FEATURES)}")
    if not PHOTOGRAPHS.is_dir():
        sys.exit("skipped: no shared/data beside the checkout")

    def told(line: str) -> None:
        print(line, flush=True)

    noises = {"both": (False, True), "without": (False,), "with": (True,)}[words.noise]
    runs = [(feature, noise) for feature in words.features.split(",") for noise in noises]
    place = Place(words.work, words.workers, engines, told, runs, repeats=words.repeats)
    run(place, words.images, words.photographs)


if __name__ == "__main__":
    main()
