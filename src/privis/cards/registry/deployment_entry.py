"""The entry itself: what the card says under the names of the registry, and what the curator declares.

Nothing is made up: a field holds what follows from the card, what was declared, or both, the declared part marked.
The status is Draft, as for every new record; the board of the registry decides the rest.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from privis.cards.attack_check import figures_in
from privis.cards.registry.entry_words import EntryWords
from privis.errors import ParameterError, Problem
from privis.privacy import Guarantee, Laplace, Metric, Pixels, WholeImage
from privis.privacy.guarantee import ONE_IMAGE, UNIT_NAMES, shown, shown_delta

TIER = 3


def deployment_entry(document: Mapping[str, Any], words: EntryWords) -> dict[str, Any]:
    """Write a card down as an entry of tier 3.

    Args:
        document: a card of format 2, signed or not.
        words: of the curator.

    Returns:
        The entry, by the names of the registry.

    Raises:
        ParameterError: the card guarantees nothing, or what was declared contradicts it.
    """
    guarantee = Guarantee.from_dict(document["guarantee"])
    if document["release"] is None:
        remedy = "extract with --release, or train with --epsilon"
        expected = "a release under differential privacy"
        name = (document.get("table") or document["content"])["name"]
        raise ParameterError(Problem(name, "an exact result", expected, remedy))
    basic = _basic(document, guarantee, words)
    deployment = {
        "basic": basic,
        "dp_variant": _variant(guarantee, document, words),
        "privacy_loss": _privacy_loss(guarantee, document, words),
        "deployment_model": _model(document, words),
        "implementation": _implementation(guarantee, document, words),
        "administrative": _administrative(words),
    }
    return {"url_slug": slug(basic), "deployment": deployment}


def slug(basic: Mapping[str, Any]) -> str:
    """Make the name in the entry's address as the registry makes it: of name, curators and year.

    Args:
        basic: block of the entry.

    Returns:
        Letters and digits, joined by hyphens.

    >>> curators = [{"data_curator_name": "Ward 7"}]
    >>> slug({"name": "Gait counts", "data_curators": curators, "publication_date": "2026-11-30"})
    'gait-counts-ward-7-2026'
    """
    curators = "-".join(each["data_curator_name"] for each in basic["data_curators"])
    parts = (basic["name"], curators, basic["publication_date"].split("-")[0])
    return "_".join(re.sub(r"\W+", "_", part.lower()) for part in parts).replace("_", "-")


def _basic(document: Mapping[str, Any], guarantee: Guarantee, words: EntryWords) -> dict[str, Any]:
    of_images, table = guarantee.computed_from == ONE_IMAGE, document.get("table")
    if table is None:
        content = document["content"]
        counts = ", ".join(f"{number} {name}" for name, number in content["counts"].items())
        said = f"A {content['kind']} of {_described(document['feature'])}: {counts}."
    else:
        what = "A vector for each image" if of_images else "Figures of a set of images"
        size = f"{table.get('rows')} rows and {table.get('components')} columns"
        said = f"{what}: {_described(document['feature'])}, as a table of {size}."
    product = "Machine learning model" if table is None else "Dataset" if of_images else "Summary statistics"
    values = words.values
    return {
        "name": values["name"], "data_curators": [dict(each) for each in values["data_curators"]],
        "description": words.text("description", said), "intended_use": values["intended_use"],
        "data_product_type": product,
        "data_product_region": values["data_product_region"], "data_product_sector": values["data_product_sector"],
        "publication_date": values["publication_date"],
    }  # fmt: skip


def _variant(guarantee: Guarantee, document: Mapping[str, Any], words: EntryWords) -> dict[str, str]:
    if guarantee.unit == UNIT_NAMES[Metric]:
        name = "Custom"
    else:
        name = "Approximate DP" if guarantee.delta > 0 else "Pure DP"
    one = "One image of public dimensions; every image of the table is an input by itself."
    domain = one if guarantee.computed_from == ONE_IMAGE else "Sets of images."
    open_values = ["the card: feature, its parameters, the release with its bounds, and digests of the programs"]
    if guarantee.computed_from == ONE_IMAGE:
        open_values = [
            "the paths of the images in the table, their order and their number",
            "the dimensions of the images",
            *open_values,
        ]
    return {
        "variant_name": name,
        "data_domain": words.text("data_domain", f"{domain} What is released: {_described(document['feature'])}."),
        "unprotected_quantities": words.text("unprotected_quantities", _listed(open_values)),
    }


def _privacy_loss(guarantee: Guarantee, document: Mapping[str, Any], words: EntryWords) -> dict[str, Any]:
    details = [
        f"Neighbours: {guarantee.relation}. Largest distance of two neighbours: {guarantee.sensitivity:g} grid steps "
        f"in the {guarantee.norm} norm ({guarantee.sensitivity_reason}).",
        _listed(list(_by_unit(guarantee, document))),
    ]
    if guarantee.promises:
        details.append(f"Promised by the caller, and not checked: {'; '.join(guarantee.promises)}.")
    told = f"{guarantee.sentence} delta includes the distance between the sampled noise and its exact distribution."
    number = _number_of_units(guarantee, document, words)
    return {
        "privacy_unit": guarantee.unit,
        "privacy_unit_details": "\n\n".join(details),
        **({} if number is None else {"number_of_privacy_units": number}),
        "privacy_parameters": {"epsilon": float(guarantee.epsilon), "delta": float(guarantee.delta)},
        "privacy_parameters_details": told,
    }


def _by_unit(guarantee: Guarantee, document: Mapping[str, Any]) -> Iterator[str]:
    """Epsilon and delta of the unit, of one pixel and of whole images, one after the other."""
    per = " per unit of distance" if guarantee.unit == UNIT_NAMES[Metric] else ""
    yield f"For the unit, {guarantee.unit}: epsilon {shown(guarantee.epsilon)}{per}, delta {_delta(guarantee.delta)}."
    release = document["release"]
    unit = release.get("unit") or {}
    of_pixels = release.get("class") == "PixelRelease" and unit.get("class") == Pixels.__name__
    whole = guarantee.whole_image_epsilon
    if of_pixels and guarantee.mechanism == Laplace.name:
        yield f"For one pixel: epsilon {shown(guarantee.epsilon / unit['count'])}."
    elif guarantee.unit in (UNIT_NAMES[Pixels], "patch"):
        yield f"For one pixel: epsilon of at most {shown(guarantee.epsilon)}, as for the unit."
    elif whole < float("inf"):
        yield f"For one pixel: epsilon of at most {shown(whole)}: an image of which a pixel changed is another image."
    if whole == float("inf"):
        yield "For one whole image replaced by another: nothing bounds epsilon."
    else:
        delta = _delta(guarantee.whole_image_delta)
        yield f"For one whole image replaced by any other of its dimensions: epsilon {shown(whole)}, delta {delta}."


def _number_of_units(guarantee: Guarantee, document: Mapping[str, Any], words: EntryWords) -> int | None:
    declared = words.values.get("number_of_privacy_units")
    of_images = guarantee.unit == UNIT_NAMES[WholeImage] and guarantee.computed_from == ONE_IMAGE
    counted = document["images"] if of_images and document["images"] else None
    if declared is not None and counted is not None and declared != counted:
        where = "registry.number_of_privacy_units"
        raise ParameterError(Problem(where, str(declared), f"{counted}, as the card counts them", "leave it out"))
    return declared if counted is None else counted


def _model(document: Mapping[str, Any], words: EntryWords) -> dict[str, Any]:
    seen, keys = document["seen"], document["keys"]
    lines = [f"{each['who']} sees {each['what']}" for each in seen]
    lines += [f"{each['key']}: {each['opens']}; held by: {each['held_by']}" for each in keys]
    values = words.values
    file = "The data product is a file; nobody queries the images through it."
    drawn = "The noise was drawn by Privis before the result was written."
    return {
        "model_name": values["model_name"],
        "model_name_details": words.text("model_name_details", f"{drawn} {document['threat_model']}"),
        "trust_assumptions": words.text("trust_assumptions", _listed(lines)),
        "actors": words.text("actors", _listed([each["who"] for each in seen])),
        "release_type": values["release_type"], **_if_declared(words, "release_type_details"),
        "data_source_type": values["data_source_type"], **_if_declared(words, "data_source_type_details"),
        "access_type": "Non-interactive", "access_type_details": words.text("access_type_details", file),
    }  # fmt: skip


def _implementation(guarantee: Guarantee, document: Mapping[str, Any], words: EntryWords) -> dict[str, str]:
    noise = f"{guarantee.mechanism}, scale {guarantee.scale:g} in steps of {guarantee.step:g} {guarantee.step_unit}"
    mechanisms = [
        f"Mechanism: {noise}; its parameters: {_described(document['release'])}",
        f"Implementation: Privis {document['version']}, {_described(document['under'])}",
        f"Digests of the programs that ran: {', '.join(document['programs']) or 'none'}",
        "Timing: the result was written once, to a file, and answers no query",
    ]
    on_pixels = document["release"].get("class") == "PixelRelease"
    after = "The feature was computed from the noisy pixels." if on_pixels else "None by Privis after the noise."
    known = [f"Noise: {noise}."]
    if document.get("error"):
        known.append(f"Predicted relative error of approximations and encryption: {document['error']['relative']}.")
    if "utility" not in words.values:
        known.append("No utility on a task was stated.")
    return {
        "preprocessing_and_hyperparameter_tuning": words.values["preprocessing_and_hyperparameter_tuning"],
        "mechanisms": _listed(mechanisms),
        "composition": words.text("composition", _composition(guarantee, document["chain"])),
        "post_processing": words.text("post_processing", after),
        "justification": words.values["justification"],
        "utility": words.text("utility", " ".join(known)),
        "additional_information": words.text("additional_information", _listed(list(_information(document)))),
    }


def _composition(guarantee: Guarantee, chain: Mapping[str, Any]) -> str:
    rows = "Every row is computed from one image alone." if guarantee.computed_from == ONE_IMAGE else "One release."
    if (link := chain.get("budget")) is None:
        return f"{rows} No ledger was given: other releases of the same images add to this epsilon."
    return (
        f"{rows} Charged to a hash-chained ledger ({link['ledger']}, {link['charges']} charges of this guarantee until "
        f"line {link['lines']}), whose budget per {link['per']} is epsilon {link['epsilon']:g}, delta "
        f"{link['delta']:g} for {link['unit']}; charges of one image or corpus add up there."
    )


def _information(document: Mapping[str, Any]) -> Iterator[str]:
    yield from document["limits"]
    content = document.get("table") or document["content"]
    yield f"SHA-256 of the {content.get('kind', 'table')}: {content['sha256']}"
    if document.get("site"):
        yield f"Site: {document['site']}"
    signature = document.get("signature")
    if signature:
        yield f"Signed card: {signature['algorithm']}, public key {signature['public_key']}"
    for each in document["attacks"]:
        for found in figures_in(each["figures"]):
            told = f"{found.get('measure')} {found.get('value')}, interval {found.get('interval')}"
            yield f"Attack {found.get('attack')}: {told}, by chance {found.get('chance')}"
        yield f"Figures of attacks: {each['file']}"


def _administrative(words: EntryWords) -> dict[str, Any]:
    sources = words.values.get("evidence_sources")
    return {
        **({"evidence_sources": sources} if sources else {}),
        "status": "Draft",
        "registry_authors": list(words.values["registry_authors"]),
        "tier": TIER,
    }


def _if_declared(words: EntryWords, name: str) -> dict[str, str]:
    return {name: words.values[name]} if name in words.values else {}


def _described(value: Mapping[str, Any]) -> str:
    """Class and parameters in one line, nested ones in brackets."""
    shown_values = [
        f"{name}={_described(each) if isinstance(each, Mapping) else each}"
        for name, each in value.items()
        if name != "class"
    ]
    return f"{value.get('class', 'feature')}({', '.join(shown_values)})"


def _listed(lines: Sequence[str]) -> str:
    return "\n".join(f"- {line}" for line in lines)


def _delta(value: float) -> str:
    return shown_delta(value) if value else "0"
