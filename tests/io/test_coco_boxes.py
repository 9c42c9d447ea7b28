"""`coco_boxes`: the JSON that COCO's tools read."""

import json
import os

from privis.io.coco_boxes import CocoBox, CocoImage, coco_document, write_coco_boxes


def test_numbers_refer_to_each_other_and_places_are_kept(tmp_path):
    images = [
        CocoImage("a.jpg", 640, 480, (CocoBox((1, 2.004, 3, 4.5), "plate", 0.25), CocoBox((0, 0, 5, 5), "face"))),
        CocoImage("b.mp4", 320, 240, (), {"frame": 7, "seconds": 0.24}),
        CocoImage(os.fsdecode(b"c\xff.png"), 10, 10, (CocoBox((1, 1, 2, 2), "face", 1.0),)),
    ]
    write_coco_boxes(tmp_path / "boxes.json", images)
    made = json.loads((tmp_path / "boxes.json").read_text())
    assert made == coco_document(images)
    assert [each["id"] for each in made["images"]] == [1, 2, 3] and made["images"][1]["frame"] == 7
    assert made["images"][2]["file_name"] == "c\\xff.png"
    assert made["categories"] == [{"id": 1, "name": "face"}, {"id": 2, "name": "plate"}]
    first, second, third = made["annotations"]
    assert first == {
        "id": 1, "image_id": 1, "category_id": 2, "bbox": [1, 2.0, 3, 4.5], "area": 13.5, "iscrowd": 0, "score": 0.25,
    }  # fmt: skip
    assert "score" not in second and third["image_id"] == 3 and third["category_id"] == 1
