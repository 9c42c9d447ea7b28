"""docs/formats.md names every format that the code writes, with its number, and its readers do what it says.

Answers for no module: it holds a page against the constants of all of them.
"""

from __future__ import annotations

import ast
import io
import json
import re
from pathlib import Path

import numpy as np
import pytest

from privis.errors import ParameterError, PrivisError
from privis.io import tables
from privis.privacy import NO_GUARANTEE, Budget, FileLedger, Guarantee, ReleaseKey
from privis.privacy.ledger.entries import read_first_line
from privis.program import Input, Program, files, trace
from privis.run.he.compiler.circuit_cost import CKKSTimings
from privis.run.he.matching.matching_specification import MatchingSpec
from privis.run.he.wire import framing, key_file
from privis.run.machine_profile import MachineProfile, profile_file
from privis.training import Head

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = ROOT / "src" / "privis"
PAGES = [ROOT / "docs" / "formats.md", ROOT / "docs" / "formats.zh-CN.md"]
NAME = re.compile(r"\W*privis(?:[. ][a-z -]+[/ ]\d+)?\n?", re.IGNORECASE)
"""A name with its number; the magic of key bundles has its number beside it."""


def names_in_code() -> set[tuple[str, str]]:
    """(name, module) of every such text in the package but docstrings and `identifier`s, which identities pin."""
    found = set()
    for path in PACKAGE.rglob("*.py"):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        passed = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
        passed |= {
            id(node.value)
            for node in ast.walk(tree)
            if isinstance(node, ast.AnnAssign) and getattr(node.target, "id", "") == "identifier"
        }
        module = ".".join(path.relative_to(PACKAGE).with_suffix("").parts)
        for node in ast.walk(tree):
            if isinstance(node, ast.Constant) and isinstance(node.value, str | bytes) and id(node) not in passed:
                text = node.value if isinstance(node.value, str) else node.value.decode("latin1")
                if NAME.fullmatch(text) and text != "privis":
                    found.add((text.strip("\x8e\n"), module))
    return found


def rows(page: Path) -> list[list[str]]:
    lines = [line for line in page.read_text(encoding="utf-8").splitlines() if line.startswith("| ")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_the_page_names_what_the_code_writes(page: Path) -> None:
    listed = set()
    for row in rows(page):
        module = "".join(re.findall(r"`([\w.]+)`", row[2]))
        for cell in row[1:2] + row[4:5]:
            listed |= {(name, module) for name in re.findall(r"`([^`]+)`", cell) if NAME.fullmatch(name)}
    assert listed == names_in_code()


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_module_of_the_page_is_there_and_says_its_rules(page: Path) -> None:
    for row in rows(page)[1:]:
        for module in re.findall(r"`([\w.]+)`", row[2]):
            path = PACKAGE / (module.replace(".", "/") + ".py")
            assert path.exists(), module
            if len(row) > 3 and "/v1" not in row[1]:  # of the interface the paths say it
                told = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or ""
                assert re.search(r"[Ee]volution|[Ff]ormat|number|version|another file name", told), module


def test_both_languages_list_the_same() -> None:
    english, chinese = map(rows, PAGES)
    assert [row[2] for row in english if "`" in row[2]] == [row[2] for row in chinese if "`" in row[2]]


def program() -> Program:
    return trace(lambda x: x.sum(0), Input((2, 2)))


def test_a_program_of_the_next_number_is_refused() -> None:
    with np.load(io.BytesIO(files.to_bytes(program()))) as members:
        arrays = {name: members[name] for name in members.files}
    structure = json.loads(arrays["structure"].tobytes())
    for number, read in (("privis.program/1", True), ("privis.program/2", False)):
        changed = json.dumps({**structure, "format": number}).encode()
        buffer = io.BytesIO()
        np.savez(buffer, **{**arrays, "structure": np.frombuffer(changed, np.uint8)})
        if read:
            files.from_bytes(buffer.getvalue())
        else:
            with pytest.raises(PrivisError, match=r"privis\.program/1"):
                files.from_bytes(buffer.getvalue())


def test_a_release_key_of_the_next_number_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "key"
    ReleaseKey.generate().save(path)
    path.write_bytes(path.read_bytes().replace(b"release key 1", b"release key 2"))
    with pytest.raises(ParameterError):
        ReleaseKey.load(path)


def test_a_ledger_is_read_in_both_its_numbers_and_refused_in_the_next(tmp_path: Path) -> None:
    FileLedger.create(tmp_path / "ledger", Budget(1.0, 1e-6))
    line = (tmp_path / "ledger").read_bytes()
    assert read_first_line(line)[0] == read_first_line(line.replace(b"ledger 2", b"ledger 1"))[0] == Budget(1.0, 1e-6)
    with pytest.raises(ValueError, match="privis ledger 3"):
        read_first_line(line.replace(b"ledger 2", b"ledger 3"))


def test_a_classifier_of_the_next_number_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "head.npz"
    Head(("a", "b"), np.zeros((2, 3)), NO_GUARANTEE).save(path)
    Head.load(path)
    with np.load(path) as members:
        arrays = {name: members[name] for name in members.files}
    text = str(arrays["metadata"]).replace("privis.head/1", "privis.head/2")
    np.savez(path, **{**arrays, "metadata": np.array(text)})
    with pytest.raises(ParameterError, match=r"privis\.head/2"):
        Head.load(path)


def test_key_bundles_and_frames_of_the_next_number_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "public.key"
    key_file.write(path, key_file.KeyKind.PUBLIC, "00" * 32, b"content")
    content = path.read_bytes()
    key_file.parse(content, "here")
    with pytest.raises(PrivisError, match="version 2"):
        key_file.parse(content[:8] + b"\0\2" + content[10:], "here")
    joined = framing.join([b"a", b"b"])
    assert framing.split(joined, "parts", 2) == [b"a", b"b"]
    with pytest.raises(PrivisError):
        framing.split(joined.replace(b"frames 1", b"frames 2"), "parts", 2)


def test_a_specification_of_matching_of_the_next_number_is_refused() -> None:
    text = MatchingSpec(8, False).to_json()
    assert MatchingSpec.from_json(text) == MatchingSpec(8, False)
    with pytest.raises(PrivisError):
        MatchingSpec.from_json(text.replace('"matching": 1', '"matching": 2'))
    small = MatchingSpec.fitting(5000, 9)
    assert '"matching": 2' in small.to_json() and MatchingSpec.from_json(small.to_json()) == small
    with pytest.raises(PrivisError):
        MatchingSpec.from_json(small.to_json().replace('"matching": 2', '"matching": 3'))


def test_guarantees_skip_unknown_fields_and_fill_in_missing_ones() -> None:
    values = NO_GUARANTEE.to_dict()
    assert Guarantee.from_dict({**values, "of a newer version": 1}) == NO_GUARANTEE
    assert Guarantee.from_dict({name: value for name, value in values.items() if name != "promises"}) == NO_GUARANTEE


@pytest.mark.parametrize("suffix", [".parquet", ".npz", ".csv"])
def test_tables_keep_metadata_of_a_newer_version(tmp_path: Path, suffix: str) -> None:
    pytest.importorskip("pyarrow")
    path = tmp_path / f"table{suffix}"
    vectors, metadata = [np.zeros((1, 2), np.float32)], {"privis.of a newer version": "1"}
    tables.write(path, ["a.png"], vectors, names=("x", "y"), metadata=metadata)
    assert tables.read(path).metadata == metadata


def test_measured_speeds_of_the_next_number_count_as_not_measured(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    MachineProfile().with_section("ckks", CKKSTimings(switch=7.0)).save()
    assert MachineProfile.of_this_machine().section("ckks", CKKSTimings()).switch == 7.0
    text = profile_file().read_text()
    profile_file().write_text(text.replace("privis.machine/1", "privis.machine/2"))
    found = MachineProfile.of_this_machine()
    assert found.problems and not found.has("ckks", CKKSTimings())
