"""Draw ``encrypted.png``, HOG of a photograph that the server cannot see: ``python docs/pictures/encrypted.py``.

The photograph is that of ``make.py``. Keys are fresh, so the bytes of the ciphertext differ from run to run.
"""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
from make import GAP, TEXT, photograph
from PIL import Image, ImageDraw, ImageFont

import privis
from privis import draw
from privis.run.he.evaluation.evaluator import Evaluator
from privis.run.he.owner.keys import SecretKeys

SIDE, SHOWN = 64, 256  # pixels of the photograph, and of its picture


def panels() -> list[tuple[str, np.ndarray]]:
    """Captions and pictures, from left to right."""
    feature = privis.HOG()
    image = np.asarray(Image.fromarray(photograph()).resize((SIDE, SIDE), Image.Resampling.BOX))
    program = feature.cells_program(image.shape)
    made = privis.CKKS().compiled(program)
    keys = SecretKeys.generate(made.spec)
    query = keys.encrypt(made.spec, [(image,)])
    reply = Evaluator.open(made, keys.evaluation_keys(made.spec)).run(query.message)
    decrypted = keys.decrypt(made.spec, query, reply)[0][0]
    clear = privis.Clear().prepare(program)(image)
    middle = (len(query.message) - SHOWN**2) // 2
    cipher = np.frombuffer(query.message, np.uint8, SHOWN**2, middle).reshape(SHOWN, SHOWN)
    large = image.repeat(SHOWN // SIDE, 0).repeat(SHOWN // SIDE, 1)
    apart = float(np.abs(decrypted - clear).max() / np.abs(clear).max())
    return [
        ("the owner's photograph,\n64 x 64 pixels", large),
        (f"65,536 of the {len(query.message):,} bytes\nthat the server gets of it", cipher),
        ("HOG in the clear\n ", _strokes(image, clear, feature)),
        (
            f"HOG, decrypted by the owner:\nat most {apart:.1%} of the largest apart",
            _strokes(image, decrypted, feature),
        ),
    ]


def _strokes(image: np.ndarray, cells: np.ndarray, feature: privis.HOG) -> np.ndarray:
    angles = (np.arange(feature.orientations) + 0.5) * math.pi / feature.orientations
    drawn = draw.strokes(np.zeros_like(image), np.asarray(cells).transpose(1, 2, 0), feature.cell, angles)
    return np.asarray(Image.fromarray(drawn).convert("L").resize((SHOWN, SHOWN)))


def picture() -> Image.Image:
    """One row."""
    page = Image.new("L", (4 * (SHOWN + GAP) - GAP, SHOWN + TEXT), 255)
    pen, font = ImageDraw.Draw(page), ImageFont.load_default(14)
    for index, (caption, shown) in enumerate(panels()):
        left = index * (SHOWN + GAP)
        page.paste(Image.fromarray(np.ascontiguousarray(shown)), (left, 0))
        pen.multiline_text((left, SHOWN + 1), caption, 0, font, spacing=1)
    return page


if __name__ == "__main__":
    picture().save(Path(__file__).with_name("encrypted.png"), optimize=True)
