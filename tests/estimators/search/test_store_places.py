"""Answers for `privis.estimators.search.store_places`: an index may lie in LanceDB, sealed or open."""

from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("lancedb")

from privis import ParameterError
from privis.estimators.search.indexing.index_file import StoreKind
from privis.estimators.search.search_index import Index
from privis.extraction.recipes.search_recipe import colour
from privis.stores import ErasureStatus
from privis.stores.lance import lance_changes
from privis.stores.lance.index_work import do_work


@pytest.mark.parametrize("kind", [StoreKind.LANCEDB, StoreKind.LANCEDB_OPEN])
def test_an_index_in_lancedb_is_built_asked_and_erased_from(
    tmp_path: Path, kind: StoreKind, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lance_changes, "work_apart", lambda place, table, work, scratch: do_work(place, table, work))
    random = np.random.default_rng(0)
    pictures = [random.integers(0, 40 * (place + 2), (32, 32, 3)).astype(np.uint8) for place in range(5)]
    names = [f"p{place}" for place in range(5)]
    index, done = Index.build(tmp_path / "i", pictures, ids=names, subjects=list("aabbc"), recipe=colour(), kind=kind)
    assert done.added == 5 and index.info().kind == "lancedb" and index.info().sealed == (kind is StoreKind.LANCEDB)
    assert (tmp_path / "i.keys").exists() == (kind is StoreKind.LANCEDB)
    again = Index.open(tmp_path / "i")
    assert [each.path for each in again.query(pictures[3], top=1, approximate=True)[0]] == ["p3"]
    assert again.add(pictures[4:], ids=["p5"]).added == 1
    receipt = again.erase(["b"])
    assert (receipt.status, receipt.unsearched) == (ErasureStatus.GONE, ()) and again.info().rows == 4
    again.require_store(kind)
    with pytest.raises(ParameterError, match="built with"):
        again.require_store(StoreKind.PARQUET)
