"""No patient and no pixels are on two sides, whatever chain links images."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from privis.errors import ParameterError
from privis.tasks.classification import Leak, leaks_between, linked_images, stratified_folds

_ROWS = st.lists(st.tuples(st.integers(0, 6), st.integers(0, 9)), min_size=1, max_size=30)


@given(_ROWS)
def test_linked_images_share_a_group_and_others_do_not(rows):
    patients, pixels = [row[0] for row in rows], [row[1] for row in rows]
    groups = linked_images(len(rows), patients, pixels)
    linked = [[a == b or c == d for b, d in rows] for a, c in rows]
    reach = np.linalg.matrix_power(np.array(linked, float), len(rows)) > 0
    assert (reach == (groups[:, None] == groups[None])).all()


def test_without_keys_each_image_is_a_group():
    assert linked_images(3, None, None).tolist() == [0, 1, 2] and linked_images(0).size == 0
    with pytest.raises(ParameterError, match="1 values"):
        linked_images(3, ["a"])


@pytest.mark.parametrize("seed", range(3))
def test_groups_stay_whole_and_classes_are_spread(seed):
    rng = np.random.default_rng(seed)
    groups = rng.integers(0, 40, 200)
    of = rng.choice(["a", "b"], 40)
    labels = [str(of[group]) for group in groups]
    folds = stratified_folds(labels, groups, 5, seed)
    for group in set(groups.tolist()):
        assert len(set(folds[groups == group].tolist())) == 1
    for fold in range(5):
        assert {labels[place] for place in np.flatnonzero(folds == fold)} == {"a", "b"}
    assert (folds == stratified_folds(labels, groups, 5, seed)).all()


def test_a_class_of_two_patients_is_never_in_one_fold_alone():
    for seed in range(20):
        labels = ["a"] * 20 + ["rare"] * 2
        folds = stratified_folds(labels, np.array([*range(10), *range(10), 10, 11]), 2, seed)
        assert len(set(folds[-2:].tolist())) == 2


def test_patients_of_several_classes_stay_whole_and_every_class_is_in_two_folds():
    labels, groups = ["b", "c", "c", "a", "a", "b", "c", "a"], np.array([0, 0, 1, 1, 2, 2, 3, 3])
    folds = stratified_folds(labels, groups, 3, 6)  # the first order has all of b in one fold
    assert all(len(set(folds[groups == patient].tolist())) == 1 for patient in range(4))
    assert all(len(set(folds[[each == name for each in labels]].tolist())) > 1 for name in "abc")


def test_a_class_that_no_order_spreads_is_refused():
    labels, groups = ["a", "b", "c", "a", "b", "c"], np.array([0, 0, 0, 1, 1, 2])
    with pytest.raises(ParameterError, match="in one fold, in 20 orders"):
        stratified_folds(labels, groups, 2)


def test_more_folds_than_any_class_has_patients_are_refused():
    with pytest.raises(ParameterError, match="3 folds"):
        stratified_folds(["a", "a", "b"], np.array([0, 1, 2]), 3)


def test_leaks_are_named_with_their_reasons():
    found = leaks_between((["ann"], ["x"]), (["ann", "bob", "eve"], ["x", "y", "x"]))
    assert found == (Leak(0, "the same patient and the same pixels"), Leak(2, "the same pixels"))
    assert leaks_between((["ann"], ["x"]), (None, ["y"])) == ()
