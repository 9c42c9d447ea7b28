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

import pytest
import typer
from typer.testing import CliRunner

from privis.cli.main import app
from privis.file_formats import FileFormat
from privis.run.he.wire import key_file
from privis.serve.offerings.offering import Estimate, Terms
from tests.cli.files.every_file import every_file, stored_table

REFUSED = {2, 3, 4, 5, 7}
FREE = "127.0.0.1:0"
MADE = "made there"
"""What stands for a value that is new for every call."""
BASE: dict[tuple[str, ...], dict[str, str]] = {
    ("extract",): {"INPUT": "{picture}", "-f": "colour", "-o": "{new}.npz"},
    ("extract", "with all"): {
        "INPUT": "{picture}", "-f": "colour", "-o": "{new}.npz", "--release": "laplace", "--unit": "pixels:4",
        "--at": "pixels", "--epsilon": "1", "--ledger": "{budget}", "--key": "{key}", "--report": "{new}.html",
        "--yes": "",
    },
    ("show",): {"IMAGE": "{picture}", "-f": "lbp", "-o": "{new}.png"},
    ("train",): {
        "TABLE": "{table}", "--labels": "{labels}", "--classes": "a,b", "--epsilon": "3", "-o": "{new}.npz",
        "--steps": "2", "--key": "{key}",
    },
    ("train", "with a ledger"): {
        "TABLE": "{table}", "--labels": "{labels}", "--classes": "a,b", "--epsilon": "3", "-o": "{new}.npz",
        "--steps": "2", "--ledger": "{budget}",
    },
    ("release",): {
        "TABLE": "{exact}", "-o": "{new}.npz", "--release": "privunit", "--epsilon": "1", "--key": "{key}",
        "--record-column": "path", "--ledger": "{budget}", "--subjects": "{labels}", "--subject-column": "label",
        "--yes": "",
    },
    ("predict",): {"TABLE": "{table}", "--head": "{head}", "-o": "{new}.csv"},
    ("info",): {"FILE": "{table}"},
    ("ledger", "init"): {"PATH": "{new}", "--epsilon": "1", "--delta": "1e-6"},
    ("ledger", "show"): {"PATH": "{budget}"},
    ("ledger", "verify"): {"PATH": "{budget}"},
    ("ledger", "export"): {"PATH": "{budget}", "-o": "{new}.json"},
    ("answers", "init"): {"PATH": "{new}"},
    ("answers", "show"): {"PATH": "{answers}"},
    ("answers", "lift"): {"PATH": "{answers}", "--client": "a", "--gallery": "b", "--reason": "c"},
    ("answers", "verify"): {"PATH": "{answers}"},
    ("mpc", "keygen"): {"FOLDER": "{new}", "--party": "a=localhost:1"},
    ("mpc", "run"): {"JOB": "{job}", "--as": "{submitter}", "--wait": "0"},
    ("mpc", "show"): {"JOB": "{job}"},
    ("mpc", "local"): {
        "JOB": "{job}", "--lend": "hospital.photos={picture}", "--lend ": "clinic.photos={list}", "-o": "{new}"
    },
    ("party",): {"-c": "{party}", "--check": ""},
    ("keygen",): {"PATH": "{new}"},
    ("keygen", "token"): {"PATH": "{new}", "--for": "token", "--name": "bob", "--tokens": "{tokens}"},
    ("keygen", "by a server"): {
        "PATH": "{new}", "--for": "homomorphic", "--server": "https://127.0.0.1:1", "--offer": "hog",
        "--token-file": "{token}", "--authority": "{certificate}",
    },
    ("keygen", "by terms"): {
        "PATH": "{new}", "--for": "homomorphic", "--terms": "{gallery_terms}", "--gallery": "{table}"
    },
    ("serve",): {
        "--tokens": "{tokens}", "--program": "{program}", "--state": "{new}", "--check": "", "--listen": FREE,
    },
    ("serve", "a network"): {
        "--tokens": "{tokens}", "--model": "{network}", "--state": "{new}", "--check": "", "--listen": FREE,
        "--tls-cert": "{certificate}", "--tls-key": "{private}",
    },
    ("serve", "a gallery"): {
        "--tokens": "{tokens}", "--gallery": "{table}", "--scores": "", "--state": "{new}", "--check": "",
        "--listen": FREE,
        "--answers": "scores=2", "--answer-ledger": "{answers}",
    },
    ("serve", "a head"): {
        "--tokens": "{tokens}", "-f": "colour", "-p": "bins=2", "-p ": "size=8x8", "--head": "{head}", "--check": "",
        "--state": "{new}", "--listen": FREE, "--answers": "scores=100",
    },
    ("query", "a head"): {
        "INPUT": "{picture}", "--server": "https://127.0.0.1:1", "--keys": "{head_keys}", "--token-file": "{token}",
        "-o": "{new}.npz", "--predictions": "{new}.csv", "--patience": "0",
    },
    ("query",): {
        "INPUT": "{picture}", "--server": "https://127.0.0.1:1", "--keys": "{keys}", "--token-file": "{token}",
        "-o": "{new}.npz", "--authority": "{certificate}", "--patience": "0",
    },
    ("stage", "prepare"): {"FOLDER": "{new}", "--program": "{program}", "-o": "{new}.npz"},
    ("stage", "prepare", "a network"): {"FOLDER": "{new}", "--model": "{network}"},
    ("stage", "keygen"): {"FOLDER": "{new}", "--terms": "{stage}/public/public.key", "--secret": "{new}secret"},
    ("stage", "encrypt"): {"FOLDER": "{new}", "INPUT": "{picture}", "--secret": "{stage}/secret"},
    ("stage", "compute"): {"FOLDER": "{stage}", "--offer": "{stage}/server/offer.npz"},
    ("stage", "decrypt"): {"FOLDER": "{stage}", "--secret": "{stage}/secret", "-o": "{new}.npz"},
    ("stage", "prepare", "in words"): {"--io": "{new}", "--offer": "{offer}"},
    ("stage", "keygen", "in words"): {"--io": "{new}", "--offer": "{offer}"},
    ("stage", "encrypt", "in words"): {
        "--io": "{new}", "INPUT": "{picture}", "--offer": "{offer}", "--secret": "{stage}/secret",
    },
    ("stage", "compute", "in words"): {"--io": "{stage}", "--offer": "{offer}"},
    ("stage", "decrypt", "in words"): {"--io": "{stage}", "--offer": "{offer}", "-o": "{new}.npz"},
    ("face", "enrol"): {"GALLERY": "{new}", "IMAGES": "{picture}", "--subject": "ann"},
    ("face", "enrol", "by a detector"): {
        "GALLERY": "{new}", "IMAGES": "{picture}", "--subject": "ann", "--detector": "{network}",
    },
    ("face", "enrol", "by an embedder"): {
        "GALLERY": "{new}", "IMAGES": "{picture}", "--subject": "ann", "--embedder": "{network}",
    },
    ("face", "enrol", "released"): {
        "GALLERY": "{new}", "IMAGES": "{picture}", "--subject": "ann", "--release": "privunit", "--epsilon": "1",
        "--key": "{key}", "--ledger": "{budget}",
    },
    ("face", "verify", "released"): {
        "A": "{picture}", "B": "{picture}", "--release": "privunit", "--epsilon": "1", "--key": "{key}",
        "--ledger": "{budget}",
    },
    ("face", "verify"): {"A": "{picture}", "B": "{picture}"},
    ("face", "verify", "by a table"): {"A": "{picture}", "B": "{picture}", "--calibration": "{calibration}"},
    ("face", "verify", "by a detector"): {"A": "{picture}", "B": "{picture}", "--detector": "{network}"},
    ("face", "verify", "a person"): {"A": "{picture}", "--gallery": "{faces}", "--subject": "ann"},
    ("face", "verify", "by an embedder"): {"A": "{picture}", "B": "{picture}", "--embedder": "{network}"},
    ("face", "identify"): {"IMAGES": "{picture}", "--gallery": "{faces}", "--calibration": "{calibration}"},
    ("face", "identify", "by a detector"): {"IMAGES": "{picture}", "--gallery": "{faces}", "--detector": "{network}"},
    ("face", "identify", "by an embedder"): {"IMAGES": "{picture}", "--gallery": "{faces}", "--embedder": "{network}"},
    ("face", "enrol", "under a key"): {
        "GALLERY": "{new}", "IMAGES": "{picture}", "--subject": "ann", "--template-key": "{template}",
    },
    ("face", "verify", "under a key"): {"A": "{picture}", "B": "{picture}", "--template-key": "{template}"},
    ("face", "identify", "under a key"): {
        "IMAGES": "{picture}", "--gallery": "{faces}", "--template-key": "{template}",
    },
    ("face", "rekey"): {"GALLERY": "{faces}", "--template-key": "{template}", "--new-key": "{new}"},
    ("face", "verify", "by a server"): {
        "A": "{picture}", "B": "https://127.0.0.1:1", "--subject": "ann", "--under": "server", "--keys": "{keys}",
        "--token-file": "{token}", "--authority": "{certificate}",
    },
    ("face", "identify", "by a server"): {
        "IMAGES": "{picture}", "IMAGES ": "https://127.0.0.1:1", "--under": "server", "--keys": "{keys}",
        "--token-file": "{token}", "--authority": "{certificate}",
    },
    ("face", "remove"): {"GALLERY": "{faces}", "--subject": "ann"},
    ("face", "list"): {"GALLERY": "{faces}"},
    ("redact",): {
        "IN": "{picture}", "-o": "{new}", "--text": "", "--review": "{new}check",
    },
    ("redact", "own boxes"): {"IN": "{picture}", "-o": "{new}", "--regions": "{boxes}"},
    ("document", "check"): {"ID": "{picture}", "--draw": "{new}.png"},
    ("document", "check", "with a selfie"): {
        "ID": "{picture}", "--selfie": "{picture}", "--calibration": "{calibration}",
    },
    ("document", "check", "by a detector"): {"ID": "{picture}", "--selfie": "{picture}", "--detector": "{network}"},
    ("document", "check", "by an embedder"): {"ID": "{picture}", "--selfie": "{picture}", "--embedder": "{network}"},
    ("demo",): {"--output": "{new}"},
}  # fmt: skip
WRITTEN = {"-o", "--draw", "--output", "--report", "--review", "--state", "--predictions", "--new-key"}
"""Options whose value is written, so that nothing there is right, and a file there is replaced."""
CREATED = {
    ("keygen", "PATH"),
    ("ledger", "PATH"),
    ("answers", "PATH"),
    ("mpc", "FOLDER"),
    ("stage", "FOLDER"),
    ("stage", "--io"),
    ("face", "GALLERY"),
}
"""What is made anew: nothing there is right, anything else is refused."""
FINE = {
    ("--key", "a release key"), ("--key", "no such file"), ("--tokens", "no such file"), ("--tokens", "an empty file"),
    ("--secret", "no such file"), ("--answer-ledger", "no such file"), ("--answer-ledger", "an empty file"),
    ("FILE", "a table of features"), ("FILE", "a classifier"), ("FILE", "a list"), ("FOLDER", "a folder"),
    ("--io", "a folder"),
}  # fmt: skip
"""What is no mistake at that place."""
OTHERS = {"-o": (".npz", ".csv", ".json", ".png"), "--report": (".html",)}


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
    return [name for name, kind in hints.items() if kind is Path or Path in _leaves(kind)]


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
        "template": known["TEMPLATE_KEY"],
        "boxes": place / "boxes.csv",
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
