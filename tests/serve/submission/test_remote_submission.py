"""``privis stage init --remote``: stages that ask a running ``privis serve``, in the harness's shape.

Answers for `privis.serve.submission.remote.backend`, `privis.serve.submission.remote.remote_terms`,
`privis.serve.submission.remote.remote_keys`, `privis.serve.submission.remote.remote_compute` and
`benchmarks.fhe_suite.resident_server`.
"""

from __future__ import annotations

import shutil
import sys
from dataclasses import replace
from types import SimpleNamespace

import pytest
from typer.testing import CliRunner

pytest.importorskip("tenseal")
pytest.importorskip("torch")
pytest.importorskip("onnx")
pytest.importorskip("uvicorn")

import privis
from benchmarks.fhe_suite.digit_network import train_network
from benchmarks.fhe_suite.harness_shape import run_harness, stages_of
from benchmarks.fhe_suite.resident_server import running_server
from privis.cli.main import app
from privis.errors import ParameterError, ProtocolError, ServiceError
from privis.run.he.wire import key_file
from privis.run.he.wire.key_file import KeyKind
from privis.serve.http.tokens import issue
from privis.serve.submission.remote import remote_terms
from privis.serve.submission.remote.backend import AUTHORITY, TOKEN_FILE, URL, Backend
from privis.serve.submission.stage_call import SIZES, StageCall
from privis.training.polynomial_networks.network_file import load_network
from privis.training.polynomial_networks.network_fitting import NetworkFitting
from tests.serve.submission.test_submission import init, made_up

IMAGES = made_up(300)


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """Folder of a submission and of what its server needs."""
    folder = tmp_path_factory.mktemp("remote")
    train_network(IMAGES, folder / "net.onnx", 8, 3, NetworkFitting(epochs=2, shift=0))
    directory = folder / "submission_remote"
    made = init(directory, "--workload", "mnist", "--model", folder / "net.onnx", "--remote")
    assert made.exit_code == 0, made.output
    return folder


@pytest.fixture(scope="module")
def backend(place):
    """A server of the smallest size; meanwhile the environment names it."""
    submission = place / "submission_remote"
    with running_server(submission, submission / "server" / "single.npz") as url:
        yield url


def test_a_running_server_gives_the_classes_of_the_clear_network(place, backend, tmp_path):
    submission = place / "submission_remote"
    shown = tmp_path / "submission_remote"  # as it is published: the network stays with the server
    shutil.copytree(submission, shown, symlinks=True, ignore=shutil.ignore_patterns("server"))
    run = run_harness(shown, tmp_path, 0, IMAGES.test[:1])
    network, _ = load_network(place / "net.onnx")
    assert run.classes.tolist() == privis.extract(network, list(IMAGES.test[:1])).features.argmax(1).tolist()
    order = [use.stage for use in run.stages]
    assert order[:3] == ["server_get_params", "client_key_generation", "server_upload_ek"]
    assert "server_preprocess_model" not in order and order == list(stages_of(shown))
    for name in order:
        assert (shown / "build" / name).resolve() == (shown / f"{name}.py").resolve()


def test_a_server_of_another_network_is_refused_before_keys_are_made(place, backend, tmp_path):
    other = tmp_path / "submission_remote"
    shutil.copytree(place / "submission_remote", other)
    call = StageCall(other, "single", tmp_path)
    terms = replace(StageCall(other, "large").terms(), name="mnist-single")
    key_file.write(call.terms_path, KeyKind.PUBLIC, terms.digest, terms.to_json().encode(), mode=0o644, replace=True)
    with pytest.raises(ProtocolError, match="privis serve --offer"):
        Backend.of().require_offer(call)
    unserved = StageCall(other, "large", tmp_path)
    with pytest.raises(ServiceError, match="mnist-large"):
        Backend.of().require_offer(unserved)


def test_without_a_size_the_terms_of_every_size_are_compared(place, monkeypatch):
    sizes = []
    monkeypatch.setattr(Backend, "of", lambda: SimpleNamespace(require_offer=lambda call: sizes.append(call.size)))
    monkeypatch.setattr(remote_terms, "__file__", str(place / "submission_remote" / "server_get_params.py"))
    monkeypatch.setattr(sys, "argv", ["server_get_params.py"])
    remote_terms.main()
    assert sizes == [*SIZES]


def test_a_query_before_its_keys_and_a_secret_as_keys_are_refused(place, backend, tmp_path):
    call = StageCall(place / "submission_remote", "single", tmp_path)
    with pytest.raises(ParameterError):
        Backend.of().send_keys(call)
    privis.Owner.generate(call.terms(), call.public, call.secret)
    call.evaluation.unlink()
    shutil.copyfile(call.secret / "secret.key", call.evaluation)
    call.evaluation.chmod(0o600)
    with pytest.raises(ProtocolError, match="secret key"):
        Backend.of().send_keys(call)


def test_what_the_environment_does_not_say_is_all_named():
    with pytest.raises(ParameterError) as refused:
        Backend.of({AUTHORITY: "ca.pem"})
    assert [problem.where for problem in refused.value.problems] == [URL, TOKEN_FILE]


def test_a_prepared_offer_is_served_as_it_was_prepared(place, tmp_path):
    issue("harness", tmp_path / "tokens", tmp_path / "token")
    words = ["--tokens", tmp_path / "tokens", "--state", tmp_path / "state", "--listen", "127.0.0.1:0", "--check"]

    def served(*more):
        return CliRunner().invoke(app, ["serve", *map(str, [*words, *more])])

    folder = place / "submission_remote" / "server"
    beside = served("--offer", folder / "single.npz", "--precision", "0.1", "--sharing", "slots")
    assert beside.exit_code == 2 and "--precision" in beside.stderr and "--sharing" in beside.stderr
    empty = served("--offer", tmp_path)
    assert empty.exit_code == 2 and "no .npz file" in empty.stderr
    named = served("--offer", folder, "--name", "digits")
    assert named.exit_code == 2 and "4 offers" in named.stderr
    readme = (place / "submission_remote" / "README.md").read_text()
    assert f"`{URL}`" in readme and "server_upload_ek" in readme


def test_an_encrypted_gallery_has_no_remote_stages(tmp_path):
    refused = init(tmp_path / "fetch", "--workload", "fetch-by-similarity", "--remote")
    assert refused.exit_code == 2 and "--remote" in refused.stderr
    assert not list(tmp_path.iterdir())
