"""``privis stage STAGE --offer offer.toml --io FOLDER``: the words of an offer, and all stages with these two alone.

Answers for `privis.cli.server.offer_words`.
"""

from __future__ import annotations

import itertools
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

pytest.importorskip("tenseal")

import privis
from privis.cli.main import app
from privis.cli.server.offer_words import OfferWords, read_offer_words
from privis.errors import ParameterError
from privis.io import tables
from privis.program import Input, ops, save, trace
from privis.run.he.compiler import compiled_files
from privis.run.he.evaluation import kept_weights
from privis.run.he.packing.batching import Batching
from privis.run.he.security import SecurityStandard

COLOUR = 'feature = "colour"\nparameters = { bins = 4, size = [16, 16] }\nprecision = 0.01\n'
FEATURE = privis.ColourHistogram(bins=4, size=(16, 16))
HARNESS = ("keygen", "prepare", "encrypt", "compute", "decrypt")
"""Keys come before the server prepares."""


def written(folder: Path, text: str) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "offer.toml").write_text(text)
    return folder / "offer.toml"


def typed(stage, offer, place, *more):
    return CliRunner().invoke(app, ["stage", stage, "--offer", str(offer), "--io", str(place), *map(str, more)])


def done(stage, offer, place, *more):
    result = typed(stage, offer, place, *more)
    assert result.exit_code == 0, result.stderr
    return " ".join(result.stdout.split())


def said(result) -> str:
    assert result.exit_code not in (0, 1) and isinstance(result.exception, SystemExit), result.output
    return " ".join(result.stderr.split())


def pictures(folder: Path, count: int = 2) -> Path:
    folder.mkdir(parents=True)
    rng = np.random.default_rng(0)
    for number in range(count):
        Image.fromarray(rng.integers(0, 256, (20, 24, 3), dtype=np.uint8)).save(folder / f"{number}.png")
    return folder


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """A folder after all stages, keys first; copies of it are what tests change."""
    place = tmp_path_factory.mktemp("words") / "io"
    pictures(place / "inputs")
    for stage in HARNESS:
        done(stage, written(place.parent, COLOUR), place)
        assert (place / "server").exists() == (stage != "keygen"), "nothing of the server comes with keys"
    return place


@pytest.fixture
def place(whole, tmp_path):
    written(tmp_path, COLOUR)
    return Path(shutil.copytree(whole, tmp_path / "io"))


def test_every_stage_runs_with_these_two_options_alone_and_keys_may_come_first(whole):
    found = tables.read(whole / "outputs.parquet")
    clear = privis.extract(FEATURE, sorted((whole / "inputs").glob("*.png")))
    assert found.names == clear.names and (found.features == clear.features).all()


def test_the_folder_may_be_an_argument_too_and_inputs_are_named_behind_either(place, tmp_path):
    one = place / "inputs" / "1.png"
    for words in (["--io", str(place), str(one)], [str(place), str(one)]):
        done_ = CliRunner().invoke(app, ["stage", "encrypt", *words])
        assert done_.exit_code == 0 and "1 image," in done_.stdout, done_.output
    twice = CliRunner().invoke(app, ["stage", "compute", str(place), "--io", str(place)])
    assert "one folder" in said(twice)
    assert "one folder" in said(CliRunner().invoke(app, ["stage", "compute"]))


def test_a_later_preparation_comes_to_the_same_terms_or_is_refused(place, tmp_path):
    before = (place / "public" / "public.key").read_bytes(), (place / "server" / "offer.npz").read_bytes()
    done("prepare", tmp_path / "offer.toml", place)
    written(tmp_path, COLOUR.replace("bins = 4", "bins = 2"))
    assert "keys for other terms" in said(typed("prepare", tmp_path / "offer.toml", place))
    assert (place / "server" / "offer.npz").read_bytes() == before[1]
    again = (place / "public" / "public.key").read_bytes()
    assert again == before[0] or len(again) == len(before[0])


@pytest.mark.parametrize("stage", ["keygen", "encrypt", "compute", "decrypt"])
@pytest.mark.parametrize(
    ("words", "named"),
    [(COLOUR.replace("bins = 4", "bins = 2"), "feature"), (f'name = "other"\n{COLOUR}', "name")],
)
def test_files_of_other_words_are_refused_by_every_stage(stage, words, named, place, tmp_path):
    assert f"offer.toml: {named}: got" in said(typed(stage, written(tmp_path, words), place))


@pytest.mark.parametrize(
    ("words", "named"),
    [
        (COLOUR.replace("0.01", "0.001"), "precision"),
        (f"{COLOUR}signs = 4\n", "signs"),
        (f"{COLOUR}images = 9\n", "images"),
        (f'{COLOUR}sharing = "side-by-side"\n', "sharing"),
        (f'{COLOUR}standard = "2024"\n', "standard"),
        (f'{COLOUR}samples = "io/inputs"\n', "samples"),
    ],
)
def test_a_prepared_offer_that_the_words_do_not_say_any_more_is_not_computed(words, named, place, tmp_path):
    wrong = said(typed("compute", written(tmp_path, words), place))
    assert f"offer.toml: {named}: got" in wrong and "prepare again" in wrong


def test_other_spellings_of_the_same_words_are_the_same(place, tmp_path):
    spelt = 'precision = 1e-2\nfeature = "colour"\n[parameters]\nsize = "16x16"\nbins = "4"\n'
    for stage in ("keygen", "encrypt", "compute", "decrypt"):
        done(stage, written(tmp_path, spelt), place)


def test_words_are_read_with_the_defaults_of_prepare(tmp_path):
    assert read_offer_words(written(tmp_path, 'model = "net.onnx"\n')) == OfferWords(
        tmp_path / "offer.toml", model=tmp_path / "net.onnx"
    )
    text = (
        'program = "p"\nname = "mine"\nsigns = [7, 15]\ninside = true\npromised = true\nprocesses = 2\n'
        'sharing = "slots"\nstandard = 2024\nsamples = ["a", "/b"]\n'
    )
    found = read_offer_words(written(tmp_path, text))
    assert (found.signs, found.inside, found.promised, found.processes) == ((7, 15), True, True, 2)
    assert (found.sharing, found.standard) == (Batching.SLOT, SecurityStandard.GUIDELINES_2024)
    assert found.samples == (str(tmp_path / "a"), "/b") and found.program == tmp_path / "p"


def test_all_that_is_wrong_is_said_at_once(tmp_path):
    text = (
        'feature = "colour"\nmodel = "net.onnx"\nprecision = "small"\nsigns = 2.5\nsharing = "some"\nstandard = 1999\n'
        "images = 0\nprocesses = 3\ninside = 1\nsamples = [1]\nspeed = 9\n[parameters]\nbins = 4\nsize = [[1]]\nx = 1\n"
    )
    with pytest.raises(ParameterError) as caught:
        read_offer_words(written(tmp_path, text))
    told = str(caught.value)
    keys = ("precision", "signs", "sharing", "standard", "images", "processes", "inside", "samples", "speed")
    for key in (*keys, "parameters.size", "-p x=1"):
        assert f"offer.toml: {key}: got" in told, key
    assert "feature and model" in told and "images and sharing" in told


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "an empty file"),
        ("precision = 0.01", "nothing to compute"),
        ("feature = ", "Invalid value"),
        ('feature = "lbp"', "no size"),
        ('feature = "sharpness"', "'sharpness'"),
        ('feature = "cnn"', 'model = "FILE.onnx"'),
        ('program = "p"\nparameters = { bins = 4 }', "with a program"),
        ('model = "none.onnx"', "none.onnx: got no such file"),
        (f"{COLOUR}precision = 0.1", "Cannot overwrite"),
        ('feature = "colour"\nprecision = nan\n', "offer.toml: precision: got nan"),
        (f"{COLOUR}samples = 'nowhere'", "nowhere"),
    ],
)
def test_wrong_words_are_refused_before_anything_is_made(text, told, tmp_path):
    for stage in ("prepare", "keygen"):
        assert told in said(typed(stage, written(tmp_path, text), tmp_path / "io")), stage
    assert not (tmp_path / "io").exists()


def test_words_stand_in_the_file_alone(tmp_path):
    offer = written(tmp_path, COLOUR)
    wrong = said(typed("prepare", offer, tmp_path / "io", "--precision", "0.01", "-p", "bins=4", "--inside"))
    assert all(f"--{word}: got beside --offer" in wrong for word in ("precision", "parameter", "inside"))


@pytest.mark.parametrize("made", [(), ("inputs", "inputs.npy")])
def test_inputs_are_found_or_it_is_said_where_they_belong(made, place, tmp_path):
    shutil.rmtree(place / "inputs")
    for name in made:
        (place / name).mkdir()
    assert "one of inputs, a folder of images, inputs.npy" in said(typed("encrypt", tmp_path / "offer.toml", place))


def test_terms_of_a_server_serve_where_its_model_is_not(tmp_path):
    save(trace(lambda x: x.sum(0), Input((5,), -1.0, 1.0, None)), tmp_path / "p.npz")
    offer, place = written(tmp_path, 'program = "p.npz"\nname = "sums"\nprecision = 0.001\n'), tmp_path / "io"
    done("prepare", offer, place)
    (tmp_path / "p.npz").unlink()
    (place / "server").rename(tmp_path / "server of another machine")
    done("keygen", offer, place)
    x = np.random.default_rng(1).uniform(-1, 1, (3, 5))
    np.save(place / "inputs.npy", x)
    done("encrypt", offer, place)
    (tmp_path / "server of another machine").rename(place / "server")
    done("compute", offer, place, "--at-once", "1")
    done("decrypt", offer, place)
    found = tables.read(place / "outputs.parquet").features[:, 0]
    np.testing.assert_allclose(found, x.sum(1), atol=5e-3)
    shutil.rmtree(place / "public")
    assert "copy public/public.key" in said(typed("keygen", offer, place, "--secret", tmp_path / "mine"))


def test_kept_weights_are_read_and_nothing_is_compiled_or_encoded_again(tmp_path, monkeypatch):
    monkeypatch.setenv("PRIVIS_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(compiled_files, "WORTH_KEEPING", 0.0)
    weights = np.random.default_rng(2).normal(size=(6, 5))
    save(trace(lambda x: x >> ops.Dense(weights), Input((5,), -1.0, 1.0, None)), tmp_path / "p.npz")
    offer, place = written(tmp_path, 'program = "p.npz"\nprecision = 0.001\n'), tmp_path / "io"
    assert "encoded weights are kept" in done("prepare", offer, place, "--keep-weights")
    done("keygen", offer, place)
    x = np.random.default_rng(1).uniform(-1, 1, (2, 5))
    np.save(place / "inputs.npy", x)
    done("encrypt", offer, place)
    plains = sorted((tmp_path / "cache" / "weights").rglob("*.plain"))
    assert plains

    def never(*given, **named):
        raise AssertionError("compiled or encoded again")

    read = itertools.count()
    reading = kept_weights.read_plaintext
    monkeypatch.setattr(kept_weights, "read_plaintext", lambda *a: next(read) * 0 or reading(*a))
    monkeypatch.setattr(compiled_files, "compile_program", never)
    done("compute", offer, place, "--at-once", "1")
    assert next(read) >= len(plains), "each is read"
    done("decrypt", offer, place)
    np.testing.assert_allclose(tables.read(place / "outputs.parquet").features, x @ weights.T, atol=2e-2)
