"""Entries of the registry fit its pinned schema, say both epsilons, and make nothing up.

Answers for `privis.cards.registry.deployment_entry`, `privis.cards.registry.entry_file`,
`privis.cards.registry.entry_schema` and `privis.cards.registry.entry_words`.
"""

from __future__ import annotations

import copy
import json
import re
import tomllib
from pathlib import Path
from typing import Any

import pytest

from privis.cards.card_contents import Declaration
from privis.cards.registry.deployment_entry import deployment_entry
from privis.cards.registry.entry_file import entry_bytes, name_fits
from privis.cards.registry.entry_schema import PINNED
from privis.cards.registry.entry_words import EntryWords
from privis.cards.signed_card import unsigned_document
from privis.cards.table_bytes import TableContent
from privis.errors import ParameterError
from privis.extraction.card import Card, described
from privis.privacy import (
    NO_GUARANTEE,
    CodeRelease,
    Dataset,
    DirectionRelease,
    FeatureRelease,
    Gaussian,
    HistogramRelease,
    Laplace,
    Metric,
    Patch,
    PixelRelease,
    Pixels,
    PrivUnit,
    RandomisedResponse,
    SumRelease,
    VonMisesFisher,
)
from privis.version import VERSION
from tests.cards.registry.declared_words import WORDS, problems_of

yaml = pytest.importorskip("yaml")


def words(**changes: Any) -> dict[str, Any]:
    """The declaration with other values; None leaves one out."""
    return {name: value for name, value in (tomllib.loads(WORDS)["registry"] | changes).items() if value is not None}


def document_of(release: Any, shape: tuple[int, ...] = (6,), chain: Any = None, attacks: Any = ()) -> dict[str, Any]:
    guarantee = NO_GUARANTEE if release is None else release.guarantee(shape)
    told = None if release is None else described(release)
    feature = {"class": "HOG", "size": [24, 32]}
    card = Card(feature, {"class": "Clear"}, told, guarantee, ("ab" * 32,), 3, VERSION, "The machine sees the images.")
    table = TableContent("t.npz", "cd" * 32, "", 3, shape[-1], json.loads(card.to_json()))
    return unsigned_document(table, "", chain or {}, attacks, Declaration(site="Ward 7"))


RELEASES = [
    (FeatureRelease(Laplace(2.0), clip=1.0), (6,)),
    (FeatureRelease(Gaussian(2.0, 1e-6), clip=1.0), (6,)),
    (PixelRelease(Laplace(4.0), Pixels(4)), (24, 32)),
    (PixelRelease(Gaussian(4.0, 1e-6), Patch(4)), (24, 32, 3)),
    (HistogramRelease(Laplace(1.0), moves=3, unit=Pixels(16)), (6,)),
    (CodeRelease(RandomisedResponse(4.0)), (6,)),
    (DirectionRelease(PrivUnit(8.0)), (6,)),
    (DirectionRelease(VonMisesFisher(3.0), unit=Metric()), (6,)),
    (SumRelease(Laplace(1.0), clip=1.0, unit=Dataset()), (6,)),
]


@pytest.mark.parametrize(("release", "shape"), RELEASES, ids=repr)
def test_every_release_gives_an_entry_that_fits_the_pinned_schema(release: Any, shape: tuple[int, ...]) -> None:
    entry = deployment_entry(document_of(release, shape), EntryWords.of(words(), "w.toml"))
    assert problems_of(entry) == []
    written = entry_bytes(entry)
    assert yaml.safe_load(written) == entry, "texts stay texts: the date, too"
    styles = {token.style for token in yaml.scan(written) if isinstance(token, yaml.ScalarToken)}
    assert styles <= {None, "|", '"', "'"}, "the registry refuses folded texts"
    assert written.startswith(b"url_slug: gait-of-ward-7-ward-7-2026\n"), "its script finds the slug there"
    loss, guarantee = entry["deployment"]["privacy_loss"], release.guarantee(shape)
    assert loss["privacy_parameters"] == {"epsilon": guarantee.epsilon, "delta": guarantee.delta}
    details = loss["privacy_unit_details"]
    assert "For one pixel: epsilon" in details or guarantee.whole_image_epsilon == float("inf")
    assert re.search(r"For one whole image replaced by (any other|another)", details)
    assert guarantee.relation in details


def entry_of(release: Any, shape: tuple[int, ...] = (6,), **changes: Any) -> dict[str, Any]:
    return deployment_entry(document_of(release, shape), EntryWords.of(words(**changes), "w.toml"))["deployment"]


def test_both_epsilons_and_the_variant_follow_from_the_card() -> None:
    on_pixels = entry_of(PixelRelease(Laplace(4.0), Pixels(4)), (24, 32))
    details = on_pixels["privacy_loss"]["privacy_unit_details"]
    assert "For the unit, pixels: epsilon 4" in details and "For one pixel: epsilon 1." in details
    assert "epsilon 768, delta" in details, "768 pixels at epsilon 1 each"
    assert on_pixels["implementation"]["post_processing"].startswith("The feature was computed from the noisy pixels")
    assert "number_of_privacy_units" not in on_pixels["privacy_loss"]
    variants = [entry_of(release, shape)["dp_variant"]["variant_name"] for release, shape in RELEASES]
    assert (variants[1], variants[5], variants[7]) == ("Approximate DP", "Pure DP", "Custom")
    products = [entry_of(release, shape)["basic"]["data_product_type"] for release, shape in RELEASES]
    assert (products[0], products[-1]) == ("Dataset", "Summary statistics")
    assert entry_of(RELEASES[0][0])["privacy_loss"]["number_of_privacy_units"] == 3
    with pytest.raises(ParameterError, match="3, as the card counts them"):
        entry_of(RELEASES[0][0], number_of_privacy_units=4)
    assert entry_of(RELEASES[-1][0], number_of_privacy_units=9)["privacy_loss"]["number_of_privacy_units"] == 9
    with pytest.raises(ParameterError, match="an exact result"):
        entry_of(None)


def test_what_was_declared_is_marked_beside_what_follows() -> None:
    entry = entry_of(RELEASES[0][0], utility="Accuracy 0.8.", composition="One of two.")
    assert "Declared by the curator: Accuracy 0.8." in entry["implementation"]["utility"]
    assert "No utility" not in entry["implementation"]["utility"]
    assert "No utility" in entry_of(RELEASES[0][0])["implementation"]["utility"]
    assert "No ledger was given" in entry["implementation"]["composition"]
    chain = {
        "budget": {
            "ledger": "ef" * 32,
            "lines": 5,
            "charges": 3,
            "epsilon": 4.0,
            "delta": 1e-6,
            "per": "record",
            "unit": "x",
        }
    }
    figures = {"format": "privis.attack/1", "attacks": [{"attack": "ridge", "measure": "re-identified", "value": 0.4}]}
    document = document_of(RELEASES[0][0], chain=chain, attacks=[{"file": "a.json", "figures": figures}])
    made = deployment_entry(document, EntryWords.of(words(), "w"))["deployment"]
    assert "3 charges" in made["implementation"]["composition"]
    assert "Attack ridge: re-identified 0.4" in made["implementation"]["additional_information"]


def test_all_that_is_missing_is_told_at_once() -> None:
    with pytest.raises(ParameterError) as caught:
        EntryWords.of({}, "w.toml")
    told = {problem.where.removeprefix("w.toml: registry.") for problem in caught.value.problems}
    assert told == set(words()) - {"evidence_sources"}


@pytest.mark.parametrize(
    ("changes", "where"),
    [
        ({"name": " "}, "name"),
        ({"surprise": "x"}, "surprise"),
        ({"data_product_sector": "Hospital"}, "data_product_sector"),
        ({"publication_date": "2026-13-01"}, "publication_date"),
        ({"publication_date": "20261130"}, "publication_date"),
        ({"publication_date": 2026}, "publication_date"),
        ({"data_curators": ["Ward 7"]}, "data_curators[0]"),
        ({"data_curators": [{"data_curator_name": "", "data_curator_type": "Ward"}]}, "data_curators[0].data_curator_"),
        ({"registry_authors": "A. Person"}, "registry_authors"),
        ({"registry_authors": ["A", 3]}, "registry_authors[1]"),
        ({"number_of_privacy_units": True}, "number_of_privacy_units"),
        ({"utility": ["x"]}, "utility"),
        ({"justification": "C:\\\\x"}, "justification"),
        ({"evidence_sources": {"a": {"evidence_source_type": "Blog", "misc": {}}}}, "evidence_sources.a.evidence_"),
        ({"evidence_sources": {"a b": {"evidence_source_type": "Other public source", "misc": {}}}}, "evidence_"),
        ({"evidence_sources": {"a": {"evidence_source_type": "Other public source"}}}, "evidence_sources.a"),
        (
            {"evidence_sources": {"a": {"evidence_source_type": "Other public source", "misc": {"title": 3}}}},
            "evidence_sources.a.misc.title",
        ),
        (
            {"evidence_sources": {"a": {"evidence_source_type": "Other public source", "misc": {"isdn": "3"}}}},
            "evidence_sources.a.misc.isdn",
        ),
    ],
)
def test_what_does_not_fit_is_named(changes: dict[str, Any], where: str) -> None:
    with pytest.raises(ParameterError) as caught:
        EntryWords.of(words(**changes), "w.toml")
    assert all(problem.where.startswith(f"w.toml: registry.{where}") for problem in caught.value.problems)


@pytest.mark.parametrize(
    "text", ["ends here \n", " begins\nlater", "a: b # c", "2026-11-30", "no", "tab\tä\x07", "| >"]
)
def test_texts_of_every_kind_are_read_as_they_were_written(text: str) -> None:
    entry = deployment_entry(document_of(RELEASES[0][0]), EntryWords.of(words(justification=text), "w.toml"))
    assert yaml.safe_load(entry_bytes(entry))["deployment"]["implementation"]["justification"] == text
    assert not [t for t in yaml.scan(entry_bytes(entry)) if getattr(t, "style", None) == ">"]


def test_the_schema_refuses_what_the_registry_refuses() -> None:
    good = deployment_entry(document_of(RELEASES[0][0]), EntryWords.of(words(), "w.toml"))
    places: list[tuple[tuple[str, ...], Any]] = [
        (("status",), "Draft"),
        (("deployment", "accounting"), {}),
        (("deployment", "basic", "data_product_type"), "Surprise"),
        (("deployment", "basic", "publication_date"), "1/1/2026"),
        (("deployment", "basic", "data_curators"), []),
        (("deployment", "administrative", "tier"), 0),
        (("deployment", "administrative", "evidence_sources"), {"a": {"article": {}, "book": {}}}),
        (("deployment", "privacy_loss", "number_of_privacy_units"), 1.5),
    ]
    for place, value in places:
        bad = copy.deepcopy(good)
        block = bad
        for name in place[:-1]:
            block = block[name]
        block[place[-1]] = value
        assert problems_of(bad), place
    del good["deployment"]["administrative"]["registry_authors"]
    assert problems_of(good)
    assert re.fullmatch("[0-9a-f]{40}", PINNED)
    assert not name_fits(Path("Entry.yaml")) and not name_fits(Path("entry.yml"))
