"""What commands of search say, and how an index is opened by its own words."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from privis.cli.console import SOME_FAILED, UNUSABLE, err, out
from privis.cli.search.recipe_words import RecipeWords, recipe_of
from privis.errors import ParameterError, Problem

if TYPE_CHECKING:
    from privis.estimators.search.indexing.index_additions import Additions
    from privis.estimators.search.search_index import Index
    from privis.stores import StoreDescription

SHOWN_REFUSED = 20


def opened(folder: Path, max_pixels: int | None = None) -> Index:
    """Open an index by the words that it keeps of its recipe.

    Args:
        folder: of the index.
        max_pixels: of an image that is looked at; None: as many as everywhere.

    Returns:
        The index; an erasure that was begun is finished.

    Raises:
        ParameterError: there is none, or it is damaged.
    """
    from privis.estimators.search.indexing.index_file import IndexFile
    from privis.estimators.search.search_index import Index
    from privis.io.images.decode import MAX_PIXELS, Decoding

    file = IndexFile.load(folder)
    recipe = recipe_of(RecipeWords.kept(file.words, folder)) if file.words else None
    return Index.open(folder, recipe, decoding=Decoding(max_pixels or MAX_PIXELS))


def facts(known: StoreDescription, recipe: str) -> dict[str, Any]:
    """Give what an index holds as a JSON document, without a word about anyone in it.

    Args:
        known: of its store.
        recipe: its name.

    Returns:
        The document.
    """
    guarantee: Mapping[str, Any] | None = known.space.guarantee
    return {
        "images": known.rows, "subjects": known.subjects, "recipe": recipe, "vectors": known.space.words,
        "components": known.space.components, "columns": dict(known.columns), "store": known.kind,
        "place": known.place, "sealed": known.sealed, "bytes": known.bytes, "store_id": known.store_id,
        "guarantee": None if guarantee is None else dict(guarantee),
    }  # fmt: skip


def told(known: Mapping[str, Any]) -> list[str]:
    """Say what an index holds in sentences.

    Args:
        known: as of `facts`.

    Returns:
        A line each.
    """
    sealed = "sealed under a key per subject" if known["sealed"] else "open in the store: its own index reads them"
    columns = ", ".join(f"{name} ({kind})" for name, kind in known["columns"].items()) or "none"
    lines = [
        f"{known['images']:,} images of {known['subjects']:,} subjects, which are not shown",
        f"vectors of {known['components']:,} components: {known['vectors']}",
        f"store: {known['store']} at {known['place']}, {known['bytes']:,} bytes; vectors are {sealed}",
        f"columns: {columns}",
    ]
    if known["guarantee"] is not None:
        return [*lines, str(known["guarantee"].get("sentence", "its vectors are released; no guarantee is stated"))]
    return [*lines, "its vectors are exact: whoever reads them may recover much of an image"]


def tell_additions(done: Additions, known: StoreDescription, place: Path, as_json: bool) -> int:
    """Say what was added and refused.

    Args:
        done: what became of the images.
        known: of the store, as it is now.
        place: of the index.
        as_json: whether one document is wanted.

    Returns:
        The exit code.
    """
    guarantee = known.space.guarantee
    kept = "people" if guarantee is not None and guarantee["unit"] == "enrolment" else "images"
    for each in done.refused[:SHOWN_REFUSED]:
        err.print(f"refused: {each.path}: {each.why}", markup=False, soft_wrap=True)
    if len(done.refused) > SHOWN_REFUSED:
        err.print(f"… and {len(done.refused) - SHOWN_REFUSED:,} more; --json lists all", markup=False)
    if as_json:
        refused = [{"path": each.path, "why": each.why} for each in done.refused]
        document = {
            "images": done.images, "store": known.kind, "added": done.added, "replaced": done.replaced,
            "unchanged": done.unchanged, "refused": refused, "rows": known.rows,
        }  # fmt: skip
        document |= {} if guarantee is None else {"guarantee": dict(guarantee)}
        print(json.dumps(document, ensure_ascii=False))
    else:
        parts = [f"{done.added:,} added"]
        parts += [f"{done.replaced:,} replaced"] if done.replaced else []
        parts += [f"{done.unchanged:,} were there already"] if done.unchanged else []
        out.print(f"{', '.join(parts)}; {place} holds {known.rows:,} {kept}.", markup=False, soft_wrap=True)
        if guarantee is not None and done.added:
            out.print(f"Each vector: {guarantee['sentence']}", markup=False, soft_wrap=True)
            out.print(f"Besides: {guarantee['not_covered']}.", markup=False, soft_wrap=True)
    return 0 if not done.refused else SOME_FAILED if done.images else UNUSABLE


def require_one(name: str, images: list[str]) -> str:
    """Take the one image of a query.

    Args:
        name: what messages call it.
        images: that were given.

    Returns:
        The image.

    Raises:
        ParameterError: there are several, or none.
    """
    if len(images) != 1:
        raise ParameterError(Problem(name, f"{len(images)} images", "one", "ask once for each"))
    return images[0]
