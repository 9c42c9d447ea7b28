"""``privis studio``: the page, in a browser of this machine."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import tempfile
import threading
import webbrowser
from collections.abc import Iterator
from html import escape
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Annotated

import typer

from privis.cli.console import explained, out
from privis.errors import ParameterError, Problem, ServiceError

if TYPE_CHECKING:
    from privis.cli.studio.access import Access

Port = Annotated[int, typer.Option(min=0, max=65535, help="Port of this machine to listen on; 0: a free one.")]
Browser = Annotated[bool, typer.Option("--browser/--no-browser", help="Open the page.")]
Language = Annotated[str | None, typer.Option(help="en or zh; else what the browser asks for.")]


def studio(port: Port = 0, browser: Browser = True, language: Language = None) -> None:
    """Open a page on this machine: drop an image, see what leaves.

    privis studio

    privis studio --no-browser --port 8765

    Only a browser of this machine that has the whole address can use it. Nothing is sent anywhere. What is dropped,
    and what is made of it, lies in memory until the command ends (Ctrl+C).
    """
    with explained():
        from privis.cli.studio.access import Access
        from privis.cli.studio.catalogue import LANGUAGES
        from privis.cli.studio.studio_app import Studio

        if language is not None and language not in LANGUAGES:
            raise ParameterError(Problem("--language", repr(language), f"one of {', '.join(LANGUAGES)}"))
        with _ended_by_signals(), _listening(port) as listening:
            access = Access(listening.getsockname()[1])
            opened = Studio(language)
            threading.Thread(target=opened.images.warm, daemon=True).start()
            out.print(access.url, markup=False, soft_wrap=True)
            out.print("Whoever has this address can use the page. Ctrl+C ends it.", markup=False)
            with _redirection(access) if browser else contextlib.nullcontext() as start:
                if start is not None:
                    webbrowser.open(start.as_uri())
                try:
                    _serve(opened.application(access), listening)
                finally:
                    opened.commands.close()


@contextlib.contextmanager
def _listening(port: int) -> Iterator[socket.socket]:
    """A socket on loopback; ServiceError: the port is taken."""
    with socket.socket() as listening:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listening.bind(("127.0.0.1", port))
        except OSError as error:
            reason = error.strerror or "an error"
            raise ServiceError(Problem("--port", f"{port}: {reason}", "a free port", "leave it out")) from None
        listening.listen(64)
        yield listening


@contextlib.contextmanager
def _ended_by_signals() -> Iterator[None]:
    """SIGTERM and a closed terminal end the command as Ctrl+C does: with its processes, and with what they wrote."""

    def end(number: int, frame: FrameType | None) -> None:
        raise SystemExit(128 + number)

    names = [name for name in ("SIGTERM", "SIGHUP") if hasattr(signal, name)]
    numbers = [getattr(signal, name) for name in names]
    before = [signal.signal(number, end) for number in numbers]
    try:
        yield
    finally:
        for number, handler in zip(numbers, before, strict=True):
            signal.signal(number, handler)


@contextlib.contextmanager
def _redirection(access: Access) -> Iterator[Path]:
    """A file that only this user reads and that leads to the page: the address must not be in a browser's arguments."""
    with tempfile.TemporaryDirectory(prefix="privis-studio-") as folder:
        path = Path(folder, "open.html")
        file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(file, "w", encoding="utf-8") as writing:
            writing.write(f'<!DOCTYPE html><meta http-equiv="refresh" content="0;url={escape(access.url)}">')
        yield path


def _serve(application: object, listening: socket.socket) -> None:
    import uvicorn

    settings = uvicorn.Config(
        application,  # type: ignore[arg-type]
        log_level="critical",
        access_log=False,
        server_header=False,
        date_header=False,
        lifespan="off",
        ws="none",
        timeout_graceful_shutdown=2,
    )
    uvicorn.Server(settings).run([listening])
