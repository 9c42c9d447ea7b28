"""Both languages say everything, with the same places to fill in, and nothing is said that neither has."""

from __future__ import annotations

import re
from importlib import resources

import pytest

from privis.cli.parsing import UNDER
from privis.cli.studio.catalogue import LANGUAGES, messages, preferred
from privis.cli.studio.studio_app import page
from privis.cli.studio.views.task_forms import TASKS
from privis.privacy.guarantee import UNIT_NAMES

STATIC = resources.files("privis.cli.studio").joinpath("static")
SCRIPTS = "".join(STATIC.joinpath(name).read_text("utf-8") for name in ("studio.js", "tasks.js"))


def test_both_languages_have_the_same_keys_and_places() -> None:
    english, chinese = messages("en"), messages("zh")
    assert list(english) == list(chinese)
    for key in english:
        assert sorted(re.findall(r"{\w+}", english[key])) == sorted(re.findall(r"{\w+}", chinese[key])), key
        assert english[key].strip() and chinese[key].strip(), key
    assert [key for key in chinese if chinese[key] == english[key]] == []


def test_every_message_that_is_asked_for_exists() -> None:
    said = set(re.findall(r'say\("([\w.]+)"', SCRIPTS)) | set(
        re.findall(r"\[\[([\w.]+)\]\]", STATIC.joinpath("studio.html").read_text("utf-8"))
    )
    said |= {f"task.{name}" for name in TASKS}
    said |= {f"field.{field.name}" for task in TASKS.values() for field in task.fields}
    said |= {f"unit.{name.replace(' ', '_')}" for name in UNIT_NAMES.values()}
    said |= {f"under.{name}" for name in UNDER}
    assert said - set(messages("en")) == set()


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_page_is_whole_in_every_language(language: str) -> None:
    text = page(language)
    assert "[[" not in text.replace("[[\\u", "")
    assert f'<html lang="{language}">' in text
    assert not re.search(r'\son\w+="|style="|<script>|https?://', text.split('id="data"')[0])


@pytest.mark.parametrize(
    ("accepted", "language"),
    [("", "en"), ("zh", "zh"), ("zh-TW;q=0.4, en;q=0.8", "en"), ("de;q=1, zh;q=x", "en"), ("fr", "en")],
)
def test_the_browser_chooses_the_language(accepted: str, language: str) -> None:
    assert preferred(accepted) == language
