"""Which images a run reads: files, folders, globs and lists become one ordered tuple of paths."""

from __future__ import annotations

import fnmatch
import glob
import os
from collections.abc import Iterator, Sequence
from typing import TextIO

from privis.errors import ImageError, ParameterError, Problem, refuse
from privis.io.images.decode import SUFFIXES
from privis.io.images.dicom.recognition import is_dicom
from privis.io.images.file_parts import file_part
from privis.io.images.videos.video_files import VIDEO_SUFFIXES
from privis.io.objects.listing import CONTAINERS, is_container, list_container, list_remote
from privis.io.objects.source_names import is_elsewhere, is_remote, refuse_secrets, source_key

_LIST_OF_A_DISC = "DICOMDIR"


def find(inputs: Sequence[str], stdin: TextIO | None = None, *, videos: bool = False) -> tuple[str, ...]:
    """List the paths that ``inputs`` name, in a fixed order and each once.

    Every input is one of

    - a file, taken whatever its name, or a part of one (`privis.io.images.file_parts`);
    - a folder, searched at every depth for names that end like an image's (`privis.io.images.decode.SUFFIXES`), sorted
      by path, and for DICOM files, which often have no ending or that of a UID: a name without one, or whose ending
      begins with a digit, is opened. DICOMDIR, the list of a disc, is passed over. Names that begin with a dot are
      passed over, links are followed, and a folder that was entered before (a loop of links) is not entered again;
    - a glob (``*``, ``?``, ``[...]``, ``**`` for any depth), which gives the images it matches, sorted;
    - a name in a store or on a server: an object, a folder (it ends with ``/``), or a glob
      (`privis.io.objects.listing.list_remote`);
    - a tar shard (``.tar``) or Parquet table (``.parquet``), or a glob that matches some: the images they hold, by the
      names of `privis.io.objects.source_names`; folders do not give what shards and tables within them hold;
    - ``-``: paths of files from ``stdin``, one per line or, if there is a NUL character, NUL-separated. They are not
      looked at here: asking for a million of them one by one would take long on a network disk.

    With ``videos``, folders and globs also give files whose names end like a video's (`VIDEO_SUFFIXES`).

    The inputs keep their order; an image that is named twice keeps its first place. Paths stay as given.

    Raises:
        ParameterError: inputs that do not exist, cannot be read or hold no image (all at once), or no input.
    """
    problems: list[Problem] = []
    found: dict[str, str] = {}
    for name in inputs:
        paths = _expand(name, stdin, problems, SUFFIXES | VIDEO_SUFFIXES if videos else SUFFIXES)
        found.update((key, path) for path in paths if (key := source_key(path)) not in found)
    if not inputs:
        problems.append(Problem("inputs", "nothing", "files, folders, globs or -", "name a folder of images"))
    refuse(ParameterError, problems)
    refuse_secrets(found)
    return tuple(found.values())


def _expand(name: str, stdin: TextIO | None, problems: list[Problem], suffixes: frozenset[str]) -> Sequence[str]:
    if name == "-":
        return _listed(stdin, problems)
    if is_remote(name):
        return _remote(name, problems, suffixes)
    if os.path.isdir(name):
        paths = sorted(_walk(name, set(), problems, suffixes))
        expected = f"images ({' '.join(sorted(suffixes))}) at any depth"
        remedy = "name another folder, or the files themselves if they have other names"
    elif os.path.exists(name) or os.path.exists(file_part(name).path):
        if not is_container(name):
            return (name,)
        paths = list_container(name, suffixes)
        expected, remedy = "a shard or table with images", "name another one"
    elif is_elsewhere(name):
        return (name,)
    elif glob.has_magic(name):
        paths = list(_unpacked(sorted(_match(name, problems, suffixes | CONTAINERS)), suffixes))
        expected = "a pattern that matches images"
        remedy = "put it in quotes, so that the shell leaves it alone, and check the folder"
    else:
        problems.append(Problem(name, "no such file or folder", "one that exists", "check the path"))
        return ()
    if not paths:
        problems.append(Problem(name, "no image", expected, remedy))
    return paths


def _remote(name: str, problems: list[Problem], suffixes: frozenset[str]) -> Sequence[str]:
    try:
        refuse_secrets([name])
        paths = list_remote(name, suffixes)
    except (ImageError, ParameterError) as error:
        problems.extend(error.problems)
        return ()
    if not paths:
        expected = f"images ({' '.join(sorted(suffixes))})"
        problems.append(Problem(name, "no image", expected, "check the name; that of a folder ends with /"))
    return paths


def _unpacked(paths: Sequence[str], suffixes: frozenset[str]) -> Iterator[str]:
    for path in paths:
        yield from list_container(path, suffixes) if is_container(path) else (path,)


def _listed(stdin: TextIO | None, problems: list[Problem]) -> Sequence[str]:
    try:
        text = stdin.read() if stdin is not None else ""
    except UnicodeDecodeError as error:
        problems.append(
            Problem("-", f"bytes that are no text ({error})", "paths", "set PYTHONIOENCODING=:surrogateescape")
        )
        return ()
    lines = text.split("\0") if "\0" in text else (line.removesuffix("\r") for line in text.split("\n"))
    paths = [line for line in lines if line.strip()]
    if not paths:
        remedy = "pipe a list into the command: find . -name '*.jpg' | privis extract - ..."
        problems.append(Problem("-", "no path on standard input", "one path per line", remedy))
    return paths


def _is_image(name: str, suffixes: frozenset[str]) -> bool:
    return os.path.splitext(name)[1].lower() in suffixes


def _is_unnamed_dicom(entry: os.DirEntry[str]) -> bool:
    ending = os.path.splitext(entry.name)[1]
    if entry.name == _LIST_OF_A_DISC or not (ending == "" or ending[1:2].isdigit()):
        return False
    try:
        return entry.is_file() and is_dicom(entry.path)
    except OSError:
        return False


def _walk(
    folder: str, entered: set[tuple[int, int]], problems: list[Problem], suffixes: frozenset[str]
) -> Iterator[str]:
    """Images below ``folder``; one `os.stat` per folder and none per file whose name tells what it is."""
    pending = [folder]
    while pending:
        folder = pending.pop()
        try:
            status = os.stat(folder)
            if (identity := (status.st_dev, status.st_ino)) in entered:
                continue
            entered.add(identity)
            entries = sorted(os.scandir(folder), key=lambda entry: entry.name)
        except FileNotFoundError:  # removed meanwhile
            continue
        except OSError as error:
            problems.append(Problem(folder, f"a folder that cannot be read ({error.strerror})", "its list of files"))
            continue
        for entry in entries:
            if entry.name.startswith("."):
                continue
            if _is_folder(entry):
                pending.append(entry.path)
            elif _is_image(entry.name, suffixes) or _is_unnamed_dicom(entry):
                yield os.path.normpath(entry.path)


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:  # a link to itself
        return False


def _match(pattern: str, problems: list[Problem], suffixes: frozenset[str]) -> Iterator[str]:
    """Images that a glob names; `glob` would go round loops of links below ``**``, so `_walk` goes there."""
    parts = pattern.split("/")
    if "**" not in parts:
        yield from (path for path in glob.iglob(pattern) if _is_image(os.path.basename(path), suffixes))
        return
    depth = parts.index("**")
    head = "/".join(parts[:depth]) or ("/" if depth else ".")
    entered: set[tuple[int, int]] = set()
    for root in sorted(glob.glob(head)):
        for path in _walk(root, entered, problems, suffixes):
            if _fits(os.path.relpath(path, root).split("/"), parts[depth:]):
                yield path


def _fits(names: Sequence[str], pattern: Sequence[str]) -> bool:
    if not pattern:
        return not names
    if pattern[0] == "**":
        return _fits(names, pattern[1:]) or (bool(names) and _fits(names[1:], pattern))
    return bool(names) and fnmatch.fnmatchcase(names[0], pattern[0]) and _fits(names[1:], pattern[1:])
