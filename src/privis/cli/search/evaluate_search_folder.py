"""``privis search evaluate``: how good a recipe is on images whose class is known."""

from __future__ import annotations

import json
import os
from typing import Annotated

import typer
from rich.table import Table

from privis.cli.console import SOME_FAILED, err, explained, out, progress, working
from privis.cli.faces.subject_words import named_pictures
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
    workers: Workers = 0,
    max_pixels: MaxPixels = MAX_PIXELS,
    as_json: AsJson = False,
) -> None:
    """Let every image ask all others, and say how many of its class come first. Nothing is written.

    privis search evaluate photos/ --labels-from folder --recipe colour-and-texture
    """
    with explained():
        from privis.estimators.search.indexing.recipe_vectors import vectors_of_files
        from privis.estimators.search.rerankers import Diffusion
        from privis.estimators.search.search_evaluation import FIRST, evaluate_search

        if rerank is RerankName.GEOMETRIC:
            remedy = "geometric finds copies, which classes are not"
            raise ParameterError(Problem("--rerank", "geometric", "diffusion", remedy))
        words = RecipeWords.of(recipe, parameter, layer, model, codebook) or RecipeWords(DEFAULT)
        chosen = recipe_of(words)
        named = named_pictures(folder, labels_from)
        diffusion = Diffusion() if rerank is RerankName.DIFFUSION else None
        with progress("privis search evaluate") as show:
            found = vectors_of_files(chosen, named.paths, Decoding(max_pixels), workers or os.cpu_count() or 1, show)
        labels = [named.subjects[place] for place in found.places]
        with working("privis search evaluate: rankings") as show_share:
            result = evaluate_search(found.vectors, labels, diffusion, show_share)
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
                "recipe": chosen.name, "rerank": None if rerank is None else rerank.value,
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
