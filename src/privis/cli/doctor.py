"""What ``privis doctor`` finds out."""

from __future__ import annotations

import os
import platform
import statistics
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib import metadata
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from privis.extras import EXTRAS

if TYPE_CHECKING:
    from privis.run.machine_measurements import Measurement

PACKAGES = ("numpy", "opencv-python-headless", "numba", "dp-accounting", "cryptography", "pyarrow")
MEASURED = ("he", "mpc")
"""Extras whose predictions of seconds rest on speeds of this machine."""


@dataclass(frozen=True)
class Finding:
    """One line of the report; ``advice`` is empty when all is well."""

    check: str
    found: str
    advice: str = ""


def findings(measure: bool = False) -> Iterator[Finding]:
    """Check one thing after another; with ``measure``, time features, noise and three parties as well."""
    yield Finding("Python", f"{platform.python_version()} on {platform.system()} {platform.machine()}")
    yield Finding("cores", str(os.cpu_count()))
    for package in PACKAGES:
        yield Finding(package, metadata.version(package))
    for name, extra in EXTRAS.items():
        missing = extra.missing()
        found = f"missing: {', '.join(missing)}" if missing else "installed"
        yield Finding(f"extra {name}", found, extra.remedy if missing else "")
    yield from _profile()
    yield _programs()
    if measure:
        yield from _speed()


def _programs() -> Finding:
    from privis.run.program_cache import ProgramCache, default_folder

    cache, check = ProgramCache(), "programs on disk"
    try:
        folder = default_folder()
        count, size = cache.usage()
    except OSError as error:
        advice = "set PRIVIS_CACHE to a folder of yours that nobody else may write; until then programs are made anew"
        return Finding(check, f"none: {error.strerror or error}", advice)
    return Finding(check, f"{count} in {folder}, {size / 2**20:.0f} of at most {cache.limit_bytes / 2**20:.0f} MiB")


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
    if not EXTRAS["mpc"].missing():
        yield _three_parties(pixels[:64, :64].copy())


def calibration(progress: Callable[[str], None]) -> Iterator[Finding]:
    """Measure what predictions of seconds are made of, and keep each section of the profile as soon as it is there.

    Args:
        progress: told what is measured next.
    """
    from privis.run.machine_profile import MachineProfile

    for extra in MEASURED:
        if EXTRAS[extra].missing():
            yield Finding(f"extra {extra}", "missing: not measured", f"pip install 'privis[{extra}]'")
    chosen, path = _measurements(), None
    for number, one in enumerate(chosen, 1):
        progress(f"measuring {one.subject} ({number} of {len(chosen)})")
        start = time.perf_counter()
        timings = one.measure()
        path = MachineProfile.of_this_machine().with_section(one.section, timings).save()
        seconds = time.perf_counter() - start
        yield Finding(one.subject, f"{one.headline(timings)}; measured in {seconds:.0f} s")
    if path is not None:
        yield Finding("kept in", str(path))


def _measurements() -> list[Measurement[Any]]:
    """The command itself, and what belongs to the extras that are installed."""
    from privis.choose.cost.command_timings import SECTION, CommandTimings
    from privis.run.machine_measurements import Measurement, homomorphic_measurements, party_measurements

    def told(timings: CommandTimings) -> str:
        return f"{timings.start:.2f} s for one small image"

    start = Measurement(SECTION, "the command's start", CommandTimings(), CommandTimings.measure, told)
    sources = {"he": homomorphic_measurements, "mpc": party_measurements}
    return [start, *(one for extra in MEASURED if not EXTRAS[extra].missing() for one in sources[extra]())]


def _profile() -> Iterator[Finding]:
    """What predictions of seconds rest on."""
    from privis.run.machine_profile import REMEDY, MachineProfile

    profile = MachineProfile.of_this_machine()
    for problem in profile.problems:
        yield Finding("machine profile", f"{problem.where}: {problem.got}", f"{problem.remedy} measures it anew")
    for one in _measurements():
        has = profile.has(one.section, one.default)
        advice = "" if has else f"{REMEDY} measures it; until then predictions are for another machine"
        yield Finding(f"speed of {one.subject}", "measured" if has else "not measured", advice)


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
