"""The application behind the page: every answer is what a command would have said, as JSON or a picture."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Mapping
from html import escape
from importlib import resources
from typing import Any
from urllib.parse import unquote

from privis.cli.parsing import FEATURES, described_type, parameter_types
from privis.cli.studio.access import REPORTS, Access, PageGuard
from privis.cli.studio.background import BackgroundCommands
from privis.cli.studio.catalogue import LANGUAGES, messages, preferred
from privis.cli.studio.rendered_pictures import RenderedPictures
from privis.cli.studio.uploads import MOST_BYTES_OF_ONE, Uploads, described
from privis.cli.studio.views.budget_view import budget_view
from privis.cli.studio.views.expected_seconds import expected_seconds
from privis.cli.studio.views.protected_image import EPSILON, EPSILONS, Asked, ProtectedImages
from privis.cli.studio.views.task_forms import TASKS, described_tasks, shown_command
from privis.errors import ParameterError, PrivisError, Problem
from privis.extras import optional_import

with optional_import("serve", "the local page"):
    from starlette.applications import Starlette
    from starlette.concurrency import run_in_threadpool
    from starlette.requests import ClientDisconnect, Request
    from starlette.responses import HTMLResponse, JSONResponse, Response
    from starlette.routing import Route
    from starlette.types import ASGIApp

_STATIC = {
    "studio.css": "text/css",
    "studio.js": "text/javascript",
    "tasks.js": "text/javascript",
    "icon.svg": "image/svg+xml",
}
_MOST_JSON = 1 << 20
View = Callable[[Mapping[str, Any], str], Any]


class Studio:
    """What the page keeps while it is open: images, pictures, commands; all of it in memory.

    Args:
        language: of the page; None: the browser's.
    """

    def __init__(self, language: str | None = None) -> None:
        self.uploads, self.pictures, self.commands = Uploads(), RenderedPictures(), BackgroundCommands()
        self.images = ProtectedImages(self.uploads, self.pictures)
        self.language = language
        self.views: dict[str, View] = {
            "noised": lambda body, language: self.images.noised(Asked.of(body), language),
            "seen": lambda body, language: self.images.seen(Asked.of(body), language),
            "attacked": lambda body, language: self.images.attacked(Asked.of(body), language),
            "documented": lambda body, language: self.images.documented(Asked.of(body), language),
            "start": self._start,
            "budget": budget_view,
        }

    def application(self, access: Access) -> ASGIApp:
        """Make the ASGI application, behind a guard."""
        routes = [
            Route("/", self._page),
            Route("/static/{name}", self._static),
            Route("/pictures/{key}", self._picture),
            Route(f"{REPORTS}{{key}}", self._picture),
            Route("/images", self._listed),
            Route("/images", self._upload, methods=["POST"]),
            Route("/images/{key}", self._image),
            Route("/images/{key}", self._forget, methods=["DELETE"]),
            Route("/commands", self._running),
            Route("/commands/{key}", self._command),
            Route("/commands/{key}", self._stop, methods=["DELETE"]),
            Route("/views/{name}", self._view, methods=["POST"]),
        ]
        handlers: dict[Any, Any] = {PrivisError: _refused, ClientDisconnect: _gone}
        return PageGuard(Starlette(routes=routes, exception_handlers=handlers), access)

    def _start(self, body: Mapping[str, Any], language: str) -> dict[str, Any]:
        """Start the command of a task."""
        name, images, values = body.get("task"), body.get("images"), body.get("values")
        if (
            not isinstance(name, str)
            or name not in TASKS
            or not isinstance(images, list)
            or not isinstance(values, dict)
        ):
            expected = "a task, a list of images and an object of values"
            raise ParameterError(Problem("request", "something else", expected))
        task = TASKS[name]
        if len(images) != task.images:
            raise ParameterError(Problem("images", f"{len(images)}", f"{task.images}, dropped on the page"))
        chosen, words = [self.uploads.get(str(key)) for key in images], task.words(values)
        shown = shown_command(words, [each.name for each in chosen])
        told = {"command": shown, "view": task.view, "images": images}
        key = self.commands.start(words, chosen, told)
        started, shapes = self.commands.get(key), [each.shape for each in chosen]

        def predict() -> None:
            started.predicted = expected_seconds(name, values, shapes)

        threading.Thread(target=predict, daemon=True).start()  # the command need not wait for it
        return {**told, "key": key}

    def _language(self, request: Request) -> str:
        asked = request.query_params.get("language") or self.language
        return asked if asked in LANGUAGES else preferred(request.headers.get("accept-language", ""))

    async def _page(self, request: Request) -> Response:
        return HTMLResponse(page(self._language(request)))

    async def _static(self, request: Request) -> Response:
        name = request.path_params["name"]
        if name not in _STATIC:
            return Response(status_code=404)
        text = resources.files("privis.cli.studio").joinpath("static", name).read_bytes()
        return Response(text, media_type=_STATIC[name])

    async def _picture(self, request: Request) -> Response:
        found = self.pictures.get(request.path_params["key"])
        return Response(status_code=404) if found is None else Response(found[1], media_type=found[0])

    async def _listed(self, request: Request) -> Response:
        return JSONResponse(self.uploads.listed())

    async def _upload(self, request: Request) -> Response:
        content = await _body(request, MOST_BYTES_OF_ONE)
        name = unquote(request.headers.get("x-file-name", "image"))
        key, upload = await run_in_threadpool(self.uploads.add, name, content)
        return JSONResponse(described(key, upload))

    async def _image(self, request: Request) -> Response:
        pixels = await run_in_threadpool(self.uploads.pixels, request.path_params["key"])
        found = self.pictures.get(await run_in_threadpool(self.pictures.add, pixels))
        return Response(status_code=404) if found is None else Response(found[1], media_type=found[0])

    async def _forget(self, request: Request) -> Response:
        self.uploads.remove(request.path_params["key"])
        self.pictures.clear()
        self.images.forget()
        return JSONResponse({})

    async def _running(self, request: Request) -> Response:
        return JSONResponse(self.commands.running())

    async def _command(self, request: Request) -> Response:
        return JSONResponse(self.commands.get(request.path_params["key"]).to_dict())

    async def _stop(self, request: Request) -> Response:
        self.commands.get(request.path_params["key"]).stop()
        return JSONResponse({})

    async def _view(self, request: Request) -> Response:
        name = request.path_params["name"]
        if name not in self.views:
            return Response(status_code=404)
        try:
            body = json.loads(await _body(request, _MOST_JSON))
        except (ValueError, RecursionError):
            raise ParameterError(Problem("request", "no JSON", "a JSON object")) from None
        if not isinstance(body, dict):
            raise ParameterError(Problem("request", type(body).__name__, "a JSON object"))
        return JSONResponse(await run_in_threadpool(self.views[name], body, self._language(request)))


def page(language: str) -> str:
    """Give the page in a language: everything that it says is a message, everything that it loads is beside it.

    Args:
        language: of `LANGUAGES`.

    Returns:
        HTML.
    """
    known = messages(language)
    text = resources.files("privis.cli.studio").joinpath("static", "studio.html").read_text("utf-8")
    for key, message in known.items():
        text = text.replace(f"[[{key}]]", escape(message))
    options = "".join(
        f'<option value="{name}"{" selected" if name == language else ""}>{escape(title)}</option>'
        for name, title in LANGUAGES.items()
    )
    data = {
        "messages": known,
        "features": _features(),
        "tasks": described_tasks(),
        "language": language,
        "epsilons": EPSILONS,
        "epsilon": EPSILON,
    }
    told = json.dumps(data, ensure_ascii=False).replace("<", "\\u003c")
    return (
        text.replace("[[:language]]", language)
        .replace("[[:languages]]", options)
        .replace("[[:features]]", _options(known))
        .replace("[[:data]]", told)
    )


def _options(known: Mapping[str, str]) -> str:
    return "".join(
        f'<option value="{name}"{" selected" if name == "hog" else ""}>{escape(known[f"feature.{name}"])}</option>'
        for name in _features()
    )


def _features() -> dict[str, list[dict[str, str]]]:
    """Features that a single picture has, with the parameters that one word can say."""
    return {
        name: [{"name": key, "takes": described_type(kind)} for key, kind in parameter_types(choice.load()).items()]
        for name, choice in FEATURES.items()
        if not choice.needs and ".motion" not in f".{choice.module}"
    }


async def _body(request: Request, most: int) -> bytes:
    """Read a body in memory; Starlette's forms would write large ones to a disk."""
    parts, size = [], 0
    async for chunk in request.stream():
        size += len(chunk)
        if size > most:
            raise ParameterError(Problem("request", f"more than {most:,} bytes", "less"))
        parts.append(chunk)
    return b"".join(parts)


async def _refused(request: Request, error: Exception) -> Response:
    assert isinstance(error, PrivisError)
    return JSONResponse({"problems": [str(problem) for problem in error.problems]}, status_code=422)


async def _gone(request: Request, error: Exception) -> Response:
    return Response(status_code=400)
