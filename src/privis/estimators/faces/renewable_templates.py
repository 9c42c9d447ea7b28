"""Renewable templates: a rotation under a secret key, and galleries that are put under another key.

What a scheme with a known key is worth against inversion, and why others are not here, is measured by ``python -m
benchmarks.renewable_templates``.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from privis.errors import ParameterError, Problem
from privis.io.face_gallery import FaceGallery, TemplateProtection
from privis.privacy.renewable.template_key import TemplateKey
from privis.tasks.verification import CalibrationTable

SHOWN = 12
"""Digits of a fingerprint in sentences."""


@dataclass(frozen=True)
class RenewableTemplates:
    """Templates that are turned by a secret rotation before they are stored or compared, and renewed by another key.

    Guarantee: that of `TemplateKey`. Cosines are what they were, to rounding, so that thresholds and error rates are,
    too. With the key every template is turned back exactly: this fails irreversibility for whoever has the key.

    Args:
        key: the secret.

    >>> turned = RenewableTemplates(TemplateKey(bytes(32))).transformed(np.eye(3))  # a test key
    >>> bool(np.allclose(turned @ turned.T, np.eye(3)))
    True
    """

    identifier: ClassVar[str] = "privis.keyed-rotation/1"

    key: TemplateKey = field(repr=False)

    def embedding(self, plain: bytes) -> bytes:
        """Identify vectors under this key.

        Args:
            plain: identity of the vectors before, 32 bytes.

        Returns:
            32 bytes, others for any other key; no key follows from them.
        """
        return hashlib.sha256(b"\0".join([self.identifier.encode(), self.key.fingerprint.encode(), plain])).digest()

    def network(self, plain: str) -> str:
        """Describe vectors under this key in words.

        Args:
            plain: description of the vectors before.

        Returns:
            The description, with the key's fingerprint.
        """
        return f"{plain}, under template key {self.key.fingerprint[:SHOWN]}"

    def protection(self, plain: bytes, network: str) -> TemplateProtection:
        """Say in a gallery what its templates have gone through.

        Args:
            plain: identity of the vectors before, 32 bytes.
            network: description of the vectors before.

        Returns:
            The scheme, the key's fingerprint, and both.
        """
        return TemplateProtection(self.identifier, self.key.fingerprint, plain.hex(), network)

    def record(self, record: str) -> str:
        """Encrypt the id of an image.

        Args:
            record: the id, a digest of pixels.

        Returns:
            Another one, equal for equal ids under one key.
        """
        return self.key.sealed(record)

    def transformed(self, vectors: NDArray[Any]) -> NDArray[np.float64]:
        """Apply the rotation of the key to each row.

        Args:
            vectors: (rows, components), each with a direction.

        Returns:
            Float64 (rows, components) of the same lengths and the same inner products.

        Raises:
            ParameterError: another shape, or a row that is zero or not finite.
        """
        rows = np.asarray(vectors, np.float64)
        if rows.ndim != 2 or not rows.shape[1]:
            raise ParameterError(Problem("vectors", f"shape {rows.shape}", "(rows, components)"))
        if not np.isfinite(rows).all() or not np.linalg.norm(rows, axis=1).all():
            raise ParameterError(Problem("vectors", "rows that are not finite or zero", "vectors with a direction"))
        return rows @ self.key.rotation(rows.shape[1]).T

    def calibrated(self, table: CalibrationTable) -> CalibrationTable:
        """Give the same scores for vectors under this key: a rotation changes no cosine.

        Args:
            table: of the vectors before.

        Returns:
            The table, for the embedding of this key.
        """
        return replace(table, embedding=self.embedding(table.embedding), network=self.network(table.network))


def rekeyed(gallery: FaceGallery, old: TemplateKey | None, new: TemplateKey, where: str = "gallery") -> FaceGallery:
    """Put a gallery under another key, from what is stored: nobody is photographed again.

    Templates become what an enrolment under the new key would have stored, to rounding to float32. Released ones keep
    their guarantee: a rotation of what was released is post-processing. Ids of images are encrypted again.

    Args:
        gallery: as it is.
        old: the key that it is under; None: it is under none.
        new: the key that it will be under.
        where: what messages call the gallery.

    Returns:
        The gallery; itself where it is under the new key already.

    Raises:
        ParameterError: it is under another key than ``old``, or under one where none was given.
    """
    after = RenewableTemplates(new)
    known = gallery.protection
    if known is not None and known.key == new.fingerprint:
        return gallery
    _require_key(gallery, old, where)
    plain, network = gallery.embedding, gallery.network
    if known is not None:
        plain, network = bytes.fromhex(known.embedding), known.network
    rows = gallery.templates.astype(np.float64)
    if gallery.people:
        components = rows.shape[1]
        if old is not None:
            rows = rows @ old.rotation(components)
        rows = rows @ new.rotation(components).T
    people = []
    for person in gallery.people:
        records = (old.opened(record) if old is not None else record for record in person.records)
        people.append(replace(person, records=tuple(sorted(new.sealed(record) for record in records))))
    return replace(
        gallery,
        embedding=after.embedding(plain),
        network=after.network(network),
        people=tuple(people),
        templates=rows.astype(np.float32),
        protection=after.protection(plain, network),
    )


def _require_key(gallery: FaceGallery, old: TemplateKey | None, where: str) -> None:
    known = gallery.protection
    got = "templates under no key" if known is None else f"templates under template key {known.key[:SHOWN]}"
    if known is None and old is not None:
        expected = f"some under template key {old.fingerprint[:SHOWN]}"
        raise ParameterError(Problem(where, got, expected, "leave the earlier key out: there is none"))
    if known is not None and old is None:
        raise ParameterError(Problem(where, got, "that key as well, to turn them back", "give it as the earlier key"))
    if known is not None and old is not None:
        before = RenewableTemplates(old)
        if known.key != old.fingerprint:
            expected = f"that key; this one is {old.fingerprint[:SHOWN]}"
            raise ParameterError(Problem(where, got, expected, "give the key that the gallery is under"))
        if known.scheme != before.identifier or before.embedding(bytes.fromhex(known.embedding)) != gallery.embedding:
            expected = f"{before.identifier} of the network that the gallery names"
            raise ParameterError(Problem(where, f"templates of {known.scheme}", expected, "put back a copy"))
