"""Who compares templates: the interface of every way to do it, and the one in the clear."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any, ClassVar, Protocol

import numpy as np
from numpy.typing import NDArray

from privis.tasks.cosine_matching import match
from privis.tasks.matches import Matches
from privis.tasks.questions import Question, Top
from privis.tasks.vector_grid import VectorGrid


class HeldTemplates(Protocol):
    """Templates that are ready to be asked, however they are kept."""

    def ask(self, question: Question, queries: NDArray[Any], claims: Sequence[int] | None = None) -> Matches:
        """Answer a question about them.

        Args:
            question: what is asked of each query.
            queries: (queries, components), of any length but zero.
            claims: of a `Claim` the template that each query claims; else None.

        Returns:
            The answer; of an approximate comparison undecided inside the question's gap.
        """
        ...


class TemplateMatcher(Protocol):
    """A way to compare templates: in the clear, on ciphertexts, or on shares."""

    @property
    def name(self) -> str:
        """What it is called in messages and cards."""
        ...

    def gap(self, components: int, templates: int) -> float:
        """How far from a threshold its decisions may differ from those on exact cosines.

        Args:
            components: of a template.
            templates: how many are compared with.

        Returns:
            A distance of cosines. Thresholds are raised by it, so that the stated rate holds for all that is accepted.
        """
        ...

    def identification(self, count: int, threshold: float, gap: float) -> Question:
        """Choose the question that asks who somebody is.

        Args:
            count: how many people an answer names at most.
            threshold: least cosine of a match.
            gap: as of `gap`.

        Returns:
            A question with a threshold, whose answer has indices: `Best`, `Top` or `AllAbove`.
        """
        ...

    def holding(self, templates: NDArray[Any]) -> AbstractContextManager[HeldTemplates]:
        """Make templates ready to be asked, and end what that started.

        Args:
            templates: (templates, components), of any length but zero.

        Returns:
            A context that gives them.
        """
        ...


@dataclass(frozen=True)
class ClearMatcher:
    """Comparison in the clear, in this process: the definition that all others are held to.

    Vectors are rounded to a `VectorGrid` for so many templates, as everywhere; `gap` bounds what that moves.

    >>> with ClearMatcher().holding(np.eye(3)) as held:
    ...     held.ask(Top(1, 0.9), np.eye(3)[[2, 0]]).indices.tolist()
    [[2], [0]]
    """

    identifier: ClassVar[str] = "privis.clear-matcher/1"

    @property
    def name(self) -> str:
        """``clear``."""
        return "clear"

    def gap(self, components: int, templates: int) -> float:
        """Bound what rounding to the grid moves a cosine by.

        Args:
            components: of a template.
            templates: how many are compared with.

        Returns:
            Half a unit of the grid in every component of both vectors, by the inequality of Cauchy and Schwarz.

        >>> round(ClearMatcher().gap(128, 1000), 5)
        0.00035
        """
        moved = math.sqrt(components) / (1 << VectorGrid(components, templates).bits + 1)
        return moved * (2 + moved)

    def identification(self, count: int, threshold: float, gap: float) -> Question:
        """Ask for the most similar people that match.

        Args:
            count: how many at most.
            threshold: least cosine of a match.
            gap: nothing is left undecided, so it does not count.

        Returns:
            The question.
        """
        return Top(count, threshold)

    @contextlib.contextmanager
    def holding(self, templates: NDArray[Any]) -> Iterator[HeldTemplates]:
        """Keep templates as they are.

        Args:
            templates: (templates, components), of any length but zero.

        Yields:
            The templates.
        """
        yield _ClearTemplates(np.asarray(templates))


@dataclass(frozen=True, eq=False)
class _ClearTemplates:
    templates: NDArray[Any]

    def ask(self, question: Question, queries: NDArray[Any], claims: Sequence[int] | None = None) -> Matches:
        grid = VectorGrid(self.templates.shape[1], len(self.templates))
        return match(question, queries, self.templates, claims=claims, grid=grid)
