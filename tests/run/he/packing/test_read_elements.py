"""Elements that a program never reads are not sent, and its results stay the same.

Answers for `privis.run.he.packing.read_elements`.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from privis.program import Input, Program, ops, trace
from privis.readings import evaluate
from privis.run.he.compiler.compiler import Options, compile_program
from privis.run.he.packing.batching import Batching
from tests.run.he.backends.clear_engine import run_batch_in_the_clear

RANDOM = np.random.default_rng(2)
WEIGHTS = RANDOM.normal(size=(5, 64))
READ = np.zeros((8, 8), bool)
READ[2:6, 1:6] = True
CROPPED = WEIGHTS * READ.reshape(-1)
OPTIONS = Options(precision=1e-2)


def compiled(program: Program, batching: Batching):
    return compile_program(program, replace(OPTIONS, batching=batching))


def agree(program: Program, batching: Batching, *shapes: tuple[int, ...]):
    made = compiled(program, batching)
    images = [tuple(RANDOM.uniform(-1, 1, shape) for shape in shapes) for _ in range(min(3, made.spec.batch_size))]
    for image, ours in zip(images, run_batch_in_the_clear(made, images), strict=True):
        np.testing.assert_allclose(ours[0], evaluate(program, *image), atol=1e-6)
    return made


def dense(weights: np.ndarray) -> Program:
    return trace(lambda x: (y := x.reshape(64) >> ops.Dense(weights)) * y, Input((8, 8), -1.0, 1.0, None))


@pytest.mark.parametrize("batching", Batching, ids=lambda batching: batching.value)
def test_the_border_of_an_image_that_is_cropped_is_not_sent(batching):
    made = agree(dense(CROPPED), batching, (8, 8))
    (source,), (whole,) = made.spec.sources, compiled(dense(WEIGHTS), batching).spec.sources
    if batching is Batching.SLOT:
        assert np.array_equal(source.source.gather[0], np.flatnonzero(READ))
        assert source.layout.ciphertexts == READ.sum() and whole.layout.ciphertexts == 64


def test_what_several_steps_read_is_sent_once():
    left, right = CROPPED.copy(), CROPPED.copy()
    left[:, 9], right[:, 60] = 0.0, 1.0

    def both(x):
        flat = x.reshape(64)
        return (flat >> ops.Dense(left)) * (flat >> ops.Dense(right))

    made = agree(trace(both, Input((8, 8), -1.0, 1.0, None)), Batching.SLOT, (8, 8))
    assert made.spec.sources[0].layout.ciphertexts == READ.sum() + 1


def test_each_input_is_sent_as_far_as_it_is_read():
    program = trace(
        lambda x, y: (x >> ops.Dense(CROPPED)) * (y >> ops.Dense(WEIGHTS)),
        Input((64,), -1.0, 1.0, None), Input((64,), -1.0, 1.0, None),
    )  # fmt: skip
    made = agree(program, Batching.SLOT, (64,), (64,))
    assert [source.layout.ciphertexts for source in made.spec.sources] == [READ.sum(), 64]


def test_what_a_product_or_the_owner_reads_is_sent_whole():
    for program in (
        trace(lambda x: (x * x) >> ops.Dense(CROPPED), Input((64,), -1.0, 1.0, None)),
        trace(lambda x: (x * 1.0, x >> ops.Dense(CROPPED)), Input((64,), -1.0, 1.0, None)),
    ):
        made = agree(program, Batching.SLOT, (64,)) if len(program.outputs) == 1 else compiled(program, Batching.SLOT)
        assert made.spec.sources[0].layout.ciphertexts == 64
