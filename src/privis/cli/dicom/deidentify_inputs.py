"""Which files a de-identification reads, and what is refused before any work begins."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from privis.errors import ParameterError, Problem, refuse


@dataclass(frozen=True)
class NamedFile:
    """A file, and what it is called in the log.

    Args:
        source: path as given.
        name: below the folder that was given, or the file's own.
    """

    source: str
    name: str


def named_files(inputs: Sequence[str], output: Path) -> tuple[NamedFile, ...]:
    """List all files of folders, and files.

    Args:
        inputs: files and folders.
        output: the folder of copies.

    Returns:
        Each file once.

    Raises:
        ParameterError: nothing there, or the output lies in an input or is one.
    """
    problems: list[Problem] = []
    found: dict[str, NamedFile] = {}
    real = os.path.realpath(output)
    for word in inputs:
        path = os.path.realpath(word)
        if os.path.isdir(word):
            if real == path or real.startswith(os.path.join(path, "")):
                remedy = "choose a folder elsewhere: originals are never replaced, and copies are no inputs"
                problems.append(
                    Problem("-o", f"{output}, which is in {word}", "a folder outside of the inputs", remedy)
                )
            paths = _below(word)
            if not paths:
                problems.append(Problem("IN", f"{word}, an empty folder", "DICOM files"))
            for each in paths:
                found.setdefault(os.path.realpath(each), NamedFile(each, os.path.relpath(each, word)))
        elif os.path.isfile(word):
            found.setdefault(path, NamedFile(word, os.path.basename(word)))
        else:
            problems.append(Problem("IN", f"{word}, which is no file or folder", "DICOM files, or folders of them"))
        if not os.path.isdir(word) and path.startswith(os.path.join(real, "")):
            problems.append(Problem("-o", f"{output}, which holds {word}", "a folder without inputs"))
    if output.exists() and not output.is_dir():
        problems.append(Problem("-o", f"{output}, a file", "a folder", "choose another name"))
    refuse(ParameterError, problems)
    return tuple(found.values())


def _below(folder: str) -> list[str]:
    """Regular files at any depth, hidden ones left out, in the order of their names."""
    paths = []
    for parent, folders, names in os.walk(folder):
        folders[:] = sorted(each for each in folders if not each.startswith("."))
        paths += [os.path.join(parent, name) for name in sorted(names) if not name.startswith(".")]
    return [path for path in paths if os.path.isfile(path)]
