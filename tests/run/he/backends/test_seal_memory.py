"""Ciphertexts that are copied out of the library's memory are the files that it would write, or none are."""

import os

import numpy as np
import pytest

pytest.importorskip("tenseal")

from privis.errors import ProtocolError
from privis.run.he.backends import seal_memory
from privis.run.he.backends.seal import SealEngine, plaintext_file
from privis.run.he.engine import KeyGroup, Parameters
from privis.run.he.evaluation.worker_group import as_file, content
from privis.run.he.owner.seal_keys import SealSecret

PARAMETERS = Parameters(4096, (36, 30, 36))


@pytest.fixture(scope="module")
def secret():
    return SealSecret.generate(PARAMETERS)


@pytest.fixture(scope="module")
def engine(secret):
    groups = (KeyGroup(1, (), True),)
    return SealEngine.with_keys(PARAMETERS, groups, secret.evaluation_keys(groups))


@pytest.fixture(scope="module")
def fresh(secret, engine):
    return engine.load(secret.encrypt(np.linspace(-1, 1, PARAMETERS.slots), 1, 2.0**30))


@pytest.fixture
def layout(monkeypatch):
    yield monkeypatch
    monkeypatch.undo()
    seal_memory._is_understood.cache_clear()


def variants(engine, x):
    return [x, engine.lower(x, 0), engine.at_scale(engine.copy(x), 0.1), engine.multiply(x, x)]


def test_a_copy_is_the_file_that_the_library_would_write_uncompressed(engine, fresh):
    for x in variants(engine, fresh):
        with as_file() as file:
            assert seal_memory.copied(engine.ring.context, x, file)
            assert content(os.dup(file)) == plaintext_file(x)
            read = engine.read(file)
        assert engine.save(read) == engine.save(x) and engine.scale(read) == engine.scale(x)


@pytest.mark.parametrize("wrong", [("_OBJECT", 0), ("_OBJECT", 1 << 20), ("_OBJECT", -(1 << 50)), ("_WORD", 4)])
def test_a_library_with_another_layout_writes_its_own_file(engine, fresh, layout, wrong):
    layout.setattr(seal_memory, *wrong)
    seal_memory._is_understood.cache_clear()
    with as_file() as file:
        assert not seal_memory.copied(engine.ring.context, fresh, file) and os.fstat(file).st_size == 0
        engine.write(fresh, file)
        assert engine.save(engine.read(file)) == engine.save(fresh)


def test_numbers_that_contradict_the_binding_are_not_copied(engine, fresh):
    others = {"scale": 1.0, "size": lambda x: 3, "data": lambda x, number: 0, "is_ntt_form": lambda x: False}
    for name, other in [("scale", fresh.scale), *others.items()]:
        x = type("Contradicting", (type(fresh),), {name: other})()
        engine.ring.evaluator.mod_switch_to(fresh, fresh.parms_id(), x)
        with as_file() as file:
            assert seal_memory.copied(engine.ring.context, x, file) == (other == fresh.scale)


def test_residues_that_are_none_are_noticed(engine, fresh):
    with as_file() as file:
        engine.write(fresh, file)
        os.pwrite(file, b"\xff" * 8, os.fstat(file).st_size - 8)
        with pytest.raises(ProtocolError, match="one of another process"):
            engine.read(file)
    with as_file(b"nothing") as file, pytest.raises(ProtocolError):
        engine.read(file)


def test_results_are_written_over_the_smallest_that_was_discarded_and_fits(secret, engine, fresh):
    reusing, numbers = engine.reusing(), secret.decrypt(engine.save(fresh)).real
    large, small = reusing.copy(fresh), reusing.copy(engine.lower(fresh, 0))
    for x in (large, small):
        reusing.discard(x)
    low, high = reusing.negative(engine.lower(fresh, 0)), reusing.negative(fresh)
    assert low is small and high is large
    np.testing.assert_allclose(secret.decrypt(engine.save(low)).real, -numbers, atol=1e-4)
    np.testing.assert_allclose(secret.decrypt(engine.save(high)).real, -numbers, atol=1e-4)
    reusing.discard(high)
    assert reusing.multiply(fresh, fresh) is not high and reusing.lower(fresh, 0) is high  # room for two polynomials
    engine.discard(fresh)  # without reusing: nothing
    assert engine.copy(fresh) is not fresh


def test_as_many_are_given_up_as_came_from_elsewhere(engine, fresh):
    reusing = engine.reusing()
    own = reusing.copy(fresh)
    read = engine.save(engine.lower(fresh, 0))
    for x in (engine.load(read), own, engine.load(read)):
        reusing.discard(x)
    assert [x for *_, x in reusing.discarded.held] == [own]
