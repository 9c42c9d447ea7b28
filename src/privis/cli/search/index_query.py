"""``privis search query``: the images of an index that are most similar to one."""

from __future__ import annotations

import json
import warnings
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.table import Table

from privis.choose.cost.earlier_runs import ENCRYPTED
from privis.cli.console import NO, err, explained, out, working
from privis.cli.scores.run_record import RunNote, note_run
from privis.cli.search.index_release_words import Key, LedgerPath, asking
from privis.cli.search.private.private_words import (
    GalleryName,
    GalleryRows,
    Gap,
    Learn,
    PrivateWords,
    Threshold,
    Under,
    UnderName,
    asked_privately,
    tell_private,
)
from privis.cli.search.search_options import AsJson, IndexOption, MaxPixels, Rerank, RerankName
from privis.cli.search.search_words import opened
from privis.cli.search.where_words import conditions
from privis.errors import OutputError, ParameterError, Problem
from privis.io.images.decode import MAX_PIXELS

QueryRelease = Annotated[
    str | None, typer.Option("--release", help="privunit: the query's vector, too, is released before it is compared.")
]
QueryEpsilon = Annotated[float | None, typer.Option("--epsilon", help="Of --release: budget of the whole query image.")]
Query = Annotated[Path, typer.Argument(metavar="IMAGE", help="The image that is asked about.")]
Top = Annotated[int, typer.Option("--top", min=1, help="How many images are wanted.")]
Where = Annotated[
    list[str] | None, typer.Option("--where", help="Condition on a column, as in 'year>=2024'; repeatable, all hold.")
]
NearDuplicates = Annotated[
    bool,
    typer.Option("--near-duplicates", help="Only copies: cropped, turned, mirrored, of another size or quality."),
]
Most = Annotated[float | None, typer.Option("--within", min=0, max=2, help="Only images within this distance.")]
Approximate = Annotated[bool, typer.Option("--approximate", help="Ask the store's own index, where it has one.")]
Draw = Annotated[Path | None, typer.Option("--draw", help="Also draw the query and its answers, .png or .jpg.")]


def query(
    context: typer.Context,
    image: Query,
    index: IndexOption,
    top: Top = 10,
    where: Where = None,
    rerank: Rerank = None,
    near_duplicates: NearDuplicates = False,
    within: Most = None,
    approximate: Approximate = False,
    draw: Draw = None,
    release: QueryRelease = None,
    epsilon: QueryEpsilon = None,
    key: Key = None,
    ledger: LedgerPath = None,
    under: Under = UnderName.CLEAR,
    gallery: GalleryRows = None,
    learn: Learn = None,
    threshold: Threshold = None,
    gap: Gap = None,
    max_pixels: MaxPixels = MAX_PIXELS,
    as_json: AsJson = False,
) -> None:
    """Find the images of an index that are most similar to one, the most similar first.

    privis search query holiday.jpg --index photos.index --top 20

    privis search query holiday.jpg --index photos.index --where 'year>=2024' --rerank diffusion --draw found.png

    privis search query holiday.jpg --index photos.index --near-duplicates

    privis search query holiday.jpg --index photos.index --top 20 --under ckks
    """
    with explained():
        clear = {"--rerank": rerank, "--within": within, "--approximate": approximate or None, "--draw": draw}
        clear["--near-duplicates"] = near_duplicates or None
        private = PrivateWords(under, gallery, learn, threshold, gap).query(
            [name for name, value in clear.items() if value is not None]
        )
        if near_duplicates and (rerank is not None or approximate):
            got = "--near-duplicates with --rerank or --approximate"
            raise ParameterError(Problem("--near-duplicates", got, "it alone: it has an order of its own"))
        if draw is not None:
            _check_drawing(draw)
        if release is not None and near_duplicates:
            got, remedy = "with --release", "its eight views would be eight releases of one image"
            raise ParameterError(Problem("--near-duplicates", got, "an exact query", remedy))
        known = asking(opened(index, max_pixels), release, epsilon, key, ledger)
        wanted = conditions(where or [], known.info().columns)
        if private is not None:
            with working("privis search query"):
                answer = asked_privately(known, image, private, top, wanted)
            what = f"{known.recipe.name} {ENCRYPTED}" if gallery is GalleryName.ENCRYPTED else known.recipe.name
            note_run(context, RunNote("search query", under.value, 1, known.info().rows, what=what))
            return tell_private(answer, top, threshold, as_json)
        with working("privis search query"), warnings.catch_warnings(record=True) as caught:
            if near_duplicates:
                found = known.near_duplicates(str(image), where=wanted, most=max(20, top), on_unread=_unread)[:top]
            else:
                found = known.query(
                    str(image), top, where=wanted, reranker=_reranker(rerank), approximate=approximate,
                    on_recall=_recall,
                )[0]  # fmt: skip
        if not (near_duplicates or rerank or approximate):
            note_run(context, RunNote("search query", "clear", 1, known.info().rows, what=known.recipe.name))
        for each in caught:
            err.print(f"privis: warning: {each.message}", markup=False, soft_wrap=True)
        kept = [each for each in found if within is None or each.distance <= within]
        if draw is not None:
            from privis import draw as pictures
            from privis.cli.search.contact_sheet import contact_sheet

            sheet, unread = contact_sheet(image, [(each.path, each.rank, each.distance) for each in kept])
            for path, why in unread.items():
                err.print(f"not drawn: {path}: {why}", markup=False, soft_wrap=True)
            pictures.save(sheet, draw)
        if as_json:
            document: list[dict[str, Any]] = [
                {"path": each.path, "rank": each.rank, "distance": each.distance}
                | ({} if each.matches is None else {"matches": each.matches})
                | ({"metadata": dict(each.metadata)} if each.metadata else {})
                for each in kept
            ]
            print(json.dumps(document, ensure_ascii=False))
        elif kept:
            columns = list(kept[0].metadata)
            table = Table("rank", "distance", "path", *columns)
            for each in kept:
                values = ("" if each.metadata[name] is None else str(each.metadata[name]) for name in columns)
                table.add_row(str(each.rank), f"{each.distance:.4f}", each.path, *values)
            out.print(table)
        if not kept:
            err.print("privis: nothing found", markup=False)
            raise SystemExit(NO)


def _reranker(name: RerankName | None) -> Any:
    match name:
        case RerankName.DIFFUSION:
            from privis.estimators.search.rerankers import Diffusion

            return Diffusion()
        case RerankName.GEOMETRIC:
            from privis.estimators.search.geometric_reranking import GeometricReRanking

            return GeometricReRanking()
    return None


def _unread(path: str, why: str) -> None:
    err.print(f"not compared: {why}", markup=False, soft_wrap=True)


def _recall(share: float) -> None:
    told = f"privis: the approximate search gave {100 * share:.1f} % of the exact answers of a sample"
    err.print(told, markup=False, soft_wrap=True)


def _check_drawing(path: Path) -> None:
    from privis.draw import FORMATS
    from privis.io.atomic import check_writable

    if path.suffix.lower() not in FORMATS:
        raise ParameterError(Problem("--draw", repr(path.suffix), f"a name that ends in {', '.join(FORMATS)}"))
    try:
        check_writable(path)
    except OutputError as error:
        raise OutputError(*error.problems) from None
