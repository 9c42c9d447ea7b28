"""``--keep-subject`` and ``--only-subject``: from words to what decides which faces stay."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from privis.cli.faces.face_options import HeadName
from privis.cli.faces.face_words import FaceWords, identifier_of
from privis.errors import ParameterError, Problem, refuse
from privis.estimators.redaction.subject_judge import SubjectJudge
from privis.io.face_gallery import FaceGallery
from privis.io.redaction_log import digest_of


@dataclass(frozen=True)
class SelectedSubjects:
    """What was typed of selected people.

    Args:
        keep: ids of people who stay while all others are painted.
        only: ids of people who are painted while others stay.
        gallery: that knows them.
        threshold: the false-match rate at which a face is theirs, as ``fmr:1e-4``.
    """

    keep: tuple[str, ...]
    only: tuple[str, ...]
    gallery: Path | None
    threshold: str

    def check(self, faces: bool) -> None:
        """Refuse words that do not fit together, before any network is read.

        Raises:
            ParameterError: naming all of them.
        """
        problems = []
        named = [option for option, ids in (("--keep-subject", self.keep), ("--only-subject", self.only)) if ids]
        if len(named) > 1:
            problems.append(Problem(" and ".join(named), "both", "one of them", "run the command twice"))
        for option in named:
            if not faces:
                problems.append(Problem(option, "no --faces", "--faces, by which people are known"))
            if self.gallery is None:
                remedy = "privis face enrol makes one"
                problems.append(Problem(option, "no --gallery", "a gallery that knows them", remedy))
        if self.gallery is not None and not named:
            expected = "--keep-subject or --only-subject beside it"
            problems.append(Problem("--gallery", str(self.gallery), expected))
        refuse(ParameterError, problems)

    def judge(self, detector: str | None, head: HeadName) -> SubjectJudge | None:
        """Build what decides; None where nobody is selected.

        Raises:
            ParameterError: the gallery cannot be read, is of another network, or does not know somebody.
        """
        if self.gallery is None:
            return None
        words = FaceWords(None if detector is None else Path(detector), head, threshold=self.threshold)
        known = FaceGallery.load(self.gallery)
        identifier = identifier_of(words)
        known.require_embedding(identifier.embedding, identifier.network, str(self.gallery))
        return SubjectJudge(identifier, known, frozenset(self.keep or self.only), bool(self.keep))

    def settings(self) -> dict[str, Any]:
        """What decides what is painted, for the log; empty where nobody is selected."""
        if self.gallery is None:
            return {}
        try:
            gallery = digest_of(self.gallery)
        except OSError as error:
            got = f"{self.gallery} ({error.strerror})"
            raise ParameterError(Problem("--gallery", got, "a gallery of privis face enrol")) from None
        return {"keep": sorted(self.keep), "only": sorted(self.only), "gallery": gallery, "rate": self.threshold}
