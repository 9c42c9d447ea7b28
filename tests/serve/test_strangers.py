"""Without a token, or with another client's, one gets nothing: not a name, not a byte, not even a different answer."""

from __future__ import annotations

import base64
import datetime
import ipaddress
import logging
import stat

import httpx
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from privis.errors import OutputError, ParameterError, ServiceError
from privis.serve.client.client import Client
from privis.serve.http.endpoints import ENDPOINTS
from privis.serve.http.server import Certificate, Server
from privis.serve.http.tokens import Token, Tokens, issue
from tests.serve.place import LIMITS, until
from tests.serve.toy import Adder, message


@pytest.fixture(scope="module")
def job(running):
    """A finished job of Alice's, with its keys and its sealed result."""
    path, keys = running.place.keys()
    with running.client() as client, running.http() as http:
        digest = client.send_keys("sum", path)
        headers = {"Privis-Keys": digest, "Idempotency-Key": "x"}
        content = message(keys, [1, 2])
        job = http.post("/v1/offers/sum/jobs", content=content, headers=headers).json()["id"]
        while http.get(f"/v1/jobs/{job}?wait=5").json()["state"] != "done":
            pass
        yield {"job": job, "digest": digest, "offer": "sum", "headers": headers, "content": content, "path": path}


@pytest.mark.parametrize(
    ("authorization", "status"),
    [
        (None, 401),
        ("Bearer " + "x" * 43, 401),
        ("Basic YTpi", 401),
        ("stolen", 401),
        ("Bearer", 400),
        ("Bearer \xe9\xff", 400),
    ],
)
def test_without_a_token_that_is_known_there_is_only_whether_it_lives(running, job, authorization, status):
    if authorization == "stolen":  # the digest of the server's file is no token
        authorization = f"Bearer {Tokens.load(running.place.folder / 'tokens').known[0][1].hex()}"
    headers = [] if authorization is None else [("Authorization", authorization.encode("latin-1"))]
    with httpx.Client(base_url=running.url, headers=headers) as http:
        for endpoint in ENDPOINTS:
            answer = http.request(endpoint.method, endpoint.path.format(**job))
            if endpoint.path == "/healthz":
                assert (answer.status_code, answer.json()) == (200, {"status": "ok"})
                continue
            assert answer.status_code == status
            assert answer.headers["WWW-Authenticate"] == "Bearer" + ' error="invalid_request"' * (status == 400)
            assert not any(str(each) in answer.text for each in (job["job"], job["digest"], "adds numbers"))
        for path in ("/openapi.json", "/docs", "/", "/v1/nothing", "/healthz/x", "/HEALTHZ"):
            assert http.get(path).status_code == status


def test_another_client_gets_neither_job_nor_result_nor_keys(running, job):
    with running.http("bob") as bob, running.http() as alice:
        for method, path in (
            ("GET", f"/v1/jobs/{job['job']}"),
            ("GET", f"/v1/jobs/{job['job']}/result"),
            ("DELETE", f"/v1/jobs/{job['job']}"),
            ("HEAD", f"/v1/offers/sum/keys/{job['digest']}"),
            ("DELETE", f"/v1/offers/sum/keys/{job['digest']}"),
        ):
            foreign = bob.request(method, path)
            none = bob.request(method, path.replace(job["job"], "0" * 64).replace(job["digest"], "0" * 64))
            assert foreign.status_code == none.status_code == 404
            words = (job["job"][:12], job["digest"][:12])
            assert foreign.text.replace(words[0], "0" * 12).replace(words[1], "0" * 12) == none.text
        # his very own copy of her message is a job of his, and needs keys of his
        answer = bob.post("/v1/offers/sum/jobs", content=job["content"], headers=job["headers"])
        assert answer.status_code == 404 and answer.json()["kind"] == "keys"
        assert alice.get(f"/v1/jobs/{job['job']}/result").status_code == 200
        with running.client("bob") as client:
            client.send_keys("sum", job["path"])
        answer = bob.post("/v1/offers/sum/jobs", content=job["content"], headers=job["headers"])
        assert answer.status_code == 202 and answer.json()["id"] != job["job"]
        bob.delete(f"/v1/offers/sum/keys/{job['digest']}")
        assert alice.head(f"/v1/offers/sum/keys/{job['digest']}").status_code == 204, "hers are hers"


@pytest.mark.parametrize(
    "path", ["/v1/jobs/../../etc/passwd", "/v1/jobs/%2e%2e%2ftokens", "/v1/offers/sum/keys/..%2f..%2ftokens"]
)
def test_no_path_leads_out_of_the_folder(running, path):
    with running.http() as http:
        for method in ("GET", "HEAD", "DELETE"):
            assert http.request(method, path).status_code in (404, 405)
        assert http.put("/v1/offers/sum/keys/%2e%2e", content=b"x").status_code in (400, 404)
    assert (running.place.folder / "tokens").exists()


def test_logs_name_clients_and_never_what_they_hold(running, job, caplog):
    caplog.set_level(logging.DEBUG)
    with running.client() as client, running.http() as http:
        client.send_keys("sum", job["path"])
        assert http.get("/v1/offers?token=oops").status_code == 200
        httpx.get(f"{running.url}/v1/offers", headers={"Authorization": "Bearer wrong-but-secret"})

    def lines() -> str:
        return "\n".join(record.getMessage() for record in caplog.records if record.name.startswith("privis"))

    # The server writes the line of a request after its response, which the client may have by then.
    until(lambda: "alice GET /v1/offers 200" in lines() and "- GET /v1/offers 401" in lines())
    text = lines()
    token = running.place.token("alice").header.removeprefix("Bearer ")
    assert token not in caplog.text and "wrong-but-secret" not in caplog.text and "oops" not in text


def test_a_token_is_in_one_file_and_its_digest_in_the_other(tmp_path):
    tokens, output = tmp_path / "tokens", tmp_path / "alice.token"
    issue("alice", tokens, output)
    secret = output.read_text().strip()
    assert len(base64.urlsafe_b64decode(secret + "=")) == 32
    assert secret not in tokens.read_text() and repr(Token.load(output)) == "<Token: secret>"
    assert [stat.S_IMODE(path.stat().st_mode) for path in (tokens, output)] == [0o600, 0o600]
    known = Tokens.load(tokens)
    assert known.client(f"Bearer {secret}") == known.client(f"bearer {secret}") == "alice"
    wrong = (None, "", secret, f"Basic {secret}", f"Bearer {secret}x", f"Bearer {secret[:-1]}")
    assert [known.client(each) for each in wrong] == [None] * len(wrong)
    with pytest.raises(ParameterError, match="alice, which has a token"):
        issue("alice", tokens, tmp_path / "again")
    with pytest.raises(OutputError):
        issue("bob", tokens, output)
    assert len(Tokens.load(tokens).known) == 1
    tokens.chmod(0o640)
    with pytest.raises(ParameterError, match="mode 0640, expected mode 0600"):
        Tokens.load(tokens)
    tokens.chmod(0o600)
    tokens.write_text(f"alice {secret}\n")
    with pytest.raises(ParameterError, match="line 1: got something else, expected NAME sha256:HEX") as raised:
        Tokens.load(tokens)
    assert secret not in str(raised.value)


def certificate(folder, host="127.0.0.1"):
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, host)])
    now = datetime.datetime.now(datetime.UTC)
    made = (
        x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
        .serial_number(x509.random_serial_number()).not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=2))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address(host))]), False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), True)
        .sign(key, hashes.SHA256())
    )  # fmt: skip
    found = Certificate(folder / "server.pem", folder / "server.key")
    found.chain.write_bytes(made.public_bytes(serialization.Encoding.PEM))
    plain = serialization.NoEncryption()
    pem = serialization.Encoding.PEM
    found.key.write_bytes(key.private_bytes(pem, serialization.PrivateFormat.PKCS8, plain))
    return found


def test_over_tls_the_certificate_decides(place):
    files = certificate(place.folder)
    path, keys = place.keys()
    server = Server([Adder()], place.tokens, place.folder / "state", "0.0.0.0", 0, files, LIMITS)
    with server.running():
        url = f"https://127.0.0.1:{server.port}"
        with Client(url, place.token("alice"), authority=files.chain) as client:
            digest = client.send_keys("sum", path)
            assert client.compute("sum", digest, message(keys, [3, 4]))[-1] == 7
        with Client(url, place.token("alice"), patience=5) as client:
            with pytest.raises(ServiceError, match=r"not trusted.*--authority"):
                client.offers()
        with pytest.raises(httpx.HTTPError):
            httpx.get(f"http://127.0.0.1:{server.port}/healthz")
    files.key.write_text("no key")
    with pytest.raises(ParameterError, match="certificate"):
        Server([Adder()], place.tokens, place.folder / "state", "0.0.0.0", 0, files, LIMITS).open()
