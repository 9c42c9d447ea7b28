"""Pages of TIFFs as images of their own, and names of parts.

Answers for `privis.io.images.tiff_pages` and `privis.io.images.file_parts`.
"""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from privis.errors import ImageError, ParameterError
from privis.io.images import image_headers
from privis.io.images.decode import load
from privis.io.images.file_parts import FilePart, file_part
from privis.io.images.same_files import equal_bytes, file_identity
from privis.io.images.sources import find
from privis.io.images.tiff_pages import Pages
from privis.io.resumable.contents import content


@pytest.fixture
def three(tmp_path: Path) -> str:
    """Pages of different sizes, modes and depths."""
    first, second = Image.new("RGB", (8, 6), (9, 8, 7)), Image.new("L", (5, 4), 77)
    third = Image.fromarray(np.full((3, 9), 40_000, np.uint16))
    first.save(tmp_path / "three.tif", save_all=True, append_images=[second, third])
    return str(tmp_path / "three.tif")


def test_all_pages_are_rows_of_their_own_shape(three: str) -> None:
    names = Pages.named("all").of(three)
    assert names == [f"{three}#page={number}" for number in (1, 2, 3)]
    found = [load(name) for name in names]
    assert [picture.shape for picture in found] == [(6, 8, 3), (4, 5), (3, 9)]
    assert [int(picture.flat[0]) for picture in found] == [9, 77, 40_000 >> 8]
    assert [image_headers.shape(name) for name in names] == [(6, 8, 3), (4, 5), (3, 9)]
    np.testing.assert_array_equal(found[0], load(three))


def test_one_page_of_every_file(three: str, tmp_path: Path) -> None:
    Image.new("L", (3, 3)).save(tmp_path / "one.tif")
    Image.new("L", (3, 3)).save(tmp_path / "photo.png")
    names, subjects = Pages(2).of_all([three, str(tmp_path / "one.tif"), str(tmp_path / "photo.png")], ["a", "b", "c"])
    assert subjects == ("a", "b", "c") and names[2].endswith("photo.png")
    assert load(names[0]).shape == (4, 5)
    with pytest.raises(ImageError, match="page 2 of 1"):
        load(names[1])
    with pytest.raises(ImageError, match="a TIFF, which has pages"):
        load(f"{tmp_path / 'photo.png'}#page=2")
    assert Pages(None).of(str(tmp_path / "one.tif")) == [str(tmp_path / "one.tif")]


def test_reduced_copies_and_masks_are_no_pages(tmp_path: Path) -> None:
    pictures = [Image.new("L", (6, 6), number) for number in range(4)]
    for picture, kind in zip(pictures, (0, 1, 2, 4), strict=True):
        picture.encoderinfo = {"tiffinfo": {254: kind}}
    pictures[0].save(tmp_path / "kinds.tif", save_all=True, append_images=pictures[1:], tiffinfo={254: 0})
    names = Pages(None).of(str(tmp_path / "kinds.tif"))
    assert [load(name)[0, 0] for name in names] == [0, 2]


def test_pages_that_pillow_does_not_know(tmp_path: Path) -> None:
    tifffile = pytest.importorskip("tifffile")
    with tifffile.TiffWriter(tmp_path / "deep.tif") as file:
        for number in (1, 2):
            planes = np.full((3, 6, 6), number << 14, np.uint16)
            file.write(planes, planarconfig="separate", photometric="rgb", metadata=None)
    names = Pages(None).of(str(tmp_path / "deep.tif"))
    assert [load(name)[0, 0].tolist() for name in names] == [[64] * 3, [128] * 3]
    assert image_headers.shape(names[1]) == (6, 6, 3)
    with pytest.raises(ImageError, match="page 3 of 2"):
        load(f"{tmp_path / 'deep.tif'}#page=3")


def test_damaged_files_keep_their_name_and_say_why_later(tmp_path: Path, three: str) -> None:
    cut = tmp_path / "cut.tif"
    cut.write_bytes(Path(three).read_bytes()[:60])
    for path in (str(cut), str(tmp_path / "gone.tif")):
        assert Pages(None).of(path) == [path]
        with pytest.raises(ImageError):
            load(path)


@pytest.mark.parametrize("word", ["0", "-1", "two", "", "1.5", "99999999999"])
def test_words_that_name_no_page(word: str) -> None:
    with pytest.raises(ParameterError, match="pages"):
        Pages.named(word)


def test_parts_are_named_and_found_again(three: str) -> None:
    for part in (FilePart("a#b.tif", "page", "2"), FilePart("x.svs", "tile", "0,256,1,64,128"), FilePart("x.svs")):
        assert file_part(part.name) == part
    for name in ("a.tif#page=0", "a.svs#tile=1,2,3", "a.svs#tile=01,2,3,4", "#page=1", "a.tif#pages=2"):
        assert file_part(name) == FilePart(name)
    assert find([f"{three}#page=2"]) == (f"{three}#page=2",)


def test_a_file_that_is_called_like_a_part_is_that_file(tmp_path: Path) -> None:
    odd = tmp_path / "odd.tif#page=2"
    Image.new("L", (3, 3), 5).save(odd, format="TIFF")
    assert load(str(odd))[0, 0] == 5 and file_part(odd).kind == ""


def test_parts_of_one_file_are_apart_and_parts_of_copies_are_equal(three: str, tmp_path: Path) -> None:
    copy = str(tmp_path / "copy.tif")
    Path(copy).write_bytes(Path(three).read_bytes())
    names = [f"{path}#page={number}" for path in (three, copy) for number in (1, 2)]
    keys = [file_identity(name) for name in names]
    assert len(set(keys)) == 4
    same = equal_bytes(dict(zip(keys, names, strict=True)))
    assert same[keys[0]] == same[keys[2]] != same[keys[1]] == same[keys[3]]
    assert file_identity(os.path.relpath(three) + "#page=1") == keys[0]


def test_content_of_a_part_is_that_of_its_file_and_follows_changes(three: str) -> None:
    before = content(f"{three}#page=1")
    assert before == content(three) == content(f"{three}#page=2")
    Path(three).write_bytes(Path(three).read_bytes() + b"\0")
    assert content(f"{three}#page=1") == content(three) != before
