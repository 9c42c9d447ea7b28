"""Draw ``epsilons.png``, one photograph under noise on its pixels: ``python docs/pictures/make.py``.

The photograph is ``skimage.data.astronaut()``: Eileen Collins, by NASA, in the public domain according to
scikit-image's documentation. The key is public, so that the picture is the same every time; real ones are secret.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

import privis
from privis import Laplace, Patch, PixelRelease, Pixels, WholeImage
from privis.features.image_ops import grey

SIDE, GAP, TEXT = 128, 8, 34
RELEASES = (
    None,
    PixelRelease(Laplace(16.0), unit=Pixels(1)),
    PixelRelease(Laplace(4.0), unit=Pixels(1)),
    PixelRelease(Laplace(1.0), unit=Pixels(1)),
    PixelRelease(Laplace(4.0), unit=Pixels(16), block=8),
    PixelRelease(Laplace(1.0), unit=Pixels(16), block=8),
    PixelRelease(Laplace(4.0), unit=Patch(16)),
    PixelRelease(Laplace(16.0), unit=WholeImage(), block=16),
)


def photograph() -> np.ndarray:
    """Grey, 128 x 128 pixels: the face."""
    from skimage import data

    return np.asarray(Image.fromarray(grey(data.astronaut()[:256, 96:352])).resize((SIDE, SIDE), Image.Resampling.BOX))


def caption(release: PixelRelease | None) -> str:
    """The nominal epsilon with its unit, and the whole-image epsilon."""
    if release is None:
        return "no noise\n "
    match release.unit:
        case Pixels(count):
            unit = f"{count} pixel{'s' if count > 1 else ''}"
        case Patch(side):
            unit = f"patch of {side}x{side}"
        case _:
            unit = "whole image"
    guarantee = release.guarantee((SIDE, SIDE))
    return f"{guarantee.epsilon:g} for {unit}\n{guarantee.whole_image_epsilon:,.0f} for the image"


def picture() -> Image.Image:
    """Two rows of four."""
    image, key = photograph(), privis.ReleaseKey(bytes(32))
    page = Image.new("L", (4 * (SIDE + GAP) - GAP, 2 * (SIDE + TEXT)), 255)
    draw, font = ImageDraw.Draw(page), ImageFont.load_default(12)
    for index, release in enumerate(RELEASES):
        left, top = index % 4 * (SIDE + GAP), index // 4 * (SIDE + TEXT)
        shown = image if release is None else release.apply(image, key.stream("astronaut", b"", repr(release).encode()))
        page.paste(Image.fromarray(shown), (left, top))
        draw.multiline_text((left, top + SIDE + 1), caption(release), 0, font, spacing=1)
    return page


if __name__ == "__main__":
    picture().save(Path(__file__).with_name("epsilons.png"), optimize=True)
