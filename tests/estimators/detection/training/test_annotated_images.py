"""Images with boxes: which are matched, boxes that leave their image, and everything wrong at once."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from privis.errors import ImageError, ParameterError
from privis.estimators.detection.training.annotated_images import annotated_images
from privis.estimators.detection.training.window_choice import choose_window
from privis.io.box_lists import BoxList, read_boxes
from privis.io.images.decode import Decoding

ROWS = "a.png,2,2,8,9,disc\na.png,20,2,8,9,square\nb.png,1,1,5,5,disc\n"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for number, name in enumerate("abc"):
        Image.fromarray(np.full((30, 40), max(0, number - 1), np.uint8)).save(tmp_path / f"{name}.png")
    return tmp_path


def listed(folder: Path, rows: str = ROWS) -> BoxList:
    (folder / "boxes.csv").write_text(f"path,x,y,w,h,label\n{rows}")
    return read_boxes(folder / "boxes.csv")


def paths(folder: Path, names: str) -> list[str]:
    return [str(folder / f"{name}.png") for name in names]


def test_boxes_of_the_label_are_taken_and_other_images_are_background(folder: Path) -> None:
    found = annotated_images(paths(folder, "abc"), listed(folder), "square", background=True)
    assert [len(own) for own in found.things] == [1, 0, 0] and found.label == "square"


def test_a_list_without_labels_may_be_given_a_name(folder: Path) -> None:
    unnamed = listed(folder, "a.png,2,2,8,9,\nb.png,2,2,8,9,\n")
    assert annotated_images(paths(folder, "ab"), unnamed, "disc").label == "disc"
    assert annotated_images(paths(folder, "ab"), unnamed).label == "object"


@pytest.mark.parametrize(
    ("names", "label", "said"),
    [
        ("abc", "disc", "c.png"), ("ab", "ball", "'disc', 'square'"), ("ab", None, "2 labels"), ("c", "disc", "names"),
        ("b", "square", "no box of square"),
    ],
)  # fmt: skip
def test_what_does_not_fit_is_refused(folder: Path, names: str, label: str | None, said: str) -> None:
    with pytest.raises(ParameterError, match=said):
        annotated_images(paths(folder, names), listed(folder), label)


def test_all_that_is_wrong_is_said_at_once(folder: Path) -> None:
    with pytest.raises(ParameterError) as caught:
        annotated_images(paths(folder, "abc"), listed(folder), "ball")
    assert len(caught.value.problems) == 2


def test_boxes_that_leave_their_image_are_named_with_their_lines(folder: Path) -> None:
    beyond = listed(folder, "a.png,35,2,9,9,\na.png,0.5,-0.8,5,5,\nc.png,-5,0,9,9,\nc.png,100,100,9,9,\n")
    images = annotated_images(paths(folder, "ac"), beyond)
    with pytest.raises(ParameterError) as caught:
        images.checked(Decoding())
    said = [str(problem) for problem in caught.value.problems]
    assert [any(f"line {line}" in each for each in said) for line in (2, 3, 4, 5)] == [True, False, True, True]
    cut = images.checked(Decoding(), cut=True)
    assert cut.things[0].tolist() == [[35, 2, 5, 9], [0.5, 0, 5, 4.2]] and cut.things[1].tolist() == [[0, 0, 4, 9]]


def test_images_that_cannot_be_read_are_left_out_with_a_reason(folder: Path) -> None:
    (folder / "b.png").write_bytes(b"none")
    images = annotated_images(paths(folder, "ab"), listed(folder), "disc").checked(Decoding())
    assert list(images.boxes) == [str(folder / "a.png")] and list(images.refused) == [str(folder / "b.png")]
    (folder / "a.png").write_bytes(b"none")
    with pytest.raises(ImageError):
        images.checked(Decoding())


def test_boxes_with_and_without_labels_are_not_mixed(folder: Path) -> None:
    with pytest.raises(ParameterError, match="without a label"):
        annotated_images(paths(folder, "ab"), listed(folder, "a.png,2,2,8,9,disc\nb.png,2,2,8,9,\n"))


def test_images_of_equal_pixels_are_taken_once(folder: Path) -> None:
    images = annotated_images(paths(folder, "ab"), listed(folder), "disc").checked(Decoding())
    assert list(images.boxes) == [str(folder / "a.png")] and images.repeated == (str(folder / "b.png"),)


def test_more_than_memory_holds_is_refused(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    images = annotated_images(paths(folder, "a"), listed(folder), "disc").checked(Decoding())
    choice = choose_window(images.things)
    (picture,) = images.pictures(choice, Decoding())
    monkeypatch.setattr("privis.estimators.detection.training.annotated_images.MOST_BYTES", 1000)
    with pytest.raises(ParameterError, match="GiB"):
        images.pictures(choice, Decoding())
    assert picture.boxes.tolist() == [[2, 2, 8, 9]] and len(picture.levels)
