"""The benchmark from a folder to ten million images runs, tiny, so that it cannot rot; its simulation adds up."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from benchmarks.scale import __main__ as scale
from benchmarks.scale.made_images import SMALL, ImageSet, different, make
from benchmarks.scale.measured_runs import same_rows
from benchmarks.scale.process_tree import PeakMemory, descendants
from benchmarks.scale.simulation import Cluster, simulated
from privis.io import tables

PLAIN = Cluster(
    0.01, 0.0, 0.0, 0.0, 0.0, images=64_000, workers=4, latency=0.0, spread=0.0, slow_share=0.0, deaths_per_hour=0.0
)


@pytest.fixture
def originals(tmp_path: Path) -> Path:
    folder = tmp_path / "originals"
    folder.mkdir()
    random = np.random.default_rng(0)
    for number in range(2):
        rough = random.integers(0, 256, (24, 36, 3), dtype=np.uint8)
        cv2.imwrite(str(folder / f"{number}.png"), cv2.resize(rough, (384, 256), interpolation=cv2.INTER_CUBIC))
    return folder


def test_every_run_is_measured_and_compared(tmp_path: Path, originals: Path) -> None:
    lines: list[str] = []
    place = scale.Place(tmp_path / "work", 2, ("local",), lines.append, (("lbp", False), ("lbp", True)), 0.1)
    bars = scale.run(place, 12, 0, originals)
    said = "\n".join(lines)
    assert "12 files of 256x256, 0.00 GB, 12 different" in said and "FAILED" not in said
    assert "10,000,000 images on 64 workers" in said
    names = {bar.name.split(",")[0] for bar in bars}
    assert names >= {"LBP from memory", "LBP from JPEG to the table", "efficiency of 2 processes"}
    peaks = [bar.value for bar in bars if bar.name.startswith("peak memory")]
    assert len(peaks) == 2 and min(peaks) > 50, "three interpreters with numpy"


def test_images_are_made_once_and_alike_wherever_it_goes_on(tmp_path: Path, originals: Path) -> None:
    images = ImageSet("small", SMALL, 6)
    paths = make(images, originals, tmp_path / "a", print, workers=1)
    assert different(paths)[0] == 6
    first = [Path(path).read_bytes() for path in paths]
    times = [os.stat(path).st_mtime_ns for path in paths]
    Path(paths[4]).unlink()
    make(images, originals, tmp_path / "a", print, workers=1)
    assert [Path(path).read_bytes() for path in paths] == first
    assert [os.stat(path).st_mtime_ns for path in paths[:4]] == times[:4]


def test_tables_are_the_same_only_when_every_vector_is(tmp_path: Path) -> None:
    values = np.random.default_rng(0).random((3, 4)).astype(np.float32)
    names = list("abcd")
    tables.write(tmp_path / "a.npz", ["1", "2", "3"], [values], names=names, metadata={})
    tables.write(tmp_path / "b.parquet", ["3", "1", "2"], [values[[2, 0, 1]]], names=names, metadata={"privis.x": ""})
    tables.write(tmp_path / "c.npz", ["1", "2", "3"], [values[[1, 0, 2]]], names=names, metadata={})
    tables.write(tmp_path / "d.npz", ["1", "2"], [values[:2]], names=names, metadata={})
    assert same_rows(tmp_path / "a.npz", tmp_path / "b.parquet")
    assert not same_rows(tmp_path / "a.npz", tmp_path / "c.npz")
    assert not same_rows(tmp_path / "a.npz", tmp_path / "d.npz")


def test_memory_is_that_of_all_processes() -> None:
    with PeakMemory(os.getpid(), 0.01) as memory:
        held = np.ones(20_000_000 // 8)
        assert descendants(os.getpid())[0] == os.getpid()
    assert memory.bytes > held.nbytes and memory.processes >= 1


def test_without_anything_in_the_way_cores_are_all_that_counts() -> None:
    came = simulated(PLAIN)
    assert came.seconds == pytest.approx(came.ideal) == pytest.approx(160.0)
    assert (came.deaths, came.wasted, came.joined) == (0, 0.0, 0.0)


@pytest.mark.parametrize(
    ("change", "seconds"),
    [
        ({"driver_per_span": 0.5}, 500.0),  # a driver that is never done
        ({"latency": 0.01}, 320.0),
        ({"latency": 0.01, "reads": 4}, 200.0),
        ({"image_bytes": 1e6, "bandwidth": 4e8}, 320.0),
        ({"start_up": 40.0}, 200.0),
        ({"join_per_row": 0.001}, 224.0),
        ({"slow_share": 1.0}, 320.0),
    ],
)
def test_each_cause_costs_what_it_must(change: dict[str, float], seconds: float) -> None:
    assert simulated(replace(PLAIN, **change)).seconds == pytest.approx(seconds, rel=0.01)


def test_deaths_cost_their_spans_and_the_same_seed_gives_the_same() -> None:
    cluster = replace(PLAIN, deaths_per_hour=60.0, start_up=1.0)
    came = simulated(cluster)
    assert came.deaths > 2 and came.wasted > came.deaths and came.seconds > simulated(PLAIN).seconds
    assert came == simulated(cluster) != simulated(replace(cluster, seed=2))


def test_bars_say_whether_they_are_met() -> None:
    assert str(scale.Bar("a", 3.0, 2.0, True)).endswith("wanted at least 2: met")
    assert str(scale.Bar("a", 3.0, 2.0, False)).endswith("wanted at most 2: MISSED")
