"""Directions of most variance and of best separation, for projections that are learned from public vectors."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from privis.errors import ParameterError, Problem

LARGEST = 2.0**100  # of an entry: products with any float32 stay finite in double precision


def principal_directions(
    centred: NDArray[np.float64], components: int
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The largest eigenvalues of ``centred.T @ centred``, falling, and unit eigenvectors as rows.

    Of ``centred @ centred.T``, which has the same ones, where that is smaller.
    """
    from scipy.linalg import eigh

    tall = len(centred) >= centred.shape[1]
    gram = centred.T @ centred if tall else centred @ centred.T
    components = min(components, len(gram))
    values, vectors = eigh(gram, subset_by_index=[len(gram) - components, len(gram) - 1])
    values, rows = values[::-1].clip(0.0), vectors.T[::-1]
    if not tall:
        rows = rows @ centred
        rows = rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), np.finfo(float).tiny)
    return values, rows


def discriminant_directions(
    rows: NDArray[np.float64], index: NDArray[np.intp], components: int, shrinkage: float
) -> NDArray[np.float64]:
    """Fisher's directions as rows: whiten within classes, then the principal directions of the class means."""
    from scipy.linalg import LinAlgError, cholesky, solve_triangular

    counts = np.bincount(index)
    means = np.zeros((len(counts), rows.shape[1]))
    np.add.at(means, index, rows)
    means /= counts[:, None]
    residuals = rows - means[index]
    within = residuals.T @ residuals / len(rows)
    level = np.trace(within) / len(within)
    within = (1 - shrinkage) * within + shrinkage * level * np.eye(len(within))
    try:
        root = cholesky(within, lower=True)
    except LinAlgError:
        got = "vectors that do not vary within classes in some direction"
        remedy = "pass a larger shrinkage, as in shrinkage=0.1"
        raise ParameterError(Problem("Projection.lda", got, "variance in every direction", remedy)) from None
    spread = np.sqrt(counts / len(rows))[:, None] * (means - rows.mean(0))
    whitened = solve_triangular(root, spread.T, lower=True).T
    _, directions = principal_directions(whitened, components)
    return solve_triangular(root, directions.T, lower=True, trans=1).T


def signed(directions: NDArray[np.float64]) -> NDArray[np.float64]:
    """Directions, each with its largest entry positive: an eigenvector's sign is arbitrary otherwise."""
    largest = np.take_along_axis(directions, np.abs(directions).argmax(1)[:, None], 1)
    return directions * np.where(largest < 0, -1.0, 1.0)


def real_numbers(where: str, value: Any, axes: int) -> tuple[NDArray[np.float64], list[Problem]]:
    """A float64 copy of ``value``, and the problem that it is no finite array of ``axes`` axes."""
    array = np.asarray(value)
    expected = f"real numbers up to 2**100 with {axes} axes, none of length 0"
    if array.dtype.kind not in "fiub":
        return np.zeros(0), [Problem(where, f"{array.dtype} values", expected)]
    array = array.astype(np.float64)
    if array.ndim != axes or array.size == 0:
        return array, [Problem(where, f"shape {array.shape}", expected)]
    if not (np.abs(array) <= LARGEST).all():  # NaN is not
        return array, [Problem(where, "NaN, infinite or huge values", expected)]
    return array, []
