"""``PrivateFolder``: a temporary folder that ends with the process that made it, and with no child of a fork."""

from __future__ import annotations

import os
import shutil
import tempfile
import weakref
from pathlib import Path


class PrivateFolder:
    """A new folder that only this user may enter.

    Python's own `tempfile.TemporaryDirectory` is removed by every child of a fork that ends as programs do.

    Args:
        prefix: of its name.

    >>> folder = PrivateFolder("privis-")
    >>> folder.path.is_dir(), folder.remove(), folder.path.is_dir()
    (True, None, False)
    """

    def __init__(self, prefix: str) -> None:
        self.path = Path(tempfile.mkdtemp(prefix=prefix))
        self._end = weakref.finalize(self, _remove, self.path, os.getpid())

    def remove(self) -> None:
        """Delete it and all in it; twice is once."""
        self._end()


def _remove(path: Path, process: int) -> None:
    if os.getpid() == process:
        shutil.rmtree(path, ignore_errors=True)
