"""Oriented gradients with few comparisons: the same blocks, from a third of the comparisons."""

import dataclasses

import numpy as np
import pytest

import privis
from privis.features.dalal_triggs import direction_votes, interpolated_votes
from privis.program import Input, Program, Region, ops, region, trace
from privis.readings import evaluate, ranges
from privis.readings.transform.folded_gradients import _gradient, _votes, folded_blocks
from privis.run.mpc.lowering.precision import choose_fixed_point

RNG = np.random.default_rng(3)
SHAPES = ((24, 33), (16, 16), (41, 20))


def folded(program: Program, shapes: tuple[tuple[int, int], ...]) -> Program:
    together = folded_blocks(program, program.regions[0])
    assert together is not None
    declared = [dataclasses.replace(program.inputs[0], shape=shape) for shape in shapes]
    return trace(lambda *images: tuple(together(images)), *declared)


@pytest.mark.parametrize("gamma", [True, False])
def test_blocks_are_those_of_the_region(gamma: bool) -> None:
    feature = privis.DalalTriggsHOG(size=None, gamma=gamma)
    made = folded(feature.program(SHAPES[0]), SHAPES)
    images = [feature.before(RNG.integers(0, 256, shape).astype(np.uint8)) for shape in SHAPES]
    for found, shape, image in zip(evaluate(made, *images), SHAPES, images, strict=True):
        program = feature.program(shape)
        last = len(program.inputs) + program.regions[0].last
        blocks = evaluate(Program(program.inputs, program.nodes, (last,)), image)
        assert np.abs(found - blocks).max() < 2e-3 * blocks.max()
    compared = [node for node in made.nodes if isinstance(node.op, ops.Compare)]
    sizes = [np.prod(made.shapes[len(made.inputs) + made.nodes.index(node)]) for node in compared]
    assert sum(sizes) == 7 * sum(np.prod(shape) for shape in SHAPES)  # where the region has 18 for each pixel


def test_every_direction_votes_for_its_bins() -> None:
    angles = np.deg2rad(np.arange(0, 360, 0.5))
    rays = np.stack([np.cos(angles), np.sin(angles)]) * 3.0
    given = [Input((1, len(angles)), -16.0, 16.0, None)] * 2
    exact = evaluate(trace(interpolated_votes, *given), rays[:1], rays[1:])
    found = evaluate(trace(lambda gx, gy: _votes([(gx, gy)], 18)[0], *given), rays[:1], rays[1:])
    assert np.abs(found - exact).max() < 3 * 3e-3


def test_the_gradient_is_zero_on_the_border() -> None:
    image = RNG.integers(0, 256, (4, 5))
    across, down = evaluate(trace(lambda x: _gradient(x), Input((4, 5))), image)
    assert not across[:, [0, -1]].any() and not down[[0, -1]].any()
    assert np.array_equal(across[:, 1:-1], image[:, 2:] - image[:, :-2])


def test_whole_numbers_stay_exact_on_shares() -> None:
    core = privis.DalalTriggsHOG(size=None).program((32, 40))
    made = trace(lambda x: x * 2.0**-10, Input((32, 40), 0.0, 2.0**14, 1.0)) >> folded(core, ((32, 40),))
    assert choose_fixed_point([made]).field_bits == 64
    assert all(np.isfinite(each.bounds).all() for each in ranges(made))


def test_regions_of_other_directions_or_weights_are_left_alone() -> None:
    program = privis.DalalTriggsHOG(size=None).program((16, 16))
    marked = program.regions[0]
    assert folded_blocks(program, marked) is not None
    assert folded_blocks(program, Region("oriented_gradient_cells", marked.first, marked.last, marked.inputs)) is None
    for kind, field in ((ops.Conv, "kernel"), (ops.Dense, "matrix")):
        nodes = [
            dataclasses.replace(n, op=dataclasses.replace(n.op, **{field: getattr(n.op, field) * 1.01 + 0.01}))
            if isinstance(n.op, kind)
            else n
            for n in program.nodes
        ]
        changed = Program(program.inputs, tuple(nodes), program.outputs, program.regions)
        assert folded_blocks(changed, marked) is None
    other = trace(
        lambda x: region("interpolated_gradient_blocks", lambda v: direction_votes(v, v, 6) * 1.0, x), Input((16, 16))
    )
    assert folded_blocks(other, other.regions[0]) is None
