"""What every user relies on: a light import, public names, rules of the house."""

import subprocess
import sys
from pathlib import Path

import pytest

import privis

ROOT = Path(__file__).resolve().parents[2]
HEAVY = ("jax", "torch", "spu", "tenseal", "cv2", "onnx", "onnxruntime", "numba", "sklearn", "pyarrow")


@pytest.mark.alone
def test_import_is_light():
    """Best of three, so that a busy machine does not decide; modules must never appear."""
    code = "import sys, time; t = time.perf_counter(); import privis; print(time.perf_counter() - t, *sys.modules)"
    seconds = []
    for _ in range(3):
        took, *modules = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout.split()
        assert not set(HEAVY) & set(modules)
        seconds.append(float(took))
    assert min(seconds) < 0.4


def test_all_names_are_there_and_sorted():
    assert sorted(privis.__all__) == dir(privis)
    for name in privis.__all__:
        assert getattr(privis, name) is not None
    with pytest.raises(AttributeError):
        privis.nothing_of_the_kind  # noqa: B018


@pytest.mark.parametrize("name", [n for n in privis.__all__ if n[0].isupper()])
def test_public_classes_say_what_they_are(name):
    first_paragraph = (getattr(privis, name).__doc__ or "").strip().split("\n\n")[0]
    assert first_paragraph.endswith((".", ":"))


def test_files_stay_readable():
    """Rooms of the house: at most 400 lines, none of them called utils."""
    for path in (ROOT / "src").rglob("*.py"):
        assert len(path.read_text().splitlines()) <= 400, path
        assert path.stem not in {"utils", "helpers", "common", "misc"}, path


def test_nothing_of_a_developers_machine_is_in_the_tree():
    files = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True).stdout.split()
    for name in files:
        content = (ROOT / name).read_bytes()
        for path in (ROOT, Path.home()):
            assert str(path).encode() + b"/" not in content, name
