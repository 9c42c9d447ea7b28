"""Encrypted decisions are those of the clear cosines, an answer inside the gap says so, and nothing else comes back.

Answers for `privis.run.he.matching.decision_circuit`, `decision_gallery`, `decision_matcher` and
`privis.run.he.owner.decision_owner`.
"""

from dataclasses import replace

import numpy as np
import pytest

from privis.errors import ParameterError, ProtocolError
from privis.run.he.matching.decision_gallery import EncryptedDecisionGallery, PlainDecisionGallery
from privis.run.he.matching.decision_matcher import DecisionMatcher
from privis.run.he.matching.decision_messages import Ask, Change
from privis.run.he.matching.decision_specification import ACCURACY, DecisionSpec
from privis.run.he.owner.decision_owner import DecisionOwner
from privis.run.he.wire.framing import join, split

DIMENSION, THRESHOLD, GAP = 24, 0.3, 0.2
SECRET = DecisionSpec(DIMENSION, THRESHOLD, GAP, templates=40_000, payload=3, encrypted=True)
GROUP, COLUMNS = SECRET.layout.group, SECRET.layout.columns
EDGE = GAP - 2e-4  # cosines of single precision are a little off
QUERY = np.random.default_rng(5).normal(size=DIMENSION)


def at_cosines(cosines, query=QUERY, seed=0):
    """Vectors of any length with these cosines to ``query``."""
    unit = query / np.linalg.norm(query)
    other = np.random.default_rng(seed).normal(size=(len(cosines), len(query)))
    other -= (other @ unit)[:, None] * unit
    other /= np.linalg.norm(other, axis=1, keepdims=True)
    found = np.asarray(cosines)[:, None] * unit + np.sqrt(1 - np.square(cosines))[:, None] * other
    return found * np.random.default_rng(seed).uniform(0.1, 30, size=(len(cosines), 1))


@pytest.fixture(scope="module")
def owner():
    return DecisionOwner.generate(SECRET)


@pytest.fixture(scope="module")
def engine(owner):
    return DecisionMatcher.open(EncryptedDecisionGallery(SECRET), owner.evaluation_keys()).engine


@pytest.fixture(scope="module")
def filled(owner):
    """Hard cosines; matches of one slot in both halves, in two rows of blocks and in two groups; far blocks."""
    near = [THRESHOLD + GAP + 1e-3, THRESHOLD - GAP - 1e-3, 1.0, -1.0, 1.0, 0.0, -THRESHOLD]
    numbers = [0, 1, 2, 3, 4, 5, 6, COLUMNS, 2 * COLUMNS + 9, GROUP, GROUP + COLUMNS]
    cosines = np.array([*near, 0.9, 0.8, 0.7, 0.6])
    payloads = [bytes([number % 256, 255, 0]) for number in numbers]
    gallery = EncryptedDecisionGallery(SECRET)
    for change in owner.enrolled(numbers, at_cosines(cosines), payloads):
        gallery.change(change)
    return gallery, numbers, cosines, payloads


@pytest.fixture(scope="module")
def replies(owner, engine, filled):
    """Of each question, and what was heard of the first one's progress."""
    matcher, heard = DecisionMatcher(filled[0], engine, 2), []
    asked = {Ask.PAYLOAD: None, Ask.COUNT: None, Ask.CLAIM: 2}
    made = {
        what: matcher.run(owner.query(7.0 * QUERY, what, template), heard.append) for what, template in asked.items()
    }
    return made, heard[: len(heard) // 3]


def ask(owner, matcher, what, template=None, query=QUERY):
    return owner.decisions(matcher.run(owner.query(query, what, template)))


def test_decisions_outside_the_gap_are_the_clear_ones(owner, filled, replies):
    _, numbers, cosines, payloads = filled
    made, heard = replies
    expected = tuple(number for number, cosine in zip(numbers, cosines, strict=True) if cosine >= THRESHOLD)
    found = owner.decisions(made[Ask.PAYLOAD])
    assert heard == sorted(heard)
    assert found.accepted == expected and found.undecided == () and found.count == len(expected)
    assert found.payloads == {n: p for n, p in zip(numbers, payloads, strict=True) if n in expected}
    assert owner.decisions(made[Ask.COUNT]).count == len(expected)
    assert owner.decisions(made[Ask.CLAIM]).accepted == (2,)


@pytest.mark.long
def test_what_is_left_after_a_removal_is_decided_as_before(owner, engine):
    vectors, payloads = at_cosines([0.9, 0.8, 0.7]), [b"abc", b"d", b"efg"]
    gallery = EncryptedDecisionGallery(SECRET)
    matcher = DecisionMatcher(gallery, engine, 1)
    for change in owner.enrolled([5, 6, 7], vectors, payloads) + owner.removed([6], vectors[1:2], payloads[1:2]):
        gallery.change(change)
    found = ask(owner, matcher, Ask.PAYLOAD)
    assert found.accepted == (5, 7) and found.payloads == {5: b"abc", 7: b"efg"}
    for change in owner.enrolled([6], -vectors[:1], [b"new"]):
        gallery.change(change)
    assert ask(owner, matcher, Ask.INDEX, query=-QUERY).accepted == (6,)


@pytest.mark.long
def test_many_queries_are_decided_as_in_the_clear(owner, engine, filled):
    gallery, numbers, *_ = filled
    matcher = DecisionMatcher(gallery, engine, 2)
    assert ask(owner, matcher, Ask.CLAIM, 3).accepted == ()
    assert ask(owner, matcher, Ask.INDEX, query=-QUERY).accepted == (3,)
    vectors = {}
    for seed in range(20):
        cosines = np.random.default_rng(seed).uniform(-1, 1, len(numbers))
        cosines[np.abs(cosines - THRESHOLD) < GAP] = -1.0
        query = np.random.default_rng(100 + seed).normal(size=DIMENSION)
        vectors[seed] = at_cosines(cosines, query, seed)
        other = EncryptedDecisionGallery(SECRET)
        for change in owner.enrolled(numbers, vectors[seed], [b""] * len(numbers)):
            other.change(change)
        found = ask(owner, DecisionMatcher(other, engine, 2), Ask.INDEX, query=query)
        assert found.accepted == tuple(n for n, c in zip(numbers, cosines, strict=True) if c > THRESHOLD)
        assert not found.undecided


def test_a_claim_tells_nothing_of_other_templates_and_a_count_nothing_of_places(owner, replies):
    _, claim = split(replies[0][Ask.CLAIM], "reply")
    slots = owner.secret.decrypt(claim)
    assert abs(slots[SECRET.layout.place(2)[2]] - 1) < 1e-3
    assert np.abs(np.delete(slots, SECRET.layout.place(2)[2])).max() < 1e-3  # 0 and 4 match, too
    _, count, mass = split(replies[0][Ask.COUNT], "reply")
    assert np.ptp(owner.secret.decrypt(count).real) < 0.05 and np.ptp(owner.secret.decrypt(mass).real) < 0.05


def test_inside_the_gap_answers_are_undecided_or_right(owner, engine):
    inside = THRESHOLD + EDGE * np.linspace(-1, 1, 41)
    gallery = EncryptedDecisionGallery(SECRET)
    for change in owner.enrolled(range(len(inside)), at_cosines(inside), [b"x"] * len(inside)):
        gallery.change(change)
    matcher = DecisionMatcher(gallery, engine, 1)
    found = ask(owner, matcher, Ask.INDEX)
    assert 20 in found.undecided and found.count is None  # at the threshold itself
    decided = {number: number in found.accepted for number in range(len(inside)) if number not in found.undecided}
    assert all(right == (inside[number] >= THRESHOLD) for number, right in decided.items())
    assert ask(owner, matcher, Ask.COUNT).count is None
    assert ACCURACY < GAP / 10


def test_a_removed_template_is_gone_from_the_ciphertexts_and_its_neighbours_stay(owner, engine):
    vectors, payloads = at_cosines([0.9, 0.8, 0.7]), [b"abc", b"d", b"efg"]
    gallery = EncryptedDecisionGallery(SECRET)
    (change,) = owner.enrolled([5, 6, 7], vectors, payloads)
    gallery.change(change)
    with pytest.raises(ProtocolError, match="free places"):
        gallery.change(change)
    (removal,) = owner.removed([6], vectors[1:2], payloads[1:2])
    gallery.change(removal)
    with pytest.raises(ProtocolError, match="taken ones"):
        gallery.change(removal)
    save = SealSave(gallery)
    for turn, slots in enumerate(SECRET.layout.ciphertexts(np.array([5, 7]), SECRET.unit_rows(vectors[[0, 2]]))):
        assert np.abs(owner.secret.decrypt(save.template(0, turn)) - slots).max() < 1e-4
    assert abs(owner.secret.decrypt(save.payload((0, 0), 0))[SECRET.layout.place(6)[2]]) < 1e-4
    matcher = DecisionMatcher(gallery, engine, 1)
    with pytest.raises(ProtocolError, match="claim"):
        matcher.run(owner.query(QUERY, Ask.CLAIM, 6))
    for again in owner.enrolled([6], -vectors[:1], [b"new"]):  # its place is used again
        gallery.change(again)
    assert np.abs(owner.secret.decrypt(SealSave(gallery).template(0, 0))).max() > 0.1
    for last in owner.removed([5, 6, 7], np.stack([vectors[0], -vectors[0], vectors[2]]), [b"abc", b"new", b"efg"]):
        gallery.change(last)
    assert not gallery.contents().blocks and ask(owner, matcher, Ask.COUNT).count == 0


class SealSave:
    """Bytes of a gallery's ciphertexts."""

    def __init__(self, gallery):
        self.contents, self.engine = gallery.contents(), gallery._engine

    def template(self, block, turn):
        return self.engine.save(self.contents.blocks[block].templates[turn])

    def payload(self, part, number):
        return self.engine.save(self.contents.payloads[part][number])


@pytest.mark.long
def test_a_gallery_of_the_server_answers_alike():
    spec = DecisionSpec(7, -THRESHOLD, GAP, templates=100, payload=2)  # free slots have a cosine of 0: above it
    key, query = DecisionOwner.generate(spec), QUERY[:7]
    gallery = PlainDecisionGallery(spec)
    gallery.add(["a", "b", "c"], at_cosines([0.9, -0.6, 0.6], query), [b"1", b"2", b"3"])
    matcher = DecisionMatcher.open(gallery, key.evaluation_keys(), 1)
    found = ask(key, matcher, Ask.PAYLOAD, query=query)
    assert found.accepted == (0, 2) and found.names == {0: "a", 2: "c"} and found.payloads == {0: b"1\0", 2: b"3\0"}
    gallery.remove(["a"])
    assert ask(key, matcher, Ask.COUNT, query=query).count == 1
    gallery.add(["d"], at_cosines([-1.0], query), [b"4"])
    assert gallery.names == ("d", "b", "c")
    with pytest.raises(ParameterError, match="taken"):
        gallery.add(["b"], at_cosines([0.1], query), [b"5"])
    with pytest.raises(ParameterError, match="at most 2 bytes"):
        gallery.add(["e"], at_cosines([0.1], query), [b"long"])
    with pytest.raises(ParameterError, match="not here"):
        gallery.remove(["a"])
    with pytest.raises(ParameterError, match="at most 100"):
        gallery.add([f"n{n}" for n in range(98)], at_cosines([0.1] * 98, query), [b""] * 98)


def test_replies_under_another_key_and_damaged_messages_are_refused(owner, engine, filled, replies):
    matcher = DecisionMatcher(filled[0], engine, 1)
    message, reply = owner.query(QUERY, Ask.INDEX), replies[0][Ask.PAYLOAD]
    with pytest.raises(ProtocolError, match="under this key"):
        DecisionOwner.generate(SECRET).decisions(reply)
    head, query = split(message, "query")
    for wrong in (
        b"{}",
        head.replace(b"index", b"scores"),
        head.replace(b"null", b"3"),
        head.replace(b"1", b"2"),
        b"[",
    ):
        with pytest.raises(ProtocolError, match="query"):
            matcher.run(join([wrong, query]))
    first, *parts = split(reply, "reply")
    for wrong in (
        b"[]",
        first.replace(b"[[0", b"[[7"),
        first.replace(b"payload", b"count"),
        first.replace(b"[]", b"[5]"),
    ):
        with pytest.raises(ProtocolError, match="reply"):
            owner.decisions(join([wrong, *parts]))
    for cut in (0, 10, len(message) // 2):
        with pytest.raises(ProtocolError):
            matcher.run(message[:cut])
    with pytest.raises(ProtocolError, match="evaluation keys"):
        DecisionMatcher.open(filled[0], b"none")
    (change,) = owner.enrolled([50], QUERY[None], [b""])
    head, *parts = split(change, "change")
    for wrong in (head.replace(b'"block": 0', b'"block": 99'), head.replace(b"[50]", b"[99999]"), b"7"):
        with pytest.raises(ProtocolError, match="change"):
            filled[0].change(join([wrong, *parts]))
    with pytest.raises(ProtocolError):
        filled[0].change(join([head, *parts[:-1], parts[0][:-9]]))
    assert not filled[0].contents().filled[50]
    assert Change.read(change, SECRET).added == (50,)


def test_wrong_questions_and_templates_are_refused_at_their_owner(owner):
    for what, template in ((Ask.CLAIM, None), (Ask.INDEX, 3), (Ask.CLAIM, 40_000), (Ask.CLAIM, -1)):
        with pytest.raises(ParameterError, match="template"):
            owner.query(QUERY, what, template)
    with pytest.raises(ParameterError, match="direction"):
        owner.query(np.zeros(DIMENSION), Ask.INDEX)
    without = DecisionOwner(replace(SECRET, payload=0), owner.secret)
    for what in (Ask.PAYLOAD, Ask.FETCH):
        with pytest.raises(ParameterError, match="has none"):
            without.query(QUERY, what)
    for numbers in ([0, 0], [0], [0, 40_000], [-1, 0]):
        with pytest.raises(ParameterError, match="numbers"):
            owner.enrolled(numbers, np.ones((2, DIMENSION)), [b"", b""])
    with pytest.raises(ParameterError, match="payloads"):
        owner.enrolled([0], np.ones((1, DIMENSION)))
    assert "secret" in repr(owner)
    with pytest.raises(TypeError, match="pickled"):
        owner.__reduce_ex__(4)
