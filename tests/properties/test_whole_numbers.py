"""Whole numbers that callers choose: right at both ends, in every type, and never overflowing afterwards."""

import math
from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest

import privis
from privis.errors import DomainError, ParameterError
from privis.joint.statistics.exact import ClassMeans, Covariance, Mean
from privis.joint.statistics.sums import Committee, owners_job, source, total_of
from privis.parties.table_reader import Reader
from privis.privacy import Dataset, Gaussian, HistogramRelease, Laplace, Patch, Person, PixelRelease, Pixels
from privis.privacy.learning.least_squares import LeastSquaresTraining
from privis.privacy.learning.logistic_regression import LogisticTraining
from privis.privacy.learning.moments import KMeansRelease, MomentRelease
from privis.validation import positive_number, whole_number

NOISE = Gaussian(1.0, 1e-5)
LOGISTIC = LogisticTraining(100, 100, 120, NOISE, Dataset(), sampling=1.0, steps=100)
SQUARES = LeastSquaresTraining(100, 100, 120, NOISE, Dataset())
MOMENTS = MomentRelease(NOISE, 100, 1.0, 120)
MEANS = KMeansRelease(NOISE, 100, 100, 1.0)
NOT_WHOLE = [0, -1, -(2**63), -(2**64), -(10**400), np.int64(-(2**63)), np.int8(-128), -0.0, 0.0, 1.0, True, "1", None]
TOO_LARGE = [2**40 + 1, 2**63, 2**64, 10**400, np.int64(2**63 - 1), np.uint64(2**63), np.uint64(2**64 - 1)]
CHOSEN = [
    *[(LOGISTIC, name) for name in ("classes", "components", "size", "steps")],
    *[(SQUARES, name) for name in ("classes", "components", "size")],
    *[(MOMENTS, name) for name in ("components", "size")],
    *[(MEANS, name) for name in ("words", "components", "iterations")],
    (Pixels(100), "count"),
    (Patch(100), "side"),
    (Person(100), "images"),
    (PixelRelease(Laplace(4.0), block=100), "block"),
    (HistogramRelease(Laplace(1.0), moves=100, unit=Pixels(1)), "moves"),
    (HistogramRelease(Laplace(1.0), moves=100, total=100), "total"),
    (ClassMeans(100, 1.0, 100), "components"),
    (ClassMeans(100, 1.0, 100), "classes"),
    (Mean(100, 1.0), "components"),
]


@pytest.mark.parametrize(("plan", "name"), CHOSEN, ids=lambda value: getattr(value, "__name__", None))
def test_what_is_no_whole_number_in_range_is_refused(plan, name):
    for value in [*NOT_WHOLE, *TOO_LARGE]:
        with pytest.raises(ParameterError):
            replace(plan, **{name: value})


@pytest.mark.parametrize("kind", [np.int8, np.uint8, np.int16, np.int32, np.int64, np.uint64])
def test_numpys_integers_decide_nothing_else_than_pythons(kind):
    """100 * 100 is 16 as int8: kept as it came, it would become a sensitivity."""
    for plan, name in CHOSEN:
        names = [other for known, other in CHOSEN if known is plan]
        changed = replace(plan, **{other: kind(getattr(plan, other)) for other in names if getattr(plan, other) < 128})
        assert changed == plan and type(getattr(changed, name)) is int
    for plan in (LOGISTIC, SQUARES):
        narrow = replace(plan, classes=kind(100), components=kind(100))
        assert narrow.guarantee == plan.guarantee
    assert Covariance(kind(100), 1.0).length == Covariance(100, 1.0).length == 5151
    assert ClassMeans(kind(100), 1.0, kind(100)).length == 10_100


def test_both_ends_of_whole_and_positive_numbers():
    assert not whole_number("n", 1) and not whole_number("n", 2**40)
    assert "an integer of 1329 bits" in str(whole_number("n", 10**400)[0])
    for value in (
        10**400,
        -(10**400),
        Fraction(1, 10**400),
        Fraction(10**400),
        math.inf,
        -0.0,
        math.nan,
        np.int64(-(2**63)),
    ):
        assert positive_number("x", value), value
    assert not positive_number("x", 2**63) and not positive_number("x", 5e-324)


@pytest.mark.parametrize("value", [*NOT_WHOLE[:-1], 2**31, 2**63, 2**64, 10**400, np.int64(2**63 - 1)])
def test_features_refuse_the_same_whole_numbers(value):
    for make in (
        lambda: privis.HOG(cell=value),
        lambda: privis.ColourHistogram(bins=value),
        lambda: privis.LBP(size=(value, 64)),
        lambda: privis.DenseSIFT(step=value),
    ):
        if value is not None:
            with pytest.raises(ParameterError):
                make()


@pytest.mark.parametrize("kind", [np.int8, np.uint8, np.int16, np.int32, np.uint32, np.uint64])
def test_features_take_integers_that_do_not_overflow(kind):
    with pytest.raises(ParameterError, match=r"pass int\(8\)"):
        privis.HOG(cell=kind(8))
    core = privis.HOG(cell=np.int64(8)).program((128, 128))
    assert core.output_shapes == privis.HOG(cell=8).program((128, 128)).output_shapes


def test_a_shared_summand_is_held_against_the_exact_bound():
    """Beyond 2**53 a comparison in floating point would let neighbours of the bound pass."""
    pytest.importorskip("jax")
    bound = 2**55
    job = owners_job(Committee(), 1, bound, ["a", "b"], ["a"])
    for value in (bound, -bound, 0):
        job.check_array(source("a"), np.array([value]))
    for value in (bound + 1, -bound - 1, -(2**63), 2**63 - 1):
        with pytest.raises(DomainError, match="outside"):
            job.check_array(source("a"), np.array([value]))


def test_a_total_keeps_every_integer():
    total = np.array([2**60 + 1, -(2**60) - 1, -(2**63), 2**63 - 1])
    assert total_of({"total": total}).tolist() == total.tolist()


def test_numbers_in_tables_are_finite_and_whole_where_they_count():
    for value in (math.inf, -math.inf, math.nan, 10**400, -(10**400), 0, -0.0, True, "1"):
        reader = Reader({"x": value}, "table", [])
        reader.number("x", None)
        assert reader.problems, value
    for value in (math.inf, math.nan, 10**400, True, "1"):
        reader = Reader({"x": [value]}, "table", [])
        reader.numbers("x")
        assert reader.problems, value
    for value in (2.5, 1.0, 0, -1, -(2**63), 2**53, 10**400, True, "1", math.inf):
        reader = Reader({"x": value}, "table", [])
        assert reader.whole("x", 3) == 3 and reader.problems, value
    reader = Reader({"x": 2**53 - 1, "y": 1}, "table", [])
    assert (reader.whole("x", None), reader.whole("y", None), reader.whole("z", None)) == (2**53 - 1, 1, None)
    assert not reader.problems


def test_classes_in_files_are_whole_and_exact():
    from privis.cli.joint.datasets import whole

    assert whole(["0", "-3", "2.0"], "file").tolist() == [0, -3, 2]
    for value in (2**53, -(2**53), 2**63, -(2**63), 10**400, 0.5, math.nan, math.inf, "x", None):
        with pytest.raises(ParameterError):
            whole([value], "file")
