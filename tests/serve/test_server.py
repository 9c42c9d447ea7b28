"""What clients of a server rely on: results, progress, cancellation, limits that are said, and one job per message.

Answers for `privis.serve.http.loopback`, `privis.serve.metrics`, `privis.serve.workers.pool` and
`privis.serve.workers.worker`.
"""

from __future__ import annotations

import hashlib
import struct
import subprocess
import sys
import threading
import time
from dataclasses import replace

import httpx
import pytest

from privis.errors import ParameterError, ServiceError
from privis.serve.client.client import Client, KeysUnknown
from privis.serve.http.endpoints import ENDPOINTS
from privis.serve.http.headers import binary_digest
from privis.serve.http.server import Server
from privis.serve.workers.memory import group_memory
from tests.serve.place import LIMITS, new_place, serving, until
from tests.serve.toy import Adder, BrokenMaker, message


def total(reply: bytes) -> int:
    return struct.unpack(">q", reply)[0]


def post(http: httpx.Client, keys: str, content: bytes, once: str = "", offer: str = "sum") -> httpx.Response:
    headers = {"Privis-Keys": keys, "Idempotency-Key": once}
    return http.post(f"/v1/offers/{offer}/jobs", content=content, headers=headers)


def test_a_message_comes_back_computed(running):
    path, keys = running.place.keys()
    steps = []
    with running.client() as client:
        assert client.offers() == (("sum", "adds numbers"), ("other", "adds numbers"))
        assert client.terms("sum").estimate.seconds == 0.05
        digest = client.send_keys("sum", path, steps.append)
        assert total(client.compute("sum", digest, message(keys, [1, 2, 39]), steps.append)) == 42
        assert client.send_keys("sum", path, steps.append) == digest
        assert total(client.compute("sum", digest, message(keys, [5]))) == 5
    assert [step.done for step in steps if step.phase == "sending keys"] == [1.0], "sent once, not twice"
    assert running.left() == []


def test_progress_is_told_while_it_runs(running):
    path, keys = running.place.keys()
    steps = []
    with running.client() as client:
        digest = client.send_keys("sum", path)
        client.compute("sum", digest, message(keys, [1], "sleep", 1.2), steps.append)
    done = [step.done for step in steps if step.phase == "running"]
    assert done == sorted(done) and done[-1] == 1.0 and len([each for each in done if 0 < each < 1]) >= 2
    assert any(step.eta_seconds is not None for step in steps)


def test_the_same_message_sent_twice_is_one_job(running):
    path, keys = running.place.keys()
    with running.client() as client, running.http() as http:
        digest = client.send_keys("sum", path)
        content = message(keys, [7], "sleep", 0.3)
        first, again = post(http, digest, content, "a"), post(http, digest, content, "a")
        other = post(http, digest, content, "b")
        assert (first.status_code, again.status_code, other.status_code) == (202, 200, 202)
        assert first.json()["id"] == again.json()["id"] != other.json()["id"]
        assert first.headers["Location"] == f"/v1/jobs/{first.json()['id']}"
        for answer in (first, other):
            place = answer.headers["Location"]
            until(lambda place=place: http.get(place).json()["state"] == "done")
            result = http.get(f"{place}/result")
            assert total(result.content) == 7
            assert result.headers["Content-Digest"] == binary_digest(hashlib.sha256(result.content).hexdigest())
            assert http.get(f"{place}/result").status_code == 200, "until it is deleted, or expires"
            assert http.delete(place).status_code == 204
            assert http.get(place).status_code == 404 == http.get(f"{place}/result").status_code
    assert running.left() == []


def test_a_job_that_runs_is_cancelled_with_its_process(running):
    path, keys = running.place.keys()
    with running.client() as client, running.http() as http:
        digest = client.send_keys("sum", path)
        job = post(http, digest, message(keys, [1], "spin", 60.0)).json()["id"]
        until(lambda: http.get(f"/v1/jobs/{job}").json()["state"] == "running")
        assert http.get(f"/v1/jobs/{job}/result").status_code == 409
        assert http.delete(f"/v1/jobs/{job}").status_code == 204
        until(lambda: metrics(http)["privis_jobs_running"] == 0)
        assert total(client.compute("sum", digest, message(keys, [2]))) == 2
    until(lambda: running.left() == [])


def test_an_interrupted_client_cancels_its_job(running):
    path, keys = running.place.keys()

    def interrupt(step):
        if step.phase == "running":
            raise KeyboardInterrupt

    with running.client() as client:
        digest = client.send_keys("sum", path)
        with pytest.raises(KeyboardInterrupt):
            client.compute("sum", digest, message(keys, [1], "sleep", 30.0), interrupt)
    until(lambda: running.left() == [])


def test_two_jobs_of_one_client_run_side_by_side(running):
    path, keys = running.place.keys()
    with running.client() as client, running.http() as http:
        digest = client.send_keys("sum", path)
        results = {}

        def ask(number):
            results[number] = total(client.compute("sum", digest, message(keys, [number], "sleep", 0.3)))

        threads = [threading.Thread(target=ask, args=(number,)) for number in range(2)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert results == {0: 0, 1: 1}
        jobs = [post(http, digest, message(keys, [n], "sleep", 60.0)).headers["Location"] for n in range(2)]
        until(lambda: metrics(http)["privis_jobs_running"] == 2)
        for job in jobs:
            http.delete(job)


def test_keys_that_were_dropped_are_asked_for_again(running):
    path, keys = running.place.keys()
    with running.client() as client, running.http() as http:
        digest = client.send_keys("sum", path)
        assert http.head(f"/v1/offers/sum/keys/{digest}").status_code == 204
        assert http.delete(f"/v1/offers/sum/keys/{digest}").status_code == 204
        assert http.head(f"/v1/offers/sum/keys/{digest}").status_code == 404
        with pytest.raises(KeysUnknown, match="upload them"):
            client.compute("sum", digest, message(keys, [1]))


def test_the_description_names_every_path_and_nothing_else(running):
    with running.http() as http:
        said = http.get("/openapi.json").json()
        assert said["openapi"].startswith("3.1")
        described = {(path, method.upper()) for path, methods in said["paths"].items() for method in methods}
        assert described == {(endpoint.path, endpoint.method) for endpoint in ENDPOINTS}
        for path, method in described:
            operation = said["paths"][path][method.lower()]
            filled = path.replace("{offer}", "sum").replace("{digest}", "0" * 64).replace("{job}", "0" * 64)
            answer = http.request(method, filled)
            assert f"{answer.status_code}" in {*operation["responses"], "411"}, (method, path, answer.text)
            named = {parameter["name"] for parameter in operation.get("parameters", []) if parameter["in"] == "path"}
            assert named == {part[1:-1] for part in path.split("/") if part.startswith("{")}


def test_metrics_are_numbers_that_move_and_name_no_client(running):
    path, keys = running.place.keys()
    with running.client() as client, running.http() as http:
        digest = client.send_keys("sum", path)
        before = metrics(http)
        client.compute("sum", digest, message(keys, [1]))
        after = metrics(http)
        assert http.get("/metrics").headers["Content-Type"].startswith("text/plain; version=0.0.4")
        assert "alice" not in http.get("/metrics").text
    name = 'privis_jobs_total{offer="sum",state="done"}'
    assert after[name] == before.get(name, 0) + 1
    assert after['privis_job_seconds_count{offer="sum"}'] == after['privis_job_seconds_bucket{offer="sum",le="+Inf"}']
    assert after["privis_key_cache_bytes"] >= 4096 and after["privis_worker_memory_limit_bytes"] > 0


def metrics(http: httpx.Client) -> dict[str, float]:
    lines = [line for line in http.get("/metrics").text.splitlines() if not line.startswith("#")]
    return {name: float(value) for name, value in (line.rsplit(" ", 1) for line in lines)}


def test_limits_are_refused_by_name(tmp_path):
    limits = replace(LIMITS, message_bytes=1000, keys_bytes=2000, upload_idle_seconds=0.3)
    with serving(new_place(tmp_path), limits) as running, running.client() as client, running.http() as http:
        path, keys = running.place.keys(size=1500)
        digest = client.send_keys("sum", path)
        with pytest.raises(ServiceError, match=r"message: got 2,.*at most 1,000.*message-bytes"):
            client.compute("sum", digest, message(keys, [0] * 250))
        large, _ = running.place.keys(size=3000)
        with pytest.raises(ServiceError, match=r"keys: got 3,.*at most 2,000.*keys-bytes"):
            client.send_keys("sum", large)

        def pieces(seconds):
            yield b"x" * 10
            time.sleep(seconds)
            yield b"x" * 10

        unsaid = http.post("/v1/offers/sum/jobs", content=pieces(0), headers={"Privis-Keys": digest})
        assert unsaid.status_code == 411
        headers = {"Privis-Keys": digest, "Content-Length": "20"}
        assert http.post("/v1/offers/sum/jobs", content=pieces(1.0), headers=headers).status_code == 408
        assert running.left() == []


def test_a_full_queue_says_when_to_come_back(tmp_path):
    limits = replace(LIMITS, queued_jobs=3, queued_jobs_per_client=2, jobs_at_once=1)
    with serving(new_place(tmp_path), limits) as running:
        path, keys = running.place.keys()
        with running.client() as client, running.client("bob", patience=0.5) as bob, running.http() as http:
            digest = client.send_keys("sum", path)
            assert bob.send_keys("sum", path) == digest
            answers = [post(http, digest, message(keys, [n], "spin", 60.0)) for n in range(4)]
            assert [answer.status_code for answer in answers] == [202, 202, 202, 429]
            assert int(answers[3].headers["Retry-After"]) >= 1
            assert "2 jobs of yours" in answers[3].json()["problems"][0]["got"]
            with running.http("bob") as theirs:
                assert post(theirs, digest, message(keys, [9])).status_code == 202
            with pytest.raises(ServiceError, match="3 jobs in the queue"):
                bob.compute("sum", digest, message(keys, [10]))
            assert [http.get(f"/v1/jobs/{answer.json()['id']}").json()["position"] for answer in answers[1:3]] == [0, 1]
            for answer in answers[:3]:
                http.delete(f"/v1/jobs/{answer.json()['id']}")


def test_a_client_that_sends_much_does_not_starve_the_other(tmp_path):
    with serving(new_place(tmp_path)) as running:
        path, keys = running.place.keys()
        with running.client() as client, running.client("bob") as bob, running.http() as http:
            digest = client.send_keys("sum", path)
            bob.send_keys("sum", path)
            jobs = [
                post(http, digest, message(keys, [number], "sleep", 0.5)).headers["Location"] for number in range(12)
            ]
            bob.compute("sum", digest, message(keys, [1]))
            states = [http.get(job).json()["state"] for job in jobs]
            assert "queued" in states, "after the jobs that ran, not after all twelve"
            for job in jobs:
                http.delete(job)


def test_results_are_kept_for_a_while_only(tmp_path):
    limits = replace(LIMITS, result_seconds=0.5)
    with serving(new_place(tmp_path), limits) as running, running.client() as client, running.http() as http:
        path, keys = running.place.keys()
        digest = client.send_keys("sum", path)
        job = post(http, digest, message(keys, [1])).json()["id"]
        until(lambda: http.get(f"/v1/jobs/{job}").status_code == 404)
        assert running.left() == []


def test_keys_leave_memory_when_their_client_is_quiet(tmp_path):
    limits = replace(LIMITS, idle_worker_seconds=0.5)
    with serving(new_place(tmp_path), limits) as running, running.client() as client, running.http() as http:
        path, keys = running.place.keys()
        digest = client.send_keys("sum", path)
        client.compute("sum", digest, message(keys, [1]))
        assert metrics(http)["privis_workers"] == 1
        until(lambda: metrics(http)["privis_workers"] == 0)
        assert total(client.compute("sum", digest, message(keys, [2]))) == 2, "on disk they stay"


def test_what_cannot_work_is_refused_before_anybody_waits(tmp_path):
    place = new_place(tmp_path)
    with pytest.raises(ParameterError, match=r"offer sum: got 1,0.. MiB for one job, expected at most 600 MiB"):
        place.server(LIMITS, Adder(memory=1 << 30)).open()
    with pytest.raises(ParameterError, match="does not compile"):
        place.server(LIMITS, BrokenMaker()).open()
    with pytest.raises(ParameterError, match="two of one name"):
        place.server(LIMITS, Adder(), Adder()).open()
    with pytest.raises(ParameterError, match="TLS for an address that others reach"):
        Server([Adder()], place.tokens, tmp_path / "state", host="0.0.0.0")
    with pytest.raises(ParameterError, match="can be read on its way"):
        Client("http://privis.example.org", place.token("alice"))
    with serving(place):
        with pytest.raises(ParameterError, match="another server uses"):
            place.server().open()


def test_memory_of_a_group_counts_what_its_processes_hold():
    """A process in a group of its own: those beside this one come and go."""
    script = (
        "import mmap, os\nfrom privis.serve.workers.memory import group_memory\n"
        "before = group_memory(os.getpid())\nheld = mmap.mmap(-1, 64 << 20)\nheld.write(bytes(64 << 20))\n"
        "print(group_memory(os.getpid()) - before)"
    )
    done = subprocess.run([sys.executable, "-c", script], start_new_session=True, capture_output=True, text=True)
    assert 48 << 20 < int(done.stdout) < 128 << 20, done.stderr
    assert group_memory(2**22 + 1) == 0
