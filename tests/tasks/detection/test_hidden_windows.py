"""All windows of a picture in one program: the windows above the threshold, and nothing of the others.

Answers for `privis.tasks.detection.hidden_windows`.
"""

import dataclasses

import numpy as np
import pytest

from privis.program import ops
from privis.readings import evaluate
from privis.run.mpc.lowering.precision import choose_fixed_point
from privis.tasks.detection import Pyramid, WindowModel
from privis.tasks.detection.hidden_windows import LEAST_ABOVE, HiddenWindows, in_whole_view, reached

RNG = np.random.default_rng(1)
MODEL = WindowModel(RNG.normal(0, 0.05, 3 * 2 * 36), -0.1, "thing", (32, 24), Pyramid(1.5, 8))
IMAGE = RNG.integers(0, 256, (70, 61)).astype(np.uint8)


def asked(model, from_blocks):
    views = model.views(IMAGE.shape)
    hidden = HiddenWindows(model, views, from_blocks)
    whole = [model.before(IMAGE, view) for view in views]
    arrays = [array[:height, :width] for array, (height, width) in zip(whole, hidden.shapes, strict=True)]
    if from_blocks:
        arrays = [evaluate(model.feature.program(array.shape), array) for array in arrays]
    found = hidden.opened(evaluate(hidden.program, hidden.pixels(arrays), *hidden.weights))
    return views, found, [evaluate(model.program(view.shape), array) for view, array in zip(views, whole, strict=True)]


@pytest.mark.parametrize("gamma", [True, False])
@pytest.mark.parametrize("from_blocks", [True, False])
def test_windows_above_the_threshold_come_out_with_their_scores(gamma, from_blocks):
    scores = np.concatenate([np.ravel(each) for each in asked(dataclasses.replace(MODEL, gamma=gamma), True)[2]])
    model = dataclasses.replace(MODEL, gamma=gamma, least=float(np.quantile(scores, 0.2)))
    views, found, exact = asked(model, from_blocks)
    assert len(views) > 2
    tolerance = 1e-5 if from_blocks else 6e-3
    assert sum(np.isfinite(each).sum() for each in found) > len(scores) / 5
    for view, opened, scores in zip(views, found, exact, strict=True):
        clear, hidden = model.decode(scores, view), model.decode(opened, view)
        known = np.isfinite(opened)
        assert np.abs(opened[known] - scores[known]).max(initial=0.0) < tolerance
        assert (opened[known] > model.least + LEAST_ABOVE).all()
        sure = np.abs(clear.scores - model.least) > tolerance
        assert sure.sum() <= len(hidden) <= len(clear) + (np.abs(scores - model.least) < tolerance).sum()


def test_nothing_of_the_model_stands_in_the_program():
    views = MODEL.views(IMAGE.shape)
    other = dataclasses.replace(MODEL, weights=MODEL.weights * 0.9 + 0.001, bias=-0.12)
    programs = [HiddenWindows(model, views).program for model in (MODEL, other)]
    constants = [
        [
            np.asarray(getattr(node.op, field.name)).tobytes()
            for node in program.nodes
            for field in dataclasses.fields(node.op)
            if isinstance(getattr(node.op, field.name), np.ndarray | float)
        ]
        for program in programs
    ]
    assert constants[0] == constants[1]
    assert [(each.low, each.high) for each in programs[0].inputs[1:]] == [
        (each.low, each.high) for each in programs[1].inputs[1:]
    ]


def test_steps_of_all_views_are_taken_together_on_a_small_ring():
    program = HiddenWindows(MODEL, MODEL.views(IMAGE.shape)).program
    single = HiddenWindows(MODEL, MODEL.views(IMAGE.shape)[:1]).program
    for kind in (ops.Compare, ops.Normalise, ops.MatMul):
        assert len({sum(isinstance(n.op, kind) for n in p.nodes) for p in (program, single)}) == 1
    assert choose_fixed_point([program]).field_bits == 64


def test_what_truncation_makes_of_zero_is_no_window():
    hidden = HiddenWindows(MODEL, MODEL.views(IMAGE.shape))
    (length,) = hidden.program.output_shapes[0]
    noise = np.full(length, 2.0**-18)
    noise[3] = 0.25
    assert sum(np.isfinite(each).sum() for each in hidden.opened(noise)) == 1


def test_windows_reach_no_further_than_copies():
    for view in MODEL.views(IMAGE.shape):
        height, width = reached(view, MODEL.window)
        assert height <= view.shape[0] and width <= view.shape[1]
        rows, columns = (height - 32) // 8 + 1, (width - 24) // 8 + 1
        whole = in_whole_view(np.zeros((rows, columns)), view, MODEL.window)
        kept = dataclasses.replace(MODEL, least=-1.0)
        exact = np.zeros(whole.shape)
        assert len(kept.decode(whole, view)) == len(kept.decode(exact, view)) > 0
