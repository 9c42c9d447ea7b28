"""Bodies as they come and go: a client that is slow, silent or gone is not waited for."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import IO

from privis.extras import optional_import
from privis.serve.limits import Limits

with optional_import("serve", "a server for encrypted images"):
    from starlette.exceptions import HTTPException
    from starlette.requests import Request
    from starlette.responses import Response, StreamingResponse

_BLOCK = 1 << 18


async def received(request: Request, limits: Limits, count: Callable[[int], None]) -> AsyncIterator[bytes]:
    """The body of a request as it comes; ``count`` is told the bytes of each piece.

    What counts is how long the client is waited for, not how long this machine takes to write. HTTPException with
    status 408 for a client that is silent, slower than the limits say, or not done in time.
    """
    stream, waited, bytes_ = aiter(request.stream()), 0.0, 0
    idle, rate = limits.upload_idle_seconds, limits.upload_bytes_per_second
    while True:
        left = min(idle, idle + bytes_ / rate - waited, limits.upload_seconds - waited)
        start = time.monotonic()
        try:
            async with asyncio.timeout(max(0.0, left)):
                chunk = await anext(stream)
        except StopAsyncIteration:
            return
        except TimeoutError:
            slow = f"nothing for {idle:g} s, or less than {rate:,} bytes a second, or not all in"
            raise HTTPException(408, f"a body that arrives: {slow} {limits.upload_seconds:g} s") from None
        waited += time.monotonic() - start
        bytes_ += len(chunk)
        count(len(chunk))
        yield chunk


async def disconnected(request: Request) -> None:
    """Return when the client goes away."""
    while (await request.receive())["type"] != "http.disconnect":
        pass


async def change(request: Request, changed: asyncio.Event, seconds: float) -> None:
    """Return at a change, after ``seconds``, or when the client goes away: nobody is answered that does not listen."""
    tasks = (asyncio.create_task(changed.wait()), asyncio.create_task(disconnected(request)))
    try:
        await asyncio.wait(tasks, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)


def sent(request: Request, path: Path, length: int, headers: dict[str, str]) -> Response:
    """A file of ``length`` bytes as the answer: all of it, whatever becomes of its name meanwhile."""
    headers = {**headers, "Content-Length": f"{length}"}
    media = "application/octet-stream"
    if request.method == "HEAD":
        return Response(headers=headers, media_type=media)
    return StreamingResponse(_blocks(open(path, "rb", buffering=0)), headers=headers, media_type=media)


async def _blocks(file: IO[bytes]) -> AsyncIterator[bytes]:
    with file:
        while block := await asyncio.to_thread(file.read, _BLOCK):
            yield block
