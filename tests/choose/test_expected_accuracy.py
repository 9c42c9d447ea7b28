from __future__ import annotations

from datetime import date
from pathlib import Path

from privis.choose.expected_accuracy import Expected, expected, figures, sets
from privis.choose.job_description import JobDescription, Task

HERE = Path(__file__).resolve().parents[2]


def job(task: Task = Task.CLASSIFY, **more: object) -> JobDescription:
    return JobDescription(task, "in", 8, (64, 64), **more)  # type: ignore[arg-type]


def test_every_figure_is_in_the_documentation_where_it_says() -> None:
    for figure in figures():
        assert figure.quote in (HERE / figure.page).read_text(encoding="utf-8"), figure.quote
        assert figure.command.startswith("python -m benchmarks.") and date.fromisoformat(figure.date)
        shown = {f"{figure.value:g}", f"{100 * figure.value:.4g}", f"{100 - 100 * figure.value:.4g}"}
        shown |= {text.lstrip("0") for text in shown}
        digits = figure.quote.replace(",", "")
        assert any(text in digits for text in shown), (figure.value, figure.quote)


def test_without_likeness_the_lowest_set_counts() -> None:
    found = expected(job(), "lbp", "none", None)
    assert isinstance(found, Expected) and (found.set, found.value) == ("chest-x-ray", 0.811)
    like = expected(job(like="medical-mnist"), "lbp", "none", None)
    assert like is not None and like.value == 0.998
    assert expected(job(like="corel-1000"), "lbp", "none", None) is None


def test_a_budget_never_promises_more_than_was_measured_at_or_below_it() -> None:
    mnist = dict(like="medical-mnist", unit="dataset")
    found = {e: expected(job(**mnist), "scattering", "private training", e) for e in (0.5, 1.0, 2.9, 3.0, 50.0)}
    assert found[0.5] is None
    values = [None if one is None else one.epsilon for one in found.values()]
    assert values == [None, 1.0, 1.0, 3.0, 3.0]


def test_who_is_replaced_takes_twice_the_budget_of_presence() -> None:
    image = job(like="medical-mnist", unit="image")
    first, second = (expected(image, "scattering", "private training", e) for e in (5.9, 6.0))
    assert first is not None and second is not None and (first.epsilon, second.epsilon) == (1.0, 3.0)


def test_pixels_count_by_how_many_there_are() -> None:
    pixels = job(Task.EXTRACT, like="mnist", unit="pixels:4")
    assert expected(pixels, "lbp", "feature noise", 3.9) is None
    found = expected(pixels, "lbp", "feature noise", 4.0)
    assert found is not None and found.epsilon == 1.0
    whole = expected(job(Task.EXTRACT, like="mnist"), "lbp", "feature noise", 16.0)
    assert whole is not None and whole.unit == "whole image"


def test_words_name_the_source() -> None:
    found = expected(job(), "lbp", "none", None)
    assert found is not None and "docs/classification.md" in found.words and "benchmarks.classification" in found.words
    assert "corel-1000" in sets()
