"""Kernels of differences, directions, pairs and windows: bytes, floats, cells that fill nothing, and other nodes.

Answers for `privis.run.clear.kernels.map_cells`, `privis.run.clear.kernels.definition`,
`privis.run.clear.kernels.direction_sums` and `privis.run.clear.kernels.cell_differences`.
"""

import dataclasses

import numpy as np
import pytest

from privis import GLCM, ColourHistogram, DenseSIFT, FlowHistogram, FrameDifference, MotionEnergy
from privis.program import Input, concat, ops, region, trace
from privis.program.graph import Node
from privis.readings import evaluate
from privis.run.clear.native import compile_native, kernel_for

RANDOM = np.random.default_rng(3)
FLOW = np.rint(RANDOM.normal(size=(2, 21, 17)) * 40).astype(np.float32) / 16
CASES = [
    (MotionEnergy(frames=3, grid=(3, 2)), RANDOM.integers(0, 256, (63, 17), np.uint8)),
    (MotionEnergy(grid=(2, 1)), RANDOM.integers(0, 256, (12, 5), np.uint8)),
    (FrameDifference(frames=3, grid=(3, 2), threshold=60), RANDOM.integers(0, 256, (63, 17), np.uint8)),
    (FrameDifference(grid=(5, 3)), RANDOM.integers(0, 256, (26, 7), np.uint8)),
    (FlowHistogram(grid=(3, 2)), FLOW),
    (FlowHistogram(orientations=4, grid=(1, 1)), FLOW),
    (GLCM(levels=5, distances=(1, 3)), RANDOM.integers(0, 256, (19, 24), np.uint8)),
    (ColourHistogram(bins=5), RANDOM.integers(0, 256, (3, 7, 9), np.uint8)),
    (ColourHistogram(bins=17), RANDOM.integers(0, 256, (3, 7, 9), np.uint8)),
    (ColourHistogram(bins=3, joint=True), RANDOM.integers(0, 256, (3, 7, 9), np.uint8)),
    (DenseSIFT(step=3, width=3), RANDOM.integers(0, 256, (31, 40), np.uint8)),
]


@pytest.mark.parametrize(("feature", "x"), CASES, ids=lambda value: getattr(value, "name", ""))
def test_kernels_give_what_the_definition_gives_for_bytes_and_floats(feature, x):
    program = feature.program(x.shape)
    for given in program.regions:
        assert kernel_for(program, given) is not None, given.name
    run, definition = compile_native(program), evaluate(program, x)
    for image in (x, np.asfortranarray(x), x.astype(np.float32), x.astype(np.float64)):
        np.testing.assert_allclose(run(image), definition, rtol=1e-5, atol=1e-5)


def test_counts_and_energies_of_bytes_are_exact():
    frames = np.concatenate([np.zeros((64, 64), np.uint8), np.full((64, 64), 255, np.uint8)])
    energy = MotionEnergy(grid=(1, 1))
    assert compile_native(energy.program(frames.shape))(frames).tolist() == [[[1.0]]]
    counted = FrameDifference(grid=(1, 1), threshold=255)
    assert compile_native(counted.program(frames.shape))(frames).tolist() == [[[[0.0, 0.0, 4096.0]]]]


@pytest.mark.parametrize(("feature", "x"), CASES[:-1], ids=lambda value: getattr(value, "name", ""))
def test_a_kernel_is_for_its_nodes_alone(feature, x):
    """A name is a hint: where a node of the region is another one, the kernel declines or gives what the nodes say."""
    program = feature.program(x.shape)
    for place, node in enumerate(program.nodes):
        changed = _changed(node.op)
        if changed is None:
            continue
        nodes = (*program.nodes[:place], Node(changed, node.operands), *program.nodes[place + 1 :])
        other = dataclasses.replace(program, nodes=nodes)
        run, definition = compile_native(other)(x), evaluate(other, x)
        np.testing.assert_allclose(run, definition, rtol=1e-4, atol=1e-4, err_msg=f"{place} {node.op}")


def _changed(op):
    """An op of the same shapes that computes something else."""
    match op:
        case ops.Transpose() | ops.Reshape() | ops.Concat() | ops.Normalise() | ops.Nonlinear():
            return None
        case ops.Affine(scale, bias):
            return ops.Affine(scale * 1.5, bias)
        case ops.Conv() if op.kernel.shape[1:] == (2, 1, 1):
            return dataclasses.replace(op, kernel=op.kernel * np.array([1.0, 0.5]).reshape(1, 2, 1, 1))
        case ops.Gather(index, axis):
            return ops.Gather(index[::-1].copy(), axis)
        case ops.Sub() | ops.Mul():
            return ops.Add()
        case ops.Histogram(edges):
            return dataclasses.replace(op, edges=tuple(tuple(edge - 3.0 for edge in digit) for digit in edges))
    return None


def test_regions_of_other_shapes_have_no_kernel():
    names = ("frame_energy", "frame_histogram", "direction_sums", "pair_histogram")
    for name in names:
        program = trace(lambda x, own=name: region(own, lambda y: concat(y, y) * 2.0, x), Input((4, 6)))
        assert kernel_for(program, program.regions[0]) is None
        np.testing.assert_array_equal(compile_native(program)(np.ones((4, 6), np.uint8)), np.full((8, 6), 2.0))
