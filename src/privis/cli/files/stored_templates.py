"""Templates that a server or a client of one stores: of a gallery of faces, or of a table."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from privis.errors import ParameterError, Problem
from privis.file_formats import FileFormat, format_of


@dataclass(frozen=True, eq=False)
class StoredTemplates:
    """Templates of a file: ``vectors`` (templates, dimension) and names.

    ``embedding`` is what made them, where the file says it; ``released``, whether under differential privacy.
    """

    names: tuple[str, ...]
    vectors: NDArray[Any]
    embedding: str = ""
    released: bool = False


def stored_templates(path: Path) -> StoredTemplates:
    """Read a gallery of faces, without people whose retention has ended, or a table; ParameterError for others."""
    if format_of(path) is not FileFormat.FACE_GALLERY:
        from privis.io import tables

        table = tables.read(path)
        return StoredTemplates(table.paths, table.features)
    from privis.io.face_gallery import FaceGallery

    people = FaceGallery.load(path).usable(date.today())
    if not people.people:
        expected, remedy = "at least one person who may be recognised", "enrol people with privis face enrol"
        raise ParameterError(Problem(str(path), "nobody", expected, remedy))
    return StoredTemplates(people.subjects, people.templates, people.embedding.hex(), people.guarantee is not None)
