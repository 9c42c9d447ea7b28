"""What a gallery's answers give to somebody who may ask: guesses, scores and decisions, within its limits and beyond.

The answers are those of the comparison in the clear, which homomorphic encryption and multi-party computation give,
too: what is hidden from who computes is told to who asks.
"""

from __future__ import annotations

import math
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from privis.attack.answers.asked_answers import NeededAnswers, needed_answers, years_for
from privis.attack.answers.decision_inversion import refined_from_decisions
from privis.attack.answers.first_acceptance import acceptance_guesses
from privis.attack.answers.score_inversion import score_queries, template_from_scores
from privis.attack.answers.template_prior import Array, TemplatePrior, unit_rows
from privis.attack.attack_finding import AttackFinding
from privis.errors import ParameterError, Problem, refuse
from privis.privacy.answers.answer_limits import Allowance, AnswerLimits

MOST_GUESSES, MOST_STEPS = 4096, 400
NAME = "answers"
"""Of all findings, as ``privis attack --with`` spells it."""
RECOVERED = 0.9
"""Cosine with a template from which on it counts as recovered."""
MOST_WALKED = 40
_JUST = 0.02  # above the threshold: what a vector that was accepted by chance has


@dataclass(frozen=True, eq=False)
class AttackedGallery:
    """A gallery, and what an attacker who asks it knows.

    Args:
        templates: (people, components), of any length but zero.
        threshold: smallest cosine that is accepted.
        rate: how often a template accepts somebody else, which is what one guess gives.
        prior: what the attacker knows of templates.
        limits: answers that a client gets.
        against: of the findings.
        guarantee: of released templates, as a card has it.
        seed: of all draws.

    Raises:
        ParameterError: naming everything that does not fit.
    """

    templates: Array = field(repr=False)
    threshold: float
    rate: float
    prior: TemplatePrior
    limits: AnswerLimits
    against: str
    guarantee: Mapping[str, Any] = field(default_factory=dict)
    seed: int = 0

    def __post_init__(self) -> None:
        rows, problems = np.asarray(self.templates), []
        if rows.ndim != 2 or not len(rows) or rows.shape[1] != self.prior.components:
            expected = f"(people, {self.prior.components}), as what the attacker knows"
            problems.append(Problem("AttackedGallery.templates", f"shape {rows.shape}", expected))
        if not 0 < self.threshold < 1:
            problems.append(Problem("AttackedGallery.threshold", repr(self.threshold), "a cosine between 0 and 1"))
        if not 0 < self.rate < 1:
            problems.append(Problem("AttackedGallery.rate", repr(self.rate), "a share between 0 and 1"))
        refuse(ParameterError, problems)
        object.__setattr__(self, "templates", unit_rows(rows))

    @property
    def knows(self) -> tuple[str, ...]:
        """What every attack on answers is given."""
        public = f"{len(self.prior.public):,} public templates" if len(self.prior.public) else "no template at all"
        return ("the mechanism and the threshold", public, "answers to vectors of the attacker's choice")


def cosines_by_scores(gallery: AttackedGallery) -> NDArray[np.float64]:
    """Rebuild every template from 1, 2, ... scores of the most telling queries.

    Args:
        gallery: that answers with cosines.

    Returns:
        (components, templates) cosine of what was rebuilt with the template.
    """
    queries = score_queries(gallery.prior, gallery.prior.components)
    scores = queries @ gallery.templates.T
    rebuilt = (
        template_from_scores(queries[:count], scores[:count], gallery.prior) for count in range(1, len(queries) + 1)
    )
    return np.array([(each * gallery.templates).sum(1) for each in rebuilt])


def passed_by_guesses(gallery: AttackedGallery, most: int = MOST_GUESSES) -> NDArray[np.bool_]:
    """Guess, whatever the answers: a refusal says little, and the guesses are ordered by it beforehand.

    Args:
        gallery: that answers with decisions.
        most: guesses.

    Returns:
        (guesses, templates) whether a template accepted this guess or an earlier one.
    """
    guesses = acceptance_guesses(gallery.prior, gallery.threshold, most, gallery.seed)
    return np.maximum.accumulate(guesses @ gallery.templates.T >= gallery.threshold, axis=0)


def walked_cosines(gallery: AttackedGallery, most: int = MOST_STEPS) -> NDArray[np.float64]:
    """Rebuild templates, of 40 people at most, from decisions, beginning with a vector that was just accepted.

    Args:
        gallery: that answers with decisions.
        most: answers about each template.

    Returns:
        (answers, people) cosine of the estimate with the template.
    """
    random = np.random.default_rng(gallery.seed)
    chosen = gallery.templates[random.permutation(len(gallery.templates))[:MOST_WALKED]]
    return np.array([_walked(gallery, template, most, random) for template in chosen]).T


def score_findings(gallery: AttackedGallery) -> Iterator[AttackFinding]:
    """Invert templates from scores: what the limit gives, what half of the templates take, what all scores give.

    Args:
        gallery: that answers with cosines.

    Yields:
        Three findings.
    """
    began, components = time.process_time(), gallery.prior.components
    cosines = cosines_by_scores(gallery)
    passed, used = cosines >= gallery.threshold, time.process_time() - began
    allowed = gallery.limits.scores
    yield _within(gallery, passed, allowed, "score", used)
    needed = needed_answers(passed)
    yield _until(gallery, needed, allowed, "score", "are passed by what was rebuilt", used)
    yield AttackFinding.of_share(
        NAME, gallery.against, gallery.knows, f"template rebuilt from {components} scores",
        int((cosines[-1] >= RECOVERED).sum()), len(gallery.templates), chance=0.0, processor_seconds=used,
        sentence=f"As many scores as a template has components ({components}) are the template.",
        guarantee=gallery.guarantee,
    )  # fmt: skip


def guess_findings(gallery: AttackedGallery, most: int = MOST_GUESSES) -> Iterator[AttackFinding]:
    """Guess until a template accepts: what the limit gives, and how many guesses half of the templates withstand.

    Args:
        gallery: that answers with decisions.
        most: guesses that are tried.

    Yields:
        Two findings.
    """
    began = time.process_time()
    passed = passed_by_guesses(gallery, most)
    used = time.process_time() - began
    yield _within(gallery, passed, gallery.limits.decisions, "decision", used)
    needed = needed_answers(passed)
    yield _until(gallery, needed, gallery.limits.decisions, "decision", "accept one of the guesses", used)


def walk_findings(gallery: AttackedGallery, most: int = MOST_STEPS) -> Iterator[AttackFinding]:
    """Rebuild templates from accept and reject, beginning with a vector that was just accepted.

    Args:
        gallery: that answers with decisions.
        most: answers for each template.

    Yields:
        Two findings.
    """
    began = time.process_time()
    cosines = walked_cosines(gallery, most)
    used, allowed = time.process_time() - began, gallery.limits.decisions
    knows = (*gallery.knows, "a vector that was accepted")
    within = most if allowed.total is None else min(allowed.total, most)
    yield AttackFinding.of_share(
        NAME, gallery.against, knows, f"template rebuilt to a cosine of {RECOVERED} within {within} decisions",
        int((cosines[within - 1] >= RECOVERED).sum()), cosines.shape[1], chance=0.0, processor_seconds=used,
        sentence=f"After {within} decisions the mean cosine is {cosines[within - 1].mean():.2f}.",
        guarantee=gallery.guarantee,
    )  # fmt: skip
    needed = needed_answers(cosines >= RECOVERED)
    done = f"are rebuilt to a cosine of {RECOVERED}"
    yield _until(gallery, needed, allowed, "decision", done, used, knows, cosines.shape[1])


def _walked(gallery: AttackedGallery, template: Array, most: int, random: np.random.Generator) -> list[float]:
    cosine = min(gallery.threshold + _JUST, 1.0)
    other = random.standard_normal(template.size)
    other = unit_rows(other - (other @ template) * template)
    start = cosine * template + math.sqrt(1 - cosine**2) * other

    def accepts(query: Array) -> bool:
        return bool(query @ template >= gallery.threshold)

    seed = int(random.integers(1 << 31))
    steps = refined_from_decisions(accepts, start, gallery.threshold, gallery.prior, most, seed)
    return [float(estimate @ template) for estimate in steps]


def _within(
    gallery: AttackedGallery, passed: NDArray[np.bool_], allowed: Allowance, kind: str, used: float
) -> AttackFinding:
    """How many templates are passed by what a client is answered before it is locked out."""
    count = len(passed) if allowed.total is None else min(allowed.total, len(passed))
    share = passed[count - 1]
    limit = "without a limit" if allowed.total is None else "all that one client gets"
    return AttackFinding.of_share(
        NAME, gallery.against, gallery.knows, f"accepted after {count:,} {kind}s",
        int(share.sum()), share.size, chance=1 - (1 - gallery.rate) ** (1 if kind == "score" else count),
        processor_seconds=used,
        sentence=f"{count:,} {kind}s about a template ({limit}) open {share.mean():.0%} of the templates.",
        guarantee=gallery.guarantee,
    )  # fmt: skip


def _until(
    gallery: AttackedGallery,
    needed: NeededAnswers,
    allowed: Allowance,
    kind: str,
    done: str,
    used: float,
    knows: tuple[str, ...] | None = None,
    targets: int | None = None,
) -> AttackFinding:
    return AttackFinding(
        NAME, gallery.against, knows or gallery.knows, f"{kind}s until half of the templates {done}",
        needed.count, needed.interval, math.nan, 0, used,
        f"Half of {targets or len(gallery.templates):,} templates {done} after {needed.words} {kind}s; "
        f"{waiting(needed, allowed)}.", gallery.guarantee,
    )  # fmt: skip


def waiting(needed: NeededAnswers, allowed: Allowance) -> str:
    """Say how long one client waits for what half of the templates take.

    Args:
        needed: answers.
        allowed: to one client.

    Returns:
        A clause.

    >>> waiting(needed_answers(np.tri(9, 9, dtype=bool)), Allowance(1, 4))
    'one client is locked out after 4, so never, and 2 names together are not'
    """
    least = needed.count if math.isfinite(needed.count) else needed.tried
    years = years_for(least, allowed)
    if math.isinf(years) and allowed.total is not None:
        names = math.ceil(least / allowed.total)
        more = "" if math.isinf(needed.count) else f", and {names} names together are not"
        return f"one client is locked out after {allowed.total:,}, so never{more}"
    if years == 0:
        return "nothing limits a client"
    more = "more than " if math.isinf(needed.count) else ""
    return f"one client waits {more}{_time(years)}"


def _time(years: float) -> str:
    return f"{years:.1f} years" if years >= 1 else f"{years * 365.25:.1f} days"
