"""`pages`: all pages at their own depth, and files that hold pixels and nothing else."""

import io
import os

import numpy as np
import pytest
from PIL import Image, ImageSequence, PngImagePlugin, TiffImagePlugin

from privis.errors import ImageError
from privis.io.images.pages import as_written, encoded, pages, still_format, write_pages

GREY16 = np.arange(0, 65520, 117, dtype=np.uint16)[:560].reshape(20, 28)
COLOUR = np.random.default_rng(0).integers(0, 256, (20, 28, 3)).astype(np.uint8)


def read(path):
    return list(pages(path))


@pytest.mark.parametrize("suffix", ["png", "tiff", "pgm", "jp2"])
def test_grey_of_16_bits_stays_as_it_is(tmp_path, suffix):
    path = tmp_path / f"deep.{suffix}"
    Image.fromarray(GREY16).save(path)
    (stored,) = read(path)
    assert stored.dtype == np.uint16 and (stored == GREY16).all()
    path.write_bytes(encoded(stored, still_format(path)))
    (again,) = read(path)
    assert again.dtype == np.uint16 and (again == GREY16).all()


def test_turned_and_inverted_deep_pictures_are_upright(tmp_path):
    path = tmp_path / "turned.png"
    exif = Image.Exif()
    exif[274] = 6
    Image.fromarray(GREY16).save(path, exif=exif)
    (stored,) = read(path)
    assert (stored == np.rot90(GREY16, -1)).all()
    Image.fromarray(GREY16).save(tmp_path / "white.tiff", tiffinfo={262: 0})
    (stored,) = read(tmp_path / "white.tiff")
    assert (stored == 65535 - GREY16).all()


def test_all_pages_of_a_tiff_each_upright_and_of_its_own_kind(tmp_path):
    path = tmp_path / "pages.tiff"
    kinds = [(COLOUR, 1), (COLOUR[..., 0], 6), (GREY16, 3), (COLOUR[..., 0] > 127, 1), (COLOUR, 8)]
    with TiffImagePlugin.AppendingTiffWriter(path, new=True) as writer:
        for pixels, orientation in kinds:
            Image.fromarray(pixels).save(writer, "TIFF", tiffinfo={274: orientation})
            writer.newFrame()
    first, second, third, fourth, fifth = read(path)
    assert (first == COLOUR).all() and (third == GREY16[::-1, ::-1]).all()
    assert (second == np.rot90(COLOUR[..., 0], -1)).all() and set(np.unique(fourth)) == {0, 255}
    assert (fifth == np.rot90(COLOUR)).all()
    with open(tmp_path / "again.tiff", "w+b") as file:
        write_pages(iter([first, second, third, fourth]), "TIFF", file)
    for one, other in zip(read(tmp_path / "again.tiff"), (first, second, third, fourth), strict=True):
        assert one.dtype == other.dtype and (one == other).all()


def test_only_pixels_are_written(tmp_path):
    secret = Image.new("RGB", (64, 64), (250, 10, 10))
    thumbnail = io.BytesIO()
    secret.save(thumbnail, "JPEG")
    exif = Image.Exif()
    exif[315], exif[270] = "Ms Secret", "secret place"
    path = tmp_path / "photo.jpg"
    picture = Image.fromarray(COLOUR)
    picture.save(path, exif=exif, icc_profile=b"secret profile", comment=b"secret comment", xmp=b"<secret/>")
    with open(path, "ab") as file:
        file.write(b"secret trailer" + thumbnail.getvalue())
    written = encoded(next(iter(pages(path))), still_format(path))
    assert b"secret" not in written.lower() and written.count(b"\xff\xd8\xff") == 1 and b"Exif" not in written
    assert written.endswith(b"\xff\xd9") and b"ICC_PROFILE" not in written
    text = PngImagePlugin.PngInfo()
    text.add_text("Author", "secret")
    text.add_itxt("XML:com.adobe.xmp", "secret")
    picture.save(tmp_path / "p.png", pnginfo=text, exif=exif, dpi=(300, 300), icc_profile=b"secret")
    written = encoded(next(iter(pages(tmp_path / "p.png"))), "PNG")
    kinds = {written[place - 4 : place] for place in range(12, len(written)) if written[place - 4 : place].isalpha()}
    assert not kinds & {b"tEXt", b"iTXt", b"zTXt", b"eXIf", b"iCCP", b"tIME", b"pHYs"} and b"secret" not in written
    picture.save(tmp_path / "t.tiff", tiffinfo={270: "secret", 315: "secret", 700: b"secret"})
    assert b"secret" not in encoded(next(iter(pages(tmp_path / "t.tiff"))), "TIFF")


def test_hidden_pixels_of_transparent_pictures_are_gone(tmp_path):
    hidden = np.dstack([COLOUR, np.zeros((20, 28), np.uint8)])
    Image.fromarray(hidden).save(tmp_path / "a.png")
    Image.fromarray(hidden).save(tmp_path / "a.webp", lossless=True, exact=True)
    palette = Image.fromarray(COLOUR).quantize(16)
    palette.info["transparency"] = bytes([0] * 16)
    palette.save(tmp_path / "p.png", transparency=bytes([0] * 16))
    for name in ("a.png", "a.webp", "p.png"):
        (stored,) = read(tmp_path / name)
        assert stored.shape == (20, 28, 3) and (stored == 255).all(), name
        written = encoded(stored, still_format(tmp_path / name))
        assert Image.open(io.BytesIO(written)).mode == "RGB"


def test_cmyk_and_pictures_of_two_become_one_in_colour(tmp_path):
    Image.fromarray(COLOUR).convert("CMYK").save(tmp_path / "c.jpg")
    other = Image.new("RGB", (28, 20), (1, 200, 3))
    Image.fromarray(COLOUR).save(tmp_path / "m.mpo", format="MPO", save_all=True, append_images=[other])
    for name in ("c.jpg", "m.mpo"):
        assert still_format(tmp_path / name) == "JPEG"
        (stored,) = read(tmp_path / name)
        written = encoded(stored, "JPEG")
        with Image.open(io.BytesIO(written)) as image:
            assert image.mode == "RGB" and image.format == "JPEG" and image.size == (28, 20)
        assert written.count(b"\xff\xd8\xff") == 1


def test_animations_are_refused_and_still_ones_are_not(tmp_path):
    frames = [Image.fromarray(np.roll(COLOUR, shift, axis=0)) for shift in range(3)]
    for name in ("a.gif", "a.png", "a.webp"):
        frames[0].save(tmp_path / name, save_all=True, append_images=frames[1:])
        with Image.open(tmp_path / name) as image:
            assert len(list(ImageSequence.Iterator(image))) > 1
        with pytest.raises(ImageError, match="animation of 3 frames"):
            still_format(tmp_path / name)
    frames[0].save(tmp_path / "one.gif")
    assert still_format(tmp_path / "one.gif") == "GIF"


def test_what_readers_will_see_is_what_is_checked():
    for stored in ("JPEG", "WEBP", "GIF"):
        seen = as_written(COLOUR, stored)
        assert seen.shape == COLOUR.shape and (seen != COLOUR).any(), stored
    assert as_written(COLOUR, "PNG") is COLOUR
    assert as_written(COLOUR[..., 0], "JPEG").shape == (20, 28)


def test_damaged_and_other_files_are_named(tmp_path):
    good = encoded(COLOUR, "PNG")
    (tmp_path / "cut.png").write_bytes(good[: len(good) // 2])
    (tmp_path / "text.png").write_text("no picture")
    Image.fromarray(GREY16.astype(np.int32)).save(tmp_path / "wide.tiff")
    Image.fromarray(COLOUR).save(tmp_path / "p.tiff", save_all=True, append_images=[Image.fromarray(COLOUR)] * 2)
    content = (tmp_path / "p.tiff").read_bytes()
    (tmp_path / "p.tiff").write_bytes(content[: len(content) * 2 // 3])
    for name in ("cut.png", "text.png", "wide.tiff", "p.tiff", "none.png"):
        with pytest.raises(ImageError, match=name):
            still_format(tmp_path / name)
            read(tmp_path / name)
    os.mkfifo(tmp_path / "pipe.png")
    for look in (still_format, read):  # at once: nobody writes into the pipe
        with pytest.raises(ImageError, match="a pipe"):
            look(tmp_path / "pipe.png")
    with pytest.raises(ImageError, match="at most 10 pixels"):
        next(iter(pages(tmp_path / "cut.png", max_pixels=10)))


def test_what_a_format_cannot_hold_is_said():
    with pytest.raises(ImageError, match="WEBP"):
        encoded(np.zeros((1, 17000), np.uint8), "WEBP")
