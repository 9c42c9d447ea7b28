"""tasks/detection/measures.py against cases worked by hand, and against pycocotools where it is installed."""

import contextlib
import io

import numpy as np
import pytest

from privis.errors import ParameterError
from privis.tasks.detection import DetectedBoxes, detection_curve, mean_average_precision
from privis.tasks.detection.measures import COCO_OVERLAPS

OBJECTS = DetectedBoxes([[0, 0, 10, 10], [20, 0, 10, 10], [40, 0, 10, 10], [60, 0, 10, 10]], np.ones(4), "car")


def test_a_curve_worked_by_hand():
    # by falling score: on the first, on it again, on the second, on nothing, on the third
    boxes = [[0, 0, 10, 10], [1, 0, 10, 10], [20, 0, 10, 8], [80, 0, 5, 5], [40, 0, 10, 10]]
    curve = detection_curve([DetectedBoxes(boxes, [0.9, 0.8, 0.7, 0.6, 0.5], "car")], [OBJECTS])
    assert curve.found.tolist() == [1, 1, 2, 2, 3]
    assert curve.false.tolist() == [0, 1, 1, 2, 2]
    assert curve.recall.tolist() == [0.25, 0.25, 0.5, 0.5, 0.75]
    np.testing.assert_allclose(curve.precision, [1, 1 / 2, 2 / 3, 1 / 2, 3 / 5])
    np.testing.assert_allclose(curve.average_precision, 0.25 * (1 + 2 / 3 + 3 / 5))
    assert curve.largest_recall == 0.75
    # eight rates below 1 false positive an image have recall .25, the last one .5
    np.testing.assert_allclose(curve.log_average_miss_rate, (0.75**8 * 0.5) ** (1 / 9))
    assert curve.at(0.65) == (0.5, 2 / 3, 1.0)
    assert curve.at(0.95) == (0.0, 0.0, 0.0)


def test_what_is_found_first_takes_the_object():
    """The better box comes second in score, and another object is there for it."""
    truth = [DetectedBoxes([[0, 0, 10, 10], [4, 0, 10, 10]], [1, 1], "car")]
    boxes = DetectedBoxes([[1, 0, 10, 10], [0, 0, 10, 10]], [0.9, 0.8], "car")
    assert detection_curve([boxes], truth, 0.4).found.tolist() == [1, 2]
    assert detection_curve([boxes], truth, 0.5).found.tolist() == [1, 1]


def test_the_order_of_images_and_of_equal_scores_does_not_count():
    random = np.random.default_rng(3)
    found, truth = _random_images(random, 20)
    found = [DetectedBoxes(each.boxes, np.round(each.scores, 1), each.labels) for each in found]
    first = detection_curve(found, truth)
    order = random.permutation(20)
    second = detection_curve([found[i] for i in order], [truth[i] for i in order])
    assert first.average_precision == second.average_precision
    assert first.thresholds.tolist() == second.thresholds.tolist()
    assert (np.diff(first.thresholds) < 0).all()


def test_perfect_and_empty_detectors():
    perfect, nothing = detection_curve([OBJECTS], [OBJECTS], 1.0), detection_curve([DetectedBoxes.none()], [OBJECTS])
    assert (perfect.average_precision, perfect.largest_recall) == (1.0, 1.0)
    assert perfect.log_average_miss_rate == pytest.approx(1e-10)
    assert (nothing.average_precision, nothing.largest_recall, nothing.log_average_miss_rate) == (0.0, 0.0, 1.0)


def test_an_image_without_objects_counts_as_an_image():
    boxes = DetectedBoxes([[0, 0, 5, 5]], [0.9], "car")
    curve = detection_curve([OBJECTS, boxes], [OBJECTS, DetectedBoxes.none()])
    assert curve.images == 2
    assert curve.false_per_image[-1] == 0.5


def test_labels_divide_what_a_label_asks_for():
    truth = [DetectedBoxes([[0, 0, 8, 8], [20, 0, 8, 8]], [1, 1], ("cat", "dog"))]
    swapped = [DetectedBoxes([[0, 0, 8, 8], [20, 0, 8, 8]], [0.9, 0.8], ("dog", "cat"))]
    assert detection_curve(swapped, truth).average_precision == 1.0
    assert detection_curve(swapped, truth, label="cat").average_precision == 0.0
    assert mean_average_precision(swapped, truth).mean == 0.0
    assert mean_average_precision(truth, truth).per_class == {"cat": 1.0, "dog": 1.0}


def test_a_label_that_nothing_has_is_left_out_of_the_mean():
    found = [DetectedBoxes([[0, 0, 10, 10], [90, 0, 5, 5]], [0.5, 0.9], ("car", "bus"))]
    result = mean_average_precision(found, [OBJECTS])
    assert result.per_class == {"car": 0.25}
    assert result.mean == 0.25


def test_what_is_ignored_need_not_be_found_and_takes_boxes():
    boxes = DetectedBoxes([[0, 0, 10, 10], [61, 1, 2, 2], [63, 1, 2, 2], [90, 0, 5, 5]], [0.9, 0.8, 0.7, 0.6], "car")
    curve = detection_curve([boxes], [OBJECTS], ignored=[[False, False, False, True]])
    assert curve.objects == 3
    assert (curve.found[-1], curve.false[-1]) == (1, 1)  # both small boxes lie in the ignored one
    with pytest.raises(ParameterError, match="flags for 3 objects"):
        detection_curve([boxes], [OBJECTS], ignored=[[False, False, False]])


@pytest.mark.parametrize(
    ("found", "truth", "overlap", "match"),
    [
        ([OBJECTS], [], 0.5, "boxes of 1 images, and objects of 0"),
        ([], [], 0.5, "of 0 images"),
        ([OBJECTS], [OBJECTS], 0.0, r"overlap: got 0.0, expected .* \(0, 1\]"),
        ([OBJECTS], [OBJECTS], float("nan"), "overlap"),
        ([OBJECTS], [DetectedBoxes.none()], 0.5, "at least 1 to find"),
    ],
)
def test_what_is_refused(found, truth, overlap, match):
    with pytest.raises(ParameterError, match=match):
        detection_curve(found, truth, overlap)
    with pytest.raises(ParameterError, match=match):
        mean_average_precision(found, truth, overlap)


def test_average_precision_is_that_of_pycocotools():
    """Of the same all-point curve: COCO's recalls are set to those that occur."""
    coco = pytest.importorskip("pycocotools.coco", reason="pycocotools is not installed")
    evaluation = pytest.importorskip("pycocotools.cocoeval")
    random = np.random.default_rng(7)
    found, truth = _random_images(random, 40)
    ignored = [random.random(len(each)) < 0.15 for each in truth]
    for flags in (None, ignored):
        ours = mean_average_precision(found, truth, COCO_OVERLAPS, ignored=flags)
        theirs = _of_pycocotools(coco.COCO, evaluation.COCOeval, found, truth, flags)
        assert set(ours.per_class) == set(theirs)
        for label, value in theirs.items():
            assert ours.per_class[label] == pytest.approx(value, abs=1e-9)


def _random_images(random, images):
    found, truth = [], []
    for _ in range(images):
        count = random.integers(0, 8)
        boxes = np.concatenate([random.uniform(0, 200, (count, 2)), random.uniform(10, 80, (count, 2))], 1)
        labels = tuple(random.choice(["cat", "dog", "bus"], count))
        truth.append(DetectedBoxes(boxes, np.ones(count), labels))
        near = np.repeat(boxes, 2, 0) + random.normal(0, 6, (2 * count, 4))
        far = np.concatenate([random.uniform(0, 200, (3, 2)), random.uniform(10, 80, (3, 2))], 1)
        every = np.concatenate([near, far])
        every[:, 2:] = np.maximum(every[:, 2:], 1)
        named = tuple(np.repeat(labels, 2)) + tuple(random.choice(["cat", "dog", "bus", "van"], 3))
        found.append(DetectedBoxes(every, random.permutation(len(every)) + random.random(len(every)), named))
    return found, truth


def _of_pycocotools(coco, evaluation, found, truth, ignored):
    names = ["cat", "dog", "bus", "van"]
    annotations, results = [], []
    for image, (ours, theirs) in enumerate(zip(found, truth, strict=True), 1):
        for row, (box, label) in enumerate(zip(theirs.boxes.tolist(), theirs.labels, strict=True)):
            crowd = int(ignored is not None and ignored[image - 1][row])
            annotations.append(
                {"id": len(annotations) + 1, "image_id": image, "category_id": names.index(label), "bbox": box,
                 "area": box[2] * box[3], "iscrowd": crowd}
            )  # fmt: skip
        for box, score, label in zip(ours.boxes.tolist(), ours.scores.tolist(), ours.labels, strict=True):
            results.append({"image_id": image, "category_id": names.index(label), "bbox": box, "score": score})
    with contextlib.redirect_stdout(io.StringIO()):
        known = coco()
        known.dataset = {
            "info": {}, "images": [{"id": i + 1} for i in range(len(truth))], "annotations": annotations,
            "categories": [{"id": i, "name": name} for i, name in enumerate(names)],
        }  # fmt: skip
        known.createIndex()
        values = {}
        for number, name in enumerate(names):
            objects = sum(1 for a in annotations if a["category_id"] == number and not a["iscrowd"])
            if not objects:
                continue
            judge = evaluation(known, known.loadRes(results), "bbox")
            judge.params.catIds, judge.params.maxDets = [number], [1000]
            judge.params.areaRng, judge.params.areaRngLbl = [[0, 1e10]], ["all"]
            judge.params.recThrs = np.arange(1, objects + 1) / objects
            judge.evaluate()
            judge.accumulate()
            values[name] = float(judge.eval["precision"].mean())
    return values
