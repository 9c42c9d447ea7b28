"""Images as people have them and decoders disagree about: depths, palettes, transparency, orientations, damage."""

from __future__ import annotations

import io
from typing import Any

import cv2
import numpy as np
from PIL import Image, TiffImagePlugin

_ORIENTATION = 274
_HEIGHT, _WIDTH = 48, 72


def odd_images() -> dict[str, bytes]:
    """The bytes of files by name; some cannot be used."""
    colour, alpha = _picture(), _ramp()
    grey = np.ascontiguousarray(colour[:, :, 1])
    deep = (grey.astype(np.uint16) << 8) | alpha
    photo = Image.fromarray(colour)
    clear = Image.fromarray(np.dstack([colour, alpha]))
    palette, luma = photo.quantize(64), Image.fromarray(grey)
    turned = {f"turned{n}.jpg": _saved(photo, "JPEG", exif=_exif(n), quality=95) for n in range(2, 9)}
    jpeg, png = _saved(photo, "JPEG", quality=90, subsampling=2), _saved(photo, "PNG")
    return turned | {
        "turned6.png": _saved(photo, "PNG", exif=_exif(6)),
        "turned6.webp": _saved(photo, "WEBP", lossless=True, exif=_exif(6)),
        "turned6.tif": _saved(luma, "TIFF", tiffinfo=_turned_tiff()),
        "damaged_exif.jpg": _saved(photo, "JPEG", exif=b"Exif\0\0II*\0\xff\xff\xff\x00"),
        "444.jpg": _saved(photo, "JPEG", quality=90, subsampling=0),
        "420.jpg": jpeg,
        "progressive.jpg": _saved(photo, "JPEG", progressive=True),
        "grey.jpg": _saved(luma, "JPEG"),
        "cmyk.jpg": _saved(photo.convert("CMYK"), "JPEG"),
        "two.mpo": _saved(photo, "MPO", save_all=True, append_images=[luma.convert("RGB")]),
        "grey16.png": _encoded(".png", deep),
        "rgb16.png": _encoded(".png", np.dstack([deep, deep[::-1], deep[:, ::-1]])),
        "rgba16.png": _encoded(".png", np.dstack([deep, deep, deep, deep[::-1]])),
        "grey1.png": _saved(luma.convert("1"), "PNG"),
        "grey_alpha.png": _saved(clear.convert("LA"), "PNG"),
        "rgba.png": _saved(clear, "PNG"),
        "palette.png": _saved(palette, "PNG"),
        "palette_clear.png": _saved(palette, "PNG", transparency=3),
        "grey_clear.png": _saved(luma, "PNG", transparency=128),
        "rgb_clear.png": _saved(photo, "PNG", transparency=tuple(map(int, colour[5, 5]))),
        "animated.png": _saved(photo, "PNG", save_all=True, append_images=[photo.rotate(90)]),
        "animated.gif": _saved(palette, "GIF", save_all=True, append_images=[luma]),
        "clear.gif": _saved(palette, "GIF", transparency=3),
        "lossy.webp": _saved(photo, "WEBP"),
        "rgba.webp": _saved(clear, "WEBP", lossless=True),
        "plain.avif": _saved(photo, "AVIF"),
        "plain.bmp": _saved(photo, "BMP"),
        "deep.pgm": b"P5 %d %d 1000\n" % (_WIDTH, _HEIGHT) + (deep // 66).astype(">u2").tobytes(),
        "plain.jp2": _saved(photo, "JPEG2000"),
        "big_endian16.tif": _saved(Image.frombytes("I;16B", deep.T.shape, deep.astype(">u2").tobytes()), "TIFF"),
        "signed16.tif": _encoded(".tif", (deep.astype(np.int32) - 32768).astype(np.int16)),
        "white_is_zero.tif": _saved(luma, "TIFF", tiffinfo=_white_is_zero()),
        "packed.tif": _saved(photo, "TIFF", compression="tiff_lzw"),
        "pages.tif": _saved(photo, "TIFF", save_all=True, append_images=[luma]),
        "float.tif": _saved(Image.fromarray(grey.astype(np.float32) / 255), "TIFF"),
        "lab.tif": _saved(Image.merge("LAB", [luma, luma, luma]), "TIFF"),
        "cut.jpg": jpeg[: len(jpeg) * 2 // 3],
        "cut.png": png[: len(png) * 2 // 3],
        "text.jpg": b"no image at all",
        "empty.png": b"",
    }


def _picture() -> Any:
    """Blurred noise, (H, W, 3): something in every band of frequency and of colour."""
    noise = np.random.default_rng(5).integers(0, 256, (_HEIGHT, _WIDTH, 3), np.uint8)
    return cv2.normalize(cv2.GaussianBlur(noise, (0, 0), 1.5), None, 0, 255, cv2.NORM_MINMAX)


def _ramp() -> Any:
    return np.tile(np.linspace(0, 255, _WIDTH).astype(np.uint8), (_HEIGHT, 1))


def _saved(image: Image.Image, form: str, **options: Any) -> bytes:
    file = io.BytesIO()
    image.save(file, form, **options)
    return file.getvalue()


def _encoded(ending: str, pixels: Any) -> bytes:
    return cv2.imencode(ending, pixels)[1].tobytes()


def _exif(orientation: int) -> Image.Exif:
    exif = Image.Exif()
    exif[_ORIENTATION] = orientation
    return exif


def _turned_tiff() -> TiffImagePlugin.ImageFileDirectory_v2:
    tags = TiffImagePlugin.ImageFileDirectory_v2()
    tags[_ORIENTATION] = 6
    return tags


def _white_is_zero() -> TiffImagePlugin.ImageFileDirectory_v2:
    tags = TiffImagePlugin.ImageFileDirectory_v2()
    tags[262] = 0
    return tags
