"""``privis keygen``, ``privis serve`` and ``privis query`` as a user types them.

Answers for `privis.cli.keygen`, `privis.cli.server.query`, `privis.cli.server.query_gallery` and
`privis.serve.client.key_folder` and `privis.serve.offerings.offer_security`.
"""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from click.testing import Result
from PIL import Image
from typer.testing import CliRunner

pytest.importorskip("tenseal")
pytest.importorskip("uvicorn")

from privis.cli.main import app
from privis.errors import ParameterError, ProtocolError
from privis.io.tables import read, write
from privis.program import Input, save, trace
from privis.readings import evaluate
from privis.serve.client.client import Client
from privis.serve.http.server import Server
from privis.serve.offerings.offering import Estimate, Terms

FACES = np.random.default_rng(1).normal(size=(40, 24)).astype(np.float32)
ENERGY = trace(lambda x: (x * x).sum(1) * (1 / 255**2), Input((8, 8)))


def privis(*words, where=None):
    command = [sys.executable, "-m", "privis", *map(str, words)]
    return subprocess.run(command, capture_output=True, text=True, timeout=120, cwd=where)


class Served:
    """A folder with a server's files, pictures, and keys of a client."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        rng = np.random.default_rng(0)
        for name in ("one", "two"):
            Image.fromarray(rng.integers(0, 256, (8, 8), np.uint8)).save(folder / f"{name}.png")
        (folder / "broken.png").write_text("no picture")
        save(ENERGY, folder / "energy.program")
        names = [f"part {number}" for number in range(24)]
        faces = [f"face {number}" for number in range(40)]
        write(folder / "faces.npz", faces, [FACES], names=names, metadata={})
        write(folder / "asked.csv", ["a", "b"], [FACES[[7, 31]] * 3], names=names, metadata={})
        token = privis("keygen", "alice.token", "--for", "token", "--name", "alice", "--tokens", "tokens", where=folder)
        assert token.returncode == 0, token.stderr
        assert "over a channel you trust" in token.stdout
        command = [sys.executable, "-m", "privis", "serve", "--program", "energy.program", "--tokens", "tokens"]
        command += [
            "--gallery",
            "faces.npz",
            "--encrypted-gallery",
            "50x24",
            "--scores",
            "--listen",
            "127.0.0.1:0",
            "--limit",
            "grace-seconds=1",
            "--answers",
            "scores=100000",
        ]
        self.process = subprocess.Popen(command, cwd=folder, stderr=subprocess.PIPE, text=True)
        assert self.process.stderr is not None
        lines = list(self._until_listening(self.process.stderr))
        self.url = lines[-1].split(": ")[0]
        self.described = [line for line in lines if "memory a job" in line]

    @staticmethod
    def _until_listening(lines: Iterable[str]) -> Iterator[str]:
        """All lines up to that of the address: on a busy machine progress stands between them."""
        for line in lines:
            yield line
            if line.startswith("http"):
                return

    def client(self, *words: object) -> list[object]:
        return ["--server", self.url, "--token-file", self.folder / "alice.token", *words]

    def query(self, *words: object) -> subprocess.CompletedProcess[str]:
        return privis("query", *words, *self.client("--keys", self.folder / "keys"), where=self.folder)

    def stop(self) -> str:
        self.process.send_signal(signal.SIGINT)
        _, log = self.process.communicate(timeout=30)
        return log


@pytest.fixture(scope="module")
def served(tmp_path_factory):
    made = Served(tmp_path_factory.mktemp("served"))
    words = made.client("--offer", "energy", "--for", "homomorphic")
    keys = privis("keygen", made.folder / "keys", *words)
    assert keys.returncode == 0, keys.stderr
    assert "never leaves you" in keys.stdout
    yield made
    log = made.stop()  # as with Ctrl-C
    assert made.process.returncode == 0 and "Traceback" not in log, log


def test_what_is_offered_is_said_with_its_price(served):
    assert served.described[0].startswith("energy: program energy.program; about ")
    assert served.described[1].startswith("faces: cosines with 40 templates of 24 components; about ")
    assert served.described[2].startswith("encrypted-50x24: cosines with up to 50 templates of 24 components")
    assert all(word in line for line in served.described for word in ("memory a job", "keys", "message", "result"))
    assert served.url.startswith("http://127.0.0.1:")


def test_pictures_in_features_out(served):
    done = served.query("one.png", "broken.png", "two.png", "-o", "out.npz")
    assert done.returncode == 1, done.stderr
    assert "2 rows of 8 components in out.npz" in done.stdout and "failed: broken.png" in done.stderr
    said = " ".join(done.stdout.split())
    assert "Only their owner sees the images" in said and "do not go back to the server" in said
    assert "may reveal the image" not in said and "exact, without differential privacy" in said
    table = read(served.folder / "out.npz")
    assert table.paths == ("one.png", "two.png") and table.names[0] == "model_0"
    for path, found in zip(table.paths, table.features, strict=True):
        pixels = np.asarray(Image.open(served.folder / path))
        np.testing.assert_allclose(found, evaluate(ENERGY, pixels), atol=1e-4)
    card = json.loads(table.metadata["privis.card"])
    assert "computes on ciphertexts" in card["threat_model"]
    assert str(served.folder) not in json.dumps(card) and "secret" not in json.dumps(card)


def test_samples_and_standards_choose_the_parameters_of_an_offer(tmp_path):
    from privis.cli.server.offerings import OfferOptions
    from privis.run.he.compiler.compiler import Options
    from privis.run.he.security import SecurityStandard
    from privis.serve.offerings.offer_security import parameters_of, require_standard

    for number in range(3):
        pixels = np.random.default_rng(number).integers(0, 3, (8, 8), dtype=np.uint8)
        Image.fromarray(pixels).save(tmp_path / f"dim{number}.png")
    program = trace(lambda x: (x * x).sum(1) * (x.sum(1) * x.sum(0)), Input((8, 8)))
    save(program, tmp_path / "powers.npz")
    options = Options(standard=SecurityStandard.GUIDELINES_2024)
    found = []
    for samples in ([], [str(tmp_path)]):
        (maker,) = OfferOptions(None, [], [tmp_path / "powers.npz"], [], [], [], None, samples).makers(options)
        found.append(maker())
    typical, dim = (offering.compiled.circuit for offering in found)
    assert typical.certain == dim.certain and found[0].terms.digest != found[1].terms.digest
    for offering in found:
        assert SecurityStandard.GUIDELINES_2024 in parameters_of(offering.terms).standards
        require_standard(offering.terms, SecurityStandard.GUIDELINES_2024)
    alone = OfferOptions(None, [], [], [], [tmp_path / "faces.npz"], [], None, [str(tmp_path)])
    with pytest.raises(ParameterError, match="--samples: got with galleries alone"):
        alone.makers(options)


def test_a_client_may_insist_on_a_table(tmp_path):
    from privis.run.he.compiler.compiler import Options
    from privis.run.he.security import SecurityStandard
    from privis.serve.offerings.program import OfferProgram

    def deep(x):
        made = x
        for _ in range(5):
            made = made * x
        return made

    options = Options(1e-2, standard=SecurityStandard.STANDARD_2018)
    terms = OfferProgram("deep", "a power", trace(deep, Input((4,), -1.0, 1.0, None)), options)().terms
    (tmp_path / "terms.json").write_text(terms.to_json(), encoding="utf-8")
    words = ("--for", "homomorphic", "--terms", tmp_path / "terms.json")
    refused = typed("keygen", tmp_path / "keys", *words, "--standard", "2024")
    assert refused.exit_code == 2 and "not by the guidelines of 2024 (214 bits)" in refused.stderr
    assert not (tmp_path / "keys").exists()
    made = typed("keygen", tmp_path / "keys", *words, "--standard", "2018")
    assert made.exit_code == 0 and "128-bit secure by the standard of 2018, not by" in made.stdout
    told = typed("info", tmp_path / "terms.json")
    assert "ring 8,192, 218 bits: 128-bit secure by the standard of 2018" in told.stdout
    assert typed("keygen", tmp_path / "k", "--standard", "2024").exit_code == 2


def test_keygen_lists_what_a_server_offers(served):
    for words in ([], ["--offer", "enrgy"]):
        done = typed("keygen", served.folder / "no keys", *served.client(*words, "--for", "homomorphic"))
        assert done.exit_code == 2 and not (served.folder / "no keys").exists()
        said = " ".join(done.stderr.split())
        assert all(f"{name} (" in said for name in ("energy", "faces", "encrypted-50x24")), said
        assert "program energy.program" in said and (not words or "got 'enrgy'" in said)


def test_several_at_once_give_the_same_table(served):
    words = ("one.png", "two.png", "--json", "--offer", "energy")
    for name, at_once in (("single.csv", 1), ("double.csv", 2)):
        done = served.query(*words, "-o", name, "--at-once", at_once)
        assert done.returncode == 0, done.stderr
        assert json.loads(done.stdout)["rows"] == 2
    one, two = (read(served.folder / name) for name in ("single.csv", "double.csv"))
    np.testing.assert_allclose(one.features, two.features, atol=1e-6)


def test_templates_that_the_server_never_sees(served):
    words = served.client("--offer", "encrypted-50x24", "--for", "homomorphic")
    keys = typed("keygen", served.folder / "mine", *words, "--gallery", served.folder / "faces.npz")
    assert keys.exit_code == 0, keys.stderr
    output = served.folder / "mine.json"
    words = served.client("--keys", served.folder / "mine", "--top", 1, "--scores", "-o", output)
    done = typed("query", served.folder / "asked.csv", *words)
    assert done.exit_code == 0, done.stderr
    assert [row["template"] for row in json.loads(output.read_text())] == ["face 7", "face 31"]
    words = served.client("--offer", "energy", "--for", "homomorphic", "--gallery", served.folder / "faces.npz")
    wrong = typed("keygen", served.folder / "none", *words)
    assert wrong.exit_code == 2 and "an offer of an encrypted gallery" in wrong.stderr
    assert not (served.folder / "none").exists()


def test_vectors_in_matches_out(served):
    keys = typed("keygen", served.folder / "faces", *served.client("--offer", "faces", "--for", "homomorphic"))
    assert keys.exit_code == 0, keys.stderr
    for output in ("matches.csv", "matches.json"):
        words = served.client("--keys", served.folder / "faces", "--top", 2, "--scores", "-o", served.folder / output)
        done = typed("query", served.folder / "asked.csv", *words)
        assert done.exit_code == 0 and "4 matches" in done.stdout, done.stderr
        assert "do not go back to the server" in " ".join(done.stdout.split())
    found = json.loads((served.folder / "matches.json").read_text())
    assert [row["template"] for row in found if row["rank"] == 1] == ["face 7", "face 31"]
    assert found[0]["cosine"] == pytest.approx(1, abs=1e-4) and found[1]["cosine"] < 0.9
    assert (served.folder / "matches.csv").read_text().startswith("query,rank,template,cosine\na,1,face 7,")
    picture = typed(
        "query", served.folder / "one.png", *served.client("--keys", served.folder / "faces", "--scores", "-o", "x.csv")
    )
    assert picture.exit_code == 2 and "-f FEATURE that makes vectors" in picture.stderr
    wrong = typed("query", served.folder / "one.png", *words, "-f", "lbp")
    assert wrong.exit_code == 2 and "(rows, 24)" in wrong.stderr


def test_scores_are_asked_for_by_name_on_both_sides(served, tmp_path):
    privis_terms = served.folder / "faces"
    if not privis_terms.exists():
        typed("keygen", privis_terms, *served.client("--offer", "faces", "--for", "homomorphic"))
    words = served.client("--keys", privis_terms, "-o", tmp_path / "x.csv")
    for more, said in (([], "--scores"), (["--scores", "--question", "any"], "tells every cosine")):
        done = typed("query", served.folder / "asked.csv", *words, *more)
        assert done.exit_code == 2 and said in " ".join(done.stderr.split()), done.stderr


def typed(*words: object) -> Result:
    """The command in this process: importing everything anew takes seconds."""
    return CliRunner().invoke(app, [*map(str, words)])


def test_errors_say_what_to_do_and_have_a_code(served, tmp_path):
    keys, token, picture = served.folder / "keys", tmp_path / "token", served.folder / "one.png"
    token.write_text("x" * 43)
    token.chmod(0o600)
    out = ["--keys", keys, "-o", tmp_path / "x.npz"]
    other = typed("query", picture, *served.client(), *out, "--offer", "hog")
    assert other.exit_code == 2 and "expected energy, which these keys are for" in other.stderr
    foreign = ["--server", served.url, "--token-file", token]
    refused = typed("query", picture, *foreign, *out)
    assert refused.exit_code == 7 and "--token-file" in refused.stderr
    refused = typed("keygen", tmp_path / "keys", *foreign, "--for", "homomorphic", "--offer", "energy")
    assert refused.exit_code == 7 and not (tmp_path / "keys").exists()
    gone = typed("query", picture, "--server", "http://127.0.0.1:1", "--token-file", token, "--patience", "0", *out)
    assert gone.exit_code == 7 and "nothing is done twice" in gone.stderr
    assert not (tmp_path / "x.npz").exists()


def test_options_that_do_not_fit_are_listed_together(tmp_path):
    token = typed("keygen", tmp_path / "k", "--for", "token", "--name", "a b", "--offer", "x")
    assert token.exit_code == 2 and "--offer" in token.stderr and "no --tokens" in token.stderr
    assert typed("keygen", tmp_path / "k", "--server", "https://a").exit_code == 2
    release = typed("keygen", tmp_path / "release.key")
    assert release.exit_code == 0 and "take the noise away" in release.stdout
    typed("keygen", tmp_path / "a", "--for", "token", "--name", "a", "--tokens", tmp_path / "tokens")
    serve = ["serve", "--tokens", tmp_path / "tokens", "--state", tmp_path / "state", "--check"]
    for words, said in (
        ([], "-f, --model, --program, --offer, --gallery or --encrypted-gallery"),
        (["--encrypted-gallery", "512", "--scores"], "TEMPLATESxCOMPONENTS"),
        (["--encrypted-gallery", "9x8"], "--threshold COSINE"),
        (["--encrypted-gallery", "9x8", "--scores", "--gap", "0.1"], "scores are not decided"),
        (["--encrypted-gallery", "9x8", "--threshold", "0.4", "--gap", "0.001"], "DecisionSpec.gap"),
        (["-f", "hog", "--threshold", "0.4"], "--gallery or --encrypted-gallery"),
        (["-f", "lbp"], "-p size=HxW"),
        (["-f", "cnn", "-p", "path=x"], "--model FILE.onnx"),
        (["-f", "hog", "--limit", "memory=lots"], "512MiB or 2GB"),
        (["-f", "hog", "--limit", "ram=1"], "key-cache-bytes"),
        (["-f", "hog", "--listen", "0.0.0.0:1"], "TLS for an address that others reach"),
        (["-f", "hog", "--tls-cert", "x"], "both --tls-cert and --tls-key"),
        (["-f", "hog", "--listen", "8443"], "HOST:PORT"),
    ):
        done = typed(*serve, *words)
        assert done.exit_code == 2 and said in " ".join(done.stderr.split()), done.stderr


def test_normalisation_inside_is_offered_to_those_who_promise(tmp_path):
    typed("keygen", tmp_path / "a", "--for", "token", "--name", "a", "--tokens", tmp_path / "tokens")
    serve = [
        "serve",
        "--tokens",
        tmp_path / "tokens",
        "--state",
        tmp_path / "state",
        "--check",
        "--signs",
        "2",
        "--listen",
        "127.0.0.1:0",
    ]
    serve += ["-f", "hog", "-p", "size=16x16", "-p", "block=2", "-p", "norm=L2", "--precision", "0.01", "--inside"]
    refused = typed(*serve)
    assert refused.exit_code != 0 and "promise" in refused.stderr
    done = typed(*serve, "--promised")
    assert done.exit_code == 0 and "hog" in done.stderr


@pytest.mark.parametrize(
    "words",
    [
        {},
        {"feature": "nothing", "parameters": []},
        {"feature": "cnn", "parameters": ["path=/etc/passwd"]},
        {"feature": "hog", "parameters": ["size=none", "depth=3"]},
        {"feature": "hog", "parameters": ["size=64x64"] * 1000},
        {"model": {"shape": [4, 4, 4, 4], "outputs": 2, "channels": "rgb"}},
        {"model": {"shape": [3, 4, 4], "outputs": -1, "channels": "rgb"}},
        {"model": {"shape": "abc", "outputs": 1, "channels": "no"}},
    ],
)
def test_words_of_a_server_choose_features_and_nothing_else(words):
    from privis.cli.server.offerings import feature_of

    with pytest.raises(ProtocolError):
        feature_of(Terms("x", "", "0" * 64, "", Estimate(1, 1, 1, 1, 1), "", words))


def test_a_network_stays_on_the_server(tmp_path):
    """ONNX in, classes out; its digest and weights are not in what clients are told."""
    onnx = pytest.importorskip("onnx")
    from onnx import TensorProto, helper, numpy_helper

    from privis.cli.server.offerings import OfferOptions, feature_of
    from privis.extraction.images import extract
    from privis.run.he.compiler.compiler import Options
    from privis.serve.client.executor import Remote
    from privis.serve.client.program_keys import OwnerKeys
    from tests.serve.place import LIMITS, new_place

    weights = np.random.default_rng(2).normal(size=(3, 64)).astype(np.float32) / 64
    nodes = [
        helper.make_node("Flatten", ["x"], ["flat"]),
        helper.make_node("Gemm", ["flat", "w"], ["dense"], transB=1),
        helper.make_node("Mul", ["dense", "dense"], ["y"]),
    ]
    shapes = [helper.make_tensor_value_info(n, TensorProto.FLOAT, s) for n, s in (("x", [1, 1, 8, 8]), ("y", [1, 3]))]
    graph = helper.make_graph(nodes, "net", shapes[:1], shapes[1:], [numpy_helper.from_array(weights, "w")])
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)]), tmp_path / "net one.onnx")
    makers = OfferOptions(None, ["divisor=255"], [], [tmp_path / "net one.onnx"], [], [], None).makers(Options())
    place = new_place(tmp_path)
    limits = replace(LIMITS, memory=1 << 30, job_memory=0)
    with Server(makers, place.tokens, tmp_path / "state", port=0, limits=limits).running() as url:
        with Client(url, place.token("alice")) as client:
            terms = client.terms("net-one")
            OwnerKeys.generate(terms, tmp_path / "keys")
        assert terms.program == "" and len(terms.to_json()) < 10_000
        image = np.random.default_rng(3).integers(0, 256, (8, 8), np.uint8)
        with Remote(url, tmp_path / "keys", tmp_path / "alice.token") as under:
            found = extract(feature_of(terms), [image], under=under)
    np.testing.assert_allclose(found.features[0], (weights @ (image.reshape(-1) / 255)) ** 2, atol=1e-4)
    assert found.names == ("model_0", "model_1", "model_2")
