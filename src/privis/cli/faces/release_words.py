"""From words to a release of stored templates, with its key and its ledger."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from privis.cli.release_files import ReleaseFiles
from privis.errors import ParameterError, Problem, refuse

if TYPE_CHECKING:
    from privis.estimators.faces.identifier import Identifier
    from privis.estimators.faces.released_templates import ReleasedTemplates
    from privis.estimators.faces.template_protection import TemplateRelease
    from privis.estimators.faces.verifier import Verifier
    from privis.io.face_gallery import FaceGallery

RELEASES = ("privunit",)


def release_named(
    name: str | None, epsilon: float | None, key: Path | None, ledger: Path | None
) -> ReleasedTemplates | None:
    """How stored templates are released; None: exactly; else ParameterError. A key that is not there yet is none."""
    from privis.estimators.faces.released_templates import ReleasedTemplates
    from privis.privacy import ReleaseKey
    from privis.privacy.ledger.file import FileLedger

    given = {"--epsilon": epsilon, "--key": key, "--ledger": ledger}
    problems = []
    if name is None:
        extra = [option for option, value in given.items() if value is not None]
        if extra:
            problems.append(Problem(", ".join(extra), "no --release", "--release privunit, which it is for"))
    elif name not in RELEASES:
        remedy = "privunit is the one for templates that are compared"
        problems.append(Problem("--release", repr(name), f"one of {', '.join(RELEASES)}", remedy))
    if name is not None and epsilon is None:
        remedy = "it is the budget for all images of a person together"
        problems.append(Problem("--epsilon", "nothing", "a number above 0, as in --epsilon 16", remedy))
    refuse(ParameterError, problems)
    if name is None or epsilon is None:
        return None
    secret = ReleaseKey.load(key) if key is not None and os.path.lexists(key) else None
    book = None if ledger is None else FileLedger(ledger)
    if book is not None:
        _ = book.budget  # a damaged one is refused before minutes go into templates
    return ReleasedTemplates(epsilon, secret, book)


def require_release(release: TemplateRelease | None, gallery: FaceGallery, where: str) -> None:
    """Refuse to enrol into a gallery of another release before minutes go into templates; ParameterError."""
    if release is not None:
        release.require(gallery, where)
    elif gallery.guarantee is not None:
        epsilon = gallery.guarantee.get("epsilon")
        remedy = f"name their release: --release {RELEASES[0]} --epsilon {epsilon:g}; or enrol into another gallery"
        raise ParameterError(Problem(where, "a gallery of released templates", "the release of new ones, too", remedy))


def knowing_release(identifier: Identifier, gallery: FaceGallery) -> Identifier:
    """Compare as the gallery's templates were released, where nobody named their release."""
    from privis.estimators.faces.released_templates import release_of

    return identifier if identifier.release is not None else replace(identifier, release=release_of(gallery))


def drawing_once(verifier: Verifier, key: Path | None) -> Verifier:
    """Give a release a key: that of the file, which is made if it is not there, or one for this comparison alone."""
    from privis.estimators.faces.released_templates import ReleasedTemplates
    from privis.privacy import ReleaseKey

    if not isinstance(verifier.release, ReleasedTemplates) or verifier.release.key is not None:
        return verifier
    secret = ReleaseKey.generate()
    if key is not None:
        secret.save(key)
    return replace(verifier, release=replace(verifier.release, key=secret))


@dataclass(frozen=True)
class EnrolmentFiles:
    """Where an enrolment keeps what noise is drawn from, and what was spent.

    As `ReleaseFiles` says of any release.

    Args:
        gallery: path of the gallery.
        key: path of a key to keep; None: one for this enrolment.
        ledger: path of a ledger; None: one beside the gallery, made with the first release.
    """

    gallery: Path
    key: Path | None
    ledger: Path | None

    @contextlib.contextmanager
    def drawing(self, identifier: Identifier, before: FaceGallery) -> Iterator[Identifier]:
        """Give the release of ``identifier`` its key and ledger while the gallery is held; without a release, nothing.

        Args:
            identifier: whose release draws.
            before: the gallery as it is.

        Yields:
            The identifier that enrols.
        """
        from privis.estimators.faces.released_templates import ReleasedTemplates
        from privis.privacy import BudgetUnit

        if not isinstance(identifier.release, ReleasedTemplates):
            yield identifier
            return
        identifier.release.require(before, str(self.gallery))
        files = ReleaseFiles(self.gallery, self.key, self.ledger)
        made = files.drawing(identifier.release.epsilon, BudgetUnit.PERSON, before.guarantee is not None)
        with made as (key, ledger):
            yield replace(identifier, release=replace(identifier.release, key=key, ledger=ledger))
