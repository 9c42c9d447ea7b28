"""Members of tar shards and images of Parquet tables are sources of their own, on this machine and in a store."""

from __future__ import annotations

import hashlib
import os
import pickle
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from privis.errors import ImageError, ParameterError
from privis.extraction.folder import extract_folder
from privis.features import LBP
from privis.io import tables
from privis.io.images import image_headers
from privis.io.images.decode import load
from privis.io.images.sources import find
from privis.io.objects.any_source import AnySource
from privis.io.objects.containers import bytes_at, stamp_of
from privis.io.objects.image_tables import read_record
from privis.io.objects.listing import list_container, list_remote
from privis.io.objects.source_names import PlacedName, inside
from privis.io.objects.tar_shards import list_members
from tests.io.objects.store_servers import BUCKET, Faults, jpeg, tar_of

SIGNED = "https://h/{}.jpg?X-Amz-Signature=1"
LONG = "deep/" * 40 + "ü#frame=2.jpg"


@pytest.fixture
def shard(tmp_path: Path) -> Path:
    names = ["a/0.jpg", "a/0.txt", "1.JPG", "./2.jpg", LONG, ".hidden.jpg", "._a/3.jpg"]
    (tmp_path / "s-000.tar").write_bytes(tar_of([(name, jpeg(place)) for place, name in enumerate(names)]))
    return tmp_path / "s-000.tar"


def test_members_by_name_with_their_bytes(shard: Path) -> None:
    found = find([str(shard)])
    assert [name.removeprefix(f"{shard}#member=") for name in found] == ["a/0.jpg", "1.JPG", "./2.jpg", LONG]
    for place, name in zip((0, 2, 3, 4), found, strict=True):
        assert AnySource().read(name).data == AnySource().read(str(name)).data == jpeg(place)
        assert pickle.loads(pickle.dumps(name)).place == name.place
    assert find([str(shard.parent / "*.tar")]) == found
    assert image_headers.shape(found[0]) == load(found[0]).shape == (24, 32, 3)
    with pytest.raises(ImageError, match="no member of this name"):
        AnySource().read(f"{shard}#member=none.jpg")


def test_places_are_those_of_headers(shard: Path) -> None:
    name = find([str(shard)])[1]
    assert bytes_at(str(shard), name.place[0], 5) == b"1.JPG"
    before = stamp_of(str(shard))
    shard.write_bytes(shard.read_bytes() + b"x")
    assert stamp_of(str(shard)) != before and stamp_of(str(shard) + ".none") is None


def test_shards_on_plain_servers_are_refused_by_name() -> None:
    """They would have to be read whole; and no store's client, which follows every redirect, may ask a server."""
    for name in ("http://127.0.0.1:9/a.tar", "http://127.0.0.1:9/a.parquet"):
        assert list_container(name, frozenset({".jpg"})) == list_remote(name, frozenset({".jpg"})) == [name]
        inner = name + ("#member=a.jpg" if name.endswith("tar") else "#record=a.jpg")
        for each in (name, inner, PlacedName(inner, (0, 9))):
            with pytest.raises(ImageError, match=r"shard|no object of a store"):
                AnySource().read(each)


def test_a_place_is_a_hint_alone(shard: Path) -> None:
    wrong = PlacedName(f"{shard}#member=a/0.jpg", find([str(shard)])[1].place)
    assert AnySource().read(wrong).data == jpeg(0)
    assert AnySource().read(PlacedName(str(wrong), (7, 9))).data == jpeg(0)


def test_a_file_of_such_a_name_is_that_file(tmp_path: Path) -> None:
    path = tmp_path / "x.tar#member=a.jpg"
    path.write_bytes(jpeg(5))
    assert find([str(path)]) == (str(path),) and load(str(path)).shape == (24, 32, 3)


def test_damaged_shards_and_names_of_two_members_are_listed(tmp_path: Path) -> None:
    whole = tar_of([(f"{place}.jpg", jpeg(place)) for place in (0, 1, 2)])
    (tmp_path / "cut.tar").write_bytes(whole[: len(whole) // 3])
    (tmp_path / "no.tar").write_bytes(b"no tar at all" * 100)
    (tmp_path / "two.tar").write_bytes(tar_of([("t.jpg", jpeg(3)), ("u.jpg", jpeg(4)), ("t.jpg", jpeg(5))]))
    result = extract_folder(LBP(), find([str(tmp_path / "*.tar")]), tmp_path / "t.npz")
    reasons = {os.path.basename(failure.path): failure.reason for failure in result.outcome.failures}
    assert "cut.tar" in reasons and "no.tar" in reasons
    assert "two members" in reasons["two.tar#member=t.jpg"]
    assert f"{tmp_path}/two.tar#member=u.jpg" in tables.read(tmp_path / "t.npz").paths
    assert not any("2.jpg" in path for path in tables.read(tmp_path / "t.npz").paths)


def _table(path: Path, /, **columns) -> Path:
    pq.write_table(pa.table(columns), path, row_group_size=3)
    return path


def _structs(names: list[str | None]) -> pa.Array:
    kind = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
    return pa.array([{"bytes": jpeg(place), "path": name} for place, name in enumerate(names)], kind)


@pytest.mark.parametrize("kind", ["structs", "ids", "content"])
def test_records_have_ids_or_digests_and_never_numbers(tmp_path: Path, kind: str) -> None:
    ids = [f"p/{place}.jpg" for place in range(7)]
    blobs = [jpeg(place) for place in range(7)]
    digests = [f"sha256:{hashlib.sha256(blob).hexdigest()}" for blob in blobs]
    columns = {
        "structs": {"image": _structs(ids), "label": list(range(7))},
        "ids": {"jpg": blobs, "path": ["same"] * 7, "key": ids},
        "content": {"image": _structs([None] * 7)},
    }[kind]
    table = _table(tmp_path / "t.parquet", **columns)
    found = find([str(table)])
    wanted = digests if kind == "content" else ids
    assert list(found) == [f"{table}#record={each}" for each in wanted]
    for name, blob in zip(found, blobs, strict=True):
        assert AnySource().read(name).data == blob
    plain = str(found[5])
    assert read_record(plain, inside(plain)).data == blobs[5]
    assert AnySource().read(PlacedName(plain, (0, 1))).data == blobs[5]
    with pytest.raises(ImageError, match="no such record"):
        AnySource().read(f"{table}#record=none.jpg")


def test_a_table_that_is_written_anew_is_read_anew(tmp_path: Path) -> None:
    table = _table(tmp_path / "t.parquet", image=[jpeg(0), jpeg(1)], id=["a", "b"])
    name = find([str(table)])[0]
    assert AnySource().read(name).data == jpeg(0)
    _table(table, image=[jpeg(1), jpeg(9)], id=["b", "a"])
    assert AnySource().read(name).data == jpeg(9)


def test_tables_without_one_column_of_images_and_rows_without_one(tmp_path: Path) -> None:
    _table(tmp_path / "two.parquet", left=[jpeg(0)], right=[jpeg(1)])
    _table(tmp_path / "none.parquet", text=["a"])
    (tmp_path / "bad.parquet").write_bytes(b"PAR1 no PAR1")
    _table(tmp_path / "null.parquet", image=pa.array([jpeg(2), None, jpeg(2)], pa.binary()))
    result = extract_folder(LBP(), find([str(tmp_path / "*.parquet")]), tmp_path / "t.npz")
    assert result.outcome.rows == 1
    names = sorted(os.path.basename(failure.path) for failure in result.outcome.failures)
    assert names == ["bad.parquet", "none.parquet", "null.parquet#record=none", "two.parquet"]


def test_every_spelling_of_a_shard_or_table_is_one_source(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("S.TAR").write_bytes(tar_of([("../up.jpg", jpeg(0)), ("/abs.jpg", jpeg(1)), ("./.hidden.jpg", jpeg(2))]))
    _table(tmp_path / "T.PARQUET", image=[jpeg(3)], id=["x"])
    for container, names in (("S.TAR", ["#member=../up.jpg", "#member=/abs.jpg"]), ("T.PARQUET", ["#record=x"])):
        found = find([container, f"./{container}", str(tmp_path / container)])
        assert list(found) == [container + name for name in names]
        for name in found:
            assert AnySource().read(name).data == AnySource().read(str(name)).data


def test_records_of_tables_are_not_named_by_what_is_secret(tmp_path: Path) -> None:
    table = _table(tmp_path / "t.parquet", image=[jpeg(0), jpeg(1)], url=[SIGNED.format(0), SIGNED.format(1)])
    assert all("#record=sha256:" in name for name in find([str(table)]))


def test_columns_of_views_are_images_and_no_image_is_said(tmp_path: Path) -> None:
    views = _table(tmp_path / "v.parquet", image=pa.array([jpeg(0)], pa.binary_view()), id=["a"])
    assert AnySource().read(find([str(views)])[0]).data == jpeg(0)
    with pytest.raises(ParameterError, match="no image"):
        find([str(_table(tmp_path / "e.parquet", image=pa.array([], pa.binary())))])


def test_shards_and_tables_in_a_store(
    faults: Faults, put: Callable[[str, bytes], object], shard: Path, tmp_path: Path
) -> None:
    table = _table(tmp_path / "t.parquet", image=_structs([f"{place}.jpg" for place in range(7)]))
    put("in/s-000.tar", shard.read_bytes())
    put("in/t.parquet", table.read_bytes())
    put("in/cut.tar", shard.read_bytes()[:3000])
    faults.plan = {"/in/s-000.tar": [None, 503, "cut", None]}
    sources = find([f"s3://{BUCKET}/in/*"])
    local = find([str(shard), str(table)])
    there = [name for name in sources if "cut.tar" not in name]
    assert [name.rpartition("/in/")[2] for name in there] == [name.removeprefix(f"{tmp_path}/") for name in local]
    result = extract_folder(LBP(), sources, tmp_path / "there.npz")
    extract_folder(LBP(), local, tmp_path / "here.npz")
    found, wanted = tables.read(tmp_path / "there.npz"), tables.read(tmp_path / "here.npz")
    rows = dict(zip(found.paths, found.features.tolist(), strict=True))
    assert [rows[name] for name in there] == wanted.features.tolist()
    assert f"s3://{BUCKET}/in/cut.tar" in [failure.path for failure in result.outcome.failures]
    assert list_members(f"s3://{BUCKET}/in/s-000.tar", frozenset({".jpg"})) == list(there[:4])
