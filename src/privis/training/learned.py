"""Projections and codebooks learned from private images, for features that use them as public constants."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from privis.errors import ParameterError, Problem
from privis.features.keypoints.aggregate import Codebook
from privis.features.postprocessing.projection import Projection
from privis.identity import identity
from privis.privacy.learning.clipped_gradients import Integers, check_vectors
from privis.privacy.learning.moments import KMeansRelease, MomentRelease
from privis.privacy.learning.subsampling import members_of
from privis.privacy.ledger.ledger_protocol import Ledger
from privis.privacy.releases.partial_sums import within_bound
from privis.privacy.sampling.release_key import KeySource, NoiseStream, ReleaseKey
from privis.subjects import subject_ids
from privis.training.arithmetic import arithmetic
from privis.training.fitting import content_of

Vectors = npt.NDArray[np.floating]


def private_projection(
    release: MomentRelease,
    vectors: Vectors,
    components: int,
    *,
    corpus: str,
    key: KeySource | None = None,
    ledger: Ledger | None = None,
    subjects: Sequence[str | int] | None = None,
) -> Projection:
    """Learn the directions of largest variance from private vectors, under ``release.guarantee``.

    The ledger is charged before any noise is drawn; the same key, vectors and release give the same projection and are
    charged once. The result is a public step like any other: a feature that ends with it is released as usual.

    Args:
        release: noise, clip and what is hidden.
        vectors: private, (rows, components).
        components: how many directions.
        corpus: what the ledger calls the images.
        key: decides the noise; None: a fresh one.
        ledger: charged before any noise is drawn; None: nobody accounts for it.
        subjects: whose each row is, where a person is hidden.

    Returns:
        The projection.

    Raises:
        ParameterError: something does not fit.
        BudgetError: the ledger refuses.

    >>> from privis.privacy import Dataset, Gaussian
    >>> rng = np.random.default_rng(0)
    >>> vectors = rng.normal(size=(4000, 3)) * [0.3, 0.1, 0.01]
    >>> release = MomentRelease(Gaussian(1.0, 1e-6), 3, clip=1.0, size=4000, unit=Dataset())
    >>> abs(private_projection(release, vectors, 1, corpus="made up").matrix).round().tolist()
    [[1.0, 0.0, 0.0]]
    """
    rows, shares, stream = _charged(release, vectors, corpus, key, ledger, subjects)
    moments = release.release(rows, shares, stream)
    matrix, _ = moments.directions(components)
    source = f"private corpus {corpus}, released with epsilon {release.guarantee.epsilon:.4g}"
    return Projection(matrix, moments.mean, source, name="pca")


def private_codebook(
    release: KMeansRelease,
    descriptors: Vectors,
    *,
    corpus: str,
    key: KeySource | None = None,
    ledger: Ledger | None = None,
    subjects: Sequence[str | int] | None = None,
) -> Codebook:
    """Learn visual words from private descriptors, under ``release.guarantee``.

    With ``Person(k)`` and the image as a subject, k descriptors of an image count and the whole image is hidden.
    Charges are those of `private_projection`.

    Args:
        release: noise, clip and what is hidden.
        descriptors: private, (rows, length).
        corpus: what the ledger calls the images.
        key: decides the noise; None: a fresh one.
        ledger: charged before any noise is drawn; None: nobody accounts for it.
        subjects: whose each row is, where a person is hidden.

    Returns:
        The codebook.

    Raises:
        ParameterError: something does not fit.
        BudgetError: the ledger refuses.
    """
    rows, shares, stream = _charged(release, descriptors, corpus, key, ledger, subjects)
    centres = release.release(rows, shares, stream)
    source = f"private corpus {corpus}, released with epsilon {release.guarantee.epsilon:.4g}"
    return Codebook(centres.astype(np.float32), source)


def _charged(
    release: MomentRelease | KMeansRelease,
    vectors: Vectors,
    corpus: str,
    key: KeySource | None,
    ledger: Ledger | None,
    subjects: Sequence[str | int] | None,
) -> tuple[Vectors, Integers, NoiseStream]:
    """Check and bound the rows, charge the ledger, and give rows, their members' shares and the noise stream."""
    check_vectors("vectors", vectors)
    if release.unit.needs_subjects != (subjects is not None):
        expected = "a subject for every row" if subjects is None else "none"
        raise ParameterError(Problem("subjects", "none" if subjects is None else "some", expected))
    rows = np.asarray(vectors)
    if subjects is not None and release.unit.needs_subjects:
        names = subject_ids(subjects)
        if len(names) != len(rows):
            raise ParameterError(Problem("subjects", f"{len(names)} subjects", f"{len(rows)}, one per row"))
        used = np.flatnonzero(within_bound(names, release.unit.images))
        rows, subjects = rows[used], [names[row] for row in used]
    if rows.shape[1] != release.components:
        got, expected = f"{rows.shape[1]} components", f"{release.components}, as the release says"
        raise ParameterError(Problem("vectors", got, expected))
    owners, _ = members_of(subjects, len(rows))
    stream = ReleaseKey.of(key).stream(corpus, content_of(rows, owners), identity(release) + arithmetic())
    if ledger is not None:
        release_id = stream.narrowed(b"release id").words(0, 2).tobytes().hex()
        ledger.charge(corpus, release.guarantee, release_id)
    return rows, np.bincount(owners)[owners], stream
