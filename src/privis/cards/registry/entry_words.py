"""What an entry of the registry says and Privis cannot know: declared by the curator in the table ``[registry]``.

The names are those of the registry. What is required and missing is told all at once, and nothing is made up.
"""

from __future__ import annotations

import datetime
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from privis.cards.registry import entry_schema as schema
from privis.errors import ParameterError, Problem, refuse

_TEXTS = MappingProxyType({
    "name": "the name of the data product",
    "intended_use": "what the data product is for",
    "data_product_region": "the region that it describes, or whose law applies",
    "preprocessing_and_hyperparameter_tuning": "how epsilon, clip and features were chosen, and what that cost",
    "justification": "why these choices were made",
})  # fmt: skip
"""Required texts, and what they say."""
_CHOICES = MappingProxyType({
    "data_product_sector": "basic", "model_name": "deployment_model", "release_type": "deployment_model",
    "data_source_type": "deployment_model",
})  # fmt: skip
"""Required values of a list, and the block that the list is of."""
_MORE = (
    "description", "data_domain", "unprotected_quantities", "model_name_details", "trust_assumptions", "actors",
    "release_type_details", "data_source_type_details", "access_type_details", "composition", "post_processing",
    "utility", "additional_information",
)  # fmt: skip
"""Texts that may be added to what the card says."""
_OTHERS = ("data_curators", "registry_authors", "publication_date", "number_of_privacy_units", "evidence_sources")
_CURATOR = ("data_curator_name", "data_curator_type")


@dataclass(frozen=True)
class EntryWords:
    """What the curator declares.

    Args:
        values: by the names of the registry; everything that is required is there, and fits.
    """

    values: Mapping[str, Any]

    @classmethod
    def of(cls, declared: Mapping[str, Any], where: str) -> EntryWords:
        """Check a declaration.

        Args:
            declared: the table ``[registry]``.
            where: what it stands in, for messages.

        Returns:
            The words.

        Raises:
            ParameterError: naming everything that is missing or does not fit.

        >>> EntryWords.of({"name": "Gait counts"}, "words.toml")  # doctest: +ELLIPSIS
        Traceback (most recent call last):
        privis.errors.ParameterError: words.toml: registry.intended_use: got nothing, ...
        """
        values = {name: _plain(value) for name, value in declared.items()}
        refuse(ParameterError, [_placed(problem, where) for problem in _problems(values)])
        return cls(values)

    def text(self, name: str, derived: str = "") -> str:
        """Put together what the card says and what was declared.

        Args:
            name: of the field.
            derived: what the card says.

        Returns:
            Both; where the card says something, what was declared is marked.
        """
        said = self.values.get(name, "")
        if not said or not derived:
            return said or derived
        return f"{derived}\n\nDeclared by the curator: {said}"


def _plain(value: Any) -> Any:
    return value.isoformat() if isinstance(value, datetime.date) else value


def _placed(problem: Problem, where: str) -> Problem:
    return Problem(f"{where}: registry.{problem.where}", problem.got, problem.expected, problem.remedy)


def _problems(values: Mapping[str, Any]) -> Iterator[Problem]:
    known = (*_TEXTS, *_CHOICES, *_MORE, *_OTHERS)
    for name in values:
        if name not in known:
            yield Problem(name, "an unknown key", f"some of {', '.join(known)}")
    for name in (*_TEXTS, *_MORE):
        if name in _TEXTS or name in values:
            yield from _text_problems(name, values.get(name), _TEXTS.get(name, "a text"))
    for name, block in _CHOICES.items():
        yield from _choice_problems(name, values.get(name), schema.values_of(block, name))
    yield from _date_problems(values.get("publication_date"))
    yield from _curator_problems(values.get("data_curators"))
    yield from _author_problems(values.get("registry_authors"))
    number = values.get("number_of_privacy_units", 1)
    if isinstance(number, bool) or not isinstance(number, int) or number < 1:
        yield Problem("number_of_privacy_units", repr(number)[:80], "a whole number of at least 1")
    yield from _source_problems(values.get("evidence_sources", {}))


def _shown(value: Any) -> str:
    return "nothing" if value is None or value == "" else repr(value)[:80]


def _text_problems(name: str, value: Any, expected: str) -> Iterator[Problem]:
    if not isinstance(value, str) or not value.strip():
        yield Problem(name, _shown(value), expected)
    elif "\\\\" in value:
        yield Problem(name, "two backslashes in a row", "one: the registry refuses two", "write one backslash")


def _choice_problems(name: str, value: Any, values: Any) -> Iterator[Problem]:
    if value not in values:
        yield Problem(name, _shown(value), f"one of {', '.join(values)}")


def _date_problems(value: Any) -> Iterator[Problem]:
    try:
        if datetime.date.fromisoformat(value).isoformat() == value:
            return
    except (TypeError, ValueError):
        pass
    yield Problem("publication_date", _shown(value), "when it was published, as 2026-11-30; the first of many dates")


def _curator_problems(value: Any) -> Iterator[Problem]:
    expected = f"""[{{ data_curator_name = "…", data_curator_type = "{'", or "'.join(schema.curator_types())}" }}]"""
    if not isinstance(value, list) or not value:
        yield Problem("data_curators", _shown(value), expected)
        return
    for number, each in enumerate(value):
        where = f"data_curators[{number}]"
        if not isinstance(each, Mapping) or set(each) != set(_CURATOR):
            yield Problem(where, _shown(each), expected)
            continue
        yield from _text_problems(f"{where}.{_CURATOR[0]}", each[_CURATOR[0]], "who publishes the data product")
        yield from _choice_problems(f"{where}.{_CURATOR[1]}", each[_CURATOR[1]], schema.curator_types())


def _author_problems(value: Any) -> Iterator[Problem]:
    if not isinstance(value, list) or not value:
        yield Problem("registry_authors", _shown(value), "a list of who fills out the entry")
        return
    for number, each in enumerate(value):
        yield from _text_problems(f"registry_authors[{number}]", each, "a name")


def _source_problems(value: Any) -> Iterator[Problem]:
    if not isinstance(value, Mapping):
        yield Problem("evidence_sources", _shown(value), "a table for each source")
        return
    fields = schema.evidence_fields()
    types = fields["evidence_source_type"]["enum"]
    kinds = [name for name in fields if name != "evidence_source_type"]
    for key, source in value.items():
        where = f"evidence_sources.{key}"
        if not re.fullmatch(r"\w+", key):
            yield Problem(where, "a name of other signs", "letters, digits and underscores")
        if not isinstance(source, Mapping):
            yield Problem(where, _shown(source), "a table")
            continue
        yield from _choice_problems(f"{where}.evidence_source_type", source.get("evidence_source_type"), types)
        cited = [name for name in source if name != "evidence_source_type"]
        if len(cited) != 1 or cited[0] not in kinds:
            yield Problem(where, ", ".join(cited) or "no citation", f"one of {', '.join(kinds)}")
        elif not isinstance(source[cited[0]], Mapping):
            yield Problem(f"{where}.{cited[0]}", _shown(source[cited[0]]), "a table")
        else:
            yield from _citation_problems(f"{where}.{cited[0]}", source[cited[0]])


def _citation_problems(where: str, citation: Mapping[str, Any]) -> Iterator[Problem]:
    known = schema.citation_fields()
    for name, value in citation.items():
        number = isinstance(value, int | float) and not isinstance(value, bool)
        if name not in known:
            yield Problem(f"{where}.{name}", "an unknown field", f"some of {', '.join(known)}")
        elif not isinstance(value, str) and not (number and "number" in known[name]):
            yield Problem(f"{where}.{name}", _shown(value), "a text")
