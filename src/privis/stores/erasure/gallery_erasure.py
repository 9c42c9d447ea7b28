"""A gallery of faces as a store that people are erased from: one file that each change writes anew."""

from __future__ import annotations

import glob
import hashlib
import os
import secrets
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from privis.errors import Problem, UnsupportedError
from privis.io.face_gallery import FaceGallery
from privis.io.gallery_writer import changing
from privis.stores.erasure.receipt_log import ReceiptFiles, ReceiptLog
from privis.stores.erasure.residue_scanner import ResidueScanner
from privis.stores.vector_rows import VectorRows
from privis.stores.vector_store import (
    Condition,
    Relation,
    Residue,
    ResidueSearch,
    SearchResult,
    StoreDescription,
    VectorSpace,
)


@dataclass(frozen=True)
class GalleryErasure:
    """What erasing needs of a gallery; adding and searching are not its work.

    A row is a person's template, with the person's id as its id.

    Args:
        path: of the gallery's file.
        store_id: of its receipts.
    """

    path: Path
    store_id: str

    @classmethod
    def of(cls, path: str | os.PathLike[str]) -> tuple[GalleryErasure, ReceiptFiles]:
        """Name a gallery as the log of its receipts does, if it has one.

        Args:
            path: of the gallery's file.

        Returns:
            The gallery, and the files of its receipts, which lie beside the file itself where ``path`` is a link.

        Raises:
            DamagedLedgerError: the log is not what was written.
        """
        files = ReceiptFiles.beside(os.path.realpath(path))
        return cls(Path(path), ReceiptLog.store_at(files.log) or secrets.token_hex(16)), files

    def describe(self) -> StoreDescription:
        """Say what the gallery holds.

        Returns:
            Its figures; it is not sealed.
        """
        held = FaceGallery.load(self.path)
        components = held.templates.shape[1] or 1
        space = VectorSpace(held.embedding, held.network, components, held.guarantee)
        count, size = len(held.people), self.path.stat().st_size
        return StoreDescription("gallery", str(self.path), self.store_id, space, count, count, {}, False, size)

    def subjects(self) -> Mapping[str, int]:
        """Give the people.

        Returns:
            One row for each.
        """
        return dict.fromkeys(FaceGallery.load(self.path).subjects, 1)

    def add(self, rows: VectorRows) -> int:
        """Refuse to add rows: people are enrolled from pictures.

        Args:
            rows: any.

        Returns:
            Nothing.

        Raises:
            UnsupportedError: always.
        """
        raise UnsupportedError(Problem(str(self.path), "rows to add", "pictures", "use privis face enrol"))

    def rows(self, where: Sequence[Condition] = ()) -> Iterator[VectorRows]:
        """Give people's templates as rows, each with the person as id and subject.

        Args:
            where: nothing, or one subject.

        Yields:
            All of them at once.
        """
        held = FaceGallery.load(self.path)
        wanted = {each.value for each in where if (each.column, each.relation) == ("subject", Relation.EQUAL)}
        places = [place for place, name in enumerate(held.subjects) if not where or name in wanted]
        names = tuple(held.subjects[place] for place in places)
        sources = tuple(hashlib.sha256(name.encode("utf-8", "surrogatepass")).hexdigest() for name in names)
        if names:
            yield VectorRows(names, names, sources, held.templates[places])

    def search(
        self, queries: NDArray[Any], top: int, where: Sequence[Condition] = (), approximate: bool = False
    ) -> SearchResult:
        """Refuse to search: people are recognised by a threshold.

        Args:
            queries: any.
            top: any.
            where: any.
            approximate: any.

        Returns:
            Nothing.

        Raises:
            UnsupportedError: always.
        """
        raise UnsupportedError(Problem(str(self.path), "vectors to compare", "pictures", "use privis face identify"))

    def erase(self, subjects: Sequence[str]) -> Residue:
        """Write the gallery without these people.

        Args:
            subjects: their ids.

        Returns:
            Their templates, and the ids of their images.

        Raises:
            ParameterError: a person is not there; nobody is removed.
            OutputError: the file cannot be written; it is as it was.
        """
        with changing(self.path) as file:
            before = file.read() or FaceGallery.load(self.path)
            after = before.without(subjects)
            gone = set(subjects)
            places = [place for place, name in enumerate(before.subjects) if name in gone]
            file.write(after)
        records = tuple(record for place in places for record in before.people[place].records)
        return Residue(before.templates[places].astype(np.float32), (), records)

    def verify_erased(self, residue: Residue) -> ResidueSearch:
        """Search the file, what unfinished changes of it left, and what lies beside it under its name.

        Args:
            residue: what was erased.

        Returns:
            What was found.
        """
        scanner = ResidueScanner(residue)
        folder, name = self.path.resolve().parent, glob.escape(self.path.resolve().name)
        scanner.search_file(self.path)
        for place in sorted({*folder.glob(f"{name}.*"), *folder.glob(f".{name}.*")}):
            scanner.search_folder(place) if place.is_dir() else scanner.search_file(place)
        return scanner.result(self.rows)
