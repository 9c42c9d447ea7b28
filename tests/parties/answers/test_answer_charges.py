"""What a member charges before it takes part: everybody who asks or learns, under one name for the same templates."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace

import pytest

from privis.errors import ParameterError, PartyError
from privis.parties.answer_charges import charge_answers, gallery_of, told_limits
from privis.parties.configuration import _answers
from privis.parties.job.specification import Specification, Use
from privis.parties.job.task import InputAnswers, LocalData
from privis.parties.table_reader import Reader
from privis.privacy.answers.answer_ledger import AnswerLedger
from privis.privacy.answers.answer_limits import Allowance, AnswerKind, AnswerSettings


@dataclass(frozen=True)
class Asking:
    count: int
    clients: tuple[str, ...] = ("patient",)
    receivers: tuple[str, ...] = ("patient",)

    def answers(self, agreed):
        values = AnswerKind.DECISION, self.count, 1, 128, self.clients, self.receivers
        return {"mine": InputAnswers(*values), "other": InputAnswers(*values)}


@pytest.fixture
def configuration(tmp_path):
    for name in ("faces", "other"):
        (tmp_path / f"{name}.npz").write_bytes(b"")
    (tmp_path / "again.npz").symlink_to("faces.npz")
    inputs = {name: LocalData(name, arrays=tmp_path / f"{name}.npz") for name in ("faces", "again", "other")}
    settings = AnswerSettings(Allowance(5, 12), ledger=tmp_path / "answers")
    return SimpleNamespace(name="clinic", inputs=inputs, answers=settings, output=tmp_path)


def agreed(lends="faces"):
    inputs = {"queries": Use("patient", "rows"), "mine": Use("clinic", lends), "other": Use("hospital", "rows")}
    return SimpleNamespace(specification=Specification("m", "match", ("clinic", "hospital", "lab"), inputs, {}))


def counted(configuration):
    accounts = AnswerLedger(configuration.answers.ledger).accounts()
    return {place: account.ever.decisions for place, account in accounts.items()}


def test_everybody_who_asks_or_learns_is_charged_but_oneself(configuration):
    said = charge_answers(configuration, agreed(), Asking(3, ("patient",), ("lab", "clinic")))
    assert said == "One client gets at most 5 decisions about a template per hour and 12 in total."
    assert counted(configuration) == {("patient", "again"): 3, ("lab", "again"): 3}


def test_the_same_templates_under_two_names_are_one_gallery(configuration):
    assert (
        gallery_of(configuration, "faces") == gallery_of(configuration, "again") != gallery_of(configuration, "other")
    )
    charge_answers(configuration, agreed("faces"), Asking(3))
    with pytest.raises(PartyError) as caught:
        charge_answers(configuration, agreed("again"), Asking(3))
    assert "2 of them left" in str(caught.value) and "left" not in str(caught.value.told[0])
    charge_answers(configuration, agreed("other"), Asking(3))


def test_a_client_may_not_take_turns_with_its_receivers(configuration):
    charge_answers(configuration, agreed(), Asking(5, receivers=("lab",)))
    with pytest.raises(PartyError, match="for patient"):
        charge_answers(configuration, agreed(), Asking(1, receivers=("analyst",)))
    assert counted(configuration) == {("patient", "again"): 5, ("lab", "again"): 5}


def test_what_nobody_else_learns_is_not_counted(configuration):
    assert charge_answers(configuration, agreed(), Asking(99, ("patient",), ("clinic",))) == ""
    assert charge_answers(configuration, agreed(), object()) is None
    assert not Path(configuration.answers.ledger).exists()


def test_the_table_of_a_configuration(tmp_path):
    read = Reader({"scores": 9, "decisions_per_hour": 2}, "party.toml: answers")
    assert _answers(read, tmp_path, tmp_path) == AnswerSettings(
        Allowance(2, None), Allowance(None, 9), tmp_path / "answers.ledger"
    )
    assert not read.problems
    assert _answers(Reader({}, "x"), tmp_path, tmp_path).decisions is None
    wrong = Reader(
        {"unlimited": True, "scores": 0, "decisions": 3, "minutes": 3, "ledger": "none/x"}, "party.toml: answers"
    )
    _answers(wrong, tmp_path, tmp_path)
    named = {problem.where.rpartition(" ")[2] for problem in wrong.problems}
    assert named == {"scores", "unlimited", "minutes", "ledger"}
    with pytest.raises(ParameterError):
        AnswerSettings().limits(0)


def test_what_others_say_is_made_fit_for_a_record():
    assert told_limits(3) == "" and told_limits("a\x1b[2Jb") == "a?[2Jb" and len(told_limits("x" * 9999)) == 400
