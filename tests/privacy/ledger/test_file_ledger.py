"""The file ledger: refuses in time, forgets nothing, is shared by whoever has its path.

Answers for `privis.privacy.ledger.disk`, `privis.privacy.ledger.ledger_protocol`.
"""

import concurrent.futures
import copy
import os
import pickle
import threading
from dataclasses import replace

import numpy as np
import pytest

import privis
from privis.errors import BudgetError, OutputError, ParameterError
from privis.privacy import FeatureRelease, Laplace, Person, PixelRelease, Pixels, ReleaseKey
from privis.privacy.ledger.budget import Budget, BudgetUnit, Per
from privis.privacy.ledger.file import FileLedger
from tests.privacy.ledgers import CHEAP, COSTLY, head_of, size_of


@pytest.fixture
def ledger(tmp_path):
    return FileLedger.create(tmp_path / "ledger", Budget(1.0, 1e-6))


def test_three_charges_of_three_tenths_and_no_fourth(ledger):
    for index in range(3):
        ledger.charge("a.png", COSTLY, str(index))
    before = ledger.path.read_bytes(), head_of(ledger).read_bytes()
    with pytest.raises(BudgetError) as caught:
        ledger.charge("a.png", COSTLY, "3")
    message = str(caught.value)
    assert all(words in message for words in ("a.png", "0.9 of 1", "epsilon 0.3", "about epsilon 0.1 more", "free"))
    assert (ledger.path.read_bytes(), head_of(ledger).read_bytes()) == before
    ledger.charge("b.png", COSTLY, "4")
    assert ledger.spent("a.png").charges == 3 and ledger.spent("b.png").charges == 1


def test_the_same_release_is_free_and_another_one_under_its_name_an_error(ledger):
    for _ in range(9):
        ledger.charge("a.png", COSTLY, "one")
        FileLedger(ledger.path).charge("a.png", COSTLY, "one")
    assert ledger.verify().charges == 1
    with pytest.raises(BudgetError, match="another guarantee"):
        ledger.charge("a.png", CHEAP, "one")
    with pytest.raises(BudgetError, match="another guarantee"):
        FileLedger(ledger.path).charge("b.png", CHEAP, "one")
    assert ledger.verify().charges == 1


def test_a_release_stays_the_same_when_only_the_words_about_it_change(ledger):
    ledger.charge("a.png", COSTLY, "one")
    better = replace(COSTLY, sensitivity_reason="in better words", relation="said better")
    for each in (ledger, FileLedger(ledger.path)):
        each.charge("a.png", better, "one")
    assert ledger.spent("a.png").charges == 1 and not ledger.verify().problems


def test_a_free_release_stays_free_when_nothing_is_left(ledger):
    for index in range(3):
        ledger.charge("a.png", COSTLY, str(index))
    ledger.charge("a.png", COSTLY, "1")
    assert ledger.verify().charges == 3


def test_one_release_of_two_records_is_charged_to_both(ledger):
    ledger.charge("ann", COSTLY, "group photo")
    ledger.charge("bob", COSTLY, "group photo")
    assert ledger.spent("ann").charges == ledger.spent("bob").charges == 1


def test_a_corpus_has_one_budget(tmp_path):
    ledger = FileLedger.create(tmp_path / "ledger", Budget(1.0, 1e-6, Per.CORPUS))
    for record in "abc":
        ledger.charge(record, COSTLY, record)
    with pytest.raises(BudgetError, match="the corpus"):
        ledger.charge("d", COSTLY, "d")
    assert ledger.spent().charges == 3 and ledger.spent().epsilon == pytest.approx(0.9)
    assert [name for name, _ in ledger.worst()] == ["corpus"]


def test_a_person_is_not_named_in_a_refusal(tmp_path):
    ledger = FileLedger.create(tmp_path / "ledger", Budget(0.5, 1e-6, unit=BudgetUnit.PERSON))
    ledger.charge("zoe", COSTLY, "1")
    with pytest.raises(BudgetError) as caught:
        ledger.charge("zoe", COSTLY, "2")
    assert "zoe" not in str(caught.value)


def test_a_weaker_unit_is_charged_for_the_whole_image(ledger):
    weak = PixelRelease(Laplace(0.01), Pixels(1)).guarantee((16, 16))
    assert weak.whole_image_epsilon == pytest.approx(2.56)
    with pytest.raises(BudgetError, match=r"epsilon 2\.56"):
        ledger.charge("a.png", weak, "1")


def test_no_name_is_stored(ledger):
    ledger.charge("/home/ann/biopsy.png", COSTLY, "1")
    assert b"biopsy" not in ledger.path.read_bytes() and b"ann" not in ledger.path.read_bytes()
    other = FileLedger.create(ledger.path.with_name("other"), ledger.budget)
    assert other.hashed("/home/ann/biopsy.png") != ledger.hashed("/home/ann/biopsy.png")
    (name, spent), *_ = ledger.worst()
    assert name == ledger.hashed("/home/ann/biopsy.png") and spent.charges == 1


def test_any_text_is_a_record(ledger):
    for record in ("", 'Ä\n"\\', "\ud800.png", "x" * 5000):
        ledger.charge(record, COSTLY, record[:9])
        assert FileLedger(ledger.path).spent(record).charges == 1
    assert not ledger.verify().problems


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


def test_a_ledger_that_others_write_is_read_on(ledger):
    other = FileLedger(ledger.path)
    for index in range(3):
        (ledger, other)[index % 2].charge("a.png", COSTLY, str(index))
    for each in (ledger, other):
        with pytest.raises(BudgetError):
            each.charge("a.png", COSTLY, "3")


def test_no_ledger_is_said_at_once(tmp_path):
    with pytest.raises(ParameterError, match="privis ledger init"):
        FileLedger(tmp_path / "none")


# Several at a time


def race(path, record, workers):
    """Exit codes of processes that charge at the same moment: 0 for charged, 1 for refused."""
    start_read, start_write = os.pipe()
    children = []
    for index in range(workers):
        child = os.fork()
        if child == 0:
            code = 2
            try:
                os.close(start_write)
                os.read(start_read, 1)  # until the parent closes its end
                FileLedger(path).charge(record, COSTLY, f"{record} {index}")
                code = 0
            except BudgetError:
                code = 1
            finally:
                os._exit(code)
        children.append(child)
    os.close(start_read)
    os.close(start_write)
    return [os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children]


@pytest.mark.parametrize("records", [5, pytest.param(20, marks=pytest.mark.long)])
def test_of_eight_processes_exactly_three_succeed(ledger, records):
    for record in range(records):
        assert sorted(race(ledger.path, str(record), 8)) == [0] * 3 + [1] * 5
    assert not ledger.verify().problems and ledger.verify().charges == 3 * records


def test_of_eight_threads_exactly_three_succeed(ledger):
    barrier = threading.Barrier(8)

    def charge(index):
        barrier.wait()
        try:
            ledger.charge("a.png", COSTLY, str(index))
        except BudgetError:
            return False
        return True

    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        assert sorted(pool.map(charge, range(8))) == [False] * 5 + [True] * 3
    assert not ledger.verify().problems


def test_a_fork_spends_the_same_budget(ledger):
    ledger.charge("a.png", COSTLY, "0")
    child = os.fork()
    if child == 0:
        code = 1
        try:
            ledger.charge("a.png", COSTLY, "1")
            code = 0
        finally:
            os._exit(code)
    assert os.waitpid(child, 0)[1] == 0
    ledger.charge("a.png", COSTLY, "2")
    with pytest.raises(BudgetError):
        ledger.charge("a.png", COSTLY, "3")


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


def test_with_a_key_extracting_again_is_free(tmp_path):
    ledger = FileLedger.create(tmp_path / "ledger", Budget(1.0, 1e-6))
    key = ReleaseKey.generate()
    results = [
        privis.extract(privis.LBP(), IMAGES[:2], release=RELEASE, ledger=ledger, key=key).features for _ in range(3)
    ]
    assert (results[0] == results[2]).all() and ledger.verify().charges == 2
    with pytest.raises(BudgetError):
        privis.extract(privis.LBP(), IMAGES[:2], release=RELEASE, ledger=ledger)


def test_a_person_gives_what_the_release_says(tmp_path):
    ledger = FileLedger.create(tmp_path / "ledger", Budget(1.0, 1e-6, unit=BudgetUnit.PERSON))
    release = privis.FeatureRelease(privis.Laplace(1.0), clip=1.0, unit=Person(3))
    subjects = ["ann"] * 3 + ["bob"] * 3
    privis.extract(privis.LBP(), IMAGES[:6], release=release, ledger=ledger, subjects=subjects)
    assert ledger.spent("ann").charges == 3 and ledger.spent("ann").epsilon == pytest.approx(1.0)
    with pytest.raises(BudgetError):
        privis.extract(privis.LBP(), IMAGES[6:7], release=release, ledger=ledger, subjects=["ann"])


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
