"""A job over fifty pictures, for the tests of folder runs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from privis.io.resumable.run import FolderJob
from tests.io.resumable.stream_place import pictures

HERE = Path(__file__).parent / "resumable"


@pytest.fixture
def jobs(monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.syspath_prepend(str(HERE))
    import stream_jobs

    return stream_jobs


@pytest.fixture
def job(tmp_path: Path, jobs: Any) -> FolderJob:
    sources = pictures(tmp_path / "in", 50)
    return FolderJob(
        sources, tmp_path / "out.npz", {"feature": "moments"}, jobs.make_moments, jobs.names_and_metadata, chunk=4
    )
