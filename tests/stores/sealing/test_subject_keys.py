"""Answers for `privis.stores.sealing.subject_keys`, `privis.stores.sealing.key_ring` and
`privis.stores.sealing.sealed_rows`.
"""

from __future__ import annotations

import copy
import pickle
import sqlite3
import stat
from random import Random

import numpy as np
import pytest
from cryptography.exceptions import InvalidTag

from privis.errors import OutputError, ParameterError
from privis.stores.sealing import SubjectKeys, seal, unseal

STORE = "ab" * 16


def test_keys_are_drawn_once_read_again_and_dropped(tmp_path):
    keys = SubjectKeys.create(tmp_path / "keys", STORE)
    ring = keys.draw(["ann", "bob", "ann"])
    assert len(ring) == 2 and len(keys.draw(["bob", "eve"])) == 3
    read = SubjectKeys.open(tmp_path / "keys", STORE).read()
    assert sorted(read.subjects(np.arange(3))) == ["ann", "bob", "eve"]
    place = int(read.places_of(["ann"])[0])
    sealed = seal(ring.cipher(int(ring.places_of(["ann"])[0])), b"content", b"here")
    assert unseal(read.cipher(place), sealed, b"here") == b"content"
    keys.drop([int(read.numbers[place])])
    assert keys.read().places_of(["ann", "bob"]).tolist()[0] == -1
    assert stat.S_IMODE((tmp_path / "keys").stat().st_mode) == 0o600
    again = keys.draw(["ann"])
    with pytest.raises(InvalidTag):
        unseal(again.cipher(int(again.places_of(["ann"])[0])), sealed, b"here")


@pytest.mark.parametrize("seed", range(3))
def test_a_dropped_key_is_in_no_byte_of_the_file_or_its_folder(tmp_path, monkeypatch, seed):
    """However many are drawn and dropped in turn, names of all lengths among them, and tables written anew."""
    monkeypatch.setattr("privis.stores.sealing.subject_keys._FEWEST_DROPPED", 50)
    keys, random = SubjectKeys.create(tmp_path / "keys", STORE), Random(seed)
    gone: list[bytes] = []
    for turn in range(8):
        lengths = [random.choice((1, 5, 40, 300, 5000 if random.random() < 0.02 else 3)) for _ in range(120)]
        ring = keys.draw([f"person {turn} {place} {'x' * length}." for place, length in enumerate(lengths)])
        assert (np.diff(ring.numbers) > 0).all()
        names = ring.subjects(np.arange(len(ring)))
        picked = random.sample(range(len(ring)), random.randrange(len(ring)))
        dropped = [ring._keys[32 * place :][:32] for place in picked] + [names[place].encode() for place in picked]
        before = (tmp_path / "keys").read_bytes()
        assert all(each in before or len(each) > 4000 for each in dropped), "the control"
        gone += dropped
        random.choice((keys.drop, keys.settle))([int(ring.numbers[place]) for place in picked])
        after = (tmp_path / "keys").read_bytes()
        assert not [each for each in gone if each in after]
        assert [path.name for path in tmp_path.iterdir()] == ["keys"]
        left = keys.read()
        kept = sorted(set(range(len(ring))) - set(picked))
        assert left.subjects(np.arange(len(left))) == [names[place] for place in kept]
        assert left._keys == b"".join(ring._keys[32 * place :][:32] for place in kept)


def test_a_change_that_began_is_told_until_it_is_settled(tmp_path):
    keys = SubjectKeys.create(tmp_path / "keys", STORE)
    ring = keys.draw(["ann", "bob"])
    assert keys.unsettled()
    keys.settle(ring.numbers[ring.places_of(["ann"])].tolist(), note="a text")
    assert not keys.unsettled() and len(keys.read()) == 1 and keys.text("note") == "a text"
    assert keys.text("another") is None
    assert len(keys.draw(["bob"])) == 1 and keys.unsettled(), "though no key is new"


def test_every_change_is_a_version(tmp_path):
    keys = SubjectKeys.create(tmp_path / "keys", STORE)
    seen = [keys.version()]
    assert keys.version() == seen[0]
    for change in (lambda: keys.draw(["a"]), keys.settle, lambda: keys.drop(keys.read().numbers.tolist())):
        change()
        seen.append(keys.version())
    assert len(set(seen)) == 4


def test_secrets_are_shown_to_nobody(tmp_path):
    ring = SubjectKeys.create(tmp_path / "keys", STORE).draw(["ann"])
    assert repr(ring) == "<KeyRing: 1 keys, secret>"
    for taken in (pickle.dumps, copy.deepcopy):
        with pytest.raises(TypeError, match="secret"):
            taken(ring)


def test_what_is_no_file_of_keys_is_refused(tmp_path):
    keys = SubjectKeys.create(tmp_path / "keys", STORE)
    keys.draw(["ann"])
    with pytest.raises(OutputError, match="never overwritten"):
        SubjectKeys.create(tmp_path / "keys", STORE)
    with pytest.raises(ParameterError, match="another index"):
        SubjectKeys.open(tmp_path / "keys", "cd" * 16)
    with pytest.raises(ParameterError, match="no such file"):
        SubjectKeys.open(tmp_path / "missing")
    (tmp_path / "text").write_text("a text")
    (tmp_path / "text").chmod(0o600)
    with pytest.raises(ParameterError, match="not a database"):
        SubjectKeys.open(tmp_path / "text")
    with sqlite3.connect(tmp_path / "keys") as connection:
        connection.execute("UPDATE about SET text = 'privis.subject-keys/2' WHERE name = 'format'")
    with pytest.raises(ParameterError, match=r"subject-keys/1.*update"):
        SubjectKeys.open(tmp_path / "keys")
    (tmp_path / "keys").chmod(0o640)
    with pytest.raises(ParameterError, match="mode 0640"):
        SubjectKeys.open(tmp_path / "keys")


def test_a_change_that_fails_changes_nothing(tmp_path):
    keys = SubjectKeys.create(tmp_path / "keys", STORE)
    ring = keys.draw(["ann"])
    (tmp_path / "keys").chmod(0o600)
    other = sqlite3.connect(tmp_path / "keys", isolation_level=None)
    other.execute("CREATE TRIGGER no BEFORE UPDATE ON keys BEGIN SELECT RAISE(ABORT, 'disk full'); END")
    other.close()
    with pytest.raises(OutputError, match="nothing of it was changed"):
        keys.drop(ring.numbers.tolist())
    assert len(keys.read()) == 1


def test_sealed_rows_belong_where_they_were_sealed(tmp_path):
    ring = SubjectKeys.create(tmp_path / "keys", STORE).draw(["ann"])
    sealed = seal(ring.cipher(0), b"content", b"here")
    assert sealed != seal(ring.cipher(0), b"content", b"here"), "a nonce of its own"
    for changed, where in ((sealed, b"there"), (sealed[:-1] + b"\0", b"here"), (b"\0" * 12 + sealed[12:], b"here")):
        with pytest.raises(InvalidTag):
            unseal(ring.cipher(0), changed, where)
