"""``match`` as job files name it: what each answer tells, whom it names, what is refused; in the clear.

Answers for `privis.cli.joint.match`, `privis.cli.joint.match_options` and `privis.cli.joint.datasets`.
"""

import dataclasses

import numpy as np
import pytest

from privis.cli.joint import TASKS
from privis.errors import ParameterError
from privis.parties.job.policy import Policy, Rule
from privis.parties.job.specification import Specification, Use
from privis.parties.job.views import views_of
from privis.run.mpc.job import Reveal, Share
from tests.cli.test_joint_tasks import PARTIES, played, table

MATCH = TASKS["match"]
INPUTS = {"queries": Use("d", "queries"), "left": Use("a", "left"), "right": Use("b", "right")}
LEFT, RIGHT = [f"person {i}" for i in range(5)], [f"secret {i}" for i in range(4)]
NAMES = np.array([f"a/{i}" for i in range(5)] + [f"b/{i}" for i in range(4)])


def asking(inputs=INPUTS, **options):
    return Specification("faces", "match", PARTIES, inputs, {"matches": ("owner", "a")}, options)


@pytest.fixture()
def vectors(tmp_path):
    draw = np.random.default_rng(3)
    gallery, more, queries = draw.normal(size=(5, 8)), draw.normal(size=(4, 8)), draw.normal(size=(3, 8))
    queries[0], queries[1] = 2 * gallery[3], -more[1]
    more[3] = gallery[3] * 0.5  # another picture of the same person, at the other owner
    lent = {
        "queries": table(tmp_path / "queries.parquet", queries, ["q0", "q1", "q2"]),
        "left": table(tmp_path / "left.npz", gallery, LEFT),
        "right": table(tmp_path / "right.csv", more, RIGHT),
    }
    lent = {name: dataclasses.replace(one, payloads=("name",)) for name, one in lent.items()}
    templates = np.concatenate([gallery, more])
    cosines = queries @ templates.T / np.linalg.norm(queries, axis=1)[:, None] / np.linalg.norm(templates, axis=1)
    return lent, cosines


def test_matching_finds_what_cosines_say_and_keeps_names_at_home(vectors):
    lent, cosines = vectors
    job, outputs = played(asking(answer="top:3", score=True), lent)
    expected = np.argsort(-np.round(cosines, 4), axis=1, kind="stable")[:, :3]
    found = outputs["d"]["matches"]
    np.testing.assert_array_equal(found["templates"], NAMES[expected])
    np.testing.assert_allclose(found["cosines"], np.take_along_axis(cosines, expected, 1), atol=1e-3)
    assert found["queries"].tolist() == ["q0", "q1", "q2"] and outputs["b"] == outputs["c"] == {}
    theirs = outputs["a"]["matches"]
    np.testing.assert_array_equal(theirs["templates"], np.array(LEFT + [f"b/{i}" for i in range(4)])[expected])
    assert theirs["queries"].tolist() == ["d/0", "d/1", "d/2"]
    assert {source.owner for source in job.sources.values()} == {"a", "b", "d"}


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({}, {"templates"}),
        ({"threshold": 0.9}, {"templates", "decisions", "found"}),
        ({"answer": "top:2", "score": True}, {"templates", "cosines"}),
        ({"answer": "any", "threshold": 0.9}, {"decisions", "found"}),
        ({"answer": "count", "threshold": 0.9}, {"decisions", "found", "counts"}),
        ({"answer": "all:2", "threshold": 0.9}, {"templates", "decisions", "found", "counts"}),
        ({"answer": "payload:2", "threshold": 0.9, "payload": "name"}, {"decisions", "found", "counts", "payloads"}),
        ({"answer": "claim", "threshold": 0.9, "claims": ["left/3", "right/1", "left/3"]},
         {"claims", "decisions", "found"}),
    ],
    ids=lambda value: str(value.get("answer")) if isinstance(value, dict) else "",
)  # fmt: skip
def test_each_answer_tells_what_it_is_asked_for(vectors, options, told):
    lent, _ = vectors
    specification = asking(**options)
    job, outputs = played(specification, lent)
    found = outputs["d"]["matches"]
    assert set(found) == told | {"queries"}
    assert sum(isinstance(step, Reveal) for step in job.instructions) == 1
    assert "learn of each query" in MATCH.revealed(specification)
    if "decisions" in told:
        assert found["decisions"].tolist() == ["accepted", "rejected", "rejected"]
        assert found["found"].tolist() == [True, False, False]
    if "counts" in told:
        assert found["counts"].tolist() == [2, 0, 0]
    if "payloads" in told:
        assert found["payloads"].tolist() == [["person 3", "secret 3"], ["", ""], ["", ""]]
    if options.get("answer") == "all:2":
        assert found["templates"].tolist() == [["a/3", "b/3"], ["", ""], ["", ""]]


def test_more_than_asked_for_is_undecided(vectors):
    for answer, payload in (("all", {}), ("payload", {"payload": "name"})):
        _, outputs = played(asking(answer=answer, threshold=0.9, **payload), vectors[0])
        found = outputs["d"]["matches"]
        assert found["decisions"].tolist() == ["undecided", "rejected", "rejected"]
        assert found["counts"].tolist() == [2, 0, 0]
        assert found.get("templates", found.get("payloads")).tolist() == [[""], [""], [""]]


def test_a_claim_shares_claimed_templates_alone_and_names_them_to_their_owner(vectors):
    claims = {"answer": "claim", "threshold": 0.9, "claims": ["right/3", "left/0", "left/4"]}
    job, outputs = played(asking(**claims), vectors[0])
    rows = {name: source.declared.shape[0] for name, source in job.sources.items()}
    assert rows == {"templates left 0": 2, "templates right 0": 1, "query": 3}
    assert outputs["d"]["matches"]["claims"].tolist() == ["b/3", "a/0", "a/4"]
    assert outputs["a"]["matches"]["claims"].tolist() == ["b/3", "person 0", "person 4"]
    assert outputs["d"]["matches"]["found"].tolist() == [True, False, False]
    one = {"queries": INPUTS["queries"], "left": Use("a", "pairs")}
    lent = vectors[0] | {"left": vectors[0]["queries"]}
    _, outputs = played(asking(one, answer="claim", threshold=0.9), lent)
    assert outputs["d"]["matches"]["found"].tolist() == [True] * 3  # row i of one claims row i of the other
    job, _ = played(asking(answer="claim", threshold=0.9, claims=["left/0"] * 3), vectors[0])
    assert sum(isinstance(step, Share) for step in job.instructions) == 2  # nobody claims what the other owner has


@pytest.mark.parametrize("answer", ["top:999999999", "all:999999999", "payload:10"])
def test_room_for_more_templates_than_there_are_is_refused_at_once(vectors, answer):
    payload = {"payload": "name"} if answer.startswith("payload") else {}
    with pytest.raises(ParameterError, match="at most all 9"):
        played(asking(answer=answer, threshold=0.5, **payload), vectors[0])


def test_claims_that_do_not_fit_what_is_announced_are_refused(vectors):
    lent, _ = vectors
    for claims, said in ((["left/0"], "one for each"), (["left/5", "right/4", "left/0"], "left/5, right/4")):
        with pytest.raises(ParameterError, match=said):
            played(asking(answer="claim", threshold=0.5, claims=claims), lent)
    one = {name: INPUTS[name] for name in ("queries", "left")}
    with pytest.raises(ParameterError, match="3 queries and 5 templates"):
        played(asking(one, answer="claim", threshold=0.5), lent)


def test_payloads_come_from_what_their_owner_offers(vectors, tmp_path):
    lent, _ = vectors
    asked = asking(answer="payload", threshold=0.9, payload="code")
    np.savez(tmp_path / "left.npz", features=np.eye(5, 8), code=np.array(["A", "Bé", "", "D", "E"]))
    np.savez(tmp_path / "right.npz", features=-np.eye(4, 8), code=np.arange(4))
    np.savez(tmp_path / "queries.npz", features=np.stack([np.eye(8)[1], -np.eye(8)[3], np.eye(8)[7]]))
    arrays = {
        name: dataclasses.replace(one, table=None, arrays=tmp_path / f"{name}.npz", payloads=("code",))
        for name, one in lent.items()
    }
    _, outputs = played(asked, arrays)
    assert outputs["d"]["matches"]["payloads"].tolist() == [["Bé"], ["3"], [""]]
    for change, said in (
        ({"payloads": ()}, "as its owner says"),
        ({"payloads": ("name",)}, "one of name"),
        ({"arrays": tmp_path / "queries.npz"}, "npz file with the array code"),
    ):
        wrong = arrays | {"left": dataclasses.replace(arrays["left"], **change)}
        with pytest.raises(ParameterError, match=said):
            played(asked, wrong)
    with pytest.raises(ParameterError, match="at most 1 bytes") as error:
        played(dataclasses.replace(asked, options={**asked.options, "payload_bytes": 1}), arrays)
    assert "Bé" not in str(error.value)


def test_a_column_of_payloads_is_no_component(vectors):
    lent, _ = vectors
    offered = dataclasses.replace(lent["left"], payloads=("name", "v0"))
    rows = MATCH.prepare(asking(answer="payload", threshold=0.5, payload="name"), "left", offered)
    assert rows.announcement.shapes == ((7,),) * 5  # v0 may be handed out, so no vector holds it


def test_options_that_do_not_fit_are_refused_all_at_once():
    for options, said in (
        ({"answer": "any"}, ["threshold: got nothing"]),
        ({"answer": "top"}, ["answer: got 'top'"]),
        ({"answer": "top:0"}, ["answer"]),
        ({"answer": "count:2", "threshold": 0.5}, ["answer"]),
        ({"answer": "all:x", "threshold": 0.5}, ["answer"]),
        ({"answer": "claim", "threshold": 0.5}, ["claims: got nothing"]),
        ({"answer": "claim", "threshold": 7, "claims": ["left", "queries/0", "left/-1", "left/0"]},
         ["Claim.threshold: got 7", "claims: got 'left', 'queries/0', 'left/-1'"]),
        ({"answer": "count", "score": True, "claims": ["left/0"], "payload": "name", "kilos": 1, "payload_bytes": 0},
         ["threshold: got nothing", "score: got true", "claims: got 1", "payload: got 'name'", "kilos",
          "payload_bytes"]),
        ({"answer": "payload", "threshold": 0.5}, ["payload: got nothing"]),
    ):  # fmt: skip
        with pytest.raises(ParameterError) as error:
            MATCH.releasing(asking(**options))
        for part in said:
            assert part in str(error.value), (options, str(error.value))
    lonely = Specification("f", "match", PARTIES, {"x": Use("a", "x")}, {"matches": ("a",)}, {"answer": "any"})
    with pytest.raises(ParameterError) as error:
        MATCH.build(lonely, {})
    for part in ("threshold: got nothing", "inputs: got x"):
        assert part in str(error.value)


def test_a_policy_allows_cosines_only_by_name():
    rule = Rule(("s",), ("match",), ("a", "b", "d"), inputs=("left",))
    for options, allowed in (({}, True), ({"score": False}, True), ({"score": True}, False), ({"score": 1}, False)):
        refused = Policy((rule,)).word_refusals("a", "s", asking(**options))
        assert bool(refused) != allowed, options
        assert not Policy((dataclasses.replace(rule, scores=True),)).word_refusals("a", "s", asking(**options))
    assert "scores = true" in str(Policy((rule,)).word_refusals("a", "s", asking(score=True))[0])


def test_views_say_what_is_revealed_and_what_is_public():
    specification = asking(answer="claim", threshold=0.5, claims=["left/0"])
    lines = views_of(specification, None, MATCH.revealed(specification))
    assert any("learn of each query whether its cosine to the template that it claims is at least 0.5" in line
               and "Which template each query claims is public" in line for line in lines)  # fmt: skip
    assert "cosine" in MATCH.revealed(asking(score=True)) and "cosine" not in MATCH.revealed(asking())
