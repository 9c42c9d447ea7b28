"""Options that several commands of search have, with their words."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from privis.cli.search.recipe_words import RECIPES

SEARCH_EXIT_CODES = """Exit codes: 0 done, found · 8 nothing found, or something that was erased is left · 1 done, but
some images could not be used (they are listed) · 2 a wrong option, or an index that is missing, damaged, or of another
recipe · 3 no image could be used · 4 the output could not be written, or another writer holds the index ·
130 interrupted (the same command goes on)."""


class RerankName(StrEnum):
    """Other orders of the first answers."""

    DIFFUSION = "diffusion"
    GEOMETRIC = "geometric"


IndexFolder = Annotated[Path, typer.Argument(metavar="INDEX", help="Folder of the index.")]
IndexOption = Annotated[Path, typer.Option("--index", help="Folder of the index that `privis search build` made.")]
Images = Annotated[
    list[str],
    typer.Argument(metavar="IMAGES…", help="Images, folders, globs, - for a list on stdin, or CSV files of column:."),
]
RecipeName = Annotated[
    str | None,
    typer.Option(
        "--recipe",
        help=f"How images are compared: one of {', '.join(RECIPES)}, several of their parts as a+b, network with "
        "--model, or a feature of `privis features`; colour-and-texture unless said.",
    ),
]
Parameters = Annotated[
    list[str] | None,
    typer.Option("-p", "--parameter", help="Parameter of the feature or network, NAME=VALUE; repeatable."),
]
Model = Annotated[Path | None, typer.Option("--model", help="ONNX file of --recipe network.")]
Layer = Annotated[str | None, typer.Option("--layer", help="Node or tensor of --model; its output unless said.")]
CodebookFile = Annotated[
    Path | None, typer.Option("--codebook", help="Words of dense SIFT descriptors, .npz, for patches and visual-words.")
]
SubjectFrom = Annotated[
    str | None,
    typer.Option(
        help="Where it stands whose an image is: folder, filename, filename:REGEX, or column:NAME. Without it each "
        "image is its own subject, called like its path."
    ),
]
MetadataFile = Annotated[
    Path | None,
    typer.Option("--metadata", help="CSV file with the column path and others, which --where can ask for."),
]
Workers = Annotated[int, typer.Option(min=0, help="Processes; 0 is one per core.")]
MaxPixels = Annotated[int, typer.Option(min=1, help="Refuse images of more pixels before decoding them.")]
AsJson = Annotated[bool, typer.Option("--json", help="One JSON document on stdout.")]
Rerank = Annotated[
    RerankName | None,
    typer.Option(
        help="Another order of the answers. diffusion: similarity spreads over the query's neighbours; geometric: "
        "images whose key points agree with the query's come first, by their files."
    ),
]
