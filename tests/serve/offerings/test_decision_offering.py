"""A server decides about its own templates and about those that it cannot see; clients ask the questions of all tasks.

Answers for `privis.serve.offerings.decision_offerings` and `privis.serve.client.decision_keys`.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from privis.errors import ParameterError, ProtocolError
from privis.privacy.answers.answer_limits import Allowance
from privis.run.he.matching.decision_cost import decision_cost
from privis.run.he.matching.decision_messages import Ask
from privis.run.he.matching.decision_specification import DecisionSpec
from privis.run.he.owner.decision_owner import Decisions
from privis.run.he.wire import key_file as bundle
from privis.run.he.wire.framing import join, split
from privis.serve.answering import AnswerSettings
from privis.serve.client.decision_answers import matches_of_decisions
from privis.serve.client.decision_keys import DecisionKeys
from privis.serve.client.gallery_keys import Templates
from privis.serve.limits import MIB
from privis.serve.offerings.decision_offerings import OfferDecisions, OfferEncryptedDecisions
from privis.serve.offerings.offer_security import parameters_of
from privis.tasks.cosine_matching import match
from privis.tasks.matches import Decision
from privis.tasks.questions import AllAbove, AnyAbove, Best, Claim, Count, Payload
from tests.serve.place import LIMITS, new_place, serving

THRESHOLD, GAP = 0.5, 0.3
FACES = np.vstack([np.eye(4, 8), np.eye(1, 8) + 0.1 * np.eye(1, 8, 5)])
PAYLOADS = np.array([[7, 65_535], [1, 2], [3, 4], [5, 6], [0, 9]])
PEOPLE = Templates(tuple(f"patient {number}" for number in range(5)), FACES)
SPEC = DecisionSpec(8, THRESHOLD, GAP, 40, payload=4, encrypted=True)
INDEX = OfferEncryptedDecisions("index", "room for encrypted templates", SPEC)
OWN = OfferDecisions("faces", "the server's", PEOPLE.names, FACES, THRESHOLD, GAP)
ANSWERS = AnswerSettings(scores=Allowance(total=2))


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A server, and a client's keys and templates."""
    folder = tmp_path_factory.mktemp("decisions")
    limits = replace(LIMITS, memory=4000 * MIB, job_memory=1900 * MIB)
    with serving(new_place(folder), limits, INDEX, OWN, answers=ANSWERS) as running, running.client() as client:
        yield client, DecisionKeys.generate(client.terms("index"), folder / "keys", PEOPLE, PAYLOADS)


def test_questions_are_answered_as_in_the_clear(place):
    client, keys = place
    asked = Payload(THRESHOLD, most=3, gap=GAP)
    found = keys.ask(client, asked, FACES[:1] * 3)
    expected = match(asked, FACES[:1], FACES, payloads=PAYLOADS)
    assert (found.payloads == expected.payloads).all() and (found.counts == expected.counts).all()
    assert (found.decisions == expected.decisions).all() and found.question == asked
    claimed = DecisionKeys.load(keys.folder).ask(client, Claim(THRESHOLD, GAP), FACES[1:2], [2])
    assert claimed.decisions.tolist() == [Decision.REJECTED]
    assert keys.names == PEOPLE.names and b"patient" not in (keys.folder / "evaluation.key").read_bytes()


def test_terms_say_what_is_decided_and_sent(place, tmp_path):
    client, keys = place
    terms = client.terms("index")
    sent = decision_cost(SPEC)
    assert len(split(bundle.read(keys.folder / "evaluation.key", bundle.KeyKind.EVALUATION, SPEC.digest), "x")) == 2
    assert terms.estimate.keys_bytes == pytest.approx((keys.folder / "evaluation.key").stat().st_size, rel=0.25)
    assert sent.query == pytest.approx(len(keys.owner.query(FACES[0], Ask.INDEX)), rel=0.25)
    assert terms.words["gallery"]["threshold"] == THRESHOLD and terms.words["gallery"]["answers"] == "decisions"
    assert parameters_of(terms) == SPEC.parameters
    own = client.terms("faces")
    assert own.words["answers"]["kind"] == "score" and own.words["answers"]["total"] == 2
    for wanted, given, said in (
        (terms, None, "templates: got none"),
        (terms, Templates((), FACES[:0]), "1 to 40"),
        (terms, Templates(("a", "a"), FACES[:2]), "1 different"),
        (own, Templates(("a",), FACES[:1]), "the server's own"),
    ):
        with pytest.raises(ParameterError, match=said):
            DecisionKeys.generate(wanted, tmp_path / "none", given)
    assert not (tmp_path / "none").exists()
    with pytest.raises(ProtocolError, match="specification"):
        DecisionKeys.generate(replace(terms, digest="0" * 64), tmp_path / "none", PEOPLE)


def test_questions_of_another_threshold_or_a_narrower_gap_are_refused_before_they_are_sent(place):
    client, keys = place
    for question, claims, said in (
        (Count(0.6, GAP), None, "question.threshold"),
        (Count(THRESHOLD), None, "question.gap"),
        (Best(THRESHOLD), None, "scores"),
        (Claim(THRESHOLD, GAP), None, "claims"),
        (Count(THRESHOLD, GAP), [1], "claims"),
    ):
        with pytest.raises(ParameterError, match=said):
            keys.ask(client, question, FACES[:1], claims)


def test_a_worker_refuses_what_are_no_keys_and_templates(place, tmp_path):
    offering = INDEX()
    for content in (b"", join([b"keys"]), join([b"keys", b"change"])):
        bundle.write(tmp_path / "x.key", bundle.KeyKind.EVALUATION, SPEC.digest, content)
        with pytest.raises(ProtocolError):
            offering.open(tmp_path / "x.key")
        (tmp_path / "x.key").unlink()
    with pytest.raises(ParameterError, match="encrypted"):
        OfferEncryptedDecisions("a", "b", replace(SPEC, encrypted=False))
    with pytest.raises(ParameterError, match="payloads"):
        OfferDecisions("a", "b", ("a",), FACES[:1], THRESHOLD, GAP, np.array([[70_000]]))()


def test_undecided_templates_make_an_answer_undecided():
    unsure, many = Decisions((1,), (2,), None), Decisions((1, 2, 3), (), 3)
    for question in (Claim(0.5), AnyAbove(0.5), Count(0.5), AllAbove(0.5), Payload(0.5)):
        assert matches_of_decisions(question, unsure, SPEC).decisions.tolist() == [Decision.UNDECIDED]
    found = matches_of_decisions(AllAbove(0.5, most=2), many, SPEC)
    assert found.counts.tolist() == [3] and found.indices.tolist() == [[-1, -1]]
    assert found.decisions.tolist() == [Decision.UNDECIDED]
    assert matches_of_decisions(AllAbove(0.5, most=4), many, SPEC).indices.tolist() == [[1, 2, 3, -1]]
    assert matches_of_decisions(AnyAbove(0.5), many, SPEC).decisions.tolist() == [Decision.ACCEPTED]
    assert matches_of_decisions(Count(0.5), Decisions(count=0), SPEC).counts.tolist() == [0]
