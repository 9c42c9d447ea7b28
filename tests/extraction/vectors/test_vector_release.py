"""Vectors that exist already are released as extracted ones are: one question, one noise, one charge.

Answers for `privis.extraction.vectors.vector_release`, `privis.extraction.vectors.vector_values` and
`privis.extraction.vectors.origin`.
"""

from __future__ import annotations

import itertools

import numpy as np
import pytest

import privis
from privis.errors import ParameterError
from privis.extraction.noise_level import NoiseWarning
from privis.privacy import (
    Budget,
    DirectionRelease,
    Enrolment,
    FeatureRelease,
    FileLedger,
    Gaussian,
    HistogramRelease,
    Laplace,
    Person,
    PixelRelease,
    Pixels,
    PrivUnit,
    ReleaseKey,
)
from privis.subjects import SubjectWarning
from tests.extraction.vectors.released import IDS, KEY, NOISY, RELEASES, VECTORS, Book, made, values_of

# One question, one noise


@pytest.mark.parametrize("name", RELEASES)
def test_the_same_question_is_the_same_release_whatever_its_spelling(name: str) -> None:
    pandas = pytest.importorskip("pandas")
    release, values = RELEASES[name], values_of(name)
    told, book = made(values, release), Book()
    frame = pandas.DataFrame(values.astype(np.float64), index=[9, 8, 7, 6])
    spellings = [
        values.astype(np.float64), values.tolist(), [list(row) for row in values], frame,
        np.asfortranarray(values), values.astype(">f4"), np.ma.masked_array(values), values.astype(np.longdouble),
    ]  # fmt: skip
    for spelled in spellings:
        again = made(spelled, release, ledger=book)
        assert np.array_equal(again.features, told.features)
    assert len(book.lines) == len(values), "one charge a vector"
    backwards = made(values[::-1], release, records=IDS[::-1])
    assert np.array_equal(backwards.features[::-1], told.features), "rows do not hang on their neighbours"
    assert np.array_equal(made(values[1:2], release, records=["b"]).features[0], told.features[1])
    assert told.guarantee.epsilon == 8.0 and told.features.dtype == np.float32


def test_ids_of_one_record_are_one() -> None:
    told = made(records=[7, 8, 9, 10])
    for ids in (["7", " 8", "9 ", "10"], np.array([7.0, 8.0, 9.0, 10.0]), (7, 8, 9, np.int8(10))):
        assert np.array_equal(made(records=ids).features, told.features)


def test_double_precision_and_its_copy_in_a_table_are_one_vector() -> None:
    doubles = np.random.default_rng(8).normal(size=(4, 6))
    assert not np.array_equal(doubles, doubles.astype(np.float32))
    assert np.array_equal(made(doubles).features, made(doubles.astype(np.float32)).features)


def test_half_precision_zeros_and_integers_are_the_numbers_that_they_are() -> None:
    halves = VECTORS.astype(np.float16)
    assert np.array_equal(made(halves).features, made(halves.astype(np.float64)).features)
    zeros = np.where(np.arange(24).reshape(4, 6) % 2, 0.0, VECTORS)
    assert np.array_equal(made(np.where(zeros == 0, -0.0, zeros)).features, made(zeros).features)
    whole = np.arange(24).reshape(4, 6)
    assert np.array_equal(
        made(whole, RELEASES["laplace"]).features, made(whole.astype(float), RELEASES["laplace"]).features
    )
    large = np.array([[2**24 + 1, 3]])
    counts = HistogramRelease(Laplace(50.0), moves=1, unit=Pixels(1))
    drawn = made(large, counts, records=["a"]).features - made(large - [[1, 0]], counts, records=["a"]).features
    assert drawn.shape == (1, 2)  # counts beyond 2**24 are not rounded to float32 before the noise


def noise_of(**options) -> np.ndarray:
    """What was added: the released vectors without what was hidden, long vectors so that nothing meets by chance."""
    vectors = options.pop("vectors", np.zeros((1, 400)))
    release = options.pop("release", FeatureRelease(Gaussian(1.0, 1e-6), clip=1.0))
    told = privis.release(vectors, release, **{"records": ["a"], "key": KEY} | options)
    return (told.features - np.asarray(vectors))[0]


QUESTIONS = {
    "as it is": {},
    "another record": {"records": ["b"]},
    "of a person": {"subjects": ["ann"]},
    "of another person": {"subjects": ["bob"]},
    "an id that reads as record and person": {"records": ["a of ann"]},
    "other values": {"vectors": np.full((1, 400), 1e-4)},
    "another epsilon": {"release": FeatureRelease(Gaussian(1.0001, 1e-6), clip=1.0)},
    "another clip": {"release": FeatureRelease(Gaussian(1.0, 1e-6), clip=1.0001)},
    "for a person": {"release": FeatureRelease(Gaussian(1.0, 1e-6), 1.0, Person(1)), "subjects": ["ann"]},
    "enrolled": {"release": FeatureRelease(Gaussian(1.0, 1e-6), 1.0, Enrolment()), "subjects": ["ann"]},
    "another feature": {"feature": "network 7"},
    "a third feature": {"feature": "network 8"},
    "a feature of Privis": {"feature": privis.HOG()},
    "that feature otherwise": {"feature": privis.HOG(cell=4)},
    "another key": {"key": ReleaseKey(bytes(32))},
}


def test_no_two_questions_share_noise() -> None:
    """Equal vectors, nearly equal scales: only what was asked differs, and so does all of the noise."""
    noises = {name: noise_of(**options) for name, options in QUESTIONS.items()}
    for (one, first), (other, second) in itertools.combinations(noises.items(), 2):
        assert abs(np.corrcoef(first, second)[0, 1]) < 0.25, (one, other)
    for name, options in QUESTIONS.items():
        assert np.array_equal(noise_of(**options), noises[name])


def test_no_two_questions_share_a_charge() -> None:
    book = Book()
    for options in QUESTIONS.values():
        noise_of(ledger=book, **options)
        noise_of(ledger=book, **options)
    assert len({release_id for _, release_id in book.lines}) == len(book.lines) == len(QUESTIONS)


def test_a_name_of_a_feature_has_one_form() -> None:
    composed, decomposed = "r\u00e9seau 7", "re\u0301seau 7 "
    assert np.array_equal(noise_of(feature=composed), noise_of(feature=decomposed))
    for bad in ("", "  ", 7, privis.HOG, ["net"]):
        with pytest.raises(ParameterError, match="feature: got"):
            noise_of(feature=bad)


# What a record is


def test_copies_of_a_record_are_one_release() -> None:
    book = Book()
    told = made(VECTORS[[0, 1, 0]], records=["a", "b", "a"], ledger=book)
    assert np.array_equal(told.features[0], told.features[2])
    assert len(book.lines) == 2 and told.card.images == 2


def test_two_vectors_of_a_record_are_refused_before_any_charge() -> None:
    """The card says one epsilon of a record, and two vectors would have it twice."""
    book = Book()
    with pytest.raises(ParameterError, match="rows 0 and 2, which differ"):
        made(VECTORS, records=["a", "b", "a", "b"], ledger=book)
    assert book.lines == []


def test_one_vector_under_two_ids_is_warned_of() -> None:
    with pytest.warns(SubjectWarning, match="'a' and 'x' have one vector"):
        made(VECTORS[[0, 1, 0]], records=["a", "b", "x"])


def test_equal_counts_of_two_records_are_nothing_strange(recwarn: pytest.WarningsRecorder) -> None:
    made([[3, 0, 1], [3, 0, 1]], RELEASES["counts"])
    assert not recwarn.list


def test_an_image_has_the_account_that_extract_charges(tmp_path) -> None:
    image = np.random.default_rng(0).integers(0, 256, (32, 32), np.uint8)
    feature, release = privis.LBP(density=True), FeatureRelease(Laplace(2.0), clip=1.0)
    book = FileLedger.create(tmp_path / "ledger", Budget(9.0, 1e-6))
    record = privis.image_record(image)
    privis.extract(feature, [image], release=release, key=KEY, ledger=book)
    assert book.spent(record).charges == 1
    exact = privis.extract(feature, [image])
    told = privis.release(exact, DirectionRelease(PrivUnit(2.0)), records=[record], key=KEY, ledger=book)
    assert book.spent(record).charges == 2
    assert told.names == exact.names and told.card.feature["name"] == "lbp"
    assert told.card.seen == exact.card.seen and "Given" not in told.card.to_json()


# What is refused, all at once, and nothing charged


BAD = {
    "one vector": ([0.1, 0.2], IDS[:1], "wrap it in a list"),
    "ragged": ([[1.0, 2.0], [1.0]], IDS[:2], "vectors: got"),
    "three axes": (np.zeros((2, 2, 2)), IDS[:2], r"shape \(2, 2, 2\)"),
    "none": (np.zeros((0, 3)), [], r"shape \(0, 3\)"),
    "no components": (np.zeros((2, 0)), IDS[:2], r"shape \(2, 0\)"),
    "words": ([["a", "b"]], IDS[:1], "an array of real numbers"),
    "complex": (np.array([[1j]]), IDS[:1], "an array of real numbers"),
    "missing": ([[None, 1.0]], IDS[:1], "an array of real numbers"),
    "NaN": ([[1.0, np.nan], [1.0, 2.0], [np.inf, 0.0]], IDS[:3], r"vectors\[0\].*vectors\[2\]"),
    "masked": (np.ma.masked_array([[1.0, 2.0]], [[0, 1]]), IDS[:1], r"vectors\[0\]: got NaN"),
    "beyond float32": ([[1e39, 0.0]], IDS[:1], "a number beyond float32"),
    "too few ids": (VECTORS, IDS[:3], "3 ids, expected 4"),
    "a missing id": (VECTORS, ["a", None, "c", float("nan")], r"records\[1\].*records\[3\]"),
    "one text": (VECTORS, "abcd", "records: got a str"),
}


@pytest.mark.parametrize("name", BAD)
def test_what_does_not_fit_is_said_and_costs_nothing(name: str) -> None:
    vectors, records, told = BAD[name]
    book = Book()
    with pytest.raises(ParameterError, match=f"(?s){told}"):
        privis.release(vectors, NOISY, records=records, key=KEY, ledger=book)
    assert book.lines == []


def test_paths_and_pictures_are_no_ids(tmp_path) -> None:
    for record in (tmp_path / "a.png", np.zeros((4, 4), np.uint8)):
        with pytest.raises(ParameterError, match=r"privis\.image_record\(image\) names an image"):
            made(VECTORS[:1], records=[record])


@pytest.mark.parametrize(
    ("release", "told"),
    [
        (PixelRelease(Laplace(1.0)), "privis.extract puts noise on pixels"),
        (PrivUnit(1.0), "a release of vectors or of a corpus"),
        (FeatureRelease, "a release of vectors or of a corpus"),
        (None, "a release of vectors or of a corpus"),
    ],
)
def test_what_is_no_release_of_vectors_is_refused(release, told: str) -> None:
    with pytest.raises(ParameterError, match=told):
        made(release=release)


def test_counts_that_are_none_are_named_by_row() -> None:
    with pytest.raises(ParameterError, match=r"(?s)vectors\[1\].*vectors\[2\]"):
        made([[1, 2], [0.5, 1], [2.5, 0]], RELEASES["counts"])


def test_what_is_released_already_is_not_released_again() -> None:
    told = made()
    with pytest.raises(ParameterError, match="released already"):
        privis.release(told, NOISY, records=IDS, key=KEY)
    image = np.zeros((32, 32), np.uint8)
    extracted = privis.extract(privis.LBP(), [image], release=FeatureRelease(Laplace(30.0), 900.0), key=KEY)
    with pytest.raises(ParameterError, match="released already"):
        privis.release(extracted, NOISY, records=["a"], key=KEY)


def test_a_key_must_be_kept() -> None:
    with pytest.raises(ParameterError, match=r"ReleaseKey\.generate"):
        made(key=None)


def test_noise_that_leaves_nothing_is_warned_of() -> None:
    with pytest.warns(NoiseWarning, match="nothing is left"):
        made(release=FeatureRelease(Laplace(0.01), clip=1.0))


def test_vectors_beyond_the_bound_are_cut_to_it() -> None:
    long = VECTORS * 1e30
    for name in ("feature", "laplace"):
        told = made(long, FeatureRelease(RELEASES[name].noise, clip=1.0)).features
        assert np.isfinite(told).all() and np.abs(told).max() < 1e3


@pytest.mark.parametrize("name", ["feature", "direction", "code", "counts"])
@pytest.mark.parametrize("people", [None, ["ann", "bob", "bob"]])
def test_what_was_extracted_is_the_release_that_extract_makes(tmp_path, name: str, people) -> None:
    """Exact first and released later, or at once: one noise, one charge, whichever came first."""
    images = [np.random.default_rng(n).integers(0, 256, (32 + 16 * (n == 2), 32), np.uint8) for n in range(3)]
    feature = privis.LBP(privis.Patterns.UNIFORM)
    release = HistogramRelease(Laplace(8.0), moves=9, total=2000) if name == "counts" else RELEASES[name]
    book = FileLedger.create(tmp_path / "ledger", Budget(20.0, 1e-5))
    records = [privis.image_record(image) for image in images]
    at_once = privis.extract(feature, images, release=release, key=KEY, ledger=book, subjects=people)
    exact = privis.extract(feature, images)
    later = privis.release(exact, release, records=records, key=KEY, ledger=book, subjects=people)
    assert np.array_equal(later.features, at_once.features)
    assert [book.spent(record).charges for record in records] == [1, 1, 1]
    given = privis.release(exact.features, release, records=records, key=KEY, subjects=people)
    assert not np.array_equal(given.features, at_once.features), "an array does not say what computed it"
    other = privis.release(exact, release, records=IDS[:3], key=KEY, subjects=people)
    assert not np.array_equal(other.features, at_once.features), "other ids are other records"
