"""Matching programs: right in the clear for every question, on integers; `tests/joint/test_gallery.py` has the shares.

Answers for `privis.tasks.nearest` and `privis.tasks.vector_grid`.
"""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from privis.errors import DomainError, ParameterError
from privis.joint.gallery import Gallery
from privis.readings import evaluate, ranges
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
    claim_program,
    match,
    matches_of,
    matching_program,
    read_answer,
)
from tests.tasks.expected import QUESTIONS, Vectors, check_matches, payloads, vectors

PAYLOAD = PayloadFormat(2, 300)


def answered(grid: VectorGrid, templates: Vectors, queries: Vectors, question: Question, blocks: list[int]) -> None:
    """Evaluate a program on integers and compare its answer with that of Python's integers."""
    carried = payloads(len(templates)) if isinstance(question, Payload) else None
    cuts = np.cumsum(blocks)[:-1]
    lots = [grid.unit_vectors(queries), *np.split(grid.unit_vectors(templates), cuts)]
    lots += [] if carried is None else np.split(carried, cuts)
    program = matching_program(grid, blocks, len(queries), question, PAYLOAD)
    revealed = evaluate(program, *(lot.astype(np.float64) for lot in lots))
    check_matches(grid, templates, queries, question, read_answer(grid, len(templates), question, revealed))


@pytest.mark.parametrize("question", QUESTIONS, ids=repr)
@pytest.mark.parametrize("blocks", [[7], [3, 1, 3]], ids=str)
def test_answers_are_those_of_integers(question: Question, blocks: list[int]) -> None:
    templates, queries = vectors(7, 6), vectors(4, 6, seed=1)
    templates[5] = templates[2]  # a tie: the first one comes first
    queries[0] = templates[2] * 3
    answered(VectorGrid(6, 50), templates, queries, question, blocks)


@given(st.data())
def test_any_small_gallery(data: st.DataObject) -> None:
    """Components of -1, 0, 1 make ties and cosines that meet thresholds exactly."""
    unit = st.lists(st.sampled_from([-1.0, 0.0, 1.0]), min_size=4, max_size=4).filter(any)
    templates = np.array(data.draw(st.lists(unit, min_size=3, max_size=8)))
    queries = np.array(data.draw(st.lists(unit, min_size=1, max_size=2)))
    more = [Best(0.5), Best(0.0), Top(3, 0.5), AnyAbove(0.5), AnyAbove(1.0), Count(0.5), AllAbove(0.5, 2), Payload(0.5)]
    question = data.draw(st.sampled_from([*QUESTIONS, *more]))
    answered(VectorGrid(4, 8), templates, queries, question, [len(templates)])


@pytest.mark.parametrize("templates", [2, 3, 4, 5, 9, 10, 16, 17, 30])
def test_the_order_along_the_gallery_is_right_at_every_length(templates: int) -> None:
    rows = np.array([[1.0, 0.0] if row % 3 != 1 else [-1.0, 0.1] for row in range(templates)])
    for most in (1, 2, templates - 1, templates, templates + 3):
        for question in (AllAbove(0.5, most), Payload(0.5, most), Top(most, 0.5), Top(most, 0.5, score=True)):
            answered(VectorGrid(2, 30), rows, np.array([[2.0, 0.0], [-1.0, 0.0]]), question, [templates])


@pytest.mark.parametrize("claims", [[0], [6, 0, 3, 3], [4], [2, 1, 0], [5, 6], [3, 0]], ids=str)
@pytest.mark.parametrize("blocks", [[7], [3, 1, 3]], ids=str)
def test_claims_meet_the_template_that_they_name(claims: list[int], blocks: list[int]) -> None:
    grid, templates, queries = VectorGrid(6, 50), vectors(7, 6), vectors(len(claims), 6, seed=1)
    queries[0] = templates[claims[0]]
    lots = [grid.unit_vectors(queries), *np.split(grid.unit_vectors(templates), np.cumsum(blocks)[:-1])]
    for question in (Claim(0.999), Claim(0.1), Claim(-1.0), Claim(-0.2)):
        program = claim_program(grid, blocks, claims, question)
        revealed = evaluate(program, *(lot.astype(np.float64) for lot in lots))
        assert revealed.shape == (len(claims),)
        products = [int(lots[0][row] @ grid.unit_vectors(templates)[claim]) for row, claim in enumerate(claims)]
        wanted = [product >= question.threshold * grid.unit for product in products]
        assert read_answer(grid, 7, question, revealed).decisions.tolist() == wanted
        assert match(question, queries, templates, claims=claims, grid=grid).decisions.tolist() == wanted


@pytest.mark.parametrize(("dimension", "capacity"), [(2, 1), (512, 10_000), (512, 50_000), (4096, 1_000_000)])
@pytest.mark.parametrize("question", [*QUESTIONS[:8:2], Count(0.3), AllAbove(0.3, 3), Payload(0.3)], ids=repr)
def test_keys_stay_inside_the_ring(dimension: int, capacity: int, question: Question) -> None:
    """Certain bounds, for any vectors of the declared range and not only unit ones."""
    grid = VectorGrid(dimension, capacity)
    rows = min(capacity, 40)
    if isinstance(question, Top) and question.threshold is None and rows < question.count:
        return
    program = matching_program(grid, [rows], 1, question, PAYLOAD)
    for value in ranges(program):
        low, high = value.bounds
        assert max(-low, high) < 2.0**60


def test_a_gallery_outgrows_its_capacity_with_the_same_templates() -> None:
    """The answers are those of integers still, cosines included; the grid, and so every share, stays as it was."""
    planned, templates, queries = VectorGrid(6, 3), vectors(40, 6), vectors(2, 6, seed=1)
    queries[0] = templates[39]
    for question in (
        Best(score=True),
        Best(0.3, score=True),
        Top(3, 0.2, score=True),
        Top(3),
        Best(),
        AllAbove(0.3, 9),
    ):
        answered(planned, templates, queries, question, [3, 37])


@pytest.mark.parametrize(("dimension", "capacity"), [(1, 1), (2, 100), (128, 10_000), (512, 50_000), (4096, 10**6)])
def test_keys_of_the_largest_gallery_fit_and_of_one_more_do_not(dimension: int, capacity: int) -> None:
    grid = VectorGrid(dimension, capacity)
    assert grid.most >= capacity
    largest = dimension * grid.unit
    assert largest * grid.span_of(grid.most) <= 2**57 < largest * grid.span_of(grid.most + 1)
    for question in (Best(score=True), Top(2)):
        with pytest.raises(ParameterError, match=f"at most {grid.most}"):
            matching_program(grid, [grid.most + 1], 1, question)


@pytest.mark.parametrize(("short", "found"), [(0, [[0]]), (1, [[-1]])])
def test_a_threshold_is_met_by_equality(short: int, found: list[list[int]]) -> None:
    grid = VectorGrid(1, 4)
    one = float(1 << grid.bits)
    revealed = evaluate(matching_program(grid, [1], 1, Best(1.0)), np.array([[one]]), np.array([[one - short]]))
    matches = read_answer(grid, 1, Best(1.0), revealed)
    assert matches.indices is not None and matches.indices.tolist() == found


@pytest.mark.parametrize("threshold", [0.3, -0.3, 0.999, 1 / 3, 0.0, 1.0, -1.0])
def test_thresholds_are_rounded_up(threshold: float) -> None:
    grid = VectorGrid(512, 50_000)
    assert grid.product(threshold) - 1 < threshold * grid.unit <= grid.product(threshold)


@pytest.mark.parametrize(
    "question",
    [Best(0.3), Best(0.3, score=True), Top(2, 0.3), Top(2, 0.3, score=True), AnyAbove(0.3), Count(0.3), AllAbove(0.3),
     AllAbove(0.3, 7), Payload(0.3), Payload(0.3, 3), Claim(0.3), AnyAbove(-0.5), Best(-1.0)],
    ids=repr,
)  # fmt: skip
@pytest.mark.parametrize("length", [0.0, 0.5, 1.01, 2.0])
def test_nothing_matches_a_query_that_is_not_of_length_one(question: Question, length: float) -> None:
    """Whoever shares a longer vector than all others would reach any threshold."""
    grid, templates = VectorGrid(6, 50), vectors(7, 6)
    queries = grid.unit_vectors(templates[[2, 2]])
    queries[1] = np.rint(queries[1] * length)
    queries = np.clip(queries, -(1 << grid.bits), 1 << grid.bits)
    carried = [payloads(7)] if isinstance(question, Payload) else []
    if isinstance(question, Claim):
        program = claim_program(grid, [7], [2, 2], question)
    else:
        program = matching_program(grid, [7], 2, question, PAYLOAD)
    lots = [queries, grid.unit_vectors(templates), *carried]
    found = read_answer(grid, 7, question, evaluate(program, *(lot.astype(np.float64) for lot in lots)))
    assert found.decisions is not None and found.decisions[1] == Decision.REJECTED
    assert found.decisions[0] != Decision.REJECTED
    for told in (found.indices, found.payloads):
        assert told is None or (told[1] == -1).all()
    assert found.counts is None or found.counts[1] == 0
    assert found.cosines is None or np.isnan(found.cosines[1]).all()


@pytest.mark.parametrize("dimension", [1, 2, 3, 128, 512, 4096, 100_000])
def test_every_vector_that_was_normalised_is_of_length_one(dimension: int) -> None:
    grid = VectorGrid(dimension, 10)
    least, most = grid.squared_lengths
    random = np.random.default_rng(0)
    rows = [
        random.standard_normal(dimension),
        np.ones(dimension),
        np.arange(dimension) % 3 + 0.5,
        np.arange(dimension) == 0,
    ]
    made = grid.unit_vectors(np.stack([row * 10.0**scale for row, scale in zip(rows, (-9, 0, 9, 3), strict=True)]))
    for vector in made:
        assert least <= sum(int(value) ** 2 for value in vector) <= most
    assert most / grid.unit < 1.001 or dimension > 512


def test_vectors_without_direction_are_refused() -> None:
    grid = VectorGrid(3, 10)
    bad = np.ones((3, 3))
    bad[0], bad[2, 1] = 0.0, np.nan
    with pytest.raises(ParameterError, match="2 rows of length zero or not finite, the first at 0"):
        grid.unit_vectors(bad)
    with pytest.raises(ParameterError, match="shape"):
        grid.unit_vectors(np.ones((2, 4)))
    job, _ = Gallery(grid).enrolment("ann", ["a"])
    with pytest.raises(DomainError, match="outside"):
        job.check_array("templates 0", np.full((1, 3), 1 << 16))


def test_too_few_templates_and_questions_of_another_program() -> None:
    grid = VectorGrid(3, 5)
    for blocks, question in (([], Best()), ([2], Top(3)), ([2], Payload(0.5)), ([2], Claim(0.5))):
        with pytest.raises(ParameterError, match=r"gallery|question"):
            matching_program(grid, blocks, 1, question)
    for claims in ([], [2], [-1]):
        with pytest.raises(ParameterError, match="claims"):
            claim_program(grid, [2], claims, Claim(0.5))


def test_an_answer_with_room_for_everything_costs_no_more_than_one_for_all_there_are() -> None:
    """A number that somebody wrote into a job must not hang whoever builds it."""
    grid = VectorGrid(3)
    for question in (Top(10**9, 0.5), AllAbove(0.5, most=10**9), Payload(0.5, most=10**9)):
        (shape,) = matching_program(grid, [4], 2, question, PAYLOAD).output_shapes
        assert np.prod(shape) <= 2 * (1 + 4 * 2)
    with pytest.raises(ParameterError, match="ask fewer at once"):
        matching_program(grid, [10_000], 10, AllAbove(0.5, most=1000))


def test_more_templates_than_there_are_end_in_none() -> None:
    matches = matches_of(Top(3, score=True), np.array([[0.25, 0.5]]))
    assert matches.indices is not None and matches.indices.tolist() == [[1, 0, -1]]
    assert matches.cosines is not None and matches.cosines.tolist()[0][:2] == [0.5, 0.25]


def test_scores_are_asked_for_by_name() -> None:
    for question in (Best(), Best(0.3), Top(3), Top(3, 0.3)):
        assert not question.score and "cosine" not in question.reveals
        assert "cosine" in dataclasses.replace(question, score=True).reveals
