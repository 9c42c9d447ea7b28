"""Local descriptors of one image gathered into one vector, with a public codebook: visual words and VLAD.

Evolution of a codebook's file: an npz of the arrays ``centres`` and ``source``, without a number. Arrays may be added,
and readers skip those that they do not know; a file that lacks one of the two is refused.
"""

from __future__ import annotations

import hashlib
import io
import zipfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from privis.errors import OutputError, ParameterError, Problem
from privis.extras import optional_import
from privis.features.feature import Array, Feature, Image, core_shape, numbered, vector
from privis.features.image_ops import Size
from privis.features.norms import Norms
from privis.file_formats import FileFormat, misfit
from privis.identity import LATER
from privis.program import Input, Program, Value, ops, trace
from privis.program.shapes import Shape
from privis.validation import integer_problem, refuse_parameters

PRESENT = 0.5  # squared length of descriptors: about 1, or 0 where there is no key point or no contrast
CLOSE = 1e-6  # squared length below which a sum of residuals counts as zero


@dataclass(frozen=True, eq=False)
class Codebook:
    """Visual words: float32 ``centres (words, length)`` of descriptors, and ``source``, their public corpus.

    A codebook is a public constant of every program that uses it, so it must not be learned from images that are to
    stay private.

    Args:
        centres: float32 (words, length), finite.
        source: the public corpus that they were learned from, in words.

    Raises:
        ParameterError: the centres are no finite matrix, or no source is named.

    >>> Codebook(np.eye(2, dtype=np.float32), source="two made-up words").centres.shape
    (2, 2)
    """

    identifier: ClassVar[str] = "privis.codebook/1"

    centres: NDArray[np.float32]
    source: str

    def __post_init__(self) -> None:
        centres = np.array(self.centres, np.float32)
        problems = []
        if centres.ndim != 2 or centres.size == 0 or not np.isfinite(centres).all():
            got = f"shape {centres.shape}, finite: {bool(np.isfinite(centres).all())}"
            problems.append(Problem("Codebook.centres", got, "a finite matrix (words, length)"))
        if not self.source.strip():
            remedy = "say which public images the descriptors were computed from"
            problems.append(
                Problem(
                    "Codebook.source",
                    repr(self.source),
                    "the name of a public corpus",
                    remedy,
                )
            )
        refuse_parameters(problems)
        centres.setflags(write=False)
        object.__setattr__(self, "centres", centres)

    def __repr__(self) -> str:
        """Complete and short: noise for two codebooks must never be the same noise."""
        digest = hashlib.sha256(self.centres.tobytes()).hexdigest()
        return f"Codebook({'x'.join(map(str, self.centres.shape))}, sha256={digest}, source={self.source!r})"

    @classmethod
    def fit(cls, descriptors: Array, words: int, source: str, seed: int = 0) -> Self:
        """Learn ``words`` centres from ``descriptors (N, length)`` of the corpus ``source`` by mini-batch k-means.

        Zero descriptors, which stand for missing key points, are left out.

        Args:
            descriptors: (N, length); zero ones are left out.
            words: how many centres.
            source: the public corpus, in words.
            seed: of the random numbers that k-means draws.

        Returns:
            The codebook: the same for the same arguments.

        Raises:
            ParameterError: fewer than ``words`` descriptors are left.
        """
        with optional_import("sklearn", "Codebook.fit"):
            from sklearn.cluster import MiniBatchKMeans
        present = descriptors[(descriptors**2).sum(1) >= PRESENT]
        problems = integer_problem("Codebook.fit words", words, 1)
        if not problems and len(present) < words:
            problems.append(
                Problem(
                    "Codebook.fit",
                    f"{len(present)} descriptors",
                    f"at least one per word: {words}",
                )
            )
        refuse_parameters(problems)
        means = MiniBatchKMeans(words, random_state=seed, n_init="auto").fit(present.astype(np.float32))
        return cls(np.asarray(means.cluster_centers_, np.float32), source)

    def save(self, path: str | Path) -> None:
        """Write to ``path`` as npz, without pickle.

        Args:
            path: of the file.

        Raises:
            OutputError: it cannot be written.
        """
        buffer = io.BytesIO()
        np.savez_compressed(buffer, centres=self.centres, source=np.array(self.source))
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
            The codebook.

        Raises:
            ParameterError: the file cannot be read, or is anything else.
        """
        try:
            with np.load(path, allow_pickle=False) as members:
                return cls(members["centres"], str(members["source"]))
        except (
            OSError,
            ValueError,
            KeyError,
            TypeError,
            EOFError,
            zipfile.BadZipFile,
        ) as error:
            reason = f"{type(error).__name__}: {error}"
            expected = "a codebook written by Codebook.save"
            raise ParameterError(misfit(path, FileFormat.CODEBOOK, reason, expected)) from None


@dataclass(frozen=True)
class BagOfVisualWords:
    """How many descriptors of ``local`` are nearest to each word of ``codebook``: ``words`` counts.

    ``local`` is a feature of the luma whose core yields descriptors ``(N, length)`` of Euclidean length about 1:
    ``SIFT``, ``DenseSIFT``, ``SURF``. To that core are appended the nearest word of each (the first of equals) and the
    counts; zero descriptors, of missing key points and flat patches, count nowhere. ``ArgMax`` has no polynomial form:
    under CKKS it is left to the owner of the key.

    J. Sivic, A. Zisserman, "Video Google", ICCV 2003, doi:10.1109/ICCV.2003.1238663 (without their tf-idf weights).

    Args:
        local: a feature of the luma whose core yields descriptors (N, length).
        codebook: public words (words, length).

    Raises:
        ParameterError: ``local`` reads colours; from `program`, descriptors and words have other lengths.

    >>> from privis.features.keypoints.sift import DenseSIFT
    >>> words = Codebook(np.eye(4, 128, dtype=np.float32), source="four made-up words")
    >>> BagOfVisualWords(DenseSIFT(), words).program((64, 96)).output_shapes
    ((4,),)
    """

    local: Feature
    codebook: Codebook

    name: ClassVar[str] = "bag_of_visual_words"
    identifier: ClassVar[str] = "privis.bag-of-visual-words/1"
    luma_only: ClassVar[bool] = True
    flattens: ClassVar[bool] = True
    counts: ClassVar[bool] = True

    def __post_init__(self) -> None:
        refuse_parameters(_colour_problem("BagOfVisualWords.local", self.local))

    @property
    def size(self) -> Size | None:
        """(height, width) in pixels that ``local`` resizes images to; None: it keeps theirs."""
        return self.local.size

    def before(self, image: Image) -> Array:
        """Turn ``image`` into the core's input as ``local`` does."""
        return self.local.before(image)

    def core_shape(self, image_shape: Shape) -> Shape:
        """Return the shape that the core of ``local`` reads."""
        return core_shape(self.local, image_shape)

    def program(self, shape: Shape) -> Program:
        """The core of ``local``, then counts ``(words,)``."""
        local = self.local.program(shape)
        words = len(self.codebook.centres)

        def build(x: Value) -> Value:
            edges = tuple(float(word) for word in range(1, words + 1))
            return (word_numbers(x, self.codebook).reshape(1, -1) >> ops.Histogram((edges,)))[1:]

        return local >> trace(build, _descriptors(local, self.codebook))

    def after(self, values: Array) -> Array:
        """Return the core's numbers as a float32 vector."""
        return vector(values)

    def largest_norms(self, shape: Shape) -> Norms:
        """Bound the vector: every descriptor counts once."""
        return Norms.of_counts(1, float(self.local.program(shape).output_shapes[0][0]))

    def names(self, shape: Shape) -> tuple[str, ...]:
        """Name components ``bag_of_visual_words_word``."""
        return numbered(self.name, (len(self.codebook.centres),))


@dataclass(frozen=True)
class VLAD:
    """The vector of locally aggregated descriptors: ``words * length`` numbers of Euclidean length 1.

    Block ``w`` sums ``descriptor - word`` over the descriptors of ``local`` nearest to word ``w`` of ``codebook`` and
    is brought to Euclidean length 1 (``intra``: intra-normalisation) unless it is zero; then the whole is. Without
    ``intra`` blocks keep their lengths, and vectors are compared after power-law normalisation, signed square roots,
    which the owner takes: `privis.tasks.retrieval.Similarity.HELLINGER`. Zero descriptors count nowhere; an image
    without any other has the zero vector. ``local``, errors and executors are those of ``BagOfVisualWords``. Two
    domains are promised, and descriptors of length at most 1 keep them: N residuals no longer than ``1 + longest
    word``, and at most ``words`` blocks of length 1.

    H. Jégou, M. Douze, C. Schmid, P. Pérez, "Aggregating local descriptors into a compact image representation",
    CVPR 2010, doi:10.1109/CVPR.2010.5540039; intra-normalisation: R. Arandjelović, A. Zisserman, "All about VLAD",
    CVPR 2013, doi:10.1109/CVPR.2013.207; power-law normalisation: H. Jégou, F. Perronnin, M. Douze, J. Sánchez,
    P. Pérez, C. Schmid, "Aggregating local image descriptors into compact codes", TPAMI 2012,
    doi:10.1109/TPAMI.2011.235, section 3.3.

    Args:
        local: a feature of the luma whose core yields descriptors (N, length).
        codebook: public words (words, length).
        intra: bring the block of each word to Euclidean length 1.

    Raises:
        ParameterError: ``local`` reads colours; from `program`, descriptors and words have other lengths.

    >>> from privis.features.keypoints.sift import DenseSIFT
    >>> words = Codebook(np.eye(4, 128, dtype=np.float32), source="four made-up words")
    >>> VLAD(DenseSIFT(), words).program((64, 96)).output_shapes
    ((512,),)
    """

    local: Feature
    codebook: Codebook
    intra: bool = field(default=True, repr=False, metadata=LATER)

    name: ClassVar[str] = "vlad"
    identifier: ClassVar[str] = "privis.vlad/1"
    luma_only: ClassVar[bool] = True
    flattens: ClassVar[bool] = True

    def __post_init__(self) -> None:
        problems = _colour_problem("VLAD.local", self.local)
        if not isinstance(self.intra, bool):
            problems.append(Problem("VLAD.intra", repr(self.intra), "True or False"))
        refuse_parameters(problems)

    def __repr__(self) -> str:
        """Say ``intra`` where it is not the default: as for cards."""
        intra = "" if self.intra else ", intra=False"
        return f"VLAD(local={self.local!r}, codebook={self.codebook!r}{intra})"

    @property
    def size(self) -> Size | None:
        """(height, width) in pixels that ``local`` resizes images to; None: it keeps theirs."""
        return self.local.size

    def before(self, image: Image) -> Array:
        """Turn ``image`` into the core's input as ``local`` does."""
        return self.local.before(image)

    def core_shape(self, image_shape: Shape) -> Shape:
        """Return the shape that the core of ``local`` reads."""
        return core_shape(self.local, image_shape)

    def program(self, shape: Shape) -> Program:
        """The core of ``local``, then ``(words * length,)``."""
        local = self.local.program(shape)
        centres = self.codebook.centres
        words, length = centres.shape
        declared = _descriptors(local, self.codebook)
        longest = declared.shape[0] * (1.0 + float(np.sqrt((centres**2).sum(1)).max()))

        def build(x: Value) -> Value:
            hot = one_hot(word_numbers(x, self.codebook), words)
            counts = hot.sum(0).reshape(words, 1)
            residuals = hot.transpose(1, 0) @ x - counts * centres
            if not self.intra:
                return residuals.reshape(words * length) >> ops.Normalise((0.0, longest**2), inside=CLOSE)
            blocks = (residuals >> ops.Normalise((0.0, longest**2), inside=CLOSE)).reshape(words * length)
            return blocks >> ops.Normalise((0.0, float(words)), inside=CLOSE)

        return local >> trace(build, declared)

    def after(self, values: Array) -> Array:
        """Return the core's numbers as a float32 vector."""
        return vector(values)

    def largest_norms(self, shape: Shape) -> Norms:
        """Bound the vector: it is of Euclidean length 1 at most."""
        return Norms.of_blocks(1, self.codebook.centres.size)

    def names(self, shape: Shape) -> tuple[str, ...]:
        """Name components ``vlad_word_component``, words first."""
        return numbered(self.name, self.codebook.centres.shape)


def word_numbers(x: Value, codebook: Codebook) -> Value:
    """Numbers ``(N,)`` of the words nearest to descriptors ``(N, length)``, counted from 1; 0 for zero descriptors."""
    centres = codebook.centres
    # |x - c|**2 = |x|**2 - 2 (x c - |c|**2 / 2): the nearest word has the largest score, which is linear in x
    scores = (x >> ops.Dense(centres)) - (centres**2).sum(1) / 2
    present = (x * x).sum(1).compare(PRESENT, step=PRESENT, exact=False)
    return ((scores >> ops.ArgMax(1)) + 1.0) * present


def one_hot(numbers: Value, words: int) -> Value:
    """Numbers ``(N,)`` from 0 to ``words`` as rows ``(N, words)``: a 1 at the place of the number, none for 0."""
    count = numbers.shape[0]
    reached = numbers.reshape(count, 1).compare(np.arange(1.0, words + 1.0), step=1.0)
    return reached - (reached[:, 1:] >> ops.Pad(((0, 0), (0, 1))))


def _descriptors(local: Program, codebook: Codebook) -> Input:
    """The output of ``local`` as an input; ParameterError unless it is ``(N, length of the words)``."""
    (shape,), length = local.output_shapes, codebook.centres.shape[1]
    if len(shape) != 2 or shape[1] != length:
        expected = f"(N, {length}), the length of the codebook's words"
        remedy = "use the codebook that was learned from these descriptors"
        raise ParameterError(Problem("local descriptors", f"shape {shape}", expected, remedy))
    return Input(shape, -1.0, 1.0, None)


def _colour_problem(where: str, local: Feature) -> list[Problem]:
    return [] if local.luma_only else [Problem(where, type(local).__name__, "a feature that reads the luma only")]
