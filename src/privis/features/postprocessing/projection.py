"""Linear maps to fewer dimensions, learned from public vectors or drawn from a public seed.

Evolution of the file: an npz of the arrays ``matrix``, ``mean``, ``source`` and ``name``, without a number. Arrays may
be added, and readers skip those that they do not know; a file that lacks one of the four is refused.
"""

from __future__ import annotations

import hashlib
import io
from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from privis.errors import OutputError, ParameterError, Problem, refuse
from privis.features.feature import Array, numbered
from privis.features.norms import Norms
from privis.features.postprocessing.directions import (
    discriminant_directions,
    principal_directions,
    real_numbers,
    signed,
)
from privis.features.postprocessing.steps import finite
from privis.file_formats import FileFormat, misfit
from privis.program import Value, ops
from privis.validation import integer_problem

RANK = 1e-10  # share of the largest variance below which a direction counts as constant
PRIVATE = (
    "whatever a projection learned from private images tells is released with every feature; charge it (DP PCA) or "
    "learn it from public images"
)


@dataclass(frozen=True, eq=False, repr=False)
class Projection:
    """``matrix @ (vector - mean)``: ``components`` numbers instead of ``length``, a public constant.

    ``matrix`` is float64 ``(components, length)``, ``mean`` float64 ``(length,)``, both read-only; ``source`` names the
    public corpus and ``name`` begins the names of the components. Applied to the last axis of anything; the result is
    float32 and finite for every finite input. Equal content is equal, and the ``repr`` names it by its SHA-256, so that
    noise drawn for one projection is never drawn for another.

    Whatever a projection learned from private images tells is released with every feature; charge it (DP PCA) or learn
    it from public images. No method of this class can know that, so ``source`` is obligatory and goes into the card,
    and a ``Result`` of ``privis.extract`` is refused: take its ``features`` when its images are public.

    Args:
        matrix: float64 (components, length).
        mean: float64 (length,), subtracted first.
        source: the public corpus that it was learned from, in words.
        name: beginning of the components' names.

    Raises:
        ParameterError: naming everything that does not fit.

    >>> first = Projection(np.eye(1, 3), np.zeros(3), source="the first of three components, made up")
    >>> first(np.array([3.0, 1.0, 2.0])).tolist(), first.names(("a", "b", "c"))
    ([3.0], ('projection_0',))
    """

    identifier: ClassVar[str] = "privis.projection/1"

    matrix: NDArray[np.float64]
    mean: NDArray[np.float64]
    source: str
    name: str = "projection"

    def __post_init__(self) -> None:
        problems: list[Problem] = []
        for field, axes in (("matrix", 2), ("mean", 1)):
            value, found = real_numbers(f"Projection.{field}", getattr(self, field), axes)
            problems += found
            value.setflags(write=False)
            object.__setattr__(self, field, value)
        if not problems and self.matrix.shape[1] != len(self.mean):
            got = f"mean of {len(self.mean)}, matrix of {self.matrix.shape}"
            problems.append(Problem("Projection", got, "as many means as the matrix has columns"))
        problems += _source_problems("Projection.source", self.source)
        if not isinstance(self.name, str) or not self.name.isidentifier():
            problems.append(Problem("Projection.name", repr(self.name), "a word such as 'pca'"))
        refuse(ParameterError, problems)

    @classmethod
    def pca(cls, vectors: Array, components: int, source: str, *, whiten: bool = False) -> Self:
        """Learn the ``components`` directions of largest variance from public ``vectors (N, length)``.

        Directions are orthonormal, in falling order of variance, each with its largest entry positive; ``whiten``
        divides each by its standard deviation (over N - 1). Reference: Pearson, 1901, doi:10.1080/14786440109462720.

        Args:
            vectors: public, (N, length).
            components: directions that are kept.
            source: the public corpus, in words.
            whiten: divide each direction by its standard deviation.

        Returns:
            The projection, its mean that of the vectors.

        Raises:
            ParameterError: fewer directions vary.

        >>> points = np.array([[0.0, 0.0], [2.0, 2.0], [4.0, 4.0], [2.0, 2.5]])
        >>> Projection.pca(points, 1, source="four points, made up").matrix.round(3).tolist()
        [[0.703, 0.711]]
        """
        rows, problems = _public("Projection.pca", vectors, source)
        problems += integer_problem("Projection.pca components", components, 1)
        refuse(ParameterError, problems)
        mean = rows.mean(0)
        centred = rows - mean
        variances, directions = principal_directions(centred, components)
        varying = int((variances > RANK * max(variances[0], np.finfo(float).tiny)).sum())
        if varying < components:
            got = f"{components} components of {len(rows)} vectors that vary in {varying} directions"
            remedy = "ask for fewer components, or learn from more vectors"
            raise ParameterError(Problem("Projection.pca", got, f"at most {varying} components", remedy))
        scale = np.sqrt(len(rows) - 1) / np.sqrt(variances) if whiten else np.ones(components)
        return cls(signed(directions) * scale[:, None], mean, source, "pca")

    @classmethod
    def lda(cls, vectors: Array, labels: Array, components: int, source: str, *, shrinkage: float = 0.1) -> Self:
        """Learn the ``components`` directions that separate the classes best from public ``vectors`` and ``labels``.

        Fisher's discriminants: largest variance between classes over variance within, scaled so that the (shrunk)
        covariance within classes is the identity. ``shrinkage`` mixes that share of ``trace / length * identity`` into
        it, which components that never vary and small corpora need. At most one component fewer than classes.
        References: Fisher, 1936, doi:10.1111/j.1469-1809.1936.tb02137.x; shrinkage: Friedman, 1989,
        doi:10.1080/01621459.1989.10478752.

        Args:
            vectors: public, (N, length).
            labels: class of each, (N,).
            components: directions that are kept, at most one fewer than classes.
            source: the public corpus, in words.
            shrinkage: share of the identity that is mixed in, 0 to 1.

        Returns:
            The projection, its mean that of the vectors.

        Raises:
            ParameterError: naming what does not fit.

        >>> points = np.array([[0.0, 0.0], [0.0, 2.0], [1.0, 0.0], [1.0, 2.0]])
        >>> Projection.lda(points, np.array([0, 0, 1, 1]), 1, source="four points, made up").names(("x", "y"))
        ('lda_0',)
        """
        rows, problems = _public("Projection.lda", vectors, source)
        labels = np.asarray(labels)
        if labels.shape != (len(rows),):
            problems.append(
                Problem("Projection.lda labels", f"shape {labels.shape}", f"one per vector, ({len(rows)},)")
            )
        if not isinstance(shrinkage, int | float) or not 0 <= shrinkage <= 1:
            problems.append(Problem("Projection.lda shrinkage", repr(shrinkage), "a number from 0 to 1"))
        classes, index = np.unique(labels, return_inverse=True)
        problems += integer_problem("Projection.lda components", components, 1, min(len(classes) - 1, rows.shape[-1]))
        refuse(ParameterError, problems)
        directions = discriminant_directions(rows, index, components, float(shrinkage))
        return cls(signed(directions), rows.mean(0), source, "lda")

    @classmethod
    def random(cls, length: int, components: int, seed: str = "privis") -> Self:
        """Draw signs over ``sqrt(components)`` from the public text ``seed``: squared lengths are kept on average.

        Nothing is learned, so nothing is told. The signs are the bits of SHAKE-256 of the seed, the same on every
        machine. Reference: Achlioptas, 2003, doi:10.1016/S0022-0000(03)00025-4.

        Args:
            length: of the vectors.
            components: of the result.
            seed: public text that decides the signs.

        Returns:
            The projection, its mean zero.

        Raises:
            ParameterError: a value is out of its range.

        >>> Projection.random(4, 2, "seed").source
        "no images: signs from SHAKE-256 of the public seed 'seed'"
        """
        problems = integer_problem("Projection.random length", length, 1)
        problems += integer_problem("Projection.random components", components, 1)
        if not isinstance(seed, str) or not seed:
            problems.append(Problem("Projection.random seed", repr(seed), "a text, which is public"))
        refuse(ParameterError, problems)
        count = int(length) * int(components)
        stream = np.frombuffer(hashlib.shake_256(seed.encode()).digest(-(-count // 8)), np.uint8)
        signs = np.unpackbits(stream, count=count).reshape(components, length) * 2.0 - 1.0
        source = f"no images: signs from SHAKE-256 of the public seed {seed!r}"
        return cls(signs / np.sqrt(components), np.zeros(length), source, "random")

    def leading(self, components: int) -> Projection:
        """Keep the first components, those of most variance or best separation.

        Args:
            components: how many to keep.

        Returns:
            A shorter projection.

        Raises:
            ParameterError: there are fewer, or the projection is random and has no order: draw a smaller one.
        """
        if self.name == "random":
            raise ParameterError(
                Problem("Projection.leading", "a random projection", "one with an order", "draw it anew")
            )
        refuse(ParameterError, integer_problem("Projection.leading components", components, 1, len(self.matrix)))
        return Projection(self.matrix[:components], self.mean, self.source, self.name)

    def __call__(self, values: Array) -> NDArray[np.float32]:
        """Project the last axis, vectors with NaN or infinity as zeros; ParameterError when it is of another length."""
        self._check(np.shape(values)[-1])
        limit = np.finfo(np.float32).max
        return np.clip((finite(values) - self.mean) @ self.matrix.T, -limit, limit).astype(np.float32)

    def traced(self, values: Value) -> Value:
        """Append the projection to a program.

        Args:
            values: the vector, in a program that is being traced.

        Returns:
            Its projection, (components,).

        Raises:
            ParameterError: the vector is of another length.
        """
        self._check(values.shape[-1])
        return (values >> ops.Dense(self.matrix)) - self.matrix @ self.mean

    def largest_norms(self, before: Norms | None, given: int, made: int) -> Norms | None:
        """Bound what comes out by the matrix' largest singular value."""
        return None if before is None else before.projected(self.matrix, self.mean)

    def names(self, names: tuple[str, ...]) -> tuple[str, ...]:
        """``pca_0``, ``pca_1``, …; ParameterError unless there are as many names as the vectors are long."""
        self._check(len(names))
        return numbered(self.name, (len(self.matrix),))

    def save(self, path: str | Path) -> None:
        """Write to ``path`` as npz, without pickle.

        Args:
            path: of the file.

        Raises:
            OutputError: it cannot be written.
        """
        buffer = io.BytesIO()
        text = {"source": np.array(self.source), "name": np.array(self.name)}
        np.savez_compressed(buffer, matrix=self.matrix, mean=self.mean, **text)
        try:
            Path(path).write_bytes(buffer.getvalue())
        except OSError as error:
            raise OutputError(Problem(str(path), error.strerror or "an error", "a writable file")) from None

    @classmethod
    def load(cls, path: str | Path) -> Self:
        """Read what ``save`` wrote.

        Args:
            path: of a file that ``save`` wrote.

        Returns:
            The projection.

        Raises:
            ParameterError: the file cannot be read, or is anything else.
        """
        expected = "a projection written by Projection.save"
        arrays = read_arrays(path, ("matrix", "mean", "source", "name"), expected)
        missing = [name for name in ("matrix", "mean", "source", "name") if name not in arrays]
        if missing:
            got = f"no array {' and no array '.join(missing)}"
            raise ParameterError(misfit(path, FileFormat.PROJECTION, got, expected))
        return cls(arrays["matrix"], arrays["mean"], str(arrays["source"]), str(arrays["name"]))

    @cached_property
    def digest(self) -> str:
        """SHA-256 of everything that decides what the projection computes, as 64 hexadecimal digits."""
        sha = hashlib.sha256(f"{self.matrix.shape} {self.source!r} {self.name!r}".encode())
        for array in (self.matrix, self.mean):
            sha.update(np.ascontiguousarray(array, "<f8").tobytes())
        return sha.hexdigest()

    def __repr__(self) -> str:
        components, length = self.matrix.shape
        return f"Projection({self.name}, {length} to {components}, source={self.source!r}, sha256 {self.digest})"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Projection) and self.digest == other.digest

    def __hash__(self) -> int:
        return hash(self.digest)

    def _check(self, length: int) -> None:
        if length != len(self.mean):
            got, remedy = f"vectors of {length} components", "learn it from this feature, at this size"
            raise ParameterError(Problem(f"projection {self.name}", got, f"{len(self.mean)} components", remedy))


@dataclass(frozen=True)
class RandomProjection:
    """``Projection.random`` for vectors of any length: ``components`` signed sums, drawn from the public ``seed``.

    Args:
        components: length of the result.
        seed: public text that decides the signs.

    Raises:
        ParameterError: a value is out of its range.

    >>> RandomProjection(2)(np.ones((5, 81))).shape
    (5, 2)
    """

    identifier: ClassVar[str] = "privis.random-projection/1"

    components: int
    seed: str = "privis"

    def __post_init__(self) -> None:
        Projection.random(1, self.components, self.seed)

    def __call__(self, values: Array) -> NDArray[np.float32]:
        """Project the last axis to ``components`` numbers: float32."""
        return _drawn(np.shape(values)[-1], self.components, self.seed)(values)

    def traced(self, values: Value) -> Value:
        """Append the `Projection` that is drawn for vectors of this length to a program.

        Args:
            values: the vector, in a program that is being traced.

        Returns:
            Its projection, (components,).
        """
        return _drawn(values.shape[-1], self.components, self.seed).traced(values)

    def largest_norms(self, before: Norms | None, given: int, made: int) -> Norms | None:
        """Bound what comes out as the `Projection` that is drawn for vectors of ``given`` components."""
        return _drawn(given, self.components, self.seed).largest_norms(before, given, made)

    def names(self, names: tuple[str, ...]) -> tuple[str, ...]:
        """Name components ``random_0``, ``random_1`` and so on."""
        return numbered("random", (self.components,))


@lru_cache(maxsize=8)
def _drawn(length: int, components: int, seed: str) -> Projection:
    return Projection.random(length, components, seed)


def read_arrays(path: str | Path, wanted: tuple[str, ...], expected: str) -> dict[str, NDArray[Any]]:
    """Those of the ``wanted`` arrays that the npz file at ``path`` holds; ParameterError unless it is ``expected``.

    That it holds none of them is an error, too.
    """
    try:
        with open(path, "rb") as file, np.load(file, allow_pickle=False) as members:
            found = {name: members[name] for name in wanted if name in members}
    except Exception as error:  # whatever a damaged or hostile file does to the reader, up to its memory
        reason = getattr(error, "strerror", None) or f"{type(error).__name__}: {error}"
        raise ParameterError(misfit(path, FileFormat.PROJECTION, reason, expected)) from None
    if not found:
        got = f"no array {' and no array '.join(wanted)}"
        raise ParameterError(misfit(path, FileFormat.PROJECTION, got, expected))
    return found


def _source_problems(where: str, source: object) -> list[Problem]:
    if isinstance(source, str) and source.strip():
        return []
    return [Problem(where, repr(source), "the name of a public corpus", "say which public images these are")]


def _public(where: str, vectors: Any, source: object) -> tuple[NDArray[np.float64], list[Problem]]:
    """``vectors`` as float64 ``(N, length)`` with everything that keeps a projection from being learned from them."""
    problems = _source_problems(f"{where} source", source)
    if hasattr(vectors, "guarantee"):
        remedy = f"pass result.features and name their source, if their images are public; {PRIVATE}"
        kind = f"a {type(vectors).__name__}"
        return np.zeros((0, 0)), [*problems, Problem(f"{where} vectors", kind, "an array of public vectors", remedy)]
    rows, found = real_numbers(f"{where} vectors", vectors, 2)
    if not found and len(rows) < 2:
        found.append(Problem(f"{where} vectors", f"{len(rows)} vector", "at least 2"))
    return rows.reshape(-1, 1) if rows.ndim != 2 else rows, problems + found
