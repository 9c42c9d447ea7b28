"""PNGs of 16 bits with a stated depth, beside the samples that were written. Answers for `privis.io.images.depth`."""

from __future__ import annotations

import struct
import zlib
from pathlib import Path

import numpy as np
import pytest

from privis.io.images.decode import Decoding, load
from privis.io.images.depth import DepthWarning

GREY, RGB, GREY_ALPHA, RGBA = 0, 2, 4, 6


def png(path: Path, kind: int, samples: np.ndarray, transparent: bytes = b"") -> Path:
    """Written by hand (PNG 1.2), as Pillow writes no colour of 16 bits."""
    height, width = samples.shape[:2]
    lines = b"".join(b"\0" + line.tobytes() for line in samples.astype(">u2").reshape(height, -1))

    def chunk(name: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    extra = chunk(b"tRNS", transparent) if transparent else b""
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 16, kind, 0, 0, 0))
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + header + extra + chunk(b"IDAT", zlib.compress(lines)) + chunk(b"IEND", b""))
    return path


@pytest.fixture
def samples() -> np.ndarray:
    return np.random.default_rng(3).integers(0, 4096, (5, 7, 4))


def top(values: np.ndarray, bits: int) -> np.ndarray:
    return np.minimum(values >> (bits - 8), 255)


@pytest.mark.parametrize("bits", [8, 10, 12, 16])
@pytest.mark.parametrize(("kind", "count"), [(GREY, 1), (RGB, 3)])
def test_the_top_bits_of_the_stated_depth_stay(
    tmp_path: Path, samples: np.ndarray, kind: int, count: int, bits: int
) -> None:
    given = samples[..., :count]
    np.testing.assert_array_equal(
        load(png(tmp_path / "a.png", kind, given), bits=bits),
        top(given, bits).squeeze(axis=2) if count == 1 else top(given, bits),
    )


def test_eight_bits_in_sixteen_are_the_values_themselves(tmp_path: Path) -> None:
    values = np.arange(256).reshape(16, 16, 1)
    path = png(tmp_path / "a.png", GREY, values)
    np.testing.assert_array_equal(Decoding(bits=8)(path), values[..., 0])
    with pytest.warns(DepthWarning, match="--bits 8"):
        assert not load(path).any()


@pytest.mark.parametrize("bits", [8, 12, 16])
@pytest.mark.parametrize(("kind", "count"), [(GREY_ALPHA, 2), (RGBA, 4)])
def test_alpha_has_all_its_bits_and_lies_over_white(
    tmp_path: Path, samples: np.ndarray, kind: int, count: int, bits: int
) -> None:
    given = samples[..., :count].copy()
    given[..., -1] = np.random.default_rng(4).integers(0, 65536, given.shape[:2])
    colour, alpha = top(given[..., :-1], bits), given[..., -1:] >> 8
    expected = (colour * alpha + 255 * (255 - alpha)) / 255
    found = load(png(tmp_path / "a.png", kind, given), bits=bits)
    assert np.abs(found.reshape(expected.shape) - expected).max() <= 1


@pytest.mark.parametrize("bits", [None, 8, 12, 16])
def test_one_colour_is_transparent_by_all_its_bits(tmp_path: Path, samples: np.ndarray, bits: int | None) -> None:
    given = samples[..., :3].copy()
    given[0, 1] = given[0, 0] + (0, 0, 1)
    found = load(png(tmp_path / "a.png", RGB, given, struct.pack(">HHH", *given[0, 0])), bits=bits)
    expected = top(given, bits or 16)
    expected[0, 0] = 255
    np.testing.assert_array_equal(found, expected)
