"""The stubs of privis: one list of public names for each namespace, kept in its ``__init__.pyi``."""

import ast
import importlib
import subprocess
import sys
from pathlib import Path

import pytest

import privis

SOURCE = Path(privis.__file__).parent
STUBS = sorted(SOURCE.rglob("__init__.pyi"))
HEAVY = {"jax", "torch", "spu", "tenseal", "cv2", "onnx", "onnxruntime", "numba", "sklearn", "pyarrow", "ray", "daft"}


def module_of(stub: Path) -> str:
    return ".".join(["privis", *stub.parent.relative_to(SOURCE).parts])


def names_in(stub: Path) -> list[str]:
    tree = ast.parse(stub.read_text())
    imported = [alias.asname for node in tree.body if isinstance(node, ast.ImportFrom) for alias in node.names]
    stated = [node.target.id for node in tree.body if isinstance(node, ast.AnnAssign)]
    assert None not in imported, "a stub exports what it imports as itself: from .hog import HOG as HOG"
    return sorted(imported + stated)


@pytest.mark.parametrize("stub", STUBS, ids=module_of)
def test_a_namespace_has_what_its_stub_lists_and_lists_nothing_else(stub):
    namespace = importlib.import_module(module_of(stub))
    listed = names_in(stub)
    assert len(set(listed)) == len(listed)
    assert sorted(namespace.__all__) == listed == [name for name in dir(namespace) if name in listed]
    for name in listed:
        assert getattr(namespace, name) is not None, name
    with pytest.raises(AttributeError):
        namespace.nothing_of_the_kind  # noqa: B018


def test_every_error_is_public():
    errors = {
        name
        for name, value in vars(privis.errors).items()
        if isinstance(value, type) and issubclass(value, privis.PrivisError)
    }
    assert errors | {"Problem"} <= set(privis.__all__)


def test_what_one_annotates_with_is_public():
    assert {"Executor", "Release", "Ledger", "Unit", "Guarantee", "Feature"} <= set(privis.__all__)


@pytest.mark.parametrize("stub", STUBS, ids=module_of)
def test_namespaces_load_nothing_heavy_before_they_are_asked(stub):
    code = f"import sys, {module_of(stub)}; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert not HEAVY & set(loaded)
