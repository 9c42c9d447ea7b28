"""The additive executor: linear programs equal their definition within the stated rounding, or are refused.

Answers for `privis.run.he.paillier.fixed_point_encoding` and `privis.run.he.paillier.linear_rules`.
"""

import pickle
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import assume, given, settings

from privis.errors import DomainError, ParameterError, ProtocolError, UnsupportedError
from privis.features.postprocessing.projection import Projection
from privis.features.wavelets.gabor import Gabor
from privis.identity import identity
from privis.program import Input, concat, ops, trace
from privis.readings import evaluate
from privis.run.he.owner.paillier import SecretKey
from privis.run.he.paillier.linear_lowering import linear_extraction
from privis.run.he.paillier.multi_exponentiation import signed_digits
from privis.run.he.paillier.slots import read_message
from privis.run.he.paillier_executor import Paillier, PaillierTimings
from tests.conformance.programs import LINEAR, programs

BITS = 2048


@pytest.fixture(scope="module")
def key():
    return SecretKey.generate(BITS)


@pytest.fixture(scope="module")
def scheme(key):
    return Paillier(BITS, key=key)


def exactly(key, program, *inputs):
    """Outputs in double precision, by the three messages, and how far each may be from the definition."""
    extraction = linear_extraction(program, BITS, 24)
    found = extraction.result(key, extraction.reply(key.public, extraction.query(key, *inputs)))
    return found, [held.error for held in extraction.outputs]


def agree(key, program, *inputs):
    found, allowed = exactly(key, program, *inputs)
    definition = evaluate(program, *(np.asarray(x, np.float64) for x in inputs))
    for ours, theirs, error in zip(found, definition if len(found) > 1 else [definition], allowed, strict=True):
        assert ours.shape == theirs.shape
        room = 1e-12 * np.abs(theirs).max(initial=1.0)  # the definition itself is rounded to double precision
        assert np.abs(ours - theirs).max(initial=0.0) <= error + room


@pytest.fixture(scope="module")
def photograph():
    from skimage import data

    return np.ascontiguousarray(data.camera()[100:148:2, 200:248:2])


def test_filters_of_a_gabor_bank(key, scheme, photograph):
    """The linear part of the feature; its energies are products, which only HE multiplies."""
    kernel = Gabor(frequencies=(0.4,), angles=2)._quadrature(0.4)
    height, width = (14, 14)
    program = trace(lambda x: x.reshape(1, height, width) >> ops.Conv(kernel, (2, 2)), Input((height, width)))
    assert scheme.supports(program) == []
    agree(key, program, photograph[:height, :width])
    whole = Gabor(frequencies=(0.4,), angles=1).program((14, 14))
    assert [p.where for p in scheme.supports(whole)] == ["node 2 Mul"]
    with pytest.raises(UnsupportedError, match=r"node 2 Mul: got an op that is not linear.*use CKKS\(\)"):
        scheme.prepare(whole)


def test_mean_pooling_by_powers_of_two_is_exact(key, photograph):
    means = trace(lambda x: x.reshape(1, 16, 16) >> ops.Conv(np.full((1, 1, 4, 4), 1 / 16), (4, 4)), Input((16, 16)))
    found, (error,) = exactly(key, means, photograph[:16, :16])
    assert error == 0.0
    np.testing.assert_array_equal(found[0], photograph[:16, :16].reshape(4, 4, 4, 4).mean((1, 3))[None])


def test_a_random_projection(key, photograph):
    vector = photograph[:10, :10].ravel()
    matrix = Projection.random(100, 4).matrix
    agree(key, trace(lambda x: x >> ops.Dense(matrix), Input((100,))), vector)


def test_the_executor_gives_what_every_executor_gives(scheme, photograph):
    program = trace(lambda x: (x.sum(0), x[:2, :2] * -0.5 + 3.0), Input((8, 8)))
    sums, cut = scheme.prepare(program)(photograph[:8, :8])
    assert sums.dtype == cut.dtype == np.float32
    np.testing.assert_array_equal(sums, photograph[:8, :8].sum(0))
    np.testing.assert_array_equal(cut, 3.0 - photograph[:2, :2] / 2)


@settings(max_examples=25)
@given(made=programs(LINEAR))
def test_random_linear_programs_equal_their_definition(key, scheme, made):
    program, x = made
    assume(np.size(evaluate(program, x)) <= 60 and scheme.cost(program).seconds < 1)
    assert scheme.supports(program) == []
    agree(key, program, x)


def test_values_off_every_grid_two_inputs_borders_and_both_roundings(key):
    rng = np.random.default_rng(1)

    def build(x, y):
        mixed = concat(x * np.array([0.3, -1.0, 0.0]) + 1 / 3, (y - x) * 1e-3, axis=0)
        bordered = mixed >> ops.Pad(((1, 0), (0, 1)), 0.7)
        return bordered.sum(1), bordered >> ops.Dense(rng.normal(size=(2, 4)))

    program = trace(build, Input((2, 3), -1.0, 1.0, None), Input((2, 3), 0.0, 0.5, 0.125))
    agree(key, program, rng.uniform(-1, 1, (2, 3)), rng.integers(0, 5, (2, 3)) * 0.125)


def test_stated_rounding_follows_the_bits_of_weights(photograph):
    """A third of the grey levels: the more bits, the less of it is lost, and never more than stated."""
    thirds = trace(lambda x: x * (1 / 3), Input((4, 4)))
    coarse, fine = (Paillier(BITS, bits).rounding(thirds)[0] for bits in (8, 24))
    assert 0 < fine < 1e-5 < coarse < 1
    assert Paillier(BITS, 8).rounding(trace(lambda x: x * 0.75 - 2.5, Input((4, 4)))) == (0.0,)


def test_a_value_that_may_overflow_is_refused_with_its_node_and_numbers(scheme):
    def thirds(x):
        for _ in range(100):
            x = x * (1 / 3)  # each with up to 24 bits more of fraction
        return x

    (problem,) = scheme.supports(trace(thirds, Input((2,), 0.0, 255.0)))
    assert problem.where == "node 87 Affine"
    assert "magnitudes up to" in problem.got and "2069 bits" in problem.got
    assert "a third of a 2048-bit modulus" in problem.expected
    unbounded = scheme.supports(trace(lambda x: x * 2.0, Input((2,), 0.0, np.inf, None)))
    assert unbounded[0].where == "input 0"


def test_inputs_outside_their_declaration_are_refused(scheme):
    run = scheme.prepare(trace(lambda x: x.sum(0), Input((3,), 0.0, 255.0)))
    for wrong, words in (
        ([0, 1, 256], r"got values from 0 to 256, expected \[0, 255\]"),
        ([0, 1, np.nan], "nan"),
        ([0, 1, 0.5], "between grid points"),
        ([0, 1], "shape"),
    ):
        with pytest.raises(DomainError, match=words):
            run(np.array(wrong, float))


def test_a_reply_says_nothing_about_how_it_was_made(key):
    """Its randomness is fresh: it is not the product of the query's ciphertexts that anybody could recompute."""
    extraction = linear_extraction(trace(lambda x: x >> ops.Dense(np.array([[2.0, 3.0]])), Input((2,))), BITS, 24)
    query = extraction.query(key, np.array([5, 7]))
    replies = [extraction.reply(key.public, query) for _ in range(2)]
    (x, y), found = read_message(key.public, extraction.purpose, 2, query), []
    for reply in replies:
        assert extraction.result(key, reply)[0].tolist() == [31.0]
        found.append(read_message(key.public, extraction.purpose, 1, reply)[0])
    assert len({x**2 * y**3 % key.public.square, *found}) == 3


def test_messages_of_another_program_or_key_are_refused(key):
    double, triple = (linear_extraction(trace(lambda x, k=k: x * k, Input((2,))), BITS, 24) for k in (2.0, 3.0))
    query = double.query(key, np.array([1, 2]))
    with pytest.raises(ProtocolError, match="another key, program or sum"):
        triple.reply(key.public, query)
    with pytest.raises(ProtocolError, match="another key"):
        double.reply(SecretKey.generate(BITS).public, query)
    reply = double.reply(key.public, query)
    with pytest.raises(ProtocolError, match="another key"):
        triple.result(key, reply)
    with pytest.raises(ProtocolError, match="bytes that are none"):
        double.result(key, reply[:-1])


def test_a_reply_packs_many_outputs_and_costs_are_predicted(key):
    program = trace(lambda x: x.reshape(1, 12, 12) >> ops.Conv(np.ones((1, 1, 3, 3))), Input((12, 12)))
    extraction = linear_extraction(program, BITS, 24)
    assert extraction.slots.count == 97 and extraction.slots.plaintexts(100) == 2
    query = extraction.query(key, np.zeros((12, 12)))
    reply = extraction.reply(key.public, query)
    assert (len(query), len(reply)) == extraction.messages
    predicted = Paillier(BITS, machine=PaillierTimings.measure(key)).cost(program)
    assert predicted.sent == len(query) + len(reply) and predicted.seconds > 0


def test_the_server_side_cannot_import_decryption():
    modules = "privis.run.he.paillier.linear_lowering, privis.run.he.paillier.secure_aggregation"
    code = f"import sys, {modules}; print([*sys.modules])"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert "privis.run.he.paillier.scheme" in loaded and "privis.run.he.owner.paillier" not in loaded


def test_parameters_are_checked_and_the_key_stays_where_it_is(key):
    with pytest.raises(ParameterError) as caught:
        Paillier(1024, 99)
    assert len(caught.value.problems) == 2
    with pytest.raises(ParameterError, match="a key of 3072 bits"):
        Paillier(key=key)
    copied = pickle.loads(pickle.dumps(Paillier(BITS, key=key)))
    assert copied == Paillier(BITS) and copied.key is None
    assert identity(Paillier(BITS, key=key, machine=PaillierTimings(1.0))) == identity(Paillier(BITS)), (
        "results are the same"
    )
    assert identity(Paillier(BITS)) != identity(Paillier(BITS, weight_bits=20))
    assert "3072-bit" in Paillier().seen and str(key._private.p)[:9] not in repr(Paillier(BITS, key=key))


@pytest.mark.parametrize("window", [2, 4])
@pytest.mark.parametrize("weight", [0, 1, -1, 2, 7, -8, 23, 1023, -(2**24), 123_456_789])
def test_digits_add_up(weight, window):
    digits = signed_digits(weight, window)
    assert sum(digit << at for at, digit in digits) == weight
    assert all(digit % 2 and abs(digit) < 1 << window - 1 for _, digit in digits)
