"""Folders of pictures become tables of boxes, through bad files, kills and changes.

Answers for `privis.estimators.detection.folder_detection` and `privis.io.resumable.join_rows`.
"""

import csv
import json
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from privis.errors import ImageError, ParameterError
from privis.estimators.detection.folder_detection import PictureBoxes, detect_folder
from privis.tasks.detection import DetectedBoxes


@dataclass(frozen=True)
class Bright:
    """As many boxes as the first pixel says."""

    identifier = "tests.bright/1"

    labels: tuple[str, ...] = ("lamp", "sun")
    stop: Path | None = None
    seen: list = field(default_factory=list, compare=False, metadata={"identified": False})

    def detect(self, image):
        count = int(image.ravel()[0])
        self.seen.append(count)
        if self.stop is not None and self.stop.exists() and count == 3:
            raise KeyboardInterrupt
        boxes = [[i + 0.125, 1.0, 2.5, 3.0] for i in range(count)]
        labels = [self.labels[i % 2] for i in range(count)]
        return DetectedBoxes(boxes, [count - i for i in range(count)], labels)


@pytest.fixture
def pictures(tmp_path):
    folder = tmp_path / "in"
    folder.mkdir()
    for number in range(5):
        Image.fromarray(np.full((9, 9), number, np.uint8)).save(folder / f"{number}.png")
    (folder / "2.png").write_bytes(b"broken")
    return sorted(map(str, folder.iterdir()))


def table(path):
    with open(path, newline="") as file:
        return list(csv.DictReader(file))


def test_every_box_has_a_line_and_bad_pictures_a_reason(pictures, tmp_path):
    output, seen = tmp_path / "boxes.csv", []
    outcome = detect_folder(Bright(), pictures, output, on_picture=seen.append, chunk=2)
    rows = table(output)
    assert [Path(row["path"]).stem for row in rows] == ["1"] + ["3"] * 3 + ["4"] * 4
    assert {row["label"] for row in rows} == {"lamp", "sun"} and rows[0]["x"] == "0.12" and rows[1]["score"] == "3"
    assert outcome.rows == 4 and [Path(f.path).stem for f in outcome.failures] == ["2"]
    assert [len(picture.boxes) for picture in seen] == [0, 1, 3, 4]
    assert "2.png" in (tmp_path / "boxes.csv.failures.csv").read_text()
    assert not (tmp_path / "boxes.csv.partial").exists()


def test_an_interrupted_run_goes_on_and_changed_pictures_are_read_again(pictures, tmp_path):
    output, stop = tmp_path / "boxes.csv", tmp_path / "stop"
    stop.touch()
    finder = Bright(stop=stop)
    with pytest.raises(KeyboardInterrupt, match="goes on"):
        detect_folder(finder, pictures, output, chunk=1)
    assert not output.exists() and finder.seen == [0, 1, 3]
    stop.unlink()
    Image.fromarray(np.full((9, 9), 2, np.uint8)).save(pictures[0])
    finder.seen.clear()
    outcome = detect_folder(finder, pictures, output, chunk=1)
    assert finder.seen == [2, 3, 4] and outcome.rows == 4  # changed, interrupted, never begun
    whole = output.read_bytes()
    detect_folder(Bright(), pictures, tmp_path / "again.csv")
    assert (tmp_path / "again.csv").read_bytes() == whole


def test_an_unfinished_run_of_another_detector_is_not_taken_up(pictures, tmp_path):
    stop = tmp_path / "stop"
    stop.touch()
    with pytest.raises(KeyboardInterrupt):
        detect_folder(Bright(stop=stop), pictures, tmp_path / "boxes.csv", chunk=1)
    stop.unlink()
    with pytest.raises(ParameterError, match="detector"):
        detect_folder(Bright(("a", "b"), stop), pictures, tmp_path / "boxes.csv", chunk=1)


def test_nothing_usable_and_other_outputs_are_refused(pictures, tmp_path):
    with pytest.raises(ImageError, match="none of them usable"):
        detect_folder(Bright(), pictures[2:3], tmp_path / "boxes.csv")
    assert not (tmp_path / "boxes.csv").exists()
    with pytest.raises(ParameterError, match=r"\.csv"):
        detect_folder(Bright(), pictures, tmp_path / "boxes.parquet")


def test_pictures_without_anything_give_a_table_without_lines(pictures, tmp_path):
    detect_folder(Bright(), pictures[:1], tmp_path / "boxes.csv")
    assert (tmp_path / "boxes.csv").read_text() == "path,x,y,w,h,score,label\n"


def test_a_name_that_ends_in_json_gives_boxes_as_coco_has_them(pictures: list[str], tmp_path: Path) -> None:
    seen: list[PictureBoxes] = []
    detect_folder(Bright(), pictures, tmp_path / "boxes.json", on_picture=seen.append)
    made = json.loads((tmp_path / "boxes.json").read_text())
    assert [image["file_name"] for image in made["images"]] == [picture.path for picture in seen]
    assert [(image["height"], image["width"]) for image in made["images"]] == [picture.size for picture in seen]
    boxes = [box for picture in seen for box in picture.boxes.boxes.round(2).tolist()]
    assert [each["bbox"] for each in made["annotations"]] == boxes and len(boxes) > 1
    owners = [number for number, picture in enumerate(seen, 1) for _ in range(len(picture.boxes))]
    assert [each["image_id"] for each in made["annotations"]] == owners
