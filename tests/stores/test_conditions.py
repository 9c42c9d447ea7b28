"""Answers for `privis.stores.conditions`."""

import numpy as np
import pyarrow as pa
import pytest

from privis.errors import ParameterError
from privis.stores import Condition, Relation
from privis.stores.conditions import check_conditions, fitting

VALUES = {
    "text": pa.array(["a", "ä", None, "b"]),
    "whole": pa.array([1, 2, None, 3]),
    "number": pa.array([0.5, float("nan"), None, 2.0]),
    "truth": pa.array([True, False, None, True]),
}
PYTHON = {"=": "__eq__", "!=": "__ne__", "<": "__lt__", "<=": "__le__", ">": "__gt__", ">=": "__ge__"}


@pytest.mark.parametrize("relation", Relation)
@pytest.mark.parametrize(("column", "value"), [("text", "b"), ("whole", 2), ("number", 2.0), ("truth", False)])
def test_rows_fit_as_python_compares(relation, column, value):
    expected = [
        each is not None and getattr(each, PYTHON[relation.value])(value) for each in VALUES[column].to_pylist()
    ]
    assert fitting([Condition(column, relation, value)], VALUES, 4).tolist() == expected


def test_all_conditions_hold():
    both = [Condition("whole", Relation.AT_LEAST, 2), Condition("text", Relation.EQUAL, "b")]
    assert np.flatnonzero(fitting(both, VALUES, 4)).tolist() == [3]
    assert not fitting([Condition("absent", Relation.EQUAL, "b")], VALUES, 4).any()
    assert fitting([], VALUES, 4).all()


def test_what_cannot_be_asked_is_said_at_once():
    types = {"text": "str", "whole": "int", "number": "float", "truth": "bool"}
    check_conditions([Condition("number", Relation.EQUAL, 1), Condition("id", Relation.EQUAL, "x")], types)
    wrong = [
        ("none", 1),
        ("whole", 1.5),
        ("truth", 1),
        ("text", None),
        ("whole", 2**63),
        ("source", 3),
        ("whole", True),
    ]
    with pytest.raises(ParameterError) as caught:
        check_conditions([Condition(column, Relation.EQUAL, value) for column, value in wrong], types)
    assert len(caught.value.problems) == 7
