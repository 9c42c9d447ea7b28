"""The benchmark of accuracy, tiny: made-up images, a row for each protection, held against its bar.

Answers for `benchmarks.classification.bars`.
"""

import dataclasses

import numpy as np
import pytest

import privis
from benchmarks.classification import bars

pytestmark = pytest.mark.usefixtures("coarse_accounting")


def made_up(count: int) -> bars.Images:
    rng = np.random.default_rng(0)
    images = [rng.integers(0, 60 + 190 * (number % 2), (8, 8), np.uint8) for number in range(count)]
    labels = np.array(["dark", "bright"] * (count // 2))
    most = count * 3 // 4
    return bars.Images(images[:most], labels[:most], images[most:], labels[most:])


def test_a_set_has_a_row_in_the_clear_and_one_under_privacy() -> None:
    feature = privis.ColourHistogram(bins=4, size=(8, 8))
    case = bars.Case("tiny", lambda _: made_up(800), "histogram", feature, 95.0, 80.0)
    clear, private = bars.rows(case, made_up(800), 2)
    assert (clear.train, clear.test, len(private.accuracies)) == (600, 200, 2)
    assert clear.accuracy > 95 and private.accuracy > 80 and str(private).endswith("ok")
    assert "epsilon 3 a person" in str(private)
    assert str(dataclasses.replace(private, bar=100.1)).endswith("MISSED")
    held_out, _ = bars.rows(case, made_up(800), 1, held_out=True)
    assert (held_out.train, held_out.test) == (500, 100)


def test_a_set_without_test_images_is_folded() -> None:
    feature = privis.ColourHistogram(bins=4, size=(8, 8))
    case = bars.Case("tiny", lambda _: made_up(80), "histogram", feature, 50.0)
    (row,) = bars.rows(case, dataclasses.replace(made_up(80), tests=(), truth=None))
    assert len(row.accuracies) == 3 and row.test == 60 and row.accuracy > 50
