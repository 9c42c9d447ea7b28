"""Similarities of two vectors that are cosines after a step on each vector, so that every mechanism can compare them.

A cosine of unit vectors is one inner product: an index scans it, a ciphertext and shares of parties compute it.
"""

from __future__ import annotations

from enum import Enum

import numpy as np
import numpy.typing as npt

from privis.errors import ParameterError, Problem
from privis.validation import real_values

Floats = npt.NDArray[np.float64]


class Similarity(Enum):
    """What is done to vectors before their cosine is taken.

    ``COSINE``: nothing; for embeddings of networks, VLAD, HOG.
    ``HELLINGER``: the square root of each component, its sign kept. For histograms the cosine is then Bhattacharyya's
    coefficient; for signed vectors it is power-law normalisation (F. Perronnin, J. Sánchez, T. Mensink, ECCV 2010,
    doi:10.1007/978-3-642-15561-1_11), which bursts of equal patches outweigh less.
    ``STANDARDISED``: each component less its mean over the index, divided by its standard deviation; for components
    in units of their own, such as GLCM's statistics and Gabor's energies.

    >>> Similarity("hellinger").name
    'HELLINGER'
    """

    COSINE = "cosine"
    HELLINGER = "hellinger"
    STANDARDISED = "standardised"

    def prepared(self, vectors: npt.ArrayLike, mean: Floats | float = 0.0, deviation: Floats | float = 1.0) -> Floats:
        """Make unit vectors whose inner products are this similarity.

        Args:
            vectors: (images, components), finite.
            mean: (components,) or a number; only ``STANDARDISED`` reads it.
            deviation: (components,) or a number, 0 where a component does not vary; only ``STANDARDISED`` reads it.

        Returns:
            (images, components) of length 1; a vector that becomes zero stays zero and is similar to nothing.

        >>> Similarity.HELLINGER.prepared([[1.0, 0.0, 1.0]]).round(4).tolist()
        [[0.7071, 0.0, 0.7071]]
        """
        values = np.asarray(vectors, np.float64)
        if self is Similarity.HELLINGER:
            values = np.sign(values) * np.sqrt(np.abs(values))
        elif self is Similarity.STANDARDISED:
            spread = np.asarray(deviation, np.float64)
            values = np.divide(values - mean, spread, out=np.zeros_like(values), where=spread > 0)
        return unit_length(values)


def unit_length(vectors: Floats) -> Floats:
    """Divide each row by its length; a zero row stays.

    Args:
        vectors: (rows, components).

    Returns:
        (rows, components) of length 1 or 0.

    >>> unit_length(np.array([[3.0, 4.0], [0.0, 0.0]])).tolist()
    [[0.6, 0.8], [0.0, 0.0]]
    """
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    scaled: Floats = np.divide(vectors, lengths, out=np.zeros_like(vectors), where=lengths > 0)
    return scaled


def finite_matrix(where: str, values: npt.ArrayLike, columns: int | None = None) -> Floats:
    """Give ``values`` as a matrix in double precision.

    Args:
        where: what they are called, for the error.
        values: (rows, columns).
        columns: how many there have to be; None: any number.

    Returns:
        (rows, columns).

    Raises:
        ParameterError: they are no matrix of finite numbers with at least one row and that many columns.

    >>> finite_matrix("pairs", [[1, 2]]).shape
    (1, 2)
    """
    array = real_values(where, values)
    fits = array.ndim == 2 and array.size > 0 and columns in (None, array.shape[1])
    if not fits or not np.isfinite(array).all():
        got = f"shape {array.shape}, finite: {bool(np.isfinite(array).all())}"
        raise ParameterError(Problem(where, got, f"finite numbers, (rows, {columns or 'columns'})"))
    return array
