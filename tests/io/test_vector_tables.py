"""privis.io.vector_tables: vectors of tables that any tool wrote, and what is wrong with others."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from privis.errors import ParameterError
from privis.io import tables
from privis.io.listed_vectors import ListedVectors
from privis.io.vector_tables import read_vectors

VECTORS = np.array([[1.5, -2.0], [0.25, 1e-3], [0.0, 3.0]])


def written(path: Path) -> Path:
    """The same vectors, of three records, as other tools write them."""
    if path.suffix == ".csv":
        path.write_text("id,x,y\nr0,1.5,-2\nr1, .25,1e-3\n\nr2,0,3.\n", encoding="utf-8-sig")
    elif path.suffix == ".npz":
        np.savez(path, embeddings=VECTORS, id=np.array(["r0", "r1", "r2"]))
    else:
        pandas = pytest.importorskip("pandas")
        pytest.importorskip("pyarrow")
        frame = pandas.DataFrame(VECTORS, columns=["x", "y"])
        frame.insert(0, "id", ["r0", "r1", "r2"])
        frame.to_parquet(path)
    return path


@pytest.mark.parametrize("suffix", [".csv", ".npz", ".parquet", ".CSV"])
def test_tables_of_other_tools(tmp_path: Path, suffix: str) -> None:
    path = written(tmp_path / f"table{suffix.lower()}")
    path = path.rename(path.with_suffix(suffix))
    read = read_vectors(path, ["id"])
    assert np.array_equal(read.values, VECTORS) and read.columns == {"id": ("r0", "r1", "r2")}
    assert len(read.names) == 2 and read.metadata is None


def test_parquet_with_one_column_of_lists(tmp_path: Path) -> None:
    arrow = pytest.importorskip("pyarrow")
    import pyarrow.parquet

    halves = np.round(VECTORS * 4) / 4
    for kind in (arrow.list_(arrow.float32()), arrow.list_(arrow.float64(), 2), arrow.large_list(arrow.float32())):
        columns = {"id": [7, 8, 9], "vector": arrow.array(halves.tolist(), kind), "note": ["a", "b", "c"]}
        pyarrow.parquet.write_table(arrow.table(columns), tmp_path / "t.parquet")
        read = read_vectors(tmp_path / "t.parquet", ["id"])
        assert np.array_equal(read.values, halves)
        assert read.columns["id"] == (7, 8, 9) and read.names == ("vector_0", "vector_1")
    for bad, told in (([[1.0], None], "rows without a vector"), ([[1.0], [1.0, 2.0]], "vectors of 1 to 2 numbers")):
        pyarrow.parquet.write_table(arrow.table({"v": arrow.array(bad)}), tmp_path / "t.parquet")
        with pytest.raises(ParameterError, match=told):
            read_vectors(tmp_path / "t.parquet")
    pyarrow.parquet.write_table(arrow.table({"v": [[1.0, None]]}), tmp_path / "t.parquet")
    assert np.isnan(read_vectors(tmp_path / "t.parquet").values[0, 1])
    pyarrow.parquet.write_table(arrow.table({"v": [[1.0]], "w": [[1.0]]}), tmp_path / "t.parquet")
    with pytest.raises(ParameterError, match="the columns v, w of lists"):
        read_vectors(tmp_path / "t.parquet")
    assert read_vectors(tmp_path / "t.parquet", leave_out=["w"]).names == ("v_0",)


@pytest.mark.parametrize("suffix", [".csv", ".npz", ".parquet"])
def test_tables_of_privis_are_known_by_their_content(tmp_path: Path, suffix: str) -> None:
    if suffix == ".parquet":
        pytest.importorskip("pyarrow")
    path = tmp_path / f"t{suffix}"
    tables.write(
        path, ["a.png", "b.png"], [np.ones((2, 3), np.float32)], names=["p", "q", "r"], metadata={"privis.x": "1"}
    )
    read = read_vectors(path)
    assert (
        read.columns == {"path": ("a.png", "b.png")}
        and read.metadata == {"privis.x": "1"}
        and read.names == ("p", "q", "r")
    )
    with pytest.raises(ParameterError, match="with the column path alone, expected also person"):
        read_vectors(path, ["person"])


CSV = {
    "a word": ("id,x,n\na,1,Ann\n", "column n: got 'Ann', expected numbers; --leave-out n"),
    "an underscore": ("id,x\na,1_0\n", "column x: got '1_0'"),
    "a comma": ('id,x\na,"1,5"\n', "column x: got '1,5'"),
    "a short line": ("id,x,y\na,1\n", "line 2: got 2 values"),
    "a name twice": ("id,x,x\na,1,2\n", "'x' more than once"),
    "no such column": ("name,x\na,1\n", "also id"),
    "nothing": ("", "an empty file"),
}


@pytest.mark.parametrize("name", CSV)
def test_csv_that_does_not_fit_is_said(tmp_path: Path, name: str) -> None:
    text, told = CSV[name]
    path = tmp_path / "t.csv"
    path.write_text(text)
    with pytest.raises(ParameterError) as refused:
        read_vectors(path, ["id"])
    assert told in str(refused.value)


def test_missing_numbers_stay_missing(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("id,x,y\na,,nan\nb,1,-inf\n")
    read = read_vectors(tmp_path / "t.csv", ["id"])
    assert np.isnan(read.values[0]).all() and np.isinf(read.values[1, 1])


def test_arrays_that_do_not_fit_are_said(tmp_path: Path) -> None:
    path = tmp_path / "t.npz"
    for arrays, told in (
        ({"a": np.ones((2, 2)), "b": np.ones((2, 2))}, "the arrays a, b of two axes"),
        ({"a": np.ones(3)}, "no array of two axes"),
        ({"a": np.ones((2, 2)), "id": np.ones(3)}, r"id: got shape (3,)"),
    ):
        np.savez(path, **arrays)
        with pytest.raises(ParameterError) as refused:
            read_vectors(path, [name for name in arrays if name == "id"])
        assert told in str(refused.value)
    np.savez(path, a=np.ones((2, 2)), b=np.ones((2, 2)))
    assert read_vectors(path, leave_out=["b"]).names == ("a_0", "a_1")


@pytest.mark.parametrize("suffix", [".csv", ".npz", ".parquet", ".txt", ""])
@pytest.mark.parametrize(
    "content", [b"", b"\x00\xff\xfe", b"PK\x03\x04broken", b"PAR1....PAR1", b"id,x\n\xff,1\n", None]
)
def test_damaged_and_foreign_files_are_our_errors(tmp_path: Path, suffix: str, content: bytes | None) -> None:
    path = tmp_path / f"t{suffix}"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(ParameterError):
        read_vectors(path, ["id"])


def test_objects_are_never_unpickled(tmp_path: Path) -> None:
    class Trap:
        def __reduce__(self):
            return os.mkdir, (str(tmp_path / "trap"),)

    np.savez(tmp_path / "t.npz", a=np.array([[Trap()]], object))
    with pytest.raises(ParameterError):
        read_vectors(tmp_path / "t.npz")
    assert not (tmp_path / "trap").exists()


def test_lists_of_every_kind_are_the_numbers_that_arrow_gives(tmp_path: Path) -> None:
    path, rows = tmp_path / "t.parquet", [[1, 2], [3, 4], [0, 1]]
    kinds = [pa.float16(), pa.float32(), pa.float64(), pa.int8(), pa.uint64(), pa.int64()]
    for kind in kinds:
        exact = [[kind.to_pandas_dtype()(number) for number in row] for row in rows]
        for lists in (pa.list_(kind), pa.large_list(kind), pa.list_(kind, 2)):
            column = pa.chunked_array([pa.array(exact, lists)[1:], pa.array(exact, lists)])
            ids = pa.array(["b", "c", "a", "b", "c"]).dictionary_encode()
            pq.write_table(pa.table({"id": ids, "v": column}), path, row_group_size=2)
            read = read_vectors(path, ["id"])
            assert read.values.tolist() == [*rows[1:], *rows] and read.names == ("v_0", "v_1")
            assert read.columns == {"id": ("b", "c", "a", "b", "c")}


def test_numbers_that_are_missing_are_nan_wherever_they_are(tmp_path: Path) -> None:
    path = tmp_path / "t.parquet"
    for kind in (pa.int32(), pa.float32(), pa.bool_()):
        one = True if pa.types.is_boolean(kind) else 1
        pq.write_table(pa.table({"v": pa.array([[one, one]] * 20_000 + [[one, None]], pa.list_(kind))}), path)
        values = read_vectors(path).values
        assert (values[:-1] == 1).all() and values[-1, 0] == 1 and np.isnan(values[-1, 1])
        pq.write_table(pa.table({"a": pa.array([one, None], kind), "b": pa.array([None, one], kind)}), path)
        assert np.isnan(read_vectors(path).values).tolist() == [[False, True], [True, False]]


@pytest.mark.parametrize("kind", [pa.list_(pa.float32()), pa.large_list(pa.float64())])
def test_a_row_without_a_vector_far_down_is_refused(tmp_path: Path, kind: pa.DataType) -> None:
    path = tmp_path / "t.parquet"
    pq.write_table(pa.table({"v": pa.array([[1, 2]] * 20_000 + [None, [1, 2]], kind)}), path)
    with pytest.raises(ParameterError, match="rows without a vector"):
        read_vectors(path)


def test_batches_of_lists_of_two_lengths_are_refused() -> None:
    vectors = ListedVectors("v", 2)
    vectors.add(pa.array([[1.0, 2.0]]))
    vectors.add(pa.array([[1.0]]))
    with pytest.raises(ParameterError, match="vectors of 1 to 2 numbers"):
        vectors.matrix()
