"""``docs/support.md`` cannot lie: its cheap columns, and a sample of the others, are computed again."""

import importlib.util
from pathlib import Path

import pytest

from tests.conformance import matrix
from tests.conformance.samples import SAMPLES

DOCS = Path(__file__).resolve().parents[2] / "docs"
PAGES = [DOCS / "support.md", DOCS / "support.zh-CN.md"]
LABELLED = {sample.label: sample for sample in SAMPLES}


def test_the_page_has_every_sample_and_both_languages_say_the_same():
    english, chinese = map(matrix.read_page, PAGES)
    assert english == chinese and list(english) == list(LABELLED)
    assert all(len(cells) == len(matrix.COLUMNS) for cells in english.values())


@pytest.mark.parametrize(("page", "text"), [(PAGES[0], "support.txt"), (PAGES[1], "support.zh-CN.txt")])
def test_the_page_is_what_the_command_writes(page, text):
    words = (Path(matrix.__file__).parent / text).read_text(encoding="utf-8")
    assert page.read_text(encoding="utf-8") == matrix.page(matrix.read_page(page), words)


@pytest.mark.parametrize("label", LABELLED)
def test_columns_that_are_cheap_are_what_the_code_says(label):
    found = matrix.case(LABELLED[label])
    cells = tuple(column(found) for column in matrix.CHEAP)
    assert matrix.read_page(PAGES[0])[label][: len(cells)] == cells


COMPILED = [matrix.ckks, matrix.aby3, matrix.cheetah]
SAMPLED = {"colour", "colour-projected"}


@pytest.mark.parametrize("column", COMPILED, ids=lambda column: column.__name__)
@pytest.mark.parametrize(
    "label", [label if label in SAMPLED else pytest.param(label, marks=pytest.mark.long) for label in LABELLED]
)
def test_what_is_compiled_is_what_the_code_says(label, column):
    if importlib.util.find_spec("tenseal" if column is matrix.ckks else "spu") is None:
        pytest.skip("the extra is not installed")
    cell = column(matrix.case(LABELLED[label]))
    assert matrix.read_page(PAGES[0])[label][matrix.COLUMNS.index(column)] == cell
