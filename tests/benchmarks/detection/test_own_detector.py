"""`benchmarks.detection.own_detector`: a fold of painted discs, in seconds."""

from pathlib import Path

import pytest
from PIL import Image

from benchmarks.detection.own_detector import FOLDS, KINDS, fold_of, images_of, over_all
from privis.estimators.detection.training.detector_training import DetectorTraining
from privis.io.box_lists import read_boxes
from tests.estimators.detection.training.discs import discs


def test_a_fold_is_looked_at_by_a_detector_of_the_others(tmp_path: Path) -> None:
    pytest.importorskip("sklearn")
    rows = ["file,xmin,ymin,xmax,ymax"]
    for seed in range(6):
        picture, boxes = discs(seed)
        Image.fromarray(picture).save(tmp_path / f"{seed}.png")
        rows += [f"{seed}.png,{x:.0f},{y:.0f},{x + w:.0f},{y + h:.0f}" for x, y, w, h in boxes]
    (tmp_path / "boxes.csv").write_text("\n".join(rows))
    paths = images_of(tmp_path)
    fold = fold_of(paths, read_boxes(tmp_path / "boxes.csv"), None, 1, DetectorTraining((0.3,), 1, 2), folds=3)
    assert len(paths) == 6 and len(fold.found) == len(fold.truth) == 2
    assert over_all([fold]) == fold.curve.average_precision > 0.2
    assert FOLDS == 5 and set(KINDS) == {"people", "cells"}
