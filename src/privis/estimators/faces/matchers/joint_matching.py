"""Templates compared by parties none of whom sees them: on shares, by ABY3 (three parties) or Cheetah (two).

The parties are processes of this machine, which shows decisions, seconds and bytes; what is hidden from whom takes
machines of different owners: ``privis party`` and the task ``match``. Decisions are those of `ClearMatcher`, exactly.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from privis.errors import ParameterError, Problem
from privis.estimators.faces.template_matching import ClearMatcher
from privis.joint.gallery import Gallery
from privis.joint.live_gallery import LiveGallery
from privis.joint.statistics.sums import Committee
from privis.run.mpc.protocols import MPCProtocol, preset
from privis.tasks.matches import Matches, joined_matches
from privis.tasks.questions import Best, Claim, Question, Top
from privis.tasks.vector_grid import VectorGrid

OWNER, ASKING = "gallery", "asking"
_PRODUCTS = 1 << 22  # most of a job, so that a party takes some hundred megabytes at most
_NUMBERS = 1 << 16  # most of the vectors that a job claims templates for: compiling takes 30 ms a claim, once


@dataclass(frozen=True)
class JointMatcher:
    """Comparison on shares, whose decisions are those in the clear: nothing is left undecided.

    Guarantee: with ABY3 no single one of three parties, with Cheetah none of two learns anything of probes, templates
    and answers, as long as all follow the protocol; whoever asks learns the answer alone.

    Args:
        protocol: that the parties run.

    Raises:
        ParameterError: a protocol that protects nothing, or none.

    >>> JointMatcher(MPCProtocol.CHEETAH).name
    'cheetah'
    """

    identifier: ClassVar[str] = "privis.joint-matcher/1"

    protocol: MPCProtocol = MPCProtocol.ABY3

    def __post_init__(self) -> None:
        if not isinstance(self.protocol, MPCProtocol):
            expected = "a member of MPCProtocol"
            raise ParameterError(Problem("JointMatcher.protocol", repr(self.protocol), expected))
        preset(self.protocol.value)

    @property
    def name(self) -> str:
        """That of the protocol."""
        return self.protocol.value

    def gap(self, components: int, templates: int) -> float:
        """Bound what rounding to the grid moves a cosine by: as in the clear.

        Args:
            components: of a template.
            templates: how many are compared with.

        Returns:
            A distance of cosines.
        """
        return ClearMatcher().gap(components, templates)

    def identification(self, count: int, threshold: float, gap: float) -> Question:
        """Ask for the most similar people that match.

        Args:
            count: how many at most.
            threshold: least cosine of a match.
            gap: nothing is left undecided, so it does not count.

        Returns:
            The question.
        """
        return Best(threshold) if count == 1 else Top(count, threshold)

    @contextlib.contextmanager
    def holding(self, templates: NDArray[Any]) -> Iterator[JointTemplates]:
        """Start the parties, share templates among them, and end the parties.

        Args:
            templates: (templates, components), of any length but zero.

        Yields:
            The templates.

        Raises:
            PartyError: a party does not start, or ends.
            ParameterError: vectors without a direction.
        """
        rows = np.asarray(templates)
        chosen = preset(self.protocol.value)
        members = tuple(f"party {rank}" for rank in range(chosen.parties))
        grid = VectorGrid(rows.shape[1], len(rows))
        with LiveGallery(Gallery(grid, Committee(members, chosen))) as live:
            live.enrol(OWNER, [str(number) for number in range(len(rows))], rows)
            yield JointTemplates(live)


@dataclass(frozen=True, eq=False)
class JointTemplates:
    """Templates that parties hold shares of, for one thread.

    Args:
        live: the gallery on running parties.
    """

    live: LiveGallery = field(repr=False)

    def ask(self, question: Question, queries: NDArray[Any], claims: Sequence[int] | None = None) -> Matches:
        """Answer a question about queries that are shared among the parties.

        Args:
            question: what is asked of each query.
            queries: (queries, components), of any length but zero.
            claims: of a `Claim` the template that each query claims, which all parties see; else None.

        Returns:
            The answer, that in the clear.

        Raises:
            PartyError: a party ends.
            ParameterError: claims that do not fit, or vectors without a direction.
        """
        rows, held = np.asarray(queries), len(self.live.gallery.names)
        most = _PRODUCTS // 4 if isinstance(question, Top) else _PRODUCTS  # sorting holds more at once
        lot = max(1, most // held if claims is None else _NUMBERS // self.live.gallery.grid.dimension)
        parts = []
        for start in range(0, len(rows), lot):
            named = () if claims is None else [str(row) for row in claims[start : start + lot]]
            chosen = rows[start : start + lot]
            parts.append(self.live.ask(question, chosen, ASKING, (ASKING,), named).matches)
        return joined_matches(parts)

    def pair_decisions(
        self, queries: NDArray[Any], pairs: NDArray[np.integer], threshold: float, gap: float
    ) -> NDArray[np.int8]:
        """Decide pairs of a query and a template, thousands in a job.

        Args:
            queries: (queries, components), of any length but zero.
            pairs: (pairs, 2), rows of ``queries`` and of the templates.
            threshold: least cosine of a match.
            gap: nothing is left undecided, so it does not count.

        Returns:
            Values of `Decision` (pairs,).

        Raises:
            PartyError: a party ends.
            ParameterError: as `ask`.
        """
        rows, lot = np.asarray(queries), max(1, _NUMBERS // self.live.gallery.grid.dimension)
        made = np.zeros(len(pairs), np.int8)
        for start in range(0, len(pairs), lot):
            chosen = pairs[start : start + lot]
            filled = np.resize(chosen, (lot, 2)) if start else chosen  # of one size, to be compiled once
            found = self.ask(Claim(threshold), rows[filled[:, 0]], filled[:, 1].tolist()).decisions
            assert found is not None
            made[start : start + lot] = found[: len(chosen)]
        return made
