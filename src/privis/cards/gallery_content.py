"""A gallery of faces as the content of a signed card: how many people it holds, and never whom."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

from privis.cards.signed_content import NOT_KEPT, SignedContent
from privis.extraction.card import FORMAT
from privis.io.face_gallery import FaceGallery
from privis.privacy import NO_GUARANTEE, Guarantee
from privis.version import VERSION

KIND = "gallery of faces"


def gallery_content(path: Path) -> SignedContent:
    """Read what a card says of a gallery as it is now; whoever is enrolled or erased later makes another one of it.

    Args:
        path: of the file.

    Returns:
        Digest of its bytes, counts, and its card.

    Raises:
        ParameterError: it is no such file, or damaged.
    """
    gallery = FaceGallery.load(path)
    told = gallery.guarantee
    guarantee = NO_GUARANTEE if told is None else Guarantee.from_dict(told)
    feature: dict[str, Any] = {
        "class": "FaceTemplate", "network": gallery.network, "embedding": gallery.embedding.hex(),
        "scheme": None if gallery.protection is None else gallery.protection.scheme,
    }  # fmt: skip
    exact = "The templates are exact: whoever reads the file can compare faces with them."
    hidden = "Each template is released under differential privacy; the images and the key are not."
    card = {
        "format": FORMAT, "version": VERSION, "feature": feature, "under": {"class": "Clear"},
        "release": None if told is None else dict(told.get("release") or {"class": NOT_KEPT}),
        "guarantee": guarantee.to_dict(),
        "threat_model": f"The machine that enrolled sees the images. {exact if told is None else hidden}",
        "programs": [], "images": 0,
    }  # fmt: skip
    counts = {"people": len(gallery.people), "components": int(gallery.templates.shape[1])}
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    return SignedContent(KIND, path.name, digest, "every byte of the file", counts, card)
