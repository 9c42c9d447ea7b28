"""One server of S3 for the tests of stores."""

from __future__ import annotations

from collections.abc import Iterator
from urllib.request import Request, urlopen

import pytest

from privis.io.objects import object_store
from tests.io.objects.store_servers import BUCKET, Faults, proxy

SECRET = "sentinel/Secret+Key/0123456789"


@pytest.fixture(scope="session")
def moto_port() -> Iterator[int]:
    server = pytest.importorskip("moto.server").ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    server.start()
    yield server.get_host_and_port()[1]
    server.stop()


@pytest.fixture
def faults(
    moto_port: int, monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Faults]:
    """An empty bucket behind a proxy that fails as these faults say, and credentials in the environment."""
    pytest.importorskip("obstore")
    faults = Faults()
    monkeypatch.setenv("HOME", str(tmp_path_factory.mktemp("home")))
    for name in ("AWS_PROFILE", "AWS_ENDPOINT_URL_S3", "AWS_SESSION_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIASENTINEL")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", SECRET)
    monkeypatch.setenv("AWS_REGION", "us-east-1")
    monkeypatch.setattr(object_store, "PATIENCE", object_store.Patience(3, 0.01, 0.05, 0.5, 20.0))
    object_store._store.cache_clear()
    with proxy(moto_port, faults) as port:
        for method, path in (("POST", "moto-api/reset"), ("PUT", BUCKET)):
            urlopen(Request(f"http://127.0.0.1:{moto_port}/{path}", method=method)).close()
        monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{port}")
        yield faults
    object_store._store.cache_clear()


@pytest.fixture
def put(faults: Faults, moto_port: int):
    """Writes an object, past the proxy."""
    from obstore.store import S3Store

    store = S3Store(BUCKET, config={"endpoint": f"http://127.0.0.1:{moto_port}"}, client_options={"allow_http": True})
    return lambda key, data: store.put(key, data)
