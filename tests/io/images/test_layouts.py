"""Every photometric interpretation x depth x byte order of TIFF, PNG and PNM, against what was written.

The files are written here, byte by byte; tifffile and OpenCV, which share no code with Pillow, read the same samples.
"""

from __future__ import annotations

import itertools
import struct
import warnings
import zlib
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

import privis.io.images.tiff
from privis import ColourHistogram
from privis.errors import ImageError, ParameterError
from privis.extraction.folder import extract_folder
from privis.io.images import load
from privis.io.images.decode import Decoding
from privis.io.images.depth import DepthWarning
from privis.io.images.image_headers import shape

tifffile = pytest.importorskip("tifffile")
pytest.importorskip("imagecodecs")
Samples = NDArray[np.int64]
WHITE, BLACK, RGB, CMYK = 0, 1, 2, 5
UNSIGNED, SIGNED = 1, 2


def packed(samples: Samples, bits: int) -> bytes:
    """Rows of big-endian bit fields, each row filled up to a byte."""
    rows = ("".join(format(int(value), f"0{bits}b") for value in row) for row in samples.reshape(len(samples), -1))
    return b"".join(int(row + "0" * (-len(row) % 8), 2).to_bytes(-(-len(row) // 8), "big") for row in rows)


def eight_bits(samples: Samples, bits: int) -> Samples:
    return samples >> bits - 8 if bits > 8 else samples * 255 // ((1 << bits) - 1)


def over_white(colour: Samples, alpha: Samples) -> NDArray[np.float64]:
    share = alpha[..., None] / 255
    return colour * share + 255 * (1 - share)


def tiff(samples: Samples, bits: int, photometric: int, order: str, sign: int, planes: int) -> bytes:
    """An uncompressed TIFF; the channels beyond the colour are unassociated alpha."""
    height, width, channels = samples.shape
    parts = [samples] if planes == 1 else [samples[..., each] for each in range(channels)]
    dtype = np.dtype(f"{'i' if sign == SIGNED else 'u'}{max(bits, 8) // 8}").newbyteorder(order)
    strips = [part.astype(dtype).tobytes() if bits in (8, 16, 32) else packed(part, bits) for part in parts]
    tags = {
        256: [width], 257: [height], 258: [bits] * channels, 259: [1], 262: [photometric], 277: [channels],
        278: [height], 284: [planes], 339: [sign] * channels,
    }  # fmt: skip
    if channels in (2, 4) and photometric != CMYK:
        tags[338] = [2]
    body = b"".join(strips)
    starts = [8 + sum(map(len, strips[:index])) for index in range(len(strips))]
    tags |= {273: starts, 279: [len(strip) for strip in strips]}
    entries, far = b"", b""
    for tag, values in sorted(tags.items()):
        code, size = ("I", 4) if tag in (273, 279) else ("H", 2)
        data = struct.pack(f"{order}{len(values)}{code}", *values)
        if len(data) > 4:
            data, far = struct.pack(f"{order}I", 8 + len(body) + len(far)), far + data
        entries += struct.pack(f"{order}HHI", tag, 3 if size == 2 else 4, len(values)) + data.ljust(4, b"\0")
    head = struct.pack(f"{order}2sHI", b"II" if order == "<" else b"MM", 42, 8 + len(body) + len(far))
    return head + body + far + struct.pack(f"{order}H", len(tags)) + entries + bytes(4)


LAYOUTS = [
    (photometric, channels, bits, order, sign, planes)
    for (photometric, counts), bits, order, sign, planes in itertools.product(
        {WHITE: (1, 2), BLACK: (1, 2), RGB: (3, 4), CMYK: (4,)}.items(), (1, 2, 4, 8, 12, 16, 32), "<>", (1, 2), (1, 2)
    )
    for channels in counts
    if not (channels == 1 and planes == 2) and not (sign == SIGNED and bits not in (8, 16, 32))
]


@pytest.mark.parametrize(("photometric", "channels", "bits", "order", "sign", "planes"), LAYOUTS)
def test_tiff(photometric: int, channels: int, bits: int, order: str, sign: int, planes: int, tmp_path: Path) -> None:
    lowest = -(1 << bits - 1) if sign == SIGNED else 0
    samples = np.random.default_rng(bits).integers(lowest, lowest + (1 << bits), (5, 7, channels))
    path = tmp_path / "image.tif"
    path.write_bytes(tiff(samples, bits, photometric, order, sign, planes))
    read = tifffile.imread(path)
    read = read.reshape(5, 7, -1) if planes == 1 else np.moveaxis(read, 0, -1)
    np.testing.assert_array_equal(read, samples, "the writer above is wrong")

    top = eight_bits(samples - lowest, bits)
    colour = {WHITE: 255 - top[..., :1], BLACK: top[..., :1], RGB: top[..., :3], CMYK: top}[photometric]
    right, tolerance = colour.astype(float), 0.0
    if photometric == CMYK:
        right, tolerance = (255 - top[..., :3]) * (255 - top[..., 3:]) / 255, 1.01
    elif channels in (2, 4):
        right, tolerance = over_white(colour, top[..., -1]), 1.01
    got = load(path)
    assert got.shape == shape(str(path)) == (right.shape if right.shape[2] > 1 else right.shape[:2])
    assert np.abs(got - right.reshape(got.shape)).max() <= tolerance


@pytest.mark.parametrize("bits", [8, 16])
def test_tiff_palette(bits: int, tmp_path: Path) -> None:
    generator = np.random.default_rng(bits)
    colours = generator.integers(0, 1 << 16, (3, 1 << bits)).astype(np.uint16)
    indices = generator.integers(0, 1 << bits, (5, 7)).astype(f"u{bits // 8}")
    tifffile.imwrite(tmp_path / "image.tif", indices, photometric="palette", colormap=colours)
    np.testing.assert_array_equal(load(tmp_path / "image.tif"), (colours[:, indices] >> 8).transpose(1, 2, 0))


def test_tiff_refusals_name_the_layout(tmp_path: Path) -> None:
    path = tmp_path / "image.tif"
    tifffile.imwrite(path, np.zeros((4, 4, 3), np.float32), photometric="rgb")
    with pytest.raises(ImageError, match="a TIFF of 3 samples of 32 bits, RGB"):
        load(path)
    assert privis.io.images.tiff.shape(path) is None
    path.write_bytes(tiff(np.zeros((5, 7, 3), np.int64), 16, RGB, "<", UNSIGNED, 2)[:-40])
    with pytest.raises(ImageError):
        load(path)
    path.write_bytes(tiff(np.zeros((5, 7, 3), np.int64), 16, RGB, "<", UNSIGNED, 2))
    with pytest.raises(ImageError, match="34 pixels"):
        load(path, max_pixels=34)


def test_a_missing_decoder_is_an_extra_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "image.tif"
    path.write_bytes(tiff(np.zeros((5, 7, 3), np.int64), 16, RGB, "<", UNSIGNED, 2))
    monkeypatch.setitem(__import__("sys").modules, "tifffile", None)
    with pytest.raises(ImageError, match=r"privis\[tiff\]"):
        load(path)


# PNG --------------------------------------------------------------------------------------------------------

GREY, TRUE, PALETTE, GREY_ALPHA, TRUE_ALPHA = 0, 2, 3, 4, 6
CHANNELS = {GREY: 1, TRUE: 3, PALETTE: 1, GREY_ALPHA: 2, TRUE_ALPHA: 4}


def chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png(samples: Samples, bits: int, colour: int, extra: bytes = b"") -> bytes:
    height, width = samples.shape[:2]
    rows = b"".join(b"\0" + packed(row[None], bits) for row in samples)
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, bits, colour, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + header + extra + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")


@pytest.mark.parametrize(
    ("colour", "bits"),
    [(GREY, bits) for bits in (1, 2, 4, 8, 16)] + list(itertools.product((TRUE, GREY_ALPHA, TRUE_ALPHA), (8, 16))),
)
def test_png(colour: int, bits: int, tmp_path: Path) -> None:
    samples = np.random.default_rng(bits).integers(0, 1 << bits, (5, 7, CHANNELS[colour]))
    path = tmp_path / "image.png"
    path.write_bytes(png(samples, bits, colour))
    if colour in (TRUE, TRUE_ALPHA):
        read = cv2.cvtColor(cv2.imread(str(path), cv2.IMREAD_UNCHANGED), cv2.COLOR_BGRA2RGBA)[..., : CHANNELS[colour]]
        np.testing.assert_array_equal(read, samples, "the writer above is wrong")
    top = eight_bits(samples, bits)
    right, tolerance = top.astype(float), 0.0
    if colour in (GREY_ALPHA, TRUE_ALPHA):
        right, tolerance = over_white(top[..., :-1], top[..., -1]), 1.0
    got = load(path)
    assert got.shape == shape(str(path)) == (right.shape if right.shape[2] > 1 else right.shape[:2])
    assert np.abs(got - right.reshape(got.shape)).max() <= tolerance


@pytest.mark.parametrize("bits", [1, 2, 4, 8])
def test_png_palette(bits: int, tmp_path: Path) -> None:
    generator = np.random.default_rng(bits)
    colours = generator.integers(0, 256, (1 << bits, 3)).astype(np.uint8)
    indices = generator.integers(0, 1 << bits, (5, 7))
    (tmp_path / "image.png").write_bytes(png(indices, bits, PALETTE, chunk(b"PLTE", colours.tobytes())))
    np.testing.assert_array_equal(load(tmp_path / "image.png"), colours[indices])


@pytest.mark.parametrize("bits", [1, 2, 4, 8, 16])
def test_the_transparent_grey_of_a_png_is_laid_over_white_at_every_depth(bits: int, tmp_path: Path) -> None:
    samples = np.random.default_rng(bits).integers(0, 1 << bits, (5, 7))
    clear = int(samples[2, 3])
    (tmp_path / "image.png").write_bytes(png(samples, bits, GREY, chunk(b"tRNS", struct.pack(">H", clear))))
    right = np.where(samples == clear, 255, eight_bits(samples, bits))
    np.testing.assert_array_equal(load(tmp_path / "image.png"), right)


def test_a_transparent_colour_of_16_bits_is_compared_by_all_its_bits(tmp_path: Path) -> None:
    extra = chunk(b"tRNS", struct.pack(">HHH", 1, 2, 3))
    samples = np.full((2, 2, 3), 2, np.int64)
    samples[0, 0] = 1, 2, 3
    (tmp_path / "image.png").write_bytes(png(samples, 16, TRUE, extra))
    assert load(tmp_path / "image.png").tolist() == [[[255] * 3, [0] * 3], [[0] * 3] * 2]


# PNM --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("maximum", [1, 7, 15, 100, 255, 256, 1023, 4095, 65535])
@pytest.mark.parametrize("kind", ["P2", "P3", "P5", "P6"])
def test_pnm(kind: str, maximum: int, tmp_path: Path) -> None:
    grey = kind in ("P2", "P5")
    samples = np.random.default_rng(maximum).integers(0, maximum + 1, (5, 7) if grey else (5, 7, 3))
    raw = samples.astype(">u2" if maximum > 255 else "u1").tobytes()
    text = " ".join(map(str, samples.ravel())).encode()
    path = tmp_path / "image.pnm"
    path.write_bytes(f"{kind}\n7 5\n{maximum}\n".encode() + (text if kind in ("P2", "P3") else raw))
    scaled = samples * 255 / maximum
    got = load(path)
    assert got.shape == shape(str(path)) == scaled.shape
    if maximum > 255 and grey:  # scaled to 16 bits, of which the top 8 are kept
        deep = np.floor(samples * 65535 / maximum + 0.5).astype(np.int64)
        np.testing.assert_array_equal(got, deep >> 8)
    else:
        assert np.abs(got - scaled).max() <= 0.5


@pytest.mark.parametrize("kind", ["P1", "P4"])
def test_bitmap_pnm(kind: str, tmp_path: Path) -> None:
    samples = np.random.default_rng(1).integers(0, 2, (5, 7))
    body = packed(samples, 1) if kind == "P4" else " ".join(map(str, samples.ravel())).encode()
    (tmp_path / "image.pbm").write_bytes(f"{kind}\n7 5\n".encode() + body)
    np.testing.assert_array_equal(load(tmp_path / "image.pbm"), (1 - samples) * 255)


# depth that is stated ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("layout", ["grey TIFF", "colour TIFF", "signed TIFF", "grey PNG", "colour PNG"])
def test_a_stated_depth_scales_and_an_unstated_one_is_warned_of(layout: str, tmp_path: Path) -> None:
    path = tmp_path / ("image.png" if "PNG" in layout else "image.tif")
    channels, signed = 3 if "colour" in layout else 1, "signed" in layout
    samples = np.random.default_rng(0).integers(0, 1 << 12, (5, 7, channels)) - (2048 if signed else 0)
    if "PNG" in layout:
        path.write_bytes(png(samples, 16, TRUE if channels == 3 else GREY))
    else:
        sign = SIGNED if signed else UNSIGNED
        path.write_bytes(tiff(samples, 16, RGB if channels == 3 else BLACK, "<", sign, 1))
    right = ((samples + (2048 if signed else 0)) >> 4).reshape(samples.shape if channels == 3 else (5, 7))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        np.testing.assert_array_equal(load(path, bits=12), right)
    if channels == 1:  # Pillow gives the top byte of colour: there is nothing left to look at
        with pytest.warns(DepthWarning, match="16-bit samples of which 12 bits are used.*bits=12"):
            load(path)


def test_a_stated_depth_leaves_images_of_eight_bits_and_formats_that_state_their_own(tmp_path: Path) -> None:
    (tmp_path / "image.pgm").write_bytes(b"P5\n2 1\n4095\n" + np.array([4095, 2048], ">u2").tobytes())
    assert load(tmp_path / "image.pgm", bits=12).tolist() == load(tmp_path / "image.pgm").tolist() == [[255, 128]]
    (tmp_path / "image.png").write_bytes(png(np.full((2, 2), 200), 8, GREY))
    assert load(tmp_path / "image.png", bits=12).tolist() == [[200, 200]] * 2
    with pytest.raises(ParameterError, match="8 to 32"):
        Decoding(bits=7)


def test_a_value_above_the_stated_depth_is_white(tmp_path: Path) -> None:
    (tmp_path / "image.png").write_bytes(png(np.array([[4095, 4096, 65535]]), 16, GREY))
    assert load(tmp_path / "image.png", bits=12).tolist() == [[255, 255, 255]]


@pytest.mark.parametrize("workers", [1, 2])
def test_a_folder_of_unused_bits_is_warned_of_once_and_nowhere_else(
    workers: int, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    samples = np.random.default_rng(0).integers(0, 1 << 12, (16, 16))
    paths = [str(tmp_path / f"{each}.png") for each in range(4)]
    for path in paths:
        Path(path).write_bytes(png(samples, 16, GREY))
    dark, light = tmp_path / "dark.npz", tmp_path / "light.npz"
    with pytest.warns(DepthWarning) as found:
        result = extract_folder(ColourHistogram(bins=2), paths, dark, workers=workers)
    assert [str(each.message).startswith(f"{paths[0]}: 16-bit samples") for each in found] == [True]
    assert "used" not in capfd.readouterr().err and "12" not in result.card.to_json()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        extract_folder(ColourHistogram(bins=2), paths, light, workers=workers, bits=12)
