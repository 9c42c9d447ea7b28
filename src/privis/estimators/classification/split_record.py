"""What a classifier was trained on, for whoever trained it: a file beside the model that never travels with it.

It holds keyed digests (HMAC-SHA-256) of patients and of pixels, and their key: it tells whether an image that is to be
tested was trained on, and its holder whether any image was. Keep it where the images are.

Evolution of the file: ``format`` ends in a number. Members may be added, and readers skip those that they do not know;
another number is another format.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import os
import secrets
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import ClassVar, Self

from privis.errors import ParameterError
from privis.file_formats import FileFormat, misfit
from privis.io.atomic import replacing
from privis.tasks.classification.patient_splits import Leak, leaks_between


def record_place(model: Path) -> Path:
    """Say where the record of a model is.

    Args:
        model: path of the model.

    Returns:
        Its name with .split behind it.

    >>> record_place(Path("chest.model")).name
    'chest.model.split'
    """
    return model.with_name(model.name + ".split")


@dataclass(frozen=True, eq=False)
class SplitRecord:
    """Keyed digests of what was trained on.

    Args:
        key: of the digests.
        patients: digests of ids; empty where nobody said whose images are.
        pixels: digests of the pixels.
    """

    format: ClassVar[str] = "privis.split-record/1"

    key: bytes = field(repr=False)
    patients: frozenset[str] = field(repr=False)
    pixels: frozenset[str] = field(repr=False)

    @classmethod
    def of(cls, patients: Sequence[str] | None, pixels: Sequence[str]) -> Self:
        """Record a training under a new key.

        Args:
            patients: whose each image is; None: not known.
            pixels: digest of each image's pixels.

        Returns:
            The record.

        >>> record = SplitRecord.of(["ann"], ["ab"])
        >>> record.leaks(["bob", "ann"], ["ab", "cd"])
        (Leak(place=0, why='the same pixels'), Leak(place=1, why='the same patient'))
        """
        return cls(secrets.token_bytes(32), frozenset(), frozenset()).with_images(patients, pixels)

    @property
    def name(self) -> str:
        """What a model that belongs to the record says of it; it tells nothing of any image."""
        return _digest(self.key, "record", "")[:32]

    def with_images(self, patients: Sequence[str] | None, pixels: Sequence[str]) -> Self:
        """Record other images under the same key.

        Args:
            patients: whose each image is; None: not known.
            pixels: digest of each image's pixels.

        Returns:
            A record of these alone.
        """
        whose = frozenset(_digest(self.key, "patient", each) for each in patients or ())
        return replace(self, patients=whose, pixels=frozenset(_digest(self.key, "pixels", each) for each in pixels))

    def leaks(self, patients: Sequence[str] | None, pixels: Sequence[str]) -> tuple[Leak, ...]:
        """Find images that were trained on, or are of a patient who was.

        Args:
            patients: whose each image is; None: not known.
            pixels: digest of each image's pixels.

        Returns:
            One for each image that leaks.
        """
        asked = None if patients is None else [_digest(self.key, "patient", each) for each in patients]
        known = [_digest(self.key, "pixels", each) for each in pixels]
        return leaks_between((tuple(self.patients), tuple(self.pixels)), (asked, known))

    def save(self, path: Path) -> None:
        """Write it, readable by its owner alone.

        Args:
            path: of the file.

        Raises:
            OutputError: it cannot be written.
        """
        document = {
            "format": self.format, "key": self.key.hex(), "patients": sorted(self.patients),
            "pixels": sorted(self.pixels),
        }  # fmt: skip
        with replacing(path) as temporary:
            descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
            with open(descriptor, "w", encoding="utf-8") as file:
                json.dump(document, file)

    @classmethod
    def load(cls, path: Path) -> Self:
        """Read what `save` wrote.

        Args:
            path: of the file.

        Returns:
            The record.

        Raises:
            ParameterError: it is damaged, of another version, or something else.
        """
        try:
            document = json.loads(path.read_text(encoding="utf-8"))
            if document["format"] != cls.format:
                raise ValueError(f"format {document['format']!r}")
            key = bytes.fromhex(document["key"])
            return cls(key, frozenset(map(str, document["patients"])), frozenset(map(str, document["pixels"])))
        except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
            expected = "a record that `privis classify train` wrote"
            reason = f"{type(error).__name__}: {error}" if not isinstance(error, OSError) else str(error.strerror)
            raise ParameterError(misfit(path, FileFormat.SPLIT_RECORD, reason, expected)) from None


def _digest(key: bytes, kind: str, value: str) -> str:
    return hmac.new(key, f"{kind} {value}".encode(), hashlib.sha256).hexdigest()
