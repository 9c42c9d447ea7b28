"""Lines and zones of documents, rendered with OCR-B fonts and made worse as cameras and printers do.

The fonts are those of Debian's package fonts-ocr-b (Matthew Skala after Norbert Schwarz; its author's part is in the
public domain, and Schwarz allows use, change and distribution "without limitation"). Everything is a function of a
seed.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from privis.tasks.documents.check_digits import ALPHABET, FILLER, LETTERS, check_digit
from privis.tasks.documents.glyphs import SIZE, lines_of
from privis.tasks.documents.zone_formats import FORMATS, ZoneFormat, characters

FACES = ("OCRB.otf", "OCRB.otf", "OCRBF.otf", "OCRBE.otf", "OCRBL.otf", "OCRBS.otf")
UNREADABLE = "unreadable"
CLASSES = (*ALPHABET, UNREADABLE)
"""Classes of the reader: a glyph that nobody could read has one of its own."""
_SEEN = 14
"""Mean change of grey levels from which a glyph with a blot is none that anybody should rely on."""
_TALL = 46
"""Pixels of a capital letter where a font has 64 to the em."""

Pixels = NDArray[np.uint8]


def rendered(
    lines: Sequence[str], font: Path, pixels: float, generator: np.random.Generator, plain: bool = False
) -> Pixels:
    """Lines of one zone, capitals ``pixels`` high, as a camera sees them; ``plain``: clean print."""
    face = ImageFont.truetype(str(font), 64)
    pitch = 64 * 0.6 * float(generator.uniform(0.98, 1.12))
    width, height = int(pitch * (max(map(len, lines)) + 4)), 64 + 96 * len(lines)
    picture = Image.new("L", (width, height), 255)
    draw = ImageDraw.Draw(picture)
    for row, text in enumerate(lines):
        for place, character in enumerate(text):
            left, _, right, _ = draw.textbbox((0, 0), character, font=face, anchor="ls")
            at = (pitch * (place + 2.5) - (left + right) / 2, 105 + 96 * row)
            draw.text(at, character, fill=0, font=face, anchor="ls")
    levels = np.asarray(picture, np.float32)
    if plain:
        scale = pixels / _TALL
        return np.asarray(cv2.resize(levels, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA).astype(np.uint8))
    thickness = int(generator.integers(-1, 3))
    if thickness > 0:
        levels = cv2.erode(levels, np.ones((1 + thickness, 1 + thickness), np.uint8))
    elif thickness < 0:
        levels = cv2.dilate(levels, np.ones((2, 2), np.uint8))
    levels = np.minimum(levels, guilloche(levels.shape, generator))
    turn = cv2.getRotationMatrix2D((width / 2, height / 2), float(generator.uniform(-1.2, 1.2)), 1.0)
    turn[0, 1] += generator.normal(0, 0.02)
    levels = cv2.warpAffine(levels, turn, (width, height), borderValue=255)
    levels = cv2.GaussianBlur(levels, (0, 0), float(generator.uniform(0.3, 3.0)))
    scale = pixels / _TALL
    levels = cv2.resize(levels, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    ground, ink = float(generator.uniform(120, 255)), float(generator.uniform(0, 70))
    levels = ink + (ground - ink) * levels / 255
    waves = generator.normal(0, 1, (4, 12)).astype(np.float32)
    levels += float(generator.uniform(0, 12)) * cv2.resize(waves, levels.shape[::-1], interpolation=cv2.INTER_CUBIC)
    levels += generator.normal(0, float(generator.uniform(0, 8)), levels.shape)
    return compressed(levels, int(generator.integers(30, 96)))


def compressed(levels: NDArray[np.floating], quality: int) -> Pixels:
    """What is left of a picture after JPEG."""
    coded = cv2.imencode(".jpg", np.clip(levels, 0, 255).astype(np.uint8), [cv2.IMWRITE_JPEG_QUALITY, quality])[1]
    return np.asarray(cv2.imdecode(coded, cv2.IMREAD_GRAYSCALE), np.uint8)


def guilloche(shape: tuple[int, ...], generator: np.random.Generator) -> NDArray[np.float32]:
    """Fine wavy lines on a light ground, as security printing has them; in half of the cases nothing."""
    levels = np.full(shape[:2], 255, np.float32)
    if generator.random() < 0.5:
        return levels
    across = np.arange(0, shape[1], 8)
    shade, bend = float(generator.uniform(190, 245)), float(generator.uniform(4, 30))
    length, step = float(generator.uniform(80, 400)), int(generator.integers(10, 40))
    for start in range(-40, shape[0] + 40, step):
        down = start + bend * np.sin(2 * np.pi * across / length + 0.05 * start)
        line = np.stack([across, down], 1).round().astype(np.int32)
        cv2.polylines(levels, [line], False, shade, int(generator.integers(1, 3)))
    return levels


def shaken(glyph: Pixels, generator: np.random.Generator) -> Pixels:
    """A glyph moved, stretched and sheared a little: columns are not found to the pixel."""
    height, width = SIZE
    turn = np.eye(2, 3) + generator.normal(0, [[0.04, 0.04, 0], [0.03, 0.04, 0]])
    middle = np.array([(width - 1) / 2, (height - 1) / 2])
    turn[:, 2] = middle - turn[:, :2] @ middle + generator.normal(0, [0.5, 0.5])
    moved = cv2.warpAffine(glyph, turn, (width, height), borderMode=cv2.BORDER_REPLICATE).astype(np.float64)
    return np.clip(moved + generator.normal(0, float(generator.uniform(0, 12)), SIZE), 0, 255).astype(np.uint8)


def spoilt(glyph: Pixels, other: Pixels, generator: np.random.Generator) -> Pixels:
    """A glyph that nobody could read: half hidden, blurred away, drowned in noise, or halves of two."""
    height, width = SIZE
    levels, kind = glyph.astype(np.float64), int(generator.integers(8))
    if kind == 0:  # more than half is hidden, from one side
        wide, tall = int(generator.integers(9, width)), int(generator.integers(11, height))
        across = bool(generator.integers(2))
        part = np.s_[:, :wide] if across else np.s_[:tall]
        turned = levels[::-1, ::-1] if generator.integers(2) else levels
        turned[part] = float(generator.integers(0, 256))
    elif kind == 1:
        levels = cv2.GaussianBlur(levels, (0, 0), float(generator.uniform(4, 8)))
        low, high = levels.min(), levels.max()
        levels = (levels - low) * 255 / max(high - low, 1.0)
    elif kind == 2:
        levels = 127 + 0.2 * (levels - 127) + generator.normal(0, 70, SIZE)
    elif kind == 3:  # between two columns
        shift = int(generator.integers(6, 10))
        levels = np.concatenate([levels[:, shift:], other[:, :shift]], 1)
    elif kind in (5, 6, 7):  # a blot on a part of it, with which it looks like another
        for _ in range(20):
            wide, tall = int(generator.integers(2, 11)), int(generator.integers(6, height + 1))
            left, top = int(generator.integers(-1, width - 1)), int(generator.integers(-2, height - 4))
            blotted = levels.copy()
            blotted[max(0, top) : top + tall, max(0, left) : left + wide] = float(generator.choice([0, 0, 90, 160]))
            if np.abs(blotted - levels).mean() >= _SEEN:
                levels = blotted
                break
        else:
            levels[:, :11] = 0
    else:  # a bar in the middle, or ink alone
        thick = int(generator.integers(9, 13))
        start = int(generator.integers(0, height - thick + 1))
        levels[start : start + thick] = float(generator.integers(0, 256))
    return np.clip(levels + generator.normal(0, 6, SIZE), 0, 255).astype(np.uint8)


def glyphs(fonts: Path, lines: int, seed: int, copies: int = 1) -> tuple[Pixels, NDArray[np.int64]]:
    """Characters (n, 20, 16), cut out of rendered lines as those of documents are, and their places in ``CLASSES``."""
    generator = np.random.default_rng(seed)
    found, numbers = [], []
    for _ in range(lines):
        count = int(generator.choice([30, 36, 44]))
        chosen = generator.integers(0, len(ALPHABET), count)
        chosen = np.where(generator.random(count) < 0.08, ALPHABET.index(FILLER), chosen)
        pixels = float(np.exp(generator.uniform(np.log(7), np.log(36))))
        text = "".join(ALPHABET[number] for number in chosen)
        picture = rendered([text], fonts / str(generator.choice(FACES)), pixels, generator)
        cut = lines_of(picture)
        if len(cut) != 1 or len(cut[0].glyphs) != count:
            continue
        if abs(cut[0].box[0] / picture.shape[1] * (count + 4) - 2) > 0.5:  # a column too far left or right
            continue
        line = cut[0].glyphs
        spoil = np.flatnonzero(generator.random(count) < 0.2)
        bad = [spoilt(line[each], line[int(generator.integers(count))], generator) for each in spoil]
        found += [line, *(np.stack([shaken(each, generator) for each in line]) for _ in range(copies))]
        numbers += [chosen] * (1 + copies)
        if bad:
            found.append(np.stack(bad))
            numbers.append(np.full(len(bad), len(ALPHABET)))
    return np.concatenate(found), np.concatenate(numbers)


def made_up_zone(generator: np.random.Generator, format: ZoneFormat | None = None) -> list[str]:
    """Lines of a zone of nobody: random fields, right check digits."""
    chosen = format or FORMATS[int(generator.integers(len(FORMATS)))]
    count, width = chosen.shape
    rows = [[FILLER] * width for _ in range(count)]

    def put(name: str, text: str) -> None:
        field = next(each for each in chosen.fields if each.name == name)
        room = field.stop - field.start
        rows[field.line][field.start : field.stop] = text[:room].ljust(room, FILLER)

    def letters(least: int, most: int, among: str = LETTERS) -> str:
        return "".join(generator.choice(list(among), int(generator.integers(least, most + 1))))

    put("document", str(generator.choice(list(chosen.first_letters))))
    put("issuer", letters(3, 3))
    put("nationality", letters(3, 3))
    put("name", f"{letters(3, 12)}{FILLER * 2}{letters(2, 8)}{FILLER}{letters(2, 8)}")
    put("number", letters(9, 9, ALPHABET[:-1]))
    for name in ("birth", "expiry"):
        parts = (generator.integers(100), generator.integers(1, 13), generator.integers(1, 29))
        put(name, "".join(f"{int(part):02d}" for part in parts))
    put("sex", str(generator.choice(list("MF<"))))
    put("optional", letters(1, 10, ALPHABET[:-1]))
    for check in chosen.checks:
        line, column = check.digit
        rows[line][column] = check_digit(characters(["".join(row) for row in rows], check.places))
    return ["".join(row) for row in rows]


CORRUPTIONS = ("none", "blur", "motion", "noise", "stripe", "blot", "light", "pixels", "scratch", "ink")


def corrupted(picture: Pixels, kind: str, strength: float, generator: np.random.Generator) -> Pixels:
    """A picture of a zone with one thing wrong, from hardly (strength 0) to beyond reading (1)."""
    levels, (height, width) = picture.astype(np.float64), picture.shape
    column = width / 40
    if kind == "blur":
        levels = cv2.GaussianBlur(levels, (0, 0), 0.3 + 4 * strength)
    elif kind == "motion":
        length = 1 + round(14 * strength)
        levels = cv2.blur(levels, (length, 1) if generator.integers(2) else (1, length))
    elif kind == "noise":
        levels += generator.normal(0, 5 + 120 * strength, levels.shape)
    elif kind in ("stripe", "blot"):
        for _ in range(1 + round(5 * strength)):
            wide = round(column * float(generator.uniform(0.15, 0.3 + 1.5 * strength)))
            left, shade = int(generator.integers(width)), float(generator.choice([0, 128, 255]))
            top = 0 if kind == "stripe" else int(generator.integers(height))
            tall = height if kind == "stripe" else round(1.3 * column)
            levels[top : top + tall, left : left + max(2, wide)] = shade
    elif kind == "light":  # contrast falls to one side
        fade = np.linspace(1, 1 - 0.97 * strength, width)
        levels = (
            200
            + (levels - 200) * (fade if generator.integers(2) else fade[::-1])
            + generator.normal(0, 4, levels.shape)
        )
    elif kind == "pixels":
        scale = 1 - 0.85 * strength
        levels = cv2.resize(levels, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
        return compressed(levels, max(5, round(80 - 70 * strength)))
    elif kind == "scratch":
        for _ in range(1 + round(8 * strength)):
            ends = generator.integers(0, [width, height], (2, 2))
            shade = float(generator.choice([0, 255]))
            cv2.line(levels, ends[0].tolist(), ends[1].tolist(), shade, 1 + round(4 * strength * column / 15))
    elif kind == "ink":  # runs, or fades
        size = 1 + round(4 * strength)
        shape = np.ones((size, size), np.uint8)
        levels = cv2.erode(levels, shape) if generator.integers(2) else cv2.dilate(levels, shape)
    return np.clip(levels, 0, 255).astype(np.uint8)
