"""``privis search build``, ``add`` and ``info``: what is in an index."""

from __future__ import annotations

import json
import os
import re
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from privis.cli.console import err, explained, out, progress
from privis.cli.extraction.picture_parts import (
    Downsample,
    End,
    Every,
    MicronsPerPixel,
    Overlap,
    PageWords,
    PartWords,
    Stack,
    Start,
    Tiles,
    Tissue,
)
from privis.cli.faces.subject_words import named_pictures
from privis.cli.search import where_words
from privis.cli.search.index_release_words import (
    Components,
    Epsilon,
    IndexReleaseWords,
    Key,
    LedgerPath,
    ProjectionPath,
    ReleaseName,
    Unit,
    UnitName,
    drawing,
)
from privis.cli.search.recipe_words import DEFAULT, RecipeWords, recipe_of
from privis.cli.search.search_options import (
    AsJson,
    CodebookFile,
    Images,
    IndexFolder,
    IndexOption,
    Layer,
    MaxPixels,
    MetadataFile,
    Model,
    Parameters,
    RecipeName,
    SubjectFrom,
    Workers,
)
from privis.cli.search.search_words import facts, opened, tell_additions, told
from privis.errors import ParameterError, Problem
from privis.io.images.decode import MAX_PIXELS, Decoding
from privis.io.images.sources import find

if TYPE_CHECKING:
    from privis.stores.vector_rows import Value

Output = Annotated[Path, typer.Option("-o", "--output", help="Folder of the index, which is made; its keys beside it.")]
StoreName = Annotated[
    str | None,
    typer.Option(
        "--store",
        help="What holds the vectors: parquet (a folder, the default), lancedb, lancedb-open (not encrypted, for "
        "--approximate), or postgresql://USER@HOST/DATABASE (postgresql+vector:// is not encrypted, either).",
    ),
]


def build(
    images: Images,
    output: Output,
    recipe: RecipeName = None,
    store: StoreName = None,
    subject_from: SubjectFrom = None,
    metadata: MetadataFile = None,
    model: Model = None,
    layer: Layer = None,
    parameter: Parameters = None,
    codebook: CodebookFile = None,
    release: ReleaseName = None,
    epsilon: Epsilon = None,
    unit: Unit = None,
    projection: ProjectionPath = None,
    components: Components = None,
    key: Key = None,
    ledger: LedgerPath = None,
    workers: Workers = 0,
    max_pixels: MaxPixels = MAX_PIXELS,
    tiles: Tiles = None,
    overlap: Overlap = 0,
    tissue: Tissue = 0.0,
    mpp: MicronsPerPixel = None,
    downsample: Downsample = None,
    pages: PageWords = None,
    every: Every = None,
    start: Start = None,
    end: End = None,
    stack: Stack = 1,
    as_json: AsJson = False,
) -> None:
    """Make an index of images. The same command goes on where it was stopped, and changes nothing when it is whole.

    privis search build photos/ -o photos.index

    privis search build people/ -o people.index --subject-from folder --metadata people.csv

    privis search build photos/ -o photos.index --recipe network --model resnet.onnx --layer pool

    privis search build slides/ -o tiles.index --tiles 256 --tissue 0.5

    privis search build cameras/ -o frames.index --every 10s

    privis search build photos/ -o shared.index --release privunit --epsilon 8 --projection public/
    """
    with explained():
        from privis.estimators.search.indexing.index_file import IndexFile, is_new_folder
        from privis.estimators.search.search_index import Index

        parts = PartWords(tiles, overlap, tissue, mpp, downsample, pages, every, start, end, stack)
        parts.check(release is not None)
        if unit is UnitName.SUBJECT and subject_from is None:
            remedy = "as in --subject-from folder; without it every image is its own subject"
            raise ParameterError(Problem("--unit subject", "no --subject-from", "whose each image is", remedy))
        released = IndexReleaseWords(release, epsilon, unit, projection, components, key, ledger)
        words = RecipeWords.of(recipe, parameter, layer, model, codebook)
        kind, address = _store(store)
        decoding, processes = Decoding(max_pixels), workers or os.cpu_count() or 1
        if is_new_folder(output):
            said = words or RecipeWords(DEFAULT)
            chosen, listed = recipe_of(said), _listed(images, subject_from, metadata, {}, parts)
            noise = released.of(chosen, max_pixels, listed.paths)
            with released.drawing(noise, output, False) as drawn, progress("privis search build") as show:
                index, done = Index.build(
                    output, listed.paths, recipe=chosen, kind=kind, address=address, words=said.to_dict(),
                    files=said.files, subjects=listed.subjects, metadata=listed.metadata, decoding=decoding,
                    release=drawn, workers=processes, on_progress=show,
                )  # fmt: skip
        else:
            kept = RecipeWords.kept(IndexFile.load(output).words, output)
            index = Index.resume(output, recipe_of(words or kept), decoding=decoding)
            index.require_store(kind, address)
            parts.check(index.maker.release is not None)
            listed = _listed(images, subject_from, metadata, index.info().columns, parts)
            noise = released.kept(index, max_pixels)
            begun = index.info().rows > 0
            with released.drawing(noise, output, begun) as drawn, progress("privis search build") as show:
                done = drawing(index, drawn).add(
                    listed.paths, subjects=listed.subjects, metadata=listed.metadata, workers=processes,
                    on_progress=show,
                )  # fmt: skip
        _finish(index, listed, done, output, as_json)


def add(
    index: IndexOption,
    images: Images,
    subject_from: SubjectFrom = None,
    metadata: MetadataFile = None,
    key: Key = None,
    ledger: LedgerPath = None,
    workers: Workers = 0,
    max_pixels: MaxPixels = MAX_PIXELS,
    tiles: Tiles = None,
    overlap: Overlap = 0,
    tissue: Tissue = 0.0,
    mpp: MicronsPerPixel = None,
    downsample: Downsample = None,
    pages: PageWords = None,
    every: Every = None,
    start: Start = None,
    end: End = None,
    stack: Stack = 1,
    as_json: AsJson = False,
) -> None:
    """Add images to an index; one that is there takes its own place, and what nobody says anew of it stays.

    privis search add --index photos.index new/
    """
    with explained():
        parts = PartWords(tiles, overlap, tissue, mpp, downsample, pages, every, start, end, stack)
        known = opened(index, max_pixels)
        parts.check(known.maker.release is not None)
        listed = _listed(images, subject_from, metadata, known.info().columns, parts)
        words = IndexReleaseWords(key=key, ledger=ledger)
        begun = known.info().rows > 0
        with words.drawing(known.maker.release, index, begun) as drawn, progress("privis search add") as show:
            done = drawing(known, drawn).add(
                listed.paths, subjects=listed.subjects, metadata=listed.metadata,
                workers=workers or os.cpu_count() or 1, on_progress=show,
            )  # fmt: skip
        _finish(known, listed, done, index, as_json)


def info(index: IndexFolder, as_json: AsJson = False) -> None:
    """Say what an index holds: how many images, of how many subjects, by which recipe, in what store. No names.

    privis search info photos.index
    """
    with explained():
        known = opened(index)
        document = facts(known.info(), known.recipe.name)
        if as_json:
            print(json.dumps(document, ensure_ascii=False))
            return
        for line in told(document):
            out.print(line, markup=False, soft_wrap=True)


@dataclass(frozen=True)
class _Listed:
    """Images with what the command line says of them; those of which it says nothing are refused."""

    paths: tuple[str, ...]
    subjects: tuple[str, ...] | None
    metadata: Mapping[str, Sequence[Value]]
    unnamed: Mapping[str, str]


def _listed(
    images: list[str], subject_from: str | None, metadata: Path | None, columns: Mapping[str, str], parts: PartWords
) -> _Listed:
    if subject_from is None:
        paths, subjects, unnamed = find(images, sys.stdin, videos=parts.of_videos), None, {}
    else:
        named = named_pictures(images, subject_from, sys.stdin, videos=parts.of_videos)
        if named.advice:
            err.print(f"privis: warning: {named.advice}", markup=False, soft_wrap=True)
        paths, subjects = named.paths, named.subjects
        unnamed = {path: str(why) for path, why in named.unnamed.items()}
    if parts.given:  # all parts of a file belong to one subject, so that they can be erased together
        paths, subjects = parts.of(paths, paths if subjects is None else subjects)
    values: dict[str, Any] = {} if metadata is None else where_words.MetadataFile.read(metadata).of(paths, columns)
    return _Listed(tuple(paths), subjects, values, unnamed)


def _finish(index: Any, listed: _Listed, done: Any, place: Path, as_json: bool) -> None:
    from privis.estimators.search.indexing.index_additions import Additions, RefusedImage

    more = tuple(RefusedImage(path, why) for path, why in listed.unnamed.items())
    whole = Additions(done.added, done.replaced, done.unchanged, (*more, *done.refused))
    known = index.info()
    raise SystemExit(tell_additions(whole, known, place, as_json))


def _store(text: str | None) -> tuple[Any, str]:
    from privis.estimators.search.indexing.index_file import StoreKind

    kinds = {kind.value: kind for kind in StoreKind if kind is not StoreKind.POSTGRESQL}
    if text is None:
        return None, ""
    if text in kinds:
        return kinds[text], ""
    if re.match(r"postgres(ql)?(\+\w+)?://", text):
        return StoreKind.POSTGRESQL, text
    raise ParameterError(
        Problem("--store", repr(text.partition("://")[0]), f"{', '.join(kinds)} or postgresql://USER@HOST/DATABASE")
    )
