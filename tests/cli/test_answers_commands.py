"""``privis answers``: what is shown, lifted, checked and refused."""

import numpy as np
import pytest
import typer
from typer.testing import CliRunner

from privis.cli.main import app
from privis.cli.server import query
from privis.cli.server.answers import answers
from privis.errors import AnswerLimitError, Problem
from privis.io import tables
from privis.parties.identity.certificates import make_group
from privis.parties.node.templates import write_templates
from privis.privacy.answers.answer_ledger import AnswerLedger
from privis.serve.http.tokens import issue
from tests.privacy.asking import asked


@pytest.fixture
def run():
    runner = CliRunner()
    app = typer.Typer()
    app.add_typer(answers)
    return lambda *words: runner.invoke(app, ["answers", *map(str, words)])


@pytest.fixture
def path(run, tmp_path):
    result = run("init", tmp_path / "answers")
    assert result.exit_code == 0 and "keep both together" in result.output
    ledger = AnswerLedger(tmp_path / "answers")
    ledger.charge([asked(1, 5)])
    ledger.charge([asked(2, 2, client="bank")])
    return ledger.path


def test_accounts_are_shown_with_their_limits(run, path):
    result = run("show", path)
    clinic, bank = (next(line for line in result.output.splitlines() if name in line) for name in ("clinic", "bank"))
    assert "faces" in clinic and " 5 " in clinic and " 2 " in bank
    assert "decisions: 5 per hour, 12 in total" in clinic


def test_a_limit_that_was_reached_is_lifted(run, path):
    ledger = AnswerLedger(path)
    with pytest.raises(AnswerLimitError):
        ledger.charge([asked(3)])
    result = run("lift", path, "--client", "clinic", "--gallery", "faces", "--reason", "the chief physician asked")
    assert result.exit_code == 0 and "5 decisions and 0 scores" in result.output
    ledger.charge([asked(3, 5)])
    assert "10" in run("show", path).output and not ledger.verify().problems


def test_what_cannot_be_lifted_is_said(run, path):
    result = run("lift", path, "--client", "nobody", "--gallery", "faces", "--reason", "x")
    assert result.exit_code == 2 and "clinic about faces" in result.stderr
    before = path.read_bytes()
    assert run("lift", path, "--client", "clinic", "--gallery", "faces", "--reason", " ").exit_code == 2
    assert path.read_bytes() == before


def test_it_is_checked_and_damage_is_said(run, path):
    result = run("verify", path)
    assert result.exit_code == 0 and "intact, lines: 2, accounts: 2, head " in result.output
    head = AnswerLedger(path).head.digest
    assert run("verify", path, "--head", head).exit_code == 0
    assert run("verify", path, "--head", "1" * 64).exit_code == 1
    path.write_bytes(path.read_bytes().replace(b'"count": 2', b'"count": 1'))
    result = run("verify", path)
    assert result.exit_code == 1 and "another one than was written" in result.stderr
    assert run("show", path).exit_code == 5
    assert run("show", path.with_name("none")).exit_code == 2


def test_matches_that_were_answered_are_kept_when_a_limit_is_reached(tmp_path, monkeypatch):
    """They were counted: encrypted anew, the same vectors would be counted once more."""
    issue("alice", tmp_path / "tokens", tmp_path / "token")
    tables.write(tmp_path / "asked.npz", list("abc"), [np.eye(3, dtype=np.float32)], names=list("xyz"), metadata={})

    def two_of_three(client, vectors, show):
        for label, _ in vectors[:2]:
            yield [(label, 1, "ann", 0.5)]
        raise AnswerLimitError(Problem("answers about faces for alice", "1 more", "at most 2 in total"))

    words = (
        (["asked.npz"], None, []),
        "http://127.0.0.1:1",
        tmp_path / "token",
        tmp_path / "found.csv",
        None,
        0.0,
        two_of_three,
        query.SCORE_COLUMNS,
    )
    monkeypatch.chdir(tmp_path)
    with pytest.raises(AnswerLimitError, match="answers for 2 of 3 vectors, which are in"):
        query._matches(*words)
    assert (tmp_path / "found.csv").read_text().splitlines()[1:] == ["a,1,ann,0.5", "b,1,ann,0.5"]


def test_init_never_overwrites(run, path):
    before = path.read_bytes()
    assert run("init", path).exit_code == 4 and path.read_bytes() == before


def test_a_party_looks_at_its_ledger_before_a_job_meets_it(tmp_path):
    members = {name: f"localhost:{9440 + number}" for number, name in enumerate("abc")}
    make_group(tmp_path, {**dict.fromkeys(members, "localhost"), "boss": None}, 30)
    write_templates(tmp_path, members, {}, ["boss"])
    check = ["party", "--config", str(tmp_path / "a" / "party.toml"), "--check"]
    assert CliRunner().invoke(app, check).exit_code == 0
    ledger = AnswerLedger.at(tmp_path / "a" / "results" / "answers.ledger")
    ledger.charge([asked(1)])
    assert CliRunner().invoke(app, check).exit_code == 0
    ledger.path.write_bytes(ledger.path.read_bytes()[:-9])
    result = CliRunner().invoke(app, check)
    assert result.exit_code == 5 and "privis answers verify" in result.stderr
