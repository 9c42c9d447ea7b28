"""run/he/matching/cluster_matcher.py: a request is scored in its cluster alone, and nothing tells clients apart."""

import numpy as np
import pytest

from privis.errors import ParameterError, ProtocolError
from privis.run.he.matching.cluster_matcher import ClusterMatcher, cluster_request
from privis.run.he.matching.matching_specification import ACCURACY, BLOCK, MatchingSpec
from privis.run.he.owner.matching import MatchingOwner
from privis.run.he.wire.framing import join, split

SPEC = MatchingSpec(8)
ROWS = np.random.default_rng(3).normal(size=(30, 8))
NAMES = [f"{'x' * row}.png" for row in range(30)]
MEMBERS = [np.arange(0, 3), np.arange(3, 20), np.arange(20, 30)]
MATCHER = ClusterMatcher.of(NAMES, ROWS, MEMBERS, encode=2)
QUERY = ROWS[5] + 0.1


@pytest.fixture(scope="module")
def owners():
    return [MatchingOwner.generate(SPEC) for _ in range(3)]


def request(owner, cluster, vector=QUERY):
    return cluster_request(cluster, owner.evaluation_keys(), owner.query(vector))


def cosines(rows):
    return ROWS[rows] @ QUERY / np.linalg.norm(ROWS[rows], axis=1) / np.linalg.norm(QUERY)


def test_a_batch_is_answered_in_the_order_in_which_it_came(owners):
    order = [2, 0, 1]
    batch = [request(owner, cluster) for owner, cluster in zip(owners, order, strict=True)]
    for processes in (1, 2):
        answers = MATCHER.answers(batch, processes)
        for owner, cluster, answer in zip(owners, order, answers, strict=True):
            scores = owner.scores(answer.reply)
            assert scores.names == tuple(NAMES[row] for row in MEMBERS[cluster])
            np.testing.assert_allclose(scores.values, cosines(MEMBERS[cluster]), atol=ACCURACY)


def test_replies_are_as_long_whatever_the_cluster(owners):
    replies = [MATCHER.answer(request(owners[0], cluster)) for cluster in range(3)]
    heads = [split(reply, "reply", 2)[0] for reply in replies]
    assert len({len(head) for head in heads}) == 1
    lengths = [len(reply) for reply in replies]
    assert max(lengths) - min(lengths) < 0.002 * max(lengths), "what compression does to random numbers"


def test_requests_are_as_long_whatever_the_cluster(owners):
    keys, query = owners[0].evaluation_keys(), owners[0].query(QUERY)
    assert len({len(cluster_request(cluster, keys, query)) for cluster in (0, 1, 2**31)}) == 1
    assert len(cluster_request(0, keys, query)) < MATCHER.request_limit


def test_a_wrong_request_harms_no_other(owners):
    good = request(owners[0], 1)
    head, keys, query = split(good, "request", 3)
    bad = [
        b"",
        good[:-1],
        request(owners[1], 3),
        join([head, keys, keys]),
        join([head, query, query]),
        join([b"", keys, query]),
        good + bytes(MATCHER.request_limit),
    ]
    answers = MATCHER.answers([*bad, good], 2)
    assert all(answer.reply is None and answer.refusal for answer in answers[:-1])
    assert owners[0].scores(answers[-1].reply).top(1)[0][0] == NAMES[5]


def test_the_keys_of_another_client_read_nothing(owners):
    reply = MATCHER.answer(request(owners[0], 1))
    with pytest.raises(ProtocolError, match="no cosines"):
        owners[1].scores(reply)


@pytest.mark.parametrize(
    ("names", "members", "said"),
    [
        (NAMES[:-1], MEMBERS, "29 names"),
        ([*NAMES[:-1], NAMES[0]], MEMBERS, "29 different"),
        (NAMES, [np.arange(0)], "0 to 0 rows"),
        (NAMES, [], "0 to 0 rows"),
        (NAMES, [np.zeros(BLOCK + 1, np.int64)], "4097 rows"),
    ],
)
def test_what_is_no_index(names, members, said):
    with pytest.raises(ParameterError, match=said):
        ClusterMatcher.of(names, ROWS, members, 1)
