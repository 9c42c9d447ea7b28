"""The HTTP interface: what each path does, and the table from which routes and the OpenAPI description are made."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import asdict, dataclass

from privis.errors import ParameterError, Problem
from privis.extras import optional_import
from privis.serve import metrics
from privis.serve.http import bodies, headers
from privis.serve.http.headers import DIGEST_HEADER
from privis.serve.service import Service
from privis.serve.workers.pool import WorkerKey
from privis.serve.workers.scheduler import FINAL, ServerJob, State
from privis.serve.workers.worker import as_data

with optional_import("serve", "a server for encrypted images"):
    from starlette.exceptions import HTTPException
    from starlette.requests import Request
    from starlette.responses import JSONResponse, PlainTextResponse, Response

KEYS_HEADER, ONCE_HEADER = "Privis-Keys", "Idempotency-Key"
LONGEST_WAIT = 30.0
_LONGEST_ONCE = 256


@dataclass(frozen=True)
class Parameter:
    """A part of a path, a header or a query that an endpoint reads."""

    name: str
    place: str  # path, header or query
    description: str
    required: bool = True


@dataclass(frozen=True)
class Endpoint:
    """One method of one path. ``sends`` and ``body`` are media types, ``answers`` status codes with their meaning."""

    method: str
    path: str
    summary: str
    handle: Callable[[Service, Request], Awaitable[Response]]
    answers: dict[int, str]
    parameters: tuple[Parameter, ...] = ()
    sends: str = "application/json"
    body: str = ""
    needs_token: bool = True


def _client(request: Request) -> str:
    return request.scope["privis.client"]


def _body(service: Service, request: Request) -> AsyncIterator[bytes]:
    return bodies.received(request, service.limits, lambda count: service.metrics.traffic("received", count))


async def _health(service: Service, request: Request) -> Response:
    state = "lost" if service.lost.is_set() else "stopping" if service.scheduler.draining else "ok"
    return JSONResponse({"status": state}, 200 if state == "ok" else 503)


async def _metrics(service: Service, request: Request) -> Response:
    return PlainTextResponse(service.metrics.text(service.gauges()), media_type=metrics.CONTENT_TYPE)


async def _offers(service: Service, request: Request) -> Response:
    def listed(name: str) -> dict[str, object]:
        terms = service.terms[name]
        return {"name": name, "summary": terms.summary, "digest": terms.digest, "estimate": asdict(terms.estimate)}

    return JSONResponse([listed(name) for name in service.terms])


async def _offer(service: Service, request: Request) -> Response:
    return Response(service.offer(request.path_params["offer"]).to_json(), media_type="application/json")


async def _put_key(service: Service, request: Request) -> Response:
    offer, digest = request.path_params["offer"], request.path_params["digest"]
    length, said = headers.length(request), headers.said_digest(request)
    await service.receive_key(_client(request), offer, digest, length, _body(service, request), said)
    return Response(status_code=204)


async def _has_key(service: Service, request: Request) -> Response:
    service.offer(request.path_params["offer"])
    service.require_key(_client(request), request.path_params["digest"])
    return Response(status_code=204)


async def _drop_key(service: Service, request: Request) -> Response:
    service.offer(request.path_params["offer"])
    await service.drop_key(_client(request), request.path_params["digest"])
    return Response(status_code=204)


async def _post_job(service: Service, request: Request) -> Response:
    keys, once = headers.header(request, KEYS_HEADER) or "", headers.header(request, ONCE_HEADER) or ""
    if len(once) > _LONGEST_ONCE:
        raise ParameterError(Problem(ONCE_HEADER, f"{len(once)} characters", f"at most {_LONGEST_ONCE}"))
    worker_key = WorkerKey(_client(request), request.path_params["offer"], keys)
    length, said = headers.length(request), headers.said_digest(request)
    job, new = await service.receive_job(worker_key, length, _body(service, request), said, once)
    return JSONResponse(_described(service, job), 202 if new else 200, {"Location": f"/v1/jobs/{job.id}"})


async def _job(service: Service, request: Request) -> Response:
    job = service.job(_client(request), request.path_params["job"])
    said = headers.one("wait", request.query_params.getlist("wait"))
    wait = 0 if said is None else headers.whole("wait", said, "seconds")
    if job.state not in FINAL and wait:
        await bodies.change(request, job.changed, min(wait, LONGEST_WAIT))
    return JSONResponse(_described(service, job))


async def _result(service: Service, request: Request) -> Response:
    job = service.job(_client(request), request.path_params["job"])
    if job.state is not State.DONE:
        raise HTTPException(409, f"a job that is done; it is {job.state}")
    answer = bodies.sent(request, job.reply, job.reply_bytes, {DIGEST_HEADER: headers.binary_digest(job.reply_sha256)})
    service.metrics.traffic("sent", 0 if request.method == "HEAD" else job.reply_bytes)
    return answer


async def _drop_job(service: Service, request: Request) -> Response:
    await service.drop_job(service.job(_client(request), request.path_params["job"]))
    return Response(status_code=204)


def _described(service: Service, job: ServerJob) -> dict[str, object]:
    eta = service.scheduler.eta(job)
    return {
        "id": job.id,
        "offer": job.worker_key.offer,
        "state": job.state,
        "progress": round(job.progress, 4),
        "position": service.scheduler.position(job),
        "eta_seconds": None if eta is None else round(eta, 3),
        "seconds": round(job.finished - job.started, 3) if job.state is State.DONE else None,
        "reply_bytes": job.reply_bytes,
        "kind": job.kind,
        "problems": as_data(job.problems),
    }


_OFFER = Parameter("offer", "path", "Name of an offer.")
_DIGEST = Parameter("digest", "path", "Digest of a key bundle: the last 32 bytes of its header, in hexadecimal.")
_JOB = Parameter("job", "path", "Name of a job, as the answer to its POST says.")
_SAID = Parameter(DIGEST_HEADER, "header", "sha-256=:BASE64: of the body (RFC 9530).", False)
_BYTES = "application/octet-stream"

ENDPOINTS = (
    Endpoint("GET", "/healthz", "Whether the server takes jobs.", _health, {200: "It does.", 503: "It is stopping."},
             needs_token=False),
    Endpoint("GET", "/metrics", "Counters for Prometheus.", _metrics, {200: "Text format 0.0.4."}, sends="text/plain"),
    Endpoint("GET", "/v1/offers", "What can be computed here.", _offers,
             {200: "Name, summary, digest and estimate of every offer."}),
    Endpoint("GET", "/v1/offers/{offer}", "What a client needs for making keys and encrypting.", _offer,
             {200: "The terms: digest, specification, estimate, words."}, (_OFFER,)),
    Endpoint("PUT", "/v1/offers/{offer}/keys/{digest}", "Upload evaluation keys; the same ones again change nothing.",
             _put_key, {204: "They are here.", 400: "No such keys, damaged ones, or keys of another program.",
                        413: "Too large.", 503: "Too many uploads.", 507: "No room; nobody's keys were deleted."},
             (_OFFER, _DIGEST, _SAID), body=_BYTES),
    Endpoint("HEAD", "/v1/offers/{offer}/keys/{digest}", "Whether keys are here.", _has_key, {204: "They are."},
             (_OFFER, _DIGEST)),
    Endpoint("DELETE", "/v1/offers/{offer}/keys/{digest}", "Forget keys and end the jobs that wait for them.",
             _drop_key, {204: "They are gone."}, (_OFFER, _DIGEST)),
    Endpoint("POST", "/v1/offers/{offer}/jobs", "Send an encrypted message to compute on.", _post_job,
             {202: "Queued.", 200: "This very message was here before.", 400: "Damaged on its way.",
              403: "No more answers until the operator lifts the limit.",
              413: "Too large.", 503: "The queue is full; Retry-After says when to come back.", 507: "No room."},
             (_OFFER, Parameter(KEYS_HEADER, "header", "Digest of the keys it was encrypted for."),
              Parameter(ONCE_HEADER, "header", "Equal messages with equal values are one job.", False),
              _SAID), body=_BYTES),
    Endpoint("GET", "/v1/jobs/{job}", "State, progress and time left of a job.", _job, {200: "A job."},
             (_JOB, Parameter("wait", "query", "Answer at the next change, or after so many seconds.", False))),
    Endpoint("GET", "/v1/jobs/{job}/result", "The encrypted result.", _result,
             {200: "A message that only the keys' owner can decrypt.", 409: "The job is not done."}, (_JOB,),
             sends=_BYTES),
    Endpoint("DELETE", "/v1/jobs/{job}", "Cancel a job, or delete its result.", _drop_job, {204: "It is gone."},
             (_JOB,)),
)  # fmt: skip


def description(version: str) -> dict[str, object]:
    """The OpenAPI 3.1 document of `ENDPOINTS`."""
    paths: dict[str, dict[str, object]] = {}
    for endpoint in ENDPOINTS:
        paths.setdefault(endpoint.path, {})[endpoint.method.lower()] = _operation(endpoint)
    text = {"type": "string"}
    problem = {"type": "object", "properties": {name: text for name in ("where", "got", "expected", "remedy")}}
    error = {
        "type": "object",
        "properties": {
            "title": text,
            "status": {"type": "integer"},
            "kind": text,
            "problems": {"type": "array", "items": problem},
        },
    }
    return {
        "openapi": "3.1.0",
        "info": {"title": "Privis: features of encrypted images", "version": version},
        "paths": paths,
        "components": {
            "schemas": {"Error": error},
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}},
        },
    }


def _operation(endpoint: Endpoint) -> dict[str, object]:
    problem = {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Error"}}}
    answers: dict[str, object] = {}
    for status, meaning in endpoint.answers.items():
        content = problem if status >= 400 else {} if status == 204 else {endpoint.sends: {}}
        answers[str(status)] = {"description": meaning, **({"content": content} if content else {})}
    if endpoint.body:
        answers["408"] = {"description": "The body came too slowly.", "content": problem}
        answers["411"] = {"description": "No Content-Length.", "content": problem}
        answers["415"] = {"description": "Another Content-Type, or a Content-Encoding.", "content": problem}
    if endpoint.needs_token:
        answers["400"] = answers.get("400", {"description": "Malformed headers or query.", "content": problem})
        answers["429"] = {
            "description": "Your share is used up; Retry-After says when to come back.",
            "content": problem,
        }
        answers["401"] = {"description": "No token, or none that is known.", "content": problem}
        if any(parameter.place == "path" for parameter in endpoint.parameters):
            answers["404"] = {"description": "No such thing, or another client's.", "content": problem}
    said: dict[str, object] = {"summary": endpoint.summary, "responses": answers}
    if endpoint.parameters:
        said["parameters"] = [
            {
                "name": parameter.name,
                "in": parameter.place,
                "description": parameter.description,
                "required": parameter.required,
                "schema": {"type": "string"},
            }
            for parameter in endpoint.parameters
        ]
    if endpoint.body:
        said["requestBody"] = {"required": True, "content": {endpoint.body: {}}}
    said["security"] = [{"token": []}] if endpoint.needs_token else []
    return said


def openapi(version: str) -> Callable[[Service, Request], Awaitable[Response]]:
    """The handler that answers with `description`."""
    text = json.dumps(description(version))

    async def handle(service: Service, request: Request) -> Response:
        return Response(text, media_type="application/json")

    return handle
