"""Words of a report in one of its languages: messages by key, and sentences of Privis that files hold in English.

Messages lie in ``texts/en.toml`` and ``texts/zh.toml``, with the same keys and the same names in braces. What cards,
tables and checks say is English; ``texts/phrases.toml`` has it in the other language, pattern by pattern. Whatever is
in none of them stays as it was written, and is marked as English.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from functools import lru_cache
from html import escape
from importlib import resources
from typing import Any

_FIELD = re.compile(r"\{(\w+)\}")
_OPTION = re.compile(r"--[a-z]+")


class Html(str):
    """Text in which everything that was not written here is escaped already."""

    __slots__ = ()


class Language(Enum):
    """Languages of a report."""

    ENGLISH = "en"
    CHINESE = "zh"

    @property
    def tag(self) -> str:
        """As the attribute ``lang`` has it."""
        return {"en": "en", "zh": "zh-CN"}[self.value]


@dataclass(frozen=True)
class Words:
    """Says everything in one language.

    Args:
        language: of the report.
        messages: by dotted key.
        phrases: patterns of English sentences, and what stands for them.
    """

    language: Language
    messages: Mapping[str, str]
    phrases: tuple[tuple[re.Pattern[str], str], ...] = ()

    @classmethod
    def of(cls, language: Language) -> Words:
        """Read the words of a language.

        Args:
            language: which.

        Returns:
            Its words.
        """
        return _loaded(language)

    def say(self, key: str, values: Mapping[str, object] | None = None) -> Html:
        """Give a message.

        Args:
            key: of the message.
            values: for its names in braces; all are escaped that are no `Html`.

        Returns:
            The message, escaped.

        >>> Words.of(Language.ENGLISH).say("kind.measured")
        'measured'
        """
        given = values or {}
        text = _OPTION.sub(r'<span class="option">\g<0></span>', escape(self.messages[key], quote=False))
        return Html(_FIELD.sub(lambda found: self.plain(given[found[1]]), text))

    def plain(self, value: object) -> Html:
        """Escape a value, if it is not yet.

        Args:
            value: anything that is written as its text.

        Returns:
            The text, escaped.
        """
        return value if isinstance(value, Html) else Html(escape(str(value)))

    def translated(self, text: str) -> Html:
        """Give a sentence of Privis, which files hold in English, in the language of the report.

        Args:
            text: as the file has it.

        Returns:
            The sentence; in English, and marked so, where there is no other.
        """
        known = self._known(text)
        return Html(f'<span lang="en">{escape(text)}</span>') if known is None else known

    def knows(self, text: str) -> bool:
        """Tell whether a sentence of Privis has words in the language of the report.

        Args:
            text: as a file has it.

        Returns:
            Whether it has.
        """
        return self._known(text) is not None

    def _known(self, text: str) -> Html | None:
        if self.language is Language.ENGLISH:
            return Html(escape(text))
        for pattern, other in self.phrases:
            if found := pattern.fullmatch(text):
                parts = {str(place): self._part(each) for place, each in enumerate(found.groups())}
                return _filled(other, parts)
        return None

    def _part(self, text: str) -> Html:
        if not re.search("[A-Za-z]{3}", text):
            return Html(escape(text))
        known = self._known(text)
        if known is None and " " not in text:  # a name
            return Html(f"<code>{escape(text)}</code>" if re.search(r"[._]", text) else escape(text))
        return self.translated(text) if known is None else known

    def original(self, text: str) -> Html:
        """Give words of whoever wrote a file, as they are.

        Args:
            text: in whatever language.

        Returns:
            The text, escaped and marked as a quotation.
        """
        return Html(f"<q>{escape(text)}</q>")


def _filled(text: str, parts: Mapping[str, Html]) -> Html:
    return Html(_FIELD.sub(lambda place: parts[place[1]], escape(text, quote=False)))


@lru_cache(maxsize=2)
def _loaded(language: Language) -> Words:
    folder = resources.files("privis.report.protection").joinpath("texts")
    read = {
        name: tomllib.loads(folder.joinpath(f"{name}.toml").read_text("utf-8")) for name in (language.value, "phrases")
    }
    phrases = () if language is Language.ENGLISH else tuple(_compiled(each) for each in read["phrases"]["phrase"])
    return Words(language, dict(_flat(read[language.value], "")), phrases)


def _flat(tree: Mapping[str, Any], before: str) -> list[tuple[str, str]]:
    found: list[tuple[str, str]] = []
    for key, value in tree.items():
        found += _flat(value, f"{before}{key}.") if isinstance(value, Mapping) else [(before + key, value)]
    return found


def _compiled(phrase: Mapping[str, str]) -> tuple[re.Pattern[str], str]:
    parts = [re.escape(part) for part in phrase["en"].split("{}")]
    return re.compile("(.+?)".join(parts), re.DOTALL), phrase["zh"]
