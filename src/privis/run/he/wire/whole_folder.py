"""A new folder that appears whole or not at all."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from privis.errors import OutputError, Problem


@contextmanager
def whole_folder(folder: Path) -> Iterator[Path]:
    """Make a folder under another name, and rename it when all is in it.

    Args:
        folder: new, or empty.

    Yields:
        The unfinished folder, beside it.

    Raises:
        OutputError: there is something in the folder, or it cannot be written.
    """
    require_empty(folder)
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        unfinished = Path(tempfile.mkdtemp(prefix=f".{folder.name}.", suffix=".unfinished", dir=folder.parent))
        try:
            yield unfinished
            unfinished.chmod(0o755)
            os.rename(unfinished, folder)
        except BaseException:
            shutil.rmtree(unfinished, ignore_errors=True)
            raise
    except OSError as error:
        got = error.strerror or str(error)
        raise OutputError(Problem(str(folder), got, "a new directory", "choose another place")) from error


def require_empty(folder: Path) -> None:
    """Refuse a folder in which something is; OutputError says so."""
    if folder.is_symlink() or (folder.exists() and not (folder.is_dir() and not any(folder.iterdir()))):
        remedy = "nothing is overwritten: choose another place, or remove it"
        raise OutputError(Problem(str(folder), "something that is there", "a new or empty directory", remedy))
