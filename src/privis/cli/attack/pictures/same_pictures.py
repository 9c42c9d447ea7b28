"""Pictures of an attacker that show what is attacked, found under any name: a figure must not come from these."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from privis.cli.attack.attacked_table import AttackedTable, ComputedRows, originals_of, pictures_of
from privis.cli.attack.offered_attack import AttackOptions
from privis.errors import ImageError, ParameterError, Problem
from privis.features.image_ops import grey, resize
from privis.io.images import decode

ALIKE = 0.995
"""Correlation of two grey pictures of 64 x 64 pixels from which on they are taken for one: a picture that was coded
again (JPEG, quality 75) keeps 0.997 and more, other pictures of a person under the same light stay below 0.992."""
_SIDE = 64
_EQUAL = 1e-5
"""Largest distance of two exact rows of one picture, over their length."""


def row_pictures(attacked: AttackedTable, options: AttackOptions) -> list[str]:
    """Pictures of all rows, the originals where they are given; an empty word where a row's file is not there."""
    if options.originals is None:
        return [path if Path(path).is_file() else "" for path in attacked.table.paths]
    named = pictures_of(options.originals, options)
    return originals_of(attacked.table.paths, named.paths, str(options.originals))


def same_pictures(attacked: AttackedTable, own: ComputedRows, options: AttackOptions) -> tuple[NDArray[np.bool_], bool]:
    """Compare every attacked row with the attacker's pictures, by their pixels, and exact rows by the rows, too.

    Args:
        attacked: the table.
        own: the attacker's pictures, and their rows.
        options: of the command.

    Returns:
        (n, m) whether a picture of the attacker is that of a row, and whether every row could be compared.
    """
    paths = row_pictures(attacked, options)
    same = alike(paths, own.paths)
    resolved = [Path(path).resolve() for path in own.paths]
    same |= np.array([[Path(row).resolve() == path for path in resolved] for row in attacked.table.paths])
    if attacked.release is not None:
        return same, all(paths)
    rows = np.asarray(attacked.table.features, np.float64)
    if rows.shape[1] == own.rows.shape[1]:
        for number, row in enumerate(rows):
            distance = np.linalg.norm(own.rows - row, axis=1)
            same[number] |= distance <= _EQUAL * np.linalg.norm(row)
    return same, True


def alike(first: Sequence[str], second: Sequence[str]) -> NDArray[np.bool_]:
    """Compare files of pictures in pairs.

    Args:
        first: n paths, empty where there is none.
        second: m paths.

    Returns:
        (n, m) whether two of them show one picture; never where one cannot be read or has no contrast.
    """
    return np.asarray(_profiles(first) @ _profiles(second).T >= ALIKE)


def content_digest(path: str) -> bytes:
    """Give what a picture and a copy of it that was coded again without loss have in common.

    Args:
        path: of its file.

    Returns:
        SHA-256 of its pixels, in grey where it has no colour; of the file where it cannot be read as a picture.

    Raises:
        OSError: the file cannot be read.
    """
    try:
        pixels = decode.load(path)
    except ImageError:
        return hashlib.sha256(Path(path).read_bytes()).digest()
    if pixels.ndim == 3 and (pixels == pixels[..., :1]).all():
        pixels = pixels[..., 0]
    return hashlib.sha256(f"{pixels.dtype} {pixels.shape} ".encode() + np.ascontiguousarray(pixels).data).digest()


def without_attacked(own: ComputedRows, same: NDArray[np.bool_], where: str) -> tuple[ComputedRows, tuple[str, ...]]:
    """Leave out pictures that are attacked.

    Args:
        own: the attacker's pictures.
        same: (n, m) as `same_pictures` gives it.
        where: the option that they were given by.

    Returns:
        The others, and a warning where some were left out.

    Raises:
        ParameterError: no other is left.
    """
    kept = np.flatnonzero(~same.any(0))
    if len(kept) == len(own.paths):
        return own, ()
    if not len(kept):
        got, expected = "no picture but those that are attacked", "pictures of other people"
        raise ParameterError(Problem(where, got, expected, "name another folder"))
    left = len(own.paths) - len(kept)
    said = f"{left:,} pictures of {where} show what is attacked, and were left out: the attacker would know it already"
    return ComputedRows(own.rows[kept], tuple(own.paths[place] for place in kept), own.failed), (said,)


def _profiles(paths: Sequence[str]) -> NDArray[np.float64]:
    """(n, 4096) of length 1 and mean 0; zeros where there is no picture or no contrast."""
    found = np.zeros((len(paths), _SIDE * _SIDE))
    for number, path in enumerate(paths):
        try:
            picture: NDArray[Any] = decode.load(path) if path else np.zeros((1, 1), np.uint8)
        except ImageError:
            continue
        small = grey(resize(picture, (_SIDE, _SIDE))).astype(np.float64).ravel()
        small -= small.mean()
        found[number] = small / max(float(np.linalg.norm(small)), 1.0)
    return found
