"""A decision about two pictures is that of the two templates, outside of the gap that is said.

Answers for `privis.tasks.faces.pair_decision`.
"""

from __future__ import annotations

import numpy as np
import pytest

from privis.errors import ParameterError
from privis.program import Input, Program, ops, trace
from privis.readings import evaluate
from privis.tasks import Decision
from privis.tasks.faces import PairDecision

RANDOM = np.random.default_rng(8)
WEIGHTS = RANDOM.normal(size=(6, 12)) / 4


def network() -> Program:
    """Two steps with a square in between."""
    return trace(
        lambda x: ((x.reshape(12) * x.reshape(12)) >> ops.Dense(WEIGHTS)) + 0.1, Input((3, 4), -1.0, 1.0, None)
    )


@pytest.mark.parametrize("threshold, degrees", [(0.0, (7,)), (0.5, (7, 7)), (0.8, (3, 5, 7))])
def test_two_pictures_are_decided_as_their_templates_are(threshold: float, degrees: tuple[int, ...]) -> None:
    net = network()
    pictures = RANDOM.uniform(-1, 1, (40, 3, 4))
    pictures[1::4] = pictures[::4] + RANDOM.normal(0, 0.02, (10, 3, 4))
    templates = [evaluate(net, picture) for picture in pictures]
    exacts = [u @ v - threshold * (u @ u + v @ v) / 2 for u, v in zip(templates[::2], templates[1::2], strict=True)]
    rule = PairDecision(threshold, 1.01 * float(np.abs(exacts).max()), degrees)
    program = rule.after(net)
    assert program.output_shapes == ((2,),) and len(program.inputs) == 2
    told = set()
    for left in range(40):
        right = left ^ 1
        u, v = templates[left], templates[right]
        exact = u @ v - threshold * (u @ u + v @ v) / 2
        assert rule.difference(u, v) == pytest.approx(exact) and abs(exact) < rule.reach
        number, negative = evaluate(program, pictures[left], pictures[right])
        assert negative == pytest.approx(-number)
        if abs(exact) >= rule.gap:
            assert number == pytest.approx(np.sign(exact), abs=rule.error + 1e-9)
            (decision,) = rule.read([number, negative])
            assert decision == (Decision.ACCEPTED if exact > 0 else Decision.REJECTED)
            told.add(decision)
        assert number == pytest.approx(evaluate(program, pictures[right], pictures[left])[0]), "in either order"
    assert Decision.ACCEPTED in told


def test_equal_lengths_are_held_against_the_cosine_and_others_to_more() -> None:
    rule = PairDecision(0.6)
    u, v = np.array([1.0, 0.0]), np.array([0.6001, np.sqrt(1 - 0.6001**2)])
    assert rule.difference(u, v) > 0 > rule.difference(u, 1.2 * v)
    assert rule.difference(u, [0.5999, np.sqrt(1 - 0.5999**2)]) < 0


def test_what_is_between_is_undecided() -> None:
    rule = PairDecision(0.5)
    expected = [Decision.ACCEPTED, Decision.UNDECIDED, Decision.UNDECIDED, Decision.REJECTED]
    assert rule.read([[number, -number] for number in (0.51, 0.49, -0.49, -0.51)]) == expected
    wrong = [[np.nan, -1.0], [np.inf, -np.inf], [1.6, -1.6], [-400.0, 1.0], [1.0, 1.0], [1.0, 0.0]]
    assert set(rule.read(wrong)) == {Decision.UNDECIDED}
    assert PairDecision(0.5, degrees=(7,)).gap > 4 * rule.gap / 1.01 and rule.levels == 8


def test_everything_wrong_is_named_at_once() -> None:
    with pytest.raises(ParameterError) as caught:
        PairDecision(1.0, reach=0.0, degrees=(2, 7), error=0.7)
    assert len(caught.value.problems) == 4
    for wrong in (float("nan"), -0.1):
        with pytest.raises(ParameterError, match="threshold"):
            PairDecision(wrong)
    two = trace(lambda x: (x.reshape(12), x), Input((3, 4)))
    for form in (two, trace(lambda x: x, Input((3, 4))), trace(lambda x, y: (x * y).sum(0), *[Input((3, 4))] * 2)):
        with pytest.raises(ParameterError, match="one vector"):
            PairDecision(0.5).after(form)
