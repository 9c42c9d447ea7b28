"""The benchmark of a private detector on ciphertexts, tiny: rows are measured, and truth is of the pictures' size.

Answers for `benchmarks.detection.private_detector`.
"""

import numpy as np
import pytest

from benchmarks.detection import private_detector as benchmark
from privis.estimators.detection.detector import Detector
from privis.tasks.detection import Pyramid, WindowModel


def test_a_row_is_measured_and_weights_come_back_from_scores():
    weights = np.random.default_rng(0).normal(0, 0.2, 3 * 2 * 36)
    model = WindowModel(weights, 0.1, "thing", (32, 24), Pyramid(2.0, 0), least=-9.0)
    image = np.random.default_rng(1).integers(0, 256, (80, 80)).astype(np.uint8)
    row = benchmark.measured("tiny", Detector(model), [image])
    assert row.same == 1 and row.boxes > 0 and np.isnan(row.clear) and row.numbers == 217
    assert len(row.line()) == len(benchmark.HEAD)
    ((_, few, vague),) = benchmark.recovered(model, [image])
    *_, (_, many, sharp) = benchmark.recovered(model, [image, image.T, image[::-1], image[:, ::-1]])
    assert few < 217 < many and vague < 0.9 < 0.99 < sharp


@pytest.mark.skipif(not benchmark.SHARED.is_dir(), reason="no shared/data beside the checkout: research-only images")
def test_boxes_lie_in_the_pictures():
    truth = benchmark.truth_of(benchmark.SHARED, 2)
    ends = np.concatenate([each.boxes[:, :2] + each.boxes[:, 2:] for each in truth])
    assert len(truth) == 2 and len(ends) > 1 and (ends <= [320.5, 240.5]).all()
