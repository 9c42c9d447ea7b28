"""Attacks against a gallery of faces or a search index: what is listed here, ``privis attack`` offers."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from privis.attack.attack_finding import AttackFinding
from privis.cli.attack.attacked_table import pictures_of
from privis.cli.attack.offered_attack import Attacked, AttackOptions, OfferedAttack, Show
from privis.errors import ParameterError, Problem

if TYPE_CHECKING:
    from privis.attack.answers.gallery_answers import AttackedGallery
    from privis.estimators.search.search_index import SearchIndex
    from privis.io.face_gallery import FaceGallery
    from privis.tasks.verification import CalibrationTable

_LEAST_PEOPLE = 5
_LEAST_COMMON = 20
_SAME = 0.99999
"""Cosine from which on two vectors are of one picture."""
RATE = 1e-4
"""False-match rate of the threshold, which is that of ``privis face`` where nobody chooses."""


@dataclass(frozen=True, eq=False)
class KnownFaces:
    """Vectors of pictures that an attacker has, whose they are, and pictures that could not be used."""

    vectors: NDArray[np.float32]
    subjects: tuple[str, ...]
    failed: tuple[str, ...] = ()


def attacked_gallery(options: AttackOptions, show: Show) -> tuple[AttackedGallery, Attacked]:
    """A gallery of faces as somebody sees it who may ask it, and what to say of the pictures that he has.

    Raises:
        ParameterError: nobody is in it, or no calibration says what its threshold is.
    """
    from privis.attack.answers.gallery_answers import AttackedGallery
    from privis.attack.answers.template_prior import TemplatePrior
    from privis.io.face_gallery import FaceGallery
    from privis.privacy.answers.answer_limits import AnswerLimits

    gallery = FaceGallery.load(Path(options.against)).usable(date.today())
    if not gallery.people:
        remedy = "enrol people with privis face enrol"
        raise ParameterError(Problem(options.against, "nobody", "at least one person who may be recognised", remedy))
    components = gallery.templates.shape[1]
    calibration = _calibration(gallery)
    threshold = _estimated(gallery, options.against) if calibration is None else calibration.threshold(RATE)
    folder = options.public or options.known
    known, warnings = KnownFaces(np.zeros((0, components), np.float32), ()), []
    if calibration is None:
        warnings.append(
            f"no calibration of {gallery.network}: its threshold, {threshold:.2f}, is estimated from the gallery"
        )
    if folder is not None and gallery.protection is not None:
        warnings.append("pictures of others were not used: templates are under a key that the attacker does not have")
    elif folder is not None:
        known, enrolled = _others(_known_faces(folder, gallery, options, show), gallery)
        if enrolled:
            warnings.append(
                f"{enrolled:,} pictures of people who are in the gallery were left out: they are no guesses"
            )
    few = len(set(known.subjects)) < 3
    if few and known.subjects:
        warnings.append(
            "pictures of others were not used: they show fewer than three people who are not in the gallery"
        )
    prior = TemplatePrior.isotropic(components) if few else TemplatePrior.of_public(known.vectors, known.subjects)
    made = AttackedGallery(
        gallery.templates.astype(np.float64), threshold, RATE, prior, AnswerLimits.of_vectors(components),
        f"face gallery, {_protection(gallery)}", dict(gallery.guarantee or {}),
    )  # fmt: skip
    return made, Attacked((), warnings=tuple(warnings), failed=known.failed)


def _estimated(gallery: FaceGallery, where: str) -> float:
    """A threshold from the cosines of the gallery's own people, as if they were normal."""
    from scipy.special import ndtri

    rows = gallery.templates / np.linalg.norm(gallery.templates, axis=1, keepdims=True)
    cosines = (rows @ rows.T)[np.triu_indices(len(rows), 1)]
    if len(rows) < _LEAST_PEOPLE:
        got = f"templates of {gallery.network}, of which no calibration comes with Privis, of {len(rows)} people"
        raise ParameterError(Problem(where, got, f"at least {_LEAST_PEOPLE} people, whose scores say what is alike"))
    return float(np.clip(cosines.mean() - float(ndtri(RATE)) * cosines.std(), 0.05, 0.95))


def _calibration(gallery: FaceGallery) -> CalibrationTable | None:
    """Public scores of the gallery's network; None: none come with Privis."""
    from privis.estimators.faces.released_templates import release_of
    from privis.estimators.faces.shipped_calibration import shipped_calibration

    plain = gallery.embedding if gallery.protection is None else bytes.fromhex(gallery.protection.embedding)
    table = shipped_calibration(plain)
    release = release_of(gallery)
    return table if table is None or release is None else release.calibrated(table, gallery.templates.shape[1])


def _known_faces(folder: Path, gallery: FaceGallery, options: AttackOptions, show: Show) -> KnownFaces:
    """Vectors of pictures, by the networks that come with Privis."""
    from privis.cli.faces.face_words import FaceWords, identifier_of, warnings_in_words

    named = pictures_of(folder, options)
    identifier = identifier_of(FaceWords())
    gallery.require_embedding(identifier.embedding, identifier.network, options.against)
    with warnings_in_words():
        found = identifier.vectors(named.paths, show)
    subjects = tuple(named.subjects[int(place)] for place in found.places)
    failed = tuple(f"{named.paths[place]}: {why.problems[0]}" for place, why in found.refused.items() if why.problems)
    return KnownFaces(found.rows, subjects, failed)


def _others(known: KnownFaces, gallery: FaceGallery) -> tuple[KnownFaces, int]:
    """Without people who are in the gallery: a picture of somebody opens that person's template anyhow."""
    inside = set(gallery.subjects)
    rows = [row for row, name in enumerate(known.subjects) if name not in inside]
    names = tuple(known.subjects[row] for row in rows)
    return KnownFaces(known.vectors[rows], names, known.failed), len(known.subjects) - len(rows)


def _protection(gallery: FaceGallery) -> str:
    if gallery.guarantee is not None:
        return f"release=privunit epsilon={gallery.guarantee.get('epsilon', 0):g}"
    return "exact templates" if gallery.protection is None else "renewable templates"


def _answers(options: AttackOptions, show: Show) -> Iterator[Attacked]:
    """What somebody gets who may ask: from scores, from guesses, from decisions that begin with an accepted vector."""
    from privis.attack.answers.gallery_answers import guess_findings, score_findings, walk_findings

    gallery, told = attacked_gallery(options, lambda share: show(0.7 * share))
    yield Attacked(tuple(score_findings(gallery)), warnings=told.warnings, failed=told.failed)
    show(0.8)
    yield Attacked(tuple(guess_findings(gallery)))
    show(0.9)
    yield Attacked(tuple(walk_findings(gallery)))


def _unlinkability(options: AttackOptions, show: Show) -> Iterator[Attacked]:
    """Whether people of two galleries, under two keys or of two releases, are told to be the same."""
    from privis.attack.answers.unlinkability import unlinkability_findings
    from privis.file_formats import FileFormat, format_of
    from privis.io.face_gallery import FaceGallery

    assert options.release_of is not None
    found = format_of(options.release_of)
    if found is not FileFormat.FACE_GALLERY:
        raise ParameterError(Problem(f"--release-of {options.release_of}", str(found), str(FileFormat.FACE_GALLERY)))
    galleries = [FaceGallery.load(path) for path in (Path(options.against), options.release_of)]
    shapes = [gallery.templates.shape for gallery in galleries]
    common = set(galleries[0].subjects) & set(galleries[1].subjects)
    if shapes[0][1] != shapes[1][1] or len(common) < _LEAST_COMMON:
        got = f"{len(common)} people of the same id, templates of {shapes[0][1]} and {shapes[1][1]} components"
        expected = f"at least {_LEAST_COMMON} people who are in both, under the same ids, and one length"
        raise ParameterError(Problem(f"--release-of {options.release_of}", got, expected))
    against = f"two face galleries, {' and '.join(map(_protection, galleries))}"
    guarantee = dict(galleries[0].guarantee or {})
    subjects = (galleries[0].subjects, galleries[1].subjects)
    first, second = (gallery.templates for gallery in galleries)
    yield Attacked(tuple(unlinkability_findings(first, second, *subjects, against, guarantee)))


def _removed(options: AttackOptions, show: Show) -> Iterator[Attacked]:
    """Templates of people who were removed: of every picture, and of all pictures of a person together."""
    from privis.attack.erasure.erased_vectors import erased_vector_findings
    from privis.io.face_gallery import FaceGallery
    from privis.stores.erasure.gallery_erasure import GalleryErasure

    assert options.originals is not None
    path = Path(options.against)
    gallery = FaceGallery.load(path)
    if gallery.protection is not None:
        got, expected = "renewable templates", "exact ones, which can be made again without the key"
        raise ParameterError(Problem(f"erased, {path}", got, expected))
    found = _known_faces(options.originals, gallery, options, show)
    if not found.subjects:
        raise ParameterError(Problem(str(options.originals), "no usable face", "pictures of people who were removed"))
    names = np.asarray(found.subjects)
    means = [found.vectors[names == name].mean(0) for name in dict.fromkeys(found.subjects)]
    whole = [mean / np.linalg.norm(mean) for mean in means]
    rows = np.unique(np.vstack([found.vectors, whole, means]).astype(np.float32), axis=0)
    store, _ = GalleryErasure.of(path)
    places = [path, *sorted(each for each in path.parent.glob(f"*{path.name}*") if each != path)]
    findings = erased_vector_findings(rows, store.verify_erased, places, "face gallery")
    yield Attacked(tuple(findings), failed=found.failed)


def _erased(options: AttackOptions, show: Show) -> Iterator[Attacked]:
    """Vectors of erased pictures in an index."""
    from privis.attack.erasure.erased_vectors import erased_vector_findings
    from privis.cli.search.search_words import opened
    from privis.io.images.sources import find
    from privis.stores.erasure.residue_scanner import search_places
    from privis.stores.vector_store import Residue, ResidueSearch

    assert options.originals is not None
    folder = Path(options.against)
    index = opened(folder)
    rows = index.vectors(find([str(options.originals)]))
    show(0.5)

    def search(residue: Residue) -> ResidueSearch:
        inside = index.store.verify_erased(residue)
        beside = search_places(residue, [folder], lambda: index.store.rows())
        return ResidueSearch(
            inside.searched + beside.searched, inside.forms, inside.bytes + beside.bytes,
            tuple(dict.fromkeys(inside.remains + beside.remains)),
            tuple(dict.fromkeys(inside.unsearched + beside.unsearched)),
        )  # fmt: skip

    known = index.store.describe()
    against = f"search index in {known.kind}, {'sealed' if known.sealed else 'open'}"
    yield Attacked((*erased_vector_findings(rows, search, [folder], against), *_still_there(rows, index, against)))


def _still_there(rows: NDArray[np.float32], index: SearchIndex, against: str) -> Iterator[AttackFinding]:
    """Pictures that were never erased: their vectors are sealed, and whoever asks the index is answered with them."""
    asked = rows / np.linalg.norm(rows, axis=1, keepdims=True)
    there = np.zeros(len(rows), bool)
    for block in index.store.rows():
        kept = block.vectors / np.maximum(np.linalg.norm(block.vectors, axis=1, keepdims=True), 1e-30)
        there |= (asked @ kept.T >= _SAME).any(1)
    if there.any():
        hits = int(there.sum())
        yield AttackFinding.of_share(
            "erased", against, ("the erased vectors", "the keys of the index"), "vectors that the index still holds",
            hits, len(rows), chance=0.0,
            sentence=f"{hits} of {len(rows)} vectors are rows of the index, or equal to one: these pictures were not "
            "erased, or are there under another name.",
        )  # fmt: skip


GALLERY_ATTACKS: tuple[OfferedAttack, ...] = (
    OfferedAttack(
        "answers", "asks with vectors of its choice, and rebuilds templates from what is answered", (), _answers
    ),
    OfferedAttack("unlinkability", "tells who is in two galleries of other keys", ("--release-of",), _unlinkability),
    OfferedAttack("erased", "looks for templates of removed people in the files", ("--originals",), _removed),
)
INDEX_ATTACKS: tuple[OfferedAttack, ...] = (
    OfferedAttack("erased", "looks for vectors of erased pictures in the files", ("--originals",), _erased),
)
