"""Fixtures of all tests."""

from __future__ import annotations

import functools
import gc
import os
import signal
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, settings

# a run in a shell's background ignores interrupts, and what it starts would inherit that
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
os.environ.setdefault("OMP_THREAD_LIMIT", "1")  # SPU in this process: its matrix products spin with more
# a process holds much by the end: looking through it often takes an eighth of its time
gc.set_threshold(50_000, 20, 50)
_PROGRAMS = None
if "PRIVIS_CACHE" not in os.environ:  # of this run and all its processes, never the user's own
    _PROGRAMS = tempfile.TemporaryDirectory(prefix="privis-programs-")
    os.environ["PRIVIS_CACHE"] = _PROGRAMS.name
os.environ.setdefault("PRIVIS_SCORES", "off")  # runs of tests are nobody's measurements
settings.register_profile("privis", deadline=None, suppress_health_check=[HealthCheck.too_slow], derandomize=True)
settings.load_profile("privis")


@pytest.fixture
def rng() -> np.random.Generator:
    """Random numbers that are the same for a test whatever ran before it, in whichever process."""
    return np.random.default_rng(17)


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of real images beside the checkout; what needs it skips where it is absent."""
    folder = Path(__file__).resolve().parents[2] / "shared" / "data"
    if not folder.is_dir():
        pytest.skip("no shared/data beside the checkout: research-only images are not part of the project")
    return folder


@pytest.fixture(scope="session")
def ledger_server() -> Iterator[Any]:
    """A PostgreSQL server of its own for tests of ledgers, which restart it; skips where there is none to start."""
    from tests.privacy.ledgers import skip_without_postgresql
    from tests.stores.postgresql.database_server import any_binaries, running

    skip_without_postgresql()
    with running(folder=any_binaries()) as server:
        yield server


@pytest.fixture(params=["file", "postgresql"])
def ledgers(request: pytest.FixtureRequest, tmp_path: Path) -> Any:
    """Both kinds of privacy ledger."""
    from tests.privacy.ledgers import in_files, in_postgresql

    return in_files(tmp_path) if request.param == "file" else in_postgresql(request.getfixturevalue("ledger_server"))


@pytest.fixture(scope="session")
def photographs(shared: Path) -> list[np.ndarray]:
    """Every Kodak and ImageNet photograph of shared/data, uint8 RGB (a few are grey)."""
    from privis.io.images.decode import load

    paths = sorted((shared / "photos" / "kodak").glob("*.png"))
    paths += sorted((shared / "photos" / "imagenet_samples").glob("*.JPEG"))
    return [load(path) for path in paths]


@pytest.fixture(scope="session")
def astronaut() -> np.ndarray:
    """256x256 RGB, from scikit-image's wheel."""
    from skimage import data

    return np.ascontiguousarray(data.astronaut()[:256, 100:356])


@pytest.fixture(scope="session")
def camera() -> np.ndarray:
    """256x256 grey, from scikit-image's wheel."""
    from skimage import data

    return np.ascontiguousarray(data.camera()[100:356, 100:356])


@pytest.fixture(scope="module")
def coarse_accounting() -> Iterator[None]:
    """Trainings are accounted on a coarser grid: as sound, much quicker, and a little less tight.

    What epsilon a training has to the last digit is for `tests.privacy.learning.test_subsampling`.
    """
    from dp_accounting import pld

    from privis.privacy.learning.subsampling import epsilon_of, least_multiplier

    kept = (epsilon_of, least_multiplier)
    with pytest.MonkeyPatch.context() as patch:
        accountant = functools.partial(pld.PLDAccountant, value_discretization_interval=2e-3)
        patch.setattr(pld, "PLDAccountant", accountant)
        for function in kept:
            function.cache_clear()
        yield
    for function in kept:
        function.cache_clear()
