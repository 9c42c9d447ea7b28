"""An index asked privately answers as in the clear, tells what it says, and follows the store when rows go."""

from types import SimpleNamespace

import numpy as np
import pytest

from privis.errors import ParameterError
from privis.estimators.faces.matchers.encrypted_matching import EncryptedMatcher
from privis.estimators.faces.matchers.joint_matching import JointMatcher
from privis.estimators.search.private_index import FoundRow, Learned, PrivateAnswer, PrivateIndex, PrivateQuery
from privis.run.mpc.protocols import MPCProtocol
from privis.stores.vector_rows import VectorRows
from privis.stores.vector_store import Condition, Relation, VectorSpace
from privis.tasks.questions import Count

PLAIN, HIDDEN = EncryptedMatcher(processes=1), EncryptedMatcher(encrypted_templates=True, processes=1)
SCORES = PrivateQuery(PLAIN, Learned.SCORES)


class MemoryStore:
    """As much of a store as is asked privately: rows that tests take away."""

    def __init__(self, vectors):
        self.vectors = np.asarray(vectors, np.float32)
        self.names = [f"{number}.png" for number in range(len(self.vectors))]
        self.width = self.vectors.shape[1]

    def describe(self):
        space = VectorSpace(b"0" * 32, "colour histograms", self.width)
        return SimpleNamespace(space=space, place="pictures.index")

    def rows(self, where=()):
        kept = [n for n, name in enumerate(self.names) if all(name == each.value for each in where)]
        for lot in (kept[:2], kept[2:]):
            names = tuple(self.names[number] for number in lot)
            if lot:
                yield VectorRows(names, names, ("0" * 64,) * len(lot), self.vectors[lot])

    def erase(self, name):
        self.vectors = np.delete(self.vectors, self.names.index(name), axis=0)
        self.names.remove(name)


def unit(rows):
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


@pytest.fixture
def vectors():
    return unit(np.random.default_rng(0).normal(size=(7, 24)))


@pytest.mark.parametrize("matcher", [PLAIN, HIDDEN])
def test_the_key_owner_ranks_scores(vectors, matcher):
    asked = vectors[3] + 0.1 * vectors[5]
    expected = unit(vectors) @ (asked / np.linalg.norm(asked))
    with PrivateIndex(MemoryStore(vectors), PrivateQuery(matcher, Learned.SCORES)) as index:
        found = index.search(asked, 3)
        np.testing.assert_array_equal(index.rankings(vectors[:3]), np.argsort(-vectors[:3] @ vectors.T, axis=1))
    order = np.argsort(-expected)[:3]
    assert [row.id for row in found.rows] == [f"{number}.png" for number in order]
    assert [row.rank for row in found.rows] == [1, 2, 3]
    np.testing.assert_allclose([row.score for row in found.rows], expected[order], atol=1e-4)


def test_on_shares_the_order_alone_and_decisions(vectors):
    store = MemoryStore(vectors)
    with PrivateIndex(store, PrivateQuery(JointMatcher(MPCProtocol.CHEETAH))) as index:
        everything = index.search(vectors[4], 100).rows
        assert everything[0] == FoundRow("4.png", 1) and all(row.score is None for row in everything)
        assert [row.rank for row in everything] == list(range(1, 8))
        index.query = PrivateQuery(index.query.matcher, Learned.DECISIONS, threshold=0.9)
        assert index.search(vectors[4], 1).rows == (FoundRow("4.png"),)
        assert index.search(vectors[4] + vectors[5], 1) == PrivateAnswer(())


@pytest.mark.long
def test_decisions_on_shares_of_too_many():
    store = MemoryStore(np.eye(4))
    with PrivateIndex(store, PrivateQuery(JointMatcher(), Learned.DECISIONS, threshold=0.5)) as index:
        found = index.search(np.array([1.0, 1.0, 0.1, 0.0]), 3)
        assert found.rows == (FoundRow("0.png"), FoundRow("1.png")) and not found.more
        assert index.search(np.array([1.0, 1.0, 0.1, 0.0]), 1).more


ROWS = unit(np.array([[1.0, 0, 0], [0, 1, 0], [1, 1, 0], [0, 0, 1], [0.98, 1.02, 0]]))


def test_the_top_under_encryption_counts_before_it_tells():
    with PrivateIndex(MemoryStore(ROWS), PrivateQuery(PLAIN, Learned.TOP, threshold=0.6)) as index:
        assert index.search(np.array([0.0, 0.0, 1.0]), 2) == PrivateAnswer((FoundRow("3.png"),))
        held, asked = index.held, []
        ask = held.ask
        held.ask = lambda question, rows: asked.append(type(question)) or ask(question, rows)
        assert index.search(np.array([1.0, 1.0, 0.0]), 2) == PrivateAnswer((), more=True)
        assert asked == [Count]  # which rows they are was not asked


@pytest.mark.long
@pytest.mark.parametrize("told", [Learned.DECISIONS, Learned.TOP])
def test_decisions_under_encryption(told):
    with PrivateIndex(MemoryStore(ROWS), PrivateQuery(HIDDEN, told, threshold=0.6)) as index:
        assert index.search(np.array([-1.0, -1.0, 0.0]), 2) == PrivateAnswer(())
        many = index.search(np.array([1.0, 1.0, 0.0]), 4)
        assert {row.id for row in many.rows} == {"0.png", "1.png", "2.png", "4.png"} and not many.more
        edge = index.search(np.array([0.6, 0.0, 0.8]), 5)  # of the first row exactly the threshold
        if told is Learned.TOP:
            assert edge.undecided or len(edge.rows) in (1, 2)
        else:
            assert FoundRow("3.png") in edge.rows and edge.rows[-1].id in ("0.png", "3.png")


def test_rows_that_are_erased_or_replaced_between_queries_are_not_answered(vectors):
    store = MemoryStore(vectors)
    with PrivateIndex(store, SCORES) as index:
        held = index.held
        assert index.search(vectors[2], 1).rows[0].id == "2.png" and index.held is held
        store.erase("2.png")
        found = index.search(vectors[2], 100).rows
        assert index.held is not held and len(found) == 6 and "2.png" not in {row.id for row in found}
        store.vectors[0] = vectors[2]  # as many rows, as many bytes
        assert index.search(vectors[2], 1).rows[0].id == "0.png"


def test_one_row_and_rows_that_are_zero():
    with PrivateIndex(MemoryStore(np.eye(1, 5)), SCORES) as index:
        (row,) = index.search(np.ones(5), 3).rows
        assert row.rank == 1 and row.score == pytest.approx(5**-0.5, abs=1e-4)
    with PrivateIndex(MemoryStore(np.concatenate([np.zeros((1, 5)), np.eye(2, 5)])), SCORES) as index:
        assert index.left_out == ("0.png",) and len(index.search(np.ones(5), 9).rows) == 2


def test_conditions_choose_the_rows(vectors):
    condition = Condition("id", Relation.EQUAL, "6.png")
    with PrivateIndex(MemoryStore(vectors), SCORES, [condition]) as index:
        assert [row.id for row in index.search(vectors[0], 5).rows] == ["6.png"]
    nobody = Condition("id", Relation.EQUAL, "7.png")
    with (
        pytest.raises(ParameterError, match="meets the conditions"),
        PrivateIndex(MemoryStore(vectors), SCORES, [nobody]),
    ):
        pass


def test_what_cannot_be_asked(vectors):
    with PrivateIndex(MemoryStore(vectors), SCORES) as index:
        for wrong, words in (
            (np.ones(23), "as of colour histograms"),
            (np.ones(25), "as of colour histograms"),
            (np.zeros(24), "nothing is similar"),
            (np.full(24, np.nan), "nothing is similar"),
        ):
            with pytest.raises(ParameterError, match=words):
                index.search(wrong, 1)
        with pytest.raises(ParameterError, match="top"):
            index.search(vectors[0], 0)
    for store, words in (
        (MemoryStore(np.zeros((0, 4))), "no rows"),
        (MemoryStore(np.zeros((2, 4))), "no rows"),
        (MemoryStore(np.diag([1.0, 2.0])), "rows of one length"),
    ):
        with pytest.raises(ParameterError, match=words), PrivateIndex(store, SCORES):
            pass


@pytest.mark.parametrize(
    ("matcher", "told", "threshold", "words"),
    [
        (PLAIN, Learned.SCORES, 0.5, "scores are not decided"),
        (PLAIN, Learned.TOP, None, "ask for scores, or on shares"),
        (PLAIN, Learned.DECISIONS, None, "decides decisions"),
        (JointMatcher(), Learned.DECISIONS, None, "decides decisions"),
        (JointMatcher(), Learned.TOP, 1.5, "from -1 to 1"),
        (JointMatcher(), Learned.TOP, True, "from -1 to 1"),
    ],
)
def test_questions_that_do_not_fit(matcher, told, threshold, words):
    with pytest.raises(ParameterError, match=words):
        PrivateQuery(matcher, told, threshold)


def test_what_each_side_learns_is_said():
    assert "every row" in SCORES.learns(5) and "no query and no answer" in SCORES.learns(5)
    assert "neither rows" in PrivateQuery(HIDDEN, Learned.SCORES).learns(5)
    assert "at most 5, which" in PrivateQuery(PLAIN, Learned.TOP, 0.4).learns(5)
    assert "as far as they reach 0.4" in PrivateQuery(JointMatcher(), Learned.TOP, 0.4).learns(5)
    assert "cosines of the 5" in PrivateQuery(JointMatcher(), Learned.SCORES).learns(5)
