"""Region ``wavelet_modulus``: one complex Fourier transform per wavelet instead of two real correlations."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from privis.program import Kind, Program, Region, ops

Array = NDArray[np.floating]


def kernel(program: Program, region: Region) -> Callable[..., Array] | None:
    """Return the moduli of periodic correlations ``(..., 1, M, N) -> (..., wavelets, M / s, N / s)``.

    Covers wrapped rows and columns, a correlation with real and imaginary taps, and the root of the sum of squares;
    None for anything else. The taps are laid on the torus, and subsampling adds up its aliases.
    """
    match [node.op for node in program.nodes[region.first : region.last + 1]]:
        case [
            ops.Gather(rows),
            ops.Gather(columns),
            ops.Conv() as conv,
            ops.Reshape(),
            ops.Mul(),
            ops.Sum(),
            ops.Nonlinear(Kind.SQRT),
        ]:
            torus = program.shapes[region.inputs[0]][-2:]
            response = _response(conv, (int(rows[0]), int(columns[0])), torus)
            return lambda x: _modulus(x, response, conv.stride)
    return None


def _response(conv: ops.Conv, first: tuple[int, int], torus: tuple[int, ...]) -> NDArray[np.complexfloating]:
    """Fourier transform of the correlation with the complex taps, whose corner lies ``first`` from the result."""
    real, imaginary = np.split(conv.kernel[:, 0], 2)
    down = (first[0] + np.arange(real.shape[1])) % torus[0]
    across = (first[1] + np.arange(real.shape[2])) % torus[1]
    taps = np.zeros((len(real), *torus), complex)
    taps[:, down[:, None], across] = real - 1j * imaginary
    spectrum = np.conj(np.fft.fft2(taps)) / (conv.stride[0] * conv.stride[1])  # the mean of the aliases, not their sum
    return spectrum.astype(np.complex64)


def _modulus(x: Array, response: NDArray[np.complexfloating], stride: tuple[int, int]) -> Array:
    from scipy import fft

    height, width = x.shape[-2:]
    down, across = height // stride[0], width // stride[1]
    tiles = [np.s_[i : i + down, j : j + across] for i in range(0, height, down) for j in range(0, width, across)]
    spectra = fft.fft2(x.reshape(-1, height, width).astype(np.float32, copy=False))
    result = np.empty((len(spectra), len(response), down, across), np.float32)
    for spectrum, moduli in zip(spectra, result, strict=True):
        folded = spectrum[tiles[0]] * response[(..., *tiles[0])]
        for tile in tiles[1:]:
            folded += spectrum[tile] * response[(..., *tile)]
        moduli[:] = np.abs(np.asarray(fft.ifft2(folded, overwrite_x=True)))
    return result.reshape(*x.shape[:-3], *result.shape[1:])
