"""Answers for `privis.stores.vector_rows` and the values of `privis.stores.vector_store`."""

import numpy as np
import pytest

from privis import ParameterError
from privis.stores import VectorRows

SOURCE = "ab" * 32


def rows(ids=("a", "b"), subjects=("ann", 7), vectors=None, sources=(SOURCE, SOURCE), metadata=None):
    values = np.ones((2, 3), np.float32) if vectors is None else vectors
    return VectorRows(ids, subjects, sources, values, metadata or {})


def test_subjects_are_ids_by_one_rule():
    assert rows(subjects=(" ann ", 7.0)).subjects == ("ann", "7")


@pytest.mark.parametrize(
    ("changed", "word"),
    [
        ({"ids": ("a", "a")}, "'a' again"),
        ({"ids": ("", "b")}, "ids[0]"),
        ({"ids": ("a", "b\0")}, "ids[1]"),
        ({"sources": (SOURCE, SOURCE.upper())}, "sources[1]"),
        ({"vectors": np.ones((3, 3), np.float32)}, "float32 (2, components)"),
        ({"vectors": np.ones((2, 3))}, "float64"),
        ({"vectors": np.array([[1, 1], [np.nan, 0]], np.float32)}, "row 1"),
        ({"metadata": {"year": (2024,)}}, "1 values"),
        ({"metadata": {"year": (2024, "x")}}, "int, str"),
        ({"metadata": {"year": ([1], [2])}}, "list"),
        ({"metadata": {"year": (1, 2**63)}}, "row 1: got a number of 64 bits"),
        ({"metadata": {"note": ("a\0", "b")}}, "NUL"),
        ({"ids": ("a", "\udce4.png")}, "no Unicode"),
        ({"metadata": {"subject": ("x", "y")}}, "'subject'"),
        ({"metadata": {"a;b": ("x", "y")}}, "'a;b'"),
    ],
)
def test_what_a_store_cannot_hold_is_refused(changed, word):
    with pytest.raises(ParameterError) as caught:
        rows(**changed)
    assert word in str(caught.value)


def test_all_problems_are_told_at_once():
    with pytest.raises(ParameterError) as caught:
        rows(ids=("a", "a"), sources=(SOURCE, "x"), metadata={"year": (1,)})
    assert len(caught.value.problems) == 3
