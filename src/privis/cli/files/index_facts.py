"""What ``privis info`` says of an index of images: counts and recipe, never an id, a path or a vector."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path


def index_facts(path: Path) -> Iterator[str]:
    """Say what an index holds.

    Args:
        path: of its folder.

    Yields:
        A line each.

    Raises:
        ParameterError: it is damaged.
    """
    from privis.estimators.search.indexing.index_file import IndexFile, keys_of
    from privis.estimators.search.store_places import open_store

    file = IndexFile.load(path)
    known = open_store(file, path, keys_of(path), None).describe()
    yield f"{known.rows:,} images of {known.subjects:,} subjects; names are not shown"
    yield f"recipe {file.recipe}, {known.space.components:,} components: {', '.join(file.parts)}"
    sealed = "sealed under a key per subject" if known.sealed else "open in the store"
    yield f"store {known.kind}, {known.bytes:,} bytes, vectors {sealed}; columns: {', '.join(known.columns) or 'none'}"
    if known.space.guarantee is None:
        yield "its vectors are exact: whoever reads them may recover much of an image"
    else:
        yield str(known.space.guarantee.get("sentence", "its vectors are released; no guarantee is stated"))


def index_file_facts(path: Path) -> Iterator[str]:
    """Say which index a description belongs to.

    Args:
        path: of ``index.json``.

    Yields:
        A line each.

    Raises:
        ParameterError: it is damaged.
    """
    from privis.estimators.search.indexing.index_file import IndexFile

    file = IndexFile.load(path.parent)
    yield f"of the index {path.parent}: recipe {file.recipe}, store {file.kind.value}"
