"""Every public name can be looked up: what it is, its arguments, what it returns and what it raises.

Answers for no module: it holds the docstrings of all public names to one form.
"""

from __future__ import annotations

import ast
import dataclasses
import enum
import functools
import importlib
import inspect
import re
import textwrap
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

PACKAGE = Path(__file__).resolve().parents[2] / "src" / "privis"
NAMESPACES = (
    "privis",
    "privis.errors",
    "privis.estimators",
    "privis.features",
    "privis.joint",
    "privis.joint.release",
    "privis.joint.statistics",
    "privis.joint.training",
    "privis.parties",
    "privis.privacy",
    "privis.serve",
    "privis.tasks",
    "privis.tasks.documents",
    "privis.tasks.faces",
    "privis.tasks.verification",
    "privis.training",
)
# Public though no namespace exports them: their classes are what documents and other exports hand out.
BESIDE = (
    "privis.extraction.faces.face_detector.FindsFaces",
    "privis.extraction.faces.face_networks.ControlledPicturesWarning",
    "privis.extraction.faces.face_networks.dense_sift",
    "privis.extraction.faces.face_networks.has_face_networks",
    "privis.extraction.faces.face_networks.sface",
    "privis.extraction.faces.face_networks.yunet",
    "privis.extraction.faces.face_templates.FaceCrop",
    "privis.extraction.faces.face_templates.RefusedFace",
    "privis.features.feature.KnownShape",
    "privis.features.preprocessing.preprocessed.Preprocessed",
    "privis.privacy.ledger.ledger_protocol.WrittenLedger",
    "privis.privacy.releases.corpus_noise.CorpusRelease",
    "privis.run.protocol.BatchingExecutor",
    "privis.run.protocol.Many",
    "privis.run.he.matching.matcher.Matcher",
    "privis.run.he.owner.matching.MatchingOwner",
    "privis.run.mpc.runtime.local_parties.LocalParties",
)
NOTHING_SAID = re.compile(
    r"(The same\b|In words\.|As `+\w+`+\.|Like `+\w+`+\.|Likewise\b|That of \w+\."
    r"|Whether it (is|does)\.|Whoever\b|Slot by slot\b|The first of them\.|Local\.|Why it )"
)
"""What a docstring may not begin with: it sends the reader to another one, or says no word of its own."""
WORDS = 3
"""Fewest words of a docstring."""


def _names(namespace: str) -> list[str]:
    module = importlib.import_module(namespace)
    listed = getattr(module, "__all__", None)
    if listed is None:
        listed = [
            n for n, v in vars(module).items() if not n.startswith("_") and getattr(v, "__module__", "") == namespace
        ]
    return [f"{namespace}.{name}" for name in listed]


def public_objects() -> dict[str, Any]:
    """Every public class, function and constant, once, by the first name that it is exported under."""
    found: dict[str, Any] = {}
    for full in [name for namespace in NAMESPACES for name in _names(namespace)] + list(BESIDE):
        home, _, name = full.rpartition(".")
        try:
            value = getattr(importlib.import_module(home), name)
        except ImportError:  # an extra that is not installed
            continue
        if not isinstance(value, ModuleType) and not any(value is other for other in found.values()):
            found[full] = value
    return found


def sections(doc: str) -> dict[str, str]:
    """The text behind each Google-style heading of a cleaned docstring."""
    found: dict[str, str] = {}
    heading = ""
    for line in doc.splitlines():
        match = re.fullmatch(r"(Args|Attributes|Returns|Yields|Raises|Members):(.*)", line)
        if match:
            heading = match[1]
            found[heading] = match[2]
        elif heading and (line.startswith(" ") or not line):
            found[heading] += "\n" + line
        else:
            heading = ""
    return found


def described(doc: str) -> set[str]:
    text = sections(doc).get("Args", "") + "\n" + sections(doc).get("Attributes", "")
    names: set[str] = set()
    for line in re.findall(r"^    (\S[^:\n]*(?:\([^)]*\))?):", text, re.M):
        names |= {part.strip().lstrip("*").split(" ")[0].strip("`") for part in line.split(",")}
    return names


@functools.cache
def protocols() -> tuple[type, ...]:
    """Public protocols: what their methods take and give is said there, once for every implementation."""
    return tuple(value for value in public_objects().values() if getattr(value, "_is_protocol", False))


def contracts(cls: type) -> list[type]:
    """The bases of ``cls`` and the public protocols whose every method it has."""
    met = [
        p for p in protocols() if all(hasattr(cls, name) for name, value in vars(p).items() if _is_method(name, value))
    ]
    return [*cls.__mro__, *(p for p in met if p not in cls.__mro__)]


def _is_method(name: str, value: Any) -> bool:
    return not name.startswith("_") and inspect.isfunction(value)


def _function_tree(function: Any) -> ast.AST | None:
    try:
        return ast.parse(textwrap.dedent(inspect.getsource(inspect.unwrap(function)))).body[0]
    except (OSError, TypeError, SyntaxError, IndexError):
        return None


def _own_nodes(tree: ast.AST) -> Iterator[ast.AST]:
    for child in ast.iter_child_nodes(tree):
        if not isinstance(child, (ast.FunctionDef, ast.Lambda, ast.ClassDef, ast.AsyncFunctionDef)):
            yield child
            yield from _own_nodes(child)


def raises(function: Any) -> bool:
    """Whether ``function`` raises in its own body, ``refuse`` counted; NotImplementedError is none of the caller's."""
    tree = _function_tree(function)
    for node in _own_nodes(tree) if tree is not None else ():
        if isinstance(node, ast.Raise) and node.exc is not None and "NotImplementedError" not in ast.unparse(node.exc):
            return True
        if isinstance(node, ast.Call) and ast.unparse(node.func) == "refuse":
            return True
    return False


def _gives(function: Any) -> bool:
    annotation = inspect.signature(function).return_annotation
    return annotation not in (None, "None", "NoReturn", "Never", inspect.Signature.empty)


def _callable_gaps(name: str, function: Any, docs: list[str], method: bool) -> Iterator[str]:
    parameters = [p for p in inspect.signature(function).parameters.values()]
    if method:
        parameters = parameters[1:]
    known = set().union(*map(described, docs)) if docs else set()
    for parameter in parameters:
        if parameter.name not in known and not parameter.name.startswith("_"):
            yield f"{name}: no Args for {parameter.name}"
    if _gives(function) and not any({"Returns", "Yields"} & set(sections(doc)) for doc in docs):
        yield f"{name}: no Returns"
    if raises(function) and not any("Raises" in sections(doc) for doc in docs[:1]):
        yield f"{name}: no Raises"


def _constructor_gaps(name: str, cls: type, doc: str) -> Iterator[str]:
    if issubclass(cls, enum.Enum | BaseException) or getattr(cls, "_is_protocol", False):
        return
    docs = [doc]
    if "__init__" in vars(cls) and not dataclasses.is_dataclass(cls):
        docs.append(inspect.cleandoc(vars(cls)["__init__"].__doc__ or ""))
    known = set().union(*map(described, docs))
    try:
        parameters = list(inspect.signature(cls).parameters)
    except ValueError:
        return
    yield from (f"{name}: no Args for {p}" for p in parameters if p not in known and not p.startswith("_"))
    inits = [vars(cls)[n] for n in ("__init__", "__post_init__") if n in vars(cls) and inspect.isfunction(vars(cls)[n])]
    inits = [i for i in inits if not (i.__name__ == "__init__" and dataclasses.is_dataclass(cls))]
    if any(map(raises, inits)) and not any("Raises" in sections(d) for d in docs):
        yield f"{name}: no Raises"


def gaps(name: str, value: Any) -> Iterator[str]:
    """What cannot be looked up of a public object."""
    if not (inspect.isclass(value) or inspect.isroutine(value)):
        return  # constants: their module's text
    doc = inspect.cleandoc(vars(value).get("__doc__") or "" if inspect.isclass(value) else value.__doc__ or "")
    if not doc:
        yield f"{name}: no docstring"
        return
    if not inspect.isclass(value):
        yield from _callable_gaps(name, value, [doc], method=False)
        return
    yield from _constructor_gaps(name, value, doc)
    above = contracts(value)
    for method_name, raw in vars(value).items():
        if method_name.startswith("_"):
            continue
        bases = [vars(b)[method_name] for b in above if method_name in vars(b)]
        if isinstance(raw, property) or type(raw).__name__ == "cached_property":
            if not any(b.__doc__ for b in bases):
                yield f"{name}.{method_name}: no docstring"
            continue
        function = raw.__func__ if isinstance(raw, (classmethod, staticmethod)) else raw
        if not inspect.isfunction(function):
            continue
        docs = [inspect.cleandoc(b.__doc__) for b in bases if getattr(b, "__doc__", None)]
        docs += [
            inspect.cleandoc(b.__func__.__doc__ or "") for b in bases if isinstance(b, (classmethod, staticmethod))
        ]
        if not docs:
            yield f"{name}.{method_name}: no docstring"
            continue
        if f"`{method_name}`" in sections(doc).get("Raises", ""):
            docs[0] += "\n\nRaises:\n    see the class"
        yield from _callable_gaps(f"{name}.{method_name}", function, docs, not isinstance(raw, staticmethod))


def says_nothing(doc: str) -> bool:
    first = doc.split("\n\n")[0]
    return bool(NOTHING_SAID.match(first)) or (
        len(re.findall(r"``[^`]+``|[\w'()-]+", first)) < WORDS and "``" not in first
    )


@pytest.mark.parametrize("name", public_objects())
def test_every_public_name_can_be_looked_up(name: str) -> None:
    assert list(gaps(name, public_objects()[name])) == []


def test_a_gap_is_found() -> None:
    """The control: each kind of gap, in objects made up for it."""

    @dataclasses.dataclass
    class Made:
        """A class that says little.

        Args:
            told: what is told.
        """

        told: int
        untold: int

        def __post_init__(self) -> None:
            if self.told:
                raise ValueError

        def method(self, way: int) -> int:
            """Take a way."""
            return way

        def silent(self) -> None:
            pass

    assert list(gaps("Made", Made)) == [
        "Made: no Args for untold",
        "Made: no Raises",
        "Made.method: no Args for way",
        "Made.method: no Returns",
        "Made.silent: no docstring",
    ]
    assert says_nothing("The same.") and says_nothing("In words.") and says_nothing("As ``dense``.")
    assert not says_nothing("The largest key of all.")


def test_no_docstring_says_nothing() -> None:
    found = []
    for path in sorted(PACKAGE.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.FunctionDef | ast.ClassDef):
                doc = ast.get_docstring(node)
                if doc is not None and says_nothing(doc):
                    found.append(f"{path.relative_to(PACKAGE)}: {node.name}: {doc.splitlines()[0]}")
    assert found == []
