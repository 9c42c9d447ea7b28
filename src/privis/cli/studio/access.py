"""Who may use the page: whoever has its address, in a browser of this machine, from no other page."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from http import HTTPStatus

from privis.extras import optional_import

with optional_import("serve", "the local page"):
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

POLICY = "default-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; object-src 'none'"
"""Content-Security-Policy of everything that is sent: a browser asks nobody but this process."""
REPORTS = "/reports/"
REPORT_POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; frame-ancestors 'none'; sandbox"
"""Of reports below `REPORTS`, which carry their style and pictures in themselves; no script of theirs would run."""
HEADERS = {
    "content-security-policy": POLICY,
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cross-origin-resource-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
    "cache-control": "no-store",
}
_PLAIN = (b"content-type", b"text/plain; charset=utf-8")
NAMES = ("127.0.0.1", "localhost")


@dataclass(frozen=True)
class Access:
    """The address of one page: a port of this machine, and a token that nobody can guess.

    Args:
        port: that the page listens on.
        token: the first part of every path; 256 random bits unless given.
    """

    port: int
    token: str = field(default_factory=lambda: secrets.token_urlsafe(32), repr=False)

    @property
    def url(self) -> str:
        """The address, a secret: who has it may use the page."""
        return f"http://{NAMES[0]}:{self.port}/{self.token}/"

    def refusal(self, method: str, path: str, headers: Mapping[str, str]) -> HTTPStatus | None:
        """Say why a request is not answered; None: it is.

        A foreign page can make a browser send a request here (cross-site request forgery), and a foreign name can be
        made to mean 127.0.0.1 (DNS rebinding). The first is told by ``Origin`` and ``Sec-Fetch-Site``, which pages
        cannot set, the second by ``Host``; both would need the token besides.

        Args:
            method: of the request.
            path: with the token.
            headers: by names in lower case.

        Returns:
            The status of the refusal, or None.

        >>> access = Access(8000, token="secret")
        >>> access.refusal("GET", "/secret/", {"host": "127.0.0.1:8000"}) is None
        True
        >>> access.refusal("GET", "/secret/", {"host": "rebound.example:8000"}).value
        421
        """
        hosts = [f"{name}:{self.port}" for name in NAMES]
        if headers.get("host", "").lower() not in hosts:
            return HTTPStatus.MISDIRECTED_REQUEST
        given = path.removeprefix("/").partition("/")[0]
        if not secrets.compare_digest(given.encode(), self.token.encode()):
            return HTTPStatus.NOT_FOUND
        own = [f"http://{host}" for host in hosts]
        origin = headers.get("origin")
        if origin is not None and origin.lower() not in own:
            return HTTPStatus.FORBIDDEN
        if method not in ("GET", "HEAD") and origin is None:
            return HTTPStatus.FORBIDDEN
        if headers.get("sec-fetch-site", "none") in ("same-origin", "none"):
            return None
        opens = headers.get("sec-fetch-mode") == "navigate" and headers.get("sec-fetch-dest") == "document"
        return None if opens and method == "GET" and path == f"/{self.token}/" else HTTPStatus.FORBIDDEN


class PageGuard:
    """Middleware that answers nothing `Access` refuses, takes the token off the path and sends `HEADERS` with all."""

    def __init__(self, app: ASGIApp, access: Access) -> None:
        self._app, self._access = app, access

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request."""
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return

        reports = scope.get("path", "").startswith(f"/{self._access.token}{REPORTS}")

        async def sending(message: Message) -> None:
            if message["type"] == "http.response.start":
                kept = [(name, value) for name, value in message.get("headers", []) if name.decode() not in HEADERS]
                own = {**HEADERS, "content-security-policy": REPORT_POLICY} if reports else HEADERS
                message["headers"] = kept + [(name.encode(), value.encode()) for name, value in own.items()]
            await send(message)

        if scope["type"] != "http":
            await send({"type": "websocket.close", "code": 1008})
            return
        headers = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in scope["headers"]}
        refused = self._access.refusal(scope["method"], scope["path"], headers)
        if refused is not None:
            start = {"type": "http.response.start", "status": refused.value, "headers": [_PLAIN]}
            await sending(start)
            await sending({"type": "http.response.body", "body": refused.phrase.encode()})
            return
        inner = scope["path"].removeprefix(f"/{self._access.token}")
        await self._app({**scope, "path": inner, "raw_path": inner.encode()}, receive, sending)
