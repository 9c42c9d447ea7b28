"""The account of one client about one gallery: a state, what one more charge makes of it, and why one is refused.

Times are minutes since 1970 in UTC: no time zone, no summer time. Whatever is charged within a minute counts until 61
minutes later, so that no hour, wherever it begins, holds more than an hour's answers, and an account is small.

An account's time never goes back: a clock that is put back stands still here until it has caught up, which refuses and
never allows. A clock that is put forward empties the hour too early, but not the total.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from fractions import Fraction

from privis.privacy.answers.answer_limits import AnswerKind, AnswerLimits

HOUR = 60
"""Minutes."""


@dataclass(frozen=True)
class Counted:
    """Decisions and scores that were charged in one minute, or in total."""

    decisions: int = 0
    scores: int = 0

    def plus(self, kind: AnswerKind, count: int) -> Counted:
        """Give the sum with ``count`` answers of ``kind``."""
        if kind is AnswerKind.DECISION:
            return Counted(self.decisions + count, self.scores)
        return Counted(self.decisions, self.scores + count)

    def share(self, decisions: int | None, scores: int | None) -> Fraction:
        """Give the share that this is of two limits, of which None is unlimited."""
        pairs = ((self.decisions, decisions), (self.scores, scores))
        return sum((Fraction(used, most) for used, most in pairs if most is not None), Fraction(0))


@dataclass(frozen=True)
class Refused:
    """Why a charge does not fit: the limit it meets, how many more fit now, and seconds until it does (None: never)."""

    limit: int
    hourly: bool
    left: int
    seconds: float | None


@dataclass(frozen=True)
class AnswerAccount:
    """What one client was answered about one gallery.

    ``used`` counts since the limit was last lifted, ``ever`` since the beginning; ``recent`` holds (minute, answers) of
    the last hour before ``latest``, the newest minute.
    """

    used: Counted = Counted()
    ever: Counted = Counted()
    recent: tuple[tuple[int, Counted], ...] = ()
    latest: int = 0
    lifted: int = 0

    def charged(self, kind: AnswerKind, count: int, minute: int) -> AnswerAccount:
        """Give the account after one more charge.

        >>> account = AnswerAccount().charged(AnswerKind.DECISION, 3, 100).charged(AnswerKind.DECISION, 2, 161)
        >>> account.used.decisions, account.recent
        (5, ((161, Counted(decisions=2, scores=0)),))
        """
        latest = max(minute, self.latest)
        recent = dict(self._within(latest))
        recent[latest] = recent.get(latest, Counted()).plus(kind, count)
        used, ever = self.used.plus(kind, count), self.ever.plus(kind, count)
        return AnswerAccount(used, ever, tuple(recent.items()), latest, self.lifted)

    def after_lift(self, minute: int) -> AnswerAccount:
        """Give the account after somebody lifted its limits: both begin anew, also where a clock had run ahead."""
        return replace(self, used=Counted(), recent=(), latest=minute, lifted=self.lifted + 1)

    def refused(self, kind: AnswerKind, count: int, limits: AnswerLimits, seconds: float) -> Refused | None:
        """Say why ``count`` more answers are not allowed at ``seconds`` since 1970; None: they are."""
        allowed, (hourly, total) = limits.of(kind), _pairs(limits)
        if allowed.total is not None and self.used.plus(kind, count).share(*total) > 1:
            return Refused(allowed.total, False, _left(self.used, allowed.total, total), None)
        recent = self._within(max(int(seconds // 60), self.latest))
        if allowed.per_hour is None or _sum(recent).plus(kind, count).share(*hourly) <= 1:
            return None
        left = _left(_sum(recent), allowed.per_hour, hourly)
        if Counted().plus(kind, count).share(*hourly) > 1:
            return Refused(allowed.per_hour, True, left, None)
        first = next(n for n in range(1, len(recent) + 1) if _sum(recent[n:]).plus(kind, count).share(*hourly) <= 1)
        return Refused(allowed.per_hour, True, left, (recent[first - 1][0] + HOUR + 1) * 60 - seconds)

    def left(self, kind: AnswerKind, limits: AnswerLimits, minute: int) -> tuple[int | None, int | None]:
        """Give how many more answers of ``kind`` fit within this hour and in total; None: unlimited."""
        allowed = limits.of(kind)
        hourly, total = _pairs(limits)
        recent = _sum(self._within(max(minute, self.latest)))
        now = None if allowed.per_hour is None else _left(recent, allowed.per_hour, hourly)
        later = None if allowed.total is None else _left(self.used, allowed.total, total)
        return now, later

    def _within(self, minute: int) -> tuple[tuple[int, Counted], ...]:
        return tuple((each, counted) for each, counted in self.recent if minute - each <= HOUR)


def _sum(recent: tuple[tuple[int, Counted], ...]) -> Counted:
    return Counted(sum(each.decisions for _, each in recent), sum(each.scores for _, each in recent))


def _pairs(limits: AnswerLimits) -> tuple[tuple[int | None, int | None], tuple[int | None, int | None]]:
    """Limits of decisions and scores: per hour, and in total."""
    decisions, scores = limits.decisions, limits.scores
    return (decisions.per_hour, scores.per_hour), (decisions.total, scores.total)


def _left(counted: Counted, most: int, limits: tuple[int | None, int | None]) -> int:
    return max(0, int((1 - counted.share(*limits)) * most))
