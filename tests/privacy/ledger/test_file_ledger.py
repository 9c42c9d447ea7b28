"""The file ledger: what it stores, what its copies are, and what a disk that refuses does to it.

Answers for `privis.privacy.ledger.disk`, `privis.privacy.ledger.ledger_protocol`.
"""

import copy
import os
import pickle

import numpy as np
import pytest

import privis
from privis.errors import BudgetError, OutputError, ParameterError
from privis.privacy import FeatureRelease, Laplace
from privis.privacy.ledger.budget import Budget, Per
from privis.privacy.ledger.file import FileLedger
from tests.privacy.ledgers import CHEAP, COSTLY, size_of


@pytest.fixture
def ledger(tmp_path):
    return FileLedger.create(tmp_path / "ledger", Budget(1.0, 1e-6))


def test_no_name_is_stored(ledger):
    ledger.charge("/home/ann/biopsy.png", COSTLY, "1")
    assert b"biopsy" not in ledger.path.read_bytes() and b"ann" not in ledger.path.read_bytes()
    other = FileLedger.create(ledger.path.with_name("other"), ledger.budget)
    assert other.hashed("/home/ann/biopsy.png") != ledger.hashed("/home/ann/biopsy.png")
    (name, spent), *_ = ledger.worst()
    assert name == ledger.hashed("/home/ann/biopsy.png") and spent.charges == 1


# Copies


def test_copies_are_the_same_budget(ledger, monkeypatch, tmp_path):
    from sklearn.base import clone

    extractor = privis.FeatureExtractor(privis.LBP(), ledger=ledger)
    relative = FileLedger(os.path.relpath(ledger.path))
    monkeypatch.chdir(tmp_path.parent)
    pickled = pickle.dumps(ledger)
    copies = [copy.copy(ledger), copy.deepcopy(ledger), pickle.loads(pickled), clone(extractor).ledger, relative]
    for index, each in enumerate(copies[:3]):
        each.charge("a.png", COSTLY, str(index))
    for each in copies:
        with pytest.raises(BudgetError):
            each.charge("a.png", COSTLY, "more")
    assert len(pickled) < 300, "the path alone"


def test_no_ledger_is_said_at_once(tmp_path):
    with pytest.raises(ParameterError, match="privis ledger init"):
        FileLedger(tmp_path / "none")


# scikit-learn


RNG = np.random.default_rng(0)
IMAGES = [RNG.integers(0, 256, (16, 16), dtype=np.uint8) for _ in range(8)]
LABELS = [0, 1] * 4
RELEASE = privis.FeatureRelease(privis.Laplace(1.0), clip=1.0)


def pipeline(ledger):
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline

    extractor = privis.FeatureExtractor(privis.ColourHistogram(bins=2), release=RELEASE, ledger=ledger)
    return make_pipeline(extractor, LogisticRegression())


@pytest.mark.filterwarnings("ignore:FeatureExtractor without key")
@pytest.mark.parametrize("jobs", [1, 2])
def test_cross_validation_pays_for_every_release(tmp_path, jobs):
    from sklearn.model_selection import cross_val_score

    ledger = FileLedger.create(tmp_path / "ledger", Budget(16.0, 1e-6, Per.CORPUS))
    cross_val_score(pipeline(ledger), IMAGES, LABELS, cv=2, n_jobs=jobs, error_score="raise")
    assert ledger.spent().charges == 16, "two folds, each of which extracts from all images under keys of its own"
    with pytest.raises(BudgetError):
        cross_val_score(pipeline(ledger), IMAGES, LABELS, cv=2, n_jobs=jobs, error_score="raise")
    assert not ledger.verify().problems and ledger.spent().charges == 16


@pytest.mark.filterwarnings("ignore:FeatureExtractor without key")
def test_a_grid_search_pays_for_every_release(tmp_path):
    from sklearn.model_selection import GridSearchCV

    ledger = FileLedger.create(tmp_path / "ledger", Budget(40.0, 1e-6, Per.CORPUS))
    search = GridSearchCV(pipeline(ledger), {"logisticregression__C": [0.1, 1.0]}, cv=2, n_jobs=2)
    search.fit(IMAGES, LABELS)
    assert ledger.spent().charges == 2 * 2 * 8 + 8
    assert not ledger.verify().problems


@pytest.mark.parametrize("step", [0, 1, 2])
def test_a_full_disk_refuses_and_leaves_an_intact_ledger(ledger, monkeypatch, step):
    ledger.charge("a.png", COSTLY, "0")
    calls = []

    def failing(call):
        def attempt(*arguments):
            calls.append(call)
            if len(calls) == step + 1:
                raise OSError(28, "No space left on device")
            return call(*arguments)

        return attempt

    monkeypatch.setattr(os, "pwrite", failing(os.pwrite))
    monkeypatch.setattr(os, "fdatasync", failing(os.fdatasync))
    with pytest.raises(OutputError, match="No space left"):
        ledger.charge("a.png", COSTLY, "1")
    monkeypatch.undo()
    assert not ledger.verify().problems
    ledger.charge("a.png", COSTLY, "1")
    assert ledger.spent("a.png").charges == 2 and not ledger.verify().notes


def test_a_charge_refused_by_the_budget_leaves_no_account(ledger):
    with pytest.raises(BudgetError):
        ledger.charge("a.png", FeatureRelease(Laplace(3.0), clip=1.0).guarantee((8,)), "1")
    assert ledger.worst() == [] and size_of(ledger) < 400


def test_a_charge_moves_the_same_bytes_however_many_came_before(ledger, monkeypatch):
    """What a charge costs beside the disk must not grow with the ledger: `benchmarks.ledger` has the milliseconds."""
    moved = []
    for name in ("pread", "pwrite"):

        def counted(*arguments, call=getattr(os, name)):
            found = call(*arguments)
            moved.append(found if isinstance(found, int) else len(found))
            return found

        monkeypatch.setattr(os, name, counted)
    taken = []
    for number in range(100):
        before = sum(moved), len(moved)
        ledger.charge(f"{number:06}.png", CHEAP, "1")
        taken.append((sum(moved) - before[0], len(moved) - before[1]))
    assert max(taken[50:]) <= max(taken[1:10])
    assert taken[-1][0] < 5000
