"""Better boxes from what a window shows: a linear map from its features to how the box differs from the window's."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar

import numpy as np
import numpy.typing as npt

from privis.errors import ParameterError, Problem, refuse

Floats = npt.NDArray[np.float64]
FURTHEST = 0.5
"""A centre moves by half a side at most, in either direction."""
LARGEST_CHANGE = 0.7
"""Of the logarithm of a side: no side is more than doubled or halved."""


@dataclass(frozen=True, eq=False)
class BoxRegression:
    """Four linear functions of a window's features: shifts of the centre and logarithms of the changes of the sides.

    Shifts are in widths and heights of the window's own box. Reference: Girshick et al., 2014, arXiv:1311.2524,
    appendix C.

    Args:
        weights: (4, components): shift across, shift down, log of the width's factor, log of the height's.
        bias: (4,).

    Raises:
        ParameterError: shapes do not fit, or a number is not finite.

    >>> wider = BoxRegression(np.zeros((4, 2)), np.array([0.0, 0.0, np.log(1.5), 0.0]))
    >>> moved(np.array([[0.0, 0.0, 20.0, 40.0]]), wider.offsets(np.ones((1, 2)))).round(6).tolist()
    [[-5.0, 0.0, 30.0, 40.0]]
    """

    identifier: ClassVar[str] = "privis.box-regression/1"

    weights: Floats = field(repr=False)
    bias: Floats

    def __post_init__(self) -> None:
        weights, bias = np.asarray(self.weights), np.asarray(self.bias)
        problems = []
        if weights.ndim != 2 or len(weights) != 4 or bias.shape != (4,):
            got = f"weights of shape {weights.shape} and biases of shape {bias.shape}"
            problems.append(Problem("BoxRegression", got, "(4, components) and (4,)"))
        elif not (np.isfinite(weights).all() and np.isfinite(bias).all()):
            problems.append(Problem("BoxRegression", "numbers that are not finite", "finite numbers"))
        refuse(ParameterError, problems)
        object.__setattr__(self, "weights", weights.astype(np.float64))
        object.__setattr__(self, "bias", bias.astype(np.float64))

    def offsets(self, vectors: npt.NDArray[np.floating]) -> Floats:
        """How boxes differ from those of their windows.

        Args:
            vectors: features of windows (n, components).

        Returns:
            Float64 (n, 4), for `moved`.
        """
        return np.asarray(vectors @ self.weights.T + self.bias, np.float64)


def moved(boxes: npt.ArrayLike, offsets: npt.ArrayLike) -> Floats:
    """Move boxes by offsets, within half a side and a factor of two.

    Args:
        boxes: (n, 4), each x, y, width, height.
        offsets: (n, 4), as of `BoxRegression.offsets`.

    Returns:
        Float64 (n, 4).
    """
    given, by = (np.asarray(values, np.float64).reshape(-1, 4) for values in (boxes, offsets))
    sides = given[:, 2:]
    centres = given[:, :2] + sides / 2 + by[:, :2].clip(-FURTHEST, FURTHEST) * sides
    longer = sides * np.exp(by[:, 2:].clip(-LARGEST_CHANGE, LARGEST_CHANGE))
    return np.concatenate([centres - longer / 2, longer], axis=1)


def offsets_between(boxes: npt.ArrayLike, wanted: npt.ArrayLike) -> Floats:
    """The offsets by which `moved` gives the wanted boxes, as far as it may go.

    Args:
        boxes: (n, 4), each x, y, width, height, with sides above 0.
        wanted: (n, 4), the same.

    Returns:
        Float64 (n, 4).

    >>> offsets_between([[0, 0, 20, 40]], [[5, 0, 20, 80]]).round(3).tolist()
    [[0.25, 0.5, 0.0, 0.693]]
    """
    given, aims = (np.asarray(values, np.float64).reshape(-1, 4) for values in (boxes, wanted))
    centres = aims[:, :2] + aims[:, 2:] / 2 - given[:, :2] - given[:, 2:] / 2
    return np.concatenate([centres / given[:, 2:], np.log(aims[:, 2:] / given[:, 2:])], axis=1)


def fit_box_regression(
    vectors: npt.NDArray[np.floating], offsets: npt.ArrayLike, weights: npt.ArrayLike, strength: float
) -> BoxRegression:
    """Fit by least squares with a penalty on the weights (ridge regression), in its dual form, for few windows.

    Args:
        vectors: features of windows (n, components).
        offsets: (n, 4) of the boxes that were wanted.
        weights: (n,), how much each window counts, above 0.
        strength: of the penalty, above 0, in units of a window's squared length.

    Returns:
        The regression.
    """
    count = np.asarray(weights, np.float64)
    x, y = np.asarray(vectors, np.float64), np.asarray(offsets, np.float64).reshape(-1, 4)
    share = count / count.sum()
    centre, mean = share @ x, share @ y
    x = x - centre
    kernel = x @ x.T
    scale = max(float(share @ np.diag(kernel)), 1e-12)
    kernel[np.diag_indices_from(kernel)] += strength * scale / count
    found = x.T @ np.linalg.solve(kernel, y - mean)
    return BoxRegression(found.T, mean - centre @ found)
