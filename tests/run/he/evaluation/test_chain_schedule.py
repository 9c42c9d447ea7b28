"""Chains of polynomials shared by two processes: every step of every ciphertext once, in order, and evenly."""

from dataclasses import replace

import numpy as np
import pytest

from privis.program import Input, ops, trace
from privis.run.he.circuit.circuit import Polynomial
from privis.run.he.compiler.compiler import Options, compile_program
from privis.run.he.evaluation.chain_schedule import chain_from, phases


@pytest.mark.parametrize("ciphertexts", range(1, 9))
@pytest.mark.parametrize("steps", [1, 2, 4, 7])
def test_every_ciphertext_goes_through_the_whole_chain_in_order(ciphertexts, steps, rng):
    weights = rng.uniform(1, 9, steps)
    done, took = [0] * ciphertexts, 0.0
    for phase in phases(ciphertexts, list(weights)):
        assert len(phase) == 2
        touched = [part.ciphertext for parts in phase for part in parts]
        assert len({*touched}) == len(touched)  # processes of one phase do not wait for each other
        for part in (part for parts in phase for part in parts):
            assert part.start == done[part.ciphertext]
            done[part.ciphertext] = part.stop
        took += max(sum(weights[p.start : p.stop].sum() for p in parts) for parts in phase)
    assert done == [steps] * ciphertexts
    assert took <= weights.sum() * -(-ciphertexts // 2) + 1e-9


def test_three_ciphertexts_take_less_than_two_rounds():
    took = sum(
        max(sum(4 - step for p in parts for step in range(p.start, p.stop)) for parts in phase)
        for phase in phases(3, [4, 3, 2, 1])
    )
    assert took == 16  # of 20 in two rounds, and 15 at least


def comparison(x):
    return (x >> ops.Compare(0.25, 0.5, exact=False)).sum(1, 2)


def test_chains_end_where_something_else_reads():
    circuit = compile_program(trace(comparison, Input((1, 8, 8), -1.0, 1.0, None)), Options(signs=3)).circuit
    first = next(i for i, step in enumerate(circuit.steps) if isinstance(step, Polynomial))
    count = sum(isinstance(step, Polynomial) for step in circuit.steps)
    assert count >= 2 and chain_from(circuit, first) == range(first, first + count)
    assert chain_from(circuit, first - 1) == range(first - 1, first - 1)
    assert chain_from(replace(circuit, outputs=(first,)), first) == range(first, first + 1)
    twice = (*circuit.steps, Polynomial(first, (0.0, 1.0)))
    many = {name: (*getattr(circuit, name), getattr(circuit, name)[-1]) for name in ("shapes", "names")}
    assert chain_from(replace(circuit, steps=twice, **many), first) == range(first, first + 1)


def test_encrypted_chains_in_two_processes_give_the_polynomial_form(rng):
    pytest.importorskip("tenseal")
    from privis.run.he.evaluation.evaluator import Evaluator
    from privis.run.he.owner.keys import SecretKeys

    program = trace(comparison, Input((3, 64, 128), -1.0, 1.0, None))
    made = compile_program(program, Options(precision=1e-2, signs=2, processes=2))
    first = next(i for i, step in enumerate(made.circuit.steps) if isinstance(step, Polynomial))
    assert made.choice.arrangement.layouts[first].ciphertexts == 3
    image = rng.uniform(-1, 1, (3, 64, 128))
    keys = SecretKeys.generate(made.spec)
    query = keys.encrypt(made.spec, [[image]])
    shares: list[float] = []
    evaluator = Evaluator.open(made, keys.evaluation_keys(made.spec, shares.append))
    assert shares == sorted(shares) and len(shares) == len(made.spec.keys) and shares[-1] == 1
    (found,), expected = keys.decrypt(made.spec, query, evaluator.run(query.message))[0], made.in_the_clear(image)[0]
    np.testing.assert_allclose(found, expected, atol=1e-3 * np.abs(expected).max())
