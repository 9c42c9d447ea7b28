"""No changed pixel moves more counts than the reading ``reach`` says, and for stencils one moves as many."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from privis.features.colour import ColourHistogram, ColourSpace
from privis.features.feature import Feature
from privis.features.glcm import GLCM
from privis.features.lbp import LBP, Patterns
from privis.program import Input, Program, Value, concat, ops, trace
from privis.readings import evaluate, ranges, reach
from tests.conformance.programs import programs
from tests.conformance.samples import codebook


@st.composite
def counting(draw: st.DrawFn) -> tuple[Program, np.ndarray]:
    """A random program of an image, then counts of what it computes."""
    program, image = draw(programs())
    shape = program.output_shapes[0]
    edges = tuple(sorted(draw(st.sets(st.integers(-20, 60), min_size=1, max_size=4))))
    edge = tuple(value / 4 + 0.013 for value in edges)

    def alone(x: Value) -> Value:
        return x.reshape(1, shape[0], -1) >> ops.Histogram((edge,), 1e-3)

    def joint(x: Value) -> Value:
        digits = x.reshape(shape[0], -1)[:4]
        return digits >> ops.Histogram((edge,) * digits.shape[0], 1e-3)

    def summed(x: Value) -> Value:
        return x.compare(edge[0], step=1e-3, exact=False).sum(*draw_axes)

    def both(x: Value) -> Value:
        return concat(joint(x), joint(x)[1:], summed(x).reshape(-1))

    def grouped(x: Value) -> Value:
        bins = len(edge) + 1
        return (alone(x) >> ops.Dense(np.eye(bins)[:: 2 if bins > 2 else 1])).transpose(1, 0)

    draw_axes = draw(st.sampled_from([(0,), (1, 2), (0, 1, 2), (2,)]))
    end = draw(st.sampled_from([alone, joint, summed, both, grouped]))
    return program >> trace(end, Input(shape)), image


@settings(max_examples=400, deadline=None)
@given(made=counting(), seed=st.integers(0, 2**32 - 1))
def test_no_pixel_of_a_random_program_moves_more(made: tuple[Program, np.ndarray], seed: int) -> None:
    program, image = made
    bound = reach(program)
    if bound is None:
        return
    generator = np.random.default_rng(seed)
    before = evaluate(program, image.astype(np.float64)).ravel()
    assert before.sum() <= bound.total and before.max(initial=0) <= bound.largest
    for row, column in itertools.product(*map(range, image.shape[1:])):
        other = image.copy()
        other[:, row, column] = generator.choice([0, 16], image.shape[0])
        move = evaluate(program, other.astype(np.float64)).ravel() - before
        assert np.abs(move).sum() <= 2 * bound.moves
        assert (move**2).sum() <= 2 * bound.moves**2 + 1e-9


def test_random_programs_are_bounded_often_enough_to_mean_something() -> None:
    found: list[bool] = []

    @settings(max_examples=100, deadline=None, database=None, derandomize=True)
    @given(made=counting())
    def collect(made: tuple[Program, np.ndarray]) -> None:
        found.append(reach(made[0]) is not None)

    collect()
    assert np.mean(found) > 0.5


FEATURES = (
    (ColourHistogram(bins=4), 3),
    (ColourHistogram(ColourSpace.HSV, bins=3), 3),
    (ColourHistogram(ColourSpace.HSV, bins=3, joint=True), 1),
    (ColourHistogram(ColourSpace.LAB, bins=4), 3),
    (LBP(), 9),
    (LBP(points=4), 5),
    (LBP(grid=(2, 2)), 9),
    (LBP(Patterns.UNIFORM), 9),
    (LBP(Patterns.UNIFORM, points=4, grid=(2, 1)), 5),
    (LBP(Patterns.ROTATION_INVARIANT), 9),
)


def worst_move(feature: Feature, side: int, tries: int, uphill: int = 40) -> float:
    """By search: the most counts, half the L1 distance, that one pixel of a ``side`` x ``side`` image moves."""
    generator = np.random.default_rng(0)
    shape = (side, side) if feature.luma_only else (side, side, 3)
    core = feature.before(np.zeros(shape, np.uint8)).shape
    program = feature.program(core)

    def counts(image: np.ndarray) -> np.ndarray:
        return feature.after(evaluate(program, feature.before(image)))

    def moved(image: np.ndarray, at: tuple[int, int], level: int) -> float:
        other = image.copy()
        other[at] = level
        return float(np.abs(counts(image) - counts(other)).sum()) / 2

    worst = 0.0
    for _ in range(tries):
        image = generator.choice(np.array([0, 90, 128, 255], np.uint8), shape)
        at, level = (int(generator.integers(side)), int(generator.integers(side))), int(generator.choice([0, 255]))
        best = moved(image, at, level)
        for _ in range(uphill):
            other = image.copy()
            other.flat[generator.integers(other.size)] = generator.choice([0, 90, 128, 255])
            found = moved(other, at, level)
            if found >= best:
                image, best = other, found
        worst = max(worst, best)
    return worst


@pytest.mark.parametrize(("feature", "moves"), FEATURES, ids=repr)
def test_the_moves_of_features_are_bounded_and_attained(feature: Feature, moves: int) -> None:
    """On 4 x 4 images of few levels, where the middle of the image is enough to see the worst."""
    core = feature.before(np.zeros((4, 4, 3), np.uint8)).shape
    bound = reach(feature.program(core))
    assert bound is not None and bound.moves == moves
    assert worst_move(feature, 4, 12) <= moves
    if not isinstance(feature, LBP) or feature in (LBP(), LBP(points=4)):  # the others have few bins: moves cancel
        assert worst_move(feature, 4, 12, uphill=200) == moves


@pytest.mark.parametrize("feature", [LBP(points=4, grid=(1, 1)), LBP(Patterns.UNIFORM, points=4)], ids=repr)
def test_every_image_of_three_by_three_pixels_and_two_levels(feature: LBP) -> None:
    """All 512 images, all changes of one pixel: the reading is exact."""
    program = feature.program((3, 3))
    images = [np.array(bits, np.uint8).reshape(3, 3) * 255 for bits in itertools.product((0, 1), repeat=9)]
    counts = np.stack([evaluate(program, image.astype(np.float64)).ravel() for image in images])
    flips = np.arange(512)[:, None] ^ (1 << np.arange(9))
    worst = np.abs(counts[:, None, :] - counts[flips]).sum(-1).max() / 2
    bound = reach(program)
    assert bound is not None and worst <= bound.moves == 5
    assert worst >= bound.moves - 1  # two levels leave ties


def test_words_may_all_move() -> None:
    """Descriptors are normalised over wide surroundings: nothing less than all of them is proved."""
    from privis.features.keypoints.aggregate import BagOfVisualWords
    from privis.features.keypoints.sift import DenseSIFT

    bag = BagOfVisualWords(DenseSIFT(step=16), codebook())
    found = reach(bag.program((64, 64)), pixelwise=False)
    assert found is not None and found.moves == found.total == 9


PAIRS = {
    "differences": lambda x: (x[:, 1:] - x[:, :-1]).reshape(1, -1) >> ops.Histogram(((0.0, 9.0),)),
    "two rows up": lambda x: (x[2:] + x[:-2]).reshape(1, -1) >> ops.Histogram(((4.0, 9.0),)),
    "co-occurrence": lambda x: GLCM(levels=2).counts(x, (1, -1)),
    "co-occurrence of three": lambda x: (
        concat(x[:, 2:].reshape(1, -1), x[:, 1:-1].reshape(1, -1), x[:, :-2].reshape(1, -1))
        >> ops.Histogram(((4.0,),) * 3)
    ),
}


@pytest.mark.parametrize("name", PAIRS)
def test_a_pixel_is_in_several_pairs(name: str) -> None:
    """Both ends of a difference and every digit of a code count; a search finds that many moves."""
    program = trace(PAIRS[name], Input((5, 5)))
    found = reach(program)
    expected = 3 if "three" in name else 2
    assert found is not None and found.moves == expected
    generator, worst = np.random.default_rng(0), 0.0
    for _ in range(2000):
        image = generator.choice([0.0, 4.0, 200.0], (5, 5))
        other = image.copy()
        other[generator.integers(5), generator.integers(5)] = generator.choice([0.0, 200.0])
        worst = max(worst, float(np.abs(evaluate(program, image) - evaluate(program, other)).sum()) / 2)
    assert worst == expected


def test_padding_rows_and_strides() -> None:
    """Windows at the border hold fewer pixels, strides skip some: the largest number counts."""

    def counts(stride: tuple[int, int], pad: int) -> Program:
        conv, histogram = ops.Conv(np.ones((2, 1, 3, 3)), stride, (pad,) * 4), ops.Histogram(((9.0,),) * 2)
        return trace(lambda x: (x >> conv).reshape(2, -1) >> histogram, Input((1, 6, 6)))

    def moves(program: Program) -> int:
        found = reach(program)
        assert found is not None
        return found.moves

    assert [moves(counts((1, 1), 1)), moves(counts((1, 1), 0)), moves(counts((2, 2), 1)), moves(counts((3, 3), 0))] == [
        9, 9, 4, 1,
    ]  # fmt: skip


@pytest.mark.parametrize("last", [lambda x: x * 2.0, lambda x: x * x, lambda x: x >> ops.Dense(np.ones((2, 2)))])
def test_counts_that_are_changed_are_no_counts(last) -> None:
    program = trace(lambda x: last(x.reshape(1, -1) >> ops.Histogram(((9.0,),))), Input((4, 4)))
    assert reach(program) is None


def test_repeated_counts_are_no_counts() -> None:
    twice = ops.Gather(np.array([0, 1, 1]), 0)
    assert reach(trace(lambda x: x.reshape(1, -1) >> ops.Histogram(((9.0,),)) >> twice, Input((4, 4)))) is None


def test_sums_of_grey_levels_move_by_the_range() -> None:
    program = trace(lambda x: x.sum(0, 1, keep=True), Input((4, 4)))
    found = reach(program)
    assert found is not None and (found.moves, found.total) == (255, 255 * 16)
    assert ranges(program)[-1].bounds == (0.0, 255.0 * 16)
