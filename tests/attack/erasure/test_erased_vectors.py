"""Erased vectors are found where they are left, and not in stores that Privis erased them from.

Answers for `privis.attack.erasure.erased_vectors`.
"""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest

from privis.attack.erasure.erased_vectors import erased_vector_findings
from privis.errors import ParameterError
from privis.stores.erasure.residue_scanner import search_places
from privis.stores.vector_store import Residue, ResidueSearch

ROWS = np.random.default_rng(8).normal(size=(4, 48)).astype(np.float32)


def searching(folder: Path):
    def search(residue: Residue) -> ResidueSearch:
        return search_places(residue, [folder])

    return search


def test_what_is_left_is_counted_by_vector_and_named(tmp_path: Path) -> None:
    (tmp_path / "kept.bin").write_bytes(ROWS[0].tobytes() + bytes(64) + ROWS[2].astype(np.float16).tobytes())
    whole, near = erased_vector_findings(ROWS, searching(tmp_path), [tmp_path], "a folder")
    assert (whole.value, whole.tries) == (0.5, 4) and "kept.bin: float32" in whole.sentence
    assert near.value == 0.5 and "kept.bin" in near.sentence


def test_a_rounded_copy_that_no_form_names_is_near(tmp_path: Path) -> None:
    noisy = (ROWS[1] + 0.1 * np.random.default_rng(2).normal(size=48)).astype(np.float32)
    (tmp_path / "x").write_bytes(noisy.tobytes())
    whole, near = erased_vector_findings(ROWS, searching(tmp_path), [tmp_path], "a folder")
    assert whole.value == 0 and near.value == 0.25


def test_nothing_that_tells_is_refused(tmp_path: Path) -> None:
    for rows in (ROWS[:0], ROWS * 0, ROWS * np.nan):
        with pytest.raises(ParameterError, match="all with a direction"):
            list(erased_vector_findings(rows, searching(tmp_path), [], "x"))
    whole = list(erased_vector_findings(ROWS, searching(tmp_path), [], "x"))
    assert len(whole) == 1 and dataclasses.replace(whole[0]).value == 0
