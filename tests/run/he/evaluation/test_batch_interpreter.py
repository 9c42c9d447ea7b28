"""Many images at once under real encryption, and what is refused."""

import numpy as np
import pytest

from privis.errors import ProtocolError, UnsupportedError
from privis.extraction.images import extract
from privis.features.colour import ColourHistogram
from privis.program import Input, ops, trace
from privis.readings import evaluate
from privis.run.he.compiler.compiler import Options, compile_program
from privis.run.he.compiler.program_specification import Spec
from privis.run.he.evaluation.evaluator import Evaluator
from privis.run.he.executor import CKKS
from privis.run.he.owner.keys import SecretKeys
from privis.run.he.packing.batching import Batching

WEIGHTS = np.random.default_rng(6)
KERNEL, MATRIX = WEIGHTS.normal(size=(2, 1, 3, 3)), WEIGHTS.normal(size=(3, 8))
SOME = 97  # different images, which fall on other slots each time
FIRST = WEIGHTS.normal(size=(4, 16))


def network(x):
    y = (x >> ops.Conv(KERNEL, (2, 2), (1, 1, 1, 1))).reshape(8)
    return (y * y + y >> ops.Dense(MATRIX)) + 0.5


PROGRAM = trace(network, Input((1, 4, 4), -1.0, 1.0, None))


@pytest.mark.parametrize("processes", [1, 2])
def test_more_images_than_ciphertexts_hold(processes, rng):
    made = compile_program(PROGRAM, Options(batching=Batching.SLOT, processes=processes))
    spec = Spec.from_json(made.spec.to_json())
    assert spec.batch_size == 2 * spec.parameters.slots and spec.digest == made.spec.digest
    assert [(group.steps, group.conjugate) for group in spec.keys] == [((), True)]
    keys = SecretKeys.generate(spec)
    evaluator = Evaluator.open(made, keys.evaluation_keys(spec))
    some = rng.uniform(-1, 1, (SOME, 1, 4, 4))
    images = some[np.arange(spec.batch_size + 3) % SOME]
    query, shares = keys.encrypt(spec, [(x,) for x in images]), []
    reply = evaluator.run(query.message, shares.append)
    results = keys.decrypt(spec, query, reply)
    assert len(results) == len(images) and shares == sorted(shares) and shares[-1] == pytest.approx(1)
    expected = np.array([evaluate(PROGRAM, x) for x in some])[np.arange(len(images)) % SOME]
    assert np.abs(np.array(results)[:, 0] - expected).max() < 1e-4 * np.abs(expected).max()


@pytest.mark.parametrize(("elements", "processes"), [(16, 2), (15, 1), (1, 1)])
def test_two_elements_of_an_image_come_in_one_slot_and_are_told_apart(elements, processes, rng):
    read = np.arange(16) < elements  # an odd one out has nothing beside it
    program = trace(
        lambda x: (y := x >> ops.Dense(FIRST * read)) * y + y >> ops.Dense(MATRIX[:, :4]),
        Input((16,), -1.0, 1.0, None),
    )
    made = compile_program(program, Options(batching=Batching.SLOT_OF_PAIRS, processes=processes))
    text = made.spec.to_json()
    spec = Spec.from_json(text)
    assert spec.batch_size == spec.parameters.slots and spec.digest == made.spec.digest
    assert spec.queried == -(-elements // 2) and ("privis.ckks/2" in text) == (elements > 1)
    keys = SecretKeys.generate(spec)
    evaluator = Evaluator.open(made, keys.evaluation_keys(spec), at_once=processes)
    some = rng.uniform(-1, 1, (SOME, 16))
    images = some[np.arange(spec.batch_size + 2) % SOME]
    query = keys.encrypt(spec, [(x,) for x in images])
    results = np.array(keys.decrypt(spec, query, evaluator.run(query.message)))[:, 0]
    expected = np.array([evaluate(program, x) for x in some])[np.arange(len(images)) % SOME]
    assert np.abs(results - expected).max() < 1e-4 * np.abs(expected).max()


def test_complex_numbers_leave_no_room_for_a_second_element():
    program = ColourHistogram(bins=4).program((3, 8, 8))
    with pytest.raises(UnsupportedError, match=r"Batching\.SLOT"):
        compile_program(program, Options(batching=Batching.SLOT_OF_PAIRS))


def test_of_ways_that_take_as_long_the_one_that_owners_send_less_for_is_chosen():
    program = trace(lambda x: (y := x >> ops.Dense(WEIGHTS.normal(size=(64, 48)))) * y, Input((48,), -1.0, 1.0, None))
    few, many = (CKKS().shared(program, images).spec for images in (2000, 10**6))
    assert few.queried == 24 and few.batch_size == few.parameters.slots
    assert many.queried == 48 and many.batch_size == 2 * many.parameters.slots


def test_without_the_key_that_tells_pairs_apart_nothing_is_computed():
    made = compile_program(PROGRAM, Options(batching=Batching.SLOT))
    keys = SecretKeys.generate(made.spec)
    alone = compile_program(PROGRAM, Options())
    with pytest.raises(ProtocolError, match="one for the program"):
        Evaluator.open(made, keys.evaluation_keys(alone.spec))


def test_the_executor_takes_a_list_of_images(rng):
    images = rng.uniform(-1, 1, (3, 1, 4, 4))
    run = CKKS().prepare_many(PROGRAM)
    for ours, image in zip(run([(x,) for x in images]), images, strict=True):
        np.testing.assert_allclose(ours, evaluate(PROGRAM, image), atol=1e-3)
    assert run([]) == []


def test_extract_gives_each_of_several_images_its_own_feature(rng):
    feature, under = ColourHistogram(bins=4), CKKS()
    images = list(rng.integers(0, 256, (11, 8, 8, 3), dtype=np.uint8))
    assert under.together(feature.program((3, 8, 8)), len(images)) > 1
    np.testing.assert_array_equal(extract(feature, images, under=under).features, extract(feature, images).features)


@pytest.mark.parametrize("processes", [1, 2])
def test_images_side_by_side_under_encryption(processes, rng):
    made = compile_program(PROGRAM, Options(batching=Batching.SIDE_BY_SIDE, processes=processes))
    spec = Spec.from_json(made.spec.to_json())
    assert 1 < spec.batch_size < spec.parameters.slots and spec.digest == made.spec.digest
    keys = SecretKeys.generate(spec)
    evaluator = Evaluator.open(made, keys.evaluation_keys(spec), at_once=processes)
    images = rng.uniform(-1, 1, (spec.batch_size + 3, 1, 4, 4))
    query = keys.encrypt(spec, [(x,) for x in images])
    results = keys.decrypt(spec, query, evaluator.run(query.message))
    expected = np.array([evaluate(PROGRAM, x) for x in images])
    assert np.abs(np.array(results)[:, 0] - expected).max() < 1e-4 * np.abs(expected).max()


def test_the_executor_shares_ciphertexts_in_the_way_that_is_quickest_for_so_many_images():
    under = CKKS()
    squares, large = (trace(lambda x: x * x, Input((n, n), -1.0, 1.0, None)) for n in (32, 1024))
    few, many = (under.shared(squares, images).spec for images in (5, 10**6))
    assert few.batch_size < few.parameters.slots and many.batch_size == 2 * many.parameters.slots
    assert under.shared(large, None).spec.batch_size == 1  # neither way fits


def test_more_ciphertexts_than_memory_are_refused_with_their_number():
    program = trace(lambda x: x * x, Input((1024, 1024), -1.0, 1.0, None))
    with pytest.raises(UnsupportedError, match=r"take [\d,]+ GB at once, one for each of 1,048,576 elements"):
        compile_program(program, Options(batching=Batching.SLOT))
