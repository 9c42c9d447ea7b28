"""What ``privis info`` says of files about faces: counts, never a person's id, a template or a score."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from pathlib import Path


def calibration_facts(path: Path) -> Iterator[str]:
    """Say what a table of impostor scores counts.

    Args:
        path: of the file.

    Yields:
        A line each.

    Raises:
        ParameterError: it is damaged.
    """
    from privis.tasks.verification import CalibrationTable

    table = CalibrationTable.load(path)
    yield f"{table.pairs:,} pairs of two of {table.people:,} people, from {table.source}"
    yield f"for templates of {table.network} ({table.embedding.hex()[:12]}) and for no others"
    yield f"supports thresholds of false-match rates from {table.least_rate():.2g} on"


def gallery_facts(path: Path) -> Iterator[str]:
    """Say how many people a gallery holds.

    Args:
        path: of the file.

    Yields:
        A line each.

    Raises:
        ParameterError: it is damaged.
    """
    from privis.io.face_gallery import FaceGallery

    gallery = FaceGallery.load(path)
    people, images = len(gallery.people), sum(person.images for person in gallery.people)
    usable = sum(person.in_force(date.today()) for person in gallery.people)
    components = f" of {gallery.templates.shape[1]:,} components" if people else ""
    yield f"{people:,} people, templates{components} from {images:,} images; names are not shown"
    yield f"{people - usable:,} past their date of retention; at most {gallery.limit:,} people"
    yield f"{gallery.until_filing:,} more until China's face rule wants the file registered"
    yield f"for templates of {gallery.network} ({gallery.embedding.hex()[:12]}) and for no others"
    if gallery.protection is not None:
        yield f"under template key {gallery.protection.key}: with it the file gives every template"
        yield "without it lengths of templates and the angles between them"
    if gallery.guarantee is not None:
        yield str(gallery.guarantee.get("sentence", "its templates are released; no guarantee is stated"))
    elif gallery.protection is None:
        yield "its templates are exact: whoever reads the file can compare faces with them"


def template_key_facts(path: Path) -> Iterator[str]:
    """Say which key of templates a file holds, and nothing from which it follows.

    Args:
        path: of the file.

    Yields:
        A line each.

    Raises:
        ParameterError: it is damaged, or others may read it.
    """
    from privis.privacy.renewable.template_key import TemplateKey

    yield f"whole, and readable by you alone; fingerprint {TemplateKey.load(path).fingerprint}"
    yield "whoever has it and a gallery under it has the templates, so it is not shown"
