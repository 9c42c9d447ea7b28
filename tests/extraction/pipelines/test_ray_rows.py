"""A pipeline of Ray Data: what is read twice or computed again by another actor is equal, and charged once.

A session and its actors take a quarter of a minute of a processor to start, so what needs them is long; what is handed
to Ray is run here without it, too. Answers for `ray_rows`.
"""

from __future__ import annotations

import inspect
import io
import logging
import pickle
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cloudpickle
import numpy as np
import pyarrow
import pytest
from PIL import Image

import privis
from privis.errors import ParameterError
from privis.extraction.pipelines.ray_rows import actors, on_ray
from privis.extraction.pipelines.row_tables import on_arrow
from tests.extraction.pipelines.deadly_feature import Deadly
from tests.extraction.pipelines.odd_images import odd_images

pytest.importorskip("ray")
pytestmark = pytest.mark.filterwarnings("ignore:Corrupt EXIF data", "ignore::ResourceWarning", "ignore::FutureWarning")
RELEASE = privis.FeatureRelease(privis.Laplace(1.0), clip=1024.0)


@pytest.fixture(scope="module")
def session(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    import ray

    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RAY_USAGE_STATS_ENABLED", "0")
        patch.setenv("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
        place = str(tmp_path_factory.mktemp("r"))
        store = {"object_store_memory": 80_000_000, "include_dashboard": False}
        ray.init(num_cpus=2, _temp_dir=place, log_to_driver=False, logging_level=logging.ERROR, **store)
        ray.data.DataContext.get_current().enable_progress_bars = False
        yield ray
        ray.shutdown()


def pictures(count: int) -> dict[str, bytes]:
    made = {}
    for number in range(count):
        file = io.BytesIO()
        pixels = np.random.default_rng(number).integers(0, 256, (20, 24, 3), np.uint8)
        Image.fromarray(pixels).save(file, "PNG")
        made[f"picture {number}"] = file.getvalue()
    return made


@pytest.mark.long
@pytest.mark.parametrize("deaths", [0, 10])
def test_rows_are_those_of_arrow_whatever_dies(session: Any, tmp_path: Path, deaths: int) -> None:
    images = {**odd_images(), **pictures(3 + 25 * deaths)}
    key, place = str(tmp_path / "key"), tmp_path / "deaths"
    place.mkdir()
    privis.ReleaseKey.generate().save(Path(key))
    ledger = privis.FileLedger.create(tmp_path / "ledger", privis.Budget(1.0, 1e-6))
    feature = Deadly(bins=4, size=(32, 32), place=str(place), every=30, times=deaths)
    options = {"record": "id", "release": RELEASE, "key": key, "ledger": ledger}
    table = pyarrow.table({"id": list(images), "bytes": list(images.values())})
    dataset = session.data.from_arrow([table.slice(start, 20) for start in range(0, len(table), 20)])
    made = on_ray(dataset, feature, batch=8, **options)
    first = rows(made)
    assert feature.deaths == deaths
    charged = [charge.release for charge in ledger.charges()]
    if deaths:
        assert rows(made) == first, "a dataset that is read twice is computed twice"
    here = pyarrow.Table.from_batches(on_arrow(table.to_batches(), feature, **options))
    expected = zip(here["id"].to_pylist(), here["feature"].to_pylist(), here["error"].to_pylist(), strict=True)
    assert {name: (np.float32(vector).tobytes(), error) for name, vector, error in expected} == first
    assert [charge.release for charge in ledger.charges()] == charged and len(set(charged)) == len(charged) > 20


def rows(dataset: Any) -> dict[str, Any]:
    """By id, the vector's bytes and the reason; every id once."""
    listed = [(row["id"], (np.float32(row["feature"]).tobytes(), row["error"])) for row in dataset.take_all()]
    assert len(dict(listed)) == len(listed)
    return dict(listed)


@pytest.mark.long
def test_what_ray_knows_of_a_dataset_is_checked_before_anything_runs(session: Any) -> None:
    feature = privis.LBP(size=(16, 16))
    dataset = session.data.from_arrow(pyarrow.table({"bytes": [b""], "id": ["a"]}))
    with pytest.raises(ParameterError, match="got 'photo', expected a column of the table"):
        on_ray(dataset, feature, image="photo")
    with pytest.raises(ParameterError, match="one processor left to what reads the images"):
        on_ray(dataset, feature, concurrency=2)


class LocalDataset:
    """As much of a dataset of Ray as `on_ray` asks for, computed where it stands."""

    def __init__(self, table: pyarrow.Table) -> None:
        self.table = table
        self.given: dict[str, Any] = {}

    def columns(self, fetch_if_missing: bool) -> list[str] | None:
        return None if fetch_if_missing else self.table.column_names

    def select_columns(self, names: list[str]) -> LocalDataset:
        return LocalDataset(self.table.select(names))

    def map_batches(self, made: Any, *, fn_constructor_args: Any, batch_size: int, **given: Any) -> LocalDataset:
        extract = made(*pickle.loads(cloudpickle.dumps(fn_constructor_args)), own_process=False)
        batches = [extract(pyarrow.Table.from_batches([b])) for b in self.table.to_batches(batch_size)]
        computed = LocalDataset(pyarrow.concat_tables(batches))
        computed.given = {"fn": made, "fn_constructor_args": fn_constructor_args, "batch_size": batch_size, **given}
        return computed


def test_what_is_handed_to_ray(monkeypatch: pytest.MonkeyPatch) -> None:
    import ray.data

    signature = inspect.signature(ray.data.Dataset.map_batches)
    monkeypatch.setattr(ray.data, "Dataset", LocalDataset)
    feature, images = privis.LBP(size=(16, 16)), pictures(5)
    table = pyarrow.table({"id": list(images), "bytes": list(images.values()), "label": range(5), "more": range(5)})
    computed: Any = on_ray(LocalDataset(table), feature, record="id", keep=["label"], batch=2)  # type: ignore[arg-type]
    here = pyarrow.Table.from_batches(on_arrow(table.to_batches(), feature, record="id", keep=["label"]))
    assert computed.table.combine_chunks() == here.combine_chunks()
    given = signature.bind(None, **computed.given).arguments
    assert (given["batch_format"], given["num_cpus"], given["memory"]) == ("pyarrow", 0, 600_000_000)
    assert (given["compute"].min_size, given["compute"].max_size) == (1, 1)


def test_what_cannot_be_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ParameterError, match=r"a ray\.data\.Dataset"):
        on_ray([1, 2], privis.LBP())  # type: ignore[arg-type]
    monkeypatch.setattr("ray.data.Dataset", LocalDataset)
    dataset: Any = LocalDataset(pyarrow.table({"bytes": [b""]}))
    with pytest.raises(ParameterError, match="pass size="):
        on_ray(dataset, privis.HOG())
    with pytest.raises(ParameterError, match="got 'photo', expected a column of the table"):
        on_ray(dataset, privis.LBP(), image="photo")


def test_how_many_actors_leave_a_processor() -> None:
    assert [actors(None, 1.0, n) for n in (1, 2, 9)] == [(1, 1), (1, 1), (1, 8)]
    assert (actors(3, 1.0, 4), actors(2, 0.5, 2), actors((1, 2), 1.0, 2)) == ((3, 3), (2, 2), (1, 2))
    assert actors(1, 0.0, 1) == (1, 1)
    for concurrency, each, processors in ((2, 1.0, 2), (1, 0.5, 1), ((4, 4), 1.0, 4), (0, 1.0, 4), ((3, 2), 1.0, 8)):
        with pytest.raises(ParameterError, match="concurrency"):
            actors(concurrency, each, processors)
