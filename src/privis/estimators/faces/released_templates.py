"""Stored templates under differential privacy: the mean of a person's images, released once, and its calibration."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from functools import lru_cache
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from privis.errors import ParameterError, Problem, refuse
from privis.extraction.card import described
from privis.extraction.vectors.enrolled import enrolled
from privis.extraction.vectors.origin import origin_of
from privis.extraction.vectors.vector_release import release
from privis.identity import identity
from privis.io.face_gallery import FaceGallery
from privis.privacy import DirectionRelease, Enrolment, Ledger, PrivUnit, ReleaseKey
from privis.tasks.verification import CalibrationTable
from privis.validation import positive_number

BORDER = 0.96
"""Share of `PrivUnit`'s best border for two vectors that are compared once. The cap that is best for the mean is missed
with a probability of 2 to 10 %, and nobody recognises a template that missed. In a model (a pair of one person at an
exact cosine of 0.7, impostors at right angles) shares from 0.94 to 0.98 give the least equal error rate at epsilon 8 to
32 in 24 to 512 components."""
MOST_PAIRS = 1 << 22
"""Impostor pairs of a calibration that are released in trial; of more a random part is taken."""


@dataclass(frozen=True, eq=False)
class ReleasedTemplates:
    """Templates released by `PrivUnit`, one of each person, the mean of all images; probes stay exact.

    Guarantee: pure ``epsilon`` (up to the sampler's delta) for all enrolled images of a person at once, replaced by any
    others, more or fewer: `Enrolment`. It is about what is stored: whoever compares probes with it learns nothing more
    of the enrolled images, by post-processing, and of the probe's image nothing is promised. A person who is enrolled
    under two names, or in two galleries, has spent both epsilons. Reference: Bhowmick et al., arXiv:1812.00984.

    A template is drawn once: the same images under the same key are the same template and cost nothing more, and other
    images of a person who is enrolled are refused. A charge stays when the person is removed.

    Args:
        epsilon: of one person, positive.
        key: which all noise is derived from; None: templates can be compared, and none can be released.
        ledger: budget of people, charged before any noise is drawn; None: nobody counts.
        border: of `PrivUnit`.

    Raises:
        ParameterError: naming everything that does not fit.

    >>> ReleasedTemplates(16.0).noise
    DirectionRelease(mechanism=PrivUnit(epsilon=16.0, border=0.96), unit=Enrolment())
    """

    identifier: ClassVar[str] = "privis.released-templates/1"

    epsilon: float
    key: ReleaseKey | None = field(default=None, repr=False)
    ledger: Ledger | None = field(default=None, repr=False)
    border: float = BORDER

    def __post_init__(self) -> None:
        problems = positive_number("ReleasedTemplates.epsilon", self.epsilon)
        if self.key is not None and not isinstance(self.key, ReleaseKey):
            got, remedy = type(self.key).__name__, "ReleaseKey.load(path) reads one"
            problems.append(Problem("ReleasedTemplates.key", f"a {got}", "a ReleaseKey, or None", remedy))
        refuse(ParameterError, problems)
        PrivUnit(self.epsilon, self.border)  # refuses what else does not fit

    @property
    def noise(self) -> DirectionRelease:
        """What one template goes through."""
        return DirectionRelease(PrivUnit(self.epsilon, self.border), Enrolment())

    def promise(self, components: int) -> dict[str, Any]:
        """Say what holds for each stored template.

        Args:
            components: of a template.

        Returns:
            As of ``Guarantee.to_dict``, and the release under ``release``; what JSON makes of it.

        Raises:
            ParameterError: no sampler keeps this epsilon for so many components.
        """
        guarantee = replace(self.noise.guarantee((components,)), promises=origin_of("face templates").promises)
        told: dict[str, Any] = json.loads(json.dumps({**guarantee.to_dict(), "release": described(self.noise)}))
        return told

    def require(self, gallery: FaceGallery, where: str) -> None:
        """Refuse a gallery whose templates were not released like this: its scores are others.

        Args:
            gallery: of any templates.
            where: what messages call it.

        Raises:
            ParameterError: its templates are exact, or of another release.
        """
        if not gallery.people:
            return
        expected = f"templates of {self.noise.mechanism!r}"
        if gallery.guarantee is None:
            remedy = "leave the release out, or enrol into another gallery"
            raise ParameterError(Problem(where, "exact templates", expected, remedy))
        if gallery.guarantee.get("release") != self.promise(gallery.templates.shape[1])["release"]:
            mechanism = dict(gallery.guarantee.get("release", {})).get("mechanism", gallery.guarantee.get("mechanism"))
            remedy = "name the release that the gallery was made with, or make another gallery"
            raise ParameterError(Problem(where, f"templates of {mechanism}", expected, remedy))

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

        Everything that speaks against it is said before anything is charged.

        Args:
            gallery: as it is.
            subjects: whose each image is.
            records: id of each image.
            vectors: (images, components), of length 1.
            today: day of the enrolment.
            retain_until: last day on which the templates may be used.

        Returns:
            The gallery after it.

        Raises:
            ParameterError: a gallery of exact templates or of another release, people who are enrolled already, more
                than it may hold, or no key.
            BudgetError: the ledger does not allow it; of all people.
        """
        rows = np.asarray(vectors, np.float32)
        people = enrolled(rows, records, subjects)
        promise = self.promise(rows.shape[1])
        images = [len(person.records) for person in people]
        self.require(gallery, "gallery")
        means = np.stack([person.mean for person in people])
        gallery.with_released(
            [p.subject for p in people], images, means, promise, today, retain_until
        )  # only looked at
        told = release(
            rows, self.noise, records=list(records), subjects=list(subjects), key=self._secret, ledger=self.ledger,
            feature=f"face templates {gallery.embedding.hex()}",
        )  # fmt: skip
        return gallery.with_released(told.records, images, told.features, promise, today, retain_until)

    def reference(self, vectors: NDArray[Any], records: Sequence[str]) -> NDArray[Any]:
        """Release the template that one probe is compared with; the account is that of its images.

        Args:
            vectors: (images, components) of one person, of length 1.
            records: id of each image.

        Returns:
            (components,).

        Raises:
            ParameterError: no key.
            BudgetError: the ledger does not allow it.
        """
        rows = np.asarray(vectors, np.float32)
        distinct = sorted(set(records))
        account = distinct[0] if len(distinct) == 1 else f"images {identity(tuple(distinct)).hex()}"
        told = release(
            rows, self.noise, records=list(records), subjects=[account] * len(rows), key=self._secret,
            ledger=self.ledger, feature="reference template of a face",
        )  # fmt: skip
        found: NDArray[Any] = told.features[0]
        return found

    def calibrated(self, table: CalibrationTable, components: int) -> CalibrationTable:
        """Say how similar released templates and exact probes of two people are.

        Every impostor pair of the table is released once, in trial and with public randomness: the cosine of a released
        template and an exact probe is random in a way that depends on their exact cosine alone, which is known. So the
        result is a sample like the table itself, with as many pairs, and what `CalibrationTable` guarantees holds. Each
        cosine is taken a step too high, which is more than the rounding of released vectors moves it.

        Args:
            table: of exact templates.
            components: of a template.

        Returns:
            The table of released ones, which says so, and whose embedding is that of this release alone.
        """
        return _released_table(table, self.noise.mechanism, components)

    @property
    def _secret(self) -> ReleaseKey:
        if self.key is None:
            remedy = "ReleaseKey.generate(), kept in a file: with it a repeated call is the same release, and free"
            raise ParameterError(Problem("ReleasedTemplates.key", "None", "a ReleaseKey, to draw noise from", remedy))
        return self.key


def release_of(gallery: FaceGallery) -> ReleasedTemplates | None:
    """Give the release that a gallery's templates were made with, for comparing them.

    Args:
        gallery: of any templates.

    Returns:
        It, without a key; None: they are exact.

    Raises:
        ParameterError: they are of a release that this version does not know.
    """
    if gallery.guarantee is None:
        return None
    try:
        mechanism = gallery.guarantee["release"]["mechanism"]
        made = ReleasedTemplates(float(mechanism["epsilon"]), border=float(mechanism.get("border", 1.0)))
    except (KeyError, TypeError, ValueError):
        got, remedy = "templates of an unknown release", "use the version of Privis that made it"
        raise ParameterError(Problem("gallery", got, "those of PrivUnit", remedy)) from None
    made.require(gallery, "gallery")
    return made


@lru_cache(maxsize=8)
def _released_table(table: CalibrationTable, mechanism: PrivUnit, components: int) -> CalibrationTable:
    seed = int.from_bytes(identity((table.embedding, table.counts, mechanism, components)), "big")
    random = np.random.default_rng(seed)
    counts = table.counts
    if table.pairs > MOST_PAIRS:
        counts = random.multinomial(MOST_PAIRS, table.counts / table.pairs)
    size = len(counts)
    exact = np.repeat(np.arange(1, size + 1) * 2 / size - 1, counts)  # the upper end of each step
    angles = _angles(mechanism, components, len(exact), random)
    beside = _coordinates(components - 1, len(exact), random)  # of the orthogonal part along that of the probe
    cosines = np.cos(angles) * exact + np.sin(angles) * np.sqrt(np.maximum(0, 1 - exact * exact)) * beside
    steps = np.clip(np.floor((cosines + 1) * size / 2).astype(np.int64) + 1, 0, size - 1)
    words = f"released by {mechanism!r} in {components} components"
    embedding = identity((ReleasedTemplates.identifier, table.embedding, mechanism, components))
    return CalibrationTable(
        embedding, f"{table.network}, {words}", table.source, table.people, np.bincount(steps, minlength=size)
    )


def _angles(mechanism: PrivUnit, components: int, count: int, random: np.random.Generator) -> NDArray[np.float64]:
    """Angles between released vectors and what they were released from."""
    distribution = mechanism.distribution(components)
    cells = distribution.cells
    edges = np.minimum(cells.edges, math.pi)
    logs = distribution.smooth((edges[:-1] + edges[1:]) / 2) + distribution.jump * cells.inside
    share = np.cumsum(np.exp(logs - logs.max()) * np.diff(edges))
    return np.interp(random.random(count) * share[-1], np.append(0, share), edges)


def _coordinates(dimension: int, count: int, random: np.random.Generator) -> NDArray[np.float64]:
    """One coordinate of uniform directions in so many dimensions."""
    if dimension == 1:
        return random.choice([-1.0, 1.0], count)
    return 2 * random.beta((dimension - 1) / 2, (dimension - 1) / 2, count) - 1
