"""Rows of encoded images become rows of vectors and reasons: the same that files give, however often and in any order.

Answers for `privis.extraction.pipelines` but for its two engines: `row_tables`, `row_extractor`, `row_extraction`,
`worker_key` and `pipeline_card`.
"""

from __future__ import annotations

import io
import json
import os
import pickle
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pyarrow
import pyarrow.parquet
import pytest
from PIL import Image

import privis
from privis.errors import DamagedLedgerError, ParameterError, PrivisError, UnsupportedError
from privis.extraction.folder import key_mark
from privis.extraction.pipelines.pipeline_card import pipeline_card
from privis.extraction.pipelines.row_extraction import refuse_far_file, row_extraction, vector_length
from privis.extraction.pipelines.row_extractor import RowExtractor
from privis.extraction.pipelines.row_tables import on_arrow
from privis.extraction.pipelines.worker_key import travelling_path, worker_key
from privis.io import tables
from privis.io.images.decode import Decoding
from privis.io.resumable.processes import ONE_THREAD
from tests.extraction.pipelines.odd_images import odd_images

COLOUR = privis.ColourHistogram(bins=4, size=(16, 16))
RELEASE = privis.FeatureRelease(privis.Laplace(1.0), clip=256.0)
ODD = odd_images()


@pytest.fixture(scope="module")
def key(tmp_path_factory: pytest.TempPathFactory) -> str:
    path = tmp_path_factory.mktemp("keys") / "release.key"
    privis.ReleaseKey.generate().save(path)
    return str(path)


def png(number: int) -> bytes:
    file = io.BytesIO()
    Image.fromarray(np.random.default_rng(number).integers(0, 256, (20, 24, 3), np.uint8)).save(file, "PNG")
    return file.getvalue()


def batch(images: dict[str, Any], **columns: list[Any]) -> pyarrow.RecordBatch:
    encoded = pyarrow.array(list(images.values()), pyarrow.binary())
    return pyarrow.record_batch({"id": list(images), "bytes": encoded, **columns})


def rows(images: dict[str, Any], feature: Any = COLOUR, **options: Any) -> dict[str, Any]:
    """By id, the vector's bytes or the reason."""
    return found(pyarrow.Table.from_batches(on_arrow([batch(images)], feature, record="id", **options)))


def found(table: pyarrow.Table) -> dict[str, Any]:
    vectors = table["feature"].combine_chunks().flatten().to_numpy().reshape(len(table), -1)
    assert vectors.dtype == np.float32
    reasons = table["error"].to_pylist()
    assert all(np.isnan(v).all() == (r is not None) for v, r in zip(vectors, reasons, strict=True))
    made = [vector.tobytes() if reason is None else reason for vector, reason in zip(vectors, reasons, strict=True)]
    return dict(zip(table["id"].to_pylist(), made, strict=True))


@pytest.mark.filterwarnings("ignore:Corrupt EXIF data")
@pytest.mark.parametrize("release", [None, RELEASE], ids=["clear", "private"])
def test_bytes_give_what_their_files_give(tmp_path: Path, key: str, release: Any) -> None:
    paths = {name: str(tmp_path / name) for name in ODD}
    for name, path in paths.items():
        Path(path).write_bytes(ODD[name])
    output = tmp_path / "local.parquet"
    local = privis.extract_folder(COLOUR, list(paths.values()), output, release=release, key=key if release else None)
    table = tables.read(output)
    expected: dict[str, Any] = {Path(p).name: v.tobytes() for p, v in zip(table.paths, table.features, strict=True)}
    expected |= {Path(failure.path).name: failure.reason for failure in local.outcome.failures}
    assert len(expected) == len(ODD) > 41 and len(local.outcome.failures) == 6
    assert rows(ODD, release=release, key=key) == expected


@pytest.mark.filterwarnings("ignore:Corrupt EXIF data")
def test_what_is_computed_again_is_equal_and_charged_once(tmp_path: Path, key: str) -> None:
    ledger = privis.FileLedger.create(tmp_path / "ledger", privis.Budget(1.0, 1e-6))
    options = {"release": RELEASE, "key": key, "ledger": ledger}
    first = rows(ODD, **options)
    charged = [charge.release for charge in ledger.charges()]
    usable = [name for name, row in first.items() if isinstance(row, bytes)]
    again = dict(reversed(ODD.items()))
    assert rows(again, **options) == first
    parts = [batch({name: ODD[name]}) for name in usable[::-1]]
    assert found(pyarrow.Table.from_batches(on_arrow(parts, COLOUR, record="id", **options))).items() <= first.items()
    assert [charge.release for charge in ledger.charges()] == charged and len(set(charged)) == len(charged)
    assert 20 < len(charged) < len(usable), "files of equal pixels are one image"
    unnamed = pyarrow.Table.from_batches(on_arrow([batch(ODD)], COLOUR, keep=["id"], **options))
    assert found(unnamed) == first, "noise knows an image by its content, whatever it is called"


def test_a_row_beyond_its_budget_is_one_row(tmp_path: Path, key: str) -> None:
    ledger = privis.FileLedger.create(tmp_path / "ledger", privis.Budget(1.5, 1e-6))
    images = {"a": png(1), "b": png(2)}
    assert rows({"a": images["a"]}, release=RELEASE, key=key, ledger=ledger)["a"]
    finer = privis.FeatureRelease(privis.Laplace(1.25), clip=256.0)
    second = rows(images, release=finer, key=key, ledger=ledger)
    assert "got 1 releases that spent epsilon 1 of 1.5" in second["a"] and "image " not in second["a"]
    assert isinstance(second["b"], bytes)
    assert len(list(ledger.charges())) == 2


def test_budgets_of_people(tmp_path: Path, key: str) -> None:
    budget = privis.Budget(1.0, 1e-6, unit=privis.BudgetUnit.PERSON)
    ledger = privis.FileLedger.create(tmp_path / "ledger", budget)
    images = {"a": png(1), "b": png(2), "c": png(3), "d": png(4)}
    options = {"record": "id", "subjects": "who", "release": RELEASE, "key": key, "ledger": ledger}
    rows_of_people = batch(images, who=["ann", "bob", "ann ", None])
    made = found(pyarrow.Table.from_batches(on_arrow([rows_of_people], COLOUR, **options)))
    assert "ledger, one person: got 1 releases" in made["c"], "her second image"
    assert made["d"].startswith("got None, expected an id")
    assert (ledger.spent("ann").charges, ledger.spent("bob").charges) == (1, 1)
    pictures = [np.asarray(Image.open(io.BytesIO(images[name]))) for name in "ab"]
    alone = privis.extract(COLOUR, pictures, release=RELEASE, key=key, subjects=["ann", "bob"])
    assert [made["a"], made["b"]] == [vector.tobytes() for vector in alone.features]


def test_a_damaged_ledger_ends_the_query(tmp_path: Path, key: str) -> None:
    ledger = privis.FileLedger.create(tmp_path / "ledger", privis.Budget(1.0, 1e-6))
    rows({"a": png(1)}, release=RELEASE, key=key, ledger=ledger)
    whole = (tmp_path / "ledger").read_bytes()
    (tmp_path / "ledger").write_bytes(whole[:-40] + b"x" * 39 + b"\n")
    with pytest.raises(DamagedLedgerError):
        rows({"b": png(2)}, release=RELEASE, key=key, ledger=privis.FileLedger(ledger.path))


def test_columns_and_schema_are_known_beforehand(tmp_path: Path) -> None:
    images = {"a": png(1), "b": b"?", "c": None, " ": png(2)}
    source = batch(images, label=[1, 2, 3, 4], other=[0.5] * 4)
    (made,) = on_arrow([source], COLOUR, record="id", keep=["label"])
    vector = pyarrow.list_(pyarrow.float32(), 12)
    assert [(f.name, f.type) for f in made.schema] == [
        ("id", pyarrow.string()), ("label", pyarrow.int64()), ("feature", vector), ("error", pyarrow.string()),
    ]  # fmt: skip
    assert made["label"].to_pylist() == [1, 2, 3, 4]
    reasons = made["error"].to_pylist()
    assert reasons[0] is None and reasons[1].startswith("got bytes of no known image format")
    assert reasons[2:] == [
        "got no bytes, expected those of an image file",
        "got no record, expected a name for every image",
    ]
    assert list(on_arrow([source.slice(0, 0)], COLOUR, record="id")) == []
    pyarrow.parquet.write_table(pyarrow.Table.from_batches([made]), tmp_path / "t.parquet")
    assert pyarrow.parquet.read_table(tmp_path / "t.parquet")["error"].to_pylist() == reasons


@pytest.mark.parametrize("kind", [pyarrow.large_binary(), pyarrow.binary_view()])
def test_every_kind_of_binary_is_read(kind: Any) -> None:
    source = pyarrow.record_batch({"bytes": pyarrow.array([png(1)], kind)})
    (made,) = on_arrow([source], COLOUR)
    assert made["feature"].to_pylist()[0] == np.frombuffer(rows({"a": png(1)})["a"], np.float32).tolist()


@pytest.mark.parametrize(
    ("columns", "told"),
    [
        ({"bytes": ["text"]}, "a column of string, expected a column of binary"),
        ({"bytes": [{"bytes": b"", "path": "x"}]}, "take its field 'bytes'"),
        ({"bytes": [[1, 2]]}, "an engine's own decoder gives other pixels"),
        ({"image": [b""]}, "column: got 'bytes', expected a column of the table ('image')"),
    ],
)
def test_what_is_no_column_of_files_is_refused(columns: Any, told: str) -> None:
    with pytest.raises(ParameterError) as caught:
        list(on_arrow([pyarrow.record_batch(columns)], COLOUR))
    assert told in str(caught.value)


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"feature": privis.HOG()}, "pass size=(height, width) to the feature"),
        ({"release": RELEASE}, "got no key, expected the path of a release key"),
        ({"release": RELEASE, "key": privis.ReleaseKey.generate()}, "got a ReleaseKey, expected the path"),
        ({"release": RELEASE, "feature": privis.LBP(), "key": "k"}, "lbp.size: got None"),
        ({"release": privis.FeatureRelease(privis.Laplace(1.0), 1.0, privis.Person(2)), "key": "k"}, "single images"),
        ({"keep": ["feature"]}, "another name"),
        ({"keep": "label"}, "keep=['label']"),
        ({"keep": ["bytes"], "release": RELEASE, "key": "k"}, "the images themselves"),
        ({"max_pixels": 0}, "at least 1"),
    ],
)
def test_what_rows_cannot_keep_is_refused_before_the_first(options: Any, told: str, key: str) -> None:
    options = {**options, **({"key": key} if options.get("key") == "k" else {})}
    with pytest.raises(ParameterError) as caught:
        next(on_arrow([], options.pop("feature", COLOUR), **options))
    assert told in str(caught.value)


def test_other_executors_and_far_files_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UnsupportedError, match="extract_folder"):
        next(on_arrow([], COLOUR, under=privis.MPC()))
    budget = privis.Budget(1.0, 1e-6, unit=privis.BudgetUnit.PERSON)
    ledger = privis.FileLedger.create(tmp_path / "ledger", budget)
    with pytest.raises(ParameterError, match="say subjects="):
        next(on_arrow([], COLOUR, release=RELEASE, ledger=ledger, key="k"))
    refuse_far_file(ledger, 1)
    with pytest.raises(ParameterError, match="PostgreSQL"):
        refuse_far_file(ledger, 2)


@pytest.mark.parametrize(
    ("feature", "length"),
    [(privis.LBP(), 256), (privis.ColourHistogram(), 48), (privis.HOG(size=(64, 64)), 2916), (privis.GLCM(), 24)],
)
def test_a_length_that_no_image_changes_needs_no_size(feature: Any, length: int) -> None:
    assert vector_length(feature) == length
    assert [len(v) for v in rows({"a": png(1), "b": ODD["grey16.png"]}, feature).values()] == [4 * length] * 2


def test_a_key_is_found_by_each_worker_and_is_one(tmp_path: Path, key: str, monkeypatch: pytest.MonkeyPatch) -> None:
    images = {"a": png(1)}
    monkeypatch.setenv("KEYS_OF_TEST", str(Path(key).parent))
    by_variable = rows(images, release=RELEASE, key="$KEYS_OF_TEST/release.key")
    assert by_variable == rows(images, release=RELEASE, key=key)
    monkeypatch.chdir(Path(key).parent)
    assert travelling_path("release.key") == key
    with pytest.raises(ParameterError, match="environment variables that are set"):
        worker_key("$NO_SUCH_VARIABLE/release.key")
    privis.ReleaseKey.generate().save(tmp_path / "other.key")
    with pytest.raises(ParameterError, match="another release key on this worker"):
        worker_key(str(tmp_path / "other.key"), key_mark(privis.ReleaseKey.load(Path(key))))


def test_what_travels_tells_no_key_and_works_elsewhere(key: str) -> None:
    options = {"under": None, "release": RELEASE, "ledger": None, "subjects": False, "decoding": Decoding()}
    travelling = pickle.dumps(row_extraction(COLOUR, key=key, **options))
    secret = Path(key).read_bytes()[-32:]
    assert secret not in travelling and secret.hex().encode() not in travelling
    extract = RowExtractor(pickle.loads(travelling), own_process=False)
    vectors, reasons = extract(pyarrow.array([png(1)]), None, None)
    assert vectors.flatten().to_numpy().tobytes() == rows({"a": png(1)}, release=RELEASE, key=key)["a"]
    assert reasons.null_count == 1


def test_a_worker_with_another_version_or_on_a_later_machine_is_refused(tmp_path: Path, key: str) -> None:
    ledger = privis.FileLedger.create(tmp_path / "ledger", privis.Budget(1.0, 1e-6))
    options = {"under": None, "release": RELEASE, "ledger": ledger, "subjects": False, "decoding": Decoding()}
    made = row_extraction(COLOUR, key=key, **options)
    older = tuple((name, "1.0" if name == "pillow" else version) for name, version in made.versions)
    with pytest.raises(ParameterError, match=r"expected pillow 1\.0, as where the run was started"):
        RowExtractor(replace(made, versions=older), own_process=False)
    with pytest.raises(ParameterError, match="PostgreSQL"):
        RowExtractor(replace(made, started_on="another machine"), own_process=False)


def test_a_process_of_its_own_has_one_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    threads = cv2.getNumThreads()
    options = {"release": None, "ledger": None, "key": None, "subjects": False, "decoding": Decoding()}
    extraction = row_extraction(COLOUR, under=None, **options)
    for name in ONE_THREAD:
        monkeypatch.setenv(name, "7")
    try:
        RowExtractor(extraction, own_process=False)
        assert os.environ["OMP_NUM_THREADS"] == "7"
        RowExtractor(extraction, own_process=True)
        assert {os.environ[name] for name in ONE_THREAD} == {"1"} and cv2.getNumThreads() == 1
    finally:
        cv2.setNumThreads(threads)


@pytest.mark.parametrize("release", [None, RELEASE, privis.PixelRelease(privis.Laplace(4.0), privis.Pixels(2))])
def test_the_card_is_that_of_a_folder(tmp_path: Path, key: str, release: Any) -> None:
    paths = []
    for name in ("420.jpg", "grey.jpg"):
        (tmp_path / name).write_bytes(ODD[name])
        paths.append(str(tmp_path / name))
    local = privis.extract_folder(COLOUR, paths, tmp_path / "t.npz", release=release, key=key if release else None)
    card = pipeline_card(COLOUR, 2, release=release)
    assert card.guarantee == local.guarantee
    expected, got = local.card.to_dict(), json.loads(card.to_json())
    assert set(expected.pop("programs")) <= set(got.pop("programs"))
    assert got == json.loads(json.dumps(expected))


def test_a_card_of_nothing_or_of_what_pipelines_refuse(key: str) -> None:
    for arguments, options in (((COLOUR, 0), {}), ((privis.HOG(), 3), {}), ((privis.LBP(), 3), {"release": RELEASE})):
        with pytest.raises(PrivisError):
            pipeline_card(*arguments, **options)
