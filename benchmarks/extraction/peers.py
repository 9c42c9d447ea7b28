"""What named libraries offer for the same job as our features: contestants of `benchmarks.extraction.features`.

Each function prepares what may be prepared once (descriptors, filters, key points of a grid) and returns what is timed.
Peers get luma or RGB as they want it; ours convert RGB themselves. All are told to use one thread.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

Image = NDArray[np.uint8]
Work = Callable[[], Any]
FREQUENCIES, ANGLES = (0.1, 0.2, 0.4), 8  # of a Gabor bank, as `Gabor` has them


def cv2_hog(images: list[Image]) -> Work:
    """Descriptors of grey images of one shape in Dalal and Triggs' layout."""
    descriptor = cv2.HOGDescriptor(images[0].shape[::-1], (16, 16), (8, 8), (8, 8), 9)
    return lambda: [descriptor.compute(image) for image in images]


def skimage_hog(luma: Image) -> Work:
    from skimage.feature import hog

    return lambda: hog(luma)


def skimage_lbp(luma: Image, method: str = "default") -> Work:
    """Codes and their histogram."""
    from skimage.feature import local_binary_pattern

    return lambda: np.bincount(local_binary_pattern(luma, 8, 1, method).astype(np.int64).ravel())


def mahotas_lbp(luma: Image) -> Work:
    """A histogram of codes up to rotation."""
    from mahotas.features import lbp

    return lambda: lbp(luma, 1, 8)


def cv2_channel_histograms(image: Image) -> Work:
    return lambda: [cv2.calcHist([image], [channel], None, [16], [0, 256]) for channel in range(3)]


def cv2_joint_histogram(image: Image) -> Work:
    return lambda: cv2.calcHist([image], [0, 1, 2], None, [8] * 3, [0, 256] * 3)


def skimage_cooccurrence(luma: Image) -> Work:
    from skimage.feature import graycomatrix, graycoprops

    names, angles = (
        ("contrast", "dissimilarity", "homogeneity", "ASM", "energy", "correlation"),
        np.arange(4) * np.pi / 4,
    )

    def work() -> list[Any]:
        matrix = graycomatrix(luma >> 5, [1], angles, levels=8, symmetric=True, normed=True)
        return [graycoprops(matrix, name) for name in names]

    return work


def mahotas_haralick(luma: Image) -> Work:
    """Thirteen statistics of the same co-occurrences."""
    from mahotas.features import haralick

    return lambda: haralick(luma >> 5)


def _gabor_kernels() -> list[NDArray[np.complex128]]:
    from skimage.filters import gabor_kernel

    return [gabor_kernel(f, math.pi * angle / ANGLES, 1.0) for f in FREQUENCIES for angle in range(ANGLES)]


def cv2_gabor(luma: Image) -> Work:
    """Mean squared modulus of every filter, by two correlations each."""
    parts = [(np.float32(kernel.real), np.float32(kernel.imag)) for kernel in _gabor_kernels()]

    def energy(even: NDArray[np.float32], odd: NDArray[np.float32]) -> float:
        responses = [cv2.filter2D(luma, cv2.CV_32F, part) for part in (even, odd)]
        return math.sqrt(sum(float(cv2.norm(response, cv2.NORM_L2SQR)) for response in responses) / luma.size)

    return lambda: [energy(even, odd) for even, odd in parts]


def scipy_gabor(luma: Image) -> Work:
    """The same by Fourier transforms, as ``skimage.filters.gabor`` could be sped up."""
    from scipy.signal import fftconvolve

    kernels, pixels = _gabor_kernels(), luma.astype(np.float32)
    return lambda: [math.sqrt((np.abs(fftconvolve(pixels, kernel, "valid")) ** 2).mean()) for kernel in kernels]


def kymatio_numpy(luma: Image) -> Work:
    from kymatio.numpy import Scattering2D

    transform, pixels = Scattering2D(J=2, shape=luma.shape, L=8), luma.astype(np.float32)
    return lambda: transform(pixels)


def kymatio_torch(luma: Image) -> Work:
    import torch
    from kymatio.torch import Scattering2D

    torch.set_num_threads(1)
    transform, pixels = Scattering2D(J=2, shape=luma.shape, L=8), torch.from_numpy(luma.astype(np.float32))
    return lambda: transform(pixels)


def cv2_dense_sift(luma: Image, step: int = 8, width: int = 4) -> Work:
    """Descriptors at the key points of a grid; OpenCV's cells are 3 times half a key point's size wide."""
    first = 5 * width // 2
    rows, columns = (range(first, length - first, step) for length in luma.shape)
    grid = [cv2.KeyPoint(float(x), float(y), 2 * width / 3, 0.0) for y in rows for x in columns]
    describer = cv2.SIFT_create()
    return lambda: describer.compute(luma, grid)


def cv2_sift(luma: Image, count: int = 0) -> Work:
    """Key points (0: all of them) and their descriptors."""
    return lambda: cv2.SIFT_create(nfeatures=count).detectAndCompute(luma, None)


def mahotas_surf(luma: Image, count: int) -> Work:
    from mahotas.features import surf

    return lambda: surf.surf(luma, max_points=count)


def cv2_visual_words(luma: Image, words: NDArray[np.float32], count: int) -> Work:
    """A histogram of the nearest words of SIFT descriptors."""
    describer = cv2.SIFT_create(nfeatures=count)
    extractor = cv2.BOWImgDescriptorExtractor(describer, cv2.BFMatcher(cv2.NORM_L2))
    extractor.setVocabulary(512 * words)  # OpenCV's descriptors are 512 times as long
    return lambda: extractor.compute(luma, describer.detect(luma, None))


def cv2_flow(first: Image, second: Image, grid: tuple[int, int] = (4, 4)) -> Work:
    """Farnebäck's flow, and a histogram of its directions, weighted by length, in every cell."""
    rows, columns = (length // parts for length, parts in zip(first.shape, grid, strict=True))
    cells = [(r * rows, c * columns) for r in range(grid[0]) for c in range(grid[1])]

    def work() -> list[Any]:
        flow = cv2.calcOpticalFlowFarneback(first, second, None, 0.5, 3, 15, 3, 5, 1.2, 0)
        lengths, angles = cv2.cartToPolar(flow[..., 0], flow[..., 1])
        return [
            np.histogram(
                angles[r : r + rows, c : c + columns], 8, (0, 2 * np.pi), weights=lengths[r : r + rows, c : c + columns]
            )
            for r, c in cells
        ]

    return work


def cv2_motion_energy(first: Image, second: Image, grid: tuple[int, int] = (4, 4)) -> Work:
    """Mean squared difference in every cell."""

    def work() -> Any:
        difference = cv2.absdiff(first, second)
        squares = cv2.multiply(difference, difference, dtype=cv2.CV_32F)
        return cv2.resize(squares, grid[::-1], interpolation=cv2.INTER_AREA)

    return work


def cv2_frame_difference(first: Image, second: Image, threshold: int = 16, grid: tuple[int, int] = (4, 4)) -> Work:
    """Shares of pixels that became brighter and darker in every cell."""

    def share(one: Image, other: Image) -> Any:
        _, changed = cv2.threshold(cv2.subtract(one, other), threshold - 1, 1, cv2.THRESH_BINARY)
        return cv2.resize(changed.astype(np.float32), grid[::-1], interpolation=cv2.INTER_AREA)

    return lambda: (share(first, second), share(second, first))


def numpy_foreground(frames: list[Image], threshold: int = 24, grid: tuple[int, int] = (4, 4)) -> Work:
    """Shares of pixels that differ from the median of the frames before; OpenCV has no median of frames."""

    def work() -> Any:
        background = np.median(np.stack(frames[:-1]), axis=0)
        changed = np.abs(frames[-1] - background) >= threshold
        return cv2.resize(changed.astype(np.float32), grid[::-1], interpolation=cv2.INTER_AREA)

    return work


def onnxruntime_network(path: str, pixels: NDArray[np.float32], mean: float) -> Work:
    """The network's file in onnxruntime's own session, on pixels without their mean."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.log_severity_level = 1, 3
    session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    name, subtracted = session.get_inputs()[0].name, np.float32(mean)
    return lambda: session.run(None, {name: pixels - subtracted})
