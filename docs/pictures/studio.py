"""Draws studio.png and studio.gif: a first visit to ``privis studio``, in the Chromium of the system.

Run ``python docs/pictures/studio.py`` from the root of the checkout; the photograph is one that scikit-image carries.
"""

from __future__ import annotations

import io
import sys
from pathlib import Path

from PIL import Image

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from benchmarks.studio import page_times  # noqa: E402

WIDTH, HEIGHT = 1180, 860
COLOURS = 128


def shot(page: object) -> Image.Image:
    """What the window shows."""
    return Image.open(io.BytesIO(page.screenshot())).convert("RGB")  # type: ignore[attr-defined]


def main() -> None:
    """Visit the page as somebody does for the first time."""
    import skimage

    content = (Path(skimage.__file__).parent / "data" / "astronaut.png").read_bytes()
    frames = []
    with page_times.running_studio() as (address, _), page_times.opened_browser() as browser:
        page = browser.new_page(viewport={"width": WIDTH, "height": HEIGHT})
        page.goto(address)
        frames.append(shot(page))
        page_times.drop(page, "astronaut.png", content)
        page.select_option("#feature", "dense-sift")
        page.wait_for_timeout(4000)
        frames.append(shot(page))
        page.click("#attack-run")
        page.wait_for_selector("#attack:not([hidden])", timeout=120_000)
        page.wait_for_timeout(300)
        frames.append(shot(page))
        page_times.redrawn(page, 14)
        page.dispatch_event("#epsilon", "change")
        page.wait_for_timeout(4000)
        page.click("#attack-run")
        page.wait_for_selector("#attack:not([hidden])", timeout=120_000)
        page.wait_for_timeout(300)
        frames.append(shot(page))
        page.click("#see .copy >> nth=0")
        page.wait_for_timeout(300)
        frames.append(shot(page))
    folder = ROOT / "docs" / "pictures"
    frames[2].quantize(COLOURS).save(folder / "studio.png", optimize=True)
    small = [frame.resize((WIDTH * 2 // 3, HEIGHT * 2 // 3), Image.Resampling.LANCZOS).quantize(64) for frame in frames]
    small[0].save(folder / "studio.gif", save_all=True, append_images=small[1:], duration=2500, loop=0, optimize=True)


if __name__ == "__main__":
    main()
