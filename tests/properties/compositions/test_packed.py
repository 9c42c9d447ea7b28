"""Programs side by side, and with one flat input and output: the same numbers, regions and all."""

import numpy as np
import pytest

import privis
from privis.errors import ProgramError
from privis.program import Input, digest, trace
from privis.program.files import from_bytes, to_bytes
from privis.readings import evaluate, ranges
from privis.readings.transform.packed import packed, side_by_side

RNG = np.random.default_rng(0)


def test_programs_side_by_side_compute_what_each_computes() -> None:
    lbp = privis.LBP(privis.Patterns.UNIFORM)
    programs = [lbp.program((9, 8)), privis.ColourHistogram(bins=2).program((3, 4, 4)), lbp.program((5, 7))]
    made = side_by_side(programs)
    images = [RNG.integers(0, 256, program.inputs[0].shape) for program in programs]
    for found, program, image in zip(evaluate(made, *images), programs, images, strict=True):
        assert np.array_equal(found, evaluate(program, image))
    marked = [[node.op for node in made.nodes[r.first : r.last + 1]] for r in made.regions]
    assert marked == [[n.op for n in p.nodes[r.first : r.last + 1]] for p in programs for r in p.regions]
    assert digest(from_bytes(to_bytes(made))) == digest(made)  # a reader checks every region against its nodes
    assert digest(side_by_side(programs[:1])) == digest(programs[0])
    clear = privis.Clear().prepare(made)(*images)
    assert all(np.allclose(a, b) for a, b in zip(clear, evaluate(made, *images), strict=True))
    with pytest.raises(ProgramError, match="no program"):
        side_by_side([])


def test_programs_of_several_inputs_keep_theirs() -> None:
    less, both = (trace(f, Input((2,)), Input((2,))) for f in (lambda a, b: a - b, lambda a, b: (a * b, a)))
    given = [RNG.integers(0, 256, 2) for _ in range(6)]
    found = evaluate(side_by_side([both, less, less]), *given)
    expected = [given[0] * given[1], given[0], given[2] - given[3], given[4] - given[5]]
    assert all(np.array_equal(a, b) for a, b in zip(found, expected, strict=True))


def test_flat_inputs_and_outputs_hold_all_of_them_in_order() -> None:
    several = trace(lambda x, y, z: (x * y, (y + z).sum(0)), Input((2, 3)), Input((2, 3)), Input(()))
    flat = packed(several)
    x, y, z = RNG.integers(0, 256, (2, 3)), RNG.integers(0, 256, (2, 3)), np.float64(7)
    given = np.concatenate([x.ravel(), y.ravel(), [z]])
    expected = np.concatenate([np.ravel(each) for each in evaluate(several, x, y, z)])
    assert np.array_equal(evaluate(flat, given), expected)
    low, high = ranges(flat)[flat.outputs[0]].bounds
    assert low == 0 and high == 255**2
    assert packed(trace(lambda x: x * 2.0, Input((4,)))).output_shapes == ((4,),)


def test_inputs_of_different_ranges_are_not_one() -> None:
    with pytest.raises(ProgramError, match=r"0 to 1.*0 to 255.*declare them alike"):
        packed(trace(lambda x, y: x + y, Input((2,)), Input((2,), 0.0, 1.0, None)))
