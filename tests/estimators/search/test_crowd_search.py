"""estimators/search/crowd_search.py: an epoch of several clients, and that nothing but the secret tells fakes apart."""

import dataclasses
import pickle
from collections import Counter

import numpy as np
import pytest
from scipy import stats

from privis import CoverTraffic, CrowdServer, CrowdTerms
from privis.errors import ParameterError, ProtocolError
from privis.estimators.search import crowd_search
from privis.run.he.wire.framing import join, split
from privis.stores import StoreDescription, VectorRows, VectorSpace

RANDOM = np.random.default_rng(11)
ROWS = RANDOM.normal(size=(90, 8))
NAMES = [f"{row}.png" for row in range(90)]
COVER = CoverTraffic(1.5, 0.4, honest_clients=3, requests=2)


@pytest.fixture(scope="module")
def server():
    return CrowdServer.of(NAMES, ROWS, COVER, clusters=3)


@pytest.fixture(scope="module")
def questions(server):
    terms = CrowdTerms.from_bytes(server.terms.to_bytes())
    return [terms.ask(ROWS[row] * 3.0) for row in (4, 5, 6)]


def test_an_epoch(server, questions):
    batch = [(client, request) for client, question in enumerate(questions) for request in question.requests]
    batch.sort(key=lambda pair: pair[1].instant)
    answers = server.answers([request.message for _, request in batch], 1)
    replies = {id(request): answer.reply for (_, request), answer in zip(batch, answers, strict=True)}
    unit = ROWS / np.linalg.norm(ROWS, axis=1, keepdims=True)
    for question, row in zip(questions, (4, 5, 6), strict=True):
        found = question.ranked([replies[id(request)] for request in question.requests], top=5)
        ((rows, scores),) = server.clusters.search(unit, unit[[row]], COVER.requests, 5)
        assert [name for name, _ in found] == [NAMES[place] for place in rows]
        np.testing.assert_allclose([score for _, score in found], scores, atol=1e-4)


def test_every_request_has_keys_of_its_own(server, questions):
    parts = [split(request.message, "request", 3) for question in questions for request in question.requests]
    assert len({part[1] for part in parts}) == len({part[2] for part in parts}) == len(parts)
    ends = range(1000, min(len(part[1]) for part in parts) - 1000, 500)
    sixteen = Counter(part[1][at : at + 16] for part in parts for at in ends)
    assert max(sixteen.values()) == 1, "seeds or polynomials that requests share would link them"


def test_real_requests_go_to_different_clusters_and_are_as_many_as_promised(server, questions):
    for question in questions:
        assert question.real == COVER.requests
        clusters = [
            split(request.message, "request", 3)[0]
            for request, owner in zip(question.requests, question.owners, strict=True)
            if owner is not None
        ]
        assert len({*clusters}) == COVER.requests
        assert len({owner.to_bytes() for owner in question.owners if owner is not None}) == COVER.requests


class Empty:
    """Stands for keys where only the plan of requests is looked at: thousands of real ones would take minutes."""

    @classmethod
    def generate(cls, spec):
        return cls()

    def evaluation_keys(self):
        return b""

    def query(self, vector):
        return b""


def test_the_plan_of_a_client(server, monkeypatch):
    monkeypatch.setattr(crowd_search, "MatchingOwner", Empty)
    cover = CoverTraffic(60.0, 0.5, honest_clients=3, requests=2)
    terms = CrowdTerms(server.terms.centres, cover)
    questions = [terms.ask(ROWS[0]) for _ in range(100)]
    sent = np.array([len(question.requests) for question in questions])
    assert {question.real for question in questions} == {2}
    assert abs(sent.mean() - 2 - cover.fakes_per_client(3)) < 5 * sent.std() / 10
    places = [np.flatnonzero([owner is not None for owner in question.owners]) / sent.max() for question in questions]
    assert 0.2 < np.mean(places) < 0.7 and np.ptp([place[0] for place in places]) > 0.3, "somewhere among the fakes"
    instants = np.concatenate([[request.instant for request in question.requests] for question in questions])
    assert stats.kstest(instants, "uniform").pvalue > 1e-6
    fakes = [
        split(request.message, "request", 3)[0]
        for question in questions
        for request, owner in zip(question.requests, question.owners, strict=True)
        if owner is None
    ]
    assert stats.chisquare(list(Counter(fakes).values())).pvalue > 1e-6 and len({*fakes}) == 3


def test_replies_that_are_missing_or_wrong(server, questions):
    question = questions[0]
    with pytest.raises(ProtocolError, match="2 of 2 are missing"):
        question.ranked([None] * len(question.requests), 3)
    with pytest.raises(ParameterError, match="one per request"):
        question.ranked([], 0)
    with pytest.raises(ProtocolError):
        question.ranked([b"nothing"] * len(question.requests), 3)
    with pytest.raises(TypeError, match="never pickled"):
        pickle.dumps(question)
    assert "secret" in repr(question) and len(repr(question)) < 100


def test_terms_are_the_same_for_all_or_have_another_digest(server):
    data = server.terms.to_bytes()
    assert CrowdTerms.from_bytes(data).digest == server.terms.digest
    other = CrowdServer.of(NAMES, ROWS, CoverTraffic(1.6, 0.4, 3, 2), clusters=3)
    assert other.terms.digest != server.terms.digest


@pytest.mark.parametrize(
    "data",
    [
        b"",
        join([b"{}", b""]),
        join([b"[]", b""]),
        join([b"\xff", b""]),
        join([b'{"format": "privis crowd search 2"}', b""]),
    ],
)
def test_what_are_no_terms(data):
    with pytest.raises(ProtocolError, match="terms"):
        CrowdTerms.from_bytes(data)


def test_terms_whose_numbers_lie(server):
    head, directions = split(server.terms.to_bytes(), "terms", 2)
    for lie in (head.replace(b'"requests": 2', b'"requests": 9'), head.replace(b'"clusters": 3', b'"clusters": -3')):
        assert lie != head
        with pytest.raises(ProtocolError, match="terms"):
            CrowdTerms.from_bytes(join([lie, directions]))
    with pytest.raises(ProtocolError, match="terms"):
        CrowdTerms.from_bytes(join([head, b"\xff" * len(directions)]))


class Stored:
    """A store of two parts and a vector of length 0, as far as a server reads one."""

    space = VectorSpace(bytes(32), "random numbers", 8, {"epsilon": 4.0})

    def __init__(self, rows):
        self.vectors = rows.astype(np.float32)

    def rows(self):
        for start in (0, 50):
            part = self.vectors[start : start + 50]
            names = tuple(NAMES[start : start + len(part)])
            yield VectorRows(names, names, ("0" * 64,) * len(part), part)

    def describe(self):
        return StoreDescription("test", "here", "0" * 32, self.space, len(self.vectors), 90, {}, True, 0)


def test_the_rows_of_a_store(server):
    made = CrowdServer.of_store(Stored(np.where(np.arange(90)[:, None] == 7, 0.0, ROWS)), COVER, clusters=3)
    names = [name for block in made.matcher.blocks for name in block.names]
    assert sorted(names) == sorted({*NAMES} - {NAMES[7]})
    terms = CrowdTerms.from_bytes(made.terms.to_bytes())
    assert terms.space == Stored.space and terms.digest == made.terms.digest
    assert dataclasses.replace(terms, space=None).digest != terms.digest
    with pytest.raises(ParameterError, match="no vectors"):
        CrowdServer.of_store(Stored(np.zeros((60, 8))), COVER)
    with pytest.raises(ParameterError, match="9 components"):
        dataclasses.replace(terms, space=VectorSpace(bytes(32), "others", 9))


@pytest.mark.parametrize("vector", [np.zeros(8), np.ones(7), np.full(8, np.nan), np.ones((2, 8))])
def test_what_cannot_be_asked(server, vector):
    with pytest.raises(ParameterError, match="vectors"):
        server.terms.ask(vector)


def test_more_requests_than_clusters():
    with pytest.raises(ParameterError, match="requests"):
        CrowdServer.of(NAMES, ROWS, CoverTraffic(1.5, 0.4, 3, 9), clusters=3)
