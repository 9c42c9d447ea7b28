"""Public samples of a compilation: what they must be, what they bring, and that results stay right."""

import pickle

import numpy as np
import pytest

pytest.importorskip("tenseal")

from privis.errors import DomainError, ParameterError, UnsupportedError
from privis.features.hog import HOG
from privis.identity import identity
from privis.program import Input, ops, trace
from privis.readings import evaluate
from privis.run.he.compiler.compiler import Options, compile_program, lower_program
from privis.run.he.compiler.samples import PublicSamples
from privis.run.he.executor import CKKS

RANDOM = np.random.default_rng(5)
WEIGHTS = RANDOM.normal(size=(64, 64)) / 4


def squares(x):
    x = x.reshape(64) >> ops.Dense(WEIGHTS)
    return (x * x) >> ops.Dense(WEIGHTS / 32)


PROGRAM = trace(squares, Input((8, 8), 0.0, 255.0, 1.0))
DIM = [RANDOM.integers(0, 3, (8, 8)).astype(np.uint8) for _ in range(4)]


def test_samples_say_how_large_values_are():
    typical, dim = (lower_program(PROGRAM, Options(), [(x,) for x in own]) for own in ((), DIM))
    assert max(dim.expected.bounds[1:]) < 1e-2 * max(typical.expected.bounds[1:])
    assert dim.expected.certain == typical.expected.certain, "what is certain never depends on samples"


def test_results_with_samples_are_right_on_images_like_them():
    executor = CKKS(1e-3, samples=DIM)
    image = RANDOM.integers(0, 3, (8, 8)).astype(np.uint8)
    exact = evaluate(PROGRAM, image)
    assert np.abs(executor.prepare(PROGRAM)(image) - exact).max() < 4e-3 * np.abs(exact).max()
    together = executor.prepare_many(PROGRAM, 2)([(image,), (DIM[0],)])
    assert np.abs(together[0] - exact).max() < 4e-3 * np.abs(exact).max()


def test_samples_are_stretched_as_their_owner_would_stretch_them():
    program, faint = HOG(block=2).program((16, 16)), [(RANDOM.integers(100, 104, (16, 16)).astype(np.float64),)]
    lowered = lower_program(program, Options(), faint)
    by_hand = [(lowered.stretched.factor(faint[0]) * faint[0][0],)]
    plain = lower_program(program, Options(stretch=False), by_hand)
    assert lowered.expected.bounds == plain.expected.bounds
    assert lowered.expected.bounds != lower_program(program, Options(stretch=False), faint).expected.bounds


@pytest.mark.parametrize(
    ("samples", "said"),
    [
        ([], r"CKKS.samples: got no sample"),
        ([np.full((8, 8), np.nan)], r"CKKS.samples\[0\]: got NaN"),
        (["photo.jpg", np.zeros((8, 8)), object()], r"CKKS.samples\[0\]: got a str.*CKKS.samples\[2\]: got a object"),
    ],
)
def test_what_is_no_sample_is_named(samples, said):
    with pytest.raises(ParameterError, match=f"(?s){said}"):
        CKKS(samples=samples)


@pytest.mark.parametrize("wrong", [np.zeros((8, 9)), (np.zeros((8, 8)), np.zeros((8, 8))), np.full((8, 8), 256.0)])
def test_samples_of_another_program_are_objections(wrong):
    executor = CKKS(samples=[DIM[0], wrong])
    (problem,) = executor.supports(PROGRAM)
    assert problem.where == "CKKS.samples[1]" and "before" in str(problem)
    for run in (executor.prepare, executor.prepare_many, executor.compiled):
        with pytest.raises(UnsupportedError, match=r"CKKS.samples\[1\]"):
            run(PROGRAM)


def test_equal_samples_make_equal_executors():
    one, same, other = CKKS(samples=DIM), CKKS(samples=[(x.astype(float),) for x in DIM]), CKKS(samples=DIM[:3])
    assert one == same and hash(one) == hash(same) and identity(one) == identity(same)
    assert one != other and identity(one) != identity(other) and identity(one) != identity(CKKS())
    again = pickle.loads(pickle.dumps(one))
    assert again == one and again.compiled(PROGRAM).spec.digest == one.compiled(PROGRAM).spec.digest


def test_samples_beyond_a_promised_domain_are_refused_in_words():
    program = trace(lambda x: x >> ops.Poly((0.0, 0.0, 1.0), (0.0, 2.0)), Input((8, 8), 0.0, 255.0, 1.0))
    made = compile_program(program, Options(promised=True), [(x,) for x in DIM])
    assert made.spec.error < 1e-3
    assert issubclass(DomainError, Exception)


def test_samples_keep_their_numbers():
    given = np.zeros((2, 2))
    kept = PublicSamples.of([given], "samples")
    given[:] = 7
    assert float(kept.images[0][0].max()) == 0.0
