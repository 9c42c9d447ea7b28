"""A trained head can be signed: every changed byte and every epsilon that does not follow is found.

Answers for `privis.training.heads` and `privis.cards.signed_content`.
"""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from privis.cards.card_check import Against, beside, checked_card, checked_table
from privis.cards.card_key import CardKey
from privis.cards.ledger_chain import BUDGET, budget_link
from privis.cards.signed_card import OF_CONTENT, SignedCard
from privis.cards.signed_content import NOT_KEPT
from privis.cards.table_bytes import content_of
from privis.errors import ParameterError
from privis.extraction.card import described
from privis.privacy import (
    Budget,
    BudgetUnit,
    Dataset,
    FileLedger,
    Gaussian,
    Guarantee,
    LogisticTraining,
    Per,
    ReleaseKey,
)
from privis.training import Head, head_content, train_head

KEY, OTHER = CardKey(bytes(range(32))), CardKey(bytes(32))
TIME = "2026-01-01T00:00:00+00:00"
PLAN = LogisticTraining(2, 8, 2000, Gaussian(1.0, 1e-5), Dataset(), sampling=0.25, steps=20)
STEPS = [17, pytest.param(1, marks=pytest.mark.long)]
"""Between two bytes that are changed."""


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[bytes, bytes]:
    """Files of a head and of the ledger that it was charged to."""
    folder = tmp_path_factory.mktemp("head")
    rng = np.random.default_rng(0)
    vectors = rng.normal(size=(2000, 8)) + np.repeat([[2.0], [-2.0]], 1000, axis=0)
    book = FileLedger.create(folder / "budget", Budget(4.0, 1e-4, Per.CORPUS, BudgetUnit.DATASET))
    key = ReleaseKey(bytes(32))
    names = ["a"] * 1000 + ["b"] * 1000
    head = train_head(PLAN, vectors, names, ["a", "b"], corpus="made up", key=key, ledger=book, feature={"class": "H"})
    head.save(folder / "head.npz")
    return (folder / "head.npz").read_bytes(), book.path.read_bytes()


@pytest.fixture
def room(made: tuple[bytes, bytes], tmp_path: Path) -> tuple[Path, dict[str, Path]]:
    path = tmp_path / "head.npz"
    path.write_bytes(made[0])
    book = FileLedger.create(tmp_path / "budget", Budget(4.0, 1e-4, Per.CORPUS, BudgetUnit.DATASET))
    book.charge("made up", PLAN.guarantee, "a release")
    sign(path, chain={BUDGET: budget_link(book.path, PLAN.guarantee)})
    return path, {BUDGET: book.path}


def sign(path: Path, key: CardKey = KEY, **more: Any) -> SignedCard:
    signed = SignedCard.issued(head_content(path), key, **{"time": TIME, "chain": {}} | more)
    beside(path).write_bytes(signed.to_bytes())
    return signed


def holds(path: Path, against: Against) -> bool:
    try:
        check = (
            checked_card(path, against)
            if path.suffix == ".json"
            else checked_table(path, None, against, read=head_content)
        )
    except ParameterError:
        return False
    return check.findings.holds


def test_a_signed_head_holds_with_its_ledger(room: tuple[Path, dict[str, Path]]) -> None:
    path, ledgers = room
    check = checked_table(path, None, Against(KEY.public, ledgers), read=head_content)
    assert check.findings.problems == () and check.card["format"] == OF_CONTENT
    assert "epsilon and delta of the whole training, recomputed by its accountant" in check.findings.checked
    assert check.card["release"]["steps"] == 20 and check.card["content"]["counts"] == {"classes": 2, "components": 8}
    assert any("classifier" in each for each in check.card["limits"])
    assert not checked_table(path, None, Against(OTHER.public), read=head_content).findings.holds
    loose = checked_card(beside(path), Against())
    assert loose.findings.holds and "the classifier: it was not given" in loose.findings.not_checked
    beside(path).unlink()
    alone = checked_table(path, None, Against(), read=head_content).findings
    assert alone.holds and "not signed" in alone.not_checked[-1]


@pytest.mark.parametrize("step", STEPS)
def test_every_changed_byte_of_a_head_and_its_card_is_found(room: tuple[Path, dict[str, Path]], step: int) -> None:
    path, _ = room
    against = Against(KEY.public)
    assert holds(path, against) and holds(beside(path), against)
    for file in (path, beside(path)):
        data = file.read_bytes()
        for place in range(0, len(data), step):
            file.write_bytes(data[:place] + bytes([data[place] ^ 1]) + data[place + 1 :])
            assert not holds(path, against), (file, place)
            assert file == path or not holds(file, against), (file, place)
        file.write_bytes(data)
    assert holds(path, against)


def test_a_head_that_claims_less_is_found_whoever_signs(room: tuple[Path, dict[str, Path]]) -> None:
    path, ledgers = room
    head = Head.load(path)
    told = {**head.guarantee.to_dict(), "epsilon": 0.1, "whole_image_epsilon": 0.2}
    replace(head, guarantee=Guarantee.from_dict(told)).save(path)
    sign(path, OTHER)
    found = checked_table(path, None, Against(), read=head_content).findings
    assert any("epsilon is stated as 0.1" in each for each in found.problems)
    # a training that would have that epsilon: signature and ledger show it
    cheap = replace(PLAN, noise=Gaussian(0.5, 1e-5))
    replace(head, guarantee=cheap.guarantee, training=described(cheap)).save(path)
    sign(path, OTHER)
    assert checked_table(path, None, Against(), read=head_content).findings.holds
    assert not checked_table(path, None, Against(KEY.public), read=head_content).findings.holds
    assert not checked_table(path, None, Against(None, ledgers), read=head_content).findings.holds


def test_files_of_a_version_that_kept_no_training_say_so(room: tuple[Path, dict[str, Path]]) -> None:
    path, _ = room
    replace(Head.load(path), training={}).save(path)
    card = sign(path).document
    assert card["release"] == {"class": NOT_KEPT}
    found = checked_table(path, None, Against(KEY.public), read=head_content).findings
    assert found.holds and "epsilon: the parameters of its training were not kept" in found.not_checked


def test_a_card_is_of_one_kind_of_content(room: tuple[Path, dict[str, Path]], tmp_path: Path) -> None:
    path, _ = room
    with pytest.raises(ParameterError, match="a classifier"):
        content_of(path)
    (tmp_path / "twin.npz").write_bytes(path.read_bytes())
    assert checked_table(tmp_path / "twin.npz", beside(path), Against(KEY.public), read=head_content).findings.holds
    document = json.loads(beside(path).read_text())
    document["content"]["kind"] = "table"
    for changed in (document, {**document, "content": 3}, {k: v for k, v in document.items() if k != "content"}):
        beside(path).write_text(json.dumps(changed, indent=2) + "\n")
        assert not holds(path, Against()) and not holds(beside(path), Against())
