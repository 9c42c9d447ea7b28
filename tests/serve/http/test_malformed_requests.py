"""Whatever a request says that it may not say is answered in words: 400 and its kin, never a failure of the server.

Answers for `privis.serve.http.app` and `privis.serve.http.bodies`.
"""

from __future__ import annotations

import json
import socket
from contextlib import suppress

import pytest

from privis.run.he.wire import key_file as bundle
from privis.serve.http.headers import binary_digest
from tests.serve.test_server import metrics, post, total
from tests.serve.toy import message

KEYS = "0" * 64
DIGEST = binary_digest("11" * 32)
PUT, POST, STATUS = f"PUT /v1/offers/sum/keys/{KEYS}", "POST /v1/offers/sum/jobs", f"GET /v1/jobs/{KEYS}"


def everything(link: socket.socket) -> tuple[int, dict[str, str], bytes]:
    """Status, headers and body of an answer after which the connection is closed."""
    found = b""
    try:
        while block := link.recv(1 << 16):
            found += block
    except ConnectionResetError:
        pass
    head, _, body = found.partition(b"\r\n\r\n")
    first, *lines = head.decode("latin-1").split("\r\n")
    pairs = [line.partition(": ") for line in lines]
    return int(first.split(" ")[1]), {name.lower(): value for name, _, value in pairs}, body


MALFORMED = {
    "a length that is no number": (POST, 400, ["Content-Length: many"]),
    "a negative length": (POST, 400, ["Content-Length: -1"]),
    "a length with a sign": (POST, 400, ["Content-Length: +5"]),
    "a length in hexadecimal": (POST, 400, ["Content-Length: 0x10"]),
    "a length in other digits": (POST, 400, ["Content-Length: \xb2"]),
    "no length": (POST, 411, []),
    "an empty length": (POST, 400, ["Content-Length: "]),
    "two lengths": (POST, 400, ["Content-Length: 5", "Content-Length: 6"]),
    "two lengths in one": (POST, 400, ["Content-Length: 5, 6"]),
    "a length of 19 digits": (PUT, 413, ["Content-Length: 9999999999999999999"]),
    "a length of 30 digits": (PUT, 400, ["Content-Length: " + "9" * 30]),
    "a length and a coding": (POST, 400, ["Content-Length: 5", "Transfer-Encoding: chunked"]),
    "a coding nobody knows": (POST, 400, ["Transfer-Encoding: gzip"]),
    "two codings": (POST, 400, ["Transfer-Encoding: chunked", "Transfer-Encoding: chunked"]),
    "a coding without a length": (POST, 411, ["Transfer-Encoding: chunked"]),
    "text": (POST, 415, ["Content-Length: 5", "Content-Type: text/plain"]),
    "a form": (PUT, 415, ["Content-Length: 5", "Content-Type: multipart/form-data; boundary=x"]),
    "two kinds": (POST, 400, ["Content-Length: 5", *["Content-Type: application/octet-stream"] * 2]),
    "a kind that is not ASCII": (POST, 400, ["Content-Length: 5", "Content-Type: \xe9"]),
    "something packed": (PUT, 415, ["Content-Length: 5", "Content-Encoding: gzip"]),
    "a digest that is not ASCII": (POST, 400, ["Content-Length: 5", "Content-Digest: sha-256=:\xe9:"]),
    "a digest that is not base64": (POST, 400, ["Content-Length: 5", "Content-Digest: sha-256=:???:"]),
    "a short digest": (PUT, 400, ["Content-Length: 5", "Content-Digest: sha-256=:AAAA:"]),
    "an empty digest": (PUT, 400, ["Content-Length: 5", "Content-Digest: sha-256="]),
    "two digests": (
        POST,
        400,
        ["Content-Length: 5", f"Content-Digest: {DIGEST}", f"Content-Digest: {binary_digest(KEYS)}"],
    ),
    "keys twice": (POST, 400, ["Content-Length: 5", *[f"Privis-Keys: {KEYS}"] * 2]),
    "keys that are not ASCII": (POST, 400, ["Content-Length: 5", "Privis-Keys: \xe9"]),
    "keys that are no digest": (POST, 404, ["Content-Length: 5", "Privis-Keys: ../../alice/x"]),
    "a name for once that is too long": (POST, 400, ["Content-Length: 5", "Idempotency-Key: " + "x" * 300]),
    "a name for once twice": (POST, 400, ["Content-Length: 5", *["Idempotency-Key: x"] * 2]),
    "keys of no digest": ("PUT /v1/offers/sum/keys/" + "g" * 64, 400, ["Content-Length: 5"]),
    "keys in capitals": ("PUT /v1/offers/sum/keys/" + "A" * 64, 400, ["Content-Length: 5"]),
    "keys in bytes that are no text": ("PUT /v1/offers/sum/keys/%ff%fe", 400, ["Content-Length: 5"]),
    "keys with a zero": ("PUT /v1/offers/sum/keys/%00", 400, ["Content-Length: 5"]),
    "keys of dots": ("HEAD /v1/offers/sum/keys/%2e%2e", 404, []),
    "percent and nothing": ("GET /v1/jobs/%zz%", 404, []),
    "a job with a zero": ("GET /v1/jobs/%00", 404, []),
    "a job of bytes that are no text": ("DELETE /v1/jobs/%c3%28", 404, []),
    "an offer of bytes that are no text": ("GET /v1/offers/%ed%a0%80", 404, []),
    "no path": ("GET *", 404, []),
    "another server": ("GET http://example.org/v1/offers", 404, []),
    "another method": ("PATCH /v1/offers", 405, []),
    "a method nobody knows": ("BREW /v1/offers", 405, []),
    "a header that goes on below": ("GET /v1/offers", 400, ["X-Long: a", ": b"]),
    "a header without a name": ("GET /v1/offers", 400, [": b"]),
    "a header with a zero": ("GET /v1/offers", 400, ["X-Zero: \0"]),
}


@pytest.mark.parametrize(("request_", "status", "lines"), MALFORMED.values(), ids=MALFORMED)
def test_what_is_malformed_is_refused_in_words(running, caplog, request_, status, lines):
    with running.connect(running.head(request_, "alice", "Connection: close", *lines)) as link:
        found, headers, body = everything(link)
    assert found == status
    if not request_.startswith("HEAD"):
        assert headers["content-type"] == "application/problem+json"
        said = json.loads(body)
        assert said["status"] == status
        assert said["problems"][0]["where"] and said["problems"][0]["got"] and said["problems"][0]["expected"]
    assert not any(record.exc_info for record in caplog.records)
    assert running.left() == []


@pytest.mark.parametrize(
    "lines",
    [
        ["Authorization: Bearer"],
        ["Authorization: Bearer  "],
        ["Authorization: Bearer a b"],
        ["Authorization: Bearer \xe9\xff"],
        ["Authorization: "],
        ["Authorization: ="],
        ["Authorization: Bearer TOKEN", "Authorization: Bearer TOKEN"],
        ["Authorization: Bearer TOKEN", "Authorization: Basic YTpi"],
        ["Authorization: Bearer TOKEN, Bearer TOKEN"],
    ],
)
def test_a_malformed_token_is_refused_in_words_that_do_not_repeat_it(running, caplog, lines):
    token = running.place.token("alice").header.removeprefix("Bearer ")
    said = [line.replace("TOKEN", token) for line in lines]
    for request in ("GET /v1/offers", PUT, "GET /nothing"):
        with running.connect(running.head(request, "", "Connection: close", *said)) as link:
            status, headers, body = everything(link)
        assert status == 400 and headers["www-authenticate"] == 'Bearer error="invalid_request"'
        assert json.loads(body)["problems"][0]["where"] == "Authorization"
        assert token.encode() not in body and token not in caplog.text
    assert not any(record.exc_info for record in caplog.records)


@pytest.fixture(scope="module")
def job(running):
    """A finished job of Alice's."""
    path, keys = running.place.keys()
    with running.client() as client, running.http() as http:
        place = post(http, client.send_keys("sum", path), message(keys, [1, 2])).headers["Location"]
        while http.get(f"{place}?wait=5").json()["state"] != "done":
            pass
        yield place
        http.delete(place)


@pytest.mark.parametrize(
    "query", ["wait=", "wait=-1", "wait=1.5", "wait=x", "wait=%C2%B2", "wait=1&wait=2", "wait=" + "9" * 5000]
)
def test_a_wait_that_is_none_is_refused(running, job, caplog, query):
    with running.http() as http:
        answer = http.get(f"{job}?{query}")
        assert answer.status_code == 400 and answer.json()["problems"][0]["where"] == "wait"
        assert http.get(f"{job}?other=1").status_code == 200
    assert not any(record.exc_info for record in caplog.records)


@pytest.mark.parametrize("said", ["bytes=0-3", "bytes=9-1", "bytes=-", "lines=1", "bytes=" + "0-1," * 5000 + "0-1"])
def test_a_result_is_sent_whole_whatever_part_is_asked_for(running, job, said):
    with running.http() as http:
        answer = http.get(f"{job}/result", headers={"Range": said})
        assert answer.status_code == 200 and total(answer.content) == 3
        head = http.head(f"{job}/result", headers={"Range": said})
        assert head.status_code == 200 and head.headers["Content-Length"] == "8" and head.content == b""


def test_a_body_whose_framing_breaks_ends_its_request_and_nothing_else(running, caplog):
    path, _ = running.place.keys()
    with running.client() as client:
        keys = client.send_keys("sum", path)
    for lines in (["Content-Length: 5"], []):
        head = running.head(POST, "alice", f"Privis-Keys: {keys}", "Transfer-Encoding: chunked", *lines)
        with running.connect(head + b"zz\r\nno chunk") as link:
            assert everything(link)[0] in (400, 411)
    with running.http() as http:
        assert metrics(http)["privis_uploads"] == 0
    assert not any(record.exc_info for record in caplog.records)


def test_a_body_that_breaks_after_its_refusal_is_not_answered_again(running, caplog):
    with running.connect(running.head(POST, "", "Transfer-Encoding: chunked")) as link:
        found = b""
        while not found.endswith(b"}"):
            found += link.recv(1 << 16)
        assert found.startswith(b"HTTP/1.1 401")
        link.sendall(b"zz\r\nno chunk")
        with suppress(ConnectionResetError):
            assert link.recv(1 << 16) == b""
    assert not any(record.exc_info for record in caplog.records)


def test_keys_that_changed_on_their_way_are_not_kept(running):
    path, _ = running.place.keys()
    digest = bundle.inspect(path).digest
    with running.http() as http:
        place = f"/v1/offers/sum/keys/{digest}"
        answer = http.put(place, content=path.read_bytes(), headers={"Content-Digest": DIGEST})
        assert answer.status_code == 400 and "changed on its way" in answer.text
        assert http.head(place).status_code == 404


def test_a_job_deleted_twice_at_once_is_gone_once(running, caplog):
    path, keys = running.place.keys()
    with running.client() as client, running.http() as http:
        digest = client.send_keys("sum", path)
        before = metrics(http)["privis_spool_bytes"]
        place = post(http, digest, message(keys, [1], "sleep", 60.0)).headers["Location"]
        head = running.head(f"DELETE {place}", "alice", "Connection: close")
        links = [running.connect(head) for _ in range(6)]
        found = [everything(link)[0] for link in links]
        for link in links:
            link.close()
        assert set(found) <= {204, 404} and 204 in found
        assert metrics(http)["privis_spool_bytes"] == before
    assert not any(record.exc_info for record in caplog.records)
