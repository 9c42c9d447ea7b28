"""``Client``: sends encrypted messages to a server and follows them; it holds no key and sees no image."""

from __future__ import annotations

import base64
import binascii
import hashlib
import secrets
import ssl
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, NoReturn, Self
from urllib.parse import urlsplit

from privis.errors import AnswerLimitError, ParameterError, PrivisError, Problem, ProtocolError, ServiceError
from privis.extras import optional_import
from privis.file_formats import FileFormat, misfit
from privis.run.he.wire import key_file as bundle
from privis.serve.http.loopback import is_loopback
from privis.serve.http.tokens import Token
from privis.serve.offerings.offering import Terms
from privis.version import VERSION

with optional_import("serve", "a client of a server"):
    import httpx

QUEUED, RUNNING, SENDING_KEYS = "queued", "running", "sending keys"

_CONNECT_SECONDS, _ANSWER_SECONDS, _WAIT_SECONDS = 10.0, 60.0, 10
_FIRST_PAUSE, _LONGEST_PAUSE = 0.2, 5.0
_RESTARTS = 3  # times that a message is sent again to a server that forgot it
_BLOCK = 1 << 20
_AGAIN = (408, 429, 502, 503, 504, 507)


@dataclass(frozen=True)
class RequestProgress:
    """Progress of a request: ``phase`` in a word, the fraction done (0 to 1), seconds left as far as known."""

    phase: str
    done: float
    eta_seconds: float | None = None


class KeysUnknown(ServiceError):
    """The server does not have, or forgot, these evaluation keys."""


class _JobUnknown(ServiceError):
    """The server forgot the job: it was started again, or the result waited too long."""


class Client:
    """A connection to a server, used by several threads at once if needed.

    Every request can be repeated without being done twice, so a lost connection, a full queue and a restarted server
    are waited out.

    Its methods raise ServiceError when the server refuses, fails or stays out of reach, and ProtocolError when what it
    got or sent is not what it should be.

    Args:
        url: https://HOST:PORT; http on this machine only.
        token: names and authenticates the client.
        authority: PEM file of the certificate to trust; None: those that the system trusts.
        patience: seconds that a server may be out of reach, or full, before a call gives up.

    Raises:
        ParameterError: the URL is none, or would send the token in the clear.
    """

    def __init__(self, url: str, token: Token, *, authority: Path | None = None, patience: float = 60.0) -> None:
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ParameterError(Problem("url", repr(url), "https://HOST:PORT"))
        if parts.scheme == "http" and not is_loopback(parts.hostname):
            raise ParameterError(Problem("url", repr(url), "https://…", "a token in the clear can be read on its way"))
        self.url, self._patience = url.rstrip("/"), patience
        self._http = httpx.Client(
            base_url=self.url,
            headers={"Authorization": token.header, "User-Agent": f"privis/{VERSION}"},
            verify=_trusting(authority) if parts.scheme == "https" else False,
            trust_env=parts.scheme == "https",  # a proxy would take the token off this machine in the clear
            timeout=httpx.Timeout(_ANSWER_SECONDS, connect=_CONNECT_SECONDS),
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close all connections to the server."""
        self._http.close()

    def offers(self) -> tuple[tuple[str, str], ...]:
        """Name and summary of everything the server computes.

        Returns:
            (name, summary) of each.
        """
        return tuple((str(offer["name"]), str(offer["summary"])) for offer in self._json("GET", "/v1/offers"))

    def terms(self, offer: str) -> Terms:
        """What is needed for making keys for an offer, and what a job of it takes.

        Args:
            offer: name of the offer.

        Returns:
            The terms.
        """
        return Terms.from_json(self._request("GET", f"/v1/offers/{_word(offer)}").content)

    def send_keys(self, offer: str, path: Path, progress: Callable[[RequestProgress], None] = lambda step: None) -> str:
        """Upload evaluation keys, unless the server has them.

        A file that holds anything else, a secret key above all, is refused here before a byte of it leaves.

        Args:
            offer: name of the offer.
            path: bundle of evaluation keys.
            progress: called with what the upload has come to.

        Returns:
            Digest of the keys.
        """
        found = bundle.peek(path, bundle.KeyKind.EVALUATION)
        place = f"/v1/offers/{_word(offer)}/keys/{found.digest}"
        with suppress(KeysUnknown):
            self._request("HEAD", place)
            return found.digest

        def body() -> Iterator[bytes]:
            sent = 0
            with open(path, "rb") as file:
                while block := file.read(_BLOCK):
                    yield block
                    sent += len(block)
                    progress(RequestProgress(SENDING_KEYS, sent / found.size))

        self._request("PUT", place, body=body, headers={"Content-Length": f"{found.size}"})
        return found.digest

    def compute(
        self, offer: str, keys: str, message: bytes, progress: Callable[[RequestProgress], None] = lambda step: None
    ) -> bytes:
        """Send an encrypted message, wait for its result and return it, still encrypted.

        An interrupt cancels the job at the server.

        Args:
            offer: name of the offer.
            keys: digest that `send_keys` returned.
            message: encrypted for this offer.
            progress: called with what the job has come to.

        Returns:
            The result, encrypted.

        Raises:
            KeysUnknown: the keys have to be sent again.
            ProtocolError: the server cannot use the message.
            ServiceError: the server refuses, fails or stays out of reach.
            AnswerLimitError: the server gives this client no more answers, now or at all.
        """
        once = secrets.token_hex(16)  # a message that is sent again is the same job, not a second one
        for attempt in range(_RESTARTS + 1):
            with suppress(_JobUnknown):
                about = self._post(offer, keys, message, once)
                job = str(about["id"])
                try:
                    self._follow(about, progress)
                    reply = self._fetch(job)
                except _JobUnknown:
                    raise
                except BaseException:
                    self._drop(job)
                    raise
                self._drop(job)
                return reply
            progress(RequestProgress(f"sent again, {attempt + 1}", 0.0))
        got, remedy = f"a server that forgot it {_RESTARTS + 1} times", "it may be short of memory; try again later"
        raise ServiceError(Problem("message", got, "a result", remedy))

    def _post(self, offer: str, keys: str, message: bytes, once: str) -> dict[str, Any]:
        digest = base64.b64encode(hashlib.sha256(message).digest()).decode()
        headers = {
            "Content-Length": f"{len(message)}",
            "Content-Digest": f"sha-256=:{digest}:",
            "Privis-Keys": keys,
            "Idempotency-Key": once,
        }

        def body() -> Iterator[bytes]:
            for start in range(0, len(message), _BLOCK):
                yield message[start : start + _BLOCK]

        return self._about("POST", f"/v1/offers/{_word(offer)}/jobs", body=body, headers=headers)

    def _follow(self, about: dict[str, Any], progress: Callable[[RequestProgress], None]) -> None:
        """Wait for the end of the job that ``about`` describes; raises what became of it unless it has a result."""
        place = f"/v1/jobs/{_word(str(about['id']))}?wait={_WAIT_SECONDS}"
        while True:
            eta = about["eta_seconds"]
            match about["state"]:
                case "queued":
                    progress(RequestProgress(QUEUED, 0.0, eta))
                case "running":
                    progress(RequestProgress(RUNNING, float(about["progress"]), eta))
                case "done":
                    progress(RequestProgress(RUNNING, 1.0, 0.0))
                    return
                case "cancelled":
                    raise ServiceError(Problem("job", "cancelled at the server", "a result", "send it again"))
                case _:
                    _raise_told(about)
            about = self._about("GET", place)

    def _about(self, method: str, place: str, **words: Any) -> dict[str, Any]:
        """A job as the server describes it."""
        about = self._json(method, place, **words)
        names = {"id", "state", "progress", "eta_seconds"}
        if not isinstance(about, dict) or not names <= about.keys() or not isinstance(about["progress"], int | float):
            raise ProtocolError(Problem(f"{method} {place}", "something else", "a job", "is it a Privis server?"))
        return about

    def _fetch(self, job: str) -> bytes:
        for _ in range(_RESTARTS):
            answer = self._request("GET", f"/v1/jobs/{_word(job)}/result")
            if _said_digest(answer) == hashlib.sha256(answer.content).digest():
                return answer.content
        got, remedy = "a body that changed on its way", "try again"
        raise ProtocolError(Problem("result", got, "its Content-Digest", remedy))

    def _drop(self, job: str) -> None:
        """Tell the server that a job is not needed any more; if it cannot be told, it forgets it by itself."""
        with suppress(PrivisError, httpx.HTTPError):
            self._http.delete(f"/v1/jobs/{_word(job)}", timeout=_CONNECT_SECONDS)

    def _json(self, method: str, place: str, **words: Any) -> Any:
        answer = self._request(method, place, **words)
        try:
            return answer.json()
        except ValueError:
            remedy = "is it a Privis server?"
            raise ProtocolError(Problem(f"{method} {place}", "something else", "JSON", remedy)) from None

    def _request(
        self,
        method: str,
        place: str,
        *,
        body: Callable[[], Iterator[bytes]] | None = None,
        headers: dict[str, str] | None = None,
    ) -> httpx.Response:
        """One request, repeated while the server is out of reach or full; raises what its refusal means."""
        deadline, pause = time.monotonic() + self._patience, _FIRST_PAUSE
        while True:
            reason, least = "", 0.0
            try:
                content = None if body is None else body()
                answer = self._http.request(method, place, content=content, headers=headers)
                if answer.is_success:
                    return answer
                if answer.status_code not in _AGAIN or _told(answer).get("kind") == "answers":
                    _raise_refusal(answer, self.url)
                reason, least = _reason(answer), _retry_after(answer)
            except httpx.TransportError as error:
                if "CERTIFICATE_VERIFY_FAILED" in str(error):
                    got, remedy = "a certificate that is not trusted", "--authority FILE names the one to trust"
                    raise ServiceError(Problem(self.url, got, "the certificate of the server", remedy)) from None
                reason = f"no answer ({type(error).__name__}: {error})"
            pause = min(_LONGEST_PAUSE, 2 * pause)
            # spread out: fifty clients of a full server must not come back in the same instant
            wait = max(least, pause) * (0.75 + 0.5 * secrets.randbelow(1000) / 1000)
            if time.monotonic() + wait > deadline:
                remedy = "check that it runs, then run this again: nothing is done twice"
                raise ServiceError(Problem(self.url, reason, f"an answer within {self._patience:g} s", remedy))
            time.sleep(wait)


def _raise_refusal(answer: httpx.Response, url: str) -> NoReturn:
    told = _told(answer)
    if answer.status_code == 401:
        got, remedy = "a refusal of the token", "--token-file names the file from the server's operator"
        raise ServiceError(Problem(url, got, "a token that the server knows", remedy))
    if answer.status_code == 404 and answer.request.method == "HEAD":
        raise KeysUnknown(Problem("keys", "keys that the server does not have", "keys it has", "send them"))
    told.setdefault("problems", [])
    told["status"], told["seconds"] = answer.status_code, _seconds_told(answer)
    _raise_told(told)


def _raise_told(told: dict[str, Any]) -> NoReturn:
    """Raise what the server says was wrong; its words are shown, so control characters are taken out."""
    problems = []
    for problem in told.get("problems") or []:
        if isinstance(problem, dict):
            words = [_printable(problem.get(name, "")) for name in ("where", "got", "expected", "remedy")]
            problems.append(Problem(*words))
    if not problems:
        problems = [Problem("server", f"a refusal ({told.get('status', 'no reason')})", "a result")]
    errors: dict[str, type[PrivisError]] = {
        "protocol": ProtocolError,
        "keys": KeysUnknown,
        "job": _JobUnknown,
        "answers": AnswerLimitError,
    }
    found = errors.get(str(told.get("kind")), ServiceError)
    raise AnswerLimitError(*problems, seconds=told.get("seconds")) if found is AnswerLimitError else found(*problems)


def _told(answer: httpx.Response) -> dict[str, Any]:
    try:
        told = answer.json()
        return told if isinstance(told, dict) else {}
    except ValueError:
        return {}


def _reason(answer: httpx.Response) -> str:
    problems = _told(answer).get("problems") or []
    found = [_printable(problem.get("got", "")) for problem in problems if isinstance(problem, dict)]
    return f"status {answer.status_code}" + "".join(f"; {text}" for text in found)


def _retry_after(answer: httpx.Response) -> float:
    text = answer.headers.get("Retry-After", "")
    return min(float(text), 60.0) if text.isascii() and text.isdecimal() else 0.0


def _seconds_told(answer: httpx.Response) -> float | None:
    """Until a refused question may be asked again; None where the server does not say."""
    text = answer.headers.get("Retry-After", "")
    return float(text) if text.isascii() and text.isdecimal() and len(text) < 10 else None


def _said_digest(answer: httpx.Response) -> bytes | None:
    name, _, value = answer.headers.get("Content-Digest", "").partition("=")
    with suppress(binascii.Error):
        return base64.b64decode(value.strip(":"), validate=True) if name == "sha-256" else None
    return None


def _printable(text: object) -> str:
    return "".join(letter if letter.isprintable() else "?" for letter in str(text)[:1000])


def _word(text: str) -> str:
    """Check that ``text`` may stand as one part of a path."""
    if not text or not all(letter.isascii() and (letter.isalnum() or letter in "._-") for letter in text):
        raise ParameterError(Problem("name", repr(text), "letters, digits and . _ -"))
    return text


def _trusting(authority: Path | None) -> ssl.SSLContext:
    try:
        made = ssl.create_default_context(cafile=authority)
        if authority is not None and not made.cert_store_stats()["x509"]:
            raise OSError("no certificate in it")
        return made
    except OSError as error:
        got = error.strerror or str(error)
        raise ParameterError(misfit(str(authority), FileFormat.CERTIFICATE, got, "a certificate, PEM")) from error
