"""Laws and standards that a report names: dates, sources and when they were looked at, as data."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from datetime import date
from functools import lru_cache
from importlib import resources

from privis.report.protection.report_words import Language


@dataclass(frozen=True)
class LegalSource:
    """One law, rule or standard.

    Args:
        key: name of it here.
        titles: by language.
        states: what is known of its standing, by language.
        day: that matters: from which it applies; None for a standard without one.
        source: where it was read.
        read: ``text`` where its text was read, ``secondary`` where only others were who tell of it.
        checked_on: day on which somebody looked.
        uses: fields of use that it concerns; empty: all.
    """

    key: str
    titles: dict[Language, str]
    states: dict[Language, str]
    day: date | None
    source: str
    read: str
    checked_on: date
    uses: tuple[str, ...]

    def concerns(self, uses: tuple[str, ...]) -> bool:
        """Whether it belongs on a report.

        Args:
            uses: fields of use; empty: not stated.

        Returns:
            Whether it does.
        """
        return not uses or not self.uses or bool(set(uses) & set(self.uses))


@lru_cache(maxsize=1)
def legal_sources() -> tuple[LegalSource, ...]:
    """Read the data that lie in the package.

    Returns:
        All of them, in the order of the file.
    """
    text = resources.files("privis.report.protection").joinpath("texts", "legal_sources.toml").read_text("utf-8")
    return tuple(
        LegalSource(
            each["key"],
            {language: each["title"][language.value] for language in Language},
            {language: each["state"][language.value] for language in Language},
            each.get("day"),
            each["source"],
            each["read"],
            each["checked_on"],
            tuple(each.get("uses", ())),
        )
        for each in tomllib.loads(text)["source"]
    )
