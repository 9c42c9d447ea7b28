"""The ASGI application: routes of the endpoints behind one guard that asks for a token, counts and logs."""

from __future__ import annotations

import logging
import time
from collections.abc import Awaitable, Callable
from http import HTTPStatus

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from privis.errors import ParameterError, PrivisError, Problem, ProtocolError
from privis.serve.endpoints import ENDPOINTS, Endpoint, openapi
from privis.serve.jobs import QueueFull
from privis.serve.metrics import Metrics
from privis.serve.service import Service, TooLarge, Unknown
from privis.serve.store import NoSpace
from privis.serve.tokens import Tokens
from privis.serve.worker import as_data
from privis.version import VERSION

_LOG = logging.getLogger("privis.serve")
_CLOSED_REQUEST = 499  # what proxies log for a client that went away; nobody receives it
_SHOWN_PATH = 120

_OPENAPI = Endpoint("GET", "/openapi.json", "This description.", openapi(VERSION), {200: "OpenAPI 3.1."})


def application(service: Service, tokens: Tokens) -> ASGIApp:
    """The application of ``service`` for the clients in ``tokens``."""
    routes = [
        Route(endpoint.path, _handler(service, endpoint), methods=[endpoint.method])
        for endpoint in (*ENDPOINTS, _OPENAPI)
    ]
    handlers = {HTTPException: _refused, PrivisError: _refused, ClientDisconnect: _gone, Exception: _broken}
    return Guard(Starlette(routes=routes, exception_handlers=handlers), tokens, service.metrics)  # type: ignore[arg-type]


def _handler(service: Service, endpoint: Endpoint) -> Callable[[Request], Awaitable[Response]]:
    async def handle(request: Request) -> Response:
        return await endpoint.handle(service, request)

    return handle


class Guard:
    """Lets nobody past without a known token, except to /healthz; logs every request, never a header or a body."""

    def __init__(self, app: ASGIApp, tokens: Tokens, metrics: Metrics) -> None:
        self._app, self._tokens, self._metrics = app, tokens, metrics
        self._open = {endpoint.path for endpoint in ENDPOINTS if not endpoint.needs_token}

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

        client = self._tokens.client(_authorization(scope))
        scope["privis.client"] = client
        try:
            if client is None and scope["path"] not in self._open:
                challenge = {"WWW-Authenticate": "Bearer"}
                problem = Problem("Authorization", "no token that is known here", "Bearer TOKEN", "--token-file FILE")
                await _answer(401, "token", (problem,), challenge)(scope, receive, sending)
            else:
                await self._app(scope, receive, sending)
        finally:
            took = 1000 * (time.monotonic() - start)
            self._metrics.request(_known_method(scope["method"]), status or _CLOSED_REQUEST)
            path = scope["path"][:_SHOWN_PATH].encode("unicode_escape").decode()
            _LOG.info("%s %s %s %d %.0f ms", client or "-", scope["method"], path, status or _CLOSED_REQUEST, took)


def _authorization(scope: Scope) -> str | None:
    for name, value in scope["headers"]:
        if name == b"authorization":
            return value.decode("latin-1")
    return None


def _known_method(method: str) -> str:
    return method if method in {"GET", "HEAD", "PUT", "POST", "DELETE"} else "other"


def _answer(status: int, kind: str, problems: tuple[Problem, ...], headers: dict[str, str] | None = None) -> Response:
    """Problem details (RFC 9457), with everything that is wrong."""
    title = HTTPStatus(status).phrase
    content = {"title": title, "status": status, "kind": kind, "problems": as_data(problems)}
    return JSONResponse(content, status, headers, media_type="application/problem+json")


async def _refused(request: Request, error: Exception) -> Response:
    match error:
        case QueueFull():
            return _answer(503, "busy", error.problems, {"Retry-After": str(error.seconds)})
        case NoSpace():
            return _answer(507, "space", error.problems, {"Retry-After": "30"})
        case TooLarge():
            return _answer(413, "size", error.problems)
        case Unknown():
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
