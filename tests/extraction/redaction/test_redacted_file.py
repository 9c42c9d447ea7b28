"""`redacted_file`: a painted copy or nothing, whatever happens in between."""

import numpy as np
import pytest
from PIL import Image

from privis.errors import ImageError, OutputError
from privis.extraction.redaction.redacted_file import redact_file
from privis.extraction.redaction.redactor import Redactor
from privis.io.images.pages import pages
from privis.tasks.redaction import ImageRegion, RegionKind

PIXELS = np.random.default_rng(0).integers(1, 256, (30, 40, 3)).astype(np.uint8)
OWN = [ImageRegion.of_box(RegionKind.GIVEN, 5, 6, 10, 11)]


class Nothing:
    def find(self, image):
        return ()


class Always:
    """Finds something new in every look."""

    def __init__(self):
        self.count = 0

    def find(self, image):
        self.count += 4
        return (ImageRegion.of_box(RegionKind.FACE, self.count, 0, 2, 2),)


@pytest.fixture
def source(tmp_path):
    path = tmp_path / "in.png"
    Image.fromarray(PIXELS).save(path)
    return path


def test_a_copy_has_the_same_format_and_differs_where_it_is_painted(source, tmp_path):
    seen, finished = [], []
    done = redact_file(
        Redactor((Nothing(),)), source, tmp_path / "out.png", {0: OWN},
        look=lambda number, pixels, made: seen.append((number, pixels.shape, made.painted)),
        before=lambda made, path: finished.append((made.written, path.read_bytes()[:4], path == tmp_path / "out.png")),
    )  # fmt: skip
    (copy,) = pages(tmp_path / "out.png")
    changed = (copy != PIXELS).any(axis=2)
    assert changed[6:17, 5:15].all() and changed.sum() == 110 and not copy[6:17, 5:15].any()
    assert done.written and done.painted == 1 and done.settled and seen == [(0, (30, 40, 3), 1)]
    assert finished == [(True, b"\x89PNG", False)]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["in.png", "out.png"]


def test_pages_of_a_scan_have_their_own_boxes(tmp_path):
    deep = np.full((30, 40), 3000, np.uint16)
    scans = [Image.fromarray(each) for each in (PIXELS, deep, PIXELS[..., 0])]
    scans[0].save(tmp_path / "in.tif", save_all=True, append_images=scans[1:])
    done = redact_file(Redactor(()), tmp_path / "in.tif", tmp_path / "out.tif", {1: OWN, 2: OWN})
    first, second, third = pages(tmp_path / "out.tif")
    assert (first == PIXELS).all() and second.dtype == np.uint16 and second[0, 0] == 3000
    assert not second[6:17, 5:15].any() and not third[6:17, 5:15].any() and len(done.pages) == 3
    with pytest.raises(ImageError, match=r"page 5.*pages 1 to 3"):
        redact_file(Redactor(()), tmp_path / "in.tif", tmp_path / "other.tif", {4: OWN})
    assert not (tmp_path / "other.tif").exists()


def test_what_is_not_settled_or_lacks_something_is_held_back(source, tmp_path):
    held = redact_file(Redactor((Always(),)), source, tmp_path / "out.png")
    assert not held.written and not held.settled and not held.missing
    held = redact_file(Redactor((Nothing(),)), source, tmp_path / "out.png", required=frozenset({RegionKind.FACE}))
    assert not held.written and held.settled and held.missing == (RegionKind.FACE,)
    assert [path.name for path in tmp_path.iterdir()] == ["in.png"]


def test_a_box_outside_of_the_picture_hides_nothing_and_is_refused(source, tmp_path):
    with pytest.raises(ImageError, match=r"\(50, 60, 7, 8\) outside of 40 x 30"):
        redact_file(
            Redactor(()), source, tmp_path / "out.png", {0: [ImageRegion.of_box(RegionKind.GIVEN, 50, 60, 7, 8)]}
        )
    assert [path.name for path in tmp_path.iterdir()] == ["in.png"]


@pytest.mark.parametrize("where", ["look", "before", "find"])
def test_an_interrupt_leaves_neither_half_a_file_nor_another_one(source, tmp_path, where):
    (tmp_path / "out.png").write_bytes(b"earlier")

    def stop(*_):
        raise KeyboardInterrupt

    class Stops:
        find = stop

    finder = Stops() if where == "find" else Nothing()
    calls = {where: stop} if where != "find" else {}
    with pytest.raises(KeyboardInterrupt):
        redact_file(Redactor((finder,)), source, tmp_path / "out.png", **calls)
    assert (tmp_path / "out.png").read_bytes() == b"earlier"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["in.png", "out.png"]


@pytest.mark.parametrize("folder", ["a file", "a loop of links"])
def test_a_folder_that_cannot_be_written(source, tmp_path, folder):
    """Also by root, whom no permission stops."""
    closed = tmp_path / "closed"
    closed.write_text("") if folder == "a file" else closed.symlink_to(closed)
    with pytest.raises(OutputError, match="closed"):
        redact_file(Redactor(()), source, closed / "out.png")
