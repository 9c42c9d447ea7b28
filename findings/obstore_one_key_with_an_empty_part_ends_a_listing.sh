#!/bin/sh
# One object whose key holds "//" ends the listing of every object beside it.
#
# Keys of S3 are strings: by the API reference (PutObject, ListObjectsV2) the slash has no meaning, "scans//2.dcm" is
# as good a key as any, and programs that join a folder "scans/" and a name "/2.dcm" make such keys. obstore 0.12.1,
# the binding of Rust's object_store, takes keys for paths of non-empty parts. A key that is none cannot be asked for,
# which one may guess; but `obstore.list` raises as well where a store merely has one, also for the objects before it
# in the same answer, and there is no way to step over it: of a bucket of a million images one key hides all. A
# leading slash is dropped without a word: `put("/1.dcm")` writes "1.dcm", and the object "/1.dcm" of another tool
# cannot be read.
#
# obstore 0.12.1, CPython 3.11, against a server on this machine that answers ListObjectsV2 as S3 does.
# Privis names the cause and the remedy instead of the library's words, and refuses such names before it asks:
# src/privis/io/objects/object_store.py.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"${PYTHON:-python3.11}" -m venv "$folder/environment"
"$folder/environment/bin/pip" install --quiet obstore==0.12.1
"$folder/environment/bin/python" - <<'PY'
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import obstore
from obstore.exceptions import BaseError
from obstore.store import MemoryStore, S3Store

KEYS = ["scans/1.dcm"]
ENTRY = (
    "<Contents><Key>{}</Key><LastModified>2026-01-01T00:00:00.000Z</LastModified><ETag>&quot;0&quot;</ETag>"
    "<Size>1</Size><StorageClass>STANDARD</StorageClass></Contents>"
)
ANSWER = (
    '<?xml version="1.0" encoding="UTF-8"?><ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/">'
    "<Name>images</Name><Prefix></Prefix><KeyCount>{}</KeyCount><MaxKeys>1000</MaxKeys><IsTruncated>false</IsTruncated>"
    "{}</ListBucketResult>"
)


class Listing(BaseHTTPRequestHandler):
    """Answers every request with the list of all keys."""

    def do_GET(self):
        body = ANSWER.format(len(KEYS), "".join(map(ENTRY.format, KEYS))).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/xml")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *words):
        pass


server = ThreadingHTTPServer(("127.0.0.1", 0), Listing)
threading.Thread(target=server.serve_forever, daemon=True).start()
store = S3Store(
    "images",
    endpoint=f"http://127.0.0.1:{server.server_port}",
    access_key_id="nobody",
    secret_access_key="nothing",
    region="us-east-1",
    virtual_hosted_style_request=False,
    client_options={"allow_http": True},
)


def listed():
    """Paths of all objects, or the name of the error."""
    try:
        return [found["path"] for chunk in obstore.list(store) for found in chunk]
    except BaseError as error:
        return type(error).__name__


before = listed()
KEYS.append("scans//2.dcm")
after = listed()
memory = MemoryStore()
obstore.put(memory, "/1.dcm", b"")
slash = [found["path"] for chunk in obstore.list(memory) for found in chunk]
print(f"one key: {before}; with scans//2.dcm beside it: {after}; /1.dcm is written as {slash}")
as_described = before == ["scans/1.dcm"] and after == "InvalidPathError" and slash == ["1.dcm"]
print("as described" if as_described else "changed")
sys.exit(not as_described)
PY
