"""Cards are signed and checked from the command line.

Answers for `privis.cli.cards.sign_card` and `privis.cli.cards.verify_card`.
"""

from __future__ import annotations

import json
import os
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from privis.cli.main import app


def run(*words: str) -> tuple[int, str]:
    done = CliRunner().invoke(app, list(words))
    assert done.exception is None or isinstance(done.exception, SystemExit), done.exception
    return done.exit_code, " ".join(done.output.split())


def verify(*words: str) -> tuple[int, Any]:
    code, said = run("verify", *words, "--json")
    return code, json.loads(said)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Released features that were charged to a ledger, and a key."""
    folder = tmp_path_factory.mktemp("made")
    noise = np.random.default_rng(0).integers(0, 256, (2, 12, 12), dtype=np.uint8)
    (folder / "in").mkdir()
    for number, values in enumerate(noise):
        Image.fromarray(values).save(folder / "in" / f"{number}.png")
    words = (
        "-f",
        "colour",
        "-p",
        "bins=4",
        "--release",
        "laplace",
        "--epsilon",
        "2",
        "--at",
        "feature",
        "--yes",
        "--workers",
        "1",
    )
    assert run("ledger", "init", str(folder / "budget"), "--epsilon", "8", "--delta", "1e-6")[0] == 0
    assert run("answers", "init", str(folder / "answers"))[0] == 0
    code, said = run(
        "extract", str(folder / "in"), *words, "-o", str(folder / "t.npz"), "--ledger", str(folder / "budget")
    )
    assert code == 0, said
    assert run("keygen", str(folder / "card.key"), "--for", "card")[0] == 0
    return folder


@pytest.fixture
def room(made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A folder of its own, and the public key."""
    for name in ("budget", "budget.head", "answers", "answers.head", "t.npz", "card.key"):
        (tmp_path / name).write_bytes((made / name).read_bytes())
        os.chmod(tmp_path / name, 0o600)
    monkeypatch.chdir(tmp_path)
    found = re.search(r"signs as ([0-9a-f]{64})", run("info", "card.key")[1])
    assert found is not None
    return found[1]


def test_a_table_is_signed_and_holds_until_a_byte_changes(room: str) -> None:
    before = Path("t.npz").read_bytes()
    code, said = run("card", "t.npz", "--key", "card.key", "--ledger", "budget", "--answers", "answers", "--json")
    assert code == 0 and json.loads(said)["public_key"] == room and Path("t.npz").read_bytes() == before
    given = ("--public-key", room, "--ledger", "budget", "--answers", "answers")
    code, said = verify("t.npz", *given)
    assert (code, said["status"], said["problems"], said["not_checked"]) == (0, "holds", [], [])
    assert (said["epsilon"], said["signed_by"]) == (2.0, room)
    code, said = verify("t.npz.card.json")
    assert code == 0 and len(said["not_checked"]) == 4
    assert "PixelRelease" not in run("info", "t.npz.card.json")[1]
    for name, place in [("t.npz", 0), ("t.npz", 900), ("t.npz.card.json", 5), ("t.npz.card.json", 700)]:
        data = Path(name).read_bytes()
        Path(name).write_bytes(data[:place] + bytes([data[place] ^ 1]) + data[place + 1 :])
        code, said = verify("t.npz", "--public-key", room)
        assert (code, said["status"]) == (8, "does not hold") and said["problems"], (name, place)
        if name != "t.npz":
            assert verify(name)[0] == 8
        Path(name).write_bytes(data)
    Path("elsewhere").mkdir()
    os.rename("t.npz.card.json", "elsewhere/card.json")
    assert verify("t.npz", "--card", "elsewhere/card.json", *given)[0] == 0
    assert verify("t.npz")[1]["not_checked"] == ["signature and bytes: a card of format 1 is not signed"]
    assert verify("t.npz", "--public-key", room)[0] == 8, "nobody signed it"
    assert verify("elsewhere/card.json", "--public-key", "0" * 64)[0] == 8


def test_ledgers_are_checked_by_the_same_command(room: str) -> None:
    for name in ("budget", "answers"):
        assert verify(name)[1]["problems"] == []
        data = Path(name).read_bytes()
        for place in (0, 20, len(data) - 1):
            Path(name).write_bytes(data[:place] + bytes([data[place] ^ 1]) + data[place + 1 :])
            assert verify(name)[0] == 8, (name, place)
        Path(name).write_bytes(data)


def test_nothing_is_signed_that_does_not_follow(room: str) -> None:
    code, said = run("card", "t.npz", "--key", "card.key", "--ledger", "answers")
    assert code == 2 and "an answer ledger" in said and not Path("t.npz.card.json").exists()
    run("ledger", "init", "other", "--epsilon", "8", "--delta", "1e-6")
    code, said = run("card", "t.npz", "--key", "card.key", "--ledger", "other")
    assert code == 2 and "no charge of epsilon 2" in said
    Path("wrong.json").write_text("[1, NaN]")
    code, said = run("card", "t.npz", "--key", "card.key", "--attack", "wrong.json")
    assert code == 2 and "wrong.json" in said
    Path("attack.json").write_text('{"reidentified": 0.1}')
    assert run("card", "t.npz", "--key", "card.key", "--attack", "attack.json", "-o", "c.json")[0] == 0
    assert json.loads(Path("c.json").read_text())["attacks"] == [
        {"file": "attack.json", "figures": {"reidentified": 0.1}}
    ]
    figure = {"attack": "epsilon", "measure": "epsilon, lower bound at delta 0", "value": 3.0, "interval": [3.0, None]}
    for value, wanted in (("x", "no number"), (3.0, "and 2 is claimed"), (1.0, "")):
        told = {"format": "privis.attack/1", "attacks": [{**figure, "value": value, "interval": [None, None]}]}
        Path("attack.json").write_text(json.dumps(told))
        code, said = run("card", "t.npz", "--key", "card.key", "--attack", "attack.json", "-o", "e.json")
        assert (code == 0) == (not wanted) and wanted in said and Path("e.json").exists() == (not wanted)
    assert verify("e.json")[1]["attacks"][0]["value"] == 1.0
    code, said = run("card", "t.npz", "--key", "card.key", "--image-size", "8", "-o", "d.json")
    assert code == 2 and "HEIGHTxWIDTH" in said and not Path("d.json").exists()


@pytest.mark.parametrize(
    ("words", "wanted"),
    [
        (("t.npz", "--public-key", "ABC"), "64 hexadecimal"),
        (("t.npz", "--image-size", "0x4"), "HEIGHTxWIDTH"),
        (("t.npz", "--index", "t.npz"), "with --index"),
        (("budget", "--public-key", "0" * 64), "with --public-key"),
        (("card.key", "--card", "t.npz"), "a card key"),
        (("in.json", "--ledger", "budget"), "no such file, expected a card, a table"),
    ],
)
def test_words_that_do_not_go_together_are_said(room: str, words: tuple[str, ...], wanted: str) -> None:
    code, said = run("verify", *words)
    assert code in (2, 3) and wanted in said
