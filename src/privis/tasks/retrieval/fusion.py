"""Vectors of several features joined into one, whose cosines are the weighted sum of the features' similarities.

Similarities of different features spread differently: cosines of colour histograms fill [0, 1], those of VLAD crowd
about 0. Each is divided by its standard deviation over pairs of different images before they are summed (z-score
normalisation; A. Jain, K. Nandakumar, A. Ross, "Score normalization in multimodal biometric systems", Pattern
Recognition 2005, doi:10.1016/j.patcog.2005.01.012; the means, equal for all pairs, do not change a ranking). The sum is
again one inner product, of the parts' unit vectors put side by side, so one vector per image is stored and searched.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import ClassVar

import numpy as np
import numpy.typing as npt

from privis.errors import ParameterError, Problem, refuse
from privis.tasks.retrieval.similarity import Floats, Similarity, finite_matrix, unit_length

MOST_SAMPLES = 2000
"""Images whose pairs give the standard deviations."""


@dataclass(frozen=True, eq=False)
class FusedPart:
    """One feature of a fusion.

    Args:
        name: of the feature, unique in a fusion.
        similarity: how its vectors are compared.
        weight: of its similarity, positive.
        mean: (components,) over the images that the fusion was fitted to.
        deviation: (components,) standard deviations over the same images.
        spread: standard deviation of its similarities over pairs of these images.
    """

    name: str
    similarity: Similarity
    weight: float
    mean: Floats = field(repr=False)
    deviation: Floats = field(repr=False)
    spread: float


@dataclass(frozen=True, eq=False)
class Fusion:
    """How vectors of several features become one vector per image.

    Args:
        parts: one or more features, in the order in which they stand side by side.

    Raises:
        ParameterError: no parts, a name twice, or a weight or spread that is not a positive number.

    >>> colours = np.array([[4.0, 0.0], [0.0, 4.0], [1.0, 3.0]])
    >>> fusion = Fusion.fit({"colour": colours}, {"colour": (Similarity.HELLINGER, 1.0)})
    >>> fusion.vectors({"colour": colours}).shape
    (3, 2)
    """

    identifier: ClassVar[str] = "privis.fusion/1"

    parts: tuple[FusedPart, ...]

    def __post_init__(self) -> None:
        names = [part.name for part in self.parts]
        problems = []
        if not names or len(set(names)) < len(names):
            problems.append(Problem("Fusion.parts", f"the features {names}", "at least one, each name once"))
        for part in self.parts:
            for what in ("weight", "spread"):
                value = getattr(part, what)
                if not (0 < value < float("inf")):
                    problems.append(Problem(f"Fusion {part.name}.{what}", repr(value), "a positive finite number"))
        refuse(ParameterError, problems)

    @classmethod
    def fit(cls, samples: Mapping[str, npt.ArrayLike], parts: Mapping[str, tuple[Similarity, float]]) -> Fusion:
        """Measure how the similarities of each feature spread over images of the kind that will be searched.

        Args:
            samples: by feature (images, components), the same images in the same order; at most `MOST_SAMPLES` evenly
                spaced ones are used.
            parts: by feature its similarity and its weight.

        Returns:
            The fusion, to be kept with what is indexed: other means and spreads give other vectors.

        Raises:
            ParameterError: a feature lacks samples, their numbers differ, there are fewer than three images, or all
                of them are equal in a feature.
        """
        given = {name: finite_matrix(f"Fusion.fit {name}", samples[name]) for name in parts if name in samples}
        absent = [name for name in parts if name not in samples]
        problems = [Problem("Fusion.fit", f"no samples of {name}", "some of every part") for name in absent]
        counts = {len(values) for values in given.values()}
        if len(counts) > 1 or min(counts, default=3) < 3:
            got = ", ".join(f"{len(values)} of {name}" for name, values in given.items())
            problems.append(Problem("Fusion.fit samples", got, "the same images of every part, at least three"))
        refuse(ParameterError, problems)
        fitted = []
        for name, (similarity, weight) in parts.items():
            kept = given[name][:: -(-len(given[name]) // MOST_SAMPLES)]
            mean, deviation = kept.mean(0), kept.std(0)
            unit = similarity.prepared(kept, mean, deviation)
            pairs = (unit @ unit.T)[np.triu_indices(len(unit), 1)]
            fitted.append(FusedPart(name, similarity, float(weight), mean, deviation, float(pairs.std())))
        return cls(tuple(fitted))

    @property
    def identity(self) -> bytes:
        """32 bytes that two fusions share only when they give the same vectors."""
        digest = hashlib.sha256(self.identifier.encode())
        for part in self.parts:
            words = f"\n{part.name}\n{part.similarity.value}\n{part.weight!r}\n{part.spread!r}\n{part.mean.size}\n"
            digest.update(words.encode())
            digest.update(part.mean.astype("<f8").tobytes() + part.deviation.astype("<f8").tobytes())
        return digest.digest()

    @property
    def components(self) -> int:
        """Length of a joined vector."""
        return sum(part.mean.size for part in self.parts)

    def vectors(self, features: Mapping[str, npt.ArrayLike]) -> Floats:
        """Join the vectors of every image.

        Args:
            features: by feature (images, components), the same images in the same order.

        Returns:
            (images, components) of length 1, whose inner products are the weighted mean of the similarities; a vector
            of an image that is zero in every feature is zero.

        Raises:
            ParameterError: a feature is missing, or its components or images are not those of the others.
        """
        missing = [part.name for part in self.parts if part.name not in features]
        if missing:
            got = f"no vectors of {', '.join(missing)}"
            raise ParameterError(Problem("Fusion.vectors", got, "those of every part"))
        rows = [finite_matrix(f"Fusion {part.name}", features[part.name], part.mean.size) for part in self.parts]
        if len({len(values) for values in rows}) > 1:
            got = ", ".join(f"{len(values)} of {part.name}" for values, part in zip(rows, self.parts, strict=True))
            raise ParameterError(Problem("Fusion.vectors", got, "the same images of every part"))
        total = sum(part.weight / part.spread for part in self.parts)
        scaled = [
            np.sqrt(part.weight / part.spread / total) * part.similarity.prepared(values, part.mean, part.deviation)
            for part, values in zip(self.parts, rows, strict=True)
        ]
        return unit_length(np.concatenate(scaled, axis=1))  # shorter than 1 where a part is zero
