"""What an installed Privis must do, whatever the interpreter and the dependencies: run by ``make test-install``.

Not part of ``make test``: there Privis is the source tree. Tests of an extra that is not installed are skipped by name.
"""

from __future__ import annotations

import re
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import privis
from privis.extras import EXTRAS
from privis.io.tables import read, write

ROOT = Path(__file__).resolve().parents[2]
PIXELS = np.add.outer(np.arange(128), np.arange(128)).astype(np.uint8)


@pytest.fixture(scope="module")
def photographs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("photographs")
    for place in range(2):
        Image.fromarray(np.dstack([PIXELS, PIXELS.T, PIXELS + place])).save(folder / f"{place}.png")
    return folder


def command(*words: object, where: Path | None = None) -> subprocess.CompletedProcess[str]:
    call = [sys.executable, "-m", "privis", *map(str, words)]
    return subprocess.run(call, capture_output=True, text=True, timeout=300, cwd=where)


def needs(*extras: str) -> None:
    for extra in extras:
        if EXTRAS[extra].missing():
            pytest.skip(f"extra {extra} is not installed here")


def test_it_is_the_wheel_that_is_tested() -> None:
    assert Path(privis.__file__).is_relative_to(sys.prefix), privis.__file__


@pytest.mark.parametrize("page", ["README.md", "README.zh-CN.md"])
def test_the_first_python_of_the_readme(page: str) -> None:
    block = re.findall(r"```python\n(.*?)```", (ROOT / page).read_text(encoding="utf-8"), re.DOTALL)[0]
    done = subprocess.run([sys.executable, "-c", block], capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    assert "4.0" in done.stdout.splitlines()[-1]


FEATURES = (
    privis.ColourHistogram(),
    privis.LBP(),
    privis.GLCM(),
    privis.Gabor(),
    privis.HOG(),
    privis.DalalTriggsHOG(size=(128, 64)),
    privis.DenseSIFT(),
    privis.Scattering(),
)


@pytest.mark.parametrize("feature", FEATURES, ids=lambda feature: feature.name)
def test_a_feature_in_the_clear(feature: privis.Feature) -> None:
    (found,) = privis.extract(feature, [np.dstack([PIXELS, PIXELS.T, 255 - PIXELS])]).features
    assert np.isfinite(found).all() and found.any()


@pytest.mark.parametrize("release, suffix", [("laplace", ".parquet"), ("gaussian --delta 1e-6", ".csv")])
def test_a_private_release_and_its_ledger(release: str, suffix: str, photographs: Path, tmp_path: Path) -> None:
    assert command("ledger", "init", tmp_path / "l", "--epsilon", "1", "--delta", "1e-5").returncode == 0
    words = f"-f lbp -p patterns=uniform --at feature --clip 1 --epsilon 1 --release {release}".split()
    words += ["--key", str(tmp_path / "key"), "--ledger", str(tmp_path / "l"), "--yes"]  # whatever the noise leaves
    tables = [tmp_path / f"{name}{suffix}" for name in ("first", "again")]
    for table in tables:  # the second time the same release, for nothing more
        done = command("extract", photographs, *words, "-o", table)
        assert done.returncode == 0, done.stderr
    first, again = map(read, tables)
    np.testing.assert_array_equal(first.features, again.features)


def test_doctor_names_what_is_missing() -> None:
    done = command("doctor")
    assert done.returncode == 0, done.stderr
    for name, extra in EXTRAS.items():
        assert not extra.missing() or f"'privis[{name}]'" in done.stdout


def test_an_absent_extra_is_a_sentence(photographs: Path, tmp_path: Path) -> None:
    (tmp_path / "network.onnx").write_bytes(b"nobody gets to read it")
    asked = {
        "cnn": ["extract", photographs, "-f", "cnn", "-p", "path=network.onnx", "-o", "t.csv"],
        "mpc": ["extract", photographs, "-f", "lbp", "-p", "size=16x16", "--under", "aby3", "-o", "t.csv"],
        "he": ["extract", photographs, "-f", "colour", "-p", "size=8x8", "--under", "ckks", "-o", "t.csv"],
        "serve": ["serve", "-f", "colour", "-p", "size=8x8", "--tokens", "tokens", "--check"],
        "demo": ["demo"],
    }
    absent = {name: words for name, words in asked.items() if EXTRAS[name].missing()}
    assert command("keygen", "t", "--for", "token", "--name", "a", "--tokens", "tokens", where=tmp_path).returncode == 0
    for name, words in absent.items():
        done = command(*words, where=tmp_path)
        assert done.returncode == 2 and "Traceback" not in done.stderr, (name, done.stderr)
        assert re.search(r"pip install 'privis\[\w+\]'", done.stderr), (name, done.stderr)
    if EXTRAS["sklearn"].missing():
        with pytest.raises(privis.MissingExtraError, match=r"privis\[sklearn\]"):
            _ = privis.FeatureExtractor
    if EXTRAS["train"].missing():
        from privis.training.networks import train_network

        with pytest.raises(privis.MissingExtraError, match=r"privis\[train\]"):
            train_network(None, None, PIXELS, PIXELS, (), corpus="x")  # type: ignore[arg-type]


def test_a_network(tmp_path: Path) -> None:
    needs("cnn")
    from privis.program import Input, trace
    from privis.run.clear.onnx_lowering import to_onnx

    average = trace(lambda x: x.sum(2, 3), Input((1, 3, 16, 16)))
    found = privis.extract(privis.CNN(to_onnx(average).SerializeToString()), [np.ones((16, 16, 3), np.uint8)])
    np.testing.assert_allclose(found.features, 256 / 255, rtol=1e-5)


def test_a_pipeline_of_scikit_learn() -> None:
    needs("sklearn")
    images = [np.roll(PIXELS[:32, :32], step, 1) for step in range(4)]
    assert privis.FeatureExtractor(privis.LBP()).fit_transform(images).shape == (4, 256)


def test_private_training_of_a_classifier(tmp_path: Path) -> None:
    paths = [f"{place}.png" for place in range(600)]
    vectors = np.random.default_rng(0).normal(size=(600, 3)).astype(np.float32)
    write(tmp_path / "t.npz", paths, [vectors], names=["a", "b", "c"], metadata={})
    rows = "".join(f"{path},{'ab'[place % 2]}\n" for place, path in enumerate(paths))
    (tmp_path / "labels.csv").write_text(f"path,label\n{rows}")
    words = "train t.npz --labels labels.csv --classes a,b --epsilon 4 --steps 20 -o head.npz".split()
    done = command(*words, where=tmp_path)
    assert done.returncode == 0, done.stderr


def test_the_networks_of_faces() -> None:
    needs("faces")
    from privis.extraction.faces.face_networks import sface, yunet

    assert len(yunet().detect(np.dstack([PIXELS] * 3))) == 0
    (found,) = privis.extract(sface(), [np.dstack([PIXELS, PIXELS.T, 255 - PIXELS])[:112, :112]]).features
    assert found.shape == (128,) and np.isfinite(found).all() and found.any()


def test_private_training_of_a_network() -> None:
    needs("train")
    import torch

    from privis.training.networks import NetworkTraining, train_network, trained_numbers

    network = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(16, 2))
    plan = NetworkTraining(trained_numbers(network), 8, privis.Gaussian(2.0, 1e-5), sampling=0.5, steps=2)
    images = np.random.default_rng(0).random((8, 1, 4, 4)).astype(np.float32)
    assert train_network(plan, network, images, ["a", "b"] * 4, ("a", "b"), corpus="c").epsilon == pytest.approx(2.0)


def test_three_parties() -> None:
    needs("mpc")
    image = PIXELS[:16, :16]
    with privis.MPC() as parties:
        found = privis.extract(privis.LBP(), [image], under=parties)
    np.testing.assert_array_equal(found.features, privis.extract(privis.LBP(), [image]).features)


def test_a_server_and_a_query(photographs: Path, tmp_path: Path) -> None:
    needs("he", "serve")
    made = command("keygen", "token", "--for", "token", "--name", "a", "--tokens", "tokens", where=tmp_path)
    assert made.returncode == 0, made.stderr
    words = ["serve", "-f", "colour", "-p", "size=8x8", "--tokens", "tokens", "--listen", "127.0.0.1:0"]
    call = [sys.executable, "-m", "privis", *words]
    server = subprocess.Popen(call, cwd=tmp_path, stderr=subprocess.PIPE, text=True)
    try:
        assert server.stderr is not None
        url = next(line.split(": ")[0] for line in server.stderr if line.startswith("http"))
        known = ["--server", url, "--token-file", "token"]
        done = command("keygen", "keys", "--for", "homomorphic", "--offer", "colour", *known, where=tmp_path)
        assert done.returncode == 0, done.stderr
        done = command("query", photographs / "0.png", "--keys", "keys", "-o", "found.npz", *known, where=tmp_path)
        assert done.returncode == 0, done.stderr
    finally:
        server.send_signal(signal.SIGINT)
        server.communicate(timeout=60)
