"""Releases that hide a person: contributions are bounded, budgets are per person."""

import numpy as np
import pytest

import privis
from privis.errors import ImageError, ParameterError
from privis.extraction.folder import extract_folder
from privis.io.tables import read


@pytest.fixture
def images():
    rng = np.random.default_rng(0)
    return [rng.integers(0, 256, (24, 24), dtype=np.uint8) for _ in range(4)]


PERSON = privis.FeatureRelease(privis.Laplace(4.0), clip=1.0, unit=privis.Person(2))


class Recorder:
    def __init__(self):
        self.records = []

    def charge(self, record, guarantee, release_id, *, formerly=()):
        self.records.append(record)


def test_a_person_needs_subjects(images):
    with pytest.raises(ParameterError, match="--subject-column"):
        privis.extract(privis.LBP(), images, release=PERSON)
    with pytest.raises(ParameterError, match="3 subjects, expected 4"):
        privis.extract(privis.LBP(), images, release=PERSON, subjects=["a", "b", "c"])


def test_the_third_image_of_a_person_is_refused(images):
    with pytest.raises(ImageError) as caught:
        privis.extract(privis.LBP(), images, release=PERSON, subjects=["ann", "bob", "ann", "ann"])
    assert [problem.where for problem in caught.value.problems] == ["image 3"]
    assert "ann" not in str(caught.value), "a message need not name the person"


def test_half_the_epsilon_for_each_of_two_images(images):
    result = privis.extract(privis.LBP(), images, release=PERSON, subjects=["ann", "bob", "ann", "bob"])
    assert result.guarantee.epsilon == pytest.approx(4.0)
    assert result.guarantee.whole_image_epsilon == pytest.approx(2.0)


def test_the_ledger_knows_people_not_files(images):
    ledger = Recorder()
    release = privis.FeatureRelease(privis.Laplace(4.0), clip=1.0)
    privis.extract(privis.LBP(), images, release=release, subjects=["ann", "bob", "ann", "bob"], ledger=ledger)
    assert ledger.records == ["ann", "bob", "ann", "bob"]


def test_a_budget_per_person_needs_subjects_too(images, tmp_path):
    budget = privis.Budget(8.0, 1e-6, unit=privis.BudgetUnit.PERSON)
    ledger = privis.FileLedger.create(tmp_path / "ledger", budget)
    release = privis.FeatureRelease(privis.Laplace(2.0), clip=1.0)
    with pytest.raises(ParameterError, match="subject"):
        privis.extract(privis.LBP(), images, release=release, ledger=ledger)


@pytest.mark.parametrize("workers", [1, 2])
def test_in_a_folder_the_rest_is_listed(images, tmp_path, workers):
    from PIL import Image

    paths = [str(tmp_path / f"{i}.png") for i in range(4)]
    for path, image in zip(paths, images, strict=True):
        Image.fromarray(image).save(path)
    result = extract_folder(
        privis.LBP(),
        paths,
        tmp_path / "t.npz",
        release=PERSON,
        subjects=["ann", "ann", "bob", "ann"],
        workers=workers,
    )
    assert [failure.path for failure in result.outcome.failures] == [paths[3]]
    assert len(read(tmp_path / "t.npz").paths) == 3
