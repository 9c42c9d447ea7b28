"""Vectors of an index, or of those who ask it, under differential privacy: projected to few directions, then released.

Noise of `PrivUnit` grows with the number of components and not with what they say, so a vector is released in the few
directions in which images differ most (`recommended_components`), learned from a named public corpus.

The owner of an index releases one vector per image, or one per person, and may give the index away; whoever asks it
compares exact vectors of their own (nothing is promised of these, and nobody else sees them), or releases them as well
before they leave the house.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from privis.errors import ParameterError, Problem, refuse
from privis.extraction.card import described
from privis.extraction.vectors.origin import origin_of
from privis.extraction.vectors.vector_release import release
from privis.features.postprocessing.projection import Projection
from privis.identity import identity
from privis.privacy import DirectionRelease, Enrolment, Ledger, PrivUnit, ReleaseKey, WholeImage
from privis.privacy.ledger.ledger_protocol import counts_people
from privis.stores import VectorRows, VectorSpace
from privis.stores.vector_rows import Value
from privis.subjects import shortened
from privis.tasks.retrieval.similarity import unit_length

NO_SOURCE = "0" * 64
"""Stored instead of the digest of an image's file: whoever has the image could tell by the digest that it is there."""
BESIDE = "ids, subjects and metadata stand beside a released vector as they are, and the number of rows is seen"


@dataclass(frozen=True, eq=False)
class ReleasedVectors:
    """Vectors released by `PrivUnit`: of each image once, or of each person once, the mean of all images.

    Guarantee: pure ``epsilon`` (up to the sampler's delta) of every stored vector. With ``WholeImage()`` two neighbours
    are one image and any other; with ``Enrolment()`` they are all images of a person and any others, more or fewer. It
    holds because a vector depends on its own image, or person, alone: a recipe's vector does, and ``projection``, mean
    and directions, was learned from public images. Two images of one person have two vectors of ``WholeImage()``, whose
    epsilons add up for the person. Reference: Bhowmick et al., arXiv:1812.00984.

    A vector is drawn once: the same image under the same key is the same release and costs nothing more.

    Args:
        epsilon: of one image or one person, positive.
        projection: to the directions in which vectors are released and compared, learned from public vectors alone; in
            how many is what `recommended_components` says.
        unit: what one epsilon is of: ``WholeImage()`` or ``Enrolment()``.
        key: which all noise is derived from; None: vectors can be compared, and none can be released.
        ledger: budget, charged before any noise is drawn; None: nobody counts.

    Raises:
        ParameterError: naming everything that does not fit.

    >>> first = Projection(np.eye(4, 16), np.zeros(16), source="the first of 16 components, made up")
    >>> ReleasedVectors(8.0, first).promise()["epsilon"]
    8.0
    """

    identifier: ClassVar[str] = "privis.released-vectors/1"

    epsilon: float
    projection: Projection
    unit: WholeImage | Enrolment = field(default_factory=WholeImage)
    key: ReleaseKey | None = field(default=None, repr=False)
    ledger: Ledger | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        problems = []
        if not isinstance(self.unit, WholeImage | Enrolment):
            expected = "WholeImage(), a vector per image, or Enrolment(), a vector per person"
            problems.append(Problem("ReleasedVectors.unit", repr(self.unit), expected))
        if self.key is not None and not isinstance(self.key, ReleaseKey):
            got, remedy = type(self.key).__name__, "ReleaseKey.load(path) reads one"
            problems.append(Problem("ReleasedVectors.key", f"a {got}", "a ReleaseKey, or None", remedy))
        if self.components < 2:
            got, remedy = "one component", "recommended_components(epsilon) gives a number that was measured"
            problems.append(Problem("ReleasedVectors.projection", got, "at least two", remedy))
        refuse(ParameterError, problems)
        self.noise.guarantee((self.components,))  # refuses an epsilon that no sampler keeps

    @property
    def components(self) -> int:
        """Length of a released vector."""
        return len(self.projection.matrix)

    @property
    def noise(self) -> DirectionRelease:
        """What one vector goes through after its projection."""
        return DirectionRelease(PrivUnit(self.epsilon), self.unit)

    def promise(self) -> dict[str, Any]:
        """Say what holds for each stored vector.

        Returns:
            As of ``Guarantee.to_dict``, with the release under ``release``, the public directions under ``projection``
            and what is in a row besides under ``not_covered``; what JSON makes of it.
        """
        stated = self.noise.guarantee((self.components,))
        source = self.projection.source
        public = f"the directions were learned from public images alone ({source})"
        promises = (*origin_of("vectors of an index").promises, public)
        told = {
            **replace(stated, promises=promises).to_dict(), "release": described(self.noise), "not_covered": BESIDE,
            "projection": {"components": self.components, "source": source, "sha256": self.projection.digest},
        }  # fmt: skip
        plain: dict[str, Any] = json.loads(json.dumps(told))
        return plain

    def space(self, exact: VectorSpace) -> VectorSpace:
        """Say what made released vectors: those of another release, projection or recipe are refused.

        Args:
            exact: of the vectors before the projection.

        Returns:
            The space of a store of released vectors.
        """
        made = identity((self.identifier, exact.identity, self.projection.digest, self.noise))
        of = "image" if isinstance(self.unit, WholeImage) else "person"
        words = f"{exact.words}, {self.components} directions of {self.projection.source}"
        words += f", released by {self.noise.mechanism!r} per {of}"
        return VectorSpace(made, words, self.components, self.promise())

    def projected(self, vectors: NDArray[Any]) -> NDArray[np.float32]:
        """Project vectors to the directions in which they are released, and compared.

        Args:
            vectors: (images, components before the projection).

        Returns:
            (images, components) of length 1, or 0 where nothing is left: exact, as their owner may ask with them.

        Raises:
            ParameterError: vectors of another length.
        """
        return unit_length(self.projection(np.asarray(vectors, np.float64)).astype(np.float64)).astype(np.float32)

    def rows(self, rows: VectorRows, records: Sequence[str], known: Collection[str] = ()) -> VectorRows:
        """Release the vectors of rows, before a store sees them.

        Everything that speaks against it is said before anything is charged. Digests of files are left out. With
        ``Enrolment()`` a person is one row, named after the person; a column of metadata keeps its value where it is
        the same of all images of the person.

        Args:
            rows: exact ones, with vectors as `projected` gives them.
            records: `privis.image_record` of each image: what ledgers and noise know it by.
            known: subjects whose vectors are in the index already; with ``Enrolment()`` they are refused, as other
                images of a person are another release.

        Returns:
            The rows to store, whose vectors have length 1.

        Raises:
            ParameterError: people who are there already, vectors of another length, or no key.
            BudgetError: the ledger does not allow it; of all images or people.
        """
        if isinstance(self.unit, WholeImage):
            people = rows.subjects if counts_people(self.ledger) else None  # else an image is one, whatever its path
            told = self._released(rows.vectors, records, people)
            return replace(rows, vectors=told, sources=(NO_SOURCE,) * len(rows))
        taken = sorted(set(rows.subjects) & set(known))
        remedy = "erase the person first; other images of a person are another release, with another charge"
        there = [Problem(f"subject {name!r}", "one that is in the index", "a new one", remedy) for name in taken]
        refuse(ParameterError, shortened(there, "subjects"))
        names = tuple(dict.fromkeys(rows.subjects))
        told = self._released(rows.vectors, records, rows.subjects)
        whose: dict[str, list[int]] = {name: [] for name in names}
        for place, name in enumerate(rows.subjects):
            whose[name].append(place)
        metadata = {
            column: tuple(_common([values[place] for place in whose[name]]) for name in names)
            for column, values in rows.metadata.items()
        }
        return VectorRows(names, names, (NO_SOURCE,) * len(names), told, metadata)

    def released_queries(self, vectors: NDArray[Any], records: Sequence[str]) -> NDArray[np.float32]:
        """Release the vectors of images that somebody asks with, each charged to its own image.

        Args:
            vectors: (queries, components) as `projected` gives them.
            records: `privis.image_record` of each image.

        Returns:
            (queries, components) of length 1, which may be shown to the holder of the index.

        Raises:
            ParameterError: vectors of another length, or no key.
            BudgetError: the ledger does not allow it.
        """
        asking = replace(self, unit=WholeImage())
        return asking._released(vectors, records, None)

    def _released(
        self, vectors: NDArray[np.float32], records: Sequence[str], subjects: Sequence[str] | None
    ) -> NDArray[np.float32]:
        """One row per image, or per person in the order in which they come first."""
        if self.key is None:
            remedy = "ReleaseKey.generate(), kept in a file: with it a repeated call is the same release, and free"
            raise ParameterError(Problem("ReleasedVectors.key", "None", "a ReleaseKey, to draw noise from", remedy))
        if vectors.ndim != 2 or vectors.shape[1] != self.components:
            got = f"vectors of shape {vectors.shape}"
            expected = f"projected ones, (images, {self.components})"
            raise ParameterError(Problem("ReleasedVectors", got, expected, "ReleasedVectors.projected projects them"))
        first: dict[tuple[str, str | None], int] = {}
        whose: Sequence[str | None] = subjects or [None] * len(records)
        each = [
            first.setdefault((record, name), place)
            for place, (record, name) in enumerate(zip(records, whose, strict=True))
        ]
        kept = list(first.values())  # an image that is there twice is one image, whatever its batch rounded
        told = release(
            vectors[kept], self.noise, records=[records[place] for place in kept],
            subjects=None if subjects is None else [subjects[place] for place in kept],
            key=self.key, ledger=self.ledger, feature=f"vectors of an index {self.projection.digest}",
        )  # fmt: skip
        found = unit_length(told.features.astype(np.float64)).astype(np.float32)
        if isinstance(self.unit, Enrolment):
            return found
        places = {place: row for row, place in enumerate(kept)}
        return found[[places[place] for place in each]]


def _common(values: Sequence[Value]) -> Value:
    """The one value, or None where there are several."""
    return values[0] if all(value == values[0] for value in values) else None


def released_with(guarantee: Mapping[str, Any], projection: Projection) -> ReleasedVectors:
    """Give the release that an index was made with, for comparing its vectors.

    Args:
        guarantee: of the index's space.
        projection: that lies with the index.

    Returns:
        It, without a key.

    Raises:
        ParameterError: a release that this version does not know, or another projection.
    """
    units = {"WholeImage": WholeImage(), "Enrolment": Enrolment()}
    same = False
    try:
        told = guarantee["release"]
        made = ReleasedVectors(float(told["mechanism"]["epsilon"]), projection, units[told["unit"]["class"]])
        promised = made.promise()
        same = all(dict(guarantee[name]) == promised[name] for name in ("release", "projection"))
    except (KeyError, TypeError, ValueError, ParameterError):
        pass
    if not same:
        got, remedy = "vectors of an unknown release or of other directions", "use the version of Privis that made it"
        raise ParameterError(Problem("index", got, "those of PrivUnit in the directions beside it", remedy))
    return made
