"""Whatever is at a path that a command is given, the answer is a sentence and a documented exit code.

Every option and argument that is a path is found by walking over all commands.
"""

from __future__ import annotations

import contextlib
import functools
import inspect
import json
import typing
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import typer
from typer.testing import CliRunner

from privis import Budget, BudgetUnit, FileLedger, Per
from privis.cards.card_key import CardKey
from privis.cards.signed_card import SignedCard
from privis.cards.table_bytes import content_of
from privis.cli.main import app
from privis.cli.release_files import LedgerPlace
from privis.features.postprocessing.projection import Projection
from privis.file_formats import FileFormat
from privis.run.he.wire import key_file
from privis.serve.offerings.offering import Estimate, Terms
from tests.cards.registry.declared_words import WORDS
from tests.cli.files.every_file import every_file, stored_table
from tests.cli.files.path_calls import BASE, CREATED, FINE, WRITTEN

REFUSED = {2, 3, 4, 5, 7}


@functools.cache
def whole_command() -> Any:
    return typer.main.get_command(app)


def parameters() -> Iterator[tuple[tuple[str, ...], str]]:
    """Every path of every command, by the words of a call that takes it."""
    for words, base in BASE.items():
        yield from ((words, name) for name in base if _is_path(_command(words), name))


def _command(words: tuple[str, ...]) -> Any:
    command: Any = whole_command()
    for word in words:
        command = getattr(command, "commands", {}).get(word, command)
    return command


def _named(command: Any, name: str) -> Any:
    arguments = {(each.metavar or each.name).strip("…[]").upper(): each for each in command.params}
    options = {spelling: each for each in command.params for spelling in each.opts}
    return options.get(name) or arguments.get(name)


def _is_path(command: Any, name: str) -> bool:
    found = _named(command, name)
    return found is not None and found.name in path_parameters(command)


def path_parameters(command: Any) -> list[str]:
    """Names of a command's parameters that are paths, or lists of paths."""
    if command.callback is None:
        return []
    hints = typing.get_type_hints(inspect.unwrap(command.callback))
    return [name for name, kind in hints.items() if {Path, LedgerPlace} & {kind, *_leaves(kind)}]


def _leaves(kind: Any) -> list[Any]:
    arguments = typing.get_args(kind)
    return [leaf for argument in arguments for leaf in _leaves(argument)] or [kind]


def paths_of_all_commands(command: Any = None, words: tuple[str, ...] = ()) -> Iterator[tuple[str, str]]:
    command = command or whole_command()
    yield from ((" ".join(words), name) for name in path_parameters(command))
    for name, sub in getattr(command, "commands", {}).items():
        yield from paths_of_all_commands(sub, (*words, name))


def test_no_path_of_any_command_is_left_out():
    tested = {(known, name) for known, name in paths_of_all_commands()}
    covered = {(_words(words), _named(_command(words), name).name) for words, name in parameters()}
    assert tested - covered == set()


def _words(words: tuple[str, ...]) -> str:
    command: Any = whole_command()
    found = []
    for word in words:
        if word in getattr(command, "commands", {}):
            command = command.commands[word]
            found.append(word)
    return " ".join(found)


@pytest.fixture(scope="module")
def place(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("paths")
    files = every_file(folder)
    (folder / "labels.csv").write_text("path,label\none.png,a\ntwo.png,b\n")
    stored_table(folder / "exact.npz")
    (folder / "boxes.csv").write_text("path,x,y,w,h\npicture.png,1,1,2,2\n")
    (folder / "places.toml").write_text("[[zone]]\nname = 'door'\npolygon = [[0, 0], [9, 0], [9, 9]]\n")
    np.save(folder / "windows.npy", np.zeros(3781))
    FileLedger.create(folder / "days", Budget(9.0, 1e-6, Per.CORPUS, BudgetUnit.ADD_OR_REMOVE_PERSON))
    (folder / "loop").symlink_to(folder / "loop")
    gallery = {"gallery": {"templates": 2, "dimension": 6}}
    terms = Terms("faces", "a gallery", "ab" * 32, "{}", Estimate(1, 1, 1, 1, 1), "", gallery)
    (folder / "gallery.json").write_text(terms.to_json())
    words = {"feature": "hog", "parameters": ["size=32x32"]}
    head = {"classes": ["a", "b"], "scores": 2, "link": "softmax", "extracted_by": "server", **words}
    digest = "cd" * 32
    for name, said in (("keys", words), ("head_keys", {"head": head})):
        keys = folder / name
        keys.mkdir()
        public = Terms("hog", "hog", digest, "{}", Estimate(1, 1, 1, 1, 1), "", said)
        key_file.write(keys / "public.key", key_file.KeyKind.PUBLIC, digest, public.to_json().encode())
        for kind, file in ((key_file.KeyKind.SECRET, "secret.key"), (key_file.KeyKind.EVALUATION, "evaluation.key")):
            key_file.write(keys / file, kind, digest, b"content")
    (folder / "stage.toml").write_text('feature = "colour"\nparameters = { bins = 2, size = [4, 4] }\n')
    picture, stages = str(files[FileFormat.PICTURE]), str(folder / "stages")
    for stage in (("prepare", "-f", "colour", "-p", "bins=2", "-p", "size=4x4"), ("keygen",), ("encrypt", picture)):
        assert CliRunner().invoke(app, ["stage", stage[0], stages, *stage[1:]]).exit_code == 0
    picture = Path(files[FileFormat.PICTURE]).read_bytes()
    for person in ("ann", "bob"):
        (folder / "people" / person).mkdir(parents=True)
        (folder / "people" / person / "one.png").write_bytes(picture)
    (folder / "names.txt").write_text("apple\nleaf\n")
    (folder / "pairs.csv").write_text("a,b,same\npeople/ann/one.png,people/bob/one.png,no\n")
    Projection(np.eye(4, 512), np.zeros(512), "made up").save(folder / "directions.npz")
    built = ("--recipe", "colour", "--workers", "1", "--projection", str(folder / "directions.npz"))
    words = ["search", "build", str(folder / "people"), "-o", str(folder / "released.index"), *built]
    assert CliRunner().invoke(app, [*words, "--release", "privunit", "--epsilon", "1"]).exit_code == 0
    (folder / "attacks.json").write_text('{"format": "privis.attack/1", "against": "x", "attacks": []}')
    (folder / "declared.toml").write_text('site = "here"\n')
    (folder / "registered.toml").write_text(WORDS)
    (folder / "chosen.toml").write_text(CHOSEN)
    signed = SignedCard.issued(
        content_of(files[FileFormat.TABLE]), CardKey(bytes(32)), time="2026-01-01T00:00:00+00:00", chain={}
    )
    (folder / "signed.json").write_bytes(signed.to_bytes())
    known = {form.name: str(path) for form, path in files.items()}
    (folder / "known.json").write_text(json.dumps(known))
    return folder


def called(place: Path, new: Path, words: tuple[str, ...], change: dict[str, str]) -> Any:
    """The answer to a call with some values changed; ``new`` is a name that nothing has yet."""
    known = json.loads((place / "known.json").read_text())
    names = {
        "picture": known["PICTURE"], "table": known["TABLE"], "head": known["HEAD"], "program": known["PROGRAM"],
        "network": known["NETWORK"], "budget": known["LEDGER"], "key": known["RELEASE_KEY"], "job": known["JOB"],
        "submitter": known["SUBMITTER"], "party": known["PARTY"], "tokens": known["TOKENS"], "token": known["TOKEN"],
        "certificate": known["CERTIFICATE"], "private": known["PRIVATE_KEY"], "labels": place / "labels.csv",
        "gallery_terms": place / "gallery.json", "keys": place / "keys", "new": new, "list": known["LIST"],
        "head_keys": place / "head_keys",
        "answers": known["ANSWER_LEDGER"], "exact": place / "exact.npz", "stage": place / "stages",
        "offer": place / "stage.toml", "calibration": known["CALIBRATION"], "faces": known["FACE_GALLERY"],
        "dicom": known["DICOM"], "site": known["SITE_KEY"],
        "template": known["TEMPLATE_KEY"], "receipt": known["ERASURE_RECEIPT"], "salt": place / "salt",
        "erased": place / "erased",
        "codebook": known["CODEBOOK"], "index": known["SEARCH_INDEX"],
        "directions": place / "directions.npz", "released": place / "released.index",
        "classifier": known["CLASSIFIER"], "detector": known["DETECTOR"],
        "video": known["VIDEO"], "scan": known["DICOM"], "export_key": known["DEIDENTIFICATION_KEY"],
        "boxes": place / "boxes.csv", "places": place / "places.toml",
        "pairs": place / "pairs.csv", "people": place / "people",
        "windows": place / "windows.npy", "days": place / "days",
        "names": place / "names.txt", "signed": place / "signed.json", "card_key": known["CARD_KEY"],
        "json": known["JSON"], "declared": place / "declared.toml", "attacks": place / "attacks.json",
        "registered": place / "registered.toml",
        "chosen": place / "chosen.toml",
    }  # fmt: skip
    given: list[str] = [*_words(words).split()]
    for name, value in ({name: value.format(**names) for name, value in BASE[words].items()} | change).items():
        name = name.strip()
        given += [name, value] if name.startswith("-") and value else [name if name.startswith("-") else value]
    with contextlib.chdir(place):
        return CliRunner().invoke(app, given)


def wrong_paths(place: Path) -> dict[str, Path]:
    known = json.loads((place / "known.json").read_text())
    return {
        "no such file": place / "not there",
        "a folder": place / "folder",
        "an empty file": place / "empty",
        "a loop of links": place / "loop",
        "a classifier": Path(known[FileFormat.HEAD.name]),
        "a table of features": Path(known[FileFormat.TABLE.name]),
        "a release key": Path(known[FileFormat.RELEASE_KEY.name]),
        "a picture": Path(known[FileFormat.PICTURE.name]),
        "a list": Path(known[FileFormat.LIST.name]),
    }


READ = [pytest.param(words, name, id=" ".join((*words, name))) for words, name in parameters() if name not in WRITTEN]


@pytest.mark.parametrize(("words", "name"), READ)
def test_a_wrong_path_is_named_in_a_sentence(place, tmp_path, words, name):
    command = _words(words).split()
    for number, (what, path) in enumerate(wrong_paths(place).items()):
        right = BASE[words][name].strip("{}")
        if (right, what) in {("table", "a table of features"), ("head", "a classifier"), ("picture", "a picture")}:
            continue
        if (name, what) in FINE or (what == "no such file" and (command[0], name) in CREATED):
            continue
        if name == "FILE" and what in ("a release key", "a picture"):
            continue
        if (right, what) == ("labels", "a list"):
            continue
        if (command[0], name, what) == ("card", "TABLE", "a classifier"):
            continue  # of which there are cards, too
        if (words[-1], name, what) == ("its records", "RECEIPT", "a list"):
            continue  # a table of another program, for all that is known
        done = called(place, tmp_path / f"new{number}", words, {name: str(path)})
        crashed = done.exception is not None and not isinstance(done.exception, SystemExit)
        assert not crashed, f"{what}: {done.exception!r}"
        assert done.exit_code in (REFUSED | {1} if command[1:] == ["verify"] else REFUSED), f"{what}: {done.output}"
        said = " ".join(done.output.split())
        assert str(path) in said and "Traceback" not in said, f"{what}: {said}"
        if path.is_file() and not path.is_symlink() and what != "a list" and (command[0], name) not in CREATED:
            if command[1:] == ["verify"]:
                continue  # it is not intact, whatever it is
            assert what in said, f"{what}: {said}"


OUT = [pytest.param(words, name, id=" ".join((*words, name))) for words, name in parameters() if name in WRITTEN]


@pytest.mark.parametrize(("words", "name"), OUT)
def test_a_result_that_cannot_be_written_is_said(place, tmp_path, words, name):
    suffix = Path(BASE[words][name]).suffix
    folder = tmp_path / f"folder{suffix}"
    folder.mkdir()
    (tmp_path / "file").write_text("")
    wrong = {"in a file": tmp_path / "file" / f"x{suffix}"}
    if suffix:
        wrong |= {"a folder": folder, "in no folder": tmp_path / "none" / f"x{suffix}"}
    else:
        wrong |= {"a file": tmp_path / "file"}
    for what, path in wrong.items():
        done = called(place, tmp_path / what.replace(" ", "_"), words, {name: str(path)})
        crashed = done.exception is not None and not isinstance(done.exception, SystemExit)
        assert not crashed, f"{what}: {done.exception!r}"
        assert done.exit_code in REFUSED, f"{what}: {done.output}"
        assert str(path) in " ".join(done.output.split()), f"{what}: {done.output}"


CHOSEN = """task = "extract"
features = ["colour"]
images = { path = "in", number = 2, size = "32x32" }
"""
IN_WORDS = {
    "extract INPUT": ["extract", "{bad}", "-f", "colour", "-o", "{new}.npz"],
    "extract --subject-column": ["extract", "{bad}", "--subject-column", "who", "-f", "colour", "-o", "{new}.npz"],
    "extract -p path": ["extract", "{picture}", "-f", "cnn", "-p", "path={bad}", "-o", "{new}.npz"],
    "extract --post": ["extract", "{picture}", "-f", "lbp", "--post", "pca:2@{bad}", "-o", "{new}.npz"],
    "explain -p path": ["explain", "-f", "cnn", "-p", "path={bad}"],
    "mpc local --lend": [
        "mpc", "local", "{job}", "--lend", "hospital.photos={bad}", "--lend", "clinic.photos={bad}", "-o", "{new}",
    ],
    "mpc show --lend": ["mpc", "show", "{job}", "--lend", "hospital.photos={bad}", "--lend", "clinic.photos={labels}"],
}  # fmt: skip


@pytest.mark.parametrize("call", IN_WORDS)
def test_a_path_inside_a_word_is_named_too(place, tmp_path, call):
    known = json.loads((place / "known.json").read_text())
    for number, (what, path) in enumerate(wrong_paths(place).items()):
        if what == "a picture" or (what == "a list" and call.startswith("mpc")):
            continue
        names = {"picture": known["PICTURE"], "job": known["JOB"], "labels": place / "labels.csv"}
        names |= {"bad": path, "new": tmp_path / f"new{number}"}
        with contextlib.chdir(place):
            done = CliRunner().invoke(app, [word.format(**names) for word in IN_WORDS[call]])
        crashed = done.exception is not None and not isinstance(done.exception, SystemExit)
        assert not crashed, f"{what}: {done.exception!r}"
        assert done.exit_code in REFUSED, f"{what}: {done.output}"
        assert str(path) in " ".join(done.output.split()), f"{what}: {done.output}"
