"""Whatever breaks, the server lives on, says what was wrong, and keeps nothing that is not whole."""

from __future__ import annotations

import errno
import os
import socket
import threading
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from privis.errors import ProtocolError, ServiceError
from privis.run.he.wire import key_file as bundle
from privis.serve import store
from privis.serve.http.headers import binary_digest
from privis.serve.limits import MIB
from privis.serve.workers.memory import group_memory
from tests.serve.place import LIMITS, Running, new_place, serving, until
from tests.serve.test_server import metrics, post, total
from tests.serve.toy import Adder, message, spec_digest


def lives(running: Running) -> None:
    """A stranger's mishap leaves no file behind, and the next one is served."""
    until(lambda: running.left() == [])
    path, keys = running.place.keys()
    with running.client("bob") as client:
        assert total(client.compute("sum", client.send_keys("sum", path), message(keys, [20, 22]))) == 42


@pytest.mark.parametrize("what", ["keys", "message"])
def test_a_client_killed_in_the_middle_of_an_upload_leaves_nothing(running, what):
    path, keys = running.place.keys(size=3 * MIB)
    with running.client() as client:
        digest = bundle.inspect(path).digest if what == "keys" else client.send_keys("sum", path)
    token, host = running.place.token("alice").header, running.url.removeprefix("http://")
    place = f"PUT /v1/offers/sum/keys/{digest}" if what == "keys" else "POST /v1/offers/sum/jobs"
    head = f"{place} HTTP/1.1\r\nHost: {host}\r\nAuthorization: {token}\r\nPrivis-Keys: {digest}\r\n"
    name, port = host.split(":")
    body = path.read_bytes() if what == "keys" else message(keys, [1] * 400_000)
    with socket.create_connection((name, int(port))) as link:
        link.sendall(f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body[: len(body) // 2])
        until(lambda: running.left() != [])
    lives(running)
    with running.http() as http:
        assert http.head(f"/v1/offers/sum/keys/{digest}").status_code == (404 if what == "keys" else 204)
        assert metrics(http)["privis_spool_bytes"] == metrics(http)["privis_uploads"] == 0


@pytest.mark.parametrize(
    ("kind", "offer", "said"),
    [
        (
            bundle.KeyKind.SECRET,
            "sum",
            "got a secret key, expected evaluation keys; a secret key never leaves its owner",
        ),
        (bundle.KeyKind.PUBLIC, "sum", "got a specification.*, expected evaluation keys"),
        (bundle.KeyKind.EVALUATION, "other", "keys of another program.*make new keys"),
    ],
)
def test_only_evaluation_keys_of_this_program_are_taken(running, monkeypatch, kind, offer, said):
    path = running.place.folder / f"{kind.name}-{offer}"
    found = bundle.write(path, kind, spec_digest(offer), os.urandom(3 * MIB))
    written = []
    monkeypatch.setattr(store, "_write", lambda file, data: written.append(data))
    with running.http() as http, running.client() as client:
        answer = http.put(f"/v1/offers/sum/keys/{found.digest}", content=path.read_bytes())
        assert answer.status_code == 400 and answer.json()["kind"] == "protocol"
        with pytest.raises(ProtocolError, match=said):
            client.send_keys("sum", path)
    assert written == [], "refused by its header, before anything is on the disk"
    monkeypatch.undo()
    lives(running)


def test_damaged_and_misnamed_keys_are_not_kept(running):
    path, _ = running.place.keys(size=MIB)
    whole = path.read_bytes()
    digest = bundle.inspect(path).digest
    changed = bytearray(whole)
    changed[-5] ^= 1
    longer = bytearray(whole)
    longer[55] ^= 1  # the length
    with running.http() as http:
        for content in (changed, longer, whole[:-1], whole + b"x", whole[:50], b"", os.urandom(500)):
            answer = http.put(f"/v1/offers/sum/keys/{digest}", content=bytes(content))
            assert answer.status_code == 400 and answer.json()["problems"][0]["expected"], answer.text
        assert http.put(f"/v1/offers/sum/keys/{'0' * 64}", content=whole).status_code == 400
        assert http.put("/v1/offers/sum/keys/short", content=whole).status_code == 400
        assert http.put(f"/v1/offers/none/keys/{digest}", content=whole).status_code == 404
        assert http.head(f"/v1/offers/sum/keys/{digest}").status_code == 404
    lives(running)


def test_messages_of_other_keys_and_damaged_ones(running):
    path, keys = running.place.keys()
    good = message(keys, [1, 2])
    with running.client() as client:
        digest = client.send_keys("sum", path)
        for wrong, said in (
            (message(b"older keys", [1]), "a message of other keys"),
            (good[:-3], "expected a head and integers"),
            (b"", "0 bytes"),
            (b"\0" + good[1:], "something else"),
        ):
            with pytest.raises(ProtocolError, match=said):
                client.compute("sum", digest, wrong)
        with pytest.raises(ServiceError, match="unexpected ZeroDivisionError"):
            client.compute("sum", digest, message(keys, [1], "raise"))
        with pytest.raises(ServiceError, match="a worker that ended with exit status 3"):
            client.compute("sum", digest, message(keys, [1], "die"))
    with running.http() as http:
        headers = {"Privis-Keys": digest, "Content-Digest": binary_digest("00" * 32)}
        answer = http.post("/v1/offers/sum/jobs", content=good, headers=headers)
        assert answer.status_code == 400 and "changed on its way" in answer.text
    lives(running)


@settings(max_examples=60)
@given(
    method=st.sampled_from(["GET", "PUT", "POST", "DELETE", "PATCH", "HEAD"]),
    path=st.sampled_from(["/v1/offers/sum/jobs", "/v1/offers/sum/keys/" + "0" * 64, "/v1/jobs/" + "f" * 64])
    | st.text(st.characters(codec="ascii", categories=["L", "N", "P"]), max_size=40).map(lambda text: f"/v1/{text}"),
    content=st.binary(max_size=2000),
    names=st.dictionaries(
        st.sampled_from(["Privis-Keys", "Idempotency-Key", "Content-Digest", "Accept", "Range"]),
        st.text(st.characters(codec="ascii", categories=["L", "N", "P"]), max_size=70),
    ),
)
def test_random_requests_are_refused_and_nothing_more(running, method, path, content, names):
    with running.http() as http:
        answer = http.request(method, path.replace("?", "").replace("#", ""), content=content, headers=names)
        assert 400 <= answer.status_code < 500, answer.text
        assert http.get("/healthz").status_code == 200


@settings(max_examples=30)
@given(content=st.binary(max_size=300))
def test_random_messages_are_refused_by_the_worker(running, content):
    path = running.place.folder / "fuzz.key"
    if not path.exists():
        bundle.write(path, bundle.KeyKind.EVALUATION, spec_digest("sum"), b"keys")
    with running.client() as client:
        digest = client.send_keys("sum", path)
        with pytest.raises(ProtocolError):
            client.compute("sum", digest, content)


@pytest.mark.parametrize(
    ("command", "amount", "said"),
    [
        ("hold", 400, "more memory than a worker may take"),
        ("fork and hold", 120, r"got .* MiB, expected at most .*job-memory"),
        ("spin", 60, r"more than 1.5 s.*job-seconds"),
    ],
)
def test_a_job_that_takes_too_much_is_ended_alone(tmp_path, command, amount, said):
    limits = replace(LIMITS, job_seconds=1.5 if command == "spin" else 30, job_memory=180 * MIB)
    with serving(new_place(tmp_path), limits) as running, running.client() as client:
        path, keys = running.place.keys()
        digest = client.send_keys("sum", path)
        with pytest.raises(ServiceError, match=said):
            client.compute("sum", digest, message(keys, [1], command, amount))
        lives(running)
        with running.http() as http:
            until(lambda: metrics(http)["privis_workers"] == 1)


def test_fifty_clients_at_once_on_little_memory_are_queued(tmp_path):
    """Each job takes 60 MiB and there is memory for two: all get their sums, and never more than two at a time."""
    names = tuple(f"client{number}" for number in range(50))
    limits = replace(LIMITS, memory=200 * MIB, job_memory=100 * MIB, jobs_at_once=8)
    offering = Adder(memory=62 * MIB)
    with serving(new_place(tmp_path, names), limits, offering) as running:
        path, keys = running.place.keys()
        results, workers, most = {}, [], 0
        done = threading.Event()

        def ask(number, name):
            with running.client(name, patience=60) as client:
                digest = client.send_keys("sum", path)
                results[name] = total(client.compute("sum", digest, message(keys, [number, 1], "hold", 60)))

        def watch():
            nonlocal most
            with running.http(names[0]) as http:
                while not done.wait(0.1):
                    workers.append(metrics(http)["privis_workers"])
                    most = max(most, held_by_workers())

        threads = [threading.Thread(target=ask, args=pair) for pair in enumerate(names)]
        watcher = threading.Thread(target=watch)
        for thread in (*threads, watcher):
            thread.start()
        for thread in threads:
            thread.join()
        done.set()
        watcher.join()
        assert results == {name: number + 1 for number, name in enumerate(names)}
        assert max(workers) == 2, "one worker is 94 MiB by its estimate"
        assert 50 * MIB < most <= limits.memory
        until(lambda: running.left() == [])


def held_by_workers() -> int:
    """Memory of all process groups that began in a child's child of this process: workers."""
    mine = str(os.getpid())
    parents = {}
    for name in os.listdir("/proc"):
        if name.isdecimal():
            try:
                with open(f"/proc/{name}/stat") as file:
                    parents[name] = file.read().rpartition(")")[2].split()[1]
            except OSError:
                continue
    return sum(group_memory(int(pid)) for pid, parent in parents.items() if parents.get(parent) == mine)


def full(file, data):
    raise OSError(errno.ENOSPC, "No space left on device")


@pytest.mark.parametrize("what", ["keys", "message"])
def test_a_full_disk_is_said_and_survived(running, monkeypatch, what):
    path, keys = running.place.keys()
    with running.client(patience=0.5) as client, running.http() as http:
        digest = bundle.inspect(path).digest if what == "keys" else client.send_keys("sum", path)
        with monkeypatch.context() as patch:
            patch.setattr(store, "_write", full)
            with pytest.raises(ServiceError, match="status 507; a full disk"):
                if what == "keys":
                    client.send_keys("sum", path)
                else:
                    client.compute("sum", digest, message(keys, [1]))
            assert running.left() == [] and metrics(http)["privis_spool_bytes"] == 0
        assert client.send_keys("sum", path) == digest
        assert total(client.compute("sum", digest, message(keys, [1]))) == 1
    lives(running)


def test_a_disk_without_its_reserve_takes_nothing(tmp_path):
    with serving(new_place(tmp_path), replace(LIMITS, disk_reserve_bytes=1 << 60)) as running, running.http() as http:
        path, _ = running.place.keys()
        answer = http.put(f"/v1/offers/sum/keys/{bundle.inspect(path).digest}", content=path.read_bytes())
        assert answer.status_code == 507 and answer.headers["Retry-After"]
        assert http.get("/healthz").status_code == 200


def test_keys_beyond_the_cache_make_the_oldest_go_and_never_those_in_use(tmp_path):
    size = 100_000
    limits = replace(LIMITS, key_cache_bytes=2 * size + 1000, jobs_at_once=1)
    with serving(new_place(tmp_path), limits) as running, running.client() as client, running.http() as http:
        bundles = [running.place.keys(size=size) for _ in range(4)]
        digests = [client.send_keys("sum", path) for path, _ in bundles[:2]]
        slow = post(http, digests[0], message(bundles[0][1], [1], "spin", 3.0)).json()["id"]
        digests.append(client.send_keys("sum", bundles[2][0]))
        have = [http.head(f"/v1/offers/sum/keys/{digest}").status_code for digest in digests]
        assert have == [204, 404, 204], "the second was older than the first's use"
        waiting = post(http, digests[2], message(bundles[2][1], [1], "spin", 3.0)).json()["id"]
        with running.client(patience=0.3) as hasty, pytest.raises(ServiceError, match="status 507"):
            hasty.send_keys("sum", bundles[3][0])
        for job in (slow, waiting):
            http.delete(f"/v1/jobs/{job}")
        client.send_keys("sum", bundles[3][0])
        assert metrics(http)["privis_key_cache_bytes"] <= limits.key_cache_bytes


def test_a_spool_that_is_full_refuses_until_results_are_fetched(tmp_path):
    limits = replace(LIMITS, spool_bytes=4000)  # of two clients: 1000 are set aside for each
    with serving(new_place(tmp_path), limits) as running, running.client() as client, running.http() as http:
        path, keys = running.place.keys()
        digest = client.send_keys("sum", path)
        answers = [post(http, digest, message(keys, [n] * 50)) for n in range(3)]
        assert [answer.status_code for answer in answers] == [202, 202, 429]
        http.delete(answers[0].headers["Location"])
        assert post(http, digest, message(keys, [3])).status_code == 202
