"""Every kind of picture gives the right uint8 array or an `ImageError`, and nothing else happens."""

from __future__ import annotations

import io
import os
import resource
import struct
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image, ImageOps

from privis.errors import ImageError
from privis.io.images.decode import load

COLOUR = np.random.default_rng(7).integers(0, 256, (19, 23, 3), dtype=np.uint8)
GREY = COLOUR[:, :, 0].copy()


def encoded(image: Image.Image, form: str, **options: Any) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, form, **options)
    return buffer.getvalue()


def stored(folder: Path, image: Image.Image, name: str, **options: Any) -> Path:
    path = folder / name
    image.save(path, **options)
    return path


def smooth(height: int = 48, width: int = 64) -> Image.Image:
    rows, columns = np.mgrid[:height, :width]
    return Image.fromarray(np.stack([rows * 5, columns * 3, rows + columns], axis=2).astype(np.uint8))


# What is read -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("suffix", ["png", "bmp", "tif", "ppm", "webp", "jp2", "gif"])
@pytest.mark.parametrize("pixels", [COLOUR, GREY], ids=["colour", "grey"])
def test_lossless_formats(tmp_path: Path, suffix: str, pixels: Any) -> None:
    if suffix == "gif":
        pixels = pixels // 64 * 64  # at most 256 colours
    options = {"lossless": True} if suffix == "webp" else {}
    loaded = load(stored(tmp_path, Image.fromarray(pixels), f"a.{suffix}", **options))
    coloured = suffix in ("gif", "webp") and pixels.ndim == 2  # these formats store no grey pictures
    assert np.array_equal(loaded, np.stack([pixels] * 3, axis=2) if coloured else pixels)
    assert loaded.dtype == np.uint8
    assert loaded.flags.c_contiguous
    assert loaded.flags.writeable


def test_jpeg_is_what_pillow_decodes(tmp_path: Path) -> None:
    path = stored(tmp_path, smooth(), "a.jpg", quality=90)
    assert np.array_equal(load(path), np.asarray(Image.open(path)))
    assert np.array_equal(load(str(path)), load(path))


def test_one_pixel(tmp_path: Path) -> None:
    path = stored(tmp_path, Image.new("RGB", (1, 1), (1, 2, 3)), "a.png")
    assert load(path).tolist() == [[[1, 2, 3]]]


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("mode", ["L", "I;16", "P"])
def test_plain_tiffs_that_are_stored_lying_are_not_scrambled(tmp_path: Path, orientation: int, mode: str) -> None:
    picture = smooth().convert("L").convert("P" if mode == "P" else "L")
    if mode == "I;16":
        picture = Image.fromarray(np.asarray(picture).astype(np.uint16) * 256)
    exif = Image.Exif()
    exif[274] = orientation
    path = stored(tmp_path, picture, "lying.tif", exif=exif)
    with Image.open(io.BytesIO(path.read_bytes())) as image:  # without a name there is no map
        expected = load(image)
    assert np.array_equal(load(path), expected)
    with Image.open(path) as image:
        assert np.array_equal(load(image), expected) and str(image.filename) == str(path)
    assert expected.shape[:2] == (picture.size if orientation > 4 else picture.size[::-1])


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("suffix", ["jpg", "png", "tif", "webp"])
def test_exif_orientation_is_applied(tmp_path: Path, orientation: int, suffix: str) -> None:
    exif = Image.Exif()
    exif[274] = orientation
    options = {"lossless": True} if suffix == "webp" else {}
    turned = stored(tmp_path, smooth(), f"turned.{suffix}", exif=exif, **options)
    plain = np.asarray(Image.open(stored(tmp_path, smooth(), f"plain.{suffix}", **options)))
    undo = {
        1: plain,
        2: np.fliplr(plain),
        3: np.rot90(plain, 2),
        4: np.flipud(plain),
        5: plain.swapaxes(0, 1),
        6: np.rot90(plain, -1),
        7: np.rot90(plain, 2).swapaxes(0, 1),
        8: np.rot90(plain, 1),
    }
    assert np.array_equal(load(turned), undo[orientation])
    with Image.open(turned) as image:
        assert np.array_equal(load(image), undo[orientation])
    with Image.open(turned) as image:
        assert np.array_equal(load(turned), np.asarray(ImageOps.exif_transpose(image)))


@pytest.mark.filterwarnings("ignore:Corrupt EXIF data")
def test_damaged_exif_counts_as_upright(tmp_path: Path) -> None:
    path = stored(tmp_path, smooth(), "a.jpg", exif=b"Exif\0\0" + b"II*\0\xff\xff\xff\x7f garbage")
    assert load(path).shape == (48, 64, 3)


def test_palette_becomes_colour(tmp_path: Path) -> None:
    image = Image.fromarray(COLOUR).quantize(16)
    path = stored(tmp_path, image, "a.png")
    assert np.array_equal(load(path), np.asarray(image.convert("RGB")))


def test_transparency_is_laid_over_white(tmp_path: Path) -> None:
    colours = [(200, 0, 0, 0), (200, 0, 0, 255), (200, 0, 0, 51)]
    image = Image.new("RGBA", (3, 1))
    image.putdata(colours)
    expected = [[[255, 255, 255], [200, 0, 0], [244, 204, 204]]]
    assert load(stored(tmp_path, image, "a.png")).tolist() == expected
    assert load(image).tolist() == expected
    assert load(np.array([colours], np.uint8)).tolist() == expected
    grey = Image.new("LA", (2, 1))
    grey.putdata([(100, 255), (100, 0)])
    assert load(stored(tmp_path, grey, "b.png")).tolist() == [[100, 255]]


@pytest.mark.parametrize(("mode", "key"), [("L", 7), ("RGB", (7, 7, 7)), ("P", 7), ("1", 0)])
def test_a_transparent_colour_is_laid_over_white(tmp_path: Path, mode: str, key: object) -> None:
    image = Image.new(mode, (2, 1), key if mode != "1" else 0)  # type: ignore[arg-type]
    image.putpixel((1, 0), {"L": 9, "RGB": (9, 9, 9), "P": 9, "1": 1}[mode])
    if mode == "P":
        image.putpalette([channel for value in range(256) for channel in (value, value, value)])
    loaded = load(stored(tmp_path, image, "a.png", transparency=key))
    assert loaded.reshape(2, -1)[:, 0].tolist() == [255, 255 if mode == "1" else 9]


def test_cmyk_jpeg(tmp_path: Path) -> None:
    path = stored(tmp_path, smooth().convert("CMYK"), "a.jpg", quality=95)
    loaded = load(path).astype(int)
    assert loaded.shape == (48, 64, 3)
    assert np.abs(loaded - np.asarray(smooth(), int)).mean() < 3


def test_one_bit(tmp_path: Path) -> None:
    path = stored(tmp_path, Image.fromarray(GREY > 127), "a.png")
    assert np.array_equal(load(path), np.where(GREY > 127, 255, 0))


@pytest.mark.parametrize("suffix", ["png", "tif", "pgm", "jp2"])
def test_sixteen_bits_keep_their_high_byte(tmp_path: Path, suffix: str) -> None:
    deep = np.array([[0, 255, 256, 32768, 65535], [1, 513, 40000, 65280, 65279]], np.uint16)
    path = tmp_path / f"a.{suffix}"
    Image.fromarray(deep).save(path)
    assert np.array_equal(load(path), deep >> 8)


def test_deep_colour_keeps_its_high_byte(tmp_path: Path, rng: np.random.Generator) -> None:
    deep = rng.integers(0, 65536, (4, 5, 3), dtype=np.uint16)
    path = tmp_path / "a.png"
    path.write_bytes(png(5, 4, depth=16, colour=2, rows=[row.astype(">u2").tobytes() for row in deep]))
    assert np.array_equal(load(path), deep >> 8)


@pytest.mark.filterwarnings("ignore::privis.io.images.depth.DepthWarning")
def test_depth_never_depends_on_the_values(tmp_path: Path) -> None:
    """A dark 16-bit picture stays dark: stretching it to its own range would leak that range."""
    path = tmp_path / "a.png"
    Image.fromarray(np.full((2, 2), 300, np.uint16)).save(path)
    assert load(path).tolist() == [[1, 1], [1, 1]]


@pytest.mark.parametrize(
    ("dtype", "values", "expected"),
    [
        ("<i2", [-32768, -1, 0, 32767], [0, 127, 128, 255]),
        ("<i4", [-(2**31), -1, 0, 2**31 - 1], [0, 127, 128, 255]),
        ("<u4", [0, 2**24, 2**31, 2**32 - 1], [0, 1, 128, 255]),
        (">u2", [0, 256, 32768, 65535], [0, 1, 128, 255]),
    ],
)
def test_tiff_integers_use_the_range_of_their_type(
    tmp_path: Path, dtype: str, values: list[int], expected: list[int]
) -> None:
    path = tmp_path / "a.tif"
    path.write_bytes(tiff(np.array([values], dtype)))
    assert load(path).tolist() == [expected]


@pytest.mark.parametrize("suffix", ["gif", "png", "tif", "webp"])
def test_first_frame(tmp_path: Path, suffix: str) -> None:
    frames = [Image.new("RGB", (4, 3), colour) for colour in ("red", "blue", "green")]
    options = {"lossless": True} if suffix == "webp" else {}
    path = stored(tmp_path, frames[0], f"a.{suffix}", save_all=True, append_images=frames[1:], **options)
    with Image.open(path) as image:
        assert image.n_frames == 3  # type: ignore[attr-defined]
    assert np.array_equal(load(path), np.full((3, 4, 3), (255, 0, 0)))


def test_pil_image_is_not_changed() -> None:
    image = Image.fromarray(COLOUR)
    load(image)[:] = 0
    assert np.array_equal(np.asarray(image), COLOUR)


# What is refused --------------------------------------------------------------------------------------------


def png(width: int, height: int, *, depth: int = 8, colour: int = 0, rows: list[bytes] | None = None) -> bytes:
    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    header = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0)
    data = zlib.compress(b"".join(b"\0" + row for row in rows or []))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", data) + chunk(b"IEND", b"")


def tiff(pixels: np.ndarray[Any, np.dtype[Any]]) -> bytes:
    """A minimal TIFF with one uncompressed strip, in the byte order and sample type of ``pixels``."""
    order = ">" if pixels.dtype.byteorder == ">" else "<"
    height, width = pixels.shape
    bits, signed = 8 * pixels.dtype.itemsize, 2 if pixels.dtype.kind == "i" else 1
    entries = [(256, width), (257, height), (258, bits), (259, 1), (262, 1), (273, 8 + 2 + 9 * 12 + 4)]
    entries += [(278, height), (279, pixels.nbytes), (339, signed)]
    directory = struct.pack(order + "H", len(entries))
    directory += b"".join(struct.pack(order + "HHII", tag, 4, 1, value) for tag, value in entries)
    return (
        (b"MM\0*" if order == ">" else b"II*\0")
        + struct.pack(order + "I", 8)
        + directory
        + b"\0" * 4
        + pixels.tobytes()
    )


def refused(source: Any, *words: str, **options: Any) -> str:
    with pytest.raises(ImageError) as caught:
        load(source, **options)
    message = str(caught.value)
    for word in words:
        assert word in message
    return message


def test_refusals_name_the_file_and_the_remedy(tmp_path: Path) -> None:
    (tmp_path / "empty.jpg").touch()
    (tmp_path / "text.jpg").write_text("hello, I am a text file\n" * 100)
    (tmp_path / "loop.jpg").symlink_to(tmp_path / "loop.jpg")
    os.mkfifo(tmp_path / "pipe.jpg")
    refused(tmp_path / "empty.jpg", str(tmp_path / "empty.jpg"), "an empty file")
    refused(tmp_path / "text.jpg", str(tmp_path / "text.jpg"), "no known image format", "PNG")
    refused(tmp_path / "missing.jpg", "no such file", "check the path")
    refused(tmp_path, "a folder", "name the files")
    refused(tmp_path / "pipe.jpg", "a pipe")
    refused(tmp_path / "loop.jpg", "loop.jpg")
    refused("a\0b.jpg", "null")
    refused("x" * 5000, "too long")
    refused(None, "NoneType", "a path")


def test_no_permission(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = stored(tmp_path, smooth(), "a.png")
    path.chmod(0)
    if os.access(path, os.R_OK):  # root may read everything: let the system call say no instead

        def forbidden(*_: object, **__: object) -> None:
            raise PermissionError(13, "Permission denied")

        monkeypatch.setattr("PIL.Image.open", forbidden)
    refused(path, "no permission", "chmod u+r")


def test_float_pictures_are_refused(tmp_path: Path) -> None:
    path = stored(tmp_path, Image.fromarray(GREY.astype(np.float32)), "a.tif")
    refused(path, str(path), "float pixels", "'F'")
    refused(Image.fromarray(GREY.astype(np.int32)), "unknown range", "uint8")


@pytest.mark.parametrize("suffix", ["jpg", "png", "gif", "bmp", "tif", "webp", "ppm", "jp2"])
def test_truncated_files_are_refused_or_whole(tmp_path: Path, suffix: str) -> None:
    """However much is missing: an error, or (only trailing bytes missing) exactly the whole picture."""
    whole = load(stored(tmp_path, smooth(), f"whole.{suffix}"))
    content = (tmp_path / f"whole.{suffix}").read_bytes()
    path = tmp_path / f"cut.{suffix}"
    refusals = 0
    cuts = sorted({*range(1, len(content), max(1, len(content) // 150)), *range(len(content) - 40, len(content))})
    for cut in cuts:
        path.write_bytes(content[:cut])
        try:
            assert np.array_equal(load(path), whole), f"{cut} of {len(content)} bytes gave another picture"
        except ImageError:
            refusals += 1
    assert refusals > 0.8 * len(cuts)


def test_a_pil_image_that_cannot_be_decoded(tmp_path: Path) -> None:
    path = stored(tmp_path, smooth(480, 640), "a.jpg")
    closed = Image.open(path)
    closed.close()
    refused(closed, "damaged image")
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with Image.open(path) as half:
        refused(half, "truncated")


def test_half_a_jpeg(tmp_path: Path) -> None:
    path = stored(tmp_path, smooth(480, 640), "a.jpg")
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    refused(path, str(path), "damaged image", "truncated", "again")


@pytest.mark.parametrize(("width", "height"), [(10_001, 10_000), (60_000, 60_000), (2**31 - 1, 2**31 - 1)])
def test_decompression_bomb_is_refused_from_its_header(tmp_path: Path, width: int, height: int) -> None:
    path = tmp_path / "bomb.png"
    path.write_bytes(png(width, height, rows=[bytes(1000)]))
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    refused(path, str(path), "at most 100,000,000 pixels", "max_pixels")
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 50_000


def test_max_pixels(tmp_path: Path) -> None:
    path = stored(tmp_path, smooth(), "a.png")
    refused(path, "64 x 48 pixels", "at most 3,071", max_pixels=64 * 48 - 1)
    refused(smooth(), "64 x 48 pixels", max_pixels=64 * 48 - 1)
    assert load(path, max_pixels=64 * 48).shape == (48, 64, 3)


@pytest.mark.parametrize("form", ["JPEG", "PNG", "GIF", "BMP", "TIFF", "WEBP", "PPM", "JPEG2000"])
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
@pytest.mark.filterwarnings("ignore")
def test_fuzzed_bytes_give_an_array_or_an_image_error(tmp_path: Path, form: str, data: st.DataObject) -> None:
    content = bytearray(FUZZED[form])
    edits = st.tuples(st.integers(0, min(len(content), 600) - 1), st.integers(0, 255))
    for position, value in data.draw(st.lists(edits, min_size=1, max_size=12)):
        content[position] = value
    path = tmp_path / "fuzzed"
    path.write_bytes(content[: data.draw(st.integers(1, len(content)))] if data.draw(st.booleans()) else content)
    try:
        loaded = load(path, max_pixels=1_000_000)
    except ImageError:
        return
    assert loaded.dtype == np.uint8
    assert loaded.ndim == 2 or loaded.shape[2] == 3


FUZZED = {
    form: encoded(smooth(12, 16), form) for form in ("JPEG", "PNG", "GIF", "BMP", "TIFF", "WEBP", "PPM", "JPEG2000")
}


# Arrays -----------------------------------------------------------------------------------------------------


def test_arrays_pass_through() -> None:
    assert load(GREY) is GREY
    assert load(COLOUR) is COLOUR
    assert np.array_equal(load(GREY[:, :, None]), GREY)
    assert np.array_equal(load(COLOUR[::-2, ::3]), COLOUR[::-2, ::3])


@pytest.mark.parametrize(
    ("array", "words"),
    [
        (COLOUR / 255, ("float64", "uint8", "(image * 255).round().astype(np.uint8)")),
        (np.full((2, 2), np.nan, np.float32), ("float32 containing NaN",)),
        (GREY > 3, ("bool", "* 255")),
        (GREY.astype(np.int64), ("int64", "astype(np.uint8)")),
        (GREY.astype(np.uint16), ("uint16", ">> 8")),
        (np.array([["a"]], object), ("object",)),
        (COLOUR.transpose(2, 0, 1), ("(3, 19, 23)", "np.moveaxis(image, 0, -1)")),
        (np.zeros((4, 4, 2), np.uint8), ("(4, 4, 2)", "(H, W, 3)")),
        (np.zeros(4, np.uint8), ("(4,)",)),
        (np.zeros((2, 4, 4, 3), np.uint8), ("(2, 4, 4, 3)",)),
        (np.zeros((0, 4), np.uint8), ("(0, 4)", "at least 1 x 1")),
        (np.zeros((4, 0, 3), np.uint8), ("(4, 0, 3)", "at least 1 x 1")),
    ],
)
def test_wrong_arrays_are_refused_with_a_remedy(array: np.ndarray[Any, Any], words: tuple[str, ...]) -> None:
    refused(array, *words)
