"""The schema of the registry's entries, pinned: what it calls its fields, and the values that it knows.

Source: opendp/deployments-registry-data (MIT), ``schemas/deployments-schema.yaml`` at `PINNED`, the newest that was
stored on 2026-11-30. Names and values are facts of that file; ``deployment_schema.json`` is written anew, without
its descriptions. The registry renamed fields several times in 2026: whoever pins another commit changes both, and the
tests say what does not fit.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from functools import cache
from importlib.resources import files
from typing import Any

REPOSITORY = "opendp/deployments-registry-data"
PINNED = "057e5d81cf60150dd3307e0cf4504b957802fb3b"
"""Commit whose fields are written."""


@cache
def deployment_schema() -> Mapping[str, Any]:
    """Give the schema as JSON Schema.

    Returns:
        The document.
    """
    return json.loads(files(__package__).joinpath("deployment_schema.json").read_text(encoding="utf-8"))


def values_of(block: str, field: str) -> Sequence[str]:
    """Give the values that a field may have.

    Args:
        block: of the deployment, like ``basic``.
        field: inside it.

    Returns:
        All of them.

    >>> list(values_of("deployment_model", "release_type"))
    ['One release', 'Many releases']
    """
    return _fields(block)[field]["enum"]


def curator_types() -> Sequence[str]:
    """Give the values that the type of a curator may have.

    Returns:
        All of them.
    """
    return _fields("basic")["data_curators"]["items"]["properties"]["data_curator_type"]["enum"]


def citation_fields() -> Mapping[str, Any]:
    """Give what a citation may hold.

    Returns:
        Type by name: ``string``, or both ``string`` and ``number``.
    """
    return {name: each["type"] for name, each in deployment_schema()["$defs"]["citation"]["properties"].items()}


def evidence_fields() -> Mapping[str, Any]:
    """Give what a source may hold: its type, and one citation under the name of its kind.

    Returns:
        Part of the schema by name.
    """
    sources = _fields("administrative")["evidence_sources"]
    return next(iter(sources["patternProperties"].values()))["properties"]


def _fields(block: str) -> Mapping[str, Any]:
    deployment = deployment_schema()["properties"]["deployment"]["properties"]
    return deployment[block]["properties"]
