"""A table or a signed card becomes an entry of the registry from the command line.

Answers for `privis.cli.cards.registry_entry`, `privis.cli.cards.attack_figures` and `privis.cli.cards.card_subject`.
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

import privis
from privis.cards.card_key import CardKey
from privis.cli.main import app
from privis.features import ColourHistogram
from privis.io import tables
from privis.privacy import Dataset, FeatureRelease, Gaussian, Laplace, LogisticTraining, ReleaseKey
from privis.training import train_head
from tests.cards.registry.declared_words import WORDS, problems_of

yaml = pytest.importorskip("yaml")
pytest.importorskip("jsonschema")


def run(*words: str) -> tuple[int, str]:
    done = CliRunner().invoke(app, ["card", *words])
    assert done.exception is None or isinstance(done.exception, SystemExit), done.exception
    return done.exit_code, " ".join(done.output.split())


@pytest.fixture
def room(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A table with its card, a key and a complete declaration."""
    monkeypatch.chdir(tmp_path)
    images = list(np.random.default_rng(0).integers(0, 256, (2, 12, 12, 3), dtype=np.uint8))
    release = FeatureRelease(Laplace(2.0), clip=1.0)
    found = privis.extract(ColourHistogram(bins=2), images, release=release, key=ReleaseKey(bytes(32)))
    names = [str(number) for number in range(found.features.shape[1])]
    metadata = {"privis.card": found.card.to_json(), "privis.guarantee": json.dumps(found.card.guarantee.to_dict())}
    tables.write(tmp_path / "t.npz", ["a", "b"], [found.features], names=names, metadata=metadata)
    CardKey(bytes(range(32))).save(tmp_path / "card.key")
    (tmp_path / "words.toml").write_text(f'site = "Ward 7"\n{WORDS}')
    return tmp_path


def test_a_table_and_its_signed_card_become_the_same_entry(room: Path) -> None:
    given = ("--format", "dp-registry", "--declared", "words.toml")
    code, said = run("t.npz", *given, "-o", "ward_7.yaml", "--json")
    assert code == 0 and json.loads(said) == {"entry": "ward_7.yaml", "url_slug": "gait-of-ward-7-ward-7-2026"}
    assert run("t.npz", "--key", "card.key", "--declared", "words.toml")[0] == 0
    assert "registry" not in json.loads(Path("t.npz.card.json").read_text())
    code, said = run("t.npz.card.json", *given, "-o", "Signed.yml")
    assert code == 0 and "small letters" in said
    entries = [yaml.safe_load(Path(name).read_text()) for name in ("ward_7.yaml", "Signed.yml")]
    assert problems_of(entries[0]) == problems_of(entries[1]) == []
    told = [entry["deployment"]["implementation"].pop("additional_information") for entry in entries]
    assert "public key" in told[1] and "public key" not in told[0] and entries[0] == entries[1]


def test_nothing_is_written_where_something_is_wrong(room: Path) -> None:
    form = ("--format", "dp-registry", "-o", "e.yaml")
    code, said = run("t.npz", *form)
    assert code == 2 and said.count("--declared: registry.") == 12
    given = (*form, "--declared", "words.toml")
    assert "none with --format dp-registry" in run("t.npz", *given, "--key", "card.key")[1]
    assert "the YAML file to write" in run("t.npz", *given[:2], *given[4:])[1]
    assert "the card key of the site" in run("t.npz")[1]
    run("t.npz", "--key", "card.key")
    signed = Path("t.npz.card.json")
    assert "where the card is signed" in run(str(signed), *given, "--attack", "words.toml")[1]
    signed.write_bytes(signed.read_bytes().replace(b'"epsilon": 2.0', b'"epsilon": 1.0'))
    code, said = run(str(signed), *given)
    assert code == 2 and "does not fit the card" in said
    assert not Path("e.yaml").exists()


def test_a_trained_head_is_signed_checked_and_registered(room: Path) -> None:
    rng = np.random.default_rng(0)
    vectors = rng.normal(size=(2000, 8)) + np.repeat([[2.0], [-2.0]], 1000, axis=0)
    plan = LogisticTraining(2, 8, 2000, Gaussian(1.0, 1e-5), Dataset(), sampling=0.25, steps=20)
    names = ["a"] * 1000 + ["b"] * 1000
    train_head(plan, vectors, names, ["a", "b"], corpus="made up", key=ReleaseKey(bytes(32))).save("head.npz")
    code, said = run("head.npz", "--key", "card.key", "--json")
    assert code == 0 and json.loads(said)["content"]["kind"] == "classifier"
    for target in ("head.npz", "head.npz.card.json"):
        done = CliRunner().invoke(app, ["verify", target, "--public-key", CardKey(bytes(range(32))).public])
        assert done.exit_code == 0 and json.loads(done.output)["status"] == "holds"
        given = ("--format", "dp-registry", "--declared", "words.toml", "-o", "head.yaml")
        assert run(target, *given)[0] == 0
        entry = yaml.safe_load(Path("head.yaml").read_text())
        assert problems_of(entry) == [] and entry["deployment"]["basic"]["data_product_type"].startswith("Machine")
    data = Path("head.npz").read_bytes()
    for place in (0, 40, len(data) // 2, len(data) - 3):
        Path("head.npz").write_bytes(data[:place] + bytes([data[place] ^ 1]) + data[place + 1 :])
        assert CliRunner().invoke(app, ["verify", "head.npz"]).exit_code == 8, place
