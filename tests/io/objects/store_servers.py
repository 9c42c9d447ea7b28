"""A server of S3 on loopback, and a proxy before it that fails as it is told."""

from __future__ import annotations

import http.client
import io
import tarfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import numpy as np
from PIL import Image

BUCKET = "photos"


def jpeg(seed: int, size: tuple[int, int] = (24, 32)) -> bytes:
    """A small JPEG of noise."""
    pixels = np.random.default_rng(seed).integers(0, 256, (*size, 3)).astype(np.uint8)
    held = io.BytesIO()
    Image.fromarray(pixels).save(held, "JPEG")
    return held.getvalue()


def tar_of(members: list[tuple[str, bytes]]) -> bytes:
    """A tar of these members, also several of one name."""
    held = io.BytesIO()
    with tarfile.open(fileobj=held, mode="w") as tar:
        for name, data in members:
            about = tarfile.TarInfo(name)
            about.size = len(data)
            tar.addfile(about, io.BytesIO(data))
    return held.getvalue()


@dataclass
class Faults:
    """What the proxy does to requests whose path ends with a key: a status, ``cut``, ``stall`` or ``etag``."""

    plan: dict[str, list[object]] = field(default_factory=dict)
    seen: Counter[str] = field(default_factory=Counter)
    times: dict[str, list[float]] = field(default_factory=dict)
    etags: dict[str, str] = field(default_factory=dict)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def next(self, path: str) -> object:
        """The fault of this request; the last one of a plan stays."""
        with self.lock:
            for end, faults in self.plan.items():
                if path.endswith(end):
                    self.seen[end] += 1
                    self.times.setdefault(end, []).append(time.monotonic())
                    return faults.pop(0) if len(faults) > 1 else faults[0]
        return None


@contextmanager
def proxy(port: int, faults: Faults) -> Iterator[int]:
    """Stand before the server at ``port``; gives the proxy's own port."""

    class _Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            self._forward()

        do_HEAD = do_GET

        def _forward(self) -> None:
            path = self.path.split("?", 1)[0]
            fault = faults.next(path) if self.command == "GET" else None
            if isinstance(fault, int):
                code = {429: "TooManyRequests", 503: "SlowDown", 403: "AccessDenied"}.get(fault, "InternalError")
                body = f"<Error><Code>{code}</Code><Message>{self.headers.get('Authorization')}</Message></Error>"
                return self._answer(fault, {}, body.encode())
            there = http.client.HTTPConnection("127.0.0.1", port)
            there.request(self.command, self.path, headers={k: v for k, v in self.headers.items() if k != "Connection"})
            got = there.getresponse()
            body = got.read()
            headers = {k: v for k, v in got.getheaders() if k.lower() not in ("connection", "date", "server")}
            for end, etag in faults.etags.items():
                if path.endswith(end):
                    headers = {k: v for k, v in headers.items() if k.lower() != "etag"} | {"ETag": etag}
            there.close()
            if fault == "stall":
                time.sleep(1.5)
            self._answer(got.status, headers, body, cut=fault == "cut")

        def _answer(self, status: int, headers: dict[str, str], body: bytes, cut: bool = False) -> None:
            self.send_response(status)
            if self.command != "HEAD":
                headers = {k: v for k, v in headers.items() if k.lower() != "content-length"}
                headers["Content-Length"] = str(len(body))
            for name, value in headers.items():
                self.send_header(name, value)
            self.end_headers()
            if self.command != "HEAD":
                try:
                    self.wfile.write(body[: len(body) // 2] if cut else body)
                    self.wfile.flush()
                except OSError:
                    pass
            if cut:
                self.close_connection = True

        def log_message(self, *words: object) -> None:
            pass

    with served(_Handler) as own:
        yield own


@contextmanager
def served(handler: Callable[..., BaseHTTPRequestHandler]) -> Iterator[int]:
    """A server on loopback for as long as the context lasts; gives its port."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)  # type: ignore[arg-type]
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield server.server_address[1]
    finally:
        server.shutdown()
        server.server_close()
