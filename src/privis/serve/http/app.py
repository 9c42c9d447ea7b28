"""The ASGI application: routes of the endpoints behind one guard that asks for a token, counts and logs."""

from __future__ import annotations

import logging
import math
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from http import HTTPStatus

from privis.errors import AnswerLimitError, ParameterError, PrivisError, Problem, ProtocolError
from privis.extras import optional_import
from privis.serve.fair_shares import OverShare
from privis.serve.http import headers
from privis.serve.http.endpoints import ENDPOINTS, Endpoint, openapi
from privis.serve.http.tokens import Tokens
from privis.serve.metrics import Metrics
from privis.serve.service import NotFound, Service, TooLarge
from privis.serve.store import NoSpace
from privis.serve.workers.scheduler import QueueFull
from privis.serve.workers.worker import as_data
from privis.version import VERSION

with optional_import("serve", "a server for encrypted images"):
    from starlette.applications import Starlette
    from starlette.exceptions import HTTPException
    from starlette.requests import ClientDisconnect, Request
    from starlette.responses import JSONResponse, Response
    from starlette.routing import Route
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

_LOG = logging.getLogger("privis.serve")
_CLOSED_REQUEST = 499  # what proxies log for a client that went away; nobody receives it
_SHOWN_PATH = 120
CLIENT = "privis.client"  # in the scope of a request: whose token it came with

_OPENAPI = Endpoint("GET", "/openapi.json", "This description.", openapi(VERSION), {200: "OpenAPI 3.1."})


def application(service: Service, tokens: Tokens) -> ASGIApp:
    """The application of ``service`` for the clients in ``tokens``."""
    routes = [
        Route(endpoint.path, _handler(service, endpoint), methods=[endpoint.method])
        for endpoint in (*ENDPOINTS, _OPENAPI)
    ]
    handlers = {HTTPException: _refused, PrivisError: _refused, ClientDisconnect: _gone, Exception: _broken}
    app = Starlette(routes=routes, exception_handlers=handlers)  # type: ignore[arg-type]
    return Guard(app, tokens, service.metrics, service.limits.connections_per_client)


def _handler(service: Service, endpoint: Endpoint) -> Callable[[Request], Awaitable[Response]]:
    async def handle(request: Request) -> Response:
        return await endpoint.handle(service, request)

    return handle


class Guard:
    """Middleware that requires a known token, except for /healthz; logs every request, never a header or a body.

    No client has more than ``most`` requests at once: a 429 says so.
    """

    def __init__(self, app: ASGIApp, tokens: Tokens, metrics: Metrics, most: int) -> None:
        self._app, self._tokens, self._metrics, self._most = app, tokens, metrics, most
        self._open = {endpoint.path for endpoint in ENDPOINTS if not endpoint.needs_token}
        self._at_once: Counter[str] = Counter()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        start, status = time.monotonic(), 0

        async def sending(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        client = None
        try:
            client, refusal = self._judged(scope)
            scope[CLIENT] = client
            if refusal is not None:
                await refusal(scope, receive, sending)
            elif client is None:
                await self._app(scope, receive, sending)
            else:
                await self._counted(client, scope, receive, sending)
        finally:
            took = 1000 * (time.monotonic() - start)
            self._metrics.request(_known_method(scope["method"]), status or _CLOSED_REQUEST)
            path = scope["path"][:_SHOWN_PATH].encode("unicode_escape").decode()
            method = scope["method"][:_SHOWN_PATH]
            _LOG.info("%s %s %s %d %.0f ms", client or "-", method, path, status or _CLOSED_REQUEST, took)

    def _judged(self, scope: Scope) -> tuple[str | None, Response | None]:
        """Who asks, if that is known, and the answer if it is a refusal."""
        try:
            client = self._tokens.client(headers.authorization(scope))
        except ParameterError as error:
            if scope["path"] in self._open:
                return None, None
            challenge = {"WWW-Authenticate": 'Bearer error="invalid_request"'}
            return None, _answer(400, "parameter", error.problems, challenge)
        if client is None and scope["path"] not in self._open:
            problem = Problem("Authorization", "no token that is known here", "Bearer TOKEN", "--token-file FILE")
            return None, _answer(401, "token", (problem,), {"WWW-Authenticate": "Bearer"})
        if client is not None and self._at_once[client] >= self._most:
            got, expected = f"{self._at_once[client]} requests of yours at once", f"at most {self._most}"
            problem = Problem("server", got, expected, "ask again in 1 s")
            return client, _answer(429, "share", (problem,), {"Retry-After": "1"})
        return client, None

    async def _counted(self, client: str, scope: Scope, receive: Receive, send: Send) -> None:
        self._at_once[client] += 1
        try:
            await self._app(scope, receive, send)
        finally:
            self._at_once[client] -= 1


def _known_method(method: str) -> str:
    return method if method in {"GET", "HEAD", "PUT", "POST", "DELETE"} else "other"


def _answer(status: int, kind: str, problems: tuple[Problem, ...], more: dict[str, str] | None = None) -> Response:
    """Problem details (RFC 9457), with everything that is wrong."""
    title = HTTPStatus(status).phrase
    content = {"title": title, "status": status, "kind": kind, "problems": as_data(problems)}
    return JSONResponse(content, status, more, media_type="application/problem+json")


async def _refused(request: Request, error: Exception) -> Response:
    match error:
        case QueueFull():
            return _answer(503, "busy", error.problems, {"Retry-After": str(error.seconds)})
        case AnswerLimitError():
            if error.seconds is None:
                return _answer(403, "answers", error.problems)
            return _answer(429, "answers", error.problems, {"Retry-After": str(math.ceil(error.seconds))})
        case OverShare():
            return _answer(429, "share", error.problems, {"Retry-After": str(error.seconds)})
        case NoSpace():
            return _answer(507, "space", error.problems, {"Retry-After": "30"})
        case TooLarge():
            return _answer(413, "size", error.problems)
        case NotFound():
            return _answer(404, error.kind, error.problems)
        case ProtocolError():
            return _answer(400, "protocol", error.problems)
        case ParameterError():
            return _answer(400, "parameter", error.problems)
        case HTTPException():
            problem = Problem("request", f"{request.method} that cannot be answered", error.detail)
            return _answer(error.status_code, "request", (problem,), dict(error.headers or {}))
        case PrivisError():
            return _answer(500, "internal", error.problems)
        case _:
            raise error


async def _gone(request: Request, error: Exception) -> Response:
    return Response(status_code=400)  # nobody reads it


async def _broken(request: Request, error: Exception) -> Response:
    _LOG.error("an unexpected %s", type(error).__name__)  # the traceback is logged by the server that runs this
    return _answer(500, "internal", (Problem("server", "an unexpected error", "an answer", "see the server's log"),))
