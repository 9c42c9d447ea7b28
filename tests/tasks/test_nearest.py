"""1:N matching: right in the clear for every question, the same on shares, and nothing else revealed."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from privis.errors import DomainError, ParameterError
from privis.joint import gallery as galleries
from privis.joint.gallery import ANSWER, FIXED, QUERY, Gallery, LiveGallery
from privis.joint.runners import InTheClear
from privis.joint.statistics.sums import Committee
from privis.readings import evaluate, ranges
from privis.run.mpc.job import Drop, Reveal
from privis.run.mpc.protocols import CHEETAH
from privis.tasks.nearest import (
    AnyAbove,
    Best,
    Matches,
    Question,
    Top,
    VectorGrid,
    matches_of,
    matching_program,
    read_answer,
)

Vectors = npt.NDArray[np.float64]
QUESTIONS: list[Question] = [
    Best(), Best(score=False), Best(0.3), Best(0.3, score=False), Best(0.999),
    Top(3), Top(3, score=False), Top(3, 0.3), Top(3, 0.3, score=False), Top(2, 0.999), AnyAbove(0.3), AnyAbove(0.999),
]  # fmt: skip


def vectors(rows: int, dimension: int, seed: int = 0) -> Vectors:
    return np.random.default_rng(seed).standard_normal((rows, dimension))


def expected(grid: VectorGrid, templates: Vectors, queries: Vectors, question: Question) -> list[object]:
    """Python's integers, sorted by product and then by index."""
    found: list[object] = []
    for query in grid.unit_vectors(queries):
        products = [int(value) for value in grid.unit_vectors(templates) @ query]
        least = -(1 << 62) if question.threshold is None else question.threshold * grid.unit
        if isinstance(question, AnyAbove):
            found.append(any(product >= least for product in products))
            continue
        order = sorted(range(len(products)), key=lambda i: (-products[i], i))
        good = [i for i in order if products[i] >= least][: question.count]
        found.append([(i, products[i] / grid.unit) for i in good] + [(-1, None)] * (question.count - len(good)))
    return found


def check(grid: VectorGrid, templates: Vectors, queries: Vectors, question: Question, revealed: npt.NDArray) -> None:
    check_matches(grid, templates, queries, question, read_answer(grid, len(templates), question, revealed))


def check_matches(grid: VectorGrid, templates: Vectors, queries: Vectors, question: Question, matches: Matches) -> None:
    wanted = expected(grid, templates, queries, question)
    if isinstance(question, AnyAbove):
        assert matches.found is not None and matches.found.tolist() == wanted and matches.indices is None
        return
    assert matches.indices is not None
    assert matches.indices.tolist() == [[index for index, _ in row] for row in wanted]  # type: ignore[attr-defined]
    assert (matches.cosines is not None) == question.score
    if matches.cosines is not None:
        for row, cosines in zip(wanted, matches.cosines, strict=True):
            for (_, cosine), got in zip(row, cosines, strict=True):  # type: ignore[call-overload]
                assert np.isnan(got) if cosine is None else got == cosine


@pytest.mark.parametrize("question", QUESTIONS, ids=repr)
@pytest.mark.parametrize("blocks", [[7], [3, 1, 3]], ids=str)
def test_answers_are_those_of_integers(question: Question, blocks: list[int]) -> None:
    grid = VectorGrid(6, 50)
    templates, queries = vectors(7, 6), vectors(4, 6, seed=1)
    templates[5] = templates[2]  # a tie: the first one comes first
    queries[0] = templates[2] * 3
    cut = np.split(grid.unit_vectors(templates).astype(np.float64), np.cumsum(blocks)[:-1])
    program = matching_program(grid, blocks, len(queries), question)
    check(grid, templates, queries, question, evaluate(program, grid.unit_vectors(queries).astype(np.float64), *cut))


@pytest.mark.parametrize("question", QUESTIONS, ids=repr)
def test_cosines_in_the_clear_are_answered_alike(question: Question) -> None:
    grid, templates, queries = VectorGrid(6, 50), vectors(7, 6), vectors(4, 6, seed=1)
    templates[5] = templates[2]  # a tie: the first one comes first
    queries[0] = templates[2] * 3
    products = grid.unit_vectors(queries) @ grid.unit_vectors(templates).T
    check_matches(grid, templates, queries, question, matches_of(question, products / grid.unit))


def test_more_templates_than_there_are_end_in_none() -> None:
    matches = matches_of(Top(3), np.array([[0.25, 0.5]]))
    assert matches.indices is not None and matches.indices.tolist() == [[1, 0, -1]]
    assert matches.cosines is not None and matches.cosines.tolist()[0][:2] == [0.5, 0.25]


@given(st.data())
def test_any_small_gallery(data: st.DataObject) -> None:
    """Components of -1, 0, 1 make ties and cosines that meet thresholds exactly."""
    grid = VectorGrid(4, 8)
    unit = st.lists(st.sampled_from([-1.0, 0.0, 1.0]), min_size=4, max_size=4).filter(any)
    templates = np.array(data.draw(st.lists(unit, min_size=3, max_size=8)))
    queries = np.array(data.draw(st.lists(unit, min_size=1, max_size=2)))
    question = data.draw(st.sampled_from([*QUESTIONS, Best(0.5), Best(0.0), Top(3, 0.5), AnyAbove(0.5), AnyAbove(1.0)]))
    program = matching_program(grid, [len(templates)], len(queries), question)
    given_ = [grid.unit_vectors(rows).astype(np.float64) for rows in (queries, templates)]
    check(grid, templates, queries, question, evaluate(program, *given_))


@pytest.mark.parametrize(("dimension", "capacity"), [(2, 1), (512, 10_000), (512, 50_000), (4096, 1_000_000)])
@pytest.mark.parametrize("question", QUESTIONS[:8:2], ids=repr)
def test_keys_stay_inside_the_ring(dimension: int, capacity: int, question: Question) -> None:
    """Certain bounds, for any vectors of the declared range and not only unit ones."""
    grid = VectorGrid(dimension, capacity)
    rows = min(capacity, 40)
    if isinstance(question, Top) and question.threshold is None and rows < question.count:
        return
    program = matching_program(grid, [rows], 1, question)
    for value in ranges(program):
        low, high = value.bounds
        assert max(-low, high) < 2.0**60


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


@pytest.mark.parametrize("bad", [lambda: Best(1.5), lambda: Top(0), lambda: AnyAbove("x"), lambda: VectorGrid(0, 5)])  # type: ignore[arg-type]
def test_bad_questions(bad) -> None:
    with pytest.raises(ParameterError):
        bad()


def test_too_few_and_too_many_templates() -> None:
    grid = VectorGrid(3, 5)
    for blocks, question in (([], Best()), ([2], Top(3)), ([4, 2], Best())):
        with pytest.raises(ParameterError, match="gallery"):
            matching_program(grid, blocks, 1, question)


# The gallery


def test_a_gallery_grows_and_shrinks(monkeypatch: pytest.MonkeyPatch) -> None:
    """After any sequence of changes it answers as a fresh gallery of what is left, and no variable is left over."""
    monkeypatch.setattr(galleries, "ROWS", 4)
    grid, clear = VectorGrid(5, 30), InTheClear()
    known = {f"t{i}": vector for i, vector in enumerate(vectors(20, 5))}
    live = LiveGallery(Gallery(grid), clear)
    here: list[str] = []
    heard: list[tuple[int, int]] = []
    for action, names in [
        ("ann", ["t0", "t1", "t2", "t3", "t4", "t5"]), ("bob", ["t6"]), ("bob", ["t7"]), (None, ["t1", "t6"]),
        ("cy", ["t8", "t9", "t1"]), (None, ["t0", "t2", "t3"]), ("ann", ["t10"]),
    ]:  # fmt: skip
        if action is None:
            live.remove(names)
            here = [name for name in here if name not in names]
        else:
            live.enrol(action, names, np.stack([known[name] for name in names]), lambda *done: heard.append(done))
            here += names
        assert live.gallery.names == tuple(here)
        assert set(clear.variables) == {block.variable for block in live.gallery.blocks}
        queries = vectors(3, 5, seed=7)
        answer = live.ask(Top(2), queries, "dan", ["dan"])
        wanted = expected(grid, np.stack([known[name] for name in here]), queries, Top(2))
        assert answer.names == tuple(tuple(here[i] for i, _ in row) for row in wanted)  # type: ignore[attr-defined]
    assert heard[:2] == [(4, 6), (6, 6)]
    owners = {name: owner for b in live.gallery.blocks for name, owner in zip(b.names, b.owners, strict=True)}
    assert owners == {"t4": "ann", "t5": "ann", "t7": "bob", "t8": "cy", "t9": "cy", "t1": "cy", "t10": "ann"}


def test_names_are_checked() -> None:
    live = LiveGallery(Gallery(VectorGrid(2, 3)), InTheClear())
    live.enrol("ann", ["a", "b"], np.eye(2))
    for names in (["a"], ["c", "c"], []):
        with pytest.raises(ParameterError, match="names"):
            live.gallery.enrolment("ann", names)
    with pytest.raises(ParameterError, match="capacity"):
        live.enrol("ann", ["c", "d"], np.eye(2))
    with pytest.raises(ParameterError, match="not here"):
        live.remove(["z"])
    with pytest.raises(ParameterError, match="one each"):
        live.enrol("ann", ["c"], np.eye(2))


@pytest.mark.parametrize("question", QUESTIONS, ids=repr)
def test_a_query_reveals_its_answer_and_nothing_else(question: Question) -> None:
    gallery = Gallery(VectorGrid(4, 10))
    job, gallery = gallery.enrolment("ann", ["a", "b", "c", "d"])
    assert not [step for step in job.instructions if isinstance(step, Reveal)]
    query = gallery.query(question, 2, "bob", ["cy"])
    assert [step for step in query.instructions if isinstance(step, Reveal)] == [Reveal(ANSWER, ("cy",))]
    assert query.instructions[-1] == Drop((QUERY, ANSWER))
    assert set(query.left) == set(query.resident)
    width = 1 if isinstance(question, AnyAbove) else question.count
    scored = isinstance(question, Top) and question.score  # Best packs its cosine into the number of the template
    assert np.prod(query.programs["match"].output_shapes[0]) == 2 * width * (2 if scored else 1)


# On shares

FACES = vectors(300, 64, seed=3)


@pytest.fixture(scope="module")
def shared_gallery() -> Iterator[LiveGallery]:
    pytest.importorskip("spu")
    with LiveGallery(Gallery(VectorGrid(64, 400))) as gallery:
        gallery.enrol("north", [f"n{i}" for i in range(200)], FACES[:200])
        gallery.enrol("south", [f"s{i}" for i in range(100)], FACES[200:])
        gallery.remove(["n7", "s99"])
        gallery.enrol("north", ["n7"], FACES[7:8])
        yield gallery


@pytest.mark.parametrize("question", [Best(), Best(0.8, score=False), Top(5), Top(3, 0.2, score=False), AnyAbove(0.8)],
                         ids=repr)  # fmt: skip
def test_aby3_gives_the_same_integers(shared_gallery: LiveGallery, question: Question) -> None:
    grid = shared_gallery.gallery.grid
    rows = np.concatenate([FACES[:7], FACES[8:299], FACES[7:8]])
    queries = np.concatenate([FACES[[7, 123]] + vectors(2, 64) / 4, vectors(1, 64, seed=9)])
    answer = shared_gallery.ask(question, queries, "clinic", ["clinic"])
    clear = LiveGallery(Gallery(grid), InTheClear())
    clear.enrol("x", list(shared_gallery.gallery.names), rows)
    wanted = clear.ask(question, queries, "clinic", ["clinic"])
    assert answer.names == wanted.names
    if isinstance(question, AnyAbove):
        assert answer.matches.found is not None and wanted.matches.found is not None
        assert answer.matches.found.tolist() == wanted.matches.found.tolist() == [True, True, False]
    elif question.score:
        assert answer.matches.cosines is not None and wanted.matches.cosines is not None
        tolerance = 0.0 if isinstance(question, Best) else 1e-6
        assert np.abs(answer.matches.cosines - wanted.matches.cosines).max() <= tolerance


def test_cheetah_tells_whether_any_is_near() -> None:
    pytest.importorskip("spu")
    committee = Committee(("left", "right"), CHEETAH)
    faces = vectors(8, 16)
    with LiveGallery(Gallery(VectorGrid(16, 30), committee)) as gallery:
        gallery.enrol("left", [str(i) for i in range(8)], faces)
        queries = np.stack([faces[5] + 0.05, -faces[5]])
        answer = gallery.ask(AnyAbove(0.9), queries, "right", ["right"])
    assert answer.matches.found is not None and answer.matches.found.tolist() == [True, False]
    assert FIXED.field_bits == 64


def test_the_benchmark_runs() -> None:
    pytest.importorskip("spu")
    from benchmarks import mpc_matching

    found = mpc_matching.measure(60, 32, repeats=1, names=("best, index and cosine", "top 5 in order, cosines"))
    assert [one.name for one in found] == ["enrolment", "best, index and cosine", "top 5 in order, cosines"]
    assert all(one.right and one.seconds > 0 for one in found) and all(one.sent > 0 for one in found[1:])
    assert "yes" in mpc_matching.table(found)
