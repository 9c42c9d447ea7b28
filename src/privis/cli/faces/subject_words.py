"""From ``--subject-from`` to whose every picture is."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TextIO

from privis.errors import ParameterError, Problem, refuse
from privis.io.images.manifest import read_subjects
from privis.io.images.sources import find
from privis.subjects import shortened, subject_ids

FORMS = "folder, filename, filename:REGEX, or column:NAME"
_NUMBERED = re.compile(r"(.*[^\d_.\- ])[_.\- ]+\d+$")
"""A name and the number of a picture, as in ann_0001."""


@dataclass(frozen=True)
class NamedPictures:
    """Pictures and whose they are.

    Args:
        paths: as they were given.
        subjects: one id each.
        advice: what may be meant otherwise, in words; empty: nothing.
        unnamed: pictures without a subject, and why.
    """

    paths: tuple[str, ...]
    subjects: tuple[str, ...]
    advice: str = ""
    unnamed: dict[str, Problem] = field(default_factory=dict)


def named_pictures(
    inputs: Sequence[str], source: str, stdin: TextIO | None = None, *, videos: bool = False
) -> NamedPictures:
    """Read whose every picture is.

    - ``folder``: of a folder that is given, each sub-folder holds one person's pictures, at any depth, and is called
      like the person; a folder without sub-folders is one person's; a file that is given has the name of its folder.
    - ``filename``: the name without its ending; two names are two people.
    - ``filename:REGEX``: what the first group (or the one named ``subject``) finds in the name without its ending, the
      whole match where there is no group.
    - ``column:NAME``: inputs are CSV files with the columns path and NAME.

    Args:
        inputs: files, folders, globs, ``-``, or CSV files.
        source: one of these words.
        stdin: where ``-`` reads.
        videos: whether folders also give videos.

    Returns:
        Every picture once, and those for which there is no subject.

    Raises:
        ParameterError: naming everything that does not fit.
    """
    kind, separator, rest = source.partition(":")
    if kind == "column" and rest:
        return _listed(inputs, rest)
    if source == "folder":
        return _by_folder(inputs, stdin, videos)
    if kind == "filename" and bool(separator) == bool(rest):
        return _by_name(find(inputs, stdin, videos=videos), rest)
    raise ParameterError(Problem("--subject-from", repr(source), f"one of {FORMS}"))


def _listed(inputs: Sequence[str], column: str) -> NamedPictures:
    found: dict[str, str] = {}
    problems = []
    for name in inputs:
        try:
            manifest = read_subjects(Path(name), column)
        except ParameterError as error:
            problems += error.problems
            continue
        for path, subject in zip(manifest.paths, manifest.subjects, strict=True):
            if found.setdefault(path, subject) != subject:
                got = f"{path} under {found[path]!r} and {subject!r}"
                problems.append(Problem(name, got, "one person per image"))
    refuse(ParameterError, shortened(problems, "--subject-from"))
    return NamedPictures(tuple(found), tuple(found.values()))


def _by_folder(inputs: Sequence[str], stdin: TextIO | None, videos: bool) -> NamedPictures:
    names: dict[str, tuple[str, str]] = {}
    unnamed, problems = {}, []
    for given in inputs:
        try:
            paths = find([given], stdin, videos=videos)
        except ParameterError as error:
            problems += error.problems
            continue
        parts = [_below(path, given) for path in paths]
        nested = any(len(each) > 1 for each in parts)
        for path, below in zip(paths, parts, strict=True):
            key = os.path.abspath(path)
            if len(below) == 1 and nested:
                got, remedy = f"a picture beside the folders of people in {given}", "move it into its person's folder"
                unnamed[path] = Problem(path, got, "one in a folder that is called like a person", remedy)
            else:
                own = os.path.basename(os.path.dirname(key))
                names.setdefault(key, (path, below[0] if nested else own))
    refuse(ParameterError, problems)
    return _checked(names, "", unnamed)


def _below(path: str, given: str) -> tuple[str, ...]:
    """Parts of ``path`` below the folder that was given; of a file that was given its name alone."""
    if os.path.isdir(given):
        return Path(os.path.relpath(path, given)).parts
    return (os.path.basename(path),)


def _by_name(paths: Sequence[str], pattern: str) -> NamedPictures:
    if not pattern:
        return _checked({os.path.abspath(path): (path, Path(path).stem) for path in paths}, _advice(paths))
    try:
        rule = re.compile(pattern)
    except re.error as error:
        raise ParameterError(
            Problem("--subject-from", f"filename:{pattern} ({error})", "a regular expression")
        ) from None
    names: dict[str, tuple[str, str]] = {}
    unnamed = {}
    for path in paths:
        match = rule.search(Path(path).stem)
        group = "subject" if "subject" in rule.groupindex else min(1, rule.groups)
        if match is None or not match[group]:
            got = f"the name {Path(path).stem!r}, in which {pattern!r} finds nothing"
            unnamed[path] = Problem(
                path, got, "a name that says whose picture it is", "rename it, or widen the pattern"
            )
        else:
            names[os.path.abspath(path)] = (path, match[group])
    return _checked(names, "", unnamed)


def _advice(paths: Sequence[str]) -> str:
    """Names that are numbered are probably several pictures of one person."""
    stems = sorted(Path(path).stem for path in paths)
    groups: dict[str, list[str]] = {}
    for stem in stems:
        if match := _NUMBERED.match(stem):
            groups.setdefault(match[1], []).append(stem)
    first = next((names for names in groups.values() if len(names) > 1), None)
    if first is None:
        return ""
    return (
        f"--subject-from filename takes the whole name: {first[0]!r} and {first[1]!r} are two people; if they are one, "
        r"say --subject-from 'filename:(.+?)([_.\- ]+\d+)?$'"
    )


def _checked(
    names: dict[str, tuple[str, str]], advice: str, unnamed: dict[str, Problem] | None = None
) -> NamedPictures:
    paths = tuple(path for path, _ in names.values())
    ids = subject_ids([name for _, name in names.values()], "--subject-from", paths) if names else ()
    return NamedPictures(paths, ids, advice, unnamed or {})
