"""Templates compared under encryption (CKKS), both sides in this process: what a server and its client would compute.

Who asks holds the key. The other side holds the templates, its own or encrypted ones, and sees ciphertexts of probes. A
question at a threshold is answered with decisions alone; `Top`, and `Best` without a threshold or with its score, take
every cosine, which whoever holds the key then knows. On one machine this shows decisions, seconds and bytes; what is
hidden from whom takes two machines: ``privis serve`` and its clients.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from privis.errors import ParameterError, Problem
from privis.run.he.evaluation.forked_map import cores
from privis.run.he.matching.decision_gallery import EncryptedDecisionGallery, PlainDecisionGallery
from privis.run.he.matching.decision_matcher import DecisionMatcher
from privis.run.he.matching.decision_messages import Ask
from privis.run.he.matching.decision_specification import DecisionSpec
from privis.run.he.matching.matcher import EncryptedScoreGallery, Matcher, PlainGallery
from privis.run.he.matching.matching_specification import MatchingSpec
from privis.run.he.owner.decision_owner import DecisionOwner, Decisions
from privis.run.he.owner.matching import MatchingOwner
from privis.serve.client.decision_answers import best_of_decisions, kind_of_message, matches_of_decisions
from privis.tasks.cosine_matching import matches_of
from privis.tasks.matches import Decision, Matches, joined_matches
from privis.tasks.questions import AllAbove, Best, Claim, Question, Top

UNDECIDED_WITHIN = 0.05
"""10,000 templates are decided in the smaller ring with it, at any threshold; with 0.03 they are not."""


@dataclass(frozen=True)
class EncryptedMatcher:
    """Comparison of an encrypted probe with templates, decided under encryption.

    Guarantee: no template is accepted whose cosine is below the threshold by more than 0.001, and every decision at
    least ``undecided_within`` away from the threshold is that in the clear, as far as the measured error of ciphertexts
    (``python -m benchmarks.face_matching``) holds.

    Args:
        undecided_within: distance of a cosine from the threshold inside which a template may be undecided, from 0.002
            on; less takes larger ciphertexts, and seconds.
        encrypted_templates: whether templates are encrypted, too, under the key of whoever asks.
        processes: how many compute at once; None: as many as there are cores.

    Raises:
        ParameterError: a distance that is none.
    """

    identifier: ClassVar[str] = "privis.encrypted-matcher/1"

    undecided_within: float = UNDECIDED_WITHIN
    encrypted_templates: bool = False
    processes: int | None = None

    def __post_init__(self) -> None:
        given = self.undecided_within
        if isinstance(given, bool) or not isinstance(given, int | float) or not 0.002 <= given <= 1:
            got, expected = repr(given), "a distance of cosines from 0.002 to 1"
            raise ParameterError(Problem("EncryptedMatcher.undecided_within", got, expected))

    @property
    def name(self) -> str:
        """``ckks``."""
        return "ckks"

    def gap(self, components: int, templates: int) -> float:
        """Tell how far from a threshold a template may be undecided.

        Args:
            components: of a template.
            templates: how many are compared with.

        Returns:
            ``undecided_within``.
        """
        return self.undecided_within

    def identification(self, count: int, threshold: float, gap: float) -> Question:
        """Ask for those who match: of several their order is not told.

        Args:
            count: how many people an answer names at most; where more match, the answer is undecided.
            threshold: least cosine of a match.
            gap: as of `gap`.

        Returns:
            The question.
        """
        return Best(threshold) if count == 1 else AllAbove(threshold, count, gap)

    @contextlib.contextmanager
    def holding(self, templates: NDArray[Any]) -> Iterator[EncryptedTemplates]:
        """Make a gallery of templates, encoded or encrypted when it is first asked.

        Args:
            templates: (templates, components), of any length but zero.

        Yields:
            The templates.
        """
        yield EncryptedTemplates(np.asarray(templates), self)


@dataclass(eq=False)
class EncryptedTemplates:
    """Templates that an `EncryptedMatcher` holds, for one thread: keys of a threshold are made at its first question.

    Args:
        templates: (templates, components), of any length but zero.
        options: how they are compared.

    Attributes:
        key_bytes: of the evaluation keys, and of encrypted templates, that a server would be sent once.
        query_bytes: of all queries so far.
        reply_bytes: of all answers so far.
    """

    templates: NDArray[Any] = field(repr=False)
    options: EncryptedMatcher
    key_bytes: int = field(default=0, init=False)
    query_bytes: int = field(default=0, init=False)
    reply_bytes: int = field(default=0, init=False)
    _decided: tuple[DecisionOwner, DecisionMatcher] | None = field(default=None, init=False, repr=False)
    _scored: tuple[MatchingOwner, Matcher] | None = field(default=None, init=False, repr=False)

    def ask(self, question: Question, queries: NDArray[Any], claims: Sequence[int] | None = None) -> Matches:
        """Answer a question about encrypted queries, a message for each.

        Args:
            question: what is asked of each query.
            queries: (queries, components), of any length but zero.
            claims: of a `Claim` the template that each query claims; else None.

        Returns:
            The answer, undecided where a cosine is inside the question's gap, or of `Best` more than one is accepted.

        Raises:
            ParameterError: a gap that is too narrow, claims that do not fit, or vectors without a direction.
        """
        rows = np.asarray(queries)
        if (claims is not None) != isinstance(question, Claim) or (claims is not None and len(claims) != len(rows)):
            got = "none" if claims is None else f"{len(claims)} for {len(rows)} queries"
            raise ParameterError(Problem("claims", got, "one for each query of the question Claim, and of no other"))
        MatchingSpec(self.templates.shape[1]).unit_rows(rows)  # before keys, which take seconds
        if isinstance(question, Best) and question.threshold is not None and not question.score:
            self._deciding(question.threshold, self.options.undecided_within)
            return joined_matches([best_of_decisions(question, self._answer(row, Ask.INDEX, None)) for row in rows])
        kind = kind_of_message(question)
        if kind is None or isinstance(question, Best | Top):
            return matches_of(question, self.cosines(rows))
        owner, _ = self._deciding(question.threshold, question.gap)
        parts = []
        for number, row in enumerate(rows):
            found = self._answer(row, kind, None if claims is None else int(claims[number]))
            parts.append(matches_of_decisions(question, found, owner.spec))
        return joined_matches(parts)

    def pair_decisions(
        self, queries: NDArray[Any], pairs: NDArray[np.integer], threshold: float, gap: float
    ) -> NDArray[np.int8]:
        """Decide pairs of a query and a template, by one message for each query that is in a pair.

        Args:
            queries: (queries, components), of any length but zero.
            pairs: (pairs, 2), rows of ``queries`` and of the templates.
            threshold: least cosine of a match.
            gap: distance from it inside which a pair may be undecided.

        Returns:
            Values of `Decision` (pairs,).

        Raises:
            ParameterError: as `ask`.
        """
        self._deciding(threshold, gap)
        made = np.full(len(pairs), Decision.REJECTED, np.int8)
        for query in np.unique(pairs[:, 0]):
            mine = np.flatnonzero(pairs[:, 0] == query)
            found = self._answer(np.asarray(queries)[query], Ask.INDEX, None)
            made[mine[np.isin(pairs[mine, 1], found.accepted)]] = Decision.ACCEPTED
            made[mine[np.isin(pairs[mine, 1], found.undecided)]] = Decision.UNDECIDED
        return made

    def decided(self, query: NDArray[Any], threshold: float, gap: float) -> Decisions:
        """Decide about every template for one query: those that are undecided do not hide the others.

        Args:
            query: (components,), of any length but zero.
            threshold: least cosine of a match.
            gap: distance from it inside which a template may be undecided.

        Returns:
            Which are accepted, and which are undecided.

        Raises:
            ParameterError: as `ask`.
        """
        self._deciding(threshold, gap)
        return self._answer(query, Ask.INDEX, None)

    def cosines(self, queries: NDArray[Any]) -> NDArray[np.float64]:
        """Give every cosine, which whoever holds the key learns: as many as there are components are a template.

        Args:
            queries: (queries, components), of any length but zero.

        Returns:
            (queries, templates).

        Raises:
            ParameterError: vectors without a direction, or of another length.
        """
        owner, matcher = self._scoring()
        rows, made = np.asarray(queries), []
        for first in range(0, len(rows), 2):  # two in a message
            pair = rows[first : first + 2]
            found = owner.both_scores(self._sent(matcher, owner.query(*pair)))
            made += [scores.values for scores in found[: len(pair)]]
        return np.stack(made)

    def _answer(self, query: NDArray[Any], kind: Ask, claim: int | None) -> Decisions:
        assert self._decided is not None
        owner, matcher = self._decided
        return owner.decisions(self._sent(matcher, owner.query(query, kind, claim)))

    def _sent(self, matcher: DecisionMatcher | Matcher, message: bytes) -> bytes:
        reply = matcher.run(message)
        self.query_bytes += len(message)
        self.reply_bytes += len(reply)
        return reply

    def _deciding(self, threshold: float, gap: float) -> tuple[DecisionOwner, DecisionMatcher]:
        """Both sides of decisions at a threshold; those of another one are forgotten."""
        count, hidden = len(self.templates), self.options.encrypted_templates
        spec = DecisionSpec(self.templates.shape[1], threshold, gap, max(1, count), encrypted=hidden)
        if self._decided is None or self._decided[0].spec != spec:
            owner = DecisionOwner.generate(spec)
            gallery: PlainDecisionGallery | EncryptedDecisionGallery
            if hidden:
                gallery = EncryptedDecisionGallery(spec)
                for change in owner.enrolled(range(count), self.templates):
                    gallery.change(change)
                    self.key_bytes += len(change)
            else:
                gallery = PlainDecisionGallery(spec)
                gallery.add([str(number) for number in range(count)], self.templates)
            keys = owner.evaluation_keys()
            self.key_bytes += len(keys)
            self._decided = owner, DecisionMatcher.open(gallery, keys, self._processes)
        return self._decided

    def _scoring(self) -> tuple[MatchingOwner, Matcher]:
        """Both sides of scores."""
        if self._scored is None:
            count, components = self.templates.shape
            spec = MatchingSpec.fitting(components, count, self.options.encrypted_templates)
            owner, names = MatchingOwner.generate(spec), [str(number) for number in range(count)]
            gallery: PlainGallery | EncryptedScoreGallery
            if spec.encrypted:
                gallery = EncryptedScoreGallery(spec)
                for start in range(0, len(names), spec.block):
                    chosen = slice(start, start + spec.block)
                    block = owner.block(names[chosen], self.templates[chosen])
                    gallery.put(str(start), block)
                    self.key_bytes += len(block)
            else:
                gallery = PlainGallery(spec)
                gallery.add(names, self.templates)
            keys = owner.evaluation_keys()
            self.key_bytes += len(keys)
            self._scored = owner, Matcher.open(gallery, keys, self._processes)
        return self._scored

    @property
    def _processes(self) -> int:
        return self.options.processes or cores()
