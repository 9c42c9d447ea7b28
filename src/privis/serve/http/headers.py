"""Parse the headers of a request, or raise ParameterError: bad input gets an answer in words, never a failure.

The syntax of HTTP itself, among it that of Content-Length and Transfer-Encoding, is checked by h11.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Sequence

from privis.errors import ParameterError, Problem
from privis.extras import optional_import

with optional_import("serve", "a server for encrypted images"):
    from starlette.exceptions import HTTPException
    from starlette.requests import Request
    from starlette.types import Scope

DIGEST_HEADER = "Content-Digest"

_BYTES = "application/octet-stream"
_SHOWN = 80
_CREDENTIALS = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+( +[\x21-\x7e][\x20-\x7e]*)?")  # RFC 9110, 11.4
_BEARER = re.compile(r"(?i:bearer) +[A-Za-z0-9._~+/-]+=*")  # RFC 6750, 2.1
_DIGITS = 20


def one(name: str, values: Sequence[str]) -> str | None:
    """The value of a header or a part of a query that may be said once, or None; ParameterError."""
    if len(values) > 1:
        raise ParameterError(Problem(name, f"{len(values)} of them", "at most one"))
    if values and not (values[0].isascii() and values[0].isprintable()):
        raise ParameterError(Problem(name, ascii(values[0][:_SHOWN]), "printable ASCII"))
    return values[0] if values else None


def header(request: Request, name: str) -> str | None:
    """Value of a header that may occur once, or None; ParameterError for more."""
    return one(name, request.headers.getlist(name))


def authorization(scope: Scope) -> str | None:
    """The Authorization header, which is not shown in an error: it may hold a secret."""
    values = [value.decode("latin-1") for name, value in scope["headers"] if name == b"authorization"]
    if not values:
        return None
    got = ""
    if len(values) > 1:
        got = f"{len(values)} of them"
    elif not values[0].isascii():
        got = "letters that are not ASCII"
    elif not _CREDENTIALS.fullmatch(values[0]):
        got = "something else"
    elif values[0].split(" ")[0].lower() == "bearer" and not _BEARER.fullmatch(values[0]):
        got = "Bearer and no token"
    if got:
        raise ParameterError(Problem("Authorization", got, "Bearer TOKEN", "--token-file FILE"))
    return values[0]


def length(request: Request) -> int:
    """Bytes of the body: they are said, of the only media type that is taken, before it is read."""
    said, coding = header(request, "content-length"), header(request, "transfer-encoding")
    if said is not None and coding is not None:
        got = "Content-Length and Transfer-Encoding"
        raise ParameterError(Problem("headers", got, "Content-Length alone", "they may contradict each other"))
    if said is None:
        raise HTTPException(411, "Content-Length: limits are checked before a body is read")
    kind = header(request, "content-type")
    if kind is not None and kind.partition(";")[0].strip().lower() != _BYTES:
        raise HTTPException(415, f"Content-Type: {_BYTES}, or none")
    if header(request, "content-encoding") not in (None, "identity"):
        raise HTTPException(415, "a body without Content-Encoding: ciphertexts do not get smaller")
    return whole("Content-Length", said, "bytes")


def whole(name: str, text: str, unit: str) -> int:
    """A whole number that is not negative."""
    if not (text.isascii() and text.isdecimal() and len(text) <= _DIGITS):
        raise ParameterError(Problem(name, ascii(text[:_SHOWN]), f"{unit}, a whole number of at most {_DIGITS} digits"))
    return int(text)


def said_digest(request: Request) -> str | None:
    """SHA-256 of the body as its Content-Digest says; other algorithms are passed over, as RFC 9530 wants."""
    found = set()
    for field in ",".join(request.headers.getlist(DIGEST_HEADER)).split(","):
        name, _, value = field.strip().partition("=")
        if name.strip().lower() == "sha-256":
            try:
                digest = base64.b64decode(value.strip().strip(":"), validate=True)
            except ValueError:  # not ASCII, or not base64
                digest = b""
            if len(digest) != 32:
                raise ParameterError(Problem(DIGEST_HEADER, ascii(value[:_SHOWN]), "sha-256=:BASE64: of 32 bytes"))
            found.add(digest.hex())
    if len(found) > 1:
        raise ParameterError(Problem(DIGEST_HEADER, f"{len(found)} different ones", "one of the body"))
    return found.pop() if found else None


def binary_digest(sha256: str) -> str:
    """The Content-Digest field (RFC 9530) of a body with this hexadecimal SHA-256.

    >>> binary_digest("00" * 32)
    'sha-256=:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=:'
    """
    return f"sha-256=:{base64.b64encode(bytes.fromhex(sha256)).decode()}:"
