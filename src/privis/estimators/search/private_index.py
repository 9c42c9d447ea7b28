"""An index that is asked privately: who holds the rows sees no query, and who asks learns what was agreed, no more.

Under CKKS whoever asks holds the key, and the other side holds the rows, its own or rows that the key owner encrypted.
On shares, parties hold both and none of them sees either. Both sides run on this machine, which shows answers, seconds
and bytes; what is hidden from whom takes machines of different owners: ``privis serve``, ``privis party``.

=============  ==========  =============================================================================================
what is told   under       whoever asks learns of each query
=============  ==========  =============================================================================================
scores         ckks        the cosine of every row, and ranks the rows itself
scores         shares      the ids and cosines of the most similar rows
decisions      ckks        which rows reach a threshold; near it, as good as their cosines
decisions      shares      which rows reach a threshold, if these are at most so many
top            ckks        how many rows reach a threshold, and if these are at most so many, which
top            shares      the ids of the most similar rows, in order
=============  ==========  =============================================================================================
"""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from types import TracebackType
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from privis.errors import ParameterError, Problem, refuse
from privis.estimators.faces.matchers.encrypted_matching import EncryptedMatcher, EncryptedTemplates
from privis.estimators.faces.matchers.joint_matching import JointMatcher
from privis.estimators.faces.template_matching import HeldTemplates
from privis.stores.vector_store import Condition, VectorStore
from privis.tasks.matches import Decision, Matches
from privis.tasks.questions import AllAbove, Count, Top
from privis.validation import integer_problem, real_values

_EQUAL_LENGTHS = 1e-3  # to within which rows are of one length, so that cosines rank as inner products do


class Learned(Enum):
    """What whoever asks an index is told."""

    SCORES = "scores"
    DECISIONS = "decisions"
    TOP = "top"


@dataclass(frozen=True)
class FoundRow:
    """A row of an answer.

    Args:
        id: of its image.
        rank: from 1, the most similar first; None where order is not told.
        score: its cosine; None where that is not told.
        undecided: whether its cosine is too near to the threshold to be decided.
    """

    id: str
    rank: int | None = None
    score: float | None = None
    undecided: bool = False


@dataclass(frozen=True)
class PrivateAnswer:
    """What a private query is answered with.

    Args:
        rows: that were found.
        more: whether more rows match than were asked for, so that none is told.
        undecided: whether rows too near to the threshold leave it open how many match, so that none is told.
    """

    rows: tuple[FoundRow, ...]
    more: bool = False
    undecided: bool = False


@dataclass(frozen=True)
class PrivateQuery:
    """How an index is asked.

    Args:
        matcher: who compares: under encryption or on shares.
        learned: what whoever asks learns.
        threshold: least cosine of a row that matches, for decisions, for the top under encryption, and if wanted for
            the top on shares; None: any.

    Raises:
        ParameterError: a threshold that is missing, not wanted, or no cosine.

    >>> from privis.estimators.faces.matchers.joint_matching import JointMatcher
    >>> PrivateQuery(JointMatcher()).learns(10)
    'Whoever asks learns the ids of the 10 most similar rows, in order; no party learns anything.'
    """

    identifier: ClassVar[str] = "privis.private-query/1"

    matcher: EncryptedMatcher | JointMatcher
    learned: Learned = Learned.TOP
    threshold: float | None = None

    def __post_init__(self) -> None:
        problems, given = [], self.threshold
        if self.learned is Learned.SCORES and given is not None:
            problems.append(Problem("PrivateQuery.threshold", repr(given), "None: scores are not decided"))
        if given is None and (self.learned is Learned.DECISIONS or (self.learned is Learned.TOP and self.encrypted)):
            remedy = "under encryption order is told by scores alone: ask for scores, or on shares"
            expected = f"a cosine that decides {self.learned.value}"
            more = remedy if self.learned is Learned.TOP else None
            problems.append(Problem("PrivateQuery.threshold", "None", expected, *([more] if more else [])))
        if given is not None and (
            isinstance(given, bool) or not isinstance(given, int | float) or not -1 <= given <= 1
        ):
            problems.append(Problem("PrivateQuery.threshold", repr(given), "a cosine from -1 to 1"))
        refuse(ParameterError, problems)

    @property
    def encrypted(self) -> bool:
        """Whether queries are encrypted, and not shared."""
        return isinstance(self.matcher, EncryptedMatcher)

    def learns(self, top: int) -> str:
        """Say what each side learns.

        Args:
            top: rows that are asked for.

        Returns:
            A sentence or two.
        """
        limit = "" if self.threshold is None else f"{self.threshold:g}"
        if not isinstance(self.matcher, EncryptedMatcher):
            what = {
                Learned.SCORES: f"the ids and the cosines of the {top} most similar rows",
                Learned.DECISIONS: f"the ids of the rows whose cosine is at least {limit}, if they are at most {top}",
                Learned.TOP: f"the ids of the {top} most similar rows, in order"
                + (f", as far as they reach {limit}" if limit else ""),
            }[self.learned]
            return f"Whoever asks learns {what}; no party learns anything."
        near = "decrypted numbers of rows near it tell their cosines"
        what = {
            Learned.SCORES: "the cosine of every row, and as many queries as a row has components tell the rows",
            Learned.DECISIONS: f"which rows' cosine is at least {limit}; {near}",
            Learned.TOP: f"how many rows' cosine is at least {limit}, and if they are at most {top}, which; {near}",
        }[self.learned]
        other = "neither rows nor queries nor answers" if self.matcher.encrypted_templates else "no query and no answer"
        return f"Whoever asks holds the key and learns {what}. The side with the rows sees {other}."


class PrivateIndex:
    """Rows of a store, held for private queries; a context manager, for one thread.

    Rows without a direction are similar to nothing and left out. Rows are read before every query, and held anew where
    any has changed, as when somebody was erased: keys are new then, too.

    Args:
        store: that is asked.
        query: how.
        where: conditions that rows have to meet, which all sides see.

    Raises:
        ParameterError: on entering, where no rows are there, or rows differ in length so that cosines rank otherwise
            than inner products.

    Attributes:
        left_out: ids of rows without a direction.
    """

    def __init__(self, store: VectorStore, query: PrivateQuery, where: Sequence[Condition] = ()) -> None:
        self.store, self.query, self.where = store, query, tuple(where)
        self.ids: tuple[str, ...] = ()
        self.left_out: tuple[str, ...] = ()
        self._stack = contextlib.ExitStack()
        self._held: HeldTemplates | None = None
        self._state: object = None

    def __enter__(self) -> Self:
        self._current()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._held = None
        self._stack.__exit__(kind, error, trace)

    @property
    def held(self) -> HeldTemplates:
        """The rows as whoever compares holds them, which count bytes."""
        return self._current()

    def search(self, vector: NDArray[Any], top: int) -> PrivateAnswer:
        """Ask about one vector.

        Args:
            vector: (components,), of the index's space.
            top: rows that are asked for; of fewer all are.

        Returns:
            What `PrivateQuery.learns` says.

        Raises:
            ParameterError: another number of components, a vector without a direction, or a top below 1.
        """
        refuse(ParameterError, integer_problem("PrivateIndex.search.top", top, 1))
        (row,) = self._checked(np.asarray(vector)[None])
        held, query = self._current(), self.query
        most = min(top, len(self.ids))
        if query.learned is Learned.SCORES:
            return self._ranked(held.ask(Top(most, score=True), row[None]))
        if not isinstance(held, EncryptedTemplates):
            if query.learned is Learned.TOP:
                return self._ranked(held.ask(Top(most, query.threshold), row[None]))
            assert query.threshold is not None
            return self._listed(held.ask(AllAbove(query.threshold, most), row[None]))
        assert query.threshold is not None
        gap = query.matcher.gap(row.size, len(self.ids))
        if query.learned is Learned.DECISIONS:
            found = held.decided(row, query.threshold, gap)
            accepted = [FoundRow(self.ids[number]) for number in found.accepted]
            return PrivateAnswer((*accepted, *(FoundRow(self.ids[place], undecided=True) for place in found.undecided)))
        counted = held.ask(Count(query.threshold, gap), row[None]).counts
        assert counted is not None
        if counted[0] < 0:
            return PrivateAnswer((), undecided=True)
        if counted[0] > most:
            return PrivateAnswer((), more=True)
        return (
            self._listed(held.ask(AllAbove(query.threshold, most, gap), row[None])) if counted[0] else PrivateAnswer(())
        )

    def rankings(self, vectors: NDArray[Any]) -> NDArray[np.int64]:
        """Rank all rows for many vectors: by scores under encryption, by the order alone on shares.

        Args:
            vectors: (queries, components).

        Returns:
            (queries, rows), numbers of `ids`, the most similar first; of equally similar ones the earlier.

        Raises:
            ParameterError: as `search`.
        """
        rows = self._checked(np.asarray(vectors))
        indices = self._current().ask(Top(len(self.ids)), rows).indices
        assert indices is not None
        return indices

    def _checked(self, vectors: NDArray[Any]) -> NDArray[np.float64]:
        rows, space = real_values("query", vectors), self.store.describe().space
        if rows.ndim != 2 or rows.shape[1] != space.components:
            got, expected = f"shape {rows.shape}", f"(queries, {space.components}), as of {space.words}"
            remedy = "make the query's vector as the index's were made"
            raise ParameterError(Problem("query", got, expected, remedy))
        if not np.isfinite(rows).all() or not rows.any(1).all():
            got = "a vector that is zero, or not finite"
            raise ParameterError(Problem("query", got, "a direction: nothing is similar to such an image"))
        return rows

    def _current(self) -> HeldTemplates:
        """The rows as they are held; before every query they are read, and held anew if any has changed."""
        parts = list(self.store.rows(self.where))
        ids = [name for part in parts for name in part.ids]
        vectors = np.concatenate([part.vectors for part in parts]) if ids else np.zeros((0, 1), np.float32)
        state = hashlib.sha256(np.ascontiguousarray(vectors).data).digest(), tuple(ids)
        if self._held is None or state != self._state:
            self._held = None
            self._stack.close()
            lengths = np.linalg.norm(vectors.astype(np.float64), axis=1)
            refuse(ParameterError, self._problems(lengths[lengths > 0], self.store.describe().place))
            self.ids = tuple(name for name, length in zip(ids, lengths, strict=True) if length > 0)
            self.left_out = tuple(name for name, length in zip(ids, lengths, strict=True) if length == 0)
            self._held = self._stack.enter_context(self.query.matcher.holding(vectors[lengths > 0]))
            self._state = state
        return self._held

    def _problems(self, lengths: NDArray[np.float64], place: str) -> list[Problem]:
        if not len(lengths):
            expected = "at least one" if not self.where else "at least one that meets the conditions"
            return [Problem(place, "no rows", expected, "add images first: privis search add")]
        if lengths.max() > (1 + _EQUAL_LENGTHS) * lengths.min():
            got, expected = f"rows of lengths {lengths.min():.3g} to {lengths.max():.3g}", "rows of one length"
            return [Problem(place, got, expected, "private queries rank by cosines: normalise the vectors")]
        return []

    def _ranked(self, found: Matches) -> PrivateAnswer:
        assert found.indices is not None
        cosines = None if found.cosines is None else found.cosines[0]
        rows = [
            FoundRow(self.ids[number], rank + 1, None if cosines is None else float(cosines[rank]))
            for rank, number in enumerate(found.indices[0].tolist())
            if number >= 0
        ]
        return PrivateAnswer(tuple(rows))

    def _listed(self, found: Matches) -> PrivateAnswer:
        assert found.indices is not None and found.counts is not None
        rows = tuple(FoundRow(self.ids[number]) for number in found.indices[0].tolist() if number >= 0)
        undecided = bool(found.counts[0] < 0)
        return PrivateAnswer(
            rows, more=not undecided and bool(found.decisions == Decision.UNDECIDED), undecided=undecided
        )
