"""Nobody's greed takes what is set aside for others, and a refused, broken or silent upload deletes nobody's keys."""

from __future__ import annotations

import asyncio
import os
from collections import Counter
from collections.abc import AsyncIterator, Container
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from privis.errors import ParameterError
from privis.serve.evictions import StoredKeys, victims
from privis.serve.fair_shares import OverShare, Shares
from privis.serve.http.tokens import Tokens
from privis.serve.limits import MIB, Limits
from privis.serve.service import Service
from privis.serve.store import NoSpace, Store
from tests.serve.place import new_place, serving
from tests.serve.test_server import post, total
from tests.serve.toy import Adder, message

NAMES = ("alice", "bob", "carol", "dave")


@given(
    limit=st.integers(1, 60),
    most=st.integers(0, 60),
    asks=st.lists(st.tuples(st.sampled_from(NAMES), st.integers(0, 12), st.booleans()), max_size=60),
)
def test_a_client_within_its_part_is_never_refused(limit, most, asks):
    shares, held = Shares(limit, len(NAMES), most), Counter()
    for client, amount, gives_back in asks:
        if gives_back:
            held[client] -= min(held[client], amount)
        elif shares.fits(held, client, amount):
            held[client] += amount
        else:
            assert held[client] + amount > min(shares.part, shares.each)
        assert held.total() <= limit and all(count <= shares.each for count in held.values())


bundles = st.lists(
    st.builds(StoredKeys, st.sampled_from(NAMES), st.uuids().map(str), st.integers(1, 30), st.integers(0, 99)),
    max_size=25,
)


@given(kept=bundles, client=st.sampled_from(NAMES), size=st.integers(1, 60), data=st.data())
def test_keys_in_use_and_those_of_a_client_within_its_share_stay(kept, client, size, data):
    limit = data.draw(st.integers(max(1, sum(each.size for each in kept)), 900))
    used = data.draw(st.sets(st.sampled_from(kept))) if kept else set()
    in_use = {(each.client, each.digest) for each in used}
    amount = sum(each.size for each in kept) + size - limit
    gone = victims(kept, StoredKeys(client, "new", size), amount, limit, in_use)
    held = Counter({client: size})
    for each in kept:
        held[each.client] += each.size
    share = limit // len(held)
    if gone is None:
        idle = [each for each in kept if each.client == client and each not in used]
        assert sum(each.size for each in idle) < amount, "one's own keys would have done"
        return
    assert not used & set(gone) and sum(each.size for each in gone) >= amount
    for each in gone:
        assert each.client == client or held[each.client] > share
        kept_besides = held[client] - size - sum(own.size for own in gone if own.client == client)
        assert each.client == client or not kept_besides or held[each.client] >= kept_besides + size
    for name in NAMES:
        mine = [each.used for each in gone if each.client == name]
        left = [each.used for each in kept if each.client == name and each not in gone and each not in used]
        assert not mine or not left or max(mine) <= min(left), "what was not used for longest goes first"


def test_who_uploads_more_than_its_share_takes_nothing_from_who_holds_less():
    alice, bobs = StoredKeys("alice", "a", 6), StoredKeys("bob", "b", 4, 9)
    assert victims([alice, bobs], StoredKeys("bob", "c", 4), 4, 10, {("bob", "b")}) is None, (
        "he would hold 8, she holds 6"
    )
    assert victims([alice], StoredKeys("bob", "c", 5), 1, 10, set()) == [alice], (
        "he would hold 5, she holds more than that"
    )
    assert victims([replace(alice, size=5)], StoredKeys("bob", "c", 6), 1, 10, set()) is None, "she holds her share"


def take(
    store: Store,
    client: str,
    digest: str,
    size: int,
    *,
    sent: int | None = None,
    in_use: Container[tuple[str, str]] = frozenset(),
) -> None:
    """What a PUT does."""

    async def body() -> AsyncIterator[bytes]:
        yield bytes(size if sent is None else sent)

    def room(count: int) -> None:
        store.make_room_on_disk(count, StoredKeys(client, digest, size), in_use)

    async def upload() -> None:
        store.make_room_for_key(size, in_use, client, digest)
        try:
            store.keep_key(await store.receive(body(), size, lambda start: None, 0, room), client, digest, in_use)
        finally:
            store.release_key_room(size, client)

    asyncio.run(upload())


SPOOL = 8 * MIB
LIMITS = Limits(key_cache_bytes=8 * MIB, keys_bytes=8 * MIB, keys_per_client=4, spool_bytes=SPOOL, disk_reserve_bytes=0)
A, B, C, D, E = (letter * 64 for letter in "abcde")


@pytest.fixture
def store(tmp_path):
    made = Store(tmp_path / "state", LIMITS, NAMES)
    made.open()
    yield made
    made.close()


def kept(store: Store) -> set[tuple[str, str]]:
    return {(path.parent.name, path.name[0]) for path in (store.folder / "keys").glob("*/*")}


def test_a_refused_upload_deletes_nobodys_keys(store):
    take(store, "alice", A, MIB)
    for size in (9 * MIB, 512 * MIB, 1 << 62):
        with pytest.raises(NoSpace, match="nobody's keys were deleted"):
            take(store, "bob", B, size)
    assert kept(store) == {("alice", "a")} and store.arriving == 0


@pytest.mark.parametrize("sent", [0, MIB, 3 * MIB, 5 * MIB])
def test_an_upload_that_does_not_become_whole_deletes_nobodys_keys(store, sent):
    take(store, "alice", A, 5 * MIB)
    with pytest.raises(ParameterError):
        take(store, "bob", B, 4 * MIB, sent=sent)
    assert kept(store) == {("alice", "a")} and store.arriving == 0
    assert not list((store.folder / "unfinished").iterdir())


def test_what_is_only_announced_takes_nothing_from_anybody(store):
    take(store, "alice", A, 4 * MIB)
    for client in ("bob", "carol"):
        store.make_room_for_key(4 * MIB, set(), client, B)
    assert kept(store) == {("alice", "a")}
    take(store, "dave", D, 4 * MIB)
    assert kept(store) == {("alice", "a"), ("dave", "d")}
    with pytest.raises(OverShare, match="one after the other"):
        store._arriving["bob"] += MIB
        store.make_room_for_key(4 * MIB, set(), "bob", C)


def test_whoever_uploads_much_loses_its_own_keys(store):
    take(store, "alice", A, 2 * MIB)
    for digest in (B, C, D, E):
        take(store, "bob", digest, 3 * MIB)
    assert kept(store) == {("alice", "a"), ("bob", "d"), ("bob", "e")}
    for number in range(9):
        take(store, "bob", f"{number}" * 64, 10)
    assert kept(store) == {("alice", "a"), ("bob", "5"), ("bob", "6"), ("bob", "7"), ("bob", "8")}
    assert {len(str(used)) for used in store._used} and len(store._used) == 5, "nothing is remembered of keys that went"


def test_the_same_keys_again_take_no_room_twice(store):
    take(store, "alice", A, 5 * MIB)
    take(store, "bob", B, 3 * MIB)
    take(store, "alice", A, 5 * MIB, in_use={("alice", A), ("bob", B)})
    assert kept(store) == {("alice", "a"), ("bob", "b")} and store.cached == 8 * MIB


def test_the_order_of_uses_survives_a_clock_that_is_put_back_and_a_restart(store):
    for digest in (A, B):
        take(store, "alice", digest, 3 * MIB)
    assert store.has_key("alice", A)
    os.utime(store.key_path("alice", A), (1, 1))
    take(store, "alice", C, 3 * MIB)
    assert kept(store) == {("alice", "a"), ("alice", "c")}, "the one that was used last is kept"
    for digest, time in ((A, 5), (C, 4)):
        os.utime(store.key_path("alice", digest), (time, time))
    store.close()
    again = Store(store.folder, LIMITS, NAMES)
    again.open()
    assert again.cached == 6 * MIB and again.arriving == again.spooled == 0
    take(again, "alice", D, 3 * MIB)
    assert kept(again) == {("alice", "a"), ("alice", "d")}
    again.close()


def test_keys_of_a_client_whose_token_was_taken_back_go_with_it(store):
    take(store, "alice", A, MIB)
    take(store, "bob", B, MIB)
    store.close()
    again = Store(store.folder, LIMITS, ("bob", "carol"))
    again.open()
    assert kept(again) == {("bob", "b")}
    again.close()


def test_on_a_disk_that_is_too_small_keys_go_only_as_bytes_come(store, monkeypatch):
    """As if the disk had 6 MiB for everything."""
    disk = 6 * MIB

    def free() -> int:
        return disk - sum(path.stat().st_size for path in store.folder.rglob("*") if path.is_file())

    monkeypatch.setattr(store, "_free", free)
    take(store, "alice", A, 2 * MIB)
    take(store, "bob", B, MIB)
    take(store, "bob", C, 2 * MIB)
    store.make_room_for_key(2 * MIB, set(), "carol", D)
    assert kept(store) == {("alice", "a"), ("bob", "b"), ("bob", "c")}, "announced"
    with pytest.raises(NoSpace):
        store.make_room_for_key(7 * MIB, set(), "dave", E)
    store.release_key_room(2 * MIB, "carol")
    take(store, "carol", D, MIB + MIB // 2)
    assert kept(store) == {("alice", "a"), ("bob", "c"), ("carol", "d")}, "whoever held most"


def test_reservations_are_given_back_once(store):
    store.reserve_spool(1000, "alice")
    store.release_spool(1000, "alice")
    store.release_spool(1000, "alice")
    assert store.spooled == 0
    store.reserve_spool(10, "bob")
    assert store.spooled == 10


def test_a_part_of_the_spool_is_set_aside_for_each(store):
    shares = Shares(SPOOL, len(NAMES))
    for _ in range(shares.each // MIB):
        store.reserve_spool(MIB, "bob")
    with pytest.raises(OverShare, match="fetch or delete results"):
        store.reserve_spool(MIB, "bob")
    for name in NAMES:
        if name != "bob":
            store.reserve_spool(shares.part, name)
    assert store.spooled == SPOOL


def test_one_token_of_two_clients_is_refused(tmp_path):
    place = new_place(tmp_path)
    lines = (tmp_path / "tokens").read_text().splitlines()
    (tmp_path / "tokens").write_text(f"{lines[0]}\nother {lines[0].split(' ')[1]}\n")
    with pytest.raises(ParameterError, match="other with the token of another client, expected every token once"):
        Tokens.load(place.folder / "tokens")


def test_a_server_knows_its_clients(tmp_path):
    place = new_place(tmp_path)
    (tmp_path / "state" / "keys" / "gone").mkdir(parents=True)
    (tmp_path / "state" / "keys" / "gone" / A).write_bytes(b"x")
    service = Service.open([Adder()], tmp_path / "state", replace(LIMITS, memory=600 * MIB), ("alice",))
    service.close()
    assert not (tmp_path / "state" / "keys" / "gone").exists()
    (tmp_path / "state" / "keys" / "gone").mkdir()
    with serving(place) as running:
        assert not (tmp_path / "state" / "keys" / "gone").exists()
        path, keys = place.keys()
        with running.client() as client, running.http() as http:
            digest = client.send_keys("sum", path)
            assert total(client.compute("sum", digest, message(keys, [2]))) == 2
            assert post(http, digest, message(keys, [3])).status_code == 202
