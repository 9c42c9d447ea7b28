"""A running server with two clients."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

pytest.importorskip("uvicorn")

from tests.serve.place import Running, ServerFolder, new_place, serving


@pytest.fixture
def place(tmp_path: Path) -> ServerFolder:
    return new_place(tmp_path)


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """One server for the tests of a file that leave it as it was."""
    with serving(new_place(tmp_path_factory.mktemp("server"))) as found:
        yield found
