"""Seconds that the local page takes in Chromium, and the memory of the process behind it after 500 images.

Run ``python -m benchmarks.studio_page [PHOTOGRAPH]``; without one a photograph of 4 megapixels is made of noise of many
scales. It needs the Chromium of the system, and Playwright, which drives it.
"""

from __future__ import annotations

import contextlib
import io
import shutil
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

PAINT, SHOWN, REDRAWN = 1.0, 2.0, 0.15
"""Bars, in seconds: first paint, a photograph shown noised with its feature, and another epsilon."""
IMAGES = 500
_SIDE = 2048


def chromium() -> str | None:
    """The path of a Chromium; None: there is none here."""
    return next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)


@contextlib.contextmanager
def running_studio() -> Iterator[tuple[str, int]]:
    """A studio in a process of its own: its address and its process id."""
    command = [sys.executable, "-u", "-m", "privis", "studio", "--no-browser"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            yield process.stdout.readline().strip(), process.pid
        finally:
            process.terminate()
            process.communicate()


@contextlib.contextmanager
def opened_browser() -> Iterator[Any]:
    """A headless Chromium that reaches this machine alone, also by the name ``rebound.example``."""
    from playwright.sync_api import sync_playwright

    rules = "--host-resolver-rules=MAP rebound.example 127.0.0.1, MAP * ~NOTFOUND, EXCLUDE 127.0.0.1"
    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=chromium(), args=["--no-sandbox", rules])
        try:
            yield browser
        finally:
            browser.close()


def photograph(side: int = _SIDE) -> bytes:
    """A JPEG of ``side`` x ``side`` pixels with detail of every scale."""
    generator, image = np.random.default_rng(0), np.zeros((side, side, 3))
    for cells in (4, 16, 64, 256):
        small = generator.integers(0, 256, (cells, cells, 3), dtype=np.uint8)
        image += np.asarray(Image.fromarray(small).resize((side, side), Image.Resampling.BICUBIC), float) / 4
    buffer = io.BytesIO()
    Image.fromarray(image.astype(np.uint8)).save(buffer, "JPEG", quality=90)
    return buffer.getvalue()


def drop(page: Any, name: str, content: bytes) -> float:
    """Drop an image and wait until its feature and its noise are there; seconds."""
    before = drawn(page)
    start = time.perf_counter()
    page.set_input_files("#files", _file(name, content))
    await_drawing(page, before)
    page.evaluate(
        "Promise.all([...document.images].filter(i => i.src && !i.hidden).map(i => i.decode().catch(() => 0)))"
    )
    return time.perf_counter() - start


def _file(name: str, content: bytes) -> dict[str, Any]:
    return {"name": name, "mimeType": "image/jpeg", "buffer": content}


def drawn(page: Any) -> int:
    """How often the page has drawn."""
    return int(page.evaluate("Number(document.body.dataset.drawn ?? 0)"))


def await_drawing(page: Any, before: int, seconds: float = 120.0) -> None:
    """Wait until the page has drawn once more than ``before`` and rests."""
    deadline = time.monotonic() + seconds
    while page.evaluate(f"Number(document.body.dataset.drawn ?? 0) <= {before} || state.drawing"):
        if time.monotonic() > deadline:
            raise TimeoutError("the page does not draw")
        page.wait_for_timeout(5)


def redrawn(page: Any, position: int) -> float:
    """Move the slider of epsilon; seconds until the other noise is decoded."""
    script = """async (position) => {
      const slider = document.getElementById("epsilon");
      const before = document.body.dataset.drawn, start = performance.now();
      slider.value = position;
      slider.dispatchEvent(new Event("input"));
      while (document.body.dataset.drawn === before) await new Promise((resolve) => setTimeout(resolve, 1));
      await document.getElementById("noised").decode();
      return performance.now() - start;
    }"""
    return float(page.evaluate(script, position)) / 1000


def memory(process: int) -> int:
    """Resident bytes of a process."""
    fields = Path(f"/proc/{process}/statm").read_text(encoding="ascii").split()
    return int(fields[1]) * 4096


def measure(content: bytes, images: int = IMAGES, wait: float = 20.0) -> dict[str, float]:
    """Measure everything once.

    Args:
        content: file of a photograph.
        images: how many small ones are dropped for the memory.
        wait: seconds for what the process prepares by itself, for tables of noise.

    Returns:
        Seconds of the first paint, of showing the photograph, the median and the largest of redrawing; MiB before and
        after the images; requests to anybody else.
    """
    foreign: list[str] = []
    with running_studio() as (address, process), opened_browser() as browser:
        page = browser.new_page()
        page.on("request", lambda request: None if request.url.startswith(address) else foreign.append(request.url))
        time.sleep(wait)  # kernels are compiled before anybody has chosen a file
        page.goto(address)
        paint = page.evaluate("performance.getEntriesByType('paint').at(-1)?.startTime ?? performance.now()") / 1000
        shown = drop(page, "photograph.jpg", content)
        page.wait_for_timeout(1000 * wait)
        times = [redrawn(page, position) for position in (8, 12, 10, 6, 11, 14, 9, 13, 7)]
        before, small = memory(process), photograph(128)
        for number in range(0, images, 25):
            files = [
                {"name": f"{each}.jpg", "mimeType": "image/jpeg", "buffer": small}
                for each in range(number, number + 25)
            ]
            count = drawn(page)
            page.set_input_files("#files", files[: images - number])
            await_drawing(page, count)
        after = memory(process)
    found = {"paint": paint, "shown": shown, "redrawn": statistics.median(times), "slowest": max(times)}
    return found | {"before": before / 2**20, "after": after / 2**20, "foreign": float(len(foreign))}


def main(arguments: Sequence[str] = ()) -> None:
    """Print the figures beside the bars."""
    if chromium() is None:
        raise SystemExit("benchmarks.studio_page: no Chromium here")
    content = Path(arguments[0]).read_bytes() if arguments else photograph()
    with Image.open(io.BytesIO(content)) as image:
        size = image.size
    found = measure(content)
    print(f"first paint: {found['paint']:.2f} s (bar {PAINT:.0f})")
    print(f"{size[0]} x {size[1]} pixels shown noised with HOG: {found['shown']:.2f} s (bar {SHOWN:.0f})")
    print(f"another epsilon: median {1000 * found['redrawn']:.0f} ms, slowest {1000 * found['slowest']:.0f} (bar 150)")
    print(f"memory: {found['before']:.0f} MiB, after {IMAGES} more images {found['after']:.0f} MiB (bounded)")
    print(f"requests to anybody else: {found['foreign']:.0f} (bar 0)")


if __name__ == "__main__":
    main(sys.argv[1:])
