"""What is tried again when a worker is lost with a span."""

from __future__ import annotations

from dataclasses import dataclass

from privis.io.resumable.parts import Span
from privis.io.resumable.span_scheduler import MOST_LOSSES


@dataclass(frozen=True)
class Attempt:
    """A span, and how many workers were lost with it."""

    span: Span
    losses: int = 0

    def again(self) -> tuple[Attempt, ...]:
        """Give what to try: the span once more after a first loss, then its halves; a source several times.

        >>> Attempt(Span(0, 3)).again()
        (Attempt(span=Span(start=0, stop=3), losses=1),)
        >>> [half.span for half in Attempt(Span(0, 3), 1).again()]
        [Span(start=0, stop=1), Span(start=1, stop=3)]
        >>> Attempt(Span(0, 1), 2).again()
        (Attempt(span=Span(start=0, stop=1), losses=3),)
        >>> Attempt(Span(0, 1), 3).again()
        ()
        """
        losses = self.losses + 1
        if self.losses == 0 or len(self.span) == 1:
            return (Attempt(self.span, losses),) if losses < MOST_LOSSES else ()
        middle = (self.span.start + self.span.stop) // 2
        return Attempt(Span(self.span.start, middle), 1), Attempt(Span(middle, self.span.stop), 1)
