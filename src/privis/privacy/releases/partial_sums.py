"""Exact, secret parts of a corpus aggregate: one per shard, merged with ``+``, without any noise."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from privis.errors import ParameterError, Problem, refuse
from privis.subjects import subject_ids, warn_of_alike
from privis.validation import real_values

Integers = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Partial:
    """What one shard adds to an aggregate: exact integers without noise, **as secret as its images**.

    Merge with ``+``, in any order and any grouping: integers are added, so every way gives the same. They are Python's
    integers, which cannot overflow. A Partial can be pickled, to come back from the process that read the shard; keep
    it, and its fields, from everybody who may not see the images. Its repr shows no values.

    ``made_by`` is the repr of the release it is for and ``shape`` that of one vector. ``total`` are the integers;
    ``images`` rows were used and ``left_out`` were not, because their subject had given ``most`` (None: no bound).
    ``subjects`` counts the rows used of every subject.

    Contributions are bounded over the whole corpus. ``a + b`` raises ``ParameterError`` when a subject would have given
    more than ``most``, as a sum does not tell any more which rows to take out again. So either keep all rows of a
    subject in one shard, or take the rows that `within_bound` chooses among all subjects *before* cutting into shards;
    then no merge is refused, and the result is that of one shard. Whether a set of shards is refused does not depend
    on the order of merging: counts only grow. ``a + b`` also raises when the two are not of one release and shape.

    >>> from privis.privacy.releases.corpus import SumRelease
    >>> from privis.privacy.mechanisms.additive import Laplace
    >>> release = SumRelease(Laplace(1.0), clip=1.0)
    >>> a, b = release.partial(np.array([[0.5, 0.25]])), release.partial(np.array([[0.0, 0.25], [0.5, 0.0]]))
    >>> (a + b).total == (524288, 262144) and a + b == b + a
    True
    """

    made_by: str
    shape: tuple[int, ...]
    most: int | None
    total: tuple[int, ...] = field(repr=False)
    images: int = field(repr=False)
    left_out: int = field(repr=False)
    subjects: Mapping[str, int] = field(repr=False)

    def __add__(self, other: Partial) -> Partial:
        if not isinstance(other, Partial):
            return NotImplemented
        if (self.made_by, self.shape) != (other.made_by, other.shape):
            got, expected = f"one of {other.made_by}, {other.shape}", f"one of {self.made_by}, {self.shape}"
            raise ParameterError(Problem("Partial", got, expected, "merge partials of one release and one feature"))
        subjects = Counter(self.subjects) + Counter(other.subjects)
        beyond = sum(count > self.most for count in subjects.values()) if self.most is not None else 0
        if beyond:
            got, expected = f"{beyond} subjects with more rows over both shards", f"at most {self.most} rows each"
            remedy = "keep a subject in one shard, or choose rows by within_bound before cutting into shards"
            raise ParameterError(Problem("Partial.subjects", got, expected, remedy))
        return Partial(
            self.made_by,
            self.shape,
            self.most,
            tuple(mine + theirs for mine, theirs in zip(self.total, other.total, strict=True)),
            self.images + other.images,
            self.left_out + other.left_out,
            dict(subjects),
        )


def within_bound(subjects: Sequence[str | int] | npt.NDArray[Any], most: int) -> npt.NDArray[np.bool_]:
    """Choose the first ``most`` rows of every subject, in the order of rows: True for a row that is used.

    Whether a row is chosen depends on the rows of the same subject alone, so nobody's rows displace another's. Ids are
    those of `privis.subjects`: 7, 7.0 and the text "7" are one subject, as shards may have read the same column
    differently, and missing ids are refused with a ``ParameterError``.

    >>> within_bound(["ann", "bob", "ann", "ann"], 2).tolist()
    [True, True, True, False]
    """
    names = subject_ids(subjects)
    warn_of_alike(names)
    return _chosen(names, most)


def gathered(
    made_by: str,
    vectors: npt.NDArray[Any],
    subjects: Sequence[str | int] | npt.NDArray[Any] | None,
    most: int | None,
    total: Callable[[npt.NDArray[Any]], Integers],
) -> Partial:
    """Bound the contributions of one shard's rows and add up what is left; ``total`` adds rows to integers.

    Raises ``ParameterError`` when vectors are not real numbers of shape (rows, components), or when there are
    not as many subjects as rows, none although ``most`` bounds them, or some although nothing does.
    """
    rows = np.asarray(vectors)
    problems = []
    if rows.ndim != 2 or rows.shape[1] < 1 or rows.dtype.kind not in "fiub":
        got = f"{rows.dtype} values of shape {rows.shape}"
        problems.append(Problem("vectors", got, "real numbers of shape (rows, components)", "one row per image"))
    if most is None and subjects is not None:
        problems.append(Problem("subjects", "some", "none", "unit=Person(images) bounds what a person gives"))
    elif most is not None and subjects is None:
        problems.append(Problem("subjects", "none", "a subject for every row, as a person is hidden"))
    refuse(ParameterError, problems)
    counts: Counter[str] = Counter()
    used = np.ones(len(rows), bool)
    if most is not None and subjects is not None:
        names = subject_ids(subjects)
        if len(names) != len(rows):
            raise ParameterError(Problem("subjects", f"{len(names)} subjects", f"{len(rows)}, one per row"))
        warn_of_alike(names)
        used = _chosen(names, most)
        counts.update(name for name, chosen in zip(names, used, strict=True) if chosen)
    # A row's integer is at most 2**20, and no memory holds the 2**43 rows whose sum would not fit into 64 bits.
    added = tuple(total(real_values("vectors", rows[used])).tolist())
    images = int(used.sum())
    return Partial(made_by, rows.shape[1:], most, added, images, len(rows) - images, dict(counts))


def _chosen(names: Sequence[str], most: int) -> npt.NDArray[np.bool_]:
    given: Counter[str] = Counter()
    used = np.empty(len(names), bool)
    for row, name in enumerate(names):
        given[name] += 1
        used[row] = given[name] <= most
    return used
