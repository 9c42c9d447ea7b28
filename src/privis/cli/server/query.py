"""``privis query``: features of images, and matches of vectors, from a server that cannot see them."""

from __future__ import annotations

import contextlib
import json
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from privis.cli.console import QUIET_SECONDS, err, explained, out
from privis.cli.extract import AsJson, Bits, Inputs, MaxPixels, Parameters, tell
from privis.cli.extraction.dicom_options import Window
from privis.cli.files.predictions import write_predictions
from privis.cli.keygen import Authority, OfferName
from privis.cli.server.query_decisions import COLUMNS as DECISION_COLUMNS
from privis.cli.server.query_decisions import GalleryQuestion, decisions, require_asked
from privis.cli.server.query_gallery import COLUMNS as SCORE_COLUMNS
from privis.cli.server.query_gallery import check_output, nearest, vectors_of, write
from privis.errors import ParameterError, PrivisError, Problem
from privis.extraction.folder import FolderResult, extract_folder
from privis.io.atomic import check_writable
from privis.io.images.decode import MAX_PIXELS, Decoding
from privis.io.images.dicom.reading import FILE, DicomReading
from privis.io.images.sources import find
from privis.io.resumable.run import Progress as Files

if TYPE_CHECKING:
    from privis.serve.client.client import RequestProgress
    from privis.serve.offerings.offering import Terms

Answers = Callable[..., Iterator[Sequence[tuple[Any, ...]]]]
"""Of a client, labelled vectors, and what is told of progress: the rows about each vector."""

KEPT = "Results are decrypted here and do not go back to the server."

KeysFolder = Annotated[Path, typer.Option("--keys", help="Folder that `privis keygen --for homomorphic` made.")]
ServerUrl = Annotated[str, typer.Option("--server", metavar="URL", help="The server, https://HOST:PORT.")]
TokenFile = Annotated[Path, typer.Option("--token-file", help="Your token, from the server's operator.")]
AtOnce = Annotated[int, typer.Option(min=1, max=64, help="Images at the server at a time, a process for each.")]
Patience = Annotated[float, typer.Option(min=0, help="Seconds that the server may be out of reach, or full.")]


PredictionsFile = Annotated[
    Path | None, typer.Option("--predictions", help="Head: CSV file with the class of every image, decided here.")
]


def query(
    inputs: Inputs,
    server: ServerUrl,
    keys: KeysFolder,
    token_file: TokenFile,
    output: Annotated[Path, typer.Option("-o", "--output", help="Table, as of extract; matches: .csv or .json.")],
    offer: OfferName = None,
    authority: Authority = None,
    at_once: AtOnce = 1,
    patience: Patience = 60.0,
    max_pixels: MaxPixels = MAX_PIXELS,
    bits: Bits = None,
    window: Window = FILE,
    feature: Annotated[str | None, typer.Option("-f", "--feature", help="Gallery: of images, computed here.")] = None,
    parameter: Parameters = None,
    top: Annotated[int, typer.Option(min=1, help="Gallery of scores: how many templates to list.")] = 5,
    question: Annotated[
        GalleryQuestion | None, typer.Option(help="Gallery of decisions: which match, whether any, how many, a claim.")
    ] = None,
    claim: Annotated[str | None, typer.Option(help="Gallery of decisions: claimed template, name or number.")] = None,
    scores: Annotated[bool, typer.Option("--scores", help="Gallery of scores: yes, every cosine.")] = False,
    predictions: PredictionsFile = None,
    as_json: AsJson = False,
) -> None:
    """Let a server compute on images, or match vectors, that only you can see: it gets ciphertexts, you the results.

    privis query scan.png --server https://HOST:8443 --keys keys/ --token-file alice.token -o features.parquet

    privis query faces.npz --server https://HOST:8443 --keys keys/ --token-file alice.token -o matches.csv
    """
    with explained():
        from privis.serve.client.key_folder import KeyFolder  # decrypts later: not a part of every command's process

        require_usable(server, token_file, authority)
        terms = KeyFolder(keys).terms()
        if offer not in (None, terms.name):
            raise ParameterError(Problem("--offer", offer, f"{terms.name}, which these keys are for"))
        if predictions is not None:
            check_writable(predictions)
            if "head" not in terms.words:
                raise ParameterError(Problem("--predictions", f"offer {terms.name}", "an offer of a head"))
        if "gallery" in terms.words:
            if require_asked(terms.words["gallery"], scores, question, claim):
                asked = question or GalleryQuestion.ALL
                answers = lambda *each: decisions(each[0], keys, each[1], asked, claim, each[2])  # noqa: E731
                columns = DECISION_COLUMNS
            else:
                answers = lambda *each: nearest(each[0], keys, each[1], top, each[2])  # noqa: E731
                columns = SCORE_COLUMNS
            vectors = (inputs, feature, parameter or [])
            rows = _matches(vectors, server, token_file, output, authority, patience, answers, columns)
            seen = f"Only you see queries and matches; the server got ciphertexts. {KEPT}"
            told = f"{len(rows):,} matches in {output}\n{seen}"
            print(json.dumps({"output": str(output), "rows": len(rows)})) if as_json else out.print(told, markup=False)
            return
        if feature is not None or parameter:
            got, remedy = "given", "the offer says which feature it is; -f is for galleries"
            raise ParameterError(Problem("-f, -p", got, f"left out for {terms.name}", remedy))
        result = _features(
            terms, inputs, server, keys, token_file, output, authority, patience, at_once,
            Decoding(max_pixels, bits, DicomReading(window)),
        )  # fmt: skip
        if predictions is not None:
            _decide(terms, output, predictions)
        tell([result], as_json, KEPT)


def _decide(terms: Terms, table: Path, predictions: Path) -> None:
    """Name the class of every row of scores, on the client's side."""
    from privis.cli.server.offerings import feature_of
    from privis.io import tables
    from privis.serve.client.remote_model import PrivateHead

    feature, read = feature_of(terms), tables.read(table)
    assert isinstance(feature, PrivateHead)
    write_predictions(predictions, read.paths, feature.classes, feature.decide(read.features))


def require_usable(server: str, token_file: Path, authority: Path | None) -> None:
    """Refuse a token, a certificate or a URL that is none before anything long begins; asks the server nothing."""
    from privis.serve.client.client import Client
    from privis.serve.http.tokens import Token

    Client(server, Token.load(token_file), authority=authority).close()


def _features(
    terms: Terms,
    inputs: list[str],
    server: str,
    keys: Path,
    token_file: Path,
    output: Path,
    authority: Path | None,
    patience: float,
    at_once: int,
    decoding: Decoding,
) -> FolderResult:
    from privis.cli.server.offerings import feature_of
    from privis.io import tables
    from privis.serve.client.executor import Remote

    sources = find(inputs, sys.stdin)
    tables.check(output)
    with following(terms.name) as (show_files, show_step):
        return extract_folder(
            feature_of(terms),
            sources,
            output,
            under=Remote(server, keys, token_file, authority, patience, show_step),
            workers=min(at_once, len(sources)),
            chunk=terms.estimate.images,  # what was computed in seconds is not computed again after an interruption
            max_pixels=decoding.max_pixels,
            bits=decoding.bits,
            dicom=decoding.dicom,
            on_progress=show_files,
        )


def _matches(
    asked: tuple[list[str], str | None, list[str]],
    server: str,
    token_file: Path,
    output: Path,
    authority: Path | None,
    patience: float,
    answers: Answers,
    columns: Sequence[str],
) -> list[tuple[Any, ...]]:
    from privis.serve.client.client import Client
    from privis.serve.http.tokens import Token

    check_output(output)
    vectors = list(vectors_of(*asked))
    token = Token.load(token_file)
    with Client(server, token, authority=authority, patience=patience) as client, following("match") as (files, step):
        start = time.monotonic()

        def show(done: int, found: RequestProgress) -> None:
            past = time.monotonic() - start
            eta = past * (len(vectors) - done) / done if done else None
            files(Files(done, 0, len(vectors), past, eta))
            step(found)

        answered: list[Sequence[tuple[Any, ...]]] = []
        try:
            for found in answers(client, vectors, show):
                answered.append(found)
        except PrivisError as error:  # what was answered was counted, too: asked again it would be once more
            if not answered:
                raise
            write(output, [row for found in answered for row in found], columns)
            got = f"answers for {len(answered):,} of {len(vectors):,} vectors, which are in {output}"
            kept = Problem(str(output), got, "all of them", "ask for the others alone")
            raise type(error)(*error.problems, kept) from error
    rows = [row for found in answered for row in found]
    write(output, rows, columns)
    return rows


@contextlib.contextmanager
def following(label: str) -> Iterator[tuple[Callable[[Files], None], Callable[[RequestProgress], None]]]:
    """Images done, and how far the one at the server is; now and then a line where there is no terminal."""
    if not err.is_terminal:
        lines = _Lines(label)
        yield lines.files, lines.step
        return
    columns = (TextColumn(label), BarColumn(), MofNCompleteColumn(), TextColumn("{task.fields[text]}"))
    with Progress(*columns, TimeRemainingColumn(), console=err) as bar:
        task = bar.add_task(label, total=None, text="")

        def files(found: Files) -> None:
            text = f"[red]{found.failed} failed[/red]" if found.failed else ""
            bar.update(task, total=found.total, completed=found.done, text=text)

        yield files, lambda step: bar.update(task, text=said(step))


class _Lines:
    def __init__(self, label: str) -> None:
        self._label, self._last = label, time.monotonic()

    def files(self, found: Files) -> None:
        failed = f", {found.failed} failed" if found.failed else ""
        left = "" if found.eta_seconds is None else f", {found.eta_seconds:.0f} s left"
        self._say(f"{found.done:,} of {found.total:,} files{failed}{left}", found.done == found.total)

    def step(self, step: RequestProgress) -> None:
        self._say(said(step), False)

    def _say(self, text: str, last: bool) -> None:
        now = time.monotonic()
        if last or now - self._last >= QUIET_SECONDS:
            self._last = now
            err.print(f"{self._label}: {text}", markup=False, soft_wrap=True)


def said(step: RequestProgress) -> str:
    """A step in words.

    >>> from privis.serve.client.client import RequestProgress
    >>> said(RequestProgress("running", 0.5, 3.2)), said(RequestProgress("queued", 0.0))
    ('running, 50 %, 3 s left', 'queued')
    """
    share = f", {100 * step.done:.0f} %" if step.done else ""
    left = f", {step.eta_seconds:.0f} s left" if step.eta_seconds else ""
    return f"{step.phase}{share}{left}"
