"""Matchers of templates: encrypted and joint ones decide as the clear one does; all of their classes.

`privis.estimators.faces.matchers.encrypted_matching`, `privis.estimators.faces.matchers.joint_matching`.
"""

from __future__ import annotations

import numpy as np
import pytest
from numpy.polynomial import chebyshev

from privis.errors import ParameterError
from privis.estimators.faces.matchers.encrypted_matching import EncryptedMatcher
from privis.estimators.faces.matchers.joint_matching import JointMatcher
from privis.estimators.faces.template_matching import ClearMatcher
from privis.run.he.matching.decision_specification import DECIDED, DecisionSpec
from privis.run.he.owner.decision_owner import Decisions
from privis.run.mpc.protocols import MPCProtocol
from privis.serve.client.decision_answers import best_of_decisions
from privis.tasks.matches import Decision
from privis.tasks.questions import AllAbove, Best, Claim, Top

THRESHOLD, WIDE = 0.5, 0.2


def faces(people: int = 5, components: int = 16) -> np.ndarray:
    """Two vectors of each person, in turn: the first half are templates, and two people are equal."""
    random = np.random.default_rng(0)
    middles = random.standard_normal((people, components))
    middles[people - 1] = middles[0]
    return np.concatenate([middles, 3 * middles + 0.3 * random.standard_normal(middles.shape)])


def test_an_encrypted_matcher_decides_as_the_clear_one() -> None:
    """Templates encrypted, too; a wide gap makes small ciphertexts."""
    vectors = faces()
    templates, probes = vectors[:5], vectors[5:]
    clear = templates @ probes.T / np.outer(np.linalg.norm(templates, axis=1), np.linalg.norm(probes, axis=1))
    matcher = EncryptedMatcher(WIDE, encrypted_templates=True, processes=1)
    assert (np.abs(clear[:, :2] - THRESHOLD) > WIDE).all()  # nothing is undecided
    with matcher.holding(templates) as held:
        question = matcher.identification(1, THRESHOLD, matcher.gap(16, 5))
        assert question == Best(THRESHOLD)
        found = held.ask(question, probes[[0, 1]])
        assert found.decisions.tolist() == [Decision.UNDECIDED, Decision.ACCEPTED]  # two people are equal
        assert found.counts.tolist() == [2, 1] and found.indices.tolist() == [[-1], [1]]
        pairs = np.argwhere(np.ones((1, 5)))
        decided = held.pair_decisions(probes[1:2], pairs, THRESHOLD, WIDE)
        assert decided.tolist() == (clear.T[1] > THRESHOLD).tolist()
        scores = held.ask(Top(1, score=True), probes[[1]])
        assert scores.indices.tolist() == [[1]] and np.allclose(scores.cosines, clear[1, 1], atol=1e-4)
        assert min(held.key_bytes, held.query_bytes, held.reply_bytes) > 100_000
    assert matcher.identification(2, THRESHOLD, WIDE) == AllAbove(THRESHOLD, 2, WIDE)


def test_of_decisions_one_accepted_template_is_the_best_whatever_is_undecided_beside_it() -> None:
    """Where comparisons of cosines are certain they are larger than where they are not: they cross 7/8 once."""
    cosines = np.linspace(-1, 1, 200_001)
    for gap, templates in ((0.05, 1), (0.05, 10_000), (0.01, 1000), (0.3, 5)):
        values = cosines
        for coefficients in DecisionSpec(128, THRESHOLD, gap, templates).comparison.polynomials:
            values = chebyshev.chebval(values, coefficients)
        certain = (values + 1) / 2 >= 1 - DECIDED
        assert np.count_nonzero(np.diff(certain)) == 1 and certain[-1]
    asked = Best(THRESHOLD)
    assert best_of_decisions(asked, Decisions((3,), (1, 2))).indices.tolist() == [[3]]
    for found, count in ((Decisions((3, 4)), 2), (Decisions((), (1,)), -1)):
        answer = best_of_decisions(asked, found)
        assert answer.decisions.tolist() == [Decision.UNDECIDED] and answer.counts.tolist() == [count]
        assert answer.indices.tolist() == [[-1]]
    assert best_of_decisions(asked, Decisions()).decisions.tolist() == [Decision.REJECTED]


def test_a_joint_matcher_decides_as_the_clear_one() -> None:
    pytest.importorskip("spu")
    vectors = faces()
    matcher, clear = JointMatcher(MPCProtocol.ABY3), ClearMatcher()
    assert matcher.gap(16, 5) == clear.gap(16, 5)
    with matcher.holding(vectors[:5]) as held, clear.holding(vectors[:5]) as plain:
        question = matcher.identification(1, THRESHOLD, 0.0)
        assert question == Best(THRESHOLD)
        probes = np.concatenate([vectors[5:7], -vectors[:1]])
        found, expected = held.ask(question, probes), plain.ask(question, probes)
        assert found.decisions.tolist() == expected.decisions.tolist() == [1, 1, 0]
        assert found.indices.tolist() == expected.indices.tolist()
        pairs = np.argwhere(np.ones((3, 5)))
        decided = held.pair_decisions(probes, pairs, THRESHOLD, 0.0)
        assert decided.tolist() == plain.ask(Claim(THRESHOLD), probes[pairs[:, 0]], pairs[:, 1]).decisions.tolist()
    assert matcher.identification(2, THRESHOLD, 0.0) == Top(2, THRESHOLD)


def test_what_cannot_be_is_refused() -> None:
    for wrong in (0.001, 1.5, True, "0.05", float("nan")):
        with pytest.raises(ParameterError, match=r"0\.002 to 1"):
            EncryptedMatcher(wrong)
    with pytest.raises(ParameterError, match="insecure=True"):
        JointMatcher(MPCProtocol.SEMI2K)
    with pytest.raises(ParameterError, match="MPCProtocol"):
        JointMatcher("aby3")
    with EncryptedMatcher().holding(np.eye(3)) as held:
        with pytest.raises(ParameterError, match="one for each query"):
            held.ask(Claim(0.5, 0.05), np.eye(3))
        with pytest.raises(ParameterError, match="shape"):
            held.ask(AllAbove(0.5, 1, 0.05), np.eye(4))
