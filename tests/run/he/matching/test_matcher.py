"""Encrypted matching: scores are the cosines, galleries change in place, and only the client can read."""

import json
import subprocess
import sys
from contextlib import suppress

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from privis.errors import ParameterError, ProtocolError
from privis.run.he.matching.matcher import EncryptedScoreGallery, Matcher, PlainGallery
from privis.run.he.matching.matching_cost import MatchingTimings, predicted
from privis.run.he.matching.matching_specification import ACCURACY, BLOCK, MOST_DIMENSION, PARAMETERS, MatchingSpec
from privis.run.he.owner.matching import MatchingOwner, calibrate
from privis.run.he.wire.framing import join, split

WIDE, SMALL, SECRET = MatchingSpec(512), MatchingSpec(24), MatchingSpec(24, encrypted=True)


def cosines(templates, query):
    return (templates / np.linalg.norm(templates, axis=1, keepdims=True)) @ (query / np.linalg.norm(query))


def vectors(count, dimension, seed=0):
    return np.random.default_rng(seed).normal(size=(count, dimension))


def named(count, first=0):
    return [f"t{number}" for number in range(first, first + count)]


def ask(gallery, owner, query, processes=1):
    return owner.scores(Matcher.open(gallery, owner.evaluation_keys(), processes).run(owner.query(query)))


@pytest.fixture(scope="module")
def owner():
    return MatchingOwner.generate(SMALL)


@pytest.fixture(scope="module")
def secret_owner():
    return MatchingOwner.generate(SECRET)


@pytest.fixture
def gallery():
    made = PlainGallery(SMALL)
    made.add(named(40), vectors(40, 24))
    return made


SHAPES = {
    "normal": lambda x: x,
    "never negative": lambda x: np.maximum(x, 0.0),  # as after a ReLU
    "nearly equal": lambda x: 1 + 0.1 * x,  # errors that all slots share would add up
    "sparse": lambda x: np.where(np.abs(x) > 2.5, x, 0.0) + np.eye(*x.shape),
}


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("encrypted", [False, True])
def test_scores_are_cosines_whatever_the_components(encrypted, shape):
    dimension = 512 if shape == "nearly equal" or not encrypted else 128
    spec = MatchingSpec(dimension, encrypted)
    key, templates = MatchingOwner.generate(spec), SHAPES[shape](vectors(64, dimension))
    query = SHAPES[shape](vectors(1, dimension, seed=1))[0] if shape != "sparse" else templates[9]
    if encrypted:
        gallery = EncryptedScoreGallery(spec)
        gallery.put("all", key.block(named(64), templates))
    else:
        gallery = PlainGallery(spec)
        gallery.add(named(64), templates)
    found = ask(gallery, key, query)
    assert found.names == tuple(named(64))
    assert np.abs(found.values - cosines(templates, query)).max() < ACCURACY / 5


@pytest.mark.parametrize("encrypted", [False, True])
@pytest.mark.parametrize("dimension", [1, 2, 3, 16, 17, 100])
def test_any_number_of_components(dimension, encrypted):
    spec = MatchingSpec(dimension, encrypted)
    key, templates, query = MatchingOwner.generate(spec), vectors(7, dimension), vectors(1, dimension, seed=1)[0]
    gallery = EncryptedScoreGallery(spec) if encrypted else PlainGallery(spec)
    if encrypted:
        gallery.put("all", key.block(named(7), templates))
    else:
        gallery.add(named(7), templates)
    np.testing.assert_allclose(ask(gallery, key, query).values, cosines(templates, query), atol=ACCURACY / 5)


def test_several_blocks_in_several_processes_and_one_query_ciphertext(owner):
    templates, query = vectors(2 * BLOCK + 5, 24), vectors(1, 24, seed=1)[0]
    gallery = PlainGallery(SMALL)
    heard: list[float] = []
    gallery.add(named(len(templates)), templates, heard.append)
    assert heard == sorted(heard) and heard[-1] == 1.0
    keys, message, done = owner.evaluation_keys(), owner.query(query), []
    replies = [Matcher.open(gallery, keys, processes).run(message, done.append) for processes in (1, 2)]
    assert done == pytest.approx([1 / 3, 2 / 3, 1.0] * 2)
    expected = cosines(templates, query)
    for reply in replies:
        found = owner.scores(reply)
        assert np.abs(found.values - expected).max() < ACCURACY / 5
        best = np.argsort(-expected)[:10]
        assert [name for name, _ in found.top(10)] == [f"t{index}" for index in best]
        assert found.top(3)[0][1] == pytest.approx(expected[best[0]], abs=ACCURACY)
    assert len(message) == pytest.approx(SMALL.query_bytes, rel=0.05)


@pytest.mark.parametrize("encrypted", [False, True])
@pytest.mark.parametrize(("dimension", "count"), [(16, 5), (100, 130), (512, 65), (2000, 3), (4864, 9), (8200, 1)])
def test_small_blocks_and_long_vectors_two_queries_at_a_time(dimension, count, encrypted):
    """Copies of a block share its diagonals; what is longer than a ciphertext comes in parts."""
    spec = MatchingSpec.fitting(dimension, count, encrypted)
    assert spec.block < BLOCK and spec.parts == -(-dimension // BLOCK)
    key, templates, queries = MatchingOwner.generate(spec), vectors(count, dimension), vectors(2, dimension, seed=1)
    gallery = EncryptedScoreGallery(spec) if encrypted else PlainGallery(spec)
    for start in range(0, count, spec.block):
        chosen = slice(start, start + spec.block)
        if encrypted:
            gallery.put(str(start), key.block(named(count)[chosen], templates[chosen]))
        else:
            gallery.add(named(count)[chosen], templates[chosen])
    matcher, message = Matcher.open(gallery, key.evaluation_keys(), 1), key.query(*queries)
    reply = matcher.run(message)
    for scores, query in zip(key.both_scores(reply), queries, strict=True):
        assert scores.names == tuple(named(count))
        np.testing.assert_allclose(scores.values, cosines(templates, query), atol=ACCURACY / 5)
    assert len(message) == pytest.approx(spec.query_bytes, rel=0.05)
    assert len(matcher.run(key.query(queries[0]))) == pytest.approx(spec.reply_bytes(len(gallery.blocks)), rel=0.05)
    with pytest.raises(ProtocolError):
        matcher.run(message[:-1])
    with pytest.raises(ParameterError, match="shape"):
        key.query(queries[0], queries[1][1:])
    with pytest.raises(ParameterError, match="direction"):
        key.query(queries[0], 0 * queries[1])


def test_more_templates_than_a_small_block_holds_make_several():
    spec = MatchingSpec.fitting(64, 70)
    key, templates, query = MatchingOwner.generate(spec), vectors(300, 64), vectors(1, 64, seed=1)[0]
    gallery = PlainGallery(spec)
    gallery.add(named(300), templates)
    assert spec.block == 128 and len(gallery.blocks) == 3
    gallery.remove(named(1, 200))
    found = ask(gallery, key, query, processes=2)
    assert len(found.names) == 299 and "t200" not in found.names
    np.testing.assert_allclose(found.values, np.delete(cosines(templates, query), 200), atol=ACCURACY / 5)
    cost = predicted(spec, 300, 1)
    assert cost.rotations == spec.turns - 1 + 3 * (spec.giants - 1 + len(spec.folds))
    assert predicted(MatchingSpec.fitting(512, 450), 450, 1).seconds < predicted(WIDE, 450, 1).seconds / 3


def test_the_same_query_never_looks_the_same(owner):
    query = vectors(1, 24)[0]
    assert owner.query(query) != owner.query(query)


def test_removed_templates_are_gone_and_other_blocks_are_not_encoded_again(owner):
    templates = vectors(BLOCK + 10, 24)
    gallery = PlainGallery(SMALL)
    gallery.add(named(len(templates)), templates)
    first, second = gallery.blocks
    gallery.remove(["t4097", "t4099"])
    assert gallery.blocks[0].encoded is first.encoded
    assert gallery.blocks[1].encoded is not second.encoded
    assert not second.rows[[1, 3]].any() and not gallery.blocks[1].rows[[1, 3]].any()
    found = ask(gallery, owner, templates[4097])
    assert "t4097" not in found.names and len(found.names) == BLOCK + 8
    assert found.values.max() < 0.99  # nothing left that equals it
    gallery.add(["again"], templates[4097:4098])
    assert len(gallery.blocks) == 2 and gallery.blocks[1].names[1] == "again"  # its slot is used again
    assert ask(gallery, owner, templates[4097]).top(1)[0][0] == "again"
    gallery.remove([name for name in gallery.blocks[1].names if name])
    assert len(gallery.blocks) == 1 and gallery.blocks[0] is first


def test_a_removal_reaches_the_scores_themselves(gallery, owner):
    """Not the names alone: the slot of a removed template scores zero."""
    templates = vectors(40, 24)
    gallery.remove(["t7"])
    reply = Matcher.open(gallery, owner.evaluation_keys(), 1).run(owner.query(templates[7]))
    slots = owner.secret.decrypt(split(reply, "reply")[1]).real
    assert abs(slots[7]) < ACCURACY and abs(slots[8] - cosines(templates[8:9], templates[7])[0]) < ACCURACY


def test_a_block_of_an_encrypted_gallery_is_replaced_by_its_owner(secret_owner):
    templates = vectors(30, 24)
    gallery = EncryptedScoreGallery(SECRET)
    gallery.put("a", secret_owner.block(named(20), templates[:20]))
    gallery.put("b", secret_owner.block(named(10, 20), templates[20:]))
    found = ask(gallery, secret_owner, templates[25], processes=2)
    assert found.top(1)[0][0] == "t25" and len(found.names) == 30
    gallery.put("b", secret_owner.block(named(3, 20), templates[20:23]))
    assert ask(gallery, secret_owner, templates[25]).names == tuple(named(23))
    gallery.drop("a")
    assert ask(gallery, secret_owner, templates[25]).names == tuple(named(3, 20))
    with pytest.raises(ParameterError, match="not here"):
        gallery.drop("a")


def test_blocks_beyond_the_memory_limit_are_encoded_at_each_query(owner):
    templates, query = vectors(BLOCK + 3, 24), vectors(1, 24, seed=1)[0]
    gallery = PlainGallery(SMALL, memory=SMALL.resident_bytes)
    gallery.add(named(len(templates)), templates)
    assert [block.encoded is None for block in gallery.blocks] == [False, True]
    np.testing.assert_allclose(ask(gallery, owner, query).values, cosines(templates, query), atol=ACCURACY / 5)


def test_an_empty_gallery_has_no_scores(owner):
    found = ask(PlainGallery(SMALL), owner, np.ones(24))
    assert found.names == () and found.top(5) == []


def test_what_cannot_be_enrolled_or_asked(gallery, owner, secret_owner):
    before = gallery.blocks
    for names, rows, words in (
        (["t1"], vectors(1, 24), "1 of them taken"),
        (["x", "x"], vectors(2, 24), "1 of them taken"),
        (["x"], vectors(2, 24), "1 names for 2 vectors"),
        (["x"], np.zeros((1, 24)), "length zero or not finite, the first at 0"),
        (["x"], np.full((1, 24), np.nan), "vectors that have a direction"),
        (["x"], vectors(1, 23), r"shape \(1, 23\)"),
    ):
        with pytest.raises(ParameterError, match=words):
            gallery.add(names, rows)
    with pytest.raises(ParameterError, match="not here"):
        gallery.remove(["t1", "nobody"])
    assert gallery.blocks is before
    with pytest.raises(ParameterError, match="different name"):
        secret_owner.block(["x", "x"], vectors(2, 24))
    with pytest.raises(ParameterError, match="direction"):
        owner.query(np.zeros(24))
    for wrong in (0, MOST_DIMENSION + 1, 2.5, True):
        with pytest.raises(ParameterError, match="1 to 65536 components"):
            MatchingSpec(wrong)
    for wrong in (0, 3, 64, 2 * BLOCK, 128.0):  # a query of 32 slots takes 128 copies at most
        with pytest.raises(ParameterError, match="a power of two from 128 to 4096"):
            MatchingSpec(24, block=wrong)
    with pytest.raises(ParameterError):
        PlainGallery(SECRET)
    with pytest.raises(ParameterError):
        EncryptedScoreGallery(SMALL)


def test_keys_and_messages_of_somebody_else(gallery, owner, secret_owner):
    stranger = MatchingOwner.generate(SMALL)
    matcher = Matcher.open(gallery, owner.evaluation_keys(), 1)
    with pytest.raises(ProtocolError, match="no cosines"):
        owner.scores(matcher.run(stranger.query(np.ones(24))))
    with pytest.raises(ProtocolError, match="no cosines"):
        stranger.scores(matcher.run(owner.query(np.ones(24))))
    with pytest.raises(ProtocolError, match="another level or scale"):
        matcher.run(secret_owner.query(np.ones(24)))
    with pytest.raises(ProtocolError, match="another level or scale"):
        matcher.run(owner.secret.encrypt(np.ones(4), 0, 2.0**30))
    with pytest.raises(ProtocolError, match="evaluation keys"):
        Matcher.open(gallery, MatchingOwner.generate(WIDE).evaluation_keys(), 1)
    other = EncryptedScoreGallery(SECRET)
    with pytest.raises(ProtocolError):
        other.put("x", MatchingOwner.generate(MatchingSpec(500, True)).block(["a"], vectors(1, 500)))


@pytest.fixture(scope="module")
def conversation(owner):
    """Gallery, keys, query and reply of one template."""
    gallery = PlainGallery(SMALL)
    gallery.add(["a"], np.ones((1, 24)))
    keys, query = owner.evaluation_keys(), owner.query(np.ones(24))
    return gallery, keys, query, Matcher.open(gallery, keys, 1).run(query)


@settings(max_examples=40)
@given(noise=st.binary(max_size=300), at=st.integers(0, 3000), cut=st.booleans())
def test_damaged_bytes_raise_protocol_errors_only(owner, conversation, noise, at, cut):
    """Of queries, keys and replies: a ProtocolError, or what still is a ciphertext; nothing else, and no crash."""
    gallery, keys, query, reply = conversation

    def damaged(data):
        return data[:at] + noise + (b"" if cut else data[at + len(noise) :])

    for data, use in (
        (keys, lambda d: Matcher.open(gallery, d, 1)),
        (query, lambda d: Matcher.open(gallery, keys, 1).run(d)),
        (reply, owner.scores),
    ):
        with suppress(ProtocolError):
            use(damaged(data))


def test_a_specification_is_json_and_its_digest_covers_it():
    specs = [SMALL, SECRET, WIDE, MatchingSpec(24, block=128), MatchingSpec(5000), MatchingSpec.fitting(5000, 9)]
    assert [MatchingSpec.from_json(spec.to_json()) for spec in specs] == specs
    assert len({spec.digest for spec in specs}) == len(specs)
    assert SMALL.to_json() == '{"matching": 1, "dimension": 24, "encrypted": false}'
    newer = b'{"matching": 1, "dimension": 24, "encrypted": false, "block": 128}'  # 1 knew no blocks
    numbers = b'{"matching": 1, "dimension": 24, "encrypted": 0}'
    for wrong in (
        newer,
        numbers,
        b"",
        b"{}",
        b"[]",
        b'{"matching": 1, "dimension": 9000, "encrypted": false}',
        b"\xff",
        b"3",
    ):
        with pytest.raises(ProtocolError):
            MatchingSpec.from_json(wrong)


def test_names_in_a_reply_are_checked(gallery, owner):
    reply = Matcher.open(gallery, owner.evaluation_keys(), 1).run(owner.query(np.ones(24)))
    _, part = split(reply, "reply")
    for names in ([], [["a"], ["b"]], [[1]], {}, [["a"] * (BLOCK + 1)], 3):
        with pytest.raises(ProtocolError):
            owner.scores(join([json.dumps(names).encode(), part]))


def test_the_server_side_cannot_import_decryption():
    code = "import sys, privis.run.he.matching.matcher, privis.run.he.matching.matching_cost; print([*sys.modules])"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert "privis.run.he.backends.seal'" in loaded
    assert "seal_secret" not in loaded and "matching_secret" not in loaded


def test_predicted_bytes_are_those_of_the_messages(secret_owner):
    """Sizes and rotations in closed form; seconds are compared with measured ones by the benchmark."""
    gallery = EncryptedScoreGallery(SECRET)
    block = secret_owner.block(named(50), vectors(50, 24))
    gallery.put("a", block)
    keys, query = secret_owner.evaluation_keys(), secret_owner.query(np.ones(24))
    reply = Matcher.open(gallery, keys, 1).run(query)
    cost = predicted(SECRET, 50, processes=1)
    assert cost.sent == pytest.approx(len(query) + len(reply), rel=0.3)
    assert SECRET.key_bytes == pytest.approx(len(keys), rel=0.1)
    assert SECRET.block_bytes == pytest.approx(len(block), rel=0.05)
    assert predicted(SECRET, 50, 1, machine=calibrate(SECRET)).seconds > 0
    twice = predicted(WIDE, 2 * BLOCK, 1).seconds / predicted(WIDE, BLOCK, 1).seconds
    assert 1.5 < twice < 2 and predicted(WIDE, 2 * BLOCK, 2).seconds < predicted(WIDE, 2 * BLOCK, 1).seconds
    on_the_fly = predicted(WIDE, 2 * BLOCK, 1, memory=0)
    assert on_the_fly.seconds > 2 * predicted(WIDE, 2 * BLOCK, 1).seconds
    assert on_the_fly.memory < predicted(WIDE, 2 * BLOCK, 1).memory - 60e6
    assert MatchingTimings() == MatchingTimings() and PARAMETERS.levels == 1
    threads = MatchingTimings(beside=2.0)  # two of one core: a second process gains nothing, and is started
    alone, both = (predicted(WIDE, 2 * BLOCK, processes, machine=threads).seconds for processes in (1, 2))
    assert alone == predicted(WIDE, 2 * BLOCK, 1).seconds and both == pytest.approx(alone + threads.fork)
