"""``privis query``: features of pictures from a server that cannot see them."""

from __future__ import annotations

import contextlib
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from privis.cli.console import QUIET_SECONDS, err, explained
from privis.cli.extract import AsJson, Inputs, MaxPixels, Output, tell
from privis.cli.keygen import Authority, OfferName
from privis.errors import ParameterError, Problem
from privis.folder import extract_folder
from privis.io.images import MAX_PIXELS
from privis.io.sources import find
from privis.stream import Progress as Files

if TYPE_CHECKING:
    from privis.serve.client import Step

KeysFolder = Annotated[Path, typer.Option("--keys", help="Folder that `privis keygen --for homomorphic` made.")]
ServerUrl = Annotated[str, typer.Option("--server", metavar="URL", help="The server, https://HOST:PORT.")]
TokenFile = Annotated[Path, typer.Option("--token-file", help="Your token, from the server's operator.")]
AtOnce = Annotated[int, typer.Option(min=1, max=64, help="Pictures at the server at a time, a process for each.")]
Patience = Annotated[float, typer.Option(min=0, help="Seconds that the server may be out of reach, or full.")]


def query(
    inputs: Inputs,
    server: ServerUrl,
    keys: KeysFolder,
    token_file: TokenFile,
    output: Output,
    offer: OfferName = None,
    authority: Authority = None,
    at_once: AtOnce = 1,
    patience: Patience = 60.0,
    max_pixels: MaxPixels = MAX_PIXELS,
    as_json: AsJson = False,
) -> None:
    """Let a server compute features of pictures that only you can see: it gets ciphertexts, you get a table.

    privis query scan.png --server https://HOST:8443 --keys keys/ --token-file alice.token -o features.parquet
    """
    with explained():
        from privis.cli.offers import feature_of
        from privis.serve.remote import Remote  # decrypts: not a part of every command's process

        remote = Remote(server, keys, token_file, authority, patience)
        terms = remote.terms
        if offer not in (None, terms.name):
            raise ParameterError(Problem("--offer", offer, f"{terms.name}, which these keys are for"))
        sources = find(inputs, sys.stdin)
        with following(terms.name) as (show_files, show_step):
            result = extract_folder(
                feature_of(terms),
                sources,
                output,
                under=replace(remote, on_step=show_step),
                workers=min(at_once, len(sources)),
                chunk=1,  # what was computed in seconds is not computed again after an interruption
                max_pixels=max_pixels,
                on_progress=show_files,
            )
        tell(result, as_json)


@contextlib.contextmanager
def following(label: str) -> Iterator[tuple[Callable[[Files], None], Callable[[Step], None]]]:
    """Pictures done, and how far the one at the server is; now and then a line where there is no terminal."""
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

    def step(self, step: Step) -> None:
        self._say(said(step), False)

    def _say(self, text: str, last: bool) -> None:
        now = time.monotonic()
        if last or now - self._last >= QUIET_SECONDS:
            self._last = now
            err.print(f"{self._label}: {text}", markup=False, soft_wrap=True)


def said(step: Step) -> str:
    """A step in words.

    >>> from privis.serve.client import Step
    >>> said(Step("running", 0.5, 3.2)), said(Step("queued", 0.0))
    ('running, 50 %, 3 s left', 'queued')
    """
    share = f", {100 * step.done:.0f} %" if step.done else ""
    left = f", {step.eta_seconds:.0f} s left" if step.eta_seconds else ""
    return f"{step.phase}{share}{left}"
