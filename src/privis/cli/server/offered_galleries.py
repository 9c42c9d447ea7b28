"""Galleries that ``privis serve`` offers: decisions at a threshold, or every cosine where that is asked for by name."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from privis.cli.files.stored_templates import stored_templates
from privis.errors import ParameterError, Problem

if TYPE_CHECKING:
    from privis.serve.offerings.offering import MakeOffering

DEFAULT_GAP = 0.05


@dataclass(frozen=True)
class MatchingAnswers:
    """What galleries answer with.

    Args:
        threshold: smallest cosine that is accepted, compared under encryption.
        gap: distance from it inside which a template may be undecided; None: `DEFAULT_GAP`.
        scores: whether clients are told every cosine instead.
    """

    threshold: float | None = None
    gap: float | None = None
    scores: bool = False

    def problems(self, galleries: int) -> list[Problem]:
        """What does not fit, with so many galleries."""
        given = self.threshold is not None or self.gap is not None or self.scores
        if not galleries:
            got = "no gallery"
            expected = "--gallery or --encrypted-gallery that they are about"
            return [Problem("--threshold, --gap, --scores", got, expected)] if given else []
        if self.scores and (self.threshold is not None or self.gap is not None):
            return [Problem("--scores", "with --threshold or --gap", "one of them: scores are not decided")]
        if not self.scores and self.threshold is None:
            remedy = "or --scores, which tells clients every cosine: as many as there are components are a template"
            return [Problem("--gallery", "no threshold", "--threshold COSINE, decided under encryption", remedy)]
        return []

    def gallery(self, path: Path, name: str) -> MakeOffering:
        """The server's own templates, of a table or of a gallery of faces."""
        from privis.serve.offerings.decision_offerings import OfferDecisions
        from privis.serve.offerings.gallery_offerings import OfferGallery

        found = stored_templates(path)
        size = f"{len(found.names):,} templates of {found.vectors.shape[1]} components"
        if self.threshold is None:
            return OfferGallery(name, f"cosines with {size}", found.names, found.vectors)
        threshold, gap = self._decided()
        summary = f"{self._said} {size}"
        known = {"embedding": found.embedding, "released": found.released}
        return OfferDecisions(name, summary, found.names, found.vectors, threshold, gap, **known)

    def encrypted(self, size: str, name: str | None) -> MakeOffering:
        """Room for templates of clients, TEMPLATESxCOMPONENTS."""
        from privis.run.he.matching.decision_specification import DecisionSpec
        from privis.serve.offerings.decision_offerings import OfferEncryptedDecisions
        from privis.serve.offerings.gallery_offerings import OfferEncryptedGallery

        found = re.fullmatch(r"(\d{1,9})x(\d{1,9})", size)
        if found is None:
            expected = "TEMPLATESxCOMPONENTS, as in 10000x512"
            raise ParameterError(Problem("--encrypted-gallery", repr(size), expected))
        templates, dimension = map(int, found.groups())
        named, most = name or f"encrypted-{size}", f"up to {templates:,} templates of {dimension} components"
        if self.threshold is None:
            return OfferEncryptedGallery(named, f"cosines with {most}, encrypted by you", dimension, templates)
        threshold, gap = self._decided()
        spec = DecisionSpec(dimension, threshold, gap, templates, encrypted=True)
        return OfferEncryptedDecisions(named, f"{self._said} {most}, encrypted by you", spec)

    def _decided(self) -> tuple[float, float]:
        assert self.threshold is not None
        return self.threshold, DEFAULT_GAP if self.gap is None else self.gap

    @property
    def _said(self) -> str:
        threshold, gap = self._decided()
        return f"decisions at cosine {threshold:g}, undecided at most within {gap:g}, about"
