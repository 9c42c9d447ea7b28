"""Sum, mean and histogram of the feature vectors of a private corpus, with noise added once.

Every shard gives a `Partial` (`privis.privacy.releases.partial_sums`): exact integers, without noise and as secret as
the images. Partials are merged with ``+``, and ``release`` draws the noise of the merged one: the result and its noise
do not depend on the number of shards or on their order. An image belongs to one shard, and a shard is merged once: what
is counted twice is protected half as well.

>>> from privis.privacy.sampling.release_key import ReleaseKey
>>> from privis.privacy import Gaussian, Person
>>> release = SumRelease(Gaussian(1.0, 1e-6), clip=1.0, unit=Person(2))
>>> shards = [release.partial(np.eye(3), ["ann", "ann", "ann"]), release.partial(np.eye(3)[:1], ["bob"])]
>>> shards[0].left_out  # ann gave three rows, and two count
1
>>> stream = ReleaseKey(bytes(32)).stream("ward 7", b"digest of the corpus", repr(release).encode())  # a test key
>>> first = release.release(shards[0] + shards[1], stream)
>>> bool((release.release(shards[1] + shards[0], stream) == first).all())
True

Budget. An aggregate is one release of one record, the corpus. Charge it once, whatever the number of shards, to a
ledger per corpus (a ledger per record cannot know whom the corpus touches) and before the noise is drawn::

    merged = functools.reduce(operator.add, partials)
    ledger.charge("corpus: ward 7", release.guarantee(merged.shape), release_id)
    mean = release.release(merged, key.stream("corpus: ward 7", digest_of_the_corpus, repr(release).encode()))

The sum, the mean and the histogram of one corpus are three charges. Images that are in two corpora, or are also
released one by one, spend in every place; such a ledger adds all of them up.

What is hidden (``unit``), and how far neighbours are apart on the grid that noise is added on. Let one row be an
integer vector of norm at most R (the clip in grid steps), and d its length:

- ``WholeImage()``: one image is replaced, their number n is public. Both rows are in the ball: at most 2 R.
- ``Dataset()``: one image is added or removed, n is private. The sum moves by one row: at most R.
- ``Person(k)``: all images of one person are replaced by any others: more, fewer or none. At most k of them count,
  and which ones is decided by the person's own rows, so the part of everybody else stays. Two parts of k rows each
  have norms of at most k R: at most 2 k R.
- ``AddOrRemovePerson(k)``: all images of one person are there or not, and nothing takes their place. The part of one
  person comes or goes, of at most k rows: at most k R, half of what a replaced person moves, with half the noise.

Ids must be true: the bound is per id, and a person with two ids counts as two people.

A released count or sum may be negative or beyond what is possible: it is unbiased as it is, and clipping it is
post-processing. Noise is a keyed function of the stream and of the very integers that it hides, so two versions
of a corpus never share their noise, even if the caller's stream forgets the content. Equal integers under an equal
stream give the equal release: it is the same one.
"""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from privis.errors import ParameterError, Problem, refuse
from privis.privacy.guarantee import Guarantee
from privis.privacy.mechanisms.additive import Noise
from privis.privacy.releases.corpus_noise import (
    CorpusUnit,
    Subjects,
    bin_sensitivity,
    check_made_by,
    clipped_problems,
    components_of,
    corpus_guarantee,
    grid_sum,
    most_rows,
    noisy_steps,
    sum_sensitivity,
    unit_problems,
)
from privis.privacy.releases.image import FeatureRelease
from privis.privacy.releases.noise import noise_problems
from privis.privacy.releases.partial_sums import Integers, Partial, gathered
from privis.privacy.sampling.release_key import NoiseStream
from privis.privacy.units import Person, WholeImage


@dataclass(frozen=True)
class SumRelease:
    """Sum of clipped feature vectors over a corpus.

    Clipping is that of `FeatureRelease`, in exact integers: NaN and infinity make a vector zero, and a longer one is
    shortened. Sensitivity: see the module.

    Args:
        noise: `Laplace` or `Gaussian`.
        clip: largest norm of one vector, in the feature's units: L1 for Laplace, L2 for Gaussian; public.
        unit: what is hidden: WholeImage(), Dataset(), Person(k) or AddOrRemovePerson(k).

    Raises:
        ParameterError: naming all bad parameters.

    >>> from privis.privacy import Dataset, Laplace
    >>> SumRelease(Laplace(1.0), clip=1.0, unit=Dataset()).guarantee((128,)).sensitivity  # 2**19 steps are 1.0
    524288.0
    """

    identifier: ClassVar[str] = "privis.sum-release/1"

    noise: Noise
    clip: float
    unit: CorpusUnit = field(default_factory=WholeImage)

    def __post_init__(self) -> None:
        refuse(ParameterError, clipped_problems("SumRelease", self.noise, self.clip, self.unit))
        object.__setattr__(self, "clip", float(self.clip))

    def guarantee(self, shape: tuple[int, ...]) -> Guarantee:
        """The guarantee, computed without looking at any vector.

        Args:
            shape: (components,) of a vector.

        Returns:
            The guarantee.
        """
        rows = FeatureRelease(self.noise, self.clip)
        unit, whole = (
            sum_sensitivity(self.noise.norm, u, rows.radius, components_of(shape)) for u in (self.unit, WholeImage())
        )
        return corpus_guarantee(self.noise, self.unit, unit, whole, rows.grid, "feature units")

    def partial(self, vectors: npt.NDArray[Any], subjects: Subjects | None = None) -> Partial:
        """Add up the rows of one shard.

        Args:
            vectors: (rows, components).
            subjects: of every row, for `Person` and `AddOrRemovePerson`.

        Returns:
            Exact integers, as secret as the vectors.

        Raises:
            ParameterError: something does not fit; see `privis.privacy.releases.partial_sums.gathered`.
        """
        return gathered(
            repr(self), vectors, subjects, most_rows(self.unit), lambda rows: grid_sum(self.noise, self.clip, rows)
        )

    def steps(self, partial: Partial) -> tuple[int, ...]:
        """Give the integers that noise is added to; as secret as the partial."""
        check_made_by(self, partial)
        return partial.total

    def release(self, partial: Partial, stream: NoiseStream) -> npt.NDArray[np.float64]:
        """Release the sum; one release, to be charged once.

        Args:
            partial: of all shards together.
            stream: that the noise is drawn from.

        Returns:
            The sum, float64 (components,).

        Raises:
            ParameterError: the partial is another release's, or no noise can keep this epsilon.
        """
        grid = FeatureRelease(self.noise, self.clip).grid
        return np.array([step * grid for step in noisy_steps(self, partial, stream)])


@dataclass(frozen=True)
class MeanRelease:
    """Mean of clipped feature vectors over a corpus: a noisy sum, divided by the number of images.

    With ``WholeImage()`` the number n is public, and the noise is that of the sum, divided by n. Otherwise n is private
    and is released too, in one vector with the sum: the count, times a public weight w <= R in grid steps, is one more
    coordinate. One guarantee covers both, and the mean is post-processing: the noisy sum divided by the noisy
    count, or by 1 when that is less.

    - ``Dataset()``: one row moves the sum by a norm of at most R and the weighted count by w. L1: R + w, so w / (R + w)
      of epsilon is the count's. L2: sqrt(R^2 + w^2), and w^2 / (R^2 + w^2) of the square is the count's. To first order
      the squared error of the mean is at most (d + R^2 / w^2) s^2 / n^2 times (1 + w/R)^2 for L1, (1 + w^2/R^2) for L2;
      s^2 is the variance for the sum alone, and the mean may be as long as the clip. It is smallest at w = R d^(-1/3)
      for L1 and R d^(-1/4) for L2: with 128 components the count has a sixth of epsilon, or a twelfth of the square.
    - ``Person(k)``: w = R, and the count is free. A part of c <= k rows has a sum of norm at most c R, and two parts
      are at most (c + c') R apart in the sum and |c - c'| R in the count. L1: (c + c' + |c - c'|) R = 2 max(c, c') R <=
      2 k R. L2: ((c + c')^2 + (c - c')^2) R^2 = 2 (c^2 + c'^2) R^2 <= 4 k^2 R^2. That is 2 k R, as for the sum alone,
      and the number of images of a person is hidden, too.
    - ``AddOrRemovePerson(k)``: c <= k rows come or go, and move the sum by a norm of at most c R and the count by c w:
      k times what ``Dataset()`` has, in L1 k (R + w) and in L2 k sqrt(R^2 + w^2), with the same best w.

    The standard error of one component is sigma * grid / n for Gaussian noise of scale sigma, sqrt(2) t * grid / n for
    Laplace, plus for a private n that of the count.

    Args:
        noise: `Laplace` or `Gaussian`.
        clip: largest norm of one vector, in the feature's units: L1 for Laplace, L2 for Gaussian; public.
        unit: what is hidden: WholeImage(), Dataset(), Person(k) or AddOrRemovePerson(k).

    Raises:
        ParameterError: naming all bad parameters.

    >>> from privis.privacy import Dataset, Laplace
    >>> guarantee = MeanRelease(Laplace(1.0), clip=1.0, unit=Dataset()).guarantee((8,))
    >>> guarantee.sensitivity / 2**19, guarantee.whole_image_epsilon
    (1.5, 1.3333333333333335)
    """

    identifier: ClassVar[str] = "privis.mean-release/1"

    noise: Noise
    clip: float
    unit: CorpusUnit = field(default_factory=WholeImage)

    def __post_init__(self) -> None:
        refuse(ParameterError, clipped_problems("MeanRelease", self.noise, self.clip, self.unit))
        object.__setattr__(self, "clip", float(self.clip))

    def count_weight(self, shape: tuple[int, ...]) -> int:
        """Grid steps that one image is worth in the count's coordinate.

        Args:
            shape: (components,) of a vector.

        Returns:
            0 where the number of images is public.
        """
        radius, components = FeatureRelease(self.noise, self.clip).radius, components_of(shape)
        if isinstance(self.unit, WholeImage):
            return 0
        if isinstance(self.unit, Person):
            return radius
        return max(1, round(radius * components ** (-1 / 3 if self.noise.norm == "L1" else -1 / 4)))

    def guarantee(self, shape: tuple[int, ...]) -> Guarantee:
        """The guarantee, computed without looking at any vector.

        Args:
            shape: (components,) of a vector.

        Returns:
            The guarantee.
        """
        rows, weight = FeatureRelease(self.noise, self.clip), self.count_weight(shape)
        unit, whole = (
            sum_sensitivity(self.noise.norm, u, rows.radius, components_of(shape), weight)
            for u in (self.unit, WholeImage())
        )
        return corpus_guarantee(self.noise, self.unit, unit, whole, rows.grid, "feature units, summed")

    def partial(self, vectors: npt.NDArray[Any], subjects: Subjects | None = None) -> Partial:
        """Add up the rows of one shard.

        Args:
            vectors: (rows, components).
            subjects: of every row, for `Person` and `AddOrRemovePerson`.

        Returns:
            Exact integers, as secret as the vectors.

        Raises:
            ParameterError: something does not fit; see `privis.privacy.releases.partial_sums.gathered`.
        """
        return gathered(
            repr(self), vectors, subjects, most_rows(self.unit), lambda rows: grid_sum(self.noise, self.clip, rows)
        )

    def steps(self, partial: Partial) -> tuple[int, ...]:
        """Give the integers that noise is added to, a private count last; as secret as the partial."""
        check_made_by(self, partial)
        weight = self.count_weight(partial.shape)
        return (*partial.total, weight * partial.images) if weight else partial.total

    def release(self, partial: Partial, stream: NoiseStream) -> npt.NDArray[np.float64]:
        """Release the mean; one release, to be charged once.

        Args:
            partial: of all shards together.
            stream: that the noise is drawn from.

        Returns:
            The mean, float64 (components,).

        Raises:
            ParameterError: the partial is another release's, no noise can keep this epsilon, or the public number of
                images is 0.
        """
        grid, weight = FeatureRelease(self.noise, self.clip).grid, self.count_weight(partial.shape)
        if not weight and not partial.images:
            raise ParameterError(Problem("MeanRelease", "a corpus without images", "at least one image"))
        noisy = noisy_steps(self, partial, stream)
        count = max(1.0, noisy.pop() / weight) if weight else partial.images
        return np.array([step * grid / count for step in noisy])


@dataclass(frozen=True)
class CorpusHistogramRelease:
    """Histogram of every component of the feature vectors over a corpus: how many images have it in which bin.

    Bin b holds the values in edges[b - 1] <= value < edges[b], the first and the last bin all values below and above
    (NaN: the last), so an image counts once per component. The bins are len(edges) + 1; noise is added to every one,
    empty or not.

    Sensitivity. With one image replaced, every component moves one count from a bin to another: L1 2 d, L2 sqrt(2 d).
    Added or removed: one count per component, d and sqrt(d). A person's at most k images: the counts c and c' of one
    component are not negative and add up to at most k each, so |c - c'| has L1 at most 2 k and L2^2 at most |c|^2 +
    |c'|^2 <= 2 k^2: together 2 k d and k sqrt(2 d). A person added or removed moves c alone: L1 k d, half of that, and
    L2 k sqrt(d).

    Args:
        noise: `Laplace` or `Gaussian`.
        edges: of the bins, in the feature's units; public and increasing.
        unit: what is hidden: WholeImage(), Dataset(), Person(k) or AddOrRemovePerson(k).

    Raises:
        ParameterError: naming all bad parameters.

    >>> from privis.privacy import Dataset, Laplace
    >>> release = CorpusHistogramRelease(Laplace(1.0), edges=(0.5,), unit=Dataset())
    >>> release.partial(np.array([[0.1, 0.5], [0.2, 0.7], [0.9, 0.1]])).total  # two components, two bins each
    (2, 1, 1, 2)
    """

    identifier: ClassVar[str] = "privis.corpus-histogram-release/1"

    noise: Noise
    edges: tuple[float, ...]
    unit: CorpusUnit = field(default_factory=WholeImage)

    def __post_init__(self) -> None:
        problems = noise_problems("CorpusHistogramRelease.noise", self.noise)
        problems += unit_problems("CorpusHistogramRelease.unit", self.unit)
        try:
            edges = tuple(float(edge) for edge in self.edges)
        except (TypeError, ValueError):
            edges = ()
        if not edges or not all(map(math.isfinite, edges)) or any(a >= b for a, b in itertools.pairwise(edges)):
            expected = "at least one edge, all finite and increasing"
            problems.append(Problem("CorpusHistogramRelease.edges", repr(self.edges), expected))
        refuse(ParameterError, problems)
        object.__setattr__(self, "edges", edges)

    @property
    def bins(self) -> int:
        """Number of bins of one component, the two open ones included."""
        return len(self.edges) + 1

    def guarantee(self, shape: tuple[int, ...]) -> Guarantee:
        """The guarantee, computed without looking at any vector.

        Args:
            shape: (components,) of a vector.

        Returns:
            The guarantee.
        """
        unit, whole = (
            bin_sensitivity(self.noise.norm, u, self.bins, components_of(shape)) for u in (self.unit, WholeImage())
        )
        return corpus_guarantee(self.noise, self.unit, unit, whole, 1.0, "images")

    def partial(self, vectors: npt.NDArray[Any], subjects: Subjects | None = None) -> Partial:
        """Count the rows of one shard, bin by bin.

        Args:
            vectors: (rows, components).
            subjects: of every row, for `Person` and `AddOrRemovePerson`.

        Returns:
            Exact integers, as secret as the vectors.

        Raises:
            ParameterError: something does not fit; see `privis.privacy.releases.partial_sums.gathered`.
        """
        return gathered(repr(self), vectors, subjects, most_rows(self.unit), self._counts)

    def steps(self, partial: Partial) -> tuple[int, ...]:
        """Give the integers that noise is added to; as secret as the partial."""
        check_made_by(self, partial)
        return partial.total

    def release(self, partial: Partial, stream: NoiseStream) -> npt.NDArray[np.int64]:
        """Release the counts; one release, to be charged once.

        Args:
            partial: of all shards together.
            stream: that the noise is drawn from.

        Returns:
            Counts, int64 (components, bins).

        Raises:
            ParameterError: the partial is another release's, or no noise can keep this epsilon.
        """
        return np.array(noisy_steps(self, partial, stream), np.int64).reshape(-1, self.bins)

    def _counts(self, rows: npt.NDArray[Any]) -> Integers:
        components = rows.shape[1]
        bins = np.searchsorted(self.edges, rows, side="right")
        flat = bins + self.bins * np.arange(components)
        return np.bincount(flat.ravel(), minlength=self.bins * components).astype(np.int64)


Aggregate = SumRelease | MeanRelease | CorpusHistogramRelease
