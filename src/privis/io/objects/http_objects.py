"""What HTTP servers hold, through urllib3: whole files, and pages that list files.

A list of URLs is other people's text. So only HTTP and HTTPS are spoken, and an address is judged after its name was
resolved and before a byte is sent to it, for every redirect anew: link-local, multicast and unspecified addresses and
those at which clouds tell machines their credentials are never asked; addresses of a private network or this machine
are asked only where the given URL has such an address itself; nobody is sent from HTTPS to HTTP. Nothing secret is sent
(no cookies, no passwords), and proxies are not used.
"""

from __future__ import annotations

import functools
import ipaddress
import socket
import time
from collections.abc import Iterator
from html.parser import HTMLParser
from typing import TYPE_CHECKING
from urllib.parse import urldefrag, urljoin, urlsplit

from privis.errors import ImageError, Problem
from privis.extras import optional_import
from privis.io.objects.object_store import MOST_BYTES, PATIENCE, Patience
from privis.io.objects.source_bytes import SourceBytes
from privis.io.objects.source_names import SERVERS, holds_secret, redacted

if TYPE_CHECKING:
    from urllib3 import BaseHTTPResponse, HTTPConnectionPool, Retry

_MOST_REDIRECTS = 5
_PIECE = 1 << 16
_METADATA = frozenset(
    map(ipaddress.ip_address, ("168.63.129.16", "100.100.100.200", "192.0.0.192", "fd00:ec2::254", "fd20:ce::254"))
)
_AGAIN = (408, 425, 429, 500, 502, 503, 504)
Address = ipaddress.IPv4Address | ipaddress.IPv6Address


def read_url(name: str, patience: Patience | None = None) -> SourceBytes:
    """Read what a server gives for a URL.

    Args:
        name: the URL.
        patience: with a server that fails; None: `PATIENCE`.

    Returns:
        The bytes.

    Raises:
        ImageError: it is missing, larger than `MOST_BYTES`, its server failed every time, or its address is one that is
            never asked.
        MissingExtraError: urllib3 is not installed.
    """
    return SourceBytes(name, _get(name, patience or PATIENCE)[0])


def links_below(page: str) -> list[str]:
    """List what a server's page of a folder links to within that folder, at every depth.

    Args:
        page: a URL that ends with ``/``.

    Returns:
        URLs of files, sorted.

    Raises:
        ImageError: as `read_url`, or the page is no HTML.
    """
    found: set[str] = set()
    pending, entered = [page], {page}
    while pending:
        at = pending.pop()
        data, kind = _get(at, PATIENCE)
        if "html" not in kind:
            raise ImageError(Problem(redacted(at), f"a page of type {kind or 'unknown'}", "an HTML list of files"))
        for link in _links(at, data):
            if not link.startswith(page) or holds_secret(link) or "?" in link:
                continue
            if not link.endswith("/"):
                found.add(link)
            elif link not in entered:
                entered.add(link)
                pending.append(link)
    return sorted(found)


def _links(page: str, data: bytes) -> Iterator[str]:
    links: list[str] = []

    class _Page(HTMLParser):
        def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
            links.extend(value for name, value in attrs if tag == "a" and name == "href" and value)

    _Page().feed(data.decode("utf-8", "replace"))
    return (urldefrag(urljoin(page, link)).url for link in links)


def _get(name: str, patience: Patience) -> tuple[bytes, str]:
    """The bytes that a URL leads to, and their type."""
    with optional_import("objects", "http://"):
        from urllib3 import Retry
        from urllib3.exceptions import HTTPError, MaxRetryError

    retries = Retry(
        total=patience.retries,
        backoff_factor=patience.first_wait,
        backoff_max=patience.longest_wait,
        backoff_jitter=patience.first_wait,
        status_forcelist=_AGAIN,
        raise_on_status=True,
        redirect=False,
    )
    deadline, where = time.monotonic() + patience.whole, redacted(name)
    while True:
        try:
            return _followed(name, where, retries, patience, deadline)
        except MaxRetryError as error:
            raise ImageError(Problem(where, _reason(error), "a server that answers", "try again")) from None
        except HTTPError as error:  # an answer that breaks off: asked for again, as what never began
            try:
                retries = retries.increment("GET", error=error)
            except HTTPError:
                got = "an answer of its server that breaks off, every time"
                raise ImageError(Problem(where, got, "a whole one", "try again")) from None
            retries.sleep()


def _reason(error: Exception) -> str:
    from urllib3.exceptions import ResponseError

    cause = getattr(error, "reason", None)
    if isinstance(cause, ResponseError):
        return f"{cause}, every time"
    return f"a server that cannot be reached ({type(cause or error).__name__})"


def _followed(name: str, where: str, retries: Retry, patience: Patience, deadline: float) -> tuple[bytes, str]:
    url, first = name, None
    for _ in range(_MOST_REDIRECTS + 1):
        address, server = _server(url, where, patience.stalled)
        if first is None:
            first = (urlsplit(url).scheme, _is_near(address))
        elif (first[0] == "https") > (urlsplit(url).scheme == "https") or _is_near(address) > first[1]:
            raise _refused(where, "a redirect to an address that is less public or less safe")
        parts = urlsplit(url)
        target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        headers = {"Host": parts.netloc.rpartition("@")[2], "Accept-Encoding": "identity", "User-Agent": "privis"}
        response = server.urlopen(
            "GET",
            target,
            headers=headers,
            retries=retries,
            redirect=False,
            preload_content=False,
            assert_same_host=False,
        )
        try:
            if response.status in (301, 302, 303, 307, 308) and (to := response.headers.get("Location")):
                url = urljoin(url, to)
                continue
            if response.status != 200:
                raise ImageError(Problem(where, f"status {response.status} from its server", "a file", "check the URL"))
            return _body(response, where, deadline), response.headers.get("Content-Type", "")
        finally:
            response.close()
    raise _refused(where, f"more than {_MOST_REDIRECTS} redirects")


def _body(response: BaseHTTPResponse, where: str, deadline: float) -> bytes:
    pieces, size = [], 0
    for piece in response.stream(_PIECE, decode_content=False):
        pieces.append(piece)
        size += len(piece)
        if size > MOST_BYTES:
            raise ImageError(Problem(where, "an endless answer", f"at most {MOST_BYTES:,} bytes"))
        if time.monotonic() > deadline:
            raise ImageError(Problem(where, "an answer that does not end in time", "a faster server", "try again"))
    return b"".join(pieces)


def _refused(where: str, got: str) -> ImageError:
    return ImageError(Problem(where, got, "the file itself, on a public address"))


def _server(url: str, where: str, seconds: float) -> tuple[Address, HTTPConnectionPool]:
    """A pool of connections to the address that was judged, so that its name cannot mean another one afterwards."""
    parts = urlsplit(url)
    try:
        host, port = parts.hostname or "", parts.port or (443 if parts.scheme == "https" else 80)
    except ValueError:
        host, port = "", 0
    if parts.scheme not in SERVERS or not host or parts.username is not None:
        raise _refused(where, "something else than a plain URL of HTTP")
    try:
        found = [ipaddress.ip_address(each[4][0].partition("%")[0]) for each in _resolved(host, port)]
    except (OSError, UnicodeError):
        raise ImageError(Problem(where, "a server whose name is not known", "one that is", "check the URL")) from None
    if not found or any(map(_is_forbidden, found)):
        raise _refused(where, "an address that is never asked (link-local, or of a cloud's metadata)")
    address = next((each for each in found if each.version == 4), found[0])
    return address, _pool(parts.scheme, str(address), port, host, seconds)


def _resolved(host: str, port: int) -> list[tuple[int, int, int, str, tuple[str, int]]]:
    return socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)  # type: ignore[return-value]


def _plain(address: Address) -> Address:
    return (address.ipv4_mapped or address) if isinstance(address, ipaddress.IPv6Address) else address


def _is_forbidden(address: Address) -> bool:
    address = _plain(address)
    return address.is_link_local or address.is_multicast or address.is_unspecified or address in _METADATA


def _is_near(address: Address) -> bool:
    return not _plain(address).is_global


@functools.lru_cache(maxsize=64)
def _pool(scheme: str, address: str, port: int, host: str, seconds: float) -> HTTPConnectionPool:
    import urllib3

    if scheme == "http":
        return urllib3.HTTPConnectionPool(address, port, timeout=seconds, maxsize=8)
    return urllib3.HTTPSConnectionPool(
        address, port, timeout=seconds, maxsize=8, server_hostname=host, assert_hostname=host
    )
