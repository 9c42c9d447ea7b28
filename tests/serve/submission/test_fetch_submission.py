"""The submission of fetch-by-similarity: stages give the payloads and counts that are computed in the clear.

Answers for `privis.serve.submission.similarity.fetch_directory`, `privis.serve.submission.similarity.fetch_call`,
`privis.serve.submission.similarity.payload_bits`,
`privis.serve.submission.similarity.stages.gallery_key_generation`,
`privis.serve.submission.similarity.stages.client_encode_encrypt_db`,
`privis.serve.submission.similarity.stages.server_preprocess_dataset`,
`privis.serve.submission.similarity.stages.client_encode_encrypt_query`,
`privis.serve.submission.similarity.stages.gallery_encrypted_compute`,
`privis.serve.submission.similarity.stages.gallery_decrypt_decode`,
`benchmarks.fhe_suite.fetch` and `benchmarks.fhe_suite.fetch_data`.
"""

from __future__ import annotations

import runpy
import sys

import numpy as np
import pytest
from typer.testing import CliRunner

pytest.importorskip("tenseal")

from benchmarks.fhe_suite.fetch import extrapolation, lines, run_fetch
from benchmarks.fhe_suite.fetch_data import made_up
from privis.cli.main import app
from privis.errors import ParameterError
from privis.serve.submission.similarity.fetch_call import FetchCall
from privis.serve.submission.similarity.fetch_directory import FETCH_STAGES, FetchSize, write_fetch_submission
from privis.serve.submission.similarity.payload_bits import packed, unpacked

TINY = {"toy": FetchSize(200, 4, 0.19)}  # a wide gap takes few levels


@pytest.fixture
def run(tmp_path, monkeypatch):
    """Runs a stage of a tiny submission in this process, in a folder with made-up data."""
    submission = tmp_path / "submission"
    write_fetch_submission(submission, TINY)
    call = FetchCall(submission, "toy", root=tmp_path)
    call.rows.parent.mkdir(parents=True)
    monkeypatch.chdir(tmp_path)

    def stage(name, *words):
        monkeypatch.setattr(sys, "argv", [name, *words])
        runpy.run_path(str(submission / f"{name}.py"), run_name="__main__")

    return call, stage


def test_stages_fetch_what_matches_in_the_clear(run):
    call, stage = run
    rows = np.zeros((200, 4), np.float32)
    rows[:, 0] = np.where(np.arange(200) % 9 == 0, 1.0, 0.3)
    rows[:, 1] = np.sqrt(1 - rows[:, 0] ** 2)
    payloads = np.random.default_rng(0).integers(0, 512, (200, 7), dtype=np.int16)
    rows.tofile(call.rows)
    payloads.tofile(call.payloads)
    rows[0].tofile(call.query_vector)
    for name in FETCH_STAGES:
        stage(name, "0", "--seed", "5", "--seed", "6")  # the harness says it again for every query
    expected = payloads[::9]
    assert call.results.read_bytes() == expected[np.lexsort(expected.T[::-1])].tobytes()
    assert call.prepared.exists() and call.secret.stat().st_mode & 0o077 == 0
    with pytest.raises(SystemExit, match="nothing is overwritten"):  # neither keys nor a gallery
        stage("client_encode_encrypt_db", "0")


def test_stages_say_what_is_wrong_without_a_traceback(run):
    _, stage = run
    for words in (["9"], ["0", "--wrong"], [], ["x"]):
        with pytest.raises(SystemExit, match="SIZE"):
            stage("server_encrypted_compute", *words)
    with pytest.raises(SystemExit, match="terms of this size"):
        stage("client_key_generation", "3")
    with pytest.raises(SystemExit, match="no such file"):  # nothing was encrypted yet
        stage("server_encrypted_compute", "0")


def test_the_command_writes_a_submission_and_its_page(tmp_path):
    place = tmp_path / "mine"
    ran = CliRunner().invoke(app, ["stage", "init", str(place), "--workload", "fetch-by-similarity"])
    assert ran.exit_code == 0, ran.output
    assert [(place / "build" / name).resolve() for name in FETCH_STAGES] == [place / f"{n}.py" for n in FETCH_STAGES]
    page = CliRunner().invoke(app, ["stage", "readme", str(place)]).output
    assert page == (place / "README.md").read_text() and "1,000,000" in page and "guidelines of 2024" in page
    for words in (["--model", "net.onnx"], ["--samples", "digits"]):
        ran = CliRunner().invoke(
            app, ["stage", "init", str(tmp_path / "b"), "--workload", "fetch-by-similarity", *words]
        )
        assert ran.exit_code == 2 and not (tmp_path / "b").exists()
    for words in (["mnist"], ["cats", "--model", "net.onnx"]):
        ran = CliRunner().invoke(app, ["stage", "init", str(tmp_path / "b"), "--workload", *words])
        assert ran.exit_code == 2 and ("fetch-by-similarity" in ran.output or "--model" in ran.output)


def test_payloads_are_the_same_after_packing():
    given = np.random.default_rng(0).integers(0, 512, (50, 7), dtype=np.int16)
    held = packed(given)
    assert {len(each) for each in held} == {8} and np.array_equal(unpacked(held), given)
    assert unpacked([]).shape == (0, 7)
    for wrong in (given + np.int16(500), given - np.int16(500), given[:, :6]):
        with pytest.raises(ParameterError, match="payloads"):
            packed(wrong)


def test_made_up_galleries_have_the_shape_of_the_workload():
    given = made_up(4000, 128, seed=3)
    assert np.allclose(np.linalg.norm(given.rows, axis=1), 1, atol=1e-5)
    query = given.query(True)
    cosines = given.rows @ query
    found = given.expected(query)
    assert len(found) == (cosines > 0.8).sum() > 3 and cosines[cosines < 0.8].max() < 0.7
    assert np.all(np.diff(found[:, 0]) >= 0) and len(given.expected(given.query(False))) == 0


@pytest.mark.long
@pytest.mark.parametrize("count_only", [False, True])
def test_processes_in_the_shape_of_the_harness(tmp_path, count_only):
    """The benchmark, tiny: server stages run without the secret key, and touch nothing of it."""
    write_fetch_submission(tmp_path / "submission", {"toy": FetchSize(1000, 128, 0.07)})
    root = tmp_path / "run"
    given = made_up(1000, 128, seed=1)
    found = run_fetch(tmp_path / "submission", root, "toy", given, [True, False], count_only=count_only)
    assert found.right == (True, True) and found.matches[0] > 3 and found.matches[1] == 0
    assert found.folders["keys"] < 80e6 and found.folders["query"] < 1.1e6 and found.folders["reply"] < 1.2e6
    assert "right 2 of 2" in "\n".join(lines("toy", found)) and "2,000 rows" in extrapolation(found, 1000, 2000)
