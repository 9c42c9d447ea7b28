"""Templates under differential privacy: charged once, drawn once, refused whole, and with a threshold of their own.

Answers for `privis.estimators.faces.released_templates`.
"""

from __future__ import annotations

import json
from datetime import date
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from privis.errors import BudgetError, ParameterError
from privis.estimators.faces.released_templates import ReleasedTemplates, release_of
from privis.io.face_gallery import FaceGallery
from privis.privacy import Budget, FileLedger, PrivUnit, ReleaseKey
from privis.privacy.ledger.budget import BudgetUnit
from privis.tasks.cosine_matching import match
from privis.tasks.questions import Top
from privis.tasks.verification import CalibrationTable, clopper_pearson

TODAY = date(2026, 11, 30)
KEY = ReleaseKey(bytes(range(32)))
EMPTY = FaceGallery(bytes(32), "example")
COMPONENTS = 32


def vectors(people: int, images: int = 2, seed: int = 0) -> tuple[list[str], list[str], NDArray[np.float64]]:
    """Subjects, records and templates of made-up people; fewer of them are the first of more."""
    rows = np.zeros((people, images, COMPONENTS))
    for person in range(people):
        random = np.random.default_rng((seed, person))
        rows[person] = random.normal(size=COMPONENTS) + random.normal(scale=0.4, size=(images, COMPONENTS))
    names = [f"p{n}" for n in range(people) for _ in range(images)]
    rows = rows.reshape(-1, COMPONENTS)
    return names, [f"{seed}-{n}" for n in range(len(names))], rows / np.linalg.norm(rows, axis=1, keepdims=True)


@pytest.fixture
def ledger(tmp_path: Path) -> FileLedger:
    return FileLedger.create(tmp_path / "people.ledger", Budget(16.0, 1e-9, unit=BudgetUnit.PERSON))


def test_a_person_is_charged_once_for_all_images(ledger: FileLedger) -> None:
    release = ReleasedTemplates(16.0, KEY, ledger)
    gallery = release.enrolled(EMPTY, *vectors(3, images=4), TODAY)
    assert gallery.subjects == ("p0", "p1", "p2") and [person.images for person in gallery.people] == [4, 4, 4]
    assert all(not person.records for person in gallery.people), "ids of hidden images are not told"
    assert [(ledger.spent(f"p{n}").epsilon, ledger.spent(f"p{n}").charges) for n in range(3)] == [(16.0, 1)] * 3
    assert gallery.guarantee is not None and gallery.guarantee["epsilon"] == 16.0
    assert "all enrolled images of one person" in gallery.guarantee["sentence"]


def test_what_a_killed_run_charged_is_drawn_again_as_it_was_and_costs_nothing(ledger: FileLedger) -> None:
    """Killed between the charge and the write, the same command ends what it began."""
    release = ReleasedTemplates(16.0, KEY, ledger)
    lost, found = (release.enrolled(EMPTY, *vectors(2), TODAY) for _ in range(2))
    assert np.array_equal(lost.templates, found.templates) and ledger.spent("p0").charges == 1


def test_nothing_is_drawn_again_for_somebody_who_is_enrolled(ledger: FileLedger) -> None:
    release = ReleasedTemplates(8.0, KEY, ledger)
    gallery = release.enrolled(EMPTY, *vectors(2), TODAY)
    for subjects, records, rows in (vectors(2), vectors(2, seed=1), vectors(3)):
        with pytest.raises(ParameterError, match="one that is enrolled"):
            release.enrolled(gallery, subjects, records, rows, TODAY)
    assert ledger.spent("p0").charges == 1 and ledger.spent("p2").charges == 0


def test_removing_somebody_gives_no_budget_back(ledger: FileLedger) -> None:
    release = ReleasedTemplates(16.0, KEY, ledger)
    gallery = release.enrolled(EMPTY, *vectors(2), TODAY)
    without = gallery.without(["p0"])
    names, records, rows = vectors(1)
    again = release.enrolled(without, names, records, rows, TODAY)
    assert np.array_equal(again.templates[-1], gallery.templates[0]), "the same images: the same template, for nothing"
    with pytest.raises(BudgetError, match="p0"):
        release.enrolled(without, *vectors(1, seed=1), TODAY)
    with pytest.raises(BudgetError, match="p0"):
        release.enrolled(
            without, names[:1], records[:1], rows[:1], TODAY
        )  # one of the images alone is another question
    with pytest.raises(BudgetError, match="p0"):
        ReleasedTemplates(16.0, ReleaseKey.generate(), ledger).enrolled(without, names, records, rows, TODAY)
    assert ledger.spent("p0").charges == 1


def test_an_exhausted_ledger_names_the_people_and_leaves_the_gallery(ledger: FileLedger) -> None:
    gallery = ReleasedTemplates(12.0, KEY, ledger).enrolled(EMPTY, *vectors(1), TODAY)
    with pytest.raises(BudgetError, match="p0") as caught:
        ReleasedTemplates(12.0, KEY, ledger).enrolled(EMPTY, *vectors(3, seed=2), TODAY)
    assert "p1" not in str(caught.value) and gallery.subjects == ("p0",)
    more = ReleasedTemplates(12.0, KEY, ledger).enrolled(gallery, *(part[2:] for part in vectors(3, seed=2)), TODAY)
    assert more.subjects == ("p0", "p1", "p2"), "the others go on, with what they were charged"
    assert ledger.spent("p1").charges == 1


def test_nothing_is_charged_for_what_the_gallery_cannot_take(ledger: FileLedger) -> None:
    exact = EMPTY.with_images(*vectors(1, seed=3), TODAY)
    other = ReleasedTemplates(8.0, KEY).enrolled(EMPTY, *vectors(1, seed=3), TODAY)
    full = FaceGallery(bytes(32), "example", limit=1)
    release = ReleasedTemplates(16.0, KEY, ledger)
    for gallery, words in ((exact, "exact templates"), (other, "epsilon"), (full, "at most 1")):
        with pytest.raises(ParameterError, match=words):
            release.enrolled(gallery, *vectors(2), TODAY)
    with pytest.raises(ParameterError, match="key"):
        ReleasedTemplates(16.0, None, ledger).enrolled(EMPTY, *vectors(2), TODAY)
    assert ledger.spent("p0").charges == 0


def test_scores_are_asked_only_of_a_gallery_of_the_very_release() -> None:
    release = ReleasedTemplates(16.0, KEY)
    gallery = release.enrolled(EMPTY, *vectors(2), TODAY)
    release.require(gallery, "gallery")
    for other in (ReleasedTemplates(8.0), ReleasedTemplates(16.0, border=1.0)):
        with pytest.raises(ParameterError, match="PrivUnit"):
            other.require(gallery, "gallery")
    with pytest.raises(ParameterError, match="exact"):
        release.require(EMPTY.with_images(*vectors(1), TODAY), "gallery")


def test_a_gallery_tells_its_release(tmp_path: Path) -> None:
    release = ReleasedTemplates(16.0, KEY)
    gallery = release.enrolled(EMPTY, *vectors(2), TODAY)
    (tmp_path / "g").write_bytes(gallery.to_bytes())
    read = FaceGallery.load(tmp_path / "g")
    found = release_of(read)
    assert found is not None and found.noise == release.noise and release_of(EMPTY) is None
    assert "secret" not in repr(release) and "ReleaseKey" not in repr(release)
    more = release.enrolled(read, *(part[4:] for part in vectors(3)), TODAY)
    assert more.subjects == ("p0", "p1", "p2"), "a gallery that was read takes more people of its release"
    broken = json.loads(json.dumps(dict(read.guarantee or {}))) | {"release": {"mechanism": "of tomorrow"}}
    with pytest.raises(ParameterError, match="unknown release"):
        release_of(FaceGallery(bytes(32), "example", read.people, read.templates, broken))


def test_a_reference_is_released_with_the_account_of_its_images(ledger: FileLedger) -> None:
    release = ReleasedTemplates(8.0, KEY, ledger)
    _, records, rows = vectors(1)
    one, again = (release.reference(rows[:1], records[:1]) for _ in range(2))
    assert np.array_equal(one, again) and ledger.spent(records[0]).charges == 1
    both = release.reference(rows, records)
    assert not np.array_equal(both, one) and both.shape == (COMPONENTS,)


@pytest.mark.parametrize("epsilon", [8.0, 32.0])
def test_two_people_match_at_the_rate_that_was_stated(epsilon: float) -> None:
    """Thresholds of exact scores would be wrong; the table of released ones is checked on people it never saw."""
    release = ReleasedTemplates(epsilon, KEY)
    names, _, rows = vectors(120, images=1, seed=5)
    exact = CalibrationTable.of_templates(bytes(32), "example", "made up", rows, names)
    table = release.calibrated(exact, COMPONENTS)
    assert table.pairs == exact.pairs and table.embedding != exact.embedding
    assert f"released by PrivUnit(epsilon={epsilon}, border=0.96)" in table.network
    threshold = table.threshold(0.02)
    gallery = release.enrolled(EMPTY, *vectors(60, images=1, seed=6), TODAY)
    stored = gallery.templates / np.linalg.norm(gallery.templates, axis=1, keepdims=True)
    probes, whose = vectors(60, images=3, seed=7)[2], np.repeat(np.arange(60), 3)
    cosines = probes @ stored.T  # seeds differ: nobody is anybody's
    matched = int((cosines >= threshold).sum())
    assert clopper_pearson(matched, cosines.size)[0] <= 0.02, (matched, cosines.size)
    assert matched / cosines.size > 0.005, "nor is the threshold far too strict"
    assert len(whose) == len(probes)


def test_a_calibration_is_the_same_every_time_and_rests_on_no_more_pairs_than_there_are() -> None:
    exact = CalibrationTable.of_templates(bytes(32), "example", "made up", *reversed_(vectors(40, images=1)))
    release = ReleasedTemplates(16.0)
    first = release.calibrated(exact, COMPONENTS)
    second = ReleasedTemplates(16.0).calibrated(
        CalibrationTable.of_templates(bytes(32), "example", "made up", *reversed_(vectors(40, images=1))), COMPONENTS
    )
    assert np.array_equal(first.counts, second.counts)
    with pytest.raises(ParameterError, match="impostor pairs"):
        first.threshold(1e-4)
    alike = CalibrationTable(bytes(32), "example", "one pair", 2, np.eye(1, 2000, 1999).astype(int)[0])
    many = CalibrationTable(bytes(32), "example", "many pairs", 2, np.full(2000, 10_000))
    assert release.calibrated(alike, 2).pairs == 1, "a pair that is one point has no orthogonal part"
    assert release.calibrated(many, COMPONENTS).pairs == 1 << 22


def reversed_(made: tuple[list[str], list[str], NDArray[np.float64]]) -> tuple[NDArray[np.float64], list[str]]:
    """Vectors and subjects, in the order of a table."""
    return made[2], made[0]


def test_released_templates_are_vectors_like_any_others_to_who_compares_them() -> None:
    """The comparison that encryption and shares are held to; their own tests take any vectors."""
    gallery = ReleasedTemplates(32.0, KEY).enrolled(EMPTY, *vectors(5), TODAY)
    found = match(Top(1, 0.3), vectors(5)[2][::2], gallery.templates)
    assert found.indices is not None and [int(row[0]) for row in found.indices] == [0, 1, 2, 3, 4]


def test_bad_words_are_all_named() -> None:
    with pytest.raises(ParameterError) as caught:
        ReleasedTemplates(-1.0, "release.key")  # type: ignore[arg-type]
    assert "epsilon" in str(caught.value) and "ReleaseKey" in str(caught.value)
    with pytest.raises(ParameterError, match="border"):
        ReleasedTemplates(1.0, border=1.5)
    assert PrivUnit(1.0, 0.5) != PrivUnit(1.0)
