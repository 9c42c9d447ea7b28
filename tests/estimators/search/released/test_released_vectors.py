"""estimators/search/released/released_vectors.py: what is released, of whom, at whose expense, what is not stored."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from privis.errors import BudgetError, ParameterError
from privis.estimators.search.released.released_vectors import NO_SOURCE, ReleasedVectors, released_with
from privis.features.postprocessing.projection import Projection
from privis.privacy import Budget, BudgetUnit, Enrolment, Person, PrivUnit, ReleaseKey
from privis.privacy.ledger.file import FileLedger
from privis.stores import VectorRows, VectorSpace

RANDOM = np.random.default_rng(7)
PUBLIC = RANDOM.normal(size=(40, 24))
PROJECTION = Projection.pca(PUBLIC, 8, source="forty made-up vectors")
VECTORS = ReleasedVectors(1.0, PROJECTION).projected(RANDOM.normal(size=(6, 24)))
RECORDS = tuple(f"image {row:064x}" for row in range(6))
ROWS = VectorRows(
    tuple(f"{row}.png" for row in range(6)), ("ann", "ann", "bob", "bob", "bob", "cid"), ("ab" * 32,) * 6, VECTORS,
    {"ward": ("a", "a", "b", "b", "b", "a"), "year": (1, 2, 3, 3, 3, None)},
)  # fmt: skip
KEY = ReleaseKey(bytes(range(32)))
EXACT = VectorSpace(bytes(32), "made-up vectors", 24)


def ledger(path: Path, epsilon: float, unit: BudgetUnit) -> FileLedger:
    FileLedger.create(path, Budget(epsilon, 1e-9, unit=unit))
    return FileLedger(path)


def test_an_image_is_one_row_whose_file_is_named_nowhere():
    told = ReleasedVectors(8.0, PROJECTION, key=KEY).rows(ROWS, RECORDS)
    assert told.ids == ROWS.ids and told.subjects == ROWS.subjects and told.metadata == ROWS.metadata
    assert set(told.sources) == {NO_SOURCE} and told.vectors.shape == (6, 8)
    assert np.allclose(np.linalg.norm(told.vectors, axis=1), 1, atol=1e-6)


def test_much_epsilon_keeps_the_direction_and_little_does_not():
    cosines = [
        (ReleasedVectors(epsilon, PROJECTION, key=KEY).rows(ROWS, RECORDS).vectors * VECTORS).sum(1).mean()
        for epsilon in (200.0, 0.01)
    ]
    assert cosines[0] > 0.95 and abs(cosines[1]) < 0.7


def test_the_vector_of_an_image_does_not_depend_on_the_others():
    release = ReleasedVectors(4.0, PROJECTION, key=KEY)
    others = replace(ROWS, vectors=np.vstack([VECTORS[:1], 100 * RANDOM.normal(size=(5, 8))]).astype(np.float32))
    assert np.array_equal(release.rows(ROWS, RECORDS).vectors[0], release.rows(others, RECORDS).vectors[0])


def test_a_person_is_one_row_the_mean_of_the_images():
    release = ReleasedVectors(500.0, PROJECTION, Enrolment(), KEY)
    told = release.rows(ROWS, RECORDS)
    assert told.ids == told.subjects == ("ann", "bob", "cid")
    assert told.metadata == {"ward": ("a", "b", "a"), "year": (None, 3, None)}
    means = [VECTORS[rows].mean(0) for rows in ([0, 1], [2, 3, 4], [5])]
    assert all((mean / np.linalg.norm(mean)) @ vector > 0.95 for mean, vector in zip(means, told.vectors, strict=True))


def test_people_of_the_index_are_refused_before_anything_is_charged(tmp_path):
    book = ledger(tmp_path / "ledger", 100.0, BudgetUnit.PERSON)
    release = ReleasedVectors(8.0, PROJECTION, Enrolment(), KEY, book)
    with pytest.raises(ParameterError, match="'bob'"):
        release.rows(ROWS, RECORDS, known={"bob"})
    assert not book.spent("ann").epsilon


def test_equal_images_of_one_key_are_free_and_others_are_charged(tmp_path):
    book = ledger(tmp_path / "ledger", 8.0, BudgetUnit.PERSON)
    release = ReleasedVectors(8.0, PROJECTION, Enrolment(), KEY, book)
    once = release.rows(ROWS, RECORDS)
    assert np.array_equal(release.rows(ROWS, RECORDS).vectors, once.vectors)
    with pytest.raises(BudgetError, match="ann"):
        release.rows(replace(ROWS, vectors=VECTORS[::-1].copy()), RECORDS)
    with pytest.raises(BudgetError):
        replace(release, key=ReleaseKey.generate()).rows(ROWS, RECORDS)


def test_an_image_under_two_paths_is_charged_and_drawn_once(tmp_path):
    book = ledger(tmp_path / "ledger", 8.0, BudgetUnit.IMAGE)
    nearly = np.vstack([VECTORS, VECTORS[:1] + np.float32(1e-7)])  # as another batch may round it
    rows = VectorRows((*ROWS.ids, "copy.png"), (*ROWS.subjects, "copy.png"), ("ab" * 32,) * 7, nearly)
    told = ReleasedVectors(8.0, PROJECTION, key=KEY, ledger=book).rows(rows, (*RECORDS, RECORDS[0]))
    assert np.array_equal(told.vectors[0], told.vectors[6]) and book.spent(RECORDS[0]).epsilon == 8.0


def test_a_ledger_of_people_is_charged_for_every_image(tmp_path):
    book = ledger(tmp_path / "ledger", 16.0, BudgetUnit.PERSON)
    with pytest.raises(BudgetError, match="one person"):  # of whom there are three images
        ReleasedVectors(8.0, PROJECTION, key=KEY, ledger=book).rows(ROWS, RECORDS)


def test_queries_are_exact_or_released():
    release = ReleasedVectors(8.0, PROJECTION, Enrolment(), KEY)
    asked = release.released_queries(VECTORS, RECORDS)
    assert asked.shape == (6, 8) and not np.allclose(asked, VECTORS, atol=0.1)
    stored = ReleasedVectors(8.0, PROJECTION, key=KEY).rows(ROWS, RECORDS).vectors
    assert np.array_equal(asked, stored)  # a query is an image, and one release of an image is one release


def test_a_space_tells_releases_apart_and_states_what_holds():
    spaces = [
        ReleasedVectors(8.0, PROJECTION).space(EXACT),
        ReleasedVectors(4.0, PROJECTION).space(EXACT),
        ReleasedVectors(8.0, PROJECTION, Enrolment()).space(EXACT),
        ReleasedVectors(8.0, PROJECTION.leading(4)).space(EXACT),
        ReleasedVectors(8.0, PROJECTION).space(VectorSpace(bytes([1] * 32), "others", 24)),
    ]
    assert len({space.identity for space in spaces}) == 5 and spaces[3].components == 4
    stated = spaces[0].guarantee
    assert stated["epsilon"] == stated["whole_image_epsilon"] == 8.0 and stated["unit"] == "whole image"
    assert spaces[2].guarantee["unit"] == "enrolment"
    assert stated["projection"]["source"] == "forty made-up vectors" and "forty made-up vectors" in spaces[0].words
    assert "forty made-up vectors" in stated["sentence"] and "metadata" in stated["not_covered"]


def test_a_release_is_known_again_by_what_a_space_states():
    made = ReleasedVectors(8.0, PROJECTION, Enrolment())
    again = released_with(made.promise(), PROJECTION)
    assert again.noise == made.noise and again.key is None
    for wrong, projection in (
        ({}, PROJECTION), (made.promise(), PROJECTION.leading(4)), ({"release": {}, "projection": {}}, PROJECTION),
        ({**made.promise(), "release": {"mechanism": {"epsilon": "much"}}}, PROJECTION),
    ):  # fmt: skip
        with pytest.raises(ParameterError, match="unknown release"):
            released_with(wrong, projection)


def test_what_does_not_fit_is_refused():
    with pytest.raises(ParameterError, match="WholeImage"):
        ReleasedVectors(8.0, PROJECTION, Person(3))
    with pytest.raises(ParameterError, match=r"key.*\n.*projection|projection.*\n.*key"):
        ReleasedVectors(8.0, PROJECTION.leading(1), key="key")
    with pytest.raises(ParameterError, match="epsilon"):
        ReleasedVectors(0.0, PROJECTION)
    with pytest.raises(ParameterError, match=r"ReleasedVectors\.key"):
        ReleasedVectors(8.0, PROJECTION).rows(ROWS, RECORDS)
    with pytest.raises(ParameterError, match="24 components"):
        ReleasedVectors(8.0, PROJECTION, key=KEY).projected(np.ones((1, 3)))
    with pytest.raises(ParameterError, match="projects them"):
        ReleasedVectors(8.0, PROJECTION, key=KEY).released_queries(np.ones((1, 24), np.float32), RECORDS[:1])
    assert PrivUnit(8.0) == ReleasedVectors(8.0, PROJECTION).noise.mechanism
