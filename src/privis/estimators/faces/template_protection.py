"""What may become of templates before they are stored: a keyed transform, a noisy release, or both.

A transform acts on stored and on probe vectors alike; a release on stored ones alone. Both say which calibration holds
afterwards, because scores are not what they were. Of both, the transform comes first.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import Any, Protocol

from numpy.typing import NDArray

from privis.io.face_gallery import FaceGallery, TemplateProtection
from privis.tasks.verification import CalibrationTable


class TemplateTransform(Protocol):
    """A keyed, revocable map of templates: those of two keys cannot be compared."""

    def embedding(self, plain: bytes) -> bytes:
        """Identify transformed vectors.

        Args:
            plain: identity of the vectors before, 32 bytes.

        Returns:
            32 bytes that tell vectors of this key from those of any other; no key follows from them.
        """
        ...

    def network(self, plain: str) -> str:
        """Describe transformed vectors in words.

        Args:
            plain: description of the vectors before.

        Returns:
            The description, without anything secret.
        """
        ...

    def protection(self, plain: bytes, network: str) -> TemplateProtection:
        """Say in a gallery what its templates have gone through.

        Args:
            plain: identity of the vectors before, 32 bytes.
            network: description of the vectors before.

        Returns:
            What the file says of it.
        """
        ...

    def record(self, record: str) -> str:
        """Hide the id of an image that is stored with a template: it is a digest of the pixels.

        Args:
            record: the id.

        Returns:
            Another one, equal for equal ids, from which only the holder of the key finds it.
        """
        ...

    def transformed(self, vectors: NDArray[Any]) -> NDArray[Any]:
        """Map vectors, of stored and of probe images alike.

        Args:
            vectors: (rows, components), of length 1.

        Returns:
            (rows, components of the transform), of length 1.
        """
        ...

    def calibrated(self, table: CalibrationTable) -> CalibrationTable:
        """Say how similar two people are after the map.

        Args:
            table: of the vectors before.

        Returns:
            A table whose embedding is `embedding` of that.
        """
        ...


class TemplateRelease(Protocol):
    """A release of stored templates under differential privacy; probe vectors stay as they are."""

    def require(self, gallery: FaceGallery, where: str) -> None:
        """Refuse a gallery whose templates were not released like this: its scores are others.

        Args:
            gallery: of any templates.
            where: what messages call it.

        Raises:
            ParameterError: its templates are exact, or of another release.
        """
        ...

    def enrolled(
        self,
        gallery: FaceGallery,
        subjects: Sequence[str],
        records: Sequence[str],
        vectors: NDArray[Any],
        today: date,
        retain_until: date | None = None,
    ) -> FaceGallery:
        """Release one template of each person, the mean of the images, and store it.

        Args:
            gallery: as it is.
            subjects: whose each image is.
            records: id of each image.
            vectors: (images, components), of length 1.
            today: day of the enrolment.
            retain_until: last day on which the templates may be used.

        Returns:
            The gallery after it.
        """
        ...

    def reference(self, vectors: NDArray[Any], records: Sequence[str]) -> NDArray[Any]:
        """Release the template that one probe is compared with.

        Args:
            vectors: (images, components) of one person, of length 1.
            records: id of each image.

        Returns:
            (components,).
        """
        ...

    def calibrated(self, table: CalibrationTable, components: int) -> CalibrationTable:
        """Say how similar released templates and exact probes of two people are.

        Args:
            table: of exact ones.
            components: of a template.

        Returns:
            The table of released ones.
        """
        ...
