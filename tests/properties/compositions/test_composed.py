"""One program after another: what the first certainly gives is held against what the second declares."""

import numpy as np
import pytest

from privis.errors import ProgramError
from privis.program import Input, digest, trace
from privis.readings import evaluate
from privis.readings.transform.composed import composed

COUNTS = trace(lambda x: x.sum(0), Input((4, 3), 0.0, 255.0, 1.0))


def second(low: float, high: float, step: float | None = 1.0, shape: tuple[int, ...] = (3,)):
    return trace(lambda x: x * 0.5, Input(shape, low, high, step))


def test_programs_that_fit_are_composed_as_ever() -> None:
    made = composed(COUNTS, second(0.0, 1020.0))
    assert digest(made) == digest(COUNTS >> second(0.0, 1020.0))
    image = np.arange(12.0).reshape(4, 3)
    assert evaluate(made, image).tolist() == (image.sum(0) * 0.5).tolist()
    composed(COUNTS, second(0.0, 1020.0, None))
    composed(COUNTS, second(-np.inf, np.inf, 0.5))


@pytest.mark.parametrize(
    ("after", "said"),
    [
        (second(0.0, 1000.0), r"values in \[0, 1020\], expected \[0, 1000\]"),
        (second(1.0, 2000.0), "values in"),
        (second(0.0, 1020.0, 2.0), "grid 1, expected the declared grid 2"),
        (second(0.0, 1.0, 3.0), r"\[0, 1\](.|\n)*grid 3"),
        (second(0.0, 1020.0, 1.0, (4,)), "Reshape"),
    ],
)
def test_ranges_grids_and_shapes_that_do_not_fit_are_named(after, said) -> None:
    with pytest.raises(ProgramError, match=said):
        composed(COUNTS, after)


def test_values_on_no_grid_do_not_fit_a_grid() -> None:
    real = trace(lambda x: x * 0.1, Input((3,), 0.0, 1.0, None))
    with pytest.raises(ProgramError, match="no grid"):
        composed(real, second(0.0, 1.0))
