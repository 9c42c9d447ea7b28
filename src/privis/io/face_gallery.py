"""Galleries of faces: people and one template of each, and the file that holds them.

A file is an npz that is not compressed: templates as numbers, people as JSON, and a digest of both, so that whatever is
damaged is refused.

Evolution of the file: ``format`` in its metadata names it, and a reader refuses any other. Keys may be added under the
same number; one that goes, or means something else, takes the next.
"""

from __future__ import annotations

import hashlib
import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from privis.errors import ParameterError, Problem, refuse
from privis.file_formats import FileFormat, format_of, misfit
from privis.subjects import shortened
from privis.version import VERSION

FORMAT = "privis.face-gallery/1"
FILING_LIMIT = 100_000
"""People from which on a file of faces is to be registered: Measures for the Security Management of the Application of
Facial Recognition Technology (China, in force since 1 June 2025), article 15."""
LARGEST = 1 << 33
"""Bytes of a file at most."""


@dataclass(frozen=True)
class EnrolledPerson:
    """One person of a gallery.

    Args:
        subject: the person's id.
        images: how many images the template is the mean of.
        enrolled: day of the latest enrolment, ISO 8601.
        retain_until: last day on which the template may be used, ISO 8601; None: no date was set.
        records: ids of these images, sorted; none of a released template, which hides them.
    """

    subject: str
    images: int
    enrolled: str
    retain_until: str | None = None
    records: tuple[str, ...] = field(default=(), repr=False)

    def in_force(self, today: date) -> bool:
        """Tell whether the template may be used.

        Args:
            today: the day.

        Returns:
            Whether the date of retention has not passed.
        """
        return self.retain_until is None or date.fromisoformat(self.retain_until) >= today


@dataclass(frozen=True)
class TemplateProtection:
    """Which keyed transform the templates of a gallery have gone through; nothing of it is secret.

    Args:
        scheme: the transform and its number.
        key: fingerprint of its key, hexadecimal.
        embedding: identity of the vectors before it, hexadecimal.
        network: what made these, in words.
    """

    scheme: str
    key: str
    embedding: str
    network: str

    def __post_init__(self) -> None:
        if not all(isinstance(value, str) for value in asdict(self).values()):
            raise TypeError("words of a protection that are no texts")


@dataclass(frozen=True, eq=False)
class FaceGallery:
    """People and their templates under one embedding; changes give another gallery.

    Args:
        embedding: 32 bytes, the identity of what made the templates.
        network: what made them, in words.
        people: in the order of their enrolment.
        templates: float32 (people, components), each the mean of a person's vectors, or its release.
        guarantee: of released templates what holds for each, as of ``Guarantee.to_dict``; None: exact templates.
        limit: most people that it may hold.
        protection: the keyed transform of the templates; None: they are as the network made them.
    """

    embedding: bytes
    network: str
    people: tuple[EnrolledPerson, ...] = ()
    templates: NDArray[np.float32] = field(default_factory=lambda: np.zeros((0, 0), np.float32), repr=False)
    guarantee: Mapping[str, Any] | None = None
    limit: int = FILING_LIMIT - 1
    protection: TemplateProtection | None = None

    @property
    def subjects(self) -> tuple[str, ...]:
        """Ids of all people."""
        return tuple(person.subject for person in self.people)

    @property
    def until_filing(self) -> int:
        """How many more people may be stored before the gallery is one that China's face rule wants registered."""
        return max(0, FILING_LIMIT - len(self.people))

    def require_embedding(self, embedding: bytes, network: str, where: str) -> None:
        """Refuse vectors that another network made.

        Args:
            embedding: identity of what made the vectors at hand.
            network: what made them, in words.
            where: what messages call the gallery.

        Raises:
            ParameterError: it is not that of the gallery.
        """
        if embedding != self.embedding:
            got = f"templates of {self.network} ({self.embedding.hex()[:12]})"
            expected = f"those of {network} ({embedding.hex()[:12]})"
            remedy = "use the network that it was made with, or enrol all images again"
            if self.protection is not None:
                remedy = f"use its network and its template key {self.protection.key[:12]}, or enrol all images again"
            raise ParameterError(Problem(where, got, expected, remedy))

    def conflicts(self, subjects: Sequence[str], records: Sequence[str]) -> list[str]:
        """Say which images are another person's already.

        Args:
            subjects: whose each image is.
            records: id of each image.

        Returns:
            A reason for each, empty where there is none.
        """
        owners = {record: person.subject for person in self.people for record in person.records}
        found = []
        for subject, record in zip(subjects, records, strict=True):
            other = owners.setdefault(record, subject)
            found.append("" if other == subject else f"the same image is enrolled as {other!r}")
        return found

    def with_images(
        self,
        subjects: Sequence[str],
        records: Sequence[str],
        vectors: NDArray[Any],
        today: date,
        retain_until: date | None = None,
    ) -> FaceGallery:
        """Enrol images: a person's template is the mean of all, however many at a time and whatever their order.

        An image that is there already changes nothing.

        Args:
            subjects: whose each image is.
            records: id of each image.
            vectors: (images, components), of length 1.
            today: day of the enrolment.
            retain_until: last day on which they may be used; None: as it was, without a date for new people.

        Returns:
            The gallery after it.

        Raises:
            ParameterError: other components, a gallery of released templates, more people than it may hold, or an image
                of two people.
        """
        rows = self._checked(vectors, len(subjects))
        refuse(
            ParameterError, [Problem("images", why, "one person") for why in self.conflicts(subjects, records) if why]
        )
        if self.guarantee is not None:
            remedy = "remove the person and enrol all images at once, or make another gallery"
            raise ParameterError(Problem("gallery", "released templates", "exact ones, to add images to", remedy))
        people, means = list(self.people), dict(enumerate(self.templates.astype(np.float64)))
        places = {person.subject: place for place, person in enumerate(people)}
        until = None if retain_until is None else retain_until.isoformat()
        for subject, record, row in zip(subjects, records, rows, strict=True):
            if subject not in places:
                places[subject] = len(people)
                people.append(EnrolledPerson(subject, 0, today.isoformat(), until))
                means[places[subject]] = np.zeros(rows.shape[1])
            place = places[subject]
            known = people[place]
            if record not in known.records:
                means[place] = (means[place] * known.images + row) / (known.images + 1)
                kept = tuple(sorted((*known.records, record)))
                known = replace(known, images=known.images + 1, records=kept, enrolled=today.isoformat())
            people[place] = replace(known, retain_until=until or known.retain_until)
        return self._grown(people, np.array([means[place] for place in range(len(people))]), self.guarantee)

    def with_released(
        self,
        subjects: Sequence[str],
        images: Sequence[int],
        vectors: NDArray[Any],
        guarantee: Mapping[str, Any],
        today: date,
        retain_until: date | None = None,
    ) -> FaceGallery:
        """Enrol released templates, one of each person.

        Args:
            subjects: whose each is, all of them new.
            images: how many images each is the mean of.
            vectors: (people, components).
            guarantee: what holds for each, as of ``Guarantee.to_dict``.
            today: day of the enrolment.
            retain_until: last day on which they may be used.

        Returns:
            The gallery after it.

        Raises:
            ParameterError: other components, a gallery of exact templates or of another release, people who are there
                already, or more than it may hold.
        """
        rows = self._checked(vectors, len(subjects))
        problems = []
        if self.people and (self.guarantee is None or dict(self.guarantee) != dict(guarantee)):
            got = "exact templates" if self.guarantee is None else "templates of another release"
            problems.append(Problem("gallery", got, "templates of this release", "make another gallery"))
        taken = sorted(set(subjects) & set(self.subjects))
        for subject in taken:
            remedy = "remove the person first; enrolling other images is another release"
            problems.append(Problem(f"subject {subject!r}", "one that is enrolled", "a new one", remedy))
        refuse(ParameterError, shortened(problems, "subjects"))
        until = None if retain_until is None else retain_until.isoformat()
        new = [EnrolledPerson(s, k, today.isoformat(), until) for s, k in zip(subjects, images, strict=True)]
        joined = rows if not self.people else np.concatenate([self.templates, rows])
        return self._grown([*self.people, *new], joined, dict(guarantee))

    def without(self, subjects: Sequence[str]) -> FaceGallery:
        """Remove people and all that is theirs.

        Args:
            subjects: their ids.

        Returns:
            The gallery after it.

        Raises:
            ParameterError: a person is not there; all are named.
        """
        known, gone = set(self.subjects), set(subjects)
        problems = [Problem(f"subject {s!r}", "nobody", "a person of the gallery") for s in sorted(gone - known)]
        refuse(ParameterError, shortened(problems, "subjects"))
        return self._kept([person.subject not in gone for person in self.people])

    def usable(self, today: date) -> FaceGallery:
        """Leave out people whose date of retention has passed.

        Args:
            today: the day.

        Returns:
            The gallery of the others.
        """
        return self._kept([person.in_force(today) for person in self.people])

    def _kept(self, keep: Sequence[bool]) -> FaceGallery:
        rows = np.flatnonzero(np.asarray(keep, bool))
        people = tuple(self.people[row] for row in rows)
        return replace(self, people=people, templates=self.templates[rows] if len(self.people) else self.templates)

    def _checked(self, vectors: NDArray[Any], count: int) -> NDArray[np.float64]:
        rows = np.asarray(vectors, np.float64)
        width = self.templates.shape[1] if self.people else None
        if rows.ndim != 2 or len(rows) != count or not rows.shape[1] or width not in (None, rows.shape[1]):
            expected = f"({count}, {width or 'components'})"
            raise ParameterError(Problem("vectors", f"shape {rows.shape}", expected, "use the gallery's network"))
        if not np.isfinite(rows).all() or not np.linalg.norm(rows, axis=1).all():
            raise ParameterError(Problem("vectors", "rows that are not finite or zero", "vectors with a direction"))
        return rows

    def _grown(
        self, people: Sequence[EnrolledPerson], templates: NDArray[Any], guarantee: Mapping[str, Any] | None
    ) -> FaceGallery:
        if len(people) > self.limit and len(people) > len(self.people):
            got = f"{len(people):,} people"
            remedy = "remove people, or raise the limit: from 100,000 on China's face rule wants the file registered"
            raise ParameterError(Problem("gallery", got, f"at most {self.limit:,}, its limit", remedy))
        rows = np.asarray(templates, np.float32)
        return replace(self, people=tuple(people), templates=rows, guarantee=guarantee)

    def to_bytes(self) -> bytes:
        """Write the gallery.

        Returns:
            The content of its file.
        """
        people = json.dumps([asdict(person) for person in self.people], ensure_ascii=False).encode()
        rows = np.ascontiguousarray(self.templates, "<f4")
        text = {
            "format": FORMAT, "version": VERSION, "embedding": self.embedding.hex(), "network": self.network,
            "guarantee": self.guarantee, "limit": self.limit,
        }  # fmt: skip
        if self.protection is not None:
            text["protection"] = asdict(self.protection)
        text["sha256"] = _digest(text, people, rows)
        buffer = io.BytesIO()
        arrays = {"people": np.frombuffer(people, np.uint8), "templates": rows}
        np.savez(buffer, metadata=np.array(json.dumps(text, sort_keys=True)), **arrays)
        return buffer.getvalue()

    @classmethod
    def load(cls, path: str | Path) -> FaceGallery:
        """Read the gallery at ``path``.

        Args:
            path: of the file.

        Returns:
            The gallery.

        Raises:
            ParameterError: it is missing, damaged, or no gallery.
        """
        try:
            if Path(path).stat().st_size > LARGEST:
                raise ValueError("a file that is too large")
            with np.load(io.BytesIO(Path(path).read_bytes()), allow_pickle=False) as members:
                text = json.loads(str(members["metadata"]))
                if text["format"] != FORMAT:
                    raise ValueError(f"format {text['format']!r}, expected {FORMAT}")
                people, rows = members["people"].tobytes(), members["templates"]
            said = text.pop("sha256")
            if said != _digest(text, people, rows):
                raise ValueError("a digest of other content")
            listed = [EnrolledPerson(**{**each, "records": tuple(each["records"])}) for each in json.loads(people)]
            if rows.ndim != 2 or len(rows) != len(listed) or rows.dtype != np.float32:
                raise ValueError(f"{len(listed)} people and templates of shape {rows.shape}")
            head = bytes.fromhex(text["embedding"]), str(text["network"])
            known = text.get("protection")
            protection = None if known is None else TemplateProtection(**known)
            return cls(*head, tuple(listed), rows, text["guarantee"], int(text["limit"]), protection)
        except Exception as error:  # whatever damaged or hostile bytes do to a decoder, the file is no gallery
            if isinstance(error, MemoryError):
                raise
            reason = f"{type(error).__name__}: {error}"
            expected, remedy = "a whole gallery of faces", "put back a copy, or enrol again into another file"
            if format_of(path) is FileFormat.MISSING:
                remedy = "check the path; the first enrolment makes one"
            raise ParameterError(misfit(path, FileFormat.FACE_GALLERY, reason, expected, remedy)) from None


def _digest(text: Mapping[str, Any], people: bytes, rows: NDArray[Any]) -> str:
    head = json.dumps({key: value for key, value in text.items() if key != "sha256"}, sort_keys=True).encode()
    parts = (head, people, str(rows.shape).encode(), np.ascontiguousarray(rows, "<f4").tobytes())
    return hashlib.sha256(b"".join(hashlib.sha256(part).digest() for part in parts)).hexdigest()
