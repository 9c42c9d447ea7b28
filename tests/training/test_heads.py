"""Heads: they learn, are charged once, go on after a kill, hide people, and say what is wrong with their input."""

import json
import os

import numpy as np
import pytest

from privis.errors import BudgetError, ParameterError
from privis.privacy import Dataset, Gaussian, Person, ReleaseKey, WholeImage
from privis.privacy.learning.logistic_regression import LogisticTraining
from privis.privacy.ledger.budget import Budget, BudgetUnit, Per
from privis.privacy.ledger.file import FileLedger
from privis.training.fitting import train_head
from privis.training.heads import Head

CLASSES = ("cat", "dog", "eel")
KEY = ReleaseKey(bytes(range(32)))


def corpus(rows=900, seed=0):
    rng = np.random.default_rng(seed)
    numbers = rng.integers(0, 3, rows)
    vectors = rng.normal(size=(rows, 6)).astype(np.float32)
    vectors[np.arange(rows), numbers] += 4
    return vectors, [CLASSES[number] for number in numbers]


def plan(unit=None, size=900, **changes):
    words = {"sampling": 0.25, "steps": 12} | changes
    return LogisticTraining(3, 6, size, Gaussian(1.0, 1e-5), unit or WholeImage(), **words)


def trained(the_plan=None, data=None, **words):
    vectors, labels = data or corpus()
    return train_head(the_plan or plan(), vectors, labels, CLASSES, **({"corpus": "zoo", "key": KEY} | words))


def accuracy(head):
    vectors, labels = corpus(seed=9)
    return np.mean([a == b for a, b in zip(head.predict(vectors), labels, strict=True)])


@pytest.fixture
def ledger(tmp_path):
    return FileLedger.create(tmp_path / "ledger", Budget(1.5, 1e-4, Per.CORPUS, BudgetUnit.IMAGE))


@pytest.mark.parametrize("standardise", [0.0, 0.1])
def test_a_head_learns_and_is_the_same_again(standardise):
    first, again = (trained(plan(standardise=standardise)) for _ in range(2))
    assert accuracy(first) > 0.9
    assert (first.weights == again.weights).all()
    other = trained(plan(standardise=standardise), key=ReleaseKey(bytes(32)))
    assert (first.weights != other.weights).any()


def test_a_saved_head_predicts_the_same(tmp_path):
    head = trained(plan(standardise=0.1), feature={"name": "hog"})
    head.save(tmp_path / "head.npz")
    read = Head.load(tmp_path / "head.npz")
    vectors, _ = corpus(seed=5)
    assert (read.scores(vectors) == head.scores(vectors)).all()
    assert (read.classes, read.guarantee, read.feature) == (head.classes, head.guarantee, head.feature)
    (tmp_path / "bad.npz").write_bytes((tmp_path / "head.npz").read_bytes()[:-90])
    with pytest.raises(ParameterError, match=r"Head\.save"):
        Head.load(tmp_path / "bad.npz")
    with pytest.raises(ParameterError, match="extract the feature"):
        read.predict(vectors[:, :4])


class Killed(Exception):
    pass


def test_a_killed_training_goes_on_without_a_second_charge(tmp_path, ledger, monkeypatch):
    monkeypatch.setattr("privis.training.fitting._CHECKPOINT_SECONDS", 0.0)
    whole = trained(plan(standardise=0.1))
    seen = []

    def kill(progress):
        seen.append(progress.done)
        if progress.done == 5:
            raise Killed

    words = {"ledger": ledger, "checkpoint": tmp_path / "checkpoint"}
    with pytest.raises(Killed):
        trained(plan(standardise=0.1), on_progress=kill, **words)
    assert os.stat(tmp_path / "checkpoint").st_mode & 0o077 == 0
    head = trained(plan(standardise=0.1), on_progress=lambda progress: seen.append(progress.done), **words)
    assert seen == [*range(1, 6), *range(6, 13)]
    assert (head.weights == whole.weights).all()
    assert ledger.spent().charges == 1

    with pytest.raises(ParameterError, match="checkpoint of another training"):
        trained(plan(standardise=0.1, rate=31.0), checkpoint=tmp_path / "checkpoint")
    with pytest.raises(BudgetError):  # another training is another release
        trained(plan(standardise=0.1, rate=31.0), ledger=ledger)
    assert ledger.spent().charges == 1


def test_a_refused_training_draws_no_noise_and_a_damaged_checkpoint_is_named(tmp_path, ledger, monkeypatch):
    def noise(*_):
        raise AssertionError("noise was drawn")

    trained(ledger=ledger)
    monkeypatch.setattr("privis.privacy.learning.subsampling.draw_noise", noise)
    with pytest.raises(BudgetError):
        trained(plan(steps=13), ledger=ledger)
    (tmp_path / "checkpoint").write_bytes(b"PK\x03\x04 no archive")
    with pytest.raises(ParameterError, match="costs time but no budget"):
        trained(checkpoint=tmp_path / "checkpoint")


def test_a_checkpoint_and_a_head_hold_neither_key_nor_images(tmp_path):
    trained(checkpoint=tmp_path / "checkpoint").save(tmp_path / "head.npz")
    with np.load(tmp_path / "checkpoint", allow_pickle=False) as members:
        assert set(members) == {"weights", "velocity", "average", "metadata"}
        assert set(json.loads(str(members["metadata"]))) == {"format", "release", "step", "averaged", "loss"}
        assert all(members[name].shape == (3, 7) for name in ("weights", "velocity", "average"))


def test_a_person_counts_as_one_member_however_many_images_they_give():
    vectors, labels = corpus()
    subjects = [f"person {row // 3}" for row in range(900)]
    the_plan = plan(Person(2), size=300, standardise=0.1)
    head = trained(the_plan, (vectors, labels), subjects=subjects)
    assert head.guarantee.unit == "person" and accuracy(head) > 0.8
    kept = [row for row in range(900) if row % 3 < 2]
    same = trained(the_plan, (vectors[kept], [labels[row] for row in kept]), subjects=[subjects[row] for row in kept])
    assert (same.weights == head.weights).all()
    with pytest.raises(ParameterError, match="as a person is hidden"):
        trained(the_plan, (vectors, labels))


def nan_image():
    vectors, labels = corpus()
    vectors[7, 2] = np.nan
    return vectors, labels


BAD = {
    "an empty class": (lambda: (corpus()[0], ["cat", "dog"] * 450), "no row of eel"),
    "labels that are no class": (lambda: (corpus()[0], ["cat", "dog", "eel", "gnu"] * 225), "225 that are no class"),
    "a label short": (lambda: (corpus()[0], corpus()[1][1:]), "899 labels"),
    "one example": (lambda: (corpus(1)[0], ["cat"]), "at least two"),
    "no example": (lambda: (np.empty((0, 6)), []), "at least one image"),
    "a NaN image": (nan_image, "NaN or infinity in 1 rows: 7"),
    "a wrong length": (lambda: (corpus()[0][:, :5], corpus()[1]), "6, as the plan says"),
    "a wrong size": (lambda: corpus(600), "the number of images"),
}


@pytest.mark.parametrize("bad", BAD)
def test_bad_input_is_named_before_anything_is_charged(bad, ledger):
    make, sentence = BAD[bad]
    with pytest.raises(ParameterError, match=sentence):
        trained(data=make(), ledger=ledger)
    assert ledger.spent().charges == 0
    assert not ledger.verify().problems


def test_an_epsilon_that_cannot_train_is_refused():
    with pytest.raises(ParameterError, match="say less than the noise"):
        LogisticTraining(3, 6, 900, Gaussian(0.001, 1e-5), Dataset(), sampling=0.01, steps=1000)
