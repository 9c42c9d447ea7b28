"""Many images at once under real encryption, and what is refused."""

import numpy as np
import pytest

from privis.errors import ProtocolError, UnsupportedError
from privis.program import Input, ops, trace
from privis.readings import evaluate
from privis.run.he.compiled import Options, compiled
from privis.run.he.evaluator import Evaluator
from privis.run.he.executor import CKKS
from privis.run.he.secret import SecretKeys
from privis.run.he.spec import Spec

RNG = np.random.default_rng(6)
KERNEL, MATRIX = RNG.normal(size=(2, 1, 3, 3)), RNG.normal(size=(3, 8))


def network(x):
    y = (x >> ops.Conv(KERNEL, (2, 2), (1, 1, 1, 1))).reshape(8)
    return (y * y + y >> ops.Dense(MATRIX)) + 0.5


PROGRAM = trace(network, Input((1, 4, 4), -1.0, 1.0, None))


@pytest.mark.parametrize("processes", [1, 2])
def test_more_images_than_ciphertexts_hold(processes):
    made = compiled(PROGRAM, Options(batch=True, processes=processes))
    spec = Spec.from_json(made.spec.to_json())
    assert spec.together == 2 * spec.parameters.slots and spec.digest == made.spec.digest
    assert [(group.steps, group.conjugate) for group in spec.keys] == [((), True)]
    keys = SecretKeys.generate(spec)
    evaluator = Evaluator.open(made, keys.evaluation_keys(spec))
    images = RNG.uniform(-1, 1, (spec.together + 3, 1, 4, 4))
    query, shares = keys.encrypt(spec, [(x,) for x in images]), []
    reply = evaluator.run(query.message, shares.append)
    results = keys.decrypt(spec, query, reply)
    assert len(results) == len(images) and shares == sorted(shares) and shares[-1] == pytest.approx(1)
    expected = np.array([evaluate(PROGRAM, x) for x in images])
    assert np.abs(np.array(results)[:, 0] - expected).max() < 1e-4 * np.abs(expected).max()


def test_without_the_key_that_tells_pairs_apart_nothing_is_computed():
    made = compiled(PROGRAM, Options(batch=True))
    keys = SecretKeys.generate(made.spec)
    alone = compiled(PROGRAM, Options())
    with pytest.raises(ProtocolError, match="one for the program"):
        Evaluator.open(made, keys.evaluation_keys(alone.spec))


def test_the_executor_takes_a_list_of_images():
    images = RNG.uniform(-1, 1, (3, 1, 4, 4))
    run = CKKS().prepare_many(PROGRAM)
    for ours, image in zip(run([(x,) for x in images]), images, strict=True):
        np.testing.assert_allclose(ours, evaluate(PROGRAM, image), atol=1e-3)
    assert run([]) == []


def test_more_ciphertexts_than_memory_are_refused_with_their_number():
    program = trace(lambda x: x * x, Input((1024, 1024), -1.0, 1.0, None))
    with pytest.raises(UnsupportedError, match=r"take [\d,]+ GB at once, one for each of 1,048,576 elements"):
        compiled(program, Options(batch=True))
