"""The list of mended faults fits the code: `python -m tests.mutants` can put back every one of them."""

import ast
import functools
from collections import Counter
from pathlib import Path

import pytest

from tests.mutants import PROMISES, ROOT
from tests.mutants.every import MUTANTS


@functools.cache
def functions(path: Path) -> frozenset[str]:
    """The tests of a file, by reading it: to collect them all would take a minute."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    return frozenset(node.name for node in tree.body if isinstance(node, ast.FunctionDef))


@pytest.mark.parametrize("file", sorted({mutant.file for mutant in MUTANTS}))
def test_every_fault_can_be_put_back_in_one_place(file):
    for mutant in MUTANTS:
        if mutant.file == file:
            compile(mutant.changed(ROOT / "src" / "privis"), file, "exec")


def test_the_tests_that_guard_against_it_exist():
    for mutant in MUTANTS:
        for word in mutant.tests.split():
            file, _, test = word.partition("::")
            name, _, parameter = test.removesuffix("]").partition("[")
            assert name in functions(ROOT / file) and parameter in (ROOT / file).read_text(encoding="utf-8"), mutant


def test_every_promise_has_a_fault_and_every_fault_a_name():
    assert {mutant.number for mutant in MUTANTS} == set(PROMISES) == set(range(1, len(PROMISES) + 1))
    assert max(Counter(mutant.fault for mutant in MUTANTS).values()) == 1
