"""Signed cards: every changed byte is found, and so is an epsilon that does not follow, whoever signed it.

Answers for `privis.cards.card_check`, `privis.cards.card_contents`, `privis.cards.card_key`,
`privis.cards.epsilon_check`, `privis.cards.findings`, `privis.cards.ledger_chain`, `privis.cards.signed_card` and
`privis.cards.table_bytes`.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from privis.cards.card_check import Against, CardCheck, beside, checked_card, checked_table
from privis.cards.card_contents import Declaration
from privis.cards.card_key import CardKey
from privis.cards.epsilon_check import epsilon_findings
from privis.cards.ledger_chain import ANSWERS, BUDGET, answers_link, budget_link
from privis.cards.signed_card import SignedCard
from privis.cards.table_bytes import content_of
from privis.errors import ParameterError, PrivisError
from privis.extraction.card import Card, described
from privis.io import tables
from privis.io.completeness.completeness import METADATA, completeness
from privis.privacy import (
    NO_GUARANTEE,
    AddOrRemovePerson,
    AnswerLedger,
    Budget,
    CodeRelease,
    Dataset,
    DirectionRelease,
    Enrolment,
    FeatureRelease,
    FileLedger,
    Gaussian,
    Guarantee,
    HistogramRelease,
    Laplace,
    MeanRelease,
    Metric,
    Patch,
    Person,
    PixelRelease,
    Pixels,
    PrivUnit,
    RandomisedResponse,
    SumRelease,
    VonMisesFisher,
    WholeImage,
)
from privis.privacy.ledger.disk import head_path
from privis.version import VERSION

KEY, OTHER = CardKey(bytes(range(32))), CardKey(bytes(32))
WIDTH = 6
STEPS = [13, pytest.param(1, marks=pytest.mark.long)]
"""Between two places that are changed: all of them take minutes."""
TIME = "2026-01-01T00:00:00+00:00"
SEEN = "The machine that runs Privis sees the images."


def card_of(release: Any, guarantee: Guarantee | None = None, feature: Mapping[str, Any] | None = None) -> Card:
    stated = guarantee or (NO_GUARANTEE if release is None else release.guarantee((WIDTH,)))
    told = None if release is None else described(release)
    return Card(feature or {"class": "HOG"}, {"class": "Clear"}, told, stated, (), 3, VERSION, SEEN)


def write(path: Path, card: Card) -> Path:
    stated, _ = completeness("abc", "abc", "")
    metadata = {"privis.guarantee": json.dumps(card.guarantee.to_dict()), "privis.card": card.to_json()}
    metadata[METADATA] = stated.to_json()
    names = [str(number) for number in range(WIDTH)]
    tables.write(path, ["a", "b", "c"], [np.ones((3, WIDTH), np.float32)], names=names, metadata=metadata)
    return path


def sign(table: Path, key: CardKey = KEY, **more: Any) -> SignedCard:
    made = SignedCard.issued(content_of(table, whole=True), key, **{"time": TIME, "chain": {}} | more)
    beside(table).write_bytes(made.to_bytes())
    return made


def holds(path: Path, against: Against) -> bool:
    """Whether a check finds nothing; what cannot be read at all does not hold."""
    try:
        check: CardCheck = checked_card(path, against) if path.suffix == ".json" else checked_table(path, None, against)
    except PrivisError:
        return False
    return check.findings.holds


@pytest.fixture
def room(tmp_path: Path) -> tuple[Path, dict[str, Path]]:
    """A table of a release that was charged to a ledger, with a signed card beside it."""
    release = FeatureRelease(Laplace(2.0), clip=1.0)
    table = write(tmp_path / "t.npz", card_of(release))
    book = FileLedger.create(tmp_path / "budget", Budget(4.0, 1e-6))
    for name in ("a", "b", "c"):
        book.charge(name, release.guarantee((WIDTH,)), f"release {name}")
    AnswerLedger.create(tmp_path / "answers")
    chain = {BUDGET: budget_link(book.path, release.guarantee((WIDTH,))), ANSWERS: answers_link(tmp_path / "answers")}
    sign(table, chain=chain)
    book.charge("later", release.guarantee((WIDTH,)), "another run")
    return table, {BUDGET: book.path, ANSWERS: tmp_path / "answers"}


def test_what_was_signed_holds_and_says_what_was_not_checked(room: tuple[Path, dict[str, Path]]) -> None:
    table, ledgers = room
    check = checked_table(table, None, Against(KEY.public, ledgers))
    assert check.findings.holds and not check.findings.not_checked
    assert (check.signed_by, check.card["chain"][BUDGET]["charges"]) == (KEY.public, 3)
    loose = checked_card(beside(table), Against()).findings
    assert loose.holds and len(loose.not_checked) == 4
    assert not checked_table(table, None, Against(OTHER.public)).findings.holds
    assert repr(KEY) == "<CardKey: secret>"


@pytest.mark.parametrize("suffix", [".npz", ".parquet", ".csv"])
@pytest.mark.parametrize("mask", [0x20, 0x01])
@pytest.mark.parametrize("step", STEPS)
def test_every_changed_byte_of_a_table_and_its_card_is_found(tmp_path: Path, suffix: str, mask: int, step: int) -> None:
    table = write(tmp_path / f"t{suffix}", card_of(FeatureRelease(Laplace(2.0), clip=1.0)))
    sign(table)
    files = [table, beside(table), *([table.with_name("t.csv.json")] if suffix == ".csv" else [])]
    against = Against(KEY.public)
    assert holds(table, against) and holds(beside(table), against)
    for path in files:
        data = path.read_bytes()
        for place in range(0, len(data), step):
            path.write_bytes(data[:place] + bytes([data[place] ^ mask]) + data[place + 1 :])
            assert not holds(table, against), (path, place)
            assert path != beside(table) or not holds(path, against), (path, place)
        path.write_bytes(data)
    table.write_bytes(table.read_bytes() + b"\n")
    assert not holds(table, against)


@pytest.mark.parametrize("step", STEPS)
def test_every_changed_byte_of_a_ledger_is_found(room: tuple[Path, dict[str, Path]], step: int) -> None:
    table, ledgers = room
    against = Against(KEY.public, ledgers)
    for path in [*ledgers.values(), *map(head_path, ledgers.values())]:
        data = path.read_bytes()
        for place in range(0, len(data), step):
            path.write_bytes(data[:place] + bytes([data[place] ^ 1]) + data[place + 1 :])
            assert not holds(beside(table), against), (path, place)
        path.write_bytes(data)
    assert holds(beside(table), against)


def forged(table: Path, document: Mapping[str, Any], **changes: Any) -> SignedCard:
    """The card of a table with other words, signed by another site as it should be."""
    content = replace(content_of(table), card={**document, **changes})
    return SignedCard.issued(content, OTHER, time=TIME, chain=document["chain"])


def test_a_forged_epsilon_is_found_whoever_signs(room: tuple[Path, dict[str, Path]]) -> None:
    table, ledgers = room
    honest = checked_card(beside(table), Against()).card
    # only the figure: the arithmetic shows it
    lower = {**honest["guarantee"], "epsilon": 0.5, "whole_image_epsilon": 0.5}
    lower["sentence"] = Guarantee.from_dict(lower).sentence
    beside(table).write_bytes(forged(table, honest, guarantee=lower).to_bytes())
    assert any("epsilon is stated as 0.5" in each for each in checked_card(beside(table), Against()).findings.problems)
    # a release that would have that epsilon: signature, ledger and table show it
    told = card_of(FeatureRelease(Laplace(0.5), clip=1.0)).to_dict()
    changes = {"release": told["release"], "guarantee": told["guarantee"]}
    beside(table).write_bytes(forged(table, honest, **changes).to_bytes())
    alone = checked_card(beside(table), Against())
    assert alone.findings.holds and any("whose signature" in each for each in alone.findings.not_checked)
    by_key = checked_card(beside(table), Against(KEY.public)).findings
    assert any("another key" in each for each in by_key.problems)
    by_ledger = checked_card(beside(table), Against(None, ledgers)).findings
    assert any("0 charges" in each for each in by_ledger.problems)
    by_table = checked_table(table, None, Against()).findings
    assert any("something else" in each for each in by_table.problems)


def test_a_card_of_another_table_or_ledger_is_none(room: tuple[Path, dict[str, Path]], tmp_path: Path) -> None:
    table, ledgers = room
    twin = write(tmp_path / "twin.npz", card_of(FeatureRelease(Laplace(2.0), clip=2.0)))
    assert not checked_table(twin, beside(table), Against(KEY.public)).findings.holds
    other = FileLedger.create(tmp_path / "other", Budget(4.0, 1e-6))
    found = checked_card(beside(table), Against(KEY.public, {BUDGET: other.path})).findings
    assert any("another ledger" in each for each in found.problems)
    with pytest.raises(ParameterError, match="no charge of epsilon 2"):
        budget_link(other.path, FeatureRelease(Laplace(2.0), clip=1.0).guarantee((WIDTH,)))
    with pytest.raises(ParameterError, match="an answer ledger"):
        checked_card(beside(table), Against(None, {BUDGET: ledgers[ANSWERS]}))
    sign(twin)
    assert not checked_card(beside(twin), Against(None, ledgers)).findings.holds, "chained to none"


RELEASES = [
    FeatureRelease(Laplace(2.0), clip=1.0),
    FeatureRelease(Gaussian(2.0, 1e-6), clip=1.0, unit=Person(3)),
    FeatureRelease(Laplace(1.0), clip=3.0, unit=Enrolment()),
    HistogramRelease(Laplace(1.0), moves=3, unit=Pixels(16), total=300),
    HistogramRelease(Laplace(1.0), moves=3, unit=Pixels(16)),
    HistogramRelease(Gaussian(1.0, 1e-6), moves=3, total=300),
    CodeRelease(RandomisedResponse(4.0)),
    CodeRelease(RandomisedResponse(4.0), unit=Person(2)),
    DirectionRelease(PrivUnit(8.0)),
    DirectionRelease(PrivUnit(8.0, border=0.9)),
    DirectionRelease(VonMisesFisher(3.0)),
    DirectionRelease(VonMisesFisher(3.0), unit=Metric()),
    SumRelease(Laplace(1.0), clip=1.0, unit=Dataset()),
    MeanRelease(Gaussian(1.0, 1e-6), clip=1.0, unit=AddOrRemovePerson(2)),
]
FIGURES = ("scale", "sensitivity", "epsilon", "delta", "whole_image_epsilon", "whole_image_delta")


@pytest.mark.parametrize("release", RELEASES, ids=repr)
def test_epsilon_follows_from_every_mechanism_and_no_other_does(release: Any) -> None:
    card = json.loads(card_of(release).to_json())
    assert epsilon_findings(card, WIDTH) == epsilon_findings(card, WIDTH)
    assert epsilon_findings(card, WIDTH).holds, epsilon_findings(card, WIDTH).problems
    assert epsilon_findings(card).holds, epsilon_findings(card).problems
    for name in FIGURES:
        value = card["guarantee"][name]
        if not value:  # none, or infinite
            continue
        words = {**card["guarantee"], name: value * 0.999}
        wrong = {**card, "guarantee": words | {"sentence": Guarantee.from_dict(words).sentence}}
        assert not epsilon_findings(wrong, WIDTH).holds, name
        if name == "epsilon":
            assert not epsilon_findings(wrong).holds, "also where the vectors' length is not known"
    unit = {**card["guarantee"], "unit": "patch"}
    assert not epsilon_findings({**card, "version": "", "guarantee": unit}, WIDTH).holds
    assert not epsilon_findings({**card, "release": None}, WIDTH).holds
    assert not epsilon_findings({**card, "release": {"class": "Path", "args": "x"}}, WIDTH).holds
    sentence = card["guarantee"]["sentence"].replace("epsilon", "Epsilon")
    assert not epsilon_findings({**card, "guarantee": {**card["guarantee"], "sentence": sentence}}, WIDTH).holds


@pytest.mark.parametrize("noise", [Laplace(4.0), Gaussian(4.0, 1e-6)])
@pytest.mark.parametrize(("unit", "block"), [(Pixels(4), 1), (Patch(4), 4), (WholeImage(), 1), (Person(2), 8)])
@pytest.mark.parametrize("shape", [(24, 32), (24, 32, 3)])
def test_noise_on_pixels_follows_from_the_size_of_images(noise: Any, unit: Any, block: int, shape: Any) -> None:
    release = PixelRelease(noise, unit, block)
    card = json.loads(card_of(release, release.guarantee(shape)).to_json())
    known, unknown = epsilon_findings(card, None, (24, 32)), epsilon_findings(card)
    assert known.holds and not known.not_checked and unknown.holds and unknown.not_checked
    assert epsilon_findings({**card, "feature": {"size": [24, 32]}}).not_checked == ()
    assert not epsilon_findings(card, None, (24, 31)).holds
    for name in ("epsilon", "whole_image_epsilon"):
        words = {**card["guarantee"], name: card["guarantee"][name] * 0.9}
        wrong = {**card, "guarantee": words | {"sentence": Guarantee.from_dict(words).sentence}}
        assert not epsilon_findings(wrong, None, (24, 32)).holds
        assert name != "epsilon" or not epsilon_findings(wrong).holds


def test_old_cards_are_read_and_their_arithmetic_is_checked(tmp_path: Path) -> None:
    card = card_of(FeatureRelease(Laplace(2.0), clip=1.0))
    table = write(tmp_path / "t.npz", card)
    before = table.read_bytes()
    check = checked_table(table, None, Against())
    assert check.findings.holds and "not signed" in check.findings.not_checked[-1] and check.signed_by == ""
    assert not checked_table(table, None, Against(KEY.public)).findings.holds, "a signature was asked for"
    (tmp_path / "card.json").write_text(card.to_json())
    assert holds(tmp_path / "card.json", Against())
    told = card.to_dict() | {"guarantee": card.guarantee.to_dict() | {"epsilon": 1.0}}
    (tmp_path / "run.json").write_text(json.dumps({"card": told, "rows": 3, "components": WIDTH, "output": "x"}))
    assert not holds(tmp_path / "run.json", Against())
    sign(table)
    assert table.read_bytes() == before, "a table keeps its bytes"
    exact = write(tmp_path / "exact.npz", card_of(None))
    assert holds(exact, Against()) and not sign(exact).document["guarantee"]["epsilon"]
    assert "The features are exact" in sign(exact).document["limits"][0]


def test_what_only_the_site_knows_is_declared_and_marked(tmp_path: Path) -> None:
    projection = {"class": "HOG", "post": [{"class": "Projection", "source": "ImageNet"}]}
    table = write(tmp_path / "t.npz", card_of(FeatureRelease(Laplace(20.0), clip=1.0), feature=projection))
    words = tmp_path / "words.toml"
    words.write_text(
        'site = "ward 7"\nlimits = ["For research only."]\n[custody]\n"release key" = "the data protection officer"\n'
        '[provenance]\nclip = "from public images"\n[cost.measured]\nseconds = 3.5\n'
    )
    made = sign(table, declared=Declaration.load(words), attacks=[{"file": "a.json", "figures": {"rank": 1}}]).document
    assert (made["site"], made["cost"]["measured"], made["attacks"][0]["figures"]) == (
        "ward 7",
        {"seconds": 3.5},
        {"rank": 1},
    )
    keys = {each["key"]: (each["held_by"], each["basis"]) for each in made["keys"]}
    assert keys["release key"] == ("the data protection officer", "declared by the signer")
    bounds = {each["name"]: each["provenance"] for each in made["provenance"]}
    assert bounds == {"clip": "from public images", "feature.post[0].Projection": "ImageNet"}
    limits = " ".join(made["limits"])
    assert "hardly hidden: their epsilon is 20" in limits and "For research only." in limits
    words.write_text('sites = "x"\ncustody = 3\nlimits = [1]\n[cost.measured]\nseconds = "many"\n[cost.other]\na = 1\n')
    with pytest.raises(ParameterError) as refused:
        Declaration.load(words)
    assert len(refused.value.problems) == 5


def test_a_card_is_no_place_for_other_json(tmp_path: Path) -> None:
    table = write(tmp_path / "t.npz", card_of(FeatureRelease(Laplace(2.0), clip=1.0)))
    made = sign(table)
    place = beside(table)
    place.write_text(json.dumps(made.document))  # the same document, otherwise written
    assert not holds(place, Against())
    for change in ({"chain": {BUDGET: {"lines": "x"}}}, {"guarantee": {}}, {"release": {"class": "Laplace"}}):
        document = {**made.document, **change}
        content = replace(content_of(table), card=document)
        again = (
            SignedCard.issued(content, KEY, time=TIME, chain=document["chain"]) if "guarantee" not in change else None
        )
        place.write_bytes(SignedCard(document).to_bytes() if again is None else again.to_bytes())
        book = FileLedger.create(tmp_path / f"b{len(os.listdir(tmp_path))}", Budget(1.0, 1e-6)).path
        assert not holds(place, Against(None, {BUDGET: book}))
    place.write_bytes(b'{"format": "privis.card/3"}')
    with pytest.raises(ParameterError):
        SignedCard.load(place)
    assert not holds(place, Against())


def test_unknown_keys_are_signed_and_skipped_and_newer_formats_are_named(room: tuple[Path, dict[str, Path]]) -> None:
    table, _ = room
    document = {name: value for name, value in checked_card(beside(table), Against()).card.items()}
    del document["signature"]
    later = SignedCard.of({**document, "later": {"x": 1}, "table": {**document["table"], "more": "y"}}, KEY)
    beside(table).write_bytes(later.to_bytes())
    assert checked_table(table, None, Against(KEY.public)).findings.holds
    beside(table).write_bytes(later.to_bytes().replace(b'"x": 1', b'"x": 2'))
    assert not checked_table(table, None, Against(KEY.public)).findings.holds, "the signature covers them"
    for name in ("format", "guarantee", "table"):
        without = SignedCard.of({key: value for key, value in document.items() if key != name}, KEY)
        beside(table).write_bytes(without.to_bytes())
        assert not holds(table, Against(KEY.public)) and not holds(beside(table), Against(KEY.public)), name
    beside(table).write_bytes(SignedCard.of({**document, "format": "privis.card/9"}, KEY).to_bytes())
    for check in (checked_table(table, None, Against()), checked_card(beside(table), Against())):
        assert any("privis.card/9" in each and "newer version" in each for each in check.findings.problems)
