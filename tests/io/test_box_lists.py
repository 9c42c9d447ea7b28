"""Lists of boxes: spellings of CSV files, COCO's JSON, everything that is wrong at once, and whose boxes they are."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from privis.errors import ParameterError
from privis.io.box_lists import read_boxes

COCO = {
    "images": [{"id": 1, "file_name": "a.jpg"}, {"id": 2, "file_name": "b.jpg"}],
    "annotations": [
        {"id": 1, "image_id": 1, "category_id": 7, "bbox": [1, 2, 3, 4]},
        {"id": 2, "image_id": 1, "category_id": 7, "bbox": [0, 0, 50, 50], "iscrowd": 1},
    ],
    "categories": [{"id": 7, "name": "person"}],
}


def listed(folder: Path, text: str) -> Path:
    place = folder / "boxes.csv"
    place.write_text(text)
    return place


@pytest.mark.parametrize(
    "text",
    [
        "path,x,y,w,h,score,label\na.jpg,1,2,3,4,0.5,person\n",
        "file,xmin,ymin,xmax,ymax,class\na.jpg,1,2,4,6,person\n",
        "Path,X,Y,W,H,Label,note\na.jpg,1,2,3,4,person,one\x85line\n",
        "\ufefffilename, x, y, width, height, name\r\na.jpg, 1, 2, 3, 4, person\r\n",
    ],
)
def test_spellings_of_csv_files(tmp_path: Path, text: str) -> None:
    image = read_boxes(listed(tmp_path, text)).images["a.jpg"]
    assert (image.boxes.tolist(), image.labels, image.crowd.tolist()) == ([[1, 2, 3, 4]], ("person",), [False])


def test_a_row_without_numbers_is_an_image_without_boxes(tmp_path: Path) -> None:
    found = read_boxes(listed(tmp_path, "path,x,y,w,h\na.jpg,1,2,3,4\nb.jpg,,,,\n"))
    assert {name: len(image.boxes) for name, image in found.images.items()} == {"a.jpg": 1, "b.jpg": 0}


def test_coco_has_kinds_images_without_boxes_and_crowds(tmp_path: Path) -> None:
    (tmp_path / "boxes.json").write_text(json.dumps(COCO))
    found = read_boxes(tmp_path / "boxes.json")
    assert found.images["a.jpg"].labels == ("person", "person") and found.images["a.jpg"].crowd.tolist() == [
        False,
        True,
    ]
    assert len(found.images["b.jpg"].boxes) == 0 and found.labels == ("person",)


def test_everything_that_is_wrong_is_said_at_once(tmp_path: Path) -> None:
    place = listed(tmp_path, "path,x,y,w,h\na.jpg,1,2,-1,4\n,1,2,3,4\na.jpg,1,nan,3,4\na.jpg,1,2,3\n")
    with pytest.raises(ParameterError) as caught:
        read_boxes(place)
    said = " ".join(map(str, caught.value.problems))
    assert all(f"line {line}" in said for line in (2, 3, 4, 5)), said


@pytest.mark.parametrize(
    "document",
    [
        [], {"images": []}, {"images": [{"id": []}], "annotations": []}, COCO | {"annotations": "no"},
        COCO | {"annotations": [{"image_id": [1], "bbox": [1, 2, 3, 4]}]},
        COCO | {"annotations": [{"image_id": 1, "category_id": 8, "bbox": [1, 2, 3, 4]}]},
        COCO | {"annotations": [{"image_id": 1, "category_id": 7, "bbox": [1, 2, "x", 4]}]},
    ],
)  # fmt: skip
def test_json_of_something_else_is_refused(tmp_path: Path, document: object) -> None:
    (tmp_path / "boxes.json").write_text(json.dumps(document))
    with pytest.raises(ParameterError):
        read_boxes(tmp_path / "boxes.json")


@pytest.mark.parametrize("text", ["", "a,b\n1,2\n", "path,x,y,w,h\n", "path,x,y\na.jpg,1,2\n", '{"images": ['])
def test_files_without_boxes_are_refused(tmp_path: Path, text: str) -> None:
    with pytest.raises(ParameterError):
        read_boxes(listed(tmp_path, text))


def test_images_are_matched_by_place_then_by_a_name_that_is_alone(tmp_path: Path) -> None:
    for name in ("one/a.jpg", "two/a.jpg", "two/b.jpg"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(b"")
    found = read_boxes(listed(tmp_path, "path,x,y,w,h\none/a.jpg,1,2,3,4\nb.jpg,5,6,7,8\nc.jpg,1,1,1,1\n"))
    matched, absent, unused = found.found([str(tmp_path / name) for name in ("one/a.jpg", "two/a.jpg", "two/b.jpg")])
    assert sorted(matched) == [str(tmp_path / "one/a.jpg"), str(tmp_path / "two/b.jpg")]
    assert absent == (str(tmp_path / "two/a.jpg"),) and unused == ("c.jpg",)


def test_names_from_the_working_directory_are_found_wherever_the_list_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("one/a.jpg", "two/a.jpg", "out/list"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(b"")
    monkeypatch.chdir(tmp_path)
    found = read_boxes(listed(tmp_path / "out", "path,x,y,w,h\none/a.jpg,1,2,3,4\ntwo/a.jpg,5,6,7,8\n"))
    matched, absent, unused = found.found(["two/a.jpg", str(tmp_path / "one/a.jpg")])
    assert [own.boxes[0, 0] for own in matched.values()] == [5, 1] and absent == unused == ()


def test_boxes_of_one_label_are_chosen(tmp_path: Path) -> None:
    image = read_boxes(listed(tmp_path, "path,x,y,w,h,label\na,1,2,3,4,cell\na,5,6,7,8,other\n")).images["a"]
    assert np.array_equal(image.of_label("other").boxes, [[5, 6, 7, 8]]) and image.of_label("other").lines == (
        "line 3",
    )


def test_boxes_without_area_are_passed_over_and_named(tmp_path: Path) -> None:
    found = read_boxes(listed(tmp_path, "file,xmin,ymin,xmax,ymax\na,1,2,1,2\na,1,2,3,4\nb,5,5,5,9\n"))
    assert found.empty == ("line 2", "line 4") and {name: len(own.boxes) for name, own in found.images.items()} == {
        "a": 1,
        "b": 0,
    }
