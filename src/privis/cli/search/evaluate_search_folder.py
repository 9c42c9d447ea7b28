"""``privis search evaluate``: how good a recipe is on images whose class is known."""

from __future__ import annotations

import json
import os
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table

from privis.cli.console import SOME_FAILED, err, explained, out, progress, working
from privis.cli.faces.subject_words import named_pictures
from privis.cli.search.index_release_words import Components, Epsilon, IndexReleaseWords, ProjectionPath, ReleaseName
from privis.cli.search.private.private_words import GalleryRows, PrivateWords, Under, UnderName
from privis.cli.search.recipe_words import DEFAULT, RecipeWords, recipe_of
from privis.cli.search.search_options import (
    AsJson,
    CodebookFile,
    Layer,
    MaxPixels,
    Model,
    Parameters,
    RecipeName,
    Rerank,
    RerankName,
    Workers,
)
from privis.cli.search.search_words import SHOWN_REFUSED
from privis.errors import ParameterError, Problem
from privis.io.images.decode import MAX_PIXELS, Decoding

if TYPE_CHECKING:
    from privis.estimators.search.indexing.recipe_vectors import FileVectors
    from privis.estimators.search.released.released_vectors import ReleasedVectors
    from privis.extraction.recipes.search_recipe import SearchRecipe

Draws = Annotated[int, typer.Option(min=1, help="Of --release: draws of the noise that means are over.")]
LabelsFrom = Annotated[
    str, typer.Option(help="Where it stands which class an image is of: folder, filename:REGEX, or column:NAME.")
]


def evaluate(
    folder: Annotated[
        list[str], typer.Argument(metavar="FOLDER", help="A folder with a sub-folder for each class, or CSV files.")
    ],
    labels_from: LabelsFrom = "folder",
    recipe: RecipeName = None,
    rerank: Rerank = None,
    model: Model = None,
    layer: Layer = None,
    parameter: Parameters = None,
    codebook: CodebookFile = None,
    release: ReleaseName = None,
    epsilon: Epsilon = None,
    projection: ProjectionPath = None,
    components: Components = None,
    draws: Draws = 8,
    under: Under = UnderName.CLEAR,
    gallery: GalleryRows = None,
    workers: Workers = 0,
    max_pixels: MaxPixels = MAX_PIXELS,
    as_json: AsJson = False,
) -> None:
    """Let every image ask all others, and say how many of its class come first. Nothing is written.

    privis search evaluate photos/ --labels-from folder --recipe colour-and-texture

    privis search evaluate photos/ --release privunit --epsilon 8 --projection public/

    With --release vectors are released in trial, per image: mAP and P@10 are means over draws, of a released index that
    is asked with exact vectors; beside them those where queries are released, too.
    """
    with explained():
        from privis.estimators.search.indexing.recipe_vectors import vectors_of_files
        from privis.estimators.search.rerankers import Diffusion
        from privis.estimators.search.search_evaluation import FIRST, evaluate_search

        if rerank is RerankName.GEOMETRIC:
            remedy = "geometric finds copies, which classes are not"
            raise ParameterError(Problem("--rerank", "geometric", "diffusion", remedy))
        clear = [name for name, given in (("--rerank", rerank), ("--release", release)) if given is not None]
        matcher = PrivateWords(under, gallery).matcher(clear)
        words = RecipeWords.of(recipe, parameter, layer, model, codebook) or RecipeWords(DEFAULT)
        chosen = recipe_of(words)
        named = named_pictures(folder, labels_from)
        released = IndexReleaseWords(release, epsilon, None, projection, components)
        if release is not None and rerank is not None:
            raise ParameterError(Problem("--rerank", "with --release", "one of them", "measure them apart"))
        noise = released.of(chosen, max_pixels, named.paths)
        diffusion = Diffusion() if rerank is RerankName.DIFFUSION else None
        with progress("privis search evaluate") as show:
            found = vectors_of_files(chosen, named.paths, Decoding(max_pixels), workers or os.cpu_count() or 1, show)
        labels = [named.subjects[place] for place in found.places]
        if noise is not None:
            _tell_released(chosen, noise, found, labels, draws, as_json)
            return
        with working("privis search evaluate: rankings") as show_share:
            result = evaluate_search(found.vectors, labels, diffusion, show_share, matcher)
        refused = {path: str(why) for path, why in named.unnamed.items()}
        refused |= found.refused
        for path, why in list(refused.items())[:SHOWN_REFUSED]:
            err.print(f"refused: {path}: {why}", markup=False, soft_wrap=True)
        if result.alone:
            shown = ", ".join(result.alone[:6]) + (" …" if len(result.alone) > 6 else "")
            told = f"privis: warning: {len(result.alone)} classes of one image, which asks nothing: {shown}"
            err.print(told, markup=False, soft_wrap=True)
        first = min(FIRST, result.images - 1)
        if as_json:
            document = {
                "map": result.mean_average_precision, "p@10": result.precision, "images": result.images,
                "recipe": chosen.name, "rerank": None if rerank is None else rerank.value, "under": under.value,
                "queries": result.queries, "first": first, "classes": dict(result.classes),
                "alone": list(result.alone), "refused": [{"path": path, "why": why} for path, why in refused.items()],
            }  # fmt: skip
            print(json.dumps(document, ensure_ascii=False))
        else:
            table = Table("class", "mean average precision")
            for name, value in result.classes.items():
                table.add_row(name, f"{value:.3f}")
            out.print(table)
            told = (
                f"{chosen.name}: mAP {result.mean_average_precision:.3f}, P@{first} {result.precision:.3f} "
                f"({result.queries:,} queries, each against {result.images - 1:,} others)"
            )
            out.print(told, markup=False, soft_wrap=True)
        if refused:
            raise SystemExit(SOME_FAILED)


def _tell_released(
    recipe: SearchRecipe, noise: ReleasedVectors, found: FileVectors, labels: list[str], draws: int, as_json: bool
) -> None:
    """What is left of rankings where vectors are released."""
    from privis.estimators.search.released.released_evaluation import evaluate_released_search

    with working("privis search evaluate: draws") as show_share:
        result = evaluate_released_search(noise.projected(found.vectors), labels, noise, draws, show_share)
    if as_json:
        document = {
            "map": result.index.mean_average_precision, "p@10": result.index.precision, "images": result.images,
            "recipe": recipe.name, "queries": result.queries, "draws": draws, "map_deviation": result.index.deviation,
            "both": asdict(result.both), "exact": asdict(result.exact), "guarantee": noise.promise(),
            "refused": [{"path": path, "why": why} for path, why in found.refused.items()],
        }  # fmt: skip
        print(json.dumps(document, ensure_ascii=False))
    else:
        table = Table("vectors", "mAP, mean over draws", "standard deviation", "P@10")
        rows = {"index released": result.index, "queries released, too": result.both, "exact": result.exact}
        for what, drawn in rows.items():
            average, spread = f"{drawn.mean_average_precision:.3f}", f"{drawn.deviation:.3f}"
            table.add_row(what, average, spread, f"{drawn.precision:.3f}")
        out.print(table)
        out.print(f"Each vector: {noise.promise()['sentence']}", markup=False, soft_wrap=True)
        out.print("These figures are of exact images, and not private themselves.", markup=False, soft_wrap=True)
    for path, why in list(found.refused.items())[:SHOWN_REFUSED]:
        err.print(f"refused: {path}: {why}", markup=False, soft_wrap=True)
    if found.refused:
        raise SystemExit(SOME_FAILED)
