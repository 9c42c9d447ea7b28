"""Slow, silent and greedy clients beside an honest one, who gets her result every time; nothing of them is left.

No greedy client is stopped by a clock here: what a server waits for is longer than what the honest client waits.

Answers for `privis.serve.http.connections` and `privis.serve.workers.scheduler`.
"""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Iterator
from dataclasses import dataclass, replace

import pytest

from privis.errors import ServiceError
from privis.run.he.wire import key_file as bundle
from tests.serve.place import LIMITS, Running, meanwhile, new_place, serving, until, until_closed
from tests.serve.test_server import metrics, post, total
from tests.serve.toy import message, spec_digest

MANY, VERY_MANY = 40, 120
PATIENT = 600.0
LARGE = [0] * 2000  # a message of nearly what is set aside for a client
GREED = replace(
    LIMITS,
    keys_bytes=300_000,
    key_cache_bytes=1_000_000,
    keys_per_client=5,
    arriving_bytes=600_000,
    spool_bytes=100_000,
    message_bytes=20_000,
    queued_jobs=10,
    queued_jobs_per_client=8,
    jobs_per_client=12,
    uploads_at_once=8,
    uploads_per_client=6,
    upload_idle_seconds=PATIENT,
    answer_idle_seconds=PATIENT,
    header_seconds=PATIENT,
    connections=32,
    connections_per_client=16,
)


@dataclass(frozen=True)
class Scene:
    """A server with Alice, who is honest and has keys there, and Mallory, who has keys there, too."""

    running: Running
    alice: str
    alices: bytes
    mallory: str
    mallorys: bytes

    def honest(self, number: int = 22) -> int:
        """What Alice gets for 20 and a number: an error if she does not get it soon."""
        with self.running.client("alice", patience=20.0) as client:
            return total(client.compute("sum", self.alice, message(self.alices, [20, number, *LARGE])))


@pytest.fixture(scope="module")
def scene(tmp_path_factory) -> Iterator[Scene]:
    with serving(new_place(tmp_path_factory.mktemp("greed"), ("alice", "mallory")), GREED) as running:
        found = {}
        for name in ("alice", "mallory"):
            path, keys = running.place.keys(size=200_000)
            with running.client(name) as client:
                found[name] = (client.send_keys("sum", path), keys)
        yield Scene(running, *found["alice"], *found["mallory"])


@contextlib.contextmanager
def held(scene: Scene, sent: bytes, count: int = MANY) -> Iterator[list[socket.socket]]:
    """Connections on which this was sent, and then nothing."""
    with contextlib.ExitStack() as stack:
        yield [stack.enter_context(contextlib.closing(scene.running.connect(sent))) for _ in range(count)]


def silent_messages(scene):
    """Forty uploads of messages of which nothing comes."""
    keys = f"Privis-Keys: {scene.mallory}"
    return held(scene, scene.running.head("POST /v1/offers/sum/jobs", "mallory", keys, "Content-Length: 15000"))


def silent_keys(scene):
    """Forty uploads that say they are as large as keys may be, of which nothing comes."""
    place = f"PUT /v1/offers/sum/keys/{'0' * 64}"
    return held(scene, scene.running.head(place, "mallory", f"Content-Length: {GREED.keys_bytes}"))


def silent_without_a_token(scene):
    """Connections that say nothing at all."""
    return held(scene, b"", VERY_MANY)


def half_a_head(scene):
    """Requests whose head does not end."""
    return held(scene, scene.running.head("GET /v1/offers", "mallory")[:-2], VERY_MANY)


def idle_after_an_answer(scene):
    """Connections that are kept after a request."""
    return held(scene, scene.running.head("GET /v1/offers", "mallory"), VERY_MANY)


@contextlib.contextmanager
def dripping(scene, name, *lines):
    """Uploads of which a byte comes now and then."""
    head = scene.running.head("POST /v1/offers/sum/jobs", name, *lines, "Content-Length: 15000")
    with held(scene, head, 20) as links:

        def drip() -> None:
            for link in links:
                with contextlib.suppress(OSError):
                    link.sendall(b"x")

        with meanwhile(drip):
            yield


def slow_messages(scene):
    """Messages by the byte."""
    return dripping(scene, "mallory", f"Privis-Keys: {scene.mallory}")


def slow_bodies_without_a_token(scene):
    """Bodies by the byte, for which there is a refusal since their head came."""
    return dripping(scene, "")


def long_polls_that_nobody_reads(scene):
    """Questions for news of a job that runs, from connections that are closed at once."""

    @contextlib.contextmanager
    def ask() -> Iterator[None]:
        with scene.running.http("mallory") as http:
            job = post(http, scene.mallory, message(scene.mallorys, [1], "spin", 60.0)).json()["id"]
            try:
                head = scene.running.head(f"GET /v1/jobs/{job}?wait=30", "mallory")
                for _ in range(MANY):
                    scene.running.connect(head).close()
                with held(scene, head):
                    yield
            finally:  # once the server knows that nobody waits any more
                until(lambda: http.delete(f"/v1/jobs/{job}").status_code == 204)

    return ask()


@contextlib.contextmanager
def requests_whose_answers_nobody_reads(scene):
    """Thousands of questions on a few connections, pipelined."""
    head = scene.running.head(f"HEAD /v1/offers/sum/keys/{scene.mallory}", "mallory")
    with held(scene, b"", 12) as links:

        def ask() -> None:
            for link in links:
                link.settimeout(0.01)
                with contextlib.suppress(OSError):
                    link.sendall(head * 20)

        with meanwhile(ask, 20):
            yield


@contextlib.contextmanager
def large_answers_that_nobody_reads(scene):
    """Megabytes of descriptions, pipelined and never read."""
    head = scene.running.head("GET /openapi.json", "mallory")
    with held(scene, head * 300, 12):
        yield


@contextlib.contextmanager
def aborted_uploads(scene):
    """Uploads of keys that break off in the middle."""
    head = scene.running.head(f"PUT /v1/offers/sum/keys/{'0' * 64}", "mallory", "Content-Length: 200000")

    def abort() -> None:
        scene.running.connect(head + bytes(30)).close()

    with meanwhile(abort, 200):
        yield


@contextlib.contextmanager
def many_small_keys(scene):
    """Forty bundles of a few bytes."""
    with scene.running.client("mallory", patience=0.0) as client:
        for _ in range(MANY):
            with contextlib.suppress(ServiceError):
                client.send_keys("sum", scene.running.place.keys(size=10)[0])
        yield


@contextlib.contextmanager
def keys_again_and_again(scene):
    """Bundles that together would fill the cache many times, each deleted after the next came."""
    paths = [scene.running.place.keys(size=280_000)[0] for _ in range(12)]
    with scene.running.client("mallory", patience=0.0) as client, scene.running.http("mallory") as http:
        for path, last in zip(paths, [None, *paths[:-1]], strict=True):
            with contextlib.suppress(ServiceError):
                client.send_keys("sum", path)
            if last is not None and paths.index(path) % 3 == 0:
                http.delete(f"/v1/offers/sum/keys/{bundle.inspect(last).digest}")
        yield


@contextlib.contextmanager
def jobs(scene, command, amount, size):
    """As many jobs as are taken, forty tried."""
    with scene.running.http("mallory") as http:
        answers = [
            post(http, scene.mallory, message(scene.mallorys, [number] * size, command, amount))
            for number in range(MANY)
        ]
        refused = [answer for answer in answers if answer.status_code != 202]
        assert refused and {answer.status_code for answer in refused} == {429}
        assert all(int(answer.headers["Retry-After"]) >= 1 and answer.json()["problems"] for answer in refused)
        try:
            yield
        finally:
            for answer in answers:
                if answer.status_code == 202:
                    http.delete(answer.headers["Location"])


def a_full_queue(scene):
    """All the places in the queue that one client may have."""
    return jobs(scene, "sleep", 0.3, 1)


def results_that_nobody_fetches(scene):
    """Results that are left where they are."""
    return jobs(scene, "add", 0.0, 1)


def a_full_spool(scene):
    """Large messages that wait."""
    return jobs(scene, "sleep", 0.3, 2400)


@contextlib.contextmanager
def names_of_others(scene):
    """Attempts on keys and jobs that are not one's own."""
    places = [f"/v1/offers/sum/keys/{scene.alice}", "/v1/jobs/" + "0" * 64]
    answers = []
    with scene.running.http("mallory") as http:

        def attack() -> None:
            answers.extend(http.request(method, place) for place in places for method in ("DELETE", "HEAD"))

        with meanwhile(attack, 50):
            yield
    assert {answer.status_code for answer in answers} <= {404}


GREEDY = (
    silent_messages,
    silent_keys,
    silent_without_a_token,
    half_a_head,
    idle_after_an_answer,
    slow_messages,
    slow_bodies_without_a_token,
    long_polls_that_nobody_reads,
    requests_whose_answers_nobody_reads,
    large_answers_that_nobody_reads,
    aborted_uploads,
    many_small_keys,
    keys_again_and_again,
    a_full_queue,
    results_that_nobody_fetches,
    a_full_spool,
    names_of_others,
)


def at_rest(running: Running) -> bool:
    """Nothing is reserved, kept or counted any more."""
    state = running.server._server.server_state
    with running.http("alice") as http:
        found = metrics(http)
    numbers = ("uploads", "arriving_bytes", "spool_bytes", "jobs_kept", "jobs_queued", "jobs_running")
    idle = all(found[f"privis_{name}"] == 0 for name in numbers)
    return idle and running.left() == [] and len(state.connections) <= 1 and len(state.tasks) <= 1


@pytest.mark.parametrize("greed", GREEDY, ids=lambda greed: greed.__name__)
def test_an_honest_client_beside_a_greedy_one_gets_her_result(scene, greed, caplog):
    running = scene.running
    with running.client("mallory") as client, running.http("mallory") as http:  # others may have used her keys up
        if http.head(f"/v1/offers/sum/keys/{scene.mallory}").status_code == 404:
            path = running.place.folder / "mallory.key"
            bundle.write(path, bundle.KeyKind.EVALUATION, spec_digest("sum"), scene.mallorys)
            assert client.send_keys("sum", path) == scene.mallory
            path.unlink()
    with greed(scene):
        assert [scene.honest(number) for number in (22, 23)] == [42, 43]
        path, keys = running.place.keys(size=100)
        with running.client("alice", patience=20.0) as client, running.http("alice") as http:
            digest = client.send_keys("sum", path)
            assert total(client.compute("sum", digest, message(keys, [1, 2]))) == 3
            assert http.delete(f"/v1/offers/sum/keys/{digest}").status_code == 204
    with running.http("alice") as http:
        assert http.head(f"/v1/offers/sum/keys/{scene.alice}").status_code == 204, "her keys are where they were"
        assert metrics(http)["privis_key_cache_bytes"] <= GREED.key_cache_bytes
    until(lambda: at_rest(running))
    assert not any(record.exc_info for record in caplog.records), "no client makes a traceback"


def test_all_greed_at_once(scene):
    """One greedy client that does most of it together."""
    with contextlib.ExitStack() as stack:
        for greed in (silent_keys, silent_without_a_token, half_a_head, aborted_uploads, slow_messages):
            stack.enter_context(greed(scene))
        assert scene.honest() == 42
    until(lambda: at_rest(scene.running))


def test_uploads_of_one_client_are_refused_beyond_its_share_and_no_sooner(scene):
    keys = f"Privis-Keys: {scene.mallory}"
    head = scene.running.head("POST /v1/offers/sum/jobs", "mallory", keys, "Content-Length: 1500")
    with held(scene, head, GREED.uploads_per_client), scene.running.http("alice") as alice:
        until(lambda: metrics(alice)["privis_uploads"] == GREED.uploads_per_client)
        with scene.running.http("mallory") as http:
            answer = post(http, scene.mallory, message(scene.mallorys, [1]))
        assert answer.status_code == 429 and answer.json()["kind"] == "share" and answer.headers["Retry-After"] == "2"
        assert answer.json()["problems"][0]["got"] == "6 uploads of yours at once"
    until(lambda: at_rest(scene.running))


def test_places_in_the_queue_are_kept_for_others(scene):
    with scene.running.http("mallory") as http, scene.running.http("alice") as alice:
        taken = [post(http, scene.mallory, message(scene.mallorys, [n], "sleep", 60.0)) for n in range(MANY)]
        hers = post(alice, scene.alice, message(scene.alices, [1]))
        assert hers.status_code == 202 and hers.json()["position"] < 10
        for client, answer in ((alice, hers), *((http, each) for each in taken if each.status_code == 202)):
            client.delete(answer.headers["Location"])
    until(lambda: at_rest(scene.running))


def test_requests_at_once_are_refused_beyond_a_share_until_their_client_goes_away(scene):
    with scene.running.http("mallory") as http:
        place = post(http, scene.mallory, message(scene.mallorys, [1], "spin", 60.0)).headers["Location"]
        until(lambda: http.get(place).json()["state"] == "running")
        paused = scene.running.head(f"GET {place}?wait=30", "mallory")
        with held(scene, paused, GREED.connections_per_client):
            until(lambda: http.get(place).status_code == 429)
            answer = http.get(place)
            assert answer.headers["Retry-After"] == "1" and "16 requests of yours at once" in answer.text
            assert scene.honest() == 42
        until(lambda: http.get(place).status_code == 200, 5.0)
        http.delete(place)
    until(lambda: at_rest(scene.running))


@pytest.mark.parametrize("greed", [silent_without_a_token, half_a_head, idle_after_an_answer])
def test_connections_that_wait_are_closed_beyond_a_share_the_oldest_first(scene, greed):
    state = scene.running.server._server.server_state
    with greed(scene) as links:
        until(lambda: len(state.connections) == GREED.connections_per_client)
        until_closed(links[0])
        links[-1].settimeout(0.01)
        with pytest.raises(TimeoutError):
            while links[-1].recv(1 << 16):
                pass
    until(lambda: at_rest(scene.running))


def test_a_client_waits_until_its_own_share_is_free_again(scene):
    refusals = 'privis_requests_total{method="POST",status="429"}'
    with scene.running.client("mallory", patience=20.0) as client, scene.running.http("mallory") as http:
        taken = [post(http, scene.mallory, message(scene.mallorys, [n], "spin", 60.0)) for n in range(11)]
        assert taken[-1].status_code == 429
        before, found = metrics(http)[refusals], []
        thread = threading.Thread(
            target=lambda: found.append(client.compute("sum", scene.mallory, message(scene.mallorys, [5])))
        )
        thread.start()
        until(lambda: metrics(http)[refusals] > before)
        for answer in taken[:-1]:
            http.delete(answer.headers["Location"])
        thread.join()
        assert [total(each) for each in found] == [5]
    until(lambda: at_rest(scene.running))
