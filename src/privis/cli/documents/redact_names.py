"""Where the painted copy of every picture goes, and what is refused before any work begins."""

from __future__ import annotations

import glob
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO

from privis.errors import ImageError, ParameterError, Problem, refuse
from privis.io.images.dicom.recognition import is_dicom
from privis.io.images.pages import still_format
from privis.io.images.same_files import file_identity
from privis.io.images.sources import find
from privis.io.images.videos.video_files import is_video
from privis.io.video.encoded_video import form_of

_SHOWN = 3
_ENDINGS = {"PNG": ".png", "TIFF": ".tif"}


@dataclass(frozen=True)
class NamedPicture:
    """A picture and its copy.

    Args:
        source: path as given.
        name: of the copy below the folder of outputs.
        is_video: whether it is read as frames with times.
    """

    source: str
    name: str
    is_video: bool = False


def named_pictures(inputs: Sequence[str], output: Path, stdin: TextIO | None) -> tuple[NamedPicture, ...]:
    """List pictures with the names of their copies: below a folder as there, otherwise the file's own name.

    A copy of a DICOM file is a PNG or TIFF, one of a video whose format is not written an MP4: they get that ending
    behind their own.

    Raises:
        ParameterError: inputs that hold no picture; two pictures of one name; the output is, or lies in, an input.
    """
    problems: list[Problem] = []
    named: dict[str, NamedPicture] = {}
    for word in inputs:
        try:
            paths = find([word], stdin, videos=True)
        except ParameterError as error:
            problems += error.problems
            continue
        base = _base(word)
        if base is not None and _lies_in(output, base):
            remedy = "choose a folder elsewhere: originals are never replaced, and copies are no inputs"
            problems.append(Problem("-o", f"{output}, which is in {base}", "a folder outside of the inputs", remedy))
        for path in paths:
            name = os.path.basename(path) if base is None else os.path.relpath(path, base)
            if os.path.isfile(path) and is_dicom(path):  # its copy is a picture without a header, and says so
                name += _ENDINGS.get(_stored_as(path), "")
            video = is_video(path)
            if video and Path(name).suffix.lower() != form_of(name).suffix:
                name += form_of(name).suffix
            named.setdefault(os.path.abspath(path), NamedPicture(path, os.path.normpath(name), video))
    if not inputs:
        problems.append(Problem("IN", "nothing", "files, folders, globs or -", "name a folder of pictures"))
    refuse(ParameterError, problems)
    pictures = tuple(named.values())
    refuse(ParameterError, [*_twice(pictures), *_over_inputs(pictures, output)])
    return pictures


def _stored_as(path: str) -> str:
    try:
        return still_format(path)
    except ImageError:  # listed when its turn comes
        return ""


def _base(word: str) -> str | None:
    """The folder that names of copies begin in, None for a single file."""
    if word == "-":
        return None
    if os.path.isdir(word):
        return word
    if not os.path.exists(word) and glob.has_magic(word):
        parts = word.split("/")
        fixed = next(number for number, part in enumerate(parts) if glob.has_magic(part))
        return "/".join(parts[:fixed]) or ("/" if word.startswith("/") else ".")
    return None


def _lies_in(output: Path, folder: str) -> bool:
    real, base = os.path.realpath(output), os.path.realpath(folder)
    return real == base or real.startswith(os.path.join(base, ""))


def _twice(pictures: Sequence[NamedPicture]) -> list[Problem]:
    first: dict[str, str] = {}
    problems = []
    for picture in pictures:
        other = first.setdefault(picture.name, picture.source)
        if other != picture.source:
            remedy = "name the folder above both, or use two outputs"
            got = f"{other} and {picture.source}, both {picture.name}"
            problems.append(Problem("IN", got, "a name for each copy", remedy))
    names = set(first)
    below = [name for name in first if any(str(parent) in names for parent in Path(name).parents)]
    problems += [Problem("IN", f"{name} below a picture's name", "names that fit in one folder") for name in below]
    return problems


def _over_inputs(pictures: Sequence[NamedPicture], output: Path) -> list[Problem]:
    if not output.exists():
        return []
    if not output.is_dir():
        return [Problem("-o", f"{output}, a file", "a folder", "choose another name")]
    originals = {file_identity(picture.source) for picture in pictures}
    copies = [output / picture.name for picture in pictures]
    over = [str(copy) for copy in copies if os.path.lexists(copy) and file_identity(copy) in originals]
    if not over:
        return []
    shown = ", ".join(over[:_SHOWN]) + (" …" if len(over) > _SHOWN else "")
    return [Problem("-o", f"{shown}: {len(over)} of the inputs", "another folder", "originals are never replaced")]
