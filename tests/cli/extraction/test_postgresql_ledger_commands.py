"""Commands that take a ledger take its address in PostgreSQL too, and repeat no password.

Answers for `privis.cli.release_files`, `privis.cli.studio.views.budget_view`.
"""

import json
import uuid

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

pytest.importorskip("psycopg")

from privis.cli.main import app
from privis.cli.release_files import LedgerPlace
from privis.cli.studio.views.budget_view import budget_view
from privis.stores.postgresql import PostgresqlLedger
from tests.privacy.ledgers import as_owner, in_postgresql


@pytest.fixture
def address(ledger_server):
    return ledger_server.address(f"c_{uuid.uuid4().hex}")


def run(*words):
    return CliRunner().invoke(app, [str(word) for word in words])


@pytest.fixture
def pictures(tmp_path):
    folder = tmp_path / "pictures"
    folder.mkdir()
    for number in range(3):
        pixels = np.random.default_rng(number).integers(0, 256, (16, 16, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(folder / f"{number}.png")
    return folder


def test_a_budget_in_postgresql_from_its_making_to_a_card(address, pictures, tmp_path):
    made = run("ledger", "init", address, "--epsilon", 5, "--delta", "1e-6", "--role", "worker")
    assert made.exit_code == 0 and "epsilon 5" in made.output and 'GRANT INSERT (number, line) ON "c_' in made.output
    assert run("ledger", "init", address, "--epsilon", 5, "--delta", "1e-6").exit_code == 4
    table, key = tmp_path / "colour.npz", tmp_path / "release.key"
    asked = "-f colour -p bins=2 --release laplace --at feature --clip 1 --epsilon 4 --yes --workers 1".split()
    words = ["extract", pictures, *asked, "--ledger", address, "--key", key, "-o", table]
    done = run(*words)
    assert done.exit_code == 0, done.output
    ledger = PostgresqlLedger(address)
    assert ledger.verify().charges == 3
    table.unlink()
    assert run(*words).exit_code == 0 and ledger.verify().charges == 3, "again is free"
    refused = run(*words[:-4], "--key", tmp_path / "other.key", "-o", tmp_path / "other.npz")
    assert refused.exit_code == 3 and ledger.verify().charges == 3
    plan = run(*words, "--dry-run")
    assert f"{address} would be charged" in plan.output.replace("\n", "")
    shown = run("ledger", "show", address, pictures / "0.png")
    assert shown.exit_code == 0 and "4" in shown.output
    assert "intact, charges: 3, records: 3" in run("ledger", "verify", address).output
    assert run("ledger", "export", address, "-o", tmp_path / "charges.json").exit_code == 0
    assert len(json.loads((tmp_path / "charges.json").read_text())["charges"]) == 3
    assert run("keygen", tmp_path / "card.key", "--for", "card").exit_code == 0
    signed = run("card", table, "--key", tmp_path / "card.key", "--ledger", address)
    assert signed.exit_code == 0, signed.output
    held = run("verify", table, "--ledger", address)
    assert held.exit_code == 0 and json.loads(held.output)["status"] == "holds"
    ledger.charge("later", ledger_guarantee(), "later")
    assert run("verify", table, "--ledger", address).exit_code == 0
    assert json.loads(run("verify", address).output)["lines"] == 4
    assert budget_view({"ledger": f" {address} "}, "en")["total"] == 4
    rows, head = in_postgresql(None).kept(ledger)
    as_owner(ledger, [(n, line.replace('"epsilon": 4', '"epsilon": 3')) for n, line in rows], head)
    assert run("verify", address).exit_code == 8 and run("ledger", "verify", address).exit_code == 1
    assert run("verify", table, "--ledger", address).exit_code == 8
    assert run("ledger", "show", address).exit_code == 5


def ledger_guarantee():
    from tests.privacy.ledgers import COSTLY

    return COSTLY


@pytest.mark.parametrize("command", [
    ("ledger", "init", "{at}", "--epsilon", "1", "--delta", "1e-6"), ("ledger", "show", "{at}"),
    ("ledger", "verify", "{at}"), ("verify", "{at}"), ("verify", "{pictures}", "--ledger", "{at}"),
    ("extract", "{pictures}", "-f", "colour", "-o", "x.npz", "--release", "laplace", "--epsilon", "1",
     "--ledger", "{at}"),
    ("release", "{pictures}", "-o", "x.npz", "--release", "privunit", "--epsilon", "1", "--ledger", "{at}"),
    ("train", "{pictures}", "--classes", "a,b", "--labels-from", "folder", "-o", "x.npz", "--epsilon", "1",
     "--ledger", "{at}"),
    ("card", "{pictures}", "--key", "no.key", "--ledger", "{at}"),
])  # fmt: skip
def test_no_command_repeats_a_password_of_an_address(command, pictures, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    at = "postgresql://ann:s3cret@127.0.0.1:1/x#y"
    done = run(*(word.format(at=at, pictures=pictures) for word in command))
    assert done.exit_code in (2, 3, 4) and "s3cret" not in done.output
    assert "s3cret" not in repr(LedgerPlace(at))


@pytest.mark.parametrize("at", [
    "Postgresql://ann:s3cret@127.0.0.1:1/x#y", " postgresql://ann:s3cret@127.0.0.1:1/x#y",
    "pgsql://ann:s3cret@127.0.0.1:1/x#y", "host=127.0.0.1 dbname=x password=s3cret",
])  # fmt: skip
def test_an_address_in_another_form_is_no_path(at, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    for words in (("init", at, "--epsilon", "1", "--delta", "1e-6"), ("show", at), ("verify", at)):
        done = run("ledger", *words)
        assert done.exit_code == 2 and "s3cret" not in done.output and "PostgreSQL" in done.output
    assert not any(tmp_path.iterdir())


def test_roles_are_for_servers(tmp_path):
    done = run("ledger", "init", tmp_path / "file", "--epsilon", 1, "--delta", "1e-6", "--role", "worker")
    assert done.exit_code == 2 and not (tmp_path / "file").exists()
