"""Questions, payloads and their answers in the clear.

Answers for `privis.tasks.questions`, `privis.tasks.matches`, `privis.tasks.payloads` and
`privis.tasks.cosine_matching`.
"""

from __future__ import annotations

import numpy as np
import pytest

from privis.errors import ParameterError
from privis.tasks import (
    AllAbove,
    AnyAbove,
    Best,
    Claim,
    Count,
    Decision,
    Payload,
    PayloadFormat,
    Question,
    Top,
    VectorGrid,
    cosine_matching,
    match,
    matches_of,
    near_threshold,
    payload_texts,
    text_payloads,
)
from privis.tasks.matches import decided
from tests.tasks.expected import QUESTIONS, check_matches, payloads, vectors


@pytest.mark.parametrize("question", QUESTIONS, ids=repr)
def test_the_clear_answer_is_that_of_integers(question: Question, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cosine_matching, "_AT_ONCE", 15)  # two queries at a time
    grid, templates, queries = VectorGrid(6, 50), vectors(7, 6), vectors(5, 6, seed=1)
    templates[5] = templates[2]  # a tie: the first one comes first
    queries[0] = templates[2] * 3
    carried = payloads(7) if isinstance(question, Payload) else None
    check_matches(grid, templates, queries, question, match(question, queries, templates, payloads=carried, grid=grid))


def test_vectors_of_any_type_and_length_mean_the_same() -> None:
    templates, queries = np.eye(4), np.array([[0.0, 3.0, 0.0, 1.0]])
    wanted = match(Top(4), queries, templates).indices
    for change in (np.float16, np.float32, np.longdouble, list, lambda rows: np.asfortranarray(rows) * 7):
        found = match(Top(4), change(queries), change(templates)).indices  # type: ignore[operator]
        assert wanted is not None and found is not None and found.tolist() == wanted.tolist()


@pytest.mark.parametrize("kind", [np.float32, np.float64, int, np.int64])
def test_a_threshold_of_any_type_is_the_same_number(kind) -> None:
    assert Count(kind(1)) == Count(1.0) and type(Count(kind(1)).threshold) is float
    assert VectorGrid(2).product(AnyAbove(np.float32(0.4)).threshold) == 429496736  # 0.4 in single precision, exactly


BAD = [
    lambda: Best(1.5), lambda: Best(float("nan")), lambda: Top(0), lambda: Top(True), lambda: AnyAbove("x"),
    lambda: AnyAbove(None), lambda: Claim(True), lambda: Count(0.5, gap=-0.1), lambda: Count(0.5, gap=float("nan")),
    lambda: AllAbove(0.5, most=0), lambda: AllAbove(0.5, most=1.5), lambda: Payload(0.5, gap=2.0),
    lambda: VectorGrid(0, 5), lambda: PayloadFormat(0), lambda: PayloadFormat(2, 70_000), lambda: PayloadFormat(2, 0),
]  # fmt: skip


@pytest.mark.parametrize("bad", BAD)
def test_bad_questions(bad) -> None:
    with pytest.raises(ParameterError):
        bad()


def test_everything_wrong_is_told_at_once() -> None:
    with pytest.raises(ParameterError) as error:
        AllAbove(2.0, most=0, gap=-1.0)
    assert [problem.where for problem in error.value.problems] == [
        "AllAbove.most", "AllAbove.threshold", "AllAbove.gap",
    ]  # fmt: skip
    with pytest.raises(ParameterError) as error:
        match(Claim(0.5), np.ones((2, 3)), np.ones((2, 4)), payloads=np.ones((2, 1)))
    assert {problem.where for problem in error.value.problems} == {"queries", "claims", "payloads"}


@pytest.mark.parametrize("claims", [None, [0], [0, 3], [0, -1], [0.0, 1.0], [[0, 1]], []], ids=repr)
def test_claims_that_do_not_fit_are_refused(claims) -> None:
    with pytest.raises(ParameterError, match="claims"):
        match(Claim(0.5), np.eye(3)[:2], np.eye(3), claims=claims)
    with pytest.raises(ParameterError, match="claims"):
        match(Best(), np.eye(3)[:2], np.eye(3), claims=[0, 1])


@pytest.mark.parametrize(
    "bad", [None, np.ones((2, 1)), np.full((3, 1), -1), np.full((3, 1), 0.5), np.full((3, 1), 1 << 16), np.ones(3),
            np.full((3, 1), np.nan), np.array([["a"]] * 3)],
)  # fmt: skip
def test_payloads_that_do_not_fit_are_refused(bad) -> None:
    with pytest.raises(ParameterError, match="payloads"):
        match(Payload(0.5), np.eye(3), np.eye(3), payloads=bad)


def test_texts_travel_as_payloads() -> None:
    texts = ["patient 17", "", "Zoë", "名", "0123456789ab"]
    carried = text_payloads(texts, 12)
    assert carried.shape == (5, 12) and carried.dtype == np.uint8
    found = match(Payload(0.9, most=2), np.eye(5)[[2, 0, 1]] + [[0, 0, 0, 0, 1]] * np.array([[0], [0], [0]]), np.eye(5),
                  payloads=carried)  # fmt: skip
    assert found.payloads is not None and payload_texts(found.payloads) == [["Zoë"], ["patient 17"], [""]]
    for bad in (["x" * 13], ["a\0b"], ["名" * 5]):
        with pytest.raises(ParameterError, match="1 texts") as error:
            text_payloads(["fine", *bad], 12)
        assert bad[0] not in str(error.value)
    with pytest.raises(ParameterError, match="read them as numbers"):
        payload_texts(np.array([[[300]]]))


def test_a_template_without_a_match_has_no_payload_even_if_payloads_are_zeros() -> None:
    found = match(Payload(0.9), np.array([[1.0, 0.0], [-1.0, 0.0]]), np.eye(2), payloads=np.zeros((2, 2), int))
    assert found.payloads is not None and found.payloads.tolist() == [[[0, 0]], [[-1, -1]]]
    with pytest.raises(ParameterError, match="payloads"):
        matches_of(Payload(0.5), np.eye(2))


def test_only_cosines_inside_the_gap_may_be_left_undecided() -> None:
    cosines = np.array([[0.5, 0.4375, 0.374, 0.375], [0.625, 0.56, 0.626, -0.5]])
    assert near_threshold(Count(0.5, gap=0.125), cosines).sum() == 3
    for question in (Best(0.5), Top(2, 0.5), Claim(0.5), AnyAbove(0.5)):
        assert not near_threshold(question, cosines).any()
    assert matches_of(Count(0.5, gap=0.125), cosines).counts.tolist() == [1, 3]  # exact executors decide there too


def test_undecided_is_neither_yes_nor_no() -> None:
    made = decided(np.array([True, True, False, False]), np.array([False, True, True, False]))
    assert made.tolist() == [Decision.ACCEPTED, Decision.UNDECIDED, Decision.UNDECIDED, Decision.REJECTED]
    more = match(AllAbove(0.5), np.array([[1.0, 1.0]]), np.eye(2))
    assert more.decisions is not None and more.decisions.tolist() == [Decision.UNDECIDED]
    assert more.found is not None and not more.found.any()
