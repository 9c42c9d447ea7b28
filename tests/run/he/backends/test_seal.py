"""Microsoft SEAL behind the engine port: what it does without saying, and what it must refuse."""

import pickle

import numpy as np
import pytest

from privis.errors import ParameterError, ProtocolError
from privis.program import Input, ops, trace
from privis.run.he.backends.seal import SealEngine
from privis.run.he.compiler.compiler import Options, compile_program
from privis.run.he.compiler.program_specification import Spec
from privis.run.he.engine import KeyGroup, Parameters, galois_element
from privis.run.he.evaluation.evaluator import Evaluator
from privis.run.he.evaluation.interpreter import Plaintexts
from privis.run.he.owner.keys import SecretKeys
from privis.run.he.owner.seal_keys import SealSecret
from privis.run.he.packing.diagonals import half

PARAMETERS = Parameters(8192, (40, 36, 36, 36, 60))
GROUPS = (KeyGroup(3, (1, 5)), KeyGroup(1, (4095,)))
SCALE = 2.0**36


@pytest.fixture(scope="module")
def secret():
    return SealSecret.generate(PARAMETERS)


@pytest.fixture(scope="module")
def engine(secret):
    return SealEngine.with_keys(PARAMETERS, GROUPS, secret.evaluation_keys(GROUPS))


@pytest.fixture(scope="module")
def numbers():
    return np.random.default_rng(1).uniform(-1, 1, PARAMETERS.slots)


def opened(secret, engine, x):
    return secret.decrypt(engine.save(x)).real


def test_steps_are_rotations_to_the_left_and_become_galois_elements(secret, engine, numbers):
    x = engine.load(secret.encrypt(numbers, 3, SCALE))
    np.testing.assert_allclose(opened(secret, engine, engine.rotate(x, 5)), np.roll(numbers, -5), atol=1e-5)
    assert galois_element(1, 8192) == 3 and galois_element(4095, 8192) != 4095


def test_small_keys_serve_low_levels_and_only_those(secret, engine, numbers):
    x = engine.load(secret.encrypt(numbers, 3, SCALE))
    with pytest.raises(ProtocolError, match="a key for rotation by 4095 at level 3"):
        engine.rotate(x, -1)
    low = engine.lower(x, 1)
    np.testing.assert_allclose(opened(secret, engine, engine.rotate(low, -1)), np.roll(numbers, 1), atol=1e-5)
    square = engine.relinearise(engine.multiply(low, low))
    np.testing.assert_allclose(opened(secret, engine, square), numbers**2, atol=1e-5)
    high, small = (sum(map(len, secret.evaluation_keys((KeyGroup(level, (1,)),)))) for level in (3, 1))
    assert small < high / 2.5


def test_complex_numbers_and_every_level_survive(secret, engine):
    roots = np.exp(2j * np.pi * np.arange(PARAMETERS.slots) / 16)
    for level in (3, 1, 0):
        np.testing.assert_allclose(secret.decrypt(secret.encrypt(roots, level, 2.0**30)), roots, atol=1e-4)


@pytest.mark.parametrize("bits", [(60, 60, 60, 60), (40,), (10, 60)])
def test_parameters_below_128_bits_are_refused(bits):
    with pytest.raises(ParameterError, match="128-bit security"):
        Parameters(8192, bits)


def test_a_ring_that_the_standard_does_not_know_is_refused():
    with pytest.raises(ParameterError, match=r"Parameters.degree"):
        Parameters(65536, (60, 60))


def test_damaged_and_foreign_bytes_are_refused(secret, engine, numbers):
    good = secret.encrypt(numbers, 3, SCALE)
    other = SealSecret.generate(Parameters(8192, (40, 30, 60)))
    for bad in (b"", b"nonsense" * 99, good[: len(good) // 2], good[:40] + bytes(64) + good[104:]):
        with pytest.raises(ProtocolError):
            engine.load(bad)
    with pytest.raises(ProtocolError):
        engine.load(other.encrypt(numbers, 1, SCALE))
    with pytest.raises(ProtocolError):
        SealEngine.with_keys(PARAMETERS, GROUPS, [b"nonsense"] * 4)
    with pytest.raises(ProtocolError, match="4"):
        SealEngine.with_keys(PARAMETERS, GROUPS, [])


def test_keys_of_other_rotations_are_refused(secret):
    made = secret.evaluation_keys((KeyGroup(3, (2, 5)), KeyGroup(1, (4095,))))
    with pytest.raises(ProtocolError, match=r"no keys for the automorphisms \[3\]"):
        SealEngine.with_keys(PARAMETERS, GROUPS, made)


def test_secrets_are_neither_shown_nor_pickled(secret):
    keys = SecretKeys(secret)
    for held in (secret, keys):
        assert "SecretKey object" not in repr(held) and len(repr(held)) < 120
        with pytest.raises(TypeError, match="never pickled"):
            pickle.dumps(held)


@pytest.fixture(scope="module")
def small():
    kernel = np.random.default_rng(2).normal(size=(4, 1, 3, 3)) / 3
    program = trace(
        lambda x: (lambda y: (y * y).sum(1, 2))(x >> ops.Conv(kernel, (2, 2), (1, 1, 1, 1))),
        Input((1, 16, 16), -1.0, 1.0, None),
    )
    return compile_program(program, Options())


def test_an_image_goes_to_the_server_and_its_feature_comes_back(small):
    spec = Spec.from_json(small.spec.to_json())
    assert spec.digest == small.spec.digest
    keys = SecretKeys.generate(spec)
    evaluator = Evaluator.open(small, keys.evaluation_keys(spec), at_once=2)
    images = [np.random.default_rng(k).uniform(-1, 1, (1, 16, 16)) for k in range(3)]
    query = keys.encrypt(spec, [[image] for image in images])
    seen: list[float] = []
    found = keys.decrypt(spec, query, evaluator.run(query.message, seen.append))
    for image, (ours,) in zip(images, found, strict=True):
        expected = small.in_the_clear(image)[0]
        np.testing.assert_allclose(ours, expected, atol=1e-4 * np.abs(expected).max())
    assert seen == sorted(seen) and seen[-1] == 1.0
    assert abs(small.in_the_clear(images[0])[0]).max() > 0.1  # something was computed


@pytest.mark.parametrize("limit", [1 << 30, 1 << 20])
def test_weights_are_encoded_once_though_two_processes_share_an_image(limit):
    weights = np.random.default_rng(5).normal(size=(256, 256)) / 16
    program = trace(lambda x: (x * x).reshape(256) >> ops.Dense(weights), Input((1, 16, 16), -1.0, 1.0, None))
    made = compile_program(program, Options(processes=2))
    assert any(half(packed) for packed in made.choice.arrangement.packed.values())  # two processes do share it
    keys, plaintexts = SecretKeys.generate(made.spec), Plaintexts(limit)
    evaluator = Evaluator.open(made, keys.evaluation_keys(made.spec), plaintexts)
    image = np.random.default_rng(6).uniform(-1, 1, (1, 16, 16))
    query = keys.encrypt(made.spec, [(image,)])
    kept = []
    for _ in range(2):
        ((features,),) = keys.decrypt(made.spec, query, evaluator.run(query.message))
        np.testing.assert_allclose(features, made.in_the_clear(image)[0], atol=1e-3)
        kept.append(dict(plaintexts.made))
    assert kept[0] and kept[0].keys() == kept[1].keys() and plaintexts.held <= limit
    assert all(kept[0][key] is kept[1][key] for key in kept[0])


def test_a_query_for_another_program_is_refused(small):
    keys = SecretKeys.generate(small.spec)
    evaluator = Evaluator.open(small, keys.evaluation_keys(small.spec))
    other = compile_program(trace(lambda x: x * x, Input((4,), -1.0, 1.0, None)), Options())
    stranger = SecretKeys.generate(other.spec)
    with pytest.raises(ProtocolError, match="one for the program"):
        evaluator.run(stranger.encrypt(other.spec, [[np.zeros(4)]]).message)
    with pytest.raises(ProtocolError, match="a message with query"):
        Evaluator.open(small, keys.encrypt(small.spec, [[np.zeros((1, 16, 16))]]).message)
    with pytest.raises(ProtocolError, match="cut short or damaged"):
        evaluator.run(keys.encrypt(small.spec, [[np.zeros((1, 16, 16))]]).message[:-9])


def test_inputs_that_are_no_numbers_or_have_another_shape_are_all_named(small):
    keys = SecretKeys.generate(small.spec)
    with pytest.raises(ParameterError) as caught:
        keys.encrypt(small.spec, [[np.zeros((1, 16, 15))], [np.full((1, 16, 16), np.nan)]])
    assert [problem.where for problem in caught.value.problems] == ["image 0, input 0", "image 1, input 0"]
