"""Bytes that were read once decode to what their file decodes to, under the name of their source."""

from __future__ import annotations

import hashlib
import os
import pickle
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from privis.errors import ImageError
from privis.io.images.decode import Decoding
from privis.io.images.file_parts import part_of_source
from privis.io.objects.source_bytes import FileReader, SourceBytes


def _pages(path: Path) -> Path:
    pages = [Image.fromarray(np.full((4, 6), value, np.uint8)) for value in (10, 200)]
    pages[0].save(path, save_all=True, append_images=pages[1:])
    return path


def _deep(path: Path) -> Path:
    Image.fromarray((np.arange(24, dtype=np.uint16) * 2500).reshape(4, 6)).save(path)
    return path


@pytest.mark.parametrize("make, name", [(_pages, "a.tif"), (_deep, "deep.png"), (_deep, "deep.tiff")])
def test_bytes_decode_as_their_file_does(tmp_path: Path, make, name: str) -> None:
    path = str(make(tmp_path / name))
    read = FileReader().read(path)
    assert read.digest == hashlib.sha256(Path(path).read_bytes()).hexdigest()
    np.testing.assert_array_equal(Decoding()(SourceBytes(f"s3://bucket/{name}", read.data)), Decoding()(path))


def test_parts_of_sources_that_are_no_files(tmp_path: Path) -> None:
    data = _pages(tmp_path / "a.tif").read_bytes()
    assert Decoding()(SourceBytes("s3://bucket/a.tif#page=2", data)).min() == 200
    assert part_of_source("s3://bucket/#1/a.tif").kind == ""


def test_messages_name_the_source_and_leave_no_descriptor_open() -> None:
    before = len(os.listdir("/proc/self/fd"))
    for data, got in ((b"no picture", "bytes of no known image format"), (b"", "an empty file")):
        with pytest.raises(ImageError) as caught:
            Decoding()(SourceBytes("s3://bucket/a.jpg", data))
        assert caught.value.problems[0].where == "s3://bucket/a.jpg"
        assert got in str(caught.value) and "/proc" not in str(caught.value)
    assert len(os.listdir("/proc/self/fd")) == before


def test_what_is_no_file_is_not_opened(tmp_path: Path) -> None:
    reader = pickle.loads(pickle.dumps(FileReader()))
    os.mkfifo(tmp_path / "pipe")
    for name in ("pipe", "missing", "."):
        with pytest.raises(ImageError, match="file"):
            reader.read(str(tmp_path / name))
