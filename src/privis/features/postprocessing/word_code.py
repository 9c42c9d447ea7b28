"""The nearest of a few public words as a code: the shortest description of an image worth releasing."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from privis.errors import Problem
from privis.features.feature import Array, numbered
from privis.features.keypoints.aggregate import Codebook
from privis.features.norms import Norms
from privis.validation import integer_problem, refuse_parameters


@dataclass(frozen=True)
class WordCode:
    """A step: the number of the nearest word of a public codebook, as bits -1 and 1, least significant first.

    Made for ``CodeRelease(RandomisedResponse(...))``: with 2**d words the code has d bits, and at a whole-image epsilon
    the true word comes out with probability e**epsilon / (e**epsilon + 2**d - 1).

    Args:
        codebook: 2, 4, 8 ... public words (words, length).

    Raises:
        ParameterError: the codebook has another number of words.

    >>> corners = Codebook(np.array([[0, 0], [0, 1], [1, 0], [1, 1]], np.float32), source="corners of a square")
    >>> WordCode(corners)(np.array([0.9, 0.2])).tolist()
    [-1.0, 1.0]
    """

    identifier: ClassVar[str] = "privis.word-code/1"

    codebook: Codebook

    def __post_init__(self) -> None:
        words = len(self.codebook.centres)
        if words < 2 or words & (words - 1):
            refuse_parameters([Problem("WordCode.codebook", f"{words} words", "2, 4, 8 or another power of two")])

    @property
    def bits(self) -> int:
        """Length of the code: log2 of the number of words."""
        return (len(self.codebook.centres) - 1).bit_length()

    def __call__(self, values: Array) -> NDArray[np.float32]:
        """Return the code of the nearest word to each vector along the last axis."""
        centres = self.codebook.centres
        nearest = (np.asarray(values) @ centres.T - (centres * centres).sum(1) / 2).argmax(-1)
        return (2.0 * (nearest[..., None] >> np.arange(self.bits) & 1) - 1).astype(np.float32)

    def largest_norms(self, before: Norms | None, given: int, made: int) -> Norms:
        """Bound what comes out: every bit is -1 or 1."""
        return Norms.of_blocks(made, 1)

    def names(self, names: tuple[str, ...]) -> tuple[str, ...]:
        """Name the bits of the code, least significant first."""
        return numbered("bit", (self.bits,))


@dataclass(frozen=True)
class OneHot:
    """A step for released codes: a 1 at the place of the word that the signs of ``bits`` values name, 0 elsewhere.

    Args:
        bits: length of the code; the result has 2 ** bits components.

    Raises:
        ParameterError: ``bits`` is out of its range.

    >>> OneHot(2)(np.array([-3.0, 3.0])).tolist()
    [0.0, 0.0, 1.0, 0.0]
    """

    identifier: ClassVar[str] = "privis.one-hot/1"

    bits: int

    def __post_init__(self) -> None:
        refuse_parameters(integer_problem("OneHot.bits", self.bits, 1, 16))

    def __call__(self, values: Array) -> NDArray[np.float32]:
        """Return ``2 ** bits`` numbers for the signs of the last axis, a single 1 among them."""
        return np.eye(2**self.bits, dtype=np.float32)[(np.asarray(values) > 0) @ (1 << np.arange(self.bits))]

    def largest_norms(self, before: Norms | None, given: int, made: int) -> Norms:
        """Bound what comes out: a single 1."""
        return Norms(1.0, 1.0)

    def names(self, names: tuple[str, ...]) -> tuple[str, ...]:
        """Name one component per word, in the order of their numbers."""
        return numbered("word", (2**self.bits,))
