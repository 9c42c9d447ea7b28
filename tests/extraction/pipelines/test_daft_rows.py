"""An expression of Daft: a call in two columns is evaluated twice, and is equal and charged once.

Every evaluation starts processes, which takes seconds. Answers for `daft_rows`.
"""

from __future__ import annotations

import gc
import os
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow
import pytest

import privis
from privis.errors import ParameterError
from privis.extraction.pipelines.daft_rows import on_daft
from privis.extraction.pipelines.row_tables import on_arrow
from tests.extraction.pipelines.odd_images import odd_images

daft = pytest.importorskip("daft")
pytestmark = pytest.mark.filterwarnings("ignore:Corrupt EXIF data", "ignore::ResourceWarning")
COLOUR = privis.ColourHistogram(bins=4, size=(32, 32))
RELEASE = privis.FeatureRelease(privis.Laplace(1.0), clip=1024.0)


@pytest.fixture(autouse=True)
def collected() -> Iterator[None]:
    """Pipes that Daft leaves open are closed here, not in another test."""
    yield
    gc.collect()


def test_two_columns_of_one_call_are_equal_to_arrow_and_charged_once(tmp_path: Path) -> None:
    images = odd_images()
    key = str(tmp_path / "key")
    privis.ReleaseKey.generate().save(Path(key))
    ledger = privis.FileLedger.create(tmp_path / "ledger", privis.Budget(1.0, 1e-6))
    options = {"release": RELEASE, "key": key, "ledger": ledger}
    table = pyarrow.table({"id": list(images), "bytes": list(images.values())})
    frame = daft.from_arrow(table)
    made = on_daft(frame["bytes"], COLOUR, record=frame["id"], concurrency=1, batch=16, **options)
    literal = on_daft(
        frame["bytes"], COLOUR, record=daft.lit("ward"), subjects=daft.lit("ann"), concurrency=1, batch=16
    )
    frame = frame.with_column("one", made).with_column("two", made).with_column("three", literal)
    frame = frame.select("id", "one", "two", "three")
    assert str(frame.schema()["one"].dtype) == str(frame.schema()["two"].dtype)
    both = frame.to_pydict()
    here = pyarrow.Table.from_batches(on_arrow(table.to_batches(), COLOUR, record="id", **options))
    assert both["id"] == list(images)
    for column in ("one", "two"):
        assert [row["error"] for row in both[column]] == here["error"].to_pylist()
        vectors = np.array([row["feature"] for row in both[column]], np.float32)
        assert vectors.tobytes() == np.array(here["feature"].to_pylist(), np.float32).tobytes()
    clear = pyarrow.Table.from_batches(on_arrow(table.to_batches(), COLOUR, record="id"))
    assert [row["error"] for row in both["three"]] == clear["error"].to_pylist()  # a literal is there for every row
    charged = [charge.release for charge in ledger.charges()]
    assert len(set(charged)) == len(charged) > 20


def test_what_cannot_be_is_refused_and_telemetry_is_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DAFT_ANALYTICS_ENABLED", "1")
    vector = daft.DataType.fixed_size_list(daft.DataType.float32(), 12)
    frame = daft.from_pydict({"bytes": [b""], "id": ["a"]})
    kind = frame.select(on_daft(frame["bytes"], COLOUR).alias("made")).schema()["made"].dtype
    assert kind == daft.DataType.struct({"feature": vector, "error": daft.DataType.string()})
    assert os.environ["DAFT_ANALYTICS_ENABLED"] == "0"
    with pytest.raises(ParameterError, match="images: got a list, expected an expression of Daft"):
        on_daft([b""], COLOUR)
    with pytest.raises(ParameterError, match="record: got a str"):
        on_daft(frame["bytes"], COLOUR, record="id")
    with pytest.raises(ParameterError, match="pass size="):
        on_daft(frame["bytes"], privis.HOG())
