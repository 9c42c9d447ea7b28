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
from privis.estimators.faces import released_templates
from privis.estimators.faces.matchers.encrypted_matching import EncryptedMatcher
from privis.estimators.faces.matchers.joint_matching import JointMatcher
from privis.estimators.faces.released_templates import ReleasedTemplates, release_of
from privis.io.face_gallery import FaceGallery
from privis.privacy import Budget, FileLedger, PrivUnit, ReleaseKey
from privis.privacy.ledger.budget import BudgetUnit
from privis.run.mpc.protocols import MPCProtocol
from privis.tasks.questions import Top
from privis.tasks.verification import CalibrationTable

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
    """The table of released scores is checked on people it never saw; that of exact ones would be wrong."""
    release = ReleasedTemplates(epsilon, KEY)
    names, _, rows = alike(120, 5)
    exact = CalibrationTable.of_templates(bytes(32), "example", "made up", rows, names)
    table = release.calibrated(exact, COMPONENTS)
    assert table.pairs == exact.pairs and table.embedding != exact.embedding
    assert f"released by PrivUnit(epsilon={epsilon}, border=0.96)" in table.network
    threshold = table.threshold(0.02)
    gallery = release.enrolled(EMPTY, *alike(60, 6), TODAY)
    stored = gallery.templates / np.linalg.norm(gallery.templates, axis=1, keepdims=True)
    cosines = alike(180, 7)[2] @ stored.T  # seeds differ: nobody is anybody's
    matched = int((cosines >= threshold).sum())
    assert 0.01 < matched / cosines.size < 0.03, (matched, cosines.size)
    assert (cosines >= exact.threshold(0.02)).mean() < 0.005, "with the table of exact scores nobody would match"


def alike(people: int, seed: int) -> tuple[list[str], list[str], NDArray[np.float64]]:
    """One picture of each of people whose templates have much in common, as those of a network without centring."""
    names, records, rows = vectors(people, images=1, seed=seed)
    rows = rows + 1.5 * np.eye(COMPONENTS)[0]
    return names, records, rows / np.linalg.norm(rows, axis=1, keepdims=True)


def test_a_calibration_is_the_same_every_time_and_rests_on_no_more_pairs_than_there_are(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(released_templates, "MOST_PAIRS", 1 << 12)
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
    assert release.calibrated(many, COMPONENTS).pairs == 1 << 12


def reversed_(made: tuple[list[str], list[str], NDArray[np.float64]]) -> tuple[NDArray[np.float64], list[str]]:
    """Vectors and subjects, in the order of a table."""
    return made[2], made[0]


def test_a_released_gallery_has_the_same_scores_under_encryption_and_decisions_among_parties() -> None:
    gallery = ReleasedTemplates(32.0, KEY).enrolled(EMPTY, *vectors(5), TODAY)
    probes, threshold = vectors(5)[2][::2], 0.35
    unit = gallery.templates / np.linalg.norm(gallery.templates, axis=1, keepdims=True)
    cosines = probes @ unit.T
    with EncryptedMatcher(0.3, processes=1).holding(gallery.templates) as held:
        scores = held.ask(Top(1, score=True), probes)
    assert scores.indices is not None and scores.indices[:, 0].tolist() == cosines.argmax(1).tolist()
    assert np.allclose(scores.cosines[:, 0], cosines.max(1), atol=1e-4)
    pytest.importorskip("spu")
    pairs = np.argwhere(np.ones((5, 5)))
    with JointMatcher(MPCProtocol.ABY3).holding(gallery.templates) as held:
        decided = held.pair_decisions(probes, pairs, threshold, 0.0)
    assert np.array_equal(np.asarray(decided) == 1, cosines.ravel() > threshold) and 4 <= decided.sum() < 20


def test_bad_words_are_all_named() -> None:
    with pytest.raises(ParameterError) as caught:
        ReleasedTemplates(-1.0, "release.key")  # type: ignore[arg-type]
    assert "epsilon" in str(caught.value) and "ReleaseKey" in str(caught.value)
    with pytest.raises(ParameterError, match="border"):
        ReleasedTemplates(1.0, border=1.5)
    assert PrivUnit(1.0, 0.5) != PrivUnit(1.0)
