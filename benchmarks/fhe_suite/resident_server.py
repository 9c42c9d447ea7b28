"""A ``privis serve`` of a submission's networks, as a process that stays, and the environment that names it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from privis.serve.http.tokens import issue
from privis.serve.submission.remote.backend import TOKEN_FILE, URL

LIMITS = ("--limit", "message-bytes=1GiB", "--limit", "grace-seconds=1")


@contextmanager
def running_server(submission: Path, *offers: Path) -> Iterator[str]:
    """Meanwhile a server runs on this machine, and stages ask it.

    Args:
        submission: the directory that ``privis stage init --remote`` wrote; the server's files lie beside it.
        offers: what it serves; the networks of all sizes unless said.

    Yields:
        The URL of the server.

    Raises:
        RuntimeError: it did not start, or did not end as it should.
    """
    place = submission.parent
    issue("harness", place / "tokens", place / "token")
    words = [word for path in offers or (submission / "server",) for word in ("--offer", str(path))]
    words += ["--tokens", "tokens", "--state", "state", "--listen", "127.0.0.1:0", "--answers", "unlimited", *LIMITS]
    process = subprocess.Popen(
        [sys.executable, "-m", "privis", "serve", *words], cwd=place, stderr=subprocess.PIPE, text=True
    )
    assert process.stderr is not None
    url = next((line.split(": ")[0] for line in process.stderr if line.startswith("http")), "")
    before = {name: os.environ.get(name) for name in (URL, TOKEN_FILE)}
    os.environ.update({URL: url, TOKEN_FILE: str(place / "token")})
    try:
        if not url:
            raise RuntimeError("the server did not start")
        yield url
    finally:
        for name, value in before.items():
            os.environ.pop(name) if value is None else os.environ.update({name: value})
        process.send_signal(signal.SIGINT)
        _, log = process.communicate(timeout=60)
    if process.returncode or "Traceback" in log:
        raise RuntimeError(f"the server ended with {process.returncode}: {log[-2000:]}")
