"""``privis stage``: what each stage opens, that none reads what is not its own, kills at every step, damaged files.

Answers for `privis.cli.server.stages`, `privis.cli.server.stage_folder`, `privis.serve.offerings.offer`,
`privis.serve.offerings.offer_file`, `privis.serve.client.owner` and `privis.run.he.wire.answer`.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

pytest.importorskip("tenseal")

import privis
from privis.cli.main import app
from privis.io import tables
from privis.program import Input, save, trace

WORDS = ("-f", "colour", "-p", "bins=4", "-p", "size=16x16")
FEATURE = privis.ColourHistogram(bins=4, size=(16, 16))
OPENED: list[str] = []
KILL: list[int] = []  # how many more writing steps a child takes before it is killed
WRITING = {"os.rename", "os.link", "os.mkdir", "os.remove", "os.rmdir", "os.chmod"}


def hook(event, details):
    if event == "open" and isinstance(details[0], str):
        OPENED.append(details[0])
    writes = event in WRITING or (event == "open" and isinstance(details[2], int) and details[2] & os.O_ACCMODE)
    if KILL and writes and "/stages" in str(details[0]):
        KILL[0] -= 1
        if KILL[0] < 0:
            os._exit(9)


sys.addaudithook(hook)


def typed(*words):
    return CliRunner().invoke(app, ["stage", *map(str, words)])


def done(*words):
    """What a stage opened of the folder, as relative paths without names of unfinished files."""
    OPENED.clear()
    result = typed(*words)
    assert result.exit_code == 0, result.stderr
    folder = f"{words[1]}/"
    found = {path.removeprefix(folder) for path in OPENED if path.startswith(folder)}
    return {path for path in found if ".unfinished" not in path}


STAGES = {
    "prepare": ("prepare", WORDS),
    "keygen": ("keygen", ()),
    "encrypt": ("encrypt", ("{images}",)),
    "compute": ("compute", ("--at-once", "1")),
    "decrypt": ("decrypt", ("-o", "{folder}/out.npz")),
}
OPENS = {
    "prepare": {"server", "public"},
    "keygen": {"public", "secret"},
    "encrypt": {"upload", "secret"},
    "compute": {"server", "public", "upload", "download"},
    "decrypt": {"download", "secret"},
}


def words_of(name, folder, images):
    command, more = STAGES[name]
    return (command, folder, *(word.format(folder=folder, images=images) for word in more))


@pytest.fixture(scope="module")
def images(tmp_path_factory):
    folder = tmp_path_factory.mktemp("images")
    rng = np.random.default_rng(0)
    for name in ("one", "two", "three"):
        Image.fromarray(rng.integers(0, 256, (20, 24, 3), dtype=np.uint8)).save(folder / f"{name}.png")
    return folder


@pytest.fixture(scope="module")
def whole(tmp_path_factory, images):
    """A folder after all stages; copies of it are what tests change."""
    folder = tmp_path_factory.mktemp("stages") / "io"
    for name in STAGES:
        done(*words_of(name, folder, images))
    return folder


@pytest.fixture
def folder(whole, tmp_path):
    return Path(shutil.copytree(whole, tmp_path / "stages" / "io"))


def assert_right(folder, images):
    found = tables.read(folder / "out.npz")
    paths = sorted(str(path) for path in images.glob("*.png"))
    clear = privis.extract(FEATURE, paths)
    assert list(found.paths) == paths and found.names == clear.names
    assert (found.features == clear.features).all(), "counts come out exact"


def test_all_stages_give_the_features_of_the_clear(whole, images):
    assert_right(whole, images)
    card = json.loads(tables.read(whole / "out.npz").metadata["privis.card"])
    assert card["under"]["standards"] == ["2018", "2024"] and card["images"] == 3


def test_a_stage_opens_its_own_files_alone_where_all_are_there(folder, images):
    for name in STAGES:
        opened = {path.split("/")[0] for path in done(*words_of(name, folder, images))} - {"out.npz", ""}
        assert opened and opened <= OPENS[name], name


@pytest.mark.parametrize("name", STAGES)
def test_a_stage_works_without_all_that_is_not_its_own_and_opens_nothing_else(name, folder, images):
    kept = OPENS[name] | ({"public"} if name == "keygen" else set())
    for other in {"server", "public", "upload", "download", "secret"} - kept:
        (folder / other).rename(folder.parent / f"{other} moved away")
    if name == "keygen":
        shutil.rmtree(folder / "secret")
        (folder / "public" / "evaluation.key").unlink()
    opened = {path.split("/")[0] for path in done(*words_of(name, folder, images))} - {"out.npz", ""}
    assert opened <= OPENS[name] and opened, opened
    for other in {"server", "public", "upload", "download", "secret"} - OPENS[name]:
        assert not (folder / other).exists(), "it is not even made"


def test_compute_is_a_process_that_holds_nothing_that_decrypts(folder, images):
    (folder / "secret").rename(folder.parent / "secret moved away")
    (folder / "download" / "answer.bin").unlink()
    script = (
        "import sys; opened = []; sys.addaudithook(lambda e, a: opened.append(str(a[0])) if e == 'open' else None);"
        "from privis.cli.main import app\n"
        "try: app(['stage', 'compute', sys.argv[1], '--at-once', '2'])\n"
        "except SystemExit as end: assert not end.code, end.code\n"
        "bad = [m for m in sys.modules if m.startswith(('privis.run.he.owner', 'privis.serve.client.owner'))]\n"
        "assert not bad, bad; assert not [path for path in opened if 'secret' in path.split('/')[-2:]], opened\n"
        "assert [path for path in opened if path.endswith('query.bin')], 'the control'\n"
    )
    command = [sys.executable, "-c", script, str(folder)]
    ran = subprocess.run(command, capture_output=True, text=True, timeout=120, cwd=folder)
    assert ran.returncode == 0, ran.stderr
    (folder.parent / "secret moved away").rename(folder / "secret")
    done(*words_of("decrypt", folder, images))
    assert_right(folder, images)


def steps(name, folder, images, stride):
    """Runs a stage in children, each killed ``stride`` writing steps later than the last, until one ends well."""
    for most in range(0, 400, stride):
        child = os.fork()
        if not child:
            KILL.append(most)
            os._exit(0 if typed(*words_of(name, folder, images)).exit_code == 0 else 1)
        status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        assert status in (0, 9), "a stage that follows a killed one ends well"
        yield most, status
        if status == 0:
            return
    raise AssertionError("a stage never ends")


FRESH = {
    "prepare": ("server/offer.npz", "public/evaluation.key", "public/public.key", "secret"),
    "keygen": ("public/evaluation.key", "secret"),
    "encrypt": ("upload/query.bin", "secret/query.kept"),
    "compute": ("download/answer.bin",),
    "decrypt": ("out.npz",),
}
FOLLOWING = {"prepare": "keygen", "keygen": "encrypt", "encrypt": "compute", "compute": "decrypt"}


@pytest.mark.parametrize("stride", [2, pytest.param(1, marks=pytest.mark.long)])
@pytest.mark.parametrize("name", STAGES)
def test_a_kill_at_any_step_leaves_nothing_that_is_trusted_and_the_stage_goes_on(name, stride, folder, images):
    for made in FRESH[name]:
        place = folder / made
        shutil.rmtree(place) if place.is_dir() else place.unlink()
    seen = 0
    for _, status in steps(name, folder, images, stride):
        seen += status == 9
        for made in FRESH[name]:
            place = folder / made
            if place.is_file():
                assert place.stat().st_size > 0
        for secret in folder.glob("**/*secret*/secret.key"):
            assert secret.stat().st_mode & 0o077 == 0 and secret.parent.stat().st_mode & 0o077 == 0
        if name in FOLLOWING and status == 9:
            follows = typed(*words_of(FOLLOWING[name], folder.parent / "nowhere", images))
            assert follows.exit_code != 0 and isinstance(follows.exception, SystemExit)
    assert seen >= 1, "the control: there were steps to be killed at"
    names = list(STAGES)
    for rest in names[names.index(name) + 1 :]:
        done(*words_of(rest, folder, images))
    assert_right(folder, images)


def test_stages_are_run_again_and_other_answers_are_noticed(folder, images, tmp_path):
    before = (folder / "secret" / "secret.key").read_bytes()
    done(*words_of("prepare", folder, images))
    done(*words_of("keygen", folder, images))
    assert (folder / "secret" / "secret.key").read_bytes() == before, "keys are never overwritten"
    shutil.copytree(images, tmp_path / "others")
    (tmp_path / "others" / "one.png").unlink()
    shutil.copy(images / "two.png", tmp_path / "others" / "a copy.png")  # as many images as before
    done("encrypt", folder, tmp_path / "others")
    wrong = typed(*words_of("decrypt", folder, images))
    assert wrong.exit_code == 7 and "an answer to another query" in wrong.stderr
    done(*words_of("compute", folder, images))
    done(*words_of("decrypt", folder, images))
    assert [Path(path).name for path in tables.read(folder / "out.npz").paths] == ["a copy.png", "three.png", "two.png"]


def test_lost_evaluation_keys_are_made_again_of_the_same_secret_key(folder, images):
    (folder / "public" / "evaluation.key").unlink()
    for name in ("keygen", "compute", "decrypt"):
        done(*words_of(name, folder, images))
    assert_right(folder, images)


@pytest.mark.parametrize(
    ("change", "words", "said"),
    [
        (lambda f: (f / "public" / "public.key").unlink(), ("keygen",), "privis stage prepare"),
        (lambda f: shutil.rmtree(f / "secret"), ("keygen",), "evaluation keys without their secret key"),
        (lambda f: shutil.rmtree(f / "secret"), ("encrypt", "{images}"), "privis stage keygen"),
        (lambda f: (f / "upload" / "query.bin").unlink(), ("compute",), "privis stage encrypt"),
        (lambda f: (f / "server" / "offer.npz").unlink(), ("compute",), "privis stage prepare"),
        (lambda f: (f / "public" / "evaluation.key").unlink(), ("compute",), "make keys"),
        (lambda f: (f / "download" / "answer.bin").unlink(), ("decrypt", "-o", "{f}/o.npz"), "compute again"),
        (lambda f: (f / "secret" / "query.kept").unlink(), ("decrypt", "-o", "{f}/o.npz"), "encrypt the images again"),
        (lambda f: (f / "secret" / "query.kept").chmod(0o644), ("decrypt", "-o", "{f}/o.npz"), "mode 0644"),
        (lambda f: None, ("keygen", "--standard", "2018", "--secret", "{f}/public/mine"), "one inside the other"),
        (lambda f: None, ("prepare", "-f", "colour", "-p", "bins=8", "-p", "size=16x16"), "keys for other terms"),
        (lambda f: None, ("prepare",), "nothing to compute"),
        (lambda f: (f / "public" / "public.key").write_bytes(b"[]"), ("keygen",), "a specification or public key"),
        (
            lambda f: shutil.copy(f / "secret" / "secret.key", f / "public" / "evaluation.key"),
            *(("compute",), "a secret key never leaves its owner"),
        ),
    ],
)
def test_what_is_missing_or_of_others_is_said_with_its_remedy(change, words, said, folder, images, tmp_path):
    if "{f}/public/mine" in words:
        change = lambda f: (f / "public" / "evaluation.key").unlink()  # noqa: E731
    change(folder)
    name, *more = words
    filled = (word.format(f=folder, images=images) for word in more)
    result = typed(name, folder, *filled)
    assert result.exit_code not in (0, 1) and said in " ".join(result.stderr.split()), result.stderr


def test_a_program_of_vectors_takes_files_of_arrays(tmp_path):
    save(trace(lambda x, y: (x * y).sum(0), Input((5,), -1.0, 1.0, None), Input((5,), -1.0, 1.0, None)), tmp_path / "p")
    place = tmp_path / "stages"
    done("prepare", place, "--program", tmp_path / "p", "--precision", "0.001", "--images", "4")
    done("keygen", place, "--secret", tmp_path / "mine")
    x, y = np.random.default_rng(1).uniform(-1, 1, (2, 4, 5))
    np.savez(tmp_path / "both.npz", x=x, y=y)
    picture = typed("encrypt", place, tmp_path / "p", "--secret", tmp_path / "mine")
    assert picture.exit_code == 2, "a program is no input"
    done("encrypt", place, tmp_path / "both.npz", "--secret", tmp_path / "mine")
    done("compute", place)
    done("decrypt", place, "--secret", tmp_path / "mine", "-o", tmp_path / "dots.csv")
    found = tables.read(tmp_path / "dots.csv")
    np.testing.assert_allclose(found.features[:, 0], (x * y).sum(1), atol=5e-3)
    assert found.paths[1].endswith("both.npz[1]") and not (place / "secret").exists()
