"""Tiles of whole-slide images: which there are, and the pixels of each."""

from __future__ import annotations

import math
import os
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from privis.errors import ImageError, Problem
from privis.io.images.file_parts import TILE, TILES, FilePart, file_part
from privis.io.images.slides.opened_slide import OpenedSlide, opened_slide
from privis.io.images.slides.tiling import Tiling
from privis.io.images.slides.tissue import tissue_mask, tissue_shares

_SAME_SCALE = 0.02
_CELLS = 16
"""Pixels of the overview to a side of a tile, where the slide is not too large for that."""
_MOST_CELLS = 4_000_000
_BAND = 1 << 22
"""Pixels that are read at once for the overview."""
_MOST_TILES = 10_000_000


@dataclass(frozen=True)
class TileScale:
    """From which level tiles are read.

    Args:
        level: from 0.
        span: pixels of the level to a side of a tile.
        downsample: pixels of level 0 to a pixel of a tile.
    """

    level: int
    span: int
    downsample: float


def tile_scale(slide: OpenedSlide, tiling: Tiling) -> TileScale:
    """Choose the level: the coarsest that is no coarser than asked for, and scaled down to that where it is finer.

    A level whose scale is within 2 % of what is asked for is taken as it is.

    Args:
        slide: that is open.
        tiling: what is asked for.

    Raises:
        ImageError: the slide does not say its microns per pixel, or is coarser than asked for.
    """
    wanted = tiling.downsample or 1.0
    if tiling.mpp is not None:
        if slide.mpp is None:
            raise ImageError(Problem(slide.where, "a slide without microns per pixel", "them", "use --downsample"))
        wanted = tiling.mpp / slide.mpp
        if wanted < 1 - _SAME_SCALE:
            got = f"a slide of {slide.mpp:g} microns per pixel"
            remedy = f"ask for --mpp {slide.mpp:g} or more: finer detail is not there"
            raise ImageError(Problem(slide.where, got, f"at most {tiling.mpp:g}", remedy))
    fine = [at for at, scale in enumerate(slide.downsamples) if scale <= wanted * (1 + _SAME_SCALE)]
    level = max(fine, key=lambda at: slide.downsamples[at], default=0)
    ratio = wanted / slide.downsamples[level]
    if abs(ratio - 1) <= _SAME_SCALE:
        return TileScale(level, tiling.size, slide.downsamples[level])
    return TileScale(level, max(1, round(tiling.size * ratio)), wanted)


def tiles_of(path: str, tiling: Tiling, where: str = "") -> list[str]:
    """Name the tiles of a slide, row by row.

    Args:
        path: of the slide.
        tiling: which tiles.
        where: what messages call it; empty: its path.

    Returns:
        Names as of `privis.io.images.file_parts`, at least one.

    Raises:
        ImageError: no slide, one smaller than a tile, or without a tile of enough tissue.
        MissingExtraError: openslide is not installed.
    """
    slide = opened_slide(path, where)
    scale = tile_scale(slide, tiling)
    corners = _corners(slide, tiling, scale)
    if tiling.tissue:
        corners = _with_tissue(slide, tiling, scale, corners)
    sizes = f"{scale.level},{tiling.size}" + (f",{scale.span}" if scale.span != tiling.size else "")
    return [FilePart(path, TILE, f"{x},{y},{sizes}").name for x, y in corners.tolist()]


def _corners(slide: OpenedSlide, tiling: Tiling, scale: TileScale) -> NDArray[np.int64]:
    """Upper left corners (N, 2) in pixels of level 0."""
    step = (tiling.size - tiling.overlap) * scale.downsample
    reach = scale.span * slide.downsamples[scale.level]
    counts = [math.floor((side - reach) / step + 1e-9) + 1 for side in slide.levels[0]]
    if min(counts) < 1:
        sides = " x ".join(str(int(side / scale.downsample)) for side in slide.levels[0])
        got = f"a slide of {sides} pixels at the scale of the tiles"
        remedy = "ask for smaller --tiles, or a finer scale"
        raise ImageError(Problem(slide.where, got, f"at least {tiling.size} x {tiling.size}", remedy))
    if counts[0] * counts[1] > _MOST_TILES:
        got = f"{counts[0] * counts[1]:,} tiles"
        raise ImageError(
            Problem(slide.where, got, f"at most {_MOST_TILES:,}", "ask for larger tiles or a coarser scale")
        )
    across, down = (np.round(np.arange(count) * step).astype(np.int64) for count in counts)
    return np.stack(np.meshgrid(across, down), axis=-1).reshape(-1, 2)


def _with_tissue(slide: OpenedSlide, tiling: Tiling, scale: TileScale, corners: NDArray[np.int64]) -> NDArray[np.int64]:
    reach = scale.span * slide.downsamples[scale.level]
    overview, cell = overview_of(slide, reach / _CELLS)
    mask = tissue_mask(overview)
    if not mask.any():
        remedy = "leave it out, or read all of it without --tissue"
        raise ImageError(Problem(slide.where, "a slide without tissue", "stained tissue", remedy))
    boxes = np.concatenate([corners, corners + reach], axis=1) / cell
    shares = tissue_shares(mask, boxes)
    kept = corners[shares >= tiling.tissue]
    if not len(kept):
        got = f"no tile with {tiling.tissue:g} of tissue (the best of {len(corners):,} has {shares.max():.2f})"
        raise ImageError(Problem(slide.where, got, "one", "ask for less --tissue or smaller --tiles"))
    return kept


def overview_of(slide: OpenedSlide, cell: float) -> tuple[NDArray[np.uint8], float]:
    """Make an overview from means of squares, a band of a level at a time.

    Args:
        slide: that is open.
        cell: pixels of level 0 to a side of a square, about; more where the overview would be too large.

    Returns:
        uint8 (H, W, 3) RGB, and the side of its pixels in pixels of level 0.

    Raises:
        ImageError: the slide is damaged.
    """
    width, height = slide.levels[0]
    cell = max(cell, math.sqrt(width * height / _MOST_CELLS), 1.0)
    fine = [at for at, scale in enumerate(slide.downsamples) if scale <= cell * (1 + _SAME_SCALE)]
    level = max(fine, key=lambda at: slide.downsamples[at], default=0)
    scale = slide.downsamples[level]
    factor = max(1, round(cell / scale))
    across, down = (max(1, side // factor) for side in slide.levels[level])
    factor = min(factor, *slide.levels[level])
    lines = max(1, _BAND // (across * factor * factor))
    bands = []
    for top in range(0, down, lines):
        count = min(lines, down - top)
        band = slide.region(0, round(top * factor * scale), level, across * factor, count * factor)
        squares = band.reshape(count, factor, across, factor, 3)
        bands.append(squares.mean(axis=(1, 3)).round().astype(np.uint8))
    return np.concatenate(bands), factor * scale


def tile_pixels(part: FilePart, where: str, max_pixels: int) -> NDArray[np.uint8]:
    """Read a tile.

    Args:
        part: of kind ``tile``; one of kind ``tiles`` is a slide that gave none, and is refused for the same reason.
        where: what messages call it.
        max_pixels: most pixels that are decoded for it.

    Returns:
        uint8 (size, size, 3) RGB.

    Raises:
        ImageError: it cannot be read.
        MissingExtraError: openslide is not installed.
    """
    if part.kind == TILES:
        found = len(tiles_of(part.path, Tiling.named(part.words), where))
        raise ImageError(Problem(where, f"a slide ({found:,} tiles)", "one of its tiles", "give the slide and --tiles"))
    x, y, level, size = part.numbers[:4]
    span = part.numbers[4] if len(part.numbers) > 4 else size
    if max(span, size) ** 2 > max_pixels:
        got = f"{max(span, size)} x {max(span, size)} pixels"
        raise ImageError(Problem(where, got, f"at most {max_pixels:,} pixels", "ask for smaller tiles"))
    slide = opened_slide(part.path, where)
    if level >= len(slide.levels):
        raise ImageError(Problem(where, f"level {level}", f"one of 0 to {len(slide.levels) - 1}"))
    reach = span * slide.downsamples[level]
    (width, height), slack = slide.levels[0], slide.downsamples[level] + 1
    if x + reach > width + slack or y + reach > height + slack:
        raise ImageError(Problem(where, "a tile that reaches over the edge", f"one inside {width} x {height} pixels"))
    pixels = slide.region(x, y, level, span, span)
    if span == size:
        return pixels
    import cv2  # not at the start: no command waits for it that reads no slide

    return np.asarray(cv2.resize(pixels, (size, size), interpolation=cv2.INTER_AREA), np.uint8)


def tiles_of_all(
    paths: Sequence[str], tiling: Tiling, subjects: Sequence[str] | None = None
) -> tuple[tuple[str, ...], tuple[str, ...] | None]:
    """Name the tiles of several slides, in their order.

    A slide that gives none keeps a name of its own, which is refused with the reason when it is read: it costs its row
    and not the run. What is named as a part already stays so. Of the files of one DICOM slide, which are its levels and
    its photographs, the first that is named stands for all.

    Args:
        paths: of slides.
        tiling: which tiles.
        subjects: whose each is; None: not known.

    Returns:
        Names, and the subject of each.

    Raises:
        MissingExtraError: openslide is not installed.
    """
    seen: set[tuple[str, str]] = set()
    found = [_tiles_or_name(os.fspath(path), tiling, seen) for path in paths]
    named = tuple(name for names in found for name in names)
    if subjects is None:
        return named, None
    return named, tuple(subject for names, subject in zip(found, subjects, strict=True) for _ in names)


def _tiles_or_name(path: str, tiling: Tiling, seen: set[tuple[str, str]]) -> list[str]:
    if file_part(path).kind:
        return [path]
    try:
        series = opened_slide(path).series
        if series is not None:
            key = os.path.realpath(os.path.dirname(path)), series
            if key in seen:
                return []
            seen.add(key)
        return tiles_of(path, tiling)
    except ImageError:
        return [FilePart(path, TILES, tiling.words).name]
