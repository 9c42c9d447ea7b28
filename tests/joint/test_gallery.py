"""Galleries on shares: they grow, shrink and answer as in the clear, and reveal nothing else.

Answers for `privis.joint.gallery` and `privis.joint.live_gallery`.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest

from privis.errors import ParameterError
from privis.joint import chained, live_gallery
from privis.joint import gallery as galleries
from privis.joint.gallery import ANSWER, FIXED, QUERY, Gallery
from privis.joint.live_gallery import LiveGallery
from privis.joint.runners import InTheClear
from privis.joint.statistics.sums import Committee
from privis.program import digest
from privis.run.mpc.job import Drop, Reveal
from privis.run.mpc.protocols import CHEETAH
from privis.tasks import (
    AllAbove,
    AnyAbove,
    Best,
    Claim,
    Count,
    Payload,
    PayloadFormat,
    Question,
    Top,
    VectorGrid,
    match,
)
from tests.tasks.expected import QUESTIONS, check_matches, expected, payloads, vectors


@pytest.mark.parametrize("payload", [None, PayloadFormat(2, 300)], ids=["vectors", "payloads"])
def test_a_gallery_grows_and_shrinks(monkeypatch: pytest.MonkeyPatch, payload: PayloadFormat | None) -> None:
    """After any sequence of changes it answers as a fresh gallery of what is left, and no variable is left over."""
    monkeypatch.setattr(galleries, "ROWS", 4)
    monkeypatch.setattr(live_gallery, "ROWS", 4)
    grid, clear = VectorGrid(5, 3), InTheClear()  # the gallery soon outgrows its capacity
    known = {f"t{i}": vector for i, vector in enumerate(vectors(20, 5))}
    carried = dict(zip(known, payloads(20), strict=True))
    live = LiveGallery(Gallery(grid, payload=payload), clear)
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
            rows = np.stack([known[name] for name in names])
            with_them = None if payload is None else np.stack([carried[name] for name in names])
            live.enrol(action, names, rows, lambda *done: heard.append(done), with_them)
            here += names
        assert live.gallery.names == tuple(here)
        held = {name for block in live.gallery.blocks for name in (block.variable, block.payloads)}
        assert set(clear.variables) == {name for name in held if payload or not name.startswith("payloads")}
        queries, rows = vectors(3, 5, seed=7), np.stack([known[name] for name in here])
        for question in (Top(2, score=True), AllAbove(0.4, 3)):
            answer = live.ask(question, queries, "dan", ["dan"])
            check_matches(grid, rows, queries, question, answer.matches)
        best = live.ask(Best(), queries, "dan", ["dan"])
        assert best.names == tuple((here[row],) for (row,) in expected(grid, rows, queries, Best()))
        claims = [here[-1], here[0], here[len(here) // 2]]
        answer = live.ask(Claim(0.1), queries, "dan", ["dan"], claims)
        wanted = match(Claim(0.1), queries, rows, claims=[here.index(name) for name in claims], grid=grid)
        assert answer.names is None and answer.matches.decisions.tolist() == wanted.decisions.tolist()
        if payload is not None:
            found = live.ask(Payload(0.4, 4), queries, "dan", ["dan"]).matches
            of_all = np.stack([carried[name] for name in here])
            wanted = match(Payload(0.4, 4), queries, rows, payloads=of_all, grid=grid)
            assert (
                found.payloads.tolist() == wanted.payloads.tolist() and found.counts.tolist() == wanted.counts.tolist()
            )
    assert heard[:2] == [(4, 6), (6, 6)]
    owners = {name: owner for b in live.gallery.blocks for name, owner in zip(b.names, b.owners, strict=True)}
    assert owners == {"t4": "ann", "t5": "ann", "t7": "bob", "t8": "cy", "t9": "cy", "t1": "cy", "t10": "ann"}


def test_names_claims_and_payloads_are_checked() -> None:
    live = LiveGallery(Gallery(VectorGrid(2, 3)), InTheClear())
    live.enrol("ann", ["a", "b"], np.eye(2))
    for names in (["a"], ["c", "c"], []):
        with pytest.raises(ParameterError, match="names"):
            live.gallery.enrolment("ann", names)
    with pytest.raises(ParameterError, match="not here"):
        live.remove(["z"])
    with pytest.raises(ParameterError) as error:
        live.enrol("ann", ["c"], np.eye(2), payloads=np.ones((2, 1)))
    assert [problem.where for problem in error.value.problems] == ["names", "payloads"]
    for question, claims, said in (
        (Claim(0.5), ["z"], "not here"), (Claim(0.5), [], "claims"), (Claim(0.5), ["a", "b"], "claims"),
        (Best(), ["a"], "claims"), (Payload(0.5), [], "without payloads"),
    ):  # fmt: skip
        with pytest.raises(ParameterError, match=said):
            live.ask(question, np.eye(2)[:1], "bob", ["bob"], claims)
    with pytest.raises(ParameterError, match="rows that are not here"):
        live.gallery.query(Claim(0.5), 1, "bob", ["bob"], [2])
    carrying = LiveGallery(Gallery(VectorGrid(2), payload=PayloadFormat(1)), InTheClear())
    for bad in (None, np.ones((3, 1)), np.full((2, 1), 256), np.full((2, 1), 0.5)):
        with pytest.raises(ParameterError, match="payloads"):
            carrying.enrol("ann", ["a", "b"], np.eye(2), payloads=bad)
    assert carrying.gallery.names == ()


@pytest.mark.parametrize("question", [*QUESTIONS, Claim(0.3)], ids=repr)
def test_a_query_reveals_its_answer_and_nothing_else(question: Question) -> None:
    gallery = Gallery(VectorGrid(4, 10), payload=PayloadFormat(2, 300) if isinstance(question, Payload) else None)
    job, gallery = gallery.enrolment("ann", ["a", "b", "c", "d"])
    assert not [step for step in job.instructions if isinstance(step, Reveal)]
    query = gallery.query(question, 2, "bob", ["cy"], [3, 0] if isinstance(question, Claim) else ())
    assert [step for step in query.instructions if isinstance(step, Reveal)] == [Reveal(ANSWER, ("cy",))]
    picked = ("claimed templates 0",) if isinstance(question, Claim) else ()
    assert query.instructions[-1] == Drop((QUERY, ANSWER, *picked))
    assert set(query.left) == set(query.resident)
    numbers = {AnyAbove: 1, Claim: 1, Count: 1, Best: 1}.get(type(question), 0)  # a cosine is packed into its number
    if isinstance(question, Top):
        numbers = question.count * (1 + question.score)
    elif isinstance(question, AllAbove | Payload):
        numbers = 1 + min(question.most, 4) * (2 if isinstance(question, Payload) else 1)
    assert np.prod(query.programs["match"].output_shapes[0]) == 2 * numbers


@pytest.mark.parametrize(
    "question", [Best(score=True), Best(0.5, score=True), Top(3), Top(3, 0.5, score=True)], ids=repr
)
def test_jobs_of_the_largest_gallery_that_a_grid_promises_can_be_built(question: Question) -> None:
    """What the ring holds is found when a job is built; a grid must not promise more."""
    grid = VectorGrid(4096, 10)
    names = tuple(map(str, range(grid.most)))
    gallery = Gallery(grid, blocks=(galleries.TemplateBlock("templates 0", names, ("ann",) * grid.most),))
    assert grid.most == 16383 and gallery.query(question, 1, "bob", ["bob"]).digest


def test_top_of_more_templates_than_a_power_of_two_can_be_built() -> None:
    names = tuple(map(str, range(70_000)))
    block = galleries.TemplateBlock("templates 0", names, ("ann",) * len(names))
    assert Gallery(VectorGrid(64), blocks=(block,)).query(Top(3), 1, "bob", ["bob"]).digest


def test_a_claim_touches_claimed_templates_alone_by_one_program(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live_gallery, "ROWS", 3)
    monkeypatch.setattr(galleries, "ROWS", 3)
    live = LiveGallery(Gallery(VectorGrid(4)), InTheClear())
    live.enrol("ann", list("abcdefgh"), vectors(8, 4))
    job = live.gallery.query(Claim(0.5), 3, "bob", ["bob"], [7, 0, 6])
    assert [declared.shape for declared in job.programs["match"].inputs] == [(3, 4), (1, 4), (2, 4)]
    single = {digest(live.gallery.query(Claim(0.5), 1, "bob", ["bob"], [row]).programs["match"]) for row in range(8)}
    assert len(single) == 1


def test_jobs_of_claims_one_after_another_are_one_job() -> None:
    gallery = Gallery(VectorGrid(4)).enrolment("ann", ["a", "b", "c"])[1]
    rows = gallery.grid.unit_vectors(vectors(3, 4))
    for claims in ([0, 1], [1, 0], [2, 2]):
        made = chained([gallery.asked_once(Claim(0.9), 1, "bob", ["bob"], [claim]) for claim in claims])
        arrays = {name: rows[1:2] if name.endswith("query") else rows for name in made.sources}
        assert InTheClear()(made, arrays)[ANSWER].tolist() == [float(claims[1] == 1)]


def test_more_than_asked_for_is_blotted_out() -> None:
    """What is revealed where more match than asked for is their being more: zeros beside it, whichever they are."""
    for chosen in ([0, 1], [2, 1], [0, 1, 2]):
        clear = InTheClear()
        live = LiveGallery(Gallery(VectorGrid(2), payload=PayloadFormat(2, 300)), clear)
        rows = np.array([[1.0, 0.01 * row] if row in chosen else [-1.0, 0.0] for row in range(4)])
        live.enrol("ann", list("abcd"), rows, payloads=payloads(4) + 1)
        for question in (AllAbove(0.5), Payload(0.5)):
            job = live.gallery.query(question, 1, "bob", ["bob"])
            revealed = clear(job, {QUERY: live.gallery.grid.unit_vectors(np.array([[1.0, 0.0]]))})[ANSWER]
            assert revealed.tolist() == [[2.0] + [0.0] * (revealed.shape[1] - 1)]


# On shares

FACES = vectors(300, 64, seed=3)
CARRIED = payloads(300)


@pytest.fixture(scope="module")
def shared_gallery() -> Iterator[LiveGallery]:
    pytest.importorskip("spu")
    with LiveGallery(Gallery(VectorGrid(64, 100), payload=PayloadFormat(2, 300))) as gallery:
        gallery.enrol("north", [f"n{i}" for i in range(200)], FACES[:200], payloads=CARRIED[:200])
        gallery.enrol("south", [f"s{i}" for i in range(100)], FACES[200:], payloads=CARRIED[200:])
        gallery.remove(["n7", "s99"])
        gallery.enrol("north", ["n7"], FACES[7:8], payloads=CARRIED[7:8])
        yield gallery


@pytest.mark.parametrize(
    "question",
    [Best(score=True), Best(0.8), Top(5, score=True), Top(3, 0.2), AnyAbove(0.8), Claim(0.8), Count(0.2),
     AllAbove(0.25, 2), Payload(0.8), Payload(0.25, 4)],
    ids=repr,
)  # fmt: skip
def test_aby3_gives_the_same_integers(shared_gallery: LiveGallery, question: Question) -> None:
    grid, names = shared_gallery.gallery.grid, shared_gallery.gallery.names
    order = [*range(7), *range(8, 299), 7]
    queries = np.concatenate([FACES[[7, 123]] + vectors(2, 64) / 4, vectors(1, 64, seed=9)])
    claims = ["n7", "n122", "n0"] if isinstance(question, Claim) else []
    answer = shared_gallery.ask(question, queries, "clinic", ["clinic"], claims)
    wanted = match(
        question,
        queries,
        FACES[order],
        claims=[names.index(name) for name in claims] or None,
        payloads=CARRIED[order] if isinstance(question, Payload) else None,
        grid=grid,
    )
    for name in ("indices", "decisions", "counts", "payloads"):
        got, right = getattr(answer.matches, name), getattr(wanted, name)
        assert (None if got is None else got.tolist()) == (None if right is None else right.tolist())
    if isinstance(question, AnyAbove | Claim):
        assert answer.matches.found is not None
        assert answer.matches.found.tolist() == [True, isinstance(question, AnyAbove), False]
    if wanted.cosines is not None:
        assert answer.matches.cosines is not None
        tolerance = 0.0 if isinstance(question, Best) else 1e-6
        assert np.abs(answer.matches.cosines - wanted.cosines).max() <= tolerance


def test_cheetah_tells_whether_any_is_near_and_whether_a_claim_holds() -> None:
    pytest.importorskip("spu")
    committee = Committee(("left", "right"), CHEETAH)
    faces = vectors(8, 16)
    with LiveGallery(Gallery(VectorGrid(16, 30), committee)) as gallery:
        gallery.enrol("left", [str(i) for i in range(8)], faces)
        queries = np.stack([faces[5] + 0.05, -faces[5]])
        answer = gallery.ask(AnyAbove(0.9), queries, "right", ["right"])
        claimed = gallery.ask(Claim(0.9), queries[[0, 0]], "right", ["right"], ["4", "5"])
    assert answer.matches.found is not None and answer.matches.found.tolist() == [True, False]
    assert claimed.matches.found is not None and claimed.matches.found.tolist() == [False, True]
    assert FIXED.field_bits == 64


def test_the_benchmark_runs() -> None:
    pytest.importorskip("spu")
    from benchmarks import mpc_matching

    names = ("claim (1:1) of at least 0.5", "16 bytes of payload, if 1", "best, index and cosine")
    found = mpc_matching.measure(60, 32, repeats=2, names=names)
    assert [one.name for one in found] == ["enrolment", *names]
    assert all(one.right and one.call >= one.seconds > 0 for one in found) and all(one.sent > 0 for one in found[1:])
    assert "yes" in mpc_matching.table(found) and "bar: call 0.1 s, 2 kB" in mpc_matching.table(found)
