"""What an id of a person is, and that it is the same whichever way it comes in."""

import datetime
import decimal
import json
import unicodedata
import warnings
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from typer.testing import CliRunner

import privis
from privis.cli.joint.datasets import Reading
from privis.cli.main import app
from privis.errors import ParameterError
from privis.extraction.contributions import contributions
from privis.io.images.manifest import read_manifest, read_subjects
from privis.io.tables import read, write
from privis.parties.job.task import LocalData
from privis.privacy.learning.moments import MomentRelease
from privis.privacy.ledger.budget import Budget, BudgetUnit, Per
from privis.privacy.releases.partial_sums import within_bound
from privis.subjects import MISSING, SubjectWarning, subject_ids, warn_of_alike
from privis.training.fitting import corpus_of
from privis.training.learned import private_projection

pytestmark = pytest.mark.usefixtures("coarse_accounting")

IMAGES = list(np.random.default_rng(0).integers(0, 256, (4, 8, 8, 3), dtype=np.uint8))
HISTOGRAM = privis.ColourHistogram(bins=2, density=True)
RELEASE = privis.FeatureRelease(privis.Laplace(1.0), clip=3.0)
ONE = privis.FeatureRelease(privis.Laplace(1.0), clip=3.0, unit=privis.Person(1))


class Loud(str):
    def __str__(self):
        return self.upper()


class NAType:
    """As pandas' NA: a comparison is neither true nor false."""

    def __repr__(self):
        return "<NA>"

    def __ne__(self, other):
        return self

    def __bool__(self):
        raise TypeError("boolean value of NA is ambiguous")


def alike(*ids):
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        warn_of_alike(ids)
    return [str(one.message) for one in caught]


@pytest.mark.parametrize(
    ("value", "name"),
    [
        (0, "0"),
        ("0", "0"),
        (-0.0, "0"),
        (3.0, "3"),
        (np.float32(3), "3"),
        (np.uint8(7), "7"),
        (-12, "-12"),
        (2**70, str(2**70)),
        (np.str_("ann"), "ann"),
        (Loud("red"), "red"),
        (" ann\r\n", "ann"),
        ("\u00a0\u200bann\ufeff\u3000", "ann"),
        ("Ame\u0301lie", "Am\u00e9lie"),
        ("Ann Lee", "Ann Lee"),
        ("007", "007"),
        ("王", "王"),
        ("می\u200cخواهم", "می\u200cخواهم"),
        ("Null", "Null"),
        ("Nan", "Nan"),
    ],
)
def test_one_id_has_one_form(value, name):
    assert subject_ids([value]) == (name,)


@pytest.mark.parametrize(
    "value",
    [
        None,
        float("nan"),
        np.float32("nan"),
        np.datetime64("NaT"),
        decimal.Decimal("NaN"),
        np.ma.masked,
        NAType(),
        "",
        "   ",
        "\u200b\u00a0",
        *sorted(MISSING),
        True,
        np.True_,
        b"ann",
        np.bytes_(b"ann"),
        0.5,
        float("inf"),
        2.0**53,
        np.float32(2**24),
        3j,
        decimal.Decimal(3),
        datetime.date(2020, 1, 1),
        ("ann",),
        np.array(["ann"]),
        "a\x00b",
        "a\nb",
        "a\u200bb",
        "a\u202eb",
        "\ud800",
    ],
    ids=repr,
)
def test_what_is_no_id_is_refused(value):
    with pytest.raises(ParameterError) as caught:
        subject_ids(["ann", value, "bob"])
    assert [problem.where for problem in caught.value.problems] == ["subjects[1]"]


@pytest.mark.parametrize("missing", [None, float("nan"), np.datetime64("NaT"), np.ma.masked, NAType(), "nan", "", " "])
def test_a_missing_id_is_called_so(missing):
    with pytest.raises(ParameterError, match="expected an id; an image of an unknown person needs an id too"):
        subject_ids([missing])


def test_everything_that_is_wrong_is_said_at_once_and_not_without_end():
    with pytest.raises(ParameterError) as caught:
        subject_ids(["ann", None, 3, True, "nan", ""], "people")
    assert [problem.where for problem in caught.value.problems] == [f"people[{n}]" for n in (1, 3, 4, 5)]
    assert [problem.got[:6] for problem in caught.value.problems] == ["None", "True, ", "the te", "'', an"]
    with pytest.raises(ParameterError, match="980 more") as caught:
        subject_ids([None] * 1000)
    assert len(str(caught.value)) < 3000


@pytest.mark.parametrize("values", ["ann", b"ann", {"ann": 1}, {"ann"}, 3, None, np.array("ann")])
def test_ids_come_in_a_list(values):
    with pytest.raises(ParameterError, match="a list of ids"):
        subject_ids(values)


def test_numpy_and_pandas_write_missing_ids_as_text_or_numbers():
    with pytest.raises(ParameterError, match=r"subjects\[1\]"):
        subject_ids(np.array(["ann", np.nan]))  # an array of text: 'nan'
    with pytest.raises(ParameterError, match=r"subjects\[1\]"):
        subject_ids(np.ma.array([1, 2], mask=[False, True]))
    pandas = pytest.importorskip("pandas")
    for kind in (float, "Int64", "string", object):
        column = pandas.Series(["1", None, "2"] if kind == "string" else [1, None, 2], dtype=kind)
        with pytest.raises(ParameterError) as caught:
            subject_ids(column)
        assert [problem.where for problem in caught.value.problems] == ["subjects[1]"]
        assert subject_ids(column.dropna()) == ("1", "2")
    assert subject_ids(pandas.Series([5, 6], index=[9, 4])) == ("5", "6")


@given(st.lists(st.text() | st.integers() | st.floats(), max_size=3))
def test_an_id_stays_what_it_became(values):
    try:
        once = subject_ids(values)
    except ParameterError:
        return
    assert subject_ids(once) == once
    assert all(name and name == name.strip() and unicodedata.is_normalized("NFC", name) for name in once)
    assert subject_ids([unicodedata.normalize("NFD", f" {name}\t") for name in once]) == once


def test_ids_that_differ_in_case_or_form_are_warned_about_and_stay_two_people():
    pairs = [("Ann", "ann"), ("\uff21nn", "Ann"), ("Ann Lee", "Ann\u00a0Lee"), ("AnnLee", "Ann  Lee")]
    pairs += [("Straße", "STRASSE"), ("7", "007"), ("p7", "P07"), ("3.0", "3"), ("+3", "3"), ("a\u200db", "ab")]
    for one, other in pairs:
        assert len(alike(one, other)) == 1, (one, other)
        assert subject_ids([one])[0] != subject_ids([other])[0]
    for one, other in [("ann", "bob"), ("Amélie", "Amelie"), ("10", "1"), ("1.01", "1.1"), ("100", "1"), ("-3", "3")]:
        assert alike(one, other) == []
    assert alike("ann", "ann") == []
    assert alike(*"ABCab")[0].count("two people") == 2
    assert "80 more" in alike(*(f"{case}{n}" for n in range(100) for case in "xX"))[0]


def test_every_way_in_warns():
    ids = ["Ann", "ann", "bob", "bob"]
    rows, labels = np.eye(4), ["a", "b", "a", "b"]
    moments = MomentRelease(privis.Gaussian(1.0, 1e-6), 4, clip=1.0, size=4, unit=privis.Person(1))
    for take in (
        lambda: privis.extract(HISTOGRAM, IMAGES, subjects=ids),
        lambda: within_bound(ids, 1),
        lambda: privis.SumRelease(privis.Laplace(1.0), 1.0, privis.Person(1)).partial(rows, ids),
        lambda: corpus_of(rows, labels, ["a", "b"], privis.Person(1), ids),
        lambda: private_projection(moments, rows, 1, corpus="c", subjects=ids),
    ):
        with pytest.warns(SubjectWarning, match="'Ann' and 'ann'"):
            take()


MISSING_IDS = [None, "", " ", float("nan"), "nan"]


@pytest.mark.parametrize("missing", MISSING_IDS, ids=repr)
def test_a_missing_id_is_refused_before_anything_is_charged(tmp_path, missing):
    ledger = privis.FileLedger.create(tmp_path / "ledger", Budget(9.0, 1e-6, Per.SUBJECT, BudgetUnit.PERSON))
    for release in (RELEASE, ONE, None):
        with pytest.raises(ParameterError, match=r"subjects\[2\]"):
            paid = None if release is None else ledger
            privis.extract(HISTOGRAM, IMAGES, release=release, ledger=paid, subjects=["ann", "bob", missing, "eve"])
    assert list(ledger.charges()) == []
    rows = np.eye(4)
    for take in (
        lambda ids: within_bound(ids, 1),
        lambda ids: privis.SumRelease(privis.Laplace(1.0), 1.0, privis.Person(1)).partial(rows, ids),
        lambda ids: corpus_of(rows, ["a"] * 4, ["a", "b"], privis.Person(1), ids),
        lambda ids: contributions(list("abcd"), ids, RELEASE),
    ):
        with pytest.raises(ParameterError, match=r"subjects\[2\]"):
            take(["ann", "bob", missing, "eve"])


def test_the_number_0_is_a_person_with_one_budget(tmp_path):
    ledger = privis.FileLedger.create(tmp_path / "ledger", Budget(2.5, 1e-6, Per.SUBJECT, BudgetUnit.PERSON))
    privis.extract(HISTOGRAM, IMAGES[:2], release=RELEASE, ledger=ledger, subjects=[0, "0"])
    assert ledger.spent("0").epsilon == pytest.approx(2.0)
    with pytest.raises(privis.errors.BudgetError):
        privis.extract(HISTOGRAM, IMAGES[2:3], release=RELEASE, ledger=ledger, subjects=np.zeros(1))
    with pytest.raises(privis.errors.ImageError, match="image 1"):
        privis.extract(HISTOGRAM, IMAGES[:2], release=ONE, subjects=[0, 0.0])


def test_charges_under_another_form_of_an_id_stay_in_force(tmp_path):
    ledger = privis.FileLedger.create(tmp_path / "ledger", Budget(2.5, 1e-6, Per.SUBJECT, BudgetUnit.PERSON))
    ledger.charge("Ame\u0301lie", RELEASE.guarantee((6,)), "of an earlier version")
    ledger.charge(" bob", RELEASE.guarantee((6,)), "of an earlier version")
    for name in ("Am\u00e9lie", "Ame\u0301lie", " bob"):
        with pytest.raises(ParameterError, match="another form"):
            privis.extract(HISTOGRAM, IMAGES[:1], release=RELEASE, ledger=ledger, subjects=[name])
    privis.extract(HISTOGRAM, IMAGES[:1], release=RELEASE, ledger=ledger, subjects=["Zo\u00eb"])
    assert ledger.spent("Zo\u00eb").charges == 1


@pytest.fixture
def folder(tmp_path):
    for number, image in enumerate(IMAGES):
        Image.fromarray(image).save(tmp_path / f"{number}.png")
    return tmp_path


def listed(folder: Path, ids, column="who") -> Path:
    path = folder / "images.csv"
    lines = [f'{n}.png,"{name}"' for n, name in enumerate(ids)]
    path.write_text("\n".join([f"path,{column}", *lines]), encoding="utf-8")
    return path


def run(*words):
    return CliRunner().invoke(app, [str(word) for word in words])


def test_a_list_says_every_line_without_an_id(folder):
    with pytest.raises(ParameterError) as caught:
        read_subjects(listed(folder, ["ann", "", "nan", "a\u200bb"]), "who")
    assert sorted(problem.where[-6:] for problem in caught.value.problems) == ["line 3", "line 4", "line 5"]
    assert read_manifest(listed(folder, ["NA", "nan"]), "who").subjects == ("NA", "nan")  # classes may be called so


def test_the_command_line_takes_the_same_ids_and_warns(folder):
    path = listed(folder, ["Ame\u0301lie", "Am\u00e9lie", "\u00a0Am\u00e9lie", "am\u00e9lie"])
    ledger = privis.FileLedger.create(folder / "ledger", Budget(9.0, 1e-6, Per.SUBJECT, BudgetUnit.PERSON))
    words = ["-f", "colour", "-p", "bins=2", "-p", "density=yes", "--release", "laplace", "--at", "feature"]
    words += ["--epsilon", 1, "--clip", 3, "--ledger", folder / "ledger", "--workers", 1, "-o", folder / "t.npz"]
    done = run("extract", path, "--subject-column", "who", *words)
    assert done.exit_code == 0, done.stderr
    assert done.stderr.count("privis: warning: subjects: 'Amélie' and 'amélie' are two people") == 1
    assert (ledger.spent("Am\u00e9lie").charges, ledger.spent("am\u00e9lie").charges) == (3, 1)
    refused = run("extract", listed(folder, ["ann", "None", "bob", "eve"]), "--subject-column", "who", *words)
    assert refused.exit_code == 2 and "line 3" in refused.stderr


def test_what_is_lent_to_jobs_has_the_same_ids(folder):
    people = ["7", "007", "7 ", "Ame\u0301lie"]
    of_pictures = Reading(None, None).rows(LocalData("x", images=listed(folder, people)), "who")
    assert of_pictures.subjects == ("7", "007", "7", "Am\u00e9lie")
    values = np.c_[np.eye(4), [7, 0, 7, 3]].astype(np.float32)
    write(folder / "t.csv", [*"abcd"], [values], names=[*"abcd", "who"], metadata={})
    assert Reading(None, None).rows(LocalData("x", table=folder / "t.csv"), "who").subjects == ("7", "0", "7", "3")
    for ids in ([7, 0, 7, 3], [7.0, 0.0, 7.0, 3.0], ["7", "0", " 7", "3"]):
        np.savez(folder / "x.npz", features=np.eye(4), who=np.array(ids))
        assert Reading(None, None).rows(LocalData("x", arrays=folder / "x.npz"), "who").subjects == ("7", "0", "7", "3")
    for wrong in ([7, np.nan, 7, 3], ["7", "", "7", "3"], [True] * 4, np.full(4, 2.0**60), np.eye(4)):
        np.savez(folder / "x.npz", features=np.eye(4), who=np.array(wrong))
        with pytest.raises(ParameterError, match="who"):
            Reading(None, None).rows(LocalData("x", arrays=folder / "x.npz"), "who")


def test_training_takes_the_same_ids(folder):
    words = ["--classes", "a,b", "--epsilon", 3, "--unit", "person:2", "--size", 1000, "--steps", 2]
    words += ["-o", folder / "h.npz"]
    paths = [str(folder / f"{n}.png") for n in range(4)]
    write(folder / "t.npz", paths, [np.eye(4, dtype=np.float32)], names=[*"abcd"], metadata={})
    labels = folder / "labels.csv"
    for people, says in ((["ann", "NaN", "ann", "bob"], "line 3"), (["Ann", "ann", "eve", "bob"], "warning")):
        lines = [f"{n}.png,{label},{who}" for n, label, who in zip(range(4), "abab", people, strict=True)]
        labels.write_text("\n".join(["path,label,who", *lines]), encoding="utf-8")
        assert says in run("train", folder / "t.npz", "--labels", labels, "--subject-column", "who", *words).stderr
    corpus = corpus_of(np.eye(4), [*"abab"], ["a", "b"], privis.Person(2), [0, "0", 0.0, 1])
    assert (corpus.members, corpus.shares.tolist()) == (2, [2, 2, 1])


def test_a_table_of_features_has_no_ids_of_its_own(folder):
    """What is charged is not written: the id of nobody gets into the table or its card."""
    result = privis.extract_folder(
        HISTOGRAM, [str(folder / "0.png")], folder / "t.npz", release=RELEASE, subjects=["someone"]
    )
    assert "someone" not in json.dumps(result.card.to_dict())
    assert "someone" not in json.dumps(dict(read(folder / "t.npz").metadata))
