"""Tiles of whole slides: which there are, their pixels beside other readings, and slides that give none.

Answers for `privis.io.images.slides.tiles` and `privis.io.images.slides.opened_slide`.
"""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from slide_files import stained, write_dicom, write_pyramid

from privis.errors import ImageError, Problem
from privis.io.images import image_headers
from privis.io.images.decode import load
from privis.io.images.file_parts import file_part
from privis.io.images.slides import opened_slide as slides
from privis.io.images.slides.opened_slide import opened_slide
from privis.io.images.slides.tiles import overview_of, tile_scale, tiles_of, tiles_of_all
from privis.io.images.slides.tiling import Tiling

pytest.importorskip("openslide")
pytest.importorskip("tifffile")
BOX = (192, 576, 128, 512)


@pytest.fixture(scope="module")
def pixels() -> np.ndarray:
    return stained(900, 760, BOX)


@pytest.fixture(scope="module")
def slide(tmp_path_factory: pytest.TempPathFactory, pixels: np.ndarray) -> str:
    return str(write_pyramid(tmp_path_factory.mktemp("slides") / "made.tif", pixels, 3))


def corners(names: list[str]) -> list[tuple[int, ...]]:
    return [file_part(name).numbers for name in names]


def test_a_grid_covers_the_slide_and_every_tile_is_its_part(slide: str, pixels: np.ndarray) -> None:
    names = tiles_of(slide, Tiling(128))
    assert corners(names) == [(x, y, 0, 128) for y in range(0, 800, 128) for x in range(0, 600, 128)]
    for name in names[::7]:
        x, y, _, size = file_part(name).numbers
        np.testing.assert_array_equal(load(name), pixels[y : y + size, x : x + size])
    assert image_headers.shape(names[0]) == (128, 128, 3)


def test_overlapping_tiles_share_pixels(slide: str) -> None:
    found = corners(tiles_of(slide, Tiling(128, overlap=32)))
    assert [x for x, y, _, _ in found if y == 0] == list(range(0, 760 - 128 + 1, 96))


def test_the_level_is_the_coarsest_that_is_fine_enough(slide: str, pixels: np.ndarray) -> None:
    found = opened_slide(slide)
    assert found.mpp == pytest.approx(0.5)
    expected = {
        (None, None): (0, 64),
        (1.0, None): (1, 64),
        (None, 4.0): (2, 64),
        (1.5, None): (1, 96),
        (0.505, None): (0, 64),
    }
    for (mpp, downsample), scale in expected.items():
        chosen = tile_scale(found, Tiling(64, mpp=mpp, downsample=downsample))
        assert (chosen.level, chosen.span) == scale
    name = tiles_of(slide, Tiling(64, mpp=1.0))[1]
    assert file_part(name).numbers == (128, 0, 1, 64)
    np.testing.assert_array_equal(load(name), pixels[::2, ::2][:64, 64:128])


def test_finer_levels_are_averaged_to_the_scale(slide: str, pixels: np.ndarray) -> None:
    name = tiles_of(slide, Tiling(64, downsample=8))[0]
    assert file_part(name).numbers == (0, 0, 2, 64, 128)
    mean = pixels[::4, ::4][:128, :128].reshape(64, 2, 64, 2, 3).mean(axis=(1, 3))
    assert np.abs(load(name) - mean).max() <= 0.51


def test_tissue_chooses_tiles_that_have_it(slide: str) -> None:
    inside = [(x, y) for y in range(0, 800, 64) for x in range(0, 700, 64) if 192 <= y < 576 and 128 <= x < 512]
    assert [name[:2] for name in corners(tiles_of(slide, Tiling(64, tissue=0.5)))] == inside
    every, some = (len(tiles_of(slide, Tiling(128, tissue=share))) for share in (1.0, 0.01))
    assert (every, some) == (6, 12)  # rows at 192 and 576 cut tiles of 128 in half


def test_an_overview_is_the_mean_of_squares_whatever_the_band(
    slide: str, pixels: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    from privis.io.images.slides import tiles

    whole, side = overview_of(opened_slide(slide), 8)
    assert (whole.shape, side) == ((112, 95, 3), 8)
    monkeypatch.setattr(tiles, "_BAND", 5000)
    banded, _ = overview_of(opened_slide(slide), 8)
    np.testing.assert_array_equal(whole, banded)
    mean = pixels[::4, ::4][:224, :190].reshape(112, 2, 95, 2, 3).mean(axis=(1, 3))
    assert np.abs(whole - mean).max() <= 0.51


def test_a_large_slide_has_a_small_overview(slide: str, monkeypatch: pytest.MonkeyPatch) -> None:
    from privis.io.images.slides import tiles

    monkeypatch.setattr(tiles, "_MOST_CELLS", 400)
    overview, _ = overview_of(opened_slide(slide), 1)
    assert overview.shape[0] * overview.shape[1] <= 450  # squares have whole pixels


@pytest.mark.parametrize(
    ("tiling", "got"),
    [
        (Tiling(1024), "760 x 900 pixels"),
        (Tiling(256, mpp=5.0), "76 x 90 pixels"),
        (Tiling(64, mpp=0.1), "0.5 microns per pixel"),
        (Tiling(512, tissue=0.9), "no tile with 0.9 of tissue"),
    ],
)
def test_slides_that_give_no_tile_say_why_when_they_are_read(slide: str, tiling: Tiling, got: str) -> None:
    with pytest.raises(ImageError, match=got):
        tiles_of(slide, tiling)
    (name,), subjects = tiles_of_all([slide], tiling, ["someone"])
    assert subjects == ("someone",)
    with pytest.raises(ImageError, match=got):
        load(name)
    assert image_headers.shape(name) is None


def test_glass_without_tissue_is_an_error(tmp_path: Path) -> None:
    path = write_pyramid(tmp_path / "glass.tif", stained(512, 512, None))
    with pytest.raises(ImageError, match="without tissue"):
        tiles_of(str(path), Tiling(128, tissue=0.1))
    assert len(tiles_of(str(path), Tiling(128))) == 16


def test_a_tiny_slide_and_no_slide_cost_their_row(tmp_path: Path, slide: str) -> None:
    tiny = write_pyramid(tmp_path / "tiny.tif", stained(20, 30, None))
    Image.new("RGB", (300, 300)).save(tmp_path / "photo.png")
    (tmp_path / "empty.svs").touch()
    (tmp_path / "folder.svs").mkdir()
    others = [tiny, *(tmp_path / name for name in ("photo.png", "empty.svs", "folder.svs", "gone.svs"))]
    names, _ = tiles_of_all([*map(str, others), slide], Tiling(256))
    assert len(names) == 5 + 6
    for name, got in zip(names, ("30 x 20", "no whole slide", "empty", "folder", "no such file"), strict=False):
        with pytest.raises(ImageError, match=got):
            load(name)
    assert load(names[-1]).shape == (256, 256, 3)


def test_a_damaged_place_costs_its_tiles_alone(tmp_path: Path, pixels: np.ndarray) -> None:
    path = write_pyramid(tmp_path / "cut.tif", pixels)
    import tifffile

    with tifffile.TiffFile(path) as file:
        at = file.pages[0].dataoffsets[9]
    content = bytearray(path.read_bytes())
    content[at : at + 200] = bytes(200)
    path.write_bytes(content)
    failed = []
    for name in tiles_of(str(path), Tiling(128)):
        try:
            load(name)
        except ImageError as error:
            assert "damaged at" in str(error) and error.problems[0].where == name
            failed.append(name)
    assert corners(failed) == [(3 * 128, 128, 0, 128)]


def test_a_truncated_slide_is_an_error(tmp_path: Path, slide: str) -> None:
    cut = tmp_path / "cut.svs"
    cut.write_bytes(Path(slide).read_bytes()[: os.path.getsize(slide) // 3])
    found = 0
    for name in tiles_of_all([str(cut)], Tiling(128))[0]:
        try:
            load(name)
            found += 1
        except ImageError as error:
            assert isinstance(error.problems[0], Problem)
    assert found < 30


def test_a_huge_size_is_refused_before_anything_is_read(slide: str) -> None:
    for words, got in (
        ("tile=0,0,0,999999999", "at most 100,000,000 pixels"),
        ("tile=0,0,0,64,30000", "at most 100,000,000 pixels"),
        ("tile=700,0,0,128", "over the edge"),
        ("tile=0,0,7,128", "level 7"),
    ):
        with pytest.raises(ImageError, match=got):
            load(f"{slide}#{words}")
    with pytest.raises(ImageError, match="at most"):
        opened_slide(slide).region(0, 0, 0, 10_000, 10_000)


def test_a_declared_size_that_the_file_cannot_hold(tmp_path: Path, slide: str) -> None:
    import tifffile

    path = tmp_path / "huge.tif"
    path.write_bytes(Path(slide).read_bytes())
    with tifffile.TiffFile(path, mode="r+") as file:
        for name in ("ImageWidth", "ImageLength"):
            file.pages[0].tags[name].overwrite(2_000_000_000)
    (name,), _ = tiles_of_all([str(path)], Tiling(128))
    with pytest.raises(ImageError):
        load(name)


def test_files_of_one_dicom_slide_are_one_slide(tmp_path: Path) -> None:
    pytest.importorskip("pydicom")
    pixels = stained(400, 300, (0, 300, 0, 200))
    fine = write_dicom(tmp_path / "a.dcm", pixels, "1.2.3", 0.0005)
    coarse = write_dicom(tmp_path / "b.dcm", pixels[::2, ::2], "1.2.3", 0.001)
    found, subjects = tiles_of_all([str(fine), str(coarse)], Tiling(128), ["p", "p"])
    assert len(found) == 6 and subjects == ("p",) * 6
    for name in found:
        x, y = file_part(name).numbers[:2]
        np.testing.assert_array_equal(load(name), pixels[y : y + 128, x : x + 128])
    assert file_part(tiles_of(str(coarse), Tiling(64, mpp=1))[0]).numbers == (0, 0, 1, 64)


def test_a_slide_that_was_replaced_is_opened_again(tmp_path: Path) -> None:
    path = write_pyramid(tmp_path / "one.tif", np.full((128, 128, 3), 9, np.uint8))
    name = tiles_of(str(path), Tiling(128))[0]
    assert load(name)[0, 0, 0] == 9
    write_pyramid(path, np.full((128, 128, 3), 99, np.uint8))
    os.utime(path, (1, 1))
    assert load(name)[0, 0, 0] == 99


def test_labels_and_overviews_are_never_asked_for() -> None:
    for module in Path(slides.__file__).parent.glob("*.py"):
        assert "associated_images" not in module.read_text(encoding="utf-8"), module


def test_a_real_slide_equals_another_reading(shared: Path) -> None:
    tifffile = pytest.importorskip("tifffile")
    pytest.importorskip("imagecodecs")
    path = shared / "medical" / "whole_slide" / "CMU-1-Small-Region.svs"
    with tifffile.TiffFile(path) as file:
        expected = file.pages[0].asarray()
    assert opened_slide(path).levels == ((2220, 2967),) and opened_slide(path).mpp == pytest.approx(0.499)
    np.testing.assert_array_equal(load(path), expected)
    names = tiles_of(str(path), Tiling(256, tissue=0.5))
    assert len(names) == 27
    for name in names[::5]:
        x, y, _, size = file_part(name).numbers
        np.testing.assert_array_equal(load(name), expected[y : y + size, x : x + size])
