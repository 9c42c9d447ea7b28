"""The tree: no circles of imports, small folders and files, a name for one thing, a test file for every module."""

from __future__ import annotations

import ast
import collections
import functools
import graphlib
import importlib
import re
import tomllib
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SOURCE = ROOT / "src"
FOLDERS = ("src", "tests", "benchmarks", "examples", "docs")
"""Where there are Python files."""
LINES = 400
"""Most lines of a file."""
FILES = 12
"""Most Python files of a folder."""
SHARED_CLASSES = {
    "Histogram": "an operation of programs, always written ops.Histogram, and a public statistic of several owners",
    "Owner": "of images that a server computes on, privis.Owner, and of a part in a joint release played here",
}
"""Class names that several modules of the package define, and why; every other name means one class."""
SHARED_MODULES = {
    "calibration": "what measures a machine: one for encryption, one for parties",
    "executor": "the executor of a mechanism: in the clear, encrypted, between parties, at a server",
    "extract": "command of one process, and task of several parties",
    "train": "command of one process, and task of several parties",
}
"""Names that several modules of the package have, and why; every other name means one module."""
SHARED = 5
"""Most names of classes, and of modules, that mean more than one."""
BOTH = {"privis.cli.main", "privis.readings.evaluate"}
"""Modules that have the name of a function that their package hands on."""
NAMED = re.compile(r"`(privis(?:\.\w+)+)`")
"""A module in a docstring."""
UNUSED_NAMES = {"utils", "helpers", "common", "misc"}


def python_files(*folders: str) -> list[Path]:
    return sorted(path for folder in folders for path in (ROOT / folder).rglob("*.py"))


def module_of(path: Path) -> str:
    return ".".join(path.relative_to(SOURCE).with_suffix("").parts).removesuffix(".__init__")


@functools.cache
def tree_of(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


MODULES = {module_of(path): path for path in python_files("src")}


def nodes_that_run(tree: ast.AST) -> Iterator[ast.AST]:
    """Every statement, also inside functions, but nothing under ``if TYPE_CHECKING``."""
    for child in ast.iter_child_nodes(tree):
        if not isinstance(child, ast.stmt | ast.ExceptHandler | ast.match_case):
            continue  # an expression holds no statement
        if not (isinstance(child, ast.If) and "TYPE_CHECKING" in ast.unparse(child.test)):
            yield child
            yield from nodes_that_run(child)


def imported(tree: ast.AST, package: str = "") -> set[str]:
    """Modules of the package that a file names in its imports; ``package`` is what a relative import starts from."""
    found = set()
    for node in nodes_that_run(tree):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            above = package.split(".")[: len(package.split(".")) - node.level + 1] if node.level else []
            base = ".".join([*above, *filter(None, [node.module])])
            names = {f"{base}.{alias.name}" for alias in node.names}
            found |= {name if name in MODULES else base for name in names}
    return found & MODULES.keys()


def imports_of_the_package() -> dict[str, set[str]]:
    graph = {}
    for module, path in MODULES.items():
        package = module if path.stem == "__init__" else module.rpartition(".")[0]
        graph[module] = imported(tree_of(path), package) - {module}
    return graph


def test_no_modules_import_each_other_in_a_circle() -> None:
    graphlib.TopologicalSorter(imports_of_the_package()).prepare()  # a CycleError names the circle


def test_a_circle_through_a_function_is_found_and_one_for_types_is_none() -> None:
    inside = "def f():\n    from privis.io import tables\n"
    assert imported(ast.parse(inside)) == {"privis.io.tables"}
    assert imported(
        ast.parse(
            "from . import tables\nfrom .images import decode",
        ),
        "privis.io",
    ) == {
        "privis.io.tables",
        "privis.io.images.decode",
    }
    assert imported(ast.parse("if TYPE_CHECKING:\n    import privis.io.tables\n")) == set()
    with pytest.raises(graphlib.CycleError):
        graphlib.TopologicalSorter({"a": {"b"}, "b": {"a"}}).prepare()


def test_files_stay_short_and_say_what_they_are_for() -> None:
    for path in python_files(*FOLDERS):
        assert len(path.read_text(encoding="utf-8").splitlines()) <= LINES, path
        assert path.stem not in UNUSED_NAMES, path


def test_no_folder_holds_many_files() -> None:
    counts = collections.Counter(path.parent for path in python_files(*FOLDERS))
    assert {str(folder.relative_to(ROOT)): count for folder, count in counts.items() if count > FILES} == {}


def ordered_folders() -> set[str]:
    """Folders for which a contract of imports says in what order all that lies in them stands."""
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["importlinter"]
    ordering = [each for each in settings["contracts"] if each["type"] == "layers" and each.get("exhaustive")]
    return {container for contract in ordering for container in contract["containers"]}


def test_a_contract_orders_every_folder() -> None:
    """One that holds a single module has no order; its place is in the contract of the folder around it."""
    held: dict[str, set[str]] = collections.defaultdict(set)
    for module in MODULES.keys() - {"privis"}:
        held[module.rpartition(".")[0]].add(module)
    assert ordered_folders() == {folder for folder, modules in held.items() if len(modules) > 1}


def classes() -> Iterator[tuple[str, str]]:
    """Public classes of the package and the modules that define them."""
    for module, path in MODULES.items():
        for node in tree_of(path).body:
            if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
                yield node.name, module


def files() -> Iterator[tuple[str, str]]:
    """Names of files, and the modules that they are; those that every package may have are no names."""
    for module, path in MODULES.items():
        if path.stem not in {"__init__", "__main__"}:
            yield path.stem, module


def shared(names: Iterator[tuple[str, str]]) -> dict[str, list[str]]:
    """Names with more than one place, and their places."""
    places = collections.defaultdict(list)
    for name, place in names:
        places[name].append(place)
    return {name: found for name, found in places.items() if len(found) > 1}


@pytest.mark.parametrize(("names", "known"), [(classes, SHARED_CLASSES), (files, SHARED_MODULES)])
def test_a_name_means_one_class_and_one_module(
    names: Callable[[], Iterator[tuple[str, str]]], known: dict[str, str]
) -> None:
    found = shared(names())
    assert {name: where for name, where in found.items() if name not in known} == {}
    assert known.keys() <= found.keys(), "a name that means one thing needs no reason"
    assert len(known) <= SHARED and all(known.values())


def test_names_of_two_places_are_found() -> None:
    assert shared(iter([("A", "a"), ("A", "b"), ("B", "a")])) == {"A": ["a", "b"]}


def test_no_module_is_a_function_too() -> None:
    """What a package hands on must not hide a module of the same name."""
    both = []
    for package, path in MODULES.items():
        if path.stem != "__init__":
            continue
        for node in nodes_that_run(tree_of(path)):
            if isinstance(node, ast.ImportFrom):
                names = [each for each in node.names if f"{node.module}.{each.name}" not in MODULES]
                both += [name for each in names if (name := f"{package}.{each.asname or each.name}") in MODULES]
            elif isinstance(node, ast.FunctionDef) and f"{package}.{node.name}" in MODULES:
                both.append(f"{package}.{node.name}")
    assert set(both) <= BOTH


def defined_in(place: str, name: str) -> str:
    """Where what a package hands on under a name is defined."""
    return getattr(getattr(importlib.import_module(place), name, None), "__module__", "")


def handed_on(tree: ast.AST) -> set[str]:
    """Modules that a file names by what a package hands on of them, as in ``privis.HOG``."""
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and MODULES.get(str(node.module), SOURCE).stem == "__init__":
            found |= {defined_in(str(node.module), alias.name) for alias in node.names}
        elif isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "privis":
            found.add(defined_in("privis", node.attr))
    return found


def test_every_module_is_named_by_a_test_file() -> None:
    """By an import, by what is imported of it, or in the docstring of the file that answers for it."""
    named: set[str] = set()
    for path in python_files("tests"):
        tree = tree_of(path)
        named |= (
            imported(tree) | handed_on(tree) | set(re.findall(r"`(privis\.[\w.]+)`", ast.get_docstring(tree) or ""))
        )
    code = {module for module, path in MODULES.items() if path.stem != "__init__"}
    assert sorted(code - named) == []
    assert "privis.features.hog" in named, "the control: HOG is named as `privis.HOG`"


def test_no_docstring_of_a_test_file_names_a_module_that_is_gone() -> None:
    for path in python_files("tests"):
        docstring = ast.get_docstring(tree_of(path)) or ""
        for name in re.findall(r"Answers for (.*?)\.(?:\s|$)", docstring, re.S):
            assert set(NAMED.findall(name)) <= MODULES.keys(), path
