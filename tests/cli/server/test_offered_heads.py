"""``privis serve --head``: what is offered, what clients rebuild, which weights stay, and what is refused.

Answers for `privis.cli.server.offered_heads`, `privis.cli.server.offerings` and `privis.serve.client.remote_model`.
"""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

pytest.importorskip("tenseal")
pytest.importorskip("uvicorn")

import privis
from privis.cli.server.offered_heads import ExtractedBy, HeadOptions
from privis.cli.server.offerings import OfferOptions, feature_of
from privis.errors import ParameterError, PrivisError, ProtocolError, UnsupportedError
from privis.io.tables import read
from privis.privacy.guarantee import no_release
from privis.run.he.compiler.compiler import Options
from privis.run.he.owner.keys import SecretKeys
from privis.run.he.wire import key_file
from privis.serve.client.remote_model import PrivateHead
from privis.serve.offerings.offering import Terms
from privis.tasks import LinearHead, LinearMap, Link, UnitLength
from privis.training.heads import Head

RNG = np.random.default_rng(2)
IMAGES = [RNG.integers(0, 256, (8, 8, 3), np.uint8) for _ in range(2)]
COLOUR = privis.ColourHistogram(bins=2, size=(8, 8))


def saved(folder: Path, components: int, unit: bool = False, link: Link = Link.SOFTMAX) -> Path:
    stage = LinearMap(np.random.default_rng(4).normal(size=(3, components)) / 64, np.zeros(3))
    head = LinearHead(("cat", "dog", "eel"), (UnitLength(), stage) if unit else (stage,), link)
    head.save(folder / "head.npz")
    return folder / "head.npz"


def offered(head: HeadOptions, feature: str = "colour", words: tuple[str, ...] = ("bins=2",), **options: bool):
    asked = OfferOptions(feature, [*words, "size=8x8"], [], [], [], [], None, (), head)
    (maker,) = asked.makers(Options(**options))
    return maker()


@pytest.mark.parametrize("by", list(ExtractedBy))
def test_a_client_gets_the_scores_and_never_the_weights(tmp_path: Path, by: ExtractedBy) -> None:
    path = saved(tmp_path, 6)
    offering = offered(HeadOptions(path, by))
    terms = Terms.from_json(offering.terms.to_json())
    assert terms.program == "" and "head of 3 scores behind colour" in terms.summary
    feature = feature_of(terms)
    assert isinstance(feature, PrivateHead)
    assert feature.names((3, 8, 8)) == ("cat", "dog", "eel")
    spec = offering.compiled.spec
    keys = SecretKeys.generate(spec)
    bundle = tmp_path / "evaluation.key"
    key_file.write(bundle, key_file.KeyKind.EVALUATION, spec.digest, keys.evaluation_keys(spec))
    runner = offering.open(bundle)
    cores = [feature.before(image) for image in IMAGES]
    assert feature.program(cores[0].shape).inputs[0].shape == spec.inputs[0]
    scores = []
    for core in cores:
        query = keys.encrypt(spec, [[core]])
        ((found,),) = keys.decrypt(spec, query, runner.run(query.message, lambda done: None))
        scores.append(feature.after(found))
    head = LinearHead.load(path)
    expected = head.scores(privis.extract(COLOUR, IMAGES).features)
    assert np.abs(np.stack(scores) - expected).max() < 1e-3 * np.abs(expected).max()
    assert feature.decide(np.stack(scores)).labels == head.decide(expected).labels
    text = terms.to_json()
    assert all(f"{abs(weight):.6f}"[:8] not in text for weight in head.last.matrix.ravel())
    assert spec.tail is None


def test_weights_that_clients_would_get_are_said_or_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = saved(tmp_path, 6, unit=True)
    with pytest.raises(ParameterError, match=r"--inside keeps.*--public-head"):
        offered(HeadOptions(path))
    told = offered(HeadOptions(path, public=True))
    assert "clients receive its weights" in told.terms.summary and told.compiled.spec.tail is not None
    with pytest.raises(UnsupportedError, match=r"off by \d+% of the largest, expected at most 5%; --public-head"):
        offered(HeadOptions(path), inside=True)  # the polynomial has to hold for every vector, down to zero
    monkeypatch.setattr("privis.cli.server.offered_heads.MOST_ERROR", 1.0)
    kept = offered(HeadOptions(path), inside=True)
    assert kept.compiled.spec.tail is None and "receive" not in kept.terms.summary
    Head(("a", "b"), np.ones((2, 7)), no_release()).save(tmp_path / "trained.npz")  # says of itself what it may tell
    assert "clients receive its weights" in offered(HeadOptions(tmp_path / "trained.npz")).terms.summary


def test_what_does_not_fit_is_named(tmp_path: Path) -> None:
    path = saved(tmp_path, 24)
    with pytest.raises(UnsupportedError, match="AtOwner"):
        offered(HeadOptions(path), "glcm", ())
    by_client = offered(HeadOptions(saved(tmp_path, 24), ExtractedBy.CLIENT), "glcm", ())
    assert isinstance(feature_of(by_client.terms), PrivateHead)
    with pytest.raises(ParameterError, match=r"\(6,\).*\(24,\)"):
        offered(HeadOptions(path))
    with pytest.raises(ParameterError, match="--head: got no feature"):
        OfferOptions(None, [], [], [], [tmp_path / "t.npz"], [], None, (), HeadOptions(path)).makers(Options())
    (tmp_path / "wrong.npz").write_bytes(b"PK\3\4 no head")
    with pytest.raises(PrivisError):
        offered(HeadOptions(tmp_path / "wrong.npz"))


@pytest.mark.parametrize(
    "change",
    [
        {"feature": "cnn", "parameters": ["path=/etc/passwd"]},
        {"feature": "none"},
        {"classes": ["a"]},
        {"classes": ["a", "a", "b"]},
        {"classes": 7},
        {"link": "os.system"},
        {"extracted_by": "nobody"},
        {"scores": "many"},
        {"parameters": ["size=none"], "extracted_by": "client"},
    ],
)
def test_words_of_a_server_are_not_trusted(tmp_path: Path, change: dict[str, object]) -> None:
    terms = offered(HeadOptions(saved(tmp_path, 6))).terms
    words = {"head": {**terms.words["head"], **change}}
    with pytest.raises(ProtocolError, match="a feature of this version"):
        feature_of(replace(terms, words=words))


def run(*words: object, where: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "privis", *map(str, words)]
    return subprocess.run(command, capture_output=True, text=True, timeout=120, cwd=where)


@pytest.mark.long
def test_a_server_with_a_head_answers_a_client_with_predictions(tmp_path: Path) -> None:
    saved(tmp_path, 6)
    for number, image in enumerate(IMAGES):
        Image.fromarray(image).save(tmp_path / f"{number}.png")
    assert (
        run("keygen", "a.token", "--for", "token", "--name", "a", "--tokens", "tokens", where=tmp_path).returncode == 0
    )
    command = [sys.executable, "-m", "privis", "serve", "-f", "colour", "-p", "bins=2", "-p", "size=8x8"]
    command += ["--head", "head.npz", "--extracted-by", "client", "--tokens", "tokens", "--listen", "127.0.0.1:0"]
    command += ["--answers", "scores=100"]
    process = subprocess.Popen(command, cwd=tmp_path, stderr=subprocess.PIPE, text=True)
    try:
        assert process.stderr is not None
        assert "head of 3 scores" in process.stderr.readline()
        url = process.stderr.readline().split(": ")[0]
        words = ["--server", url, "--token-file", "a.token"]
        keys = run("keygen", "keys", "--for", "homomorphic", "--offer", "colour-head", *words, where=tmp_path)
        assert keys.returncode == 0, keys.stderr
        asked = ["0.png", "1.png", "-o", "t.npz", "--predictions", "p.csv", "--json"]
        done = run("query", *asked, "--keys", "keys", *words, where=tmp_path)
        assert done.returncode == 0, done.stderr
        assert json.loads(done.stdout)["components"] == 3
    finally:
        process.terminate()
        process.communicate(timeout=30)
    table = read(tmp_path / "t.npz")
    head = LinearHead.load(tmp_path / "head.npz")
    expected = head.decide(head.scores(privis.extract(COLOUR, IMAGES).features))
    lines = (tmp_path / "p.csv").read_text().splitlines()[1:]
    assert [line.split(",")[1] for line in lines] == list(expected.labels)
    assert table.names == ("cat", "dog", "eel")
