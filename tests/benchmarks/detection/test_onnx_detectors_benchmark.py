"""The benchmark of ONNX detectors runs on two pictures, so that it cannot rot."""

from pathlib import Path

import numpy as np

from benchmarks.detection import onnx_detectors as benchmark
from privis.estimators.detection.networks.onnx_detector import onnx_detector


def test_two_pictures(shared: Path, capsys):
    benchmark.main(shared, most=2, repeats=1, yunet=("yunet_n_dynamic",))
    said = capsys.readouterr().out
    assert "yunet_n_dynamic      recall 1.000" in said
    assert "ultralight_RFB-320   recall 1.000" in said
    assert said.count("CNN / onnxruntime") == 2


def test_fastestdet_is_read_as_by_hand(shared: Path):
    """Box for box and score for score."""
    folder = shared / "weights" / "object_detection_fastestdet"
    names = tuple((folder / "coco.names").read_text().split("\n")[:80])
    detector = onnx_detector(folder / "FastestDet.onnx", classes=folder / "coco.names", least=benchmark.LEAST)
    session = benchmark._session(folder / "FastestDet.onnx")
    for image in benchmark.objects(shared, names, 3).images:
        ours, theirs = detector.detect(image), benchmark.fastestdet_by_hand(session, names, image)
        theirs = theirs[np.argsort(-theirs.scores, kind="stable")]
        kept = (theirs.boxes[:, 2:] > 0).all(1)
        np.testing.assert_allclose(ours.scores, theirs.scores[kept], atol=1e-4)
        np.testing.assert_allclose(ours.boxes, theirs.boxes[kept], atol=0.05)
