"""Verification and identification with pictures whose template is known: who matches, who is refused, what is stored.

Answers for `privis.estimators.faces.face_comparison`, `privis.estimators.faces.verifier`,
`privis.estimators.faces.identifier`, `privis.estimators.faces.template_matching`,
`privis.estimators.faces.template_protection` and `privis.estimators.faces.shipped_calibration`.
"""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Iterator, Sequence
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

import privis
from privis.errors import ImageError, ParameterError
from privis.estimators.faces import face_comparison
from privis.estimators.faces.face_comparison import FaceComparison, SeveralFacesWarning
from privis.estimators.faces.shipped_calibration import shipped_calibration
from privis.estimators.faces.template_matching import ClearMatcher, HeldTemplates
from privis.extraction.faces.face_networks import dense_sift, has_face_networks, sface
from privis.extraction.faces.face_templates import RefusedFace
from privis.identity import identity
from privis.io.face_gallery import FaceGallery, TemplateProtection
from privis.tasks.faces import FindingKind
from privis.tasks.matches import Matches
from privis.tasks.questions import AllAbove, Question
from privis.tasks.verification import CalibrationTable
from tests.estimators.faces.painted_faces import EXTRACTOR, Framed, impostors, picture, strips

TODAY = date(2026, 11, 30)


@pytest.fixture(scope="module")
def table() -> CalibrationTable:
    return impostors()


def test_two_pictures_of_a_person_match_and_of_two_do_not(table: CalibrationTable) -> None:
    verifier = privis.Verifier(EXTRACTOR, 0.01, table)
    same, other = verifier.verify(picture(1), picture(1, 1), score=True), verifier.verify(picture(1), picture(2))
    assert (same.match, same.undecided, same.fmr) == (True, False, 0.01) and same.score is not None and same.score > 0.9
    assert (other.match, other.undecided, other.score) == (False, False, None)
    several = verifier.verify([picture(1), picture(1, 2)], picture(1, 1), score=True)
    assert several.match and several.score is not None and several.score > same.score


def test_the_threshold_is_that_of_the_rate_and_of_the_gap(table: CalibrationTable) -> None:
    verifier = privis.Verifier(EXTRACTOR, 0.01, table)
    threshold, gap = verifier.threshold(32)
    assert threshold == table.threshold(0.01, gap) and gap == ClearMatcher().gap(32, 1)
    with pytest.raises(ParameterError, match=r"at least 0\.0017"):
        privis.Verifier(EXTRACTOR, 1e-4, table).verify(picture(1), picture(1, 1))
    with pytest.raises(ParameterError, match="no calibration table of this embedding"):
        privis.Verifier(EXTRACTOR, 0.01).verify(picture(1), picture(1, 1))
    for wrong in (0, 1, True, "fmr", float("nan")):
        with pytest.raises(ParameterError, match="a false-match rate between 0 and 1"):
            privis.Verifier(EXTRACTOR, wrong, table)  # type: ignore[arg-type]
    other = dataclasses.replace(table, embedding=bytes(32))
    with pytest.raises(ParameterError, match="a table of tiles"):
        privis.Verifier(EXTRACTOR, 0.01, other)
    with pytest.raises(ParameterError, match="a FaceTemplateExtractor"):
        privis.Verifier(strips(), 0.01)  # type: ignore[arg-type]


def test_rounding_moves_no_cosine_beyond_the_gap() -> None:
    rows = np.random.default_rng(0).normal(size=(200, 128))
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    with ClearMatcher().holding(rows) as held:
        cosines = held.ask(privis.tasks.Top(200, score=True), rows).cosines
    assert cosines is not None
    moved = np.abs(np.sort(rows @ rows.T, axis=1)[:, ::-1] - cosines).max()
    assert 0 < moved <= ClearMatcher().gap(128, 200)


def test_all_that_is_wrong_with_both_pictures_is_said(table: CalibrationTable) -> None:
    with pytest.raises(ImageError) as caught:
        privis.Verifier(EXTRACTOR, 0.01, table).verify(np.zeros((99, 99, 3), np.uint8), np.zeros((0, 4), np.uint8))
    assert len(caught.value.problems) == 2
    with pytest.raises(ImageError, match="a face without any detail"):
        privis.Verifier(EXTRACTOR, 0.01, table).verify(np.full((112, 112, 3), 128, np.uint8), picture(1))


def enrolled(identifier: privis.Identifier, gallery: FaceGallery | None, *pictures: tuple[str, Any], **more: Any):  # type: ignore[no-untyped-def]
    prepared = identifier.prepared([image for _, image in pictures], [subject for subject, _ in pictures])
    return identifier.enrolled(gallery, prepared, today=TODAY, **more)


def test_people_are_enrolled_and_found(table: CalibrationTable) -> None:
    identifier = privis.Identifier(EXTRACTOR, 0.01, table)
    done = enrolled(identifier, None, ("ann", picture(1)), ("bob", picture(2)), ("ann", picture(1, 1)))
    assert (done.subjects, done.images, done.new, done.refused) == (("ann", "bob"), 3, 3, {})
    again = enrolled(identifier, done.gallery, ("ann", picture(1)), ("cy", picture(3)))
    assert (again.subjects, again.images, again.new) == (("ann", "cy"), 2, 1), "an image counts once"
    assert np.array_equal(again.gallery.templates[:2], done.gallery.templates)
    probes = [picture(2, 5), np.zeros((99, 99), np.uint8), picture(9), picture(3, 1)]
    bob, dark, nobody, cy = identifier.identify(again.gallery, probes, today=TODAY)
    assert isinstance(dark, RefusedFace) and "image 1" in str(dark.error)
    assert not isinstance(bob, RefusedFace) and (bob.subject, bob.undecided, bob.people) == ("bob", False, 3)
    assert not isinstance(nobody, RefusedFace) and (nobody.subject, nobody.undecided) == (None, False)
    assert not isinstance(cy, RefusedFace) and cy.subjects == ("cy",)
    alone = identifier.identify(again.gallery, [np.zeros((99, 99), np.uint8)], today=TODAY)
    assert isinstance(alone[0], RefusedFace)


def test_one_picture_against_one_person_of_a_gallery(table: CalibrationTable) -> None:
    identifier = privis.Identifier(EXTRACTOR, 0.01, table)
    gallery = enrolled(identifier, None, ("ann", picture(1)), ("bob", picture(2)), retain_until=TODAY).gallery
    same = identifier.verify(gallery, " ann", picture(1, 1), score=True, today=TODAY)
    assert same.match and same.score is not None and same.score > 0.9
    other = identifier.verify(gallery, "bob", picture(1, 1), today=TODAY)
    assert (other.match, other.undecided, other.score) == (False, False, None)
    with pytest.raises(ParameterError, match="subject 'eve': got nobody"):
        identifier.verify(gallery, "eve", picture(1), today=TODAY)
    mixed = enrolled(identifier, gallery, ("cy", picture(3)), retain_until=date(2027, 1, 1)).gallery
    with pytest.raises(ParameterError, match="one whose retention has ended"):
        identifier.verify(mixed, "ann", picture(1), today=date(2026, 12, 1))
    with pytest.raises(ImageError, match="no face"):
        identifier.verify(gallery, "ann", np.zeros((99, 99), np.uint8), today=TODAY)


def test_many_pictures_are_a_few_at_a_time(table: CalibrationTable, monkeypatch: pytest.MonkeyPatch) -> None:
    comparison, shares = FaceComparison(EXTRACTOR, 0.01, table), list[float]()
    images = [picture(1), np.zeros((99, 99), np.uint8), picture(2), picture(3), np.zeros((98, 99), np.uint8)]
    whole = comparison.vectors(images)
    monkeypatch.setattr(face_comparison, "LOT", 2)
    parts = comparison.vectors(images, shares.append)
    assert np.allclose(whole.rows, parts.rows, atol=1e-6) and parts.places.tolist() == [0, 2, 3]
    assert shares == [0.4, 0.8, 1.0] and "image 4" in str(parts.refused[4].error)


def test_several_faces_are_told_of(table: CalibrationTable) -> None:
    identifier = privis.Identifier(EXTRACTOR, 0.01, table)
    two = np.concatenate([picture(1), picture(2)], 1)
    with pytest.warns(SeveralFacesWarning, match="the one in the middle is taken: image 1; cut out"):
        done = enrolled(identifier, None, ("ann", picture(1, 1)), ("cy", two))
    assert done.subjects == ("ann", "cy")
    strict = dataclasses.replace(EXTRACTOR, refused=frozenset({FindingKind.SEVERAL_FACES}))
    with pytest.raises(ImageError, match="another face"):
        privis.Verifier(strict, 0.01, table).verify(two, picture(1))


def test_ids_are_those_of_people(table: CalibrationTable) -> None:
    identifier = privis.Identifier(EXTRACTOR, 0.01, table)
    done = enrolled(identifier, None, ("ann", picture(1)), (" ann\t", picture(1, 1)))
    assert done.subjects == ("ann",)
    with pytest.warns(privis.subjects.SubjectWarning, match="'ann' and 'Ann'|'Ann' and 'ann'"):
        enrolled(identifier, done.gallery, ("Ann", picture(1, 2)))
    for wrong in ("nan", "a\nb", "", None, "NULL"):
        with pytest.raises(ParameterError, match=r"subjects\[0\]"):
            identifier.prepared([picture(1)], [wrong])
    with pytest.raises(ParameterError, match="one for each image"):
        identifier.prepared([picture(1)], ["ann", "bob"])


def test_one_image_of_two_people_is_refused(table: CalibrationTable) -> None:
    identifier = privis.Identifier(EXTRACTOR, 0.01, table)
    done = enrolled(identifier, None, ("ann", picture(1)), ("bob", picture(1)), ("bob", picture(2)))
    assert done.subjects == ("bob",) and sorted(done.refused) == [0, 1], "nobody knows whose it is"
    assert "'ann' and 'bob'" in str(done.refused[0].error)
    later = enrolled(identifier, done.gallery, ("eve", picture(2)), ("eve", picture(5)))
    assert sorted(later.refused) == [0] and "enrolled as 'bob'" in str(later.refused[0].error)
    none = enrolled(identifier, done.gallery, ("eve", picture(2)))
    assert none.gallery is done.gallery and none.images == 0


def test_galleries_that_cannot_answer(table: CalibrationTable) -> None:
    identifier = privis.Identifier(EXTRACTOR, 0.01, table)
    with pytest.raises(ParameterError, match="got nobody"):
        identifier.identify(identifier.empty_gallery(), [picture(1)])
    done = enrolled(identifier, None, ("ann", picture(1)), retain_until=TODAY)
    assert identifier.identify(done.gallery, [picture(1, 1)], today=TODAY)[0].subject == "ann"  # type: ignore[union-attr]
    with pytest.raises(ParameterError, match="1 people whose retention has ended"):
        identifier.identify(done.gallery, [picture(1)], today=date(2026, 12, 1))
    foreign = FaceGallery(bytes(32), "another")
    for act in (
        lambda: identifier.identify(foreign, [picture(1)]),
        lambda: enrolled(identifier, foreign, ("a", picture(1))),
    ):
        with pytest.raises(ParameterError, match="got templates of another"):
            act()
    full = dataclasses.replace(done.gallery, limit=1)
    with pytest.raises(ParameterError, match="at most 1, its limit"):
        enrolled(identifier, full, ("bob", picture(2)))
    released = dataclasses.replace(done.gallery, guarantee={"epsilon": 1})
    with pytest.raises(ParameterError, match="--release"):
        identifier.identify(released, [picture(1)], today=TODAY)


class Turned:
    """A transform: components in another order."""

    def __init__(self, seed: int) -> None:
        self.order = np.random.default_rng(seed).permutation(32)

    def embedding(self, plain: bytes) -> bytes:
        return identity((plain, self.order))

    def network(self, plain: str) -> str:
        return f"{plain}, turned"

    def protection(self, plain: bytes, network: str) -> TemplateProtection:
        return TemplateProtection("order/1", "", plain.hex(), network)

    def record(self, record: str) -> str:
        return record[::-1]

    def transformed(self, vectors: NDArray[Any]) -> NDArray[Any]:
        return vectors[:, self.order]

    def calibrated(self, table: CalibrationTable) -> CalibrationTable:
        return dataclasses.replace(table, embedding=self.embedding(table.embedding))


class Rounded:
    """A release in form only: templates are rounded."""

    def require(self, gallery: FaceGallery, where: str) -> None:
        assert gallery.guarantee == {"epsilon": 8}

    def enrolled(
        self,
        gallery: FaceGallery,
        subjects: Sequence[str],
        records: Sequence[str],
        vectors: NDArray[Any],
        today: date,
        retain_until: date | None = None,
    ) -> FaceGallery:
        people = list(dict.fromkeys(subjects))
        rows = [np.mean([row for row, s in zip(vectors, subjects, strict=True) if s == who], 0) for who in people]
        counts = [subjects.count(who) for who in people]
        return gallery.with_released(people, counts, np.round(rows, 1), {"epsilon": 8}, today, retain_until)

    def reference(self, vectors: NDArray[Any], records: Sequence[str]) -> NDArray[Any]:
        assert len(records) == len(vectors)
        return np.round(vectors.mean(0), 1)

    def calibrated(self, table: CalibrationTable, components: int) -> CalibrationTable:
        assert components == 32
        return dataclasses.replace(table, source="rounded")


class Coarse(ClearMatcher):
    """A matcher that leaves all inside a wide gap undecided, and names nobody there."""

    def gap(self, components: int, templates: int) -> float:
        return 0.05

    def identification(self, count: int, threshold: float, gap: float) -> Question:
        return AllAbove(threshold, count, gap)

    @contextlib.contextmanager
    def holding(self, templates: NDArray[Any]) -> Iterator[HeldTemplates]:
        class Held:
            def ask(self, question: Question, queries: NDArray[Any], claims: Sequence[int] | None = None) -> Matches:
                exact = queries @ np.transpose(templates)
                made = privis.tasks.match(question, queries, templates, claims=claims)
                near = privis.tasks.near_threshold(question, exact).any(1)
                assert made.decisions is not None
                return dataclasses.replace(made, decisions=np.where(near, 2, made.decisions).astype(np.int8))

        yield Held()


def test_matcher_transform_and_release_have_their_places(table: CalibrationTable) -> None:
    identifier = privis.Identifier(EXTRACTOR, 0.01, table, Coarse(), Turned(1), Rounded())
    assert isinstance(identifier, FaceComparison) and identifier.network == "tiles, turned"
    done = enrolled(identifier, None, ("ann", picture(1)), ("ann", picture(1, 1)), ("bob", picture(2)))
    assert done.gallery.guarantee == {"epsilon": 8} and done.gallery.people[0].images == 2
    assert identifier.identify(done.gallery, [picture(2, 4)], today=TODAY)[0].subject == "bob"  # type: ignore[union-attr]
    assert identifier.threshold(32)[0] == table.threshold(0.01, 0.05)
    other = dataclasses.replace(identifier, transform=Turned(2))
    with pytest.raises(ParameterError, match="got templates of tiles, turned"):
        other.identify(done.gallery, [picture(2)], today=TODAY)
    verifier = privis.Verifier(EXTRACTOR, 0.01, table, Coarse(), Turned(1), Rounded())
    assert verifier.verify([picture(1), picture(1, 1)], picture(1, 2)).match


def test_what_is_undecided_is_no_match(table: CalibrationTable) -> None:
    verifier = privis.Verifier(EXTRACTOR, 0.01, table, Wide())
    answer = verifier.verify(picture(1), picture(1, 1))
    assert (answer.match, answer.undecided) == (False, True)
    identifier = privis.Identifier(EXTRACTOR, 0.01, table, Wide())
    done = enrolled(identifier, None, ("ann", picture(1)))
    found = identifier.identify(done.gallery, [picture(1, 1)], today=TODAY)[0]
    assert not isinstance(found, RefusedFace) and (found.subject, found.undecided) == (None, True)


class Wide(Coarse):
    """One that decides nothing near 1."""

    def gap(self, components: int, templates: int) -> float:
        return 0.4


def test_shipped_tables_are_those_of_the_defaults() -> None:
    """They hang on the identity of the embedding: another network, or another place of landmarks, has none."""
    sift = privis.FaceTemplateExtractor(Framed(), dense_sift())
    found = shipped_calibration(sift.embedding_identity)
    assert found is not None and (found.people, found.pairs) == (51, 52_596)
    assert privis.Verifier(sift, 1e-4).threshold(4608)[0] > 0.89
    folder = Path(privis.__file__).parent / "estimators" / "faces" / "calibration"
    tables = {path.stem: CalibrationTable.load(path) for path in folder.glob("*.json")}
    assert sorted(tables) == ["dense_sift", "sface"] and all("Yale" in table.source for table in tables.values())
    for table in tables.values():
        with pytest.raises(ParameterError, match=r"at least 5\.7e-05"):
            table.threshold(1e-5)
    if has_face_networks():
        embedding = privis.FaceTemplateExtractor(Framed(), sface()).embedding_identity
        assert embedding == tables["sface"].embedding
