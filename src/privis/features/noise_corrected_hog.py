"""Taking the expected contribution of known noise out of gradient histograms."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from privis.errors import ParameterError, Problem, refuse
from privis.features.feature import Array, Image, core_shape, vector
from privis.features.hog import CELL_RANGE, HOG
from privis.features.image_ops import Size
from privis.features.norms import Norms
from privis.features.preprocessing.denoise import Denoised, PixelNoise
from privis.program import Input, Program, trace
from privis.program.shapes import Shape
from privis.readings import evaluate

GREY = 128  # level of the flat image whose noise is measured: clamping is least there, so gradients are largest
GRID = 1 / 64  # of the expectations, so that the last digits of another processor do not change the program
PIXELS = 2**19  # of simulated noise: the expected votes of an inner cell are within about 1 %


@dataclass(frozen=True)
class UnbiasedHOG:
    """Histograms of oriented gradients less what noise alone would vote: ``feature`` is ``HOG`` or ``Denoised`` HOG.

    Derivation. A cell holds the mean gradient magnitude per orientation. Where the image is flat its gradients are
    those of the noise, and each orientation of each cell has a known expectation, which this subtracts *before* blocks
    are normalised: there the corrected cell is zero on average. Where the image has an edge the noise adds less than
    that (magnitudes add as ``sqrt(edge**2 + noise**2)``). So a cell is left at zero, never below. The expectation is
    taken over ``noise`` on flat mid-grey, clamped to 0..255, through the denoiser if there is one, pooled over cells
    that lie alike towards the border (there the gradient is zero by definition); it is a public constant of
    the program, simulated from a public generator.

    When it helps: a model that was trained on clean images and is asked about noised ones. MNIST at epsilon 4 and 16
    per pixel 54 to 68 and 79 to 91 per cent, Fashion-MNIST 14 to 34 and 52 to 71, and a few points more after a
    denoiser (``python -m benchmarks.denoising``). When it does not: where training images are as noised as the others
    (the model finds the constant itself: within three standard deviations); below epsilon 4; in blocks of nothing but
    noise, which are brought to length one as before; and on textured images, where weak edges vanish with the
    noise and features come no closer to clean ones. ``BLOCK_ENERGY`` is promised as by ``HOG``.

    Args:
        feature: `HOG`, or `Denoised` around one.
        noise: the public noise on the images, before the denoiser.

    Raises:
        ParameterError: ``feature`` is another one.

    >>> from privis.features.preprocessing.denoise import NoiseLaw
    >>> UnbiasedHOG(HOG(), PixelNoise(NoiseLaw.LAPLACE, 16.0)).program((64, 64)).output_shapes
    ((6, 6, 3, 3, 9),)
    """

    feature: HOG | Denoised
    noise: PixelNoise

    name: ClassVar[str] = "hog"
    identifier: ClassVar[str] = "privis.unbiased-hog/1"
    luma_only: ClassVar[bool] = True
    flattens: ClassVar[bool] = True

    def __post_init__(self) -> None:
        problems = []
        inner = self.feature.feature if isinstance(self.feature, Denoised) else self.feature
        if not isinstance(inner, HOG):
            problems.append(Problem("UnbiasedHOG.feature", repr(self.feature), "HOG(), or Denoised(HOG(), …)"))
        if not isinstance(self.noise, PixelNoise):
            problems.append(Problem("UnbiasedHOG.noise", repr(self.noise), "a PixelNoise"))
        refuse(ParameterError, problems)

    @property
    def hog(self) -> HOG:
        """The `HOG` that is corrected, without the denoiser."""
        inner = self.feature.feature if isinstance(self.feature, Denoised) else self.feature
        assert isinstance(inner, HOG)  # as __post_init__ saw to
        return inner

    @property
    def size(self) -> Size | None:
        """(height, width) in pixels that the feature resizes images to; None: it keeps theirs."""
        return self.feature.size

    def before(self, image: Image) -> Array:
        """Turn ``image`` into the core's input as the feature does."""
        return self.feature.before(image)

    def core_shape(self, image_shape: Shape) -> Shape:
        """Return the shape that the feature's core reads."""
        return core_shape(self.feature, image_shape)

    def program(self, shape: Shape) -> Program:
        """``(H, W)`` to the normalised blocks of the corrected cells."""
        expected = expected_cells(self, shape)
        correction = trace(lambda cells: (cells - expected).relu(), Input(expected.shape, *CELL_RANGE, step=None))
        return self.hog.cells_program(shape) >> correction >> self.hog.blocks_program(shape)

    def after(self, values: Array) -> Array:
        """Flatten blocks to a float32 vector, as `HOG` does."""
        return vector(values)

    def largest_norms(self, shape: Shape) -> Norms:
        """Bound the vector as `HOG` does: corrected cells are normalised alike."""
        return self.hog.largest_norms(shape)

    def names(self, shape: Shape) -> tuple[str, ...]:
        """Name components as `HOG` does: the layout is the same."""
        return self.hog.names(shape)


@lru_cache(maxsize=32)
def expected_cells(corrected: UnbiasedHOG, shape: Shape) -> NDArray[np.float64]:
    """Mean cells ``(orientations, cell rows, cell columns)`` of flat images of ``shape`` under the noise."""
    program = corrected.hog.cells_program(shape)
    count = max(1, PIXELS // (shape[0] * shape[1]))
    total = np.zeros(program.output_shapes[0])
    generator = np.random.PCG64(0)  # raw words: the same with every version of numpy
    for _ in range(count):
        total += evaluate(program, corrected.before(_noised_grey(corrected.noise, shape, generator)))
    return np.rint(_pooled(total / count) / GRID) * GRID


def _noised_grey(noise: PixelNoise, shape: Shape, generator: np.random.PCG64) -> NDArray[np.uint8]:
    """A flat image under public noise. It hides nothing, so that anyone may draw the same."""
    rows, columns = (-(-length // noise.block) for length in shape)
    uniform = (generator.random_raw(rows * columns) >> np.uint64(11)) * 2.0**-53
    blocks = noise.released(GREY, uniform).reshape(rows, columns)
    return blocks.repeat(noise.block, 0).repeat(noise.block, 1)[: shape[0], : shape[1]]


def _pooled(cells: NDArray[np.float64]) -> NDArray[np.float64]:
    """The mean over the cells that lie alike: inside, along each side, in each corner."""
    pooled = np.empty_like(cells)
    for rows in _runs(cells.shape[1]):
        for columns in _runs(cells.shape[2]):
            pooled[:, rows, columns] = cells[:, rows, columns].mean((1, 2), keepdims=True)
    return pooled


def _runs(count: int) -> list[slice]:
    edges = sorted({0, min(1, count), max(count - 1, 0), count})
    return [slice(a, b) for a, b in pairwise(edges)]
