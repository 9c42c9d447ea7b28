"""Which native kernel serves which region, and the run of a program that mixes kernels and the definition."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

import numpy as np

from privis.program import Program, Region, ops
from privis.readings.evaluate import evaluate_op

Kernel = Callable[..., np.ndarray]
KEEPS_BYTES = ops.Reshape | ops.Transpose | ops.Slice | ops.Gather | ops.Window | ops.Concat | ops.Histogram


def kernel_for(program: Program, region: Region) -> Kernel | None:
    """Return the native kernel of ``region``, or None where there is none for it."""
    from privis.run.clear.kernels import (
        binary_pattern,
        cell_differences,
        code_histogram,
        direction_histogram,
        direction_sums,
        gradient,
        normalisation,
        wavelet_modulus,
    )

    makers: Mapping[str, Callable[[Program, Region], Kernel | None]] = {
        "binary_pattern_codes": binary_pattern.codes,
        "binary_pattern_histogram": binary_pattern.histogram,
        "oriented_gradient_cells": gradient.oriented_cells,
        "interpolated_gradient_blocks": gradient.interpolated_blocks,
        "uniform_histogram": code_histogram.uniform,
        "pair_histogram": code_histogram.pairs,
        "frame_energy": cell_differences.energy,
        "frame_histogram": cell_differences.histogram,
        "direction_sums": direction_sums.kernel,
        "wavelet_modulus": wavelet_modulus.kernel,
        "block_normalisation": normalisation.block,
        "clipped_normalisation": normalisation.clipped,
        "clipped_direction_histograms": direction_histogram.kernel,
    }
    maker = makers.get(region.name)
    return maker(program, region) if maker else None


def compile_native(program: Program) -> Kernel:
    """Return a function of the inputs that runs kernels where there are any and the definition elsewhere.

    Bytes stay bytes until an op needs numbers: images are not widened to be counted.
    """
    kernels = {region.last: (region, kernel) for region in program.regions if (kernel := kernel_for(program, region))}
    skipped = {i for region, _ in kernels.values() for i in range(region.first, region.last)}
    rules = _native_rules({type(node.op) for index, node in enumerate(program.nodes) if index not in skipped})

    def run(*inputs: np.ndarray) -> Any:
        values: list[Any] = [np.asarray(x) for x in inputs]
        for index, node in enumerate(program.nodes):
            if index in skipped:
                values.append(None)
            elif index in kernels:
                region, kernel = kernels[index]
                values.append(kernel(*(values[i] for i in region.inputs)))
            else:
                keep = isinstance(node.op, KEEPS_BYTES)
                operands = [values[i] if keep else _numbers(values[i]) for i in node.operands]
                values.append(evaluate_op(node.op, operands, np, rules))
        outputs = tuple(_numbers(values[output]) for output in program.outputs)
        return outputs[0] if len(outputs) == 1 else outputs

    return run


def _native_rules(kinds: set[type]) -> Mapping[type, Callable[..., np.ndarray]]:
    """Rules for single ops, of those kinds that a program has: numba is not loaded for others."""
    rules: dict[type, Callable[..., np.ndarray]] = {}
    if ops.Histogram in kinds:
        from privis.run.clear.kernels.code_histogram import histogram

        rules[ops.Histogram] = lambda xp, op, x: histogram(op, x)
    if ops.Conv in kinds:
        rules[ops.Conv] = _correlated
    return MappingProxyType(rules)


def _correlated(xp: Any, op: ops.Conv, x: np.ndarray) -> np.ndarray:
    """The correlation by matrix products where it is large, else by the definition."""
    from privis.run.clear.kernels.grid_products import convolution

    found = convolution(op, x)
    return evaluate_op(op, [x], np) if found is None else found


def _numbers(x: np.ndarray) -> np.ndarray:
    return x if x.dtype in (np.float32, np.float64) else x.astype(np.float32)
