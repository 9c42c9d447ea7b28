"""Files of HTTP servers: pages that list them, faults, and addresses that are never asked."""

from __future__ import annotations

import socket
from collections import Counter
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler

import pytest

from privis.errors import ImageError
from privis.io.images.sources import find
from privis.io.objects import http_objects
from privis.io.objects.http_objects import read_url
from privis.io.objects.object_store import Patience
from tests.io.objects.store_servers import jpeg, served

QUICK = Patience(3, 0.01, 0.05, 0.5, 20.0)
PAGES = {
    "/d/": '<a href="b.jpg">b</a> <a href="a.JPG?C=M">sorted</a><a href="a.jpg">a</a><a href="../up.jpg">..</a>'
    '<a href="sub/">sub</a><a href="/d/">self</a><a href="http://other/x.jpg">x</a><a href="notes.txt">n</a>',
    "/d/sub/": '<a href="c%20d.png#top">c</a><a href="file:///etc/passwd.png">f</a>',
}


@pytest.fixture
def server() -> Iterator[tuple[str, Counter[str], dict[str, str]]]:
    seen: Counter[str] = Counter()
    to: dict[str, str] = {}

    class _Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            seen[self.path] += 1
            body, status, kind, location = jpeg(1), 200, "image/jpeg", to.get(self.path)
            if self.path in PAGES:
                body, kind = PAGES[self.path].encode(), "text/html; charset=utf-8"
            if location:
                body, status = b"", 302
            if self.path == "/503" or (self.path == "/twice" and seen[self.path] < 3):
                body, status = b"busy", 503
            if self.path == "/gone":
                body, status = b"", 404
            self.send_response(status)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body)))
            if location:
                self.send_header("Location", location)
            self.end_headers()
            cut = self.path == "/cut" or (self.path == "/cut-once" and seen[self.path] == 1)
            self.wfile.write(body[:20] if cut else body)
            if cut:
                self.close_connection = True

        def log_message(self, *words: object) -> None:
            pass

    with served(_Handler) as port:
        yield f"http://127.0.0.1:{port}", seen, to


def test_pages_list_what_is_below_them(server) -> None:
    root, _, _ = server
    wanted = [f"{root}/d/a.jpg", f"{root}/d/b.jpg", f"{root}/d/sub/c%20d.png"]
    assert list(find([f"{root}/d/"])) == wanted
    assert list(find([f"{root}/d/*.jpg"])) == wanted[:2]
    assert list(find([f"{root}/one?size=2"])) == [f"{root}/one?size=2"]


def test_faults_are_retried_and_what_stays_is_said(server) -> None:
    root, seen, _ = server
    for name in ("/twice", "/cut-once", "/ok"):
        assert read_url(root + name, QUICK).data == jpeg(1)
    for name, word, times in (("/503", "503", 4), ("/cut", "breaks off", 4), ("/gone", "404", 1)):
        with pytest.raises(ImageError, match=word):
            read_url(root + name, QUICK)
        assert seen[name] == times
    with pytest.raises(ImageError, match="cannot be reached"):
        read_url("http://127.0.0.1:9/a.jpg", Patience(0, 0.01, 0.01, 0.5))


@pytest.mark.parametrize(
    "target",
    [
        "http://169.254.169.254/latest/meta-data/",
        "http://[::ffff:169.254.169.254]/",
        "http://[fe80::1]/",
        "http://2852039166/latest/",
        "http://0.0.0.0/",
        "http://168.63.129.16/",
        "http://[fd00:ec2::254]/",
        "http://metadata.example/",
        "file:///etc/passwd",
        "ftp://127.0.0.1/a",
        "http://ann:pw@127.0.0.1/a",
    ],
)
def test_addresses_that_are_never_asked(server, target: str, monkeypatch: pytest.MonkeyPatch) -> None:
    resolve, asked = http_objects._resolved, []

    def resolved(host: str, port: int):
        if host == "metadata.example":
            return [
                (socket.AF_INET, 1, 6, "", ("93.184.216.34", port)),
                (socket.AF_INET, 1, 6, "", ("169.254.169.254", 1)),
            ]
        asked.append(host)
        return resolve(host, port)

    monkeypatch.setattr(http_objects, "_resolved", resolved)
    root, seen, to = server
    to["/away"] = target
    with pytest.raises(ImageError, match=r"never asked|plain URL"):
        read_url(f"{root}/away", QUICK)
    if target.startswith("http") and "@" not in target:
        with pytest.raises(ImageError, match="never asked"):
            read_url(target, QUICK)
    assert seen["/away"] == 1


def test_redirects_stay_as_public_and_as_safe_as_the_given_url(server, monkeypatch: pytest.MonkeyPatch) -> None:
    root, _, to = server
    to.update({"/here": "/ok", "/loop": "/loop"})
    assert read_url(f"{root}/here", QUICK).data == jpeg(1)
    with pytest.raises(ImageError, match="redirects"):
        read_url(f"{root}/loop", QUICK)
    to["/near"] = f"{root}/ok"
    public, near = http_objects._is_near, iter((False, True))
    monkeypatch.setattr(http_objects, "_is_near", lambda address: next(near) and public(address))
    with pytest.raises(ImageError, match="less public"):
        read_url(f"{root}/near", QUICK)
