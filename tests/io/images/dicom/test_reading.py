"""What users say of DICOM files.

Answers for `privis.io.images.dicom.reading`, `privis.io.images.dicom.frames`, `privis.io.images.file_parts`.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from privis.cli.documents.redact_names import named_pictures
from privis.errors import ImageError, ParameterError
from privis.file_formats import FileFormat, format_of
from privis.io.images.decode import load
from privis.io.images.dicom.frames import Frames
from privis.io.images.dicom.reading import PRESETS, DicomReading
from privis.io.images.file_parts import file_and_frame, part_named
from privis.io.images.pages import pages, still_format
from privis.io.images.same_files import equal_bytes, file_identity
from privis.io.images.sources import find
from tests.io.images.dicom.dicom_files import write

THREE = np.arange(48, dtype=np.uint8).reshape(3, 4, 4)


@pytest.mark.parametrize("window", ["", "lungs", "40", "40,0", "40,0.5", "nan,400", "40,inf", "1,2,3", "40;400"])
def test_windows_of_no_form_are_refused(window: str) -> None:
    with pytest.raises(ParameterError, match="CENTRE,WIDTH"):
        DicomReading(window)


def test_windows() -> None:
    assert DicomReading().fixed is None and DicomReading("full").fixed is None
    assert DicomReading("-600, 1500").fixed == PRESETS["lung"] == DicomReading("lung").fixed


@pytest.mark.parametrize("word", ["0", "-1", "two", "", "1.0", "²"])
def test_frames_of_no_form_are_refused(word: str) -> None:
    with pytest.raises(ParameterError, match="a number from 1, or all"):
        Frames.named(word)


def test_frames_of_a_folder_of_many_kinds(tmp_path: Path) -> None:
    one, three, other = tmp_path / "one.dcm", tmp_path / "three", tmp_path / "x.png"
    write(one, THREE[0])
    write(three, THREE)
    Image.fromarray(THREE[0]).save(other)
    broken = write(tmp_path / "broken.dcm", None)
    paths = find([str(tmp_path)])
    assert set(paths) == {str(one), str(three), str(other), str(broken)}
    names, subjects = Frames.named("all").of_all(paths, ["b", "o", "t", "x"])
    assert names == (str(broken), str(one), *(f"{three}#frame={n}" for n in (1, 2, 3)), str(other))
    assert subjects == ("b", "o", "t", "t", "t", "x")
    assert Frames.named("2").of_all([str(one), str(other)]) == ((f"{one}#frame=2", str(other)), None)
    assert Frames().of_all(paths)[0] == paths


def test_all_frames_are_painted_over_and_written_as_pictures(tmp_path: Path) -> None:
    """Also of a file whose preamble makes it a TIFF at the same time (PS3.10, 7.1)."""
    both = write(tmp_path / "both", THREE)
    buffer = tmp_path / "t.tif"
    Image.fromarray(np.zeros((1, 1), np.uint8)).save(buffer)
    content = both.read_bytes()
    head = b"II*\0" + len(content).to_bytes(4, "little")
    both.write_bytes(head + content[8:] + buffer.read_bytes()[8:])
    assert load(both).tolist() == THREE[0].tolist() and format_of(both) is FileFormat.DICOM
    assert still_format(both) == "TIFF" and [page.tolist() for page in pages(both)] == THREE.tolist()
    one = write(tmp_path / "one", THREE[1])
    assert still_format(one) == "PNG" and [page.tolist() for page in pages(one)] == [THREE[1].tolist()]
    cut = write(tmp_path / "cut.dcm", None)
    named = named_pictures([str(tmp_path)], tmp_path.parent / "painted", None)
    assert {each.name for each in named} == {"both.tif", "one.png", "cut.dcm", "t.tif"}
    with pytest.raises(ImageError, match="no pixel data"):
        still_format(cut)


def test_names_of_parts(tmp_path: Path) -> None:
    assert file_and_frame(part_named("a#b.dcm", 12)) == ("a#b.dcm", 12)
    odd = tmp_path / "odd#frame=2"
    odd.write_bytes(b"")
    assert file_and_frame(str(odd)) == (str(odd), None)
    assert file_and_frame("a#frame=0") == ("a#frame=0", None)


def test_frames_are_pictures_of_their_own(tmp_path: Path) -> None:
    """Or two frames of a person would count as one image, and be charged as one."""
    path = str(write(tmp_path / "a", THREE))
    (tmp_path / "b").write_bytes(Path(path).read_bytes())
    first, second, copy = f"{path}#frame=1", f"{path}#frame=2", f"{tmp_path / 'b'}#frame=2"
    assert file_identity(first) != file_identity(second)
    same = equal_bytes({file_identity(each): each for each in (first, second, copy)})
    assert same[file_identity(second)] == same[file_identity(copy)] != same[file_identity(first)]


def test_a_folder_is_searched_for_files_without_an_ending(tmp_path: Path) -> None:
    for name in ("IM_0001", "1.2.840.5", "DICOMDIR", "readme", "a.txt", ".hidden"):
        write(tmp_path / name, THREE[0])
    (tmp_path / "readme").write_text("no picture")
    assert [Path(path).name for path in find([str(tmp_path)])] == ["1.2.840.5", "IM_0001"]
