"""``privis extract`` as a user types it: a process, its output and its exit code.

Answers for `privis.__main__`, `privis.cli.doctor`, `privis.cli.extract` and `privis.cli.joint.features`.
"""

import json
import os
import re
import shlex
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from privis.cli.main import app
from privis.extraction.images import image_record
from privis.io.tables import read
from privis.privacy import FileLedger


def here(*words: object) -> Any:
    """The command in this process: what it says and its exit code."""
    return CliRunner().invoke(app, [*map(str, words)])


def privis(*words, stdin=None, cwd=None):
    """The command as it is typed, in a process of its own."""
    command = [sys.executable, "-m", "privis", *map(str, words)]
    return subprocess.run(command, input=stdin, cwd=cwd, capture_output=True, text=True, timeout=120)


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """Four photographs of three sizes, and three files that are none."""
    from skimage import data

    where = tmp_path_factory.mktemp("pictures")
    for name, image in {
        "astronaut": data.astronaut()[:200, :150],
        "camera": data.camera()[:128, :128],
        "coffee": data.coffee()[:200, :150],
        "rocket": data.rocket()[:90, :120],
    }.items():
        Image.fromarray(image).save(where / f"{name}.png")
    (where / "empty.png").write_bytes(b"")
    (where / "text.jpg").write_text("not a picture")
    (where / "truncated.png").write_bytes((where / "camera.png").read_bytes()[:3000])
    return where


def test_a_mixed_folder_gives_a_table_and_lists_what_failed(folder, tmp_path):
    done = privis("extract", folder, "-f", "hog", "-p", "size=64x64", "-o", tmp_path / "hog.parquet")
    assert done.returncode == 1, done.stderr
    assert "4 rows" in done.stdout and "No differential privacy" in done.stdout
    for name in ("empty.png", "text.jpg", "truncated.png"):
        assert name in done.stderr
    table = read(tmp_path / "hog.parquet")
    assert table.features.shape == (4, 2916) and len(table.names) == 2916
    assert "No differential privacy" in json.loads(table.metadata["privis.guarantee"])["sentence"]


def test_json_is_one_document_on_stdout(folder, tmp_path):
    words = ["-f", "lbp", "-p", "patterns=uniform", "-o", tmp_path / "lbp.npz", "--json"]
    done = privis("extract", folder / "camera.png", folder / "rocket.png", *words)
    assert done.returncode == 0, done.stderr
    document = json.loads(done.stdout)
    assert (document["rows"], document["components"], document["failures"]) == (2, 10, [])
    assert document["card"]["feature"]["patterns"] == "uniform"


def test_the_guarantee_of_noise_travels_with_the_table(folder, tmp_path):
    words = ["-f", "colour", "-p", "bins=4", "--release", "laplace", "--unit", "pixels:16", "--epsilon", "4"]
    done = privis("extract", folder / "camera.png", *words, "-o", tmp_path / "c.parquet")
    assert done.returncode == 0, done.stderr
    assert "whole-image epsilon 4,096" in done.stdout  # 128 * 128 / 16 times 4: all counts, and three per pixel move
    assert f"--at counts --moves 3 --total {3 * 128 * 128}" in done.stderr
    guarantee = json.loads(read(tmp_path / "c.parquet").metadata["privis.guarantee"])
    assert guarantee["epsilon"] == 4 and round(guarantee["whole_image_epsilon"]) == 4096
    assert not list(tmp_path.glob("*.key")), "the key of a finished run is gone"


def test_a_release_that_leaves_nothing_charges_nothing(folder, tmp_path):
    """The first command anybody types: it used to spend the budget on noise of millions of grey levels."""
    ledger, output = tmp_path / "ledger", tmp_path / "h.npz"
    assert privis("ledger", "init", ledger, "--epsilon", "8", "--delta", "1e-6").returncode == 0
    words = ["extract", folder / "camera.png", "-f", "hog", "--release", "laplace", "--epsilon", "4"]
    words += ["--ledger", ledger, "-o", output]
    for more in ((), ("--at", "pixels")):
        done = privis(*words, *more)
        assert done.returncode == 2 and "nothing is left" in done.stderr and not output.exists()
    assert not FileLedger(ledger).spent(image_record(folder / "camera.png")).charges
    instead = shlex.split(re.search(r"privis (extract .*?); --yes", done.stderr.replace("\n", " "))[1])
    assert instead[-2:] == ["--release", "privunit"]
    done = privis(*instead)
    assert done.returncode == 0 and "epsilon 4)" in done.stdout.replace("\n", " "), done.stderr
    done = privis(*words[:-1], tmp_path / "yes.npz", "--at", "pixels", "--yes")
    assert done.returncode == 0 and "warning: noise" in done.stderr


def test_a_key_makes_noise_repeatable(folder, tmp_path):
    words = ["-f", "lbp", "--release", "gaussian", "--at", "feature", "--epsilon", "2", "--delta", "1e-6"]
    words += ["--clip", "1e4", "--yes", "--workers", "1"]
    for name in ("a", "b"):
        privis("extract", folder / "camera.png", *words, "--key", tmp_path / "key", "-o", tmp_path / f"{name}.npz")
    privis("extract", folder / "camera.png", *words, "-o", tmp_path / "c.npz")
    a, b, c = (read(tmp_path / f"{name}.npz").features for name in "abc")
    np.testing.assert_array_equal(a, b)
    assert (a != c).any()
    assert (tmp_path / "key").stat().st_mode & 0o077 == 0


def test_every_wrong_word_is_named_at_once(folder, tmp_path):
    done = here("extract", folder, "-f", "hog", "-p", "cel=3", "-p", "cell=x", "-o", tmp_path / "h.npz")
    assert done.exit_code == 2 and "cel=3" in done.stderr and "cell=x" in done.stderr and "cell=…" in done.stderr
    done = here("extract", folder, "-f", "lbp", "--release", "gaussian", "--at", "feature", "-o", tmp_path / "h.npz")
    assert done.exit_code == 2
    assert all(option in done.stderr for option in ("--epsilon", "--delta"))
    done = here("extract", folder, "-f", "lbp", "--release", "laplace", "--epsilon", "-1", "-o", tmp_path / "h.npz")
    assert done.exit_code == 2 and "epsilon" in done.stderr
    assert "Traceback" not in done.stderr
    done = here("extract", folder, "-f", "hug", "-o", tmp_path / "h.npz")
    assert done.exit_code == 2 and "hog" in done.stderr
    assert not list(tmp_path.iterdir())


def test_unusable_inputs_and_outputs_have_their_exit_codes(folder, tmp_path):
    (tmp_path / "nothing").mkdir()
    assert here("extract", tmp_path / "nothing", "-f", "lbp", "-o", tmp_path / "t.npz").exit_code == 2
    assert here("extract", folder / "text.jpg", "-f", "lbp", "-o", tmp_path / "t.npz").exit_code == 3
    assert here("extract", folder, "-f", "lbp", "-o", tmp_path / "no" / "t.npz").exit_code == 4
    assert here("extract", folder, "-f", "lbp", "-o", tmp_path / "t.xlsx").exit_code == 2


def test_a_list_on_stdin(folder, tmp_path):
    names = f"{folder / 'camera.png'}\n{folder / 'rocket.png'}\n"
    done = privis("extract", "-", "-f", "glcm", "-o", tmp_path / "g.csv", stdin=names)
    assert done.returncode == 0, done.stderr
    assert [Path(path).name for path in read(tmp_path / "g.csv").paths] == ["camera.png", "rocket.png"]


def test_a_killed_release_resumes_with_the_same_noise(folder, tmp_path):
    """The noise is a function of the key, and the key of an unfinished run waits beside it."""
    pictures = tmp_path / "pictures"
    pictures.mkdir()
    for index in range(120):
        os.link(folder / "rocket.png", pictures / f"{index:04}.png")
    words = ["extract", pictures, "-f", "scattering", "--release", "laplace", "--unit", "pixels:16", "--epsilon", "4"]
    output = tmp_path / "s.npz"
    command = [sys.executable, "-m", "privis", *map(str, words), "-o", str(output), "--key", str(tmp_path / "key")]
    whole = [*command]
    whole[-3] = str(tmp_path / "whole.npz")
    assert subprocess.run(whole, capture_output=True, timeout=120).returncode == 0
    running = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    partial = output.with_name(output.name + ".partial")
    while running.poll() is None and len(list(partial.glob("*"))) < 4:
        time.sleep(0.01)
    running.send_signal(signal.SIGKILL)
    running.wait()
    assert not output.exists()
    assert subprocess.run(command, capture_output=True, timeout=120).returncode == 0
    assert output.read_bytes() == (tmp_path / "whole.npz").read_bytes()


def test_features_and_doctor_answer():
    done = here("features")
    assert done.exit_code == 0 and all(name in done.stdout for name in ("colour", "hog", "sift", "cnn"))
    done = here("features", "hog")
    assert "10.1109/CVPR.2005.177" in done.stdout and "side of a cell in pixels" in done.stdout
    assert "Args:" not in done.stdout and "Raises:" not in done.stdout
    assert here("features", "hug").exit_code == 2
    done = here("doctor")
    assert done.exit_code == 0 and "extra he" in done.stdout and " ms" not in done.stdout


def test_doctor_measures_when_asked(monkeypatch):
    from privis.cli import doctor

    monkeypatch.setattr(doctor, "_three_parties", lambda pixels: doctor.Finding("parties", "0 s"))
    assert [each.check for each in doctor.findings(measure=True) if each.found.endswith(" ms")][1:] == [
        "lbp, 256x256",
        "noise, 1 megapixel",
    ]


def test_show_draws(folder, tmp_path):
    done = privis("show", folder / "camera.png", "-f", "hog", "-o", tmp_path / "hog.png")
    assert done.returncode == 0, done.stderr
    assert np.asarray(Image.open(tmp_path / "hog.png")).std() > 10
