"""A complete declaration for the registry, and the registry's own check of entries."""

from __future__ import annotations

from typing import Any

from privis.cards.registry.entry_schema import deployment_schema

WORDS = """
[registry]
name = "Gait of ward 7"
intended_use = "Planning of staff."
data_product_region = "Germany"
data_product_sector = "Healthcare"
publication_date = 2026-11-30
data_curators = [{ data_curator_name = "Ward 7", data_curator_type = "Nonprofit" }]
registry_authors = ["A. Person"]
model_name = "Central"
release_type = "One release"
data_source_type = "Static"
preprocessing_and_hyperparameter_tuning = "The clip is from public images."
justification = "The smallest epsilon that was useful on public images."
[registry.evidence_sources.report]
evidence_source_type = "Other public source"
misc = { title = "How we did it", year = 2026 }
"""
"""A declaration whose table ``[registry]`` is complete."""


def problems_of(entry: Any) -> list[str]:
    """What the registry's own check would say: Draft 7, dates too."""
    import jsonschema

    schema = deployment_schema()
    validator = jsonschema.Draft7Validator(schema, format_checker=jsonschema.Draft7Validator.FORMAT_CHECKER)
    return [f"{list(error.path)} {error.message}" for error in validator.iter_errors(entry)]
