"""The release key of a pipeline: a path travels to the workers, and each of them loads the file that it finds there."""

from __future__ import annotations

import os
from pathlib import Path

from privis.errors import ParameterError, Problem
from privis.extraction.folder import key_mark
from privis.privacy import ReleaseKey


def travelling_path(key: str | os.PathLike[str] | None) -> str:
    """The path of a key as workers get it: absolute, unless it begins with an environment variable of theirs.

    Args:
        key: path of the file; ``$NAME`` and ``${NAME}`` stand for environment variables of each worker.

    Returns:
        The path, its variables as they stand.

    Raises:
        ParameterError: there is no key, or it is an object: workers could not draw the same noise again.

    >>> travelling_path("$KEYS/release.key")
    '$KEYS/release.key'
    """
    if isinstance(key, str | os.PathLike) and os.fspath(key):
        path = os.fspath(key)
        return path if path.startswith("$") else os.path.abspath(path)
    got = "no key" if key is None else f"a {type(key).__name__}"
    expected = "the path of a release key that every worker can read: what is computed again must have the same noise"
    remedy = "ReleaseKey.generate().save('release.key'), then key='release.key'"
    raise ParameterError(Problem("key", got, expected, remedy))


def worker_key(path: str, mark: str = "") -> ReleaseKey:
    """Load the key that a worker finds at ``path``.

    Args:
        path: as `travelling_path` gives it.
        mark: of the key that the pipeline was made with; empty: any key.

    Returns:
        The key.

    Raises:
        ParameterError: a variable that is not set, no key there, or another one.
    """
    found = os.path.expandvars(path)
    if "$" in found and not os.path.exists(found):
        expected = "environment variables that are set, here and on every worker"
        raise ParameterError(Problem("key", path, expected, "set them where the workers start"))
    key = ReleaseKey.load(Path(found))
    if mark and key_mark(key) != mark:
        expected = "the key that the pipeline was made with"
        raise ParameterError(Problem(path, "another release key on this worker", expected, "copy the same file there"))
    return key
