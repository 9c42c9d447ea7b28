"""Whose account a vector is charged to: images of people, people who enrol, and corpora.

Answers for `privis.extraction.vectors.vector_release`, `privis.extraction.vectors.charged_rows` and
`privis.extraction.vectors.enrolled`.
"""

from __future__ import annotations

import json

import numpy as np
import pytest

import privis
from privis.errors import BudgetError, DamagedLedgerError, ImageError, ParameterError
from privis.privacy import (
    AddOrRemovePerson,
    Budget,
    BudgetUnit,
    Dataset,
    Enrolment,
    FeatureRelease,
    FileLedger,
    Gaussian,
    Laplace,
    MeanRelease,
    Per,
    Person,
    ReleaseKey,
    SumRelease,
    WholeImage,
)
from privis.subjects import SubjectWarning
from tests.extraction.vectors.released import IDS, KEY, VECTORS, Book, made

# Ledgers


@pytest.mark.parametrize(
    ("unit", "per", "accounts"),
    [
        (None, Per.SUBJECT, ["ann", "ann", "bob", "bob"]),
        (BudgetUnit.IMAGE, Per.SUBJECT, IDS),
        (BudgetUnit.PERSON, Per.SUBJECT, ["ann", "ann", "bob", "bob"]),
        (BudgetUnit.IMAGE, Per.CORPUS, IDS),
    ],
)
def test_whose_account_is_charged(unit, per, accounts) -> None:
    book = Book(unit, per)
    made(subjects=["ann", "ann", "bob", "bob"], ledger=book)
    assert [account for account, _ in book.lines] == accounts


def test_a_ledger_of_people_needs_people() -> None:
    with pytest.raises(ParameterError, match="subjects: got none"):
        made(ledger=Book(BudgetUnit.PERSON))


def test_a_refusal_names_every_row_and_what_was_charged_is_free_afterwards() -> None:
    book = Book(most=2)
    with pytest.raises(BudgetError, match=r"(?s)c: ledger.*d: ledger.*what was charged is free"):
        made(ledger=book)
    told = made(VECTORS[:2], ledger=book)
    assert len(book.lines) == 2 and np.array_equal(told.features, made().features[:2])


def test_a_damaged_ledger_ends_the_call(tmp_path) -> None:
    book = FileLedger.create(tmp_path / "ledger", Budget(99.0, 1e-5))
    made(VECTORS[:1], ledger=book)
    book.path.write_bytes(book.path.read_bytes()[:-9] + b"x" * 9)
    with pytest.raises(DamagedLedgerError):
        made(ledger=FileLedger(book.path))


def test_an_interrupted_call_goes_on_for_nothing() -> None:
    class Interrupted(Book):
        def charge(self, record, guarantee, release_id, *, formerly=()) -> None:
            if record == "c" and not self.most:
                raise KeyboardInterrupt
            super().charge(record, guarantee, release_id)

    book = Interrupted()
    book.most = 0
    with pytest.raises((KeyboardInterrupt, BudgetError)):
        made(ledger=book)
    book.most = 100
    made(ledger=book)
    made(ledger=book)
    assert len(book.lines) == 4


# People


def test_more_records_of_a_person_than_the_release_says_are_refused() -> None:
    release, book = FeatureRelease(Laplace(8.0), 3.0, Person(2)), Book()
    with pytest.raises(ImageError, match="c: got one more image of a person who already gave 2"):
        made(release=release, subjects=["ann"] * 4, ledger=book)
    assert book.lines == []
    told = made(VECTORS[[0, 1, 0, 1]], release, records=["a", "b", "a", "b"], subjects=["ann"] * 4)
    assert len(told.features) == 4, "copies are no further images"
    with pytest.raises(ParameterError, match="a under 'ann' and 'bob'"):
        made(VECTORS[[0, 0]], release, records=["a", "a"], subjects=["ann", "bob"])


ENROLLED = FeatureRelease(Gaussian(8.0, 1e-6), 3.0, Enrolment())


def test_a_person_enrolls_once_with_the_mean_of_all_images() -> None:
    book = Book(BudgetUnit.PERSON)
    people = ["ann", "bob", "ann", "ann"]
    told = made(release=ENROLLED, subjects=people, ledger=book)
    assert told.records == ("ann", "bob") and told.features.shape == (2, 6)
    assert [account for account, _ in book.lines] == ["ann", "bob"]
    assert (told.guarantee.unit, told.guarantee.epsilon, told.card.images) == ("enrolment", 8.0, 4)
    assert "all enrolled images of one person" in told.guarantee.sentence
    direct = FeatureRelease(Gaussian(8.0, 1e-6), 3.0).guarantee((6,))
    assert told.guarantee.scale == direct.scale, "nothing is shared among the images"
    many = np.mean(
        [made(release=ENROLLED, subjects=people, key=ReleaseKey(bytes([n] * 32))).features for n in range(200)], 0
    )
    assert np.allclose(many[0], VECTORS[[0, 2, 3]].mean(0), atol=5 * direct.scale * direct.step / np.sqrt(200))


def test_enrolment_hangs_on_the_set_of_images() -> None:
    book = Book(BudgetUnit.PERSON)
    told = made(release=ENROLLED, subjects=["ann"] * 4, ledger=book)
    order = [2, 0, 3, 1, 0]  # another order, and one image twice
    again = made(VECTORS[order], ENROLLED, records=[IDS[row] for row in order], subjects=["ann"] * 5, ledger=book)
    assert np.array_equal(told.features, again.features) and len(book.lines) == 1
    made(VECTORS[:3], ENROLLED, subjects=["ann"] * 3, ledger=book)
    assert len(book.lines) == 2, "other images are a second charge"
    same = np.stack([VECTORS[0]] * 2)
    with pytest.warns(SubjectWarning):
        first = made(same, ENROLLED, records=["a", "b"], subjects=["ann"] * 2, ledger=book)
        other = made(same, ENROLLED, records=["c", "d"], subjects=["ann"] * 2, ledger=book)
    assert len(book.lines) == 4 and not np.array_equal(first.features, other.features), "even with an equal mean"


def test_enrolment_charges_every_image_of_a_ledger_of_images() -> None:
    book = Book(BudgetUnit.IMAGE)
    made(release=ENROLLED, subjects=["ann", "ann", "bob", "bob"], ledger=book)
    assert [account for account, _ in book.lines] == IDS
    corpus = Book(BudgetUnit.IMAGE, Per.CORPUS)
    made(release=ENROLLED, subjects=["ann", "ann", "bob", "bob"], ledger=corpus)
    assert [account for account, _ in corpus.lines] == ["ann", "bob"], "one account pays once"


def test_enrolment_needs_people_and_vectors() -> None:
    with pytest.raises(ParameterError, match="subjects: got none"):
        made(release=ENROLLED)
    with pytest.raises(ParameterError, match=r"give the vectors to privis\.release"):
        privis.extract(privis.LBP(), [np.zeros((32, 32), np.uint8)], release=ENROLLED, subjects=["ann"], key=KEY)


def test_no_person_moves_a_template_further_than_is_claimed(rng: np.random.Generator) -> None:
    """All images of ann replaced by any others, more or fewer: the released integers move by 2 R at most, and do."""
    from privis.extraction.vectors.enrolled import enrolled

    for noise in (Laplace(1.0), Gaussian(1.0, 1e-6)):
        release = FeatureRelease(noise, 1.0, Enrolment())
        stated, worst = release.guarantee((3,)).sensitivity, 0.0
        for _ in range(400):
            means = []
            for count in rng.integers(1, 6, 2):
                rows = rng.normal(size=(count, 3)).astype(np.float32) * 10 ** rng.uniform(-2, 6)
                (one,) = enrolled(rows, [str(n) for n in range(count)], ["ann"] * count)
                means.append(release.on_grid(one.mean))
            move = np.abs(means[0] - means[1])
            worst = max(worst, float(move.sum() if noise.norm == "L1" else np.sqrt((move.astype(float) ** 2).sum())))
        assert 0.9 * stated < worst <= stated


# Corpora


def test_a_corpus_is_one_release_of_one_record() -> None:
    release, book = SumRelease(Laplace(5.0), 3.0, AddOrRemovePerson(2)), Book(BudgetUnit.PERSON, Per.CORPUS)
    people = ["ann", "ann", "ann", "bob"]
    told = made(release=release, records="ward 7", subjects=people, ledger=book)
    assert told.records == ("ward 7",) and told.features.shape == (1, 6) and told.left_out == 1
    assert "left_out" not in repr(told) and told.card.images == 0, "how many there are is hidden"
    order = [3, 0, 1, 2]
    again = made(VECTORS[order], release, records="ward 7", subjects=[people[n] for n in order], ledger=book)
    assert np.array_equal(told.features, again.features) and len(book.lines) == 1
    for options in ({"records": "ward 8"}, {"feature": "network"}, {"subjects": ["ann", "ann", "eve", "bob"]}):
        given = {"records": "ward 7", "subjects": people} | options
        other = made(release=release, ledger=book, **given)
        assert not np.array_equal(told.features, other.features)
    assert len(book.lines) == 4
    with pytest.raises(ParameterError, match='records="ward 7"'):
        made(release=release, subjects=people)


@pytest.mark.parametrize("unit", [WholeImage(), Dataset(), Person(2), AddOrRemovePerson(2)], ids=repr)
def test_means_and_histograms_of_corpora(unit) -> None:
    people = {"subjects": ["ann", "ann", "bob", "bob"]} if unit.needs_subjects else {}
    mean = made(release=MeanRelease(Gaussian(50.0, 1e-6), 3.0, unit), records="ward", **people)
    assert np.allclose(mean.features[0], VECTORS.mean(0), atol=2.5)
    bins = made(release=privis.CorpusHistogramRelease(Laplace(50.0), (0.0,), unit), records="ward", **people)
    assert bins.features.shape == (6, 2) and bins.names == ("bin 0", "bin 1")
    assert np.abs(bins.features[:, 0] - (VECTORS < 0).sum(0)).max() <= 3
    assert mean.card.images == (4 if unit == WholeImage() else 0)


# Card


def test_the_card_says_what_was_promised() -> None:
    unnamed, named = made(), made(feature="network 7")
    assert "every vector was computed from its own record alone" in unnamed.guarantee.sentence
    assert "without feature=" in unnamed.guarantee.sentence and "without feature=" not in named.guarantee.sentence
    card = json.loads(named.card.to_json())
    assert card["feature"] == {"name": "network 7"} and card["release"]["class"] == "FeatureRelease"
    assert card["guarantee"]["epsilon"] == 8.0 and card["images"] == 4 and "not known here" in card["threat_model"]
    assert "secret" not in named.card.to_json() and KEY._secret.hex() not in repr(named)


def test_a_kill_at_any_charge_costs_nothing_more(tmp_path) -> None:
    """Whatever charge the process ends at, the same call afterwards is the same release, charged once."""

    class Killed(BaseException):
        pass

    class Ending(FileLedger):
        left = 0

        def charge(self, record, guarantee, release_id, *, formerly=()) -> None:
            super().charge(record, guarantee, release_id, formerly=formerly)
            Ending.left -= 1
            if Ending.left == 0:
                raise Killed

    whole = made(release=ENROLLED, subjects=["ann", "ann", "bob", "bob"]).features
    for at in range(1, 5):
        book = Ending.create(tmp_path / f"ledger {at}", Budget(8.0, 1e-6))
        Ending.left = at
        with pytest.raises(Killed):
            made(release=ENROLLED, subjects=["ann", "ann", "bob", "bob"], ledger=book)
        again = made(release=ENROLLED, subjects=["ann", "ann", "bob", "bob"], ledger=FileLedger(book.path))
        assert np.array_equal(again.features, whole)
        assert [book.spent(record).charges for record in IDS] == [1, 1, 1, 1]
