"""What the port promises, of every library behind it: what the compiler plans runs on any of them."""

from __future__ import annotations

import pickle
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest

from privis.errors import MissingExtraError, ParameterError, PrivisError, ProtocolError
from privis.program import Input, ops, trace
from privis.run.he.compiler.compiler import Options, compile_program
from privis.run.he.compiler.slot_encoding import fill_slots, read_slots
from privis.run.he.engine import KeyGroup, Parameters
from privis.run.he.evaluation.interpreter import CircuitInterpreter, Plaintexts
from privis.run.he.packing.layout import second

PARAMETERS = Parameters(16384, (50, 40, 40, 40, 60))
GROUPS = (KeyGroup(1, (8191,), False), KeyGroup(3, (1, 32), True, True))
SCALE, CLOSE = 2.0**40, 1e-5


def seal():
    from privis.run.he.backends.seal import SealEngine
    from privis.run.he.owner.seal_keys import SealSecret

    return SealEngine, SealSecret


def openfhe():
    from privis.run.he.backends.openfhe import OpenFheEngine
    from privis.run.he.owner.openfhe_keys import OpenFheSecret

    return OpenFheEngine, OpenFheSecret


@dataclass
class Library:
    engine: Any  # both the classes
    owner: Any


@pytest.fixture(scope="module", params=[seal, openfhe], ids=lambda library: library.__name__)
def library(request):
    try:
        return Library(*request.param())
    except MissingExtraError as error:  # no wheel for this interpreter; any other error is a failure
        pytest.skip(f"{request.param.__name__}: {error}; `make test-openfhe` runs it")


@pytest.fixture(scope="module")
def owner(library):
    return library.owner.generate(PARAMETERS)


@pytest.fixture(scope="module")
def engine(library, owner):
    return library.engine.with_keys(PARAMETERS, GROUPS, owner.evaluation_keys(GROUPS))


@pytest.fixture(scope="module")
def numbers():
    rng = np.random.default_rng(4)
    return rng.uniform(-1, 1, PARAMETERS.slots) + 1j * rng.uniform(-1, 1, PARAMETERS.slots)


def holds(owner, engine, x, expected):
    np.testing.assert_allclose(owner.decrypt(engine.save(x)), expected, atol=CLOSE)


@pytest.mark.parametrize("level", [3, 1, 0])
@pytest.mark.parametrize("scale", [2.0**40, 1.7 * 2.0**38])
def test_numbers_come_back_at_any_level_and_scale(owner, engine, numbers, level, scale):
    x = engine.load(owner.encrypt(numbers, level, scale))
    assert engine.level(x) == level and abs(engine.scale(x) / scale - 1) < 1e-12
    holds(owner, engine, x, numbers)


def test_rotations_go_to_the_left_and_conjugates_are_conjugates(owner, engine, numbers):
    x = engine.load(owner.encrypt(numbers, 3, SCALE))
    for step in (1, 32):
        holds(owner, engine, engine.rotate(x, step), np.roll(numbers, -step))
    holds(owner, engine, engine.conjugate(x), numbers.conj())
    holds(owner, engine, engine.rotate(engine.lower(x, 1), -1), np.roll(numbers, 1))
    for refused in (lambda: engine.rotate(x, -1), lambda: engine.rotate(x, 7)):
        with pytest.raises(ProtocolError, match="none with a key for rotation"):
            refused()


def test_arithmetic_and_its_scales(owner, engine, numbers):
    other = numbers[::-1] * 0.5
    x, y = (engine.load(owner.encrypt(v, 3, SCALE)) for v in (numbers, other))
    holds(owner, engine, engine.add(x, y), numbers + other)
    holds(owner, engine, engine.negative(x), -numbers)
    holds(owner, engine, engine.add_plain(x, engine.encode(other, 3, SCALE)), numbers + other)
    holds(owner, engine, engine.at_scale(engine.copy(x), SCALE / 4), 4 * numbers)
    holds(owner, engine, x, numbers)  # nothing above changed it
    total = engine.accumulate(None, engine.copy(x))
    holds(owner, engine, engine.accumulate(total, y), numbers + other)
    product = engine.relinearise(engine.multiply(x, y))
    assert engine.scale(product) == SCALE**2
    low = engine.rescale(product, SCALE**2 / engine.primes[3])
    assert engine.level(low) == 2
    holds(owner, engine, low, numbers * other)
    weight_scale = SCALE * engine.primes[2] / engine.scale(low)
    weighted = engine.multiply_plain(low, engine.encode(other, 2, weight_scale))
    holds(owner, engine, engine.rescale(weighted, SCALE), numbers * other**2)
    square = engine.multiply(x, x)
    holds(owner, engine, engine.rescale(engine.relinearise(square), SCALE**2 / engine.primes[3]), numbers**2)


def test_the_unit_of_pairs_is_exact_and_takes_no_level(owner, engine, numbers):
    x = engine.load(owner.encrypt(numbers, 3, SCALE))
    unit = second(PARAMETERS.slots)
    turned = engine.multiply_plain(x, engine.encode(unit, 3, 1.0))
    assert engine.scale(turned) == SCALE and engine.level(turned) == 3
    holds(owner, engine, turned, unit * numbers)


def test_numbers_that_vanish_at_their_scale_are_zero(engine, numbers):
    assert engine.is_zero(engine.encode(numbers * 2.0**-60, 3, SCALE))
    assert not engine.is_zero(engine.encode(numbers, 3, SCALE))


def test_damaged_and_foreign_bytes_are_refused(library, owner, engine, numbers):
    good = owner.encrypt(numbers, 3, SCALE)
    for bad in (b"", b"nonsense", good[: len(good) // 2]):
        with pytest.raises(ProtocolError):
            engine.load(bad)
    smaller = library.owner.generate(Parameters(8192, (40, 30, 60)))
    with pytest.raises(ProtocolError):
        engine.load(smaller.encrypt(numbers[:4096], 1, SCALE))
    with pytest.raises(ProtocolError):
        library.engine.with_keys(PARAMETERS, GROUPS, [b"nonsense"] * 4)
    with pytest.raises(ProtocolError, match="4"):
        library.engine.with_keys(PARAMETERS, GROUPS, [])


def test_a_secret_key_survives_a_file_and_nothing_else(library, owner, numbers):
    again = library.owner.from_bytes(PARAMETERS, owner.to_bytes())
    np.testing.assert_allclose(again.decrypt(owner.encrypt(numbers, 3, SCALE)), numbers, atol=CLOSE)
    assert len(repr(owner)) < 120
    with pytest.raises(TypeError, match="never pickled"):
        pickle.dumps(owner)
    with pytest.raises(PrivisError):
        library.owner.from_bytes(PARAMETERS, b"nonsense")


def test_parameters_that_the_library_holds_insecure_are_refused(library):
    insecure = object.__new__(Parameters)  # past the check of our own
    object.__setattr__(insecure, "degree", 8192)
    object.__setattr__(insecure, "bits", (60, 60, 60, 60, 60))
    with pytest.raises(ParameterError):
        library.owner.generate(insecure)


def convolutions(x):
    kernels = np.random.default_rng(8).normal(size=(2, 16, 16, 3, 3)) / 12
    for kernel, width in zip(kernels, (3, 16), strict=True):
        y = x >> ops.Conv(kernel[:, :width], (1, 1), (1, 1, 1, 1))
        x = y * y + 0.1
    return x.sum(1, 2)


def comparison(x):
    return (x >> ops.Compare(0.25, 0.5, exact=False)).sum(1, 2) * 0.01


@pytest.mark.parametrize("program", [convolutions, comparison], ids=lambda program: program.__name__)
def test_programs_give_their_polynomial_form(library, program, rng):
    image = rng.uniform(-1, 1, (3, 16, 16))
    made = compile_program(trace(program, Input((3, 16, 16), -1.0, 1.0, None)), Options(1e-8, signs=2, stretch=False))
    spec = made.spec
    assert any(group.conjugate for group in spec.keys) == (program is convolutions)  # pairs, too
    owner = library.owner.generate(spec.parameters)
    engine = library.engine.with_keys(spec.parameters, spec.keys, owner.evaluation_keys(spec.keys))
    inputs = [
        [engine.load(owner.encrypt(row, slots.level, spec.scale)) for row in fill_slots(spec, slots, [[image]])]
        for slots in spec.sources
    ]
    outputs = CircuitInterpreter(made.choice, engine, Plaintexts(1 << 28)).run(inputs)
    numbers = np.concatenate([owner.decrypt(engine.save(x)) for x in outputs[0]])
    found = read_slots(spec, spec.outputs[0], numbers, 1)[0] * spec.outputs[0].unit
    expected = made.in_the_clear(image)[0].reshape(-1)
    np.testing.assert_allclose(found, expected, atol=1e-4 * np.abs(expected).max())
