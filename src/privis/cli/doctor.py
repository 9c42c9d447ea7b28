"""What ``privis doctor`` finds out."""

from __future__ import annotations

import importlib.util
import os
import platform
import statistics
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib import metadata

import numpy as np
from numpy.typing import NDArray

PACKAGES = ("numpy", "opencv-python-headless", "numba", "dp-accounting", "cryptography", "pyarrow")
EXTRAS = {
    "cnn": ("onnx", "onnxruntime"),
    "sklearn": ("sklearn",),
    "demo": ("skimage",),
    "mpc": ("spu", "jax", "grpc"),
    "he": ("tenseal", "phe", "gmpy2"),
    "serve": ("starlette", "uvicorn", "httpx"),
}


@dataclass(frozen=True)
class Finding:
    """One line of the report; ``advice`` is empty when all is well."""

    check: str
    found: str
    advice: str = ""


def findings() -> Iterator[Finding]:
    """Check one thing after another."""
    yield Finding("Python", f"{platform.python_version()} on {platform.system()} {platform.machine()}")
    yield Finding("cores", str(os.cpu_count()))
    for package in PACKAGES:
        yield Finding(package, metadata.version(package))
    for extra, modules in EXTRAS.items():
        missing = [module for module in modules if importlib.util.find_spec(module) is None]
        advice = f"pip install 'privis[{extra}]'" if missing else ""
        if missing and extra == "mpc" and sys.version_info[:2] != (3, 11):
            advice = "SPU has wheels for CPython 3.11 only: make an environment with that"
        yield Finding(f"extra {extra}", "missing" if missing else "installed", advice)
    yield from _speed()


def _speed() -> Iterator[Finding]:
    from privis.extraction.extractor import Extractor
    from privis.features.hog import HOG
    from privis.features.lbp import LBP
    from privis.io.images.record import ImageRecord
    from privis.privacy import Laplace, PixelRelease, Pixels, ReleaseKey
    from privis.run.clear import Clear

    pixels = (np.add.outer(np.arange(256), np.arange(256)) % 256).astype(np.uint8)
    image = ImageRecord(pixels, "doctor", is_file=False)
    for feature in (HOG(), LBP()):
        extractor = Extractor(feature, Clear(), None, None, None)
        yield Finding(f"{feature.name}, 256x256", f"{_milliseconds(lambda: extractor(image)):.2f} ms")  # noqa: B023
    release, stream = PixelRelease(Laplace(4.0), Pixels(16)), ReleaseKey.generate().stream("doctor", b"", b"")
    million = np.zeros((1000, 1000), np.uint8)
    yield Finding("noise, 1 megapixel", f"{_milliseconds(lambda: release.apply(million, stream)):.0f} ms")
    if importlib.util.find_spec("spu") is not None:
        yield _three_parties(pixels[:64, :64].copy())


def calibration() -> Finding:
    """Measure the operations that predictions of encrypted runs are made of, and keep them."""
    from privis.run.he.owner.calibration import measured

    machine = measured()
    path = machine.save()
    seconds = machine.switch_square * 21**2 + machine.switch * 21
    return Finding("ckks, rotation of 2**14 slots at 20 levels", f"{seconds:.2f} s; kept in {path}")


def _three_parties(pixels: NDArray[np.uint8]) -> Finding:
    from privis.extraction.extractor import Extractor
    from privis.features.hog import HOG
    from privis.io.images.record import ImageRecord
    from privis.run.mpc.executor import MPC

    with MPC() as parties:
        extractor = Extractor(HOG(), parties, None, None, None)
        image = ImageRecord(pixels, "doctor", is_file=False)
        seconds = _milliseconds(lambda: extractor(image)) / 1000
    return Finding("hog, 64x64, three parties", f"{seconds:.2f} s")


def _milliseconds(call: Callable[[], object]) -> float:
    call()  # the first call compiles
    seconds = []
    for _ in range(5):
        start = time.perf_counter()
        call()
        seconds.append(time.perf_counter() - start)
    return 1000 * statistics.median(seconds)
