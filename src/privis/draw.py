"""``picture``: what a feature sees in an image, drawn; ``save``: a picture to a PNG or JPEG file."""

from __future__ import annotations

import io
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from privis.errors import ImageError, OutputError, ParameterError, Problem
from privis.features.feature import Feature
from privis.features.image_ops import colour, grey, resize
from privis.io.atomic import replacing, unwritable
from privis.io.images import decode as pictures
from privis.program import Input, Program, region, trace

Picture = NDArray[np.uint8]
Colour = tuple[int, int, int]

LEAST = 512  # pixels on the long side of a picture; smaller ones are enlarged by a whole factor
SUBPIXEL = 4  # fractional bits of coordinates given to OpenCV
FULL = 0.95  # quantile of the cells' largest bins that is drawn at full brightness
FAINTEST = 10  # grey levels; weaker strokes are not drawn
MOST_ROWS = 32  # components that fit one labelled row each; of more the largest, or unlabelled columns
MOST_TILES = 100
PAPER, INK, GREY, ACCENT, SHADOW = (250, 250, 248), (40, 44, 52), (150, 154, 160), (255, 196, 61), (30, 30, 30)
CHANNEL = {"r": (196, 78, 82), "g": (85, 150, 104), "b": (76, 114, 176)}
FORMATS = {".png": "PNG", ".jpg": "JPEG", ".jpeg": "JPEG"}


def picture(feature: Feature, image: NDArray[np.uint8]) -> Picture:
    """Draw what ``feature`` sees in ``image``, uint8 ``(H, W)`` or ``(H, W, 3)``: a picture, uint8 ``(H, W, 3)``.

    HOG: a stroke per cell and orientation over the dimmed image, along the edge (across the gradient), as bright
    as the bin; DenseSIFT: rays along the gradient; SIFT and SURF: circles of the described size with a line in the
    key point's direction; LBP: the map of codes; Scattering and CNN: one tile per channel, each scaled to its own
    range; all others: bars. Nothing is protected: the picture is of the exact feature.

    Raises ImageError for an image that the feature cannot use.

    >>> from privis import HOG
    >>> picture(HOG(), np.zeros((64, 96), np.uint8)).shape
    (384, 576, 3)
    """
    image = pictures.load(image)
    try:
        return _drawn(feature, image)
    except ParameterError as error:  # the feature exists, so it is the image that does not fit it
        raise ImageError(*error.problems) from error


def encoded(shown: Picture, kind: str) -> bytes:
    """The bytes of a file of ``kind``, "PNG" or "JPEG"."""
    from PIL import Image

    buffer = io.BytesIO()
    Image.fromarray(shown).save(buffer, kind, quality=88, optimize=True)  # of the two, PNG only knows the latter
    return buffer.getvalue()


def save(shown: Picture, path: str | Path) -> None:
    """Write ``shown`` to ``path``: .png, .jpg or .jpeg, whole or not at all.

    Raises ParameterError for another suffix, OutputError when it cannot be written.
    """
    path = Path(path)
    kind = FORMATS.get(path.suffix.lower())
    if kind is None:
        raise ParameterError(Problem(str(path), repr(path.suffix), f"one of {', '.join(FORMATS)}"))
    if path.is_dir():
        raise OutputError(Problem(str(path), "a folder", "a file that can be written", "choose another name"))
    try:
        with replacing(path) as temporary:
            temporary.write_bytes(encoded(shown, kind))
    except OSError as error:
        raise error if isinstance(error, OutputError) else unwritable(path, error) from error


def _drawn(feature: Feature, image: Picture) -> Picture:
    from privis.features.cnn import CNN
    from privis.features.colour import ColourHistogram
    from privis.features.dalal_triggs import BINS, CELL, DalalTriggsHOG
    from privis.features.glcm import GLCM
    from privis.features.hog import HOG
    from privis.features.keypoints.aggregate import VLAD, BagOfVisualWords
    from privis.features.keypoints.sift import SIFT, DenseSIFT
    from privis.features.keypoints.surf import SURF
    from privis.features.lbp import LBP
    from privis.features.wavelets.scattering import Scattering

    photograph = resize(image, feature.size)  # once: what follows reads this
    match feature:
        case HOG(cell=cell, orientations=count):
            luma = feature.before(photograph)
            histograms = _run(feature.cells_program(luma.shape), luma).transpose(1, 2, 0)
            return strokes(photograph, histograms, cell, (np.arange(count) + 0.5) * math.pi / count)
        case DalalTriggsHOG():
            core = feature.before(photograph)
            histograms = _cells_of_blocks(_run(feature.program(core.shape), core))
            return strokes(photograph, histograms, CELL, (np.arange(BINS) + 0.5) * math.pi / BINS)
        case SIFT() | SURF():
            points = feature.detect(photograph).strongest(feature.keypoints)
            return circles(photograph, points.positions, points.size / 2, np.radians(points.angle))
        case DenseSIFT():
            return _dense(feature, photograph)
        case LBP():
            return _codes(feature, grey(photograph))
        case ColourHistogram():
            return _colours(feature, photograph)
        case GLCM():
            names, values = _vector(feature, photograph)
            return rows(names, values, _relative_to_kin(names, values))
        case Scattering() | CNN():
            core = feature.before(photograph)
            made = _run(feature.program(core.shape), core)
            if made.ndim == 3 and made.shape[1] * made.shape[2] > 1:
                return tiles(made)
            return bars(*_vector(feature, photograph))
        case BagOfVisualWords() | VLAD():
            return columns(_vector(feature, photograph)[1])
        case _:
            return bars(*_vector(feature, photograph))


def _run(program: Program, core: NDArray[Any]) -> NDArray[np.float64]:
    from privis.run.clear import Clear

    return np.asarray(Clear().prepare(program)(core), np.float64)


def _vector(feature: Feature, image: Picture) -> tuple[tuple[str, ...], NDArray[np.float64]]:
    core = feature.before(image)
    return feature.names(core.shape), np.asarray(feature.after(_run(feature.program(core.shape), core)), np.float64)


# over the image


def enlarged(image: Picture) -> tuple[Picture, int]:
    """Return RGB of at least ``LEAST`` pixels on the long side, and the whole factor it was enlarged by."""
    import cv2

    factor = max(1, math.ceil(LEAST / max(image.shape[:2])))
    image = np.ascontiguousarray(colour(image))
    large = cv2.resize(image, None, fx=factor, fy=factor) if factor > 1 else image.copy()
    return np.asarray(large, np.uint8), factor


def strokes(
    photograph: Picture,
    histograms: NDArray[Any],
    cell: int,
    gradients: NDArray[Any],
    directed: bool = False,
    first: float | None = None,
) -> Picture:
    """Draw ``histograms (rows, columns, bins)`` over the dimmed ``photograph``, one stroke per cell and bin.

    Cells lie ``cell`` pixels apart, the first one's centre at ``first`` (by default half a cell). ``gradients`` are
    the bins' angles in radians, clockwise on the screen from "right". Strokes run across the gradient, along the edge,
    as in scikit-image; ``directed`` ones are rays from the centre along it. Brightness is the bin, full from the
    quantile ``FULL`` of the cells' largest bins on.
    """
    import cv2

    base, factor = enlarged(grey(photograph))  # without colour, so that nothing competes with the strokes
    largest = np.quantile(histograms.max(-1), FULL) if histograms.size else 0.0
    levels = np.clip(255 * histograms / largest, 0, 255).astype(int) if largest > 0 else np.zeros(histograms.shape, int)
    light = np.zeros(base.shape[:2], np.uint8)
    half = max(1.0, cell * factor / 2 - 1)
    start = cell / 2 if first is None else first
    for index, angle in enumerate(gradients):
        along = np.array((math.cos(angle), math.sin(angle)) if directed else (-math.sin(angle), math.cos(angle)))
        places = np.argwhere(levels[:, :, index] >= FAINTEST)
        strength = levels[places[:, 0], places[:, 1], index]
        centres = (start + places[:, ::-1] * cell) * factor
        reach = half * along * (strength[:, None] / 255 if directed else 1.0)
        segments = _fixed(np.stack([centres if directed else centres - reach, centres + reach], 1))
        layer = np.zeros_like(light)
        for level in np.unique(strength):
            some = list(segments[strength == level])
            cv2.polylines(layer, some, False, (int(level),), 1 + (factor > 2), cv2.LINE_AA, SUBPIXEL)
        np.maximum(light, layer, out=light)
    dimmed = base * np.float32(0.3)
    return np.round(dimmed + (255 - dimmed) * (light[:, :, None] / np.float32(255))).astype(np.uint8)


def circles(photograph: Picture, centres: NDArray[Any], radii: NDArray[Any], angles: NDArray[Any]) -> Picture:
    """Draw circles ``(x, y)`` in pixels of ``photograph`` with a line from the centre in the direction of each angle.

    Angles are in radians, clockwise on the screen from "right".
    """
    import cv2

    base, factor = enlarged(photograph)
    canvas = np.round(base * 0.75).astype(np.uint8)
    for pen, width in ((SHADOW, 3), (ACCENT, 1)):  # the shadow keeps circles visible on bright ground
        for centre, radius, angle in zip((centres + 0.5) * factor, radii * factor, angles, strict=True):
            start, end = _fixed(
                np.stack([centre, centre + radius * np.array([math.cos(angle), math.sin(angle)])])
            ).tolist()
            cv2.circle(canvas, start, max(1, round(radius * 2**SUBPIXEL)), pen, width, cv2.LINE_AA, SUBPIXEL)
            cv2.line(canvas, start, end, pen, width, cv2.LINE_AA, SUBPIXEL)
    return canvas


def _fixed(points: NDArray[Any]) -> NDArray[np.int32]:
    """Points ``(..., 2)`` in OpenCV's fixed-point coordinates, where whole numbers are pixel centres."""
    return np.round((points - 0.5) * 2**SUBPIXEL).astype(np.int32)


def _cells_of_blocks(blocks: NDArray[Any]) -> NDArray[Any]:
    """``(block columns, block rows, 4, bins)``, cells down then right, to ``(rows, columns, bins)``: means per cell."""
    across, down, _, bins = blocks.shape
    total, count = np.zeros((down + 1, across + 1, bins)), np.zeros((down + 1, across + 1, 1))
    for index in range(4):
        right, below = divmod(index, 2)
        here = slice(below, below + down), slice(right, right + across)
        total[here] += blocks[:, :, index].transpose(1, 0, 2)
        count[here] += 1
    return total / count


def _dense(feature: Any, photograph: Picture) -> Picture:
    """Per grid point, rays for the eight directions summed over the descriptor's cells."""
    from privis.features.keypoints.sift import DIRECTIONS, side

    luma = feature.before(photograph)
    grid = [(length - side(feature.width)) // feature.step + 1 for length in luma.shape]
    votes = _run(feature.program(luma.shape), luma).reshape(*grid, -1, DIRECTIONS).sum(2)
    counter_clockwise = -2 * math.pi * np.arange(DIRECTIONS) / DIRECTIONS
    return strokes(luma, votes, feature.step, counter_clockwise, directed=True, first=side(feature.width) / 2)


def _codes(feature: Any, luma: Picture) -> Picture:
    """The map of binary patterns: the code, or for uniform patterns the number of ones."""
    import cv2

    from privis.features.lbp import Patterns

    feature.program(luma.shape)  # refuses an image too small for the grid
    if feature.patterns is Patterns.UNIFORM:
        program = trace(lambda x: region("binary_pattern_codes", feature.uniform_codes, x), Input(luma.shape))
        codes, most = _run(program, luma), feature.points + 1
    else:
        bits = _run(trace(feature.bits, Input(luma.shape)), luma)
        codes, most = np.tensordot(2.0 ** np.arange(feature.points), bits, 1), 2**feature.points - 1
    factor = max(1, math.ceil(LEAST / max(luma.shape)))
    canvas = np.kron(_heat(codes / most), np.ones((factor, factor, 1), np.uint8))
    height, width = (length // parts * factor for length, parts in zip(luma.shape, feature.grid, strict=True))
    for row, column in np.ndindex(*feature.grid):
        corner = column * width, row * height
        if feature.grid != (1, 1):
            cv2.rectangle(canvas, corner, (corner[0] + width - 1, corner[1] + height - 1), PAPER, 1)
    return canvas


def _heat(shares: NDArray[Any]) -> Picture:
    """Values 0..1 in the colours of viridis, RGB."""
    import cv2

    levels = np.clip(np.round(255 * shares), 0, 255).astype(np.uint8)
    return np.asarray(cv2.cvtColor(cv2.applyColorMap(levels, cv2.COLORMAP_VIRIDIS), cv2.COLOR_BGR2RGB), np.uint8)


def tiles(maps: NDArray[Any]) -> Picture:
    """Draw the first ``MOST_TILES`` of ``maps (channels, rows, columns)`` side by side, each over its own range."""
    maps = maps[:MOST_TILES]
    count, height, width = maps.shape
    across = max(1, math.ceil(math.sqrt(count * height / width)))
    down = math.ceil(count / across)
    factor = max(1, math.ceil(1.5 * LEAST / max(across * width, down * height)))
    step = height * factor + 2, width * factor + 2
    canvas = np.full((down * step[0] + 2, across * step[1] + 2, 3), PAPER, np.uint8)
    for index, values in enumerate(maps):
        low, high = values.min(), values.max()
        shares = (values - low) / (high - low) if high > low else np.zeros_like(values)
        top, left = 2 + index // across * step[0], 2 + index % across * step[1]
        tile = np.kron(_heat(shares), np.ones((factor, factor, 1), np.uint8))
        canvas[top : top + tile.shape[0], left : left + tile.shape[1]] = tile
    return canvas


# charts


def bars(names: Sequence[str], values: NDArray[Any]) -> Picture:
    """Draw a vector: labelled rows for up to ``MOST_ROWS`` components, else columns in order."""
    if len(values) > MOST_ROWS:
        return columns(values)
    return rows(names, values, np.abs(values) / (np.abs(values).max(initial=0.0) or 1.0))


def rows(names: Sequence[str], values: NDArray[Any], lengths: NDArray[Any]) -> Picture:
    """Draw one row per component: its name, a bar of ``lengths`` (0 to 1) and its value."""
    from PIL import Image, ImageDraw, ImageFont

    font = ImageFont.load_default(16)
    texts = [name if len(name) <= 32 else name[:31] + "…" for name in names]
    label = 24 + max(math.ceil(font.getlength(text)) for text in texts)
    canvas = Image.new("RGB", (label + 400 + 110, 24 * len(texts) + 20), PAPER)
    pen = ImageDraw.Draw(canvas)
    for index, (text, value, length) in enumerate(zip(texts, values, lengths, strict=True)):
        top = 10 + 24 * index
        pen.text((label - 12, top + 11), text, INK, font, "rm")
        end = label + max(1, round(400 * float(length)))
        pen.rectangle((label, top + 3, end, top + 19), CHANNEL["b"] if value >= 0 else CHANNEL["r"])
        pen.text((end + 8, top + 11), _short(value), INK, font, "lm")
    return np.asarray(canvas)


def columns(values: NDArray[Any], fill: Sequence[Colour] = (), title: str = "", height: int = 300) -> Picture:
    """Draw one column per component in order, above and below zero, with the largest and smallest value written."""
    from PIL import Image, ImageDraw, ImageFont

    font = ImageFont.load_default(16)
    low, high = min(0.0, float(values.min(initial=0.0))), max(0.0, float(values.max(initial=0.0)))
    span = (high - low) or 1.0
    each = max(1, 720 // len(values))
    shown = values if len(values) <= 1440 else _strongest_of_runs(values, 1440)
    width = max(720, each * len(shown))
    canvas = Image.new("RGB", (width + 40, height), PAPER)
    pen = ImageDraw.Draw(canvas)
    zero = 40 + (height - 70) * high / span
    for index, value in enumerate(shown):
        left, top = 20 + index * each, zero - (height - 70) * float(value) / span
        box = (left, round(min(top, zero)), left + max(0, each - 1 - (each > 6)), round(max(top, zero)))
        if value:
            pen.rectangle(box, fill[index] if fill else CHANNEL["b"], GREY if fill and each > 4 else None)
    pen.line((20, zero, width + 20, zero), GREY)
    pen.text((20, 20), title or f"{len(values):,} components", INK, font, "lm")
    pen.text((width + 20, 20), f"{_short(low)} to {_short(high)}", GREY, font, "rm")
    return np.asarray(canvas)


def _short(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"


def _strongest_of_runs(values: NDArray[Any], count: int) -> NDArray[Any]:
    """``count`` values: of each run of neighbours the one of largest magnitude."""
    runs = np.array_split(values, count)
    return np.array([run[np.abs(run).argmax()] for run in runs])


def _colours(feature: Any, image: Picture) -> Picture:
    """Bars in the colour they count: one panel per channel, or one for all joint bins."""
    values = _vector(feature, image)[1]
    centres = [(np.arange(feature.bins) + 0.5) * levels / feature.bins for levels in feature.space.levels]
    if feature.joint:
        grid = np.stack(np.meshgrid(*centres, indexing="ij"), -1).reshape(-1, 3)
        return columns(values, _rgb(feature.space, grid), f"{len(values)} joint bins, each in its own colour")
    panels = []
    for channel, letter in enumerate(feature.space.value):
        fill = [CHANNEL.get(letter, GREY)] * feature.bins
        if letter == "h":
            fill = _rgb(feature.space, np.stack([centres[0], *np.full((2, feature.bins), 220.0)], 1))
        part = values[channel * feature.bins : (channel + 1) * feature.bins]
        panels.append(columns(part, fill, letter.upper(), 200))
    return np.concatenate(panels)


def _rgb(space: Any, colours: NDArray[Any]) -> list[Colour]:
    """Colours ``(N, 3)`` of ``space`` as RGB."""
    import cv2

    from privis.features.colour import ColourSpace

    pixels = colours.astype(np.uint8)[None]
    match space:
        case ColourSpace.HSV:
            pixels = cv2.cvtColor(pixels, cv2.COLOR_HSV2RGB)
        case ColourSpace.LAB:
            pixels = cv2.cvtColor(pixels, cv2.COLOR_Lab2RGB)
    return [(int(r), int(g), int(b)) for r, g, b in pixels[0]]


def _relative_to_kin(names: Sequence[str], values: NDArray[Any]) -> NDArray[Any]:
    """Magnitudes over the largest among components whose name begins alike: statistics differ in unit."""
    kin = np.array([name.split("_")[0] for name in names])
    largest = np.array([np.abs(values[kin == each]).max() for each in kin])
    return np.abs(values) / np.where(largest > 0, largest, 1.0)
