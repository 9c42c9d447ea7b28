"""What every user relies on: a light import, public names, rules of the house.

Answers for `privis.version`.
"""

import subprocess
import sys
from pathlib import Path

import pytest

import privis

ROOT = Path(__file__).resolve().parents[2]
HEAVY = ("jax", "torch", "spu", "tenseal", "cv2", "onnx", "onnxruntime", "numba", "sklearn", "pyarrow")


def test_import_is_light():
    """What takes time are third-party packages and our own modules: none of the first, a handful of the second."""
    code = "import sys; before = set(sys.modules); import privis; print(*sorted(set(sys.modules) - before))"
    modules = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout.split()
    assert not set(HEAVY) & set(modules)
    assert len([name for name in modules if name.partition(".")[0] == "privis"]) <= 5


def test_all_names_are_there_and_sorted():
    assert sorted(privis.__all__) == dir(privis)
    for name in privis.__all__:
        assert getattr(privis, name) is not None
    with pytest.raises(AttributeError):
        privis.nothing_of_the_kind  # noqa: B018


@pytest.mark.parametrize("name", [n for n in privis.__all__ if isinstance(getattr(privis, n), type)])
def test_public_classes_say_what_they_are(name):
    first_paragraph = (getattr(privis, name).__doc__ or "").strip().split("\n\n")[0]
    assert first_paragraph.endswith((".", ":"))


def test_nothing_of_a_developers_machine_is_in_the_tree():
    files = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True).stdout.split()
    for name in files:
        content = (ROOT / name).read_bytes()
        for path in (ROOT, Path.home()):
            assert str(path).encode() + b"/" not in content, name
