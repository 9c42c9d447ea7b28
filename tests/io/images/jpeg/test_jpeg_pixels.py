"""A JPEG has the same pixels, or is refused with the same words, whichever copy of libjpeg-turbo decodes it."""

from __future__ import annotations

import io
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from privis.errors import ImageError
from privis.io.images import decode
from privis.io.images.jpeg import jpeg_pixels
from privis.io.images.jpeg.jpeg_pixels import FRACTIONS, fraction
from privis.io.images.jpeg.orientation import upright
from privis.io.objects.source_bytes import SourceBytes

PHOTOS = Path(__file__).resolve().parents[5] / "shared" / "data" / "photos"
SUBSAMPLINGS = (0x411111, 0x221111, 0x211111, 0x121111, 0x111111)  # 4:1:1, 4:2:0, 4:2:2, 4:4:0, 4:4:4
DAMAGES = ("none", "cut", "changed", "inserted", "left out", "longer")


@pytest.fixture
def decoders(monkeypatch):
    """What `decode.load` gives, or says, by either decoder, and by which of them the first was."""
    real = jpeg_pixels._by_turbo

    def both(path: Path, at_least: tuple[int, int] | None = None) -> tuple[np.ndarray | str, np.ndarray | str, bool]:
        used: list[bool] = []

        def watched(*given):
            found = real(*given)
            used.append(found is not None)
            return found

        outcomes = []
        for one in (watched, lambda *given: None):
            monkeypatch.setattr(jpeg_pixels, "_by_turbo", one)
            try:
                outcomes.append(decode.load(path, at_least=at_least))
            except ImageError as error:
                outcomes.append(str(error))
        return outcomes[0], outcomes[1], any(used)

    return both


def _same(one: np.ndarray | str, other: np.ndarray | str) -> bool:
    if isinstance(one, str) or isinstance(other, str):
        return isinstance(one, str) and isinstance(other, str) and one == other
    return one.shape == other.shape and np.array_equal(one, other)


def _encoded(generator: np.random.Generator, number: int) -> bytes:
    """A JPEG of any coding that Privis reads, of odd sizes, from smooth to noisy."""
    height, width = map(int, generator.integers(1, 200, 2))
    rough = generator.normal(128, 60, (height // 9 + 2, width // 9 + 2, 3)).clip(0, 255).astype(np.uint8)
    noise = generator.normal(0, (number % 3) * 9, (height, width, 3))
    pixels = (cv2.resize(rough, (width, height), interpolation=cv2.INTER_CUBIC) + noise).clip(0, 255).astype(np.uint8)
    quality, progressive = int(generator.integers(1, 101)), bool(generator.integers(2))
    kind = number % 8
    if kind < 6:  # five subsamplings of colour, and grey
        options = [cv2.IMWRITE_JPEG_QUALITY, quality, cv2.IMWRITE_JPEG_PROGRESSIVE, int(progressive)]
        options += [cv2.IMWRITE_JPEG_RST_INTERVAL, int(generator.choice([0, 1, 5]))]
        if kind < 5:
            options += [cv2.IMWRITE_JPEG_SAMPLING_FACTOR, SUBSAMPLINGS[kind]]
        return cv2.imencode(".jpg", pixels if kind < 5 else pixels[..., 0], options)[1].tobytes()
    file, picture = io.BytesIO(), Image.fromarray(pixels)
    if kind == 6:
        picture.convert("CMYK").save(file, "JPEG", quality=quality)
    else:
        exif = Image.Exif()
        exif[274] = int(generator.integers(0, 10))
        picture.save(file, "JPEG", quality=quality, exif=exif, keep_rgb=number % 16 == 7)
    return file.getvalue()


def _damaged(content: bytes, how: str, generator: np.random.Generator) -> bytes:
    place, some = int(generator.integers(2, len(content))), generator.bytes(int(generator.integers(1, 9)))
    match how:
        case "cut":
            return content[:place]
        case "changed":
            return content[:place] + some + content[place + len(some) :]
        case "inserted":
            return content[:place] + some + content[place:]
        case "left out":
            return content[:place] + content[place + len(some) :]
        case "longer":
            return content + some
    return content


@pytest.mark.parametrize("how", DAMAGES)
def test_pixels_and_refusals_are_pillows(how, tmp_path, decoders):
    generator, path, turbo, refused = np.random.default_rng(DAMAGES.index(how)), tmp_path / "x.jpg", 0, 0
    for number in range(72):
        path.write_bytes(_damaged(_encoded(generator, number), how, generator))
        at_least = None if number % 2 else tuple(map(int, generator.integers(1, 90, 2)))
        ours, pillows, used = decoders(path, at_least)
        assert _same(ours, pillows), (how, number)
        turbo, refused = turbo + used, refused + isinstance(ours, str)
    sound = how in ("none", "longer")
    assert turbo >= (45 if sound else 0)  # or nothing was compared
    assert (refused == 0) if sound else (how != "cut" or refused == 72)


@pytest.mark.skipif(not PHOTOS.is_dir(), reason="no ../shared/data")
def test_photographs_have_pillows_pixels(decoders):
    paths = [path for path in sorted(PHOTOS.rglob("*")) if path.suffix.lower() in (".jpg", ".jpeg")][:40]
    for path in paths:
        for at_least in (None, (64, 64)):
            ours, pillows, used = decoders(path, at_least)
            assert used, path
            assert _same(ours, pillows), path


def test_a_file_whose_decoder_is_missing_is_pillows(tmp_path, monkeypatch):
    path = tmp_path / "x.jpg"
    Image.fromarray(np.random.default_rng(3).integers(0, 256, (40, 50, 3), np.uint8)).save(path)
    expected = decode.load(path)
    monkeypatch.setitem(__import__("sys").modules, "simplejpeg", None)
    assert np.array_equal(decode.load(path), expected)


def test_too_many_pixels_are_refused_before_decoding(tmp_path, monkeypatch):
    path = tmp_path / "x.jpg"
    Image.new("RGB", (64, 64)).save(path)
    monkeypatch.setattr(jpeg_pixels, "_by_turbo", lambda *given: pytest.fail("decoded"))
    with pytest.raises(ImageError, match="at most 4,095 pixels"):
        decode.load(path, max_pixels=4095, at_least=(8, 8))


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("at_least", [(100, 60), (60, 100), (33, 20), (7, 7), (250, 150)])
def test_scaled_decoding_is_never_smaller_than_asked_for(orientation, at_least, tmp_path):
    path, exif = tmp_path / "x.jpg", Image.Exif()
    exif[274] = orientation
    smooth = cv2.resize(np.random.default_rng(4).integers(0, 256, (5, 7, 3), np.uint8), (301, 203))
    Image.fromarray(smooth).save(path, quality=95, exif=exif)
    whole, found = decode.load(path), decode.load(path, at_least=at_least)
    parts = [part for part in FRACTIONS if all(s >= part * a for s, a in zip(whole.shape, at_least, strict=False))]
    part = max(parts, default=1)
    assert found.shape == (-(-whole.shape[0] // part), -(-whole.shape[1] // part), 3)
    means = cv2.resize(whole, found.shape[1::-1], interpolation=cv2.INTER_AREA)
    assert np.abs(found.astype(int) - means).mean() < 8  # the same way up; a wrong one is 40 off


def test_bytes_of_a_source_are_read_as_their_file(tmp_path):
    path = tmp_path / "x.jpg"
    path.write_bytes(_encoded(np.random.default_rng(7), 0))
    for at_least in (None, (4, 4)):
        found = decode.load(SourceBytes("s3://bucket/x.jpg", path.read_bytes()), at_least=at_least)
        assert np.array_equal(found, decode.load(path, at_least=at_least))
    assert found.shape != decode.load(path).shape


def test_other_formats_are_read_whole(tmp_path):
    pixels = np.random.default_rng(5).integers(0, 256, (64, 80, 3), np.uint8)
    for ending in ("png", "webp", "tiff", "bmp"):
        path = tmp_path / f"x.{ending}"
        Image.fromarray(pixels).save(path)
        assert decode.load(path, at_least=(8, 8)).shape == (64, 80, 3)


def test_a_fraction_leaves_both_sides():
    assert [fraction((64, 80), size) for size in ((8, 10), (8, 11), (16, 20), (32, 40), (33, 1), (1, 41))] == [
        *(8, 4, 4, 2, 1, 1)
    ]


@pytest.mark.parametrize("orientation", range(10))
def test_orientations_are_undone_as_exif_says(orientation):
    from PIL import ImageOps

    for shape in ((5, 7), (5, 7, 3), (1, 1), (1, 9, 3)):
        pixels = np.random.default_rng(6).integers(0, 256, shape, np.uint8)
        picture = Image.fromarray(pixels)
        picture.getexif()[274] = orientation
        found = upright(pixels[:, ::-1][:, ::-1], orientation)
        assert found.flags.c_contiguous
        assert np.array_equal(found, np.asarray(ImageOps.exif_transpose(picture)))
