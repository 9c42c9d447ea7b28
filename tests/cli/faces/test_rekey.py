"""Galleries under a template key, and ``privis face rekey``: a kill at every step leaves a gallery and its key.

Answers for `privis.cli.faces.rekey` and `privis.cli.faces.transform_words`.
"""

from __future__ import annotations

import json
import multiprocessing
import os
import signal
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from privis.cli.faces import face_words
from privis.cli.main import app
from privis.io.face_gallery import FaceGallery
from privis.io.gallery_writer import changing
from privis.privacy import TemplateKey
from tests.estimators.faces.painted_faces import EXTRACTOR, impostors, picture

RATE = ("--threshold", "fmr:0.01", "--calibration", "table.json")
FILE_EVENTS = {"open", "os.rename", "os.link", "os.remove", "os.chmod"}


def run(*words: str) -> tuple[int, str, str]:
    """Exit code, stdout, stderr."""
    done = CliRunner().invoke(app, list(words))
    assert done.exception is None or isinstance(done.exception, SystemExit), repr(done.exception)
    return done.exit_code, done.stdout, done.stderr.replace("\n", " ")


def document(*words: str) -> Any:
    code, printed, said = run(*words)
    assert code == 0, said
    return json.loads(printed)


def who(key: str, gallery: str = "gate") -> Any:
    """Who is on the probe, or None where the gallery is not under the key."""
    code, printed, _ = run(
        "face", "identify", "probe.png", "--gallery", gallery, "--template-key", key, *RATE, "--json"
    )
    return json.loads(printed)[0]["subject"] if code == 0 else None


@pytest.fixture
def room(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a gallery `gate` of ann and bob under `gate.key`, and painted faces that need no network."""
    monkeypatch.setattr(face_words, "extractor_of", lambda words: EXTRACTOR)
    monkeypatch.chdir(tmp_path)
    impostors().save(tmp_path / "table.json")
    for person, name in enumerate(("ann", "bob", "cy")):
        (tmp_path / "people" / name).mkdir(parents=True)
        Image.fromarray(picture(person)).save(tmp_path / "people" / name / "0.png")
    Image.fromarray(picture(0, 7)).save(tmp_path / "probe.png")
    TemplateKey(bytes(range(32))).save("gate.key")
    enrol("people/ann", "people/bob")
    return tmp_path


def enrol(*folders: str, key: str = "gate.key") -> tuple[int, str, str]:
    return run("face", "enrol", "gate", *folders, "--subject-from", "folder", "--template-key", key)


def test_a_gallery_under_a_key_says_so_and_needs_it(room: Path) -> None:
    shown = document("face", "list", "gate", "--json")["template_key"]
    assert shown == TemplateKey.load("gate.key").fingerprint and bytes(range(32)) not in Path("gate").read_bytes()
    assert who("gate.key") == "ann"
    assert run("keygen", "other.key", "--for", "templates")[0] == 0 and os.stat("other.key").st_mode & 0o777 == 0o600
    for words in (("--template-key", "other.key"), ()):
        code, _, said = run("face", "identify", "probe.png", "--gallery", "gate", *words, *RATE)
        assert code == 2 and f"under template key {shown[:12]}" in said and "its template key" in said
        code, _, said = run("face", "enrol", "gate", "people/cy", "--subject-from", "folder", *words)
        assert code == 2 and f"under template key {shown[:12]}" in said
    code, printed, _ = run(
        "face", "verify", "people/ann/0.png", "probe.png", "--template-key", "other.key", *RATE, "--json"
    )
    assert code == 0 and json.loads(printed) == {"match": True, "fmr": 0.01, "undecided": False}
    told = run("info", "gate")[1] + run("info", "gate.key")[1]
    assert told.count(shown) == 2 and "whoever reads the file can compare" not in told
    for secret in (Path("gate.key").read_bytes()[-32:].hex(), bytes(range(32)).decode()):
        assert secret not in told


def test_a_leaked_gallery_is_put_under_another_key(room: Path) -> None:
    leaked = Path("gate").read_bytes()
    first = document("face", "rekey", "gate", "--template-key", "gate.key", "--new-key", "new.key", "--json")
    assert (first["status"], first["people"], first["key_made"]) == ("rekeyed", 2, True)
    assert first["to_key"] == TemplateKey.load("new.key").fingerprint and "destroy that key" in first["remains"][0]
    assert (who("gate.key"), who("new.key")) == (None, "ann") and os.stat("gate").st_mode & 0o777 == 0o600
    kept = Path("gate").read_bytes()
    again = document("face", "rekey", "gate", "--template-key", "gate.key", "--new-key", "new.key")
    assert again["status"] == "unchanged" and Path("gate").read_bytes() == kept
    assert (
        document("face", "rekey", "gate", "--template-key", "new.key", "--new-key", "third.key")["status"] == "rekeyed"
    )
    assert (who("gate.key"), who("new.key"), who("third.key")) == (None, None, "ann")
    Path("leaked").write_bytes(leaked)
    assert who("third.key", "leaked") is None and who("gate.key", "leaked") == "ann", "a leaked copy needs the old key"
    document("face", "remove", "gate", "--subject", "ann")
    assert document("face", "rekey", "gate", "--template-key", "third.key", "--new-key", "fourth.key")["people"] == 1
    assert b"ann" not in Path("gate").read_bytes() and not list(room.glob(".*"))
    assert enrol("people/ann", key="fourth.key")[0] == 0 and who("fourth.key") == "ann"


def test_a_gallery_without_a_key_gets_one(room: Path) -> None:
    run("face", "enrol", "open", "people", "--subject-from", "folder")
    done = document("face", "rekey", "open", "--new-key", "open.key")
    assert (done["from_key"], done["people"]) == (None, 3) and "as the network made them" in done["remains"][0]
    assert who("open.key", "open") == "ann"


def test_what_does_not_fit_changes_nothing(room: Path) -> None:
    kept = Path("gate").read_bytes()
    run("keygen", "other.key", "--for", "templates")
    run("keygen", "release.key")
    Path("readable.key").write_bytes(Path("gate.key").read_bytes())
    Path("readable.key").chmod(0o644)
    np.savez("numbers.npz", a=np.eye(2))
    for old, new, wanted in (
        ("other.key", "new.key", "that key; this one is"), (None, "new.key", "give it as the earlier key"),
        ("missing.key", "new.key", "no such file"), ("readable.key", "new.key", "mode 0644, expected mode 0600"),
        ("release.key", "new.key", "got a release key"), ("numbers.npz", "new.key", "an npz file"),
        ("gate.key", "gate.key", "the key that the gallery is under"), ("gate.key", "readable.key", "mode 0644"),
        ("gate.key", "release.key", "got a release key"), ("gate.key", "gate", "got a gallery of faces"),
    ):  # fmt: skip
        words = () if old is None else ("--template-key", old)
        code, _, said = run("face", "rekey", "gate", *words, "--new-key", new)
        assert code == 2 and wanted in said, (old, new, said)
        assert Path("gate").read_bytes() == kept and not Path("new.key").exists(), "no key for nothing"
    code, _, said = run("face", "rekey", "gate", "--template-key", "gate.key", "--new-key", "no/folder.key")
    assert code == 4 and Path("gate").read_bytes() == kept
    for gallery in ("nothing", "probe.png", "gate.key"):
        assert run("face", "rekey", gallery, "--template-key", "gate.key", "--new-key", "new.key")[0] == 2
    assert not Path("new.key").exists() and not Path("nothing").exists()
    assert run("face", "identify", "probe.png", "--gallery", "gate", "--template-key", "readable.key", *RATE)[0] == 2


def test_a_rekey_waits_for_another_writer(room: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from privis.io import gallery_writer

    kept = Path("gate").read_bytes()
    words = ("face", "rekey", "gate", "--template-key", "gate.key", "--new-key", "new.key")
    with changing("gate") as file:
        monkeypatch.setattr(gallery_writer.changing.__wrapped__, "__defaults__", (0.05,))
        code, _, said = run(*words)
        assert code == 4 and "another writer" in said and Path("gate").read_bytes() == kept
        gallery = file.read()
        assert gallery is not None
        file.write(gallery.without(["bob"]))
    assert document(*words)["people"] == 1 and who("new.key") == "ann", "the change of the other writer is kept"


def _rekey_killed_at(room: str, step: int) -> None:
    """Kill this process at its ``step``-th operation on a file of the room."""
    seen = [0]

    def count(event: str, arguments: tuple[Any, ...]) -> None:
        if event in FILE_EVENTS and str(arguments[0]).startswith((room, "gate", "new.key", "/proc/self/fd")):
            seen[0] += 1
            if seen[0] == step:
                os.kill(os.getpid(), signal.SIGKILL)

    sys.addaudithook(count)
    code = run("face", "rekey", "gate", "--template-key", "gate.key", "--new-key", "new.key")[0]
    os._exit(0 if code == 0 else 1)


def test_a_kill_at_every_step_leaves_a_gallery_and_its_key(room: Path) -> None:
    context, before, outcomes = multiprocessing.get_context("fork"), Path("gate").read_bytes(), []
    assert who("gate.key") == "ann"
    for step in range(1, 60):
        Path("gate").write_bytes(before)
        Path("new.key").unlink(missing_ok=True)
        killed = context.Process(target=_rekey_killed_at, args=(str(room), step))
        killed.start()
        killed.join(60)
        if killed.exitcode == 0:
            break
        assert killed.exitcode == -signal.SIGKILL
        state = FaceGallery.load("gate").protection
        assert state is not None
        usable = "gate.key" if state.key == TemplateKey.load("gate.key").fingerprint else "new.key"
        assert state.key == TemplateKey.load(usable).fingerprint
        outcomes.append((usable, Path("new.key").exists()))
        assert document("face", "rekey", "gate", "--template-key", "gate.key", "--new-key", "new.key")["people"] == 2
        assert not list(room.glob(".*")), "what the killed one left is gone"
        if step % 4 == 0:
            assert who("new.key") == "ann"
    assert killed.exitcode == 0 and step > 8
    assert set(outcomes) == {("gate.key", False), ("gate.key", True), ("new.key", True)}, (
        "killed before, between, after"
    )


def test_a_released_gallery_under_a_key_is_renewed_without_a_charge(room: Path) -> None:
    release = ("--release", "privunit", "--epsilon", "16")
    run("keygen", "noise.key")
    words = ("--subject-from", "folder", *release, "--key", "noise.key", "--template-key", "gate.key")
    code, _, said = run("face", "enrol", "noisy", "people/ann", "people/bob", *words)
    assert code == 0, said
    before = FaceGallery.load("noisy")
    assert document("face", "rekey", "noisy", "--template-key", "gate.key", "--new-key", "new.key")["people"] == 2
    after = FaceGallery.load("noisy")
    assert after.guarantee == before.guarantee and after.guarantee is not None
    assert np.allclose(after.templates @ after.templates.T, before.templates @ before.templates.T, atol=1e-4)
    code, _, said = run("face", "identify", "probe.png", "--gallery", "noisy", "--template-key", "new.key", *RATE)
    assert code in (0, 8), said


def test_a_claimed_person_of_a_gallery_under_a_key(room: Path) -> None:
    words = ("face", "verify", "probe.png", "--gallery", "gate", *RATE, "--json")
    for person, match in (("ann", True), ("bob", False)):
        code, printed, said = run(*words, "--subject", person, "--template-key", "gate.key")
        assert code == (0 if match else 8) and json.loads(printed)["match"] is match, said
    code, _, said = run(*words, "--subject", "ann")
    assert code == 2 and "its template key" in said
