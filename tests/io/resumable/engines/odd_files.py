"""Forty-one files that decoders disagree about, for tests that every worker reads files alike."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

SHAPE = (37, 53)
"""Of all of them as stored, (height, width)."""


def odd_files(folder: Path) -> list[str]:
    """Write them; gives their paths, among them three of no picture."""
    folder.mkdir(parents=True, exist_ok=True)
    random = np.random.default_rng(41)
    grey = random.integers(0, 256, SHAPE, np.uint8)
    colour = random.integers(0, 256, (*SHAPE, 3), np.uint8)
    deep = random.integers(0, 65536, SHAPE, np.uint16)
    rgb, alpha = Image.fromarray(colour), Image.fromarray(np.dstack([colour, grey]), "RGBA")
    palette = rgb.quantize(64)
    made: list[tuple[str, Image.Image, dict[str, object]]] = []
    for orientation in range(2, 9):
        exif = Image.Exif()
        exif[0x0112] = orientation
        made.append((f"turned{orientation}.jpg", rgb, {"exif": exif, "quality": 90}))
    for suffix in ("png", "webp", "tif"):
        exif = Image.Exif()
        exif[0x0112] = 6
        made.append((f"turned.{suffix}", rgb, {"exif": exif}))
    made += [(f"sampled{way}.jpg", rgb, {"subsampling": way}) for way in (0, 1, 2)]
    made += [
        ("cmyk.jpg", rgb.convert("CMYK"), {}),
        ("cmyk.tif", rgb.convert("CMYK"), {}),
        ("grey.jpg", Image.fromarray(grey), {}),
        ("progressive.jpg", rgb, {"progressive": True}),
        ("deep.png", Image.fromarray(deep), {}),
        ("deep.tif", Image.fromarray(deep), {}),
        ("deep.pgm", Image.fromarray(deep), {}),
        ("alpha.png", alpha, {}),
        ("alpha.webp", alpha, {"lossless": True}),
        ("alpha.tif", alpha, {}),
        ("grey-alpha.png", alpha.convert("LA"), {}),
        ("palette.png", palette, {}),
        ("palette-transparent.png", palette, {"transparency": 3}),
        ("palette.gif", palette, {}),
        ("palette.bmp", palette, {}),
        ("bits.png", Image.fromarray(grey).convert("1"), {}),
        ("bits.tif", Image.fromarray(grey).convert("1"), {"compression": "group4"}),
        ("lossy.webp", rgb, {"quality": 60}),
        ("still.avif", rgb, {"quality": 60}),
        ("two.jp2", rgb, {}),
        ("colour.ppm", rgb, {}),
        ("lzw.tif", rgb, {"compression": "tiff_lzw"}),
        ("lab.tif", rgb.convert("LAB"), {}),
    ]
    for name, image, options in made:
        image.save(folder / name, **options)
    (folder / "big-endian.tif").write_bytes(_big_endian(deep))
    whole = (folder / "sampled0.jpg").read_bytes()
    (folder / "cut.jpg").write_bytes(whole[: len(whole) * 2 // 3])
    (folder / "empty.png").write_bytes(b"")
    (folder / "words.jpg").write_bytes(b"no picture at all")
    (folder / "wrong-name.jpg").write_bytes((folder / "alpha.png").read_bytes())
    names = [name for name, _, _ in made] + ["big-endian.tif", "cut.jpg", "empty.png", "words.jpg", "wrong-name.jpg"]
    return [str(folder / name) for name in names]


def _big_endian(deep: np.ndarray) -> bytes:
    """A TIFF of one strip of 16-bit samples, the most significant byte first."""
    height, width = deep.shape
    entries = [(256, 3, width), (257, 3, height), (258, 3, 16), (259, 3, 1), (262, 3, 1), (273, 4, 0), (277, 3, 1)]
    entries += [(278, 3, height), (279, 4, deep.nbytes)]
    start = 8 + 2 + 12 * len(entries) + 4
    content = b"MM\0\x2a" + (8).to_bytes(4, "big") + len(entries).to_bytes(2, "big")
    for tag, kind, number in entries:
        number = start if tag == 273 else number
        field = number.to_bytes(2, "big") + b"\0\0" if kind == 3 else number.to_bytes(4, "big")
        content += tag.to_bytes(2, "big") + kind.to_bytes(2, "big") + (1).to_bytes(4, "big") + field
    return content + b"\0\0\0\0" + deep.astype(">u2").tobytes()
