"""``privis stage init``: a submission in the harness's shape, on made-up digits.

Answers for `privis.cli.server.submission.submission_commands`, `privis.serve.submission.submission_directory`,
`privis.serve.submission.submission_readme`, `privis.serve.submission.stage_call`, `privis.serve.submission.workload`,
`privis.serve.submission.stages.client_key_generation`,
`privis.serve.submission.stages.server_preprocess_model`,
`privis.serve.submission.stages.client_preprocess_input`,
`privis.serve.submission.stages.client_encode_encrypt_input`,
`privis.serve.submission.stages.server_encrypted_compute`,
`privis.serve.submission.stages.client_decrypt_decode`,
`privis.serve.submission.stages.client_postprocess`
and `benchmarks.fhe_suite.harness_shape`.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
from typer.testing import CliRunner

pytest.importorskip("tenseal")
pytest.importorskip("torch")
pytest.importorskip("onnx")

import privis
from benchmarks.fhe_suite.digit_network import Digits, train_network
from benchmarks.fhe_suite.harness_shape import NO_SECRETS, run_harness
from privis.cli.main import app
from privis.errors import ImageError
from privis.run.he.wire import key_file
from privis.serve.client.owner import Owner
from privis.serve.submission.similarity.fetch_call import fetch_call
from privis.serve.submission.stage_call import SIZES, StageCall, stage_calls
from privis.serve.submission.stages import server_encrypted_compute
from privis.serve.submission.submission_directory import STAGES
from privis.serve.submission.submission_readme import readme_of
from privis.serve.submission.workload import CIFAR10, MNIST
from privis.training.polynomial_networks.network_file import load_network
from privis.training.polynomial_networks.network_fitting import NetworkFitting


def made_up(count: int) -> Digits:
    """Pictures with a bar whose height tells the class."""
    rng = np.random.default_rng(0)
    classes = np.arange(count) % 10
    images = rng.integers(0, 60, (count, 28, 28), dtype=np.uint8)
    for image, number in zip(images, classes, strict=True):
        image[4 + 2 * number : 6 + 2 * number, 4:24] = 200
    return Digits(images, classes, images, classes)


@pytest.fixture(scope="module")
def given():
    return made_up(300)


@pytest.fixture(scope="module")
def model(given, tmp_path_factory):
    path = tmp_path_factory.mktemp("network") / "net.onnx"
    train_network(given, path, 16, 3, NetworkFitting(epochs=4, shift=0))
    return path


def init(directory, *words):
    return CliRunner().invoke(app, ["stage", "init", str(directory), *map(str, words)])


@pytest.fixture(scope="module")
def submission(model, tmp_path_factory):
    directory = tmp_path_factory.mktemp("fork") / "submission"
    made = init(directory, "--workload", "mnist", "--model", model)
    assert made.exit_code == 0, made.output
    return directory


def test_the_stages_give_the_classes_of_the_clear_network_without_the_secret_key_at_the_server(
    submission, given, model, tmp_path, monkeypatch
):
    images = given.test[:7]
    run = run_harness(submission, tmp_path, 1, images)
    network, _ = load_network(model)
    assert run.classes.tolist() == privis.extract(network, list(images)).features.argmax(1).tolist()
    assert [use.stage for use in run.stages] == list(STAGES)
    assert all(use.processor > 0 and use.memory > 0 for use in run.stages)
    assert set(run.folders) == {"public_keys", "ciphertexts_upload", "ciphertexts_download"}
    du = subprocess.run(["du", "-sb", tmp_path / "io" / "small" / "public_keys"], capture_output=True, check=True)
    assert run.folders["public_keys"] == int(du.stdout.split()[0]) > 1e5
    assert not list((tmp_path / "io" / "small" / "public_keys").glob("secret*"))
    call = StageCall(submission, "small", tmp_path)
    (prepared,) = call.prepared.iterdir()
    content = bytearray(prepared.read_bytes())
    content[-100] ^= 1
    prepared.write_bytes(content)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(server_encrypted_compute, "__file__", str(submission / "server_encrypted_compute.py"))
    monkeypatch.setattr(sys, "argv", ["server_encrypted_compute.py", "1"])
    call.answer.unlink()
    server_encrypted_compute.main()
    again = np.stack([scores for (scores,) in Owner.load(call.secret).decrypt(call.kept, call.answer)])
    assert not prepared.exists() and np.allclose(again, np.load(call.scores), atol=1e-2 * np.abs(again).max())


def test_a_place_that_a_stage_cannot_use_is_named(tmp_path):
    taken = tmp_path / "answers"
    taken.write_text("a file")
    for calls in (stage_calls, fetch_call):
        with pytest.raises(SystemExit, match="answers: got File exists"), calls("stage.py", ["0"]):
            taken.mkdir()


def test_a_server_stage_that_touches_the_secret_key_fails_the_run(submission, given, tmp_path):
    spoiled = tmp_path / "submission"
    shutil.copytree(submission, spoiled, symlinks=True)
    stage = spoiled / "server_preprocess_model.py"
    line = "try:\n    open('io/single/secret_key/secret.key')\nexcept OSError:\n    pass\n"  # moved away, and yet
    stage.write_text(f"#!/usr/bin/env python3\n{line}")
    with pytest.raises(subprocess.CalledProcessError) as failed:
        run_harness(spoiled, tmp_path / "root", 0, given.test[:1])
    assert failed.value.returncode == 77 and failed.value.cmd == ["server_preprocess_model"]


@pytest.mark.parametrize(
    ("how", "code"),
    [("os.listdir('secret_key')", 77), ("os.rename('a/secret_key/b', 'c')", 77), ("open('secret_key.txt', 'w')", 0)],
)
def test_the_hook_ends_whoever_touches_the_folder(tmp_path, how, code):
    environment = os.environ | {"PYTHONPATH": str(NO_SECRETS)}
    ran = subprocess.run(
        [sys.executable, "-c", f"import os; {how}"], cwd=tmp_path, env=environment, capture_output=True
    )
    assert ran.returncode == code


def test_stages_are_what_a_harness_can_start_either_way(submission):
    for name in STAGES:
        assert os.access(submission / f"{name}.py", os.X_OK)
        first, _ = (submission / f"{name}.py").read_text().split("\n", 1)
        assert first == "#!/usr/bin/env -S OPENBLAS_NUM_THREADS=1 python3", "threads that are not needed wait busily"
        assert (submission / "build" / name).resolve() == (submission / f"{name}.py").resolve()
    assert "/" not in os.readlink(submission / "build" / STAGES[0]).removeprefix("../"), "links survive a move"


def test_the_readme_says_parameters_tables_and_the_owners_part(submission):
    told = CliRunner().invoke(app, ["stage", "readme", str(submission)])
    assert told.exit_code == 0, told.output
    assert told.stdout == (submission / "README.md").read_text()
    for word in ("| single | 1 |", "| large | 10,000 |", "ternary", "standard of 2018", "guidelines of 2024", "square"):
        assert word in told.stdout
    rows = [
        line for line in told.stdout.splitlines() if line.startswith(("| single", "| small", "| medium", "| large"))
    ]
    assert all(row.count(", met") == 2 for row in rows) and len(rows) == 4


def test_the_readme_of_cifar10_does_not_claim_batches(submission, tmp_path):
    for size in SIZES:
        there, here = StageCall(submission, size), StageCall(tmp_path, size)
        here.terms_path.parent.mkdir(exist_ok=True)
        terms = replace(there.terms(), name=CIFAR10.name)
        key_file.write(here.terms_path, key_file.KeyKind.PUBLIC, terms.digest, terms.to_json().encode(), mode=0o644)
    told = readme_of(tmp_path)
    assert told.startswith("# CIFAR-10") and "80.3 %" in told and "not claimed to pass" in told
    assert "not claimed" not in readme_of(submission) and "90 % of a batch" in readme_of(submission)


def test_what_does_not_fit_is_refused_before_anything_is_written(model, submission, given, tmp_path):
    unknown = init(tmp_path / "new", "--workload", "imagenet", "--model", model)
    assert unknown.exit_code == 2 and "one of mnist" in unknown.stderr
    none = init(tmp_path / "new", "--workload", "cifar10")
    assert none.exit_code == 2 and "train one for CIFAR-10" in none.stderr
    small = tmp_path / "small.onnx"
    train_network(
        Digits(given.train[:, ::2, ::2], given.train_classes, given.test[:, ::2, ::2], given.test_classes),
        small, 4, 0, NetworkFitting(epochs=1, shift=0),
    )  # fmt: skip
    other = init(tmp_path / "new", "--workload", "mnist", "--model", small)
    assert other.exit_code == 2 and "(1, 14, 14)" in other.stderr and "(1, 28, 28)" in other.stderr
    there = init(submission, "--workload", "mnist", "--model", model)
    assert there.exit_code == 4 and "new or empty" in there.stderr
    none = CliRunner().invoke(app, ["stage", "readme", str(tmp_path)])
    assert none.exit_code == 2 and "privis stage init" in none.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["small.onnx"]


def test_lines_that_are_no_images_are_all_named(tmp_path):
    good = " ".join(["0.5"] * 784)
    path = tmp_path / "test_pixels.txt"
    path.write_text(f"{good}\n0.1 0.2\n{good}\n{good.replace('0.5', '1.5', 1)}\n{good.replace('0.5', 'nan', 1)}\n")
    with pytest.raises(ImageError) as refused:
        MNIST.read_pixels(path)
    assert [problem.where.rpartition(" ")[2] for problem in refused.value.problems] == ["2", "4", "5"]
    path.write_text(f"{good}\n")
    assert MNIST.read_pixels(path).shape == (1, 1, 28, 28) and np.all(MNIST.read_pixels(path) == 127.5)


def test_a_stage_says_what_is_wrong_without_a_traceback(submission, tmp_path):
    for words, said in (([], ""), (["4"], "one of 0, 1, 2, 3"), (["0"], "query.bin")):
        ran = subprocess.run(
            [sys.executable, submission / "server_encrypted_compute.py", *words],
            cwd=tmp_path,
            capture_output=True,
            text=True,
        )
        assert said in ran.stderr and "Traceback" not in ran.stderr
        assert (ran.returncode == 0) == (not words)
