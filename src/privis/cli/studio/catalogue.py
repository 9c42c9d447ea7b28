"""What the page says, in English and Chinese: one file of messages for each, with the same keys."""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import cache
from importlib import resources

LANGUAGES = {"en": "English", "zh": "中文"}


@cache
def messages(language: str) -> Mapping[str, str]:
    """Give the messages of a language of `LANGUAGES`; what is none of them is English.

    >>> messages("en").keys() == messages("zh").keys()
    True
    """
    known = language if language in LANGUAGES else "en"
    text = resources.files("privis.cli.studio").joinpath("static", f"messages.{known}.json").read_text("utf-8")
    found: dict[str, str] = json.loads(text)
    return found


def preferred(accepted: str) -> str:
    """Choose the language by a browser's ``Accept-Language``.

    >>> preferred("zh-CN,zh;q=0.9,en;q=0.8"), preferred("de, en;q=0.5")
    ('zh', 'en')
    """
    weights: list[tuple[float, int, str]] = []
    for number, part in enumerate(accepted.split(",")):
        name, _, quality = part.strip().partition(";q=")
        language = name.partition("-")[0].lower()
        if language in LANGUAGES:
            try:
                weights.append((-float(quality or 1), number, language))
            except ValueError:
                continue
    return min(weights)[2] if weights else "en"
