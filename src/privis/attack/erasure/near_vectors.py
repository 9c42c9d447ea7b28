"""Vectors in files that are near to given ones, whatever they are: rounded copies, noise, another picture's vector."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from privis.stores.erasure.packed_contents import Unpacked, inside_of

MOST_BYTES = 64 << 20
"""Of files and what is in them: what is beyond is not looked into."""
_WIDTHS = ("<f4", "<f2")
_LARGEST = 1e3  # what is larger is no component of a vector
_LEAST_LENGTH = 1e-3
_LEAST_BLOCK = 1 << 14


@dataclass(frozen=True, eq=False)
class NearestInFiles:
    """What was found in files.

    Args:
        cosines: (vectors,) highest cosine of each with any run of numbers.
        places: where each was, a file and how it was read; empty: nowhere.
        searched: bytes that were read.
        skipped: files that could not be read, or were beyond the bytes that are read.
    """

    cosines: NDArray[np.float64] = field(repr=False)
    places: tuple[str, ...]
    searched: int
    skipped: tuple[str, ...]


def nearest_in_bytes(data: bytes | memoryview, vectors: NDArray[np.float32]) -> NDArray[np.float64]:
    """Compare vectors with every run of as many numbers of 32 or 16 bits, at every byte.

    Args:
        data: any bytes.
        vectors: (vectors, components) of length 1.

    Returns:
        (vectors,) the highest cosine of each; -1 where the bytes are too short.

    >>> row = np.linspace(1, 2, 16, dtype=np.float32)
    >>> found = nearest_in_bytes(b"abc" + row.astype(np.float16).tobytes(), row[None] / np.linalg.norm(row))
    >>> round(float(found[0]), 3)
    1.0
    """
    from scipy.fft import irfft, next_fast_len, rfft

    best = np.full(len(vectors), -1.0)
    components = vectors.shape[1]
    length = next_fast_len(max(8 * components, _LEAST_BLOCK), real=True)
    turned = np.conj(rfft(vectors.astype(np.float64), length))
    for width in _WIDTHS:
        size = int(width[-1])
        for offset in range(size):
            count = max(0, len(data) - offset) // size
            numbers = np.frombuffer(data, width, count, min(offset, len(data)))
            for block, lengths in _blocks(numbers, components, length):
                if (lengths > _LEAST_LENGTH).any():
                    products = irfft(turned * rfft(block, length), length)[:, : len(lengths)]
                    cosines = np.where(lengths > _LEAST_LENGTH, products / np.maximum(lengths, _LEAST_LENGTH), -1)
                    best = np.maximum(best, cosines.max(1))
    return best


def _blocks(
    numbers: NDArray[np.generic], components: int, length: int
) -> Iterator[tuple[NDArray[np.float64], NDArray[np.float64]]]:
    """Parts of numbers that overlap by a window, and the length of the window that begins at each."""
    for start in range(0, len(numbers) - components + 1, length - components + 1):
        with np.errstate(invalid="ignore"):  # bytes of a signalling NaN
            part = numbers[start : start + length].astype(np.float64)
        part[~(np.abs(part) < _LARGEST)] = 0  # no numbers, too
        sums = np.concatenate([[0.0], np.cumsum(part * part)])
        yield part, np.sqrt(np.maximum(sums[components:] - sums[:-components], 0))


def nearest_in_files(
    places: Iterable[Path], vectors: NDArray[np.float32], most_bytes: int = MOST_BYTES
) -> NearestInFiles:
    """Compare vectors with all that files hold: bytes, pages of Parquet and Arrow, cells of SQLite, members of zip.

    Args:
        places: files, and folders with all that is in them.
        vectors: (vectors, components), of any length but zero.
        most_bytes: that are read.

    Returns:
        The highest cosine of each, and where it was.
    """
    rows = np.asarray(vectors, np.float32)
    rows = rows / np.linalg.norm(rows, axis=1, keepdims=True)
    best, where = np.full(len(rows), -1.0), [""] * len(rows)
    skipped: list[str] = []
    searched = 0
    for path in _files(places):
        try:
            for how, content in _contents(path, most_bytes - searched):
                found = nearest_in_bytes(content, rows)
                searched += len(content)
                for place in np.flatnonzero(found > best):
                    where[place] = f"{path} ({how})"
                best = np.maximum(best, found)
        except (OSError, _TooLarge):
            skipped.append(str(path))
    return NearestInFiles(best, tuple(where), searched, tuple(skipped))


class _TooLarge(Exception):
    """More than what is read."""


def _contents(path: Path, most: int) -> Iterator[tuple[str, bytes | memoryview]]:
    if path.stat().st_size > most:
        raise _TooLarge
    with open(path, "rb") as file:
        content = file.read()
        yield "bytes", content
        most -= len(content)
        for each in inside_of(file, path, frozenset()):
            if not isinstance(each, Unpacked) or len(each.content) > most:
                raise _TooLarge
            most -= len(each.content)
            yield each.how, each.content


def _files(places: Iterable[Path]) -> Sequence[Path]:
    found: list[Path] = []
    for place in places:
        if place.is_dir():
            found += [Path(root, name) for root, _, names in os.walk(place) for name in names]
        elif place.is_file():
            found.append(place)
    return sorted({each for each in found if each.is_file()})
