"""The benchmark of the store in a folder runs on a few vectors, so that it cannot rot."""

from benchmarks.stores import parquet_store
from benchmarks.stores.exact_search import vectors


def test_a_few_vectors(tmp_path):
    (tmp_path / "read").mkdir()
    assert set(parquet_store.readings(tmp_path / "read", 300, 16, 3, 1)) == {"privis", "pyarrow"}
    store = parquet_store.filled(tmp_path / "index", 300, 16, 3)
    found = parquet_store.searches(store, vectors(300, 16, 0))
    query = vectors(1, 16, seed=1)
    assert len({tuple(sorted(search(query).tolist())) for search in found.values()}) == 1
    assert all(each > 0 for each in parquet_store.dropping(tmp_path, 30, 10, 1))
